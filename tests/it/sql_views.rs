//! What the system views tell of a server at work, and KILL. Needs feature `sql`.

use flint::TestServer;
use flint::client::ga::{Client, SqlOptions, TxOptions};
use flint::value::Value;
use std::net::SocketAddr;
use std::thread;

/// A query that does not end by itself.
const ENDLESS: &str = "SELECT COUNT(*) FROM TABLE(SYSTEM_RANGE(1, 1000000000)) A, TABLE(SYSTEM_RANGE(1, 1000000000)) B \
                       WHERE A.X + B.X = -1";

fn rows(client: &mut Client, text: &str) -> Vec<String> {
    let result = client.sql(text, &[], &SqlOptions::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
    let shown = |value: &Value<'_>| match value {
        Value::Str(text) => text.to_string(),
        other => other.to_string(),
    };
    let rows = result.all(client).unwrap_or_else(|e| panic!("{text}: {e}"));
    rows.iter().map(|row| row.iter().map(shown).collect::<Vec<_>>().join(" ")).collect()
}

fn kill(client: &mut Client, what: &str, id: &str) -> bool {
    client.sql(&format!("KILL {what} '{id}'"), &[], &SqlOptions::default()).unwrap().was_applied
}

/// The id of the one query that runs and whose text begins so, once it runs.
fn running(client: &mut Client, text: &str) -> String {
    let query = format!("SELECT QUERY_ID FROM SYSTEM.SQL_QUERIES WHERE SQL LIKE '{text}%'");
    loop {
        if let Some(id) = rows(client, &query).pop() {
            return id;
        }
        thread::yield_now();
    }
}

fn spawn(addr: SocketAddr, text: &'static str) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut client = Client::connect(addr).unwrap();
        match client.sql(text, &[], &SqlOptions::default()).and_then(|result| result.all(&mut client)) {
            Ok(rows) => panic!("{rows:?}"),
            Err(error) => error.to_string(),
        }
    })
}

#[test]
fn transactions_and_locks_show_until_they_end() {
    let server = TestServer::start();
    server.sql("CREATE TABLE T (ID INT PRIMARY KEY, V INT); INSERT INTO T VALUES (1, 1)").unwrap();
    let mut client = Client::connect(server.addr()).unwrap();
    let mut other = Client::connect(server.addr()).unwrap();
    let writer = client.begin(TxOptions::default()).unwrap();
    let reader = client.begin(TxOptions { read_only: true, ..TxOptions::default() }).unwrap();
    client.sql("UPDATE T SET V = 2 WHERE ID = 1", &[], &SqlOptions::default().within(writer)).unwrap();
    let open = "SELECT TRANSACTION_TYPE, STATE, START_TIME > TIMESTAMP WITH LOCAL TIME ZONE '2024-01-01 00:00:00' \
                FROM SYSTEM.TRANSACTIONS ORDER BY 1";
    assert_eq!(rows(&mut other, open), ["READ_ONLY PENDING true", "READ_WRITE PENDING true"]);
    let locks = "SELECT LOCK_MODE FROM SYSTEM.LOCKS L JOIN SYSTEM.TRANSACTIONS T ON L.TX_ID = T.ID";
    assert_eq!(rows(&mut other, locks), ["X"]);
    client.rollback(reader).unwrap();
    let id = rows(&mut other, "SELECT ID FROM SYSTEM.TRANSACTIONS").pop().unwrap();
    assert!(kill(&mut other, "TRANSACTION", &id) && !kill(&mut other, "TRANSACTION", &id));
    assert_eq!(
        rows(&mut other, "SELECT (SELECT COUNT(*) FROM SYSTEM.LOCKS) + COUNT(*) FROM SYSTEM.TRANSACTIONS"),
        ["0"]
    );
    assert!(client.sql("SELECT 1", &[], &SqlOptions::default().within(writer)).is_err());
    assert_eq!(rows(&mut other, "SELECT V FROM T"), ["1"]);
}

#[test]
fn a_query_shows_while_it_runs_and_is_killed_by_its_id() {
    let server = TestServer::start();
    let mut client = Client::connect(server.addr()).unwrap();
    let endless = spawn(server.addr(), ENDLESS);
    let id = running(&mut client, "SELECT COUNT");
    assert!(kill(&mut client, "QUERY", &id));
    assert!(endless.join().unwrap().contains("The query was cancelled while executing."));
    // Only whoever asks is left.
    assert_eq!(rows(&mut client, "SELECT SQL FROM SYSTEM.SQL_QUERIES"), ["SELECT SQL FROM SYSTEM.SQL_QUERIES"]);
    assert!(!kill(&mut client, "QUERY", &id));
}

#[test]
fn a_cursor_that_nobody_reads_is_a_running_query() {
    let server = TestServer::start();
    let mut client = Client::connect(server.addr()).unwrap();
    let mut other = Client::connect(server.addr()).unwrap();
    let options = SqlOptions { page_size: Some(10), ..SqlOptions::default() };
    let mut result = client.sql("SELECT X FROM TABLE(SYSTEM_RANGE(1, 100000000))", &[], &options).unwrap();
    assert_eq!(result.next_page(&mut client).unwrap().map(|page| page.len()), Some(10));
    let id = running(&mut other, "SELECT X");
    assert!(kill(&mut other, "QUERY", &id));
    // A page or two had been made before.
    let error = result.all(&mut client).unwrap_err();
    assert!(error.to_string().contains("The query was cancelled while executing."), "{error}");
}
