//! Columns of a table's rows that are kept as arrays.
//!
//! What reads all of a large table, to count, to add up or to filter, spends nearly all of its time on finding the rows.
//! The next query of the same kind need not: the key order is cut into segments of some thousand rows, and a segment keeps
//! the arrays of those columns that were read of it. Where rows have come, gone or changed, the segment is replaced by one
//! that keeps nothing yet; all others go on from one commit to the next (see [`super::derived`]).
//!
//! ```text
//! keys      ──── a ─────── b ─────── c ───────
//! segment    [0, a)    [a, b)    [b, c)    [c, ..)        each knows how many rows it has
//! columns    id  v     id  v     (written)  id            and keeps some of their columns
//! ```

pub mod cache;
pub mod reader;

use super::derived::room::{Charge, Room};
use super::range::Span;
use crate::store::clock::{Clock, SystemClock};
use datafusion::arrow::array::{Array, ArrayRef};
use parking_lot::Mutex;
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

    /// Lets go of the columns that were not read since this time.
    fn forget(&self, unused_since: Instant) {
        let used: HashSet<i64> = {
            let mut used = self.used.lock();
            used.retain(|_, used| *used > unused_since);
            used.keys().copied().collect()
        };
        for segment in &self.segments {
            let mut columns = segment.columns.lock();
            let gone: Vec<_> = columns.extract_if(|column, _| !used.contains(column)).collect();
            drop(columns);
            segment.charge.give_back(gone.iter().map(|(_, array)| array.get_array_memory_size()).sum());
        }
    }
}

impl Segment {
    fn new(span: Span, rows: usize, room: &Arc<Room>) -> Arc<Self> {
        Arc::new(Self { span, rows, columns: Mutex::default(), charge: Charge::new(room) })
    }

    fn column(&self, column: i64) -> Option<ArrayRef> {
        self.columns.lock().get(&column).cloned()
    }
}
