//! The database is a value.
//!
//! All tables live in memory in persistent (structurally shared) ordered maps, together with the catalog, in one
//! [`Database`]. A clone costs a few reference counts and is a snapshot: nothing that is written later shows in it. So a
//! read-only transaction, a long scan, a backup, a checkpoint and a fixture's `snapshot()` are all the same thing, a
//! clone that somebody holds; there are no version chains and nothing to vacuum. The price is that all rows fit in
//! memory.
//!
//! One thread owns the current value and changes it in place; nodes that a clone shares are copied as they are touched.
//! A change set goes to the commit log as the bytes that [`Edit`] encodes:
//!
//! ```text
//! 01 table(u32 LE) key length(u32 LE) key row length(u32 LE) row     the row is there now
//! 02 table(u32 LE) key length(u32 LE) key                            the row is gone
//! 03 length(u32 LE) JSON of a catalog::Change                        the catalog changes
//! ```

use super::catalog::{Catalog, Change};
use super::key::Key;
use super::persist;
use super::row::Row;
use crate::error::{Error, Kind, Result};
use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use std::ops::Bound;

/// What one row costs beside its bytes: its share of the map's nodes and the row's own allocation.
pub const ROW_OVERHEAD_BYTES: u64 = 96;

/// All tables at one commit.
#[derive(Debug, Clone, Default)]
pub struct Database {
    /// What tables there are.
    pub catalog: Catalog,
    tables: OrdMap<u32, OrdMap<Key, Row>>,
    /// The number of the newest commit in this value; 0 is the empty database.
    pub commit: u64,
    bytes: u64,
}

/// The rows of one table at one commit, in key order; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Rows(OrdMap<Key, Row>);

/// A key, the row that it had, and the row that it has.
pub type RowChange<'a> = (&'a Key, Option<&'a Row>, Option<&'a Row>);

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The row of this key.
    pub fn get(&self, key: &Key) -> Option<&Row> {
        self.0.get(key)
    }

    /// The rows whose keys lie within the bounds.
    pub fn range(&self, bounds: (Bound<Key>, Bound<Key>)) -> impl DoubleEndedIterator<Item = (&Key, &Row)> {
        self.0.range(bounds)
    }

    /// Puts or removes a row.
    pub fn set(&mut self, key: Key, row: Option<Row>) {
        match row {
            Some(row) => drop(self.0.insert(key, row)),
            None => drop(self.0.remove(&key)),
        }
    }

    /// What makes these rows `others`: a key with its row here and its row there. What the two share is not looked at, so
    /// where one came from the other by a few writes, it takes a few steps.
    pub fn changes<'a>(&'a self, others: &'a Self) -> impl Iterator<Item = RowChange<'a>> {
        self.0.diff(&others.0).map(|change| match change {
            DiffItem::Add(key, row) => (key, None, Some(row)),
            DiffItem::Remove(key, row) => (key, Some(row), None),
            DiffItem::Update { old: (key, old), new: (_, new) } => (key, Some(old), Some(new)),
        })
    }

    /// Cuts the key order into at most `parts` spans, one after the other, which have about as many rows each where keys
    /// are spread evenly.
    pub fn split(&self, parts: usize) -> Vec<(Bound<Key>, Bound<Key>)> {
        let mut spans = Vec::with_capacity(parts);
        let mut start = Bound::Unbounded;
        if let (Some((first, _)), Some((last, _))) = (self.0.get_min(), self.0.get_max()) {
            let (first, last) = (first.as_slice(), last.as_slice());
            let same = first.iter().zip(last).take_while(|(a, b)| a == b).count();
            let (from, to) = (number_at(first, same), number_at(last, same));
            let step = to.saturating_sub(from) / parts.max(1) as u64;
            for part in 1..parts as u64 {
                let mut cut = first.get(..same).unwrap_or_default().to_vec();
                cut.extend((from + part * step).to_be_bytes());
                let cut = Key::from_slice(&cut);
                spans.push((start, Bound::Excluded(cut.clone())));
                start = Bound::Included(cut);
            }
        }
        spans.push((start, Bound::Unbounded));
        spans
    }

    /// Whether these are the same rows because nothing was written in between. Says no where that takes a comparison.
    pub fn same(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0) || (self.0.is_empty() && other.0.is_empty())
    }
}

/// The eight bytes of a key from `place` on, as a number; what it lacks is zero.
fn number_at(key: &[u8], place: usize) -> u64 {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(key.iter().skip(place)) {
        *to = *from;
    }
    u64::from_be_bytes(bytes)
}

/// Rows that somebody has read, all those within some bounds, as they were.
#[derive(Debug, Clone)]
pub struct Read {
    /// The table.
    pub table: u32,
    /// Its rows.
    pub rows: Rows,
    /// What was read of them.
    pub spans: Vec<(Bound<Key>, Bound<Key>)>,
}

impl Read {
    /// Whether the same would be read now.
    pub fn holds(&self, now: &Database) -> bool {
        let rows = now.rows(self.table);
        let same_span =
            |bounds: &(Bound<Key>, Bound<Key>)| self.rows.range(bounds.clone()).eq(rows.range(bounds.clone()));
        self.rows.same(&rows) || self.spans.iter().all(same_span)
    }
}

/// One step of a change set.
#[derive(Debug)]
pub enum Edit<'a> {
    /// The row is there now.
    Put {
        /// The table.
        table: u32,
        /// The row's key.
        key: &'a [u8],
        /// The row.
        row: &'a Row,
    },
    /// The row is gone.
    Delete {
        /// The table.
        table: u32,
        /// The row's key.
        key: &'a [u8],
    },
    /// The catalog changes.
    Catalog(&'a Change),
}

impl Database {
    /// An empty database.
    pub fn new() -> Self {
        Self::default()
    }

    /// The row of this key, as it was stored.
    pub fn get(&self, table: u32, key: &Key) -> Option<&Row> {
        self.tables.get(&table)?.get(key)
    }

    /// The rows of a table in key order.
    pub fn scan(&self, table: u32) -> impl Iterator<Item = (&Key, &Row)> {
        self.tables.get(&table).into_iter().flatten()
    }

    /// The rows of a table, as a value of their own.
    pub fn rows(&self, table: u32) -> Rows {
        Rows(self.tables.get(&table).cloned().unwrap_or_default())
    }

    /// The number of rows of a table.
    pub fn len(&self, table: u32) -> usize {
        self.tables.get(&table).map_or(0, OrdMap::len)
    }

    /// The rows of all tables.
    pub fn row_count(&self) -> u64 {
        self.tables.values().map(|t| t.len() as u64).sum()
    }

    /// Bytes that rows and keys take, with [`ROW_OVERHEAD_BYTES`] each.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Puts or removes a row, and returns what was there.
    pub fn set(&mut self, table: u32, key: Key, row: Option<Row>) -> Option<Row> {
        let key_bytes = key.len();
        let cost = |row: &Row| (key_bytes + row.bytes().len()) as u64 + ROW_OVERHEAD_BYTES;
        let new = row.as_ref().map_or(0, cost);
        let rows = match self.tables.get_mut(&table) {
            Some(rows) => rows,
            None => self.tables.entry(table).or_default(),
        };
        let old = match row {
            Some(row) => rows.insert(key, row),
            None => rows.remove(&key),
        };
        self.bytes = self.bytes + new - old.as_ref().map_or(0, cost);
        old
    }

    /// Applies a catalog change; a dropped table's rows go with it.
    pub fn apply(&mut self, change: &Change) -> Result<()> {
        self.catalog.apply(change)?;
        if let Change::DropTable { id } = change
            && let Some(rows) = self.tables.remove(id)
        {
            let bytes: u64 = rows.iter().map(|(k, r)| (k.len() + r.bytes().len()) as u64 + ROW_OVERHEAD_BYTES).sum();
            self.bytes -= bytes;
        }
        Ok(())
    }

    /// Applies a change set that was read back from the log.
    pub fn replay(&mut self, commit: u64, mut payload: &[u8]) -> Result<()> {
        let short = || Error::new(Kind::Internal, format!("the change set of commit {commit} is cut short"));
        while let Some((&tag, rest)) = payload.split_first() {
            payload = rest;
            match tag {
                1 | 2 => {
                    let table = take_u32(&mut payload).ok_or_else(short)?;
                    let key = Key::from_slice(take_bytes(&mut payload).ok_or_else(short)?);
                    let row = match tag {
                        1 => Some(Row::verified(take_bytes(&mut payload).ok_or_else(short)?)?),
                        _ => None,
                    };
                    self.set(table, key, row);
                }
                3 => {
                    let json = take_bytes(&mut payload).ok_or_else(short)?;
                    let change = serde_json::from_slice(json).map_err(|e| {
                        Error::new(Kind::Internal, format!("the catalog change of commit {commit} cannot be read: {e}"))
                    })?;
                    self.apply(&change)?;
                }
                other => {
                    return Err(Error::new(
                        Kind::Internal,
                        format!("commit {commit} has an edit of unknown kind {other}"),
                    ));
                }
            }
        }
        self.commit = commit;
        Ok(())
    }
}

impl Edit<'_> {
    /// Appends the edit to a change set.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Edit::Put { table, key, row } => {
                out.push(1);
                out.extend_from_slice(&table.to_le_bytes());
                put_bytes(out, key);
                put_bytes(out, row.bytes());
            }
            Edit::Delete { table, key } => {
                out.push(2);
                out.extend_from_slice(&table.to_le_bytes());
                put_bytes(out, key);
            }
            Edit::Catalog(change) => {
                out.push(3);
                put_bytes(out, &serde_json::to_vec(change).unwrap_or_default());
            }
        }
    }
}

/// A start feeds the checkpoint and the log into the value.
impl persist::Recover for Database {
    fn meta(&mut self, commit: u64, meta: &[u8]) -> Result<(), String> {
        self.catalog = Catalog::decode(meta).map_err(|e| e.to_string())?;
        self.commit = commit;
        Ok(())
    }

    fn row(&mut self, table: u32, key: &[u8], row: &[u8]) -> Result<(), String> {
        let row = Row::verified(row).map_err(|e| e.to_string())?;
        self.set(table, Key::from_slice(key), Some(row));
        Ok(())
    }

    fn record(&mut self, commit: u64, payload: &[u8]) -> Result<(), String> {
        self.replay(commit, payload).map_err(|e| e.to_string())
    }
}

/// A clone is what a checkpoint and a backup are made from.
impl persist::Source for Database {
    fn commit(&self) -> u64 {
        self.commit
    }

    fn meta(&self) -> Vec<u8> {
        self.catalog.encode()
    }

    fn row_count(&self) -> u64 {
        Self::row_count(self)
    }

    fn rows(&self) -> Box<dyn Iterator<Item = (u32, &[u8], &[u8])> + '_> {
        Box::new(
            self.tables.iter().flat_map(|(&id, rows)| rows.iter().map(move |(k, r)| (id, k.as_slice(), r.bytes()))),
        )
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*head))
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = take_u32(bytes)? as usize;
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::super::catalog::tests::{column, create_t};
    use super::*;
    use crate::value::ColumnType;

    fn create() -> Change {
        create_t(vec![column(1, "id", ColumnType::Int8, Some(0))])
    }

    #[test]
    fn a_clone_keeps_what_was_there_and_bytes_are_counted() {
        let mut db = Database::new();
        db.apply(&create()).unwrap();
        let row = |n: u8| Row::new(1, &[0, 1, n]);
        db.set(18, Key::from_slice(b"a"), Some(row(1)));
        let snapshot = db.clone();
        assert_eq!(db.set(18, Key::from_slice(b"a"), Some(row(2))), Some(row(1)));
        db.set(18, Key::from_slice(b"b"), Some(row(3)));
        assert_eq!((snapshot.get(18, &Key::from_slice(b"a")), snapshot.len(18)), (Some(&row(1)), 1));
        assert_eq!((db.len(18), db.row_count(), db.bytes()), (2, 2, 2 * (1 + 12 + ROW_OVERHEAD_BYTES)));
        assert_eq!(db.scan(18).map(|(k, _)| k.to_vec()).collect::<Vec<_>>(), [b"a".to_vec(), b"b".to_vec()]);
        db.set(18, Key::from_slice(b"b"), None);
        db.apply(&Change::DropTable { id: 18 }).unwrap();
        assert_eq!((db.len(18), db.bytes()), (0, 0));
    }

    #[test]
    fn a_change_set_is_replayed() {
        let (row, change) = (Row::new(1, &[0, 1, 1]), create());
        let mut payload = Vec::new();
        for edit in [
            Edit::Catalog(&change),
            Edit::Put { table: 18, key: b"a", row: &row },
            Edit::Put { table: 18, key: b"b", row: &row },
            Edit::Delete { table: 18, key: b"a" },
        ] {
            edit.encode(&mut payload);
        }
        let mut db = Database::new();
        db.replay(5, &payload).unwrap();
        assert_eq!((db.commit, db.len(18), db.get(18, &Key::from_slice(b"b"))), (5, 1, Some(&row)));
        for cut in 1..payload.len() {
            let _ = Database::new().replay(5, &payload[..cut]);
        }
    }

    proptest::proptest! {
        #[test]
        fn changes_lead_from_rows_to_others(
            first: std::collections::BTreeMap<u16, u8>,
            writes in proptest::collection::vec((0_u16.., proptest::option::of(0_u8..)), 0..300),
        ) {
            let key = |n: u16| Key::from_slice(&n.to_be_bytes());
            let mut rows = Rows::default();
            for (n, value) in first {
                rows.set(key(n), Some(Row::new(1, &[value])));
            }
            let before = rows.clone();
            for (n, value) in writes {
                // Near each other as well as far apart.
                rows.set(key(n / (1 + n % 99)), value.map(|v| Row::new(1, &[v])));
            }
            for (from, to) in [(&before, &rows), (&rows, &before)] {
                let mut led = from.clone();
                for (key, old, new) in from.changes(to) {
                    proptest::prop_assert_eq!((from.get(key), to.get(key)), (old, new));
                    led.set(key.clone(), new.cloned());
                }
                proptest::prop_assert_eq!(&led.0, &to.0);
            }
        }
    }

    #[test]
    fn the_key_order_is_cut_into_spans_without_gaps() {
        let keys = |numbers: &mut dyn Iterator<Item = u32>| {
            Rows(numbers.map(|n| (Key::from_slice(&n.to_be_bytes()), Row::new(1, &[0]))).collect())
        };
        for (rows, parts) in [
            (keys(&mut (0..1000)), 4),
            (keys(&mut [7].into_iter()), 3),
            (keys(&mut std::iter::empty()), 3),
            (keys(&mut (0..u32::MAX).step_by(99_999_999)), 2),
        ] {
            let spans = rows.split(parts);
            let counts: Vec<_> = spans.iter().map(|span| rows.range(span.clone()).count()).collect();
            assert_eq!(counts.iter().sum::<usize>(), rows.len());
            if rows.len() > parts {
                assert!(counts.iter().all(|&count| count.abs_diff(rows.len() / parts) <= 2), "{counts:?}");
            }
        }
    }
}
