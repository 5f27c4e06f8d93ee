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

    /// Reads `2024-02-29`, with a sign before years beyond four digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let mut parts = digits.split('-');
        let year: i32 = number(parts.next()?)?;
        let (month, day) = (number(parts.next()?)?, number(parts.next()?)?);
        parts.next().is_none().then(|| Self::new(sign * year, month, day)).flatten()
    }

    /// Days since 1970-01-01.
    pub fn to_epoch_days(self) -> i64 {
        // The year is taken to start in March, so that the leap day is its last.
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The date so many days after 1970-01-01, if its year fits.
    pub fn from_epoch_days(days: i64) -> Option<Self> {
        let (year, month, day) = civil_from_days(days);
        Self::new(i32::try_from(year).ok()?, month, day)
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

    /// Reads `10:20`, `10:20:30` and `10:20:30.123456789`.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let mut parts = whole.split(':');
        let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
        let second = parts.next().map_or(Some(0), number)?;
        if parts.next().is_some() || !(1..=9).contains(&fraction.len()) {
            return None;
        }
        let unit = 10_u32.pow(9_u32.saturating_sub(u32::try_from(fraction.len()).ok()?));
        Self::new(hour, minute, second, number::<u32>(fraction)?.checked_mul(unit)?)
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

    /// The point at a date and time of day in UTC.
    pub fn from_utc(date: Date, time: Time) -> Self {
        let of_day = (i64::from(time.hour) * 60 + i64::from(time.minute)) * 60 + i64::from(time.second);
        Self { seconds: date.to_epoch_days() * 86_400 + of_day, nanos: time.nanos }
    }

    /// Date and time of day in UTC, if the year fits a [`Date`].
    pub fn to_utc(self) -> Option<(Date, Time)> {
        const DAY: i64 = 86_400;
        let date = Date::from_epoch_days(self.seconds.div_euclid(DAY))?;
        let of_day = self.seconds.rem_euclid(DAY);
        let part = |seconds: i64, unit: i64| u8::try_from(of_day / seconds % unit).ok();
        Some((date, Time::new(part(3600, 24)?, part(60, 60)?, part(1, 60)?, self.nanos)?))
    }

    /// The same point with `precision` fractional digits; the rest is cut.
    pub fn truncated(self, precision: u8) -> Self {
        Self { nanos: truncate_nanos(self.nanos, precision), ..self }
    }
}

/// Year, month and day so many days after 1970-01-01, for years of any size: the inverse of [`Date::to_epoch_days`].
pub fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let small = |part: i64| u8::try_from(part).unwrap_or_default();
    (year_of_era + era * 400 + i64::from(month <= 2), small(month), small(day))
}

/// A number of decimal digits only.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
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
    fn texts_are_read() {
        assert_eq!(Date::parse("2024-02-29"), Date::new(2024, 2, 29));
        assert_eq!(Date::parse("-0044-03-15"), Date::new(-44, 3, 15));
        assert_eq!(Time::parse("10:20"), Time::new(10, 20, 0, 0));
        assert_eq!(Time::parse("10:20:30.5"), Time::new(10, 20, 30, 500_000_000));
        for bad in ["", "10", "10:20:30.", "10:20:30.1234567890", "1:2:3:4", "+1:02", "24:00"] {
            assert_eq!(Time::parse(bad), None, "{bad}");
        }
        for bad in ["", "2024", "2024-02", "2024-02-30", "2024-02-03-04", "--1-01-01", "99999-01-01"] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn days_count_from_1970() {
        for (text, days) in [("1970-01-01", 0), ("1969-12-31", -1), ("2000-03-01", 11017), ("2024-02-29", 19782)] {
            assert_eq!(Date::parse(text).unwrap().to_epoch_days(), days, "{text}");
        }
        assert_eq!(Date::parse("0000-03-01").unwrap().to_epoch_days(), -719_468);
        for days in (-6_000_000..5_000_000).step_by(97) {
            let date = Date::from_epoch_days(days);
            assert!(date.is_none_or(|date| date.to_epoch_days() == days), "{days}");
        }
        assert_eq!(Date::from_epoch_days(19_782), Date::parse("2024-02-29"));
        assert_eq!(Date::from_epoch_days(i64::MAX), None);
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
