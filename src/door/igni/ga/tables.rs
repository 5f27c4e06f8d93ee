//! Which tables there are, and their schemas.

use super::{names, schema};
use crate::config::SCHEMA_VERSIONS_MAX;
use crate::error::{Error, Kind, Result};
use crate::store::catalog::{Catalog, Table};
use crate::wire::msgpack::{Reader, Write};
use std::sync::Arc;

/// Reads a table's id and finds the table.
///
/// # Errors
/// `TableIdUnknown` if it does not exist, or was dropped.
pub fn by_id(reader: &mut Reader<'_>, catalog: &Catalog) -> Result<Arc<Table>> {
    let id = reader.i64()?;
    u32::try_from(id).ok().and_then(|id| catalog.table(id)).cloned().ok_or_else(|| {
        Error::new(Kind::TableIdUnknown, format!("Table does not exist or was dropped concurrently: {id}"))
    })
}

/// Answers all tables by name.
pub fn all(catalog: &Catalog, out: &mut Vec<u8>) {
    out.put_int(catalog.tables().count() as i64);
    for table in catalog.tables() {
        out.put_int(table.id.into());
        out.put_str(&names::quoted(&table.name));
    }
}

/// Answers all tables by qualified name.
pub fn all_qualified(catalog: &Catalog, out: &mut Vec<u8>) {
    out.put_int(catalog.tables().count() as i64);
    catalog.tables().for_each(|table| put_qualified(out, table));
}

/// Answers one table, or nil.
pub fn by_name(reader: &mut Reader<'_>, catalog: &Catalog, out: &mut Vec<u8>) -> Result<()> {
    let (schema, name) = names::parse_canonical(reader.str()?)?;
    match catalog.table_by_name(&schema, &name) {
        None => out.put_nil(),
        Some(table) => {
            out.put_int(table.id.into());
            out.put_str(&names::quoted(&table.name));
        }
    }
    Ok(())
}

/// Answers one table by its qualified name, which is compared exactly, or nil.
pub fn by_qualified_name(reader: &mut Reader<'_>, catalog: &Catalog, out: &mut Vec<u8>) -> Result<()> {
    let (schema, name) = (reader.str()?, reader.str()?);
    match catalog.table_by_name(schema, name) {
        None => out.put_nil(),
        Some(table) => put_qualified(out, table),
    }
    Ok(())
}

/// Answers schemas of one table: the newest for nil, else the named versions.
pub fn schemas(reader: &mut Reader<'_>, catalog: &Catalog, out: &mut Vec<u8>) -> Result<()> {
    let table = by_id(reader, catalog)?;
    if reader.nil_if_next()? {
        out.put_int(1);
        schema::put(out, table.newest());
        return Ok(());
    }
    let count = reader.count(1)?;
    if count > SCHEMA_VERSIONS_MAX {
        return Err(Error::new(
            Kind::LimitExceeded,
            format!("The request asks for {count} schema versions, the limit is {SCHEMA_VERSIONS_MAX}"),
        ));
    }
    out.put_int(count as i64);
    for _ in 0..count {
        let version = reader.i32()?;
        let found = table.schema(version).ok_or_else(|| {
            let newest = table.newest().version;
            let name = table.qualified_name();
            Error::new(
                Kind::SchemaVersionUnknown,
                format!("Table {name} has no schema version {version}, the newest is {newest}"),
            )
        })?;
        schema::put(out, found);
    }
    Ok(())
}

fn put_qualified(out: &mut Vec<u8>, table: &Table) {
    out.put_int(table.id.into());
    out.put_str(&table.schema_name);
    out.put_str(&table.name);
}
