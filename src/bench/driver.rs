//! One thread's connections, driven by readiness.
//!
//! Every connection has `depth` slots. A slot is a request in flight; its number is the request's id, so an answer
//! finds its slot whatever the order. An answered slot sends its next request at once, until the deadline.

use super::report::Measured;
use super::workload::Workload;
use super::{Error, Result};
use crate::wire::frame::{self, Next};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 256 << 10;
const ANSWER_BYTES_MAX: usize = 1 << 30;

pub(super) struct Driver {
    poll: Poll,
    events: Events,
    lanes: Vec<Lane>,
    input: Vec<u8>,
    workload: Workload,
    rng: fastrand::Rng,
}

struct Lane {
    stream: TcpStream,
    output: Vec<u8>,
    sent: usize,
    /// The start of an answer that is not whole yet.
    partial: Vec<u8>,
    slots: Vec<Slot>,
    in_flight: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    shape: usize,
    sent_at: Option<Instant>,
}

/// What one turn needs besides its lane.
struct Turn<'a> {
    workload: &'a Workload,
    rng: &'a mut fastrand::Rng,
    measured: &'a mut Measured,
    deadline: Instant,
    now: Instant,
    done: u64,
}

impl Driver {
    /// Connects and shakes hands.
    pub(super) fn connect(
        addr: SocketAddr,
        connections: usize,
        depth: usize,
        workload: Workload,
        seed: u64,
    ) -> Result<Self> {
        let failed = |error| Error::Io(format!("cannot connect to {addr}"), error);
        let poll = Poll::new().map_err(failed)?;
        let lane = |n| {
            let stream = open(addr, &workload).map_err(failed)?;
            stream.set_nonblocking(true).map_err(failed)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(n), Interest::READABLE | Interest::WRITABLE).map_err(failed)?;
            let slots = vec![Slot::default(); depth];
            Ok(Lane { stream, output: Vec::new(), sent: 0, partial: Vec::new(), slots, in_flight: 0 })
        };
        let lanes = (0..connections).map(lane).collect::<Result<_>>()?;
        let events = Events::with_capacity(1024);
        Ok(Self { poll, events, lanes, input: vec![0; READ_BYTES], workload, rng: fastrand::Rng::with_seed(seed) })
    }

    /// Keeps all slots busy until the deadline, then waits for what is in flight.
    pub(super) fn run(&mut self, deadline: Instant, measured: &mut Measured, operations: &AtomicU64) -> Result<()> {
        let failed = |error| Error::Io("a connection failed".into(), error);
        let Self { poll, events, lanes, input, workload, rng } = self;
        let mut turn = Turn { workload, rng, measured, deadline, now: Instant::now(), done: 0 };
        for lane in &mut *lanes {
            for id in 0..lane.slots.len() {
                lane.issue(id, &mut turn);
            }
            lane.write().map_err(failed)?;
        }
        let mut busy = lanes.len();
        while busy > 0 {
            if let Err(error) = poll.poll(events, Some(PATIENCE)) {
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                return Err(failed(error));
            }
            if events.is_empty() {
                let waiting: usize = lanes.iter().map(|lane| lane.in_flight).sum();
                return Err(Error::Answer(format!("{waiting} requests had no answer within {PATIENCE:?}")));
            }
            for event in &*events {
                let Some(lane) = lanes.get_mut(event.token().0) else { continue };
                let was_busy = lane.in_flight > 0;
                if event.is_readable() {
                    lane.read(input, &mut turn)?;
                }
                lane.write().map_err(failed)?;
                busy -= usize::from(was_busy && lane.in_flight == 0);
            }
            operations.fetch_add(std::mem::take(&mut turn.done), Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Connects and shakes hands.
pub(super) fn open(addr: SocketAddr, workload: &Workload) -> io::Result<std::net::TcpStream> {
    let mut stream = std::net::TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&workload.hello)?;
    let mut welcome = vec![0; workload.welcome.len()];
    stream.read_exact(&mut welcome)?;
    let mut rest = vec![0; workload.welcome_rest];
    stream.read_exact(&mut rest)?;
    if welcome != *workload.welcome {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the handshake was refused"));
    }
    Ok(stream)
}

impl Lane {
    /// Appends a new request of slot `id`.
    #[inline]
    fn issue(&mut self, id: usize, turn: &mut Turn<'_>) {
        let shape = turn.workload.draw(turn.rng);
        if let Some(slot) = self.slots.get_mut(id) {
            *slot = Slot { shape, sent_at: Some(turn.now) };
            turn.workload.write(&mut self.output, shape, id as u16, turn.rng);
            self.in_flight += 1;
        }
    }

    fn read(&mut self, input: &mut [u8], turn: &mut Turn<'_>) -> Result<()> {
        loop {
            let n = match self.stream.read(input) {
                Ok(0) => return Err(Error::Answer("the server closed a connection".into())),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Io("a connection failed".into(), error)),
            };
            turn.now = Instant::now();
            let bytes = input.get(..n).unwrap_or_default();
            if self.partial.is_empty() {
                let used = self.answers(bytes, turn)?;
                self.partial.extend_from_slice(bytes.get(used..).unwrap_or_default());
            } else {
                let mut partial = std::mem::take(&mut self.partial);
                partial.extend_from_slice(bytes);
                let used = self.answers(&partial, turn)?;
                partial.drain(..used);
                self.partial = partial;
            }
            // A short read has drained the socket; the next byte is a new event.
            if n < input.len() {
                return Ok(());
            }
        }
    }

    /// Takes the whole answers at the front of `bytes` and returns how many bytes they are.
    fn answers(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> Result<usize> {
        let mut used = 0;
        loop {
            let payload = match frame::next(bytes.get(used..).unwrap_or_default(), ANSWER_BYTES_MAX) {
                Next::Frame(payload) => payload,
                Next::Partial(_) => return Ok(used),
                Next::Oversize(length) | Next::Invalid(length) => {
                    return Err(Error::Answer(format!("an answer of {length} bytes")));
                }
            };
            used += frame::HEADER_BYTES + payload.len();
            let (id, data_bytes) = turn.workload.read(payload).map_err(Error::Answer)?;
            self.answer(id, data_bytes, turn)?;
        }
    }

    #[inline]
    fn answer(&mut self, id: u16, data_bytes: usize, turn: &mut Turn<'_>) -> Result<()> {
        let slot = self.slots.get_mut(usize::from(id));
        let Some((shape, Some(sent_at))) = slot.map(|slot| (slot.shape, slot.sent_at.take())) else {
            return Err(Error::Answer(format!("an answer to request {id}, which is not under way")));
        };
        let expected = turn.workload.shapes.get(shape).map(|shape| &shape.answer);
        if !expected.is_some_and(|expected| expected.contains(&data_bytes)) {
            return Err(Error::Answer(format!("an answer of {data_bytes} bytes where {expected:?} are expected")));
        }
        turn.measured.record(shape, turn.now.saturating_duration_since(sent_at));
        turn.done += 1;
        self.in_flight -= 1;
        if turn.now < turn.deadline {
            self.issue(id.into(), turn);
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(rest @ [_, ..]) = self.output.get(self.sent..) {
            match self.stream.write(rest) {
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(())
    }
}
