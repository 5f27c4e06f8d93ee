//! Values of the draft dialect: msgpack on the wire, [`Value`] inside, both ways by the column's type.
//!
//! | type | code | msgpack | payload (big-endian) |
//! | --- | --- | --- | --- |
//! | INT8, INT16, INT32, INT64 | 1..4 | int | |
//! | FLOAT, DOUBLE | 5, 6 | float | |
//! | DECIMAL | 7 | ext 2 | int32 scale, two's complement digits |
//! | UUID | 8 | ext 3 | 16 bytes |
//! | STRING, BYTES | 9, 10 | str, bin | |
//! | BITMASK | 11 | ext 8 | bit 0 is the lowest bit of byte 0; no zero bytes at the end |
//! | DATE | 12 | ext 4 | int32 year, month, day |
//! | TIME | 13 | ext 5 | hour, minute, second, int32 nanoseconds |
//! | DATETIME | 14 | ext 6 | a date, then a time |
//! | TIMESTAMP | 15 | ext 7 | int64 seconds since 1970, int32 nanoseconds |
//! | NUMBER | 16 | ext 1 | two's complement digits |
//! | BOOLEAN | 17 | bool | |

use super::types::{DECIMAL_DEFAULT, TIME_PRECISION_DEFAULT};
use crate::config::{DECIMAL_BYTES_MAX, DECIMAL_SCALE_MAX};
use crate::error::{Error, Kind, Result};
use crate::value::{ColumnType, Date, Decimal, Time, Timestamp, UNLIMITED, Value};
use crate::wire::msgpack::{Family, Reader, Write};
use num_bigint::BigInt;
use std::borrow::Cow;

/// The types of extensions.
pub mod ext {
    /// An integer of any size.
    pub const NUMBER: i8 = 1;
    /// A decimal number.
    pub const DECIMAL: i8 = 2;
    /// 128 bits.
    pub const UUID: i8 = 3;
    /// A date.
    pub const DATE: i8 = 4;
    /// A time of day.
    pub const TIME: i8 = 5;
    /// A date and a time of day.
    pub const DATETIME: i8 = 6;
    /// A point in time.
    pub const TIMESTAMP: i8 = 7;
    /// A bit set.
    pub const BITMASK: i8 = 8;
    /// A table's id: a UUID and an int64.
    pub const TABLE_ID: i8 = 9;
}

/// Reads a value of a column of type `ty`; nil is null. Whether it fits the column (range, length, precision) is not
/// judged here.
///
/// # Errors
/// [`Kind::TypeMismatch`] for a value of another type, [`Kind::OutOfRange`] for a date or number that cannot be held,
/// [`Kind::Protocol`] for bytes that are no value.
pub fn read<'a>(reader: &mut Reader<'a>, ty: ColumnType) -> Result<Value<'a>> {
    if reader.nil_if_next()? {
        return Ok(Value::Null);
    }
    match ty {
        ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 => {
            typed(reader, Family::Integer, |r| r.i64().map(Value::Int))
        }
        ColumnType::Float => float(reader),
        ColumnType::Double => typed(reader, Family::Float64, |r| r.f64().map(Value::Double)),
        ColumnType::Boolean => typed(reader, Family::Boolean, |r| r.bool().map(Value::Bool)),
        ColumnType::String { .. } => typed(reader, Family::String, |r| r.str().map(|s| Value::Str(Cow::Borrowed(s)))),
        ColumnType::Bytes { .. } => typed(reader, Family::Binary, |r| r.bin().map(|b| Value::Bytes(Cow::Borrowed(b)))),
        ColumnType::Number { .. } => extension(reader, ext::NUMBER),
        ColumnType::Decimal { .. } => extension(reader, ext::DECIMAL),
        ColumnType::Uuid => extension(reader, ext::UUID),
        ColumnType::Date => extension(reader, ext::DATE),
        ColumnType::Time { .. } => extension(reader, ext::TIME),
        ColumnType::Datetime { .. } => extension(reader, ext::DATETIME),
        ColumnType::Timestamp { .. } => extension(reader, ext::TIMESTAMP),
        ColumnType::Bitmask { .. } => extension(reader, ext::BITMASK),
        ColumnType::Period | ColumnType::Duration => {
            Err(Error::new(Kind::TypeMismatch, format!("{} has no form in this protocol", ty.name())))
        }
    }
}

/// Reads a value and the type that a column made for it gets: the widest of its kind.
///
/// # Errors
/// [`Kind::LiveSchemaRefused`] for nil and for what no column can hold; else as [`read`].
pub fn read_inferred<'a>(reader: &mut Reader<'a>) -> Result<(ColumnType, Value<'a>)> {
    let refused = |what: String| Err(Error::new(Kind::LiveSchemaRefused, what));
    let ty = match reader.family()? {
        Family::Nil => return refused("Live schema upgrade for 'null' value is not supported yet.".to_owned()),
        Family::Boolean => ColumnType::Boolean,
        Family::Integer => ColumnType::Int64,
        Family::Float32 | Family::Float64 => ColumnType::Double,
        Family::String => ColumnType::String { length: UNLIMITED },
        Family::Binary => ColumnType::Bytes { length: UNLIMITED },
        Family::Extension => match reader.clone().ext()?.0 {
            ext::NUMBER => ColumnType::Number { precision: UNLIMITED },
            ext::DECIMAL => ColumnType::Decimal { precision: DECIMAL_DEFAULT.0, scale: DECIMAL_DEFAULT.1 },
            ext::UUID => ColumnType::Uuid,
            ext::DATE => ColumnType::Date,
            ext::TIME => ColumnType::Time { precision: TIME_PRECISION_DEFAULT },
            ext::DATETIME => ColumnType::Datetime { precision: TIME_PRECISION_DEFAULT },
            ext::TIMESTAMP => ColumnType::Timestamp { precision: TIME_PRECISION_DEFAULT },
            ext::BITMASK => ColumnType::Bitmask { bits: UNLIMITED },
            other => return refused(format!("Live schema upgrade for type [extension {other}] is not supported.")),
        },
        family => return refused(format!("Live schema upgrade for type [{}] is not supported.", family.name())),
    };
    Ok((ty, read(reader, ty)?))
}

/// Appends a value.
pub fn write(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => out.put_nil(),
        Value::Bool(v) => out.put_bool(*v),
        Value::Int(v) => out.put_int(*v),
        Value::Float(v) => out.put_f32(*v),
        Value::Double(v) => out.put_f64(*v),
        Value::Str(v) => out.put_str(v),
        Value::Bytes(v) => out.put_bin(v),
        Value::Uuid(v) => out.put_ext(ext::UUID, &v.to_be_bytes()),
        Value::Decimal(v) => {
            let mut payload = v.scale.to_be_bytes().to_vec();
            payload.extend(v.unscaled.to_signed_bytes_be());
            out.put_ext(ext::DECIMAL, &payload);
        }
        Value::Date(v) => out.put_ext(ext::DATE, &date_bytes(*v)),
        Value::Time(v) => out.put_ext(ext::TIME, &time_bytes(*v)),
        Value::Datetime(date, time) => {
            let mut payload = [0; 13];
            payload[..6].copy_from_slice(&date_bytes(*date));
            payload[6..].copy_from_slice(&time_bytes(*time));
            out.put_ext(ext::DATETIME, &payload);
        }
        Value::Timestamp(v) => {
            let mut payload = [0; 12];
            payload[..8].copy_from_slice(&v.seconds.to_be_bytes());
            payload[8..].copy_from_slice(&v.nanos.to_be_bytes());
            out.put_ext(ext::TIMESTAMP, &payload);
        }
        // No column has these; a client that meets one sees the text.
        Value::Period(..) | Value::Duration(..) => out.put_str(&value.to_string()),
    }
}

/// Appends a value of a column of type `ty`: decimals and bytes have two forms on the wire.
pub fn write_typed(out: &mut Vec<u8>, value: &Value<'_>, ty: ColumnType) {
    match (value, ty) {
        (Value::Decimal(v), ColumnType::Number { .. }) => {
            out.put_ext(ext::NUMBER, &v.rescaled(0).unscaled.to_signed_bytes_be());
        }
        // The store keeps decimals without trailing zeros; clients get the column's scale, as from a real server.
        (Value::Decimal(v), ColumnType::Decimal { scale, .. }) => match i32::try_from(scale) {
            Ok(scale) => write(out, &Value::Decimal(v.rescaled(scale))),
            Err(_) => write(out, value),
        },
        (Value::Bytes(v), ColumnType::Bitmask { .. }) => out.put_ext(ext::BITMASK, trimmed(v)),
        _ => write(out, value),
    }
}

/// Reads a value if `expected` is next; what is there instead is the type mismatch that the reader's error describes.
fn typed<'a>(
    reader: &mut Reader<'a>,
    expected: Family,
    read: impl FnOnce(&mut Reader<'a>) -> Result<Value<'a>>,
) -> Result<Value<'a>> {
    let found = reader.family()?;
    let same = found == expected || (expected == Family::Float64 && found == Family::Float32);
    read(reader).map_err(|error| match (same, found) {
        (true, Family::Integer) => Error { kind: Kind::OutOfRange, ..error },
        (true, _) | (_, Family::NeverUsed) => error,
        (false, _) => Error { kind: Kind::TypeMismatch, ..error },
    })
}

/// A float column takes both widths; a double must not overflow it.
#[allow(clippy::cast_possible_truncation)]
fn float<'a>(reader: &mut Reader<'a>) -> Result<Value<'a>> {
    typed(reader, Family::Float64, |reader| {
        let wide = reader.clone().f64()?;
        if (wide as f32).is_infinite() && wide.is_finite() {
            return Err(Error::new(Kind::OutOfRange, format!("{wide} does not fit a FLOAT")));
        }
        reader.f32().map(Value::Float)
    })
}

fn extension<'a>(reader: &mut Reader<'a>, expected: i8) -> Result<Value<'a>> {
    typed(reader, Family::Extension, |reader| {
        let (kind, payload) = reader.clone().ext()?;
        if kind != expected {
            let text = format!("Expected {} extension ({expected}), but got {kind}", ext_name(expected));
            return Err(Error::new(Kind::TypeMismatch, text));
        }
        let value = read_extension(expected, payload)?;
        reader.ext()?;
        Ok(value)
    })
}

/// Reads the payload of an extension.
///
/// # Errors
/// The payload is no value of the type, or no value has the type.
pub fn read_extension(kind: i8, payload: &[u8]) -> Result<Value<'_>> {
    let len = payload.len();
    let wrong_len = |expected: &str| {
        Error::new(
            Kind::TypeMismatch,
            format!("{} extension ({kind}) has {len} bytes, expected {expected}", ext_name(kind)),
        )
    };
    let no_such = |what: String| Error::new(Kind::OutOfRange, what);
    match kind {
        ext::NUMBER => {
            let unscaled = big_int(payload).ok_or_else(|| wrong_len("1 to 16384"))?;
            Ok(Value::Decimal(Decimal { unscaled, scale: 0 }))
        }
        ext::DECIMAL => {
            let wrong = || wrong_len("5 to 16388");
            let (scale, digits) = payload.split_first_chunk::<4>().ok_or_else(wrong)?;
            let scale = i32::from_be_bytes(*scale);
            let unscaled = big_int(digits).ok_or_else(wrong)?;
            if scale.unsigned_abs() > DECIMAL_SCALE_MAX {
                return Err(no_such(format!("Decimal of scale {scale}, the limit is {DECIMAL_SCALE_MAX} either way")));
            }
            Ok(Value::Decimal(Decimal { unscaled, scale }))
        }
        ext::UUID => {
            let bytes = payload.try_into().map_err(|_| wrong_len("16"))?;
            Ok(Value::Uuid(u128::from_be_bytes(bytes)))
        }
        ext::DATE => Ok(Value::Date(date(payload.try_into().map_err(|_| wrong_len("6"))?)?)),
        ext::TIME => Ok(Value::Time(time(payload.try_into().map_err(|_| wrong_len("7"))?)?)),
        ext::DATETIME => match payload.split_first_chunk::<6>() {
            Some((day, clock)) => {
                Ok(Value::Datetime(date(*day)?, time(clock.try_into().map_err(|_| wrong_len("13"))?)?))
            }
            None => Err(wrong_len("13")),
        },
        ext::TIMESTAMP => {
            let (seconds, nanos) = payload.split_first_chunk::<8>().ok_or_else(|| wrong_len("12"))?;
            let nanos = u32::from_be_bytes(nanos.try_into().map_err(|_| wrong_len("12"))?);
            let point = Timestamp::new(i64::from_be_bytes(*seconds), nanos);
            Ok(Value::Timestamp(point.ok_or_else(|| no_such(format!("Timestamp with {nanos} nanoseconds")))?))
        }
        ext::BITMASK => Ok(Value::Bytes(Cow::Borrowed(trimmed(payload)))),
        _ => Err(Error::new(Kind::TypeMismatch, format!("extension {kind} is no value"))),
    }
}

fn big_int(bytes: &[u8]) -> Option<BigInt> {
    (1..=DECIMAL_BYTES_MAX).contains(&bytes.len()).then(|| BigInt::from_signed_bytes_be(bytes))
}

fn date([a, b, c, d, month, day]: [u8; 6]) -> Result<Date> {
    let year = i32::from_be_bytes([a, b, c, d]);
    Date::new(year, month, day)
        .ok_or_else(|| Error::new(Kind::OutOfRange, format!("No such date: year {year}, month {month}, day {day}")))
}

fn time([hour, minute, second, a, b, c, d]: [u8; 7]) -> Result<Time> {
    let nanos = u32::from_be_bytes([a, b, c, d]);
    Time::new(hour, minute, second, nanos).ok_or_else(|| {
        Error::new(Kind::OutOfRange, format!("No such time: {hour}:{minute}:{second} and {nanos} nanoseconds"))
    })
}

fn date_bytes(v: Date) -> [u8; 6] {
    let [a, b, c, d] = v.year.to_be_bytes();
    [a, b, c, d, v.month, v.day]
}

fn time_bytes(v: Time) -> [u8; 7] {
    let [a, b, c, d] = v.nanos.to_be_bytes();
    [v.hour, v.minute, v.second, a, b, c, d]
}

/// The bytes of a bit set without zero bytes at the end.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

/// Passes over one value, or over a container's header, and describes it in a few words.
///
/// # Errors
/// The value is cut short.
pub fn describe(reader: &mut Reader<'_>) -> Result<String> {
    Ok(match reader.family()? {
        Family::Nil => reader.nil().map(|()| "nil".to_owned())?,
        Family::Boolean => reader.bool()?.to_string(),
        Family::Integer => match reader.i64() {
            Ok(value) => value.to_string(),
            Err(_) => reader.u64()?.to_string(),
        },
        Family::Float32 => format!("{:?}", reader.f32()?),
        Family::Float64 => format!("{:?}", reader.f64()?),
        Family::String => Value::Str(reader.str()?.into()).to_string(),
        Family::Binary => Value::Bytes(reader.bin()?.into()).to_string(),
        Family::Array => format!("array of {}", reader.array()?),
        Family::Map => format!("map of {}", reader.map()?),
        Family::Extension => {
            let (kind, payload) = reader.ext()?;
            match (kind, read_extension(kind, payload)) {
                (ext::TABLE_ID, _) => describe_table_id(payload),
                (_, Ok(value)) => format!("{} {value}", ext_name(kind)),
                (_, Err(_)) => format!("extension {kind} {}", Value::Bytes(payload.into())),
            }
        }
        Family::NeverUsed => return Err(Error::protocol("0xC1 is no value")),
    })
}

/// Describes a table's id: the UUID, and the number behind it if there is one.
pub fn describe_table_id(payload: &[u8]) -> String {
    match payload.split_first_chunk::<16>() {
        Some((uuid, local)) => {
            let uuid = Value::Uuid(u128::from_be_bytes(*uuid));
            match <[u8; 8]>::try_from(local) {
                Ok(local) => format!("{uuid}/{}", i64::from_be_bytes(local)),
                Err(_) => uuid.to_string(),
            }
        }
        None => Value::Bytes(payload.into()).to_string(),
    }
}

/// The name of an extension, for messages and traces.
pub fn ext_name(kind: i8) -> &'static str {
    match kind {
        ext::NUMBER => "NUMBER",
        ext::DECIMAL => "DECIMAL",
        ext::UUID => "UUID",
        ext::DATE => "DATE",
        ext::TIME => "TIME",
        ext::DATETIME => "DATETIME",
        ext::TIMESTAMP => "TIMESTAMP",
        ext::BITMASK => "BITMASK",
        ext::TABLE_ID => "Ignite UUID",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::{Parameters, column_type, type_code};
    use super::*;
    use proptest::prelude::*;

    const DECIMAL: ColumnType = ColumnType::Decimal { precision: 38, scale: 3 };
    const TIME: ColumnType = ColumnType::Time { precision: 9 };
    const DATETIME: ColumnType = ColumnType::Datetime { precision: 9 };
    const TIMESTAMP: ColumnType = ColumnType::Timestamp { precision: 9 };
    const BITMASK: ColumnType = ColumnType::Bitmask { bits: UNLIMITED };
    const NUMBER: ColumnType = ColumnType::Number { precision: UNLIMITED };
    const STRING: ColumnType = ColumnType::String { length: UNLIMITED };
    const BYTES: ColumnType = ColumnType::Bytes { length: UNLIMITED };

    fn written(value: &Value<'_>, ty: ColumnType) -> Vec<u8> {
        let mut out = Vec::new();
        write_typed(&mut out, value, ty);
        out
    }

    fn refused(bytes: &[u8], ty: ColumnType) -> (Kind, String) {
        let mut reader = Reader::new(bytes);
        let error = read(&mut reader, ty).unwrap_err();
        assert_eq!(reader.position(), 0, "a refused value is not passed");
        (error.kind, error.message.into_owned())
    }

    /// The values of a real client's row of all types, and the bytes it sent.
    #[test]
    fn every_type_has_the_bytes_of_a_real_client() {
        let date = Date::new(2021, 12, 2).unwrap();
        let clock = Time::new(1, 2, 3, 0).unwrap();
        let vectors: [(&[u8], ColumnType, Value<'_>); 16] = [
            (b"\xf8", ColumnType::Int8, Value::Int(-8)),
            (b"\xd4\x08\x14", BITMASK, Value::Bytes(vec![0x14].into())),
            (b"\xf0", ColumnType::Int16, Value::Int(-16)),
            (b"\xc7\x06\x04\0\0\x07\xe5\x0c\x02", ColumnType::Date, Value::Date(date)),
            (b"\xca\x40\x50\0\0", ColumnType::Float, Value::Float(3.25)),
            (b"\xe0", ColumnType::Int32, Value::Int(-32)),
            (b"\xc7\x07\x05\x01\x02\x03\0\0\0\0", TIME, Value::Time(clock)),
            (b"\xcb\xc0\x1a\0\0\0\0\0\0", ColumnType::Double, Value::Double(-6.5)),
            (b"\xd0\xc0", ColumnType::Int64, Value::Int(-64)),
            (b"\xc7\x0d\x06\0\0\x07\xe5\x0c\x02\x01\x02\x03\0\0\0\0", DATETIME, Value::Datetime(date, clock)),
            (
                b"\xc7\x0c\x07\0\0\0\0\0\0\0\x05\0\0\0\0",
                TIMESTAMP,
                Value::Timestamp(Timestamp { seconds: 5, nanos: 0 }),
            ),
            (b"\xd8\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02", ColumnType::Uuid, Value::Uuid((1 << 64) + 2)),
            (b"\xc4\x03\x01\x02\x03", BYTES, Value::Bytes(vec![1, 2, 3].into())),
            (b"\xc7\x06\x02\0\0\0\x03\x30\x39", DECIMAL, Value::Decimal(Decimal::parse("12.345").unwrap())),
            (b"\xd4\x01\x63", NUMBER, Value::Decimal(Decimal::from_i64(99))),
            (b"\xa1s", STRING, Value::Str("s".into())),
        ];
        for (bytes, ty, value) in vectors {
            let mut reader = Reader::new(bytes);
            assert_eq!(read(&mut reader, ty).as_ref(), Ok(&value), "{ty}");
            assert!(reader.is_empty());
            assert_eq!(written(&value, ty), bytes, "{ty}");
            assert_eq!(column_type(type_code(ty), Parameters::default()).unwrap().name(), ty.name());
            for cut in 0..bytes.len() {
                assert!(read(&mut Reader::new(&bytes[..cut]), ty).is_err(), "{ty} cut at {cut}");
            }
        }
    }

    #[test]
    fn another_type_is_a_mismatch() {
        let text = "Expected Integer, but got String (a1)".to_owned();
        assert_eq!(refused(b"\xa1x", ColumnType::Int64), (Kind::TypeMismatch, text));
        let text = "Expected DATE extension (4), but got 3".to_owned();
        assert_eq!(refused(&[&[0xd8, 3][..], &[0; 16]].concat(), ColumnType::Date), (Kind::TypeMismatch, text));
        let text = "DATE extension (4) has 4 bytes, expected 6".to_owned();
        assert_eq!(refused(b"\xd6\x04\0\0\0\0", ColumnType::Date), (Kind::TypeMismatch, text));
        assert_eq!(refused(b"\x05", STRING).0, Kind::TypeMismatch);
        assert_eq!(refused(b"\x05", ColumnType::Double).0, Kind::TypeMismatch);
        assert_eq!(refused(b"\x91\x05", ColumnType::Boolean).0, Kind::TypeMismatch);
        assert_eq!(refused(b"\xa2\xff\xff", STRING).0, Kind::Protocol);
        assert_eq!(refused(b"\xc1", ColumnType::Int8).0, Kind::Protocol);
    }

    #[test]
    fn impossible_values_are_out_of_range() {
        assert_eq!(refused(b"\xc7\x06\x04\0\0\x07\xe5\x02\x1e", ColumnType::Date).0, Kind::OutOfRange);
        assert_eq!(refused(b"\xc7\x07\x05\x18\x02\x03\0\0\0\0", TIME).0, Kind::OutOfRange);
        assert_eq!(refused(b"\xc7\x0c\x07\0\0\0\0\0\0\0\x05\x7f\0\0\0", TIMESTAMP).0, Kind::OutOfRange);
        assert_eq!(refused(b"\xc7\x05\x02\x7f\xff\xff\xff\x01", DECIMAL).0, Kind::OutOfRange);
        assert_eq!(refused(b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", ColumnType::Int64).0, Kind::OutOfRange);
        assert_eq!(refused(b"\xcb\x7f\xe0\0\0\0\0\0\0", ColumnType::Float).0, Kind::OutOfRange);
        assert_eq!(refused(b"\xd6\x02\0\0\0\0", DECIMAL).0, Kind::TypeMismatch);
        assert_eq!(refused(b"\xc7\0\x01", NUMBER).0, Kind::TypeMismatch);
    }

    #[test]
    fn new_columns_get_the_widest_type() {
        let inferred = |bytes: &[u8]| read_inferred(&mut Reader::new(bytes)).map(|(ty, _)| ty);
        assert_eq!(inferred(b"\x07"), Ok(ColumnType::Int64));
        assert_eq!(inferred(b"\xca\x40\x50\0\0"), Ok(ColumnType::Double));
        assert_eq!(inferred(b"\xa1x"), Ok(STRING));
        assert_eq!(inferred(b"\xc4\0"), Ok(BYTES));
        assert_eq!(inferred(b"\xc3"), Ok(ColumnType::Boolean));
        assert_eq!(inferred(b"\xd4\x01\x63"), Ok(NUMBER));
        assert_eq!(inferred(b"\xc7\x06\x02\0\0\0\x03\x30\x39"), Ok(ColumnType::Decimal { precision: 19, scale: 3 }));
        assert_eq!(inferred(b"\xd4\x08\x14"), Ok(BITMASK));
        for (bytes, text) in [
            (&b"\xc0"[..], "Live schema upgrade for 'null' value is not supported yet."),
            (b"\x90", "Live schema upgrade for type [Array] is not supported."),
            (b"\x80", "Live schema upgrade for type [Map] is not supported."),
            (b"\xd4\x2a\0", "Live schema upgrade for type [extension 42] is not supported."),
        ] {
            let error = inferred(bytes).unwrap_err();
            assert_eq!((error.kind, &*error.message), (Kind::LiveSchemaRefused, text));
        }
    }

    proptest! {
        #[test]
        fn values_come_back(int: i64, float: f32, double: f64, uuid: u128, text in ".{0,40}", bytes: Vec<u8>,
                            seconds: i64, nanos in 0_u32..1_000_000_000, year in -16384_i32..16384, day in 1_u8..=28) {
            let date = Date::new(year, 2, day).unwrap();
            let clock = Time::new(day % 24, day, day, nanos).unwrap();
            for (ty, value) in [
                (ColumnType::Int64, Value::Int(int)),
                (ColumnType::Float, Value::Float(float)),
                (ColumnType::Double, Value::Double(double)),
                (ColumnType::Uuid, Value::Uuid(uuid)),
                (STRING, Value::Str(text.into())),
                (BYTES, Value::Bytes(bytes.clone().into())),
                (BITMASK, Value::Bytes(trimmed(&bytes).to_vec().into())),
                (TIMESTAMP, Value::Timestamp(Timestamp { seconds, nanos })),
                (ColumnType::Date, Value::Date(date)),
                (DATETIME, Value::Datetime(date, clock)),
                (NUMBER, Value::Decimal(Decimal::from_i64(int))),
                (DECIMAL, Value::Decimal(Decimal { unscaled: int.into(), scale: 3 })),
            ] {
                let bytes = written(&value, ty);
                prop_assert_eq!(format!("{:?}", read(&mut Reader::new(&bytes), ty).unwrap()), format!("{value:?}"));
                prop_assert_eq!(Reader::new(&bytes).skip().unwrap(), 1);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            for code in 1..=17 {
                let ty = column_type(code, Parameters::default()).unwrap();
                if let Ok(value) = read(&mut Reader::new(&bytes), ty) {
                    written(&value, ty);
                }
            }
            let _ = read_inferred(&mut Reader::new(&bytes));
        }
    }
}
