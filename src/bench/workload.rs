//! Prepared requests and what their answers must look like.

use crate::wire::frame::HEADER_BYTES;
use crate::wire::msgpack::Reader;
use fastrand::Rng;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// One kind of request: a whole frame, and where in it the parts are that change.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// The operation's name.
    pub name: &'static str,
    /// The frame, with whatever in the places that change.
    pub frame: Vec<u8>,
    /// Where the request's id is, 2 bytes.
    pub id_at: usize,
    /// Where the keys are, 8 bytes each.
    pub keys_at: Vec<usize>,
    /// Where 8 bytes of the values are that change.
    pub values_at: Vec<usize>,
    /// How many bytes may follow the status of the answer.
    pub answer: RangeInclusive<usize>,
    /// How many bytes followed it when it was tried.
    pub answer_bytes: usize,
    /// How often the shape is drawn.
    pub weight: u32,
}

/// How answers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Type, id, status.
    Draft,
    /// Id, flags, timestamp.
    Ga,
    /// The floor's.
    Floor,
}

/// What is added to a key in the GA dialect, so that its shortest form is 8 bytes whatever the key.
pub(super) const GA_KEY_BASE: u64 = 1 << 40;

/// The requests of a run. Cloning is cheap.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    pub shapes: Arc<[Shape]>,
    pub reading: Reading,
    /// Bytes each connection starts with, and how the answer begins.
    pub hello: Arc<[u8]>,
    pub welcome: Arc<[u8]>,
    /// How many bytes of the answer follow that may be any.
    pub welcome_rest: usize,
    /// Keys are below this.
    pub keys: u64,
    pub depth: usize,
}

impl Workload {
    /// The same sizes for the floor.
    pub(super) fn floor(&self) -> Self {
        let id_bytes = match self.depth {
            0..=128 => 1,
            129..=256 => 2,
            _ => 3,
        };
        let shape = |shape: &Shape| {
            let payload_bytes = self.reading.head_bytes() + id_bytes + shape.answer_bytes;
            let mut frame = shape.frame.clone();
            let head = (payload_bytes as u32).to_be_bytes();
            frame.iter_mut().skip(HEADER_BYTES).zip(head).for_each(|(place, byte)| *place = byte);
            Shape {
                frame,
                id_at: HEADER_BYTES + 4,
                keys_at: Vec::new(),
                values_at: Vec::new(),
                answer: payload_bytes..=payload_bytes,
                ..shape.clone()
            }
        };
        let shapes = self.shapes.iter().map(shape).collect();
        let none = || Arc::from([]);
        Self { shapes, reading: Reading::Floor, hello: none(), welcome: none(), welcome_rest: 0, ..self.clone() }
    }

    /// Bytes of a request, by the weights.
    pub(super) fn request_bytes(&self) -> usize {
        self.mean(|shape| shape.frame.len())
    }

    /// Bytes of an answer, by the weights.
    pub(super) fn answer_bytes(&self) -> usize {
        self.mean(|shape| HEADER_BYTES + self.reading.head_bytes() + 1 + shape.answer_bytes)
    }

    fn mean(&self, bytes: impl Fn(&Shape) -> usize) -> usize {
        let weights: usize = self.shapes.iter().map(|shape| shape.weight as usize).sum();
        let sum: usize = self.shapes.iter().map(|shape| shape.weight as usize * bytes(shape)).sum();
        sum / weights.max(1)
    }

    /// Draws a shape.
    pub(super) fn draw(&self, rng: &mut Rng) -> usize {
        if self.shapes.len() == 1 {
            return 0;
        }
        let weights: u32 = self.shapes.iter().map(|shape| shape.weight).sum();
        let mut rest = rng.u32(..weights.max(1));
        let found = self.shapes.iter().position(|shape| match rest.checked_sub(shape.weight) {
            Some(less) => {
                rest = less;
                false
            }
            None => true,
        });
        found.unwrap_or(0)
    }

    /// Appends a request of the shape with the id and random keys.
    pub(super) fn write(&self, out: &mut Vec<u8>, shape: usize, id: u16, rng: &mut Rng) {
        let Some(shape) = self.shapes.get(shape) else { return };
        let start = out.len();
        out.extend_from_slice(&shape.frame);
        let Some(frame) = out.get_mut(start..) else { return };
        patch(frame, shape.id_at, id.to_be_bytes());
        if !shape.keys_at.is_empty() {
            // Neighbours, so that no key comes twice in one request.
            let mut key = rng.u64(..self.keys);
            for at in &shape.keys_at {
                let bytes = match self.reading {
                    Reading::Ga => (key + GA_KEY_BASE).to_le_bytes(),
                    Reading::Draft | Reading::Floor => key.to_be_bytes(),
                };
                patch(frame, *at, bytes);
                key = if key + 1 == self.keys { 0 } else { key + 1 };
            }
        }
        for at in &shape.values_at {
            patch(frame, *at, rng.u64(..).to_be_bytes());
        }
    }

    /// The id of an answer and the bytes that follow its status, or what is wrong with it.
    pub(super) fn read(&self, payload: &[u8]) -> Result<(u16, usize), String> {
        match (self.reading, payload) {
            (Reading::Floor, &[a, b, ..]) => Ok((u16::from_be_bytes([a, b]), payload.len())),
            (Reading::Draft, &[0, id @ 0..=0x7f, 0, ref data @ ..]) => Ok((id.into(), data.len())),
            (Reading::Draft, &[0, 0xcc, id, 0, ref data @ ..]) => Ok((id.into(), data.len())),
            (Reading::Draft, &[0, 0xcd, a, b, 0, ref data @ ..]) => Ok((u16::from_be_bytes([a, b]), data.len())),
            (Reading::Draft, _) => Err(explain(payload)),
            (Reading::Ga, &[id @ 0..=0x7f, 0, 0xd3, ref rest @ ..]) => Ok((id.into(), rest.len().saturating_sub(8))),
            (Reading::Ga, &[0xcc, id, 0, 0xd3, ref rest @ ..]) => Ok((id.into(), rest.len().saturating_sub(8))),
            (Reading::Ga, &[0xcd, a, b, 0, 0xd3, ref rest @ ..]) => {
                Ok((u16::from_be_bytes([a, b]), rest.len().saturating_sub(8)))
            }
            (Reading::Ga, _) => Err(super::ga::explain(payload)),
            (Reading::Floor, _) => Err(format!("the floor answered with {} bytes", payload.len())),
        }
    }
}

impl Reading {
    /// Bytes of an answer beside its id and its result.
    fn head_bytes(self) -> usize {
        match self {
            Self::Draft | Self::Floor => 2,
            Self::Ga => 10,
        }
    }
}

fn patch<const N: usize>(frame: &mut [u8], at: usize, bytes: [u8; N]) {
    if let Some(place) = frame.get_mut(at..at + N) {
        place.copy_from_slice(&bytes);
    }
}

fn explain(payload: &[u8]) -> String {
    let mut reader = Reader::new(payload);
    let fields = (reader.i64(), reader.i64(), reader.i64(), reader.str());
    match fields {
        (Ok(0), Ok(id), Ok(status), Ok(message)) => {
            format!("the server answered request {id} with status {status}: {message}")
        }
        _ => format!("the server's answer of {} bytes cannot be read", payload.len()),
    }
}
