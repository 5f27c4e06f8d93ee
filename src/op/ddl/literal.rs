//! Literals of DEFAULT clauses, and the value each gives to a column of a given type.

use crate::value::{ColumnType, Date, Decimal, Time, Timestamp, UNLIMITED, Value};
use std::borrow::Cow;

/// A literal as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// NULL.
    Null,
    /// TRUE or FALSE.
    Bool(bool),
    /// A number, with its sign.
    Number(String),
    /// A text in single quotes, also after DATE, TIME, TIMESTAMP or UUID.
    Text(String),
    /// The digits of `X'...'`.
    Hex(String),
}

impl Literal {
    /// The literal as a value of `ty`, if it is one.
    pub fn value(&self, ty: ColumnType) -> Option<Value<'static>> {
        convert(self, ty)
    }
}

/// The literal as a value of `kind`, if it is one.
pub(super) fn convert(literal: &Literal, kind: ColumnType) -> Option<Value<'static>> {
    match (literal, kind) {
        (Literal::Null, _) => Some(Value::Null),
        (Literal::Bool(v), ColumnType::Boolean) => Some(Value::Bool(*v)),
        (Literal::Number(text), ColumnType::String { .. }) => from_text(text, kind),
        (Literal::Number(text), _) => number(text, kind),
        (Literal::Text(text), _) => from_text(text, kind),
        (Literal::Hex(digits), ColumnType::Bytes { length }) => {
            let bytes = hex(digits)?;
            (bytes.len() as u64 <= u64::from(length)).then_some(Value::Bytes(Cow::Owned(bytes)))
        }
        _ => None,
    }
}

fn number(text: &str, kind: ColumnType) -> Option<Value<'static>> {
    let integer = |min: i64, max: i64| {
        let value: i64 = text.parse().ok()?;
        (min..=max).contains(&value).then_some(Value::Int(value))
    };
    match kind {
        ColumnType::Int8 => integer(i8::MIN.into(), i8::MAX.into()),
        ColumnType::Int16 => integer(i16::MIN.into(), i16::MAX.into()),
        ColumnType::Int32 => integer(i32::MIN.into(), i32::MAX.into()),
        ColumnType::Int64 => integer(i64::MIN, i64::MAX),
        ColumnType::Float => text.parse().ok().filter(|v: &f32| v.is_finite()).map(Value::Float),
        ColumnType::Double => text.parse().ok().filter(|v: &f64| v.is_finite()).map(Value::Double),
        ColumnType::Decimal { precision, scale } => {
            let value = Decimal::parse(text)?;
            // A literal such as 1e999999 must not be written out in digits.
            if value.scale.unsigned_abs() > precision.saturating_add(scale) {
                return None;
            }
            let value = value.rescaled(i32::try_from(scale).ok()?);
            (value.digits() <= u64::from(precision)).then_some(Value::Decimal(value))
        }
        _ => None,
    }
}

fn from_text(text: &str, kind: ColumnType) -> Option<Value<'static>> {
    match kind {
        ColumnType::String { length } => {
            let fits = length == UNLIMITED || text.encode_utf16().count() as u64 <= u64::from(length);
            fits.then(|| Value::Str(Cow::Owned(text.to_owned())))
        }
        ColumnType::Date => Date::parse(text).map(Value::Date),
        ColumnType::Time { precision } => Time::parse(text).map(|t| Value::Time(t.truncated(precision))),
        ColumnType::Datetime { precision } => {
            let (date, time) = date_time(text)?;
            Some(Value::Datetime(date, time.truncated(precision)))
        }
        ColumnType::Timestamp { precision } => {
            let (date, time) = date_time(text.strip_suffix('Z').unwrap_or(text))?;
            Some(Value::Timestamp(Timestamp::from_utc(date, time).truncated(precision)))
        }
        ColumnType::Uuid => uuid(text).map(Value::Uuid),
        _ => None,
    }
}

/// `2024-02-29 10:20:30.5`, also with a `T` between; the time may be missing.
fn date_time(text: &str) -> Option<(Date, Time)> {
    match text.split_once([' ', 'T']) {
        Some((date, time)) => Some((Date::parse(date)?, Time::parse(time)?)),
        None => Some((Date::parse(text)?, Time::new(0, 0, 0, 0)?)),
    }
}

fn uuid(text: &str) -> Option<u128> {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths = [8, 4, 4, 4, 12];
    if groups.len() != lengths.len() || groups.iter().zip(lengths).any(|(group, length)| group.len() != length) {
        return None;
    }
    let digits = groups.concat();
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u128::from_str_radix(&digits, 16).ok()).flatten()
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| {
            let text = std::str::from_utf8(pair).ok().filter(|t| t.bytes().all(|b| b.is_ascii_hexdigit()))?;
            u8::from_str_radix(text, 16).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str, kind: ColumnType) -> Option<String> {
        convert(&Literal::Text(value.into()), kind).map(|v| v.to_string())
    }

    fn num(value: &str, kind: ColumnType) -> Option<String> {
        convert(&Literal::Number(value.into()), kind).map(|v| v.to_string())
    }

    #[test]
    fn numbers_fit_their_columns() {
        assert_eq!(num("-128", ColumnType::Int8).unwrap(), "-128");
        assert!(num("128", ColumnType::Int8).is_none());
        assert_eq!(num("1.005", ColumnType::Decimal { precision: 5, scale: 2 }).unwrap(), "1.01");
        assert!(num("1000", ColumnType::Decimal { precision: 5, scale: 2 }).is_none());
        assert!(num("1e999999999", ColumnType::Decimal { precision: 5, scale: 2 }).is_none());
        assert!(num("1e400", ColumnType::Double).is_none());
        assert_eq!(num("5", ColumnType::String { length: 5 }).unwrap(), "\"5\"");
    }

    #[test]
    fn texts_become_what_the_column_holds() {
        assert_eq!(text("2024-02-29", ColumnType::Date).unwrap(), "2024-02-29");
        assert_eq!(text("10:20:30.129", ColumnType::Time { precision: 2 }).unwrap(), "10:20:30.120000000");
        let datetime = ColumnType::Datetime { precision: 6 };
        assert_eq!(text("2024-02-29 01:02:03", datetime).unwrap(), "2024-02-29T01:02:03");
        assert_eq!(text("1970-01-02T00:00:01Z", ColumnType::Timestamp { precision: 0 }).unwrap(), "86401s");
        let uuid = "00112233-4455-6677-8899-aabbccddeeff";
        assert_eq!(text(uuid, ColumnType::Uuid).unwrap(), uuid);
        for bad in ["0011223344556677-8899-aabb-ccdd-eeff", "00112233-4455-6677-8899-aabbccddeefg", ""] {
            assert!(text(bad, ColumnType::Uuid).is_none(), "{bad}");
        }
        assert!(text("abcd", ColumnType::String { length: 3 }).is_none());
        assert!(text("2023-02-29", ColumnType::Date).is_none());
    }

    #[test]
    fn hex_becomes_bytes() {
        let bytes = ColumnType::Bytes { length: 2 };
        assert_eq!(convert(&Literal::Hex("80Ff".into()), bytes).unwrap(), Value::Bytes([0x80, 0xff][..].into()));
        for bad in ["8", "+1", "808080"] {
            assert!(convert(&Literal::Hex(bad.into()), bytes).is_none(), "{bad}");
        }
    }
}
