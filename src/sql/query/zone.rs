//! The time zone of a statement: what a local time means as a point in time, and the other way around.
//!
//! Observed on Ignite 3.1.0: a request names its zone, UTC if it names none; a time that a zone skips is an error, one that
//! it has twice is the later.

use crate::error::{Error, Kind, Result};
use crate::sql::query::rowwise::failed;
use crate::value::{Date, Time, Timestamp};
use chrono::{DateTime, Offset, TimeZone};
use datafusion::common::config::ConfigOptions;

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    rules: Rules,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    /// Seconds that it is ahead of UTC.
    Fixed(i64),
    Named(chrono_tz::Tz),
}

impl Zone {
    /// The zone of an id such as `Europe/Oslo` or `+03:00`; none is UTC.
    ///
    /// # Errors
    /// `Internal` for an unknown zone: clients know that error of it.
    pub fn parse(id: Option<&str>) -> Result<Self> {
        let id = id.unwrap_or("UTC");
        let unknown = || Error::new(Kind::Internal, format!("Unknown time-zone ID: {id}"));
        let (prefix, offset) = match id.find(['+', '-']) {
            Some(at) => id.split_at(at),
            None => (id, ""),
        };
        if matches!(prefix, "" | "UTC" | "GMT" | "UT" | "Z") && !(prefix.is_empty() && offset.is_empty()) {
            let seconds = if offset.is_empty() { 0 } else { seconds_of(offset).ok_or_else(unknown)? };
            let name = match seconds {
                0 => {
                    if prefix == "GMT" {
                        "GMT".to_owned()
                    } else {
                        "UTC".to_owned()
                    }
                }
                _ => {
                    let (sign, ahead) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
                    format!("GMT{sign}{:02}:{:02}", ahead / 3_600, ahead / 60 % 60)
                }
            };
            return Ok(Self { rules: Rules::Fixed(seconds), name });
        }
        let zone = id.parse::<chrono_tz::Tz>().map_err(|_| unknown())?;
        Ok(Self { rules: Rules::Named(zone), name: id.to_owned() })
    }

    /// The zone that a statement's options say.
    pub fn of(options: &ConfigOptions) -> Result<Self> {
        Self::parse(options.execution.time_zone.as_deref())
    }

    /// Its name, as texts of points in time end.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The point at a local date and time.
    ///
    /// # Errors
    /// `SqlRuntime` for a time that the zone skips.
    pub fn point(&self, date: Date, time: Time) -> Result<Timestamp> {
        let local = Timestamp::from_utc(date, time);
        let ahead = match self.rules {
            Rules::Fixed(seconds) => seconds,
            Rules::Named(zone) => {
                let naive = DateTime::from_timestamp(local.seconds, 0).ok_or_else(out_of_range)?.naive_utc();
                let offset = zone.offset_from_local_datetime(&naive).latest();
                let offset =
                    offset.ok_or_else(|| failed(format!("There is no such time in the zone {}", self.name)))?;
                offset.fix().local_minus_utc().into()
            }
        };
        Ok(Timestamp { seconds: local.seconds - ahead, nanos: local.nanos })
    }

    /// The local date and time of a point.
    ///
    /// # Errors
    /// `SqlRuntime` beyond the years that there are.
    pub fn local(&self, at: Timestamp) -> Result<(Date, Time)> {
        let ahead = match self.rules {
            Rules::Fixed(seconds) => seconds,
            Rules::Named(zone) => {
                let naive = DateTime::from_timestamp(at.seconds, 0).ok_or_else(out_of_range)?.naive_utc();
                zone.offset_from_utc_datetime(&naive).fix().local_minus_utc().into()
            }
        };
        let local = Timestamp { seconds: at.seconds.saturating_add(ahead), nanos: at.nanos };
        local.to_utc().ok_or_else(out_of_range)
    }
}

fn out_of_range() -> Error {
    failed("TIMESTAMP out of range")
}

/// Reads `+3`, `-05:30` or `+0300`.
fn seconds_of(offset: &str) -> Option<i64> {
    let (sign, digits) = match offset.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let part = |text: &str, most: i64| -> Option<i64> {
        let fits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse().ok()).flatten().filter(|n| *n <= most)
    };
    let seconds = part(hours, 18)? * 3_600 + part(minutes, 59)? * 60;
    (seconds <= 18 * 3_600).then_some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(zone: &str, hour: u8, minute: u8, day: Date) -> Result<i64> {
        let time = Time::new(hour, minute, 0, 0).unwrap();
        Zone::parse(Some(zone))?.point(day, time).map(|at| at.seconds.rem_euclid(86_400) / 60)
    }

    /// Observed on Ignite 3.1.0.
    #[test]
    fn local_times() {
        let (spring, autumn) = (Date::new(2024, 3, 10).unwrap(), Date::new(2024, 11, 3).unwrap());
        let ny = "America/New_York";
        assert_eq!(at(ny, 1, 30, spring).unwrap(), 6 * 60 + 30);
        assert!(at(ny, 2, 30, spring).is_err());
        assert_eq!(at(ny, 0, 30, autumn).unwrap(), 4 * 60 + 30);
        assert_eq!(at(ny, 1, 30, autumn).unwrap(), 6 * 60 + 30);
        assert_eq!(at("-05:30", 0, 0, spring).unwrap(), 5 * 60 + 30);
        let tokyo = Zone::parse(Some("Asia/Tokyo")).unwrap();
        let (date, time) = tokyo.local(Timestamp { seconds: 86_400 - 3_600, nanos: 5 }).unwrap();
        assert_eq!((date.day, time.hour, time.nanos), (2, 8, 5));
    }

    #[test]
    fn names() {
        let name = |id| Zone::parse(id).map(|zone| zone.name);
        assert_eq!(name(None).unwrap(), "UTC");
        assert_eq!(name(Some("+03:00")).unwrap(), "GMT+03:00");
        assert_eq!(name(Some("GMT-5:30")).unwrap(), "GMT-05:30");
        assert_eq!(name(Some("Asia/Tokyo")).unwrap(), "Asia/Tokyo");
        for unknown in ["", "X", "Mars/Phobos", "+25:00", "+"] {
            assert!(name(Some(unknown)).is_err(), "{unknown}");
        }
    }
}
