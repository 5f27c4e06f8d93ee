//! What there is, as a driver's `DatabaseMetaData` shows it.

use super::{Described, put_success};
use crate::door::igni::ga::request::optional_text;
use crate::error::{Error, Kind, Result};
use crate::sql::metadata::{self, Pattern, precision_and_scale};
use crate::store::engine::Engine;
use crate::value::ColumnType;
use crate::wire::msgpack::{Reader, Write};

/// Answers tables and views.
pub(super) fn tables(reader: &mut Reader<'_>, engine: &Engine, out: &mut Vec<u8>) -> Result<bool> {
    let (schema, table) = (pattern(reader)?, pattern(reader)?);
    let types = match reader.nil_if_next()? {
        true => None,
        false => {
            let count = reader.count(1)?;
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
pub(super) fn columns(reader: &mut Reader<'_>, engine: &Engine, out: &mut Vec<u8>) -> Result<bool> {
    let (schema, table, column) = (pattern(reader)?, pattern(reader)?, pattern(reader)?);
    let found = metadata::columns(engine.catalog(), &schema, &table, &column);
    put_list(out, engine, found, |out, found| {
        let (precision, scale) = match found.ty {
            // Not what the columns of a result have.
            ColumnType::Float => (15, metadata::UNDEFINED_SCALE),
            ColumnType::Boolean | ColumnType::Date => (metadata::UNDEFINED_PRECISION, metadata::UNDEFINED_SCALE),
            ty => precision_and_scale(Some(ty)),
        };
        let origin = Some((&*found.schema, &*found.table, &*found.name));
        let (ty, nullable) = (Some(found.ty), found.nullable);
        Described { label: &found.name, origin, ty, nullable, precision, scale }.put(out);
    })
}

/// Answers schemas.
pub(super) fn schemas(reader: &mut Reader<'_>, engine: &Engine, out: &mut Vec<u8>) -> Result<bool> {
    let schema = pattern(reader)?;
    let found = metadata::schemas(engine.catalog()).into_iter().filter(|name| schema.matches(name));
    put_list(out, engine, found, |out, found| out.put_str(found))
}

/// Answers primary keys: nil if there are none.
pub(super) fn keys(reader: &mut Reader<'_>, engine: &Engine, out: &mut Vec<u8>) -> Result<bool> {
    let (schema, table) = (pattern(reader)?, pattern(reader)?);
    let mut found = metadata::keys(engine.catalog(), &schema, &table).peekable();
    if found.peek().is_none() {
        put_success(out);
        out.put_nil();
        return Ok(true);
    }
    put_list(out, engine, found, |out, found| {
        out.put_str(&found.schema);
        out.put_str(&found.table);
        out.put_str(&found.name);
        out.put_int(found.columns.len() as i64);
        found.columns.iter().for_each(|name| out.put_str(name));
    })
}

fn pattern(reader: &mut Reader<'_>) -> Result<Pattern> {
    Pattern::new(optional_text(reader)?)
}

/// Appends a counted list.
///
/// # Errors
/// `LimitExceeded` for one that is larger than a frame may be.
fn put_list<T>(
    out: &mut Vec<u8>,
    engine: &Engine,
    items: impl Iterator<Item = T>,
    put: impl Fn(&mut Vec<u8>, &T),
) -> Result<bool> {
    let (mut list, mut count) = (Vec::new(), 0);
    let limit = engine.limits.frame_bytes;
    for item in items {
        put(&mut list, &item);
        count += 1;
        if list.len() > limit {
            let text = format!("The answer takes more than {limit} bytes: ask for fewer names at once");
            return Err(Error::new(Kind::LimitExceeded, text));
        }
    }
    put_success(out);
    out.put_int(count);
    out.extend_from_slice(&list);
    Ok(true)
}
