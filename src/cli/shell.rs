//! `flint shell`: flags to settings, then statements from flags, files, a pipe or a person.

use super::user::read_password_file;
use crate::client::Tls;
use crate::client::ga::Options;
use crate::error::{Error, Kind, Result};
use crate::shell::{Next, Settings, Shell, editor};
use crate::tabular::Format;
use signal_hook::consts::SIGINT;
use std::io::{self, BufWriter, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Run SQL: typed, from a pipe, from --execute or from files
///
/// Exit codes: 0 all statements succeeded, 1 one failed, 2 wrong flags, 3 cannot connect.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,

    /// Run these statements and quit; may be given several times
    #[arg(long, short, value_name = "SQL")]
    execute: Vec<String>,

    /// Run this script and quit, after --execute; may be given several times
    #[arg(long, short, value_name = "FILE")]
    file: Vec<PathBuf>,

    /// How rows are written: aligned, csv or json (one object a line)
    #[arg(long, value_name = "FORMAT", default_value = "aligned")]
    format: Format,

    /// Tell the time of each statement
    #[arg(long)]
    timing: bool,

    /// Schema of names that name none
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,

    /// Rows that are fetched at a time; the server's choice if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    page_size: Option<u32>,

    /// What follows a failed statement; a person always goes on
    #[arg(long, value_name = "WHAT", default_value = "stop")]
    on_error: OnError,
}

/// What follows a failed statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnError {
    /// The end.
    Stop,
    /// The next statement.
    Continue,
}

/// Which server, and as whom.
#[derive(Debug, clap::Args)]
pub(super) struct Server {
    /// Address of the server
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:10800", value_parser = address)]
    pub(super) addr: String,

    /// User to connect as
    #[arg(long, value_name = "NAME", requires = "password_file")]
    user: Option<String>,

    /// File holding just the user's password
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,

    /// Speak TLS with a server whose certificate one of this file's authorities signed, PEM
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,

    /// Certificate to show to the server, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", requires = "tls_ca")]
    tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl Server {
    /// How to connect. Statements may take as long as they take.
    pub(super) fn options(&self) -> Result<Options> {
        let credentials = match (&self.user, &self.password_file) {
            (Some(user), Some(file)) => {
                let password =
                    read_password_file(file).map_err(|error| Error::new(Kind::InvalidArgument, error.to_string()))?;
                Some((user.clone(), password))
            }
            _ => None,
        };
        let tls = match &self.tls_ca {
            Some(authority) => {
                let host = self.addr.rsplit_once(':').map_or("", |(host, _)| host.trim_matches(['[', ']']));
                let identity = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
                let tls = Tls::load(authority, identity, host);
                Some(tls.map_err(|error| Error::new(Kind::InvalidArgument, error.to_string()))?)
            }
            None => None,
        };
        Ok(Options { credentials, timeout: None, tls, ..Options::default() })
    }
}

/// The exit code when the server cannot be reached, or refuses.
pub(super) const CANNOT_CONNECT: u8 = 3;

/// Runs the statements.
pub(super) fn run(args: Args) -> Result<ExitCode> {
    let Args { server, execute, file, format, timing, schema, page_size, on_error } = args;
    let stdin = io::stdin();
    let from_flags = !execute.is_empty() || !file.is_empty();
    let interactive = !from_flags && stdin.is_terminal();
    let settings =
        Settings { format, timing, schema, page_size, stop_on_error: on_error == OnError::Stop && !interactive };
    let (mut out, mut errors) = (BufWriter::new(io::stdout()), io::stderr());
    let mut options = server.options()?;
    if interactive {
        // Ctrl-C ends a statement, not the shell. At the prompt it never becomes a signal.
        let flag = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGINT, Arc::clone(&flag))
            .map_err(|error| Error::new(Kind::Internal, format!("cannot listen to signals: {error}")))?;
        options.interrupt = Some(flag);
    }
    let addr = server.addr;
    let mut shell = match Shell::connect(addr.clone(), options, settings, &mut out, &mut errors) {
        Ok(shell) => shell,
        Err(error) => {
            eprintln!("flint: cannot connect to {addr}: {error}");
            return Ok(CANNOT_CONNECT.into());
        }
    };
    if interactive {
        let history = history();
        editor::run(&mut shell, history.as_deref()).map_err(|error| Error::new(Kind::Internal, error))?;
        return Ok(ExitCode::SUCCESS);
    }
    if from_flags {
        let mut next = Next::Go;
        for text in &execute {
            if next == Next::Go {
                next = shell.text("--execute", text);
            }
        }
        for path in &file {
            if next == Next::Go {
                next = shell.file(path);
            }
        }
    } else {
        // Whether it was quit or ended is all the same.
        let _ = shell.script("stdin", stdin.lock());
    }
    Ok(if shell.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// `FLINT_HISTORY`, or a file in the user's home.
fn history() -> Option<PathBuf> {
    let named = std::env::var_os("FLINT_HISTORY").map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".flint_history")))
}

/// A host and a port. Whether there is such a host turns out when it is connected to.
fn address(text: &str) -> std::result::Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("expected HOST:PORT".into()),
    }
}
