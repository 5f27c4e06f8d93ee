//! Stand-ins.
use std::time::Instant;

use crate::door::{ConnId, Flow, Output};
use crate::error::Error;

/// Engine.
pub struct Engine {
    commit: u64,
    durable: u64,
}

impl Engine {
    /// New.
    pub fn new() -> Self {
        Self { commit: 0, durable: 0 }
    }
    /// Tick.
    pub fn tick(&mut self, _now: Instant) {}
    /// End.
    pub fn turn_end(&mut self) {
        self.durable = self.commit;
    }
    /// Durable.
    pub fn durable(&self) -> u64 {
        self.durable
    }
    /// Failure.
    pub fn failure(&mut self) -> Option<Error> {
        None
    }
    /// Backlogged.
    pub fn backlogged(&self) -> bool {
        false
    }
    /// Deadline.
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }
    /// Woken.
    pub fn take_woken(&mut self) -> Vec<(ConnId, i64)> {
        Vec::new()
    }
}

/// Session.
pub struct Session {
    established: bool,
}

impl Session {
    /// New.
    pub fn new(_id: ConnId) -> Self {
        Self { established: false }
    }
    /// Frame.
    pub fn frame(&mut self, engine: &mut Engine, frame: &[u8], out: &mut Output) -> Flow {
        if !self.established {
            out.raw(b"IGNI");
            self.established = true;
        }
        out.frame(|bytes| bytes.extend_from_slice(frame));
        engine.commit += 1;
        out.hold(engine.commit, 0);
        Flow::Continue
    }
    /// Fail.
    pub fn fail(&mut self, _request: i64, error: &Error, out: &mut Output) {
        out.frame(|bytes| bytes.extend_from_slice(error.message.as_bytes()));
    }
    /// Established.
    pub fn established(&self) -> bool {
        self.established
    }
    /// Bad.
    pub fn bad_frame(&mut self, error: &Error, out: &mut Output) -> Flow {
        self.fail(0, error, out);
        Flow::Close
    }
    /// Closed.
    pub fn closed(&mut self, _engine: &mut Engine) {}
}
