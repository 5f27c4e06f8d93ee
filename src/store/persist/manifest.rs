//! The manifest: which checkpoint and which part of the log are the database.
//!
//! A small text file, replaced as a whole by a rename, so that a crash leaves the old one or the new one:
//!
//! ```text
//! flint-data 1                    the format of the directory; this line and the last one keep their form for ever
//! store 5f0c3a9be2d14477          a random number that log segments repeat
//! generation 3                    of the checkpoint, which is in `checkpoint-0000000003`; 0 if there is none
//! commit 1742                     the last commit the checkpoint holds
//! log 9                           the first log segment that is needed
//! rows 100000 11200000 8d2f1c44   number of rows, then bytes and checksum of all of them as one stream
//! meta 4120 0a1b2c3d              bytes and checksum of the catalog blob
//! file db 524288 1f2e3d4c ...     a sealed file, its length, and the checksum of each block of 64 KiB
//! crc32 77f6e1c2                  of everything before this line
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::error::{At, Error};
use super::files::{Files, read_exact_at};
use super::log::FORMAT;

/// The manifest's name.
pub(super) const MANIFEST: &str = "MANIFEST";
/// Bytes that share one checksum in a sealed file.
pub(super) const BLOCK_BYTES: usize = 64 << 10;
/// A manifest of a checkpoint of one terabyte is not larger.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// What a data directory consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// A random number that log segments repeat.
    pub(super) store: u64,
    /// The checkpoint's number; 0 if there is none.
    pub(super) generation: u64,
    /// The last commit the checkpoint holds.
    pub(super) commit: u64,
    /// The first log segment that is needed.
    pub(super) log: u64,
    /// Number of rows.
    pub(super) rows: u64,
    /// All rows as one stream.
    pub(super) row_stream: Sum,
    /// The catalog blob.
    pub(super) meta: Sum,
    /// The checkpoint's files.
    pub(super) files: Vec<Sealed>,
}

/// Length and checksum of a stream of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// Bytes.
    pub(super) bytes: u64,
    /// Their checksum.
    pub(super) crc: u32,
}

/// A file that is never written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    /// Its name in the checkpoint's directory.
    pub(super) name: String,
    /// Its length in bytes.
    pub(super) length: u64,
    /// The checksum of each block of [`BLOCK_BYTES`].
    pub(super) blocks: Vec<u32>,
}

impl Manifest {
    /// The manifest of an empty database.
    pub(super) fn empty(store: u64) -> Self {
        let none = Sum::default();
        Self { store, generation: 0, commit: 0, log: 1, rows: 0, row_stream: none, meta: none, files: Vec::new() }
    }

    /// The directory of the checkpoint's files.
    pub(super) fn checkpoint_dir(&self, dir: &Path) -> PathBuf {
        checkpoint_path(dir, self.generation)
    }

    /// Reads the manifest of `dir`; none if it is not there.
    pub(super) fn read(files: &dyn Files, dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(MANIFEST);
        let file = match files.open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            result => result.at("open", &path)?,
        };
        let length = file.len().at("read the length of", &path)?;
        if length > MANIFEST_BYTES_MAX {
            return Err(Error::damaged(&path, MANIFEST_BYTES_MAX, format!("a manifest is not {length} bytes long")));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        read_exact_at(&*file, 0, &mut bytes).at("read", &path)?;
        Self::decode(&path, &bytes).map(Some)
    }

    /// Replaces the manifest of `dir`. After an error at the last step either may be the valid one.
    pub(super) fn write(&self, files: &dyn Files, dir: &Path) -> Result<(), Error> {
        let path = dir.join(MANIFEST);
        let new = path.with_extension("new");
        let mut file = files.create(&new).at("create", &new)?;
        file.write_at(0, self.encode().as_bytes()).at("write", &new)?;
        file.sync().at("sync", &new)?;
        files.rename(&new, &path).at("rename", &new)?;
        files.sync_dir(dir).at("sync", dir)
    }

    fn encode(&self) -> String {
        let Self { store, generation, commit, log, rows, row_stream, meta, files } = self;
        let mut out = format!("flint-data {FORMAT}\nstore {store:016x}\ngeneration {generation}\ncommit {commit}\n");
        // Writing into a string cannot fail.
        let _ = writeln!(out, "log {log}\nrows {rows} {} {:08x}", row_stream.bytes, row_stream.crc);
        let _ = writeln!(out, "meta {} {:08x}", meta.bytes, meta.crc);
        for Sealed { name, length, blocks } in files {
            let _ = write!(out, "file {name} {length}");
            for crc in blocks {
                let _ = write!(out, " {crc:08x}");
            }
            out.push('\n');
        }
        let crc = crc32fast::hash(out.as_bytes());
        let _ = writeln!(out, "crc32 {crc:08x}");
        out
    }

    fn decode(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let damaged = |offset: usize, what: &str| Error::damaged(path, offset as u64, what);
        let text = std::str::from_utf8(bytes).map_err(|error| damaged(error.valid_up_to(), "not a text"))?;
        let body = text.len().saturating_sub("crc32 00000000\n".len());
        let crc = text.get(body..).and_then(|line| line.strip_prefix("crc32 ")?.strip_suffix('\n'));
        let Some(crc) = crc else {
            return Err(damaged(body, "the last line is not a checksum: the file was cut"));
        };
        // Compared as text, so that no second spelling of the same number passes.
        if crc != format!("{:08x}", crc32fast::hash(&bytes[..body])) {
            return Err(damaged(0, "the manifest does not match its checksum"));
        }
        let mut lines = text[..body].lines();
        match lines.next().and_then(|line| line.strip_prefix("flint-data ")?.parse::<u32>().ok()) {
            Some(FORMAT) => {}
            Some(found) => return Err(Error::Newer { path: path.to_path_buf(), found, supported: FORMAT }),
            None => return Err(damaged(0, "a manifest starts with \"flint-data\"")),
        }
        let mut fields = lines.map(|line| line.split(' ').collect::<Vec<_>>());
        let mut field = |name: &str| match fields.next() {
            Some(words) if words.first() == Some(&name) => Ok(words),
            _ => Err(damaged(0, &format!("the manifest has no line \"{name}\" where it belongs"))),
        };
        let store = field("store")?;
        let [generation, commit, log] = [field("generation")?, field("commit")?, field("log")?];
        let [rows, meta] = [field("rows")?, field("meta")?];
        let read = || {
            Some(Self {
                store: u64::from_str_radix(store.get(1)?, 16).ok()?,
                generation: generation.get(1)?.parse().ok()?,
                commit: commit.get(1)?.parse().ok()?,
                log: log.get(1)?.parse().ok()?,
                rows: rows.get(1)?.parse().ok()?,
                row_stream: Sum { bytes: rows.get(2)?.parse().ok()?, crc: hex(rows.get(3)?)? },
                meta: Sum { bytes: meta.get(1)?.parse().ok()?, crc: hex(meta.get(2)?)? },
                files: fields.map(|words| sealed(&words)).collect::<Option<_>>()?,
            })
        };
        read().ok_or_else(|| damaged(0, "a line of the manifest has a wrong form"))
    }
}

fn hex(word: &str) -> Option<u32> {
    u32::from_str_radix(word, 16).ok()
}

fn sealed(words: &[&str]) -> Option<Sealed> {
    let ["file", name, length, blocks @ ..] = words else { return None };
    // The name is joined to a directory: it must stay in there.
    let plain = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        && !name.starts_with('.');
    let length: u64 = length.parse().ok()?;
    let blocks = blocks.iter().map(|word| hex(word)).collect::<Option<Vec<_>>>()?;
    (plain && length.div_ceil(BLOCK_BYTES as u64) == blocks.len() as u64).then(|| Sealed {
        name: (*name).to_owned(),
        length,
        blocks,
    })
}

/// The directory of a checkpoint.
pub(super) fn checkpoint_path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("checkpoint-{generation:010}"))
}

/// The generation in the name of a checkpoint's directory.
pub(super) fn checkpoint_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("checkpoint-")?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let blocks = vec![1, 0xffff_ffff];
        let sum = |bytes, crc| Sum { bytes, crc };
        Manifest {
            store: 0x5f0c,
            generation: 3,
            commit: 17,
            log: 9,
            rows: 100,
            row_stream: sum(2000, 7),
            meta: sum(4, 8),
            files: vec![Sealed { name: "db".to_owned(), length: 65537, blocks }],
        }
    }

    #[test]
    fn reads_back() {
        let path = Path::new("MANIFEST");
        for manifest in [sample(), Manifest::empty(5)] {
            assert_eq!(Manifest::decode(path, manifest.encode().as_bytes()).unwrap(), manifest);
        }
    }

    #[test]
    fn every_flip_and_cut_is_noticed() {
        let path = Path::new("MANIFEST");
        let good = sample().encode().into_bytes();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(path, &bad).is_err(), "bit {bit}");
        }
        for length in 0..good.len() {
            assert!(Manifest::decode(path, &good[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let text = "flint-data 9\nanything\n";
        let text = format!("{text}crc32 {:08x}\n", crc32fast::hash(text.as_bytes()));
        let error = Manifest::decode(Path::new("MANIFEST"), text.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Newer { found: 9, supported: FORMAT, .. }), "{error}");
    }

    #[test]
    fn a_file_name_stays_in_its_directory() {
        for name in ["../x", "a/b", ".", ""] {
            assert_eq!(sealed(&["file", name, "0"]), None, "{name}");
        }
    }
}
