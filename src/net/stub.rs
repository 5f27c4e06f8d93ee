//! Stand-ins.
use crate::door::{ConnId, Flow, Output};
use crate::error::Error;
use crate::store::engine::Engine;

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
        out.hold(engine.commit(), 0);
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
