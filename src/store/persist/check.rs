//! `flint check`: verifies a data directory that nobody uses, and changes nothing.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::files::Files;
use super::{checkpoint, log, manifest, replay, start};

/// What a data directory holds and what is wrong with it.
#[derive(Debug)]
pub struct CheckReport {
    /// The format of the directory.
    pub format: u32,
    /// The checkpoint's number; 0 if there is none.
    pub generation: u64,
    /// The last commit the checkpoint holds.
    pub checkpoint_commit: u64,
    /// Rows of the checkpoint.
    pub rows: u64,
    /// Bytes of the checkpoint's files.
    pub checkpoint_bytes: u64,
    /// Log segments that count.
    pub segments: usize,
    /// Commits in the log after the checkpoint.
    pub records: u64,
    /// The last commit.
    pub commit: u64,
    /// A torn write at the end of the log that the next start will cut: segment, offset, bytes.
    pub torn: Option<(PathBuf, u64, u64)>,
    /// The first damage of every file.
    pub damage: Vec<Error>,
}

impl CheckReport {
    /// Whether the next start will succeed.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }
}

/// Verifies everything in `dir`. An error if there is nothing to verify: no data directory, one in use, one of a
/// newer format, or one whose manifest is damaged.
pub fn check(dir: &Path, files: &dyn Files) -> Result<CheckReport, Error> {
    let manifest = start::must_exist(files, dir)?;
    let _lock = start::take_lock(files, dir)?;
    let mut report = CheckReport {
        format: log::FORMAT,
        generation: manifest.generation,
        checkpoint_commit: manifest.commit,
        rows: manifest.rows,
        checkpoint_bytes: manifest.files.iter().map(|file| file.length).sum(),
        segments: 0,
        records: 0,
        commit: manifest.commit,
        torn: None,
        damage: Vec::new(),
    };
    let sealed = manifest::checkpoint_path(dir, manifest.generation);
    for file in &manifest.files {
        let checked = checkpoint::check_sealed(files, &sealed.join(&file.name), file, &mut |_, _| Ok(()));
        report.damage.extend(checked.err());
    }
    if manifest.generation > 0 && report.damage.is_empty() {
        let loaded = checkpoint::load(files, dir, &manifest, "scratch-check", &mut |_| Ok(()), &mut |_, _, _| Ok(()));
        report.damage.extend(loaded.err());
    }
    let numbers = start::segments(files, dir, manifest.log)?;
    report.segments = numbers.len();
    match replay::replay(files, dir, manifest.store, manifest.log, manifest.commit, &numbers, &mut |_, _, _, _| Ok(()))
    {
        Ok(replayed) => {
            report.records = replayed.records;
            report.commit = replayed.last;
            report.torn = replayed
                .torn_until
                .zip(replayed.segments.last())
                .map(|(until, segment)| (log::segment_path(dir, segment.segment), replayed.end, until - replayed.end));
        }
        Err(error) => report.damage.push(error),
    }
    Ok(report)
}
