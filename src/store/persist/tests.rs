//! A store over a small database whose value at every commit is known: that it survives, with what it must survive.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::faulty::{Fault, FaultyFiles};
use super::*;

mod damage;
mod faults;
mod life;

/// Commit `n` changes rows in a way that follows from `n` alone, so the right database at any commit is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    commit: u64,
    rows: BTreeMap<(u32, Vec<u8>), Vec<u8>>,
}

impl Model {
    fn at(commit: u64) -> Self {
        let mut model = Self::default();
        (1..=commit).for_each(|commit| model.apply(commit, &payload(commit)));
        model
    }

    fn apply(&mut self, commit: u64, payload: &[u8]) {
        self.commit = commit;
        let mut random = fastrand::Rng::with_seed(u64::from_le_bytes(payload[..8].try_into().unwrap()));
        for _ in 0..random.usize(1..4) {
            let key = (random.u32(1..4), vec![random.u8(0..20); random.usize(1..9)]);
            if random.u8(0..4) == 0 {
                self.rows.remove(&key);
            } else {
                self.rows.insert(key, payload[8..].to_vec());
            }
        }
    }
}

/// What commit `n` logs: a number that tells what it changes, and the new row.
fn payload(commit: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(commit);
    let mut payload = commit.wrapping_mul(77).to_le_bytes().to_vec();
    let length = if random.u8(0..8) == 0 { random.usize(600..3000) } else { random.usize(0..60) };
    payload.extend((0..length).map(|_| random.u8(..)));
    payload
}

impl Recover for Model {
    fn meta(&mut self, commit: u64, meta: &[u8]) -> Result<(), String> {
        assert_eq!((self.commit, self.rows.len()), (0, 0), "the catalog comes first");
        self.commit = commit;
        if meta == commit.to_le_bytes() { Ok(()) } else { Err("another catalog".to_owned()) }
    }

    fn row(&mut self, table: u32, key: &[u8], row: &[u8]) -> Result<(), String> {
        self.rows.insert((table, key.to_vec()), row.to_vec());
        Ok(())
    }

    fn record(&mut self, commit: u64, payload: &[u8]) -> Result<(), String> {
        assert_eq!(commit, self.commit + 1);
        self.apply(commit, payload);
        Ok(())
    }
}

impl Source for Model {
    fn commit(&self) -> u64 {
        self.commit
    }

    fn meta(&self) -> Vec<u8> {
        self.commit.to_le_bytes().to_vec()
    }

    fn row_count(&self) -> u64 {
        self.rows.len() as u64
    }

    fn rows(&self) -> Box<dyn Iterator<Item = (u32, &[u8], &[u8])> + '_> {
        Box::new(self.rows.iter().map(|((table, key), row)| (*table, &key[..], &row[..])))
    }
}

/// A running store with its model.
struct Db {
    store: Store,
    model: Model,
    woken: Receiver<()>,
}

fn options() -> Options {
    Options { segment_bytes: 8 << 10, mark_sync_after: Duration::from_secs(60), ..Options::default() }
}

impl Db {
    fn open(dir: &Path, files: impl Files) -> Result<Self, Error> {
        let mut model = Model::default();
        let (wake, woken): (Sender<()>, _) = channel();
        let wake = parking_lot::Mutex::new(wake);
        let notify = Arc::new(move || {
            let _ = wake.lock().send(());
        });
        let store = open(dir, Arc::new(files), options(), &mut model, notify)?;
        assert_eq!(store.durable(), model.commit);
        Ok(Self { store, model, woken })
    }

    /// Submits the next `count` commits as one group.
    fn submit(&mut self, count: u64) {
        let mut records = Vec::new();
        for _ in 0..count {
            let commit = self.model.commit + 1;
            let payload = payload(commit);
            append_record(&mut records, commit, &payload);
            self.model.apply(commit, &payload);
        }
        self.store.submit(self.model.commit, records);
    }

    /// Waits until all that was submitted is durable, or the store failed; whether it is durable.
    fn wait(&self) -> bool {
        while self.store.durable() < self.model.commit {
            if self.store.failure().is_some() {
                return false;
            }
            let _ = self.woken.recv_timeout(Duration::from_millis(100));
        }
        true
    }

    fn commit(&mut self, count: u64) -> bool {
        self.submit(count);
        self.wait()
    }

    fn start_checkpoint(&self) -> Receiver<Result<CheckpointInfo, Arc<Error>>> {
        let (send, receive) = channel();
        self.store
            .checkpoint(Box::new(self.model.clone()), Box::new(move |result| send.send(result).unwrap_or_default()));
        receive
    }

    fn checkpoint(&self) -> Result<CheckpointInfo, Arc<Error>> {
        self.start_checkpoint().recv().unwrap()
    }
}

/// What a directory holds, read without changing it.
fn contents(dir: &Path, files: &dyn Files) -> Result<Model, Error> {
    let mut model = Model::default();
    read(dir, files, &mut model)?;
    Ok(model)
}

fn dir() -> PathBuf {
    PathBuf::from("/data")
}

/// A database with a checkpoint and a log of several segments after it.
fn sample(disk: &FaultyFiles) -> Model {
    let mut db = Db::open(&dir(), disk.clone()).unwrap();
    for _ in 0..8 {
        assert!(db.commit(3));
    }
    db.checkpoint().unwrap();
    for _ in 0..20 {
        assert!(db.commit(2));
    }
    let model = db.model.clone();
    assert_eq!(db.store.close().map(|error| error.to_string()), None);
    model
}
