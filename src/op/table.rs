//! Creating, changing and dropping tables: the checks, then one change of the catalog.

use crate::config::{COLUMNS_MAX, NAME_BYTES_MAX};
use crate::error::{Error, Kind, Result};
use crate::store::catalog::{Change, NewTable, Table, TableOptions};
use crate::store::column::{Column, Default};
use crate::store::engine::Engine;
use crate::store::objects::Index;
use crate::value::{ColumnType, Value};
use crate::wire::binary_tuple;
use std::collections::HashSet;
use std::sync::Arc;

/// A table to be created.
#[derive(Debug, Clone)]
pub struct Create {
    /// The SQL schema.
    pub schema: String,
    /// The name in it.
    pub name: String,
    /// The name the draft dialect shows.
    pub draft_name: String,
    /// In table order.
    pub columns: Vec<NewColumn>,
    /// Names of the key columns, in key order.
    pub key: Vec<String>,
    /// Names of the colocation columns, in their order; empty for those of the key.
    pub colocation: Vec<String>,
    /// Whether tuples with unknown columns make the schema grow.
    pub live: bool,
    /// What has no effect on one node.
    pub options: TableOptions,
}

/// A column to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ColumnType,
    /// Whether it may be null; ignored for key columns, which may not.
    pub nullable: bool,
    /// What a tuple gets that brings no value.
    pub default: NewDefault,
}

/// A default as a statement or an option gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum NewDefault {
    /// This value; null for none.
    Value(Value<'static>),
    /// A random UUID for each tuple.
    RandomUuid,
}

/// Creates a table.
///
/// # Errors
/// `TableExists`; `InvalidArgument` for names, keys and defaults that cannot be.
pub fn create(engine: &mut Engine, create: &Create) -> Result<Arc<Table>> {
    check_name("table", &create.name)?;
    check_name("schema", &create.schema)?;
    let catalog = engine.catalog();
    if catalog.table_by_name(&create.schema, &create.name).is_some() {
        return Err(Error::new(
            Kind::TableExists,
            format!("Table with name '{}.{}' already exists.", create.schema, create.name),
        ));
    }
    if let Some(index) = catalog.index_by_name(&create.schema, &create.name) {
        return Err(Error::new(
            Kind::TableExists,
            format!("Index with name '{}.{}' already exists.", create.schema, index.name),
        ));
    }
    let columns = columns(create)?;
    let id = catalog.next_table_id();
    // A seeded server draws again what it drew in an earlier life.
    let mut uuid = engine.random_uuid();
    while engine.catalog().table_by_uuid(uuid).is_some() {
        uuid = engine.random_uuid();
    }
    let new = NewTable {
        id,
        uuid,
        schema_name: create.schema.as_str().into(),
        name: create.name.as_str().into(),
        draft_name: create.draft_name.as_str().into(),
        live: create.live,
        options: create.options.clone(),
        columns,
    };
    engine.change(&Change::CreateTable(Box::new(new)))?;
    engine
        .catalog()
        .table(id)
        .cloned()
        .ok_or_else(|| Error::new(Kind::Internal, format!("table {id} vanished as it was created")))
}

/// Drops a table with its rows.
pub fn drop(engine: &mut Engine, id: u32) -> Result<()> {
    engine.change(&Change::DropTable { id }).map(|_| ())
}

/// Adds columns, in one new schema version.
///
/// # Errors
/// `ColumnExists`; `InvalidArgument`. A NOT NULL column without default is accepted, as Ignite 3.1.0 does: rows that
/// were there before read null.
pub fn add_columns(engine: &mut Engine, table: &Table, columns: &[NewColumn]) -> Result<()> {
    let add = new_columns(table, columns)?;
    engine.change(&Change::AlterTable { id: table.id, add, drop: Vec::new() }).map(|_| ())
}

/// Drops columns, in one new schema version.
///
/// # Errors
/// `ColumnNotFound`; `InvalidArgument` for a key column.
pub fn drop_columns(engine: &mut Engine, table: &Table, names: &[String]) -> Result<()> {
    let (newest, objects) = (table.newest(), engine.catalog().objects());
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        let column = newest.position(name).and_then(|i| newest.columns.get(i)).ok_or_else(|| {
            Error::new(
                Kind::ColumnNotFound,
                format!("Column with name '{name}' not found in table '{}'.", table.qualified_name()),
            )
        })?;
        if column.key.is_some() || column.colocation.is_some() {
            return Err(Error::new(
                Kind::InvalidArgument,
                format!("Deleting column `{name}` belonging to primary key is not allowed."),
            ));
        }
        let used = |index: &&Arc<Index>| index.columns.iter().any(|(id, _)| *id == column.id);
        let indexes: Vec<&str> = objects.indexes_of(table.id).filter(used).map(|index| &*index.name).collect();
        if !indexes.is_empty() {
            return Err(Error::new(
                Kind::InvalidArgument,
                format!("Deleting column '{name}' used by index(es) [{}], it is not allowed.", indexes.join(", ")),
            ));
        }
        ids.push(column.id);
    }
    engine.change(&Change::AlterTable { id: table.id, add: Vec::new(), drop: ids }).map(|_| ())
}

/// What is to become of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnChange {
    /// Its new type.
    pub ty: Option<ColumnType>,
    /// Whether it may be null.
    pub nullable: Option<bool>,
    /// Its new default.
    pub default: Option<Value<'static>>,
}

/// Changes a column, in one new schema version, as Ignite allows it: only so that every value it had is one that it may
/// have. Rows stay as they are, since the bytes of a value are the same in the wider type.
///
/// # Errors
/// `InvalidArgument` for changes that would not fit what is stored; those of [`Column::accept`] for the default.
pub fn alter_column(engine: &mut Engine, table: &Table, old: &Column, change: &ColumnChange) -> Result<()> {
    let mut new = old.clone();
    if let Some(ty) = change.ty {
        check_type(old, ty)?;
        new.ty = ty;
    }
    match change.nullable {
        Some(false) if old.nullable => return Err(not_allowed("Adding NOT NULL constraint")),
        Some(true) if old.key.is_some() => return Err(not_allowed("Dropping NOT NULL constraint on key column")),
        Some(nullable) => new.nullable = nullable,
        None => {}
    }
    if let Some(value) = &change.default {
        new.default = constant(&new, value)?;
        new.filler = Some(old.filler()).filter(|filler| **filler != new.default).cloned();
    }
    if new == *old {
        return Ok(());
    }
    engine.change(&Change::AlterColumns { id: table.id, columns: vec![new] }).map(|_| ())
}

/// Ignite's rules: numbers may become wider, and texts, bytes and decimals longer.
fn check_type(old: &Column, new: ColumnType) -> Result<()> {
    use ColumnType as T;
    if old.ty == new {
        return Ok(());
    }
    let of_type = |what: &str| not_allowed(format!("{what} for column of type '{}'", type_name(old.ty)));
    if old.key.is_some() {
        return Err(not_allowed("Changing the type of key column"));
    }
    match (old.ty, new) {
        (T::Int8, T::Int16 | T::Int32 | T::Int64) | (T::Int16, T::Int32 | T::Int64) | (T::Int32, T::Int64) => Ok(()),
        (T::Float, T::Double) => Ok(()),
        (T::Decimal { precision: old, scale }, T::Decimal { precision: new, scale: kept }) => {
            if kept != scale {
                return Err(of_type("Changing the scale"));
            }
            if new < old { Err(of_type("Decreasing the precision")) } else { Ok(()) }
        }
        (T::String { length: old }, T::String { length: new })
        | (T::Bytes { length: old }, T::Bytes { length: new }) => {
            if new < old {
                Err(of_type("Decreasing the length"))
            } else {
                Ok(())
            }
        }
        (T::Time { .. }, T::Time { .. })
        | (T::Datetime { .. }, T::Datetime { .. })
        | (T::Timestamp { .. }, T::Timestamp { .. }) => Err(of_type("Changing the precision")),
        (old, new) => Err(not_allowed(format!("Changing the type from {} to {}", type_name(old), type_name(new)))),
    }
}

/// A type as a real node names it.
fn type_name(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Bytes { .. } => "BYTE_ARRAY",
        ty => ty.name(),
    }
}

fn not_allowed(what: impl std::fmt::Display) -> Error {
    Error::new(Kind::InvalidArgument, format!("{what} is not allowed."))
}

/// Makes a table live or strict.
pub fn set_live(engine: &mut Engine, id: u32, live: bool) -> Result<()> {
    engine.change(&Change::SetLive { id, live }).map(|_| ())
}

/// The columns that a table gains, with the ids they get.
pub fn new_columns(table: &Table, columns: &[NewColumn]) -> Result<Vec<Column>> {
    let newest = table.newest();
    let total = newest.columns.len() + columns.len();
    if total > COLUMNS_MAX {
        return Err(Error::new(
            Kind::LimitExceeded,
            format!("table {} would have {total} columns, the limit is {COLUMNS_MAX}", table.qualified_name()),
        ));
    }
    let mut added = HashSet::new();
    (table.next_column_id()..)
        .zip(columns)
        .map(|(id, new)| {
            if newest.position(&new.name).is_some() || !added.insert(new.name.as_str()) {
                return Err(Error::new(Kind::ColumnExists, format!("Column with name '{}' already exists.", new.name)));
            }
            column(id, new, None, None)
        })
        .collect()
}

fn columns(create: &Create) -> Result<Vec<Column>> {
    if create.key.is_empty() {
        return Err(Error::new(
            Kind::InvalidArgument,
            format!("Table without PRIMARY KEY is not supported: {}", create.name),
        ));
    }
    if create.columns.len() > COLUMNS_MAX {
        return Err(Error::new(
            Kind::LimitExceeded,
            format!("table {} would have {} columns, the limit is {COLUMNS_MAX}", create.name, create.columns.len()),
        ));
    }
    let mut names = HashSet::new();
    if let Some(twice) = create.columns.iter().find(|c| !names.insert(c.name.as_str())) {
        return Err(Error::new(
            Kind::ColumnExists,
            format!("Column with name '{}' specified more than once.", twice.name),
        ));
    }
    check_references(create, "Primary key", &create.key, &names)?;
    check_references(create, "Colocation", &create.colocation, &names)?;
    if let Some(outside) = create.colocation.iter().find(|c| !create.key.contains(c)) {
        return Err(Error::new(Kind::InvalidArgument, format!("Colocation column '{outside}' is not part of PK.")));
    }
    let place = |list: &[String], name: &str| list.iter().position(|n| n == name).and_then(|i| u16::try_from(i).ok());
    (1..)
        .zip(&create.columns)
        .map(|(id, new)| column(id, new, place(&create.key, &new.name), place(&create.colocation, &new.name)))
        .collect()
}

fn check_references(create: &Create, what: &str, list: &[String], names: &HashSet<&str>) -> Result<()> {
    let mut seen = HashSet::new();
    for name in list {
        if !names.contains(name.as_str()) {
            return Err(Error::new(
                Kind::ColumnNotFound,
                format!("{what} column '{name}' is not a column of table {}.", create.name),
            ));
        }
        if !seen.insert(name) {
            return Err(Error::new(Kind::InvalidArgument, format!("{what} column '{name}' specified more than once.")));
        }
    }
    Ok(())
}

fn column(id: i64, new: &NewColumn, key: Option<u16>, colocation: Option<u16>) -> Result<Column> {
    check_name("column", &new.name)?;
    if key.is_some() && matches!(new.ty, ColumnType::Period | ColumnType::Duration) {
        return Err(Error::new(
            Kind::InvalidArgument,
            format!("column {} of type {} cannot be a key", new.name, new.ty),
        ));
    }
    let mut column = Column {
        id,
        name: new.name.as_str().into(),
        ty: new.ty,
        nullable: new.nullable && key.is_none(),
        default: Default::None,
        filler: None,
        key,
        colocation,
    };
    column.default = match &new.default {
        NewDefault::RandomUuid if matches!(new.ty, ColumnType::Uuid | ColumnType::String { .. }) => Default::RandomUuid,
        NewDefault::RandomUuid => {
            return Err(Error::new(
                Kind::InvalidArgument,
                format!("a random UUID cannot be the default of column {} of type {}", new.name, new.ty),
            ));
        }
        NewDefault::Value(value) => constant(&column, value)?,
    };
    Ok(column)
}

fn constant(column: &Column, value: &Value<'static>) -> Result<Default> {
    if *value == Value::Null {
        return Ok(Default::None);
    }
    let mut element = Vec::new();
    binary_tuple::encode(&mut element, &column.accept(value.clone())?, column.ty);
    Ok(Default::Element(element.into()))
}

pub(super) fn check_name(what: &str, name: &str) -> Result<()> {
    match name.len() {
        0 => Err(Error::new(Kind::InvalidArgument, format!("a {what} needs a name"))),
        n if n > NAME_BYTES_MAX => {
            let shown: String = name.chars().take(32).collect();
            Err(Error::new(
                Kind::LimitExceeded,
                format!("the {what} name {shown}... has {n} bytes, the limit is {NAME_BYTES_MAX}"),
            ))
        }
        _ => Ok(()),
    }
}
