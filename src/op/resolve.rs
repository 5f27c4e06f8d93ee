//! From what a request brings to what is stored: a canonical row of the newest schema version, and its key.
//!
//! Both dialects meet here. The draft brings values by column, today's dialect brings a binary tuple that is kept as it
//! is where every element is canonical already.

use super::table::{self, NewColumn, NewDefault};
use super::tuple::NewTuple;
use crate::error::{Error, Kind, Result};
use crate::store::catalog::Table;
use crate::store::column::{Column, Default};
use crate::store::engine::random_uuid;
use crate::store::key::{self, Key};
use crate::store::row::Row;
use crate::store::schema::Schema;
use crate::value::{ColumnType, UNLIMITED, Value};
use crate::wire::binary_tuple::{self, Buffers, Builder, Tuple};
use std::sync::Arc;

/// Digits a DECIMAL column has that a live schema makes, and those after the point.
const LIVE_DECIMAL: ColumnType = ColumnType::Decimal { precision: 19, scale: 3 };

/// Makes rows of one schema; keeps its buffers between rows.
#[derive(Debug)]
pub struct Resolver<'s> {
    schema: &'s Schema,
    buffers: Buffers,
}

impl<'s> Resolver<'s> {
    /// For rows of `schema`, the newest of its table.
    pub fn new(schema: &'s Schema) -> Self {
        Self::with_buffers(schema, Buffers::default())
    }

    /// The same in buffers that are there already.
    pub fn with_buffers(schema: &'s Schema, buffers: Buffers) -> Self {
        Self { schema, buffers }
    }

    /// The buffers, for the next.
    pub fn into_buffers(self) -> Buffers {
        self.buffers.kept()
    }

    /// A tuple of one value per column, in table order. `None` brings no value: the default, else null.
    ///
    /// # Errors
    /// Those of [`Column::accept`], and `MissingKey`.
    pub fn tuple<'v>(
        &mut self,
        values: impl Iterator<Item = Option<Value<'v>>>,
        rng: &mut fastrand::Rng,
    ) -> Result<NewTuple> {
        self.buffers.builder.clear();
        for (column, value) in self.schema.columns.iter().zip(values) {
            match value {
                Some(value) => {
                    self.buffers.builder.push(&column.accept(value).map_err(|e| missed_key(e, column))?, column.ty)
                }
                None => push_default(&mut self.buffers.builder, column, rng).map_err(|e| missed_key(e, column))?,
            }
        }
        self.finish()
    }

    /// A binary tuple of all columns. `no_value` tells which columns the client gave no value.
    ///
    /// # Errors
    /// `Protocol` for bytes that are no tuple; those of [`Column::accept`]; `MissingKey`.
    pub fn binary(
        &mut self,
        no_value: impl Fn(usize) -> bool,
        bytes: &[u8],
        rng: &mut fastrand::Rng,
    ) -> Result<NewTuple> {
        let columns = &self.schema.columns;
        let tuple = Tuple::parse(bytes, columns.len())?;
        let kept = columns.iter().enumerate().all(|(i, column)| match tuple.element(i) {
            Some(element) => binary_tuple::is_canonical(element, column.ty),
            None => column.nullable && (!no_value(i) || column.default == Default::None),
        });
        // The offsets' width belongs to the canonical form too.
        if kept && bytes.first() == Some(&self.width(bytes.len(), columns.len())) {
            let key = self.schema.key_of(&tuple)?;
            return Ok(NewTuple { key, row: Row::new(self.schema.version, bytes) });
        }
        self.buffers.builder.clear();
        for (i, column) in columns.iter().enumerate() {
            match tuple.element(i) {
                Some(element) => {
                    let value = column.accept(binary_tuple::decode(element, column.ty)?)?;
                    self.buffers.builder.push(&value, column.ty);
                }
                None if no_value(i) && column.key.is_some() => return Err(column.missed_key()),
                None if no_value(i) => push_default(&mut self.buffers.builder, column, rng)?,
                None if column.nullable => self.buffers.builder.push_null(),
                None => return Err(column.null_refused()),
            }
        }
        self.finish()
    }

    /// The key of values in key order.
    ///
    /// # Errors
    /// Those of [`Column::accept`]; `MissingKey`.
    pub fn key<'v>(&mut self, values: impl Iterator<Item = Value<'v>>) -> Result<Key> {
        let mut out = Key::new();
        for (column, value) in self.key_columns().zip(values) {
            let value = column.accept(value).map_err(|e| missed_key(e, column))?;
            key::push(&mut out, &value, column.ty)?;
        }
        Ok(out)
    }

    /// The key of a binary tuple of the key columns, in key order. `no_value` tells which of them the client left out.
    ///
    /// # Errors
    /// `Protocol`; those of [`Column::accept`]; `MissingKey`.
    pub fn binary_key(&mut self, no_value: impl Fn(usize) -> bool, bytes: &[u8]) -> Result<Key> {
        let tuple = Tuple::parse(bytes, self.schema.key.len())?;
        let mut out = Key::new();
        for (i, column) in self.key_columns().enumerate() {
            let refused = || if no_value(i) { column.missed_key() } else { column.null_refused() };
            let element = tuple.element(i).ok_or_else(refused)?;
            if binary_tuple::is_canonical(element, column.ty) {
                key::push_element(&mut out, element, column.ty)?;
            } else {
                self.buffers.bytes.clear();
                let value = column.accept(binary_tuple::decode(element, column.ty)?)?;
                binary_tuple::encode(&mut self.buffers.bytes, &value, column.ty);
                key::push_element(&mut out, &self.buffers.bytes, column.ty)?;
            }
        }
        Ok(out)
    }

    fn key_columns(&self) -> impl Iterator<Item = &'s Arc<Column>> + use<'s> {
        let schema = self.schema;
        schema.key.iter().filter_map(move |&i| schema.columns.get(i))
    }

    fn finish(&mut self) -> Result<NewTuple> {
        self.buffers.bytes.clear();
        self.buffers.builder.write(&mut self.buffers.bytes);
        let key = self.schema.key_of(&Tuple::parse(&self.buffers.bytes, self.schema.columns.len())?)?;
        Ok(NewTuple { key, row: Row::new(self.schema.version, &self.buffers.bytes) })
    }

    /// The header of a tuple of `len` bytes, were its offsets as narrow as they can be.
    fn width(&self, len: usize, count: usize) -> u8 {
        match len {
            n if n <= 1 + count + 0xFF => 0,
            n if n <= 1 + 2 * count + 0xFFFF => 1,
            _ => 2,
        }
    }
}

/// A null in a key column, as the draft dialect words it.
fn missed_key(error: Error, column: &Column) -> Error {
    match error.kind {
        Kind::MissingKey => column.missed_key(),
        _ => error,
    }
}

fn push_default(builder: &mut Builder, column: &Column, rng: &mut fastrand::Rng) -> Result<()> {
    match &column.default {
        Default::Element(bytes) => builder.push_raw(Some(bytes)),
        Default::RandomUuid => {
            let uuid = Value::Uuid(random_uuid(rng));
            let value = if column.ty == ColumnType::Uuid { uuid } else { Value::Str(uuid.to_string().into()) };
            builder.push(&column.accept(value)?, column.ty);
        }
        Default::None if column.nullable => builder.push_null(),
        Default::None => return Err(column.null_refused()),
    }
    Ok(())
}

/// What a live table has to gain before named values fit: columns for the names it lacks, nullable, without default, in
/// the order they appear. A column's type follows from the value, or is the one that came with it on the wire.
///
/// # Errors
/// `SchemaMismatch` where the table is strict; `LiveSchemaRefused` for a null or a type that no column can be made of;
/// `TypeMismatch` where two tuples of a batch disagree.
pub fn growth<'t>(
    table: &Table,
    named: impl Iterator<Item = (&'t str, &'t Value<'t>, Option<ColumnType>)>,
) -> Result<Vec<Column>> {
    let newest = table.newest();
    let mut columns: Vec<NewColumn> = Vec::new();
    for (name, value, wire) in named {
        if newest.position(name).is_some() {
            continue;
        }
        if !table.live {
            return Err(Error::new(
                Kind::SchemaMismatch,
                format!(
                    "Value doesn't match schema. Table {} is strict and has no column {name}, given the value {value}",
                    table.qualified_name()
                ),
            ));
        }
        let ty = wire.map_or_else(|| live_type(name, value), Ok)?;
        match columns.iter().find(|c| c.name == name) {
            Some(column) if column.ty == ty => {}
            Some(column) => {
                return Err(Error::new(
                    Kind::TypeMismatch,
                    format!(
                        "column {name} would be {} by one tuple of the batch and {ty} by the value {value} of another",
                        column.ty
                    ),
                ));
            }
            None => columns.push(NewColumn {
                name: name.to_owned(),
                ty,
                nullable: true,
                default: NewDefault::Value(Value::Null),
            }),
        }
    }
    if columns.is_empty() { Ok(Vec::new()) } else { table::new_columns(table, &columns) }
}

/// The schema of a table once it has grown.
pub fn grown(table: &Table, columns: &[Column]) -> Arc<Schema> {
    let newest = table.newest();
    if columns.is_empty() {
        return Arc::clone(newest);
    }
    let all = newest.columns.iter().cloned().chain(columns.iter().map(|c| Arc::new(c.clone()))).collect();
    Arc::new(Schema::new(newest.version + 1, all))
}

/// The type of the column that a live schema makes for a value.
fn live_type(name: &str, value: &Value<'_>) -> Result<ColumnType> {
    Ok(match value {
        Value::Bool(_) => ColumnType::Boolean,
        Value::Int(_) => ColumnType::Int64,
        Value::Float(_) => ColumnType::Float,
        Value::Double(_) => ColumnType::Double,
        Value::Decimal(_) => LIVE_DECIMAL,
        Value::Date(_) => ColumnType::Date,
        Value::Time(_) => ColumnType::Time { precision: 6 },
        Value::Datetime(..) => ColumnType::Datetime { precision: 6 },
        Value::Timestamp(_) => ColumnType::Timestamp { precision: 6 },
        Value::Uuid(_) => ColumnType::Uuid,
        Value::Str(_) => ColumnType::String { length: UNLIMITED },
        Value::Bytes(_) => ColumnType::Bytes { length: UNLIMITED },
        Value::Null => {
            return Err(Error::new(
                Kind::LiveSchemaRefused,
                format!("Live schema upgrade for 'null' value is not supported yet: column {name}"),
            ));
        }
        Value::Period(..) | Value::Duration(..) => {
            return Err(Error::new(
                Kind::LiveSchemaRefused,
                format!("Live schema upgrade for type {} is not supported: column {name}", value.type_name()),
            ));
        }
    })
}
