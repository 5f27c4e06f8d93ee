//! Tables and their schemas.
//!
//! A table's id is an extension of 24 bytes, a UUID and an int64. Requests may also name it by the UUID alone: that is
//! how the protocol's text has it, though its clients never did.

use super::check_answer;
use super::codec::{self, ext};
use super::types::{self, Parameters};
use crate::config::COLUMNS_MAX;
use crate::error::{Error, Kind, Result};
use crate::op::table::{self, Create, NewColumn, NewDefault};
use crate::store::catalog::{Catalog, Table, TableOptions, split_draft_name};
use crate::store::engine::Engine;
use crate::store::schema::Schema;
use crate::value::Value;
use crate::wire::msgpack::{Reader, Write};
use std::collections::HashSet;
use std::sync::Arc;

/// Creates a table: its name, then a map of options, to its id.
///
/// Nobody ever published a layout for this operation, and no known client sends it; this one is our own. Options are
/// `columns` (an array of arrays: name, type code, is key, nullable, and optionally a map of `length`, `precision`,
/// `scale`, `default`; key columns first), `live` and `if_not_exists` (booleans, false if not given).
pub fn create(reader: &mut Reader<'_>, engine: &mut Engine, out: &mut Vec<u8>) -> Result<()> {
    let name = reader.str()?;
    let options = Options::read(reader).map_err(|e| in_table(e, name))?;
    if options.if_not_exists
        && let Some(table) = engine.catalog().table_by_draft_name(name)
    {
        put_id(out, table);
        return Ok(());
    }
    let (schema, object) = split_draft_name(name);
    let key = options.columns.iter().zip(&options.keys).filter(|(_, key)| **key).map(|(c, _)| c.name.clone());
    let create = Create {
        schema: schema.to_owned(),
        name: object.to_owned(),
        draft_name: name.to_owned(),
        key: key.collect(),
        columns: options.columns,
        colocation: Vec::new(),
        live: options.live,
        options: TableOptions::default(),
    };
    let table = table::create(engine, &create).map_err(|e| in_table(e, name))?;
    put_id(out, &table);
    Ok(())
}

/// Drops a table by name; one that does not exist is dropped already.
pub fn drop(reader: &mut Reader<'_>, engine: &mut Engine) -> Result<()> {
    match engine.catalog().table_by_draft_name(reader.str()?).map(|table| table.id) {
        Some(id) => table::drop(engine, id),
        None => Ok(()),
    }
}

/// Lists all tables: a map from id to name.
pub fn all(catalog: &Catalog, out: &mut Vec<u8>) {
    out.put_map(catalog.tables().count());
    for table in catalog.tables() {
        put_id(out, table);
        out.put_str(&table.draft_name);
    }
}

/// Finds a table by name: its id or nil.
pub fn by_name(reader: &mut Reader<'_>, catalog: &Catalog, out: &mut Vec<u8>) -> Result<()> {
    match catalog.table_by_draft_name(reader.str()?) {
        Some(table) => put_id(out, table),
        None => out.put_nil(),
    }
    Ok(())
}

/// Lists the columns of the newest version (nil) or of given versions: a map from version to columns. A version that is
/// asked for twice is answered once.
pub fn schemas(reader: &mut Reader<'_>, engine: &Engine, out: &mut Vec<u8>) -> Result<()> {
    let table = by_id(reader, engine.catalog())?;
    let mut wanted = Vec::new();
    if reader.nil_if_next()? {
        wanted.push(table.newest());
    } else {
        let mut seen = HashSet::new();
        for _ in 0..reader.array()? {
            let schema = version(table, reader.i32()?)?;
            if seen.insert(schema.version) {
                wanted.push(schema);
            }
        }
    }
    let bytes_max = out.len() + engine.limits.frame_bytes;
    out.put_map(wanted.len());
    for schema in wanted {
        out.put_int(schema.version.into());
        put_columns(schema, out);
        check_answer(out, bytes_max, "versions")?;
    }
    Ok(())
}

/// Reads a table's id and finds the table.
///
/// # Errors
/// [`Kind::TableIdUnknown`]; [`Kind::Protocol`] for what is no id.
pub fn by_id<'c>(reader: &mut Reader<'_>, catalog: &'c Catalog) -> Result<&'c Arc<Table>> {
    let (kind, payload) = reader.ext()?;
    let (uuid, local) = match (kind, payload.split_first_chunk::<16>()) {
        (ext::TABLE_ID, Some((uuid, local))) if local.len() == 8 => (uuid, Some(local)),
        (ext::UUID, Some((uuid, []))) => (uuid, None),
        (ext::TABLE_ID | ext::UUID, _) => {
            return Err(Error::protocol(format!(
                "A table id has 24 bytes (extension 9) or 16 (extension 3), but got {} in extension {kind}",
                payload.len()
            )));
        }
        _ => {
            return Err(Error::protocol(format!("Expected Ignite UUID extension (9) or UUID (3), but got {kind}")));
        }
    };
    let uuid = u128::from_be_bytes(*uuid);
    catalog
        .table_by_uuid(uuid)
        .filter(|table| local.is_none_or(|local| local == local_id(table).to_be_bytes()))
        .ok_or_else(|| Error::new(Kind::TableIdUnknown, format!("Table does not exist: {}", Value::Uuid(uuid))))
}

/// The schema version that a request names.
///
/// # Errors
/// [`Kind::SchemaVersionUnknown`].
pub fn version(table: &Table, version: i32) -> Result<&Arc<Schema>> {
    table.schema(version).ok_or_else(|| {
        Error::new(Kind::SchemaVersionUnknown, format!("Incorrect schema version requested: ver={version}"))
    })
}

/// The error for a table that is gone.
pub fn unknown_id(id: u32) -> Error {
    Error::new(Kind::TableIdUnknown, format!("Table does not exist: {id}"))
}

fn put_id(out: &mut Vec<u8>, table: &Table) {
    let mut payload = [0; 24];
    let (uuid, local) = payload.split_at_mut(16);
    uuid.copy_from_slice(&table.uuid.to_be_bytes());
    local.copy_from_slice(&local_id(table).to_be_bytes());
    out.put_ext(ext::TABLE_ID, &payload);
}

/// The second half of a table's id.
fn local_id(table: &Table) -> i64 {
    i64::from(table.id)
}

fn put_columns(schema: &Schema, out: &mut Vec<u8>) {
    out.put_array(schema.draft_order.len());
    for column in schema.draft_order.iter().filter_map(|&i| schema.columns.get(i)) {
        out.put_array(4);
        out.put_str(&column.name);
        out.put_int(types::type_code(column.ty));
        out.put_bool(column.key.is_some());
        out.put_bool(column.nullable);
    }
}

/// The options of a table to be created.
#[derive(Default)]
struct Options {
    columns: Vec<NewColumn>,
    /// Which of the columns belong to the key.
    keys: Vec<bool>,
    live: bool,
    if_not_exists: bool,
}

impl Options {
    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut options = Self::default();
        let mut seen = HashSet::new();
        for _ in 0..reader.map()? {
            let name = reader.str()?;
            if !seen.insert(name) {
                return Err(invalid(format!("Option \"{name}\" is given twice")));
            }
            match name {
                "columns" => options.read_columns(reader)?,
                "live" => options.live = reader.bool().map_err(|e| in_option(e, name))?,
                "if_not_exists" => options.if_not_exists = reader.bool().map_err(|e| in_option(e, name))?,
                _ => {
                    return Err(invalid(format!(
                        "Unknown option \"{name}\"; options are columns, live, if_not_exists"
                    )));
                }
            }
        }
        Ok(options)
    }

    fn read_columns(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let count = reader.array().map_err(|e| in_option(e, "columns"))?;
        if count > COLUMNS_MAX {
            return Err(Error::new(Kind::LimitExceeded, format!("{count} columns, the limit is {COLUMNS_MAX}")));
        }
        for place in 0..count {
            let parts = reader.array()?;
            if !(4..=5).contains(&parts) {
                return Err(invalid(format!(
                    "Column {place} has {parts} parts, expected name, type code, is key, nullable and maybe a map"
                )));
            }
            let name = reader.str()?;
            let (column, is_key) = column(reader, name, parts == 5).map_err(|e| in_column(e, name))?;
            if is_key && self.keys.last() == Some(&false) {
                return Err(invalid(format!("Key column {name} stands after a value column; key columns come first")));
            }
            self.columns.push(column);
            self.keys.push(is_key);
        }
        Ok(())
    }
}

/// What follows a column's name in its definition.
fn column(reader: &mut Reader<'_>, name: &str, has_options: bool) -> Result<(NewColumn, bool)> {
    let code = reader.i64()?;
    let (is_key, nullable) = (reader.bool()?, reader.bool()?);
    let mut parameters = Parameters::default();
    let mut default = None;
    for _ in 0..if has_options { reader.map()? } else { 0 } {
        let option = reader.str()?;
        let number = |reader: &mut Reader<'_>| {
            u32::try_from(reader.u64()?).map_err(|_| invalid(format!("{option} is above {}", u32::MAX)))
        };
        match option {
            "length" => parameters.length = Some(number(reader)?),
            "precision" => parameters.precision = Some(number(reader)?),
            "scale" => parameters.scale = Some(number(reader)?),
            // Its type may depend on options behind it, so it is read last.
            "default" => {
                default = Some(reader.clone());
                reader.skip()?;
            }
            _ => {
                return Err(invalid(format!(
                    "Unknown column option \"{option}\"; options are length, precision, scale, default"
                )));
            }
        }
    }
    let ty = types::column_type(code, parameters)?;
    let default = match default {
        Some(mut reader) => codec::read(&mut reader, ty)?.into_owned(),
        None => Value::Null,
    };
    let default = NewDefault::Value(default);
    Ok((NewColumn { name: name.to_owned(), ty, nullable, default }, is_key))
}

fn invalid(text: String) -> Error {
    Error::new(Kind::InvalidArgument, text)
}

fn in_option(error: Error, option: &str) -> Error {
    Error { message: format!("{} [option={option}]", error.message).into(), ..error }
}

fn in_column(error: Error, column: &str) -> Error {
    Error { message: format!("{} [column={column}]", error.message).into(), ..error }
}

fn in_table(error: Error, table: &str) -> Error {
    match error.kind {
        // These name the table already.
        Kind::TableExists => error,
        _ => Error { message: format!("{} [table={table}]", error.message).into(), ..error },
    }
}
