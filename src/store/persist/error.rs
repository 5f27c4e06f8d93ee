//! What can go wrong with the files, each with a sentence that says what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A failure of the files below a data directory.
#[derive(Debug, Error)]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {op} {}: {source}; check the disk and its permissions, then start again", path.display())]
    Io {
        /// What was tried, as a verb.
        op: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// No room was left on the device.
    #[error("cannot {op} {}: the disk is full ({source}); free some space, then start again", path.display())]
    DiskFull {
        /// What was tried, as a verb.
        op: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Another process uses the data directory.
    #[error("{} is in use by another process; stop it or choose another directory", path.display())]
    Locked {
        /// The data directory.
        path: PathBuf,
    },
    /// The file was written by a later version.
    #[error(
        "{} has format {found} and this version reads up to {supported}; use the version of flint that wrote it or a newer one",
        path.display()
    )]
    Newer {
        /// The file that says so.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format this version reads.
        supported: u32,
    },
    /// Bytes that were durable are not what was written.
    #[error("{} is damaged at byte {offset}: {what}; {advice}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
        /// What was expected and what was found.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// A directory that must be empty is not.
    #[error("{} is not empty; name a directory that does not exist yet", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// No data directory is here.
    #[error("{} is not a flint data directory: it has no {missing}", path.display())]
    NotFound {
        /// The directory.
        path: PathBuf,
        /// The name that was looked for.
        missing: &'static str,
    },
    /// sled refused or gave up.
    #[error("checkpoint failed in {}: {what}; the older checkpoint and the log stay in use", path.display())]
    Checkpoint {
        /// The directory sled worked in.
        path: PathBuf,
        /// sled's reason.
        what: String,
    },
    /// The bytes are intact but what feeds on them refused them.
    #[error("{} holds {what}", path.display())]
    Content {
        /// The file or directory.
        path: PathBuf,
        /// The reader's reason.
        what: String,
    },
    /// The caller broke the rules of the store; nothing was written.
    #[error("{0}")]
    Misuse(String),
    /// A checkpoint is running already.
    #[error("a checkpoint is running already; wait until it is done")]
    Busy,
    /// The store is closing.
    #[error("the store is closing")]
    Closing,
    /// An earlier failure made the store read-only.
    #[error("the store takes no writes since it failed: {0}")]
    Failed(String),
}

/// What to do about damage in a data directory.
pub(super) const RESTORE: &str = "`flint check` shows what else is damaged; put the newest backup into a fresh directory with \
                                  `flint restore`, or copy the damaged file back from a copy of this directory";
/// What to do about damage in a backup.
pub(super) const OTHER_BACKUP: &str = "use another backup";

impl Error {
    /// Wraps what the operating system said about `op` on `path`.
    pub(super) fn io(op: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { op, path, source },
            _ => Self::Io { op, path, source },
        }
    }

    /// Damage of a data directory's file.
    pub(super) fn damaged(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_path_buf(), offset, what: what.into(), advice: RESTORE }
    }

    /// Whether the reason is a full disk.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }
}

/// A row that its stream cannot take.
impl From<String> for Error {
    fn from(what: String) -> Self {
        Self::Misuse(what)
    }
}

/// Adds operation and path to what the operating system said.
pub(super) trait At<T> {
    /// Names the operation (a verb) and the path.
    fn at(self, op: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, op: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::io(op, path, source))
    }
}
