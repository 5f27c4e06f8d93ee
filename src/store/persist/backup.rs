//! A whole database in one checked file.
//!
//! ```text
//! "FLINTBAK"  format u32  crc32 of the 12 bytes before u32
//! frames:     kind u32  length u32  crc u32  payload
//! ```
//!
//! A frame's checksum covers its number in the file, kind, length and payload, so that frames can be neither
//! exchanged nor left out. In this order: at most one catalog frame (its commit, then the blob); row frames, the
//! chunks of one [stream](super::stream); record frames (commit, payload) that follow the catalog's commit without
//! a gap; one end frame with the totals. Numbers are little-endian.
//!
//! A restore first reads the whole file and only then begins to write; the manifest comes last, so a directory
//! whose restore was interrupted is refused and not taken for a smaller database.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{At, Error, OTHER_BACKUP};
use super::files::{File, Files, RealFiles, read_exact_at};
use super::log::{self, FORMAT, Header, Writer, append_record};
use super::manifest::{Manifest, checkpoint_path};
use super::stream::{Chunker, Joiner};
use super::{Recover, Source, checkpoint, start};

const MAGIC: &[u8; 8] = b"FLINTBAK";
const HEADER_BYTES: usize = 16;
const FRAME_HEADER_BYTES: usize = 12;
/// Bytes of a row frame, and of what is collected before it is written.
const CHUNK_BYTES: usize = 256 << 10;

const CATALOG: u32 = 1;
const ROWS: u32 = 2;
const RECORD: u32 = 3;
const END: u32 = 4;

/// What a backup holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackupInfo {
    /// The last commit.
    pub commit: u64,
    /// Rows as of the backup's checkpoint.
    pub rows: u64,
    /// Commits after it.
    pub records: u64,
}

/// Writes `source` to `file`, durably. A file of that name is replaced when the new one is complete.
pub fn backup(source: &dyn Source, file: &Path) -> Result<BackupInfo, Error> {
    let mut out = BackupWriter::create(&RealFiles, file)?;
    out.catalog(source.commit(), &source.meta())?;
    for (table, key, row) in source.rows() {
        out.row(table, key, row)?;
    }
    out.finish(&RealFiles)
}

/// Writes the database in `dir`, which nobody may use meanwhile, to `file`.
pub fn backup_dir(dir: &Path, files: &dyn Files, file: &Path) -> Result<BackupInfo, Error> {
    /// Keeps our own error while the reader's is a text.
    struct Copy {
        out: BackupWriter,
        error: Option<Error>,
    }

    impl Copy {
        fn keep(&mut self, result: Result<(), Error>) -> Result<(), String> {
            result.map_err(|error| {
                let text = error.to_string();
                self.error = Some(error);
                text
            })
        }
    }

    impl Recover for Copy {
        fn meta(&mut self, commit: u64, meta: &[u8]) -> Result<(), String> {
            let result = self.out.catalog(commit, meta);
            self.keep(result)
        }

        fn row(&mut self, table: u32, key: &[u8], row: &[u8]) -> Result<(), String> {
            let result = self.out.row(table, key, row);
            self.keep(result)
        }

        fn record(&mut self, commit: u64, payload: &[u8]) -> Result<(), String> {
            let result = self.out.record(commit, payload);
            self.keep(result)
        }
    }

    let mut copy = Copy { out: BackupWriter::create(files, file)?, error: None };
    let read = start::read(dir, files, &mut copy);
    if let Err(error) = read {
        let _ = files.remove(&copy.out.new);
        return Err(copy.error.unwrap_or(error));
    }
    copy.out.finish(files)
}

/// Makes the data directory `dir` from a backup. It must be empty or missing.
pub fn restore(file: &Path, dir: &Path) -> Result<BackupInfo, Error> {
    restore_to(&RealFiles, file, dir)
}

/// [`restore`] over any files.
pub(super) fn restore_to(files: &dyn Files, file: &Path, dir: &Path) -> Result<BackupInfo, Error> {
    let mut record_bytes = 0;
    let mut catalog = None;
    let info = walk(files, file, &mut |part| {
        match part {
            Part::Catalog(commit, meta) => catalog = Some((commit, meta.to_vec())),
            Part::Row(..) => {}
            Part::Record(_, payload) => record_bytes += log::RECORD_HEADER_BYTES + payload.len(),
        }
        Ok(())
    })?;
    files.create_dir(dir).at("create", dir)?;
    if !files.list(dir).at("list", dir)?.is_empty() {
        return Err(Error::NotEmpty { path: dir.to_path_buf() });
    }
    let _lock = start::take_lock(files, dir)?;
    let mut manifest = Manifest::empty(fastrand::u64(1..));
    if let Some((commit, meta)) = catalog {
        let built = checkpoint::build(files, dir, &meta, &mut |put| {
            let copied = walk(files, file, &mut |part| match part {
                Part::Row(table, key, row) => put(table, key, row),
                _ => Ok(()),
            });
            copied.map(|_| ())
        })?;
        let sealed = checkpoint::seal(files, &built, dir, &checkpoint_path(dir, 1))?;
        let (rows, row_stream, meta) = (built.rows, built.row_stream, built.meta);
        manifest = Manifest { generation: 1, commit, rows, row_stream, meta, files: sealed, ..manifest };
        checkpoint::load(files, dir, &manifest, "scratch-verify", &mut |_| Ok(()), &mut |_, _, _| Ok(()))?;
    }
    let capacity = Writer::capacity_for(record_bytes, super::Options::default().segment_bytes);
    let header = Header { store: manifest.store, segment: manifest.log, base: manifest.commit, capacity };
    let mut segment = Writer::create(files, dir, header)?;
    let mut group = Vec::new();
    walk(files, file, &mut |part| {
        if let Part::Record(commit, payload) = part {
            append_record(&mut group, commit, payload);
            if group.len() >= CHUNK_BYTES {
                segment.append(&group)?;
                group.clear();
            }
        }
        Ok(())
    })?;
    segment.append(&group)?;
    segment.sync()?;
    if info.records > 0 {
        let mut mark = Vec::new();
        log::append_mark(&mut mark, false, info.commit, segment.place());
        segment.append(&mark)?;
        segment.sync()?;
    }
    manifest.write(files, dir)?;
    Ok(info)
}

/// A backup that is being written.
struct BackupWriter {
    path: PathBuf,
    new: PathBuf,
    file: Box<dyn File>,
    /// What is not written yet, and where it goes.
    buf: Vec<u8>,
    offset: u64,
    frames: u64,
    /// Until the first record.
    rows: Option<Chunker>,
    info: BackupInfo,
    end: Vec<u8>,
}

impl BackupWriter {
    fn create(files: &dyn Files, path: &Path) -> Result<Self, Error> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        let file = files.create(&new).at("create", &new)?;
        let mut buf = MAGIC.to_vec();
        buf.extend_from_slice(&FORMAT.to_le_bytes());
        buf.extend_from_slice(&crc32fast::hash(&buf).to_le_bytes());
        let (path, rows) = (path.to_path_buf(), Some(Chunker::new(CHUNK_BYTES)));
        Ok(Self { path, new, file, buf, offset: 0, frames: 0, rows, info: BackupInfo::default(), end: Vec::new() })
    }

    fn catalog(&mut self, commit: u64, meta: &[u8]) -> Result<(), Error> {
        self.info.commit = commit;
        self.frame(CATALOG, &[&commit.to_le_bytes(), meta])
    }

    fn row(&mut self, table: u32, key: &[u8], row: &[u8]) -> Result<(), Error> {
        let Some(mut rows) = self.rows.take() else {
            return Err(Error::Misuse("a row came after a commit".to_owned()));
        };
        let result = rows.row(table, key, row, &mut |chunk| self.frame(ROWS, &[chunk]));
        self.rows = Some(rows);
        result
    }

    fn record(&mut self, commit: u64, payload: &[u8]) -> Result<(), Error> {
        self.end_rows()?;
        self.info.commit = commit;
        self.info.records += 1;
        self.frame(RECORD, &[&commit.to_le_bytes(), payload])
    }

    fn end_rows(&mut self) -> Result<(), Error> {
        if let Some(rows) = self.rows.take() {
            let (rows, sum) = rows.finish(&mut |chunk| self.frame(ROWS, &[chunk]))?;
            self.info.rows = rows;
            self.end.extend_from_slice(&rows.to_le_bytes());
            self.end.extend_from_slice(&sum.bytes.to_le_bytes());
            self.end.extend_from_slice(&sum.crc.to_le_bytes());
        }
        Ok(())
    }

    fn finish(mut self, files: &dyn Files) -> Result<BackupInfo, Error> {
        self.end_rows()?;
        let mut end = std::mem::take(&mut self.end);
        end.extend_from_slice(&self.info.records.to_le_bytes());
        self.frame(END, &[&end])?;
        self.flush()?;
        let Self { path, new, mut file, info, .. } = self;
        file.sync().at("sync", &new)?;
        files.rename(&new, &path).at("rename", &new)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        files.sync_dir(parent).at("sync", parent)?;
        Ok(info)
    }

    fn frame(&mut self, kind: u32, parts: &[&[u8]]) -> Result<(), Error> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let length = u32::try_from(length).map_err(|_| Error::Misuse("a catalog or commit of 4 GiB".to_owned()))?;
        let crc = frame_crc(self.frames, kind, length, parts);
        for number in [kind, length, crc] {
            self.buf.extend_from_slice(&number.to_le_bytes());
        }
        parts.iter().for_each(|part| self.buf.extend_from_slice(part));
        self.frames += 1;
        if self.buf.len() >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.write_at(self.offset, &self.buf).at("write", &self.new)?;
        self.offset += self.buf.len() as u64;
        self.buf.clear();
        Ok(())
    }
}

fn frame_crc(number: u64, kind: u32, length: u32, parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&kind.to_le_bytes());
    hasher.update(&length.to_le_bytes());
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// A piece of a backup.
enum Part<'a> {
    Catalog(u64, &'a [u8]),
    Row(u32, &'a [u8], &'a [u8]),
    Record(u64, &'a [u8]),
}

/// Reads a backup from its beginning to its end and checks all of it.
fn walk(
    files: &dyn Files,
    path: &Path,
    take: &mut dyn FnMut(Part<'_>) -> Result<(), Error>,
) -> Result<BackupInfo, Error> {
    let damaged = |offset: u64, what: &str| Error::Damaged {
        path: path.to_path_buf(),
        offset,
        what: what.to_owned(),
        advice: OTHER_BACKUP,
    };
    let mut frames = Frames::open(files, path)?;
    let mut joiner = Joiner::default();
    let mut info = BackupInfo::default();
    let mut before = 0;
    loop {
        let at = frames.offset;
        let (kind, payload) = frames.next()?;
        // The order of kinds is that of their numbers, and only rows and records come more than once.
        if kind < before || (kind == before && kind == CATALOG) {
            return Err(damaged(at, "a part in the wrong place"));
        }
        before = kind;
        let commit = || payload.first_chunk::<8>().map(|bytes| (u64::from_le_bytes(*bytes), &payload[8..]));
        match kind {
            CATALOG => {
                let (commit, meta) = commit().ok_or_else(|| damaged(at, "a catalog without a commit"))?;
                info.commit = commit;
                take(Part::Catalog(commit, meta))?;
            }
            ROWS => joiner.chunk(payload, &mut |table, key, row| take(Part::Row(table, key, row)))?,
            RECORD => {
                let (commit, payload) = commit().ok_or_else(|| damaged(at, "a commit without a number"))?;
                if Some(commit) != info.commit.checked_add(1) {
                    return Err(damaged(at, "a commit is missing before this one"));
                }
                info.commit = commit;
                info.records += 1;
                take(Part::Record(commit, payload))?;
            }
            END => {
                let payload = payload.to_vec();
                let (rows, sum) = joiner.finish().map_err(|what| damaged(at, &what))?;
                info.rows = rows;
                let mut expected = Vec::new();
                for number in [rows, sum.bytes] {
                    expected.extend_from_slice(&number.to_le_bytes());
                }
                expected.extend_from_slice(&sum.crc.to_le_bytes());
                expected.extend_from_slice(&info.records.to_le_bytes());
                if payload != expected {
                    return Err(damaged(at, "the totals do not match what came before"));
                }
                return if frames.offset == frames.length {
                    Ok(info)
                } else {
                    Err(damaged(frames.offset, "more bytes than a backup has"))
                };
            }
            _ => return Err(damaged(at, "a part of an unknown kind")),
        }
    }
}

/// The frames of a backup.
struct Frames {
    path: PathBuf,
    file: Box<dyn File>,
    length: u64,
    offset: u64,
    number: u64,
    buf: Vec<u8>,
}

impl Frames {
    fn open(files: &dyn Files, path: &Path) -> Result<Self, Error> {
        let file = files.open(path).at("open", path)?;
        let length = file.len().at("read the length of", path)?;
        let mut frames = Self { path: path.to_path_buf(), file, length, offset: 0, number: 0, buf: Vec::new() };
        let header = frames.read(HEADER_BYTES)?;
        let (start, crc) = header.split_at(12);
        let found = u32::from_le_bytes([start[8], start[9], start[10], start[11]]);
        if &start[..8] != MAGIC {
            return Err(frames.damaged(0, "a backup starts with FLINTBAK, this file does not"));
        }
        if crc != crc32fast::hash(start).to_le_bytes() {
            return Err(frames.damaged(8, "the header does not match its checksum"));
        }
        if found != FORMAT {
            return Err(Error::Newer { path: frames.path, found, supported: FORMAT });
        }
        Ok(frames)
    }

    /// Kind and payload of the next frame.
    fn next(&mut self) -> Result<(u32, &[u8]), Error> {
        let at = self.offset;
        let header = self.read(FRAME_HEADER_BYTES)?;
        let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (kind, length, crc) = (number(0), number(4), number(8));
        // `read` compares the length with what the file holds before it takes memory.
        let payload = self.read(length as usize)?;
        if frame_crc(self.number, kind, length, &[&payload]) != crc {
            return Err(self.damaged(at, "the next part does not match its checksum"));
        }
        self.number += 1;
        self.buf = payload;
        Ok((kind, &self.buf))
    }

    fn read(&mut self, length: usize) -> Result<Vec<u8>, Error> {
        let end = self.offset.checked_add(length as u64).filter(|end| *end <= self.length);
        let Some(end) = end else { return Err(self.damaged(self.length, "the file was cut here")) };
        let mut buf = std::mem::take(&mut self.buf);
        buf.clear();
        buf.resize(length, 0);
        match read_exact_at(&*self.file, self.offset, &mut buf) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damaged(self.length, "the file was cut"))
            }
            result => {
                result.at("read", &self.path)?;
                self.offset = end;
                Ok(buf)
            }
        }
    }

    fn damaged(&self, offset: u64, what: &str) -> Error {
        Error::Damaged { path: self.path.clone(), offset, what: what.to_owned(), advice: OTHER_BACKUP }
    }
}
