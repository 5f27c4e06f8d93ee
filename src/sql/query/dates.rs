//! Fields of dates and times, and arithmetic in units of the calendar.
//!
//! Observed on Ignite 3.1.0: a field is a BIGINT; weeks are ISO weeks, but DOW counts from Sunday and FLOOR TO WEEK goes
//! back to a Sunday; SECOND has no fraction, MILLISECOND has the seconds in it; a difference in months counts whole ones.

use super::rowwise::{Known, RowFunction, cannot_apply, failed, unexpected};
use crate::error::Result;
use crate::value::{ColumnType, Date, Time, Timestamp, Value};
use datafusion::logical_expr::ScalarUDF;
use std::borrow::Cow;
use std::sync::Arc;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;
/// Length of the text of DAYNAME and MONTHNAME.
const NAME_LENGTH: u32 = 2000;
/// Digits of the second that a calculated TIMESTAMP has.
const CALCULATED_PRECISION: u8 = 6;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// All of them.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        RowFunction::udf(&["date_field"], (2, 2), field_type, |args, _| match args {
            [Value::Str(unit), value] => field(&unit_of(unit)?, value).map(Value::Int),
            _ => Err(failed("EXTRACT takes a unit and a value")),
        }),
        RowFunction::udf(&["date_floor"], (2, 2), round_type, |args, _| round(args, false)),
        RowFunction::udf(&["date_ceil"], (2, 2), round_type, |args, _| round(args, true)),
        RowFunction::udf(&["timestampadd"], (3, 3), add_type, |args, ty| match args {
            [Value::Str(unit), Value::Int(count), value] => add(&unit_of(unit)?, *count, value, ty),
            _ => Err(failed("TIMESTAMPADD takes a unit, a whole number and a value")),
        }),
        RowFunction::udf(&["timestampdiff"], (3, 3), difference_type, |args, _| match args {
            [Value::Str(unit), from, to] => difference(&unit_of(unit)?, from, to),
            _ => Err(failed("TIMESTAMPDIFF takes a unit and two values")),
        }),
        RowFunction::udf(&["dayname"], (1, 1), name_type, |args, _| {
            let (days, _) = moment(args)?;
            Ok(text(DAYS.get((days + 4).rem_euclid(7) as usize)))
        }),
        RowFunction::udf(&["monthname"], (1, 1), name_type, |args, _| {
            let (days, _) = moment(args)?;
            Ok(text(MONTHS.get(usize::from(date(days)?.month).saturating_sub(1))))
        }),
        RowFunction::udf(
            &["last_day"],
            (1, 1),
            |args| dated("LAST_DAY", args, ColumnType::Date),
            |args, _| {
                let (days, _) = moment(args)?;
                let month = months(date(days)?) + 1;
                date(first_of(month)? - 1).map(Value::Date)
            },
        ),
        RowFunction::udf(
            &["unix_seconds"],
            (1, 1),
            |args| dated("UNIX_SECONDS", args, ColumnType::Int64),
            |args, _| epoch(args, 1),
        ),
        RowFunction::udf(
            &["unix_millis"],
            (1, 1),
            |args| dated("UNIX_MILLIS", args, ColumnType::Int64),
            |args, _| epoch(args, 1_000),
        ),
        RowFunction::udf(
            &["unix_micros"],
            (1, 1),
            |args| dated("UNIX_MICROS", args, ColumnType::Int64),
            |args, _| epoch(args, 1_000_000),
        ),
        RowFunction::udf(
            &["unix_date"],
            (1, 1),
            |args| dated("UNIX_DATE", args, ColumnType::Int32),
            |args, _| moment(args).map(|(days, _)| Value::Int(days)),
        ),
        RowFunction::udf(
            &["timestamp_seconds"],
            (1, 1),
            |args| counted("TIMESTAMP_SECONDS", args),
            |args, _| from_epoch(args, 1),
        ),
        RowFunction::udf(
            &["timestamp_millis"],
            (1, 1),
            |args| counted("TIMESTAMP_MILLIS", args),
            |args, _| from_epoch(args, 1_000),
        ),
        RowFunction::udf(
            &["timestamp_micros"],
            (1, 1),
            |args| counted("TIMESTAMP_MICROS", args),
            |args, _| from_epoch(args, 1_000_000),
        ),
        RowFunction::udf(
            &["date_from_unix_date"],
            (1, 1),
            |args| counted("DATE_FROM_UNIX_DATE", args).map(|_| Some(ColumnType::Date)),
            |args, _| match args {
                [Value::Int(days)] => date(*days).map(Value::Date),
                other => Err(unexpected(other.first().unwrap_or(&Value::Null))),
            },
        ),
    ]
}

/// A unit of the calendar or a field of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Epoch,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

fn unit(text: &str) -> Option<Unit> {
    Some(match text {
        "MILLENNIUM" => Unit::Millennium,
        "CENTURY" => Unit::Century,
        "DECADE" => Unit::Decade,
        "YEAR" => Unit::Year,
        "ISOYEAR" => Unit::IsoYear,
        "QUARTER" => Unit::Quarter,
        "MONTH" => Unit::Month,
        "WEEK" => Unit::Week,
        "DAY" => Unit::Day,
        "DOW" => Unit::DayOfWeek,
        "ISODOW" => Unit::IsoDayOfWeek,
        "DOY" => Unit::DayOfYear,
        "EPOCH" => Unit::Epoch,
        "HOUR" => Unit::Hour,
        "MINUTE" => Unit::Minute,
        "SECOND" => Unit::Second,
        "MILLISECOND" => Unit::Millisecond,
        "MICROSECOND" | "FRAC_SECOND" => Unit::Microsecond,
        "NANOSECOND" => Unit::Nanosecond,
        _ => return None,
    })
}

impl Unit {
    /// Nanoseconds of a unit that is always equally long.
    fn nanos(self) -> Option<i64> {
        Some(match self {
            Self::Week => 7 * NANOS_PER_DAY,
            Self::Day => NANOS_PER_DAY,
            Self::Hour => 3_600 * NANOS_PER_SECOND,
            Self::Minute => 60 * NANOS_PER_SECOND,
            Self::Second => NANOS_PER_SECOND,
            Self::Millisecond => 1_000_000,
            Self::Microsecond => 1_000,
            Self::Nanosecond => 1,
            _ => return None,
        })
    }

    /// Months of a unit of months.
    fn months(self) -> Option<i64> {
        Some(match self {
            Self::Millennium => 12_000,
            Self::Century => 1_200,
            Self::Decade => 120,
            Self::Year => 12,
            Self::Quarter => 3,
            Self::Month => 1,
            _ => return None,
        })
    }

    /// Whether it says something about a time of day.
    fn of_day(self) -> bool {
        self.nanos().is_some_and(|nanos| nanos < NANOS_PER_DAY)
    }
}

fn unit_of(text: &str) -> Result<Unit> {
    unit(text).ok_or_else(|| failed(format!("'{text}' is not a valid time frame")))
}

fn literal_unit(args: &[Known]) -> std::result::Result<Unit, String> {
    let text = args.first().and_then(|arg| arg.literal.as_deref()).unwrap_or_default();
    unit(text).ok_or_else(|| format!("'{text}' is not a valid time frame"))
}

fn field_type(args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    let unit = literal_unit(args)?;
    let fits = match args.last().and_then(|arg| arg.ty) {
        Some(ColumnType::Time { .. }) => unit.of_day(),
        Some(ColumnType::Date | ColumnType::Datetime { .. } | ColumnType::Timestamp { .. }) => true,
        Some(ColumnType::Period | ColumnType::Duration) => true,
        _ => false,
    };
    if fits { Ok(Some(ColumnType::Int64)) } else { Err(cannot_apply("EXTRACT", args)) }
}

fn round_type(args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    let unit = literal_unit(args)?;
    match args.last().and_then(|arg| arg.ty) {
        Some(ty @ ColumnType::Time { .. }) if unit.of_day() => Ok(Some(ty)),
        Some(ty @ (ColumnType::Date | ColumnType::Datetime { .. } | ColumnType::Timestamp { .. })) => Ok(Some(ty)),
        None => Ok(None),
        _ => Err(cannot_apply("FLOOR", args)),
    }
}

fn add_type(args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    let unit = literal_unit(args)?;
    let whole = |ty| matches!(ty, ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64);
    if args.get(1).and_then(|arg| arg.ty).is_some_and(|ty| !whole(ty)) {
        return Err(cannot_apply("TIMESTAMPADD", args));
    }
    match args.last().and_then(|arg| arg.ty) {
        Some(ColumnType::Date) if unit.of_day() => Ok(Some(ColumnType::Datetime { precision: CALCULATED_PRECISION })),
        Some(ColumnType::Date) => Ok(Some(ColumnType::Date)),
        Some(ColumnType::Time { .. }) => Ok(Some(ColumnType::Time { precision: CALCULATED_PRECISION })),
        Some(ty @ (ColumnType::Datetime { .. } | ColumnType::Timestamp { .. })) => Ok(Some(ty)),
        None => Ok(None),
        _ => Err(cannot_apply("TIMESTAMPADD", args)),
    }
}

fn difference_type(args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    literal_unit(args)?;
    let moment = |ty| {
        matches!(
            ty,
            ColumnType::Date | ColumnType::Time { .. } | ColumnType::Datetime { .. } | ColumnType::Timestamp { .. }
        )
    };
    match args.iter().skip(1).all(|arg| arg.ty.is_none_or(moment)) {
        true => Ok(Some(ColumnType::Int32)),
        false => Err(cannot_apply("TIMESTAMPDIFF", args)),
    }
}

fn name_type(args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    dated("DAYNAME", args, ColumnType::String { length: NAME_LENGTH })
}

/// The type of a function of dates and timestamps.
fn dated(name: &str, args: &[Known], ty: ColumnType) -> std::result::Result<Option<ColumnType>, String> {
    let fits = args.iter().all(|arg| {
        arg.ty.is_none_or(|ty| {
            matches!(ty, ColumnType::Date | ColumnType::Datetime { .. } | ColumnType::Timestamp { .. })
        })
    });
    if fits { Ok(Some(ty)) } else { Err(cannot_apply(name, args)) }
}

/// The type of a function of a whole number that makes a timestamp.
fn counted(name: &str, args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    let whole = |ty| matches!(ty, ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64);
    match args.iter().all(|arg| arg.ty.is_none_or(whole)) {
        true => Ok(Some(ColumnType::Datetime { precision: CALCULATED_PRECISION })),
        false => Err(cannot_apply(name, args)),
    }
}

/// Days since 1970 and nanoseconds of the day.
pub(super) fn split(value: &Value<'_>) -> Result<(i64, i64)> {
    let nanos = |time: Time| {
        (i64::from(time.hour) * 3_600 + i64::from(time.minute) * 60 + i64::from(time.second)) * NANOS_PER_SECOND
            + i64::from(time.nanos)
    };
    Ok(match value {
        Value::Date(date) => (date.to_epoch_days(), 0),
        Value::Time(time) => (0, nanos(*time)),
        Value::Datetime(date, time) => (date.to_epoch_days(), nanos(*time)),
        Value::Timestamp(at) => {
            let of_day = at.seconds.rem_euclid(86_400) * NANOS_PER_SECOND + i64::from(at.nanos);
            (at.seconds.div_euclid(86_400), of_day)
        }
        other => return Err(unexpected(other)),
    })
}

fn moment(args: &[Value<'_>]) -> Result<(i64, i64)> {
    split(args.first().unwrap_or(&Value::Null))
}

/// The value of the same kind as `like` at that day and time.
pub(super) fn join(like: ColumnType, days: i64, nanos: i64) -> Result<Value<'static>> {
    let (days, nanos) = (days + nanos.div_euclid(NANOS_PER_DAY), nanos.rem_euclid(NANOS_PER_DAY));
    let seconds = nanos / NANOS_PER_SECOND;
    let part = |n: i64| u8::try_from(n).unwrap_or_default();
    let fraction = u32::try_from(nanos % NANOS_PER_SECOND).unwrap_or_default();
    let time = Time::new(part(seconds / 3_600), part(seconds / 60 % 60), part(seconds % 60), fraction);
    let time = time.ok_or_else(|| failed("TIME out of range"))?;
    Ok(match like {
        ColumnType::Date => Value::Date(date(days)?),
        ColumnType::Time { .. } => Value::Time(time),
        ColumnType::Timestamp { .. } => Value::Timestamp(Timestamp::from_utc(date(days)?, time)),
        _ => Value::Datetime(date(days)?, time),
    })
}

fn kind(value: &Value<'_>) -> ColumnType {
    match value {
        Value::Date(_) => ColumnType::Date,
        Value::Time(_) => ColumnType::Time { precision: 9 },
        Value::Timestamp(_) => ColumnType::Timestamp { precision: 9 },
        _ => ColumnType::Datetime { precision: 9 },
    }
}

pub(super) fn date(days: i64) -> Result<Date> {
    let date = Date::from_epoch_days(days).filter(|date| (1..=9999).contains(&date.year));
    date.ok_or_else(|| failed("DATE out of range"))
}

/// Months since the year 0.
pub(super) fn months(date: Date) -> i64 {
    i64::from(date.year) * 12 + i64::from(date.month) - 1
}

/// The first day of a month, as days since 1970.
fn first_of(month: i64) -> Result<i64> {
    let year = i32::try_from(month.div_euclid(12)).ok();
    let date = year.and_then(|year| Date::new(year, u8::try_from(month.rem_euclid(12) + 1).unwrap_or(1), 1));
    date.map(Date::to_epoch_days).ok_or_else(|| failed("DATE out of range"))
}

/// That many months later, on the same day or the last of a shorter month.
pub(super) fn add_months(days: i64, count: i64) -> Result<i64> {
    let from = date(days)?;
    let month = months(from).checked_add(count).ok_or_else(|| failed("DATE out of range"))?;
    let (first, next) = (first_of(month)?, first_of(month + 1)?);
    Ok((first + i64::from(from.day) - 1).min(next - 1))
}

fn field(unit: &Unit, value: &Value<'_>) -> Result<i64> {
    match value {
        Value::Period(years, months, _) => {
            return Ok(field_of_months(*unit, i64::from(*years) * 12 + i64::from(*months)));
        }
        Value::Duration(seconds, nanos) => return Ok(field_of_seconds(*unit, *seconds, i64::from(*nanos))),
        _ => {}
    }
    let (days, nanos) = split(value)?;
    if unit.of_day() || *unit == Unit::Epoch {
        let of_day = field_of_day(*unit, nanos);
        return Ok(match unit {
            // Before 1970 a part of a second counts toward 1970.
            Unit::Epoch => {
                let seconds = days * 86_400 + nanos / NANOS_PER_SECOND;
                seconds + i64::from(seconds < 0 && nanos % NANOS_PER_SECOND != 0)
            }
            _ => of_day,
        });
    }
    let date = date(days)?;
    let (year, monday) = (i64::from(date.year), (days + 3).rem_euclid(7));
    Ok(match unit {
        Unit::Millennium => (year + 999).div_euclid(1_000),
        Unit::Century => (year + 99).div_euclid(100),
        Unit::Decade => year.div_euclid(10),
        Unit::Year => year,
        Unit::Quarter => i64::from(date.month - 1) / 3 + 1,
        Unit::Month => date.month.into(),
        Unit::Day => date.day.into(),
        Unit::DayOfWeek => (days + 4).rem_euclid(7) + 1,
        Unit::IsoDayOfWeek => monday + 1,
        Unit::DayOfYear => days - first_of(year * 12)? + 1,
        // A week belongs to the year of its Thursday.
        Unit::IsoYear => iso_year(days - monday + 3)?,
        _ => {
            let thursday = days - monday + 3;
            (thursday - first_of(iso_year(thursday)? * 12)?) / 7 + 1
        }
    })
}

fn iso_year(thursday: i64) -> Result<i64> {
    Date::from_epoch_days(thursday).map(|date| i64::from(date.year)).ok_or_else(|| failed("DATE out of range"))
}

fn field_of_day(unit: Unit, nanos: i64) -> i64 {
    match unit {
        Unit::Hour => nanos / (3_600 * NANOS_PER_SECOND),
        Unit::Minute => nanos / (60 * NANOS_PER_SECOND) % 60,
        Unit::Second => nanos / NANOS_PER_SECOND % 60,
        Unit::Millisecond => nanos % (60 * NANOS_PER_SECOND) / 1_000_000,
        Unit::Microsecond => nanos % (60 * NANOS_PER_SECOND) / 1_000,
        _ => nanos % (60 * NANOS_PER_SECOND),
    }
}

fn field_of_months(unit: Unit, months: i64) -> i64 {
    match unit {
        Unit::Year => months / 12,
        Unit::Quarter => months % 12 / 3 + 1,
        Unit::Month => months % 12,
        Unit::Decade => months / 120,
        Unit::Century => months / 1_200,
        Unit::Millennium => months / 12_000,
        _ => 0,
    }
}

fn field_of_seconds(unit: Unit, seconds: i64, nanos: i64) -> i64 {
    match unit {
        Unit::Day => seconds / 86_400,
        Unit::Epoch => seconds,
        unit if unit.of_day() => field_of_day(unit, seconds % 86_400 * NANOS_PER_SECOND + nanos),
        _ => 0,
    }
}

fn round(args: &[Value<'_>], up: bool) -> Result<Value<'static>> {
    let [Value::Str(unit), value] = args else { return Err(failed("FLOOR takes a unit and a value")) };
    let unit = unit_of(unit)?;
    let ty = kind(value);
    let (days, nanos) = split(value)?;
    if let Some(length) = unit.nanos().filter(|length| *length < NANOS_PER_DAY) {
        let floor = nanos / length * length;
        return join(ty, days, if up && floor != nanos { floor + length } else { floor });
    }
    let (floor, next) = match unit {
        Unit::Day => (days, days + 1),
        Unit::Week => {
            let sunday = days - (days + 4).rem_euclid(7);
            (sunday, sunday + 7)
        }
        unit => {
            let length = unit.months().ok_or_else(|| failed("not a unit to round to"))?;
            // Centuries and millennia begin with a year 1, decades with a year 0.
            let shift = if length > 120 { 12 } else { 0 };
            let first = (months(date(days)?) - shift).div_euclid(length) * length + shift;
            (first_of(first)?, first_of(first + length)?)
        }
    };
    join(ty, if up && (floor, 0) != (days, nanos) { next } else { floor }, 0)
}

fn add(unit: &Unit, count: i64, value: &Value<'_>, ty: ColumnType) -> Result<Value<'static>> {
    let (days, nanos) = split(value)?;
    let overflow = || failed("DATE out of range");
    if let Some(length) = unit.months() {
        return join(ty, add_months(days, count.checked_mul(length).ok_or_else(overflow)?)?, nanos);
    }
    let length = unit.nanos().ok_or_else(|| failed("not a unit to add"))?;
    let total = i128::from(count) * i128::from(length) + i128::from(nanos);
    let whole = i64::try_from(total.div_euclid(i128::from(NANOS_PER_DAY))).map_err(|_| overflow())?;
    let rest = i64::try_from(total.rem_euclid(i128::from(NANOS_PER_DAY))).map_err(|_| overflow())?;
    join(ty, days.checked_add(whole).ok_or_else(overflow)?, rest)
}

fn difference(unit: &Unit, from: &Value<'_>, to: &Value<'_>) -> Result<Value<'static>> {
    let (from, to) = (split(from)?, split(to)?);
    let count = match (unit.months(), unit.nanos()) {
        (Some(length), _) => {
            // Whole months: one less if the day and time of the earlier have not come yet.
            let (low, high, sign) = if from <= to { (from, to, 1) } else { (to, from, -1) };
            let mut count = months(date(high.0)?) - months(date(low.0)?);
            let (a, b) = (date(low.0)?, date(high.0)?);
            if (b.day, high.1) < (a.day, low.1) {
                count -= 1;
            }
            i128::from(sign * count / length)
        }
        (None, Some(length)) => {
            let nanos = i128::from(to.0 - from.0) * i128::from(NANOS_PER_DAY) + i128::from(to.1 - from.1);
            nanos / i128::from(length)
        }
        (None, None) => return Err(failed("not a unit to count in")),
    };
    i32::try_from(count).map(|count| Value::Int(count.into())).map_err(|_| failed("INTEGER out of range"))
}

fn epoch(args: &[Value<'_>], per_second: i64) -> Result<Value<'static>> {
    let (days, nanos) = moment(args)?;
    Ok(Value::Int(days * 86_400 * per_second + nanos / (NANOS_PER_SECOND / per_second)))
}

fn from_epoch(args: &[Value<'_>], per_second: i64) -> Result<Value<'static>> {
    let [Value::Int(count)] = args else { return Err(failed("a whole number is expected")) };
    let (seconds, rest) = (count.div_euclid(per_second), count.rem_euclid(per_second));
    let of_day = seconds.rem_euclid(86_400) * NANOS_PER_SECOND + rest * (NANOS_PER_SECOND / per_second);
    join(ColumnType::Datetime { precision: CALCULATED_PRECISION }, seconds.div_euclid(86_400), of_day)
}

fn text(name: Option<&&'static str>) -> Value<'static> {
    Value::Str(Cow::Borrowed(name.copied().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Value<'static> {
        Value::Date(Date::parse(text).unwrap())
    }

    fn at(text: &str) -> Value<'static> {
        let (date, time) = text.split_once(' ').unwrap();
        Value::Datetime(Date::parse(date).unwrap(), Time::parse(time).unwrap())
    }

    /// Observed on Ignite 3.1.0.
    #[test]
    fn fields() {
        for (unit, value, field_value) in [
            (Unit::Week, day("2020-12-31"), 53),
            (Unit::Week, day("2021-01-03"), 53),
            (Unit::IsoYear, day("2021-01-03"), 2020),
            (Unit::DayOfWeek, day("2024-02-29"), 5),
            (Unit::IsoDayOfWeek, day("2023-12-31"), 7),
            (Unit::DayOfYear, day("2024-02-29"), 60),
            (Unit::Century, day("2000-01-01"), 20),
            (Unit::Millennium, day("2001-01-01"), 3),
            (Unit::Decade, day("2024-02-29"), 202),
            (Unit::Millisecond, at("1969-12-31 23:59:59.5"), 59_500),
            (Unit::Epoch, at("1969-12-31 23:59:59.5"), 0),
            (Unit::Month, Value::Period(2, 3, 0), 3),
            (Unit::Hour, Value::Duration(93_784, 0), 2),
        ] {
            assert_eq!(field(&unit, &value).unwrap(), field_value, "{unit:?} of {value}");
        }
    }

    #[test]
    fn units_are_added_and_counted() {
        let ty = ColumnType::Date;
        assert_eq!(add(&Unit::Month, 1, &day("2024-01-31"), ty).unwrap(), day("2024-02-29"));
        assert_eq!(add(&Unit::Year, 1, &day("2024-02-29"), ty).unwrap(), day("2025-02-28"));
        assert_eq!(add(&Unit::Quarter, -1, &day("2024-01-31"), ty).unwrap(), day("2023-10-31"));
        assert!(add(&Unit::Day, i64::MAX, &day("2024-01-31"), ty).is_err());
        let count = |unit, a: &str, b: &str| difference(&unit, &at(a), &at(b)).unwrap();
        let (a, b) = ("2023-01-31 10:20:30", "2024-02-29 09:20:30");
        assert_eq!(count(Unit::Month, a, b), Value::Int(12));
        assert_eq!(count(Unit::Month, b, a), Value::Int(-12));
        assert_eq!(count(Unit::Hour, b, a), Value::Int(-9455));
        assert!(difference(&Unit::Microsecond, &at(a), &at(b)).is_err());
    }

    #[test]
    fn moments_are_rounded() {
        let rounded = |unit: &'static str, value, up| round(&[Value::Str(unit.into()), value], up).unwrap();
        let noon = || at("2024-05-15 10:20:30.5");
        assert_eq!(rounded("WEEK", noon(), false), at("2024-05-12 00:00:00"));
        assert_eq!(rounded("CENTURY", noon(), true), at("2101-01-01 00:00:00"));
        assert_eq!(rounded("SECOND", noon(), true), at("2024-05-15 10:20:31"));
        assert_eq!(rounded("DAY", day("2024-05-15"), true), day("2024-05-15"));
        assert_eq!(rounded("QUARTER", day("2024-05-15"), false), day("2024-04-01"));
    }
}
