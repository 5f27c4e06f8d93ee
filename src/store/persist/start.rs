//! The start: from a directory to a running store.

use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use parking_lot::{Condvar, Mutex};

use super::commit::{Committer, Queue, Shared};
use super::error::{At, Error};
use super::files::{Files, Lock};
use super::handle::Store;
use super::log::{self, Header, MARK_BYTES, Writer};
use super::manifest::{MANIFEST, Manifest, checkpoint_number};
use super::replay::{self, Replayed};
use super::{Options, Recover, checkpoint};

/// Opens the data directory `dir`, creating it if it is missing, feeds what it holds to `recover`, and starts the
/// committer. `notify` is called from other threads whenever [`Store::durable`] or [`Store::failure`] changed.
pub fn open(
    dir: &Path,
    files: Arc<dyn Files>,
    options: Options,
    recover: &mut dyn Recover,
    notify: Arc<dyn Fn() + Send + Sync>,
) -> Result<Store, Error> {
    files.create_dir(dir).at("create", dir)?;
    let lock = take_lock(&*files, dir)?;
    let manifest = match Manifest::read(&*files, dir)? {
        Some(manifest) => {
            // A killed process may have left names that are not durable: the manifest's must be before what it
            // supersedes goes, a segment's before it gets records.
            files.sync_dir(dir).at("sync", dir)?;
            manifest
        }
        None => create(&*files, dir, fastrand::u64(1..), options.segment_bytes)?,
    };
    tidy(&*files, dir, &manifest)?;
    let numbers = segments(&*files, dir, manifest.log)?;
    let replayed = feed(&*files, dir, &manifest, &numbers, "scratch-start", recover)?;
    if let Some(unused) = replayed.unused {
        let path = log::segment_path(dir, unused);
        files.remove(&path).at("remove", &path)?;
    }
    let writer = continue_log(&*files, dir, &replayed)?;
    let shared = Arc::new(Shared {
        files,
        dir: dir.to_path_buf(),
        options,
        notify,
        queue: Mutex::new(Queue { last: replayed.last, ..Queue::default() }),
        wake: Condvar::new(),
        durable: AtomicU64::new(replayed.last),
        backlog: AtomicUsize::new(0),
        failure: OnceLock::new(),
        logged: AtomicU64::new(replayed.bytes),
        checkpointed: AtomicU64::new(0),
        segments: Mutex::new(replayed.segments),
    });
    let committer = Committer::new(Arc::clone(&shared), writer, replayed.last);
    Store::start(shared, committer, lock, manifest.store)
}

/// Feeds what `dir` holds to `recover` and changes nothing there; the last commit.
///
/// Refused like [`open`] if another process uses the directory.
pub fn read(dir: &Path, files: &dyn Files, recover: &mut dyn Recover) -> Result<u64, Error> {
    let manifest = must_exist(files, dir)?;
    let _lock = take_lock(files, dir)?;
    let numbers = segments(files, dir, manifest.log)?;
    Ok(feed(files, dir, &manifest, &numbers, "scratch-read", recover)?.last)
}

/// The manifest of a directory that must have one.
pub(super) fn must_exist(files: &dyn Files, dir: &Path) -> Result<Manifest, Error> {
    let missing = || Error::NotFound { path: dir.to_path_buf(), missing: MANIFEST };
    Manifest::read(files, dir)?.ok_or_else(missing)
}

/// Keeps other processes out of `dir`.
pub(super) fn take_lock(files: &dyn Files, dir: &Path) -> Result<Lock, Error> {
    let path = dir.join("lock");
    files.lock(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => Error::Locked { path: dir.to_path_buf() },
        _ => Error::io("lock", &path, error),
    })
}

/// Makes an empty database, unless there are traces of one that lost its manifest.
fn create(files: &dyn Files, dir: &Path, store: u64, segment_bytes: u64) -> Result<Manifest, Error> {
    for name in files.list(dir).at("list", dir)? {
        let used = match log::segment_number(&name) {
            Some(number) => !replay::is_unused(files, dir, replay::store_of(files, dir, number)?, number)?,
            None => checkpoint_number(&name).is_some(),
        };
        if used {
            let what = format!("the file is missing, but {name} holds data");
            return Err(Error::damaged(&dir.join(MANIFEST), 0, what));
        }
    }
    let manifest = Manifest::empty(store);
    let capacity = Writer::capacity_for(0, segment_bytes);
    Writer::create(files, dir, Header { store, segment: manifest.log, base: 0, capacity })?;
    manifest.write(files, dir)?;
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        files.sync_dir(parent).at("sync", parent)?;
    }
    Ok(manifest)
}

/// The numbers of the segments from `first` on, ascending.
pub(super) fn segments(files: &dyn Files, dir: &Path, first: u64) -> Result<Vec<u64>, Error> {
    let names = files.list(dir).at("list", dir)?;
    let numbers = names.iter().filter_map(|name| log::segment_number(name));
    let mut numbers: Vec<u64> = numbers.filter(|number| *number >= first).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes what an interrupted process left behind.
fn tidy(files: &dyn Files, dir: &Path, manifest: &Manifest) -> Result<(), Error> {
    for name in files.list(dir).at("list", dir)? {
        let path = dir.join(&name);
        if name.starts_with("scratch-") {
            warn_if_kept(&path, files.remove_dir(&path));
        } else if path.extension().is_some_and(|extension| extension == "new") {
            warn_if_kept(&path, files.remove(&path));
        }
    }
    remove_superseded(files, dir, manifest)
}

/// Removes checkpoints and segments that `manifest` no longer names. A store may be running.
pub(super) fn remove_superseded(files: &dyn Files, dir: &Path, manifest: &Manifest) -> Result<(), Error> {
    for name in files.list(dir).at("list", dir)? {
        let path = dir.join(&name);
        if checkpoint_number(&name).is_some_and(|generation| generation != manifest.generation) {
            warn_if_kept(&path, files.remove_dir(&path));
        } else if log::segment_number(&name).is_some_and(|number| number < manifest.log) {
            warn_if_kept(&path, files.remove(&path));
        }
    }
    Ok(())
}

fn warn_if_kept(path: &Path, removed: std::io::Result<()>) {
    if let Err(error) = removed {
        // It costs room and nothing else; the next start tries again.
        ::log::warn!("cannot remove {}: {error}", path.display());
    }
}

/// Feeds checkpoint and log to `recover`.
pub(super) fn feed(
    files: &dyn Files,
    dir: &Path,
    manifest: &Manifest,
    numbers: &[u64],
    scratch: &str,
    recover: &mut dyn Recover,
) -> Result<Replayed, Error> {
    let Manifest { store, generation, commit, log: first, .. } = *manifest;
    if generation > 0 {
        let path = manifest.checkpoint_dir(dir);
        let content = |what| Error::Content { path: path.clone(), what };
        // Two closures, called in turn.
        let recover = std::cell::RefCell::new(&mut *recover);
        checkpoint::load(
            files,
            dir,
            manifest,
            scratch,
            &mut |meta| recover.borrow_mut().meta(commit, meta).map_err(content),
            &mut |table, key, row| recover.borrow_mut().row(table, key, row).map_err(content),
        )?;
    }
    replay::replay(files, dir, store, first, commit, numbers, &mut |path, offset, commit, payload| {
        recover.record(commit, payload).map_err(|what| Error::Content {
            path: path.to_path_buf(),
            what: format!("commit {commit} at byte {offset}, which cannot be applied: {what}"),
        })
    })
}

/// Cuts the torn tail and makes sure that all that was read is durable before anybody sees it.
fn continue_log(files: &dyn Files, dir: &Path, replayed: &Replayed) -> Result<Writer, Error> {
    let [before @ .., header] = &replayed.segments[..] else {
        return Err(Error::damaged(dir, 0, "there is no log"));
    };
    // What was read after the last mark may be in the page cache only: the process before was killed before its sync, or
    // its sync failed. After a failed sync the kernel takes the pages for clean, so another sync alone would do nothing:
    // they are written again first. Of the segment before the last this can be true of its end, which must be durable
    // before the last one gets records.
    if let Some(before) = before.last() {
        let mut ended = Writer::resume(files, dir, *before, before.capacity)?;
        ended.write_again(replayed.doubtful_before, replayed.doubtful_before + MARK_BYTES as u64)?;
        ended.sync()?;
    }
    let mut writer = Writer::resume(files, dir, *header, replayed.end)?;
    if let Some(torn) = replayed.torn_until {
        let bytes = torn - replayed.end;
        let path = writer.path().display();
        ::log::warn!("{path}: cut {bytes} bytes at byte {} that no commit was acknowledged for", replayed.end);
        writer.erase_tail(torn)?;
    }
    let used = replayed.end > log::HEADER_BYTES as u64;
    if used || replayed.torn_until.is_some() {
        writer.write_again(replayed.doubtful, replayed.end)?;
        writer.sync()?;
    }
    if used && !replayed.marked {
        let mut mark = Vec::with_capacity(MARK_BYTES);
        log::append_mark(&mut mark, false, replayed.last, writer.place());
        writer.append(&mark)?;
        writer.sync()?;
    }
    Ok(writer)
}
