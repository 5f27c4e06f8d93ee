//! Rows of results: as text for people, as CSV, JSON and Parquet; and from CSV and Parquet back.
//!
//! A [`Sink`] takes a result page by page, so that memory does not grow with the result; [`write_result`] moves the pages
//! from a server to a sink. Every form shows nulls apart from text.

mod aligned;
pub mod csv;
mod exact;
mod json;
#[cfg(feature = "sql")]
pub mod parquet;
pub mod source;

pub use aligned::Aligned;
pub use exact::write_table;
pub use json::Json;

use crate::client;
use crate::client::ga::{Client, ColumnMeta, Row, SqlResult};
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table with columns under each other.
    Aligned,
    /// Fields with commas between, and a line of names.
    Csv,
    /// One object a line.
    Json,
}

impl Format {
    /// All, for messages and completion.
    pub const NAMES: [&'static str; 3] = ["aligned", "csv", "json"];

    /// What writes one result in this form.
    pub fn sink(self) -> Box<dyn Sink> {
        match self {
            Self::Aligned => Box::new(Aligned::default()),
            Self::Csv => Box::new(csv::Sink::for_programs()),
            Self::Json => Box::new(Json::default()),
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "aligned" => Ok(Self::Aligned),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            _ => Err(format!("expected one of {}", Self::NAMES.join(", "))),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aligned => "aligned",
            Self::Csv => "csv",
            Self::Json => "json",
        })
    }
}

/// Writes the rows of one result.
pub trait Sink {
    /// Begins. `first` is the first page, which is only looked at.
    ///
    /// # Errors
    /// The output fails, or the form cannot express the rows.
    fn begin(&mut self, out: &mut dyn Write, columns: &[ColumnMeta], first: &[Row]) -> io::Result<()>;

    /// Writes the rows of a page.
    ///
    /// # Errors
    /// As [`Sink::begin`].
    fn rows(&mut self, out: &mut dyn Write, rows: &[Row]) -> io::Result<()>;

    /// Ends a result of so many rows.
    ///
    /// # Errors
    /// As [`Sink::begin`].
    fn end(&mut self, out: &mut dyn Write, rows: u64) -> io::Result<()>;
}

/// Why a result was not written to its end.
#[derive(Debug)]
pub enum Failure {
    /// The query failed, or the connection did.
    Client(client::Error),
    /// The output failed.
    Output(io::Error),
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        Self::Client(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Output(error) => write!(f, "cannot write the rows: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Writes a result that has rows, page by page; how many rows there were. `progress` is told after each page.
///
/// # Errors
/// The query, the connection or the output fails; the cursor is closed then, too.
pub fn write_result(
    mut result: SqlResult,
    client: &mut Client,
    sink: &mut dyn Sink,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, Failure> {
    let columns = result.columns.clone();
    let written = write_pages(&columns, &mut || result.next_page(client), sink, out, progress);
    // An error of the rows is the one to tell.
    let closed = result.close(client);
    let total = written?;
    closed?;
    Ok(total)
}

/// The same for rows from anywhere; `next` gives pages until there are no more.
///
/// # Errors
/// `next` or the output fails.
pub fn write_pages(
    columns: &[ColumnMeta],
    next: &mut dyn FnMut() -> client::Result<Option<Vec<Row>>>,
    sink: &mut dyn Sink,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, Failure> {
    let mut total = 0;
    let mut begun = false;
    while let Some(page) = next()? {
        if !begun {
            sink.begin(out, columns, &page)?;
            begun = true;
        }
        sink.rows(out, &page)?;
        out.flush()?;
        total += page.len() as u64;
        progress(total);
    }
    if !begun {
        sink.begin(out, columns, &[])?;
    }
    sink.end(out, total)?;
    out.flush()?;
    Ok(total)
}

/// Columns and values for the tests of the sinks.
#[cfg(test)]
mod samples {
    use super::*;
    use crate::value::{Decimal, Value};

    pub(super) fn column(name: &str, type_id: i64) -> ColumnMeta {
        ColumnMeta { name: name.into(), nullable: true, type_id, precision: None, scale: None, origin: None }
    }

    pub(super) fn columns() -> Vec<ColumnMeta> {
        vec![column("ID", 4), column("NAME", 15), column("PRICE", 8), column("OK", 1)]
    }

    pub(super) fn rows() -> Vec<Row> {
        let price = |text| Value::Decimal(Decimal::parse(text).unwrap());
        vec![
            vec![Value::Int(1), Value::Str("Blåbær, \"wild\"".into()), price("12.50"), Value::Bool(true)],
            vec![Value::Int(-20), Value::Str(String::new().into()), price("3"), Value::Null],
            vec![Value::Int(3), Value::Null, Value::Null, Value::Bool(false)],
            vec![Value::Int(4), Value::Str("two\nlines".into()), price("0.1"), Value::Bool(false)],
        ]
    }

    pub(super) fn written(sink: &mut dyn Sink, columns: &[ColumnMeta], rows: &[Row]) -> String {
        let mut out = Vec::new();
        sink.begin(&mut out, columns, rows).unwrap();
        sink.rows(&mut out, rows).unwrap();
        sink.end(&mut out, rows.len() as u64).unwrap();
        String::from_utf8(out).unwrap()
    }
}
