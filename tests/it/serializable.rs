//! Strict serializability: concurrent clients of both dialects, what each saw and when, and a checker over all of it.
//!
//! `FLINT_HISTORY_OPS=1000000` makes the histories longer than the default of 100,000 operations.

use crate::ga_client::{Ga, Pairs};
use crate::history::{self, Key, MISSING, Outcome, Recorder, Transaction, Version};
use crate::support::{Process, Seed, number};
use flint::client::{Client, Column, Error, Reply, Result, TableId, op};
use flint::config::Config;
use flint::server::Server;
use flint::value::ColumnType;
use flint::wire::msgpack::Write as _;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Keys that are used at one time; the window moves on, so that all along some are written first.
const WINDOW: u64 = 24;
/// Operations after which the window moves by one key.
const OPS_PER_KEY: u64 = 100;
/// Draft requests of one connection under way.
const DEPTH: usize = 4;

/// What the threads of one history share.
pub(crate) struct World {
    pub(crate) addr: SocketAddr,
    pub(crate) table: TableId,
    pub(crate) begin: Instant,
    /// Operations begun.
    pub(crate) ops: AtomicU64,
    pub(crate) ops_max: u64,
    /// Whether the server may die: then every write says what it replaces before it is sent.
    pub(crate) mortal: bool,
}

impl World {
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap()
    }

    /// Whether `n` more operations are to be done.
    pub(crate) fn go_on(&self, n: u64) -> bool {
        self.ops.fetch_add(n, Ordering::Relaxed) < self.ops_max
    }

    pub(crate) fn key(&self, rng: &mut fastrand::Rng) -> Key {
        self.ops.load(Ordering::Relaxed) / OPS_PER_KEY + rng.u64(0..WINDOW)
    }

    fn keys(&self, rng: &mut fastrand::Rng) -> Vec<Key> {
        let mut keys: Vec<Key> = (0..rng.usize(2..5)).map(|_| self.key(rng)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn pairs(&self) -> Pairs {
        let [.., a, b, c, d] = self.table.0;
        Pairs(u32::from_be_bytes([a, b, c, d]).into())
    }
}

/// Gives every write a value of its own.
pub(crate) struct Versions(u64);

impl Versions {
    pub(crate) fn of_thread(thread: u64) -> Self {
        Self(thread << 40)
    }

    pub(crate) fn next(&mut self) -> Version {
        self.0 += 1;
        self.0
    }
}

pub(crate) fn create(addr: SocketAddr) -> TableId {
    let columns = [Column::key("k", ColumnType::Int64), Column::value("v", ColumnType::Int64)];
    Client::connect(addr).unwrap().table_create("pairs", &columns).unwrap()
}

/// A single operation of the draft dialect.
#[derive(Debug)]
enum Single {
    Get(Key),
    GetAll(Vec<Key>),
    Swap(Key, Version),
    SwapIfThere(Key, Version),
    CompareAndSwap(Key, Version, Version),
    Insert(Key, Version),
}

impl Single {
    fn random(world: &World, rng: &mut fastrand::Rng, versions: &mut Versions, seen: &HashMap<Key, Version>) -> Self {
        let key = world.key(rng);
        let last = seen.get(&key).copied();
        match (rng.u8(0..12), last) {
            (0..2, _) => Self::Get(key),
            (2..5, _) => Self::GetAll(world.keys(rng)),
            (5..7, _) if !world.mortal => Self::Swap(key, versions.next()),
            (7, _) if !world.mortal => Self::SwapIfThere(key, versions.next()),
            (8, _) | (_, None | Some(MISSING)) => Self::Insert(key, versions.next()),
            (_, Some(last)) => Self::CompareAndSwap(key, last, versions.next()),
        }
    }

    fn send(&self, client: &mut Client, table: TableId) -> Result<i64> {
        let (code, values): (i64, Vec<u64>) = match self {
            Self::Get(k) => (op::GET, vec![*k]),
            Self::GetAll(keys) => (op::GET_ALL, [&[keys.len() as u64], keys.as_slice()].concat()),
            Self::Swap(k, v) => (op::GET_AND_UPSERT, vec![*k, *v]),
            Self::SwapIfThere(k, v) => (op::GET_AND_REPLACE, vec![*k, *v]),
            Self::CompareAndSwap(k, old, new) => (op::REPLACE_EXACT, vec![*k, *old, *k, *new]),
            Self::Insert(k, v) => (op::INSERT, vec![*k, *v]),
        };
        client.send(code, |out| {
            table.write(out);
            out.put_int(1);
            values.iter().for_each(|value| out.put_uint(*value));
        })
    }

    /// What the answer tells.
    fn record(self, reply: &Reply, recorder: &mut Recorder, seen: &mut HashMap<Key, Version>) -> Result<()> {
        let mut reader = reply.reader()?;
        let mut old = || if reader.nil_if_next()? { Ok(MISSING) } else { reader.i64().and_then(|_| reader.u64()) };
        let mut reads = Vec::new();
        match self {
            Self::Get(key) => reads.push((key, old()?)),
            Self::Swap(key, new) => {
                recorder.write(key, old()?, new);
                seen.insert(key, new);
            }
            Self::SwapIfThere(key, new) => match old()? {
                MISSING => reads.push((key, MISSING)),
                old => {
                    recorder.write(key, old, new);
                    seen.insert(key, new);
                }
            },
            Self::GetAll(keys) => {
                reads.extend(keys.iter().map(|key| (*key, MISSING)));
                if !reader.nil_if_next()? {
                    reader.i64()?;
                    for _ in 0..reader.i64()? {
                        let (key, version) = (reader.u64()?, reader.u64()?);
                        let place = reads.iter().position(|(k, _)| *k == key);
                        reads[place.unwrap_or_else(|| panic!("key {key} was not asked for"))].1 = version;
                    }
                }
            }
            Self::CompareAndSwap(key, old, new) => match reader.bool()? {
                true => {
                    recorder.write(key, old, new);
                    seen.insert(key, new);
                }
                false => drop(seen.remove(&key)),
            },
            Self::Insert(key, new) => match reader.bool()? {
                true => {
                    recorder.write(key, MISSING, new);
                    seen.insert(key, new);
                }
                false => drop(seen.remove(&key)),
            },
        }
        for (key, version) in reads {
            seen.insert(key, version);
            recorder.read(key, version).unwrap();
        }
        Ok(())
    }

    /// What it may have done if its answer is lost.
    fn presume(self, recorder: &mut Recorder) {
        match self {
            Self::CompareAndSwap(key, old, new) => recorder.write(key, old, new),
            Self::Insert(key, new) => recorder.write(key, MISSING, new),
            Self::Get(_) | Self::GetAll(_) => {}
            Self::Swap(..) | Self::SwapIfThere(..) => panic!("a swap's answer is lost"),
        }
    }
}

/// Single operations of the draft dialect, several in flight.
fn singles(world: &World, mut rng: fastrand::Rng, mut versions: Versions) -> Vec<Transaction> {
    let mut done = Vec::new();
    let mut seen = HashMap::new();
    let mut pending: HashMap<i64, (Single, Recorder)> = HashMap::new();
    let Ok(mut client) = Client::connect(world.addr) else { return done };
    let lost = loop {
        let mut next = || -> Result<bool> {
            while pending.len() < DEPTH && world.go_on(1) {
                let single = Single::random(world, &mut rng, &mut versions, &seen);
                let recorder = Recorder::new(world.now());
                let id = single.send(&mut client, world.table);
                // What was not sent for sure may have been.
                pending.insert(*id.as_ref().unwrap_or(&-1), (single, recorder));
                id?;
            }
            if pending.is_empty() {
                return Ok(false);
            }
            let reply = client.receive()?;
            let (single, mut recorder) = pending.remove(&reply.id).unwrap();
            single.record(&reply, &mut recorder, &mut seen)?;
            done.push(recorder.end(world.now(), Outcome::Committed));
            seen.retain(|_, _| rng.u16(..) != 0);
            Ok(true)
        };
        match next() {
            Ok(true) => {}
            Ok(false) => return done,
            Err(error) => break error,
        }
    };
    assert!(world.mortal && matches!(lost, Error::Closed | Error::Io(_)), "{lost}");
    for (_, (single, mut recorder)) in pending {
        single.presume(&mut recorder);
        done.push(recorder.end(world.now(), Outcome::Unknown));
    }
    done
}

/// Transactions of the GA dialect, and some requests outside of them, one after another.
fn transactions(world: &World, mut rng: fastrand::Rng, mut versions: Versions) -> Vec<Transaction> {
    let mut done = Vec::new();
    let Ok(mut client) = Ga::connect(world.addr) else { return done };
    while world.go_on(4) {
        let mut recorder = Recorder::new(world.now());
        let mut ending = false;
        let result = match rng.u8(0..4) {
            0 => implicit(world, &mut client, &mut rng, &mut versions, &mut recorder),
            _ => transaction(world, &mut client, &mut rng, &mut versions, &mut recorder, &mut ending),
        };
        let (outcome, lost) = match result {
            Ok(outcome) => (outcome, false),
            // Refused by the server, so it is over: a lock conflict, or a timeout.
            Err(Error::Server { .. }) => (Outcome::Aborted, false),
            Err(Error::Closed | Error::Io(_)) if world.mortal => {
                (if ending { Outcome::Unknown } else { Outcome::Aborted }, true)
            }
            Err(error) => panic!("{error}"),
        };
        done.push(recorder.end(world.now(), outcome));
        if lost {
            break;
        }
    }
    done
}

/// A request outside of any transaction.
fn implicit(
    world: &World,
    client: &mut Ga,
    rng: &mut fastrand::Rng,
    versions: &mut Versions,
    recorder: &mut Recorder,
) -> Result<Outcome> {
    let pairs = world.pairs();
    let keys = world.keys(rng);
    let signed: Vec<i64> = keys.iter().map(|key| *key as i64).collect();
    match rng.u8(0..if world.mortal { 2 } else { 3 }) {
        0 => recorder.read(keys[0], version(pairs.get(client, None, signed[0])?)).unwrap(),
        1 => {
            for (key, value) in keys.iter().zip(pairs.get_all(client, None, &signed)?) {
                recorder.read(*key, version(value)).unwrap();
            }
        }
        _ => {
            let new = versions.next();
            recorder.write(keys[0], version(pairs.swap(client, None, signed[0], new as i64)?), new);
        }
    }
    Ok(Outcome::Committed)
}

/// One transaction; `ending` once its commit was sent.
fn transaction(
    world: &World,
    client: &mut Ga,
    rng: &mut fastrand::Rng,
    versions: &mut Versions,
    recorder: &mut Recorder,
    ending: &mut bool,
) -> Result<Outcome> {
    let pairs = world.pairs();
    let read_only = rng.u8(0..6) == 0;
    let tx = client.begin(read_only)?;
    let mut work = || -> Result<()> {
        for _ in 0..rng.usize(1..5) {
            let keys = world.keys(rng);
            let signed: Vec<i64> = keys.iter().map(|key| *key as i64).collect();
            let key = keys[0];
            match rng.u8(0..if read_only { 2 } else { 6 }) {
                0 => recorder.read(key, version(pairs.get(client, Some(tx), signed[0])?)).unwrap(),
                1 => {
                    for (key, value) in keys.iter().zip(pairs.get_all(client, Some(tx), &signed)?) {
                        recorder.read(*key, version(value)).unwrap();
                    }
                }
                2 => {
                    let new = versions.next();
                    let old = version(pairs.swap(client, Some(tx), signed[0], new as i64)?);
                    recorder.read(key, old).unwrap();
                    recorder.write(key, old, new);
                }
                3 => {
                    let old = version(pairs.get(client, Some(tx), signed[0])?);
                    recorder.read(key, old).unwrap();
                    let new = versions.next();
                    pairs.upsert(client, Some(tx), signed[0], new as i64)?;
                    recorder.write(key, old, new);
                }
                _ => {
                    let old: Vec<Version> =
                        pairs.get_all(client, Some(tx), &signed)?.into_iter().map(version).collect();
                    keys.iter().zip(&old).for_each(|(key, old)| recorder.read(*key, *old).unwrap());
                    let new: Vec<Version> = keys.iter().map(|_| versions.next()).collect();
                    let rows: Vec<(i64, i64)> = signed.iter().copied().zip(new.iter().map(|v| *v as i64)).collect();
                    pairs.upsert_all(client, Some(tx), &rows)?;
                    keys.iter().zip(old).zip(new).for_each(|((key, old), new)| recorder.write(*key, old, new));
                }
            }
        }
        Ok(())
    };
    match work() {
        Ok(()) if rng.u8(0..8) == 0 => client.rollback(tx).map(|()| Outcome::Aborted),
        Ok(()) => {
            *ending = true;
            client.commit(tx).map(|()| Outcome::Committed)
        }
        Err(error @ Error::Server { .. }) => {
            client.rollback(tx)?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

fn version(value: Option<i64>) -> Version {
    value.map_or(MISSING, |v| u64::try_from(v).unwrap())
}

/// Runs threads of both kinds to the end of the history or of the server, and returns what they recorded.
fn run(world: &World, seed: &Seed, first: u64, draft: u64, ga: u64) -> Vec<Transaction> {
    thread::scope(|scope| {
        let threads: Vec<_> = (first..first + draft + ga)
            .map(|n| {
                let (rng, versions) = (seed.rng(n), Versions::of_thread(n + 1));
                scope.spawn(move || match n - first < draft {
                    true => singles(world, rng, versions),
                    false => transactions(world, rng, versions),
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

pub(crate) fn checked(history: &[Transaction]) -> history::Summary {
    let begin = Instant::now();
    let summary = history::check(history).unwrap_or_else(|violation| panic!("{violation}"));
    eprintln!("{summary:?}, checked in {:?}", begin.elapsed());
    summary
}

fn in_memory(draft: u64, ga: u64) -> (history::Summary, u64) {
    let seed = Seed::new();
    let config = Config { listen: vec![([127, 0, 0, 1], 0).into()], ..Config::default() };
    let server = Server::new(&config).unwrap().start().unwrap();
    let addr = server.addresses()[0];
    let ops_max = number("FLINT_HISTORY_OPS", 100_000);
    let world =
        World { addr, table: create(addr), begin: Instant::now(), ops: AtomicU64::new(0), ops_max, mortal: false };
    let history = run(&world, &seed, 0, draft, ga);
    eprintln!("{} transactions in {:?}", history.len(), world.begin.elapsed());
    (checked(&history), ops_max)
}

#[test]
fn single_operations_of_many_connections() {
    let (summary, ops) = in_memory(8, 0);
    assert_eq!((summary.committed as u64, summary.recovered), (ops, 0));
}

#[test]
fn transactions_beside_single_operations_of_the_other_dialect() {
    let (summary, ops) = in_memory(3, 5);
    assert!(summary.committed as u64 > ops / 8, "{summary:?}");
    assert!(summary.aborted > 0, "{summary:?}");
}

#[test]
fn across_kills() {
    let seed = Seed::new();
    let dir = tempfile::tempdir().unwrap();
    let mut rng = seed.rng(u64::MAX);
    let mut history = Vec::new();
    let mut server = Process::start_on(dir.path(), &[]);
    let mut world = World {
        addr: server.addr(),
        table: create(server.addr()),
        begin: Instant::now(),
        ops: AtomicU64::new(0),
        ops_max: u64::MAX,
        mortal: true,
    };
    let lives = number("FLINT_HISTORY_OPS", 100_000) / 20_000;
    for life in 0..lives.max(2) {
        let lifetime = Duration::from_millis(rng.u64(100..600));
        let killer = thread::spawn(move || {
            thread::sleep(lifetime);
            server.kill()
        });
        history.extend(run(&world, &seed, life * 8, 4, 4));
        killer.join().unwrap();
        server = Process::start_on(dir.path(), &[]);
        world.addr = server.addr();
    }
    let summary = checked(&history);
    assert!(summary.committed > 0, "{summary:?}");
}
