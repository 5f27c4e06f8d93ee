//! Typed values of the draft dialect.

use super::error::{Error, Result};
use crate::value::{ColumnType, Date, Decimal, Time, Timestamp, UNLIMITED, Value};
use crate::wire::msgpack::{Reader, Write as _};
use num_bigint::BigInt;

const EXT_NUMBER: i8 = 1;
const EXT_DECIMAL: i8 = 2;
const EXT_UUID: i8 = 3;
const EXT_DATE: i8 = 4;
const EXT_TIME: i8 = 5;
const EXT_DATETIME: i8 = 6;
const EXT_TIMESTAMP: i8 = 7;
const EXT_BITMASK: i8 = 8;

/// Fractional digits of temporal columns, which the protocol does not send.
const PRECISION: u8 = 9;

/// The code of a column type; 0 for the types the draft has no code for.
pub fn type_code(ty: ColumnType) -> i64 {
    match ty {
        ColumnType::Int8 => 1,
        ColumnType::Int16 => 2,
        ColumnType::Int32 => 3,
        ColumnType::Int64 => 4,
        ColumnType::Float => 5,
        ColumnType::Double => 6,
        ColumnType::Decimal { .. } => 7,
        ColumnType::Uuid => 8,
        ColumnType::String { .. } => 9,
        ColumnType::Bytes { .. } => 10,
        ColumnType::Bitmask { .. } => 11,
        ColumnType::Date => 12,
        ColumnType::Time { .. } => 13,
        ColumnType::Datetime { .. } => 14,
        ColumnType::Timestamp { .. } => 15,
        ColumnType::Number { .. } => 16,
        ColumnType::Boolean => 17,
        ColumnType::Period | ColumnType::Duration => 0,
    }
}

/// The column type of a code. Lengths, precision and scale are not sent and stay unlimited.
pub fn type_of(code: i64) -> Option<ColumnType> {
    Some(match code {
        1 => ColumnType::Int8,
        2 => ColumnType::Int16,
        3 => ColumnType::Int32,
        4 => ColumnType::Int64,
        5 => ColumnType::Float,
        6 => ColumnType::Double,
        7 => ColumnType::Decimal { precision: UNLIMITED, scale: 0 },
        8 => ColumnType::Uuid,
        9 => ColumnType::String { length: UNLIMITED },
        10 => ColumnType::Bytes { length: UNLIMITED },
        11 => ColumnType::Bitmask { bits: UNLIMITED },
        12 => ColumnType::Date,
        13 => ColumnType::Time { precision: PRECISION },
        14 => ColumnType::Datetime { precision: PRECISION },
        15 => ColumnType::Timestamp { precision: PRECISION },
        16 => ColumnType::Number { precision: UNLIMITED },
        17 => ColumnType::Boolean,
        _ => return None,
    })
}

/// Appends `value` as a column of type `ty`; the type tells a bitmask from bytes and a NUMBER from a DECIMAL.
///
/// # Errors
/// The draft has no form for the value.
pub fn write_value(out: &mut Vec<u8>, value: &Value<'_>, ty: ColumnType) -> Result<()> {
    match value {
        Value::Null => out.put_nil(),
        Value::Bool(v) => out.put_bool(*v),
        Value::Int(v) => out.put_int(*v),
        Value::Float(v) => out.put_f32(*v),
        Value::Double(v) => out.put_f64(*v),
        Value::Decimal(v) if matches!(ty, ColumnType::Number { .. }) => {
            out.put_ext(EXT_NUMBER, &v.unscaled.to_signed_bytes_be());
        }
        Value::Decimal(v) => {
            let mut payload = v.scale.to_be_bytes().to_vec();
            payload.extend(v.unscaled.to_signed_bytes_be());
            out.put_ext(EXT_DECIMAL, &payload);
        }
        Value::Date(v) => out.put_ext(EXT_DATE, &date_bytes(*v)),
        Value::Time(v) => out.put_ext(EXT_TIME, &time_bytes(*v)),
        Value::Datetime(date, time) => {
            out.put_ext(EXT_DATETIME, &[date_bytes(*date).as_slice(), &time_bytes(*time)].concat());
        }
        Value::Timestamp(v) => {
            let nanos = v.nanos.to_be_bytes();
            out.put_ext(EXT_TIMESTAMP, &[v.seconds.to_be_bytes().as_slice(), &nanos].concat());
        }
        Value::Uuid(v) => out.put_ext(EXT_UUID, &v.to_be_bytes()),
        Value::Str(v) => out.put_str(v),
        Value::Bytes(v) if matches!(ty, ColumnType::Bitmask { .. }) => out.put_ext(EXT_BITMASK, v),
        Value::Bytes(v) => out.put_bin(v),
        Value::Period(..) | Value::Duration(..) => {
            return Err(Error::Usage(format!("the draft dialect has no {}", value.type_name())));
        }
    }
    Ok(())
}

fn date_bytes(date: Date) -> [u8; 6] {
    let [a, b, c, d] = date.year.to_be_bytes();
    [a, b, c, d, date.month, date.day]
}

fn time_bytes(time: Time) -> [u8; 7] {
    let [a, b, c, d] = time.nanos.to_be_bytes();
    [time.hour, time.minute, time.second, a, b, c, d]
}

/// Reads the value of a column of type `ty`.
///
/// # Errors
/// The bytes are no such value.
pub fn read_value(reader: &mut Reader<'_>, ty: ColumnType) -> Result<Value<'static>> {
    if reader.nil_if_next()? {
        return Ok(Value::Null);
    }
    Ok(match ty {
        ColumnType::Boolean => Value::Bool(reader.bool()?),
        ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 => Value::Int(reader.i64()?),
        ColumnType::Float => Value::Float(reader.f32()?),
        ColumnType::Double => Value::Double(reader.f64()?),
        ColumnType::String { .. } => Value::Str(reader.str()?.to_owned().into()),
        ColumnType::Bytes { .. } => Value::Bytes(reader.bin()?.to_vec().into()),
        ColumnType::Number { .. } => {
            let payload = extension(reader, EXT_NUMBER)?;
            Value::Decimal(Decimal { unscaled: BigInt::from_signed_bytes_be(payload), scale: 0 })
        }
        ColumnType::Decimal { .. } => {
            let payload = extension(reader, EXT_DECIMAL)?;
            let (scale, unscaled) = payload.split_first_chunk().ok_or_else(|| malformed("DECIMAL"))?;
            let unscaled = BigInt::from_signed_bytes_be(unscaled);
            Value::Decimal(Decimal { unscaled, scale: i32::from_be_bytes(*scale) })
        }
        ColumnType::Date => Value::Date(date(extension(reader, EXT_DATE)?).ok_or_else(|| malformed("DATE"))?),
        ColumnType::Time { .. } => Value::Time(time(extension(reader, EXT_TIME)?).ok_or_else(|| malformed("TIME"))?),
        ColumnType::Datetime { .. } => extension(reader, EXT_DATETIME)?
            .split_at_checked(6)
            .and_then(|(d, t)| Some(Value::Datetime(date(d)?, time(t)?)))
            .ok_or_else(|| malformed("DATETIME"))?,
        ColumnType::Timestamp { .. } => extension(reader, EXT_TIMESTAMP)?
            .split_first_chunk()
            .and_then(|(s, n)| {
                Timestamp::new(i64::from_be_bytes(*s), u32::from_be_bytes(n.try_into().ok()?)).map(Value::Timestamp)
            })
            .ok_or_else(|| malformed("TIMESTAMP"))?,
        ColumnType::Uuid => {
            let payload = extension(reader, EXT_UUID)?;
            Value::Uuid(u128::from_be_bytes(payload.try_into().map_err(|_| malformed("UUID"))?))
        }
        ColumnType::Bitmask { .. } => Value::Bytes(extension(reader, EXT_BITMASK)?.to_vec().into()),
        ColumnType::Period | ColumnType::Duration => {
            return Err(Error::Usage(format!("the draft dialect has no {ty}")));
        }
    })
}

fn extension<'a>(reader: &mut Reader<'a>, wanted: i8) -> Result<&'a [u8]> {
    match reader.ext()? {
        (kind, payload) if kind == wanted => Ok(payload),
        (kind, _) => Err(Error::Protocol(format!("extension {kind} where {wanted} belongs"))),
    }
}

fn malformed(what: &str) -> Error {
    Error::Protocol(format!("malformed {what}"))
}

fn date(payload: &[u8]) -> Option<Date> {
    let (year, rest) = payload.split_first_chunk()?;
    let &[month, day] = rest else { return None };
    Date::new(i32::from_be_bytes(*year), month, day)
}

fn time(payload: &[u8]) -> Option<Time> {
    let (&[hour, minute, second], nanos) = payload.split_first_chunk()?;
    Time::new(hour, minute, second, u32::from_be_bytes(nanos.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: Value<'_>, code: i64) -> Vec<u8> {
        let ty = type_of(code).unwrap();
        assert_eq!(type_code(ty), code);
        let mut out = Vec::new();
        write_value(&mut out, &value, ty).unwrap();
        let mut reader = Reader::new(&out);
        assert_eq!(read_value(&mut reader, ty).unwrap(), value.into_owned());
        assert!(reader.is_empty());
        for cut in 0..out.len() {
            assert!(read_value(&mut Reader::new(&out[..cut]), ty).is_err());
        }
        out
    }

    #[test]
    fn values_have_the_published_forms() {
        let date = Date::new(2021, 10, 11).unwrap();
        let time = Time::new(1, 2, 3, 4).unwrap();
        assert_eq!(bytes(Value::Int(1001), 4), [0xcd, 0x03, 0xe9]);
        assert_eq!(bytes(Value::Decimal(Decimal::parse("-1.5").unwrap()), 7), [0xc7, 5, 2, 0, 0, 0, 1, 0xf1]);
        assert_eq!(bytes(Value::Decimal(Decimal::from_i64(0x63)), 16), [0xd4, 1, 0x63]);
        assert_eq!(bytes(Value::Uuid(1), 8)[..3], [0xd8, 3, 0]);
        assert_eq!(bytes(Value::Bytes([5].as_slice().into()), 10), [0xc4, 1, 5]);
        assert_eq!(bytes(Value::Bytes([5].as_slice().into()), 11), [0xd4, 8, 5]);
        assert_eq!(bytes(Value::Date(date), 12), [0xc7, 6, 4, 0, 0, 7, 0xe5, 10, 11]);
        assert_eq!(bytes(Value::Time(time), 13), [0xc7, 7, 5, 1, 2, 3, 0, 0, 0, 4]);
        assert_eq!(bytes(Value::Datetime(date, time), 14).len(), 3 + 13);
        assert_eq!(bytes(Value::Timestamp(Timestamp::new(-1, 5).unwrap()), 15).len(), 3 + 12);
        assert_eq!(bytes(Value::Str("one".into()), 9), [0xa3, b'o', b'n', b'e']);
        assert_eq!(bytes(Value::Double(0.5), 6)[0], 0xcb);
        assert_eq!(bytes(Value::Float(0.5), 5)[0], 0xca);
        assert_eq!(bytes(Value::Null, 4), [0xc0]);
    }
}
