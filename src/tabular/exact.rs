//! All rows of a table with every digit.
//!
//! SQL carries fewer digits of a second than a table holds: Ignite's answers milliseconds, others microseconds. So the
//! rows of a table that may have more are read by key, and SQL only lists the keys; both happen in one read-only
//! transaction, which sees one moment.

use super::{Failure, Sink, write_pages, write_result};
use crate::client::ga::{Client, ColumnMeta, Row, SqlOptions, Table, TxOptions};
use crate::client::{Error, Result};
use crate::door::igni::ga::names::quoted;
use crate::value::{ColumnType, Value};
use std::io::Write;
use std::time::Duration;

/// Digits of a second that SQL carries everywhere.
const SQL_DIGITS: u8 = 3;
/// How long an export may take.
const TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Rows that are read at a time, unless told otherwise.
const PAGE_ROWS: u32 = 1000;

/// Writes all rows of a table.
///
/// # Errors
/// As [`write_result`].
pub fn write_table(
    client: &mut Client,
    mut table: Table,
    page_size: Option<u32>,
    sink: &mut dyn Sink,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, Failure> {
    let options = SqlOptions { page_size, ..SqlOptions::default() };
    if !needs_keys(&table) {
        let result = client.sql(&format!("SELECT * FROM {}", table.name), &[], &options)?;
        return write_result(result, client, sink, out, progress);
    }
    let tx = client.begin(TxOptions { read_only: true, timeout: Some(TIMEOUT) })?;
    let names: Vec<_> = table.key().map(|column| column.name.clone()).collect();
    let list: Vec<_> = names.iter().map(|name| quoted(name)).collect();
    let query = format!("SELECT {} FROM {}", list.join(", "), table.name);
    let options = SqlOptions { page_size: page_size.or(Some(PAGE_ROWS)), ..options.within(tx) };
    let mut keys = client.sql(&query, &[], &options)?;
    let columns: Vec<_> = table.columns.iter().map(ColumnMeta::from).collect();
    let mut next = || {
        let Some(page) = keys.next_page(client)? else { return Ok(None) };
        let fields = page.into_iter().map(|key| names.iter().map(|name| &**name).zip(key).collect());
        let fields: Vec<Vec<(&str, Value<'_>)>> = fields.collect();
        let records = table.get_all(client, Some(tx), &fields)?;
        let row = |record: Option<_>| record.ok_or_else(|| Error::Protocol("a key that was listed has no row".into()));
        let rows = records.into_iter().map(|record| Ok(row(record)?.into_values().collect()));
        rows.collect::<Result<Vec<Row>>>().map(Some)
    };
    let total = write_pages(&columns, &mut next, sink, out, progress)?;
    client.commit(tx)?;
    Ok(total)
}

/// Whether values may have more digits than SQL carries, and keys may not.
fn needs_keys(table: &Table) -> bool {
    let fine = |ty| match ty {
        ColumnType::Time { precision } | ColumnType::Datetime { precision } | ColumnType::Timestamp { precision } => {
            precision > SQL_DIGITS
        }
        _ => false,
    };
    table.columns.iter().any(|column| fine(column.ty)) && !table.key().any(|column| fine(column.ty))
}
