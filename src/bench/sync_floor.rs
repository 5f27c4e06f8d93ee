//! The floor of durable writes: append to a file, sync it, again.

use super::report::Measured;
use super::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub(super) struct SyncFloor {
    file: File,
    path: PathBuf,
    record: Vec<u8>,
}

impl SyncFloor {
    /// A file in `dir` that is removed at the end; each record has `record_bytes`.
    pub(super) fn create(dir: &Path, record_bytes: usize) -> Result<Self> {
        let path = dir.join(format!("flint-bench-{}", std::process::id()));
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = file.map_err(|error| Error::Io(format!("cannot create {}", path.display()), error))?;
        Ok(Self { file, path, record: (0..record_bytes).map(|_| fastrand::u8(..)).collect() })
    }

    /// Appends and syncs until the deadline.
    pub(super) fn run(&mut self, deadline: Instant, measured: &mut Measured, operations: &AtomicU64) -> Result<()> {
        let mut now = Instant::now();
        while now < deadline {
            let result = self.file.write_all(&self.record).and_then(|()| self.file.sync_data());
            result.map_err(|error| Error::Io(format!("cannot write {}", self.path.display()), error))?;
            let started = std::mem::replace(&mut now, Instant::now());
            measured.record(0, now - started);
            operations.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Drop for SyncFloor {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}
