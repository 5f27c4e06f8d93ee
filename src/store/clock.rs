//! Time as the server sees it. The loop and the fixture own it; everybody else is told.

use parking_lot::Mutex;
use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the time comes from.
pub trait Clock: Send + Sync + Debug {
    /// For deadlines.
    fn now(&self) -> Instant;
    /// Milliseconds since 1970, for timestamps that clients see.
    fn unix_millis(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn unix_millis(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_millis() as u64)
    }
}

/// The machine's clock, which a test moves forward.
#[derive(Debug, Default)]
pub struct ManualClock {
    /// How far ahead it is. Held for an addition.
    ahead: Mutex<Duration>,
    /// What it shows without being moved, if it does not run.
    stopped: Option<(Instant, u64)>,
}

impl ManualClock {
    /// A clock that only [`Self::advance`] moves. It starts at the millisecond 1,700,000,000,000 since 1970.
    pub fn stopped() -> Self {
        Self { ahead: Mutex::default(), stopped: Some((SystemClock.now(), 1_700_000_000_000)) }
    }

    /// Moves the time forward.
    pub fn advance(&self, by: Duration) {
        *self.ahead.lock() += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.stopped.map_or_else(|| SystemClock.now(), |(now, _)| now) + *self.ahead.lock()
    }

    fn unix_millis(&self) -> u64 {
        self.stopped.map_or_else(|| SystemClock.unix_millis(), |(_, millis)| millis)
            + self.ahead.lock().as_millis() as u64
    }
}
