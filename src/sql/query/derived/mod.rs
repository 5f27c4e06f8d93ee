//! What queries derive from the rows of a table, and keep for the next ones.
//!
//! Nothing of this is part of the database: no write, log or checkpoint knows of it. A table at one commit is a persistent
//! map, and what is derived of it (an index, columns) belongs to that map. It is made on the threads of queries when the
//! first of them wants it. The next query brings it from the map that it was made for to its own by the differences of the
//! two, which share all nodes that were not written in between: a hundred writes are a hundred steps, whichever of the two
//! is older.
//!
//! Each thing that is derived has a slot, which holds it for the newest commit that a query has asked about. A query of that
//! commit, or a later one, has the slot to itself while it makes the thing or brings it up to date, so that others wait for
//! its work instead of doing it again. A query of anything else (an older snapshot, a transaction with writes of its own)
//! goes from what the slot has to what it needs, and keeps that for itself. All of it together has the [`room`] that a
//! server is given; without room a query does without.

pub mod room;
mod usable;

pub use usable::Usable;

use crate::store::clock::{Clock, SystemClock};
use crate::store::database::Rows;
use parking_lot::Mutex;
use room::{Keeper, Kept, Room};
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Steps after which the work pauses: who wanted it may not want it any more.
pub const STEPS_PER_PAUSE: usize = 1024;
/// Changes that are followed whatever the size of the table.
const CHANGES_MIN: usize = 1024;
/// The part of the rows that may have changed for following to be worth it.
const CHANGES_SHARE: usize = 4;

/// A table's id, and which of the things that are derived from it.
pub type Place = (u32, u32);

/// What a query wants, and of which rows.
pub trait Want: Debug + Clone + Send + Sync + 'static {
    /// What is made.
    type Made: Debug + Send + Sync + 'static;

    /// Where it is kept.
    fn place(&self) -> Place;

    /// The rows of which it is made.
    fn rows(&self) -> &Rows;

    /// Whether these are the rows that everybody sees now.
    fn newest(&self) -> bool;

    /// Whether it is the same thing as `known`, but for the rows.
    fn is_same(&self, known: &Self) -> bool;

    /// Whether it is worth making, after it was asked for this often in vain.
    fn is_worth(&self, _asked: usize) -> bool {
        true
    }

    /// Makes it from all rows.
    fn make(&self, room: &Arc<Room>) -> impl Future<Output = Result<Self::Made, Failure>> + Send;

    /// Makes it from what was made of the rows of `known`.
    fn follow(
        &self,
        known: &Self,
        made: &Self::Made,
        room: &Arc<Room>,
    ) -> impl Future<Output = Result<Self::Made, Failure>> + Send;

    /// Lets go of those parts that were not used since this time.
    fn forget(_made: &Self::Made, _unused_since: Instant) {}

    /// Changes beyond which it is made anew.
    fn changes_max(&self) -> usize {
        CHANGES_MIN.max(self.rows().len() / CHANGES_SHARE)
    }
}

/// Why it was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It would take more than there is.
    NoRoom,
    /// Too much has changed.
    Far,
}

/// What was made of one kind.
#[derive(Debug)]
pub struct Slots<W: Want> {
    room: Arc<Room>,
    /// Held for one look.
    slots: Mutex<HashMap<Place, Arc<Slot<W>>>>,
}

#[derive(Debug)]
struct Slot<W: Want> {
    /// What was made last, and for what.
    newest: tokio::sync::Mutex<Option<(W, Arc<W::Made>)>>,
    /// When it was asked for last. Held for one look.
    used: Mutex<Instant>,
    /// The rows of the table when there was no room; 0 if there was.
    too_many: AtomicUsize,
    /// How often it was asked for when it was not worth making.
    asked: AtomicUsize,
}

impl<W: Want> Slots<W> {
    /// None yet.
    pub fn new(room: &Arc<Room>) -> Arc<Self> {
        let slots = Arc::new(Self { room: Arc::clone(room), slots: Mutex::default() });
        let keeper: Arc<dyn Keeper> = Arc::clone(&slots) as _;
        room.enter(Arc::downgrade(&keeper));
        slots
    }

    /// The room for all of it.
    pub fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// False for what there was no room for a short time ago, when the table had about as many rows.
    pub fn may_fit(&self, place: Place, rows: usize) -> bool {
        let too_many = self.slots.lock().get(&place).map_or(0, |slot| slot.too_many.load(Ordering::Relaxed));
        too_many == 0 || rows < too_many - too_many / 4
    }

    /// What is wanted; none if there is no room for it.
    pub async fn get(&self, want: &W) -> Option<Arc<W::Made>> {
        let slot = self.slot(want.place());
        let newest = slot.newest.lock().await;
        *slot.used.lock() = SystemClock.now();
        let known = newest.clone().filter(|(known, _)| want.is_same(known));
        if let Some((known, made)) = &known
            && known.rows().same(want.rows())
        {
            return Some(Arc::clone(made));
        }
        // Others go on meanwhile if what is made is not for them.
        let mut newest = Some(newest).filter(|_| want.newest());
        let mut made = match &known {
            Some((known, made)) => want.follow(known, made, &self.room).await,
            None => Err(Failure::Far),
        };
        drop(known);
        if matches!(made, Err(Failure::Far)) {
            if let Some(newest) = &mut newest {
                discard(newest.take());
            }
            if !want.is_worth(slot.asked.load(Ordering::Relaxed)) {
                slot.asked.fetch_add(usize::from(want.newest()), Ordering::Relaxed);
                return None;
            }
            slot.asked.store(0, Ordering::Relaxed);
            made = want.make(&self.room).await;
        }
        let made = made.ok().map(Arc::new);
        if let Some(newest) = &mut newest {
            slot.too_many.store(if made.is_some() { 0 } else { want.rows().len().max(1) }, Ordering::Relaxed);
            if let Some(made) = &made {
                discard(newest.replace((want.clone(), Arc::clone(made))));
            }
        }
        made
    }

    fn slot(&self, place: Place) -> Arc<Slot<W>> {
        let slot = || {
            let used = Mutex::new(SystemClock.now());
            Arc::new(Slot {
                newest: tokio::sync::Mutex::default(),
                used,
                too_many: AtomicUsize::new(0),
                asked: AtomicUsize::new(0),
            })
        };
        Arc::clone(self.slots.lock().entry(place).or_insert_with(slot))
    }

    /// Whether something is kept in this place.
    #[cfg(test)]
    pub fn has(&self, place: Place) -> bool {
        let slots = self.slots.lock();
        slots.get(&place).is_some_and(|slot| slot.newest.try_lock().is_ok_and(|newest| newest.is_some()))
    }

    /// Lets go of what was not used since this time.
    pub fn forget(&self, unused_since: Instant) {
        let old = |slot: &Slot<W>| *slot.used.lock() <= unused_since && slot.newest.try_lock().is_ok();
        let mut slots = self.slots.lock();
        let gone: Vec<_> = slots.iter().filter(|(_, slot)| old(slot)).map(|(place, _)| *place).collect();
        let gone: Vec<_> = gone.into_iter().filter_map(|place| slots.remove(&place)).collect();
        let left: Vec<_> = slots.values().cloned().collect();
        // Freeing takes time, which is not that of those who look.
        drop(slots);
        drop(gone);
        for slot in left {
            let newest = slot.newest.try_lock().ok().and_then(|newest| newest.clone());
            newest.inspect(|(_, made)| W::forget(made, unused_since));
        }
    }

    /// Lets go of what was not used for this time, again and again, as long as somebody has the slots.
    pub async fn keep_tidy(slots: Weak<Self>, idle: Duration) {
        loop {
            tokio::time::sleep(idle / 4).await;
            let Some(slots) = slots.upgrade() else { return };
            if let Some(since) = SystemClock.now().checked_sub(idle) {
                slots.forget(since);
            }
        }
    }
}

/// Frees what may be all rows of a table, without letting the query wait for that.
fn discard<T: Send + 'static>(old: Option<T>) {
    if let Some(old) = old {
        tokio::task::spawn_blocking(move || drop(old));
    }
}

impl<W: Want> Keeper for Slots<W> {
    fn kept(&self) -> Vec<(Instant, Arc<dyn Kept>)> {
        let slots = self.slots.lock();
        slots.values().map(|slot| (*slot.used.lock(), Arc::clone(slot) as Arc<dyn Kept>)).collect()
    }
}

impl<W: Want> Kept for Slot<W> {
    fn let_go(&self) -> bool {
        let Ok(mut newest) = self.newest.try_lock() else { return false };
        let unused = newest.take_if(|(_, made)| Arc::strong_count(made) == 1);
        // What was known of a lock is known no more while a large thing is freed.
        drop(newest);
        unused.is_some()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::catalog::tests::{column, create_t};
    use crate::store::catalog::{Catalog, Table};
    use crate::store::key::Key;
    use crate::store::row::Row;
    use crate::value::{ColumnType, Value};
    use crate::wire::binary_tuple::Builder;

    const TEXT: ColumnType = ColumnType::String { length: 65_536 };

    /// Bytes that no test fills.
    pub(in super::super) const PLENTY: usize = 64 << 20;

    /// A table `id INT PRIMARY KEY, v INT, t VARCHAR`.
    pub(in super::super) fn table() -> Arc<Table> {
        let mut catalog = Catalog::new();
        let columns = vec![
            column(1, "id", ColumnType::Int32, Some(0)),
            column(2, "v", ColumnType::Int32, None),
            column(3, "t", TEXT, None),
        ];
        catalog.apply(&create_t(columns)).unwrap();
        Arc::clone(catalog.table(18).unwrap())
    }

    /// Puts a row, with a text of so many bytes, or removes it.
    pub(in super::super) fn set_text(rows: &mut Rows, id: u32, value: Option<Value<'_>>, text_bytes: usize) {
        let row = value.map(|value| {
            let mut tuple = Builder::new();
            tuple.push(&Value::Int(id.into()), ColumnType::Int32);
            match value {
                Value::Null => tuple.push_null(),
                value => tuple.push(&value, ColumnType::Int32),
            }
            tuple.push(&Value::Str(format!("{id:text_bytes$}").into()), TEXT);
            Row::new(1, &tuple.build())
        });
        let mut key = Key::new();
        crate::store::key::push(&mut key, &Value::Int(id.into()), ColumnType::Int32).unwrap();
        rows.set(key, row);
    }

    /// Puts a row or removes it.
    pub(in super::super) fn set(rows: &mut Rows, id: u32, value: Option<Value<'_>>) {
        set_text(rows, id, value, 1);
    }

    /// What comes of some work.
    pub(in super::super) fn wait<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }
}
