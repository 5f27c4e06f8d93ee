//! Clients that know what they did: each has rows of its own, so its requests alone decide them, in their order.
//!
//! After the server's death and a new start, a client's rows, and the schema versions of its live table, must equal the
//! outcome of a first part of its requests: all that were answered, and then as many of the others, in order and whole, as
//! were lucky. That no acknowledged write is lost, that a batch or a transaction is there as a whole or not at all, and
//! that nothing is there without what came before it: all of it follows. A reader on the side notes what it saw of
//! others; that must not be lost either.

use crate::ga_client::{Ga, Pairs};
use flint::client::{Client, Column, Error, Reply, Result, Table, TableId, op};
use flint::value::{ColumnType, Value};
use flint::wire::msgpack::Write as _;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::Scope;

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

/// What the clients of one life share.
#[derive(Default)]
pub struct Shared {
    /// The newest value of each client that others have seen.
    seen: [AtomicI64; LANES],
    /// Set when they are to end, though the server lives.
    pub stop: AtomicBool,
}

impl Shared {
    fn go_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

/// All clients over all their lives.
pub struct Fleet {
    tables: [TableId; 2],
    lanes: Vec<Lane>,
}

impl Fleet {
    /// Makes the tables.
    pub fn new(addr: SocketAddr) -> Self {
        Self { tables: create(addr), lanes: (0..LANES).map(Lane::new).collect() }
    }

    /// Lets all clients work until the server is gone, its disk is, or they are told to stop.
    pub fn work<'s>(
        &'s mut self,
        scope: &'s Scope<'s, '_>,
        addr: SocketAddr,
        shared: &'s Shared,
        rng: &mut fastrand::Rng,
    ) {
        let tables = &self.tables;
        let ga = tables.map(|TableId([.., a, b, c, d])| Pairs(u32::from_be_bytes([a, b, c, d]).into()));
        for lane in &mut self.lanes {
            let rng = rng.fork();
            scope.spawn(move || match lane.number < DRAFT_LANES {
                true => draft(lane, addr, tables, shared, rng),
                false => transactions(lane, addr, ga, shared, rng),
            });
        }
        scope.spawn(move || reader(addr, tables, shared));
    }

    /// Compares what is found now with what may be, and goes on from it; how many requests were answered, and how many
    /// were not.
    pub fn settle(&mut self, addr: SocketAddr, shared: &Shared) -> (usize, usize) {
        let (mut answered, mut unknown) = (0, 0);
        let mut client = Client::connect(addr).unwrap();
        for (lane, seen) in self.lanes.iter_mut().zip(&shared.seen) {
            answered += lane.acked;
            unknown += lane.steps.len() - lane.acked;
            let found = observe(&mut client, lane, &self.tables).unwrap();
            lane.settle(found, seen.load(Ordering::Relaxed));
        }
        (answered, unknown)
    }

    /// Compares what is shown by a server whose disk has failed with what may be; that must not be lost any more.
    pub fn look(&mut self, addr: SocketAddr, shared: &Shared) {
        let mut client = Client::connect(addr).unwrap();
        for (lane, seen) in self.lanes.iter_mut().zip(&shared.seen) {
            let found = observe(&mut client, lane, &self.tables).unwrap();
            lane.acked = lane.least(&found, seen.load(Ordering::Relaxed));
        }
    }
}

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

    /// After how many steps the state is what was found. It is one that is allowed.
    fn least(&self, found: &State, seen: i64) -> usize {
        let seen = usize::try_from(seen - self.first + 1).unwrap_or(0);
        let known = self.acked.max(seen);
        let mut state = self.base.clone();
        let mut expected = None;
        for done in 0..=self.steps.len() {
            if done >= known && state == *found {
                return done;
            }
            if done == known {
                expected = Some(state.clone());
            }
            if let Some(step) = self.steps.get(done) {
                state.apply(step);
            }
        }
        panic!(
            "client {}: of {} steps {} were answered and {seen} seen by others\nfound {found:?}\nafter the known steps \
             {expected:?}\nthe others are {:?}",
            self.number,
            self.steps.len(),
            self.acked,
            &self.steps[known..]
        );
    }

    /// Compares what was found with every state that is allowed, and goes on from it.
    fn settle(&mut self, found: State, seen: i64) {
        self.least(&found, seen);
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

/// A client's end: the server is gone, as it has to be sooner or later, or its disk.
fn ended(result: Result<()>, shared: &Shared) {
    let gone = |error: &Error| match error {
        Error::Closed | Error::Io(_) => true,
        _ => error.server_message().is_some_and(|text| text.contains("since the disk failed")),
    };
    match result {
        Ok(()) => assert!(!shared.go_on()),
        Err(error) => assert!(gone(&error), "{error}"),
    }
}

/// A client of the draft dialect, until the server is gone.
fn draft(lane: &mut Lane, addr: SocketAddr, tables: &[TableId; 2], shared: &Shared, mut rng: fastrand::Rng) {
    let mut pending = HashMap::new();
    let mut work = || -> Result<()> {
        let mut client = Client::connect(addr)?;
        let mut live = client.table_get(&lane.live_name())?;
        while shared.go_on() {
            while pending.len() < DEPTH {
                send_one(lane, &mut client, tables, &mut live, &mut pending, &mut rng)?;
            }
            let reply = client.receive()?;
            settle_reply(lane, &reply, &mut pending)?;
        }
        Ok(())
    };
    ended(work(), shared);
}

/// What an answer has to be.
enum Expected {
    /// Success of so many steps.
    Done(usize),
    /// The value of a key.
    Value(Option<i64>),
}

fn settle_reply(lane: &mut Lane, reply: &Reply, pending: &mut HashMap<i64, Expected>) -> Result<()> {
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
fn transactions(lane: &mut Lane, addr: SocketAddr, tables: [Pairs; 2], shared: &Shared, mut rng: fastrand::Rng) {
    let mut work = || -> Result<()> {
        let mut client = Ga::connect(addr)?;
        while shared.go_on() {
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
        Ok(())
    };
    ended(work(), shared);
}

/// Reads everybody's rows, until the server is gone.
fn reader(addr: SocketAddr, tables: &[TableId; 2], shared: &Shared) {
    let work = || -> Result<()> {
        let mut client = Client::connect(addr)?;
        let keys: Vec<Vec<Value<'static>>> = (0..LANES as i64 * KEYS).map(|key| vec![Value::Int(key)]).collect();
        let tables = [client.table(tables[0])?, client.table(tables[1])?];
        while shared.go_on() {
            for table in &tables {
                for (key, value) in pairs(table.get_all(&mut client, &keys)?) {
                    shared.seen[(key / KEYS) as usize].fetch_max(value, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    };
    ended(work(), shared);
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
