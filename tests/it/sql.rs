//! SQL over the wire: queries, changes, transactions, cursors, errors. Needs feature `sql`.

use crate::sql_session::shown;
use flint::TestServer;
use flint::client::ga::{Argument, Client, Options, SqlOptions, TxOptions};
use flint::value::{ColumnType, Value};

struct Session {
    _server: TestServer,
    client: Client,
    other: Client,
}

impl Session {
    fn new(setup: &str) -> Self {
        let server = TestServer::start();
        server.sql(setup).unwrap();
        let client = Client::connect(server.addr()).unwrap();
        let other = Client::connect(server.addr()).unwrap();
        Self { _server: server, client, other }
    }

    /// Rows as text: columns separated by blanks, rows by line breaks.
    fn query(&mut self, text: &str) -> String {
        let result = self.client.sql(text, &[], &SqlOptions::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let rows = result.all(&mut self.client).unwrap_or_else(|e| panic!("{text}: {e}"));
        let row = |row: &Vec<Value<'static>>| row.iter().map(shown).collect::<Vec<_>>().join(" ");
        rows.iter().map(row).collect::<Vec<_>>().join("\n")
    }

    fn change(&mut self, text: &str, arguments: &[Argument]) -> i64 {
        let result = self.client.sql(text, arguments, &SqlOptions::default());
        result.unwrap_or_else(|e| panic!("{text}: {e}")).affected_rows.map_or(-1, |n| n as i64)
    }

    fn refused(&mut self, text: &str) -> String {
        match self.client.sql(text, &[], &SqlOptions::default()).and_then(|r| r.all(&mut self.client)) {
            Ok(rows) => panic!("{text}: {rows:?}"),
            Err(error) => error.to_string(),
        }
    }
}

fn int(v: i64) -> Argument {
    Argument::new(ColumnType::Int32, Value::Int(v))
}

const EMP: &str = "CREATE TABLE EMP (ID INT PRIMARY KEY, NAME VARCHAR, DEPT INT, PAY DECIMAL(10, 2) DEFAULT 5)";

fn emp() -> Session {
    let mut s = Session::new(EMP);
    let rows = "(1, 'ann', 10, 100.5), (2, 'bob', 10, 200), (3, 'cid', 20, NULL), (4, 'dot', NULL, 50)";
    assert_eq!(s.change(&format!("INSERT INTO EMP VALUES {rows}"), &[]), 4);
    s
}

/// What the planner was not made for is told as an error of the statement.
#[test]
fn what_means_nothing_does_not_validate() {
    let mut s = emp();
    for (text, part) in [
        ("SELECT DATE_TRUNC(RAND_UUID(), 0.1)", "No function matches the given name and argument types"),
        ("SELECT VARCHAR(0) OVER (ORDER BY ID) FROM EMP", "No functions registered"),
        ("SELECT E.NAME, D.NAME FROM EMP E JOIN EMP D ON TRUE ORDER BY E.NONE", "Column 'NONE' not found in table 'E'"),
        ("SELECT CAST(ROW(127) AS VARCHAR)", "cannot be used here"),
    ] {
        let error = s.client.sql(text, &[], &SqlOptions::default()).unwrap_err();
        let error = error.server().unwrap();
        assert_eq!((error.group(), error.number()), ("SQL", 4), "{text}: {error}");
        assert!(error.message.contains(part) && !error.message.contains("bug"), "{text}: {error}");
    }
    let uuid = Argument::from(Value::Uuid(7));
    let error =
        s.client.sql("SELECT ID FROM EMP WHERE ID BETWEEN ? AND ?", &[uuid.clone(), uuid], &SqlOptions::default());
    let error = error.unwrap_err();
    assert_eq!(error.server().map(|e| (e.group(), e.number())), Some(("SQL", 4)), "{error}");
}

/// 300 rows, neighbours of three schema versions, nulls between them, numbers of every width: read in chunks and columns.
#[test]
fn a_scan_reads_rows_of_several_versions() {
    let mut s = Session::new("CREATE TABLE T (ID INT PRIMARY KEY, N BIGINT, S VARCHAR, D DOUBLE)");
    let number = |id: i64| (-1_i64).pow((id % 2) as u32) << (id % 50);
    let insert = |s: &mut Session, ids: &[i64], more: &str| {
        let row = |id: &i64| match id % 5 {
            0 => format!("({id}, NULL, NULL, NULL{more})"),
            _ => format!("({id}, {}, 's{id}', {id}.5{more})", number(*id)),
        };
        let rows: Vec<_> = ids.iter().map(row).collect();
        assert_eq!(s.change(&format!("INSERT INTO T VALUES {}", rows.join(", ")), &[]), ids.len() as i64);
    };
    let every_third = |from: i64| (from..300).step_by(3).collect::<Vec<_>>();
    insert(&mut s, &every_third(0), "");
    s.change("ALTER TABLE T ADD COLUMN M INT DEFAULT 70000", &[]);
    insert(&mut s, &every_third(1), ", 3");
    s.change("ALTER TABLE T DROP COLUMN D", &[]);
    for id in every_third(2) {
        let set = if id % 5 == 0 { "NULL, NULL".into() } else { format!("{}, 's{id}'", number(id)) };
        s.change(&format!("INSERT INTO T (ID, N, S, M) VALUES ({id}, {set}, NULL)"), &[]);
    }
    let expected: Vec<_> = (0..300)
        .map(|id: i64| {
            let (n, text) = match id % 5 {
                0 => ("null".into(), "null".into()),
                _ => (number(id).to_string(), format!("s{id}")),
            };
            format!("{id} {n} {text} {}", ["70000", "3", "null"][(id % 3) as usize])
        })
        .collect();
    assert_eq!(s.query("SELECT * FROM T ORDER BY ID"), expected.join("\n"));
    assert_eq!(s.query("SELECT COUNT(*), COUNT(N), COUNT(M) FROM T"), "300 240 200");
}

#[test]
fn a_statement_knows_its_user() {
    let mut s = emp();
    assert_eq!(s.query("SELECT CURRENT_USER"), "unknown");
    s.change("INSERT INTO EMP (ID, NAME) VALUES (9, CURRENT_USER)", &[]);
    assert_eq!(s.query("SELECT ID FROM EMP WHERE NAME = CURRENT_USER"), "9");

    let server = TestServer::builder().user("o'neil", "s3cret").start();
    let credentials = Some(("o'neil".into(), "s3cret".into()));
    let mut client = Client::connect_with(server.addr(), &Options { credentials, ..Options::default() }).unwrap();
    let rows = client.sql("SELECT CURRENT_USER", &[], &SqlOptions::default()).unwrap().all(&mut client).unwrap();
    assert_eq!(rows, [[Value::Str("o'neil".into())]]);
}

#[test]
fn a_decimal_beside_a_double_is_a_double() {
    let mut s = Session::new("CREATE TABLE C (ID INT PRIMARY KEY, N DECIMAL(10, 2), D DOUBLE, F REAL)");
    s.change("INSERT INTO C VALUES (1, 2.25, 0.5, 1.5), (2, NULL, NULL, NULL)", &[]);
    for mixed in [
        "CASE WHEN ID = 1 THEN N ELSE D END",
        "CASE ID WHEN 1 THEN 2.25 ELSE F END",
        "COALESCE(N, D)",
        "GREATEST(N, D, F)",
        "(SELECT MAX(CASE WHEN B.ID > 0 THEN B.N ELSE B.D END) FROM C B WHERE B.ID = C.ID)",
    ] {
        let sql = format!("SELECT {mixed} AS X FROM C WHERE {mixed} > 2 ORDER BY {mixed}");
        let result = s.client.sql(&sql, &[], &SqlOptions::default()).unwrap();
        assert_eq!(result.columns[0].ty(), Some(ColumnType::Double), "{mixed}");
        assert_eq!(result.all(&mut s.client).unwrap(), [[Value::Double(2.25)]], "{mixed}");
    }
    assert_eq!(s.query("SELECT CASE WHEN ID = 1 THEN N ELSE 1 END FROM C WHERE ID = 1"), "2.25");
}

#[test]
fn rows_are_sorted_by_a_correlated_column() {
    let mut s = emp();
    let peers = "(SELECT COUNT(*) FROM EMP P WHERE P.DEPT = E.DEPT) AS PEERS";
    let sql = format!("SELECT NAME, {peers} FROM EMP E ORDER BY PEERS DESC, ID DESC");
    assert_eq!(s.query(&sql), "bob 2\nann 2\ncid 1\ndot 0");
}

#[test]
fn queries_answer_rows() {
    let mut s = emp();
    assert_eq!(s.query("SELECT NAME FROM EMP WHERE ID = 2"), "bob");
    assert_eq!(s.query("select id, name from emp where dept = 10 order by id desc"), "2 bob\n1 ann");
    assert_eq!(s.query("SELECT COUNT(*), SUM(PAY), MAX(NAME) FROM EMP"), "4 350.50 dot");
    assert_eq!(s.query("SELECT DEPT, COUNT(*) FROM EMP GROUP BY DEPT ORDER BY DEPT"), "10 2\n20 1\nnull 1");
    assert_eq!(s.query("SELECT A.NAME, B.NAME FROM EMP A JOIN EMP B ON A.DEPT = B.DEPT AND A.ID < B.ID"), "ann bob");
    assert_eq!(s.query("SELECT ID FROM EMP WHERE ID IN (4, 1, 9) ORDER BY ID LIMIT 5"), "1\n4");
    assert_eq!(s.query("SELECT ID FROM EMP WHERE ID > 1 AND ID <= 3 ORDER BY 1"), "2\n3");
    assert_eq!(s.query("SELECT 1 + 1, 7 / 2, 7 % 4, 2.5 * 2"), "2 3 3 5.0");
    assert_eq!(s.query("WITH T AS (SELECT DEPT D FROM EMP) SELECT COUNT(D) FROM T"), "3");
    assert_eq!(s.query("SELECT NAME FROM EMP ORDER BY PAY FETCH FIRST 1 ROWS ONLY"), "dot");
    assert_eq!(s.query("SELECT ID FROM EMP EXCEPT SELECT 1 ORDER BY 1"), "2\n3\n4");
    assert_eq!(s.query("SELECT NAME FROM EMP WHERE PAY = (SELECT MAX(PAY) FROM EMP)"), "bob");
}

#[test]
fn changes_tell_how_many_rows() {
    let mut s = emp();
    assert_eq!(s.change("UPDATE EMP SET PAY = PAY + 1, NAME = UPPER(NAME) WHERE DEPT = 10", &[]), 2);
    assert_eq!(s.query("SELECT NAME, PAY FROM EMP WHERE ID = 1"), "ANN 101.50");
    assert_eq!(s.change("UPDATE EMP SET PAY = 1 WHERE ID = 77", &[]), 0);
    assert_eq!(s.change("INSERT INTO EMP (ID, NAME) VALUES (?, 'eve')", &[int(5)]), 1);
    assert_eq!(s.query("SELECT PAY, DEPT FROM EMP WHERE ID = 5"), "5.00 null");
    assert_eq!(s.change("INSERT INTO EMP (ID, NAME, PAY) SELECT ID + 100, NAME, PAY FROM EMP", &[]), 5);
    assert_eq!(s.change("DELETE FROM EMP WHERE ID IN (SELECT ID FROM EMP WHERE ID > 100)", &[]), 5);
    assert_eq!(s.query("SELECT COUNT(*) FROM EMP"), "5");
    assert_eq!(
        s.change(
            "MERGE INTO EMP T USING (SELECT ID + 4 I, NAME N FROM EMP WHERE ID < 3) S ON T.ID = S.I \
             WHEN MATCHED THEN UPDATE SET NAME = S.N WHEN NOT MATCHED THEN INSERT (ID, NAME) VALUES (S.I, S.N)",
            &[]
        ),
        2
    );
    assert_eq!(s.query("SELECT ID, NAME FROM EMP WHERE ID > 4 ORDER BY ID"), "5 ANN\n6 BOB");
    assert_eq!(s.change("DELETE FROM EMP", &[]), 6);
}

#[test]
fn a_failed_change_stores_nothing() {
    let mut s = emp();
    assert!(s.refused("INSERT INTO EMP (ID) VALUES (9), (1)").contains("PK unique constraint is violated"));
    assert!(s.refused("UPDATE EMP SET PAY = 1000000000 WHERE ID < 3").contains("Numeric field overflow"));
    assert!(s.refused("INSERT INTO EMP (ID, NAME) VALUES (10, 5 / 0)").contains("Division by zero"));
    assert!(s.refused("INSERT INTO EMP (NAME) VALUES ('x')").contains("does not allow NULLs"));
    assert_eq!(s.query("SELECT COUNT(*), MIN(PAY) FROM EMP"), "4 50.00");
}

#[test]
fn pages_follow_one_another_and_keep_their_snapshot() {
    let mut s = Session::new("CREATE TABLE N (ID INT PRIMARY KEY, V INT)");
    let lists: Vec<Vec<Argument>> = (0..5_000).map(|i| vec![int(i), int(i * 2)]).collect();
    let counts = s.client.batch("INSERT INTO N VALUES (?, ?)", &lists, &SqlOptions::default()).unwrap();
    assert_eq!((counts.len(), counts.iter().sum::<i64>()), (5_000, 5_000));
    let options = SqlOptions { page_size: Some(7_u32), ..SqlOptions::default() };
    let mut result = s.client.sql("SELECT ID FROM N ORDER BY ID", &[], &options).unwrap();
    let first = result.next_page(&mut s.client).unwrap().unwrap();
    assert_eq!(first.len(), 7);
    s.other.sql("DELETE FROM N", &[], &SqlOptions::default()).unwrap();
    let rest = result.all(&mut s.client).unwrap();
    assert_eq!(rest.len(), 4_993);
    assert_eq!(rest.last().unwrap(), &vec![Value::Int(4_999)]);
    assert_eq!(s.query("SELECT COUNT(*) FROM N"), "0");
}

#[test]
fn transactions_see_their_own_writes_and_are_isolated() {
    let mut s = emp();
    let tx = s.client.begin(TxOptions::default()).unwrap();
    let within = SqlOptions::default().within(tx);
    s.client.sql("UPDATE EMP SET NAME = 'zoe' WHERE DEPT = 20", &[], &within).unwrap();
    let mine = s.client.sql("SELECT NAME FROM EMP WHERE ID = 3", &[], &within).unwrap().all(&mut s.client).unwrap();
    assert_eq!(mine, [[Value::Str("zoe".into())]]);
    let theirs = s.other.sql("SELECT NAME FROM EMP WHERE ID = 3", &[], &SqlOptions::default()).unwrap();
    assert_eq!(theirs.all(&mut s.other).unwrap(), [[Value::Str("cid".into())]]);
    s.client.commit(tx).unwrap();
    assert_eq!(s.query("SELECT NAME FROM EMP WHERE ID = 3"), "zoe");
}

#[test]
fn a_transaction_whose_scan_went_stale_does_not_commit() {
    let mut s = emp();
    let tx = s.client.begin(TxOptions::default()).unwrap();
    let within = SqlOptions::default().within(tx);
    let sum = s.client.sql("SELECT SUM(PAY) FROM EMP", &[], &within).unwrap().all(&mut s.client).unwrap();
    assert_eq!(sum.len(), 1);
    s.other.sql("UPDATE EMP SET PAY = 0 WHERE ID = 4", &[], &SqlOptions::default()).unwrap();
    s.client.sql("INSERT INTO EMP (ID, NAME) VALUES (50, 'sum')", &[], &within).unwrap();
    assert!(s.client.commit(tx).unwrap_err().to_string().contains("was changed by another"));
    assert_eq!(s.query("SELECT COUNT(*) FROM EMP"), "4");
}

#[test]
fn errors_have_their_class() {
    let mut s = emp();
    for (text, part) in [
        ("SELEC 1", "Failed to parse"),
        ("SELECT NO FROM EMP", "Column 'NO' not found"),
        ("SELECT * FROM NOWHERE", "Object 'NOWHERE' not found"),
        ("SELECT 1 / 0", "Division by zero"),
        ("SELECT 2147483647 + 1", "INTEGER out of range"),
        ("SELECT * FROM EMP WHERE ID = 'x'", "Cannot apply '='"),
        ("SELECT 1; SELECT 2", "Multiple statements"),
        ("COMMIT", "Transaction control"),
        ("SELECT ?", "Unexpected number of query parameters"),
    ] {
        let error = s.refused(text);
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_query_without_end_is_stopped_by_its_time_and_by_its_client() {
    let mut s = Session::new("CREATE TABLE N (ID INT PRIMARY KEY)");
    let lists: Vec<Vec<Argument>> = (0..2_000).map(|i| vec![int(i)]).collect();
    s.client.batch("INSERT INTO N VALUES (?)", &lists, &SqlOptions::default()).unwrap();
    let endless = "SELECT COUNT(*) FROM N A, N B, N C, N D WHERE A.ID + B.ID + C.ID + D.ID = -1";
    let options = SqlOptions { timeout: Some(std::time::Duration::from_millis(300)), ..SqlOptions::default() };
    let error = s.client.sql(endless, &[], &options).and_then(|r| r.all(&mut s.client)).unwrap_err();
    assert!(error.to_string().contains("Query timeout"), "{error}");
    assert_eq!(s.query("SELECT COUNT(*) FROM N"), "2000");
}

#[test]
fn a_fixture_runs_any_script() {
    let server = TestServer::start();
    server
        .sql(
            "CREATE TABLE T (ID INT PRIMARY KEY, V INT); INSERT INTO T VALUES (1, 10), (2, 20); \
             START TRANSACTION; UPDATE T SET V = V + 1; DELETE FROM T WHERE ID = 2; COMMIT",
        )
        .unwrap();
    assert_eq!(server.rows("T").unwrap().len(), 1);
    assert!(server.sql("INSERT INTO T VALUES (3, 1); INSERT INTO T VALUES (1, 1)").is_err());
    assert_eq!(server.rows("T").unwrap().len(), 2);
}

/// A table that is read in parts is read once.
#[test]
fn a_large_table_is_read_whole() {
    const ROWS: i64 = 60_000;
    let mut s = Session::new("CREATE TABLE N (ID INT PRIMARY KEY, G INT, V VARCHAR)");
    let text =
        |from: i64| (from..from + 1_000).map(|i| format!("({i}, {}, 'v{i}')", i % 7)).collect::<Vec<_>>().join(",");
    for from in (0..ROWS).step_by(1_000) {
        assert_eq!(s.change(&format!("INSERT INTO N VALUES {}", text(from)), &[]), 1_000);
    }
    assert_eq!(s.query("SELECT COUNT(*), SUM(ID), MIN(V), MAX(ID) FROM N"), "60000 1799970000 v0 59999");
    assert_eq!(s.query("SELECT COUNT(*) FROM N WHERE G = 3"), "8571");
    let groups = "SELECT G, COUNT(*) FROM N WHERE ID >= 0 GROUP BY G ORDER BY G";
    assert_eq!(s.query(groups).lines().next(), Some("0 8572"));
    assert_eq!(s.query("SELECT COUNT(*) FROM N A JOIN N B ON A.ID = B.ID"), "60000");
    assert_eq!(s.query("SELECT COUNT(DISTINCT V) FROM N"), "60000");
    assert_eq!(s.query("SELECT ID FROM N WHERE G = 3 ORDER BY ID LIMIT 2"), "3\n10");
    assert_eq!(s.change("UPDATE N SET G = 0 WHERE G = 1", &[]), 8_572);
    assert_eq!(s.query("SELECT ID FROM N ORDER BY ID").lines().count(), 60_000);
}

/// A parameter narrows a scan whatever width its client gives it.
#[test]
fn parameters_of_any_width_make_ranges() {
    let mut s = emp();
    let text = "EXPLAIN PLAN FOR SELECT NAME FROM EMP WHERE ID >= ? AND ID < ?";
    for ty in [ColumnType::Int32, ColumnType::Int64] {
        let arguments = [2, 4].map(|v| Argument::new(ty, Value::Int(v)));
        let result = s.client.sql(text, &arguments, &SqlOptions::default()).unwrap();
        let plan = shown(&result.all(&mut s.client).unwrap()[0][0]);
        assert!(plan.contains("keys=1 range(s)"), "{plan}");
        let query = text.trim_start_matches("EXPLAIN PLAN FOR ");
        let rows = s.client.sql(query, &arguments, &SqlOptions::default()).unwrap().all(&mut s.client).unwrap();
        assert_eq!(rows, [[Value::Str("bob".into())], [Value::Str("cid".into())]]);
    }
    // Beyond the column's range.
    let far = [0, 1 << 40].map(|v| Argument::new(ColumnType::Int64, Value::Int(v)));
    let rows = s.client.sql("SELECT ID FROM EMP WHERE ID >= ? AND ID < ?", &far, &SqlOptions::default()).unwrap();
    assert_eq!(rows.all(&mut s.client).unwrap().len(), 4);
}
