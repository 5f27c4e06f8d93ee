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

mod receive;

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use super::hooks::Hooks;
use super::timers::Due;
use super::transport::Transport;
use crate::config::{self, Limits};
use crate::door::igni::Session;
use crate::door::{ConnId, Output};
use crate::error::{Error, Kind};
use crate::store::engine::Engine;
use crate::wire::frame::Partial;

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

    /// Whether a turn now would do something that no event announces again.
    pub(crate) fn has_work(&self, turn: &Turn<'_>) -> bool {
        match self.phase {
            Phase::Open => !self.is_behind(turn) && (self.pending || (self.readable && !self.stopping)),
            Phase::Lingering => self.readable,
            Phase::Draining | Phase::Gone => false,
        }
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

    fn fail(&mut self, request: i64, error: &Error, hooks: &mut Hooks) {
        let before = self.output.len();
        self.session.fail(request, error, &mut self.output);
        self.output.seal();
        hooks.answered(self.id, self.output.tail(before));
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

    /// Whether what came has to be done with before more is looked at: a handshake, or too many answers and requests.
    fn is_behind(&self, turn: &Turn<'_>) -> bool {
        let greets = !self.session.established() && !self.parked.is_empty();
        let max = if turn.crowded { config::CROWDED_BYTES } else { turn.limits.output_bytes };
        greets || self.output.len() + self.parked_bytes > max
    }
}
