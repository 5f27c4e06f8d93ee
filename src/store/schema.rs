//! One schema version of a table: its columns in table order, and the orders derived from it.

use super::column::{Column, Default};
use super::key::{self, Key};
use super::row::Row;
use crate::error::{Error, Result};
use crate::value::{ColumnType, Value};
use crate::wire::binary_tuple::{Builder, Tuple};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

/// A schema version. Columns stand in table order, which is the order of stored rows; ids ascend with it.
#[derive(Debug)]
pub struct Schema {
    /// From 1, plus 1 for every change.
    pub version: i32,
    /// All columns.
    pub columns: Vec<Arc<Column>>,
    /// Positions of the key columns, in key order.
    pub key: Vec<usize>,
    /// Positions of all columns in the draft dialect's order: key columns first; inside each part fixed-size types
    /// before variable ones, smaller ones first, then by type name and column name.
    pub draft_order: Vec<usize>,
    names: HashMap<Arc<str>, usize>,
}

impl Schema {
    /// The schema of these columns, which must have distinct names and ascending ids.
    pub fn new(version: i32, columns: Vec<Arc<Column>>) -> Self {
        let mut key: Vec<usize> = (0..columns.len()).filter(|&i| columns[i].key.is_some()).collect();
        key.sort_by_key(|&i| columns[i].key);
        let mut draft_order: Vec<usize> = (0..columns.len()).collect();
        draft_order.sort_by_cached_key(|&i| {
            let c = &columns[i];
            let size = fixed_size(c.ty);
            (Reverse(c.key.is_some()), size.is_none(), size, c.ty.name(), Arc::clone(&c.name))
        });
        let names = columns.iter().enumerate().map(|(i, c)| (Arc::clone(&c.name), i)).collect();
        Self { version, columns, key, draft_order, names }
    }

    /// The position of the column of this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// The key of a canonical tuple of all columns.
    ///
    /// # Errors
    /// `MissingKey` if a key column is null; `LimitExceeded` if the key is too long.
    pub fn key_of(&self, tuple: &Tuple<'_>) -> Result<Key> {
        let mut out = Key::new();
        for &i in &self.key {
            let Some(column) = self.columns.get(i) else { continue };
            let element = tuple.element(i).ok_or_else(|| column.null_refused())?;
            key::push_element(&mut out, element, column.ty)?;
        }
        Ok(out)
    }

    /// A stored row's tuple over its own schema `of`, as a tuple of this schema: columns are matched by id, what the row
    /// lacks gets its default, what was dropped goes.
    pub fn widen(&self, row: &Row, of: &Self) -> Row {
        let Some(tuple) = Tuple::trusted(row.tuple(), of.columns.len()) else { return row.clone() };
        let mut builder = Builder::new();
        let mut old = of.columns.iter().enumerate().peekable();
        for column in &self.columns {
            while old.next_if(|(_, c)| c.id < column.id).is_some() {}
            match old.next_if(|(_, c)| c.id == column.id) {
                Some((i, _)) => builder.push_raw(tuple.element(i)),
                None => builder.push_raw(column.filler().element()),
            }
        }
        Row::new(self.version, &builder.build())
    }

    /// The value of one column of a row packed for this schema.
    pub fn value<'a>(&self, row: &'a Row, position: usize) -> Result<Value<'a>> {
        let column = self.columns.get(position).ok_or_else(|| Error::protocol(format!("no column {position}")))?;
        self.tuple(row)?.value(position, column.ty)
    }

    /// The tuple of a row packed for this schema.
    pub fn tuple<'a>(&self, row: &'a Row) -> Result<Tuple<'a>> {
        Tuple::trusted(row.tuple(), self.columns.len()).ok_or_else(|| {
            Error::new(
                crate::error::Kind::Internal,
                format!("a stored row of version {} has no {} columns", row.version(), self.columns.len()),
            )
        })
    }
}

impl Default {
    /// The element a row gets that was stored before the column existed.
    pub fn element(&self) -> Option<&[u8]> {
        match self {
            Self::Element(bytes) => Some(bytes),
            Self::None | Self::RandomUuid => None,
        }
    }
}

/// Bytes of a fixed-size type, as alpha3 counts them; `None` for a variable one.
fn fixed_size(ty: ColumnType) -> Option<u32> {
    Some(match ty {
        ColumnType::Boolean | ColumnType::Int8 => 1,
        ColumnType::Int16 => 2,
        ColumnType::Date => 3,
        ColumnType::Int32 | ColumnType::Float => 4,
        ColumnType::Int64 | ColumnType::Double => 8,
        ColumnType::Uuid | ColumnType::Duration | ColumnType::Period => 16,
        ColumnType::Time { precision } => {
            if precision > 3 {
                6
            } else {
                4
            }
        }
        ColumnType::Datetime { precision } => {
            if precision > 3 {
                9
            } else {
                7
            }
        }
        ColumnType::Timestamp { precision } => {
            if precision == 0 {
                8
            } else {
                12
            }
        }
        ColumnType::Bitmask { bits } => bits.div_ceil(8),
        ColumnType::String { .. }
        | ColumnType::Bytes { .. }
        | ColumnType::Decimal { .. }
        | ColumnType::Number { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::UNLIMITED;

    fn column(id: i64, name: &str, ty: ColumnType, key: Option<u16>) -> Arc<Column> {
        Arc::new(Column {
            id,
            name: name.into(),
            ty,
            nullable: key.is_none(),
            default: Default::None,
            filler: None,
            key,
            colocation: key,
        })
    }

    const STRING: ColumnType = ColumnType::String { length: UNLIMITED };

    #[test]
    fn the_draft_order_is_keys_first_then_size() {
        let schema = Schema::new(
            3,
            vec![
                column(1, "name", STRING, None),
                column(2, "id", ColumnType::Int64, Some(0)),
                column(3, "extra", STRING, None),
                column(4, "extra2", ColumnType::Int64, None),
            ],
        );
        let names: Vec<&str> = schema.draft_order.iter().map(|&i| &*schema.columns[i].name).collect();
        assert_eq!(names, ["id", "extra2", "extra", "name"]);
    }

    #[test]
    fn rows_are_widened_by_column_id() {
        let (a, b) = (column(1, "a", ColumnType::Int8, Some(0)), column(2, "b", STRING, None));
        let v1 = Schema::new(1, vec![Arc::clone(&a), b]);
        let c =
            Column { default: Default::Element(Box::new([9])), ..(*column(3, "b", ColumnType::Int8, None)).clone() };
        let v2 = Schema::new(2, vec![a, Arc::new(c), column(4, "d", STRING, None)]);
        let mut builder = Builder::new();
        builder.push(&Value::Int(5), ColumnType::Int8);
        builder.push(&Value::Str("x".into()), STRING);
        let wide = v2.widen(&Row::new(1, &builder.build()), &v1);
        let values: Vec<Value<'_>> = (0..3).map(|i| v2.value(&wide, i).unwrap()).collect();
        assert_eq!((wide.version(), values), (2, vec![Value::Int(5), Value::Int(9), Value::Null]));
    }

    #[test]
    fn the_key_is_taken_in_key_order_from_any_position() {
        let schema = Schema::new(
            1,
            vec![
                column(1, "v", STRING, None),
                column(2, "k2", ColumnType::Int8, Some(1)),
                column(3, "k1", ColumnType::Int8, Some(0)),
            ],
        );
        let mut builder = Builder::new();
        builder.push_null();
        builder.push(&Value::Int(2), ColumnType::Int8);
        builder.push(&Value::Int(1), ColumnType::Int8);
        let bytes = builder.build();
        let tuple = Tuple::parse(&bytes, 3).unwrap();
        assert_eq!(&schema.key_of(&tuple).unwrap()[..], [0x81, 0x82]);
        let nulls = [0, 0, 0, 0];
        assert_eq!(
            schema.key_of(&Tuple::parse(&nulls, 3).unwrap()).unwrap_err().message,
            "Column 'k1' does not allow NULLs"
        );
    }
}
