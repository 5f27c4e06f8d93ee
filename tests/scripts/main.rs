//! The scripts of `data/scripts/sql`: statements, and what a real node answered to each of them.
//!
//! They run against a server of their own per file. FLINT_SCRIPTS_ADDR=HOST:PORT names another one, which loses all its
//! tables; with FLINT_SCRIPTS_RECORD=1 its answers become the expected ones.

mod differences;
mod session;

use differences::Differences;
use flint::TestServer;
use parking_lot::Mutex;
use session::{Letter, Outcome, Session, Shared};
use sqllogictest::{QueryExpect, Record, Runner, SortMode, StatementExpect};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A server that is not ours runs one file at a time.
static FOREIGN: Mutex<()> = parking_lot::const_mutex(());

/// Failures shown in full; the rest is counted.
const SHOWN_MAX: usize = 400;

/// Creates the test of each folder.
macro_rules! groups {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            run_group(stringify!($name));
        }
    )* };
}

groups! { types dml joins aggregates functions dates names ddl }

#[test]
fn every_folder_has_a_test() {
    let mut folders: Vec<_> = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    assert_eq!(folders.len(), 8, "{folders:?}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/scripts/sql")
}

fn run_group(group: &str) {
    let foreign = std::env::var("FLINT_SCRIPTS_ADDR").ok().map(|addr| addr.parse::<SocketAddr>().unwrap());
    let record = std::env::var_os("FLINT_SCRIPTS_RECORD").is_some();
    let only = std::env::var("FLINT_SCRIPTS_FILE").ok();
    let _alone = foreign.map(|_| FOREIGN.lock());
    let mut files: Vec<_> = std::fs::read_dir(root().join(group)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let differences = Differences::read_all(&root());
    let (mut passed, mut failures) = (0, Vec::new());
    for path in files {
        let name = format!("{group}/{}", path.file_stem().unwrap().to_string_lossy());
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let server = foreign.is_none().then(TestServer::start);
        let addr = foreign.or_else(|| server.as_ref().map(TestServer::addr)).unwrap();
        if foreign.is_some() {
            clean(addr);
        }
        if record {
            rewrite(&path, addr);
        } else {
            passed += run(&path, &name, addr, foreign.is_none().then_some(&differences), &mut failures);
        }
    }
    if foreign.is_none() && only.is_none() {
        failures.extend(differences.unmet(group));
    }
    println!("{group}: {passed} as expected, {} not", failures.len());
    let shown = failures.iter().take(SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(
        failures.is_empty(),
        "{} answers of {} are not as expected\n{shown}",
        failures.len(),
        passed + failures.len()
    );
}

/// Runs a file record by record; returns how many answers were as expected.
fn run(
    path: &Path,
    name: &str,
    addr: SocketAddr,
    differences: Option<&Differences>,
    failures: &mut Vec<String>,
) -> usize {
    let shared = Shared::default();
    let mut runner = runner(addr, &shared);
    let mut passed = 0;
    for record in sqllogictest::parse_file::<Letter>(path).unwrap() {
        let known = match &record {
            Record::Statement { sql, loc, .. } | Record::Query { sql, loc, .. } => Some((sql.clone(), loc.line())),
            _ => None,
        };
        let (expected, sorted) = expected(&record);
        let result = runner.run(record);
        let Some((sql, line)) = known else { continue };
        let Some(outcome) = shared.take_outcome() else { panic!("{name}:{line}: was not run: {result:?}") };
        let answer = answer(&outcome, sorted);
        if result.is_ok() || differences.is_some_and(|differences| differences.accepts(name, &sql, &answer)) {
            passed += 1;
            continue;
        }
        let message = match &outcome {
            Outcome::Failed(failure) => format!("\n    # {}", failure.message.lines().next().unwrap_or_default()),
            _ => String::new(),
        };
        failures.push(format!("{name}:{line}\n    sql: {sql}\n    real: {expected}\n    flint: {answer}{message}"));
    }
    passed
}

/// Makes the server's answers the expected ones.
fn rewrite(path: &Path, addr: SocketAddr) {
    let shared = Shared::default();
    let mut runner = runner(addr, &shared);
    let update =
        runner.update_test_file(path, " ", exactly, Clone::clone, sqllogictest::strict_column_validator::<Letter>);
    // Sessions block, so that nothing is ever waited for.
    let mut update = std::pin::pin!(update);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(result) = update.as_mut().poll(&mut context) {
            return result.unwrap();
        }
    }
}

fn runner(
    addr: SocketAddr,
    shared: &Shared,
) -> Runner<Session, impl FnMut() -> std::future::Ready<Result<Session, session::Failure>> + use<>> {
    let shared = shared.clone();
    let mut runner = Runner::new(move || std::future::ready(Ok(Session::new(addr, shared.clone()))));
    runner.with_validator(exactly);
    runner.with_column_validator(sqllogictest::strict_column_validator);
    runner
}

/// Rows are compared byte by byte.
fn exactly(_: fn(&String) -> String, actual: &[Vec<String>], expected: &[String]) -> bool {
    actual.iter().map(|row| row.join(" ")).eq(expected.iter().cloned())
}

/// What a record expects, as one line; whether its rows have no order.
fn expected(record: &Record<Letter>) -> (String, bool) {
    use sqllogictest::ColumnType as _;
    match record {
        Record::Statement { expected, .. } => match expected {
            StatementExpect::Ok => ("ok".into(), false),
            StatementExpect::Count(count) => (format!("count {count}"), false),
            StatementExpect::Error(error) => (format!("error {}", error.to_string().replace("(regex) ", "")), false),
        },
        Record::Query { expected, .. } => match expected {
            QueryExpect::Results { types, results, sort_mode, .. } => {
                let letters: String = types.iter().map(|letter| letter.to_char()).collect();
                (rows_line(&letters, results), *sort_mode == Some(SortMode::RowSort))
            }
            QueryExpect::Error(error) => (format!("error {}", error.to_string().replace("(regex) ", "")), false),
        },
        _ => (String::new(), false),
    }
}

/// The same of an answer.
fn answer(outcome: &Outcome, sorted: bool) -> String {
    match outcome {
        Outcome::Rows(letters, rows) => {
            let mut rows = rows.clone();
            if sorted {
                rows.sort_unstable();
            }
            rows_line(letters, &rows)
        }
        Outcome::Count(count) => format!("count {count}"),
        Outcome::Failed(failure) => format!("error {failure}"),
    }
}

fn rows_line(letters: &str, rows: &[String]) -> String {
    format!("{letters} {}", if rows.is_empty() { "no rows".into() } else { rows.join(" | ") })
}

/// Drops what other scripts have left on a server.
fn clean(addr: SocketAddr) {
    let mut session = Session::new(addr, Shared::default());
    let names = |session: &mut Session, query: &str| match session.execute(query).unwrap() {
        Outcome::Rows(_, rows) => {
            rows.iter().map(|row| row.trim_matches('\'').replace('"', "\"\"")).collect::<Vec<_>>()
        }
        other => panic!("{query}: {other:?}"),
    };
    let tables = "SELECT SCHEMA_NAME || '.' || TABLE_NAME FROM SYSTEM.TABLES";
    for name in names(&mut session, tables) {
        let (schema, table) = name.split_once('.').unwrap();
        session.execute(&format!("DROP TABLE \"{schema}\".\"{table}\"")).unwrap();
    }
    for name in
        names(&mut session, "SELECT SCHEMA_NAME FROM SYSTEM.SCHEMAS WHERE SCHEMA_NAME NOT IN ('PUBLIC', 'SYSTEM')")
    {
        session.execute(&format!("DROP SCHEMA \"{name}\" CASCADE")).unwrap();
    }
    for name in names(&mut session, "SELECT ZONE_NAME FROM SYSTEM.ZONES WHERE NOT IS_DEFAULT_ZONE") {
        session.execute(&format!("DROP ZONE \"{name}\"")).unwrap();
    }
}
