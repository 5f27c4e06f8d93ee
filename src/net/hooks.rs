//! What a test or a trace adds to the loop: faults on demand, and a look at every frame.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::door::ConnId;
use crate::error::Error;
use crate::trace::{Direction, Trace};

/// Sees the frames of all connections, on the loop's thread.
pub trait Observer: Send {
    /// The magic came, or a whole frame with its length.
    fn received(&mut self, conn: ConnId, bytes: &[u8]);
    /// These bytes answer, with the magic and the lengths; they may still have to wait for the disk.
    fn answered(&mut self, conn: ConnId, bytes: &[u8]);
    /// Nothing more of this connection.
    fn closed(&mut self, conn: ConnId);
}

impl Observer for Trace {
    fn received(&mut self, conn: ConnId, bytes: &[u8]) {
        self.bytes(conn, Direction::Client, bytes);
    }

    fn answered(&mut self, conn: ConnId, bytes: &[u8]) {
        self.bytes(conn, Direction::Server, bytes);
    }

    fn closed(&mut self, conn: ConnId) {
        Self::closed(self, conn);
    }
}

/// What is added to a loop.
#[derive(Default)]
pub struct Hooks {
    /// Faults that a test asks for.
    pub faults: Option<Faults>,
    /// Who sees the frames.
    pub observers: Vec<Box<dyn Observer>>,
}

impl Hooks {
    pub(crate) fn received(&mut self, conn: ConnId, bytes: &[u8]) {
        for observer in &mut self.observers {
            observer.received(conn, bytes);
        }
    }

    pub(crate) fn answered(&mut self, conn: ConnId, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        for observer in &mut self.observers {
            observer.answered(conn, bytes);
        }
    }

    pub(crate) fn closed(&mut self, conn: ConnId) {
        for observer in &mut self.observers {
            observer.closed(conn);
        }
    }

    /// The fault for the next request, which this counts.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.faults.as_ref()?.take()
    }

    pub(crate) fn refuses_connections(&self) -> bool {
        self.faults.as_ref().is_some_and(|faults| faults.plan.lock().refuse_connections)
    }
}

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends and the request is not run.
    DropBefore,
    /// The request is run, then the connection ends without its answer.
    DropAfter,
    /// The answer, and those behind it on the connection, leave this much later by the server's clock.
    Delay(Duration),
    /// The request is not run and answered with this error.
    Error(Error),
    /// The request is run; the first bytes of its answer, this many, are sent, then the connection ends.
    Truncate(usize),
}

/// Faults that wait for their request. Clones share one plan.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    // Held for single steps, never while another lock is taken.
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    /// Requests seen, over all connections; handshakes do not count.
    seen: u64,
    /// By the number of the request.
    faults: BTreeMap<u64, Fault>,
    refuse_connections: bool,
}

impl Faults {
    /// `fault` happens to the `n`th request from now, over all connections; 1 is the next. Handshakes do not count.
    pub fn on(&self, n: u64, fault: Fault) {
        let mut plan = self.plan.lock();
        let request = plan.seen.saturating_add(n.max(1));
        plan.faults.insert(request, fault);
    }

    /// New connections are closed at once while this is on.
    pub fn refuse_connections(&self, on: bool) {
        self.plan.lock().refuse_connections = on;
    }

    /// Forgets all faults that have not happened.
    pub fn clear(&self) {
        let mut plan = self.plan.lock();
        plan.faults.clear();
        plan.refuse_connections = false;
    }

    fn take(&self) -> Option<Fault> {
        let mut plan = self.plan.lock();
        plan.seen += 1;
        let seen = plan.seen;
        plan.faults.remove(&seen)
    }
}
