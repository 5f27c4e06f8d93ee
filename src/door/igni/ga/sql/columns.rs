//! How GA clients read the columns of a result.

use crate::door::igni::ga::schema::type_id;
use crate::sql::metadata::{UNDEFINED_PRECISION, UNDEFINED_SCALE, precision_and_scale};
use crate::sql::{Origin, ResultColumn};
use crate::value::ColumnType;
use crate::wire::msgpack::Write;

/// The id of the type of a bare NULL.
const NULL_TYPE: i64 = 0;

/// Appends the columns of a result.
pub(super) fn put(out: &mut Vec<u8>, columns: &[ResultColumn]) {
    out.put_int(columns.len() as i64);
    for (place, column) in columns.iter().enumerate() {
        let (precision, scale) = precision_and_scale(column.ty);
        out.put_int(if column.origin.is_some() { 9 } else { 6 });
        out.put_str(&column.name);
        out.put_bool(column.nullable);
        out.put_int(column.ty.map_or(NULL_TYPE, type_id));
        out.put_int(scale);
        out.put_int(precision);
        out.put_bool(column.origin.is_some());
        if let Some(origin) = &column.origin {
            match *origin.column == *column.name {
                true => out.put_nil(),
                false => out.put_str(&origin.column),
            }
            // What an earlier column has too is named by that column's place.
            let earlier = columns.iter().take(place).map(|c| c.origin.as_ref());
            let same = |name: fn(&Origin) -> &str| {
                earlier.clone().position(|other| other.is_some_and(|other| name(other) == name(origin)))
            };
            for (place, name) in [(same(|o| &o.schema), &origin.schema), (same(|o| &o.table), &origin.table)] {
                match place {
                    Some(place) => out.put_int(place as i64),
                    None => out.put_str(name),
                }
            }
        }
    }
}

/// Appends the one column that says what a statement without rows did.
pub(super) fn put_outcome(out: &mut Vec<u8>, name: &str, ty: ColumnType) {
    out.put_int(1);
    out.put_int(6);
    out.put_str(name);
    out.put_bool(false);
    out.put_int(type_id(ty));
    out.put_int(UNDEFINED_SCALE);
    out.put_int(if ty == ColumnType::Boolean { 1 } else { UNDEFINED_PRECISION });
    out.put_bool(false);
}

/// Appends parameters as [`put`] does columns: whether each may be null, its type, scale and precision. Only types with
/// parameters of their own tell the last two, as on a real node.
pub(super) fn put_parameters(out: &mut Vec<u8>, types: &[Option<ColumnType>]) {
    out.put_int(types.len() as i64);
    for &ty in types {
        let (precision, scale) = match ty {
            Some(
                ColumnType::Decimal { .. }
                | ColumnType::Number { .. }
                | ColumnType::Time { .. }
                | ColumnType::Datetime { .. }
                | ColumnType::Timestamp { .. }
                | ColumnType::String { .. }
                | ColumnType::Bytes { .. }
                | ColumnType::Bitmask { .. },
            ) => precision_and_scale(ty),
            _ => (UNDEFINED_PRECISION, UNDEFINED_SCALE),
        };
        out.put_bool(true);
        out.put_int(ty.map_or(NULL_TYPE, type_id));
        out.put_int(scale);
        out.put_int(precision);
    }
}
