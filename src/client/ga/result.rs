//! What a statement answered, and its rows page by page.

use super::columns::{read_columns, read_page};
use super::{Client, ColumnMeta};
use crate::client::error::{Error, Result};
use crate::door::igni::ga::opcode::Opcode;
use crate::value::Value;
use crate::wire::msgpack::{Reader, Write as _};

/// One row, in the order of the columns.
pub type Row = Vec<Value<'static>>;

/// What a statement answered.
///
/// Of a query it holds the first page; further ones come by [`SqlResult::next_page`] or [`SqlResult::rows`]. A result
/// that is not read to its end keeps a cursor open on the server until [`SqlResult::close`], or until the connection
/// ends.
#[derive(Debug)]
pub struct SqlResult {
    /// Whether the statement answers rows, even if there are none.
    pub has_rows: bool,
    /// Of DDL: whether it changed something.
    pub was_applied: bool,
    /// Of DML: how many rows it changed.
    pub affected_rows: Option<u64>,
    /// The columns of the rows.
    pub columns: Vec<ColumnMeta>,
    page: Option<Vec<Row>>,
    /// Where the rest of the rows waits.
    cursor: Option<i64>,
}

impl SqlResult {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let cursor = if reader.nil_if_next()? { None } else { Some(reader.i64()?) };
        let (has_rows, has_more, was_applied) = (reader.bool()?, reader.bool()?, reader.bool()?);
        let affected_rows = u64::try_from(reader.i64()?).ok();
        let columns = read_columns(reader)?;
        let page = if has_rows { Some(read_page(reader, &columns)?) } else { None };
        Ok(Self { has_rows, was_applied, affected_rows, columns, page, cursor: cursor.filter(|_| has_more) })
    }

    #[cfg(test)]
    pub(super) fn take_page(&mut self) -> Vec<Row> {
        self.page.take().unwrap_or_default()
    }

    /// The next page of rows; `None` after the last one.
    ///
    /// # Errors
    /// The query fails while it runs, or the connection does.
    pub fn next_page(&mut self, client: &mut Client) -> Result<Option<Vec<Row>>> {
        if let Some(page) = self.page.take() {
            return Ok(Some(page));
        }
        let Some(cursor) = self.cursor else { return Ok(None) };
        let answer = client.call(Opcode::SqlCursorNextPage, |out| out.put_int(cursor));
        if !matches!(answer, Err(Error::Interrupted)) {
            self.cursor = None;
        }
        let answer = answer?;
        let mut reader = answer.reader();
        let page = read_page(&mut reader, &self.columns)?;
        // The server has closed the cursor itself when there is nothing more.
        self.cursor = reader.bool()?.then_some(cursor);
        Ok(Some(page))
    }

    /// The rows one by one; pages are fetched as they are needed, and the cursor is closed when the iterator is dropped.
    pub fn rows(self, client: &mut Client) -> Rows<'_> {
        Rows { client, result: self, page: Vec::new().into_iter() }
    }

    /// All rows at once.
    ///
    /// # Errors
    /// As [`SqlResult::next_page`].
    pub fn all(self, client: &mut Client) -> Result<Vec<Row>> {
        self.rows(client).collect()
    }

    /// Gives up the rows that were not read.
    ///
    /// # Errors
    /// The connection fails.
    pub fn close(mut self, client: &mut Client) -> Result<()> {
        match self.cursor.take() {
            Some(cursor) => client.call(Opcode::SqlCursorClose, |out| out.put_int(cursor)).map(drop),
            None => Ok(()),
        }
    }
}

/// The rows of a result. After an error there are no more.
#[derive(Debug)]
pub struct Rows<'c> {
    client: &'c mut Client,
    result: SqlResult,
    page: std::vec::IntoIter<Row>,
}

impl Rows<'_> {
    /// The columns.
    pub fn columns(&self) -> &[ColumnMeta] {
        &self.result.columns
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.page.next() {
                return Some(Ok(row));
            }
            match self.result.next_page(self.client) {
                Ok(Some(page)) => self.page = page.into_iter(),
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        if let Some(cursor) = self.result.cursor.take()
            && let Err(error) = self.client.call(Opcode::SqlCursorClose, |out| out.put_int(cursor))
        {
            log::debug!("cursor {cursor} was not closed: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_without_rows_are_read() {
        // As Ignite 3.1.0 answers DDL and DML; the layout ends earlier for some clients, never for this one.
        let ddl = SqlResult::read(&mut Reader::new(&[0xc0, 0xc2, 0xc2, 0xc3, 0xff, 0])).unwrap();
        assert!(ddl.was_applied && !ddl.has_rows);
        assert_eq!(ddl.affected_rows, None);
        let dml = SqlResult::read(&mut Reader::new(&[0xc0, 0xc2, 0xc2, 0xc2, 3, 0])).unwrap();
        assert_eq!((dml.affected_rows, dml.was_applied), (Some(3), false));
    }

    #[test]
    fn a_cursor_without_more_pages_is_none() {
        let bytes = b"\x05\xc3\xc2\xc2\xff\x01\x06\xa1A\xc2\x04\x00\x0a\xc2\x01\xc4\x03\x00\x01\x07";
        let result = SqlResult::read(&mut Reader::new(bytes)).unwrap();
        assert_eq!(result.cursor, None);
        assert_eq!(result.page, Some(vec![vec![Value::Int(7)]]));
        for cut in 0..bytes.len() {
            assert!(SqlResult::read(&mut Reader::new(&bytes[..cut])).is_err());
        }
    }
}
