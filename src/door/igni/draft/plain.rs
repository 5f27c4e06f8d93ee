//! Tuples in the order of a schema version.
//!
//! A request names the version that its values are packed for. They are matched by column name with the newest version,
//! which is also the one that answers are packed for; a client that does not know it asks for it. A nil brings no value:
//! the column gets its default, else null.

use super::opcode::{Action, Columns, Form};
use super::tuples::{self, Source, in_column, in_table, positions};
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
}

impl<'a> Source<'a> for Plain<'a, '_, '_> {
    const ECHOES_BYTES: bool = false;

    fn tuple(&mut self) -> Result<NewTuple> {
        self.fill(Columns::All)?;
        let values = self.slots.iter_mut().map(Option::take);
        self.resolver.tuple(values, self.rng).map_err(|e| in_table(e, self.table))
    }

    fn key(&mut self) -> Result<Key> {
        self.fill(Columns::Key)?;
        let slots = &mut self.slots;
        let values = self.newest.key.iter().map(|&place| slots.get_mut(place).and_then(Option::take));
        let values = values.map(|value| value.unwrap_or(Value::Null));
        self.resolver.key(values).map_err(|e| in_table(e, self.table))
    }

    fn count(&mut self, columns: Columns) -> Result<usize> {
        self.reader.count(positions(self.schema, columns).len())
    }

    fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }
}
