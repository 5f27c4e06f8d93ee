//! kill -9: clients of both dialects write to the real program, which is killed at a random moment, also while it makes a
//! checkpoint and while it starts. What is found afterwards must be what each client did, up to a moment that is not
//! before its last answer.
//!
//! Every client has rows of its own, so its requests alone decide them, in their order. After a start its rows, and the
//! schema versions of its live table, must equal the outcome of a first part of its requests: all that were answered,
//! and then as many of the others, in order and whole, as were lucky. That no acknowledged write is lost, that a batch or
//! a transaction is there as a whole or not at all, and that nothing is there without what came before it: all of it
//! follows. A reader on the side notes what it saw of others; that must not be lost either.
//!
//! 20 rounds by default. The long run:
//! `FLINT_KILL_ROUNDS=1000 cargo test --release --test it kill:: -- --nocapture`

use crate::ga_client::{Ga, Pairs};
use crate::support::{Process, Seed, number};
use flint::client::{Client, Column, Error, Result, Table, TableId, op};
use flint::control;
use flint::value::{ColumnType, Value};
use flint::wire::msgpack::Write as _;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Clients of the draft dialect, then those of the GA dialect.
const DRAFT_LANES: usize = 3;
const LANES: usize = DRAFT_LANES + 2;
/// Keys of one client in each of the two tables.
const KEYS: i64 = 12;
/// Requests of a draft client under way.
const DEPTH: usize = 8;
/// Columns of a live table; one that has more is dropped and begun anew.
const COLUMNS: usize = 40;

/// Of two tables, and of a key in it.
type Place = (usize, i64);

/// What a client's requests have made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    rows: BTreeMap<Place, i64>,
    /// Its live table, if there is one at the time.
    live: Option<Live>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Live {
    /// The value columns of each version, from the first.
    versions: Vec<BTreeSet<String>>,
    rows: BTreeMap<i64, BTreeMap<String, i64>>,
}

/// A request that changes something. `value` is the step's number in all the client's life.
#[derive(Debug, Clone)]
enum Step {
    Put {
        places: Vec<Place>,
        value: i64,
    },
    Delete {
        table: usize,
        keys: Vec<i64>,
    },
    /// Rows of the live table with the columns that each of them has.
    Live {
        rows: Vec<(i64, Vec<String>)>,
        value: i64,
    },
    DropLive,
    CreateLive,
}

impl State {
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Put { places, value } => self.rows.extend(places.iter().map(|place| (*place, *value))),
            Step::Delete { table, keys } => self.rows.retain(|(t, key), _| t != table || !keys.contains(key)),
            Step::DropLive => self.live = None,
            Step::CreateLive => self.live = Some(Live { versions: vec![BTreeSet::new()], rows: BTreeMap::new() }),
            Step::Live { rows, value } => {
                let live = self.live.as_mut().unwrap();
                let mut columns = live.versions.last().unwrap().clone();
                let before = columns.len();
                columns.extend(rows.iter().flat_map(|(_, names)| names.iter().cloned()));
                if columns.len() > before {
                    live.versions.push(columns);
                }
                for (id, names) in rows {
                    live.rows.insert(*id, names.iter().map(|name| (name.clone(), *value)).collect());
                }
            }
        }
    }
}

/// A client over all its lives.
struct Lane {
    number: usize,
    /// What the last start found.
    base: State,
    /// The steps since then, sent or about to be.
    steps: Vec<Step>,
    /// How many of them are known to be done.
    acked: usize,
    /// `base` and all steps.
    current: State,
    /// The number of the first of `steps`.
    first: i64,
}

/// The newest value of each client that others have seen.
type Seen = [AtomicI64; LANES];

impl Lane {
    fn new(number: usize) -> Self {
        let mut base = State::default();
        if number < DRAFT_LANES {
            base.apply(&Step::CreateLive);
        }
        Self { number, current: base.clone(), base, steps: Vec::new(), acked: 0, first: 1 }
    }

    fn live_name(&self) -> String {
        format!("live{}", self.number)
    }

    fn value(&self) -> i64 {
        self.first + self.steps.len() as i64
    }

    fn begin(&mut self, step: Step) -> usize {
        self.current.apply(&step);
        self.steps.push(step);
        self.steps.len()
    }

    fn key(&self, rng: &mut fastrand::Rng) -> i64 {
        self.number as i64 * KEYS + rng.i64(0..KEYS)
    }

    fn place(&self, rng: &mut fastrand::Rng) -> Place {
        (rng.usize(0..2), self.key(rng))
    }

    /// Compares what was found with every state that is allowed, and goes on from it.
    fn settle(&mut self, found: State, seen: i64) {
        let seen = usize::try_from(seen - self.first + 1).unwrap_or(0);
        let known = self.acked.max(seen);
        let mut state = self.base.clone();
        let mut fits = state == found && known == 0;
        let mut least = state.clone();
        for (done, step) in (1..).zip(&self.steps) {
            state.apply(step);
            fits |= done >= known && state == found;
            if done == known {
                least = state.clone();
            }
        }
        assert!(
            fits,
            "client {}: of {} steps {} were answered and {seen} seen by others\nfound {found:?}\nafter the known steps \
             {least:?}\nthe others are {:?}",
            self.number,
            self.steps.len(),
            self.acked,
            &self.steps[known..]
        );
        self.first += self.steps.len() as i64;
        self.steps.clear();
        self.acked = 0;
        self.current = found.clone();
        self.base = found;
    }
}

fn live_columns() -> Vec<Column> {
    vec![Column::key("id", ColumnType::Int64)]
}

fn create(addr: SocketAddr) -> [TableId; 2] {
    let mut client = Client::connect(addr).unwrap();
    let columns = [Column::key("k", ColumnType::Int64), Column::value("v", ColumnType::Int64)];
    for lane in 0..DRAFT_LANES {
        client.table_create_with(&format!("live{lane}"), &live_columns(), &["live"]).unwrap();
    }
    ["a", "b"].map(|name| client.table_create(name, &columns).unwrap())
}

/// Whether the server is gone, as it has to be sooner or later.
fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Closed | Error::Io(_))
}

/// A client of the draft dialect, until the server is gone.
fn draft(lane: &mut Lane, addr: SocketAddr, tables: &[TableId; 2], mut rng: fastrand::Rng) {
    let mut pending = HashMap::new();
    let mut work = || -> Result<()> {
        let mut client = Client::connect(addr)?;
        let mut live = client.table_get(&lane.live_name())?;
        loop {
            while pending.len() < DEPTH {
                send_one(lane, &mut client, tables, &mut live, &mut pending, &mut rng)?;
            }
            let reply = client.receive()?;
            settle_reply(lane, &reply, &mut pending)?;
        }
    };
    let error = work().unwrap_err();
    assert!(is_gone(&error), "client {}: {error}", lane.number);
}

/// What an answer has to be.
enum Expected {
    /// Success of so many steps.
    Done(usize),
    /// The value of a key.
    Value(Option<i64>),
}

fn settle_reply(lane: &mut Lane, reply: &flint::client::Reply, pending: &mut HashMap<i64, Expected>) -> Result<()> {
    let mut reader = reply.reader()?;
    match pending.remove(&reply.id).expect("an answer to nothing") {
        Expected::Done(steps) => lane.acked = lane.acked.max(steps),
        Expected::Value(expected) => {
            let value = if reader.nil_if_next()? { None } else { Some((reader.i64()?, reader.i64()?).1) };
            assert_eq!(value, expected, "a read of client {}", lane.number);
        }
    }
    Ok(())
}

fn send_one(
    lane: &mut Lane,
    client: &mut Client,
    tables: &[TableId; 2],
    live: &mut Option<TableId>,
    pending: &mut HashMap<i64, Expected>,
    rng: &mut fastrand::Rng,
) -> Result<()> {
    let value = lane.value();
    let (id, expected) = match (rng.u8(0..10), *live) {
        (0..3, _) => {
            let (table, key) = lane.place(rng);
            let step = lane.begin(Step::Put { places: vec![(table, key)], value });
            let id = client.send(op::UPSERT, |out| put(out, tables[table], &[key, value]))?;
            (id, Expected::Done(step))
        }
        (3..5, _) => {
            let table = rng.usize(0..2);
            let keys: Vec<i64> = (0..rng.usize(1..8)).map(|_| lane.key(rng)).collect();
            let step = lane.begin(Step::Put { places: keys.iter().map(|key| (table, *key)).collect(), value });
            let rows: Vec<i64> = keys.iter().flat_map(|key| [*key, value]).collect();
            let id = client
                .send(op::UPSERT_ALL, |out| put(out, tables[table], &[&[keys.len() as i64], &rows[..]].concat()))?;
            (id, Expected::Done(step))
        }
        (5, _) => {
            let table = rng.usize(0..2);
            let keys: Vec<i64> = (0..rng.usize(1..4)).map(|_| lane.key(rng)).collect();
            let step = lane.begin(Step::Delete { table, keys: keys.clone() });
            let id = client
                .send(op::DELETE_ALL, |out| put(out, tables[table], &[&[keys.len() as i64], &keys[..]].concat()))?;
            (id, Expected::Done(step))
        }
        (6..8, _) => {
            let (table, key) = lane.place(rng);
            let expected = lane.current.rows.get(&(table, key)).copied();
            (client.send(op::GET, |out| put(out, tables[table], &[key]))?, Expected::Value(expected))
        }
        (_, Some(table)) if lane.current.live.as_ref().is_some_and(|l| l.versions.last().unwrap().len() < COLUMNS) => {
            let name = |rng: &mut fastrand::Rng| format!("c{}", rng.usize(0..COLUMNS + 8));
            let columns = |rng: &mut fastrand::Rng| (0..rng.usize(0..3)).map(|_| name(rng)).collect::<BTreeSet<_>>();
            let rows: Vec<(i64, Vec<String>)> =
                (0..rng.usize(1..4)).map(|_| (rng.i64(0..KEYS), columns(rng).into_iter().collect())).collect();
            let step = lane.begin(Step::Live { rows: rows.clone(), value });
            let id = client.send(op::UPSERT_ALL_SCHEMALESS, |out| {
                table.write(out);
                out.put_array(rows.len());
                for (id, names) in &rows {
                    out.put_map(1 + names.len());
                    out.put_str("id");
                    out.put_int(*id);
                    for name in names {
                        out.put_str(name);
                        out.put_int(value);
                    }
                }
            })?;
            (id, Expected::Done(step))
        }
        // The next live request needs the id of the new table, so this waits for everything.
        (_, table) => {
            while !pending.is_empty() {
                let reply = client.receive()?;
                settle_reply(lane, &reply, pending)?;
            }
            if table.is_some() {
                lane.acked = lane.acked.max({
                    let step = lane.begin(Step::DropLive);
                    client.table_drop(&lane.live_name())?;
                    step
                });
            }
            let step = lane.begin(Step::CreateLive);
            *live = Some(client.table_create_with(&lane.live_name(), &live_columns(), &["live"])?);
            lane.acked = step;
            return Ok(());
        }
    };
    pending.insert(id, expected);
    Ok(())
}

fn put(out: &mut Vec<u8>, table: TableId, values: &[i64]) {
    table.write(out);
    out.put_int(1);
    values.iter().for_each(|value| out.put_int(*value));
}

/// A client of the GA dialect with transactions over both tables, until the server is gone.
fn transactions(lane: &mut Lane, addr: SocketAddr, tables: [Pairs; 2], mut rng: fastrand::Rng) {
    let mut work = || -> Result<()> {
        let mut client = Ga::connect(addr)?;
        loop {
            let tx = client.begin(false)?;
            let value = lane.value();
            let mut places = Vec::new();
            for _ in 0..rng.usize(1..5) {
                let (table, key) = lane.place(&mut rng);
                tables[table].upsert(&mut client, Some(tx), key, value)?;
                places.push((table, key));
            }
            if rng.u8(0..4) == 0 {
                client.rollback(tx)?;
                continue;
            }
            // Before the commit is sent nothing of it may be found.
            let step = lane.begin(Step::Put { places, value });
            client.commit(tx)?;
            lane.acked = step;
        }
    };
    let error = work().unwrap_err();
    assert!(is_gone(&error), "client {}: {error}", lane.number);
}

/// Reads everybody's rows, until the server is gone.
fn reader(addr: SocketAddr, tables: &[TableId; 2], seen: &Seen) {
    let work = || -> Result<()> {
        let mut client = Client::connect(addr)?;
        let keys: Vec<Vec<Value<'static>>> = (0..LANES as i64 * KEYS).map(|key| vec![Value::Int(key)]).collect();
        let tables = [client.table(tables[0])?, client.table(tables[1])?];
        loop {
            for table in &tables {
                for (key, value) in pairs(table.get_all(&mut client, &keys)?) {
                    seen[(key / KEYS) as usize].fetch_max(value, Ordering::Relaxed);
                }
            }
        }
    };
    let error = work().unwrap_err();
    assert!(is_gone(&error), "the reader: {error}");
}

fn pairs(rows: Vec<Vec<Value<'static>>>) -> impl Iterator<Item = (i64, i64)> {
    rows.into_iter().map(|row| match row[..] {
        [Value::Int(key), Value::Int(value)] => (key, value),
        _ => panic!("{row:?} is no pair"),
    })
}

/// What there is of one client.
fn observe(client: &mut Client, lane: &Lane, tables: &[TableId; 2]) -> Result<State> {
    let mut state = State::default();
    let first = lane.number as i64 * KEYS;
    let keys: Vec<Vec<Value<'static>>> = (first..first + KEYS).map(|key| vec![Value::Int(key)]).collect();
    for (i, id) in tables.iter().enumerate() {
        let table = client.table(*id)?;
        state.rows.extend(pairs(table.get_all(client, &keys)?).map(|(key, value)| ((i, key), value)));
    }
    if let Some(id) = client.table_get(&lane.live_name())? {
        state.live = Some(observe_live(client, id)?);
    }
    Ok(state)
}

fn observe_live(client: &mut Client, id: TableId) -> Result<Live> {
    let table: Table = client.table(id)?;
    let versions: Vec<i64> = (1..=table.version).collect();
    let schemas = client.schemas_get(id, Some(&versions))?;
    assert_eq!(schemas.keys().copied().collect::<Vec<_>>(), versions);
    let names = |columns: &[Column]| columns.iter().skip(1).map(|c| c.name.clone()).collect();
    let versions = schemas.values().map(|columns| names(columns)).collect();
    let keys: Vec<Vec<Value<'static>>> = (0..KEYS).map(|id| vec![Value::Int(id)]).collect();
    let mut rows = BTreeMap::new();
    for row in table.get_all(client, &keys)? {
        let Value::Int(id) = row[0] else { panic!("{row:?} has no id") };
        let values = table.columns.iter().zip(&row).skip(1).filter_map(|(column, value)| match value {
            Value::Null => None,
            Value::Int(value) => Some((column.name.clone(), *value)),
            other => panic!("{other} in column {}", column.name),
        });
        rows.insert(id, values.collect());
    }
    Ok(Live { versions, rows })
}

/// One life of the server, from its start to its end.
fn live_and_die(
    lanes: &mut [Lane],
    tables: &[TableId; 2],
    server: Process,
    dir: &Path,
    rng: &mut fastrand::Rng,
) -> Seen {
    let addr = server.addr();
    let seen = Seen::default();
    let ga = tables.map(|TableId([.., a, b, c, d])| Pairs(u32::from_be_bytes([a, b, c, d]).into()));
    let lifetime = Duration::from_micros(rng.u64(0..200_000));
    let checkpoint = (rng.u8(0..3) == 0).then(|| lifetime.mul_f64(rng.f64()));
    thread::scope(|scope| {
        for lane in lanes {
            let rng = rng.fork();
            scope.spawn(move || match lane.number < DRAFT_LANES {
                true => draft(lane, addr, tables, rng),
                false => transactions(lane, addr, ga, rng),
            });
        }
        scope.spawn(|| reader(addr, tables, &seen));
        if let Some(delay) = checkpoint {
            scope.spawn(move || {
                thread::sleep(delay);
                // It may not live to answer.
                let _ = control::ask(dir, "checkpoint");
            });
        }
        thread::sleep(lifetime);
        let log = server.kill();
        assert!(!log.contains("panicked"), "{log}");
    });
    seen
}

fn start(dir: &Path, rng: &mut fastrand::Rng) -> Process {
    let bytes = ["4k", "32k", "256k", "64m"][rng.usize(0..4)];
    Process::start_on(dir, &["--checkpoint-log", bytes])
}

/// Starts that do not get far.
fn die_young(dir: &Path, rng: &mut fastrand::Rng) -> usize {
    let deaths = rng.usize(0..3);
    for _ in 0..deaths {
        let mut child = Process::spawn(&["--data-dir", dir.to_str().unwrap()]);
        thread::sleep(Duration::from_micros(rng.u64(0..20_000)));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(!log.contains("panicked"), "{log}");
    }
    deaths
}

fn check(dir: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_flint")).arg("check").arg("--data-dir").arg(dir).output().unwrap();
    assert!(output.status.success(), "flint check: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_was_acknowledged_survives_and_nothing_is_torn() {
    let seed = Seed::new();
    let rng = &mut seed.rng(0);
    let rounds = number("FLINT_KILL_ROUNDS", 20);
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    let mut server = start(&dir, rng);
    let tables = create(server.addr());
    let mut lanes: Vec<Lane> = (0..LANES).map(Lane::new).collect();
    let (begin, mut steps, mut unknown, mut young) = (Instant::now(), 0, 0, 0);
    for round in 0..rounds {
        let seen = live_and_die(&mut lanes, &tables, server, &dir, rng);
        young += die_young(&dir, rng);
        if round % 5 == 0 {
            check(&dir);
        }
        server = start(&dir, rng);
        let mut client = Client::connect(server.addr()).unwrap();
        for (lane, seen) in lanes.iter_mut().zip(seen) {
            steps += lane.acked;
            unknown += lane.steps.len() - lane.acked;
            let found = observe(&mut client, lane, &tables).unwrap();
            lane.settle(found, seen.into_inner());
        }
        if (round + 1) % 100 == 0 {
            eprintln!("{} rounds in {:?}", round + 1, begin.elapsed());
        }
    }
    eprintln!(
        "{rounds} rounds and {young} starts cut short in {:?}: {steps} writes answered, {unknown} not",
        begin.elapsed()
    );
    assert!(steps > rounds, "hardly anything was written");
}
