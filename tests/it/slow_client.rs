//! Clients that do not read, half-close, or are gone: they wait or end, others do not notice.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::raw::{Raw, frame, settle, tables_get};
use flint::TestServer;
use flint::client::{Client, Column, Table, op};
use flint::op::exec::{Operation, Outcome, Scope, execute};
use flint::op::resolve::Resolver;
use flint::op::tuple::Action;
use flint::store::clock::{Clock, SystemClock};
use flint::store::engine::Engine;
use flint::store::persist::faulty::FaultyFiles;
use flint::store::tx::{Ticket, TxId};
use flint::value::{ColumnType, UNLIMITED, Value};
use smallvec::smallvec;

const TEXT: ColumnType = ColumnType::String { length: UNLIMITED };

fn with_table(server: &TestServer) -> (Client, Table) {
    let id = server.create_table("t", &[Column::key("id", ColumnType::Int64), Column::value("v", TEXT)]).unwrap();
    let mut client = Client::connect(server.addr()).unwrap();
    let table = client.table(id).unwrap();
    (client, table)
}

fn row(id: i64, v: &str) -> Vec<Value<'static>> {
    vec![Value::Int(id), Value::Str(v.to_owned().into())]
}

fn send(client: &mut Client, table: &Table, op: i64, values: &[Value<'_>]) {
    client
        .send(op, |bytes| {
            table.write_head(bytes);
            table.write_values(bytes, values).unwrap();
        })
        .unwrap();
}

#[test]
fn a_client_that_does_not_read_is_not_read() {
    let server = TestServer::builder().limits(|limits| limits.output_bytes = 256 << 10).start();
    let (mut client, table) = with_table(&server);
    table.upsert(&mut client, &row(1, &"x".repeat(100_000))).unwrap();
    let (mut other, _) = (Client::connect(server.addr()).unwrap(), ());
    let seen = server.requests().len();
    const GETS: usize = 1000;
    for _ in 0..GETS {
        send(&mut client, &table, op::GET, &[Value::Int(1)]);
    }
    client.flush().unwrap();
    for _ in 0..50 {
        other.call(op::TABLES_GET, |_| {}).unwrap();
        settle(&server);
    }
    let run = server.requests().len() - seen - 50;
    assert!(run < GETS / 2, "{run} requests were run for a client that reads nothing");
    for _ in 0..GETS {
        assert!(client.receive().unwrap().data().len() > 100_000);
    }
    other.call(op::TABLES_GET, |_| {}).unwrap();
}

#[test]
fn a_half_closed_client_gets_all_its_answers() {
    let server = TestServer::start();
    let mut raw = Raw::draft(server.addr());
    let requests: Vec<u8> = (0..3000u32).flat_map(|n| tables_get((n % 100) as u8)).collect();
    raw.send(&requests);
    raw.end();
    let answers: Vec<u8> = (0..3000u32).flat_map(|n| frame(&[0, (n % 100) as u8, 0, 0x80])).collect();
    assert_eq!(raw.rest(), answers);
}

/// Begins a transaction that has written row 1 of table `t`.
fn lock(engine: &mut Engine) -> TxId {
    let table = engine.catalog().table_by_draft_name("t").cloned().unwrap();
    let values = row(1, "locked").into_iter().map(Some);
    let tuple = Resolver::new(table.newest()).tuple(values, &mut engine.rng).unwrap();
    let tx = engine.begin(false, None);
    let operation = Operation { table, grow: vec![], action: Action::Upsert(smallvec![tuple]) };
    let outcome = execute(engine, Scope::In(tx), Ticket { connection: 0, request: 9 }, operation).unwrap();
    assert!(matches!(outcome, Outcome::Done(_)));
    tx
}

#[test]
fn a_parked_request_is_answered_after_a_half_close() {
    let server = TestServer::start();
    let (mut client, table) = with_table(&server);
    let tx = server.handle().unwrap().with(lock).unwrap();
    send(&mut client, &table, op::UPSERT, &row(1, "parked"));
    send(&mut client, &table, op::UPSERT, &row(2, "not parked"));
    client.flush().unwrap();
    client.stream().shutdown(std::net::Shutdown::Write).unwrap();
    let first = client.receive().unwrap();
    settle(&server);
    assert_eq!(server.rows("t").unwrap(), [row(2, "not parked")]);
    server.handle().unwrap().with(move |engine| engine.commit_transaction(tx)).unwrap().unwrap();
    let second = client.receive().unwrap();
    assert!(second.id < first.id, "the parked one came last");
    assert_eq!(server.rows("t").unwrap(), [row(1, "parked"), row(2, "not parked")]);
    assert!(client.receive().is_err(), "then the connection ends");
}

#[test]
fn a_parked_request_of_a_client_that_is_gone_does_not_hold_others() {
    let server = TestServer::start();
    let (mut client, table) = with_table(&server);
    let tx = server.handle().unwrap().with(lock).unwrap();
    send(&mut client, &table, op::UPSERT, &row(1, "parked"));
    client.flush().unwrap();
    settle(&server);
    drop(client);
    settle(&server);
    server.handle().unwrap().with(move |engine| engine.commit_transaction(tx)).unwrap().unwrap();
    let mut client = Client::connect(server.addr()).unwrap();
    table.upsert(&mut client, &row(1, "next")).unwrap();
    assert_eq!(server.rows("t").unwrap(), [row(1, "next")]);
}

#[test]
fn a_stop_does_not_wait_for_locks() {
    let server = TestServer::start();
    let (mut client, table) = with_table(&server);
    server.handle().unwrap().with(lock).unwrap();
    send(&mut client, &table, op::UPSERT, &row(1, "parked"));
    send(&mut client, &table, op::UPSERT, &row(2, "not parked"));
    client.flush().unwrap();
    client.receive().unwrap();
    let start = SystemClock.now();
    server.stop().unwrap();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let error = client.receive().unwrap().reader().unwrap_err();
    assert!(error.server_message().unwrap().contains("stopping"), "{error}");
    assert!(client.receive().is_err());
}

#[test]
fn requests_wait_while_too_much_waits_for_the_disk() {
    let files = FaultyFiles::new();
    files.delay_syncs(Duration::from_millis(5));
    let server =
        TestServer::builder().files(Arc::new(files)).limits(|limits| limits.log_backlog_bytes = 10_000).start();
    let (mut client, table) = with_table(&server);
    let values: Vec<_> = (0..500).map(|id| row(id, &"x".repeat(1000))).collect();
    for values in &values {
        send(&mut client, &table, op::UPSERT, values);
    }
    client.flush().unwrap();
    for _ in &values {
        client.receive().unwrap().reader().unwrap();
    }
    assert_eq!(server.rows("t").unwrap(), values);
}

#[test]
fn parked_requests_count_as_buffered() {
    let server = TestServer::builder().limits(|limits| limits.output_bytes = 64 << 10).start();
    let (mut client, table) = with_table(&server);
    let tx = server.handle().unwrap().with(lock).unwrap();
    let seen = server.requests().len();
    for _ in 0..1000 {
        send(&mut client, &table, op::UPSERT, &row(1, "parked"));
    }
    client.flush().unwrap();
    for _ in 0..20 {
        settle(&server);
    }
    let run = server.requests().len() - seen;
    assert!(run < 400, "{run} requests are parked");
    server.handle().unwrap().with(move |engine| engine.commit_transaction(tx)).unwrap().unwrap();
    for _ in 0..1000 {
        client.receive().unwrap();
    }
}

#[test]
fn clients_that_are_gone_mid_frame_leave_nothing() {
    let server = TestServer::start();
    for _ in 0..200 {
        let mut raw = Raw::draft(server.addr());
        raw.send(&[&tables_get(1), &[0, 0, 1, 0, 3, 1][..]].concat());
    }
    let mut raw = Raw::draft(server.addr());
    raw.send(&tables_get(2));
    assert_eq!(raw.frame(), [0, 2, 0, 0x80]);
}

#[test]
fn one_busy_client_leaves_room_for_others() {
    let server = TestServer::start();
    let mut busy = Raw::draft(server.addr());
    let requests: Vec<u8> = (0..100_000u32).flat_map(|_| tables_get(1)).collect();
    let mut sender = Raw(busy.0.try_clone().unwrap());
    thread::scope(|scope| {
        let send = scope.spawn(move || sender.send(&requests));
        let read = scope.spawn(move || busy.read(8 * 100_000));
        let mut other = Client::connect(server.addr()).unwrap();
        other.stream().set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        for _ in 0..20 {
            other.call(op::TABLES_GET, |_| {}).unwrap();
        }
        send.join().unwrap();
        read.join().unwrap();
    });
}
