//! The checkpoint: a sled store that is written once, sealed, and only ever read through a copy.
//!
//! sled is used for what it is good at and kept from what it is not. It is not told to survive anything: its flush
//! does not reach the disk, its files change when they are merely opened, and a process killed right then leaves
//! files that the next open refuses. So sled only works in *scratch* directories that nobody relies on:
//!
//! 1. [`build`]: all rows are bulk-loaded, sorted, into a new sled store in a scratch directory, which is closed.
//! 2. [`seal`]: its files are copied to the checkpoint's directory and synced; their lengths and the checksum of every
//!    64 KiB go into the manifest. From here on no byte of them ever changes.
//! 3. [`load`]: the sealed files are copied to a scratch directory, checked on the way, so damage is named with file
//!    and offset; sled opens the copy and gives the rows back. A start does this, and so does the
//!    verification of a new checkpoint before anything older is removed.
//!
//! **Layout in sled.** The rows are one [stream](super::stream) in chunks of 240 KiB. A tree holds 8 chunks, under the
//! chunk's number within it; trees are numbered as well. sled consolidates a node after ten changes and splits a leaf of
//! more than sixteen items, each time writing all its values again: with 8 to a tree that never happens and every byte
//! is written once. Chunks stay far below the length (a quarter of a segment, 1 MiB) from which sled puts values into
//! files of their own. A million rows of 100 bytes: 120 MB, loaded in 0.2 s, copied and read back in the same time.
//! The catalog blob is cut the same way.
//!
//! sled panics on some errors. All its work is done where a panic becomes an error of ours.

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::error::{At, Error, RESTORE};
use super::files::{Files, read_exact_at};
use super::manifest::{BLOCK_BYTES, Manifest, Sealed, Sum};
use super::stream::{Chunker, Joiner, RowSink};

/// Bytes of one value in sled.
const CHUNK_BYTES: usize = 240 << 10;
/// Values in one tree.
const CHUNKS_PER_TREE: u32 = 8;
/// sled's unit of writing.
const SEGMENT_BYTES: usize = 4 << 20;
/// Bytes copied at once.
const COPY_BYTES: usize = 16 * BLOCK_BYTES;
/// Chunks read ahead of the rows' reader.
const CHUNKS_AHEAD: usize = 8;

/// What a sled store was built from.
pub(super) struct Built {
    scratch: Scratch,
    /// Number of rows.
    pub(super) rows: u64,
    /// The rows.
    pub(super) row_stream: Sum,
    /// The catalog blob.
    pub(super) meta: Sum,
}

/// Loads the catalog blob and the rows that `fill` gives into a new sled store.
pub(super) fn build(
    files: &dyn Files,
    dir: &Path,
    meta: &[u8],
    fill: &mut dyn FnMut(RowSink<'_, Error>) -> Result<(), Error>,
) -> Result<Built, Error> {
    let scratch = Scratch::new(files, dir, "scratch-build")?;
    let refused = |what: String| Error::Checkpoint { path: scratch.0.clone(), what };
    let filled = guarded(|| {
        let db = open_sled(&scratch.0).map_err(|error| refused(error.to_string()))?;
        let mut trees = Trees { db: &db, prefix: *b"meta", tree: None, chunks: 0 };
        for chunk in meta.chunks(CHUNK_BYTES) {
            trees.put(chunk).map_err(|error| refused(error.to_string()))?;
        }
        let mut trees = Trees { db: &db, prefix: *b"rows", tree: None, chunks: 0 };
        let mut put = |chunk: &[u8]| trees.put(chunk).map_err(|error| refused(error.to_string()));
        let mut chunker = Chunker::new(CHUNK_BYTES);
        fill(&mut |table, key, row| chunker.row(table, key, row, &mut put))?;
        let (rows, row_stream) = chunker.finish(&mut put)?;
        db.flush().map_err(|error| refused(error.to_string()))?;
        Ok::<_, Error>((rows, row_stream))
    });
    let (rows, row_stream) = filled.map_err(refused)??;
    let meta = Sum { bytes: meta.len() as u64, crc: crc32fast::hash(meta) };
    Ok(Built { scratch, rows, row_stream, meta })
}

/// Copies what was built into the new directory `to`, durably.
pub(super) fn seal(files: &dyn Files, built: &Built, dir: &Path, to: &Path) -> Result<Vec<Sealed>, Error> {
    let from = &built.scratch.0;
    files.create_dir(to).at("create", to)?;
    let mut sealed = Vec::new();
    for entry in fs::read_dir(from).at("list", from)? {
        let entry = entry.at("list", from)?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().at("list", &path)?.is_dir() {
            if fs::read_dir(&path).at("list", &path)?.next().is_some() {
                let what = format!("sled put a value into a file of its own in {name}");
                return Err(Error::Checkpoint { path: from.clone(), what });
            }
            continue;
        }
        sealed.push(seal_file(files, &path, &to.join(&name), name)?);
    }
    sealed.sort_by(|a, b| a.name.cmp(&b.name));
    files.sync_dir(to).at("sync", to)?;
    files.sync_dir(dir).at("sync", dir)?;
    Ok(sealed)
}

fn seal_file(files: &dyn Files, from: &Path, to: &Path, name: String) -> Result<Sealed, Error> {
    let source = fs::File::open(from).at("open", from)?;
    let length = source.metadata().at("read the length of", from)?.len();
    let mut target = files.create(to).at("create", to)?;
    let mut blocks = Vec::new();
    copy(length, |offset, buf| {
        std::os::unix::fs::FileExt::read_exact_at(&source, buf, offset).at("read", from)?;
        blocks.extend(buf.chunks(BLOCK_BYTES).map(crc32fast::hash));
        target.write_at(offset, buf).at("write", to)
    })?;
    target.sync().at("sync", to)?;
    Ok(Sealed { name, length, blocks })
}

/// Reads a checkpoint: its catalog blob first, then its rows. `scratch` names the directory to copy to.
pub(super) fn load(
    files: &dyn Files,
    dir: &Path,
    manifest: &Manifest,
    scratch: &str,
    meta: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    row: RowSink<'_, Error>,
) -> Result<(), Error> {
    let sealed = manifest.checkpoint_dir(dir);
    let scratch = Scratch::new(files, dir, scratch)?;
    for file in &manifest.files {
        unseal(files, &sealed.join(&file.name), file, &scratch.0.join(&file.name))?;
    }
    let content = |what: String| Error::Content { path: sealed.clone(), what };
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(CHUNKS_AHEAD);
        let path = &scratch.0;
        let reader = scope.spawn(move || guarded(|| read_sled(path, &sender).map_err(|error| error.to_string()))?);
        let mut blob = Vec::new();
        let mut joiner = Joiner::default();
        let mut meta_given = false;
        let mut give_meta = |blob: &[u8]| {
            let found = Sum { bytes: blob.len() as u64, crc: crc32fast::hash(blob) };
            if found != manifest.meta {
                return Err(content(format!("a catalog that is not the one that was written; {RESTORE}")));
            }
            meta(blob)
        };
        for chunk in &receiver {
            match chunk {
                Chunk::Meta(chunk) => blob.extend_from_slice(&chunk),
                Chunk::Rows(chunk) => {
                    if !meta_given {
                        give_meta(&blob)?;
                        meta_given = true;
                    }
                    joiner.chunk(&chunk, row).map_err(|error| match error {
                        Error::Misuse(what) => content(what),
                        error => error,
                    })?;
                }
            }
        }
        match reader.join() {
            Ok(Ok(())) => {}
            Ok(Err(what)) => return Err(content(format!("files that sled refuses though they are intact: {what}"))),
            Err(panic) => return Err(content(format!("files that sled gave up on: {}", panic_text(&*panic)))),
        }
        if !meta_given {
            give_meta(&blob)?;
        }
        let (rows, found) = joiner.finish().map_err(&content)?;
        if (rows, found) != (manifest.rows, manifest.row_stream) {
            let expected = manifest.rows;
            return Err(content(format!("{rows} rows that are not the {expected} that were written; {RESTORE}")));
        }
        Ok(())
    })
}

/// Copies a sealed file, comparing every block with its checksum.
fn unseal(files: &dyn Files, from: &Path, file: &Sealed, to: &Path) -> Result<(), Error> {
    let target = fs::File::create(to).at("create", to)?;
    check_sealed(files, from, file, &mut |offset, bytes| {
        std::os::unix::fs::FileExt::write_all_at(&target, bytes, offset).at("write", to)
    })
}

/// What takes an offset and the bytes there.
pub(super) type BytesSink<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), Error>;

/// Compares every block of a sealed file with its checksum and hands it on.
pub(super) fn check_sealed(files: &dyn Files, path: &Path, file: &Sealed, take: BytesSink<'_>) -> Result<(), Error> {
    let source = match files.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::damaged(path, 0, "this file of the checkpoint is missing"));
        }
        result => result.at("open", path)?,
    };
    let length = source.len().at("read the length of", path)?;
    if length != file.length {
        let what = format!("the file is {length} bytes long and should be {}", file.length);
        return Err(Error::damaged(path, length.min(file.length), what));
    }
    let mut blocks = file.blocks.iter();
    copy(length, |offset, buf| {
        read_exact_at(&*source, offset, buf).at("read", path)?;
        for (i, block) in buf.chunks(BLOCK_BYTES).enumerate() {
            let (found, expected) = (crc32fast::hash(block), blocks.next());
            if Some(&found) != expected {
                let what = format!("the next {} bytes do not match their checksum", block.len());
                return Err(Error::damaged(path, offset + (i * BLOCK_BYTES) as u64, what));
            }
        }
        take(offset, buf)
    })
}

/// Walks over `length` bytes in steps of whole blocks.
fn copy(length: u64, mut step: impl FnMut(u64, &mut [u8]) -> Result<(), Error>) -> Result<(), Error> {
    let mut buf = vec![0; COPY_BYTES.min(usize::try_from(length).unwrap_or(COPY_BYTES))];
    let mut offset = 0;
    while offset < length {
        let n = buf.len().min(usize::try_from(length - offset).unwrap_or(usize::MAX));
        step(offset, &mut buf[..n])?;
        offset += n as u64;
    }
    Ok(())
}

fn open_sled(path: &Path) -> sled::Result<sled::Db> {
    sled::Config::new()
        .path(path)
        .segment_size(SEGMENT_BYTES)
        .cache_capacity(4 * SEGMENT_BYTES as u64)
        .flush_every_ms(None)
        .open()
}

/// Puts chunks into as many trees as they need.
struct Trees<'a> {
    db: &'a sled::Db,
    prefix: [u8; 4],
    tree: Option<sled::Tree>,
    chunks: u32,
}

impl Trees<'_> {
    fn put(&mut self, chunk: &[u8]) -> sled::Result<()> {
        let (number, key) = (self.chunks / CHUNKS_PER_TREE, self.chunks % CHUNKS_PER_TREE);
        let tree = match self.tree.take() {
            Some(tree) if key != 0 => tree,
            _ => {
                let mut name = self.prefix.to_vec();
                name.extend_from_slice(&number.to_be_bytes());
                self.db.open_tree(name)?
            }
        };
        tree.insert(key.to_be_bytes(), chunk)?;
        self.tree = Some(tree);
        self.chunks += 1;
        Ok(())
    }
}

/// A value of a sled store.
enum Chunk {
    Meta(sled::IVec),
    Rows(sled::IVec),
}

/// Sends all chunks in order until nobody listens.
fn read_sled(path: &Path, sender: &SyncSender<Chunk>) -> sled::Result<()> {
    let db = open_sled(path)?;
    let mut names = db.tree_names();
    names.sort();
    for name in names {
        let wrap = match name.get(..4) {
            Some(b"meta") => Chunk::Meta,
            Some(b"rows") => Chunk::Rows,
            _ => continue,
        };
        for chunk in db.open_tree(&name)?.iter().values() {
            if sender.send(wrap(chunk?)).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Runs what may panic.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_text(&*panic))
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}

/// A directory that is removed when it is no longer used.
struct Scratch(PathBuf);

impl Scratch {
    fn new(files: &dyn Files, dir: &Path, name: &str) -> Result<Self, Error> {
        files.scratch(dir, name).map(Self).at("create", &dir.join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            log::warn!("cannot remove {}: {error}", self.0.display());
        }
    }
}
