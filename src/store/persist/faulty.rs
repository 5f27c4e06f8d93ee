//! A disk for tests: in memory, it loses what was not synced, tears what was being written, fails any operation, and
//! fills up. It has no part in a running server; it is public so that tests of the whole crate can put a store on it.
//!
//! The model is POSIX's at its worst. A write is pending until its file is synced; a created, renamed or removed name is
//! pending until its directory is synced. [`FaultyFiles::after_power_loss`] keeps what was synced and, of what was
//! pending, a random part: any subset of writes and name changes, in any order, writes torn at sectors of
//! 512 bytes. A failed sync drops what was pending on the floor while reads still show it, as Linux does. Everything
//! random comes from the seed.
//!
//! [`FaultyFiles::after_kill`] keeps everything: the process dies, the page cache does not.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::files::{File, Files, Lock};

/// What power loss tears writes into.
const SECTOR_BYTES: usize = 512;

/// Files in memory, with faults. Clones share them.
#[derive(Clone, Default)]
pub struct FaultyFiles(Arc<Mutex<Disk>>);

/// When a fault strikes: operations are counted from 0, and every method of [`Files`] and [`File`] that may
/// fail is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails, later ones work.
    Once(io::ErrorKind),
    /// This and every later operation fails: the process no longer has a disk.
    PowerOff,
}

#[derive(Default)]
struct Disk {
    /// Names as a process sees them; a directory has no node.
    names: BTreeMap<PathBuf, Option<usize>>,
    /// Names as they would be found after a power loss.
    durable_names: BTreeMap<PathBuf, Option<usize>>,
    /// Changes of names in order: the directory they are in, the name, what it means from then on.
    pending_names: Vec<(PathBuf, Vec<NameChange>)>,
    nodes: Vec<Node>,
    locks: Vec<PathBuf>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    off: bool,
    /// Bytes that files may take in all.
    room: Option<u64>,
    delay: Duration,
}

/// A name and the node it leads to from then on; none if it is gone.
type NameChange = (PathBuf, Option<Option<usize>>);

#[derive(Default, Clone)]
struct Node {
    /// As a process sees it.
    bytes: Vec<u8>,
    /// As it was at the last sync.
    durable: Vec<u8>,
    pending: Vec<Write>,
}

#[derive(Clone)]
enum Write {
    Bytes(u64, Vec<u8>),
    Length(u64),
}

impl FaultyFiles {
    /// An empty disk without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes operation number `operation` fail.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.0.lock().fault = Some((operation, fault));
    }

    /// How many operations were begun.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Limits the bytes that all files may take; none lifts the limit.
    pub fn limit(&self, bytes: Option<u64>) {
        self.0.lock().room = bytes;
    }

    /// Bytes that all files take.
    pub fn used(&self) -> u64 {
        self.0.lock().used()
    }

    /// Makes every sync take this long.
    pub fn delay_syncs(&self, delay: Duration) {
        self.0.lock().delay = delay;
    }

    /// The disk that a process finds after the power was lost now. This one is dead from here on.
    pub fn after_power_loss(&self, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut disk = self.0.lock();
        disk.off = true;
        let mut names = disk.durable_names.clone();
        for (_, changes) in &disk.pending_names {
            // A rename is one step: both its names change, or none.
            if random.bool() {
                apply(&mut names, changes);
            }
        }
        let nodes = disk.nodes.iter().map(|node| Node::settled(node.after_power_loss(&mut random))).collect();
        Self::started(names, nodes)
    }

    /// The disk that a process finds after this one was killed. This one is dead from here on.
    pub fn after_kill(&self) -> Self {
        let mut disk = self.0.lock();
        disk.off = true;
        let mut next = Disk { names: disk.names.clone(), nodes: disk.nodes.clone(), ..Disk::default() };
        next.durable_names = disk.durable_names.clone();
        next.pending_names = disk.pending_names.clone();
        Self(Arc::new(Mutex::new(next)))
    }

    /// An independent copy of what a process sees now, all of it durable.
    pub fn fork(&self) -> Self {
        let disk = self.0.lock();
        Self::started(disk.names.clone(), disk.nodes.iter().map(|node| Node::settled(node.bytes.clone())).collect())
    }

    fn started(names: BTreeMap<PathBuf, Option<usize>>, nodes: Vec<Node>) -> Self {
        Self(Arc::new(Mutex::new(Disk { durable_names: names.clone(), names, nodes, ..Disk::default() })))
    }

    /// The paths of all files.
    pub fn paths(&self) -> Vec<PathBuf> {
        let disk = self.0.lock();
        disk.names.iter().filter(|(_, node)| node.is_some()).map(|(path, _)| path.clone()).collect()
    }

    /// What a file holds; empty if there is none.
    pub fn contents(&self, path: &Path) -> Vec<u8> {
        let disk = self.0.lock();
        disk.node(path).map(|node| disk.nodes[node].bytes.clone()).unwrap_or_default()
    }

    /// Replaces what a file holds, durably and outside of any fault: damage.
    pub fn set_contents(&self, path: &Path, bytes: Vec<u8>) {
        let mut disk = self.0.lock();
        if let Ok(node) = disk.node(path) {
            disk.nodes[node] = Node::settled(bytes);
        }
    }

    fn begin(&self) -> io::Result<parking_lot::MutexGuard<'_, Disk>> {
        let mut disk = self.0.lock();
        disk.begin()?;
        Ok(disk)
    }

    fn handle(&self, node: usize) -> Box<dyn File> {
        Box::new(FaultyFile { disk: self.clone(), node })
    }
}

impl Disk {
    /// Counts an operation and fails it if its time has come.
    fn begin(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        match self.fault {
            Some((at, Fault::Once(kind))) if at == number => Err(kind.into()),
            Some((at, Fault::PowerOff)) if at <= number => {
                self.off = true;
                Err(io::Error::other("the power went off"))
            }
            _ => Ok(()),
        }
    }

    fn used(&self) -> u64 {
        self.names.values().flatten().map(|node| self.nodes[*node].bytes.len() as u64).sum()
    }

    fn reserve(&self, more: u64) -> io::Result<()> {
        match self.room {
            Some(room) if self.used().saturating_add(more) > room => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn node(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().flatten().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn parent(&self, path: &Path) -> io::Result<PathBuf> {
        let parent = path.parent().map(Path::to_path_buf).unwrap_or_default();
        match self.names.get(&parent) {
            Some(None) => Ok(parent),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn change(&mut self, parent: PathBuf, changes: Vec<NameChange>) {
        apply(&mut self.names, &changes);
        self.pending_names.push((parent, changes));
    }
}

fn apply(names: &mut BTreeMap<PathBuf, Option<usize>>, changes: &[NameChange]) {
    for (path, meaning) in changes {
        match meaning {
            Some(node) => drop(names.insert(path.clone(), *node)),
            None => drop(names.remove(path)),
        }
    }
}

impl Node {
    fn settled(bytes: Vec<u8>) -> Self {
        Self { durable: bytes.clone(), bytes, pending: Vec::new() }
    }

    fn write(&mut self, write: Write) {
        apply_write(&mut self.bytes, &write);
        self.pending.push(write);
    }

    fn after_power_loss(&self, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for write in &self.pending {
            match write {
                Write::Length(_) if random.bool() => apply_write(&mut bytes, write),
                Write::Length(_) => {}
                Write::Bytes(offset, written) => {
                    // All, nothing, or some sectors.
                    let mode = random.u8(0..3);
                    let mut at = 0;
                    while at < written.len() {
                        let to_boundary = SECTOR_BYTES - (*offset as usize + at) % SECTOR_BYTES;
                        let end = written.len().min(at + to_boundary);
                        if mode == 0 || (mode == 1 && random.bool()) {
                            apply_write(&mut bytes, &Write::Bytes(offset + at as u64, written[at..end].to_vec()));
                        }
                        at = end;
                    }
                }
            }
        }
        bytes
    }
}

fn apply_write(bytes: &mut Vec<u8>, write: &Write) {
    match write {
        Write::Length(length) => bytes.resize(*length as usize, 0),
        Write::Bytes(offset, written) => {
            let offset = *offset as usize;
            if bytes.len() < offset + written.len() {
                bytes.resize(offset + written.len(), 0);
            }
            bytes[offset..offset + written.len()].copy_from_slice(written);
        }
    }
}

impl Files for FaultyFiles {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.begin()?;
        for dir in dir.ancestors().filter(|dir| !dir.as_os_str().is_empty()).collect::<Vec<_>>().into_iter().rev() {
            match disk.names.get(dir) {
                Some(None) => {}
                Some(Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                // The directories above the data directory are not what is tested: they are durable at once.
                None => {
                    disk.names.insert(dir.to_path_buf(), None);
                    disk.durable_names.insert(dir.to_path_buf(), None);
                }
            }
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.begin()?;
        let names = disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(names.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let node = self.begin()?.node(path)?;
        Ok(self.handle(node))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut disk = self.begin()?;
        let parent = disk.parent(path)?;
        let node = match disk.node(path) {
            Ok(node) => {
                disk.nodes[node].write(Write::Length(0));
                node
            }
            Err(_) => {
                disk.nodes.push(Node::default());
                let node = disk.nodes.len() - 1;
                disk.change(parent, vec![(path.to_path_buf(), Some(Some(node)))]);
                node
            }
        };
        Ok(self.handle(node))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.begin()?;
        let (node, parent) = (disk.node(from)?, disk.parent(to)?);
        disk.change(parent, vec![(from.to_path_buf(), None), (to.to_path_buf(), Some(Some(node)))]);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.begin()?;
        disk.node(path)?;
        let parent = disk.parent(path)?;
        disk.change(parent, vec![(path.to_path_buf(), None)]);
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.begin()?;
        let parent = disk.parent(dir)?;
        let names: Vec<PathBuf> = disk.names.keys().filter(|path| path.starts_with(dir)).cloned().collect();
        if names.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        // One step for each name, so that a power loss may leave half of a directory.
        for path in names.into_iter().rev() {
            disk.change(parent.clone(), vec![(path, None)]);
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.begin()?;
        if disk.names.get(dir) != Some(&None) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (synced, pending) =
            std::mem::take(&mut disk.pending_names).into_iter().partition(|(parent, _)| parent == dir);
        let synced: Vec<(PathBuf, Vec<NameChange>)> = synced;
        disk.pending_names = pending;
        for (_, changes) in &synced {
            apply(&mut disk.durable_names, changes);
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let mut disk = self.begin()?;
        disk.parent(path)?;
        if disk.locks.iter().any(|held| held == path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        disk.locks.push(path.to_path_buf());
        Ok(Box::new(Held { disk: self.clone(), path: path.to_path_buf() }))
    }

    fn scratch(&self, _: &Path, name: &str) -> io::Result<PathBuf> {
        drop(self.begin()?);
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // In memory where that is possible: what sled syncs in there is of no interest.
        let memory = PathBuf::from("/dev/shm");
        let temp = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let path = temp.join(format!("flint-{}-{number}-{name}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }
}

struct Held {
    disk: FaultyFiles,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.0.lock().locks.retain(|path| path != &self.path);
    }
}

struct FaultyFile {
    disk: FaultyFiles,
    node: usize,
}

impl File for FaultyFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let disk = self.disk.begin()?;
        let bytes = disk.nodes[self.node].bytes.get(offset as usize..).unwrap_or_default();
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let result = self.disk.begin();
        let failed = result.as_ref().err().map(io::Error::kind);
        let mut disk = match result {
            Ok(disk) => disk,
            Err(error) => {
                // A failed write may have written its beginning.
                let mut disk = self.disk.0.lock();
                if !disk.off && failed.is_some() {
                    disk.nodes[self.node].write(Write::Bytes(offset, bytes[..bytes.len() / 2].to_vec()));
                }
                return Err(error);
            }
        };
        let length = disk.nodes[self.node].bytes.len() as u64;
        disk.reserve((offset + bytes.len() as u64).saturating_sub(length))?;
        disk.nodes[self.node].write(Write::Bytes(offset, bytes.to_vec()));
        Ok(())
    }

    fn preallocate(&mut self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.begin()?;
        disk.reserve(len.saturating_sub(disk.nodes[self.node].bytes.len() as u64))?;
        disk.nodes[self.node].write(Write::Length(len));
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "a slow disk is what is wanted")]
    fn sync(&mut self) -> io::Result<()> {
        let delay = self.disk.0.lock().delay;
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        // Under one lock: the power does not go off within a sync that succeeds.
        let mut disk = self.disk.0.lock();
        let result = disk.begin();
        let node = &mut disk.nodes[self.node];
        match result {
            Ok(()) => {
                for write in std::mem::take(&mut node.pending) {
                    apply_write(&mut node.durable, &write);
                }
                Ok(())
            }
            Err(error) => {
                if !disk.off {
                    disk.nodes[self.node].pending.clear();
                }
                Err(error)
            }
        }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.begin()?.nodes[self.node].bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_loss_keeps_what_was_synced_and_only_that_for_sure() {
        let path = Path::new("/d/file");
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let disk = FaultyFiles::new();
            disk.create_dir(Path::new("/d")).unwrap();
            let mut file = disk.create(path).unwrap();
            file.write_at(0, b"old").unwrap();
            file.sync().unwrap();
            disk.sync_dir(Path::new("/d")).unwrap();
            file.write_at(0, b"new").unwrap();
            disk.rename(path, Path::new("/d/other")).unwrap();
            let after = disk.after_power_loss(seed);
            let paths = after.paths();
            assert_eq!(paths.len(), 1);
            seen.insert((paths[0].clone(), after.contents(&paths[0])));
            assert!(file.write_at(0, b"dead").is_err());
        }
        assert_eq!(seen.len(), 4, "{seen:?}");
    }

    #[test]
    fn faults_strike_when_told() {
        let disk = FaultyFiles::new();
        disk.create_dir(Path::new("/d")).unwrap();
        let mut file = disk.create(Path::new("/d/file")).unwrap();
        disk.fail_at(disk.operations(), Fault::Once(io::ErrorKind::TimedOut));
        assert_eq!(file.sync().unwrap_err().kind(), io::ErrorKind::TimedOut);
        file.sync().unwrap();
        disk.limit(Some(4));
        file.write_at(0, b"1234").unwrap();
        assert_eq!(file.write_at(1, b"2345").unwrap_err().kind(), io::ErrorKind::StorageFull);
        disk.fail_at(disk.operations(), Fault::PowerOff);
        assert!(file.sync().is_err());
        assert!(disk.list(Path::new("/d")).is_err());
    }

    #[test]
    fn a_failed_sync_loses_what_was_pending() {
        let disk = FaultyFiles::new();
        disk.create_dir(Path::new("/d")).unwrap();
        let mut file = disk.create(Path::new("/d/file")).unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        file.write_at(0, b"lost").unwrap();
        disk.fail_at(disk.operations(), Fault::Once(io::ErrorKind::Other));
        file.sync().unwrap_err();
        file.sync().unwrap();
        assert_eq!(disk.contents(Path::new("/d/file")), b"lost");
        assert_eq!(disk.after_power_loss(1).contents(Path::new("/d/file")), b"");
    }
}
