//! `flint export`: rows of a table or a query as CSV or Parquet.

use super::form::FileForm;
use super::progress::Progress;
use super::shell::{CANNOT_CONNECT, Server};
use crate::client::ga::{Client, SqlOptions, SqlResult, Table};
use crate::error::{Error, Kind, Result};
use crate::tabular::csv::{self, NULL};
use crate::tabular::{Failure, Sink, write_result, write_table};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Write the rows of a table or a query as CSV or Parquet
///
/// The rows are those of one moment. `flint import` reads them back. Of a table, every digit is written; of a query, as
/// many digits of a second as SQL carries.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,

    /// The table, as SQL names it
    #[arg(long, short, value_name = "NAME", group = "what")]
    table: Option<String>,

    /// The query
    #[arg(long, short, value_name = "SQL", group = "what")]
    query: Option<String>,

    /// The file; standard output if not given
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The form; told by the file's name if not given, else CSV
    #[arg(long, value_name = "FORM")]
    format: Option<FileForm>,

    /// In CSV, what stands for null; a text that equals it ends the export
    #[arg(long, value_name = "TEXT", default_value = NULL)]
    null: String,

    /// Rows that are fetched at a time; the server's choice if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    page_size: Option<u32>,
}

/// What is exported.
enum What {
    Table(Box<Table>),
    Result(SqlResult),
}

/// Queries, writes, and tells how many rows there were if they went to a file.
pub(super) fn run(args: Args) -> Result<ExitCode> {
    let mut client = match Client::connect_with(&args.server.addr, &args.server.options()?) {
        Ok(client) => client,
        Err(error) => {
            eprintln!("flint: cannot connect to {}: {error}", args.server.addr);
            return Ok(CANNOT_CONNECT.into());
        }
    };
    let what = match &args.table {
        Some(name) => {
            let table = client.table(name).map_err(|error| failed(error.to_string()))?;
            What::Table(Box::new(table.ok_or_else(|| failed(format!("there is no table {name}")))?))
        }
        None => {
            let options = SqlOptions { page_size: args.page_size, ..SqlOptions::default() };
            let result = client.sql(&args.query.unwrap_or_default(), &[], &options);
            let result = result.map_err(|error| failed(error.to_string()))?;
            if !result.has_rows {
                return Err(failed("the statement has no rows to export".into()));
            }
            What::Result(result)
        }
    };
    // The file is made when there is something to write to it.
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(
            File::create(path).map_err(|error| failed(format!("{} cannot be written: {error}", path.display())))?,
        )),
        None => Box::new(BufWriter::new(io::stdout())),
    };
    let progress = Progress::new(None);
    let mut sink = sink(FileForm::of(args.format, args.output.as_deref()), &args.null)?;
    let tell = &mut |rows| progress.set(rows, 0);
    let written = match what {
        What::Table(table) => write_table(&mut client, *table, args.page_size, &mut *sink, &mut out, tell),
        What::Result(result) => write_result(result, &mut client, &mut *sink, &mut out, tell),
    };
    drop(progress);
    match (written, args.output) {
        (Ok(rows), Some(path)) => println!("{rows} rows written to {}", path.display()),
        (Ok(_), None) => {}
        // Whoever reads the output has seen enough.
        (Err(Failure::Output(error)), None) if error.kind() == io::ErrorKind::BrokenPipe => {}
        (Err(error), Some(path)) => return Err(failed(format!("{} is not complete: {error}", path.display()))),
        (Err(error), None) => return Err(failed(error.to_string())),
    }
    Ok(ExitCode::SUCCESS)
}

fn sink(form: FileForm, null: &str) -> Result<Box<dyn Sink>> {
    match form {
        FileForm::Csv => Ok(Box::new(csv::Sink::to_read_back(null))),
        #[cfg(feature = "sql")]
        FileForm::Parquet => Ok(Box::new(crate::tabular::parquet::Sink::default())),
        #[cfg(not(feature = "sql"))]
        FileForm::Parquet => Err(failed(super::form::NO_PARQUET.into())),
    }
}

fn failed(message: String) -> Error {
    Error::new(Kind::InvalidArgument, message)
}
