//! `flint import`: rows of a CSV or Parquet file into a table, over the wire.

use super::form::FileForm;
use super::progress::Progress;
use super::shell::{CANNOT_CONNECT, Server};
use crate::client::ga::{Client, Table};
use crate::client::{self};
use crate::config::{BATCH_ROWS_MAX, IMPORT_BATCH_BYTES};
use crate::error::{Error, Kind, Result};
use crate::store::clock::{Clock as _, SystemClock};
use crate::tabular::csv::NULL;
use crate::tabular::source::{Layout, Record, Records, Source};
use crate::value::Value;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write the rows of a CSV or Parquet file to a table
///
/// Rows whose keys exist replace them. The rows before a bad one stay written.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file; `-` is standard input
    file: PathBuf,

    #[command(flatten)]
    server: Server,

    /// The file's form; told by its name if not given
    #[arg(long, value_name = "FORM")]
    format: Option<FileForm>,

    /// The table, as SQL names it
    #[arg(long, short, value_name = "NAME")]
    table: String,

    /// Rows of one request
    #[arg(long, value_name = "ROWS", default_value_t = 1000, value_parser = batch)]
    batch: usize,

    /// The field that stands for null; an empty field does too, but in columns of text
    #[arg(long, value_name = "TEXT", default_value = NULL)]
    null: String,

    /// The columns of the fields, with commas between; the first line names them if not given
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Option<Vec<String>>,

    /// With --columns: the first line has names all the same, pass over it
    #[arg(long, requires = "columns")]
    header: bool,
}

/// Reads, writes and tells how many rows there were.
pub(super) fn run(args: Args) -> Result<ExitCode> {
    let name = args.file.display().to_string();
    let bytes = match name.as_str() {
        STDIN => None,
        _ => {
            let found = std::fs::metadata(&args.file).map(|found| found.len());
            Some(found.map_err(|error| failed(format!("{name} cannot be opened: {error}")))?)
        }
    };
    let mut client = match Client::connect_with(&args.server.addr, &args.server.options()?) {
        Ok(client) => client,
        Err(error) => {
            eprintln!("flint: cannot connect to {}: {error}", args.server.addr);
            return Ok(CANNOT_CONNECT.into());
        }
    };
    let table = client.table(&args.table).map_err(|error| failed(error.to_string()))?;
    let table = table.ok_or_else(|| failed(format!("there is no table {}", args.table)))?;
    let layout = Layout { columns: args.columns, header: args.header, null: args.null };
    let form = FileForm::of(args.format, Some(&args.file));
    let source = open(form, &args.file, &table, &layout).map_err(|error| failed(format!("{name}: {error}")))?;

    let start = SystemClock.now();
    let mut import = Import { client, table, rows: 0, progress: Progress::new(bytes) };
    let result = import.all(source, args.batch);
    let Import { rows, progress, table, .. } = import;
    drop(progress);
    let seconds = start.elapsed().as_secs_f64();
    println!("{rows} rows written to {} in {seconds:.2} s", table.name);
    result.map_err(|error| failed(format!("{name}: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

/// The name of standard input.
const STDIN: &str = "-";

/// The run of an import.
struct Import {
    client: Client,
    table: Table,
    /// Rows that were written.
    rows: u64,
    progress: Progress,
}

impl Import {
    fn all(&mut self, mut source: Box<dyn Records>, batch_rows: usize) -> Result<(), String> {
        let names: Vec<_> = source.columns().iter().map(|column| column.name.clone()).collect();
        let names: Vec<_> = names.iter().map(|name| &**name).collect();
        let mut batch: Vec<Record> = Vec::new();
        let mut bytes = 0;
        let unit = source.unit();
        loop {
            // What was read before a bad row is written before the row is told.
            let (record, bad) = match source.next_record() {
                Ok(record) => (record, None),
                Err(error) => (None, Some(error)),
            };
            let last = record.is_none();
            if let Some(record) = record {
                bytes += record.bytes;
                batch.push(record);
            }
            if last || batch.len() >= batch_rows || bytes >= IMPORT_BATCH_BYTES {
                self.write(&names, &mut batch, unit)?;
                bytes = 0;
                self.progress.set(self.rows, source.position());
            }
            match bad {
                Some(error) => return Err(error),
                None if last => return Ok(()),
                None => {}
            }
        }
    }

    /// Writes a batch. If the server refuses it, its rows are written one by one, up to the one that is to blame.
    fn write(&mut self, names: &[&str], batch: &mut Vec<Record>, unit: &str) -> Result<(), String> {
        if batch.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> = batch.iter().map(|record| record.line).collect();
        let rows: Vec<Vec<(&str, Value<'_>)>> =
            batch.drain(..).map(|record| names.iter().copied().zip(record.values).collect()).collect();
        match self.table.upsert_all(&mut self.client, None, &rows) {
            Ok(()) => {
                self.rows += rows.len() as u64;
                Ok(())
            }
            Err(client::Error::Ga(error)) => {
                for (row, line) in rows.iter().zip(&lines) {
                    self.table
                        .upsert(&mut self.client, None, row)
                        .map_err(|error| format!("{unit} {line}: {error}"))?;
                    self.rows += 1;
                }
                // Each row was taken by itself: what the server refused is the size, or was there for a moment.
                log::debug!("a batch of {} rows was refused, its rows were not: {error}", rows.len());
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

fn open(form: FileForm, path: &Path, table: &Table, layout: &Layout) -> Result<Box<dyn Records>, String> {
    let stdin = path.as_os_str() == STDIN;
    let file = || File::open(path).map_err(|error| error.to_string());
    match form {
        FileForm::Csv if stdin => Ok(Box::new(Source::new(io::stdin(), table, layout)?)),
        FileForm::Csv => Ok(Box::new(Source::new(file()?, table, layout)?)),
        FileForm::Parquet if stdin => {
            Err("Parquet has its columns at the end, which standard input cannot go to".into())
        }
        #[cfg(feature = "sql")]
        FileForm::Parquet => Ok(Box::new(crate::tabular::parquet::Source::new(file()?, table, layout)?)),
        #[cfg(not(feature = "sql"))]
        FileForm::Parquet => Err(super::form::NO_PARQUET.into()),
    }
}

fn failed(message: String) -> Error {
    Error::new(Kind::InvalidArgument, message)
}

fn batch(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rows) if (1..=BATCH_ROWS_MAX).contains(&rows) => Ok(rows),
        _ => Err(format!("expected a number from 1 to {BATCH_ROWS_MAX}")),
    }
}
