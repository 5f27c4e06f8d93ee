//! What survives a crash: a log of commits and a sealed checkpoint, over opaque bytes.
//!
//! ```text
//! lock                      held while a process uses the directory
//! MANIFEST                  which of the following count                              manifest.rs
//! checkpoint-0000000003/    everything up to commit n, sealed                         checkpoint.rs, stream.rs
//! log-0000000009 ...        every commit since, with the rule where the log ends      log.rs, replay.rs, commit.rs
//! scratch-.../, *.new       work in progress; removed at the next start
//! ```
//!
//! Nothing here knows a table, a schema or a value: rows are a table's number, key bytes and row bytes; the catalog is
//! one blob; a commit is one payload. [`open`] feeds all of it to a [`Recover`], then [`Store::submit`] takes
//! commits and [`Store::durable`] tells how far they are on the disk. From time to time [`Store::checkpoint`] writes a
//! [`Source`], a frozen database value, and drops the part of the log that it holds.
//!
//! # What is promised
//!
//! - A commit that [`Store::durable`] covered is found at every later start, whole, whatever is killed and whenever
//!   the power is lost, as long as the disk keeps what it said it had synced.
//! - A commit that was not covered is found whole or not at all, and never without all that came before it.
//! - A bit that changes on the disk, a file that is cut, removed or exchanged is noticed at the next start, which
//!   is refused with file, offset and advice. The exceptions are named: bytes that hold no data (zeros behind the end
//!   of the log, marks) may be repaired in silence, and `log.rs` tells when the very last group is taken for a torn write.
//! - A failed checkpoint changes nothing: the older one and the log stay in use, and commits go on. A failed
//!   write or sync of the log makes the store read-only until it is opened again.
//!
//! Offline: [`check()`] lists all damage, [`backup()`] and [`restore()`] move a database through one checked file.

mod backup;
mod check;
mod checkpoint;
mod commit;
mod error;
pub mod faulty;
mod files;
mod handle;
mod log;
mod manifest;
mod replay;
mod start;
mod stream;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::backup::{BackupInfo, backup, backup_dir, restore};
pub use self::check::{CheckReport, check};
pub use self::error::Error;
pub use self::files::{File, Files, Lock, RealFiles, read_exact_at};
pub use self::handle::{CheckpointDone, CheckpointInfo, Store};
pub use self::log::{RECORD_BYTES_MAX, append_record};
pub use self::start::{open, read};
use crate::config::Durability;

/// What a start feeds. An error's text says why the bytes, though intact, cannot be used; the start is refused with it.
pub trait Recover {
    /// The checkpoint's catalog blob. Called first, and not at all if there is no checkpoint yet.
    fn meta(&mut self, commit: u64, meta: &[u8]) -> Result<(), String>;
    /// A row of the checkpoint. Rows ascend by table and key.
    fn row(&mut self, table: u32, key: &[u8], row: &[u8]) -> Result<(), String>;
    /// A commit after the checkpoint. Numbers ascend by one.
    fn record(&mut self, commit: u64, payload: &[u8]) -> Result<(), String>;
}

/// A frozen database value, to be checkpointed or backed up.
pub trait Source: Send {
    /// The last commit it holds.
    fn commit(&self) -> u64;
    /// The catalog blob.
    fn meta(&self) -> Vec<u8>;
    /// How many rows [`Self::rows`] gives.
    fn row_count(&self) -> u64;
    /// All rows as table, key and row, ascending by table and key.
    fn rows(&self) -> Box<dyn Iterator<Item = (u32, &[u8], &[u8])> + '_>;
}

/// How a store works.
#[derive(Debug, Clone)]
pub struct Options {
    /// When commits are written: at once, or at an interval.
    pub durability: Durability,
    /// Bytes of one log segment. A larger group gets a segment of its own length.
    pub segment_bytes: u64,
    /// Bytes that should wait at most; with an interval, half of it is written early. The caller watches
    /// [`Store::backlog_bytes`].
    pub queue_bytes_max: usize,
    /// How long the log must be idle before its last mark is synced.
    pub mark_sync_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Sync,
            segment_bytes: 16 << 20,
            queue_bytes_max: 64 << 20,
            mark_sync_after: Duration::from_millis(50),
        }
    }
}
