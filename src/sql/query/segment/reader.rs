//! Reads segments as batches.

use super::{Segment, Segmented};
use crate::config::SQL_BATCH_BYTES_MAX;
use crate::sql::query::range::Span;
use crate::sql::query::reader::{Columns, Reader};
use crate::store::catalog::Table;
use crate::store::database::Rows;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use std::ops::Range;
use std::sync::Arc;

/// Reads some segments, one after the other.
pub struct SegmentReader {
    table: Arc<Table>,
    rows: Rows,
    segmented: Arc<Segmented>,
    /// Those that are left.
    segments: Range<usize>,
    /// Which columns of the table are read, and their ids.
    projection: Vec<usize>,
    ids: Vec<i64>,
    schema: SchemaRef,
    batch_rows: usize,
    /// What is left of the segment that was read last.
    rest: RecordBatch,
    /// Reads a segment whose columns are too large to be kept.
    large: Option<Reader>,
}

impl SegmentReader {
    /// Reads the columns of `projection`, which `schema` describes, of some of the segments of these rows.
    pub fn new(
        table: Arc<Table>,
        rows: Rows,
        segmented: Arc<Segmented>,
        segments: Range<usize>,
        projection: Vec<usize>,
        schema: SchemaRef,
        batch_rows: usize,
    ) -> Self {
        let columns = &table.newest().columns;
        let ids: Vec<i64> = projection.iter().filter_map(|&at| columns.get(at)).map(|column| column.id).collect();
        segmented.touch(ids.iter().copied());
        let rest = RecordBatch::new_empty(Arc::clone(&schema));
        Self { table, rows, segmented, segments, projection, ids, schema, batch_rows, rest, large: None }
    }

    /// The next batch; none is the end.
    ///
    /// # Errors
    /// What a row holds that a query cannot calculate with.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.rest.num_rows() > 0 {
                let rows = self.batch_rows.clamp(1, self.rest.num_rows());
                let batch = self.rest.slice(0, rows);
                self.rest = self.rest.slice(rows, self.rest.num_rows() - rows);
                return Ok(Some(batch));
            }
            if let Some(large) = &mut self.large {
                if let Some(batch) = large.next_batch()? {
                    return Ok(Some(batch));
                }
                self.large = None;
            }
            let Some(at) = self.segments.next() else { return Ok(None) };
            let Some(segment) = self.segmented.segments.get(at).map(Arc::clone) else { return Ok(None) };
            self.open(&segment)?;
        }
    }

    fn open(&mut self, segment: &Segment) -> Result<()> {
        self.segmented.patch(segment, &self.table, &self.rows);
        let mut arrays: Vec<Option<ArrayRef>> = self.ids.iter().map(|&id| segment.column(id)).collect();
        let missing: Vec<usize> = (0..arrays.len()).filter(|&at| arrays.get(at).is_some_and(Option::is_none)).collect();
        if !missing.is_empty() && segment.rows > 0 {
            let mut reader = self.reader(&missing, &segment.span, segment.rows)?;
            let Some(batch) = reader.next_batch()? else { return Ok(()) };
            if batch.num_rows() < segment.rows {
                return self.open_large(segment, batch, reader);
            }
            for (&at, array) in missing.iter().zip(batch.columns()) {
                if let (Some(&id), Some(place)) = (self.ids.get(at), arrays.get_mut(at)) {
                    self.segmented.keep(segment, id, array);
                    *place = Some(Arc::clone(array));
                }
            }
        }
        if segment.rows > 0 {
            let options = RecordBatchOptions::new().with_row_count(Some(segment.rows));
            let arrays = arrays.into_iter().flatten().collect();
            self.rest = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        }
        Ok(())
    }

    /// Reads on in a segment of which one batch was read.
    fn open_large(&mut self, segment: &Segment, batch: RecordBatch, reader: Reader) -> Result<()> {
        if batch.num_columns() == self.projection.len() {
            (self.rest, self.large) = (batch, Some(reader));
            return Ok(());
        }
        let all: Vec<usize> = (0..self.projection.len()).collect();
        self.large = Some(self.reader(&all, &segment.span, self.batch_rows)?);
        Ok(())
    }

    /// A reader of some of the columns.
    fn reader(&self, columns: &[usize], span: &Span, batch_rows: usize) -> Result<Reader> {
        let projection: Vec<usize> = columns.iter().filter_map(|&at| self.projection.get(at).copied()).collect();
        let schema = Arc::new(self.schema.project(columns)?);
        // A batch of numbers is small, however large the rows are that they are from.
        let small = schema.fields().iter().all(|field| field.data_type().primitive_width().is_some());
        Ok(Reader {
            columns: Columns::new(Arc::clone(&self.table), projection, schema),
            rows: self.rows.clone(),
            index: None,
            spans: vec![span.clone()],
            backward: false,
            left: usize::MAX,
            batch_rows,
            batch_bytes: if small { usize::MAX } else { SQL_BATCH_BYTES_MAX },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::cache::{Segments, Want};
    use super::*;
    use crate::sql::query::derived::room::Room;
    use crate::sql::query::derived::tests::{PLENTY, set_text, table, wait};
    use crate::sql::query::types;
    use crate::store::clock::{Clock, SystemClock};
    use crate::value::Value;
    use datafusion::arrow::compute::concat_batches;
    use datafusion::arrow::datatypes::Schema;
    use std::time::Duration;

    /// Rows with texts of so many bytes.
    fn rows(text_bytes: usize) -> Rows {
        let mut rows = Rows::default();
        (0..5_000).for_each(|id| set_text(&mut rows, id, Some(Value::Int(i64::from(id) % 10)), text_bytes));
        rows
    }

    fn schema(table: &Table, projection: &[usize]) -> SchemaRef {
        let columns = projection.iter().map(|&at| &table.newest().columns[at]);
        Arc::new(Schema::new(columns.map(|c| types::field(&c.name, c.ty, c.nullable)).collect::<Vec<_>>()))
    }

    /// What segments have of these columns, and the sizes of the batches, after a comparison with the rows themselves.
    fn read(
        want: &Want,
        segmented: &Arc<Segmented>,
        projection: &[usize],
        batch_rows: usize,
    ) -> (RecordBatch, Vec<usize>) {
        let schema = schema(&want.table, projection);
        let (table, all) = (Arc::clone(&want.table), 0..segmented.segments.len());
        let (segmented, described) = (Arc::clone(segmented), Arc::clone(&schema));
        let mut reader =
            SegmentReader::new(table, want.rows.clone(), segmented, all, projection.to_vec(), described, batch_rows);
        let batches: Vec<_> = std::iter::from_fn(|| reader.next_batch().unwrap()).collect();
        let whole = Span::new((std::ops::Bound::Unbounded, std::ops::Bound::Unbounded));
        let rows = want.rows.len();
        let mut plain = reader.reader(&(0..projection.len()).collect::<Vec<_>>(), &whole, rows).unwrap();
        plain.batch_bytes = usize::MAX;
        let read = concat_batches(&schema, &batches).unwrap();
        assert_eq!(Some(&read), plain.next_batch().unwrap().as_ref());
        (read, batches.iter().map(RecordBatch::num_rows).collect())
    }

    fn wanted(room: &Arc<Room>, text_bytes: usize) -> (Want, Arc<Segmented>, Arc<Segments>) {
        let want = Want { table: table(), rows: rows(text_bytes), newest: true };
        let segments = Segments::new(room);
        assert!(wait(segments.get(&want)).is_none());
        let segmented = wait(segments.get(&want)).unwrap();
        (want, segmented, segments)
    }

    #[test]
    fn columns_are_kept_and_let_go_of() {
        let room = Room::new(1 << 20);
        let (want, segmented, segments) = wanted(&room, 8);
        let (_, sizes) = read(&want, &segmented, &[1], 3_000);
        assert_eq!(sizes, [3_000, 1_096, 904]);
        let one = room.used();
        assert!((20_000..30_000).contains(&one), "{one}");
        // Two of which one is kept, in another order, none at all, and again.
        for projection in [&[2, 1, 0][..], &[], &[1], &[0, 2]] {
            let (batch, _) = read(&want, &segmented, projection, 4_096);
            assert_eq!((batch.num_rows(), batch.num_columns()), (5_000, projection.len()));
        }
        assert!(room.used() > 2 * one);
        // Half an hour later nothing was used; then the table is gone.
        segmented.forget(SystemClock.now() + Duration::from_secs(1800));
        assert_eq!(room.used(), 0);
        read(&want, &segmented, &[1], 4_096);
        drop((segmented, want, segments));
        assert_eq!(room.used(), 0);
    }

    #[test]
    fn without_room_columns_are_read_all_the_same() {
        let room = Room::new(30_000);
        let (want, segmented, _segments) = wanted(&room, 8);
        for projection in [&[1][..], &[0], &[2], &[0, 1, 2]] {
            read(&want, &segmented, projection, 4_096);
            assert!((1..=30_000).contains(&room.used()));
        }
    }

    #[test]
    fn texts_that_fill_batches_are_not_kept() {
        let room = Room::new(PLENTY);
        let (want, segmented, _segments) = wanted(&room, 1_100);
        let (_, sizes) = read(&want, &segmented, &[2], 4_096);
        assert!(sizes.len() > 2 && room.used() < 2 << 20, "{sizes:?} {}", room.used());
        read(&want, &segmented, &[1], 4_096);
        read(&want, &segmented, &[2, 1, 0], 4_096);
        assert!(segmented.segments[0].column(2).is_some() && segmented.segments[0].column(3).is_none());
    }

    #[test]
    fn a_few_writes_are_patched_into_what_is_kept() {
        let room = Room::new(PLENTY);
        let (mut want, mut segmented, segments) = wanted(&room, 8);
        let mut rng = fastrand::Rng::with_seed(3);
        read(&want, &segmented, &[2, 0, 1], 4_096);
        for round in 0..40 {
            for _ in 0..rng.usize(1..60) {
                let value = [None, Some(Value::Null), Some(Value::Int(rng.i64(..100)))][rng.usize(..3)].clone();
                // Also before the first row of a segment and behind its last one.
                let id = [rng.u32(..6_000), rng.u32(4_090..4_100), rng.u32(4_900..5_100)][rng.usize(..3)];
                set_text(&mut want.rows, id, value, rng.usize(1..20));
            }
            segmented = wait(segments.get(&want)).unwrap();
            for segment in &segmented.segments {
                segmented.patch(segment, &want.table, &want.rows);
                assert!([1, 2, 3].into_iter().all(|id| segment.column(id).is_some()), "round {round}");
            }
            read(&want, &segmented, &[0, 2, 1], 4_096);
        }
        // Writes between which nobody reads do not pile up.
        for value in 0..3 {
            set_text(&mut want.rows, 100, Some(Value::Int(value)), 1);
            segmented = wait(segments.get(&want)).unwrap();
            let patch = segmented.segments[0].patch.lock();
            assert!(patch.as_ref().is_none_or(|patch| patch.before.keeps_something()), "{value}");
            assert_eq!(patch.is_some(), value == 0);
        }
        read(&want, &segmented, &[0, 2, 1], 4_096);
        // Too many for a patch, yet few of all rows.
        (0..600).for_each(|id| set_text(&mut want.rows, id, Some(Value::Int(1)), 1));
        segmented = wait(segments.get(&want)).unwrap();
        segmented.patch(&segmented.segments[0], &want.table, &want.rows);
        assert!(segmented.segments[0].column(1).is_none() && segmented.segments[1].column(1).is_some());
        read(&want, &segmented, &[1], 4_096);
        drop((segmented, segments));
        assert_eq!(room.used(), 0);
    }
}
