//! The end of a loop: what was received is answered, nothing new is taken, and nobody can hold it up.

use std::time::{Duration, Instant};

use super::event_loop::{EventLoop, enqueue};
use super::timers::Due;
use crate::store::clock::{Clock, SystemClock};

/// How long a stop waits for requests that wait for locks, and for everything.
const STOP_REQUESTS: Duration = Duration::from_millis(1000);
const STOP_ALL: Duration = Duration::from_millis(1800);

/// How long connections that we ended wait for their peers' end while the server stops.
pub(super) const LINGER_AT_STOP: Duration = Duration::from_millis(200);

/// A stop under way.
pub(super) struct Stop {
    since: Instant,
    gave_up: bool,
}

impl Stop {
    /// Does not wait for requests any more.
    pub(super) fn hurry(&mut self) {
        self.since = self.since.checked_sub(STOP_ALL).unwrap_or(self.since);
    }
}

impl EventLoop {
    /// One step of the stop; true when it is done.
    pub(super) fn stop(&mut self) -> bool {
        let (since, gave_up) = match &mut self.stop {
            Some(stop) => {
                let late = stop.since.elapsed() > STOP_REQUESTS;
                (stop.since, late && !std::mem::replace(&mut stop.gave_up, late))
            }
            None => {
                self.listeners.close();
                for id in self.conns.ids() {
                    let Some(conn) = self.conns.get_mut(id) else { continue };
                    conn.stop();
                    // Those that linger already get the shorter time too.
                    conn.marks.due = None;
                    enqueue(&mut self.dirty, &mut conn.marks.dirty, id);
                }
                self.stop = Some(Stop { since: SystemClock.now(), gave_up: false });
                return false;
            }
        };
        if gave_up {
            for id in self.conns.ids() {
                let Some(conn) = self.conns.get_mut(id) else { continue };
                conn.give_up(&mut self.hooks);
                enqueue(&mut self.dirty, &mut conn.marks.dirty, id);
            }
        }
        if self.conns.len() > 0 && since.elapsed() > STOP_ALL {
            log::warn!("stopped with {} connections whose answers were not taken in time", self.conns.len());
            return true;
        }
        // Not by their timers, which a test's clock may never reach.
        since.elapsed() > LINGER_AT_STOP && self.conns.values().all(|conn| conn.due() == Some(Due::Linger))
            || self.conns.len() == 0
    }
}
