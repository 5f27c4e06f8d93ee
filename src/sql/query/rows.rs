//! Batches into pages of binary tuples.

use super::arrays::value_at;
use crate::config::{SQL_PAGE_BYTES_MAX, SQL_PAGE_BYTES_MIN, SQL_PAGES_BYTES_MAX};
use crate::error::Result;
use crate::sql::{Page, ResultColumn};
use crate::value::{ColumnType, Value};
use crate::wire::binary_tuple::Builder;
use crate::wire::msgpack::Write;
use datafusion::arrow::array::RecordBatch;

/// A page takes at most this part of the room that is left.
const ROOM_SHARE: usize = 32;

/// Fills pages of a given number of rows.
#[derive(Debug)]
pub struct Pages {
    rows_max: usize,
    bytes_max: usize,
    page: Page,
    builder: Builder,
    tuple: Vec<u8>,
}

impl Pages {
    /// Pages of `rows_max` rows.
    pub fn new(rows_max: usize) -> Self {
        let (page, builder, tuple) = (Page::default(), Builder::new(), Vec::new());
        Self { rows_max: rows_max.max(1), bytes_max: SQL_PAGE_BYTES_MAX, page, builder, tuple }
    }

    /// Limits the bytes of pages, as far as those that `wait` for their clients leave room: the sum stays bounded.
    pub fn make_room(&mut self, wait: usize) {
        let left = SQL_PAGES_BYTES_MAX.saturating_sub(wait);
        self.bytes_max = (left / ROOM_SHARE).clamp(SQL_PAGE_BYTES_MIN, SQL_PAGE_BYTES_MAX);
    }

    /// Appends a row of a batch.
    pub fn push(&mut self, batch: &RecordBatch, row: usize, columns: &[ResultColumn]) -> Result<()> {
        self.builder.clear();
        for (array, column) in batch.columns().iter().zip(columns) {
            match (value_at(array, row)?, column.ty) {
                (Value::Null, _) | (_, None) => self.builder.push_null(),
                (value, Some(ty)) => self.builder.push(&value, ty),
            }
        }
        self.put();
        Ok(())
    }

    /// Appends a row of one text.
    pub fn push_text(&mut self, text: &str) {
        self.builder.clear();
        self.builder.push(&Value::Str(text.into()), ColumnType::String { length: crate::value::UNLIMITED });
        self.put();
    }

    fn put(&mut self) {
        self.tuple.clear();
        self.builder.write(&mut self.tuple);
        self.page.rows.put_bin(&self.tuple);
        self.page.count += 1;
    }

    /// Whether the page at hand takes no more rows.
    pub fn full(&self) -> bool {
        self.page.count >= self.rows_max || self.page.rows.len() >= self.bytes_max
    }

    /// The page at hand; the next one begins. `last`: there is none.
    pub fn take(&mut self, last: bool) -> Page {
        Page { last, ..std::mem::take(&mut self.page) }
    }
}
