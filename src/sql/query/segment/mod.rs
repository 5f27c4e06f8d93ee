//! Columns of a table's rows that are kept as arrays.
//!
//! What reads all of a large table, to count, to add up or to filter, spends nearly all of its time on finding the rows.
//! The next query of the same kind need not: the key order is cut into segments of some thousand rows, and a segment keeps
//! the arrays of those columns that were read of it. Where rows have come, gone or changed, the segment is replaced by one
//! that has the columns of the one before, patched, if they were few, or else none; all others go on from one commit to the
//! next (see [`super::derived`]).
//!
//! ```text
//! keys      ──── a ─────── b ─────── c ───────
//! segment    [0, a)    [a, b)    [b, c)    [c, ..)        each knows how many rows it has
//! columns    id  v     id  v     (written)  id            and keeps some of their columns
//! ```

pub mod cache;
mod patch;
pub mod reader;

use super::derived::room::{Charge, Room};
use super::range::Span;
use super::reader::Columns;
use crate::store::catalog::Table;
use crate::store::clock::{Clock, SystemClock};
use crate::store::database::Rows;
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::Schema as ArrowSchema;
use parking_lot::Mutex;
use patch::Patch;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

/// Rows of a segment when it is made: those of a batch.
pub const SEGMENT_ROWS: usize = super::scan::BATCH_ROWS;

/// A table at one commit, in segments of its key order.
#[derive(Debug)]
pub struct Segmented {
    /// One after the other, without gaps.
    pub segments: Vec<Arc<Segment>>,
    room: Arc<Room>,
    /// By column id, when it was read last. Held for one look; versions of a table share it.
    used: Arc<Mutex<HashMap<i64, Instant>>>,
}

/// Some rows, one after the other in the order of the key.
#[derive(Debug)]
pub struct Segment {
    /// Their keys.
    pub span: Span,
    /// How many there are.
    pub rows: usize,
    /// What is kept, by column id. Held for one look.
    columns: Mutex<HashMap<i64, ArrayRef>>,
    /// What makes its columns from those of another segment. Held while it does, for less than a millisecond.
    patch: Mutex<Option<Patch>>,
    charge: Charge,
}

impl Segmented {
    /// The segments that are the one part of so many.
    pub fn part(&self, part: usize, parts: usize) -> std::ops::Range<usize> {
        let from = |part: usize| self.segments.len() * part / parts.max(1);
        from(part)..from(part + 1)
    }

    /// Somebody reads these columns now.
    fn touch(&self, columns: impl Iterator<Item = i64>) {
        let now = SystemClock.now();
        self.used.lock().extend(columns.map(|column| (column, now)));
    }

    /// Keeps a column of a segment, if there is room.
    fn keep(&self, segment: &Segment, column: i64, array: &ArrayRef) {
        let bytes = array.get_array_memory_size();
        if segment.columns.lock().contains_key(&column) || !self.room.take(&segment.charge, bytes) {
            return;
        }
        // Somebody else may have come first.
        if segment.columns.lock().insert(column, Arc::clone(array)).is_some() {
            segment.charge.give_back(bytes);
        }
    }

    /// Makes the columns that a segment was to have from those of another.
    fn patch(&self, segment: &Segment, table: &Arc<Table>, rows: &Rows) {
        let mut patch = segment.patch.lock();
        let Some(patch) = patch.take() else { return };
        let newest = &table.newest().columns;
        let place =
            |(id, array): (&i64, &ArrayRef)| Some((newest.iter().position(|c| c.id == *id)?, *id, array.clone()));
        let kept: Vec<_> = patch.before.columns.lock().iter().filter_map(place).collect();
        let projection = kept.iter().map(|(place, ..)| *place).collect();
        let columns = Columns::new(Arc::clone(table), projection, Arc::new(ArrowSchema::empty()));
        let arrays: Vec<_> = kept.iter().map(|(.., array)| Arc::clone(array)).collect();
        // What a query cannot calculate with fails the query that wants it.
        let Ok(patched) = patch.apply(rows, segment, columns, &arrays) else { return };
        for ((_, id, _), array) in kept.iter().zip(&patched) {
            if array.len() == segment.rows {
                self.keep(segment, *id, array);
            }
        }
    }

    /// Lets go of the columns that were not read since this time.
    fn forget(&self, unused_since: Instant) {
        let used: HashSet<i64> = {
            let mut used = self.used.lock();
            used.retain(|_, used| *used > unused_since);
            used.keys().copied().collect()
        };
        for segment in &self.segments {
            // Nothing has read this segment since it was written.
            let patch = segment.patch.lock().take();
            drop(patch);
            let mut columns = segment.columns.lock();
            let gone: Vec<_> = columns.extract_if(|column, _| !used.contains(column)).collect();
            drop(columns);
            segment.charge.give_back(gone.iter().map(|(_, array)| array.get_array_memory_size()).sum());
        }
    }
}

impl Segment {
    fn new(span: Span, rows: usize, patch: Option<Patch>, room: &Arc<Room>) -> Arc<Self> {
        let (columns, patch) = (Mutex::default(), Mutex::new(patch));
        Arc::new(Self { span, rows, columns, patch, charge: Charge::new(room) })
    }

    fn keeps_something(&self) -> bool {
        !self.columns.lock().is_empty()
    }

    fn column(&self, column: i64) -> Option<ArrayRef> {
        self.columns.lock().get(&column).cloned()
    }
}
