//! Segments: cut from all keys, or brought from one commit to another.

use super::{SEGMENT_ROWS, Segment, Segmented};
use crate::sql::query::derived::room::Room;
use crate::sql::query::derived::{self, Failure, STEPS_PER_PAUSE};
use crate::sql::query::range::Span;
use crate::store::catalog::Table;
use crate::store::database::Rows;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

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

    async fn make(&self, room: &Arc<Room>) -> Result<Segmented, Failure> {
        let mut cut = Cut { rows: &self.rows, room, segments: Vec::new(), steps: 0 };
        cut.push(Span::new((Bound::Unbounded, Bound::Unbounded))).await;
        Ok(Segmented { segments: cut.segments, room: Arc::clone(room), used: Arc::default() })
    }

    async fn follow(&self, known: &Self, made: &Segmented, room: &Arc<Room>) -> Result<Segmented, Failure> {
        // Of those that were written: how many rows they have now.
        let mut written: Vec<(usize, usize)> = Vec::new();
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
            if written.last().is_none_or(|(last, _)| *last != at) {
                written.push((at, segment.rows));
            }
            if let Some((_, rows)) = written.last_mut() {
                *rows = (*rows + usize::from(new.is_some())).saturating_sub(usize::from(old.is_some()));
            }
        }
        let segments = Vec::with_capacity(made.segments.len());
        let mut cut = Cut { rows: &self.rows, room, segments, steps: 0 };
        let mut written = written.into_iter().peekable();
        for (at, segment) in made.segments.iter().enumerate() {
            match written.next_if(|(place, _)| *place == at) {
                None => cut.segments.push(Arc::clone(segment)),
                Some((_, rows)) if rows > 2 * SEGMENT_ROWS => cut.push(segment.span.clone()).await,
                Some((_, rows)) => cut.join(&segment.span, rows),
            }
        }
        Ok(Segmented { segments: cut.segments, room: Arc::clone(room), used: Arc::clone(&made.used) })
    }

    fn forget(made: &Segmented, unused_since: Instant) {
        made.forget(unused_since);
    }
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
                self.segments.push(Segment::new(span.before(key), rows, self.room));
                (span, rows) = (rest, 0);
            }
            rows += 1;
        }
        self.segments.push(Segment::new(span, rows, self.room));
    }

    /// The next segment, which has so many rows; one with the segment before if they are few.
    fn join(&mut self, span: &Span, rows: usize) {
        let few = self.segments.pop_if(|before| before.rows + rows <= SEGMENT_ROWS / 2);
        let (span, rows) = match few {
            Some(before) => (before.span.to_end_of(span), before.rows + rows),
            None => (span.clone(), rows),
        };
        self.segments.push(Segment::new(span, rows, self.room));
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

    /// The segments of these rows, which must have all of them, each once.
    fn checked(segments: &Segments, want: &Want) -> Arc<Segmented> {
        let made = wait(segments.get(want)).unwrap();
        let mut keys = want.rows.range((Bound::Unbounded, Bound::Unbounded)).map(|(key, _)| key);
        for segment in &made.segments {
            let rows: Vec<_> = want.rows.range(segment.span.bounds()).map(|(key, _)| key).collect();
            assert_eq!(rows.len(), segment.rows);
            assert!(rows.len() <= 2 * SEGMENT_ROWS);
            assert!(rows.into_iter().all(|key| keys.next() == Some(key)));
        }
        assert_eq!(keys.next(), None);
        made
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
        assert_eq!(checked(&segments, &want(&rows, true)).segments.len(), 15);
        let mut versions = Vec::new();
        let mut most = 0;
        for round in 0..60 {
            // Many new rows in one place, rows written here and there, and most of a part taken away.
            let start = rng.u32(..100_000);
            match round % 3 {
                0 => (start..start + 12_000).for_each(|id| set(&mut rows, id, some(2))),
                1 => (0..500).for_each(|_| set(&mut rows, rng.u32(..100_000), some(3))),
                _ => (start..start + 11_000).for_each(|id| set(&mut rows, id, None)),
            }
            versions.push(rows.clone());
            most = most.max(checked(&segments, &want(&rows, true)).segments.len());
            checked(&segments, &want(&versions[rng.usize(..versions.len())], false));
        }
        assert!(most < 60, "{most}");
        (0..200_000).for_each(|id| set(&mut rows, id, None));
        assert_eq!(checked(&segments, &want(&rows, true)).segments.len(), 1);
    }

    #[test]
    fn only_what_was_written_is_read_again() {
        let segments = Segments::new(&Room::new(PLENTY));
        let table = table();
        let want = |rows: &Rows| Want { table: Arc::clone(&table), rows: rows.clone(), newest: true };
        let mut rows = Rows::default();
        (0..20_000).for_each(|id| set(&mut rows, id, some(1)));
        let before = checked(&segments, &want(&rows));
        set(&mut rows, 5_000, some(2));
        set(&mut rows, 9_000, None);
        let after = checked(&segments, &want(&rows));
        let same: Vec<_> = before.segments.iter().zip(&after.segments).map(|(a, b)| Arc::ptr_eq(a, b)).collect();
        assert_eq!(same, [true, false, false, true, true]);
        // Another table in the same place.
        let other = Want { table: self::table(), ..want(&rows) };
        assert!(!Arc::ptr_eq(&checked(&segments, &other).segments[0], &after.segments[0]));
    }
}
