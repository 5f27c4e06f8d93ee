//! The engine: the current database value, the transactions over it, and the commits on their way to the disk.
//!
//! The event loop owns it, so nothing here is locked or blocks. A commit changes the value in memory at once and appends
//! its change set to `records`; the end of a loop turn hands them to the committer thread. A reply may leave when the
//! newest commit that its value contained is durable, also the reply to a read: else a crash could take back what
//! somebody has seen. Should the disk fail, commits that never became durable are undone, newest first, with what each
//! has kept for that, and the engine takes no more writes; what was acknowledged stays readable.

use super::catalog::{Catalog, Change, Table};
use super::clock::Clock;
use super::database::{Database, Edit, ROW_OVERHEAD_BYTES, Read};
use super::key::Key;
use super::locks::Locks;
use super::persist;
use super::row::Row;
use super::tx::{self, State, Ticket, Transactions, Tx, TxId, Writes};
use crate::config::Limits;
use crate::error::{Error, Kind, Result};
use crate::wire::binary_tuple::Buffers;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Bytes of records that do not wait for the end of the turn when the committer is idle: it syncs the first requests of
/// a batch while the loop runs the others.
const EARLY_BYTES: usize = 2 << 10;
/// Bytes of log from which a checkpoint at the stop is worth it, rows up to which it is quick, and how long it may take.
const CLOSE_LOG_BYTES: u64 = 4 << 20;
const CLOSE_ROWS_MAX: u64 = 50_000;
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);

/// The current value and everything that changes it.
#[derive(Debug)]
pub struct Engine {
    db: Database,
    /// None in memory.
    log: Option<Log>,
    /// The change sets of this turn, as log records.
    records: Vec<u8>,
    /// What takes back the commits that are not durable, oldest first.
    undo: VecDeque<(u64, Steps)>,
    failure: Option<Error>,
    failure_told: bool,
    max_memory: u64,
    /// What one client may ask for.
    pub limits: Limits,
    /// Row locks of read-write transactions.
    pub locks: Locks,
    /// Open transactions and waiting requests.
    pub transactions: Transactions,
    woken: Vec<Ticket>,
    clock: Arc<dyn Clock>,
    now: Instant,
    last_timestamp: u64,
    /// Ids and random defaults; seeded.
    pub rng: fastrand::Rng,
    /// Identifies this process to its clients.
    pub node_id: u128,
    /// A buffer for change sets.
    payload: Vec<u8>,
    /// Buffers of whoever packs tuples.
    pub buffers: Buffers,
}

/// The commit log behind an engine.
#[derive(Debug)]
pub struct Log {
    /// The committer.
    pub store: persist::Store,
    /// Whether a reply waits until its commit is durable.
    pub sync: bool,
    /// Bytes of log that call for the next checkpoint; none is asked for while one is made.
    pub checkpoint_at: Arc<AtomicU64>,
}

/// What takes back one commit; most have one step.
type Steps = SmallVec<[Undo; 1]>;

#[derive(Debug)]
enum Undo {
    Row {
        table: u32,
        key: Key,
        old: Option<Row>,
    },
    /// The whole value before a catalog change: a clone costs nothing.
    Value(Box<Database>),
}

/// Rows to read and write: of the current value, or of a transaction over it.
pub trait Access {
    /// The row of this key.
    fn get(&self, table: u32, key: &Key) -> Option<Row>;
    /// Puts or deletes a row.
    fn set(&mut self, table: u32, key: Key, row: Option<Row>);
}

impl Engine {
    /// An engine over a value, with a log or without.
    pub fn new(
        db: Database,
        log: Option<Log>,
        max_memory: u64,
        limits: Limits,
        clock: Arc<dyn Clock>,
        mut rng: fastrand::Rng,
    ) -> Self {
        let now = clock.now();
        let node_id = rng.u128(..);
        let mut engine = Self {
            db,
            log,
            records: Vec::new(),
            undo: VecDeque::new(),
            failure: None,
            failure_told: false,
            max_memory,
            limits,
            locks: Locks::default(),
            transactions: Transactions::default(),
            woken: Vec::new(),
            clock,
            now,
            last_timestamp: 0,
            rng,
            node_id,
            payload: Vec::new(),
            buffers: Buffers::default(),
        };
        if engine.db.catalog.cluster_id == 0 {
            let id = engine.rng.u128(1..);
            // The first commit of a new store; a failure shows at the next one.
            let _ = engine.change(&Change::ClusterId(id));
        }
        engine
    }

    /// The current value.
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// The current catalog.
    pub fn catalog(&self) -> &Catalog {
        &self.db.catalog
    }

    /// The newest commit.
    pub fn commit(&self) -> u64 {
        self.db.commit
    }

    /// The commit that a reply made now has to wait for, unless it is durable.
    pub fn awaited_commit(&self) -> Option<u64> {
        (self.db.commit > self.durable()).then_some(self.db.commit)
    }

    /// The time of this turn.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The log's committer, if there is one.
    pub fn store(&self) -> Option<&persist::Store> {
        self.log.as_ref().map(|log| &log.store)
    }

    /// A hybrid timestamp: milliseconds in the upper 48 bits, a counter below; greater than all before it.
    pub fn timestamp(&mut self) -> u64 {
        self.last_timestamp = (self.last_timestamp + 1).max(self.clock.unix_millis() << 16);
        self.last_timestamp
    }

    /// A new random UUID of version 4.
    pub fn random_uuid(&mut self) -> u128 {
        random_uuid(&mut self.rng)
    }

    /// Starts a turn of the loop: deadlines that have passed end what they belong to.
    pub fn tick(&mut self, now: Instant) {
        self.now = now;
        let (dead, given_up) = self.transactions.expired(now);
        for tx in dead {
            self.kill(
                tx,
                Error::new(
                    Kind::TransactionTimedOut,
                    format!("Transaction is already finished txId=[{tx}, txState=ABORTED]."),
                ),
            );
        }
        self.woken.extend(given_up);
        self.trim_undo();
    }

    /// Ends a turn: its commits go to the committer.
    pub fn turn_end(&mut self) {
        if self.submit()
            && let Some(log) = &self.log
            && log.store.log_bytes() > log.checkpoint_at.load(Ordering::Relaxed).saturating_add(self.db.bytes())
        {
            self.checkpoint(Box::new(|_| {}));
        }
    }

    /// Hands what was committed to the committer; whether there was anything.
    fn submit(&mut self) -> bool {
        let Some(log) = &self.log else { return false };
        if self.records.is_empty() || self.failure.is_some() {
            return false;
        }
        log.store.submit(self.db.commit, std::mem::take(&mut self.records));
        true
    }

    /// Writes a checkpoint of the current value in the background; `done` hears of it on another thread.
    pub fn checkpoint(&mut self, done: persist::CheckpointDone) {
        self.submit();
        let Some(log) = &self.log else {
            return done(Err(Arc::new(persist::Error::Misuse("a server in memory has no checkpoint".into()))));
        };
        let (next, limit, bytes) =
            (Arc::clone(&log.checkpoint_at), self.limits.checkpoint_log_bytes, log.store.log_bytes());
        next.store(u64::MAX, Ordering::Relaxed);
        let finished = move |result: Result<persist::CheckpointInfo, Arc<persist::Error>>| {
            // After a failure the log has to grow by as much again before the next try.
            next.store(if result.is_ok() { limit } else { bytes.saturating_add(limit) }, Ordering::Relaxed);
            match &result {
                Ok(info) => log::info!("checkpoint: {info:?}"),
                Err(error) => log::error!("checkpoint failed, the older one and the log stay in use: {error}"),
            }
            done(result);
        };
        log.store.checkpoint(Box::new(self.db.clone()), Box::new(finished));
    }

    /// Replies that wait for a commit up to this one may leave.
    pub fn durable(&self) -> u64 {
        self.log.as_ref().filter(|log| log.sync).map_or(u64::MAX, |log| log.store.durable())
    }

    /// The disk's failure, told once. Before it is told, what never became durable is undone.
    pub fn failure(&mut self) -> Option<Error> {
        let log = self.log.as_ref()?;
        if self.failure_told {
            return None;
        }
        let cause = log.store.failure()?;
        let (durable, sync) = (log.store.durable(), log.sync);
        self.failure_told = true;
        let error = Error::new(
            Kind::ReadOnlyStore,
            format!(
                "the store is read-only since the disk failed: {cause}. Free or replace the disk and start again; what was acknowledged is kept"
            ),
        );
        self.failure = Some(error.clone());
        self.records.clear();
        if sync {
            while let Some((commit, steps)) = self.undo.pop_back_if(|(commit, _)| *commit > durable) {
                self.take_back(steps);
                self.db.commit = commit - 1;
            }
        }
        Some(error)
    }

    /// Whether so much waits for the disk that requests have to wait too.
    pub fn backlogged(&self) -> bool {
        self.log
            .as_ref()
            .is_some_and(|log| log.store.backlog_bytes() + self.records.len() > self.limits.log_backlog_bytes)
    }

    /// When [`Engine::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.transactions.next_deadline()
    }

    /// The requests that are to be run again.
    pub fn take_woken(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.woken)
    }

    /// Whether [`Engine::take_woken`] would name any.
    pub fn has_woken(&self) -> bool {
        !self.woken.is_empty()
    }

    /// Refuses a write of about `bytes` more where the disk has failed or the memory is full.
    pub fn check_writable(&self, bytes: u64) -> Result<()> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        let needed = self.db.bytes().saturating_add(bytes);
        if bytes > 0 && needed > self.max_memory {
            return Err(Error::new(
                Kind::OutOfMemory,
                format!(
                    "the write needs {bytes} bytes, and {} of --max-memory {} are in use",
                    self.db.bytes(),
                    self.max_memory
                ),
            ));
        }
        Ok(())
    }

    /// Bytes that rows may still grow by.
    pub fn memory_left(&self) -> u64 {
        self.max_memory.saturating_sub(self.db.bytes())
    }

    /// A request that waited for work outside the engine is to be run again.
    pub fn wake(&mut self, ticket: Ticket) {
        self.woken.push(ticket);
    }

    /// A query of a read-write transaction has read this: it must still be so when the transaction commits.
    pub fn has_read(&mut self, id: TxId, reads: Vec<Read>) {
        let Some(State::ReadWrite(writes)) = self.transactions.get_mut(id).map(|tx| &mut tx.state) else { return };
        if !reads.into_iter().all(|read| writes.reads.add(read, &self.db)) {
            self.kill(id, tx::changed_under(id));
        }
    }

    /// Starts a commit. Dropped before [`Commit::finish`], it never was.
    pub fn begin_commit(&mut self) -> Commit<'_> {
        let payload = std::mem::take(&mut self.payload);
        Commit { engine: self, payload, undo: Steps::new() }
    }

    /// One catalog change as a commit of its own.
    pub fn change(&mut self, change: &Change) -> Result<u64> {
        self.check_writable(0)?;
        let mut commit = self.begin_commit();
        commit.change(change)?;
        Ok(commit.finish())
    }

    /// Puts back a value that was taken from this engine before (`snapshot` and `restore` of a fixture, in memory only).
    pub fn restore(&mut self, db: Database) -> Result<()> {
        if self.log.is_some() {
            return Err(Error::new(Kind::InvalidArgument, "only a server in memory can be restored to a snapshot"));
        }
        let commit = self.db.commit + 1;
        self.db = db;
        self.db.commit = commit;
        Ok(())
    }

    /// Makes everything durable and lets go of the data directory, at a stop; the disk's failure, if it failed.
    ///
    /// Where the log would cost the next start more than a checkpoint costs now, a checkpoint is written first.
    pub fn close(&mut self) -> Option<Error> {
        self.submit();
        let log_bytes = self.log.as_ref()?.store.log_bytes();
        if log_bytes > CLOSE_LOG_BYTES && self.db.row_count() <= CLOSE_ROWS_MAX {
            let (tell, told) = mpsc::channel();
            self.checkpoint(Box::new(move |_| {
                let _ = tell.send(());
            }));
            let _ = told.recv_timeout(CLOSE_TIME_MAX);
        }
        let cause = self.log.take()?.store.close()?;
        Some(Error::new(Kind::CommitFailed, format!("the last commits are not on the disk: {cause}")))
    }

    /// Lets go of the data directory as a killed process would: what is not on the disk yet will never be.
    pub fn crash(&mut self) {
        if let Some(log) = self.log.take() {
            log.store.crash();
        }
    }

    /// Opens a transaction. A read-only one sees the value of this moment.
    pub fn begin(&mut self, read_only: bool, timeout: Option<Duration>) -> TxId {
        let state = match read_only {
            true => State::ReadOnly(Box::new(self.db.clone())),
            false => State::ReadWrite(Box::new(Writes { began: self.db.catalog.clone(), ..Writes::default() })),
        };
        let deadline = self.now + timeout.unwrap_or(self.limits.transaction);
        self.transactions.open(Tx { started: self.clock.unix_millis(), deadline, state })
    }

    /// Commits a transaction and forgets it.
    ///
    /// # Errors
    /// The reason it is dead, if it is; `IncompatibleSchema` if a table it wrote to is gone; `ReadOnlyStore`,
    /// `OutOfMemory`. In every case the transaction is over.
    pub fn commit_transaction(&mut self, id: TxId) -> Result<u64> {
        let tx = self.transactions.remove(id).ok_or_else(|| tx::finished(id))?;
        let writes = match tx.state {
            State::Dead(error) => return Err(error),
            State::ReadOnly(_) => return Ok(self.db.commit),
            State::ReadWrite(writes) => writes,
        };
        let result = self.apply(id, &writes);
        self.release(id, &writes);
        result
    }

    /// Rolls a transaction back and forgets it; unknown ids are ignored.
    pub fn rollback(&mut self, id: TxId) {
        if let Some(Tx { state: State::ReadWrite(writes), .. }) = self.transactions.remove(id) {
            self.release(id, &writes);
        }
    }

    /// Rolls a transaction back; it stays as a tombstone that answers `why`.
    pub fn kill(&mut self, id: TxId, why: Error) {
        let Some(tx) = self.transactions.get_mut(id) else { return };
        if let State::ReadWrite(writes) = std::mem::replace(&mut tx.state, State::Dead(why)) {
            self.release(id, &writes);
        }
    }

    /// Forgets what a connection's single operations wait for.
    pub fn forget_waiting(&mut self, connection: u64) {
        for ticket in self.transactions.waiting_of(connection) {
            self.withdraw(ticket);
        }
    }

    /// A request will not be run again: as a single operation it leaves the queue it waits in, or gives back the lock it
    /// got there. What it waits for in a transaction ends with that.
    pub fn withdraw(&mut self, ticket: Ticket) {
        self.transactions.no_alarm(ticket);
        if let Some(w) = self.transactions.resume(ticket) {
            self.locks.release(w.tx, &w.row, &mut self.woken);
        }
    }

    /// The value and the transactions over it, at once.
    pub fn parts(&mut self) -> (&Database, &mut Transactions) {
        (&self.db, &mut self.transactions)
    }

    /// Releases one row; who gets it is woken.
    pub fn release_row(&mut self, tx: TxId, row: &(u32, Key)) {
        self.locks.release(tx, row, &mut self.woken);
    }

    /// A requester that waits inside a transaction is woken by its end too: its re-run finds the tombstone.
    fn release(&mut self, tx: TxId, writes: &Writes) {
        for row in &writes.locked {
            self.locks.release(tx, row, &mut self.woken);
        }
        self.woken.extend(writes.waiting.iter().copied());
    }

    fn apply(&mut self, id: TxId, writes: &Writes) -> Result<u64> {
        if !writes.reads.hold(&self.db) {
            return Err(tx::changed_under(id));
        }
        if writes.rows.is_empty() {
            return Ok(self.db.commit);
        }
        self.check_writable(writes.bytes)?;
        writes.check_commit(&self.db.catalog)?;
        let mut commit = self.begin_commit();
        for ((table, key), row) in &writes.rows {
            commit.set(*table, key.clone(), row.clone());
        }
        Ok(commit.finish())
    }

    fn take_back(&mut self, steps: Steps) {
        for step in steps.into_iter().rev() {
            match step {
                Undo::Row { table, key, old } => {
                    self.db.set(table, key, old);
                }
                Undo::Value(db) => self.db = *db,
            }
        }
    }

    fn trim_undo(&mut self) {
        let durable = self.durable();
        while self.undo.pop_front_if(|(commit, _)| *commit <= durable).is_some() {}
    }
}

/// A commit being made.
#[derive(Debug)]
pub struct Commit<'e> {
    engine: &'e mut Engine,
    payload: Vec<u8>,
    undo: Steps,
}

impl Commit<'_> {
    /// Changes the catalog.
    pub fn change(&mut self, change: &Change) -> Result<()> {
        self.engine.db.catalog.check_room(change)?;
        let before = Box::new(self.engine.db.clone());
        self.engine.db.apply(change)?;
        self.undo.push(Undo::Value(before));
        if self.engine.log.is_some() {
            Edit::Catalog(change).encode(&mut self.payload);
        }
        Ok(())
    }

    /// The table as it is inside this commit.
    pub fn table(&self, id: u32) -> Result<Arc<Table>> {
        let table = self.engine.db.catalog.table(id).cloned();
        table.ok_or_else(|| Error::new(Kind::TableIdUnknown, format!("Table does not exist: {id}")))
    }

    /// Makes it count. Returns its number; without any change that is the newest commit's.
    pub fn finish(mut self) -> u64 {
        let undo = std::mem::take(&mut self.undo);
        let engine = &mut *self.engine;
        if !undo.is_empty() {
            engine.db.commit += 1;
            let commit = engine.db.commit;
            if let Some(log) = &engine.log {
                persist::append_record(&mut engine.records, commit, &self.payload);
                if log.sync {
                    engine.undo.push_back((commit, undo));
                }
                if engine.records.len() >= EARLY_BYTES && log.store.backlog_bytes() == 0 {
                    engine.submit();
                }
            }
        }
        engine.db.commit
    }
}

impl Access for Commit<'_> {
    fn get(&self, table: u32, key: &Key) -> Option<Row> {
        self.engine.db.get(table, key).cloned()
    }

    fn set(&mut self, table: u32, key: Key, row: Option<Row>) {
        if self.engine.log.is_some() {
            match &row {
                Some(row) => Edit::Put { table, key: &key, row }.encode(&mut self.payload),
                None => Edit::Delete { table, key: &key }.encode(&mut self.payload),
            }
        }
        let old = self.engine.db.set(table, key.clone(), row);
        self.undo.push(Undo::Row { table, key, old });
    }
}

impl Drop for Commit<'_> {
    fn drop(&mut self) {
        let undo = std::mem::take(&mut self.undo);
        self.engine.take_back(undo);
        self.payload.clear();
        self.engine.payload = std::mem::take(&mut self.payload);
    }
}

/// The rows of a transaction: its own writes over a value.
#[derive(Debug)]
pub struct Overlay<'a> {
    /// What others have committed.
    pub db: &'a Database,
    /// What the transaction has written; none in a read-only one.
    pub writes: Option<&'a mut Writes>,
}

impl Access for Overlay<'_> {
    fn get(&self, table: u32, key: &Key) -> Option<Row> {
        if let Some(writes) = &self.writes
            && !writes.rows.is_empty()
            && let Some(row) = writes.rows.get(&(table, key.clone()))
        {
            return row.clone();
        }
        self.db.get(table, key).cloned()
    }

    fn set(&mut self, table: u32, key: Key, row: Option<Row>) {
        if let Some(writes) = &mut self.writes {
            writes.bytes += (key.len() + row.as_ref().map_or(0, |r| r.bytes().len())) as u64 + ROW_OVERHEAD_BYTES;
            writes.rows.insert((table, key), row);
        }
    }
}

/// A random UUID of version 4.
pub fn random_uuid(rng: &mut fastrand::Rng) -> u128 {
    let bits = rng.u128(..);
    bits & !(0xF000 << 64) & !(0xC000 << 48) | (0x4000 << 64) | (0x8000 << 48)
}
