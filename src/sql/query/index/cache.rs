//! The indexes that were made, in bounded memory.
//!
//! Each index has a slot, which holds it for the newest commit that a query has asked about. A query of that commit, or a
//! later one, has the slot to itself while it makes the index or brings it up to date, so that others wait for its work
//! instead of doing it again. A query of anything else (an older snapshot, a transaction with writes of its own) goes from
//! what the slot has to what it needs, and keeps that for itself.
//!
//! What indexes take is estimated row by row, and never more than the limit: others that no query uses have to go, the
//! one that was used longest ago first, or else there is no index for this query. Versions of an index share most nodes,
//! so they share one charge for the index, and each that is not the newest has one for what it does not share.

use super::{Entries, Sorting};
use crate::config::SQL_INDEX_IDLE;
use crate::store::catalog::Table;
use crate::store::clock::{Clock, SystemClock};
use crate::store::database::Rows;
use crate::store::key::Key;
use crate::store::row::Row;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

/// Steps after which the work pauses: who made it may not want it any more.
const STEPS_PER_PAUSE: usize = 1024;
/// Bytes of an entry in the map, whose nodes are two thirds full.
const ENTRY_BYTES: usize = size_of::<(Key, Row)>() * 3 / 2;
/// Bytes of a key that live inside the entry.
const KEY_INLINE_BYTES: usize = 16;
/// Bytes of the nodes that a change copies.
const CHANGE_BYTES: usize = 4 << 10;
/// Changes that are followed whatever the size of the table.
const CHANGES_MIN: usize = 1024;
/// The part of the rows that may have changed for following to be worth it.
const CHANGES_SHARE: usize = 4;

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
#[derive(Debug)]
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

/// The indexes of all tables.
#[derive(Debug)]
pub struct Indexes {
    room: Arc<Room>,
    /// By table and index. Held for one look.
    slots: Mutex<HashMap<(u32, u32), Arc<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    newest: tokio::sync::Mutex<Option<Version>>,
    /// When it was asked for last. Held for one look.
    used: Mutex<Instant>,
    /// The rows of the table when there was no room; 0 if there was.
    too_many: AtomicUsize,
}

/// An index and what it was made for.
#[derive(Debug, Clone)]
struct Version {
    table: Arc<Table>,
    sorting: Arc<Sorting>,
    rows: Rows,
    ordered: Arc<Ordered>,
}

/// Why there is no index.
enum Failure {
    /// It would take more than there is.
    NoRoom,
    /// Too much has changed.
    Far,
}

impl Indexes {
    /// Indexes that take so many bytes at most.
    pub fn new(bytes: usize) -> Arc<Self> {
        let room = Arc::new(Room { limit: bytes, used: AtomicUsize::new(0) });
        Arc::new(Self { room, slots: Mutex::default() })
    }

    /// Bytes that are taken now.
    pub fn bytes(&self) -> usize {
        self.room.used.load(Ordering::Relaxed)
    }

    /// False for an index for which there was no room a short time ago, when the table had about as many rows.
    pub fn may_fit(&self, table: u32, index: u32, rows: usize) -> bool {
        let too_many = self.slots.lock().get(&(table, index)).map_or(0, |slot| slot.too_many.load(Ordering::Relaxed));
        too_many == 0 || rows < too_many - too_many / 4
    }

    /// The index of these rows; none if there is no room for it.
    pub async fn get(&self, want: &Want) -> Option<Arc<Ordered>> {
        let place = (want.table.id, want.sorting.index.id);
        let slot = self.slot(place);
        let newest = slot.newest.lock().await;
        *slot.used.lock() = SystemClock.now();
        // Of another order if the columns have changed.
        let known = newest.clone().filter(|version| version.sorting.is_same(&want.sorting));
        if let Some(known) = &known
            && known.rows.same(&want.rows)
        {
            return Some(Arc::clone(&known.ordered));
        }
        // Others go on meanwhile if what is made is not for them.
        let mut newest = Some(newest).filter(|_| want.newest);
        let mut made = match known {
            Some(known) => self.follow(place, known, want).await,
            None => Err(Failure::Far),
        };
        if matches!(made, Err(Failure::Far)) {
            if let Some(newest) = &mut newest {
                **newest = None;
            }
            made = self.make(place, want).await;
        }
        let ordered = made.ok();
        if let Some(newest) = &mut newest {
            slot.too_many.store(if ordered.is_some() { 0 } else { want.rows.len().max(1) }, Ordering::Relaxed);
            if let Some(ordered) = &ordered {
                **newest = Some(Version {
                    table: Arc::clone(&want.table),
                    sorting: Arc::clone(&want.sorting),
                    rows: want.rows.clone(),
                    ordered: Arc::clone(ordered),
                });
            }
        }
        ordered
    }

    /// Makes an index from all rows.
    async fn make(&self, place: (u32, u32), want: &Want) -> Result<Arc<Ordered>, Failure> {
        let index = Charge::new(&self.room);
        let mut entries = Entries::new(&want.table, &want.sorting);
        let (mut rows, mut bytes) = (Rows::default(), 0);
        for (step, (key, row)) in want.rows.range((Bound::Unbounded, Bound::Unbounded)).enumerate() {
            if step % STEPS_PER_PAUSE == STEPS_PER_PAUSE - 1 {
                self.take(&index, std::mem::take(&mut bytes), place)?;
                tokio::task::yield_now().await;
            }
            let entry = entries.of(key, row).map_err(|_| Failure::NoRoom)?;
            bytes += cost(&entry);
            rows.set(entry, Some(row.clone()));
        }
        self.take(&index, bytes, place)?;
        Ok(Arc::new(Ordered { rows, index: Arc::new(index), own: Charge::new(&self.room) }))
    }

    /// Makes an index from that of other rows.
    async fn follow(&self, place: (u32, u32), known: Version, want: &Want) -> Result<Arc<Ordered>, Failure> {
        let Version { table, sorting, rows: from, ordered } = known;
        let most = CHANGES_MIN.max(want.rows.len() / CHANGES_SHARE);
        let (mut before, mut after) = (Entries::new(&table, &sorting), Entries::new(&want.table, &want.sorting));
        let index = Arc::clone(&ordered.index);
        // The nodes that the other version has alone from now on; or this one, if the other is the newest.
        let apart = Charge::new(&self.room);
        let mut rows = ordered.rows.clone();
        let (mut come, mut gone) = (0, 0);
        for (step, (key, old, new)) in from.changes(&want.rows).enumerate() {
            if step == most {
                return Err(Failure::Far);
            }
            if step % STEPS_PER_PAUSE == 0 {
                let whole = index.bytes().saturating_sub(apart.bytes());
                self.take(&apart, whole.min(STEPS_PER_PAUSE * CHANGE_BYTES), place)?;
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
        if want.newest {
            self.take(&index, come, place)?;
            index.give_back(gone);
            ordered.own.absorb(&apart);
            return Ok(Arc::new(Ordered { rows, index, own: Charge::new(&self.room) }));
        }
        self.take(&apart, come.saturating_sub(gone), place)?;
        Ok(Arc::new(Ordered { rows, index, own: apart }))
    }

    fn slot(&self, place: (u32, u32)) -> Arc<Slot> {
        let slot = || {
            let used = Mutex::new(SystemClock.now());
            Arc::new(Slot { newest: tokio::sync::Mutex::default(), used, too_many: AtomicUsize::new(0) })
        };
        Arc::clone(self.slots.lock().entry(place).or_insert_with(slot))
    }

    /// Charges bytes; indexes that nobody uses have to go if there is no room.
    fn take(&self, charge: &Charge, bytes: usize, place: (u32, u32)) -> Result<(), Failure> {
        while !charge.take(bytes) {
            let slots: Vec<_> = self.slots.lock().iter().map(|(at, slot)| (*at, Arc::clone(slot))).collect();
            let mut others: Vec<_> = slots.into_iter().filter(|(at, _)| *at != place).collect();
            others.sort_by_key(|(_, slot)| *slot.used.lock());
            if !others.iter().any(|(_, slot)| slot.empty()) {
                return Err(Failure::NoRoom);
            }
        }
        Ok(())
    }

    /// Lets go of the indexes that were not used since this time.
    pub fn forget(&self, unused_since: Instant) {
        let old = |slot: &Slot| *slot.used.lock() <= unused_since && slot.newest.try_lock().is_ok();
        let mut slots = self.slots.lock();
        let gone: Vec<_> = slots.iter().filter(|(_, slot)| old(slot)).map(|(place, _)| *place).collect();
        let gone: Vec<_> = gone.into_iter().filter_map(|place| slots.remove(&place)).collect();
        // Freeing the rows takes time, which is not that of those who look.
        drop(slots);
        drop(gone);
    }

    /// Lets go of what is idle, as long as somebody has the indexes.
    pub async fn keep_tidy(indexes: Weak<Self>) {
        loop {
            tokio::time::sleep(SQL_INDEX_IDLE / 4).await;
            let Some(indexes) = indexes.upgrade() else { return };
            if let Some(since) = SystemClock.now().checked_sub(SQL_INDEX_IDLE) {
                indexes.forget(since);
            }
        }
    }
}

impl Slot {
    /// Lets go of the index, if nobody uses it; whether it did.
    fn empty(&self) -> bool {
        let Ok(mut newest) = self.newest.try_lock() else { return false };
        let unused = newest.as_ref().is_some_and(|version| Arc::strong_count(&version.ordered) == 1);
        if unused {
            *newest = None;
        }
        unused
    }
}

/// The memory of an entry, about.
fn cost(entry: &Key) -> usize {
    ENTRY_BYTES + if entry.len() > KEY_INLINE_BYTES { entry.len() } else { 0 }
}

/// What all indexes may take.
#[derive(Debug)]
struct Room {
    limit: usize,
    used: AtomicUsize,
}

/// Bytes of the room; free again when this is dropped.
#[derive(Debug)]
struct Charge {
    room: Arc<Room>,
    bytes: AtomicUsize,
}

impl Charge {
    fn new(room: &Arc<Room>) -> Self {
        Self { room: Arc::clone(room), bytes: AtomicUsize::new(0) }
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes more, if there is room.
    fn take(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.room.limit);
        let took = self.room.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if took {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        took
    }

    fn give_back(&self, bytes: usize) {
        let less = |held: usize| Some(held.saturating_sub(bytes));
        let held = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).unwrap_or_default();
        self.room.used.fetch_sub(held.min(bytes), Ordering::Relaxed);
    }

    /// Takes another's bytes over.
    fn absorb(&self, other: &Self) {
        self.bytes.fetch_add(other.bytes.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.give_back(self.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::catalog::Catalog;
    use crate::store::catalog::tests::{column, create_t};
    use crate::store::objects::{Index, Order};
    use crate::value::{ColumnType, Value};
    use crate::wire::binary_tuple::Builder;
    use std::time::Duration;

    const PLENTY: usize = 64 << 20;

    fn table() -> Arc<Table> {
        let mut catalog = Catalog::new();
        let columns = vec![column(1, "id", ColumnType::Int32, Some(0)), column(2, "v", ColumnType::Int32, None)];
        catalog.apply(&create_t(columns)).unwrap();
        Arc::clone(catalog.table(18).unwrap())
    }

    fn set(rows: &mut Rows, id: u32, value: Option<Value<'_>>) {
        let row = value.map(|value| {
            let mut tuple = Builder::new();
            tuple.push(&Value::Int(id.into()), ColumnType::Int32);
            match value {
                Value::Null => tuple.push_null(),
                value => tuple.push(&value, ColumnType::Int32),
            }
            Row::new(1, &tuple.build())
        });
        let mut key = Key::new();
        crate::store::key::push(&mut key, &Value::Int(id.into()), ColumnType::Int32).unwrap();
        rows.set(key, row);
    }

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

    fn wait<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    /// What the cache has for these rows, which must be what is made of nothing else.
    fn checked(indexes: &Indexes, want: &Want) -> Option<Arc<Ordered>> {
        let ordered = wait(indexes.get(want))?;
        let fresh = wait(Indexes::new(PLENTY).get(want)).unwrap();
        assert_eq!(ordered.rows.len(), want.rows.len());
        assert_eq!(ordered.rows.changes(&fresh.rows).count(), 0);
        Some(ordered)
    }

    #[test]
    fn an_index_follows_writes_forward_and_back() {
        let indexes = Indexes::new(PLENTY);
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
        let indexes = Indexes::new(PLENTY);
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
            let alone = Indexes::new(PLENTY);
            wait(alone.get(&want(&rows, 1, true))).unwrap();
            alone.bytes()
        };
        let indexes = Indexes::new(one * 5 / 2);
        let known = |index| {
            let slots = indexes.slots.lock();
            slots.get(&(18, index)).is_some_and(|slot| slot.newest.try_lock().unwrap().is_some())
        };
        for index in [1, 2, 1, 3] {
            checked(&indexes, &want(&rows, index, true)).unwrap();
        }
        assert_eq!([known(1), known(2), known(3)], [true, false, true]);
        // Not those that are read: then there is none, and it is not tried again for as many rows.
        let held = [1, 3].map(|index| wait(indexes.get(&want(&rows, index, true))).unwrap());
        assert!(wait(indexes.get(&want(&rows, 2, true))).is_none());
        assert!(!indexes.may_fit(18, 2, 1_000) && indexes.may_fit(18, 2, 100) && indexes.may_fit(18, 1, 1_000));
        drop(held);
        checked(&indexes, &want(&rows, 2, true)).unwrap();
        assert!(indexes.may_fit(18, 2, 1_000));
        assert!(indexes.bytes() <= one * 5 / 2);
        indexes.forget(SystemClock.now() + Duration::from_secs(1));
        assert_eq!((indexes.bytes(), indexes.slots.lock().len()), (0, 0));
    }

    #[test]
    fn versions_that_are_read_are_counted_and_never_beyond_the_limit() {
        let indexes = Indexes::new(1 << 20);
        let mut rows = many(3_000);
        let mut held = Vec::new();
        for step in 0..200 {
            (0..50).for_each(|n| set(&mut rows, n * 53, Some(Value::Int(step))));
            held.extend(wait(indexes.get(&want(&rows, 1, true))));
            assert!(indexes.bytes() <= 1 << 20);
        }
        assert!(!held.is_empty() && held.len() < 200);
        held.clear();
        indexes.forget(SystemClock.now() + Duration::from_secs(1));
        assert_eq!(indexes.bytes(), 0);
    }

    #[test]
    fn two_that_want_the_same_make_it_once() {
        let indexes = Indexes::new(PLENTY);
        let want = want(&many(5_000), 1, true);
        let (a, b) = wait(async { futures::join!(indexes.get(&want), indexes.get(&want)) });
        assert!(Arc::ptr_eq(&a.unwrap(), &b.unwrap()));
    }

    #[test]
    fn who_gives_up_leaves_no_charge() {
        let indexes = Indexes::new(PLENTY);
        let want = want(&many(5_000), 1, true);
        wait(async {
            let mut getting = Box::pin(indexes.get(&want));
            assert!(futures::poll!(getting.as_mut()).is_pending());
        });
        assert_eq!(indexes.bytes(), 0);
        checked(&indexes, &want).unwrap();
    }
}
