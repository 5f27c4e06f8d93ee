//! What there is, as JDBC shows it: tables, columns, schemas, keys.

use super::super::{Step, check_answer};
use super::put_success;
use crate::error::Result;
use crate::sql::ResultColumn;
use crate::sql::metadata::{self, Pattern, precision_and_scale};
use crate::store::engine::Engine;
use crate::value::ColumnType;
use crate::wire::msgpack::{Reader, Write};

/// Answers tables and views.
pub(super) fn tables(reader: &mut Reader<'_>, engine: &Engine, out: &mut Vec<u8>) -> Result<Step> {
    let (schema, table) = (pattern(reader)?, pattern(reader)?);
    let types = match reader.nil_if_next()? {
        true => None,
        false => {
            let count = reader.array()?;
            Some((0..count).map(|_| reader.str()).collect::<Result<Vec<_>>>()?)
        }
    };
    let found = metadata::relations(engine.catalog(), &schema, &table);
    let found = found.into_iter().filter(|found| found.kind.is_asked_for(types.as_deref()));
    put_list(out, engine, found, |out, found| {
        put_success(out);
        out.put_str(&found.schema);
        out.put_str(&found.name);
        out.put_str(found.kind.name());
    })
}

/// Answers columns.
pub(super) fn columns(reader: &mut Reader<'_>, engine: &Engine, out: &mut Vec<u8>) -> Result<Step> {
    let (schema, table, column) = (pattern(reader)?, pattern(reader)?, pattern(reader)?);
    let found = metadata::columns(engine.catalog(), &schema, &table, &column);
    put_list(out, engine, found, |out, found| {
        put_column(out, Some((&found.schema, &found.table)), &found.name, Some(found.ty), found.nullable);
    })
}

/// Answers the columns of a result.
pub(super) fn put_columns(columns: &[ResultColumn], engine: &Engine, out: &mut Vec<u8>) -> Result<Step> {
    put_list(out, engine, columns.iter(), |out, column| {
        let origin = column.origin.as_ref().map(|origin| (&*origin.schema, &*origin.table));
        put_column(out, origin, &column.name, column.ty, column.nullable);
    })
}

/// Answers schemas.
pub(super) fn schemas(reader: &mut Reader<'_>, engine: &Engine, out: &mut Vec<u8>) -> Result<Step> {
    let schema = pattern(reader)?;
    let found = metadata::schemas(engine.catalog()).into_iter().filter(|name| schema.matches(name));
    put_list(out, engine, found, |out, found| out.put_str(found))
}

/// Answers primary keys: nil if there are none.
pub(super) fn keys(reader: &mut Reader<'_>, engine: &Engine, out: &mut Vec<u8>) -> Result<Step> {
    let (schema, table) = (pattern(reader)?, pattern(reader)?);
    let mut found = metadata::keys(engine.catalog(), &schema, &table).peekable();
    if found.peek().is_none() {
        put_success(out);
        out.put_nil();
        return Ok(Step::Answered);
    }
    put_list(out, engine, found, |out, found| {
        put_success(out);
        out.put_str(&found.schema);
        out.put_str(&found.table);
        out.put_str(&found.name);
        out.put_array(found.columns.len());
        found.columns.iter().for_each(|name| out.put_str(name));
    })
}

fn pattern(reader: &mut Reader<'_>) -> Result<Pattern> {
    Pattern::new(if reader.nil_if_next()? { None } else { Some(reader.str()?) })
}

fn put_column(out: &mut Vec<u8>, table: Option<(&str, &str)>, name: &str, ty: Option<ColumnType>, nullable: bool) {
    let (code, type_name, class) = jdbc_type(ty);
    let (precision, scale) = precision_and_scale(ty);
    put_success(out);
    match table {
        Some((schema, table)) => [schema, table].iter().for_each(|name| out.put_str(name)),
        None => (0..2).for_each(|_| out.put_nil()),
    }
    out.put_str(name);
    out.put_int(code);
    out.put_str(type_name);
    out.put_str(class);
    out.put_bool(nullable);
    out.put_int(precision);
    out.put_int(scale);
}

/// The number in `java.sql.Types`, its name, and the class of its values.
fn jdbc_type(ty: Option<ColumnType>) -> (i64, &'static str, &'static str) {
    match ty {
        None => (0, "NULL", "java.lang.Void"),
        Some(ColumnType::Boolean) => (16, "BOOLEAN", "java.lang.Boolean"),
        Some(ColumnType::Int8) => (-6, "TINYINT", "java.lang.Byte"),
        Some(ColumnType::Int16) => (5, "SMALLINT", "java.lang.Short"),
        Some(ColumnType::Int32) => (4, "INTEGER", "java.lang.Integer"),
        Some(ColumnType::Int64) => (-5, "BIGINT", "java.lang.Long"),
        Some(ColumnType::Float) => (6, "FLOAT", "java.lang.Float"),
        Some(ColumnType::Double) => (8, "DOUBLE", "java.lang.Double"),
        Some(ColumnType::Decimal { .. } | ColumnType::Number { .. }) => (3, "DECIMAL", "java.math.BigDecimal"),
        Some(ColumnType::Date) => (91, "DATE", "java.sql.Date"),
        Some(ColumnType::Time { .. }) => (92, "TIME", "java.sql.Time"),
        Some(ColumnType::Datetime { .. } | ColumnType::Timestamp { .. }) => (93, "TIMESTAMP", "java.sql.Timestamp"),
        Some(ColumnType::String { .. }) => (12, "VARCHAR", "java.lang.String"),
        Some(ColumnType::Bytes { .. }) => (-2, "BINARY", "[B"),
        Some(ColumnType::Uuid) => (1111, "OTHER", "java.util.UUID"),
        Some(ColumnType::Bitmask { .. }) => (1111, "OTHER", "java.util.BitSet"),
        Some(ColumnType::Period | ColumnType::Duration) => (1111, "OTHER", "java.lang.Object"),
    }
}

/// Appends an array.
///
/// # Errors
/// `LimitExceeded` for one that is larger than a frame may be.
fn put_list<T>(
    out: &mut Vec<u8>,
    engine: &Engine,
    items: impl Iterator<Item = T>,
    put: impl Fn(&mut Vec<u8>, &T),
) -> Result<Step> {
    let (mut list, mut count) = (Vec::new(), 0);
    for item in items {
        put(&mut list, &item);
        count += 1;
        check_answer(&list, engine.limits.frame_bytes, "names")?;
    }
    put_success(out);
    out.put_array(count);
    out.extend_from_slice(&list);
    Ok(Step::Answered)
}
