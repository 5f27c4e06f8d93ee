//! `flint import` and `flint export` as processes of their own.

use crate::shell::{Outcome, flint};
use flint::client::ga::{Client, ColumnMeta, Record, Row, SqlOptions, Table};
use flint::fixture::TestServer;
use flint::tabular::Sink as _;
use flint::tabular::csv::Sink;
use flint::value::Value;
use flint::value::text::parse;
use std::fs;

const COLUMNS: &str = "ID INT PRIMARY KEY, B BOOLEAN, I8 TINYINT, I16 SMALLINT, I64 BIGINT, F REAL, D DOUBLE, \
    N DECIMAL(40, 10), DT DATE, TM TIME(9), TS TIMESTAMP(9), TZ TIMESTAMP(9) WITH LOCAL TIME ZONE, U UUID, S VARCHAR, \
    X VARBINARY";

/// Values for each column but the key; a row takes the first of each, the next the second, and so on.
const BOUNDARIES: [(&str, &[&str]); 14] = [
    ("B", &["true", "false"]),
    ("I8", &["-128", "127", "0"]),
    ("I16", &["-32768", "32767"]),
    ("I64", &["-9223372036854775808", "9223372036854775807"]),
    ("F", &["-3.4028235e38", "1e-45", "-0.0", "NaN", "Infinity", "16777217"]),
    ("D", &["1.7976931348623157e308", "5e-324", "-0.0", "NaN", "-Infinity", "0.1", "9007199254740993"]),
    ("N", &["-999999999999999999999999999999.9999999999", "0.0000000001", "0", "1.5", "100"]),
    ("DT", &["0001-01-01", "9999-12-31", "1970-01-01", "2024-02-29"]),
    ("TM", &["00:00:00", "23:59:59.999999999", "12:00:00.001", "01:02:03.000004"]),
    ("TS", &["0001-01-01 18:00:00", "9999-12-31 05:59:59.999999999", "1969-12-31 23:59:59.5"]),
    ("TZ", &["0001-01-01 18:00:00Z", "9999-12-31 05:59:59.999999999Z", "1969-12-31 23:59:59.5Z"]),
    ("U", &["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]),
    (
        "S",
        &[
            "",
            " a, b ",
            "\"q\"\"\"",
            "two\r\nlines\n",
            "NULL",
            "\\n",
            "\u{0}\u{7f}",
            "日本😀",
            "\u{feff}x",
            "#no comment",
        ],
    ),
    ("X", &["0x", "0x80", "0x8000ff0d0a", "0x2c22"]),
];

const ROWS: usize = 12;

fn connected(server: &TestServer) -> Client {
    Client::connect(server.addr()).unwrap()
}

fn create(client: &mut Client, name: &str, columns: &str) -> Table {
    client.sql(&format!("CREATE TABLE {name} ({columns})"), &[], &SqlOptions::default()).unwrap();
    client.table(name).unwrap().unwrap()
}

fn run(server: &TestServer, command: &str, args: &[&str], input: &str) -> Outcome {
    let addr = server.addr().to_string();
    flint(&[&[command, "--addr", &addr], args].concat(), input)
}

/// Fills a table with [`BOUNDARIES`], and a row of nulls.
fn fill(client: &mut Client, table: &mut Table) {
    let ty = |name: &str| table.columns.iter().find(|column| &*column.name == name).unwrap().ty;
    let value = |name: &str, text: &'static str| {
        let value = parse(text, ty(name)).map(Value::into_owned);
        // A column of fewer digits gets fewer.
        value.or_else(|_| parse(&text.replace(".999999999", ".999999"), ty(name)).map(Value::into_owned)).unwrap()
    };
    let mut rows: Vec<Vec<(&str, Value<'_>)>> = (0..ROWS)
        .map(|row| BOUNDARIES.iter().map(|(name, texts)| (*name, value(name, texts[row % texts.len()]))).collect())
        .collect();
    rows.push(BOUNDARIES.iter().map(|(name, _)| (*name, Value::Null)).collect());
    for (id, row) in rows.iter_mut().enumerate() {
        row.push(("ID", Value::Int(id as i64)));
    }
    table.upsert_all(client, None, &rows).unwrap();
}

/// The rows with ids from 0.
fn rows(client: &mut Client, table: &mut Table, count: usize) -> Vec<Record> {
    let keys: Vec<_> = (0..count).map(|id| [("ID", Value::Int(id as i64))]).collect();
    table.get_all(client, None, &keys).unwrap().into_iter().map(Option::unwrap).collect()
}

/// What an export writes for rows that were read by key.
fn written(table: &Table, records: &[Record]) -> Vec<u8> {
    let columns: Vec<_> = table.columns.iter().map(ColumnMeta::from).collect();
    let rows: Vec<Row> = records.iter().map(|record| record.iter().map(|(_, value)| value.clone()).collect()).collect();
    let (mut sink, mut out) = (Sink::to_read_back("\\N"), Vec::new());
    sink.begin(&mut out, &columns, &rows).unwrap();
    sink.rows(&mut out, &rows).unwrap();
    out
}

/// With NaN, values do not equal themselves.
fn text(records: &[Record]) -> String {
    format!("{records:#?}")
}

#[test]
fn every_type_is_read_back_as_it_was_written() {
    let server = TestServer::start();
    let mut client = connected(&server);
    let mut first = create(&mut client, "A", COLUMNS);
    fill(&mut client, &mut first);
    let expected = rows(&mut client, &mut first, ROWS + 1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    fs::write(&path, written(&first, &expected)).unwrap();

    let mut second = create(&mut client, "B", COLUMNS);
    let (code, out, errors) = run(&server, "import", &[path.to_str().unwrap(), "--table", "b", "--batch", "5"], "");
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert!(out.starts_with("13 rows written to PUBLIC.B in "), "{out}");
    assert_eq!(text(&rows(&mut client, &mut second, ROWS + 1)), text(&expected));
}

#[test]
fn a_bad_row_is_named_and_those_before_it_are_written() {
    let server = TestServer::start();
    let mut client = connected(&server);
    let mut table = create(&mut client, "T", "ID INT PRIMARY KEY, V VARCHAR(3), N DECIMAL(3, 1), M INT NOT NULL");
    let import = |input: &str, written: usize, parts: &[&str]| {
        let (code, out, errors) = run(&server, "import", &["-", "--table", "T"], input);
        assert_eq!(code, Some(1), "{errors}");
        assert!(out.starts_with(&format!("{written} rows written")), "{out}");
        for part in parts {
            assert!(errors.contains(part), "{errors} lacks {part}");
        }
    };
    import("ID,M\n0,0\n1,1\n2,x\n3,3\n", 2, &["-: line 4, column M, INT32", "\"x\""]);
    import("ID,M\n0,0\n1,\n", 1, &["line 3, column M", "null"]);
    // What only the server knows.
    import("ID,M,V\n4,0,abc\n5,1,abcd\n6,2,a\n", 1, &["line 3: IGN-MARSHALLING-1", "'V'"]);
    import("ID,M,N\n4,0,99.9\n5,1,100\n", 1, &["line 3: ", "'N'"]);
    import("ID,V\n7,a\n", 0, &["line 2: ", "'M'"]);
    assert_eq!(rows(&mut client, &mut table, 2).len(), 2);
    assert!(table.get(&mut client, None, &[("ID", Value::Int(6))]).unwrap().is_none());

    for (args, parts) in [
        (&["-", "--table", "NO_SUCH"][..], &["NO_SUCH"][..]),
        (&["-", "--table", "T", "--columns", "ID,NO"], &["\"NO\"", "ID, V, N, M"]),
        (&["-", "--table", "T", "--columns", "M"], &["key column ID"]),
        (&["missing.csv", "--table", "T"], &["missing.csv", "cannot be opened"]),
    ] {
        let (code, _, errors) = run(&server, "import", args, "");
        assert!(code == Some(1) && parts.iter().all(|part| errors.contains(part)), "{errors}");
    }
    for args in [&["-"][..], &["-", "--table", "T", "--batch", "0"], &["-", "--table", "T", "--header"]] {
        assert_eq!(run(&server, "import", args, "").0, Some(2), "{args:?}");
    }
    assert_eq!(flint(&["import", "-", "--addr", "127.0.0.1:1", "--table", "T"], "").0, Some(3));
}

#[test]
fn names_come_from_the_first_line_or_from_a_flag() {
    let server = TestServer::start();
    let mut client = connected(&server);
    let mut table = create(&mut client, "\"t 1\"", "ID INT PRIMARY KEY, \"v\" VARCHAR, W INT");
    let mut import = |args: &[&str], input: &str| {
        let outcome = run(&server, "import", &[&["-", "--table", "\"t 1\""], args].concat(), input);
        assert_eq!((outcome.0, outcome.2.as_str()), (Some(0), ""));
        rows(&mut client, &mut table, 1).remove(0)
    };
    let shown = |record: &Record| record.iter().map(|(_, value)| value.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(shown(&import(&[], "V,id\na,0\n")), "0 \"a\" null");
    assert_eq!(shown(&import(&["--columns", "W,ID"], "7,0\n")), "0 null 7");
    assert_eq!(shown(&import(&["--columns", "W,ID", "--header"], "id,w\n8,0\n")), "0 null 8");
    assert_eq!(shown(&import(&["--null", "-"], "ID,v,W\n0,-,-\n")), "0 null null");
    assert_eq!(shown(&import(&["--null", ""], "ID,v\n0,\n")), "0 null null");
    assert_eq!(shown(&import(&[], "ID,v\r\n0,\"\"\r\n")), "0 \"\" null");
}

#[test]
fn many_rows_go_in_batches() {
    let server = TestServer::start();
    let mut client = connected(&server);
    let mut table = create(&mut client, "T", "ID INT PRIMARY KEY, V VARCHAR");
    let input: String = std::iter::once("ID,V\n".into()).chain((0..2500).map(|id| format!("{id},v{id}\n"))).collect();
    let (code, out, _) = run(&server, "import", &["-", "--table", "T"], &input);
    assert!(code == Some(0) && out.starts_with("2500 rows"), "{out}");
    assert_eq!(rows(&mut client, &mut table, 2500)[2499].get("V"), Some(&Value::Str("v2499".into())));
    let batches = server.requests().iter().filter(|request| request.name == "TUPLE_UPSERT_ALL").count();
    assert_eq!(batches, 3);
}

#[cfg(feature = "sql")]
#[test]
fn exports_are_read_back_to_the_last_digit() {
    let server = TestServer::start();
    let mut client = connected(&server);
    let mut first = create(&mut client, "A", COLUMNS);
    fill(&mut client, &mut first);
    let mut second = create(&mut client, "B", COLUMNS);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let path = path.to_str().unwrap();
    for page_size in ["4", "1000"] {
        let (code, out, errors) =
            run(&server, "export", &["--table", "a", "--output", path, "--page-size", page_size], "");
        assert_eq!((code, errors.as_str()), (Some(0), ""));
        assert_eq!(out, format!("13 rows written to {path}\n"));
        assert_eq!(run(&server, "import", &[path, "--table", "B"], "").0, Some(0));
        let expected = rows(&mut client, &mut first, ROWS + 1);
        assert_eq!(text(&rows(&mut client, &mut second, ROWS + 1)), text(&expected));
        client.sql("DELETE FROM B", &[], &SqlOptions::default()).unwrap();
    }
}

#[cfg(feature = "sql")]
#[test]
fn queries_are_exported() {
    let server = TestServer::start();
    let mut client = connected(&server);
    let mut table = create(&mut client, "T", "ID INT PRIMARY KEY, V VARCHAR");
    let text = |text: &str| Value::Str(text.to_owned().into());
    let rows = [[("ID", Value::Int(1)), ("V", text("a,b"))], [("ID", Value::Int(2)), ("V", Value::Null)]];
    table.upsert_all(&mut client, None, &rows).unwrap();
    let query = "SELECT V, ID * 2 AS \"x y\" FROM T ORDER BY ID";
    let outcome = run(&server, "export", &["--query", query, "--null", "-"], "");
    assert_eq!(outcome, (Some(0), "V,x y\n\"a,b\",2\n-,4\n".into(), String::new()));

    // What would be read back as null is not written.
    table.upsert(&mut client, None, &[("ID", Value::Int(3)), ("V", text("\\N"))]).unwrap();
    let (code, _, errors) = run(&server, "export", &["--query", query], "");
    assert!(code == Some(1) && errors.contains("row 3, column V"), "{errors}");
    assert_eq!(run(&server, "export", &["--query", query, "--null", "NULL"], "").0, Some(0));

    for (args, code, part) in [
        (&["--query", "SELECT"][..], 1, "IGN-SQL-3"),
        (&["--query", "DELETE FROM T WHERE ID = 9"], 1, "no rows to export"),
        (&["--table", "NO_SUCH"], 1, "NO_SUCH"),
        (&["--table", "T", "--output", "/no/such/place"], 1, "/no/such/place"),
        (&["--table", "T", "--query", query], 2, "--query"),
        (&[], 2, "--table"),
    ] {
        let (found, _, errors) = run(&server, "export", args, "");
        assert!(found == Some(code) && errors.contains(part), "{args:?}: {found:?} {errors}");
    }
    assert_eq!(flint(&["export", "--addr", "127.0.0.1:1", "--table", "T"], "").0, Some(3));
}

/// Values that Parquet holds as they are: those of the other test, but for digits beyond microseconds.
const PARQUET_COLUMNS: &str = "ID INT PRIMARY KEY, B BOOLEAN, I8 TINYINT, I16 SMALLINT, I64 BIGINT, F REAL, D DOUBLE, \
    N DECIMAL(40, 10), DT DATE, TM TIME(9), TS TIMESTAMP(6), TZ TIMESTAMP(6) WITH LOCAL TIME ZONE, U UUID, S VARCHAR, \
    X VARBINARY";

#[cfg(feature = "sql")]
#[test]
fn parquet_is_read_back_as_it_was_written() {
    let server = TestServer::start();
    let mut client = connected(&server);
    let mut first = create(&mut client, "A", PARQUET_COLUMNS);
    fill(&mut client, &mut first);
    let expected = text(&rows(&mut client, &mut first, ROWS + 1));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let path = path.to_str().unwrap();
    let (code, out, errors) = run(&server, "export", &["--table", "A", "--output", path], "");
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert!(out.starts_with("13 rows written to "), "{out}");

    let mut second = create(&mut client, "B", PARQUET_COLUMNS);
    let (code, out, errors) = run(&server, "import", &[path, "--table", "b", "--batch", "5"], "");
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert!(out.starts_with("13 rows written to PUBLIC.B in "), "{out}");
    assert_eq!(text(&rows(&mut client, &mut second, ROWS + 1)), expected);

    let query = ["--query", "SELECT ID AS N, S FROM A WHERE ID < 3", "--format", "parquet", "--output", path];
    assert_eq!(run(&server, "export", &query, "").0, Some(0));
    let (code, _, errors) = run(&server, "import", &[path, "--table", "B"], "");
    assert!(code == Some(1) && errors.contains("key column ID"), "{errors}");
    let names = ["--columns", "ID,S"];
    assert_eq!(run(&server, "import", &[&[path, "--table", "B"][..], &names].concat(), "").0, Some(0));
}

#[test]
fn what_is_no_parquet_is_refused() {
    let server = TestServer::start();
    let mut client = connected(&server);
    create(&mut client, "B", PARQUET_COLUMNS);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    for bytes in [&b""[..], b"ID\n1\n", b"PAR1\xff\xff\xff\x7fPAR1"] {
        fs::write(&path, bytes).unwrap();
        let (code, _, errors) = run(&server, "import", &[path.to_str().unwrap(), "--table", "B"], "");
        assert!(code == Some(1) && errors.to_lowercase().contains("parquet"), "{errors}");
    }
    let (code, _, errors) = run(&server, "import", &["-", "--format", "parquet", "--table", "B"], "");
    assert!(code == Some(1) && errors.contains("Parquet"), "{errors}");
}
