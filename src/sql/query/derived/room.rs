//! The memory that derived data may take, all of it together.

use parking_lot::Mutex;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

/// What may be taken. When it is full, what nobody uses has to go, the one that was used longest ago first.
#[derive(Debug)]
pub struct Room {
    limit: usize,
    used: AtomicUsize,
    /// Who keeps something in here. Held for one look.
    keepers: Mutex<Vec<Weak<dyn Keeper>>>,
}

/// Something that keeps what can be made again.
pub trait Keeper: fmt::Debug + Send + Sync {
    /// All of it, with the time when it was used last.
    fn kept(&self) -> Vec<(Instant, Arc<dyn Kept>)>;
}

/// Something that is kept.
pub trait Kept: Send + Sync {
    /// Lets go of it, if nobody uses it; whether it did.
    fn let_go(&self) -> bool;
}

impl Room {
    /// Room for so many bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), keepers: Mutex::default() })
    }

    /// Bytes that are taken now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// From now on, what this one keeps has to go when there is no room left.
    pub fn enter(&self, keeper: Weak<dyn Keeper>) {
        self.keepers.lock().push(keeper);
    }

    /// Charges bytes; what nobody uses has to go where there is no room. False: there is none all the same.
    pub fn take(&self, charge: &Charge, bytes: usize) -> bool {
        while !charge.take(bytes) {
            if bytes > self.limit || !self.make_room() {
                return false;
            }
        }
        true
    }

    fn make_room(&self) -> bool {
        let keepers: Vec<_> = self.keepers.lock().iter().filter_map(Weak::upgrade).collect();
        let mut kept: Vec<_> = keepers.iter().flat_map(|keeper| keeper.kept()).collect();
        kept.sort_by_key(|(used, _)| *used);
        kept.iter().any(|(_, kept)| kept.let_go())
    }
}

/// Bytes of a room; free again when this is dropped.
#[derive(Debug)]
pub struct Charge {
    room: Arc<Room>,
    bytes: AtomicUsize,
}

impl Charge {
    /// Nothing yet.
    pub fn new(room: &Arc<Room>) -> Self {
        Self { room: Arc::clone(room), bytes: AtomicUsize::new(0) }
    }

    /// How many there are.
    pub fn bytes(&self) -> usize {
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

    /// Frees some of them.
    pub fn give_back(&self, bytes: usize) {
        let less = |held: usize| Some(held.saturating_sub(bytes));
        let held = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).unwrap_or_default();
        self.room.used.fetch_sub(held.min(bytes), Ordering::Relaxed);
    }

    /// Takes another's bytes over.
    pub fn absorb(&self, other: &Self) {
        self.bytes.fetch_add(other.bytes.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.give_back(self.bytes());
    }
}
