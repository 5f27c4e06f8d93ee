//! The rows of a change's query into the rows that are written.

use super::arrays::value_at;
use super::zone::Zone;
use crate::error::{Error, Kind, Result};
use crate::op::resolve::Resolver;
use crate::op::tuple::Write;
use crate::sql::exec::duplicate_key;
use crate::sql::row;
use crate::sql::{Source, Target};
use crate::store::database::{Database, ROW_OVERHEAD_BYTES};
use crate::store::key::Key;
use crate::store::schema::Schema;
use crate::value::{ColumnType, Value};
use datafusion::arrow::array::RecordBatch;
use std::collections::HashSet;
use std::sync::Arc;

/// Collects a change's writes.
pub struct Collector<'a> {
    target: &'a Target,
    snapshot: &'a Database,
    schema: Arc<Schema>,
    zone: Zone,
    rng: fastrand::Rng,
    /// The query's row at hand.
    row: usize,
    writes: Vec<Write>,
    /// Keys that were written: a row is changed once.
    written: HashSet<Key>,
    bytes: u64,
    count: u64,
}

impl<'a> Collector<'a> {
    /// For a change of the rows of `snapshot`. Random defaults start from `seed`; local times are those of `zone`.
    pub fn new(target: &'a Target, snapshot: &'a Database, seed: u64, zone: Zone) -> Self {
        Self {
            target,
            snapshot,
            schema: Arc::clone(target.table.newest()),
            zone,
            rng: fastrand::Rng::with_seed(seed),
            row: 0,
            writes: Vec::new(),
            written: HashSet::new(),
            bytes: 0,
            count: 0,
        }
    }

    /// Takes the rows of a batch.
    ///
    /// # Errors
    /// What a value is refused with; `OutOfMemory` beyond `bytes_max`.
    pub fn push(&mut self, batch: &RecordBatch, bytes_max: u64) -> Result<()> {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|array| value_at(array, row).map(Value::into_owned));
            let values = values.collect::<Result<Vec<_>>>()?;
            self.take(values)?;
            if self.bytes > bytes_max {
                return Err(Error::new(
                    Kind::OutOfMemory,
                    format!("the statement writes more than {bytes_max} bytes, which are what --max-memory leaves"),
                ));
            }
        }
        Ok(())
    }

    /// The writes, and the number of rows a client is told.
    pub fn finish(self) -> Result<(Vec<Write>, u64)> {
        Ok((self.writes, self.count))
    }

    fn take(&mut self, values: Vec<Value<'static>>) -> Result<()> {
        let keys = self.schema.key.len();
        match &self.target.source {
            Source::Insert { columns, defaults } => {
                let skip: Vec<usize> = defaults.iter().filter(|(row, _)| *row == self.row).map(|(_, c)| *c).collect();
                self.insert(columns, values.into_iter(), &skip)?;
            }
            Source::Update(columns) => {
                let mut values = values.into_iter();
                let key = self.key(values.by_ref().take(keys))?;
                self.update(key, columns, values)?;
            }
            Source::Delete => {
                let key = self.key(values.into_iter())?;
                self.put(Write { key, row: None, new: false });
            }
            Source::Merge { update, insert } => {
                let mut values = values.into_iter();
                let key: Vec<_> = values.by_ref().take(keys).collect();
                let set: Vec<_> = values.by_ref().take(update.as_ref().map_or(0, Vec::len)).collect();
                if key.iter().any(Value::is_null) {
                    if let Some(columns) = insert {
                        self.insert(columns, values, &[])?;
                    }
                } else if let Some(columns) = update {
                    let key = self.key(key.into_iter())?;
                    self.update(key, columns, set.into_iter())?;
                }
            }
        }
        self.row += 1;
        Ok(())
    }

    fn insert(
        &mut self,
        columns: &[usize],
        values: impl Iterator<Item = Value<'static>>,
        skip: &[usize],
    ) -> Result<()> {
        let values = values.zip(columns).enumerate().map(|(place, (value, column))| match skip.contains(&place) {
            true => Ok(None),
            false => self.local(value, *column).map(Some),
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        let tuple = row::inserted(&self.schema, columns, values.into_iter(), &mut self.rng)?;
        if !self.written.insert(tuple.key.clone()) {
            return Err(duplicate_key());
        }
        self.bytes += (tuple.key.len() + tuple.row.bytes().len()) as u64 + ROW_OVERHEAD_BYTES;
        self.put(Write { key: tuple.key, row: Some(tuple.row), new: true });
        Ok(())
    }

    fn update(&mut self, key: Key, columns: &[usize], values: impl Iterator<Item = Value<'static>>) -> Result<()> {
        // A join may find a row more than once: the first stays, and each is counted.
        if !self.written.insert(key.clone()) {
            self.count += u64::from(matches!(self.target.source, Source::Merge { .. }));
            return Ok(());
        }
        let table = &self.target.table;
        let Some(row) = self.snapshot.get(table.id, &key) else { return Ok(()) };
        let values = values.zip(columns).map(|(value, column)| self.local(value, *column));
        let values = values.collect::<Result<Vec<_>>>()?;
        let tuple = row::updated(table, row, columns, values.into_iter(), &mut self.rng)?;
        self.bytes += (tuple.key.len() + tuple.row.bytes().len()) as u64 + ROW_OVERHEAD_BYTES;
        self.put(Write { key: tuple.key, row: Some(tuple.row), new: false });
        Ok(())
    }

    /// The value for a column; local times are points in time in the statement's zone, and the other way around.
    fn local(&self, value: Value<'static>, column: usize) -> Result<Value<'static>> {
        let ty = self.schema.columns.get(column).map(|column| column.ty);
        Ok(match (ty, value) {
            (Some(ColumnType::Timestamp { .. }), Value::Datetime(date, time)) => {
                Value::Timestamp(self.zone.point(date, time)?)
            }
            (Some(ColumnType::Datetime { .. }), Value::Timestamp(at)) => {
                let (date, time) = self.zone.local(at)?;
                Value::Datetime(date, time)
            }
            (_, value) => value,
        })
    }

    fn put(&mut self, write: Write) {
        self.count += 1;
        self.writes.push(write);
    }

    fn key(&mut self, values: impl Iterator<Item = Value<'static>>) -> Result<Key> {
        Resolver::new(&self.schema).key(values)
    }
}
