//! Keys: the key columns of a tuple as bytes whose order is the order of the values, so that equality and range scans
//! are comparisons of bytes.
//!
//! ```text
//! BOOLEAN          1 byte
//! INT8..INT64      big-endian, sign bit flipped
//! FLOAT, DOUBLE    IEEE bits big-endian; sign bit flipped, or all bits if negative. -0.0 and 0.0 are two keys, as on
//!                  Ignite 3.1.0; every NaN is one key, above all numbers
//! DECIMAL, NUMBER  80 for zero; else 81 or 7F (sign), the exponent (4 bytes, sign flipped), the digits in pairs (each
//!                  pair + 1), 00. Of a negative number everything after the first byte is inverted. 1.0 is 1.00
//! DATE             4 bytes: year, month and day packed, sign bit flipped
//! TIME             3 bytes and 4 bytes of nanoseconds
//! DATETIME         date, then time
//! TIMESTAMP        8 bytes, sign bit flipped, and 4 bytes of nanoseconds
//! UUID             two halves of 8 bytes, each with its sign bit flipped: Java compares them as signed
//! STRING, BYTES    the bytes with 00 written as 00 FF, closed by 00 00
//! ```

use crate::config::KEY_BYTES_MAX;
use crate::error::{Error, Kind, Result};
use crate::value::{ColumnType, Date, Decimal, Time, Value};
use crate::wire::binary_tuple;
use num_bigint::Sign;
use smallvec::SmallVec;
use std::cmp::Ordering;

/// An encoded key. Up to 16 bytes live inside the map's node: an INT64, a UUID.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Key(SmallVec<[u8; 16]>);

impl Key {
    /// An empty key.
    pub fn new() -> Self {
        Self::default()
    }

    /// A key of these bytes.
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self(SmallVec::from_slice(bytes))
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Appends a byte.
    pub fn push(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Appends bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Cuts the key back to its first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// Turns the order of what begins at `start` around.
    pub fn invert_from(&mut self, start: usize) {
        for byte in self.0.iter_mut().skip(start) {
            *byte = !*byte;
        }
    }
}

impl std::ops::Deref for Key {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::borrow::Borrow<[u8]> for Key {
    #[inline]
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Ord for Key {
    /// The order of the bytes. A search in a map is a chain of comparisons that wait for one another, and most are
    /// decided by the first 8 bytes: comparing those as one number costs a fraction of a call to `memcmp`.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (self.as_slice(), other.as_slice());
        if let (Some((a, a_rest)), Some((b, b_rest))) = (ours.split_first_chunk(), theirs.split_first_chunk()) {
            let (a, b) = (u64::from_be_bytes(*a), u64::from_be_bytes(*b));
            if a != b || (a_rest.is_empty() && b_rest.is_empty()) {
                return a.cmp(&b);
            }
            return a_rest.cmp(b_rest);
        }
        ours.cmp(theirs)
    }
}

impl PartialOrd for Key {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Appends one key column, whose element is canonical.
pub fn push_element(key: &mut Key, element: &[u8], ty: ColumnType) -> Result<()> {
    match ty {
        // The common types go from bytes to bytes.
        ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 => {
            let v = binary_tuple::decode_int(element)
                .ok_or_else(|| Error::protocol(format!("{} bytes are no {}", element.len(), ty.name())))?;
            push_int(key, v, ty);
        }
        ColumnType::String { .. } | ColumnType::Bytes { .. } | ColumnType::Bitmask { .. } => {
            push_bytes(key, binary_tuple::strip_escape(element));
        }
        _ => push_value(key, &binary_tuple::decode(element, ty)?, ty),
    }
    check_length(key)
}

/// Appends one key column from a value that the column accepts.
pub fn push(key: &mut Key, value: &Value<'_>, ty: ColumnType) -> Result<()> {
    push_value(key, value, ty);
    check_length(key)
}

fn check_length(key: &Key) -> Result<()> {
    if key.len() > KEY_BYTES_MAX {
        return Err(Error::new(
            Kind::LimitExceeded,
            format!("the key takes {} bytes, the limit is {KEY_BYTES_MAX}", key.len()),
        ));
    }
    Ok(())
}

/// Appends a value, which must be of the column's type and not null.
fn push_value(key: &mut Key, value: &Value<'_>, ty: ColumnType) {
    match value {
        Value::Null | Value::Period(..) | Value::Duration(..) => {}
        Value::Bool(v) => key.push(u8::from(*v)),
        Value::Int(v) => push_int(key, *v, ty),
        Value::Float(v) => {
            let bits = if v.is_nan() { f32::NAN.to_bits() & !(1 << 31) } else { v.to_bits() };
            let folded = if bits >> 31 == 1 { !bits } else { bits ^ (1 << 31) };
            key.extend_from_slice(&folded.to_be_bytes());
        }
        Value::Double(v) => {
            let bits = if v.is_nan() { f64::NAN.to_bits() & !(1 << 63) } else { v.to_bits() };
            let folded = if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) };
            key.extend_from_slice(&folded.to_be_bytes());
        }
        Value::Decimal(v) => push_decimal(key, v),
        Value::Date(v) => push_date(key, *v),
        Value::Time(v) => push_time(key, *v),
        Value::Datetime(d, t) => {
            push_date(key, *d);
            push_time(key, *t);
        }
        Value::Timestamp(v) => {
            push_i64(key, v.seconds);
            key.extend_from_slice(&v.nanos.to_be_bytes());
        }
        Value::Uuid(v) => {
            push_i64(key, (*v >> 64) as i64);
            push_i64(key, *v as i64);
        }
        Value::Str(s) => push_bytes(key, s.as_bytes()),
        Value::Bytes(b) => push_bytes(key, b),
    }
}

fn push_int(key: &mut Key, v: i64, ty: ColumnType) {
    match ty {
        ColumnType::Int8 => key.push(v as u8 ^ 0x80),
        ColumnType::Int16 => key.extend_from_slice(&(v as u16 ^ (1 << 15)).to_be_bytes()),
        ColumnType::Int32 => key.extend_from_slice(&(v as u32 ^ (1 << 31)).to_be_bytes()),
        _ => push_i64(key, v),
    }
}

fn push_i64(key: &mut Key, v: i64) {
    key.extend_from_slice(&(v as u64 ^ (1 << 63)).to_be_bytes());
}

fn push_date(key: &mut Key, v: Date) {
    let packed = (v.year << 9) | (i32::from(v.month) << 5) | i32::from(v.day);
    key.extend_from_slice(&(packed as u32 ^ (1 << 31)).to_be_bytes());
}

fn push_time(key: &mut Key, v: Time) {
    key.extend_from_slice(&[v.hour, v.minute, v.second]);
    key.extend_from_slice(&v.nanos.to_be_bytes());
}

fn push_bytes(key: &mut Key, bytes: &[u8]) {
    key.0.reserve(bytes.len() + 2);
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|&b| b == 0) {
        let (head, tail) = rest.split_at(zero + 1);
        key.extend_from_slice(head);
        key.push(0xFF);
        rest = tail;
    }
    key.extend_from_slice(rest);
    key.extend_from_slice(&[0, 0]);
}

fn push_decimal(key: &mut Key, v: &Decimal) {
    let v = v.normalized();
    let invert = match v.unscaled.sign() {
        Sign::NoSign => return key.push(0x80),
        Sign::Plus => 0x00,
        Sign::Minus => 0xFF,
    };
    key.push(if invert == 0 { 0x81 } else { 0x7F });
    let digits = v.unscaled.magnitude().to_string();
    // Where the first digit stands: 0.ddd * 10^exponent.
    let exponent = i32::try_from(digits.len()).unwrap_or(i32::MAX).saturating_sub(v.scale);
    key.0.extend((exponent as u32 ^ (1 << 31)).to_be_bytes().map(|b| b ^ invert));
    for pair in digits.as_bytes().chunks(2) {
        let tens = pair.first().map_or(0, |d| d - b'0');
        let ones = pair.get(1).map_or(0, |d| d - b'0');
        key.push((tens * 10 + ones + 1) ^ invert);
    }
    key.push(invert);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Timestamp, UNLIMITED};

    fn key(value: &Value<'_>, ty: ColumnType) -> Key {
        let (mut element, mut from_element, mut from_value) = (Vec::new(), Key::new(), Key::new());
        binary_tuple::encode(&mut element, value, ty);
        push_element(&mut from_element, &element, ty).unwrap();
        push(&mut from_value, value, ty).unwrap();
        assert_eq!(from_element, from_value, "{value}");
        from_value
    }

    fn assert_ordered(values: &[Value<'_>], ty: ColumnType) {
        for pair in values.windows(2) {
            assert!(key(&pair[0], ty) < key(&pair[1], ty), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn order_of_bytes_is_order_of_values() {
        let ints = |list: &[i64]| list.iter().map(|&v| Value::Int(v)).collect::<Vec<_>>();
        assert_ordered(&ints(&[-128, -1, 0, 1, 127]), ColumnType::Int8);
        assert_ordered(&ints(&[-32768, -129, -1, 0, 255, 32767]), ColumnType::Int16);
        assert_ordered(&ints(&[i64::from(i32::MIN), -1, 0, 1, i64::from(i32::MAX)]), ColumnType::Int32);
        assert_ordered(&ints(&[i64::MIN, -300, -1, 0, 1, 300, i64::MAX]), ColumnType::Int64);
        let doubles =
            [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 1e-300, 0.1, 1.5, f64::INFINITY, f64::NAN].map(Value::Double);
        assert_ordered(&doubles, ColumnType::Double);
        let decimals = [
            "-1000",
            "-99.5",
            "-99.49",
            "-1",
            "-0.001",
            "0",
            "0.001",
            "0.01",
            "1",
            "1.01",
            "9.99",
            "10",
            "12345678901234567890",
        ]
        .map(|t| Value::Decimal(Decimal::parse(t).unwrap()));
        assert_ordered(&decimals, ColumnType::Decimal { precision: 38, scale: 3 });
        let texts = ["", "\0", "\0\0", "\0a", "a", "a\0", "a\0b", "aa", "b", "é"].map(|t| Value::Str(t.into()));
        assert_ordered(&texts, ColumnType::String { length: UNLIMITED });
        let dates = [(-5, 1, 1), (0, 1, 1), (1970, 1, 1), (1970, 1, 2), (1970, 2, 1)]
            .map(|(y, m, d)| Value::Date(Date::new(y, m, d).unwrap()));
        assert_ordered(&dates, ColumnType::Date);
        let points = [(-1, 0), (-1, 5), (0, 0), (0, 1), (9, 0)]
            .map(|(seconds, nanos)| Value::Timestamp(Timestamp { seconds, nanos }));
        assert_ordered(&points, ColumnType::Timestamp { precision: 9 });
        assert_ordered(
            &[Value::Uuid(1 << 127), Value::Uuid(1 << 63), Value::Uuid(0), Value::Uuid(1)],
            ColumnType::Uuid,
        );
    }

    #[test]
    fn equal_values_are_equal_keys() {
        let ty = ColumnType::Decimal { precision: 38, scale: 3 };
        let dec = |t| key(&Value::Decimal(Decimal::parse(t).unwrap()), ty);
        assert_eq!(dec("1.0"), dec("1.00"));
        assert_eq!(dec("100"), dec("1e2"));
        assert_eq!(
            key(&Value::Double(f64::NAN), ColumnType::Double),
            key(&Value::Double(-f64::NAN), ColumnType::Double)
        );
    }

    #[test]
    fn a_composite_key_orders_by_its_first_column() {
        let text = ColumnType::String { length: UNLIMITED };
        let pair = |a: &'static str, b: &'static str| {
            let mut k = key(&Value::Str(a.into()), text);
            k.extend_from_slice(&key(&Value::Str(b.into()), text));
            k
        };
        assert!(pair("a", "z") < pair("aa", "a"));
        assert_ne!(pair("a", "bc"), pair("ab", "c"));
    }

    proptest::proptest! {
        #[test]
        fn decimals_compare_as_numbers(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000, sa in 0_i32..6, sb in 0_i32..6) {
            let ty = ColumnType::Decimal { precision: 38, scale: 6 };
            let make = |v: i64, s: i32| Decimal { unscaled: v.into(), scale: s };
            let wide = |v: i64, s: i32| i128::from(v) * 10_i128.pow(6 - s as u32);
            let order = key(&Value::Decimal(make(a, sa)), ty).cmp(&key(&Value::Decimal(make(b, sb)), ty));
            proptest::prop_assert_eq!(order, wide(a, sa).cmp(&wide(b, sb)));
        }

        #[test]
        fn keys_compare_as_their_bytes(a in proptest::collection::vec(0_u8..3, 0..20), b in proptest::collection::vec(0_u8..3, 0..20)) {
            proptest::prop_assert_eq!(Key::from_slice(&a).cmp(&Key::from_slice(&b)), a.cmp(&b));
        }

        #[test]
        fn bytes_compare_as_bytes(a: Vec<u8>, b: Vec<u8>) {
            let ty = ColumnType::Bytes { length: UNLIMITED };
            let order = key(&Value::Bytes(a.clone().into()), ty).cmp(&key(&Value::Bytes(b.clone().into()), ty));
            proptest::prop_assert_eq!(order, a.cmp(&b));
        }
    }
}
