//! GA clients without sockets: frames go straight to the door, over an engine in memory whose clock the test moves.

use flint::config::Limits;
use flint::door::igni::Services;
use flint::door::igni::ga::Ga;
use flint::door::igni::handshake::Request;
use flint::door::{ConnId, Flow, Output};
use flint::op::ddl;
use flint::sql::Service;
use flint::store::clock::{Clock, ManualClock};
use flint::store::database::Database;
use flint::store::engine::Engine;
use flint::store::tx::Ticket;
use flint::value::{ColumnType, Value};
use flint::wire::binary_tuple::Builder;
use flint::wire::msgpack::{Reader, Write};
use parking_lot::Mutex;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// The first frame of Ignite's Java client 3.1.0.
pub const HELLO: &[u8] = &[3, 0, 0, 2, 0xc4, 2, 0xcf, 0x0f, 0];
/// That of 3.0.0, which names no features.
pub const HELLO_3_0_0: &[u8] = &[3, 0, 0, 2, 0xc4, 0, 0];

/// An engine and its clients.
pub struct World {
    pub engine: Engine,
    clock: Arc<ManualClock>,
    clients: Vec<Client>,
    services: Services,
    /// Statements that can go on.
    woken: mpsc::Receiver<Ticket>,
}

struct Client {
    ga: Ga,
    connection: u64,
    out: Output,
    parked: Vec<(i64, Vec<u8>)>,
    next_request: i64,
    replies: Vec<Reply>,
}

/// A decoded answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub id: i64,
    pub flags: i64,
    pub timestamp: i64,
    pub body: Vec<u8>,
}

/// Operations that run statements, which other threads do.
const STATEMENTS: &[i64] = &[34, 35, 36, 46, 50, 51, 56, 57, 58, 63];

/// A decoded error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    pub code: i64,
    pub class: String,
    pub message: String,
    pub expected_version: Option<i64>,
}

impl World {
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        let clock = Arc::new(ManualClock::stopped());
        let passed = Arc::clone(&clock) as Arc<dyn Clock>;
        let engine = Engine::new(Database::new(), None, u64::MAX, limits, passed, fastrand::Rng::with_seed(7));
        let (wake, woken) = mpsc::channel();
        let wake = Mutex::new(wake);
        let wake = move |ticket| {
            // Nobody listens any more when the world has ended.
            let _ = wake.lock().send(ticket);
        };
        let sql = Service::new(64 << 20, Arc::new(wake));
        let services = Services { sql: Arc::new(sql), ..Services::default() };
        Self { engine, clock, clients: Vec::new(), services, woken }
    }

    /// A world with one client, after a script of DDL.
    pub fn with_tables(script: &str) -> Self {
        let mut world = Self::new();
        world.sql(script);
        world.connect();
        world
    }

    pub fn sql(&mut self, script: &str) {
        ddl::run_script(&mut self.engine, script).unwrap();
    }

    /// A new client, by number.
    pub fn connect(&mut self) -> usize {
        self.connect_with(HELLO)
    }

    /// The same with a first frame of its own.
    pub fn connect_with(&mut self, hello: &[u8]) -> usize {
        let connection = self.clients.len() as u64 + 1;
        let mut out = Output::default();
        let request = Request::parse(hello).unwrap();
        let address = ([127, 0, 0, 1], 10800).into();
        let sql = Arc::clone(&self.services.sql);
        let ga = Ga::greet(&mut self.engine, ConnId(connection), address, None, sql, &request, &mut out);
        let len = out.len();
        out.sent(len);
        self.clients.push(Client { ga, connection, out, parked: Vec::new(), next_request: 1, replies: Vec::new() });
        self.clients.len() - 1
    }

    /// Hands a frame to the door, then runs again what it woke, as the event loop does.
    pub fn frame(&mut self, client: usize, frame: &[u8]) -> Flow {
        let before = self.clients[client].replies.len();
        let flow = self.run(client, frame);
        self.settle();
        let mut reader = Reader::new(frame);
        if let (Ok(op), Ok(request)) = (reader.i64(), reader.i64())
            && STATEMENTS.contains(&op)
        {
            let waits = |c: &Client| c.replies.len() == before && c.parked.iter().any(|(id, _)| *id == request);
            while waits(&self.clients[client]) {
                // One that waits for a lock waits for what the test does next.
                let connection = self.clients[client].connection;
                if self.engine.transactions.waiting_of(connection).iter().any(|ticket| ticket.request == request) {
                    break;
                }
                let Ok(ticket) = self.woken.recv_timeout(Duration::from_secs(20)) else { break };
                self.engine.wake(ticket);
                self.settle();
            }
        }
        flow
    }

    fn run(&mut self, client: usize, frame: &[u8]) -> Flow {
        let Client { ga, out, parked, replies, .. } = &mut self.clients[client];
        let flow = ga.frame(&mut self.engine, frame, out);
        out.seal();
        if flow == Flow::Park {
            let mut reader = Reader::new(frame);
            let _code = reader.i64().unwrap();
            parked.push((reader.i64().unwrap(), frame.to_vec()));
        }
        let mut bytes = out.sendable(u64::MAX).to_vec();
        out.sent(bytes.len());
        while !bytes.is_empty() {
            let length = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
            replies.push(Reply::read(&bytes[4..4 + length]));
            bytes.drain(..4 + length);
        }
        flow
    }

    fn settle(&mut self) {
        loop {
            let woken = self.engine.take_woken();
            if woken.is_empty() {
                return;
            }
            for ticket in woken {
                let Some(client) = self.clients.iter().position(|c| c.connection == ticket.connection) else {
                    continue;
                };
                let parked = &mut self.clients[client].parked;
                let frames: Vec<_> = parked.extract_if(.., |(id, _)| *id == ticket.request).collect();
                for (_, frame) in frames {
                    self.run(client, &frame);
                }
            }
        }
    }

    /// Sends a request whose answer may be late; returns its id.
    pub fn send(&mut self, client: usize, op: u8, body: impl FnOnce(&mut Vec<u8>)) -> i64 {
        let id = self.clients[client].next_request;
        self.clients[client].next_request += 1;
        let mut frame = Vec::new();
        frame.put_int(op.into());
        frame.put_int(id);
        body(&mut frame);
        let flow = self.frame(client, &frame);
        assert_ne!(flow, Flow::Close);
        id
    }

    /// The answer to a request, if there is one already.
    pub fn take(&mut self, client: usize, id: i64) -> Option<Reply> {
        let replies = &mut self.clients[client].replies;
        let place = replies.iter().position(|r| r.id == id)?;
        Some(replies.remove(place))
    }

    /// Sends a request that is answered at once.
    pub fn call(&mut self, client: usize, op: u8, body: impl FnOnce(&mut Vec<u8>)) -> Reply {
        let id = self.send(client, op, body);
        self.take(client, id).unwrap_or_else(|| panic!("op {op} waits"))
    }

    /// Sends a request that succeeds at once; its body.
    pub fn ok(&mut self, client: usize, op: u8, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        self.call(client, op, body).ok()
    }

    /// Sends a request that fails at once.
    pub fn err(&mut self, client: usize, op: u8, body: impl FnOnce(&mut Vec<u8>)) -> WireError {
        self.call(client, op, body).error()
    }

    /// All answers that have arrived and were not taken.
    pub fn drain(&mut self, client: usize) -> Vec<Reply> {
        std::mem::take(&mut self.clients[client].replies)
    }

    pub fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.engine.tick(self.clock.now());
        self.settle();
    }

    pub fn close(&mut self, client: usize) {
        let Client { ga, parked, .. } = &mut self.clients[client];
        parked.clear();
        ga.closed(&mut self.engine);
        self.settle();
    }

    /// The id of a table.
    pub fn table(&self, name: &str) -> u32 {
        self.engine.catalog().table_by_name("PUBLIC", name).unwrap_or_else(|| panic!("no table {name}")).id
    }
}

impl Reply {
    pub fn read(payload: &[u8]) -> Self {
        let mut reader = Reader::new(payload);
        let (id, flags) = (reader.i64().unwrap(), reader.i64().unwrap());
        if flags & 1 != 0 {
            reader.i64().unwrap();
        }
        let timestamp = reader.i64().unwrap();
        Self { id, flags, timestamp, body: reader.rest().to_vec() }
    }

    pub fn ok(self) -> Vec<u8> {
        assert_eq!(self.flags, 0, "{:?}", self.error());
        self.body
    }

    pub fn error(&self) -> WireError {
        assert_eq!(self.flags, 4, "{:02x?}", self.body);
        WireError::read(&mut Reader::new(&self.body))
    }
}

impl WireError {
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let (kind, id) = reader.ext().unwrap();
        assert_eq!((kind, id.len()), (3, 16));
        let code = reader.i64().unwrap();
        let class = reader.str().unwrap().to_owned();
        let message = reader.str().unwrap().to_owned();
        if !reader.nil_if_next().unwrap() {
            reader.str().unwrap();
        }
        let mut expected_version = None;
        if !reader.nil_if_next().unwrap() {
            assert_eq!(reader.i64().unwrap(), 1);
            match reader.str().unwrap() {
                "expected-schema-ver" => expected_version = Some(reader.i64().unwrap()),
                "sql-update-counters" => {
                    for _count in 0..reader.i64().unwrap() {
                        reader.i64().unwrap();
                    }
                }
                other => panic!("{other}"),
            }
        }
        assert!(reader.is_empty());
        Self { code, class, message, expected_version }
    }
}

/// A binary tuple of values of these types.
pub fn tuple(values: &[(ColumnType, Value<'_>)]) -> Vec<u8> {
    let mut builder = Builder::new();
    for (ty, value) in values {
        match value {
            Value::Null => builder.push_null(),
            value => builder.push(value, *ty),
        }
    }
    builder.build()
}

/// Appends table, transaction and schema version.
pub fn put_header(out: &mut Vec<u8>, table: u32, tx: Option<i64>, version: i64) {
    out.put_int(table.into());
    match tx {
        Some(id) => out.put_int(id),
        None => out.put_nil(),
    }
    out.put_int(version);
}

/// Appends a tuple whose caller named a value for every column.
pub fn put_tuple(out: &mut Vec<u8>, tuple: &[u8]) {
    put_partial(out, &[], tuple);
}

/// Appends a tuple with columns that the caller named no value for.
pub fn put_partial(out: &mut Vec<u8>, no_value: &[u8], tuple: &[u8]) {
    out.put_ext(8, no_value);
    out.put_bin(tuple);
}
