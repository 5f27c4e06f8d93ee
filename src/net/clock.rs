//! The time the loop passes to everything below it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A clock that tests can move forward and stop.
#[derive(Clone, Debug)]
pub struct Clock {
    // Held for a few instructions, never while another lock is taken.
    reading: Arc<Mutex<Reading>>,
}

#[derive(Debug)]
struct Reading {
    /// What the clock showed at `since`, or shows all the time.
    shown: Instant,
    /// When it was read from the system; `None` while the clock is stopped.
    since: Option<Instant>,
}

impl Default for Clock {
    /// The system's clock.
    fn default() -> Self {
        let now = Instant::now();
        Self { reading: Arc::new(Mutex::new(Reading { shown: now, since: Some(now) })) }
    }
}

impl Clock {
    /// A clock that moves only by [`Self::advance`].
    pub fn stopped() -> Self {
        Self { reading: Arc::new(Mutex::new(Reading { shown: Instant::now(), since: None })) }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        let reading = self.reading.lock();
        reading.shown + reading.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.reading.lock().shown += by;
    }

    /// Lets a stopped clock run from what it shows.
    pub(crate) fn run(&self) {
        self.reading.lock().since.get_or_insert_with(Instant::now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_when_told_and_can_be_started() {
        let clock = Clock::stopped();
        let start = clock.now();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), start + Duration::from_secs(5));
        clock.run();
        std::thread::sleep(Duration::from_millis(2));
        assert!(clock.now() > start + Duration::from_secs(5));
    }
}
