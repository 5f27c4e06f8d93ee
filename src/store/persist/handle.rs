//! The handle of a running store.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

use super::checkpoint::{self, panic_text};
use super::commit::{Committer, Rotate, Shared, Stop};
use super::error::{At, Error};
use super::files::Lock;
use super::manifest::{Manifest, checkpoint_number, checkpoint_path};
use super::{Source, start};

/// A running store. All methods return at once but [`Store::close`].
pub struct Store {
    shared: Arc<Shared>,
    committer: Option<JoinHandle<()>>,
    checkpointer: Mutex<Option<JoinHandle<()>>>,
    job: Arc<Job>,
    lock: Option<Lock>,
}

/// What checkpoints share.
struct Job {
    store: u64,
    running: AtomicBool,
    cancelled: AtomicBool,
}

/// What a checkpoint wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointInfo {
    /// Its number.
    pub generation: u64,
    /// The last commit it holds.
    pub commit: u64,
    /// Its rows.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
}

/// Gets a checkpoint's result, on the checkpoint's thread.
pub type CheckpointDone = Box<dyn FnOnce(Result<CheckpointInfo, Arc<Error>>) + Send>;

impl Store {
    /// Starts the committer.
    pub(super) fn start(shared: Arc<Shared>, committer: Committer, lock: Lock, store: u64) -> Result<Self, Error> {
        let thread = thread::Builder::new().name("flint-commit".to_owned()).spawn(move || committer.run());
        let committer = Some(thread.at("start a thread for", &shared.dir)?);
        let job = Arc::new(Job { store, running: AtomicBool::new(false), cancelled: AtomicBool::new(false) });
        Ok(Self { shared, committer, checkpointer: Mutex::new(None), job, lock: Some(lock) })
    }

    /// Hands over records, built by [`append_record`](super::append_record); `commit` is the last one's number. Numbers
    /// go on by one from the last commit that was recovered or submitted. After a failure they are dropped.
    pub fn submit(&self, commit: u64, records: Vec<u8>) {
        let shared = &*self.shared;
        if records.is_empty() {
            return;
        }
        let mut queue = shared.queue.lock();
        // Under the lock, so that a failure's reset of the backlog is not overtaken.
        if shared.failure.get().is_some() {
            return;
        }
        shared.backlog.fetch_add(records.len(), Ordering::AcqRel);
        let (before, half) = (queue.records.len(), shared.options.queue_bytes_max / 2);
        queue.last = commit;
        if before == 0 && queue.records.capacity() < records.len() {
            queue.records = records;
        } else {
            queue.records.extend_from_slice(&records);
        }
        let wake = before == 0 || (before < half && queue.records.len() >= half);
        drop(queue);
        if wake {
            shared.wake.notify_one();
        }
    }

    /// The last commit that is on the disk.
    pub fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    /// Why the store takes no more writes, if it does not.
    pub fn failure(&self) -> Option<Arc<Error>> {
        self.shared.failure.get().cloned()
    }

    /// Bytes that were submitted and are not on the disk yet.
    pub fn backlog_bytes(&self) -> usize {
        self.shared.backlog.load(Ordering::Acquire)
    }

    /// Bytes of durable records that the checkpoint does not hold: what a start has to replay.
    pub fn log_bytes(&self) -> u64 {
        let logged = self.shared.logged.load(Ordering::Acquire);
        logged.saturating_sub(self.shared.checkpointed.load(Ordering::Acquire))
    }

    /// Writes a checkpoint of `source` in the background. Its commit must have been submitted.
    pub fn checkpoint(&self, source: Box<dyn Source>, done: CheckpointDone) {
        if self.job.running.swap(true, Ordering::AcqRel) {
            return done(Err(Arc::new(Error::Busy)));
        }
        let done = Arc::new(Mutex::new(Some(done)));
        let (shared, job, answer) = (Arc::clone(&self.shared), Arc::clone(&self.job), Arc::clone(&done));
        let work = move || {
            let result = catch_unwind(AssertUnwindSafe(|| run(&shared, &job, &*source))).unwrap_or_else(|panic| {
                let what = panic_text(&*panic);
                Err(Arc::new(Error::Checkpoint { path: shared.dir.clone(), what }))
            });
            // The value may be large: free it before the next one is asked for.
            drop(source);
            job.running.store(false, Ordering::Release);
            if let Some(done) = answer.lock().take() {
                done(result);
            }
        };
        let mut checkpointer = self.checkpointer.lock();
        if let Some(finished) = checkpointer.take() {
            let _ = finished.join();
        }
        match thread::Builder::new().name("flint-checkpoint".to_owned()).spawn(work) {
            Ok(thread) => *checkpointer = Some(thread),
            Err(error) => {
                self.job.running.store(false, Ordering::Release);
                if let Some(done) = done.lock().take() {
                    done(Err(Arc::new(Error::io("start a thread for", &self.shared.dir, error))));
                }
            }
        }
    }

    /// Makes all that was submitted durable, ends the threads and releases the directory. A checkpoint that is being
    /// written is given up. The failure, if the store had one.
    pub fn close(mut self) -> Option<Arc<Error>> {
        self.end(Stop::Flush);
        self.failure()
    }

    /// Ends the threads at once and writes nothing more, as if the process were killed.
    pub fn crash(mut self) {
        self.end(Stop::Abandon);
    }

    fn end(&mut self, stop: Stop) {
        self.job.cancelled.store(true, Ordering::Release);
        self.shared.queue.lock().stop = Some(stop);
        self.shared.wake.notify_one();
        // Both threads turn their panics into errors.
        if let Some(committer) = self.committer.take() {
            let _ = committer.join();
        }
        // Whoever still waits for a new segment will not get one.
        self.shared.queue.lock().rotate = None;
        if let Some(checkpointer) = self.checkpointer.get_mut().take() {
            let _ = checkpointer.join();
        }
        self.lock = None;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dir, durable, failure) = (&self.shared.dir, self.durable(), self.shared.failure.get());
        f.debug_struct("Store").field("dir", dir).field("durable", &durable).field("failure", &failure).finish()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.committer.is_some() {
            self.end(Stop::Flush);
        }
    }
}

/// Writes a checkpoint and makes it the one that counts.
fn run(shared: &Shared, job: &Job, source: &dyn Source) -> Result<CheckpointInfo, Arc<Error>> {
    let (files, dir, commit) = (&*shared.files, &*shared.dir, source.commit());
    let logged = new_segment(shared, job, commit)?;
    // Numbers are not used twice, so that no file of a failed checkpoint is taken for one of this.
    let names = files.list(dir).at("list", dir)?;
    let generation = names.iter().filter_map(|name| checkpoint_number(name)).max().unwrap_or(0) + 1;
    let path = checkpoint_path(dir, generation);
    let mut manifest = write(shared, job, source, generation).inspect_err(|_| {
        let _ = files.remove_dir(&path);
    })?;
    // The newest segment that begins before the checkpoint's end is the first that is still needed.
    let needed = shared.segments.lock().iter().rfind(|header| header.base <= commit).map(|header| header.segment);
    manifest.log = needed.ok_or_else(|| Error::Misuse(format!("no log segment begins before commit {commit}")))?;
    manifest.write(files, dir)?;
    shared.checkpointed.store(logged, Ordering::Release);
    shared.segments.lock().retain(|header| header.segment >= manifest.log);
    if let Err(error) = start::remove_superseded(files, dir, &manifest) {
        // The next start tries again.
        log::warn!("cannot tidy up: {error}");
    }
    let bytes = manifest.files.iter().map(|file| file.length).sum();
    Ok(CheckpointInfo { generation, commit, rows: manifest.rows, bytes })
}

/// Has the committer begin a segment once `commit` is durable; [`Shared::logged`] then.
fn new_segment(shared: &Shared, job: &Job, commit: u64) -> Result<u64, Arc<Error>> {
    let (reply, answer) = sync_channel(1);
    {
        let mut queue = shared.queue.lock();
        if job.cancelled.load(Ordering::Acquire) || queue.stop.is_some() {
            return Err(Arc::new(Error::Closing));
        }
        if let Some(failure) = shared.failure.get() {
            return Err(Arc::clone(failure));
        }
        if commit > queue.last {
            let last = queue.last;
            return Err(Arc::new(Error::Misuse(format!(
                "checkpoint of commit {commit}, the last submitted is {last}"
            ))));
        }
        queue.rotate = Some(Rotate { after: commit, reply });
    }
    shared.wake.notify_one();
    answer.recv().unwrap_or_else(|_| Err(Arc::new(Error::Closing)))
}

/// Builds, seals and verifies; the manifest lacks only the log's segment.
fn write(shared: &Shared, job: &Job, source: &dyn Source, generation: u64) -> Result<Manifest, Error> {
    let (files, dir) = (&*shared.files, &*shared.dir);
    let meta = source.meta();
    let go_on = || if job.cancelled.load(Ordering::Acquire) { Err(Error::Closing) } else { Ok(()) };
    let built = checkpoint::build(files, dir, &meta, &mut |put| {
        for (table, key, row) in source.rows() {
            go_on()?;
            put(table, key, row)?;
        }
        Ok(())
    })?;
    let path = checkpoint_path(dir, generation);
    if built.rows != source.row_count() {
        let what = format!("{} rows were given where {} were announced", built.rows, source.row_count());
        return Err(Error::Checkpoint { path, what });
    }
    let sealed = checkpoint::seal(files, &built, dir, &path)?;
    let manifest = Manifest {
        store: job.store,
        generation,
        commit: source.commit(),
        log: 0,
        rows: built.rows,
        row_stream: built.row_stream,
        meta: built.meta,
        files: sealed,
    };
    // Room for the next copy.
    drop(built);
    checkpoint::load(files, dir, &manifest, "scratch-verify", &mut |_| go_on(), &mut |_, _, _| go_on())?;
    Ok(manifest)
}
