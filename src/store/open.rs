//! From a configuration to an engine: memory, or a data directory that is read back.

use super::clock::Clock;
use super::database::Database;
use super::engine::{Engine, Log};
use super::persist::{self, Files, Options, Recover};
use crate::config::{Config, Durability, Storage};
use crate::error::{Error, Kind, Result};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Rows, or commits, between two progress lines of a start.
const PROGRESS_STEP: u64 = 1_000_000;

/// Opens the engine. `notify` is called from other threads when a commit became durable or the disk failed.
///
/// # Errors
/// `Internal`, for a directory that is in use, damaged or of a newer version; it says which file and what to do.
pub fn open(
    config: &Config,
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
    rng: fastrand::Rng,
    notify: Arc<dyn Fn() + Send + Sync>,
) -> Result<Engine> {
    let limits = config.limits.clone();
    let Storage::Directory(dir) = &config.storage else {
        return Ok(Engine::new(Database::new(), None, config.max_memory, limits, clock, rng));
    };
    let started = clock.now();
    let mut loading = Loading { db: Database::new(), rows: 0, records: 0 };
    let options = Options { durability: config.durability, ..Options::default() };
    let store = persist::open(dir, files, options, &mut loading, notify)
        .map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
    log::info!(
        "opened {}: {} rows of the checkpoint, {} commits of the log, in {:.1?}",
        dir.display(),
        loading.rows,
        loading.records,
        clock.now().saturating_duration_since(started)
    );
    let sync = config.durability == Durability::Sync;
    let checkpoint_at = Arc::new(AtomicU64::new(limits.checkpoint_log_bytes));
    Ok(Engine::new(loading.db, Some(Log { store, sync, checkpoint_at }), config.max_memory, limits, clock, rng))
}

/// The value as it is read back, with a line now and then for whoever waits.
struct Loading {
    db: Database,
    rows: u64,
    records: u64,
}

impl Recover for Loading {
    fn meta(&mut self, commit: u64, meta: &[u8]) -> Result<(), String> {
        self.db.meta(commit, meta)
    }

    fn row(&mut self, table: u32, key: &[u8], row: &[u8]) -> Result<(), String> {
        self.rows += 1;
        if self.rows.is_multiple_of(PROGRESS_STEP) {
            log::info!("read {} rows of the checkpoint", self.rows);
        }
        self.db.row(table, key, row)
    }

    fn record(&mut self, commit: u64, payload: &[u8]) -> Result<(), String> {
        self.records += 1;
        if self.records.is_multiple_of(PROGRESS_STEP) {
            log::info!("replayed {} commits of the log", self.records);
        }
        self.db.record(commit, payload)
    }
}
