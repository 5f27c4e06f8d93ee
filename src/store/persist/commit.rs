//! The committer: one thread that makes what waits durable, in groups.
//!
//! The event loop appends records to a queue and goes on. The committer takes all that waits, writes it with one
//! write, syncs once, publishes "durable up to commit n" and wakes the loop, which then sends the replies that waited
//! for it. While it syncs, the next group gathers: the slower the disk, the larger the groups.
//!
//! The first error is final. After a failed write or sync nobody knows what is on the disk, and a later sync
//! that succeeds would not change that, so nothing is tried again: the store takes no more writes until it is
//! started again and reads what is really there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::Options;
use super::checkpoint::panic_text;
use super::error::Error;
use super::files::Files;
use super::log::{self, Header, MARK_BYTES, Writer};
use crate::config::Durability;
use crate::store::clock::{Clock, SystemClock};

/// A queue buffer larger than this is not kept for the next group.
const SPARE_BYTES_MAX: usize = 8 << 20;

/// What the event loop, the committer and the checkpoint thread share.
pub(super) struct Shared {
    pub(super) files: Arc<dyn Files>,
    pub(super) dir: PathBuf,
    pub(super) options: Options,
    /// Called after `durable` or `failure` changed.
    pub(super) notify: Arc<dyn Fn() + Send + Sync>,
    /// Held for moments only: to append records, to take them. No other lock is taken inside.
    pub(super) queue: Mutex<Queue>,
    /// Wakes the committer.
    pub(super) wake: Condvar,
    /// The last durable commit.
    pub(super) durable: AtomicU64,
    /// Bytes that were submitted and are not durable.
    pub(super) backlog: AtomicUsize,
    /// Why the store takes no more writes.
    pub(super) failure: OnceLock<Arc<Error>>,
    /// Bytes of records that were written to the log since the start, and those read at the start.
    pub(super) logged: AtomicU64,
    /// The part of `logged` that the checkpoint holds.
    pub(super) checkpointed: AtomicU64,
    /// The log's segments from the first needed one on. Taken with no other lock held.
    pub(super) segments: Mutex<Vec<Header>>,
}

/// What waits for the committer.
#[derive(Default)]
pub(super) struct Queue {
    /// Whole records.
    pub(super) records: Vec<u8>,
    /// The last commit in them, or before them.
    pub(super) last: u64,
    /// Somebody wants a new segment.
    pub(super) rotate: Option<Rotate>,
    /// How to end.
    pub(super) stop: Option<Stop>,
}

/// A wish for a new segment.
pub(super) struct Rotate {
    /// Not before this commit is durable.
    pub(super) after: u64,
    /// Gets [`Shared::logged`] at that moment.
    pub(super) reply: SyncSender<Result<u64, Arc<Error>>>,
}

/// How the committer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// When all that waits is durable.
    Flush,
    /// At once, as a killed process would.
    Abandon,
}

impl Shared {
    /// Makes the store read-only.
    fn fail(&self, error: Arc<Error>) {
        ::log::error!("the store takes no more writes: {error}");
        if self.failure.set(error).is_ok() {
            self.queue.lock().records = Vec::new();
            self.backlog.store(0, Ordering::Release);
            (self.notify)();
        }
    }
}

/// The committer's own state.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) writer: Writer,
    /// The last commit in the log.
    pub(super) last: u64,
    /// A mark was written that no sync followed.
    mark_unsynced: bool,
    last_sync: Instant,
    spare: Vec<u8>,
}

enum Work {
    Group(Vec<u8>, u64),
    Rotate(Rotate),
    SyncMark,
    Stop,
}

impl Committer {
    /// A committer that goes on after commit `last`, which is durable and marked.
    pub(super) fn new(shared: Arc<Shared>, writer: Writer, last: u64) -> Self {
        Self { shared, writer, last, mark_unsynced: false, last_sync: SystemClock.now(), spare: Vec::new() }
    }

    /// Runs until the queue says stop.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            let done = catch_unwind(AssertUnwindSafe(|| self.step()))
                .unwrap_or_else(|panic| Err(Error::Misuse(format!("the committer gave up: {}", panic_text(&*panic)))));
            match done {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => shared.fail(Arc::new(error)),
            }
        }
    }

    /// Does the next thing; false if there is none any more.
    fn step(&mut self) -> Result<bool, Error> {
        match self.next() {
            Work::Group(records, last) => self.write(records, last)?,
            Work::Rotate(Rotate { reply, .. }) => {
                let (answer, fatal) = match self.rotate(0) {
                    Ok(()) => (Ok(self.shared.logged.load(Ordering::Acquire)), None),
                    // Nothing was done to the segment in use: it goes on.
                    Err(Rotation::Unchanged(error)) => (Err(Arc::new(error)), None),
                    Err(Rotation::Fatal(error)) => (Err(Arc::new(Error::Failed(error.to_string()))), Some(error)),
                };
                // Whoever asked may have given up meanwhile.
                let _ = reply.send(answer);
                if let Some(error) = fatal {
                    return Err(error);
                }
            }
            Work::SyncMark => self.sync_mark()?,
            Work::Stop => {
                if self.shared.failure.get().is_none() && self.mark_unsynced {
                    self.sync_mark()?;
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for something to do.
    fn next(&mut self) -> Work {
        let Self { shared, .. } = self;
        let options = &shared.options;
        let mut queue = shared.queue.lock();
        loop {
            let failed = shared.failure.get();
            if failed.is_some() {
                queue.records.clear();
            }
            if queue.stop == Some(Stop::Abandon) {
                self.mark_unsynced = false;
                return Work::Stop;
            }
            if !queue.records.is_empty() {
                let hurry = queue.stop.is_some()
                    || queue.rotate.is_some()
                    || queue.records.len() >= options.queue_bytes_max / 2;
                match options.durability {
                    Durability::Interval(interval) if !hurry && self.last_sync.elapsed() < interval => {
                        shared.wake.wait_until(&mut queue, self.last_sync + interval);
                        continue;
                    }
                    _ => {}
                }
                let records = std::mem::replace(&mut queue.records, std::mem::take(&mut self.spare));
                return Work::Group(records, queue.last);
            }
            if let Some(rotate) = queue.rotate.take() {
                if let Some(error) = failed {
                    let _ = rotate.reply.send(Err(Arc::clone(error)));
                } else if self.last >= rotate.after {
                    return Work::Rotate(rotate);
                } else {
                    queue.rotate = Some(rotate);
                }
            }
            if queue.stop.is_some() {
                return Work::Stop;
            }
            if self.mark_unsynced && failed.is_none() {
                if shared.wake.wait_for(&mut queue, options.mark_sync_after).timed_out() {
                    return Work::SyncMark;
                }
            } else {
                shared.wake.wait(&mut queue);
            }
        }
    }

    /// Makes a group durable and says so.
    fn write(&mut self, mut records: Vec<u8>, last: u64) -> Result<(), Error> {
        let found = log::check_group(&records, self.last)?;
        if found != last {
            return Err(Error::Misuse(format!("the records end with commit {found} and not with {last}")));
        }
        if !self.writer.fits(records.len()) {
            self.rotate(records.len()).map_err(|error| match error {
                Rotation::Unchanged(error) | Rotation::Fatal(error) => error,
            })?;
        }
        self.writer.append(&records)?;
        self.writer.sync()?;
        self.last_sync = SystemClock.now();
        self.last = last;
        let shared = &self.shared;
        shared.logged.fetch_add(records.len() as u64, Ordering::AcqRel);
        shared.durable.store(last, Ordering::Release);
        shared.backlog.fetch_sub(records.len(), Ordering::AcqRel);
        (shared.notify)();
        self.mark(false)?;
        self.mark_unsynced = true;
        if records.capacity() <= SPARE_BYTES_MAX {
            records.clear();
            self.spare = records;
        }
        Ok(())
    }

    fn mark(&mut self, next: bool) -> Result<(), Error> {
        let mut mark = Vec::with_capacity(MARK_BYTES);
        log::append_mark(&mut mark, next, self.last, self.writer.place());
        self.writer.append(&mark)
    }

    fn sync_mark(&mut self) -> Result<(), Error> {
        self.mark_unsynced = false;
        self.writer.sync()
    }

    /// Goes on in a new segment that a group of `bytes` fits into.
    fn rotate(&mut self, bytes: usize) -> Result<(), Rotation> {
        let Header { store, segment, .. } = self.writer.header;
        let capacity = Writer::capacity_for(bytes, self.shared.options.segment_bytes);
        let header = Header { store, segment: segment + 1, base: self.last, capacity };
        let new = Writer::create(&*self.shared.files, &self.shared.dir, header).map_err(Rotation::Unchanged)?;
        if self.mark_unsynced {
            // A power loss may keep the second of two unsynced marks, which then vouches for the lost first one.
            self.sync_mark().map_err(Rotation::Fatal)?;
        }
        self.mark(true).map_err(Rotation::Fatal)?;
        self.writer.sync().map_err(Rotation::Fatal)?;
        self.mark_unsynced = false;
        self.writer = new;
        self.shared.segments.lock().push(header);
        Ok(())
    }
}

/// Why there is no new segment.
enum Rotation {
    /// The old one can still be used.
    Unchanged(Error),
    /// The old one is in doubt.
    Fatal(Error),
}
