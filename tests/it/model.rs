//! Random operations against a server and a plain model: equal answers, and equal rows again after a restart, a crash
//! and a start from the checkpoint.
//!
//! All operations on tables and tuples of the draft dialect, plain and schemaless, over several connections with
//! requests under way, on strict and live tables of all column types; with older and unknown schema versions, wrong
//! values, missing keys, repeated tuples, dropped tables. `FLINT_MODEL_CASES` sets the number of cases.

use crate::model_table::{Answer, Column, Fields, Table, Tuple, canonical};
use crate::support::{Seed, number};
use flint::TestServer;
use flint::client::{self, Client, Reply, TableId, op, read_value, type_code, write_value};
use flint::value::{ColumnType, Date, Decimal, Time, Timestamp, UNLIMITED, Value};
use flint::wire::msgpack::{Reader, Write as _};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

const TYPES: &[ColumnType] = &[
    ColumnType::Int64,
    ColumnType::Int32,
    ColumnType::Int16,
    ColumnType::Int8,
    ColumnType::String { length: UNLIMITED },
    ColumnType::String { length: 8 },
    ColumnType::Uuid,
    ColumnType::Bytes { length: UNLIMITED },
    ColumnType::Date,
    ColumnType::Decimal { precision: 12, scale: 2 },
    ColumnType::Number { precision: 20 },
    ColumnType::Time { precision: 6 },
    ColumnType::Datetime { precision: 6 },
    ColumnType::Timestamp { precision: 6 },
    // Not as keys: their equality is not that of their bytes, or nobody does it.
    ColumnType::Boolean,
    ColumnType::Float,
    ColumnType::Double,
    ColumnType::Bitmask { bits: 16 },
];
const KEY_TYPES: usize = 14;

/// Operations on tuples in schema order, with how many a request carries: one, two or many (0).
const PLAIN: &[(i64, usize)] = &[
    (op::UPSERT, 1),
    (op::GET, 1),
    (op::UPSERT_ALL, 0),
    (op::GET_ALL, 0),
    (op::GET_AND_UPSERT, 1),
    (op::INSERT, 1),
    (op::INSERT_ALL, 0),
    (op::REPLACE, 1),
    (op::REPLACE_EXACT, 2),
    (op::GET_AND_REPLACE, 1),
    (op::DELETE, 1),
    (op::DELETE_ALL, 0),
    (op::DELETE_EXACT, 1),
    (op::DELETE_ALL_EXACT, 0),
    (op::GET_AND_DELETE, 1),
    (op::CONTAINS_KEY, 1),
];
const ON_KEYS: &[i64] = &[op::GET, op::GET_ALL, op::DELETE, op::DELETE_ALL, op::GET_AND_DELETE, op::CONTAINS_KEY];
const SCHEMALESS: &[(i64, usize)] = &[
    (op::UPSERT_SCHEMALESS, 1),
    (op::UPSERT_ALL_SCHEMALESS, 0),
    (op::GET_AND_UPSERT_SCHEMALESS, 1),
    (op::INSERT_SCHEMALESS, 1),
    (op::INSERT_ALL_SCHEMALESS, 0),
    (op::REPLACE_SCHEMALESS, 1),
    (op::REPLACE_EXACT_SCHEMALESS, 2),
    (op::GET_AND_REPLACE_SCHEMALESS, 1),
];

/// A value out of a few, so that keys meet again; `n` tells which.
fn value(ty: ColumnType, n: i64) -> Value<'static> {
    let small = u8::try_from(n.rem_euclid(200)).unwrap();
    let date = Date::new(2020, 1 + small % 12, 1 + small % 28).unwrap();
    let time = Time::new(small % 24, small % 60, 59, u32::from(small) * 1000).unwrap();
    match ty {
        ColumnType::Boolean => Value::Bool(n % 2 == 0),
        ColumnType::Int8 => Value::Int([0, 1, -128, 127, 5, -1][n as usize % 6]),
        ColumnType::Int16 => Value::Int([0, 1, -32768, 32767, 200, -200][n as usize % 6]),
        ColumnType::Int32 => Value::Int([0, 1, i32::MIN.into(), i32::MAX.into(), 70_000, -1][n as usize % 6]),
        ColumnType::Int64 => Value::Int([0, 1, i64::MIN, i64::MAX, 1 << 40, -1][n as usize % 6]),
        ColumnType::Float => Value::Float([0.0, 1.5, -2.25, f32::MAX, f32::MIN_POSITIVE][n as usize % 5]),
        ColumnType::Double => Value::Double([0.0, 1.5, 0.1, f64::MAX, -1e-300][n as usize % 5]),
        ColumnType::Decimal { .. } => Value::Decimal(Decimal::parse(&format!("{}.25", n - 3)).unwrap()),
        ColumnType::Number { .. } => Value::Decimal(Decimal::from_i64(n * 1_000_003 - 2_000_000)),
        ColumnType::Date => Value::Date(date),
        ColumnType::Time { .. } => Value::Time(time),
        ColumnType::Datetime { .. } => Value::Datetime(date, time),
        ColumnType::Timestamp { .. } => Value::Timestamp(Timestamp::new(n - 3, u32::from(small) * 1000).unwrap()),
        ColumnType::Uuid => Value::Uuid(u128::MAX / 7 * (n as u128 + 1)),
        ColumnType::String { .. } => Value::Str(["", "a", "ab", "é", "\0", "z\0y"][n as usize % 6].into()),
        ColumnType::Bytes { .. } => {
            Value::Bytes([&[][..], &[0], &[0x80], &[0x80, 1], &[255; 300]][n as usize % 5].to_vec().into())
        }
        ColumnType::Bitmask { .. } => {
            Value::Bytes([&[1][..], &[0, 1], &[255, 255], &[128]][n as usize % 4].to_vec().into())
        }
        ColumnType::Period | ColumnType::Duration => unreachable!("not in the draft dialect"),
    }
}

/// A value that a column of this type does not take.
fn wrong_value(ty: ColumnType) -> Value<'static> {
    match ty {
        ColumnType::Int8 => Value::Int(300),
        ColumnType::String { length: 8 } => Value::Str("more than eight".into()),
        ColumnType::String { .. } => Value::Int(7),
        _ => Value::Str("wrong".into()),
    }
}

/// Values that a live schema grows by.
const LIVE_TYPES: &[ColumnType] = &[
    ColumnType::Int64,
    ColumnType::Boolean,
    ColumnType::Double,
    ColumnType::String { length: UNLIMITED },
    ColumnType::Bytes { length: UNLIMITED },
    ColumnType::Uuid,
    ColumnType::Date,
    ColumnType::Decimal { precision: 19, scale: 3 },
    ColumnType::Timestamp { precision: 6 },
];

/// A table of the server beside its model.
struct Pair {
    id: TableId,
    model: Table,
    /// The columns of each version as the server orders them.
    orders: BTreeMap<i64, Vec<Column>>,
}

/// A server, its connections, and the model of its tables.
struct World {
    server: TestServer,
    clients: Vec<Client>,
    tables: Vec<Pair>,
    dropped: Vec<TableId>,
    rng: fastrand::Rng,
    next_name: usize,
}

impl World {
    fn new(server: TestServer, rng: fastrand::Rng) -> Self {
        let mut world =
            Self { server, clients: Vec::new(), tables: Vec::new(), dropped: Vec::new(), rng, next_name: 0 };
        world.connect();
        world.create();
        world.create();
        world
    }

    fn connect(&mut self) {
        self.clients = (0..3).map(|_| Client::connect(self.server.addr()).unwrap()).collect();
    }

    fn client(&mut self) -> usize {
        self.rng.usize(0..self.clients.len())
    }

    fn create(&mut self) {
        let mut columns: Vec<Column> = Vec::new();
        let (keys, values) = (self.rng.usize(1..3), self.rng.usize(0..5));
        for n in 0..keys + values {
            let key = n < keys;
            let ty = TYPES[self.rng.usize(0..if key { KEY_TYPES } else { TYPES.len() })];
            let nullable = !key && self.rng.u8(0..5) > 0;
            let default = (self.rng.u8(0..4) == 0).then(|| value(ty, self.rng.i64(0..6)));
            columns.push(Column { name: format!("c{n}"), ty, key, nullable, default, since: 1 });
        }
        self.rng.shuffle(&mut columns[..keys]);
        self.rng.shuffle(&mut columns[keys..]);
        self.next_name += 1;
        let name = format!("t{}", self.next_name);
        let live = self.rng.bool();
        let client = self.client();
        let create = |client: &mut Client, options: &[&str]| {
            client.request(op::TABLE_CREATE, |out| put_definition(out, &name, &columns, options)).unwrap()
        };
        let reply = create(&mut self.clients[client], if live { &["live"] } else { &[] });
        let id = table_id(&mut reply.reader().unwrap());
        // The name is taken, which is an error or not.
        assert!(create(&mut self.clients[client], &[]).reader().is_err());
        let again = create(&mut self.clients[client], &["if_not_exists", "live"]);
        assert_eq!(table_id(&mut again.reader().unwrap()), id);
        let model = Table { name, live, version: 1, columns, rows: BTreeMap::new() };
        self.tables.push(Pair { id, model, orders: BTreeMap::new() });
        self.learn(self.tables.len() - 1);
    }

    fn drop_table(&mut self) {
        let at = self.rng.usize(0..self.tables.len());
        let pair = self.tables.swap_remove(at);
        let client = self.client();
        self.clients[client].table_drop(&pair.model.name).unwrap();
        self.clients[client].table_drop(&pair.model.name).unwrap();
        assert_eq!(self.clients[client].table_get(&pair.model.name).unwrap(), None);
        self.dropped.push(pair.id);
        assert!(self.clients[client].schemas_get(pair.id, None).is_err());
    }

    /// Asks for the versions that are new, and compares them with the model's.
    fn learn(&mut self, at: usize) {
        let pair = &mut self.tables[at];
        let client = &mut self.clients[0];
        let new: Vec<i64> = (1..=pair.model.version).filter(|v| !pair.orders.contains_key(v)).collect();
        if new.is_empty() {
            return;
        }
        for (version, columns) in client.schemas_get(pair.id, Some(&new)).unwrap() {
            let order: Vec<Column> = columns.iter().map(|column| compared(column, &pair.model)).collect();
            assert_eq!(order.len(), pair.model.columns_of(version).count(), "{columns:?}");
            assert!(order.iter().all(|column| column.since <= version));
            assert!(order.iter().skip_while(|column| column.key).all(|column| !column.key), "{columns:?}");
            pair.orders.insert(version, order);
        }
        assert_eq!(pair.orders.len() as i64, pair.model.version);
        assert_eq!(
            client.schemas_get(pair.id, None).unwrap().keys().copied().collect::<Vec<_>>(),
            [pair.model.version]
        );
        assert!(client.schemas_get(pair.id, Some(&[pair.model.version + 1])).is_err());
    }

    /// Some requests on one connection, all under way before the first answer is read.
    fn burst(&mut self) {
        let client = self.client();
        let mut expected = Vec::new();
        for _ in 0..self.rng.usize(1..7) {
            let at = self.rng.usize(0..self.tables.len());
            let (code, body, tuples, answer) =
                if self.rng.u8(0..3) == 0 { self.schemaless(at) } else { self.plain(at) };
            let id = self.clients[client].send(code, |out| out.extend(body)).unwrap();
            expected.push((id, at, code, tuples, answer));
        }
        if let Some(id) = self.dropped.last().filter(|_| self.rng.u8(0..8) == 0) {
            let reply = self.clients[client].request(op::GET, |out| id.write(out)).unwrap();
            assert!(reply.reader().is_err());
        }
        let replies: Vec<Reply> =
            expected.iter().map(|(id, ..)| self.clients[client].receive_for(*id).unwrap()).collect();
        (0..self.tables.len()).for_each(|at| self.learn(at));
        for ((_, at, code, tuples, answer), reply) in expected.into_iter().zip(replies) {
            let pair = &self.tables[at];
            let found = read_answer(&reply, &answer, &pair.orders);
            assert_eq!(found, answer, "operation {code} of {tuples:#?}\non {:#?}\nreply {reply:?}", pair.model);
        }
    }

    fn count(&mut self, carries: usize) -> usize {
        if carries == 0 { self.rng.usize(0..5) } else { carries }
    }

    fn plain(&mut self, at: usize) -> (i64, Vec<u8>, Vec<Tuple>, Answer) {
        let (code, carries) = PLAIN[self.rng.usize(0..PLAIN.len())];
        let count = self.count(carries);
        let pair = &mut self.tables[at];
        // Orders are known of the versions before this burst.
        let known = *pair.orders.keys().last().unwrap();
        let version = match self.rng.u8(0..8) {
            0 => pair.model.version + 1,
            1..3 => self.rng.i64(1..=known),
            _ => known,
        };
        let order = &pair.orders[&version.min(known)];
        let order: Vec<&Column> = order.iter().filter(|column| column.key || !ON_KEYS.contains(&code)).collect();
        let mut tuples: Vec<Tuple> = Vec::new();
        for _ in 0..count {
            let tuple = match self.rng.u8(0..4) {
                0 if !tuples.is_empty() => self.rng.choice(&tuples).unwrap().clone(),
                1 if !pair.model.rows.is_empty() => stored(&pair.model, &order, &mut self.rng),
                _ => random(&order, &mut self.rng),
            };
            tuples.push(tuple);
        }
        let mut body = Vec::new();
        pair.id.write(&mut body);
        body.put_int(version);
        if carries == 0 {
            body.put_int(count as i64);
        }
        tuples.iter().for_each(|tuple| body.extend(&tuple.bytes));
        let answer = pair.model.run_plain(code, version, &tuples);
        (code, body, tuples, answer)
    }

    fn schemaless(&mut self, at: usize) -> (i64, Vec<u8>, Vec<Tuple>, Answer) {
        let (code, carries) = SCHEMALESS[self.rng.usize(0..SCHEMALESS.len())];
        let count = self.count(carries);
        let pair = &mut self.tables[at];
        let mut tuples: Vec<Tuple> = Vec::new();
        for _ in 0..count {
            if !tuples.is_empty() && self.rng.u8(0..4) == 0 {
                tuples.push(self.rng.choice(&tuples).unwrap().clone());
                continue;
            }
            let columns: Vec<&Column> = pair.model.columns.iter().collect();
            let mut fields = match self.rng.u8(0..3) {
                0 if !pair.model.rows.is_empty() => stored(&pair.model, &columns, &mut self.rng).fields,
                _ => random(&columns, &mut self.rng).fields,
            };
            fields.retain(|(name, value)| !value.is_null() || name.len() % 2 == 0);
            let mut types: BTreeMap<String, ColumnType> =
                columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
            // A table that grew enough grows no more.
            if self.rng.u8(0..3) == 0 && columns.len() < 14 {
                let name = format!("x{}", self.rng.u8(0..9));
                let ty = LIVE_TYPES[self.rng.usize(0..LIVE_TYPES.len())];
                if let Entry::Vacant(new) = types.entry(name.clone()) {
                    let null = self.rng.u8(0..10) == 0;
                    fields.push((name, if null { Value::Null } else { value(ty, self.rng.i64(0..6)) }));
                    new.insert(ty);
                }
            }
            self.rng.shuffle(&mut fields);
            let mut bytes = Vec::new();
            bytes.put_map(fields.len());
            for (name, value) in &fields {
                bytes.put_str(name);
                write_value(&mut bytes, value, types[name]).unwrap();
            }
            tuples.push(Tuple { fields, bytes });
        }
        let mut body = Vec::new();
        pair.id.write(&mut body);
        if carries == 0 {
            body.put_array(count);
        }
        tuples.iter().for_each(|tuple| body.extend(&tuple.bytes));
        let answer = pair.model.run_schemaless(code, &tuples);
        (code, body, tuples, answer)
    }

    /// Compares all tables, schemas and rows.
    fn compare(&mut self) {
        let names: BTreeMap<TableId, String> = self.tables.iter().map(|p| (p.id, p.model.name.clone())).collect();
        assert_eq!(self.clients[0].tables_get().unwrap(), names);
        for at in 0..self.tables.len() {
            self.tables[at].orders.clear();
            self.learn(at);
            let pair = &self.tables[at];
            let version = pair.model.version;
            let order = &pair.orders[&version];
            assert_eq!(self.clients[0].table_get(&pair.model.name).unwrap(), Some(pair.id));
            assert_eq!(self.server.rows(&pair.model.name).unwrap().len(), pair.model.rows.len());
            let rows: Vec<Fields> = pair.model.rows.values().cloned().collect();
            let mut body = Vec::new();
            pair.id.write(&mut body);
            body.put_int(version);
            body.put_int(rows.len() as i64);
            for row in &rows {
                order.iter().filter(|c| c.key).for_each(|c| write_value(&mut body, &row[&c.name], c.ty).unwrap());
            }
            let reply = self.clients[0].request(op::GET_ALL, |out| out.extend(body)).unwrap();
            let answer = Answer::Rows { version, rows };
            assert_eq!(read_answer(&reply, &answer, &pair.orders), answer);
        }
    }
}

/// The model's column for one that the server tells of.
fn compared(column: &client::Column, model: &Table) -> Column {
    let own = model.columns.iter().find(|own| own.name == column.name);
    let own = own.unwrap_or_else(|| panic!("{} has no column {}", model.name, column.name));
    let told = (type_code(column.ty), column.key, column.nullable);
    assert_eq!(told, (type_code(own.ty), own.key, own.nullable && !own.key), "{}", column.name);
    own.clone()
}

fn put_definition(out: &mut Vec<u8>, name: &str, columns: &[Column], options: &[&str]) {
    out.put_str(name);
    out.put_map(1 + options.len());
    out.put_str("columns");
    out.put_array(columns.len());
    for column in columns {
        let parameters: Vec<(&str, u32)> = match column.ty {
            ColumnType::Decimal { precision, scale } => vec![("precision", precision), ("scale", scale)],
            ColumnType::Number { precision } => vec![("precision", precision)],
            ColumnType::String { length } if length != UNLIMITED => vec![("length", length)],
            ColumnType::Bitmask { bits } => vec![("length", bits)],
            _ => Vec::new(),
        };
        out.put_array(5);
        out.put_str(&column.name);
        out.put_int(type_code(column.ty));
        out.put_bool(column.key);
        out.put_bool(column.nullable);
        out.put_map(parameters.len() + usize::from(column.default.is_some()));
        if let Some(default) = &column.default {
            out.put_str("default");
            write_value(out, default, column.ty).unwrap();
        }
        for (name, value) in parameters {
            out.put_str(name);
            out.put_int(value.into());
        }
    }
    for option in options {
        out.put_str(option);
        out.put_bool(true);
    }
}

fn table_id(reader: &mut Reader<'_>) -> TableId {
    TableId(reader.ext().unwrap().1.try_into().unwrap())
}

/// A tuple of these columns, mostly right.
fn random(columns: &[&Column], rng: &mut fastrand::Rng) -> Tuple {
    let fields = columns.iter().map(|column| {
        let value = match rng.u8(0..if column.key { 60 } else { 12 }) {
            0 => Value::Null,
            1 if rng.u8(0..4) == 0 => wrong_value(column.ty),
            _ => value(column.ty, rng.i64(0..4)),
        };
        (column.name.clone(), value)
    });
    packed(fields.collect(), columns)
}

/// A row that is stored, so that exact operations find something.
fn stored(model: &Table, columns: &[&Column], rng: &mut fastrand::Rng) -> Tuple {
    let row = model.rows.values().nth(rng.usize(0..model.rows.len())).unwrap();
    let fields = columns.iter().map(|c| (c.name.clone(), row.get(&c.name).cloned().unwrap_or(Value::Null)));
    packed(fields.collect(), columns)
}

fn packed(fields: Vec<(String, Value<'static>)>, columns: &[&Column]) -> Tuple {
    let mut bytes = Vec::new();
    for ((_, value), column) in fields.iter().zip(columns) {
        write_value(&mut bytes, value, column.ty).unwrap();
    }
    Tuple { fields, bytes }
}

/// Reads an answer of the form that `like` has.
fn read_answer(reply: &Reply, like: &Answer, orders: &BTreeMap<i64, Vec<Column>>) -> Answer {
    let Ok(mut reader) = reply.reader() else { return Answer::Refused };
    let reader = &mut reader;
    let row = |reader: &mut Reader<'_>, order: &[Column], values_only: bool| -> Fields {
        let columns = order.iter().filter(|column| !(values_only && column.key));
        let fields = columns.map(|c| (c.name.clone(), canonical(read_value(reader, c.ty).unwrap())));
        fields.filter(|(_, value)| !value.is_null()).collect()
    };
    let answer = match like {
        Answer::Refused | Answer::Done => Answer::Done,
        Answer::Bool(_) => Answer::Bool(reader.bool().unwrap()),
        Answer::Row { version, values_only, row: expected } => {
            if reader.nil_if_next().unwrap() {
                Answer::Row { version: *version, values_only: *values_only, row: None }
            } else {
                let version = reader.i64().unwrap();
                let mut found = row(reader, &orders[&version], *values_only);
                // The keys are not in the answer: they are those of the request.
                let keys = orders[&version].iter().filter(|c| *values_only && c.key);
                found.extend(keys.filter_map(|c| Some((c.name.clone(), expected.as_ref()?.get(&c.name)?.clone()))));
                Answer::Row { version, values_only: *values_only, row: Some(found) }
            }
        }
        Answer::Rows { version, .. } => {
            if reader.nil_if_next().unwrap() {
                Answer::Rows { version: *version, rows: Vec::new() }
            } else {
                let version = reader.i64().unwrap();
                let count = reader.i64().unwrap();
                Answer::Rows { version, rows: (0..count).map(|_| row(reader, &orders[&version], false)).collect() }
            }
        }
        Answer::Keys { version, .. } => {
            if reader.nil_if_next().unwrap() {
                Answer::Keys { version: *version, keys: Vec::new() }
            } else {
                let version = reader.i64().unwrap();
                let columns = orders[&version].iter().filter(|column| column.key).count();

                Answer::Keys { version, keys: (0..reader.i64().unwrap()).map(|_| raw(reader, columns)).collect() }
            }
        }
        Answer::Maps(_) => {
            if reader.nil_if_next().unwrap() {
                Answer::Maps(Vec::new())
            } else {
                let count = reader.array().unwrap();
                Answer::Maps((0..count).map(|_| raw(reader, 1)).collect())
            }
        }
    };
    assert!(reader.is_empty(), "{reply:?} goes on after {answer:?}");
    answer
}

/// The bytes of some values.
fn raw(reader: &mut Reader<'_>, values: usize) -> Vec<u8> {
    let before = reader.rest();
    for _ in 0..values {
        reader.skip().unwrap();
    }
    before[..before.len() - reader.rest().len()].to_vec()
}

fn run(seed: &Seed, bursts: usize, start: impl Fn() -> TestServer, mut disturb: impl FnMut(&mut World)) {
    let mut world = World::new(start(), seed.rng(0));
    for _ in 0..3 {
        for _ in 0..bursts {
            match world.rng.u8(0..40) {
                0 if world.tables.len() < 4 => world.create(),
                1 if world.tables.len() > 1 => world.drop_table(),
                _ => world.burst(),
            }
        }
        world.compare();
        disturb(&mut world);
        world.connect();
        world.compare();
    }
}

fn cases(default: u64) -> impl Iterator<Item = Seed> {
    let first = Seed::new().0;
    (0..number("FLINT_MODEL_CASES", default)).map(move |n| Seed(first.wrapping_add(n)))
}

#[test]
fn in_memory() {
    for seed in cases(40) {
        run(&seed, 40, TestServer::start, |world| world.server.restart().unwrap());
    }
}

#[test]
fn with_a_directory() {
    for seed in cases(6) {
        run(
            &seed,
            25,
            || TestServer::builder().durable().start(),
            |world| match world.rng.u8(0..3) {
                0 => world.server.restart().unwrap(),
                1 => world.server.crash().unwrap(),
                _ => {
                    let (tell, told) = std::sync::mpsc::channel();
                    let handle = world.server.handle().unwrap();
                    handle.with(move |engine| engine.checkpoint(Box::new(move |r| tell.send(r).unwrap()))).unwrap();
                    told.recv().unwrap().unwrap();
                    world.server.crash().unwrap();
                }
            },
        );
    }
}
