//! Conditions of all kinds over columns of all types: whichever key and indexes a table has, the rows that a condition holds
//! for, does not hold for and has no answer for are those of its value in the select list. Needs feature `sql`.
//!
//! `FLINT_SQL_PREDICATES=100000` tries more of them, with other seeds.

use crate::sql_conditions::{self as conditions, COLUMNS, KEYS, Row};
use crate::support::{Process, Seed, number};
use flint::client::Error;
use flint::client::ga::{Argument, Client, SqlOptions, TxOptions};
use std::time::{Duration, Instant};

const FIXED_SEED: u64 = 0xc0de;
/// Conditions on the same tables.
const ROUND: usize = 40;
const ROWS: i64 = 60;

/// Rows, or why there are none: a statement that fails while it runs may do so for rows that another way to the same result
/// never looks at.
type Rows = Option<Vec<Vec<String>>>;

struct Run {
    client: Client,
    rng: fastrand::Rng,
    seed: u64,
    /// The tables with the same rows; the first has a plain key.
    tables: Vec<String>,
    /// The orders of each one's key and indexes.
    orders: Vec<Vec<String>>,
    tried: usize,
    failed: usize,
}

impl Run {
    fn ask(&mut self, text: &str, arguments: &[Argument]) -> Rows {
        let options =
            SqlOptions { timeout: Some(Duration::from_secs(30)), page_size: Some(10_000), ..SqlOptions::default() };
        let rows = self.client.sql(text, arguments, &options).and_then(|result| result.all(&mut self.client));
        match rows {
            Ok(rows) => Some(rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect()),
            // What overflows, does not fit or is divided by zero.
            Err(Error::Ga(error)) if (error.group(), error.number()) == ("SQL", 7) => None,
            Err(error) => panic!("{text}\n{arguments:?}\n{error}\n{}", self.told()),
        }
    }

    fn told(&self) -> String {
        format!("seed {}, {:?}", self.seed, self.orders)
    }

    /// The first column, sorted.
    fn ids(&mut self, text: &str, arguments: &[Argument]) -> Option<Vec<String>> {
        let mut ids: Vec<String> = self.ask(text, arguments)?.into_iter().map(|row| row.join(" ")).collect();
        ids.sort();
        Some(ids)
    }

    fn change(&mut self, text: &str) {
        self.client.sql(text, &[], &SqlOptions::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    /// New tables with the same new rows.
    fn tables(&mut self) {
        for table in std::mem::take(&mut self.tables) {
            self.change(&format!("DROP TABLE {table}"));
        }
        self.orders.clear();
        let columns: Vec<String> = COLUMNS.iter().map(|(name, ty, _)| format!("{name} {ty}")).collect();
        for (n, table) in ["PLAIN", "B", "C"].into_iter().enumerate() {
            let mut keys: Vec<&str> = KEYS.to_vec();
            self.rng.shuffle(&mut keys);
            keys.truncate(if n == 0 { 0 } else { 1 + self.rng.usize(..3) });
            keys.insert(self.rng.usize(..=keys.len()), "ID");
            self.change(&format!("CREATE TABLE {table} ({}, PRIMARY KEY ({}))", columns.join(", "), keys.join(", ")));
            let mut orders = vec![keys.join(", ")];
            for index in 0..if n == 0 { 0 } else { self.rng.usize(1..6) } {
                let mut of: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
                self.rng.shuffle(&mut of);
                of.truncate(1 + self.rng.usize(..3));
                let part = |name: &&str| {
                    let way = ["", " ASC", " DESC"][self.rng.usize(..3)];
                    format!("{name}{way}{}", ["", " NULLS FIRST", " NULLS LAST"][self.rng.usize(..3)])
                };
                let order = of.iter().map(part).collect::<Vec<_>>().join(", ");
                self.change(&format!("CREATE INDEX {table}_{index} ON {table} ({order})"));
                orders.push(order);
            }
            self.orders.push(orders);
            self.tables.push(table.to_owned());
        }
        let rows: Vec<Row> = (0..ROWS).map(|_| conditions::row(&mut self.rng)).collect();
        for table in self.tables.clone() {
            let rows: Vec<String> =
                rows.iter().enumerate().map(|(id, row)| format!("({id}, {})", row.join(", "))).collect();
            let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
            // In two parts: an index is brought up to date, too.
            let half = rows.len() / 2;
            for part in [&rows[..half], &rows[half..]] {
                self.change(&format!("INSERT INTO {table} ({}) VALUES {}", names.join(", "), part.join(", ")));
                for order in self.orders[self.tables.iter().position(|t| *t == table).unwrap()].clone() {
                    let text = format!("SELECT ID FROM {table} ORDER BY {order} LIMIT 1");
                    self.ask(&text, &[]);
                }
            }
        }
    }

    fn condition(&mut self) {
        let (condition, arguments) = conditions::condition(&mut self.rng);
        self.tried += 1;
        // The value of the condition, row by row: nothing can be left out.
        let values = format!("SELECT ID, {condition} FROM PLAIN");
        let Some(values) = self.ask(&values, &arguments) else {
            self.failed += 1;
            return;
        };
        let of = |value: &str| {
            let mut ids: Vec<String> = values.iter().filter(|row| row[1] == value).map(|row| row[0].clone()).collect();
            ids.sort();
            ids
        };
        let (holds, not, unknown) = (of("true"), of("false"), of("null"));
        assert_eq!(holds.len() + not.len() + unknown.len(), ROWS as usize, "{condition}: {values:?}");
        let n = self.rng.usize(..self.tables.len());
        let table = self.tables[n].clone();
        let mut parts = vec![
            (condition.clone(), &holds),
            (format!("NOT ({condition})"), &not),
            (format!("({condition}) IS NULL"), &unknown),
        ];
        if self.rng.u8(..8) == 0 {
            parts.push((format!("({condition}) IS TRUE"), &holds));
            parts.push((format!("CASE WHEN {condition} THEN FALSE ELSE TRUE END = FALSE"), &holds));
        }
        for (filter, expected) in parts {
            let text = format!("SELECT ID FROM {table} WHERE {filter}");
            if let Some(ids) = self.ids(&text, &arguments) {
                assert_eq!(ids, *expected, "{text}\n{arguments:?}\n{}\n{}", self.plan(&text), self.told());
            }
        }
        match self.rng.u8(..3) {
            0 => self.counts(&table, &condition, &arguments, &holds),
            1 => self.ordered(n, &condition, &arguments, &holds),
            _ => {
                let (other, more) = conditions::condition(&mut self.rng);
                self.together(&table, (&condition, &arguments), (&other, &more));
            }
        }
    }

    fn plan(&mut self, text: &str) -> String {
        match text.contains('?') {
            true => String::new(),
            false => {
                self.ask(&format!("EXPLAIN PLAN FOR {text}"), &[]).map(|rows| rows[0][0].clone()).unwrap_or_default()
            }
        }
    }

    /// The same in other words: counted, as a subquery, as a change that is taken back.
    fn counts(&mut self, table: &str, condition: &str, arguments: &[Argument], holds: &[String]) {
        let count = holds.len().to_string();
        let text = match self.rng.u8(..6) {
            0 => format!("SELECT COUNT(*) FROM {table} WHERE {condition}"),
            1 => format!("SELECT COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0) FROM {table}"),
            2 => format!("SELECT COUNT(*) FROM PLAIN P WHERE ID IN (SELECT ID FROM {table} WHERE {condition})"),
            3 => {
                format!("SELECT COUNT(*) FROM PLAIN P JOIN (SELECT * FROM {table} WHERE {condition}) Q ON Q.ID = P.ID")
            }
            4 => format!("SELECT COUNT(*) FROM (SELECT DISTINCT ID, KI, V FROM {table} WHERE {condition}) Q"),
            _ => return self.changes(table, condition, arguments, holds.len()),
        };
        if let Some(rows) = self.ask(&text, arguments) {
            assert_eq!(rows, [[count]], "{text}\n{arguments:?}\n{}\n{}", self.plan(&text), self.told());
        }
    }

    fn changes(&mut self, table: &str, condition: &str, arguments: &[Argument], count: usize) {
        let tx = self.client.begin(TxOptions::default()).unwrap();
        let text = match self.rng.bool() {
            true => format!("DELETE FROM {table} WHERE {condition}"),
            false => format!("UPDATE {table} SET Z = 1 WHERE {condition}"),
        };
        match self.client.sql(&text, arguments, &SqlOptions::default().within(tx)) {
            Ok(result) => {
                assert_eq!(result.affected_rows, Some(count as u64), "{text}\n{arguments:?}\n{}", self.told());
                self.client.rollback(tx).unwrap();
            }
            // The transaction has gone with it.
            Err(Error::Ga(error)) if (error.group(), error.number()) == ("SQL", 7) => {
                let _ = self.client.rollback(tx);
            }
            Err(error) => panic!("{text}\n{arguments:?}\n{error}\n{}", self.told()),
        }
    }

    /// In an order that the table may have, whole and in part.
    fn ordered(&mut self, n: usize, condition: &str, arguments: &[Argument], holds: &[String]) {
        let table = self.tables[n].clone();
        let order = self.orders[n][self.rng.usize(..self.orders[n].len())].clone();
        let order = if order.ends_with("ID") { order } else { format!("{order}, ID") };
        let limit = self.rng.usize(..8);
        let offset = self.rng.usize(..3);
        let ordered = |table: &str| format!("SELECT ID FROM {table} WHERE {condition} ORDER BY {order}");
        let plain = format!("SELECT ID FROM PLAIN WHERE ({condition}) IS TRUE ORDER BY {order}");
        let (Some(all), Some(plain)) = (self.ask(&ordered(&table), arguments), self.ask(&plain, arguments)) else {
            return;
        };
        assert_eq!(all, plain, "{}\n{arguments:?}\n{}\n{}", ordered(&table), self.plan(&ordered(&table)), self.told());
        assert_eq!(all.len(), holds.len());
        let text = format!("{} LIMIT {limit} OFFSET {offset}", ordered(&table));
        if let Some(some) = self.ask(&text, arguments) {
            let part: Vec<_> = all.into_iter().skip(offset).take(limit).collect();
            assert_eq!(some, part, "{text}\n{arguments:?}\n{}\n{}", self.plan(&text), self.told());
        }
    }

    /// Two conditions, which may become ranges of the same order, and joins by one of them.
    fn together(&mut self, table: &str, one: (&str, &[Argument]), other: (&str, &[Argument])) {
        let arguments = [one.1, other.1].concat();
        let both = format!("{} AND {}", one.0, other.0);
        let word = ["AND", "OR"][self.rng.usize(..2)];
        let texts = [
            (
                format!("SELECT ID FROM {table} WHERE {} {word} {}", one.0, other.0),
                format!("SELECT ID FROM PLAIN WHERE (({}) {word} ({})) IS TRUE", one.0, other.0),
            ),
            (
                format!("SELECT P.ID FROM PLAIN P WHERE EXISTS (SELECT 1 FROM {table} Q WHERE Q.ID = P.ID AND {both})"),
                format!(
                    "SELECT ID FROM PLAIN WHERE (CASE WHEN {} THEN CASE WHEN {} THEN 1 END END) = 1",
                    one.0, other.0
                ),
            ),
        ];
        let (by_any, by_value) = &texts[self.rng.usize(..2)];
        if let (Some(any), Some(value)) = (self.ids(by_any, &arguments), self.ids(by_value, &arguments)) {
            assert_eq!(any, value, "{by_any}\n{by_value}\n{arguments:?}\n{}\n{}", self.plan(by_any), self.told());
        }
    }

    /// Joins whose condition is between columns of two tables, and the same over all pairs.
    fn join(&mut self) {
        let on = format!("({})", conditions::between("L", "R", &mut self.rng));
        let filter = format!("L.ID < {} AND R.ID >= {}", self.rng.i64(5..ROWS), self.rng.i64(0..ROWS - 5));
        let (left, right) = (self.tables[self.rng.usize(..3)].clone(), self.tables[self.rng.usize(..3)].clone());
        let pairs = format!("SELECT L.ID, R.ID FROM PLAIN L, PLAIN R WHERE ({on} AND {filter}) IS TRUE");
        let joined = format!("SELECT L.ID, R.ID FROM {left} L JOIN {right} R ON {on} WHERE {filter}");
        let outer = format!("SELECT L.ID FROM {left} L LEFT JOIN {right} R ON {on} AND {filter} WHERE R.ID IS NULL");
        let not =
            format!("SELECT L.ID FROM {left} L WHERE NOT EXISTS (SELECT 1 FROM {right} R WHERE {on} AND {filter})");
        self.tried += 1;
        let Some(pairs) = self.ids(&pairs, &[]) else {
            self.failed += 1;
            return;
        };
        if let Some(joined_ids) = self.ids(&joined, &[]) {
            assert_eq!(joined_ids, pairs, "{joined}\n{}\n{}", self.plan(&joined), self.told());
        }
        let mut alone: Vec<String> = (0..ROWS).map(|id| id.to_string()).collect();
        alone.retain(|id| !pairs.iter().any(|pair| pair.split(' ').next() == Some(id)));
        alone.sort();
        for text in [outer, not] {
            if let Some(ids) = self.ids(&text, &[]) {
                assert_eq!(ids, alone, "{text}\n{}\n{}", self.plan(&text), self.told());
            }
        }
    }
}

#[test]
fn a_condition_holds_for_the_same_rows_in_every_table() {
    let most: usize = number("FLINT_SQL_PREDICATES", 0);
    let seed = if most == 0 { Seed(number("FLINT_SEED", FIXED_SEED)) } else { Seed::new() };
    let server = Process::start(&["--in-memory"]);
    let client = Client::connect(server.addr()).unwrap();
    let begin = Instant::now();
    let mut run =
        Run { client, rng: seed.rng(0), seed: seed.0, tables: Vec::new(), orders: Vec::new(), tried: 0, failed: 0 };
    let mut shown = 0;
    while run.tried < most.max(ROUND) {
        run.tables();
        for n in 0..ROUND {
            match n % 8 {
                0 => run.join(),
                _ => run.condition(),
            }
        }
        if run.tried >= shown + 3_000 {
            shown = run.tried;
            eprintln!("{:?}: {} conditions, {} of them fail", begin.elapsed(), run.tried, run.failed);
        }
    }
    eprintln!("{} conditions, {} of them fail, in {:?}", run.tried, run.failed, begin.elapsed());
    assert!(run.failed * 2 < run.tried);
}
