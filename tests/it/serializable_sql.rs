//! Strict serializability of transactions whose reads and writes are partly SQL, and the sum over a snapshot while others
//! write. Needs feature `sql`.
//!
//! `FLINT_HISTORY_OPS=1000000` makes the histories longer, as in [`crate::serializable`]; statements are slower than
//! operations, so there are a 40th of them.

use crate::history::{Key, MISSING, Outcome, Recorder, Transaction, Version};
use crate::serializable::{Versions, World, checked, create};
use crate::support::{Seed, number};
use flint::TestServer;
use flint::client::Error;
use flint::client::ga::{Argument, Client, SqlOptions, SqlResult, Table, Tx, TxOptions};
use flint::value::{ColumnType, Value};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

type Result<T> = std::result::Result<T, Error>;

/// Keys of a range that is read or written by one statement.
const RANGE: u64 = 6;

/// One client with its transaction.
struct Session<'w> {
    world: &'w World,
    client: Client,
    table: Table,
    tx: Option<Tx>,
    recorder: Recorder,
    /// Sums of ranges, with what the versions read beside them come to.
    sums: Vec<(u64, u64)>,
}

fn number_of(value: &Value<'_>) -> u64 {
    match value {
        Value::Int(v) => u64::try_from(*v).unwrap(),
        Value::Decimal(v) => v.to_string().parse().unwrap(),
        Value::Null => 0,
        other => panic!("{other}"),
    }
}

impl Session<'_> {
    fn sql(&mut self, text: &str, arguments: &[u64]) -> Result<SqlResult> {
        let argument = |v: &u64| Argument::new(ColumnType::Int64, Value::Int(*v as i64));
        let arguments: Vec<_> = arguments.iter().map(argument).collect();
        let options = SqlOptions { tx: self.tx, ..SqlOptions::default() };
        self.client.sql(text, &arguments, &options)
    }

    fn rows(&mut self, text: &str, arguments: &[u64]) -> Result<Vec<Vec<u64>>> {
        let rows = self.sql(text, arguments)?.all(&mut self.client)?;
        Ok(rows.iter().map(|row| row.iter().map(number_of).collect()).collect())
    }

    fn count(&mut self, text: &str, arguments: &[u64]) -> Result<u64> {
        Ok(self.sql(text, arguments)?.affected_rows.unwrap())
    }

    fn read(&mut self, key: Key) -> Result<Version> {
        let rows = self.rows("SELECT \"v\" FROM \"pairs\" WHERE \"k\" = ?", &[key])?;
        let version = rows.first().map_or(MISSING, |row| row[0]);
        self.recorder.read(key, version).unwrap();
        Ok(version)
    }

    /// Reads a range, what is missing included; the rows it has.
    fn read_range(&mut self, first: Key) -> Result<Vec<(Key, Version)>> {
        let text = "SELECT \"k\", \"v\" FROM \"pairs\" WHERE \"k\" BETWEEN ? AND ? ORDER BY \"k\"";
        let rows = self.rows(text, &[first, first + RANGE - 1])?;
        let rows: Vec<(Key, Version)> = rows.into_iter().map(|row| (row[0], row[1])).collect();
        for key in first..first + RANGE {
            let version = rows.iter().find(|(k, _)| *k == key).map_or(MISSING, |(_, version)| *version);
            self.recorder.read(key, version).unwrap();
        }
        Ok(rows)
    }

    fn step(&mut self, rng: &mut fastrand::Rng, versions: &mut Versions, read_only: bool) -> Result<()> {
        let key = self.world.key(rng);
        match rng.u8(0..if read_only { 4 } else { 10 }) {
            0 => drop(self.read(key)?),
            1 => drop(self.read_range(key)?),
            2 => {
                let rows = self.read_range(key)?;
                let text = "SELECT SUM(\"v\") FROM \"pairs\" WHERE \"k\" >= ? AND \"k\" < ?";
                let sum = self.rows(text, &[key, key + RANGE])?[0][0];
                self.sums.push((sum, rows.iter().map(|(_, version)| version).sum()));
            }
            3 => {
                let row = self.table.get(&mut self.client, self.tx, &[("k", Value::Int(key as i64))])?;
                let version = row.map_or(MISSING, |row| number_of(row.get("v").unwrap()));
                self.recorder.read(key, version).unwrap();
            }
            4 => {
                let (old, new) = (self.read(key)?, versions.next());
                let row = [("k", Value::Int(key as i64)), ("v", Value::Int(new as i64))];
                self.table.upsert(&mut self.client, self.tx, &row)?;
                self.recorder.write(key, old, new);
            }
            5..7 => match (self.read(key)?, versions.next()) {
                (MISSING, new) => {
                    assert_eq!(self.count("INSERT INTO \"pairs\" (\"k\", \"v\") VALUES (?, ?)", &[key, new])?, 1);
                    self.recorder.write(key, MISSING, new);
                }
                // A row that went since is found out at the commit.
                (old, new) => {
                    self.count("UPDATE \"pairs\" SET \"v\" = ? WHERE \"k\" = ?", &[new, key])?;
                    self.recorder.write(key, old, new);
                }
            },
            7..9 => {
                let rows = self.read_range(key)?;
                let new = versions.next();
                for _ in 1..RANGE {
                    versions.next();
                }
                let text = "UPDATE \"pairs\" SET \"v\" = ? + (\"k\" - ?) WHERE \"k\" BETWEEN ? AND ?";
                self.count(text, &[new, key, key, key + RANGE - 1])?;
                rows.iter().for_each(|(k, old)| self.recorder.write(*k, *old, new + (k - key)));
            }
            _ => {
                let old = self.read(key)?;
                if old != MISSING {
                    let new = versions.next();
                    self.count("DELETE FROM \"pairs\" WHERE \"v\" = ?", &[old])?;
                    self.count("INSERT INTO \"pairs\" VALUES (?, ?)", &[key, new])?;
                    self.recorder.write(key, old, new);
                }
            }
        }
        Ok(())
    }

    /// One transaction.
    fn transaction(&mut self, rng: &mut fastrand::Rng, versions: &mut Versions) -> Result<Outcome> {
        let read_only = rng.u8(0..5) == 0;
        let tx = self.client.begin(TxOptions { read_only, ..TxOptions::default() })?;
        self.tx = Some(tx);
        let worked = (0..rng.usize(1..4)).try_for_each(|_| self.step(rng, versions, read_only));
        self.tx = None;
        match worked {
            Ok(()) if rng.u8(0..8) == 0 => self.client.rollback(tx).map(|()| Outcome::Aborted),
            Ok(()) => self.client.commit(tx).map(|()| Outcome::Committed),
            Err(error) => {
                self.client.rollback(tx)?;
                Err(error)
            }
        }
    }

    /// One statement that is a transaction of its own.
    fn statement(&mut self, rng: &mut fastrand::Rng, versions: &mut Versions) -> Result<Outcome> {
        let key = self.world.key(rng);
        match rng.u8(0..3) {
            0 => drop(self.read(key)?),
            1 => drop(self.read_range(key)?),
            _ => {
                // Compares and sets; what it found otherwise is not told.
                let seen = self.rows("SELECT \"v\" FROM \"pairs\" WHERE \"k\" = ?", &[key])?;
                let (Some(old), new) = (seen.first().map(|row| row[0]), versions.next()) else {
                    return Ok(Outcome::Aborted);
                };
                let text = "UPDATE \"pairs\" SET \"v\" = ? WHERE \"k\" >= ? AND \"v\" = ?";
                if self.count(text, &[new, key, old])? == 0 {
                    return Ok(Outcome::Aborted);
                }
                self.recorder.write(key, old, new);
            }
        }
        Ok(Outcome::Committed)
    }
}

fn work(world: &World, mut rng: fastrand::Rng, mut versions: Versions) -> Vec<Transaction> {
    let mut client = Client::connect(world.addr).unwrap();
    let table = client.table("\"pairs\"").unwrap().unwrap();
    let recorder = Recorder::new(0);
    let mut session = Session { world, client, table, tx: None, recorder, sums: Vec::new() };
    let mut done = Vec::new();
    while world.go_on(4) {
        session.recorder = Recorder::new(world.now());
        session.sums.clear();
        let result = match rng.u8(0..4) {
            0 => session.statement(&mut rng, &mut versions),
            _ => session.transaction(&mut rng, &mut versions),
        };
        let outcome = match result {
            Ok(outcome) => outcome,
            // Refused, so it is over: a lock conflict, what was read has changed, a key that came meanwhile.
            Err(error) if error.server().is_some() => Outcome::Aborted,
            Err(error) => panic!("{error}"),
        };
        if outcome == Outcome::Committed {
            session.sums.iter().for_each(|(sum, rows)| assert_eq!(sum, rows, "a sum and its rows, in one transaction"));
        }
        let recorder = std::mem::replace(&mut session.recorder, Recorder::new(0));
        done.push(recorder.end(world.now(), outcome));
    }
    done
}

#[test]
fn transactions_of_statements_and_operations() {
    let seed = Seed::new();
    let server = TestServer::start();
    let addr = server.addr();
    let ops_max = number("FLINT_HISTORY_OPS", 100_000) / 40;
    let world =
        World { addr, table: create(addr), begin: Instant::now(), ops: AtomicU64::new(0), ops_max, mortal: false };
    let history: Vec<Transaction> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|n| {
                let (rng, versions, world) = (seed.rng(n), Versions::of_thread(n + 1), &world);
                scope.spawn(move || work(world, rng, versions))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    eprintln!("{} transactions in {:?}", history.len(), world.begin.elapsed());
    let summary = checked(&history);
    assert!(summary.committed > history.len() / 20 && summary.aborted > 0, "{summary:?}");
}

const ACCOUNTS: i64 = 60;
const BALANCE: i64 = 1_000;

/// Moves money until told to stop.
fn transfer(addr: std::net::SocketAddr, mut rng: fastrand::Rng, stop: &AtomicBool) -> u64 {
    let mut client = Client::connect(addr).unwrap();
    let mut moved = 0;
    while !stop.load(Ordering::Relaxed) {
        let (a, b, sum) = (rng.i64(0..ACCOUNTS), rng.i64(0..ACCOUNTS), rng.i64(0..100));
        let change = |client: &mut Client, text: &str, arguments: &[i64], tx: Option<Tx>| {
            let argument = |v: &i64| Argument::new(ColumnType::Int64, Value::Int(*v));
            let arguments: Vec<_> = arguments.iter().map(argument).collect();
            client.sql(text, &arguments, &SqlOptions { tx, ..SqlOptions::default() }).map(drop)
        };
        let result = if rng.bool() {
            // In one statement.
            let text = "UPDATE BANK SET B = B + CASE WHEN ID = ? THEN -? ELSE ? END WHERE ID IN (?, ?)";
            if a == b { Ok(()) } else { change(&mut client, text, &[a, sum, sum, a, b], None) }
        } else {
            // In a transaction, from an account that goes to one that comes or is there.
            let tx = client.begin(TxOptions::default()).unwrap();
            let done =
                change(&mut client, "UPDATE BANK SET B = B - ? WHERE ID = ?", &[sum, a], Some(tx)).and_then(|()| {
                    let text = "MERGE INTO BANK T USING (SELECT CAST(? AS BIGINT) I) S ON T.ID = S.I \
                            WHEN MATCHED THEN UPDATE SET B = T.B + ? \
                            WHEN NOT MATCHED THEN INSERT (ID, B) VALUES (S.I, ?)";
                    change(&mut client, text, &[b + rng.i64(0..2) * ACCOUNTS, sum, sum], Some(tx))
                });
            match done {
                Ok(()) => client.commit(tx),
                Err(error) => client.rollback(tx).and(Err(error)),
            }
        };
        match result {
            Ok(()) => moved += 1,
            Err(error) => assert!(error.server().is_some(), "{error}"),
        }
    }
    moved
}

#[test]
fn a_snapshot_adds_up_while_others_write() {
    let seed = Seed::new();
    let server = TestServer::start();
    server.sql("CREATE TABLE BANK (ID BIGINT PRIMARY KEY, B BIGINT NOT NULL)").unwrap();
    let addr = server.addr();
    let rows: Vec<String> = (0..ACCOUNTS).map(|id| format!("({id}, {BALANCE})")).collect();
    server.sql(&format!("INSERT INTO BANK VALUES {}", rows.join(", "))).unwrap();
    let stop = AtomicBool::new(false);
    let total = u64::try_from(ACCOUNTS * BALANCE).unwrap();
    let moved: u64 = thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|n| {
                let (rng, stop) = (seed.rng(n), &stop);
                scope.spawn(move || transfer(addr, rng, stop))
            })
            .collect();
        let read = scope.spawn(|| {
            let mut client = Client::connect(addr).unwrap();
            for round in 0..30 {
                let tx = client.begin(TxOptions { read_only: true, ..TxOptions::default() }).unwrap();
                let within = SqlOptions { page_size: Some(7), ..SqlOptions::default() }.within(tx);
                let alone = SqlOptions { page_size: Some(7), ..SqlOptions::default() };
                // Two cursors at a time, in small pages: one of the transaction, one of its own moment.
                let mut cursors = [&within, &alone].map(|o| client.sql("SELECT B FROM BANK", &[], o).unwrap());
                let mut sums = [0_i64; 2];
                let mut open = true;
                while open {
                    open = false;
                    for (cursor, sum) in cursors.iter_mut().zip(&mut sums) {
                        let Some(page) = cursor.next_page(&mut client).unwrap() else { continue };
                        open = true;
                        *sum +=
                            page.iter().map(|row| if let Value::Int(v) = row[0] { v } else { panic!() }).sum::<i64>();
                    }
                }
                assert_eq!(sums, [ACCOUNTS * BALANCE; 2], "round {round}");
                for options in [&within, &alone, &within] {
                    let sum = client.sql("SELECT SUM(B) FROM BANK", &[], options).unwrap().all(&mut client).unwrap();
                    assert_eq!(number_of(&sum[0][0]), total, "round {round}");
                }
                client.commit(tx).unwrap();
            }
        });
        let read = read.join();
        stop.store(true, Ordering::Relaxed);
        let moved = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
        read.unwrap();
        moved
    });
    eprintln!("{moved} transfers");
    assert!(moved > 0);
}
