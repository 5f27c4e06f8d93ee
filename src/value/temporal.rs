//! Dates, times of day and points in time, with the ranges Ignite's binary tuple can carry.

use std::fmt;

/// A calendar date (proleptic Gregorian).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// -16384..=16383: a date's year has 15 bits in the binary tuple.
    pub year: i32,
    /// 1..=12.
    pub month: u8,
    /// 1..=31, within the month.
    pub day: u8,
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// 0..=23.
    pub hour: u8,
    /// 0..=59.
    pub minute: u8,
    /// 0..=59.
    pub second: u8,
    /// 0..=999,999,999.
    pub nanos: u32,
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// 0..=999,999,999.
    pub nanos: u32,
}

const NANOS_PER_SECOND: u32 = 1_000_000_000;

impl Date {
    /// The date, if it exists and its year fits.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(leap),
            _ => return None,
        };
        ((-16384..=16383).contains(&year) && (1..=days).contains(&day)).then_some(Self { year, month, day })
    }
}

impl Time {
    /// The time, if every part is in range.
    pub fn new(hour: u8, minute: u8, second: u8, nanos: u32) -> Option<Self> {
        (hour < 24 && minute < 60 && second < 60 && nanos < NANOS_PER_SECOND).then_some(Self {
            hour,
            minute,
            second,
            nanos,
        })
    }

    /// The same time with `precision` fractional digits; the rest is cut.
    pub fn truncated(self, precision: u8) -> Self {
        Self { nanos: truncate_nanos(self.nanos, precision), ..self }
    }
}

impl Timestamp {
    /// The point, if the nanoseconds are in range.
    pub fn new(seconds: i64, nanos: u32) -> Option<Self> {
        (nanos < NANOS_PER_SECOND).then_some(Self { seconds, nanos })
    }

    /// The same point with `precision` fractional digits; the rest is cut.
    pub fn truncated(self, precision: u8) -> Self {
        Self { nanos: truncate_nanos(self.nanos, precision), ..self }
    }
}

/// Keeps `precision` digits of a nanosecond count.
fn truncate_nanos(nanos: u32, precision: u8) -> u32 {
    let unit = 10_u32.pow(u32::from(9_u8.saturating_sub(precision)));
    nanos / unit * unit
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        if self.nanos != 0 { write!(f, ".{:09}", self.nanos) } else { Ok(()) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.seconds)?;
        if self.nanos != 0 { write!(f, "+{}ns", self.nanos) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_exist_or_not() {
        assert!(Date::new(2024, 2, 29).is_some());
        assert!(Date::new(1900, 2, 29).is_none());
        assert!(Date::new(2023, 4, 31).is_none());
        assert!(Date::new(2023, 13, 1).is_none());
        assert!(Date::new(16384, 1, 1).is_none());
        assert!(Date::new(-16384, 1, 1).is_some());
    }

    #[test]
    fn precision_cuts() {
        let t = Time::new(1, 2, 3, 123_456_789).unwrap();
        assert_eq!(t.truncated(3).nanos, 123_000_000);
        assert_eq!(t.truncated(0).nanos, 0);
        assert_eq!(t.truncated(9), t);
        assert!(Time::new(24, 0, 0, 0).is_none());
    }
}
