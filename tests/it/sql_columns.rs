//! Columns that queries keep: what reads all of a large table has the rows of its own commit. Needs feature `sql`.

use crate::sql_session::Session;
use crate::support::Seed;
use flint::client::ga::{SqlOptions, TxOptions};
use flint::value::Value;
use std::collections::BTreeMap;

/// Rows from which on a table is read in parts, and some more.
const ROWS: i64 = 52_000;

/// The rows in parts of which a slow machine inserts each in good time.
fn ranges() -> impl Iterator<Item = String> {
    let part = ROWS / 8;
    (0..8).map(move |n| format!("TABLE(SYSTEM_RANGE({}, {}))", n * part + 1, (n + 1) * part))
}

/// A table and what is in it.
struct Model {
    session: Session,
    rows: BTreeMap<i64, Option<i64>>,
}

impl Model {
    fn new() -> Self {
        let mut session = Session::new("CREATE TABLE T (ID BIGINT PRIMARY KEY, V INT, W VARCHAR)");
        for range in ranges() {
            let values = "X, CAST(X % 100 AS INT), 'w' || CAST(X % 10 AS VARCHAR)";
            session.change(&format!("INSERT INTO T SELECT {values} FROM {range}"));
        }
        Self { session, rows: (1..=ROWS).map(|id| (id, Some(id % 100))).collect() }
    }

    fn change(&mut self, rng: &mut fastrand::Rng) {
        let from = rng.i64(1..ROWS);
        let to = from + rng.i64(0..300);
        match rng.usize(..4) {
            0 => {
                self.session.change(&format!("DELETE FROM T WHERE ID BETWEEN {from} AND {to}"));
                self.rows.retain(|id, _| !(from..=to).contains(id));
            }
            1 => {
                self.session.change(&format!("UPDATE T SET V = V + 1000 WHERE ID BETWEEN {from} AND {to}"));
                self.rows.range_mut(from..=to).for_each(|(_, v)| *v = v.map(|v| v + 1000));
            }
            2 => {
                self.session.change(&format!("UPDATE T SET V = NULL WHERE V = {}", from % 100));
                self.rows.values_mut().filter(|v| **v == Some(from % 100)).for_each(|v| *v = None);
            }
            _ => {
                let (from, to) = (from + 2 * ROWS, to + 2 * ROWS);
                self.session.change(&format!("DELETE FROM T WHERE ID BETWEEN {from} AND {to}"));
                let range = format!("TABLE(SYSTEM_RANGE({from}, {to}))");
                self.session.change(&format!("INSERT INTO T SELECT X, 7, 'w7' FROM {range}"));
                self.rows.extend((from..=to).map(|id| (id, Some(7))));
            }
        }
    }

    fn check(&mut self) {
        let values = || self.rows.values().flatten();
        let all = format!(
            "{} {} {} {}",
            self.rows.len(),
            values().count(),
            values().sum::<i64>(),
            self.rows.keys().sum::<i64>()
        );
        let some = values().filter(|v| **v >= 1000).count();
        let mut groups = BTreeMap::<Option<i64>, usize>::new();
        self.rows.values().for_each(|v| *groups.entry(v.map(|v| v % 3)).or_default() += 1);
        let groups: Vec<_> = [Some(0), Some(1), Some(2), None]
            .iter()
            .filter_map(|g| Some(format!("{} {}", g.map_or("null".to_owned(), |g| g.to_string()), groups.get(g)?)))
            .collect();
        for (text, expected) in [
            ("SELECT COUNT(*), COUNT(V), SUM(V), SUM(ID) FROM T", all),
            ("SELECT COUNT(*) FROM T WHERE V >= 1000", some.to_string()),
            ("SELECT V % 3 AS G, COUNT(*) FROM T GROUP BY V % 3 ORDER BY G", groups.join(", ")),
        ] {
            assert_eq!(self.session.query(text), expected, "{text}");
        }
    }
}

#[test]
fn what_is_kept_follows_writes() {
    let seed = Seed::new();
    let mut rng = seed.rng(0);
    let mut model = Model::new();
    let plan = model.session.plan("SELECT SUM(V) FROM T");
    assert!(plan.contains("parts="), "{plan}");
    model.check();
    for _ in 0..6 {
        (0..3).for_each(|_| model.change(&mut rng));
        model.check();
    }
    // Nearly all of it.
    model.session.change("UPDATE T SET V = 5");
    model.rows.values_mut().for_each(|v| *v = Some(5));
    model.check();
    model.session.change("DELETE FROM T WHERE ID > 40");
    model.rows.retain(|id, _| *id <= 40);
    model.check();
}

#[test]
fn transactions_and_snapshots_have_rows_of_their_own() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut model = Model::new();
    model.check();
    let before = model.session.client.begin(TxOptions { read_only: true, ..TxOptions::default() }).unwrap();
    let tx = model.session.client.begin(TxOptions::default()).unwrap();
    let (outside, inside) = (SqlOptions::default(), SqlOptions { tx: Some(tx), ..SqlOptions::default() });
    let committed = model.rows.clone();
    model.session.options = inside;
    for _ in 0..3 {
        model.change(&mut rng);
        model.check();
    }
    let own = std::mem::replace(&mut model.rows, committed.clone());
    model.session.options = outside.clone();
    model.check();
    model.session.client.commit(tx).unwrap();
    model.rows = own;
    model.check();
    model.rows = committed;
    model.session.options = SqlOptions { tx: Some(before), ..outside };
    model.check();
}

#[test]
fn what_is_kept_follows_the_schema() {
    let mut s = Model::new().session;
    let texts = ["SELECT SUM(V), MAX(W) FROM T", "SELECT COUNT(*) FROM T WHERE W = 'w3'"];
    assert_eq!(texts.map(|text| s.query(text)), ["2574000 w9", "5200"]);
    s.change("ALTER TABLE T ADD COLUMN N INT DEFAULT 3");
    s.change("INSERT INTO T VALUES (0, 1, 'x', 40)");
    assert_eq!(s.query("SELECT SUM(N), SUM(V) FROM T"), "156040 2574001");
    s.change("ALTER TABLE T ALTER COLUMN V SET DATA TYPE BIGINT");
    s.change("UPDATE T SET V = 3000000000 WHERE ID = 0");
    assert_eq!(s.query("SELECT SUM(V), MAX(W) FROM T"), "3002574000 x");
    // Another column in the same place.
    s.change("ALTER TABLE T DROP COLUMN V");
    s.change("ALTER TABLE T ADD COLUMN V VARCHAR DEFAULT 'v'");
    assert_eq!(s.query("SELECT MIN(V), SUM(N) FROM T"), "v 156040");
    s.change("DROP TABLE T");
    s.change("CREATE TABLE T (ID BIGINT PRIMARY KEY, V INT, W VARCHAR)");
    assert_eq!(s.rows_of("SELECT SUM(V) FROM T", &[]), [[Value::Null]]);
}

/// What is read from kept columns, of every type, is what is read from the rows: a range of keys is always read from those.
#[test]
fn every_type_is_kept_as_it_is() {
    let mut s = Session::new(
        "CREATE TABLE A (ID INT PRIMARY KEY, B BOOLEAN, I8 TINYINT, I16 SMALLINT, I64 BIGINT, F REAL, D DOUBLE, \
         N DECIMAL(20, 3), M DECIMAL(60, 2), DAY DATE, T TIME(3), DT TIMESTAMP(6), TS TIMESTAMP(3) WITH LOCAL TIME ZONE, \
         U UUID, S VARCHAR, V VARBINARY)",
    );
    // Every eleventh value of a column is null.
    let columns = [
        ("B", "X % 2 = 0"),
        ("I8", "CAST(X % 100 AS TINYINT)"),
        ("I16", "CAST(X % 30000 AS SMALLINT)"),
        ("I64", "X * 1000000007"),
        ("F", "CAST(X AS REAL) / 8"),
        ("D", "CAST(X AS DOUBLE) / 3"),
        ("N", "CAST(X AS DECIMAL(20, 3)) / 7"),
        ("M", "CAST(X AS DECIMAL(60, 2)) * 1000000000000000000000000000000000000"),
        ("DAY", "CAST('19' || CAST(10 + X % 90 AS VARCHAR) || '-01-15' AS DATE)"),
        ("T", "CAST('12:' || CAST(10 + X % 50 AS VARCHAR) || ':00.125' AS TIME)"),
        ("DT", "CAST('1969-12-31 04:05:06.' || CAST(100000 + X % 900000 AS VARCHAR) AS TIMESTAMP)"),
        ("TS", "CAST('20' || CAST(10 + X % 90 AS VARCHAR) || '-06-15 01:02:03' AS TIMESTAMP WITH LOCAL TIME ZONE)"),
        ("U", "CAST('00000000-0000-0000-0000-0000000' || CAST(10000 + X % 80000 AS VARCHAR) AS UUID)"),
        ("S", "REPEAT('s', CAST(X % 5 AS INT)) || CAST(X % 999 AS VARCHAR)"),
        ("V", "CASE X % 3 WHEN 0 THEN X'00ff' WHEN 1 THEN X'' ELSE X'010203' END"),
    ];
    let values = columns.iter().enumerate();
    let values: Vec<_> =
        values.map(|(n, (_, value))| format!("CASE WHEN (X + {n}) % 11 = 0 THEN NULL ELSE {value} END")).collect();
    let values = values.join(", ");
    for range in ranges() {
        s.change(&format!("INSERT INTO A SELECT CAST(X AS INT), {values} FROM {range}"));
    }
    let counted: Vec<_> = columns.iter().map(|(c, _)| format!("COUNT({c}), COUNT(DISTINCT {c})")).collect();
    let extremes: Vec<_> =
        columns.iter().filter(|(c, _)| *c != "U").map(|(c, _)| format!("MIN({c}), MAX({c})")).collect();
    let texts = [
        format!("SELECT {} FROM A", counted.join(", ")),
        format!("SELECT {} FROM A", extremes.join(", ")),
        "SELECT COUNT(*), SUM(I64), SUM(N), SUM(D), AVG(I16), SUM(OCTET_LENGTH(V)), SUM(CHAR_LENGTH(S)) FROM A"
            .to_owned(),
    ];
    let mut rng = fastrand::Rng::with_seed(5);
    for round in 0..3 {
        for text in &texts {
            let rows = s.query(&format!("{text} WHERE ID > -5"));
            for _ in 0..3 {
                assert_eq!(s.query(text), rows, "round {round}: {text}");
            }
        }
        for _ in 0..20 {
            let (to, from) = (rng.i64(1..ROWS), rng.i64(1..ROWS));
            let (column, _) = columns[rng.usize(..columns.len())];
            s.change(&format!("UPDATE A SET {column} = (SELECT {column} FROM A WHERE ID = {from}) WHERE ID = {to}"));
            s.change(&format!("DELETE FROM A WHERE ID = {from}"));
        }
    }
}
