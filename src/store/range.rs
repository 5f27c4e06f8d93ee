//! Which dates and points in time a column takes: those of Ignite's SQL, less than the binary tuple could carry.
//!
//! The years are 1 to 9999; points in time keep 18 hours off both ends, so that they are such a year in every time zone.

use crate::value::{self, Date, Time, Timestamp};

/// A value outside the range of its type, and the range, as Ignite prints them.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfRange {
    /// The value.
    pub value: String,
    /// The least that is taken.
    pub min: String,
    /// The greatest that is taken.
    pub max: String,
}

/// 0001-01-01T18:00:00Z.
const FIRST_SECOND: i64 = -62_135_532_000;
/// 9999-12-31T05:59:59Z.
const LAST_SECOND: i64 = 253_402_235_999;
const MIN: &str = "0001-01-01T18:00";
const MAX: &str = "9999-12-31T05:59:59.999999999";

/// Checks a date.
pub fn date(date: Date) -> Result<(), OutOfRange> {
    if (1..=9999).contains(&date.year) {
        return Ok(());
    }
    Err(OutOfRange { value: print_date(date), min: "0001-01-01".into(), max: "9999-12-31".into() })
}

/// Checks a date and time of day.
pub fn datetime(date: Date, time: Time) -> Result<(), OutOfRange> {
    if (FIRST_SECOND..=LAST_SECOND).contains(&Timestamp::from_utc(date, time).seconds) {
        return Ok(());
    }
    let value = format!("{}T{}", print_date(date), print_time(time, false));
    Err(OutOfRange { value, min: MIN.into(), max: MAX.into() })
}

/// Checks a point in time.
pub fn timestamp(point: Timestamp) -> Result<(), OutOfRange> {
    if (FIRST_SECOND..=LAST_SECOND).contains(&point.seconds) {
        return Ok(());
    }
    Err(OutOfRange { value: print_timestamp(point), min: format!("{MIN}:00Z"), max: format!("{MAX}Z") })
}

/// A year has four digits at least, and a sign unless it has four.
fn print_year(year: i64) -> String {
    match year {
        ..0 => format!("-{:04}", year.unsigned_abs()),
        0..=9999 => format!("{year:04}"),
        _ => format!("+{year}"),
    }
}

fn print_date(date: Date) -> String {
    format!("{}-{:02}-{:02}", print_year(date.year.into()), date.month, date.day)
}

/// Digits after the point come in threes; whole minutes may go without seconds.
fn print_time(time: Time, seconds: bool) -> String {
    let Time { hour, minute, second, nanos } = time;
    let minutes = format!("{hour:02}:{minute:02}");
    match nanos {
        0 if second == 0 && !seconds => minutes,
        0 => format!("{minutes}:{second:02}"),
        n if n % 1_000_000 == 0 => format!("{minutes}:{second:02}.{:03}", n / 1_000_000),
        n if n % 1_000 == 0 => format!("{minutes}:{second:02}.{:06}", n / 1_000),
        n => format!("{minutes}:{second:02}.{n:09}"),
    }
}

fn print_timestamp(point: Timestamp) -> String {
    let of_day = point.seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let (year, month, day) = value::civil_from_days(point.seconds.div_euclid(86_400));
    let year = print_year(year);
    let small = |part: i64| u8::try_from(part).unwrap_or_default();
    let time = Time { hour: small(hour), minute: small(minute), second: small(second), nanos: point.nanos };
    format!("{year}-{month:02}-{day:02}T{}Z", print_time(time, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i32, month: u8, day: u8) -> Date {
        Date::new(year, month, day).unwrap()
    }

    /// Observed on Ignite 3.1.0.
    #[test]
    fn the_ends_are_those_of_a_real_node() {
        assert_eq!(date(at(1, 1, 1)), Ok(()));
        assert_eq!(date(at(9999, 12, 31)), Ok(()));
        assert_eq!(date(at(0, 12, 31)).unwrap_err().value, "0000-12-31");
        assert_eq!(date(at(10000, 1, 1)).unwrap_err().value, "+10000-01-01");
        let midnight = Time::new(0, 0, 0, 0).unwrap();
        let evening = Time::new(18, 0, 0, 0).unwrap();
        assert_eq!(datetime(at(1, 1, 1), evening), Ok(()));
        let error = datetime(at(1, 1, 1), midnight).unwrap_err();
        assert_eq!((error.value.as_str(), error.min.as_str()), ("0001-01-01T00:00", "0001-01-01T18:00"));
        let last = Time::new(5, 59, 59, 999_999_999).unwrap();
        assert_eq!(datetime(at(9999, 12, 31), last), Ok(()));
        let late = Time::new(6, 0, 0, 0).unwrap();
        assert_eq!(datetime(at(9999, 12, 31), late).unwrap_err().max, "9999-12-31T05:59:59.999999999");
    }

    #[test]
    fn points_in_time_are_printed_as_java_does() {
        let refused = |seconds, nanos| timestamp(Timestamp::new(seconds, nanos).unwrap()).unwrap_err().value;
        assert_eq!(refused(-62_135_596_800, 0), "0001-01-01T00:00:00Z");
        assert_eq!(refused(253_402_300_799, 999_999_999), "9999-12-31T23:59:59.999999999Z");
        assert_eq!(refused(31_556_889_864_403_199, 999_999_999), "+1000000000-12-31T23:59:59.999999999Z");
        assert_eq!(refused(-31_557_014_167_219_200, 0), "-1000000000-01-01T00:00:00Z");
        assert_eq!(timestamp(Timestamp::new(0, 0).unwrap()), Ok(()));
    }
}
