//! `flint check`, `checkpoint`, `backup` and `restore`: the flags, and whether a running server is asked.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use super::store;
use crate::config::{Config, Storage};
use crate::control;
use crate::error::{Error, Kind, Result};
use crate::store::clock::SystemClock;
use crate::store::open::open;
use crate::store::persist::RealFiles;

/// Verify every byte of a data directory that no server uses.
///
/// Says what is there, and for all damage the file, the place and what to do. Changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Directory of the data
    #[arg(long, env = "FLINT_DATA_DIR", value_name = "DIR", default_value = "flint-data")]
    data_dir: PathBuf,
}

/// Write a checkpoint now, so that the next start has no log to replay.
///
/// A running server does it while it serves.
#[derive(Debug, clap::Args)]
pub(super) struct Checkpoint {
    /// Directory of the data
    #[arg(long, env = "FLINT_DATA_DIR", value_name = "DIR", default_value = "flint-data")]
    data_dir: PathBuf,
}

/// Write everything to one checked file.
///
/// A running server does it while it serves, as of one moment.
#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// The file to write
    file: PathBuf,
    /// Directory of the data
    #[arg(long, env = "FLINT_DATA_DIR", value_name = "DIR", default_value = "flint-data")]
    data_dir: PathBuf,
}

/// Make a data directory from a backup.
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// The backup
    file: PathBuf,
    /// Directory of the data; must not exist or be empty
    #[arg(long, env = "FLINT_DATA_DIR", value_name = "DIR", default_value = "flint-data")]
    data_dir: PathBuf,
}

impl Check {
    pub(super) fn run(self) -> Result<()> {
        store::check(&self.data_dir, &mut io::stdout()).map_err(failed)
    }
}

impl Checkpoint {
    pub(super) fn run(self) -> Result<()> {
        if let Some(answer) = control::ask(&self.data_dir, "checkpoint")? {
            println!("{answer}");
            return Ok(());
        }
        require(&self.data_dir)?;
        let config = Config { storage: Storage::Directory(self.data_dir), ..Config::default() };
        let rng = fastrand::Rng::new();
        let mut engine = open(&config, Arc::new(RealFiles), Arc::new(SystemClock), rng, Arc::new(|| {}))?;
        let (tell, told) = mpsc::channel();
        engine.checkpoint(Box::new(move |result| {
            let _ = tell.send(result);
        }));
        let result = told.recv();
        if let Some(error) = engine.close() {
            return Err(error);
        }
        match result {
            Ok(Ok(info)) => {
                println!(
                    "checkpoint {}: {} rows, {} bytes, up to commit {}",
                    info.generation, info.rows, info.bytes, info.commit
                );
                Ok(())
            }
            Ok(Err(error)) => Err(Error::new(Kind::Internal, error.to_string())),
            Err(_) => Err(Error::new(Kind::Internal, "the checkpoint gave no answer")),
        }
    }
}

impl Backup {
    pub(super) fn run(self) -> Result<()> {
        // The server may have another working directory.
        let file = std::path::absolute(&self.file).map_err(|e| failed(e.into()))?;
        if let Some(answer) = control::ask(&self.data_dir, &format!("backup {}", file.display()))? {
            println!("{answer}");
            return Ok(());
        }
        require(&self.data_dir)?;
        store::backup(&self.data_dir, &file, &mut io::stdout()).map_err(failed)
    }
}

impl Restore {
    pub(super) fn run(self) -> Result<()> {
        store::restore(&self.file, &self.data_dir, &mut io::stdout()).map_err(failed)
    }
}

/// Refuses a directory that is not there: opening it would make an empty one.
fn require(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    Err(Error::new(Kind::InvalidArgument, format!("{} is no directory; name the data with --data-dir", dir.display())))
}

fn failed(error: Box<dyn std::error::Error>) -> Error {
    Error::new(Kind::Internal, error.to_string())
}
