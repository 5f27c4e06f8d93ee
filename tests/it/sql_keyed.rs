//! SQL statements that name the whole keys of their rows: they run in every build, and as the table operations they are.

use crate::ga_support::World;
use flint::TestServer;
use flint::client::ga::{Argument, Client, SqlOptions, TxOptions};
use flint::value::{ColumnType, Value};
use flint::wire::msgpack::{Reader, Write};

const KV: &str = "CREATE TABLE KV (ID INT PRIMARY KEY, V VARCHAR, N INT DEFAULT 7)";

fn sql(client: &mut Client, text: &str, options: &SqlOptions) -> Result<String, String> {
    let result = client.sql(text, &[], options).map_err(|e| e.to_string())?;
    let affected = result.affected_rows;
    let rows = result.all(client).map_err(|e| e.to_string())?;
    let row = |row: &Vec<Value<'static>>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    Ok(match affected {
        Some(count) => count.to_string(),
        None => rows.iter().map(row).collect::<Vec<_>>().join("\n"),
    })
}

fn pair() -> (TestServer, Client, Client) {
    let server = TestServer::start();
    server.sql(KV).unwrap();
    let (a, b) = (Client::connect(server.addr()).unwrap(), Client::connect(server.addr()).unwrap());
    (server, a, b)
}

/// What is typed, and what it answers.
#[test]
fn a_session() {
    let (_server, mut a, _b) = pair();
    let none = SqlOptions::default();
    for (text, expected) in [
        ("INSERT INTO KV VALUES (1, 'a', NULL), (2, 'b', DEFAULT)", Ok("2")),
        ("insert into kv (v, id) values ('c', 3)", Ok("1")),
        ("SELECT * FROM KV WHERE ID = 2", Ok("2 \"b\" 7")),
        ("SELECT N, V AS TEXT FROM PUBLIC.KV WHERE ID = 1", Ok("null \"a\"")),
        ("SELECT V FROM KV WHERE ID = -1", Ok("")),
        ("UPDATE KV SET V = 'x', N = 5 WHERE ID = 3", Ok("1")),
        ("UPDATE KV SET V = 'x' WHERE ID = 4", Ok("0")),
        ("SELECT V, N FROM KV WHERE ID = 3", Ok("\"x\" 5")),
        ("INSERT INTO KV VALUES (9, 'z', 1), (3, 'z', 1)", Err("PK unique constraint is violated")),
        ("INSERT INTO KV VALUES (9, 'z', 1), (9, 'y', 1)", Err("PK unique constraint is violated")),
        ("SELECT * FROM KV WHERE ID = 9", Ok("")),
        ("INSERT INTO KV (V) VALUES ('z')", Err("'ID' does not allow NULLs")),
        ("INSERT INTO KV (ID) VALUES (3000000000)", Err("INTEGER out of range")),
        ("DELETE FROM KV WHERE ID = 3", Ok("1")),
        ("DELETE FROM KV WHERE ID = 3", Ok("0")),
    ] {
        match (sql(&mut a, text, &none), expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{text}"),
            (Err(got), Err(part)) => assert!(got.contains(part), "{text}: {got}"),
            (got, expected) => panic!("{text}: {got:?}, not {expected:?}"),
        }
    }
}

#[test]
fn parameters_and_batches() {
    let (_server, mut a, _b) = pair();
    let argument = |ty, value| Argument::new(ty, value);
    let text = ColumnType::String { length: flint::value::UNLIMITED };
    let lists: Vec<Vec<Argument>> = (0..100)
        .map(|i| vec![argument(ColumnType::Int64, Value::Int(i)), argument(text, Value::Str(format!("v{i}").into()))])
        .collect();
    let counts = a.batch("INSERT INTO KV (ID, V) VALUES (?, ?)", &lists, &SqlOptions::default()).unwrap();
    assert_eq!(counts, vec![1; 100]);
    for ty in [ColumnType::Int8, ColumnType::Int32, ColumnType::Int64] {
        let result = a.sql("SELECT V FROM KV WHERE ID = ?", &[argument(ty, Value::Int(42))], &SqlOptions::default());
        assert_eq!(result.unwrap().all(&mut a).unwrap(), [[Value::Str("v42".into())]]);
    }
    let error = a.sql("SELECT V FROM KV WHERE ID = ?", &[], &SqlOptions::default()).unwrap_err().to_string();
    // A build without the query engine has nobody to count them.
    let part = if cfg!(feature = "sql") { "Unexpected number of query parameters" } else { "--features sql" };
    assert!(error.contains(part), "{error}");
}

#[test]
fn a_transaction_sees_its_own_writes_and_a_snapshot_keeps_its_rows() {
    let (_server, mut a, mut b) = pair();
    let none = SqlOptions::default();
    sql(&mut a, "INSERT INTO KV VALUES (1, 'old', 1)", &none).unwrap();
    let snapshot = b.begin(TxOptions { read_only: true, ..TxOptions::default() }).unwrap();
    let tx = a.begin(TxOptions::default()).unwrap();
    let (within, at) = (SqlOptions::default().within(tx), SqlOptions::default().within(snapshot));
    assert_eq!(sql(&mut a, "UPDATE KV SET V = 'new' WHERE ID = 1", &within).unwrap(), "1");
    assert_eq!(sql(&mut a, "INSERT INTO KV (ID) VALUES (2)", &within).unwrap(), "1");
    assert_eq!(sql(&mut a, "UPDATE KV SET N = 3 WHERE ID = 2", &within).unwrap(), "1");
    assert_eq!(sql(&mut a, "SELECT V FROM KV WHERE ID = 1", &within).unwrap(), "\"new\"");
    assert_eq!(sql(&mut b, "SELECT V FROM KV WHERE ID = 1", &none).unwrap(), "\"old\"");
    a.commit(tx).unwrap();
    assert_eq!(sql(&mut b, "SELECT V FROM KV WHERE ID = 1", &at).unwrap(), "\"old\"");
    assert_eq!(sql(&mut b, "SELECT N FROM KV WHERE ID = 2", &none).unwrap(), "3");
    let refused = sql(&mut b, "DELETE FROM KV WHERE ID = 1", &at).unwrap_err();
    assert!(refused.contains("read only transactions"), "{refused}");
}

/// An UPDATE that waits for a row is made of what the row is then.
#[test]
fn an_update_waits_and_loses_nothing() {
    let mut w = World::with_tables(KV);
    let (a, b) = (0, w.connect());
    let statement = |tx: Option<i64>, text: &str| {
        let text = text.to_owned();
        move |out: &mut Vec<u8>| {
            match tx {
                Some(id) => out.put_int(id),
                None => out.put_nil(),
            }
            for _ in 0..5 {
                out.put_nil();
            }
            out.put_int(0);
            out.put_bin(&[0]);
            out.put_str(&text);
            out.put_nil();
            out.put_int(0);
        }
    };
    w.call(a, 50, statement(None, "INSERT INTO KV VALUES (1, 'a', 1)")).ok();
    let begun = w.call(a, 43, |out| {
        out.put_bool(false);
        out.put_int(0);
        out.put_int(0);
    });
    let tx = Reader::new(&begun.ok()).i64().unwrap();
    w.call(a, 50, statement(Some(tx), "UPDATE KV SET V = 'tx' WHERE ID = 1")).ok();
    let waiting = w.send(b, 50, statement(None, "UPDATE KV SET N = 2 WHERE ID = 1"));
    assert!(w.take(b, waiting).is_none());
    w.call(a, 44, |out| out.put_int(tx)).ok();
    w.take(b, waiting).unwrap().ok();
    let row = w.call(b, 50, statement(None, "SELECT V, N FROM KV WHERE ID = 1")).ok();
    assert!(row.ends_with(b"tx\x02"), "{row:02x?}");
}

/// The query engine would have answered the same, in rows and in what it tells of the columns.
#[cfg(feature = "sql")]
#[test]
fn both_ways_answer_alike() {
    let server = TestServer::start();
    let types = "B BOOLEAN, I1 TINYINT, I2 SMALLINT, I4 INT, I8 BIGINT, F REAL, D DOUBLE, N DECIMAL(12, 3), M DECIMAL, \
                 DA DATE, TI TIME(3), TS TIMESTAMP(3), LT TIMESTAMP(6) WITH LOCAL TIME ZONE, U UUID, S VARCHAR, \
                 SN VARCHAR(20) NOT NULL, X VARBINARY, XN VARBINARY(9)";
    server.sql(&format!("CREATE TABLE T (ID INT PRIMARY KEY, {types})")).unwrap();
    let mut client = Client::connect(server.addr()).unwrap();
    let values = "TRUE, -1, 300, 70000, 5000000000, 1.5, 2.25, 3.125, 4.5, DATE '2024-02-29', TIME '10:20:30.123', \
                  TIMESTAMP '2024-02-29 10:20:30.123', TIMESTAMP '2024-02-29 10:20:30.123', \
                  UUID '00112233-4455-6677-8899-aabbccddeeff', 'text', 'more', X'0102', X'ff'";
    let nulls =
        "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'x', NULL, NULL";
    for text in [
        format!("INSERT INTO T VALUES (1, {values})"),
        format!("INSERT INTO T SELECT 2, {values}"),
        format!("INSERT INTO T VALUES (3, {nulls})"),
    ] {
        assert_eq!(sql(&mut client, &text, &SqlOptions::default()).unwrap(), "1", "{text}");
    }
    let mut answer = |text: &str| {
        let result = client.sql(text, &[], &SqlOptions::default()).unwrap();
        let columns = format!("{:?}", result.columns);
        (columns, result.all(&mut client).unwrap())
    };
    for id in [1, 2, 3, 4] {
        let keyed = answer(&format!("SELECT * FROM T WHERE ID = {id}"));
        assert_eq!(keyed, answer(&format!("SELECT * FROM T WHERE ID = {id} AND 1 = 1")));
    }
    let columns = "B, I1, I2, I4, I8, F, D, N, M, DA, TI, TS, LT, U, S, SN, X, XN";
    let keyed = answer(&format!("SELECT {columns} FROM T WHERE ID = 1"));
    assert_eq!(keyed, answer(&format!("SELECT {columns} FROM T WHERE ID = 2 AND 1 = 1")));
}
