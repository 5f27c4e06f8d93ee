//! Segments: cut from all keys, or brought from one commit to another.

use super::patch::{Change, Patch};
use super::{SEGMENT_ROWS, Segment, Segmented};
use crate::sql::query::derived::room::Room;
use crate::sql::query::derived::{self, Failure, STEPS_PER_PAUSE};
use crate::sql::query::range::Span;
use crate::store::catalog::Table;
use crate::store::database::Rows;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

/// Changes beyond which a segment is read again.
const PATCH_CHANGES_MAX: usize = SEGMENT_ROWS / 8;
/// The part of all rows that may have changed.
const CHANGES_SHARE: usize = 8;

/// The segments of all tables.
pub type Segments = derived::Slots<Want>;

/// What a query wants: the segments of these rows.
#[derive(Debug, Clone)]
pub struct Want {
    /// The table, as the rows know it.
    pub table: Arc<Table>,
    /// The rows.
    pub rows: Rows,
    /// Whether these are the rows that everybody sees now.
    pub newest: bool,
}

impl derived::Want for Want {
    type Made = Segmented;

    fn place(&self) -> (u32, u32) {
        (self.table.id, 0)
    }

    fn rows(&self) -> &Rows {
        &self.rows
    }

    fn newest(&self) -> bool {
        self.newest
    }

    /// What a column is, and what rows have that lack it, is as it was.
    fn is_same(&self, known: &Self) -> bool {
        Arc::ptr_eq(&self.table, &known.table)
    }

    /// Not at the first time, for a query that may be the only one; nor for rows that others will not see.
    fn is_worth(&self, asked: usize) -> bool {
        self.newest && asked > 0
    }

    fn changes_max(&self) -> usize {
        self.rows.len() / CHANGES_SHARE
    }

    async fn make(&self, room: &Arc<Room>) -> Result<Segmented, Failure> {
        let mut cut = Cut { rows: &self.rows, room, segments: Vec::new(), steps: 0 };
        cut.push(Span::new((Bound::Unbounded, Bound::Unbounded))).await;
        Ok(Segmented { segments: cut.segments, room: Arc::clone(room), used: Arc::default() })
    }

    async fn follow(&self, known: &Self, made: &Segmented, room: &Arc<Room>) -> Result<Segmented, Failure> {
        let mut written: Vec<Written> = Vec::new();
        let mut at = 0;
        for (step, (key, old, new)) in known.rows.changes(&self.rows).enumerate() {
            if step == derived::Want::changes_max(self) {
                return Err(Failure::Far);
            }
            if step % STEPS_PER_PAUSE == STEPS_PER_PAUSE - 1 {
                tokio::task::yield_now().await;
            }
            while made.segments.get(at).is_some_and(|segment| segment.span.is_before(key)) {
                at += 1;
            }
            let Some(segment) = made.segments.get(at) else { return Err(Failure::Far) };
            if written.last().is_none_or(|last| last.at != at) {
                written.push(Written { at, rows: segment.rows, changes: Vec::new() });
            }
            if let Some(last) = written.last_mut() {
                last.rows = (last.rows + usize::from(new.is_some())).saturating_sub(usize::from(old.is_some()));
                last.changes.push(Change { key: key.clone(), was: old.is_some(), row: new.cloned() });
            }
        }
        let segments = Vec::with_capacity(made.segments.len());
        let mut cut = Cut { rows: &self.rows, room, segments, steps: 0 };
        let mut written = written.into_iter().peekable();
        for (at, segment) in made.segments.iter().enumerate() {
            match written.next_if(|written| written.at == at) {
                None => cut.segments.push(Arc::clone(segment)),
                Some(Written { rows, .. }) if rows > 2 * SEGMENT_ROWS => cut.push(segment.span.clone()).await,
                Some(Written { rows, changes, .. }) => cut.join(segment, rows, changes),
            }
        }
        Ok(Segmented { segments: cut.segments, room: Arc::clone(room), used: Arc::clone(&made.used) })
    }

    fn forget(made: &Segmented, unused_since: Instant) {
        made.forget(unused_since);
    }
}

/// A segment of which rows were written.
struct Written {
    at: usize,
    /// How many it has now.
    rows: usize,
    changes: Vec<Change>,
}

/// Segments in the making.
struct Cut<'a> {
    rows: &'a Rows,
    room: &'a Arc<Room>,
    segments: Vec<Arc<Segment>>,
    steps: usize,
}

impl Cut<'_> {
    /// The next segments, which have the rows of a span.
    async fn push(&mut self, mut span: Span) {
        let mut rows = 0;
        for (key, _) in self.rows.range(span.bounds()) {
            self.steps += 1;
            if self.steps.is_multiple_of(STEPS_PER_PAUSE) {
                tokio::task::yield_now().await;
            }
            if rows == SEGMENT_ROWS {
                let rest = span.from(key);
                self.segments.push(Segment::new(span.before(key), rows, None, self.room));
                (span, rows) = (rest, 0);
            }
            rows += 1;
        }
        self.segments.push(Segment::new(span, rows, None, self.room));
    }

    /// The next segment, which has so many rows now; one with the segment before if they are few.
    fn join(&mut self, segment: &Arc<Segment>, rows: usize, changes: Vec<Change>) {
        if let Some(few) = self.segments.pop_if(|last| last.rows + rows <= SEGMENT_ROWS / 2) {
            let span = few.span.to_end_of(&segment.span);
            return self.segments.push(Segment::new(span, few.rows + rows, None, self.room));
        }
        // What keeps nothing has not been read, and may have a patch itself: there are no patches of patches.
        let worth = changes.len() <= PATCH_CHANGES_MAX && segment.keeps_something();
        let patch = worth.then(|| Patch { before: Arc::clone(segment), changes });
        self.segments.push(Segment::new(segment.span.clone(), rows, patch, self.room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::query::derived::tests::{PLENTY, set, table, wait};
    use crate::value::Value;

    fn some(value: i64) -> Option<Value<'static>> {
        Some(Value::Int(value))
    }

    /// The segments of these rows, which must have all of them, each once. None for rows of nobody else that are too far
    /// from all others.
    fn checked(segments: &Segments, want: &Want) -> Option<Arc<Segmented>> {
        let made = wait(segments.get(want)).or_else(|| wait(segments.get(want)))?;
        let mut keys = want.rows.range((Bound::Unbounded, Bound::Unbounded)).map(|(key, _)| key);
        for segment in &made.segments {
            let rows: Vec<_> = want.rows.range(segment.span.bounds()).map(|(key, _)| key).collect();
            assert_eq!(rows.len(), segment.rows);
            assert!(rows.len() <= 2 * SEGMENT_ROWS);
            assert!(rows.into_iter().all(|key| keys.next() == Some(key)));
        }
        assert_eq!(keys.next(), None);
        Some(made)
    }

    #[test]
    fn segments_follow_writes_forward_and_back() {
        let segments = Segments::new(&Room::new(PLENTY));
        let table = table();
        let want = |rows: &Rows, newest| Want { table: Arc::clone(&table), rows: rows.clone(), newest };
        let mut rng = fastrand::Rng::with_seed(7);
        let mut rows = Rows::default();
        checked(&segments, &want(&rows, true));
        (0..60_000).for_each(|id| set(&mut rows, id, some(1)));
        assert!(wait(segments.get(&want(&rows, true))).is_none(), "the first query");
        assert_eq!(checked(&segments, &want(&rows, true)).unwrap().segments.len(), 15);
        let mut versions = Vec::new();
        let (mut most, mut private) = (0, 0);
        for round in 0..60 {
            // Many new rows in one place, rows written here and there, and most of a part taken away.
            let start = rng.u32(..100_000);
            match round % 3 {
                0 => (start..start + 12_000).for_each(|id| set(&mut rows, id, some(2))),
                1 => (0..500).for_each(|_| set(&mut rows, rng.u32(..100_000), some(3))),
                _ => (start..start + 11_000).for_each(|id| set(&mut rows, id, None)),
            }
            versions.push(rows.clone());
            most = most.max(checked(&segments, &want(&rows, true)).unwrap().segments.len());
            private += usize::from(checked(&segments, &want(&versions[rng.usize(..versions.len())], false)).is_some());
        }
        assert!(most < 60 && private > 3, "{most} {private}");
        (0..200_000).for_each(|id| set(&mut rows, id, None));
        assert_eq!(checked(&segments, &want(&rows, true)).unwrap().segments.len(), 1);
    }

    #[test]
    fn only_what_was_written_is_made_again() {
        let segments = Segments::new(&Room::new(PLENTY));
        let table = table();
        let want = |rows: &Rows| Want { table: Arc::clone(&table), rows: rows.clone(), newest: true };
        let mut rows = Rows::default();
        (0..20_000).for_each(|id| set(&mut rows, id, some(1)));
        let before = checked(&segments, &want(&rows)).unwrap();
        set(&mut rows, 5_000, some(2));
        set(&mut rows, 9_000, None);
        let after = checked(&segments, &want(&rows)).unwrap();
        let same: Vec<_> = before.segments.iter().zip(&after.segments).map(|(a, b)| Arc::ptr_eq(a, b)).collect();
        assert_eq!(same, [true, false, false, true, true]);
        // Another table in the same place.
        let other = Want { table: self::table(), ..want(&rows) };
        assert!(!Arc::ptr_eq(&checked(&segments, &other).unwrap().segments[0], &after.segments[0]));
    }
}
