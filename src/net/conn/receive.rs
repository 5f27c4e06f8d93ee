//! What a connection does with what it receives: bytes to frames, frames to the session.

use std::io;

use super::{Conn, PARKED_OVERHEAD_BYTES, Phase, Turn};
use crate::config;
use crate::door::{self, Flow};
use crate::error::{Error, Kind};
use crate::net::hooks::Fault;
use crate::net::transport::{Received, Transport};
use crate::wire::frame::{self, Next};

/// Frames of one connection that run in one turn of the loop.
const FRAMES_PER_TURN: usize = 512;

impl<T: Transport> Conn<T> {
    /// Reads once and runs whole frames, within this turn's share. `scratch` is where bytes are read to.
    pub(crate) fn receive(&mut self, scratch: &mut [u8], turn: &mut Turn<'_>) {
        if self.phase == Phase::Lingering {
            return self.discard(scratch);
        }
        let mut share = FRAMES_PER_TURN;
        self.run_input(&mut share, turn);
        if self.wants_read(turn) && share > 0 && !self.pending {
            match self.transport.read(scratch) {
                Ok(Received { bytes: 0, .. }) => {
                    self.peer_done = true;
                    self.readable = false;
                }
                Ok(Received { bytes, more }) => {
                    self.readable = more || self.hung_up;
                    self.take(scratch.get(..bytes).unwrap_or_default(), &mut share, turn);
                }
                Err(error) => self.read_failed(&error),
            }
        }
        self.settle();
    }

    /// Runs a parked request again. A client that gave several the same id has all of them run.
    pub(crate) fn wake(&mut self, request: i64, turn: &mut Turn<'_>) {
        for frame in self.parked.remove(&request).unwrap_or_default() {
            self.parked_bytes -= frame.len() + PARKED_OVERHEAD_BYTES;
            self.run_frame(&frame, None, turn);
        }
        self.settle();
    }

    /// Runs what a read brought; keeps the rest.
    fn take(&mut self, bytes: &[u8], share: &mut usize, turn: &mut Turn<'_>) {
        if self.input.is_empty() {
            let used = self.run(bytes, share, turn);
            if let Some(rest @ [_, ..]) = bytes.get(used..) {
                self.input.append(rest, self.whole);
            }
        } else {
            self.input.append(bytes, self.whole);
            self.run_input(share, turn);
        }
        if turn.crowded && self.input.capacity() > config::CROWDED_BYTES && !self.pending {
            let message = format!(
                "a frame of {} bytes does not fit: all connections together buffer more than {} bytes",
                self.whole, turn.limits.buffered_bytes
            );
            self.refuse(Error::new(Kind::LimitExceeded, message), turn);
        }
    }

    fn run_input(&mut self, share: &mut usize, turn: &mut Turn<'_>) {
        if self.input.is_empty() {
            return;
        }
        // Out of `self` while frames borrow from it.
        let mut input = std::mem::take(&mut self.input);
        let used = self.run(input.bytes(), share, turn);
        input.consume(used);
        self.input = input;
    }

    /// Runs whole frames at the front of `bytes`; returns how many bytes they took.
    fn run(&mut self, bytes: &[u8], share: &mut usize, turn: &mut Turn<'_>) -> usize {
        let mut rest = bytes;
        self.pending = false;
        if !self.magic_seen {
            match frame::magic(rest) {
                None => return 0,
                Some(true) => {
                    self.magic_seen = true;
                    turn.hooks.received(self.id, &frame::MAGIC);
                }
                Some(false) => {
                    log::debug!("connection {:?}: wrong magic", self.id);
                    self.drain();
                    return bytes.len();
                }
            }
            rest = rest.get(frame::MAGIC.len()..).unwrap_or_default();
        }
        while self.phase == Phase::Open && !rest.is_empty() {
            if *share == 0 || !self.may_run(turn) {
                self.pending = true;
                break;
            }
            match frame::next(rest, self.frame_bytes_max(turn)) {
                Next::Frame(payload) => {
                    let (whole, behind) = rest.split_at(frame::HEADER_BYTES + payload.len());
                    rest = behind;
                    *share -= 1;
                    turn.hooks.received(self.id, whole);
                    let fault = if self.session.established() { turn.hooks.fault() } else { None };
                    self.run_frame(payload, fault, turn);
                }
                Next::Partial(whole) => {
                    self.whole = whole;
                    break;
                }
                Next::Oversize(length) => {
                    let max = self.frame_bytes_max(turn);
                    let stage = if self.session.established() { "" } else { " before the handshake" };
                    let message = format!("a frame of {length} bytes is above the limit of {max} bytes{stage}");
                    self.refuse(Error::new(Kind::LimitExceeded, message), turn);
                }
                Next::Invalid(length) => {
                    log::debug!("connection {:?}: impossible frame length {length:#010x}", self.id);
                    self.drain();
                }
            }
        }
        if self.phase == Phase::Open { bytes.len() - rest.len() } else { bytes.len() }
    }

    fn run_frame(&mut self, payload: &[u8], fault: Option<Fault>, turn: &mut Turn<'_>) {
        let before = self.output.len();
        let flow = match (&fault, door::request_id(payload)) {
            (Some(Fault::DropBefore), _) => Flow::Close,
            (Some(Fault::Error(error)), Some(request)) => {
                self.session.fail(request, error, &mut self.output);
                Flow::Continue
            }
            _ => self.session.frame(turn.engine, payload, &mut self.output),
        };
        self.output.seal();
        let flow = match fault {
            Some(Fault::DropAfter) => {
                self.output.truncate(before);
                Flow::Close
            }
            Some(Fault::Truncate(bytes)) => {
                self.output.truncate(self.output.len().min(before + bytes));
                Flow::Close
            }
            Some(Fault::Delay(delay)) => {
                self.delayed_until = Some(turn.now + delay);
                flow
            }
            _ => flow,
        };
        turn.hooks.answered(self.id, self.output.tail(before));
        match flow {
            Flow::Continue => {}
            Flow::Close => self.drain(),
            Flow::Park => {
                // A door parks only what it could read the request id of.
                let Some(request) = door::request_id(payload) else { return };
                self.parked_bytes += payload.len() + PARKED_OVERHEAD_BYTES;
                self.parked.entry(request).or_default().push(payload.into());
            }
        }
    }

    /// Answers that what the peer sends cannot be taken, and ends.
    fn refuse(&mut self, error: Error, turn: &mut Turn<'_>) {
        log::debug!("connection {:?}: {error}", self.id);
        let before = self.output.len();
        self.session.bad_frame(&error, &mut self.output);
        self.output.seal();
        turn.hooks.answered(self.id, self.output.tail(before));
        self.drain();
    }

    fn discard(&mut self, scratch: &mut [u8]) {
        match self.transport.read(scratch) {
            Ok(Received { bytes: 0, .. }) => self.phase = Phase::Gone,
            Ok(Received { more, .. }) => self.readable = more || self.hung_up,
            Err(error) => self.read_failed(&error),
        }
    }

    fn read_failed(&mut self, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::WouldBlock => self.readable = false,
            io::ErrorKind::Interrupted => {}
            // The peer broke the transport's rules; it was told.
            io::ErrorKind::InvalidData => {
                log::debug!("connection {:?}: {error}", self.id);
                self.drain();
            }
            _ => {
                log::debug!("connection {:?}: cannot read: {error}", self.id);
                self.phase = Phase::Gone;
            }
        }
    }

    fn wants_read(&self, turn: &Turn<'_>) -> bool {
        self.phase == Phase::Open && self.readable && !self.stopping && self.may_run(turn)
    }

    /// Whether the next frame may run: neither its answers nor the disk are too far behind.
    fn may_run(&self, turn: &Turn<'_>) -> bool {
        !self.is_behind(turn) && !turn.engine.backlogged()
    }

    fn frame_bytes_max(&self, turn: &Turn<'_>) -> usize {
        if self.session.established() {
            turn.limits.frame_bytes
        } else {
            turn.limits.frame_bytes.min(config::HANDSHAKE_FRAME_BYTES_MAX)
        }
    }
}
