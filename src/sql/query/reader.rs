//! Rows of the map as batches of columns.
//!
//! Rows that were written at different times lie all over the heap, and a scan that waits for one row after the other
//! spends most of its time waiting: a cache miss costs more than reading all of a short row. Therefore rows are gathered
//! in chunks, and the first thing that happens to a chunk is one load from each of its rows. Those loads do not depend on
//! one another, so the processor waits for several of them at once. Then the chunk is read column by column, so that what
//! a column's type asks for is decided once a chunk and not once a value.

use super::arrays::ColumnBuilder;
use super::index::cache::Ordered;
use super::range::Span;
use super::scan::external;
use crate::error::Result;
use crate::store::catalog::Table;
use crate::store::database::Rows;
use crate::store::row::Row;
use crate::store::schema::Schema;
use crate::value::{ColumnType, Value};
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// Rows of one chunk: their bytes stay in the nearest cache while their columns are read.
const CHUNK_ROWS: usize = 64;

/// Reads batches, one span of keys after the other.
pub struct Reader {
    /// What is read of a row.
    pub columns: Columns,
    /// The rows.
    pub rows: Rows,
    /// The index that they come from: it counts as used while it is read.
    pub index: Option<Arc<Ordered>>,
    /// The spans that are left, the next one last.
    pub spans: Vec<Span>,
    /// Whether spans are read from their ends.
    pub backward: bool,
    /// Rows that are read at most.
    pub left: usize,
    /// Rows of a batch.
    pub batch_rows: usize,
    /// Bytes of the rows of a batch, give or take a row.
    pub batch_bytes: usize,
}

impl Reader {
    /// The next batch; none is the end.
    ///
    /// # Errors
    /// What a row holds that a query cannot calculate with.
    pub fn next_batch(&mut self) -> datafusion::common::Result<Option<RecordBatch>> {
        let wanted = self.batch_rows.min(self.left);
        let mut builders = self.columns.builders(wanted);
        let mut chunk = Vec::with_capacity(CHUNK_ROWS);
        let (mut count, mut bytes) = (0, 0);
        while count < wanted && bytes < self.batch_bytes {
            let Some(span) = self.spans.pop() else { break };
            let mut last = None;
            let mut range = self.rows.range(span.bounds());
            while let Some((key, row)) = if self.backward { range.next_back() } else { range.next() } {
                if count == wanted || bytes >= self.batch_bytes {
                    break;
                }
                bytes += row.bytes().len();
                count += 1;
                last = Some(key);
                chunk.push(row);
                if chunk.len() == CHUNK_ROWS {
                    self.columns.read(&chunk, &mut builders).map_err(external)?;
                    chunk.clear();
                }
            }
            if (count == wanted || bytes >= self.batch_bytes)
                && let Some(last) = last
            {
                self.spans.push(if self.backward { span.before(last) } else { span.after(last) });
            }
        }
        self.columns.read(&chunk, &mut builders).map_err(external)?;
        if count == 0 {
            return Ok(None);
        }
        self.left -= count;
        self.columns.batch(builders, count).map(Some)
    }
}

/// The columns that are read of a table's rows.
pub struct Columns {
    table: Arc<Table>,
    projection: Vec<usize>,
    types: Vec<ColumnType>,
    schema: SchemaRef,
    versions: Vec<Version>,
}

/// How rows of one schema version are read.
struct Version {
    version: i32,
    schema: Arc<Schema>,
    /// Of each projected column.
    places: Vec<Place>,
}

/// Where a column is found in a row.
enum Place {
    At(usize),
    /// The row lacks the column, whose default this is.
    Default(Value<'static>),
}

impl Columns {
    /// The columns of `projection`, which `schema` describes.
    pub fn new(table: Arc<Table>, projection: Vec<usize>, schema: SchemaRef) -> Self {
        let newest = &table.newest().columns;
        let types = projection.iter().filter_map(|&i| newest.get(i)).map(|c| c.ty).collect();
        Self { table, projection, types, schema, versions: Vec::new() }
    }

    /// A builder of each column, for about so many rows.
    pub fn builders(&self, rows: usize) -> Vec<ColumnBuilder> {
        self.types.iter().map(|&ty| ColumnBuilder::new(ty, rows)).collect()
    }

    /// The batch of what was read.
    pub fn batch(&self, mut builders: Vec<ColumnBuilder>, rows: usize) -> datafusion::common::Result<RecordBatch> {
        let arrays: Vec<ArrayRef> = builders.iter_mut().map(ColumnBuilder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?)
    }

    /// Reads the columns of some rows.
    ///
    /// # Errors
    /// As [`ColumnBuilder::push_elements`].
    pub fn read(&mut self, rows: &[&Row], builders: &mut [ColumnBuilder]) -> Result<()> {
        if builders.is_empty() {
            return Ok(());
        }
        load(rows);
        for rows in rows.chunk_by(|a, b| a.version() == b.version()) {
            let Some((Version { schema, places, .. }, types)) = self.version(rows)? else { continue };
            let count = schema.columns.len();
            for ((builder, place), &ty) in builders.iter_mut().zip(places).zip(types) {
                match place {
                    Place::At(i) => builder.push_elements(rows, count, *i, ty)?,
                    Place::Default(value) => rows.iter().try_for_each(|_| builder.push(value))?,
                }
            }
        }
        Ok(())
    }

    /// How these rows, which are of one version, are read, and the columns' types.
    fn version(&mut self, rows: &[&Row]) -> Result<Option<(&Version, &[ColumnType])>> {
        let Some(version) = rows.first().map(|row| row.version()) else { return Ok(None) };
        let known = self.versions.iter().position(|v| v.version == version);
        let index = match known {
            Some(index) => index,
            None => {
                let schema = Arc::clone(self.table.schema(version).unwrap_or_else(|| self.table.newest()));
                let places = self.places(&schema)?;
                self.versions.push(Version { version, schema, places });
                self.versions.len() - 1
            }
        };
        Ok(self.versions.get(index).map(|version| (version, self.types.as_slice())))
    }

    /// Columns are found by their ids: positions change from one schema version to the next.
    fn places(&self, schema: &Schema) -> Result<Vec<Place>> {
        let newest = &self.table.newest().columns;
        let place = |&i: &usize| {
            let column = newest.get(i)?;
            Some(match schema.columns.iter().position(|c| c.id == column.id) {
                Some(at) => Ok(Place::At(at)),
                None => column.filler_value().map(Place::Default),
            })
        };
        self.projection.iter().filter_map(place).collect()
    }
}

/// Loads the first and the last byte of each row, so that the processor fetches many rows at once.
fn load(rows: &[&Row]) {
    let ends = |row: &&Row| row.bytes().first().copied().unwrap_or(0) ^ row.bytes().last().copied().unwrap_or(0);
    std::hint::black_box(rows.iter().map(ends).fold(0, |a, b| a ^ b));
}
