//! Indexes as queries use them: plans, results, what they see. Needs feature `sql`.

use crate::sql_session::{Session, shown};
use crate::support::{Process, Seed};
use flint::client::ga::{Argument, Client, SqlOptions, TxOptions};
use flint::value::{ColumnType, Value};

impl Session {
    /// The statement's plan reads this index and sorts nothing.
    fn assert_reads(&mut self, text: &str, index: &str) {
        let plan = self.plan(text);
        assert!(plan.contains(&format!("index={index}")) && !plan.contains("SortExec"), "{text}: {plan}");
    }
}

const TOWNS: &str = "CREATE TABLE TOWNS (ID INT PRIMARY KEY, NAME VARCHAR, SIZE INT, HEIGHT DOUBLE)";

fn towns() -> Session {
    let mut s = Session::new(TOWNS);
    s.change(
        "INSERT INTO TOWNS VALUES (1, 'Ulm', 30, 478), (2, 'Bonn', 20, 60), (3, 'Kiel', NULL, 5), (4, NULL, 30, NULL), \
         (5, 'Bonn', 10, -0.5)",
    );
    s
}

#[test]
fn an_index_gives_the_order_without_a_sort() {
    let mut s = towns();
    s.change("CREATE INDEX BY_SIZE ON TOWNS (SIZE, NAME DESC)");
    s.change("CREATE INDEX BY_HEIGHT ON TOWNS USING SORTED (HEIGHT DESC NULLS LAST)");
    for (text, index, rows) in [
        ("SELECT ID FROM TOWNS ORDER BY SIZE, NAME DESC", "BY_SIZE", "5, 2, 4, 1, 3"),
        ("SELECT ID, SIZE FROM TOWNS ORDER BY SIZE LIMIT 2", "BY_SIZE", "5 10, 2 20"),
        ("SELECT ID FROM TOWNS ORDER BY SIZE DESC, NAME", "BY_SIZE, backward", "3, 1, 4, 2, 5"),
        ("SELECT ID FROM TOWNS ORDER BY SIZE DESC LIMIT 1 OFFSET 1", "BY_SIZE, backward", "1"),
        ("SELECT ID FROM TOWNS WHERE SIZE = 30 ORDER BY NAME DESC", "BY_SIZE", "4, 1"),
        ("SELECT ID FROM TOWNS WHERE SIZE = 30 ORDER BY NAME", "BY_SIZE, backward", "1, 4"),
        ("SELECT ID FROM TOWNS WHERE HEIGHT > 0 ORDER BY HEIGHT DESC NULLS LAST", "BY_HEIGHT", "1, 2, 3"),
        ("SELECT NAME FROM TOWNS WHERE SIZE IS NULL", "BY_SIZE", "Kiel"),
        ("SELECT ID FROM TOWNS WHERE SIZE = 30 AND NAME = 'Ulm'", "BY_SIZE", "1"),
        (
            "SELECT ID FROM TOWNS WHERE HEIGHT BETWEEN -1E0 AND 60E0 ORDER BY HEIGHT NULLS FIRST",
            "BY_HEIGHT, backward",
            "5, 3, 2",
        ),
    ] {
        s.assert_reads(text, index);
        assert_eq!(s.query(text), rows, "{text}");
    }
    for text in [
        "SELECT ID FROM TOWNS",
        "SELECT ID FROM TOWNS ORDER BY NAME",
        "SELECT ID FROM TOWNS ORDER BY SIZE NULLS FIRST",
        "SELECT ID FROM TOWNS WHERE ID = 3 AND SIZE > 5 OR ID = 2",
        "SELECT NAME FROM TOWNS WHERE ID IN (1, 2) ORDER BY SIZE",
    ] {
        let plan = s.plan(text);
        assert!(!plan.contains("index="), "{text}: {plan}");
    }
    // The order of the key, from its end.
    let plan = s.plan("SELECT ID FROM TOWNS ORDER BY ID DESC LIMIT 2");
    assert!(plan.contains("backward, limit=2") && !plan.contains("Sort"), "{plan}");
    assert_eq!(s.query("SELECT ID FROM TOWNS ORDER BY ID DESC LIMIT 2"), "5, 4");
    assert_eq!(s.query("SELECT ID FROM TOWNS WHERE ID < 5 ORDER BY ID DESC"), "4, 3, 2, 1");
}

#[test]
fn a_hash_index_orders_nothing() {
    let mut s = towns();
    s.change("CREATE INDEX H ON TOWNS USING HASH (SIZE)");
    let plan = s.plan("SELECT ID FROM TOWNS WHERE SIZE = 30 ORDER BY SIZE");
    assert!(!plan.contains("index="), "{plan}");
}

#[test]
fn an_index_in_every_part_of_a_statement() {
    let mut s = towns();
    s.change("CREATE INDEX BY_SIZE ON TOWNS (SIZE)");
    for (text, rows) in [
        ("SELECT (SELECT NAME FROM TOWNS WHERE SIZE = 10)", "Bonn"),
        (
            "SELECT COUNT(*) FROM TOWNS T WHERE EXISTS (SELECT 1 FROM TOWNS U WHERE U.SIZE = 20 AND U.NAME = T.NAME)",
            "2",
        ),
        ("SELECT T.ID FROM TOWNS T JOIN TOWNS U ON T.NAME = U.NAME WHERE U.SIZE = 10 ORDER BY T.SIZE", "5, 2"),
        ("SELECT ID FROM (SELECT ID, SIZE FROM TOWNS ORDER BY ID LIMIT 3) ORDER BY SIZE", "2, 1, 3"),
        ("SELECT ID FROM TOWNS WHERE SIZE = 10 UNION ALL SELECT ID FROM TOWNS WHERE SIZE = 20 ORDER BY ID", "2, 5"),
        ("SELECT SIZE, COUNT(*) FROM TOWNS WHERE SIZE > 10 GROUP BY SIZE ORDER BY SIZE", "20 1, 30 2"),
        ("SELECT ID, ROW_NUMBER() OVER (ORDER BY SIZE) FROM TOWNS WHERE SIZE < 30", "5 1, 2 2"),
        ("WITH T AS (SELECT ID I FROM TOWNS WHERE SIZE = 30) SELECT COUNT(*) FROM T A, T B", "4"),
    ] {
        assert_eq!(s.query(text), rows, "{text}");
    }
    s.change("UPDATE TOWNS SET SIZE = SIZE + 1 WHERE SIZE >= 20");
    assert_eq!(s.query("SELECT ID, SIZE FROM TOWNS ORDER BY SIZE LIMIT 4"), "5 10, 2 21, 1 31, 4 31");
    s.change("DELETE FROM TOWNS WHERE SIZE = 31");
    assert_eq!(s.query("SELECT ID, SIZE FROM TOWNS ORDER BY SIZE"), "5 10, 2 21, 3 null");
    // Of a type that is not the column's, and of none.
    let ids =
        |s: &mut Session, ty, value| s.rows_of("SELECT ID FROM TOWNS WHERE SIZE = ?", &[Argument::new(ty, value)]);
    assert_eq!(ids(&mut s, ColumnType::Int64, Value::Int(21)), [[Value::Int(2)]]);
    assert!(ids(&mut s, ColumnType::Int64, Value::Int(1 << 40)).is_empty());
    assert_eq!(ids(&mut s, ColumnType::Double, Value::Double(10.0)), [[Value::Int(5)]]);
}

#[test]
fn indexes_come_and_go_between_the_runs_of_one_text() {
    let mut s = towns();
    let text = "SELECT ID FROM TOWNS WHERE SIZE > 10 ORDER BY SIZE, ID";
    assert_eq!(s.query(text), "2, 1, 4");
    s.change("CREATE INDEX I ON TOWNS (SIZE DESC)");
    s.change("INSERT INTO TOWNS VALUES (6, 'Jena', 15, 1)");
    assert_eq!(s.query(text), "6, 2, 1, 4");
    assert!(s.plan(text).contains("index=I"));
    s.change("DROP INDEX I");
    s.change("CREATE INDEX J ON TOWNS (SIZE)");
    s.assert_reads(text, "J");
    assert_eq!(s.query(text), "6, 2, 1, 4");
    s.change("DROP INDEX J");
    s.change("DELETE FROM TOWNS WHERE ID = 2");
    assert!(!s.plan(text).contains("index="));
    assert_eq!(s.query(text), "6, 1, 4");
}

#[test]
fn an_index_follows_the_schema() {
    let mut s = towns();
    s.change("CREATE INDEX BY_SIZE ON TOWNS (SIZE)");
    assert_eq!(s.query("SELECT ID FROM TOWNS ORDER BY SIZE LIMIT 1"), "5");
    s.change("ALTER TABLE TOWNS ADD COLUMN MAYOR VARCHAR DEFAULT 'nn'");
    s.change("INSERT INTO TOWNS VALUES (6, 'Jena', 5, 143, 'eva')");
    assert_eq!(s.query("SELECT ID, MAYOR FROM TOWNS ORDER BY SIZE LIMIT 2"), "6 eva, 5 nn");
    s.change("CREATE INDEX BY_MAYOR ON TOWNS (MAYOR, SIZE)");
    s.assert_reads("SELECT ID FROM TOWNS WHERE MAYOR = 'nn' AND SIZE > 10", "BY_MAYOR");
    assert_eq!(s.query("SELECT ID FROM TOWNS WHERE MAYOR = 'nn' AND SIZE > 10 ORDER BY SIZE, ID"), "2, 1, 4");
    s.change("ALTER TABLE TOWNS ALTER COLUMN SIZE SET DATA TYPE BIGINT");
    s.change("INSERT INTO TOWNS VALUES (7, 'Rom', 3000000000, 20, 'bea')");
    assert_eq!(s.query("SELECT ID, SIZE FROM TOWNS WHERE SIZE > 20 ORDER BY SIZE, ID"), "1 30, 4 30, 7 3000000000");
    s.change("DROP INDEX BY_MAYOR");
    s.change("ALTER TABLE TOWNS DROP COLUMN MAYOR");
    assert_eq!(s.query("SELECT ID FROM TOWNS ORDER BY SIZE, ID LIMIT 3"), "6, 5, 2");
    // A type that becomes wider while the index is known.
    s.change("CREATE TABLE R (ID INT PRIMARY KEY, F REAL)");
    s.change("CREATE INDEX BY_F ON R (F)");
    s.change("INSERT INTO R VALUES (1, 1.5), (2, -1.5), (3, NULL)");
    assert_eq!(s.query("SELECT ID FROM R ORDER BY F"), "2, 1, 3");
    s.change("ALTER TABLE R ALTER COLUMN F SET DATA TYPE DOUBLE");
    s.change("INSERT INTO R VALUES (4, 0.1E0)");
    s.assert_reads("SELECT ID FROM R ORDER BY F", "BY_F");
    assert_eq!(s.query("SELECT ID, F FROM R ORDER BY F"), "2 -1.5, 4 0.1, 1 1.5, 3 null");
    assert_eq!(s.query("SELECT ID FROM R WHERE F > 0E0 AND F < 1.5E0"), "4");
    // Another table of the same names.
    s.change("DROP TABLE TOWNS");
    s.change(TOWNS);
    s.change("CREATE INDEX BY_SIZE ON TOWNS (NAME)");
    s.change("INSERT INTO TOWNS VALUES (1, 'b', 1, 1), (2, 'a', 2, 2)");
    assert_eq!(s.query("SELECT ID FROM TOWNS ORDER BY NAME"), "2, 1");
}

#[test]
fn a_transaction_sees_its_own_writes_and_a_snapshot_none() {
    let mut s = towns();
    s.change("CREATE INDEX BY_SIZE ON TOWNS (SIZE)");
    let text = "SELECT ID FROM TOWNS WHERE SIZE >= 20 ORDER BY SIZE, ID";
    assert_eq!(s.query(text), "2, 1, 4");
    let tx = s.client.begin(TxOptions::default()).unwrap();
    let inside = SqlOptions { tx: Some(tx), ..SqlOptions::default() };
    let before = s.client.begin(TxOptions { read_only: true, ..TxOptions::default() }).unwrap();
    let old = SqlOptions { tx: Some(before), ..SqlOptions::default() };
    let outside = std::mem::replace(&mut s.options, inside.clone());
    s.change("INSERT INTO TOWNS VALUES (6, 'Jena', 25, 1)");
    s.change("UPDATE TOWNS SET SIZE = 5 WHERE ID = 1");
    assert_eq!(s.query(text), "2, 6, 4");
    s.options = outside.clone();
    assert_eq!(s.query(text), "2, 1, 4");
    s.client.commit(tx).unwrap();
    assert_eq!(s.query(text), "2, 6, 4");
    s.options = old;
    assert_eq!(s.query(text), "2, 1, 4");
    s.options = outside;
    assert_eq!(s.query(text), "2, 6, 4");
    let snapshot = s.server.snapshot().unwrap();
    s.change("DELETE FROM TOWNS WHERE SIZE > 20");
    assert_eq!(s.query(text), "2");
    s.server.restore(&snapshot).unwrap();
    assert_eq!(s.query(text), "2, 6, 4");
}

#[test]
fn what_an_index_has_read_must_hold_at_the_commit() {
    let mut s = towns();
    s.change("CREATE INDEX BY_SIZE ON TOWNS (SIZE)");
    let mut other = Client::connect(s.server.addr()).unwrap();
    let tx = s.client.begin(TxOptions::default()).unwrap();
    s.options.tx = Some(tx);
    assert_eq!(s.query("SELECT COUNT(*) FROM TOWNS WHERE SIZE = 15"), "0");
    other.sql("INSERT INTO TOWNS VALUES (6, 'Jena', 15, 1)", &[], &SqlOptions::default()).unwrap();
    s.change("INSERT INTO TOWNS VALUES (7, 'Jena', 15, 1)");
    assert!(s.client.commit(tx).is_err());
}

/// All rows in the order of the statement, with an index and without: equal, after every few changes.
#[test]
fn random_rows_come_in_the_same_order_with_and_without() {
    let mut s = Session::new(
        "CREATE TABLE A (ID INT PRIMARY KEY, I SMALLINT, T VARCHAR, D DECIMAL(9, 2), F DOUBLE, U UUID, B BOOLEAN, \
         S TIMESTAMP(9), V VARBINARY, X DATE)",
    );
    let seed = Seed::new();
    let mut rng = seed.rng(0);
    let mut orders = Vec::new();
    for n in 0..6 {
        let mut columns = ["I", "T", "D", "F", "U", "B", "S", "V", "X"];
        rng.shuffle(&mut columns);
        let part = |column: &&str, rng: &mut fastrand::Rng| {
            let (way, nulls) = (["ASC", "DESC"][rng.usize(..2)], ["FIRST", "LAST"][rng.usize(..2)]);
            format!("{column} {way} NULLS {nulls}")
        };
        let order: Vec<_> = columns.iter().take(1 + n % 3).map(|column| part(column, &mut rng)).collect();
        orders.push(format!("{}, ID", order.join(", ")));
        s.change(&format!("CREATE INDEX I{n} ON A ({})", order.join(", ")));
    }
    let row = |id: i64, rng: &mut fastrand::Rng| {
        let mut or_null = |value: String| if rng.u8(..5) == 0 { "NULL".to_owned() } else { value };
        let mut small = fastrand::Rng::with_seed(seed.0 ^ id as u64);
        let mut n = move || small.i32(-3..4);
        let text = ["", "a", "A", "aa", "\u{e9}", "b"][n().unsigned_abs() as usize];
        let values = [
            or_null(n().to_string()),
            or_null(format!("'{text}'")),
            or_null(format!("{}.{}", n(), n().unsigned_abs())),
            or_null(format!("{}.5E0", n())),
            or_null(format!(
                "CAST('{}0000000-0000-0000-8000-000000000000' AS UUID)",
                ["0", "7", "8", "f"][n().unsigned_abs() as usize]
            )),
            or_null(["TRUE", "FALSE"][n().unsigned_abs() as usize % 2].to_owned()),
            or_null(format!("TIMESTAMP '2020-01-01 00:00:0{}.00000{}'", n().unsigned_abs(), n().unsigned_abs())),
            or_null(format!("X'{}'", ["", "00", "0000", "ff"][n().unsigned_abs() as usize])),
            or_null(format!("DATE '196{}-01-01'", n().unsigned_abs())),
        ];
        format!("({id}, {})", values.join(", "))
    };
    let mut next = 0;
    for _ in 0..5 {
        let rows: Vec<_> = (0..80)
            .map(|_| {
                next += 1;
                row(next, &mut rng)
            })
            .collect();
        s.change(&format!("INSERT INTO A VALUES {}", rows.join(", ")));
        s.change(&format!("DELETE FROM A WHERE ID IN ({}, {})", rng.i64(1..next), rng.i64(1..next)));
        s.change(&format!("UPDATE A SET I = {}, F = NULL WHERE ID = {}", rng.i8(..), rng.i64(1..next)));
        for order in &orders {
            let by_index = format!("SELECT * FROM A ORDER BY {order}");
            // The scan below is of a part of the key's order, which no index narrows.
            let sorted = format!("SELECT * FROM A WHERE ID > -5 ORDER BY {order}");
            s.assert_reads(&by_index, "I");
            assert!(!s.plan(&sorted).contains("index="));
            assert_eq!(s.query(&by_index), s.query(&sorted), "{order}");
            let limited = s.query(&format!("{by_index} LIMIT 7 OFFSET 3"));
            let all: Vec<_> = s.query(&sorted).split(", ").skip(3).take(7).map(str::to_owned).collect();
            assert_eq!(limited, all.join(", "), "{order}");
        }
        for filter in [
            "I = 1",
            "I > -1 AND I < 3",
            "T = 'a'",
            "T >= 'A' AND T < 'b'",
            "D <= 0",
            "D = 1.0",
            "F > -0.5E0",
            "F = 1.5E0",
            "F < 0E0",
            "U = CAST('80000000-0000-0000-8000-000000000000' AS UUID)",
            "U > CAST('70000000-0000-0000-8000-000000000000' AS UUID)",
            "B = TRUE",
            "S > TIMESTAMP '2020-01-01 00:00:01'",
            "V = X'00'",
            "V > X'00'",
            "X BETWEEN DATE '1961-01-01' AND DATE '1962-06-01'",
            "I IS NULL",
            "I IN (1, 2, 3) AND T IN ('a', 'b')",
            "T IS NULL AND I > 0",
            "I <> 0",
        ] {
            let counted = s.query(&format!("SELECT ID FROM A WHERE {filter} ORDER BY ID"));
            // Nothing narrows what is computed.
            let all = s.query(&format!("SELECT ID FROM A WHERE ({filter}) IS TRUE ORDER BY ID"));
            assert_eq!(counted, all, "{filter}: {}", s.plan(&format!("SELECT ID FROM A WHERE {filter}")));
        }
    }
}

#[test]
fn many_rows_and_a_query_that_is_given_up() {
    let mut s = Session::new("CREATE TABLE N (ID INT PRIMARY KEY, V INT)");
    s.change("INSERT INTO N SELECT X, CAST((X * 7919) % 60000 AS INT) FROM TABLE(SYSTEM_RANGE(1, 60000))");
    s.change("CREATE INDEX BY_V ON N (V)");
    s.options.timeout = Some(std::time::Duration::from_millis(1));
    let _ = s.client.sql("SELECT ID FROM N ORDER BY V LIMIT 3", &[], &s.options);
    s.options = SqlOptions::default();
    assert_eq!(s.query("SELECT V FROM N ORDER BY V LIMIT 3"), "0, 1, 2");
    assert_eq!(s.query("SELECT V FROM N ORDER BY V DESC LIMIT 3"), "59999, 59998, 59997");
    assert_eq!(s.query("SELECT COUNT(*) FROM N WHERE V BETWEEN 100 AND 199"), "100");
    // Parts of the key's order, each from its end.
    let text = "SELECT ID FROM N WHERE V % 2 = 0 ORDER BY ID DESC";
    let plan = s.plan(text);
    assert!(plan.contains("backward"), "{plan}");
    let ids: Vec<_> = s.rows_of(text, &[]).into_iter().map(|row| row[0].clone()).collect();
    let mut sorted = s.rows_of("SELECT ID FROM N WHERE V % 2 = 0", &[]);
    sorted.sort_by_key(|row| if let Value::Int(id) = row[0] { -id } else { 0 });
    assert_eq!(ids, sorted.into_iter().map(|row| row[0].clone()).collect::<Vec<_>>());
    // Several batches, and pages, in both directions.
    for (order, from) in [("V", 0), ("V DESC", 59_999)] {
        let rows = s.rows_of(&format!("SELECT V FROM N ORDER BY {order}"), &[]);
        assert_eq!(rows.len(), 60_000);
        assert!(rows.iter().enumerate().all(|(n, row)| row[0] == Value::Int((from - n as i64).abs())), "{order}");
    }
}

#[test]
fn the_order_of_a_key_is_used_only_where_it_is_that_of_queries() {
    let mut s = Session::new("CREATE TABLE U (ID UUID PRIMARY KEY)");
    let id = |first: &str| format!("(CAST('{first}0000000-0000-0000-0000-000000000000' AS UUID))");
    s.change(&format!("INSERT INTO U VALUES {}, {}, {}", id("8"), id("7"), id("f")));
    let firsts = |s: &mut Session, order: &str| {
        let rows = s.query(&format!("SELECT SUBSTRING(CAST(ID AS VARCHAR), 1, 1) FROM U ORDER BY ID {order}"));
        rows.replace(", ", "")
    };
    assert_eq!((firsts(&mut s, "ASC"), firsts(&mut s, "DESC")), ("78f".into(), "f87".into()));
    s.change("CREATE INDEX BY_ID ON U (ID)");
    s.assert_reads("SELECT ID FROM U ORDER BY ID", "BY_ID");
    assert_eq!((firsts(&mut s, "ASC"), firsts(&mut s, "DESC")), ("78f".into(), "f87".into()));
    assert_eq!(s.query("SELECT COUNT(*) FROM U WHERE ID > CAST('7fffffff-0000-0000-0000-000000000000' AS UUID)"), "2");
}

#[test]
fn an_index_that_does_not_fit_is_not_needed() {
    let server = Process::start(&["--in-memory", "--sql-memory", "2m"]);
    let mut client = Client::connect(server.addr()).unwrap();
    let mut ask = |text: &str| {
        let rows = client.sql(text, &[], &SqlOptions::default()).and_then(|result| result.all(&mut client));
        rows.unwrap_or_else(|e| panic!("{text}: {e}")).iter().map(|row| shown(&row[0])).collect::<Vec<_>>().join(" ")
    };
    ask("CREATE TABLE N (ID INT PRIMARY KEY, V INT, W INT)");
    for from in (0..40_000).step_by(10_000) {
        let numbers = format!("FROM TABLE(SYSTEM_RANGE({}, {}))", from + 1, from + 10_000);
        ask(&format!("INSERT INTO N SELECT X, CAST(-X AS INT), CAST(X % 7 AS INT) {numbers}"));
    }
    ask("CREATE INDEX BY_V ON N (V)");
    ask("CREATE INDEX BY_W ON N (W)");
    for text in ["SELECT ID FROM N ORDER BY V LIMIT 2", "SELECT MIN(ID) FROM N WHERE W = 3"] {
        let plan = ask(&format!("EXPLAIN PLAN FOR {text}"));
        assert!(plan.contains("index="), "{plan}");
        let rows = ask(text);
        assert!(["40000 39999", "3"].contains(&&*rows), "{text}: {rows}");
        assert_eq!(ask(text), rows);
        assert!(!ask(&format!("EXPLAIN PLAN FOR {text}")).contains("index="));
    }
    // Far fewer rows fit.
    ask("DELETE FROM N WHERE ID > 5000");
    assert_eq!(ask("SELECT ID FROM N ORDER BY V LIMIT 2"), "5000 4999");
    assert!(ask("EXPLAIN PLAN FOR SELECT ID FROM N ORDER BY V LIMIT 2").contains("index=BY_V"));
}
