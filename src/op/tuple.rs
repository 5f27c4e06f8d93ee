//! The tuple operations of both dialects, over rows that are resolved already.
//!
//! An action names keys and rows; `run` reads and writes them through an [`Access`], which is the current value or a
//! transaction over it. It cannot fail half-way: whatever can be refused was refused before.

use crate::store::catalog::Table;
use crate::store::engine::Access;
use crate::store::key::Key;
use crate::store::locks::Mode;
use crate::store::row::Row;
use smallvec::SmallVec;
use std::sync::Arc;

/// A tuple packed for the newest schema version, with its key.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTuple {
    /// The key.
    pub key: Key,
    /// The row.
    pub row: Row,
}

/// One or more of something, in the order of the request.
pub type Many<T> = SmallVec<[T; 1]>;

/// A row that a change puts or deletes.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Its key.
    pub key: Key,
    /// The row; `None` deletes.
    pub row: Option<Row>,
    /// Whether the key must not exist yet.
    pub new: bool,
}

/// What to do with the tuples of one table.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Reads rows: [`Reply::Rows`].
    Get(Many<Key>),
    /// Whether all keys exist: [`Reply::Bool`].
    Contains(Many<Key>),
    /// Puts tuples, whether or not their keys exist: [`Reply::Done`].
    Upsert(Many<NewTuple>),
    /// Puts a tuple, returns the old row: [`Reply::Row`].
    GetAndUpsert(NewTuple),
    /// Puts tuples whose keys do not exist: [`Reply::Skipped`] are those whose keys do.
    Insert(Many<NewTuple>),
    /// Puts a tuple if its key exists: [`Reply::Bool`].
    Replace(NewTuple),
    /// Puts `new` if the stored row equals `old`: [`Reply::Bool`].
    ReplaceExact {
        /// What has to be there.
        old: NewTuple,
        /// What is put, if its key is the same.
        new: NewTuple,
    },
    /// Puts a tuple if its key exists, returns the old row: [`Reply::Row`].
    GetAndReplace(NewTuple),
    /// Deletes rows: [`Reply::Skipped`] are the keys that did not exist.
    Delete(Many<Key>),
    /// Deletes rows that equal the given tuples: [`Reply::Skipped`] are those that did not.
    DeleteExact(Many<NewTuple>),
    /// Deletes a row and returns it: [`Reply::Row`].
    GetAndDelete(Key),
    /// Puts (`Some`) and deletes rows: [`Reply::Done`].
    Stream(Vec<(Key, Option<Row>)>),
    /// Puts and deletes rows, all or none: [`Reply::Skipped`] are the places of new keys that exist, if any.
    Change(Arc<[Write]>),
}

/// What an action returns. Rows are packed for the newest schema version.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It was done.
    Done,
    /// A row for each key of the request.
    Rows(Many<Option<Row>>),
    /// The old row.
    Row(Option<Row>),
    /// Yes or no.
    Bool(bool),
    /// Places in the request of what was not done.
    Skipped(Vec<usize>),
}

impl Action {
    /// Whether it changes nothing.
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Get(_) | Self::Contains(_))
    }

    /// Bytes it may add, for the memory limit.
    pub fn bytes(&self) -> u64 {
        let size =
            |t: &NewTuple| t.key.len() as u64 + t.row.bytes().len() as u64 + crate::store::database::ROW_OVERHEAD_BYTES;
        match self {
            Self::Upsert(tuples) | Self::Insert(tuples) => tuples.iter().map(size).sum(),
            Self::GetAndUpsert(t) | Self::Replace(t) | Self::GetAndReplace(t) | Self::ReplaceExact { new: t, .. } => {
                size(t)
            }
            Self::Stream(rows) => {
                rows.iter().filter_map(|(_, row)| row.as_ref()).map(|row| row.bytes().len() as u64).sum()
            }
            Self::Change(writes) => {
                writes.iter().filter_map(|w| w.row.as_ref()).map(|row| row.bytes().len() as u64).sum()
            }
            Self::Get(_) | Self::Contains(_) | Self::Delete(_) | Self::DeleteExact(_) | Self::GetAndDelete(_) => 0,
        }
    }

    /// The keys it reads or writes, and how they are locked.
    pub fn keys(&self) -> (Mode, SmallVec<[&Key; 2]>) {
        let keys = match self {
            Self::Get(keys) | Self::Contains(keys) => return (Mode::Shared, keys.iter().collect()),
            Self::Delete(keys) => keys.iter().collect(),
            Self::Upsert(tuples) | Self::Insert(tuples) | Self::DeleteExact(tuples) => {
                tuples.iter().map(|t| &t.key).collect()
            }
            Self::GetAndUpsert(t) | Self::Replace(t) | Self::GetAndReplace(t) => SmallVec::from_slice(&[&t.key]),
            Self::ReplaceExact { old, new } => SmallVec::from_slice(&[&old.key, &new.key]),
            Self::GetAndDelete(key) => SmallVec::from_slice(&[key]),
            Self::Stream(rows) => rows.iter().map(|(key, _)| key).collect(),
            Self::Change(writes) => writes.iter().map(|w| &w.key).collect(),
        };
        (Mode::Exclusive, keys)
    }
}

/// Runs an action on the rows of `table`.
pub fn run(access: &mut impl Access, table: &Table, action: Action) -> Reply {
    let mut rows = Rows { access, table };
    match action {
        Action::Get(keys) => Reply::Rows(keys.iter().map(|key| rows.get(key)).collect()),
        Action::Contains(keys) => Reply::Bool(keys.iter().all(|key| rows.exists(key))),
        Action::Upsert(tuples) => {
            for t in tuples {
                rows.put(t);
            }
            Reply::Done
        }
        Action::GetAndUpsert(t) => {
            let old = rows.get(&t.key);
            rows.put(t);
            Reply::Row(old)
        }
        Action::Insert(tuples) => skipped(tuples, |t| {
            let free = !rows.exists(&t.key);
            if free {
                rows.put(t);
            }
            free
        }),
        Action::Replace(t) => {
            let there = rows.exists(&t.key);
            if there {
                rows.put(t);
            }
            Reply::Bool(there)
        }
        Action::ReplaceExact { old, new } => {
            // As on a real node, a row never replaces one of another key.
            let same = old.key == new.key && rows.equals(&old);
            if same {
                rows.put(new);
            }
            Reply::Bool(same)
        }
        Action::GetAndReplace(t) => {
            let old = rows.get(&t.key);
            if old.is_some() {
                rows.put(t);
            }
            Reply::Row(old)
        }
        // What is skipped is decided before anything is deleted: a key that is named twice was there both times.
        Action::Delete(keys) => {
            let there: Many<bool> = keys.iter().map(|key| rows.exists(key)).collect();
            skipped(keys.into_iter().zip(there), |(key, there)| {
                rows.delete(key);
                there
            })
        }
        Action::DeleteExact(tuples) => {
            let same: Many<bool> = tuples.iter().map(|t| rows.equals(t)).collect();
            skipped(tuples.into_iter().zip(same), |(t, same)| {
                if same {
                    rows.delete(t.key);
                }
                same
            })
        }
        Action::GetAndDelete(key) => {
            let old = rows.get(&key);
            if old.is_some() {
                rows.delete(key);
            }
            Reply::Row(old)
        }
        Action::Change(writes) => {
            let there = |(_, w): &(usize, &Write)| w.new && rows.exists(&w.key);
            let taken: Vec<usize> = writes.iter().enumerate().filter(there).map(|(place, _)| place).collect();
            if taken.is_empty() {
                for Write { key, row, .. } in writes.iter().cloned() {
                    match row {
                        Some(row) => rows.put(NewTuple { key, row }),
                        None => {
                            rows.delete(key);
                        }
                    }
                }
            }
            Reply::Skipped(taken)
        }
        Action::Stream(changes) => {
            for (key, row) in changes {
                match row {
                    Some(row) => rows.put(NewTuple { key, row }),
                    None => {
                        rows.delete(key);
                    }
                }
            }
            Reply::Done
        }
    }
}

/// The places of the items that `done` refused.
fn skipped<T>(items: impl IntoIterator<Item = T>, mut done: impl FnMut(T) -> bool) -> Reply {
    Reply::Skipped(items.into_iter().enumerate().filter_map(|(i, item)| (!done(item)).then_some(i)).collect())
}

/// The rows of one table.
struct Rows<'a, A> {
    access: &'a mut A,
    table: &'a Table,
}

impl<A: Access> Rows<'_, A> {
    /// The row, packed for the newest version.
    fn get(&self, key: &Key) -> Option<Row> {
        let row = self.access.get(self.table.id, key)?;
        let newest = self.table.newest();
        if row.version() == newest.version {
            return Some(row);
        }
        match self.table.schema(row.version()) {
            Some(old) => Some(newest.widen(&row, old)),
            None => Some(row),
        }
    }

    fn exists(&self, key: &Key) -> bool {
        self.access.get(self.table.id, key).is_some()
    }

    fn equals(&self, t: &NewTuple) -> bool {
        self.get(&t.key).is_some_and(|row| row.tuple() == t.row.tuple())
    }

    fn put(&mut self, t: NewTuple) {
        self.access.set(self.table.id, t.key, Some(t.row));
    }

    fn delete(&mut self, key: Key) -> bool {
        let there = self.exists(&key);
        if there {
            self.access.set(self.table.id, key, None);
        }
        there
    }
}
