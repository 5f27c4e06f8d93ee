//! What is due when. A timer is never cancelled: who is called looks whether it still matters.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::door::ConnId;

/// What a connection is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The handshake must be done.
    Handshake,
    /// A delayed answer may leave.
    Delay,
    /// A connection that ends must have sent its last answers.
    Drain,
    /// A connection that only discards must end.
    Linger,
}

/// A queue of timers by time.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, ConnId, Due)>>,
}

impl Timers {
    /// Calls `conn` for `due` at `at`.
    pub(crate) fn add(&mut self, at: Instant, conn: ConnId, due: Due) {
        self.heap.push(Reverse((at, conn, due)));
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Takes one that is due at `now`.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(ConnId, Due)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, conn, due))| (conn, due))
    }
}
