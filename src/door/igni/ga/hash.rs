//! The colocation hash: which partition a key belongs to, as every GA client computes it.
//!
//! A column's hash is a 64-bit MurmurHash3 (x64-128, first half) folded to 32 bits, over the value's little-endian
//! bytes at its natural width. Columns are combined in colocation order, starting from 0. Two servers, or a server and
//! a client, that disagree here send a row to the wrong place, so the vectors below come from Ignite 3.1.0.

use crate::value::{ColumnType, Date, Decimal, Time, Value};

/// The hash of a colocation key, given in colocation order.
///
/// Values have their column's type; another value counts as null.
pub fn colocation_hash<'a>(columns: impl IntoIterator<Item = (ColumnType, &'a Value<'a>)>) -> i32 {
    columns.into_iter().fold(0, |hash, (kind, value)| combine(hash, value_hash(kind, value)))
}

/// The partition of a colocation hash, of `partitions` (at least 1).
pub fn partition(hash: i32, partitions: u16) -> u16 {
    let remainder = hash % i32::from(partitions.max(1));
    u16::try_from(remainder.unsigned_abs()).unwrap_or(0)
}

/// The hash of one value.
fn value_hash(kind: ColumnType, value: &Value<'_>) -> i32 {
    match (kind, value) {
        (_, Value::Bool(v)) => fold(&[u8::from(*v)], 0),
        (ColumnType::Int8, Value::Int(v)) => fold(&v.to_le_bytes()[..1], 0),
        (ColumnType::Int16, Value::Int(v)) => fold(&v.to_le_bytes()[..2], 0),
        (ColumnType::Int32, Value::Int(v)) => fold(&v.to_le_bytes()[..4], 0),
        (_, Value::Int(v)) => fold(&v.to_le_bytes(), 0),
        (_, Value::Float(v)) => fold(&v.to_bits().to_le_bytes(), 0),
        (_, Value::Double(v)) => fold(&v.to_bits().to_le_bytes(), 0),
        (_, Value::Str(v)) => fold(v.as_bytes(), 0),
        (_, Value::Bytes(v)) => fold(v, 0),
        (_, Value::Decimal(v)) => decimal_hash(kind, v),
        (_, Value::Uuid(v)) => {
            let most = (v >> 64) as u64;
            fold(&v.to_le_bytes()[..8], fold(&most.to_le_bytes(), 0))
        }
        (_, Value::Date(v)) => date_hash(*v),
        (_, Value::Time(v)) => time_hash(v.truncated(precision(kind))),
        (_, Value::Datetime(d, t)) => combine(date_hash(*d), time_hash(t.truncated(precision(kind)))),
        (_, Value::Timestamp(v)) => {
            let nanos = v.truncated(precision(kind)).nanos;
            fold(&nanos.to_le_bytes(), fold(&v.seconds.to_le_bytes(), 0))
        }
        (_, Value::Null | Value::Period(..) | Value::Duration(..)) => fold(&[0], 0),
    }
}

/// A decimal at its column's scale, as big-endian two's complement.
fn decimal_hash(kind: ColumnType, value: &Decimal) -> i32 {
    let scale = match kind {
        ColumnType::Decimal { scale, .. } => i32::try_from(scale).unwrap_or(value.scale),
        _ => 0,
    };
    fold(&value.rescaled(scale).unscaled.to_signed_bytes_be(), 0)
}

fn date_hash(date: Date) -> i32 {
    let year = fold(&date.year.to_le_bytes(), 0);
    let month = fold(&i32::from(date.month).to_le_bytes(), year);
    fold(&i32::from(date.day).to_le_bytes(), month)
}

fn time_hash(time: Time) -> i32 {
    let hour = fold(&i32::from(time.hour).to_le_bytes(), 0);
    let minute = fold(&i32::from(time.minute).to_le_bytes(), hour);
    let second = fold(&i32::from(time.second).to_le_bytes(), minute);
    fold(&time.nanos.to_le_bytes(), second)
}

/// The fractional digits a temporal column keeps.
fn precision(kind: ColumnType) -> u8 {
    match kind {
        ColumnType::Time { precision } | ColumnType::Datetime { precision } | ColumnType::Timestamp { precision } => {
            precision
        }
        _ => 9,
    }
}

/// Appends one column's hash to the hash of those before it.
fn combine(hash: i32, column: i32) -> i32 {
    fold(&hash.to_le_bytes(), column)
}

/// MurmurHash3 x64-128 of `data`, its first half folded to 32 bits. The seed is sign-extended.
fn fold(data: &[u8], seed: i32) -> i32 {
    let hash = murmur3(data, i64::from(seed) as u64);
    (hash ^ (hash >> 32)) as u32 as i32
}

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// The first 64 of MurmurHash3 x64-128's bits, both halves starting from `seed`.
fn murmur3(data: &[u8], seed: u64) -> u64 {
    let (mut h1, mut h2) = (seed, seed);
    let mut blocks = data.chunks_exact(16);
    for block in &mut blocks {
        let (low, high) = block.split_at(8);
        h1 ^= mix1(word(low));
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= mix2(word(high));
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let tail = blocks.remainder();
    let (low, high) = tail.split_at(tail.len().min(8));
    h2 ^= mix2(word(high));
    h1 ^= mix1(word(low));

    let length = data.len() as u64;
    h1 ^= length;
    h2 ^= length;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finish(h1);
    h2 = finish(h2);
    h1.wrapping_add(h2)
}

/// Up to 8 bytes, little-endian.
fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn mix1(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

fn mix2(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

fn finish(mut h: u64) -> u64 {
    h ^= h >> 33;
    h = h.wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Timestamp, UNLIMITED};

    const TEXT: ColumnType = ColumnType::String { length: UNLIMITED };

    fn hash(kind: ColumnType, value: Value<'_>) -> i32 {
        colocation_hash([(kind, &value)])
    }

    fn text(value: &str) -> i32 {
        hash(TEXT, Value::Str(value.into()))
    }

    /// Observed on Ignite 3.1.0.
    #[test]
    fn agrees_with_ignite() {
        assert_eq!(hash(TEXT, Value::Null), 2_058_357_331);
        assert_eq!(hash(ColumnType::Boolean, Value::Bool(true)), 1_320_756_477);
        assert_eq!(hash(ColumnType::Int8, Value::Int(1)), 1_320_756_477);
        assert_eq!(hash(ColumnType::Int16, Value::Int(1)), 999_056_684);
        assert_eq!(hash(ColumnType::Int32, Value::Int(1)), 2_074_128_541);
        assert_eq!(hash(ColumnType::Int64, Value::Int(1)), 492_922_255);
        assert_eq!(hash(ColumnType::Int64, Value::Int(-1)), -826_176_947);
        assert_eq!(hash(ColumnType::Float, Value::Float(1.5)), -474_079_245);
        assert_eq!(hash(ColumnType::Double, Value::Double(1.5)), -2_123_021_283);
        assert_eq!(text("a"), -1_730_569_309);
        assert_eq!(text("abc"), 23_784_785);
        assert_eq!(text("0123456789abcdef0"), -903_345_330);
        let bytes = ColumnType::Bytes { length: UNLIMITED };
        assert_eq!(hash(bytes, Value::Bytes([1, 2][..].into())), 7_826_614);
        assert_eq!(hash(ColumnType::Uuid, Value::Uuid(1 << 64 | 2)), -1_285_204_198);
    }

    #[test]
    fn scale_and_precision_belong_to_the_column() {
        let decimal = ColumnType::Decimal { precision: 10, scale: 3 };
        assert_eq!(hash(decimal, Value::Decimal(Decimal::parse("12.345").unwrap())), -1_023_865_354);
        let leap = Date::new(2024, 2, 29).unwrap();
        let time = Time::new(10, 20, 30, 123_456_789).unwrap();
        assert_eq!(hash(ColumnType::Date, Value::Date(leap)), 368_409_128);
        assert_eq!(hash(ColumnType::Time { precision: 3 }, Value::Time(time)), -1_811_254_718);
        assert_eq!(hash(ColumnType::Datetime { precision: 3 }, Value::Datetime(leap, time)), -321_137_329);
        let instant = Timestamp::new(1, 123_456_789).unwrap();
        assert_eq!(hash(ColumnType::Timestamp { precision: 6 }, Value::Timestamp(instant)), 747_279_399);
    }

    #[test]
    fn columns_combine_in_order() {
        let (one, a) = (Value::Int(1), Value::Str("a".into()));
        assert_eq!(colocation_hash([(ColumnType::Int32, &one), (TEXT, &a)]), -1_487_533_702);
    }

    #[test]
    fn partitions_are_in_range() {
        assert_eq!(partition(-1_487_533_702, 25), 2);
        assert_eq!(partition(i32::MIN, 25), 23);
        assert_eq!(partition(7, 0), 0);
    }
}
