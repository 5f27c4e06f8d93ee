//! One connection: bytes in, whole frames to the session, answers out.
//!
//! ```text
//! Open ──(peer or server ends, everything answered)──► Draining ──(all sent)──► Lingering ──(peer ends or time)──► Gone
//!   └──(session closes, bad frame)─────────────────────────┘
//! ```
//!
//! A socket that is closed while received bytes are unread makes the kernel reset the connection, and a reset may take
//! the last answer away from the client. So a connection that we end first says that nothing more comes, then discards
//! what still arrives until the client ends too or a short time is over.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use super::hooks::{Fault, Hooks};
use super::timers::Due;
use super::transport::{Received, Transport};
use crate::config::{self, Limits};
use crate::door::igni::Session;
use crate::door::{self, ConnId, Flow, Output};
use crate::error::{Error, Kind};
use crate::store::engine::Engine;
use crate::wire::frame::{self, Next, Partial};

/// Frames of one connection that run in one turn of the loop.
const FRAMES_PER_TURN: usize = 512;

/// What a parked frame counts beyond its bytes.
const PARKED_OVERHEAD_BYTES: usize = 256;

/// A connection over `T`.
pub(crate) struct Conn<T> {
    id: ConnId,
    transport: T,
    session: Session,
    input: Partial,
    output: Output,
    /// Frames of requests that wait for a lock, by the id of the request; a client may give several the same.
    parked: HashMap<i64, Vec<Box<[u8]>>>,
    parked_bytes: usize,
    phase: Phase,
    /// The size that the first frame in `input` will have; 0 if not known.
    whole: usize,
    magic_seen: bool,
    /// `input` starts with something that can be run or judged without another byte.
    pending: bool,
    readable: bool,
    writable: bool,
    /// The peer has announced its end, so reading goes on until it is reached.
    hung_up: bool,
    /// Nothing more comes: the peer has ended its side.
    peer_done: bool,
    /// Nothing more is taken: the server stops.
    stopping: bool,
    session_closed: bool,
    /// A fault keeps the answers until then.
    delayed_until: Option<Instant>,
    /// What the loop remembers about this connection.
    pub(crate) marks: Marks,
}

/// The loop's queues this connection is in, and what it counts there.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// In the queue of connections with work.
    pub(crate) queued: bool,
    /// In the list of connections to send to at the end of the turn.
    pub(crate) dirty: bool,
    /// In the list of connections whose answers wait for the disk.
    pub(crate) held: bool,
    /// The timer that was set last.
    pub(crate) due: Option<Due>,
    /// Bytes counted towards the buffers of all connections.
    pub(crate) buffered: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Requests are taken.
    Open,
    /// No more requests; what is answered is sent.
    Draining,
    /// All is sent; what arrives is discarded.
    Lingering,
    /// The socket can be closed.
    Gone,
}

/// What a connection needs from the loop while it runs requests.
pub(crate) struct Turn<'a> {
    pub(crate) engine: &'a mut Engine,
    pub(crate) limits: &'a Limits,
    pub(crate) hooks: &'a mut Hooks,
    pub(crate) now: Instant,
    /// The buffers of all connections together are beyond their limit.
    pub(crate) crowded: bool,
}

impl<T: Transport> Conn<T> {
    pub(crate) fn new(id: ConnId, transport: T, session: Session) -> Self {
        Self {
            id,
            transport,
            session,
            input: Partial::default(),
            output: Output::default(),
            parked: HashMap::new(),
            parked_bytes: 0,
            phase: Phase::Open,
            whole: 0,
            magic_seen: false,
            pending: false,
            readable: false,
            writable: true,
            hung_up: false,
            peer_done: false,
            stopping: false,
            session_closed: false,
            delayed_until: None,
            marks: Marks::default(),
        }
    }

    /// The socket has something to read, or its end.
    pub(crate) fn readable(&mut self, hung_up: bool) {
        self.readable = true;
        self.hung_up |= hung_up;
    }

    /// The socket takes bytes again.
    pub(crate) fn writable(&mut self) {
        self.writable = true;
    }

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

    /// Whether a turn now would do something that no event announces again.
    pub(crate) fn has_work(&self, turn: &Turn<'_>) -> bool {
        match self.phase {
            Phase::Open => !self.over_output_limit(turn) && (self.pending || (self.readable && !self.stopping)),
            Phase::Lingering => self.readable,
            Phase::Draining | Phase::Gone => false,
        }
    }

    /// Runs a parked request again. A client that gave several the same id has all of them run.
    pub(crate) fn wake(&mut self, request: i64, turn: &mut Turn<'_>) {
        for frame in self.parked.remove(&request).unwrap_or_default() {
            self.parked_bytes -= frame.len() + PARKED_OVERHEAD_BYTES;
            self.run_frame(&frame, None, turn);
        }
        self.settle();
    }

    /// Sends what may be sent when the commits up to `durable` are durable.
    pub(crate) fn send(&mut self, durable: u64) {
        while self.writable && self.delayed_until.is_none() && matches!(self.phase, Phase::Open | Phase::Draining) {
            let bytes = self.output.sendable(durable);
            let result = if bytes.is_empty() {
                match self.transport.flush() {
                    Ok(()) => break,
                    Err(error) => Err(error),
                }
            } else {
                let asked = bytes.len();
                self.transport.write(bytes).map(|written| {
                    self.output.sent(written);
                    self.writable = written == asked;
                })
            };
            match result {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log::debug!("connection {:?}: cannot send: {error}", self.id);
                    self.phase = Phase::Gone;
                }
            }
        }
        self.settle();
    }

    /// The disk failed: answers that claim what is not durable become errors.
    pub(crate) fn fail_undurable(&mut self, durable: u64, error: &Error, hooks: &mut Hooks) {
        for request in self.output.cut_undurable(durable) {
            self.fail(request, error, hooks);
        }
    }

    /// The server stops: what was received is answered, nothing more is read.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        self.settle();
    }

    /// The server cannot wait any longer: parked requests fail.
    pub(crate) fn give_up(&mut self, hooks: &mut Hooks) {
        let error = Error::new(Kind::Stopping, "the server is stopping; the request was not run");
        for (request, frames) in std::mem::take(&mut self.parked) {
            frames.iter().for_each(|_| self.fail(request, &error, hooks));
        }
        self.parked_bytes = 0;
        self.drain();
        self.settle();
    }

    /// The time for the handshake is over.
    pub(crate) fn handshake_is_due(&mut self) {
        if !self.session.established() {
            log::debug!("connection {:?}: no handshake in time", self.id);
            self.phase = Phase::Gone;
        }
    }

    /// The time for sending the last answers is over.
    pub(crate) fn drain_is_due(&mut self) {
        if self.phase == Phase::Draining {
            log::debug!("connection {:?}: last answers were not taken in time", self.id);
            self.phase = Phase::Gone;
        }
    }

    /// The time for lingering is over.
    pub(crate) fn linger_is_due(&mut self) {
        if self.phase == Phase::Lingering {
            self.phase = Phase::Gone;
        }
    }

    /// A delayed answer may leave.
    pub(crate) fn delay_is_over(&mut self, now: Instant) {
        self.delayed_until = self.delayed_until.filter(|until| *until > now);
    }

    /// How long the answers are delayed from `now` on.
    pub(crate) fn delay(&self, now: Instant) -> Duration {
        self.delayed_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// The timer it needs next: what limits the rest of its life, or a delay.
    pub(crate) fn due(&self) -> Option<Due> {
        match self.phase {
            _ if self.delayed_until.is_some() => Some(Due::Delay),
            Phase::Draining => Some(Due::Drain),
            Phase::Lingering => Some(Due::Linger),
            Phase::Open | Phase::Gone => None,
        }
    }

    /// Whether the connection is over and can be dropped.
    pub(crate) fn is_gone(&self) -> bool {
        self.phase == Phase::Gone
    }

    /// Whether answers wait for commits beyond `durable`.
    pub(crate) fn is_held(&mut self, durable: u64) -> bool {
        !self.output.is_empty() && self.output.sendable(durable).len() < self.output.len()
    }

    /// Lends the connection an empty buffer for its answers if it has none.
    pub(crate) fn lend(&mut self, spare: &mut Vec<Output>) {
        if self.output.capacity() == 0
            && let Some(output) = spare.pop()
        {
            self.output = output;
        }
    }

    /// Takes the connection's buffer when nothing is in it.
    pub(crate) fn take_back(&mut self) -> Option<Output> {
        (self.output.is_empty() && self.output.capacity() > 0).then(|| std::mem::take(&mut self.output))
    }

    /// Bytes of memory that the peer made us hold.
    pub(crate) fn buffered(&self) -> usize {
        self.input.capacity() + self.parked_bytes + self.output.capacity()
    }

    /// Rolls back what the session holds, once no request can come any more.
    pub(crate) fn close_session(&mut self, engine: &mut Engine, hooks: &mut Hooks) {
        if self.phase != Phase::Open && !std::mem::replace(&mut self.session_closed, true) {
            self.session.closed(engine);
            hooks.closed(self.id);
        }
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

    fn fail(&mut self, request: i64, error: &Error, hooks: &mut Hooks) {
        let before = self.output.len();
        self.session.fail(request, error, &mut self.output);
        self.output.seal();
        hooks.answered(self.id, self.output.tail(before));
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

    /// No more requests.
    fn drain(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Draining;
            self.input = Partial::default();
            self.parked = HashMap::new();
            self.parked_bytes = 0;
        }
    }

    /// Goes on to the next phase when this one is done.
    fn settle(&mut self) {
        let ends = self.peer_done || self.stopping;
        if self.phase == Phase::Open && ends && self.parked.is_empty() && !self.pending {
            self.drain();
        }
        if self.phase == Phase::Draining && self.output.is_empty() && self.writable {
            // A peer that has ended and got everything has nothing to wait for.
            self.phase = match self.transport.end() {
                Ok(()) if !self.peer_done => Phase::Lingering,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.writable = false,
                _ => Phase::Gone,
            };
            // Whatever came while it drained raised its event already.
            self.readable = true;
        }
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
        !self.over_output_limit(turn) && !turn.engine.backlogged()
    }

    fn over_output_limit(&self, turn: &Turn<'_>) -> bool {
        let max = if turn.crowded { config::CROWDED_BYTES } else { turn.limits.output_bytes };
        self.output.len() + self.parked_bytes > max
    }

    fn frame_bytes_max(&self, turn: &Turn<'_>) -> usize {
        if self.session.established() {
            turn.limits.frame_bytes
        } else {
            turn.limits.frame_bytes.min(config::HANDSHAKE_FRAME_BYTES_MAX)
        }
    }
}
