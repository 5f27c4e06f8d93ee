//! `flint user`: the users file of `flint serve --users`.

use crate::auth;
use crate::error::{Error, Kind, Result};
use clap::{Args as ClapArgs, Subcommand};
use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// Manage the users file of `flint serve --users`
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user, or change a user's password; a server that runs reads the file at its next start
    Add {
        /// The user's name
        name: String,
        /// The file; created if it is missing
        #[arg(long, value_name = "FILE", env = "FLINT_USERS")]
        users: PathBuf,
        /// File holding just the password; standard input if not given
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}

pub(super) fn run(args: Args) -> Result<()> {
    let Command::Add { name, users, password_file } = args.command;
    let password = match &password_file {
        Some(file) => read_password_file(file),
        None => read_standard_input(),
    };
    password
        .and_then(|password| auth::add_user(&users, &name, &password))
        .map_err(|e| Error::new(Kind::InvalidArgument, format!("user {name} was not added: {e}")))
}

/// The password that is all a file holds.
pub(super) fn read_password_file(file: &Path) -> io::Result<String> {
    let text = fs::read_to_string(file)
        .map_err(|e| io::Error::new(e.kind(), format!("{} cannot be read: {e}", file.display())))?;
    checked(&text)
}

fn read_standard_input() -> io::Result<String> {
    let input = io::stdin();
    if input.is_terminal() {
        write!(io::stderr(), "Password (it is shown as you type): ")?;
        io::stderr().flush()?;
    }
    let mut line = String::new();
    input.lock().read_line(&mut line)?;
    checked(&line)
}

/// The password without the line's end.
fn checked(text: &str) -> io::Result<String> {
    let password = text.strip_suffix('\n').unwrap_or(text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the password is empty"));
    }
    Ok(password.to_owned())
}
