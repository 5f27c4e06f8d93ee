//! Indexes: made from all rows, or from what was made of others.
//!
//! What indexes take is estimated row by row. Versions of an index share most nodes, so they share one charge for the
//! index, and each that is not the newest has one for what it does not share.

use super::{Entries, Sorting};
use crate::sql::query::derived::room::{Charge, Room};
use crate::sql::query::derived::{self, Failure, STEPS_PER_PAUSE};
use crate::store::catalog::Table;
use crate::store::database::Rows;
use crate::store::key::Key;
use crate::store::row::Row;
use std::ops::Bound;
use std::sync::Arc;

/// Bytes of an entry in the map, whose nodes are two thirds full.
const ENTRY_BYTES: usize = size_of::<(Key, Row)>() * 3 / 2;
/// Bytes of a key that live inside the entry.
const KEY_INLINE_BYTES: usize = 16;
/// Bytes of the nodes that a change copies.
const CHANGE_BYTES: usize = 4 << 10;

/// The indexes of all tables.
pub type Indexes = derived::Slots<Want>;

/// A table in the order of one of its indexes.
#[derive(Debug)]
pub struct Ordered {
    /// The rows, by the entries of the index.
    pub rows: Rows,
    /// What the index takes, all versions together.
    index: Arc<Charge>,
    /// What only this version takes.
    own: Charge,
}

/// What a query wants: an index of these rows.
#[derive(Debug, Clone)]
pub struct Want {
    /// The table, as the rows know it.
    pub table: Arc<Table>,
    /// The index.
    pub sorting: Arc<Sorting>,
    /// The rows.
    pub rows: Rows,
    /// Whether these are the rows that everybody sees now.
    pub newest: bool,
}

impl derived::Want for Want {
    type Made = Ordered;

    fn place(&self) -> (u32, u32) {
        (self.table.id, self.sorting.index.id)
    }

    fn rows(&self) -> &Rows {
        &self.rows
    }

    fn newest(&self) -> bool {
        self.newest
    }

    /// Of another order if the columns have changed.
    fn is_same(&self, known: &Self) -> bool {
        known.sorting.is_same(&self.sorting)
    }

    async fn make(&self, room: &Arc<Room>) -> Result<Ordered, Failure> {
        let index = Charge::new(room);
        let mut entries = Entries::new(&self.table, &self.sorting);
        let (mut rows, mut bytes) = (Rows::default(), 0);
        for (step, (key, row)) in self.rows.range((Bound::Unbounded, Bound::Unbounded)).enumerate() {
            if step % STEPS_PER_PAUSE == STEPS_PER_PAUSE - 1 {
                charge(room, &index, std::mem::take(&mut bytes))?;
                tokio::task::yield_now().await;
            }
            let entry = entries.of(key, row).map_err(|_| Failure::NoRoom)?;
            bytes += cost(&entry);
            rows.set(entry, Some(row.clone()));
        }
        charge(room, &index, bytes)?;
        Ok(Ordered { rows, index: Arc::new(index), own: Charge::new(room) })
    }

    async fn follow(&self, known: &Self, made: &Ordered, room: &Arc<Room>) -> Result<Ordered, Failure> {
        let (mut before, mut after) =
            (Entries::new(&known.table, &known.sorting), Entries::new(&self.table, &self.sorting));
        let index = Arc::clone(&made.index);
        // The nodes that the other version has alone from now on; or this one, if the other is the newest.
        let apart = Charge::new(room);
        let mut rows = made.rows.clone();
        let (mut come, mut gone) = (0, 0);
        for (step, (key, old, new)) in known.rows.changes(&self.rows).enumerate() {
            if step == derived::Want::changes_max(self) {
                return Err(Failure::Far);
            }
            if step % STEPS_PER_PAUSE == 0 {
                let whole = index.bytes().saturating_sub(apart.bytes());
                charge(room, &apart, whole.min(STEPS_PER_PAUSE * CHANGE_BYTES))?;
                tokio::task::yield_now().await;
            }
            let old = old.map(|row| before.of(key, row)).transpose().map_err(|_| Failure::NoRoom)?;
            let new = new.map(|row| Ok((after.of(key, row)?, row.clone()))).transpose();
            let new = new.map_err(|_: crate::error::Error| Failure::NoRoom)?;
            gone += old.as_ref().map_or(0, cost);
            come += new.as_ref().map_or(0, |(entry, _)| cost(entry));
            if let Some(old) = old {
                rows.set(old, None);
            }
            if let Some((entry, row)) = new {
                rows.set(entry, Some(row));
            }
        }
        if self.newest {
            charge(room, &index, come)?;
            index.give_back(gone);
            made.own.absorb(&apart);
            return Ok(Ordered { rows, index, own: Charge::new(room) });
        }
        charge(room, &apart, come.saturating_sub(gone))?;
        Ok(Ordered { rows, index, own: apart })
    }
}

fn charge(room: &Room, charge: &Charge, bytes: usize) -> Result<(), Failure> {
    if room.take(charge, bytes) { Ok(()) } else { Err(Failure::NoRoom) }
}

/// The memory of an entry, about.
fn cost(entry: &Key) -> usize {
    ENTRY_BYTES + if entry.len() > KEY_INLINE_BYTES { entry.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::query::derived::tests::{PLENTY, set, table, wait};
    use crate::store::clock::{Clock, SystemClock};
    use crate::store::objects::{Index, Order};
    use crate::value::Value;
    use std::time::Duration;

    fn many(count: u32) -> Rows {
        let mut rows = Rows::default();
        (0..count).for_each(|id| set(&mut rows, id, Some(Value::Int(i64::from(id) * 7919 % 1009))));
        rows
    }

    fn want(rows: &Rows, index: u32, newest: bool) -> Want {
        let table = table();
        let columns = vec![(2, Order { descending: index % 2 == 1, nulls_first: false })];
        let index = Arc::new(Index { id: index, name: "i".into(), table: 18, sorted: true, columns });
        let sorting = Arc::new(Sorting::of(&table, &index).unwrap());
        Want { table, sorting, rows: rows.clone(), newest }
    }

    fn indexes_in(bytes: usize) -> Arc<Indexes> {
        Indexes::new(&Room::new(bytes))
    }

    /// What the cache has for these rows, which must be what is made of nothing else.
    fn checked(indexes: &Indexes, want: &Want) -> Option<Arc<Ordered>> {
        let ordered = wait(indexes.get(want))?;
        let fresh = wait(indexes_in(PLENTY).get(want)).unwrap();
        assert_eq!(ordered.rows.len(), want.rows.len());
        assert_eq!(ordered.rows.changes(&fresh.rows).count(), 0);
        Some(ordered)
    }

    #[test]
    fn an_index_follows_writes_forward_and_back() {
        let indexes = indexes_in(PLENTY);
        let mut rng = fastrand::Rng::with_seed(7);
        let mut rows = many(2_000);
        let mut versions = Vec::new();
        for _ in 0..40 {
            for _ in 0..rng.usize(..60) {
                let value = [None, Some(Value::Null), Some(Value::Int(rng.i64(-50..50)))][rng.usize(..3)].clone();
                set(&mut rows, rng.u32(..2_500), value);
            }
            versions.push(rows.clone());
            checked(&indexes, &want(&rows, 1, true)).unwrap();
            // An older one, and one with writes that nobody else sees.
            checked(&indexes, &want(&versions[rng.usize(..versions.len())], 1, false)).unwrap();
            let mut own = rows.clone();
            set(&mut own, 1, Some(Value::Int(12)));
            checked(&indexes, &want(&own, 1, false)).unwrap();
        }
        // So much that it is made anew; and a table that is empty.
        let other = many(30_000);
        checked(&indexes, &want(&other, 1, true)).unwrap();
        checked(&indexes, &want(&Rows::default(), 1, true)).unwrap();
    }

    #[test]
    fn what_is_known_is_not_made_again() {
        let indexes = indexes_in(PLENTY);
        let rows = many(100);
        let first = wait(indexes.get(&want(&rows, 1, true))).unwrap();
        assert!(Arc::ptr_eq(&first, &wait(indexes.get(&want(&rows, 1, true))).unwrap()));
        // Another order is another index, whatever its id.
        let mut other = want(&rows, 2, true);
        other.sorting = Arc::new(Sorting {
            index: Arc::new(Index { id: 1, ..(*other.sorting.index).clone() }),
            columns: other.sorting.columns.clone(),
        });
        checked(&indexes, &other).unwrap();
    }

    #[test]
    fn the_index_that_was_used_longest_ago_has_to_go() {
        let rows = many(1_000);
        let one = {
            let alone = indexes_in(PLENTY);
            wait(alone.get(&want(&rows, 1, true))).unwrap();
            alone.room().used()
        };
        let indexes = indexes_in(one * 5 / 2);
        let known = |index| indexes.has((18, index));
        for index in [1, 2, 1, 3] {
            checked(&indexes, &want(&rows, index, true)).unwrap();
        }
        assert_eq!([known(1), known(2), known(3)], [true, false, true]);
        // Not those that are read: then there is none, and it is not tried again for as many rows.
        let held = [1, 3].map(|index| wait(indexes.get(&want(&rows, index, true))).unwrap());
        assert!(wait(indexes.get(&want(&rows, 2, true))).is_none());
        assert!(!indexes.may_fit((18, 2), 1_000) && indexes.may_fit((18, 2), 100) && indexes.may_fit((18, 1), 1_000));
        drop(held);
        checked(&indexes, &want(&rows, 2, true)).unwrap();
        assert!(indexes.may_fit((18, 2), 1_000));
        assert!(indexes.room().used() <= one * 5 / 2);
        indexes.forget(SystemClock.now() + Duration::from_secs(1));
        assert_eq!((indexes.room().used(), [1, 2, 3].map(known)), (0, [false; 3]));
    }

    #[test]
    fn versions_that_are_read_are_counted_and_never_beyond_the_limit() {
        let indexes = indexes_in(1 << 20);
        let mut rows = many(3_000);
        let mut held = Vec::new();
        for step in 0..200 {
            (0..50).for_each(|n| set(&mut rows, n * 53, Some(Value::Int(step))));
            held.extend(wait(indexes.get(&want(&rows, 1, true))));
            assert!(indexes.room().used() <= 1 << 20);
        }
        assert!(!held.is_empty() && held.len() < 200);
        held.clear();
        indexes.forget(SystemClock.now() + Duration::from_secs(1));
        assert_eq!(indexes.room().used(), 0);
    }

    #[test]
    fn two_that_want_the_same_make_it_once() {
        let indexes = indexes_in(PLENTY);
        let want = want(&many(5_000), 1, true);
        let (a, b) = wait(async { futures::join!(indexes.get(&want), indexes.get(&want)) });
        assert!(Arc::ptr_eq(&a.unwrap(), &b.unwrap()));
    }

    #[test]
    fn who_gives_up_leaves_no_charge() {
        let indexes = indexes_in(PLENTY);
        let want = want(&many(5_000), 1, true);
        wait(async {
            let mut getting = Box::pin(indexes.get(&want));
            assert!(futures::poll!(getting.as_mut()).is_pending());
        });
        assert_eq!(indexes.room().used(), 0);
        checked(&indexes, &want).unwrap();
    }
}
