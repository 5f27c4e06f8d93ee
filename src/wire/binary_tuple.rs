//! The binary tuple: how today's dialect packs a row, and how every row is stored.
//!
//! ```text
//! header  1 byte     bits 0-1: log2 of the offset entry's size (1, 2 or 4 bytes); other bits are zero
//! offsets n entries  little-endian END of each element, from the start of the values
//! values             the elements, one after another
//! ```
//!
//! The element count is not in the bytes: the reader knows it from the schema. An element of no bytes is null, so empty
//! text and empty bytes are written as the single byte `80`, and bytes that start with `80` get one more in front.
//!
//! Every value has exactly one *canonical* form: the shortest integer, a double that survives a float as four bytes, a
//! decimal without trailing zeros. Stored rows are canonical, so "the same tuple" is "the same bytes". [`is_canonical`]
//! tells whether an element that came from outside can be kept as it is.

use crate::config::DECIMAL_BYTES_MAX;
use crate::error::{Error, Result};
use crate::value::{ColumnType, Date, Decimal, Time, Timestamp, Value};
use num_bigint::BigInt;
use std::borrow::Cow;

/// Marks empty text and bytes, and escapes bytes that begin with it.
const EMPTY: u8 = 0x80;
/// The header's bits that give the size of an offset entry.
const ENTRY_MASK: u8 = 0b11;

/// A tuple of `count` elements over borrowed bytes.
#[derive(Debug, Clone, Copy)]
pub struct Tuple<'a> {
    offsets: &'a [u8],
    values: &'a [u8],
    entry: usize,
}

impl<'a> Tuple<'a> {
    /// Reads the header; the offsets are checked, so that every element lies inside the bytes and none is left over.
    pub fn parse(bytes: &'a [u8], count: usize) -> Result<Self> {
        let tuple = Self::trusted(bytes, count).ok_or_else(|| {
            Error::protocol(format!("binary tuple of {} bytes is too short for {count} elements", bytes.len()))
        })?;
        let mut previous = 0;
        for i in 0..count {
            let end = tuple.end(i).unwrap_or(usize::MAX);
            if end < previous || end > tuple.values.len() {
                return Err(Error::protocol(format!(
                    "binary tuple: element {i} ends at {end}, outside {previous}..={}",
                    tuple.values.len()
                )));
            }
            previous = end;
        }
        if previous != tuple.values.len() {
            return Err(Error::protocol(format!(
                "binary tuple: {} bytes after the last element",
                tuple.values.len() - previous
            )));
        }
        Ok(tuple)
    }

    /// Reads the header of bytes that were checked before, as those of a stored row.
    pub fn trusted(bytes: &'a [u8], count: usize) -> Option<Self> {
        let (&header, rest) = bytes.split_first()?;
        let entry = entry_bytes(header)?;
        let (offsets, values) = rest.split_at_checked(count.checked_mul(entry)?)?;
        Some(Self { offsets, values, entry })
    }

    /// The element's bytes; `None` is null.
    pub fn element(&self, index: usize) -> Option<&'a [u8]> {
        let start = if index == 0 { 0 } else { self.end(index - 1)? };
        self.values.get(start..self.end(index)?).filter(|bytes| !bytes.is_empty())
    }

    /// How many elements the tuple has.
    pub fn count(&self) -> usize {
        self.offsets.len() / self.entry
    }

    /// The element as a value of the column's type.
    pub fn value(&self, index: usize, ty: ColumnType) -> Result<Value<'a>> {
        self.element(index).map_or(Ok(Value::Null), |bytes| decode(bytes, ty))
    }

    fn end(&self, index: usize) -> Option<usize> {
        end_at(self.offsets, self.entry, index)
    }
}

/// The size of an offset entry that a header tells.
#[inline]
pub(super) fn entry_bytes(header: u8) -> Option<usize> {
    match header {
        0 => Some(1),
        1 => Some(2),
        2 => Some(4),
        _ => None,
    }
}

/// Where an element ends, from the start of the values.
#[inline]
pub(super) fn end_at(offsets: &[u8], entry: usize, index: usize) -> Option<usize> {
    let at = index * entry;
    match (entry, offsets.get(at..at + entry)?) {
        (1, &[a]) => Some(usize::from(a)),
        (2, &[a, b]) => Some(usize::from(u16::from_le_bytes([a, b]))),
        (4, &[a, b, c, d]) => usize::try_from(u32::from_le_bytes([a, b, c, d])).ok(),
        _ => None,
    }
}

/// Collects elements and writes the tuple; reusable, so that a hot path allocates once.
#[derive(Debug, Default)]
pub struct Builder {
    ends: Vec<u32>,
    values: Vec<u8>,
}

/// What packing a tuple needs, kept from one to the next.
#[derive(Debug, Default)]
pub struct Buffers {
    /// The elements.
    pub builder: Builder,
    /// The tuple, or an element.
    pub bytes: Vec<u8>,
}

/// Buffers larger than this are not kept.
const KEPT_BYTES_MAX: usize = 64 << 10;

impl Buffers {
    /// The same buffers, or none if they are large.
    pub fn kept(self) -> Self {
        let bytes = self.bytes.capacity().max(self.builder.values.capacity()).max(4 * self.builder.ends.capacity());
        if bytes > KEPT_BYTES_MAX { Self::default() } else { self }
    }
}

impl Builder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the elements, keeps the memory.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.values.clear();
    }

    /// Appends null.
    pub fn push_null(&mut self) {
        self.end_element();
    }

    /// Appends an element that is encoded already.
    pub fn push_raw(&mut self, element: Option<&[u8]>) {
        self.values.extend_from_slice(element.unwrap_or_default());
        self.end_element();
    }

    /// Appends a value, which must fit the type (see `Column::accept`).
    pub fn push(&mut self, value: &Value<'_>, ty: ColumnType) {
        encode(&mut self.values, value, ty);
        self.end_element();
    }

    /// Appends the tuple to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (header, entry) = match self.values.len() {
            0..=0xFF => (0, 1),
            0x100..=0xFFFF => (1, 2),
            _ => (2, 4),
        };
        out.reserve(1 + self.ends.len() * entry + self.values.len());
        out.push(header & ENTRY_MASK);
        for end in &self.ends {
            out.extend_from_slice(end.to_le_bytes().get(..entry).unwrap_or_default());
        }
        out.extend_from_slice(&self.values);
    }

    /// The tuple's bytes.
    pub fn build(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn end_element(&mut self) {
        self.ends.push(u32::try_from(self.values.len()).unwrap_or(u32::MAX));
    }
}

/// Appends the canonical form of `value`; null appends nothing.
pub fn encode(out: &mut Vec<u8>, value: &Value<'_>, ty: ColumnType) {
    match value {
        Value::Null => {}
        Value::Bool(v) => out.push(u8::from(*v)),
        Value::Int(v) => encode_int(out, *v),
        Value::Float(v) if ty == ColumnType::Double => encode_double(out, f64::from(*v)),
        Value::Float(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::Double(v) => encode_double(out, *v),
        Value::Decimal(v) => encode_decimal(out, v),
        Value::Date(v) => encode_date(out, *v),
        Value::Time(v) => encode_time(out, *v),
        Value::Datetime(d, t) => {
            encode_date(out, *d);
            encode_time(out, *t);
        }
        Value::Timestamp(v) => encode_seconds(out, v.seconds, v.nanos),
        Value::Duration(seconds, nanos) => encode_seconds(out, *seconds, *nanos),
        Value::Uuid(v) => {
            out.extend_from_slice(&((v >> 64) as u64).to_le_bytes());
            out.extend_from_slice(&(*v as u64).to_le_bytes());
        }
        Value::Str(s) => encode_bytes(out, s.as_bytes()),
        Value::Bytes(b) => encode_bytes(out, b),
        Value::Period(y, m, d) => encode_period(out, [*y, *m, *d]),
    }
}

fn encode_int(out: &mut Vec<u8>, v: i64) {
    let bytes = v.to_le_bytes();
    let width = if v == i64::from(v as i8) {
        1
    } else if v == i64::from(v as i16) {
        2
    } else if v == i64::from(v as i32) {
        4
    } else {
        8
    };
    out.extend_from_slice(bytes.get(..width).unwrap_or_default());
}

fn encode_double(out: &mut Vec<u8>, v: f64) {
    let short = v as f32;
    if f64::from(short).to_bits() == v.to_bits() && !v.is_nan() {
        out.extend_from_slice(&short.to_le_bytes());
    } else {
        out.extend_from_slice(&v.to_le_bytes());
    }
}

fn encode_decimal(out: &mut Vec<u8>, v: &Decimal) {
    // Zero keeps its scale: the real builder strips zeros only from digits that stand for something.
    let v = if v.unscaled == BigInt::ZERO { Decimal { unscaled: BigInt::ZERO, scale: 0 } } else { v.normalized() };
    out.extend_from_slice(&(v.scale as i16).to_le_bytes());
    out.extend_from_slice(&v.unscaled.to_signed_bytes_be());
}

fn encode_date(out: &mut Vec<u8>, v: Date) {
    let packed = (v.year << 9) | (i32::from(v.month) << 5) | i32::from(v.day);
    out.extend_from_slice(packed.to_le_bytes().get(..3).unwrap_or_default());
}

fn encode_time(out: &mut Vec<u8>, v: Time) {
    // The fraction takes 10, 20 or 30 bits; hours, minutes and seconds stand above it.
    let (fraction, bits, width) = match v.nanos {
        n if n % 1_000_000 == 0 => (n / 1_000_000, 10, 4),
        n if n % 1_000 == 0 => (n / 1_000, 20, 5),
        n => (n, 30, 6),
    };
    let clock = (u64::from(v.hour) << 12) | (u64::from(v.minute) << 6) | u64::from(v.second);
    let packed = (clock << bits) | u64::from(fraction);
    out.extend_from_slice(packed.to_le_bytes().get(..width).unwrap_or_default());
}

fn encode_seconds(out: &mut Vec<u8>, seconds: i64, nanos: u32) {
    out.extend_from_slice(&seconds.to_le_bytes());
    if nanos != 0 {
        out.extend_from_slice(&nanos.to_le_bytes());
    }
}

fn encode_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.first().is_none_or(|&b| b == EMPTY) {
        out.push(EMPTY);
    }
    out.extend_from_slice(bytes);
}

fn encode_period(out: &mut Vec<u8>, parts: [i32; 3]) {
    let width = if parts.iter().all(|&p| p == i32::from(p as i8)) {
        1
    } else if parts.iter().all(|&p| p == i32::from(p as i16)) {
        2
    } else {
        4
    };
    for p in parts {
        out.extend_from_slice(p.to_le_bytes().get(..width).unwrap_or_default());
    }
}

/// Reads an element that is not null. Accepts every form the protocol allows, canonical or not.
pub fn decode(bytes: &[u8], ty: ColumnType) -> Result<Value<'_>> {
    let bad = || Error::protocol(format!("{} bytes are no {} in a binary tuple", bytes.len(), ty.name()));
    Ok(match ty {
        ColumnType::Boolean => match bytes {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            _ => return Err(bad()),
        },
        ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 => {
            let v = decode_int(bytes).filter(|_| bytes.len() <= int_width(ty)).ok_or_else(bad)?;
            Value::Int(v)
        }
        ColumnType::Float => Value::Float(f32::from_le_bytes(bytes.try_into().map_err(|_| bad())?)),
        ColumnType::Double => match bytes.len() {
            4 => Value::Double(f64::from(f32::from_le_bytes(bytes.try_into().map_err(|_| bad())?))),
            _ => Value::Double(f64::from_le_bytes(bytes.try_into().map_err(|_| bad())?)),
        },
        ColumnType::Decimal { .. } | ColumnType::Number { .. } => {
            let (scale, unscaled) = bytes
                .split_first_chunk::<2>()
                .filter(|(_, rest)| (1..=DECIMAL_BYTES_MAX).contains(&rest.len()))
                .ok_or_else(bad)?;
            Value::Decimal(Decimal {
                unscaled: BigInt::from_signed_bytes_be(unscaled),
                scale: i32::from(i16::from_le_bytes(*scale)),
            })
        }
        ColumnType::Date => Value::Date(decode_date(bytes).ok_or_else(bad)?),
        ColumnType::Time { .. } => Value::Time(decode_time(bytes).ok_or_else(bad)?),
        ColumnType::Datetime { .. } => {
            let (date, time) = bytes.split_at_checked(3).ok_or_else(bad)?;
            Value::Datetime(decode_date(date).ok_or_else(bad)?, decode_time(time).ok_or_else(bad)?)
        }
        ColumnType::Timestamp { .. } => {
            let (seconds, nanos) = decode_seconds(bytes).ok_or_else(bad)?;
            Value::Timestamp(Timestamp { seconds, nanos })
        }
        ColumnType::Duration => {
            let (seconds, nanos) = decode_seconds(bytes).ok_or_else(bad)?;
            Value::Duration(seconds, nanos)
        }
        ColumnType::Uuid => {
            let raw: [u8; 16] = bytes.try_into().map_err(|_| bad())?;
            // Two little-endian halves, the more significant first.
            Value::Uuid(u128::from_le_bytes(raw).rotate_left(64))
        }
        ColumnType::String { .. } => {
            let text = std::str::from_utf8(strip_escape(bytes))
                .map_err(|e| Error::protocol(format!("text in a binary tuple is not UTF-8: {e}")))?;
            Value::Str(Cow::Borrowed(text))
        }
        ColumnType::Bytes { .. } | ColumnType::Bitmask { .. } => Value::Bytes(Cow::Borrowed(strip_escape(bytes))),
        ColumnType::Period => {
            let part = |range: std::ops::Range<usize>| {
                bytes.get(range).and_then(decode_int).and_then(|v| i32::try_from(v).ok())
            };
            let w = match bytes.len() {
                3 => 1,
                6 => 2,
                12 => 4,
                _ => return Err(bad()),
            };
            match (part(0..w), part(w..2 * w), part(2 * w..3 * w)) {
                (Some(y), Some(m), Some(d)) => Value::Period(y, m, d),
                _ => return Err(bad()),
            }
        }
    })
}

/// Whether an element is the canonical form of a value that the type holds without change. `false` means "decode it,
/// let the column accept it, encode it again"; it is no verdict on the value.
pub fn is_canonical(bytes: &[u8], ty: ColumnType) -> bool {
    match ty {
        ColumnType::Boolean => matches!(bytes, [0 | 1]),
        ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 => match bytes.len() {
            1 => true,
            2 if int_width(ty) >= 2 => decode_int(bytes).is_some_and(|v| i8::try_from(v).is_err()),
            4 if int_width(ty) >= 4 => decode_int(bytes).is_some_and(|v| i16::try_from(v).is_err()),
            8 if int_width(ty) >= 8 => decode_int(bytes).is_some_and(|v| i32::try_from(v).is_err()),
            _ => false,
        },
        ColumnType::Uuid => bytes.len() == 16,
        ColumnType::Float => bytes.len() == 4,
        ColumnType::String { length } => {
            // UTF-16 units are never more than the bytes, so most text needs no count.
            let fits = |text: &str| text.len() <= length as usize || text.encode_utf16().count() <= length as usize;
            bytes == [EMPTY] || (bytes.first() != Some(&EMPTY) && std::str::from_utf8(bytes).is_ok_and(fits))
        }
        ColumnType::Bytes { length } => {
            let content = strip_escape(bytes);
            content.len() <= length as usize
                && (content.len() == bytes.len() || content.first().is_none_or(|&b| b == EMPTY))
        }
        _ => false,
    }
}

/// Bytes an integer column takes at most.
fn int_width(ty: ColumnType) -> usize {
    match ty {
        ColumnType::Int8 => 1,
        ColumnType::Int16 => 2,
        ColumnType::Int32 => 4,
        _ => 8,
    }
}

/// Reads 1, 2, 4 or 8 little-endian bytes with their sign.
pub(crate) fn decode_int(bytes: &[u8]) -> Option<i64> {
    match *bytes {
        [a] => Some(i64::from(a as i8)),
        [a, b] => Some(i64::from(i16::from_le_bytes([a, b]))),
        [a, b, c, d] => Some(i64::from(i32::from_le_bytes([a, b, c, d]))),
        _ => Some(i64::from_le_bytes(bytes.try_into().ok()?)),
    }
}

/// The content of text or bytes.
pub(crate) fn strip_escape(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(&[EMPTY]).unwrap_or(bytes)
}

fn decode_date(bytes: &[u8]) -> Option<Date> {
    let &[a, b, c] = bytes else { return None };
    let packed = i32::from_le_bytes([0, a, b, c]) >> 8;
    Date::new(packed >> 9, ((packed >> 5) & 0xF) as u8, (packed & 0x1F) as u8)
}

fn decode_time(bytes: &[u8]) -> Option<Time> {
    let (bits, unit) = match bytes.len() {
        4 => (10, 1_000_000),
        5 => (20, 1_000),
        6 => (30, 1),
        _ => return None,
    };
    let mut raw = [0; 8];
    raw.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let packed = u64::from_le_bytes(raw);
    let clock = packed >> bits;
    let fraction = u32::try_from(packed & ((1 << bits) - 1)).ok()?;
    Time::new(
        u8::try_from(clock >> 12).ok()?,
        ((clock >> 6) & 0x3F) as u8,
        (clock & 0x3F) as u8,
        fraction.checked_mul(unit)?,
    )
}

fn decode_seconds(bytes: &[u8]) -> Option<(i64, u32)> {
    let (seconds, rest) = bytes.split_first_chunk::<8>()?;
    let nanos = match rest {
        [] => 0,
        _ => u32::from_le_bytes(rest.try_into().ok()?),
    };
    (nanos < 1_000_000_000).then(|| (i64::from_le_bytes(*seconds), nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::UNLIMITED;
    use ColumnType as T;

    const STRING: T = T::String { length: UNLIMITED };
    const BYTES: T = T::Bytes { length: UNLIMITED };
    const DECIMAL: T = T::Decimal { precision: 38, scale: 3 };

    fn hex(text: &str) -> Vec<u8> {
        text.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect()
    }

    fn dec(text: &str) -> Value<'static> {
        Value::Decimal(Decimal::parse(text).unwrap())
    }

    fn time(nanos: u32) -> Time {
        Time::new(10, 20, 30, nanos).unwrap()
    }

    /// One-element tuples as a 3.1.0 node's builder writes them.
    fn vectors() -> Vec<(Value<'static>, ColumnType, &'static str)> {
        let day = Date::new(2024, 2, 29).unwrap();
        vec![
            (Value::Null, T::Int8, "00 00"),
            (Value::Bool(true), T::Boolean, "00 01 01"),
            (Value::Int(-1), T::Int8, "00 01 FF"),
            (Value::Int(300), T::Int32, "00 02 2C 01"),
            (Value::Int(70000), T::Int32, "00 04 70 11 01 00"),
            (Value::Int(1 << 40), T::Int64, "00 08 00 00 00 00 00 01 00 00"),
            (Value::Float(1.5), T::Float, "00 04 00 00 C0 3F"),
            (Value::Double(1.5), T::Double, "00 04 00 00 C0 3F"),
            (Value::Double(0.1), T::Double, "00 08 9A 99 99 99 99 99 B9 3F"),
            (Value::Str("".into()), STRING, "00 01 80"),
            (Value::Str("abc".into()), STRING, "00 03 61 62 63"),
            (Value::Bytes(vec![].into()), BYTES, "00 01 80"),
            (Value::Bytes(vec![0x80, 1].into()), BYTES, "00 03 80 80 01"),
            (dec("12.34"), DECIMAL, "00 04 02 00 04 D2"),
            (dec("0"), DECIMAL, "00 03 00 00 00"),
            (dec("1e3"), DECIMAL, "00 03 FD FF 01"),
            (dec("-1.5"), DECIMAL, "00 03 01 00 F1"),
            (
                Value::Uuid(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
                T::Uuid,
                "00 10 77 66 55 44 33 22 11 00 FF EE DD CC BB AA 99 88",
            ),
            (Value::Date(day), T::Date, "00 03 5D D0 0F"),
            (Value::Date(Date::new(-1, 1, 1).unwrap()), T::Date, "00 03 21 FE FF"),
            (Value::Time(time(0)), T::Time { precision: 9 }, "00 04 00 78 94 02"),
            (Value::Time(time(123_000_000)), T::Time { precision: 9 }, "00 04 7B 78 94 02"),
            (Value::Time(time(123_456_000)), T::Time { precision: 9 }, "00 05 40 E2 E1 51 0A"),
            (Value::Time(time(123_456_789)), T::Time { precision: 9 }, "00 06 15 CD 5B 87 47 29"),
            (Value::Datetime(day, time(123_000_000)), T::Datetime { precision: 9 }, "00 07 5D D0 0F 7B 78 94 02"),
            (
                Value::Timestamp(Timestamp { seconds: 1, nanos: 0 }),
                T::Timestamp { precision: 9 },
                "00 08 01 00 00 00 00 00 00 00",
            ),
            (
                Value::Timestamp(Timestamp { seconds: 1, nanos: 5 }),
                T::Timestamp { precision: 9 },
                "00 0C 01 00 00 00 00 00 00 00 05 00 00 00",
            ),
            (Value::Duration(-1, 5), T::Duration, "00 0C FF FF FF FF FF FF FF FF 05 00 00 00"),
            (Value::Period(1, 2, 3), T::Period, "00 03 01 02 03"),
            (Value::Period(300, 0, 0), T::Period, "00 06 2C 01 00 00 00 00"),
        ]
    }

    #[test]
    fn vectors_of_a_real_node() {
        for (value, ty, bytes) in vectors() {
            let mut builder = Builder::new();
            builder.push(&value, ty);
            assert_eq!(builder.build(), hex(bytes), "{value}");
            assert_eq!(Tuple::parse(&hex(bytes), 1).unwrap().value(0, ty).unwrap(), value);
        }
    }

    #[test]
    fn wide_offsets_are_chosen_by_size_and_always_read() {
        for (len, header) in [(255, 0), (256, 1), (65535, 1), (65536, 2)] {
            let mut builder = Builder::new();
            builder.push(&Value::Str("x".repeat(len).into()), STRING);
            builder.push_null();
            let bytes = builder.build();
            assert_eq!(bytes[0], header);
            let tuple = Tuple::parse(&bytes, 2).unwrap();
            assert_eq!((tuple.element(0).map(<[u8]>::len), tuple.element(1)), (Some(len), None));
        }
        assert_eq!(Tuple::parse(&hex("02 01 00 00 00 07"), 1).unwrap().element(0), Some(&[7][..]));
    }

    #[test]
    fn damaged_tuples_are_refused() {
        for bad in ["", "03 00", "00", "00 02 01", "00 02 01 01 01", "00 00 01", "01 01"] {
            assert!(Tuple::parse(&hex(bad), 1).is_err(), "{bad}");
        }
        assert!(Tuple::parse(&hex("00 02 01 05 06"), 2).is_err());
        assert!(Tuple::parse(&[0], 0).is_ok());
        assert!(Tuple::parse(&[0], usize::MAX).is_err());
    }

    #[test]
    fn canonical_is_what_encode_writes() {
        for (value, ty, bytes) in vectors() {
            let raw = hex(bytes);
            if is_canonical(&raw[2..], ty) {
                let mut again = Vec::new();
                encode(&mut again, &value, ty);
                assert_eq!(again, raw[2..]);
            }
        }
        assert!(is_canonical(&[5], T::Int64));
        assert!(!is_canonical(&[5, 0], T::Int64));
        assert!(!is_canonical(&[5, 1], T::Int8));
        assert!(!is_canonical(&[0x80, 1], BYTES));
        assert!(is_canonical(&[0x80, 0x80, 1], BYTES));
        assert!(!is_canonical(b"abc", T::String { length: 2 }));
        assert!(is_canonical("ab".as_bytes(), T::String { length: 2 }));
        assert!(is_canonical("öö".as_bytes(), T::String { length: 2 }));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40), count in 0_usize..5) {
            if let Ok(tuple) = Tuple::parse(&bytes, count) {
                for (_, ty, _) in vectors() {
                    for i in 0..count {
                        let Some(element) = tuple.element(i) else { continue };
                        if let Ok(value) = decode(element, ty) {
                            let mut again = Vec::new();
                            encode(&mut again, &value, ty);
                            if !matches!(ty, T::Float | T::Double) {
                                proptest::prop_assert_eq!(decode(&again, ty).unwrap(), match value {
                                    Value::Decimal(d) => Value::Decimal(if d.unscaled == BigInt::ZERO { Decimal::from_i64(0) } else { d.normalized() }),
                                    v => v,
                                });
                            }
                            if is_canonical(element, ty) {
                                proptest::prop_assert_eq!(&again[..], element);
                            }
                        }
                    }
                }
            }
        }
    }
}
