//! One mapping between column types and Arrow's, in both directions.
//!
//! Arrow knows less than a column does: no length of a text, no precision of a time, no UUID. What it does not know
//! rides along as field metadata under [`TYPE_KEY`], which DataFusion keeps for columns that a query only passes on. What
//! a query computes has the precision its Arrow type implies.

use crate::value::{ColumnType, UNLIMITED};
use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use std::collections::HashMap;

/// The metadata key under which a field carries its exact column type, as JSON.
pub const TYPE_KEY: &str = "flint.type";
/// The zone of all points in time inside Arrow.
pub const UTC: &str = "UTC";
/// Digits that Arrow's decimals hold at most.
const DECIMAL128_DIGITS: u32 = 38;
const DECIMAL256_DIGITS: u32 = 76;
/// The scale of a decimal without one, where Arrow needs one.
const FREE_SCALE: i8 = 18;

/// The Arrow type of a column.
pub fn to_arrow(ty: ColumnType) -> DataType {
    match ty {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Int8 => DataType::Int8,
        ColumnType::Int16 => DataType::Int16,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float => DataType::Float32,
        ColumnType::Double => DataType::Float64,
        ColumnType::Decimal { precision: UNLIMITED, .. } => DataType::Decimal256(76, FREE_SCALE),
        ColumnType::Decimal { precision, scale } => decimal(precision, scale),
        ColumnType::Number { precision } => decimal(precision, 0),
        ColumnType::Date => DataType::Date32,
        ColumnType::Time { .. } => DataType::Time64(TimeUnit::Nanosecond),
        ColumnType::Datetime { .. } => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Timestamp { .. } => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        ColumnType::Uuid => DataType::FixedSizeBinary(16),
        ColumnType::String { .. } => DataType::Utf8,
        ColumnType::Bytes { .. } | ColumnType::Bitmask { .. } => DataType::Binary,
        ColumnType::Period => DataType::Interval(IntervalUnit::YearMonth),
        ColumnType::Duration => DataType::Interval(IntervalUnit::MonthDayNano),
    }
}

fn decimal(precision: u32, scale: u32) -> DataType {
    let scale = i8::try_from(scale.min(DECIMAL256_DIGITS)).unwrap_or(FREE_SCALE);
    // Arrow has no decimals that are less than one digit of their scale.
    let precision = precision.max(scale.unsigned_abs().into());
    match precision {
        0..=DECIMAL128_DIGITS => DataType::Decimal128(precision.max(1) as u8, scale),
        _ => DataType::Decimal256(precision.min(DECIMAL256_DIGITS) as u8, scale),
    }
}

/// The field of a column, with its exact type where Arrow's does not imply it.
pub fn field(name: &str, ty: ColumnType, nullable: bool) -> Field {
    let field = Field::new(name, to_arrow(ty), nullable);
    if from_arrow(field.data_type()) == Some(ty) {
        return field;
    }
    let exact = serde_json::to_string(&ty).unwrap_or_default();
    field.with_metadata(HashMap::from([(TYPE_KEY.to_owned(), exact)]))
}

/// The type of a query's column; `None` is the type of a bare NULL, or one that no client could be told.
pub fn of_field(field: &Field) -> Option<ColumnType> {
    let exact = field.metadata().get(TYPE_KEY).and_then(|json| serde_json::from_str::<ColumnType>(json).ok());
    match exact {
        Some(ty) if to_arrow(ty) == *field.data_type() => Some(ty),
        _ => from_arrow(field.data_type()),
    }
}

/// The column type of what a query computes.
pub fn from_arrow(ty: &DataType) -> Option<ColumnType> {
    Some(match ty {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Int8 => ColumnType::Int8,
        DataType::Int16 | DataType::UInt8 => ColumnType::Int16,
        DataType::Int32 | DataType::UInt16 => ColumnType::Int32,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => ColumnType::Int64,
        DataType::Float16 | DataType::Float32 => ColumnType::Float,
        DataType::Float64 => ColumnType::Double,
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => {
            ColumnType::Decimal { precision: u32::from(*p), scale: u32::try_from(*s).unwrap_or(0) }
        }
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Time32(_) | DataType::Time64(_) => ColumnType::Time { precision: 9 },
        DataType::Timestamp(_, None) => ColumnType::Datetime { precision: 6 },
        DataType::Timestamp(_, Some(_)) => ColumnType::Timestamp { precision: 6 },
        DataType::FixedSizeBinary(16) => ColumnType::Uuid,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::String { length: UNLIMITED },
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => ColumnType::Bytes { length: UNLIMITED },
        DataType::Interval(IntervalUnit::YearMonth) => ColumnType::Period,
        DataType::Interval(_) | DataType::Duration(_) => ColumnType::Duration,
        DataType::Dictionary(_, value) => return from_arrow(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_survive_the_way_through_a_field() {
        for ty in [
            ColumnType::Boolean,
            ColumnType::Int8,
            ColumnType::Int64,
            ColumnType::Float,
            ColumnType::Decimal { precision: 10, scale: 2 },
            ColumnType::Decimal { precision: 60, scale: 7 },
            ColumnType::Number { precision: UNLIMITED },
            ColumnType::Time { precision: 3 },
            ColumnType::Datetime { precision: 0 },
            ColumnType::Timestamp { precision: 9 },
            ColumnType::Uuid,
            ColumnType::String { length: 7 },
            ColumnType::Bitmask { bits: 9 },
        ] {
            assert_eq!(of_field(&field("c", ty, true)), Some(ty));
        }
    }

    #[test]
    fn a_cast_column_does_not_keep_its_old_type() {
        let field = field("c", ColumnType::Int32, true).with_data_type(DataType::Int64);
        assert_eq!(of_field(&field), Some(ColumnType::Int64));
    }
}
