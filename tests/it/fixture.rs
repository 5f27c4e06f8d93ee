//! What `TestServer` promises to the tests of its users.

use std::fs;
use std::time::Duration;

use flint::TestServer;
use flint::client::{Client, Column, Error, Table, op};
use flint::error::Kind;
use flint::fixture::Fault;
use flint::store::clock::{Clock, SystemClock};
use flint::value::{ColumnType, UNLIMITED, Value};

const TEXT: ColumnType = ColumnType::String { length: UNLIMITED };

fn row(id: i64, name: &str) -> Vec<Value<'static>> {
    vec![Value::Int(id), Value::Str(name.to_owned().into())]
}

fn key(id: i64) -> Vec<Value<'static>> {
    vec![Value::Int(id)]
}

fn with_table(server: &TestServer) -> (Client, Table) {
    let id = server.create_table("city", &[Column::key("id", ColumnType::Int64), Column::value("name", TEXT)]).unwrap();
    let mut client = Client::connect(server.addr()).unwrap();
    let table = client.table(id).unwrap();
    (client, table)
}

fn start() -> (TestServer, Client, Table) {
    let server = TestServer::start();
    let (client, table) = with_table(&server);
    (server, client, table)
}

#[test]
fn rows_are_the_same_with_and_without_the_wire() {
    let (server, mut client, city) = start();
    server.put("city", &row(2, "Bergen")).unwrap();
    city.upsert(&mut client, &row(1, "Oslo")).unwrap();
    assert_eq!(server.rows("city").unwrap(), [row(1, "Oslo"), row(2, "Bergen")]);
    assert_eq!(city.get(&mut client, &key(2)).unwrap(), Some(vec![Value::Str("Bergen".into())]));
    assert_eq!(server.rows("town").unwrap_err().kind, Kind::TableNotFound);
    assert_eq!(server.put("city", &key(1)).unwrap_err().kind, Kind::InvalidArgument);
}

#[test]
fn servers_in_one_process_share_nothing() {
    let (a, mut client, city) = start();
    let (b, _, _) = start();
    city.upsert(&mut client, &row(1, "Oslo")).unwrap();
    assert_ne!(a.addr(), b.addr());
    assert_eq!((a.rows("city").unwrap().len(), b.rows("city").unwrap().len()), (1, 0));
}

#[test]
fn a_restart_keeps_rows_and_address() {
    for durable in [false, true] {
        let builder = TestServer::builder();
        let mut server = if durable { builder.durable() } else { builder }.start();
        let (mut client, city) = with_table(&server);
        city.upsert(&mut client, &row(1, "Oslo")).unwrap();
        let addr = server.addr();
        server.restart().unwrap();
        assert!(city.get(&mut client, &key(1)).is_err(), "the connection is lost");
        let mut client = Client::connect(addr).unwrap();
        assert_eq!(city.get(&mut client, &key(1)).unwrap(), Some(vec![Value::Str("Oslo".into())]));
        assert_eq!(server.rows("city").unwrap(), [row(1, "Oslo")]);
    }
}

#[test]
fn a_crash_keeps_what_was_acknowledged_as_durable() {
    let mut server = TestServer::builder().durable().start();
    let (mut client, city) = with_table(&server);
    for id in 0..20 {
        city.upsert(&mut client, &row(id, "kept")).unwrap();
        if id % 5 == 0 {
            server.crash().unwrap();
            client = Client::connect(server.addr()).unwrap();
        }
    }
    assert_eq!(server.rows("city").unwrap().len(), 20);

    let (mut server, mut client, city) = start();
    city.upsert(&mut client, &row(1, "in memory")).unwrap();
    server.crash().unwrap();
    assert_eq!(server.rows("city").unwrap_err().kind, Kind::TableNotFound);
}

#[test]
fn a_directory_that_goes_with_the_server_is_removed() {
    let server = TestServer::builder().durable().start();
    let (mut client, city) = with_table(&server);
    city.upsert(&mut client, &row(1, "Oslo")).unwrap();
    drop(server);
    let kept = tempfile::tempdir().unwrap();
    drop(TestServer::builder().data_dir(kept.path().join("data")).start());
    assert!(kept.path().join("data").is_dir());
}

#[test]
fn faults_happen_to_the_request_they_were_set_for() {
    let (server, mut client, city) = start();
    city.upsert(&mut client, &row(0, "before")).unwrap();

    server.faults().on(2, Fault::Error(flint::Error::new(Kind::Internal, "as asked")));
    city.upsert(&mut client, &row(1, "runs")).unwrap();
    let error = city.upsert(&mut client, &row(2, "does not run")).unwrap_err();
    assert!(error.server_message().unwrap().contains("as asked"), "{error}");
    city.upsert(&mut client, &row(3, "runs")).unwrap();

    server.faults().on(1, Fault::DropBefore);
    assert!(city.upsert(&mut client, &row(4, "does not run")).is_err());
    let mut client = Client::connect(server.addr()).unwrap();
    server.faults().on(1, Fault::DropAfter);
    assert!(city.upsert(&mut client, &row(5, "runs")).is_err());
    let mut client = Client::connect(server.addr()).unwrap();
    server.faults().on(1, Fault::Truncate(5));
    assert!(city.upsert(&mut client, &row(6, "runs")).is_err());

    let ids: Vec<_> = server.rows("city").unwrap().into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(ids, [0, 1, 3, 5, 6].map(Value::Int));
}

#[test]
fn a_truncated_answer_ends_after_the_given_bytes() {
    let (server, mut client, _) = start();
    let mut stream = client.stream().try_clone().unwrap();
    server.faults().on(1, Fault::Truncate(6));
    client.send(op::TABLES_GET, |_| {}).unwrap();
    client.flush().unwrap();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut rest).unwrap();
    assert_eq!(rest.len(), 6);
}

#[test]
fn connections_are_refused_while_asked_for() {
    let server = TestServer::start();
    server.faults().refuse_connections(true);
    assert!(Client::connect(server.addr()).is_err());
    server.faults().clear();
    Client::connect(server.addr()).unwrap();
}

#[test]
fn an_answer_is_delayed_by_the_clock() {
    let server = TestServer::builder().stopped_clock().start();
    let (mut client, city) = with_table(&server);
    server.faults().on(1, Fault::Delay(Duration::from_secs(3600)));
    client.stream().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut watch = client.stream().try_clone().unwrap();
    city.send_upsert(&mut client, &row(1, "late"));
    let mut byte = [0];
    assert!(std::io::Read::read(&mut watch, &mut byte).is_err(), "nothing came");
    server.advance(Duration::from_secs(3600)).unwrap();
    watch.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(std::io::Read::read(&mut watch, &mut byte).unwrap(), 1);
}

/// Sends without waiting.
trait SendUpsert {
    fn send_upsert(&self, client: &mut Client, row: &[Value<'_>]);
}

impl SendUpsert for Table {
    fn send_upsert(&self, client: &mut Client, row: &[Value<'_>]) {
        client
            .send(op::UPSERT, |bytes| {
                self.write_head(bytes);
                self.write_values(bytes, row).unwrap();
            })
            .unwrap();
        client.flush().unwrap();
    }
}

#[test]
fn a_handshake_that_does_not_come_is_not_waited_for() {
    let server = TestServer::builder().stopped_clock().start();
    let mut silent = std::net::TcpStream::connect(server.addr()).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut client = Client::connect(server.addr()).unwrap();
    server.advance(Duration::from_secs(10)).unwrap();
    assert_eq!(std::io::Read::read(&mut silent, &mut [0]).unwrap(), 0);
    client.call(op::TABLES_GET, |_| {}).unwrap();
}

#[test]
fn requests_are_seen_as_the_server_decoded_them() {
    let (server, mut client, city) = start();
    city.upsert(&mut client, &row(1, "Oslo")).unwrap();
    city.get(&mut client, &key(1)).unwrap();
    let requests = server.requests();
    let names: Vec<_> = requests.iter().map(|request| request.name.as_str()).collect();
    assert_eq!(names, ["SCHEMAS_GET", "TUPLE_UPSERT", "TUPLE_GET"]);
    assert!(requests[1].text.contains("\"Oslo\""), "{}", requests[1].text);
    assert_eq!(requests[2].id, requests[1].id + 1);
}

#[test]
fn a_trace_holds_what_was_and_what_comes() {
    let (server, mut client, city) = start();
    city.upsert(&mut client, &row(1, "Oslo")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trace");
    server.trace(&path).unwrap();
    city.get(&mut client, &key(1)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    for unit in ["> magic", "> handshake", "< handshake", "> TUPLE_UPSERT", "> TUPLE_GET", "< TUPLE_GET"] {
        assert!(text.contains(unit), "{unit} is missing in\n{text}");
    }
}

#[test]
fn starting_and_stopping_take_no_time() {
    let start = SystemClock.now();
    for _ in 0..10 {
        let server = TestServer::start();
        let _client = Client::connect(server.addr()).unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_client_error_tells_what_the_server_said() {
    let (_server, mut client, _) = start();
    match client.call(99, |_| {}) {
        Err(error @ Error::Server { .. }) => assert!(error.server_message().unwrap().contains("99")),
        other => panic!("{other:?}"),
    }
}
