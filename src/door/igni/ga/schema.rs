//! A table's schema as GA clients read it, and the types they know.
//!
//! The draft's own types are shown as the nearest that exist today: NUMBER as DECIMAL of scale 0, a bitmask as the byte
//! array that it is stored as. The elements of a row are the same bytes either way.

use crate::config::DECIMAL_SCALE_MAX;
use crate::store::schema::Schema;
use crate::value::{ColumnType, UNLIMITED};
use crate::wire::msgpack::Write;

/// The id of a column type.
pub fn type_id(ty: ColumnType) -> i64 {
    match ty {
        ColumnType::Boolean => 1,
        ColumnType::Int8 => 2,
        ColumnType::Int16 => 3,
        ColumnType::Int32 => 4,
        ColumnType::Int64 => 5,
        ColumnType::Float => 6,
        ColumnType::Double => 7,
        ColumnType::Decimal { .. } | ColumnType::Number { .. } => 8,
        ColumnType::Date => 9,
        ColumnType::Time { .. } => 10,
        ColumnType::Datetime { .. } => 11,
        ColumnType::Timestamp { .. } => 12,
        ColumnType::Uuid => 13,
        ColumnType::String { .. } => 15,
        ColumnType::Bytes { .. } | ColumnType::Bitmask { .. } => 16,
        ColumnType::Period => 17,
        ColumnType::Duration => 18,
    }
}

/// The type of a column with this type id, as a schema describes it.
pub fn column_type(id: i64, scale: i64, precision: i64) -> Option<ColumnType> {
    let digits = u8::try_from(precision).unwrap_or(9);
    Some(match id {
        1 => ColumnType::Boolean,
        2 => ColumnType::Int8,
        3 => ColumnType::Int16,
        4 => ColumnType::Int32,
        5 => ColumnType::Int64,
        6 => ColumnType::Float,
        7 => ColumnType::Double,
        8 => ColumnType::Decimal {
            precision: u32::try_from(precision).unwrap_or(UNLIMITED),
            scale: u32::try_from(scale).unwrap_or(UNLIMITED),
        },
        9 => ColumnType::Date,
        10 => ColumnType::Time { precision: digits },
        11 => ColumnType::Datetime { precision: digits },
        12 => ColumnType::Timestamp { precision: digits },
        13 => ColumnType::Uuid,
        15 => ColumnType::String { length: UNLIMITED },
        16 => ColumnType::Bytes { length: UNLIMITED },
        17 => ColumnType::Period,
        18 => ColumnType::Duration,
        _ => return None,
    })
}

/// The type of a parameter, with the precision that its value has of itself.
pub fn argument_type(id: i64, scale: i64, bytes: usize) -> Option<ColumnType> {
    Some(match column_type(id, scale, 9)? {
        ColumnType::Decimal { .. } => {
            // Two bytes of the element are the scale; 5 digits need at least 2 bytes.
            let digits = u32::try_from(bytes).unwrap_or(u32::MAX).saturating_sub(2).saturating_mul(5) / 2 + 1;
            crate::sql::decimal_argument(digits, i32::try_from(scale).unwrap_or(0))
        }
        ColumnType::Datetime { .. } => ColumnType::Datetime { precision: 6 },
        ColumnType::Timestamp { .. } => ColumnType::Timestamp { precision: 6 },
        other => other,
    })
}

/// Scale and precision as a schema carries them: 0 where a type has none. Lengths are not sent.
fn scale_and_precision(ty: ColumnType) -> (i64, i64) {
    // No column of a real node goes beyond it, and a client rescales what it reads to this scale.
    let limited = |n: u32| i64::from(if n == UNLIMITED { DECIMAL_SCALE_MAX } else { n });
    match ty {
        ColumnType::Decimal { precision, scale } => (limited(scale), limited(precision)),
        ColumnType::Number { precision } => (0, limited(precision)),
        ColumnType::Time { precision } | ColumnType::Datetime { precision } | ColumnType::Timestamp { precision } => {
            (0, precision.into())
        }
        _ => (0, 0),
    }
}

/// Appends one schema version.
pub fn put(out: &mut Vec<u8>, schema: &Schema) {
    /// Fields per column.
    const FIELDS: i64 = 7;
    out.put_int(schema.version.into());
    out.put_int(schema.columns.len() as i64);
    // A table that names no colocation columns is colocated by its key.
    let by_key = schema.columns.iter().all(|column| column.colocation.is_none());
    for column in &schema.columns {
        let place = |place: Option<u16>| place.map_or(-1, i64::from);
        let (scale, precision) = scale_and_precision(column.ty);
        out.put_int(FIELDS);
        out.put_str(&column.name);
        out.put_int(type_id(column.ty));
        out.put_int(place(column.key));
        out.put_bool(column.nullable);
        out.put_int(place(if by_key { column.key } else { column.colocation }));
        out.put_int(scale);
        out.put_int(precision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::column::{Column, Default};
    use std::sync::Arc;

    /// The schema that Ignite 3.1.0 sent for (A INT, B VARCHAR, W DECIMAL(20, 5), PRIMARY KEY (B, A)).
    #[test]
    fn columns_are_those_of_a_real_node() {
        let column = |id, name: &str, ty, key: Option<u16>| {
            let nullable = key.is_none();
            Arc::new(Column {
                id,
                name: name.into(),
                ty,
                nullable,
                default: Default::None,
                filler: None,
                key,
                colocation: None,
            })
        };
        let schema = Schema::new(
            1,
            vec![
                column(1, "A", ColumnType::Int32, Some(1)),
                column(2, "B", ColumnType::String { length: 65536 }, Some(0)),
                column(3, "W", ColumnType::Decimal { precision: 20, scale: 5 }, None),
            ],
        );
        let mut out = Vec::new();
        put(&mut out, &schema);
        let a = [7, 0xa1, b'A', 4, 1, 0xc2, 1, 0, 0];
        let b = [7, 0xa1, b'B', 15, 0, 0xc2, 0, 0, 0];
        let w = [7, 0xa1, b'W', 8, 0xff, 0xc3, 0xff, 5, 20];
        assert_eq!(out, [&[1, 3][..], &a, &b, &w].concat());
    }
}
