//! What the fuzz targets share: a small server without sockets, and its tables.

use flint::config::Limits;
use flint::door::igni::{Services, Session};
use flint::door::{ConnId, Output};
use flint::store::catalog::{Change, NewTable};
use flint::store::clock::ManualClock;
use flint::store::column::{Column, Default};
use flint::store::database::Database;
use flint::store::engine::Engine;
use flint::value::{ColumnType, UNLIMITED};
use std::net::SocketAddr;
use std::sync::Arc;

/// The draft id of the first table, as the seeds name it.
pub const TABLE_UUID: u128 = 0x0a46_5f9c_b2f2_49b1_98f1_420c_b171_3178;
/// Bytes an answer may take in one run: far above what a request of a few kilobytes explains.
const OUTPUT_BYTES_MAX: usize = 64 << 20;

/// Every type a column can have.
pub const TYPES: &[ColumnType] = &[
    ColumnType::Boolean,
    ColumnType::Int8,
    ColumnType::Int16,
    ColumnType::Int32,
    ColumnType::Int64,
    ColumnType::Float,
    ColumnType::Double,
    ColumnType::Decimal { precision: 20, scale: 3 },
    ColumnType::Number { precision: UNLIMITED },
    ColumnType::Date,
    ColumnType::Time { precision: 3 },
    ColumnType::Datetime { precision: 6 },
    ColumnType::Timestamp { precision: 0 },
    ColumnType::Uuid,
    ColumnType::String { length: 8 },
    ColumnType::Bytes { length: 8 },
    ColumnType::Bitmask { bits: 12 },
];

/// A column; outside the key it takes nulls.
pub fn column(id: i64, name: &str, ty: ColumnType, key: Option<u16>) -> Column {
    Column {
        id,
        name: name.into(),
        ty,
        nullable: key.is_none(),
        default: Default::None,
        filler: None,
        key,
        colocation: None,
    }
}

/// An engine in memory with tables 18 (key and text, live), 19 (every type) and 20 (a key of three columns).
pub fn engine() -> Engine {
    let rng = fastrand::Rng::with_seed(1);
    let clock = Arc::new(ManualClock::default());
    let mut engine = Engine::new(Database::new(), None, 64 << 20, Limits::default(), clock, rng);
    let text = ColumnType::String { length: UNLIMITED };
    let all = std::iter::once(column(1, "id", ColumnType::Int64, Some(0)));
    let all = all.chain((2..).zip(TYPES).map(|(id, ty)| column(id, &format!("c{id}"), *ty, None))).collect();
    let tables = [
        vec![column(1, "id", ColumnType::Int64, Some(0)), column(2, "name", text, None)],
        all,
        vec![
            column(1, "v", text, None),
            column(2, "a", text, Some(2)),
            column(3, "b", ColumnType::Decimal { precision: 20, scale: 3 }, Some(0)),
            column(4, "c", ColumnType::Double, Some(1)),
        ],
    ];
    for (id, columns) in (18..).zip(tables) {
        let name: Arc<str> = format!("T{id}").into();
        let new = NewTable {
            id,
            uuid: TABLE_UUID + u128::from(id - 18),
            schema_name: "PUBLIC".into(),
            name: Arc::clone(&name),
            draft_name: name,
            live: id == 18,
            options: std::default::Default::default(),
            columns,
        };
        engine.change(&Change::CreateTable(Box::new(new))).expect("the catalog is empty");
    }
    engine
}

/// Feeds frames to a session: `hello`, then those of `data`, each after its length in two bytes.
pub fn converse(hello: &[u8], data: &[u8]) {
    let mut engine = engine();
    let mut session = Session::new(ConnId(1), SocketAddr::from(([127, 0, 0, 1], 10800)), Services::default());
    let mut out = Output::default();
    if !hello.is_empty() {
        session.frame(&mut engine, hello, &mut out);
    }
    for frame in frames(data) {
        session.frame(&mut engine, frame, &mut out);
        assert!(out.len() < OUTPUT_BYTES_MAX, "an answer of {} bytes", out.len());
        out.sent(out.len());
    }
    session.closed(&mut engine);
    assert!(engine.locks.is_empty() && engine.transactions.is_empty(), "a closed connection left something behind");
}

/// The frames of an input, each after its length in two bytes.
pub fn frames(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (head, rest) = data.split_first_chunk::<2>()?;
        let (frame, rest) = rest.split_at(usize::from(u16::from_be_bytes(*head)).min(rest.len()));
        data = rest;
        Some(frame)
    })
}
