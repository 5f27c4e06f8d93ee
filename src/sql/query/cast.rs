//! Ignite's names of types, as Arrow's.

use super::types::field;
use crate::value::{ColumnType, UNLIMITED};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::planner::TypePlanner;
use sqlparser::ast::{BinaryLength, CharacterLength, DataType, ExactNumberInfo, TimezoneInfo};
use std::sync::Arc;

/// Precision of a DECIMAL without one.
const DECIMAL_PRECISION: u32 = 38;

/// Tells the planner what a type's name in SQL means.
#[derive(Debug)]
pub struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, ty: &DataType) -> Result<Option<FieldRef>> {
        let Some(ty) = column_type(ty)? else { return Ok(None) };
        Ok(Some(Arc::new(field("", ty, true))))
    }
}

/// The column type of a type's name; `None` for names that mean the same to DataFusion.
pub fn column_type(ty: &DataType) -> Result<Option<ColumnType>> {
    let digits = |precision: Option<u64>, default: u8| match precision {
        None => Ok(default),
        Some(p @ 0..=9) => Ok(p as u8),
        Some(p) => plan_err!("Precision {p} is not in 0..=9"),
    };
    Ok(Some(match ty {
        DataType::Boolean | DataType::Bool => ColumnType::Boolean,
        DataType::TinyInt(_) => ColumnType::Int8,
        DataType::SmallInt(_) => ColumnType::Int16,
        DataType::Int(_) | DataType::Integer(_) => ColumnType::Int32,
        DataType::BigInt(_) => ColumnType::Int64,
        DataType::Real | DataType::Float(_) => ColumnType::Float,
        DataType::Double(_) | DataType::DoublePrecision => ColumnType::Double,
        DataType::Decimal(info) | DataType::Numeric(info) | DataType::Dec(info) => match *info {
            ExactNumberInfo::None => ColumnType::Decimal { precision: DECIMAL_PRECISION, scale: 0 },
            ExactNumberInfo::Precision(0) | ExactNumberInfo::PrecisionAndScale(0, _) => {
                return plan_err!("DECIMAL precision 0 must be between 1 and 32767");
            }
            ExactNumberInfo::Precision(p) => ColumnType::Decimal { precision: p as u32, scale: 0 },
            ExactNumberInfo::PrecisionAndScale(p, s) => match u32::try_from(s) {
                Ok(scale) => ColumnType::Decimal { precision: p as u32, scale },
                Err(_) => return plan_err!("DECIMAL scale {s} must be between 0 and 32767"),
            },
        },
        DataType::Char(None) | DataType::Character(None) => ColumnType::String { length: 1 },
        DataType::Varchar(length)
        | DataType::CharacterVarying(length)
        | DataType::CharVarying(length)
        | DataType::Char(length)
        | DataType::Character(length) => ColumnType::String {
            length: match length {
                Some(CharacterLength::IntegerLength { length: 0, .. }) => {
                    return plan_err!("VARCHAR length 0 must be between 1 and 2147483647");
                }
                Some(CharacterLength::IntegerLength { length, .. }) => u32::try_from(*length).unwrap_or(UNLIMITED),
                _ => UNLIMITED,
            },
        },
        DataType::Varbinary(length) => ColumnType::Bytes {
            length: match length {
                Some(BinaryLength::IntegerLength { length }) => u32::try_from(*length).unwrap_or(UNLIMITED),
                _ => UNLIMITED,
            },
        },
        DataType::Binary(length) => {
            ColumnType::Bytes { length: length.and_then(|n| u32::try_from(n).ok()).unwrap_or(UNLIMITED) }
        }
        DataType::Uuid => ColumnType::Uuid,
        DataType::Date => ColumnType::Date,
        DataType::Time(p, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            ColumnType::Time { precision: digits(*p, 0)? }
        }
        DataType::Timestamp(p, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            ColumnType::Datetime { precision: digits(*p, 6)? }
        }
        DataType::Timestamp(p, TimezoneInfo::Tz) => ColumnType::Timestamp { precision: digits(*p, 6)? },
        DataType::Timestamp(..) => return plan_err!("TIMESTAMP WITH TIME ZONE is not supported"),
        DataType::Text | DataType::String(_) => return plan_err!("Unknown type {ty}"),
        _ => return Ok(None),
    }))
}
