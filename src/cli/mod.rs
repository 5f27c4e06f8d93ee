//! The command line.
//!
//! Each subcommand is a file with its arguments and a `run`. Exit codes: 0 done, 1 something went wrong (a sentence on
//! stderr says what to do), 2 the flags are wrong, 3 no server could be connected to. Standard output belongs to the results, the log goes to stderr.

mod bench;
mod data;
mod decode;
mod export;
mod form;
mod import;
mod log_line;
mod progress;
mod serve;
mod shell;
pub mod store;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;

/// A small single-node tuple server that Apache Ignite 3 thin clients connect to.
#[derive(Debug, Parser)]
#[command(name = "flint", version, arg_required_else_help = true, max_term_width = 120)]
#[command(
    after_help = "The log goes to stderr; RUST_LOG=debug tells more. Exit codes: 0 done, 1 failed, 2 wrong flags, \
                  3 cannot connect."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(Box<bench::Args>),
    Serve(Box<serve::Args>),
    Shell(Box<shell::Args>),
    Import(Box<import::Args>),
    Export(Box<export::Args>),
    User(user::Args),
    Check(data::Check),
    Checkpoint(data::Checkpoint),
    Backup(data::Backup),
    Restore(data::Restore),
    Decode(decode::Args),
}

impl Command {
    fn run(self) -> Result<ExitCode> {
        match self {
            Self::Bench(args) => bench::run(*args),
            Self::Serve(args) => serve::run(*args),
            Self::Shell(args) => return shell::run(*args),
            Self::Import(args) => return import::run(*args),
            Self::Export(args) => return export::run(*args),
            Self::User(args) => user::run(args),
            Self::Check(args) => args.run(),
            Self::Checkpoint(args) => args.run(),
            Self::Backup(args) => args.run(),
            Self::Restore(args) => args.run(),
            Self::Decode(args) => decode::run(args),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs the program named by the process arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(level).format(log_line::write).init();
    match cli.command.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("flint: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A number of bytes: `4096`, `64k`, `64m`, `2g`, also as `64KiB` or `64MB` (all powers of 1024).
fn bytes(text: &str) -> std::result::Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err("expected a number of bytes such as 4096, 64k, 64m or 2g".into()),
    };
    let number: u64 = number.parse().map_err(|_| "expected a number of bytes such as 4096, 64k, 64m or 2g")?;
    number.checked_mul(1 << shift).ok_or_else(|| "more bytes than 64 bits can count".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("64k"), Ok(65536));
        assert_eq!(bytes("1 GiB"), Ok(1 << 30));
        for wrong in ["", "k", "-1", "1x", "99999999999t", "18446744073709551616"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_flag_of_serve_has_a_variable() {
        let command = Cli::command();
        let serve = command.find_subcommand("serve").unwrap();
        for arg in serve.get_arguments().filter(|arg| arg.get_id() != "help") {
            let flag = arg.get_long().unwrap().to_ascii_uppercase().replace('-', "_");
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(format!("FLINT_{flag}").as_str()));
            assert!(arg.get_help().is_some(), "{flag}");
        }
    }
}
