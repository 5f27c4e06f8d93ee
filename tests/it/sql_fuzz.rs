//! Statements that nobody wrote, over the wire: each is answered in time, by rows or by an error that is the statement's
//! own; nothing panics, and nothing is left behind. Needs feature `sql`.
//!
//! The statements are those of the golden scripts, mutated. `FLINT_SQL_FUZZ_SECONDS=1800` runs more of them, with other
//! seeds; `FLINT_BIN` names a server that was built otherwise.

use crate::ga_client::Ga;
use crate::sql_mutate::{Corpus, argument};
use crate::support::{Process, Seed, number};
use flint::client::Error;
use flint::client::ga::{Argument, Client, Options, SqlOptions, TxOptions};
use flint::value::text;
use flint::wire::msgpack::Write as _;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
/// What one statement may take; it is then ended, and answered.
const STATEMENT_TIME_MAX: Duration = Duration::from_secs(1);
/// Until an answer is there: a plan that is being made, and a statement of the server's own, are not interrupted.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
const RESIDENT_BYTES_MAX: u64 = 1024 * MIB;
/// Statements on the tables of one script.
const ROUND: usize = 150;
const FIXED_SEED: u64 = 0x5e1ec7;

const JDBC_CONNECT: i64 = 54;
const JDBC_EXECUTE: i64 = 34;
const JDBC_BATCH: i64 = 36;
const JDBC_FINISH: i64 = 55;

/// What was wrong, by what was said, with the first statement of each.
#[derive(Default)]
struct Findings(BTreeMap<String, (usize, String)>);

impl Findings {
    fn add(&mut self, what: &str, text: &str) {
        let known: String = what.chars().filter(|c| !c.is_ascii_digit()).take(160).collect();
        let entry = self.0.entry(known).or_insert_with(|| {
            let shown: String = text.chars().take(1_500).collect();
            eprintln!("FOUND {what}\n    by {shown:?}");
            (0, format!("{what}\n    by {shown:?}"))
        });
        entry.0 += 1;
    }

    /// Whether an error is the statement's own fault, or of a limit that has a name.
    fn judge(&mut self, error: &Error, text: &str) {
        match error {
            Error::Ga(server) => {
                let internal = server.group() == "CMN" && server.number() == 65_535;
                self.judge_message(internal, &format!("{}: {}", server.class, server.message), text);
            }
            Error::Server { status, message } => self.judge_message(*status == 131_071, message, text),
            Error::Usage(_) => {}
            other => self.add(&format!("no answer: {other}"), text),
        }
    }

    fn judge_message(&mut self, internal: bool, message: &str, text: &str) {
        // The memory of a statement is limited, and that error has no better number.
        let limited = message.contains("--sql-memory") || message.contains("Failed to find");
        let bug = ["caused by a bug", "Internal error", "internal error", "ended without an answer", "gave up"];
        if internal && !limited || bug.iter().any(|part| message.contains(part)) {
            self.add(message, text);
        }
    }
}

/// The clients that run statements on one server.
struct Run<'c> {
    corpus: &'c Corpus,
    rng: fastrand::Rng,
    addr: SocketAddr,
    client: Client,
    bystander: Client,
    jdbc: Ga,
    jdbc_connection: i64,
    findings: Findings,
    /// The last statements.
    lately: VecDeque<String>,
    /// Statements that were answered by rows or a count, and all.
    well: usize,
    all: usize,
}

fn connect(addr: SocketAddr) -> Client {
    Client::connect_with(addr, &Options { timeout: Some(ANSWER_TIME_MAX), ..Options::default() }).unwrap()
}

fn connect_jdbc(addr: SocketAddr) -> (Ga, i64) {
    let mut client = Ga::connect(addr).unwrap();
    let answer = client.call(JDBC_CONNECT, |out| out.put_str("Europe/Berlin")).unwrap();
    let mut reader = flint::wire::msgpack::Reader::new(&answer);
    assert_eq!(reader.i64().unwrap(), 0);
    assert!(reader.nil_if_next().unwrap());
    let connection = reader.i64().unwrap();
    (client, connection)
}

impl<'c> Run<'c> {
    fn new(corpus: &'c Corpus, rng: fastrand::Rng, addr: SocketAddr) -> Self {
        let (jdbc, jdbc_connection) = connect_jdbc(addr);
        let (client, bystander, findings) = (connect(addr), connect(addr), Findings::default());
        Self {
            corpus,
            rng,
            addr,
            client,
            bystander,
            jdbc,
            jdbc_connection,
            findings,
            lately: VecDeque::new(),
            well: 0,
            all: 0,
        }
    }

    /// Statements about the tables of one script.
    fn round(&mut self) {
        self.clean();
        let script = &self.corpus.scripts[self.rng.usize(..self.corpus.scripts.len())];
        let makes = |text: &&String| ["CREATE", "INSERT", "ALTER"].iter().any(|word| text.starts_with(word));
        for text in script.iter().filter(makes).take(60) {
            // Some of the script's are meant to fail.
            if let Err(error) = self.client.sql(text, &[], &SqlOptions::default()) {
                self.findings.judge(&error, text);
            }
        }
        for n in 0..ROUND {
            let text = match self.rng.u8(..5) {
                0 => self.corpus.call(&mut self.rng),
                _ => {
                    let text = &script[self.rng.usize(..script.len())];
                    self.corpus.mutate(text, &mut self.rng)
                }
            };
            self.lately.push_back(text.clone());
            self.lately.drain(..self.lately.len().saturating_sub(12));
            self.statement(&text);
            if n % 10 == 0 {
                self.others_go_on(&text);
            }
        }
    }

    /// Whether a statement of another client is answered, and planned as it must be.
    fn others_go_on(&mut self, after: &str) {
        let text = format!("SELECT {} + 1", self.rng.i16(..));
        let sum = self.bystander.sql(&text, &[], &SqlOptions::default());
        let rows = sum.and_then(|sum| sum.all(&mut self.bystander));
        let rows = rows.map(|rows| rows.len());
        assert!(matches!(rows, Ok(1)), "{rows:?}; one of the last was {after:?}, of these {:?}", self.lately);
    }

    /// Drops all tables.
    fn clean(&mut self) {
        let options = SqlOptions::default();
        for (names, drop) in [
            ("SELECT SCHEMA_NAME, TABLE_NAME FROM SYSTEM.TABLES", "DROP TABLE"),
            (
                "SELECT 'PUBLIC', SCHEMA_NAME FROM SYSTEM.SCHEMAS WHERE SCHEMA_NAME NOT IN ('PUBLIC', 'SYSTEM')",
                "DROP SCHEMA",
            ),
            ("SELECT 'PUBLIC', ZONE_NAME FROM SYSTEM.ZONES WHERE NOT IS_DEFAULT_ZONE", "DROP ZONE"),
        ] {
            let rows = self.client.sql(names, &[], &options).and_then(|rows| rows.all(&mut self.client)).unwrap();
            for row in rows {
                let [schema, name] = [0, 1].map(|n| text::plain(&row[n]).unwrap().replace('"', "\"\""));
                let statement = match drop {
                    "DROP TABLE" => format!("DROP TABLE \"{schema}\".\"{name}\""),
                    _ => format!("{drop} \"{name}\""),
                };
                if let Err(error) = self.client.sql(&statement, &[], &options) {
                    self.findings.add(&format!("what there is cannot be dropped: {error}"), &statement);
                }
            }
        }
    }

    fn statement(&mut self, text: &str) {
        let width = text.matches('?').count();
        let width = if self.rng.u8(..20) == 0 { self.rng.usize(..4) } else { width };
        let arguments: Vec<Argument> = (0..width).map(|_| argument(&mut self.rng)).collect();
        let options = SqlOptions {
            page_size: [None, Some(1), Some(3), Some(1_000)][self.rng.usize(..4)],
            timeout: Some(STATEMENT_TIME_MAX),
            time_zone: [None, Some("Europe/Berlin"), Some("-11:30"), Some("Asia/Kathmandu")][self.rng.usize(..4)]
                .map(Into::into),
            ..SqlOptions::default()
        };
        self.all += 1;
        let kind = self.rng.u8(..20);
        let result = match kind {
            0 => self.client.describe(text, &options).map(drop),
            1 => {
                let lists: Vec<_> =
                    (0..self.rng.usize(1..4)).map(|_| (0..width).map(|_| argument(&mut self.rng)).collect()).collect();
                self.client.batch(text, &lists, &options).map(drop)
            }
            2 => {
                let other = self.corpus.mutate(text, &mut self.rng);
                self.client.script(&format!("{text}; {other}; {text}"), &arguments, &options)
            }
            3 | 4 => self.in_transaction(text, &arguments, &options),
            5 | 6 => self.over_jdbc(text),
            _ => execute(&mut self.client, text, &arguments, &options, self.rng.u8(..10) == 0),
        };
        match result {
            Ok(()) => self.well += 1,
            Err(error) => {
                self.findings.judge(&error, text);
                // What a client does when there is no answer.
                if !matches!(error, Error::Ga(_) | Error::Server { .. } | Error::Usage(_)) {
                    self.client = connect(self.addr);
                    (self.jdbc, self.jdbc_connection) = connect_jdbc(self.addr);
                }
            }
        }
    }

    fn in_transaction(&mut self, text: &str, arguments: &[Argument], options: &SqlOptions) -> Result<(), Error> {
        let tx = self.client.begin(TxOptions { read_only: self.rng.u8(..4) == 0, ..TxOptions::default() })?;
        let within = SqlOptions { tx: Some(tx), ..options.clone() };
        let mut result = Ok(());
        for _ in 0..self.rng.usize(1..3) {
            result = execute(&mut self.client, text, arguments, &within, false);
        }
        let ended = if self.rng.bool() { self.client.commit(tx) } else { self.client.rollback(tx) };
        result.and(ended)
    }

    fn over_jdbc(&mut self, text: &str) -> Result<(), Error> {
        let connection = self.jdbc_connection;
        let (auto_commit, takes) = (self.rng.bool(), self.rng.i64(..3));
        let answer = match self.rng.u8(..5) {
            0 => self.jdbc.call(JDBC_BATCH, |out| {
                out.put_int(connection);
                out.put_bool(auto_commit);
                out.put_str("PUBLIC");
                out.put_int(2);
                out.put_str(text);
                out.put_str(text);
                out.put_int(STATEMENT_TIME_MAX.as_millis() as i64);
                out.put_int(7);
            }),
            _ => self.jdbc.call(JDBC_EXECUTE, |out| {
                out.put_int(connection);
                out.put_bool(auto_commit);
                out.put_int(takes);
                out.put_str("PUBLIC");
                out.put_int(1_024);
                out.put_int(5);
                out.put_str(text);
                out.put_bool(true);
                out.put_int(0);
                out.put_int(STATEMENT_TIME_MAX.as_millis() as i64);
                out.put_int(7);
            }),
        }?;
        let mut reader = flint::wire::msgpack::Reader::new(&answer);
        if reader.i64()? != 0 && !reader.nil_if_next()? {
            self.findings.judge_message(false, reader.str()?, text);
        }
        if !auto_commit {
            let commit = self.rng.bool();
            self.jdbc.call(JDBC_FINISH, |out| {
                out.put_int(connection);
                out.put_bool(commit);
            })?;
        }
        Ok(())
    }

    /// Nothing is left of what the clients did.
    fn ends(mut self) -> Findings {
        drop((self.client, self.jdbc));
        let mut count = |view: &str| {
            let text = format!("SELECT COUNT(*) FROM SYSTEM.{view}");
            let rows = self.bystander.sql(&text, &[], &SqlOptions::default());
            let rows = rows.and_then(|rows| rows.all(&mut self.bystander)).unwrap();
            rows[0][0].to_string()
        };
        // A query that is given up ends at its next pause.
        let patience = Instant::now();
        for (view, left) in [("SQL_QUERIES", "1"), ("TRANSACTIONS", "0"), ("LOCKS", "0")] {
            while count(view) != left {
                assert!(patience.elapsed() < ANSWER_TIME_MAX, "{} of {view}", count(view));
                thread::sleep(Duration::from_millis(20));
            }
        }
        self.findings
    }
}

fn execute(
    client: &mut Client,
    text: &str,
    arguments: &[Argument],
    options: &SqlOptions,
    part: bool,
) -> Result<(), Error> {
    let mut result = client.sql(text, arguments, options)?;
    let mut pages = 0;
    while result.next_page(client)?.is_some() {
        pages += 1;
        // The rest is not wanted, or would take too long.
        if part || pages > 200 {
            return result.close(client);
        }
    }
    Ok(())
}

#[test]
fn statements_that_nobody_wrote() {
    let seconds: u64 = number("FLINT_SQL_FUZZ_SECONDS", 0);
    let seed = if seconds == 0 { Seed(number("FLINT_SEED", FIXED_SEED)) } else { Seed::new() };
    let corpus = Corpus::read();
    assert!(corpus.scripts.iter().map(Vec::len).sum::<usize>() > 3_000);
    let server = Process::start(&["--in-memory", "--sql-memory", "64m"]);
    let begin = Instant::now();
    let mut run = Run::new(&corpus, seed.rng(0), server.addr());
    let mut rounds = 0;
    while rounds < 8 || begin.elapsed() < Duration::from_secs(seconds) {
        run.round();
        rounds += 1;
        if rounds % 50 == 0 {
            let mib = server.resident_bytes() / MIB;
            eprintln!("{:?}: {} statements, {} of them well, {mib} MiB", begin.elapsed(), run.all, run.well);
        }
    }
    let (all, well, resident) = (run.all, run.well, server.resident_bytes());
    eprintln!("{all} statements, {well} of them well, {} MiB, in {:?}", resident / MIB, begin.elapsed());
    let findings = run.ends().0;
    let panics = server.logged().matches("panicked at").count();
    let shown: Vec<String> = findings.into_values().map(|(count, what)| format!("{count} times: {what}")).collect();
    assert!(shown.is_empty() && panics == 0, "{panics} panics, seed {}, and\n{}", seed.0, shown.join("\n"));
    assert!(resident < RESIDENT_BYTES_MAX, "{} MiB", resident / MIB);
    // Mutants that all fail the same way would show nothing.
    assert!(well * 6 > all, "{well} of {all}");
}
