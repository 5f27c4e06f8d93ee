//! Tuples as maps from column name to value, and the live schema that grows by them.
//!
//! A request is read twice: first for the names that the newest schema lacks, which become columns of one new version,
//! then for its tuples as rows of that version. Nothing is changed before both have succeeded, and the new version is part
//! of the commit that writes the rows.

use super::opcode::{Action, Carries, Columns, Form};
use super::tuples::{self, Source, in_column, in_table};
use super::{Step, codec, tables};
use crate::config::COLUMNS_MAX;
use crate::error::{Error, Kind, Result};
use crate::op::exec::Operation;
use crate::op::resolve::{self, Resolver};
use crate::op::tuple::NewTuple;
use crate::store::catalog::Table;
use crate::store::column::Column;
use crate::store::engine::Engine;
use crate::store::key::Key;
use crate::store::schema::Schema;
use crate::store::tx::Ticket;
use crate::value::{ColumnType, Value};
use crate::wire::msgpack::Reader;
use smallvec::SmallVec;
use std::collections::HashSet;
use std::sync::Arc;

/// Runs an operation on tuples that are maps.
///
/// # Errors
/// Those of reading the request, of growing the schema, of resolving its tuples and of running it; nothing is changed
/// then.
pub fn run(
    action: Action,
    reader: &mut Reader<'_>,
    engine: &mut Engine,
    ticket: Ticket,
    out: &mut Vec<u8>,
) -> Result<Step> {
    let table = Arc::clone(tables::by_id(reader, engine.catalog())?);
    let grow = growth(&table, reader.clone(), action.request().0)?;
    let schema = resolve::grown(&table, &grow);
    let (run, sent) = tuples::read(action, &mut Schemaless::new(&table, &schema, reader, &mut engine.rng))?;
    let operation = Operation { table: Arc::clone(&table), grow, action: run };
    tuples::execute_and_answer(engine, ticket, operation, &sent, action.answer(Form::Schemaless), out)
}

/// The columns that the tuples of a request need and the table lacks.
fn growth(table: &Arc<Table>, mut reader: Reader<'_>, carries: Carries) -> Result<Vec<Column>> {
    let newest = table.newest();
    let tuples = match carries {
        Carries::One => 1,
        Carries::Two => 2,
        Carries::Many => reader.array()?,
    };
    let mut seen = HashSet::new();
    let mut unknown: Vec<(&str, Value<'_>, ColumnType)> = Vec::new();
    for _ in 0..tuples {
        for _ in 0..reader.map()? {
            let name = reader.str()?;
            if newest.position(name).is_some() {
                reader.skip()?;
                continue;
            }
            let (ty, value) = inferred(table, name, &mut reader)?;
            // More than a table can have are refused whatever they are.
            if seen.insert((name, ty)) && unknown.len() <= COLUMNS_MAX {
                unknown.push((name, value, ty));
            }
        }
    }
    let named = unknown.iter().map(|(name, value, ty)| (*name, value, Some(*ty)));
    resolve::growth(table, named).map_err(|e| in_table(e, table))
}

/// The value of an unknown column, and the type the column would have.
fn inferred<'a>(table: &Arc<Table>, name: &'a str, reader: &mut Reader<'a>) -> Result<(ColumnType, Value<'a>)> {
    codec::read_inferred(reader).map_err(|error| match error.kind {
        Kind::Protocol => error,
        _ => {
            let value = codec::describe(&mut reader.clone()).unwrap_or_else(|_| "?".to_owned());
            let text = match table.live {
                true => format!("{} [table={}, column={name}, value={value}]", error.message, table.draft_name),
                false => format!(
                    "Value doesn't match schema. Table {} is strict and has no column {name}, given the value {value}",
                    table.draft_name
                ),
            };
            Error::new(if table.live { error.kind } else { Kind::SchemaMismatch }, text)
        }
    })
}

/// Reads tuples whose names all belong to one schema.
struct Schemaless<'a, 'r, 't> {
    table: &'t Arc<Table>,
    schema: &'t Schema,
    reader: &'r mut Reader<'a>,
    rng: &'r mut fastrand::Rng,
    resolver: Resolver<'t>,
    /// Values by their place in the schema; the inner `None` was given as nil.
    slots: SmallVec<[Option<Option<Value<'a>>>; 8]>,
}

impl<'a, 'r, 't> Schemaless<'a, 'r, 't> {
    fn new(table: &'t Arc<Table>, schema: &'t Schema, reader: &'r mut Reader<'a>, rng: &'r mut fastrand::Rng) -> Self {
        let slots = std::iter::repeat_n(None, schema.columns.len()).collect();
        Self { table, schema, reader, rng, resolver: Resolver::new(schema), slots }
    }

    /// An error of the tuple that begins at `reader`, told with the place of the value.
    fn located(&self, error: Error, mut reader: Reader<'a>) -> Error {
        let mut pairs = reader.map().unwrap_or_default();
        tuples::in_tuple(error, self.table, || {
            pairs = pairs.checked_sub(1)?;
            let column = self.schema.columns.get(self.schema.position(reader.str().ok()?)?)?;
            let at = reader.clone();
            reader.skip().ok()?;
            Some((column.as_ref(), at))
        })
    }
}

impl<'a> Source<'a> for Schemaless<'a, '_, '_> {
    const ECHOES_BYTES: bool = true;

    fn tuple(&mut self) -> Result<NewTuple> {
        let start = self.reader.clone();
        for _ in 0..self.reader.map()? {
            let name = self.reader.str()?;
            let place = self.schema.position(name);
            let found = place.and_then(|place| Some((self.schema.columns.get(place)?, self.slots.get_mut(place)?)));
            let (column, slot) = found.ok_or_else(|| {
                Error::new(Kind::Internal, format!("column {name} is in the tuple but not in the schema made for it"))
            })?;
            if slot.is_some() {
                return Err(Error::new(
                    Kind::InvalidArgument,
                    format!("Column {name} is given twice in one tuple [table={}]", self.table.draft_name),
                ));
            }
            let value = codec::read(self.reader, column.ty);
            let value = value.map_err(|e| in_column(e, self.table, column, self.reader))?;
            *slot = Some(Some(value).filter(|value| !value.is_null()));
        }
        let values = self.slots.iter_mut().map(|slot| slot.take().flatten());
        self.resolver.tuple(values, self.rng).map_err(|e| self.located(e, start))
    }

    fn key(&mut self) -> Result<Key> {
        Err(Error::new(Kind::UnknownOperation, "Operations on keys have no schemaless form"))
    }

    fn count(&mut self, _columns: Columns) -> Result<usize> {
        self.reader.array()
    }

    fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }
}
