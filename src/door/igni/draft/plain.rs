//! Tuples in the order of a schema version.
//!
//! A request names the version that its values are packed for. They are matched by column name with the newest version,
//! which is also the one that answers are packed for; a client that does not know it asks for it. A nil brings no value:
//! the column gets its default, else null.

use super::opcode::{Action, Columns, Form};
use super::tuples::{self, Source, in_column, positions};
use super::{Step, codec, tables};
use crate::error::{Error, Kind, Result};
use crate::op::exec::Operation;
use crate::op::resolve::Resolver;
use crate::op::tuple::NewTuple;
use crate::store::catalog::Table;
use crate::store::engine::Engine;
use crate::store::key::Key;
use crate::store::schema::Schema;
use crate::store::tx::Ticket;
use crate::value::Value;
use crate::wire::binary_tuple::Buffers;
use crate::wire::msgpack::Reader;
use smallvec::SmallVec;
use std::sync::Arc;

/// Runs an operation on tuples in schema order.
///
/// # Errors
/// Those of reading the request, of resolving its tuples and of running it; nothing is changed then.
pub fn run(
    action: Action,
    reader: &mut Reader<'_>,
    engine: &mut Engine,
    ticket: Ticket,
    out: &mut Vec<u8>,
) -> Result<Step> {
    let table = Arc::clone(tables::by_id(reader, engine.catalog())?);
    let schema = tables::version(&table, reader.i32()?)?;
    let buffers = std::mem::take(&mut engine.buffers);
    let mut source = Plain::new(&table, schema, reader, &mut engine.rng, buffers);
    let read = tuples::read(action, &mut source);
    engine.buffers = source.resolver.into_buffers();
    let (run, sent) = read?;
    let operation = Operation { table: Arc::clone(&table), grow: Vec::new(), action: run };
    tuples::execute_and_answer(engine, ticket, operation, &sent, action.answer(Form::Plain), out)
}

/// Values of one tuple by their place in the newest schema.
type Slots<'a> = SmallVec<[Option<Value<'a>>; 8]>;

/// Reads tuples packed for one schema version.
struct Plain<'a, 'r, 't> {
    table: &'t Arc<Table>,
    schema: &'t Schema,
    newest: &'t Schema,
    reader: &'r mut Reader<'a>,
    rng: &'r mut fastrand::Rng,
    resolver: Resolver<'t>,
    slots: Slots<'a>,
}

impl<'a, 'r, 't> Plain<'a, 'r, 't> {
    fn new(
        table: &'t Arc<Table>,
        schema: &'t Schema,
        reader: &'r mut Reader<'a>,
        rng: &'r mut fastrand::Rng,
        buffers: Buffers,
    ) -> Self {
        let newest: &Schema = table.newest();
        let slots = std::iter::repeat_n(None, newest.columns.len()).collect();
        Self { table, schema, newest, reader, rng, resolver: Resolver::with_buffers(newest, buffers), slots }
    }

    /// Reads the values of some columns into their slots.
    fn fill(&mut self, columns: Columns) -> Result<()> {
        for &place in positions(self.schema, columns) {
            let Some(column) = self.schema.columns.get(place) else { continue };
            let value = codec::read(self.reader, column.ty);
            let value = value.map_err(|e| in_column(e, self.table, column, self.reader))?;
            if value.is_null() {
                continue;
            }
            let target = match self.schema.version == self.newest.version {
                true => Some(place),
                false => self.newest.position(&column.name),
            };
            match target.and_then(|target| self.slots.get_mut(target)) {
                Some(slot) => *slot = Some(value),
                None => {
                    return Err(Error::new(
                        Kind::SchemaMismatch,
                        format!(
                            "Value doesn't match schema. Table {} has dropped column {}, given the value {value}",
                            self.table.draft_name, column.name
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// An error of the tuple that begins at `reader`, told with the place of the value.
    fn located(&self, error: Error, mut reader: Reader<'a>, columns: Columns) -> Error {
        let mut places = positions(self.schema, columns).iter();
        tuples::in_tuple(error, self.table, || {
            let column = self.schema.columns.get(*places.next()?)?;
            let at = reader.clone();
            reader.skip().ok()?;
            let newest = self.newest.columns.get(self.newest.position(&column.name)?)?;
            Some((newest.as_ref(), at))
        })
    }
}

impl<'a> Source<'a> for Plain<'a, '_, '_> {
    const ECHOES_BYTES: bool = false;

    fn tuple(&mut self) -> Result<NewTuple> {
        let start = self.reader.clone();
        self.fill(Columns::All)?;
        let values = self.slots.iter_mut().map(Option::take);
        self.resolver.tuple(values, self.rng).map_err(|e| self.located(e, start, Columns::All))
    }

    fn key(&mut self) -> Result<Key> {
        let start = self.reader.clone();
        self.fill(Columns::Key)?;
        let mut missed = None;
        let slots = &mut self.slots;
        let values = self.newest.key.iter().map_while(|&place| {
            let value = slots.get_mut(place).and_then(Option::take);
            if value.is_none() {
                missed = self.newest.columns.get(place);
            }
            value
        });
        let key = self.resolver.key(values);
        match missed {
            Some(column) => Err(column.missed_key()),
            None => key.map_err(|e| self.located(e, start, Columns::Key)),
        }
    }

    fn count(&mut self, columns: Columns) -> Result<usize> {
        self.reader.count(positions(self.schema, columns).len())
    }

    fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }
}
