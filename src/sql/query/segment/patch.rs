//! Makes the columns of a segment from those of the segment that was there before some of its rows were written.
//!
//! A few rows of some thousand are read, instead of all. Their places are found by the keys alone: those lie side by side in
//! the map's nodes, while each row lies somewhere else.

use super::Segment;
use crate::sql::query::reader::Columns;
use crate::sql::query::scan::external;
use crate::store::database::Rows;
use crate::store::key::Key;
use crate::store::row::Row;
use datafusion::arrow::array::{Array, ArrayRef, MutableArrayData, make_array};
use datafusion::common::Result;
use std::ops::Range;
use std::sync::Arc;

/// What has changed since another segment.
#[derive(Debug)]
pub(super) struct Patch {
    /// The segment as it was.
    pub(super) before: Arc<Segment>,
    /// In the order of the keys.
    pub(super) changes: Vec<Change>,
}

/// A row that has come, gone or changed.
#[derive(Debug)]
pub(super) struct Change {
    /// Its key.
    pub(super) key: Key,
    /// Whether it was there.
    pub(super) was: bool,
    /// The row, if it is there.
    pub(super) row: Option<Row>,
}

impl Patch {
    /// The `columns` of these rows, which were `arrays` before. Shorter than the rows are if they are none that this patch
    /// leads to.
    ///
    /// # Errors
    /// As [`Columns::read`].
    pub(super) fn apply(
        &self,
        rows: &Rows,
        segment: &Segment,
        mut columns: Columns,
        arrays: &[ArrayRef],
    ) -> Result<Vec<ArrayRef>> {
        let changed: Vec<&Row> = self.changes.iter().filter_map(|change| change.row.as_ref()).collect();
        let mut builders = columns.builders(changed.len());
        columns.read(&changed, &mut builders).map_err(external)?;
        let runs = self.runs(rows, segment);
        let patched = arrays.iter().zip(&mut builders).map(|(before, builder)| {
            let (before, changed) = (before.to_data(), builder.finish().to_data());
            let mut patched = MutableArrayData::new(vec![&before, &changed], false, segment.rows);
            let mut next = 0;
            for (unchanged, is_row) in &runs {
                patched.try_extend(0, unchanged.start.min(before.len()), unchanged.end.min(before.len()))?;
                if *is_row {
                    patched.try_extend(1, next, next + 1)?;
                    next += 1;
                }
            }
            Ok(make_array(patched.freeze()))
        });
        patched.collect()
    }

    /// Rows that stay as they were, and whether a changed row comes behind them.
    fn runs(&self, rows: &Rows, segment: &Segment) -> Vec<(Range<usize>, bool)> {
        let mut keys = rows.range(segment.span.bounds()).map(|(key, _)| key).peekable();
        let mut runs = Vec::with_capacity(self.changes.len() + 1);
        let mut at = 0;
        for change in &self.changes {
            let start = at;
            while keys.next_if(|key| **key < change.key).is_some() {
                at += 1;
            }
            if change.row.is_some() {
                keys.next();
            }
            runs.push((start..at, change.row.is_some()));
            at += usize::from(change.was);
        }
        runs.push((at..self.before.rows.max(at), false));
        runs
    }
}
