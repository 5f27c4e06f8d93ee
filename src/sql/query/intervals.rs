//! Intervals, and dates and times that are moved by them.
//!
//! Observed on Ignite 3.1.0: an interval is a number of months or of milliseconds, and the two do not mix. A date moved by
//! hours is moved by whole days of them; a day that the month has not becomes its last one; a time of day wraps around.

use super::dates::{add_months, join, months, split};
use super::rowwise::{Known, RowFunction, cannot_apply, failed, unexpected};
use crate::error::Result;
use crate::value::{ColumnType, Decimal, Value};
use datafusion::logical_expr::ScalarUDF;
use num_bigint::BigInt;
use std::sync::Arc;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_DAY: i128 = 86_400 * NANOS_PER_SECOND;
/// Digits of the second that a moved time has.
const MOVED_PRECISION: u8 = 6;

/// Moves one value by another.
pub const PLUS: &str = "interval_plus";
/// Moves one value back by another.
pub const MINUS: &str = "interval_minus";

/// Units, from the longest: the name, how many of it the one before it has, and its months or nanoseconds.
const UNITS: [(&str, u32, i128); 6] = [
    ("YEAR", u32::MAX, 12),
    ("MONTH", 12, 1),
    ("DAY", u32::MAX, NANOS_PER_DAY),
    ("HOUR", 24, 3_600 * NANOS_PER_SECOND),
    ("MINUTE", 60, 60 * NANOS_PER_SECOND),
    ("SECOND", 60, NANOS_PER_SECOND),
];

/// All of them.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        // INTERVAL 'text' units
        RowFunction::udf(
            &["interval_of"],
            (2, 2),
            |args| match args {
                [value, units] => {
                    let (text, units) = (value.literal.as_deref(), units_of(units)?);
                    match text.and_then(|text| parse(text, units)) {
                        Some(_) => Ok(Some(units.ty())),
                        None => {
                            Err(format!("Illegal interval literal format '{}' for INTERVAL", text.unwrap_or_default()))
                        }
                    }
                }
                _ => Err(cannot_apply("INTERVAL", args)),
            },
            |args, _| to_interval(args),
        ),
        // CAST(x AS INTERVAL units)
        RowFunction::udf(
            &["interval_to"],
            (2, 2),
            |args| match args {
                [value, units] => {
                    let units = units_of(units)?;
                    let fits = value.ty.is_none_or(|ty| ty == units.ty() || counts(ty) || is_text(ty));
                    match fits {
                        true => Ok(Some(units.ty())),
                        false => Err(format!(
                            "Cast function cannot convert value of type {} to type INTERVAL",
                            value.ty.map_or_else(String::new, |ty| ty.to_string())
                        )),
                    }
                }
                _ => Err(cannot_apply("CAST", args)),
            },
            |args, _| to_interval(args),
        ),
        // CAST(interval AS number): how many of its units it has
        RowFunction::udf(
            &["interval_count"],
            (2, 2),
            |args| match args {
                [value, units] => {
                    let units = units_of(units)?;
                    match value.ty.is_none_or(|ty| ty == units.ty()) {
                        true => Ok(Some(ColumnType::Int64)),
                        false => Err(cannot_apply("CAST", args)),
                    }
                }
                _ => Err(cannot_apply("CAST", args)),
            },
            |args, _| count(args),
        ),
        // (x - y) units
        RowFunction::udf(
            &["interval_between"],
            (3, 3),
            |args| match args {
                [units, from, to] => {
                    let units = units_of(units)?;
                    match from.ty.is_none_or(is_moment) && to.ty.is_none_or(is_moment) {
                        true => Ok(Some(units.ty())),
                        false => Err(cannot_apply("-", args)),
                    }
                }
                _ => Err(cannot_apply("-", args)),
            },
            |args, ty| match args {
                [_, from, to] => between(from, to, ty),
                _ => Err(failed("a difference has two sides")),
            },
        ),
        RowFunction::udf(&[PLUS], (2, 2), |args| moved_type("+", args), |args, ty| moved(args, ty, 1)),
        RowFunction::udf(&[MINUS], (2, 2), |args| moved_type("-", args), |args, ty| moved(args, ty, -1)),
    ]
}

/// From the longest unit of an interval to its shortest, as places in [`UNITS`], and what one of a lone unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Units {
    first: usize,
    last: usize,
    factor: i128,
}

impl Units {
    fn ty(self) -> ColumnType {
        if self.last <= 1 { ColumnType::Period } else { ColumnType::Duration }
    }

    fn value(self, total: i128) -> Option<Value<'static>> {
        match self.ty() {
            ColumnType::Period => {
                let months = i32::try_from(total).ok()?;
                Some(Value::Period(months / 12, months % 12, 0))
            }
            _ => duration(total),
        }
    }
}

fn duration(nanos: i128) -> Option<Value<'static>> {
    // What a query calculates with has 64 bits of nanoseconds.
    i64::try_from(nanos).ok()?;
    let seconds = i64::try_from(nanos.div_euclid(NANOS_PER_SECOND)).ok()?;
    Some(Value::Duration(seconds, u32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).ok()?))
}

/// Reads `DAY`, `YEAR TO MONTH` and so on.
fn units(text: &str) -> Option<Units> {
    let place = |name: &str| UNITS.iter().position(|(known, ..)| *known == name);
    match text.split_once(" TO ") {
        Some((first, last)) => {
            let (first, last) = (place(first)?, place(last)?);
            (first < last && (last <= 1) == (first <= 1)).then_some(Units { first, last, factor: 1 })
        }
        None => match text {
            "QUARTER" => Some(Units { first: 1, last: 1, factor: 3 }),
            "WEEK" => Some(Units { first: 2, last: 2, factor: 7 }),
            name => place(name).map(|place| Units { first: place, last: place, factor: 1 }),
        },
    }
}

fn units_of(arg: &Known) -> std::result::Result<Units, String> {
    let text = arg.literal.as_deref().unwrap_or_default();
    units(text).ok_or_else(|| format!("'{text}' are no units of an interval"))
}

/// Reads the text of an interval in these units.
fn parse(text: &str, units: Units) -> Option<Value<'static>> {
    let text = text.trim();
    let (sign, text) = match (text.strip_prefix('-'), text.strip_prefix('+')) {
        (Some(rest), _) => (-1, rest),
        (_, Some(rest)) => (1, rest),
        _ => (1, text),
    };
    let (whole, fraction) = match (units.last, text.split_once('.')) {
        (5, Some((whole, fraction))) => (whole, fraction),
        (_, None) => (text, ""),
        _ => return None,
    };
    let number = |digits: &str| -> Option<i128> {
        (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse::<i64>().ok())
            .flatten()
            .map(i128::from)
    };
    // Parts are separated as people write them: 1-2, 1 02:03:04.
    let mut rest = whole;
    let mut total = 0_i128;
    for place in units.first..=units.last {
        let (_, most, length) = UNITS.get(place)?;
        let separator = match place {
            0 => '-',
            2 => ' ',
            _ => ':',
        };
        let part = match place < units.last {
            true => {
                let (part, after) = rest.split_once(separator)?;
                rest = after;
                part
            }
            false => rest,
        };
        let part = number(part)?;
        if place > units.first && part >= i128::from(*most) {
            return None;
        }
        total = total.checked_add(part.checked_mul(*length)?.checked_mul(units.factor)?)?;
    }
    if !fraction.is_empty() {
        total += number(&format!("{fraction:0<9}").chars().take(9).collect::<String>())?;
    }
    units.value(sign * total)
}

fn to_interval(args: &[Value<'_>]) -> Result<Value<'static>> {
    let [value, Value::Str(text)] = args else { return Err(failed("an interval has a value and units")) };
    let units = units(text).ok_or_else(|| failed(format!("'{text}' are no units of an interval")))?;
    let length = UNITS.get(units.last).map_or(1, |(.., length)| *length) * units.factor;
    let beyond = || failed("INTERVAL out of range");
    match value {
        Value::Str(text) => {
            parse(text, units).ok_or_else(|| failed(format!("Illegal interval literal format '{text}' for INTERVAL")))
        }
        Value::Int(count) => units.value(i128::from(*count) * length).ok_or_else(beyond),
        Value::Decimal(Decimal { unscaled, scale }) => {
            let total = unscaled * BigInt::from(length);
            let total = match u32::try_from(*scale) {
                Ok(scale) => total / BigInt::from(10).pow(scale),
                Err(_) => return Err(beyond()),
            };
            i128::try_from(total).ok().and_then(|total| units.value(total)).ok_or_else(beyond)
        }
        Value::Period(..) | Value::Duration(..) => Ok(value.clone().into_owned()),
        other => Err(unexpected(other)),
    }
}

/// How many whole units an interval has.
fn count(args: &[Value<'_>]) -> Result<Value<'static>> {
    let [value, Value::Str(text)] = args else { return Err(failed("an interval has a value and units")) };
    let units = units(text).ok_or_else(|| failed(format!("'{text}' are no units of an interval")))?;
    let length = UNITS.get(units.last).map_or(1, |(.., length)| *length) * units.factor;
    let total = match value {
        Value::Period(years, months, _) => i128::from(in_months(*years, *months)),
        Value::Duration(seconds, nanos) => in_nanos(*seconds, *nanos),
        other => return Err(unexpected(other)),
    };
    i64::try_from(total / length).map(Value::Int).map_err(|_| failed("BIGINT out of range"))
}

fn counts(ty: ColumnType) -> bool {
    use ColumnType as T;
    matches!(ty, T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Decimal { .. })
}

fn is_text(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::String { .. })
}

fn is_moment(ty: ColumnType) -> bool {
    use ColumnType as T;
    matches!(ty, T::Date | T::Time { .. } | T::Datetime { .. } | T::Timestamp { .. })
}

/// How far it is from the second to the first.
fn between(from: &Value<'_>, to: &Value<'_>, ty: ColumnType) -> Result<Value<'static>> {
    let ((day_a, nanos_a), (day_b, nanos_b)) = (split(from)?, split(to)?);
    let beyond = || failed("INTERVAL out of range");
    if ty == ColumnType::Duration {
        let nanos = i128::from(day_a - day_b) * NANOS_PER_DAY + i128::from(nanos_a - nanos_b);
        return duration(nanos).ok_or_else(beyond);
    }
    // Whole months: one less if the day and time of the earlier have not come yet.
    let (low, high, sign) = match (day_a, nanos_a) >= (day_b, nanos_b) {
        true => ((day_b, nanos_b), (day_a, nanos_a), 1),
        false => ((day_a, nanos_a), (day_b, nanos_b), -1),
    };
    let (a, b) = (super::dates::date(low.0)?, super::dates::date(high.0)?);
    let whole = months(b) - months(a) - i64::from((b.day, high.1) < (a.day, low.1));
    let whole = i32::try_from(sign * whole).map_err(|_| beyond())?;
    Ok(Value::Period(whole / 12, whole % 12, 0))
}

fn moved_type(operator: &str, args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    use ColumnType as T;
    let (Some(left), Some(right)) = (args.first().and_then(|a| a.ty), args.get(1).and_then(|a| a.ty)) else {
        return Err(cannot_apply(operator, args));
    };
    Ok(Some(match (left, right) {
        (T::Period, T::Period) | (T::Duration, T::Duration) => left,
        (moment, T::Period | T::Duration) | (T::Period | T::Duration, moment)
            if is_moment(moment) && (operator == "+" || is_moment(left)) =>
        {
            match moment {
                T::Date => T::Date,
                T::Time { .. } if left == T::Period || right == T::Period => return Err(cannot_apply(operator, args)),
                T::Time { .. } => T::Time { precision: MOVED_PRECISION },
                T::Datetime { precision } => T::Datetime { precision: precision.max(MOVED_PRECISION) },
                T::Timestamp { precision } => T::Timestamp { precision: precision.max(MOVED_PRECISION) },
                _ => return Err(cannot_apply(operator, args)),
            }
        }
        _ => return Err(cannot_apply(operator, args)),
    }))
}

fn in_months(years: i32, months: i32) -> i64 {
    i64::from(years) * 12 + i64::from(months)
}

fn in_nanos(seconds: i64, nanos: u32) -> i128 {
    i128::from(seconds) * NANOS_PER_SECOND + i128::from(nanos)
}

fn moved(args: &[Value<'_>], ty: ColumnType, sign: i64) -> Result<Value<'static>> {
    let beyond = || failed("INTERVAL out of range");
    match args {
        [Value::Period(y1, m1, _), Value::Period(y2, m2, _)] => {
            let total = i32::try_from(in_months(*y1, *m1) + sign * in_months(*y2, *m2)).map_err(|_| beyond())?;
            Ok(Value::Period(total / 12, total % 12, 0))
        }
        [Value::Duration(s1, n1), Value::Duration(s2, n2)] => {
            duration(in_nanos(*s1, *n1) + i128::from(sign) * in_nanos(*s2, *n2)).ok_or_else(beyond)
        }
        [moment, Value::Period(years, months, _)] | [Value::Period(years, months, _), moment] => {
            let (days, nanos) = split(moment)?;
            in_range(join(ty, add_months(days, sign * in_months(*years, *months))?, nanos)?)
        }
        [moment, Value::Duration(seconds, n)] | [Value::Duration(seconds, n), moment] => {
            let (days, nanos) = split(moment)?;
            let by = i128::from(sign) * in_nanos(*seconds, *n);
            let by = if ty == ColumnType::Date { by / NANOS_PER_DAY * NANOS_PER_DAY } else { by };
            let total = i128::from(days) * NANOS_PER_DAY + i128::from(nanos) + by;
            let day = i64::try_from(total.div_euclid(NANOS_PER_DAY)).map_err(|_| beyond())?;
            in_range(join(ty, day, i64::try_from(total.rem_euclid(NANOS_PER_DAY)).map_err(|_| beyond())?)?)
        }
        _ => Err(failed("an interval is expected")),
    }
}

/// A moment that a column could hold.
fn in_range(value: Value<'static>) -> Result<Value<'static>> {
    super::convert::in_range(value, || failed("TIMESTAMP out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::text::plain;

    fn interval(text: &str, of: &str) -> String {
        parse(text, units(of).unwrap()).and_then(|value| plain(&value).map(|t| t.into_owned())).unwrap_or_default()
    }

    /// Observed on Ignite 3.1.0.
    #[test]
    fn texts_of_intervals() {
        for (text, of, shown) in [
            ("1", "YEAR", "P1Y0M0D"),
            ("13", "MONTH", "P1Y1M0D"),
            ("1", "QUARTER", "P0Y3M0D"),
            ("-1-2", "YEAR TO MONTH", "P-1Y-2M0D"),
            ("1-13", "YEAR TO MONTH", ""),
            ("4.567", "SECOND", "PT4.567S"),
            ("1 2", "DAY TO HOUR", "PT93600S"),
            ("1 02:03:04.5", "DAY TO SECOND", "PT93784.5S"),
            ("2:03", "HOUR TO MINUTE", "PT7380S"),
            ("-1", "WEEK", "PT-604800S"),
            ("a", "DAY", ""),
            ("1.5", "DAY", ""),
            ("9223372036854775807", "DAY", ""),
        ] {
            assert_eq!(interval(text, of), shown, "{text} {of}");
        }
        assert!(units("MONTH TO DAY").is_none());
    }

    #[test]
    fn intervals_are_counted_in_their_units() {
        let count = |value, unit: &'static str| count(&[value, Value::Str(unit.into())]).unwrap();
        assert_eq!(count(Value::Duration(432_000, 0), "DAY"), Value::Int(5));
        assert_eq!(count(Value::Duration(-90, 0), "MINUTE"), Value::Int(-1));
        assert_eq!(count(Value::Period(1, 2, 0), "MONTH"), Value::Int(14));
        assert_eq!(count(Value::Period(1, 2, 0), "YEAR"), Value::Int(1));
    }

    #[test]
    fn moments_are_moved() {
        use crate::value::{Date, Time};
        let day = |y, m, d| Date::new(y, m, d).unwrap();
        let noon = Time::new(12, 0, 0, 0).unwrap();
        let by = |value: Value<'static>, hours: i64, ty| moved(&[value, Value::Duration(hours * 3_600, 0)], ty, 1);
        let (date, stamp) = (ColumnType::Date, ColumnType::Datetime { precision: 6 });
        assert_eq!(by(Value::Date(day(2024, 1, 31)), 36, date).unwrap(), Value::Date(day(2024, 2, 1)));
        assert_eq!(by(Value::Date(day(2024, 1, 31)), -1, date).unwrap(), Value::Date(day(2024, 1, 31)));
        assert_eq!(
            by(Value::Datetime(day(2024, 1, 31), noon), 24, stamp).unwrap(),
            Value::Datetime(day(2024, 2, 1), noon)
        );
        let month = moved(&[Value::Date(day(2024, 1, 31)), Value::Period(0, 1, 0)], date, 1).unwrap();
        assert_eq!(month, Value::Date(day(2024, 2, 29)));
        assert!(by(Value::Date(day(9999, 12, 31)), 24, date).is_err());
        assert!(by(Value::Datetime(day(9999, 12, 30), noon), 48, stamp).is_err());
        let apart =
            between(&Value::Date(day(2024, 3, 30)), &Value::Date(day(2024, 1, 31)), ColumnType::Period).unwrap();
        assert_eq!(apart, Value::Period(0, 1, 0));
    }
}
