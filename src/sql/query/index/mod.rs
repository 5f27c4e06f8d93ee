//! Secondary indexes, as what queries derive from the rows.
//!
//! An index is a persistent map, from the bytes of [`order`] to the rows, which is derived from that of the key (see
//! [`super::derived`]).
//!
//! ```text
//! Provider::scan ─► ways (by the key, by an index) that the filters narrow most ─► rule (one of them that has the order)
//!                                                             ─► make (the indexes of the plan; without room: plan again)
//! ```
//!
//! Only SORTED indexes are used: the rows of a HASH index have no order to be found by that the key's map would not give.

pub mod cache;
pub mod order;
pub mod rule;
pub mod way;

use crate::error::{Error, Kind, Result};
use crate::store::catalog::Table;
use crate::store::key::Key;
use crate::store::objects::Index;
use crate::store::row::Row;
use crate::wire::binary_tuple::Tuple;
use order::Sorted;
use std::sync::Arc;

/// An index as an order of its table's rows.
#[derive(Debug)]
pub struct Sorting {
    /// The index.
    pub index: Arc<Index>,
    /// Its columns, and behind them those of the key.
    pub columns: Vec<Sorted>,
}

impl Sorting {
    /// The order of an index. None if it gives none: it is hashed, or of a type that has no order.
    pub fn of(table: &Table, index: &Arc<Index>) -> Option<Self> {
        let schema = table.newest();
        let column = |&(id, order)| {
            let at = schema.columns.iter().position(|column| column.id == id)?;
            let column = schema.columns.get(at).filter(|column| Sorted::can_be(column.ty))?;
            Some(Sorted { column: Arc::clone(column), at, order: Some(order) })
        };
        let mut columns: Vec<_> = index.columns.iter().map(column).collect::<Option<_>>().filter(|_| index.sorted)?;
        columns.extend(Sorted::key_of(table));
        Some(Self { index: Arc::clone(index), columns })
    }

    /// The columns of the index itself.
    fn own(&self) -> impl Iterator<Item = &Sorted> {
        self.columns.iter().take(self.index.columns.len())
    }

    /// Whether two orders of the same table have the same bytes.
    fn is_same(&self, other: &Self) -> bool {
        let parts = |of: &Self| of.own().map(|c| (Arc::clone(&c.column), c.order)).collect::<Vec<_>>();
        parts(self) == parts(other)
    }
}

/// Makes the entries of a table's rows in an index.
struct Entries<'a> {
    table: &'a Table,
    sorting: &'a Sorting,
    /// By schema version: how many columns a row has, and where in it those of the index are.
    versions: Vec<(i32, usize, Vec<Option<usize>>)>,
    entry: Key,
}

impl<'a> Entries<'a> {
    fn new(table: &'a Table, sorting: &'a Sorting) -> Self {
        Self { table, sorting, versions: Vec::new(), entry: Key::new() }
    }

    /// The entry of a row of this key.
    ///
    /// # Errors
    /// `LimitExceeded` for values that make it too long; `Internal` for a row that is none.
    fn of(&mut self, key: &Key, row: &Row) -> Result<Key> {
        let known = self.versions.iter().position(|(version, ..)| *version == row.version());
        let at = known.unwrap_or_else(|| {
            let schema = self.table.schema(row.version()).unwrap_or_else(|| self.table.newest());
            let place = |part: &Sorted| schema.columns.iter().position(|column| column.id == part.column.id);
            let places = self.sorting.own().map(place).collect();
            self.versions.push((row.version(), schema.columns.len(), places));
            self.versions.len() - 1
        });
        let tuple = self.versions.get(at).and_then(|(_, columns, _)| Tuple::trusted(row.tuple(), *columns));
        let (Some(tuple), Some((.., places))) = (tuple, self.versions.get(at)) else {
            return Err(Error::new(Kind::Internal, "a stored row is no tuple"));
        };
        self.entry.truncate(0);
        for (part, place) in self.sorting.own().zip(places) {
            let element = match place {
                Some(at) => tuple.element(*at),
                None => part.column.filler().element(),
            };
            part.push_element(&mut self.entry, element)?;
        }
        self.entry.extend_from_slice(key);
        // Without the room that grew beyond what is needed.
        Ok(Key::from_slice(&self.entry))
    }
}
