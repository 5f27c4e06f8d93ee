//! What the queries of a transaction have read, in bounded memory.
//!
//! A query reads ranges of a table's keys, and they must be the same when its transaction commits. A transaction may run
//! queries without end, so beyond [`READ_BYTES_MAX`] of a table they count as one: all of the table, as it is now. That is
//! safe if what was read before still holds; if it does not, the transaction cannot commit, and need not go on.

use super::database::{Database, Read};
use super::key::Key;
use crate::config::READ_BYTES_MAX;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What was read of all tables.
#[derive(Debug, Default)]
pub struct Reads {
    tables: BTreeMap<u32, OfTable>,
}

#[derive(Debug, Default)]
struct OfTable {
    reads: Vec<Read>,
    bytes: usize,
}

impl Reads {
    /// Takes one more read in. False: what was read before is not so any more in `now`.
    #[must_use]
    pub fn add(&mut self, read: Read, now: &Database) -> bool {
        let table = read.table;
        let known = self.tables.entry(table).or_default();
        known.bytes += bytes(&read);
        known.reads.push(read);
        if known.bytes <= READ_BYTES_MAX {
            return true;
        }
        if !known.reads.iter().all(|read| read.holds(now)) {
            return false;
        }
        let all = Read { table, rows: now.rows(table), spans: vec![(Bound::Unbounded, Bound::Unbounded)] };
        *known = OfTable { bytes: bytes(&all), reads: vec![all] };
        true
    }

    /// Whether the same would be read now.
    pub fn hold(&self, now: &Database) -> bool {
        self.tables.values().flat_map(|table| &table.reads).all(|read| read.holds(now))
    }
}

/// The memory of a read, about; the rows are shared.
fn bytes(read: &Read) -> usize {
    let key = |bound: &Bound<Key>| match bound {
        Bound::Included(key) | Bound::Excluded(key) => key.len(),
        Bound::Unbounded => 0,
    };
    let spans: usize = read.spans.iter().map(|span| size_of_val(span) + key(&span.0) + key(&span.1)).sum();
    size_of::<Read>() + spans
}

#[cfg(test)]
mod tests {
    use super::super::row::Row;
    use super::*;

    fn key(n: u32) -> Key {
        Key::from_slice(&n.to_be_bytes())
    }

    fn database() -> Database {
        let mut db = Database::new();
        for n in 0..100 {
            db.set(1, key(n), Some(Row::new(1, &[0, 1, 1])));
        }
        db
    }

    /// Reads one row as it is.
    fn one(db: &Database, n: u32) -> Read {
        Read { table: 1, rows: db.rows(1), spans: vec![(Bound::Included(key(n)), Bound::Included(key(n)))] }
    }

    fn changed(db: &Database, n: u32) -> Database {
        let mut db = db.clone();
        db.set(1, key(n), None);
        db
    }

    #[test]
    fn few_reads_are_kept_as_they_are() {
        let (db, mut reads) = (database(), Reads::default());
        for n in 0..50 {
            assert!(reads.add(one(&db, n), &db));
        }
        assert!(reads.hold(&db) && reads.hold(&changed(&db, 50)) && !reads.hold(&changed(&db, 49)));
    }

    #[test]
    fn many_reads_of_a_table_become_one_of_all_of_it() {
        let (db, mut reads) = (database(), Reads::default());
        // Another table's reads are none of its business.
        assert!(reads.add(Read { table: 2, rows: db.rows(2), ..one(&db, 1) }, &db));
        let fit = READ_BYTES_MAX / bytes(&one(&db, 1));
        for _ in 0..=fit {
            assert!(reads.add(one(&db, 1), &db));
        }
        assert!(reads.tables[&1].reads.len() == 1 && reads.tables[&2].reads.len() == 1);
        assert!(reads.tables[&1].bytes < READ_BYTES_MAX);
        // Coarser: a row that nobody read counts too.
        assert!(reads.hold(&db) && !reads.hold(&changed(&db, 50)));
    }

    #[test]
    fn what_has_changed_before_is_not_forgotten() {
        let (db, mut reads) = (database(), Reads::default());
        let now = changed(&db, 1);
        let fit = READ_BYTES_MAX / bytes(&one(&db, 1));
        assert!(reads.add(one(&db, 1), &now));
        let added = (0..fit).filter(|_| reads.add(one(&now, 2), &now)).count();
        assert!(added < fit && !reads.hold(&now));
    }
}
