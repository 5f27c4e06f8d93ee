//! Values as plain text and back: what a shell prints and a CSV file holds.
//!
//! [`plain`] and [`parse`] are inverse for every value of every column type but two: null, for which the caller chooses
//! a text, and the payload of a NaN.

use super::{ColumnType, Date, Decimal, Time, Timestamp, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// The text of a value; `None` for null.
pub fn plain<'v>(value: &'v Value<'_>) -> Option<Cow<'v, str>> {
    Some(Cow::Owned(match value {
        Value::Null => return None,
        Value::Str(text) => return Some(Cow::Borrowed(text)),
        Value::Float(v) => float(v.is_infinite(), v.is_sign_negative(), format!("{v:?}")),
        Value::Double(v) => float(v.is_infinite(), v.is_sign_negative(), format!("{v:?}")),
        // Zeros instead of an exponent.
        Value::Decimal(v) if v.scale < 0 => v.rescaled(0).to_string(),
        Value::Time(v) => time(*v),
        Value::Datetime(date, v) => format!("{date} {}", time(*v)),
        Value::Timestamp(v) => match v.to_utc() {
            Some((date, v)) => format!("{date} {}Z", time(v)),
            None => v.to_string(),
        },
        Value::Duration(seconds, nanos) => duration(*seconds, *nanos),
        Value::Bytes(bytes) => {
            let mut text = String::with_capacity(2 + 2 * bytes.len());
            text.push_str("0x");
            for byte in bytes.iter() {
                // Writing to a string does not fail.
                let _ = write!(text, "{byte:02x}");
            }
            text
        }
        value @ (Value::Bool(_)
        | Value::Int(_)
        | Value::Decimal(_)
        | Value::Date(_)
        | Value::Uuid(_)
        | Value::Period(..)) => value.to_string(),
    }))
}

fn float(infinite: bool, negative: bool, finite: String) -> String {
    match (infinite, negative) {
        (true, false) => "Infinity".into(),
        (true, true) => "-Infinity".into(),
        (false, _) => finite,
    }
}

/// A time of day with as many digits of its fraction as say something.
fn time(time: Time) -> String {
    let text = time.to_string();
    match text.contains('.') {
        true => text.trim_end_matches('0').to_owned(),
        false => text,
    }
}

/// Seconds in ISO 8601; the nanoseconds count forward also from a negative second.
fn duration(seconds: i64, nanos: u32) -> String {
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let (sign, total) = (if total < 0 { "-" } else { "" }, total.unsigned_abs());
    let (seconds, nanos) = (total / 1_000_000_000, total % 1_000_000_000);
    match nanos {
        0 => format!("PT{sign}{seconds}S"),
        nanos => format!("PT{sign}{seconds}.{}S", format!("{nanos:09}").trim_end_matches('0')),
    }
}

/// Reads a value of a type; never null.
///
/// # Errors
/// The text is none of the type; the message says what would be, and does not repeat the text.
pub fn parse(text: &str, ty: ColumnType) -> Result<Value<'_>, String> {
    let trimmed = text.trim();
    let integer = |min: i64, max: i64| match trimmed.parse::<i64>() {
        Ok(v) if (min..=max).contains(&v) => Ok(Value::Int(v)),
        _ => Err(format!("expected an integer from {min} to {max}")),
    };
    let expected = |what: &str| format!("expected {what}");
    Ok(match ty {
        ColumnType::Boolean => match trimmed {
            _ if trimmed.eq_ignore_ascii_case("true") => Value::Bool(true),
            _ if trimmed.eq_ignore_ascii_case("false") => Value::Bool(false),
            _ => return Err(expected("true or false")),
        },
        ColumnType::Int8 => integer(i8::MIN.into(), i8::MAX.into())?,
        ColumnType::Int16 => integer(i16::MIN.into(), i16::MAX.into())?,
        ColumnType::Int32 => integer(i32::MIN.into(), i32::MAX.into())?,
        ColumnType::Int64 => integer(i64::MIN, i64::MAX)?,
        ColumnType::Float => match trimmed.parse::<f32>() {
            Ok(v) if v.is_finite() || says_so(trimmed) => Value::Float(v),
            _ => return Err(expected("a number such as 1.5, 3.4e38 at most")),
        },
        ColumnType::Double => match trimmed.parse::<f64>() {
            Ok(v) if v.is_finite() || says_so(trimmed) => Value::Double(v),
            _ => return Err(expected("a number such as 1.5, 1.79e308 at most")),
        },
        ColumnType::Decimal { .. } | ColumnType::Number { .. } => {
            let decimal = Decimal::parse(trimmed).filter(Decimal::can_be_stored);
            Value::Decimal(decimal.ok_or_else(|| expected("a decimal such as -12.34"))?)
        }
        ColumnType::Date => Value::Date(Date::parse(trimmed).ok_or_else(|| expected("a date such as 2024-02-29"))?),
        ColumnType::Time { .. } => {
            Value::Time(Time::parse(trimmed).ok_or_else(|| expected("a time such as 10:20:30.5"))?)
        }
        ColumnType::Datetime { .. } => datetime(trimmed)
            .map(|(date, time)| Value::Datetime(date, time))
            .ok_or_else(|| expected("a date and a time such as 2024-02-29 10:20:30.5"))?,
        ColumnType::Timestamp { .. } => timestamp(trimmed)
            .map(Value::Timestamp)
            .ok_or_else(|| expected("a moment such as 2024-02-29 10:20:30.5Z or 2024-02-29T10:20:30+02:00"))?,
        ColumnType::Uuid => {
            Value::Uuid(uuid(trimmed).ok_or_else(|| expected("a UUID such as 00112233-4455-6677-8899-aabbccddeeff"))?)
        }
        ColumnType::String { .. } => Value::Str(Cow::Borrowed(text)),
        ColumnType::Bytes { .. } | ColumnType::Bitmask { .. } => {
            Value::Bytes(Cow::Owned(bytes(trimmed).ok_or_else(|| expected("bytes such as 0x00ff"))?))
        }
        ColumnType::Period | ColumnType::Duration => return Err(format!("{ty} cannot be a column")),
    })
}

/// Whether a number is not finite because its text says so, rather than because it is too large.
fn says_so(text: &str) -> bool {
    !text.contains(|c: char| c.is_ascii_digit())
}

fn datetime(text: &str) -> Option<(Date, Time)> {
    let (date, time) = text.split_once([' ', 'T'])?;
    Some((Date::parse(date)?, Time::parse(time)?))
}

/// A date and a time with a zone: `Z`, or an offset of hours and minutes.
fn timestamp(text: &str) -> Option<Timestamp> {
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return datetime(local).map(|(date, time)| Timestamp::from_utc(date, time));
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let (sign, offset) = match offset.split_at_checked(1)? {
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let offset = Time::parse(offset)?;
    let (date, time) = datetime(local)?;
    let mut timestamp = Timestamp::from_utc(date, time);
    timestamp.seconds -= sign * 60 * (60 * i64::from(offset.hour) + i64::from(offset.minute));
    Some(timestamp)
}

fn uuid(text: &str) -> Option<u128> {
    let well_placed = text.len() == 36 && text.char_indices().all(|(i, c)| (c == '-') == matches!(i, 8 | 13 | 18 | 23));
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let hexadecimal = digits.bytes().all(|b| b.is_ascii_hexdigit());
    (well_placed && hexadecimal).then(|| u128::from_str_radix(&digits, 16).ok()).flatten()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::UNLIMITED;
    use proptest::prelude::*;

    fn text(value: &Value<'_>) -> String {
        plain(value).unwrap().into_owned()
    }

    #[test]
    fn texts_are_what_people_write() {
        let date = Date::parse("2024-02-29").unwrap();
        let time = Time::parse("10:20:30.120").unwrap();
        for (value, expected) in [
            (Value::Bool(true), "true"),
            (Value::Int(i64::MIN), "-9223372036854775808"),
            (Value::Double(1e300), "1e300"),
            (Value::Double(-0.0), "-0.0"),
            (Value::Float(f32::NEG_INFINITY), "-Infinity"),
            (Value::Double(f64::NAN), "NaN"),
            (Value::Decimal(Decimal::parse("12.340").unwrap()), "12.340"),
            (Value::Decimal(Decimal::parse("1e3").unwrap()), "1000"),
            (Value::Time(time), "10:20:30.12"),
            (Value::Time(Time::parse("10:00").unwrap()), "10:00:00"),
            (Value::Datetime(date, time), "2024-02-29 10:20:30.12"),
            (Value::Timestamp(Timestamp::from_utc(date, time)), "2024-02-29 10:20:30.12Z"),
            (Value::Timestamp(Timestamp { seconds: -1, nanos: 1 }), "1969-12-31 23:59:59.000000001Z"),
            (Value::Uuid(0xff), "00000000-0000-0000-0000-0000000000ff"),
            (Value::Str("a, \"b\"".into()), "a, \"b\""),
            (Value::Bytes(vec![0, 0xff].into()), "0x00ff"),
            (Value::Bytes(vec![].into()), "0x"),
            (Value::Duration(86_400, 0), "PT86400S"),
            (Value::Duration(-1, 500_000_000), "PT-0.5S"),
            (Value::Period(1, 2, 3), "P1Y2M3D"),
        ] {
            assert_eq!(text(&value), expected);
        }
        assert_eq!(plain(&Value::Null), None);
    }

    #[test]
    fn other_spellings_are_read() {
        let ts = ColumnType::Timestamp { precision: 9 };
        let moment = parse("2024-02-29 10:20:30Z", ts).unwrap();
        assert_eq!(parse("2024-02-29T12:20:30+02:00", ts).unwrap(), moment);
        assert_eq!(parse(" 2024-02-29T08:50:30-01:30", ts).unwrap(), moment);
        assert_eq!(parse("TRUE ", ColumnType::Boolean).unwrap(), Value::Bool(true));
        assert_eq!(parse("-inf", ColumnType::Double).unwrap(), Value::Double(f64::NEG_INFINITY));
        assert_eq!(parse(" a ", ColumnType::String { length: 1 }).unwrap(), Value::Str(" a ".into()));
    }

    #[test]
    fn refusals_say_what_would_be_right() {
        for (wrong, ty, part) in [
            ("yes", ColumnType::Boolean, "true or false"),
            ("128", ColumnType::Int8, "from -128 to 127"),
            ("1.0", ColumnType::Int32, "integer"),
            ("9223372036854775808", ColumnType::Int64, "integer"),
            ("1,5", ColumnType::Double, "1.5"),
            ("1e309", ColumnType::Double, "at most"),
            ("-1e39", ColumnType::Float, "at most"),
            ("1e32768", ColumnType::Decimal { precision: UNLIMITED, scale: UNLIMITED }, "decimal"),
            ("", ColumnType::Decimal { precision: 1, scale: 0 }, "decimal"),
            ("2023-02-29", ColumnType::Date, "date"),
            ("24:00", ColumnType::Time { precision: 0 }, "time"),
            ("2024-02-29", ColumnType::Datetime { precision: 0 }, "date and a time"),
            ("2024-02-29 10:00", ColumnType::Timestamp { precision: 0 }, "Z"),
            ("é-02-29 10:00", ColumnType::Timestamp { precision: 0 }, "Z"),
            ("+0112233-4455-6677-8899-aabbccddeeff", ColumnType::Uuid, "UUID"),
            ("0x0", ColumnType::Bytes { length: 9 }, "0x00ff"),
            ("00", ColumnType::Bytes { length: 9 }, "0x00ff"),
        ] {
            let error = parse(wrong, ty).unwrap_err();
            assert!(error.contains(part), "{wrong}: {error}");
        }
    }

    fn any_value() -> impl Strategy<Value = (Value<'static>, ColumnType)> {
        let time = (0_u8..24, 0_u8..60, 0_u8..60, 0_u32..1_000_000_000)
            .prop_map(|(h, m, s, n)| Time::new(h, m, s, n).unwrap());
        let date = (1_i32..=9999, 1_u8..=12, 1_u8..=28).prop_map(|(y, m, d)| Date::new(y, m, d).unwrap());
        prop_oneof![
            any::<bool>().prop_map(|v| (Value::Bool(v), ColumnType::Boolean)),
            any::<i64>().prop_map(|v| (Value::Int(v), ColumnType::Int64)),
            any::<f32>().prop_map(|v| (Value::Float(v), ColumnType::Float)),
            any::<f64>().prop_map(|v| (Value::Double(v), ColumnType::Double)),
            (any::<i128>(), 0_i32..50).prop_map(|(unscaled, scale)| {
                let ty = ColumnType::Decimal { precision: UNLIMITED, scale: 50 };
                (Value::Decimal(Decimal { unscaled: unscaled.into(), scale }), ty)
            }),
            date.clone().prop_map(|v| (Value::Date(v), ColumnType::Date)),
            time.clone().prop_map(|v| (Value::Time(v), ColumnType::Time { precision: 9 })),
            (date.clone(), time.clone())
                .prop_map(|(d, t)| (Value::Datetime(d, t), ColumnType::Datetime { precision: 9 })),
            (date, time).prop_map(|(d, t)| {
                (Value::Timestamp(Timestamp::from_utc(d, t)), ColumnType::Timestamp { precision: 9 })
            }),
            any::<u128>().prop_map(|v| (Value::Uuid(v), ColumnType::Uuid)),
            ".{0,20}".prop_map(|v| (Value::Str(v.into()), ColumnType::String { length: UNLIMITED })),
            proptest::collection::vec(any::<u8>(), 0..20)
                .prop_map(|v| (Value::Bytes(v.into()), ColumnType::Bytes { length: UNLIMITED })),
        ]
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back((value, ty) in any_value()) {
            let text = text(&value);
            prop_assert_eq!(parse(&text, ty).unwrap(), value);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}", (_, ty) in any_value()) {
            let _ = parse(&text, ty);
        }
    }
}
