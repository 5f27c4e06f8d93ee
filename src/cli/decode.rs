//! `flint decode`: annotates captured frames.

use std::io::{Read, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use crate::door::igni::handshake::Dialect;
use crate::error::{Error, Kind, Result};
use crate::trace::{self, Direction};

/// Annotate frames: bytes, name and value of each field.
///
/// Reads hex, with `>` before what the client sent and `<` before what the server sent; or a trace, as `flint serve
/// --trace` writes it; or the raw bytes of one direction. Input that begins with the magic is read from its handshake,
/// other input as frames behind it. Columns are named once an answer to SCHEMAS_GET was seen.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to read; standard input if not given
    file: Option<PathBuf>,
    /// Who sent the bytes where the input does not say
    #[arg(long, value_enum, default_value_t = From::Client)]
    from: From,
    /// What is spoken where the input has no handshake
    #[arg(long, value_enum, default_value_t = Spoken::Draft)]
    dialect: Spoken,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum From {
    Client,
    Server,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Spoken {
    Draft,
    Ga,
}

pub(super) fn run(args: Args) -> Result<()> {
    let mut input = Vec::new();
    let (name, read) = match &args.file {
        Some(path) => {
            let read = std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut input));
            (path.display().to_string(), read)
        }
        None => ("standard input".to_owned(), std::io::stdin().read_to_end(&mut input)),
    };
    let failed = |what: String| Error::new(Kind::InvalidArgument, format!("cannot decode {name}: {what}"));
    read.map_err(|error| failed(error.to_string()))?;
    let from = match args.from {
        From::Client => Direction::Client,
        From::Server => Direction::Server,
    };
    let dialect = match args.dialect {
        Spoken::Draft => Dialect::Draft,
        Spoken::Ga => Dialect::Ga,
    };
    let text = trace::decode(&input, from, dialect).map_err(failed)?;
    match std::io::stdout().write_all(text.as_bytes()) {
        // A reader that has seen enough is no failure.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(failed(error.to_string())),
        _ => Ok(()),
    }
}
