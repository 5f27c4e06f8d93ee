//! A request from its frame to its answer's frame, without a socket: what is left of the server when the kernel is gone.

#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use criterion::{Criterion, criterion_group, criterion_main};
use flint::config::Limits;
use flint::door::igni::{Services, Session};
use flint::door::{ConnId, Output};
use flint::store::clock::SystemClock;
use flint::store::database::Database;
use flint::store::engine::Engine;
use flint::wire::frame::HEADER_BYTES;
use flint::wire::msgpack::{Reader, Write};
use std::net::SocketAddr;
use std::sync::Arc;

const TABLE_CREATE: i64 = 1;
const UPSERT: i64 = 10;
const GET: i64 = 12;
const INT64: i64 = 4;
const BYTES: i64 = 10;

struct Connection {
    engine: Engine,
    session: Session,
    output: Output,
}

impl Connection {
    fn open() -> Self {
        let rng = fastrand::Rng::with_seed(1);
        let engine = Engine::new(Database::new(), None, u64::MAX, Limits::default(), Arc::new(SystemClock), rng);
        let session = Session::new(ConnId(1), SocketAddr::from(([127, 0, 0, 1], 1)), Services::default());
        let mut connection = Self { engine, session, output: Output::default() };
        connection.run(&[3, 0, 0, 2, 0xc4, 0, 0x80]);
        connection
    }

    /// Runs a payload and returns the size of its answer.
    fn run(&mut self, payload: &[u8]) -> usize {
        self.session.frame(&mut self.engine, payload, &mut self.output);
        self.output.seal();
        let bytes = self.output.len();
        self.output.sent(bytes);
        bytes
    }

    /// Creates a table with an INT64 key and a BYTES value, and returns its id.
    fn table(&mut self) -> Vec<u8> {
        let mut payload = vec![TABLE_CREATE as u8, 1];
        payload.put_str("bench");
        payload.put_map(1);
        payload.put_str("columns");
        payload.put_array(2);
        for (name, ty, is_key) in [("id", INT64, true), ("val", BYTES, false)] {
            payload.put_array(4);
            payload.put_str(name);
            payload.put_int(ty);
            payload.put_bool(is_key);
            payload.put_bool(!is_key);
        }
        self.session.frame(&mut self.engine, &payload, &mut self.output);
        self.output.seal();
        let answer = self.output.sendable(u64::MAX).to_vec();
        self.output.sent(answer.len());
        // The answer's head is three small integers.
        let mut reader = Reader::new(&answer[HEADER_BYTES + 3..]);
        reader.ext().unwrap().1.to_vec()
    }
}

/// A request for one key, which stands in 8 bytes at the returned place.
fn request(op: i64, table: &[u8], value: Option<&[u8]>) -> (Vec<u8>, usize) {
    let mut payload = vec![op as u8, 1];
    payload.put_ext(9, table);
    payload.put_int(1);
    payload.push(0xcf);
    let at = payload.len();
    payload.extend_from_slice(&[0; 8]);
    if let Some(value) = value {
        payload.put_bin(value);
    }
    (payload, at)
}

fn draft(c: &mut Criterion) {
    for (name, rows) in [("1k", 1_000_u64), ("100k", 100_000)] {
        let mut connection = Connection::open();
        let table = connection.table();
        let (mut upsert, at) = request(UPSERT, &table, Some(&[7; 100]));
        for key in 0..rows {
            upsert[at..at + 8].copy_from_slice(&key.to_be_bytes());
            connection.run(&upsert);
        }
        let mut rng = fastrand::Rng::with_seed(1);
        let (mut get, at) = request(GET, &table, None);
        for (op, payload) in [("get", &mut get), ("upsert", &mut upsert)] {
            c.bench_function(&format!("draft/{op}, {name} rows"), |b| {
                b.iter(|| {
                    payload[at..at + 8].copy_from_slice(&rng.u64(..rows).to_be_bytes());
                    connection.run(payload)
                });
            });
        }
    }
}

criterion_group!(benches, draft);
criterion_main!(benches);
