//! The library's client of today's dialect against the real server.

use flint::client::Error;
use flint::client::ga::{Argument, Client, Options, ServerError, SqlOptions, TxOptions};
use flint::fixture::TestServer;
use flint::value::{ColumnType, Decimal, Value};
use flint::wire::msgpack::Reader;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn connected(server: &TestServer) -> Client {
    Client::connect(server.addr()).unwrap()
}

fn run(client: &mut Client, text: &str) -> bool {
    client.sql(text, &[], &SqlOptions::default()).unwrap().was_applied
}

/// The server's error.
fn refused<T>(result: Result<T, Error>) -> ServerError {
    match result {
        Err(Error::Ga(error)) => *error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was accepted"),
    }
}

#[test]
fn connects_with_and_without_credentials() {
    let server = TestServer::builder().user("admin", "s3cret").start();
    let with = |password: &str| {
        let credentials = Some(("admin".into(), password.into()));
        Client::connect_with(server.addr(), &Options { credentials, ..Options::default() })
    };
    let mut client = with("s3cret").unwrap();
    client.heartbeat().unwrap();
    assert_eq!(client.server().version, (3, 1, 0));
    let error = refused(with("guess"));
    assert_eq!((error.code, error.group()), (983_042, "AUTHENTICATION"));
    assert_eq!(refused(Client::connect(server.addr())).code, 983_042);
    drop(server);
    assert!(matches!(client.heartbeat(), Err(Error::Closed)));
}

#[test]
fn an_answer_that_does_not_come_ends_the_wait() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = Options { connect_timeout: Duration::from_millis(50), ..Options::default() };
    let error = Client::connect_with(listener.local_addr().unwrap(), &options).unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
}

#[test]
fn statements_tell_what_they_did() {
    let server = TestServer::start();
    let mut client = connected(&server);
    assert!(run(&mut client, "CREATE TABLE T (ID INT PRIMARY KEY)"));
    assert!(!run(&mut client, "CREATE TABLE IF NOT EXISTS T (ID INT PRIMARY KEY)"));
    client.script("ALTER TABLE T ADD COLUMN V INT; DROP TABLE T;", &[], &SqlOptions::default()).unwrap();
    assert!(client.tables().unwrap().is_empty());

    let description = client.describe("CREATE TABLE T (ID INT PRIMARY KEY)", &SqlOptions::default()).unwrap();
    assert_eq!(description.parameters, []);
    assert_eq!(description.columns.len(), 1);
    let column = &description.columns[0];
    assert_eq!((column.name.as_str(), column.ty(), column.nullable), ("APPLIED", Some(ColumnType::Boolean), false));
}

#[test]
fn errors_are_typed() {
    let server = TestServer::start();
    let mut client = connected(&server);
    let mut failing = |text: &str| refused(client.sql(text, &[], &SqlOptions::default()));
    let error = failing("DROP TABLE NO_SUCH");
    assert_eq!((error.code, error.class.as_str()), (262_148, "org.apache.ignite.sql.SqlException"));
    assert!(error.message.contains("NO_SUCH") && error.to_string().starts_with("IGN-SQL-4: "), "{error}");
    assert_ne!(error.trace_id, 0);
    assert_ne!(error.trace_id, failing("DROP TABLE NO_SUCH").trace_id);
    assert_eq!(failing("CREATE TABLE").code, 262_147);
}

#[test]
fn transactions_are_begun_and_ended() {
    let server = TestServer::start();
    let mut client = connected(&server);
    run(&mut client, "CREATE TABLE T (ID INT PRIMARY KEY, V INT)");
    let mut table = client.table("t").unwrap().unwrap();
    let row = [("ID", Value::Int(1)), ("V", Value::Int(2))];
    let key = &row[..1];

    let tx = client.begin(TxOptions::default()).unwrap();
    table.upsert(&mut client, Some(tx), &row).unwrap();
    client.rollback(tx).unwrap();
    assert_eq!(table.get(&mut client, None, key).unwrap(), None);
    assert_eq!(refused(client.commit(tx)).code, 131_071);

    let tx = client.begin(TxOptions::default()).unwrap();
    table.upsert(&mut client, Some(tx), &row).unwrap();
    client.commit(tx).unwrap();
    assert!(table.get(&mut client, None, key).unwrap().is_some());

    let tx = client.begin(TxOptions { read_only: true, timeout: Some(Duration::from_secs(5)) }).unwrap();
    assert!(table.get(&mut client, Some(tx), key).unwrap().is_some());
    assert_eq!(refused(table.delete(&mut client, Some(tx), key)).code, 458_760);
    client.commit(tx).unwrap();
}

#[test]
fn rows_are_written_and_read_by_column_name() {
    let server = TestServer::start();
    let mut client = connected(&server);
    run(&mut client, "CREATE TABLE \"My t\" (B VARCHAR, ID INT, A DECIMAL(9, 3) DEFAULT 1.5, PRIMARY KEY (ID, B))");
    assert_eq!(client.tables().unwrap()[0].to_string(), "PUBLIC.\"My t\"");
    let mut table = client.table("\"My t\"").unwrap().unwrap();
    assert_eq!(table.key().map(|column| &*column.name).collect::<Vec<_>>(), ["ID", "B"]);
    assert!(client.table("My_t").unwrap().is_none());

    let key = |id: i64| [("ID", Value::Int(id)), ("B", Value::Str("b".into()))];
    assert!(table.insert(&mut client, None, &key(1)).unwrap());
    assert!(!table.insert(&mut client, None, &key(1)).unwrap());
    let row = table.get(&mut client, None, &key(1)).unwrap().unwrap();
    let default = Value::Decimal(Decimal::parse("1.500").unwrap());
    assert_eq!(row.get("A"), Some(&default));
    assert_eq!(row.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["B", "ID", "A"]);

    let rows: Vec<Vec<_>> = (2..5).map(|id| [key(id).to_vec(), vec![("A", Value::Null)]].concat()).collect();
    table.upsert_all(&mut client, None, &rows).unwrap();
    let found = table.get_all(&mut client, None, &[key(4), key(9)]).unwrap();
    assert_eq!(found[0].as_ref().unwrap().get("A"), Some(&Value::Null));
    assert_eq!(found[1], None);
    assert!(table.delete(&mut client, None, &key(4)).unwrap() && !table.delete(&mut client, None, &key(4)).unwrap());

    let wrong = |error: Error, text: &str| assert!(error.to_string().contains(text), "{error}");
    wrong(table.upsert(&mut client, None, &[("X", Value::Int(1))]).unwrap_err(), "no such column: X");
    wrong(table.get(&mut client, None, &[("A", Value::Null)]).unwrap_err(), "no such key column: A");
    wrong(table.upsert(&mut client, None, &[("ID", Value::Bool(true))]).unwrap_err(), "INT32");
    assert_eq!(refused(table.get(&mut client, None, &key(1)[..1])).code, 1_441_793);
}

#[test]
fn a_table_follows_the_schema() {
    let server = TestServer::start();
    let mut client = connected(&server);
    run(&mut client, "CREATE TABLE T (ID INT PRIMARY KEY, V INT)");
    let mut writer = client.table("T").unwrap().unwrap();
    let mut reader = writer.clone();
    run(&mut client, "ALTER TABLE T ADD COLUMN W INT DEFAULT 7");
    writer.upsert(&mut client, None, &[("ID", Value::Int(1))]).unwrap();
    assert_eq!((writer.version, reader.version), (2, 1));
    let row = reader.get(&mut client, None, &[("ID", Value::Int(1))]).unwrap().unwrap();
    assert_eq!((row.get("W"), reader.version), (Some(&Value::Int(7)), 2));
}

#[test]
fn misuse_is_told_before_anything_is_sent() {
    let server = TestServer::start();
    let mut client = connected(&server);
    let tx = client.begin(TxOptions::default()).unwrap();
    let script = client.script("DROP TABLE T", &[], &SqlOptions::default().within(tx));
    assert!(matches!(script, Err(Error::Usage(_))));
    let lists = [vec![Argument::from(1)], vec![]];
    assert!(matches!(client.batch("DELETE FROM T", &lists, &SqlOptions::default()), Err(Error::Usage(_))));
}

/// A server that accepts the handshake and gives the frames that follow to a closure, which answers each.
fn scripted(mut answer: impl FnMut(i64, i64) -> Vec<Vec<u8>> + Send + 'static) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut welcome = vec![3, 0, 0, 0xc0, 0, 0xd8, 3];
        welcome.extend([0; 16]);
        welcome.extend(b"\xa1n\x01\xd8\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xa1c\x01\x03\x01\0\xc0\xc0\xc4\x01\x02\0");
        let send = |stream: &mut TcpStream, payload: &[u8]| {
            stream.write_all(&(payload.len() as u32).to_be_bytes()).unwrap();
            stream.write_all(payload).unwrap();
        };
        let mut magic = [0; 4];
        stream.read_exact(&mut magic).unwrap();
        let next = |stream: &mut TcpStream| {
            let mut length = [0; 4];
            stream.read_exact(&mut length).ok()?;
            let mut payload = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut payload).ok()?;
            Some(payload)
        };
        next(&mut stream).unwrap();
        stream.write_all(b"IGNI").unwrap();
        send(&mut stream, &welcome);
        while let Some(payload) = next(&mut stream) {
            let mut reader = Reader::new(&payload);
            for payload in answer(reader.i64().unwrap(), reader.i64().unwrap()) {
                send(&mut stream, &payload);
            }
        }
    });
    addr
}

const CANCEL: i64 = 70;
const SQL: i64 = 50;

/// The answer that a request succeeded with nothing to say.
fn done(id: i64) -> Vec<u8> {
    vec![id as u8, 0, 0]
}

/// A result of one INT64 column: cursor 5 and the first page, or a later page.
fn page(id: i64, first: bool, rows: std::ops::Range<u8>, more: bool) -> Vec<u8> {
    let mut out = done(id);
    if first {
        out.extend([if more { 5 } else { 0xc0 }, 0xc3, 0xc2 + u8::from(more), 0xc2, 0xff]);
        out.extend(b"\x01\x06\xa1A\xc2\x05\x00\x13\xc2");
    }
    out.push(rows.len() as u8);
    rows.for_each(|row| out.extend([0xc4, 3, 0, 1, row]));
    if !first {
        out.push(0xc2 + u8::from(more));
    }
    out
}

const NEXT: i64 = 51;
const CLOSE: i64 = 52;

#[test]
fn rows_come_page_by_page_and_cursors_are_closed_when_they_are_given_up() {
    let requests = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let mut at = 0;
    let addr = scripted(move |op, id| {
        seen.lock().push(op);
        vec![match op {
            SQL => {
                at = 2;
                page(id, true, 0..2, true)
            }
            NEXT => {
                at += 2;
                page(id, false, at - 2..at.min(5), at < 5)
            }
            _ => done(id),
        }]
    });
    let mut client = Client::connect(addr).unwrap();
    let requests = || std::mem::take(&mut *requests.lock());
    let sql = |client: &mut Client| client.sql("SELECT A FROM T", &[], &SqlOptions::default()).unwrap();

    let result = sql(&mut client);
    assert_eq!(requests(), [SQL], "nothing is fetched before it is asked for");
    let rows: Vec<_> = result.all(&mut client).unwrap().concat();
    assert_eq!(rows, (0..5).map(Value::Int).collect::<Vec<_>>());
    assert_eq!(requests(), [NEXT, NEXT], "the server has closed the cursor itself");

    let mut rows = sql(&mut client).rows(&mut client);
    assert_eq!(rows.by_ref().take(3).count(), 3);
    drop(rows);
    assert_eq!(requests(), [SQL, NEXT, CLOSE]);

    sql(&mut client).close(&mut client).unwrap();
    let mut result = sql(&mut client);
    while result.next_page(&mut client).unwrap().is_some() {}
    result.close(&mut client).unwrap();
    assert_eq!(requests(), [SQL, CLOSE, SQL, NEXT, NEXT]);
}

#[test]
fn an_interrupted_statement_is_cancelled_and_the_connection_goes_on() {
    let flag = Arc::new(AtomicBool::new(false));
    let raise = Arc::clone(&flag);
    let mut running = 0;
    let addr = scripted(move |op, id| match op {
        SQL => {
            running = id;
            raise.store(true, Ordering::Relaxed);
            Vec::new()
        }
        CANCEL => {
            let mut error = vec![running as u8, 4, 0, 0xc0, 0xce, 0, 4, 0, 6];
            error.extend(b"\xa1C\xa9cancelled\xc0\xc0");
            vec![done(id), error]
        }
        _ => vec![done(id)],
    });
    let options = Options { interrupt: Some(Arc::clone(&flag)), ..Options::default() };
    let mut client = Client::connect_with(addr, &options).unwrap();
    let error = refused(client.sql("SELECT 1", &[], &SqlOptions::default()));
    assert_eq!((error.number(), error.message.as_str()), (6, "cancelled"));
    client.heartbeat().unwrap();
    flag.store(true, Ordering::Relaxed);
    assert!(matches!(client.heartbeat(), Err(Error::Interrupted)));
    client.heartbeat().unwrap();
}

#[test]
fn a_second_interrupt_gives_the_answer_up() {
    let flag = Arc::new(AtomicBool::new(false));
    let raise = Arc::clone(&flag);
    let mut late = None;
    let addr = scripted(move |op, id| match op {
        SQL | CANCEL => {
            late.get_or_insert(id);
            raise.store(true, Ordering::Relaxed);
            Vec::new()
        }
        // What was given up comes after all.
        _ => late.take().into_iter().chain([id]).map(done).collect(),
    });
    let options = Options { interrupt: Some(flag), ..Options::default() };
    let mut client = Client::connect_with(addr, &options).unwrap();
    let error = client.sql("SELECT 1", &[], &SqlOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    client.heartbeat().unwrap();
}
