//! SQL that is too much or makes no sense, over the wire: a clear error, bounded memory, nobody else disturbed. Needs
//! feature `sql`.

use crate::ga_client::Ga;
use crate::support::Process;
use flint::client::ga::{Argument, Client, Options, SqlOptions};
use flint::value::{ColumnType, Value};
use flint::wire::msgpack::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
/// Does not end in anybody's time.
const ENDLESS: &str = "SELECT COUNT(*) FROM TABLE(SYSTEM_RANGE(1, 1000000000)) A, TABLE(SYSTEM_RANGE(1, 1000000000)) B \
                       WHERE A.X + B.X = -1";

fn start(args: &[&str]) -> Process {
    Process::start(&[&["--in-memory"], args].concat())
}

fn ask(client: &mut Client, text: &str, arguments: &[Argument], options: &SqlOptions) -> Result<usize, String> {
    let rows = client.sql(text, arguments, options).and_then(|result| result.all(client));
    rows.map(|rows| rows.len()).map_err(|error| error.to_string())
}

fn int(v: i64) -> Argument {
    Argument::new(ColumnType::Int32, Value::Int(v))
}

/// Whether a statement of another client is answered.
fn others_go_on(addr: SocketAddr) {
    let mut client = Client::connect(addr).unwrap();
    assert_eq!(ask(&mut client, "SELECT 1 + 1", &[], &SqlOptions::default()), Ok(1));
}

#[test]
fn texts_that_are_too_much_or_nothing() {
    let server = start(&[]);
    let mut client = Client::connect(server.addr()).unwrap();
    let nested = |n: usize| format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n));
    let chain = |n: usize, link: &str| format!("SELECT 1 FROM TABLE(SYSTEM_RANGE(1, 1)) WHERE {}TRUE", link.repeat(n));
    let cases = [
        (nested(32 << 10), Err("nests deeper than 64 levels")),
        (nested(20), Ok(1)),
        (format!("SELECT {}1{}", "ABS(".repeat(16 << 10), ")".repeat(16 << 10)), Err("64 levels")),
        (format!("SELECT {}1{}", "(SELECT ".repeat(100), ")".repeat(100)), Err("64 levels")),
        (
            format!("SELECT {}1{}", "CASE WHEN TRUE THEN ".repeat(5_000), " END".repeat(5_000)),
            Err("Failed to parse query"),
        ),
        (format!("SELECT {}1{}", "(SELECT ".repeat(12), ")".repeat(12)), Ok(1)),
        (format!("SELECT {}1{}", "(SELECT ".repeat(13), ")".repeat(13)), Err("nest deeper than 12 levels")),
        (format!("SELECT {}1{}", "1 IN (SELECT ".repeat(12), ")".repeat(12)), Err("100 IN or EXISTS")),
        (format!("SELECT {}1 1{}", "CEIL(".repeat(60), ")".repeat(60)), Err("too many ways")),
        (format!("SELECT '{}'", "x".repeat(1 << 20)), Ok(1)),
        (format!("SELECT {}1", "1 + ".repeat(250_000)), Err("chain of more than 1000 operators")),
        (chain(300, "X = 1 AND "), Ok(1)),
        (chain(400_000, "X OR "), Err("chain of more than 1000 operators")),
        (chain(20_000, "NOT "), Err("operators")),
        (format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(100)), Ok(101)),
        (format!("SELECT 1{}", " UNION SELECT 1".repeat(60_000)), Err("chain of more than 1000 operators")),
        ("-- nothing\n/* at all */".into(), Err("Failed to parse query")),
        (String::new(), Err("Failed to parse query")),
        // A list without items.
        ("SELECT (SELECT FROM (SELECT 1) X)".into(), Err("Failed to parse query")),
        (";;".into(), Err("Failed to parse query")),
        ("/* without end".into(), Err("Failed to parse query")),
        ("SELECT 'without end".into(), Err("Failed to parse query")),
        ("\u{0}\u{feff}SELECT 1".into(), Err("Failed to parse query")),
    ];
    for (text, expected) in cases {
        let answer = ask(&mut client, &text, &[], &SqlOptions::default());
        let shown: String = text.chars().take(60).collect();
        match (answer, expected) {
            (Ok(rows), Ok(expected)) => assert_eq!(rows, expected, "{shown}"),
            (Err(error), Err(part)) => assert!(error.contains(part), "{shown}: {error}"),
            (answer, expected) => panic!("{shown}: {answer:?}, not {expected:?}"),
        }
    }
    others_go_on(server.addr());
}

#[test]
fn parameters_are_counted() {
    let server = start(&[]);
    let mut client = Client::connect(server.addr()).unwrap();
    let within = |n: usize| format!("SELECT 7 IN ({})", vec!["?"; n].join(", "));
    let list = |n: i64| (0..n).map(int).collect::<Vec<_>>();
    let options = SqlOptions::default();
    assert_eq!(ask(&mut client, &within(10_000), &list(10_000), &options), Ok(1));
    for (marks, values, part) in [
        (10_001, 10_001, "10000"),
        (3, 0, "Provided 0 but there is only 3 dynamic parameter(s)"),
        (3, 2, "Provided 2 but there is only 3 dynamic parameter(s)"),
        (2, 3, "Provided 3 but there is only 2 dynamic parameter(s)"),
        (1, 10_000, "Provided 10000 but there is only 1 dynamic parameter(s)"),
    ] {
        let error = ask(&mut client, &within(marks), &list(values), &options).unwrap_err();
        assert!(error.contains(part), "{marks} {values}: {error}");
    }
    others_go_on(server.addr());
}

#[test]
fn a_text_that_is_no_utf8_is_refused() {
    let server = start(&[]);
    let mut client = Ga::connect(server.addr()).unwrap();
    let execute = |text: &[u8]| {
        let mut body = Vec::new();
        body.put_nil();
        body.put_str("PUBLIC");
        (0..3).for_each(|_| body.put_int(0));
        body.put_nil();
        body.put_int(0);
        body.put_bin(&[0]);
        // A string of fewer than 32 bytes.
        body.push(0xa0 | u8::try_from(text.len()).unwrap());
        body.extend_from_slice(text);
        body.put_int(0);
        body.put_int(0);
        body
    };
    client.call(50, |out| out.extend(execute(b"SELECT 1"))).unwrap();
    let error = client.call(50, |out| out.extend(execute(b"SELECT '\xff\xfe'"))).unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
    client.call(50, |out| out.extend(execute(b"SELECT 1"))).unwrap();
}

#[test]
fn what_does_not_end_is_ended_by_its_time() {
    let server = start(&["--sql-memory", "64m"]);
    let mut client = Client::connect(server.addr()).unwrap();
    let options = SqlOptions { timeout: Some(Duration::from_millis(300)), ..SqlOptions::default() };
    let many = (0..60).map(|i| format!("TABLE(SYSTEM_RANGE(1, 1000)) T{i}")).collect::<Vec<_>>().join(", ");
    for text in [
        ENDLESS.to_owned(),
        "WITH RECURSIVE T(A) AS (SELECT 1 UNION ALL SELECT 1 FROM T) SELECT COUNT(*) FROM T".to_owned(),
        "WITH RECURSIVE T(A) AS (SELECT 1 UNION ALL SELECT 2 FROM T) SELECT A FROM T ORDER BY A".to_owned(),
        format!("SELECT COUNT(*) FROM {many}"),
    ] {
        let begin = Instant::now();
        let error = ask(&mut client, &text, &[], &options).unwrap_err();
        let ended =
            error.contains("Query timeout") || error.contains("--sql-memory") || error.contains("not supported");
        assert!(ended, "{text}: {error}");
        eprintln!("{:?} {error}", begin.elapsed());
        others_go_on(server.addr());
    }
    assert!(server.resident_bytes() < 1024 * MIB, "{} MiB", server.resident_bytes() / MIB);
}

#[test]
fn what_does_not_end_is_ended_by_its_client_and_with_its_connection() {
    let server = start(&[]);
    let addr = server.addr();
    let mut observer = Client::connect(addr).unwrap();
    let mut running = |count: usize| {
        let query = "SELECT QUERY_ID FROM SYSTEM.SQL_QUERIES WHERE SQL LIKE 'SELECT COUNT%'";
        while ask(&mut observer, query, &[], &SqlOptions::default()) != Ok(count) {
            thread::yield_now();
        }
    };
    let interrupt = Arc::new(AtomicBool::new(false));
    let options = Options { interrupt: Some(Arc::clone(&interrupt)), ..Options::default() };
    let cancelled = thread::spawn(move || {
        let mut client = Client::connect_with(addr, &options).unwrap();
        let error = ask(&mut client, ENDLESS, &[], &SqlOptions::default()).unwrap_err();
        (error, ask(&mut client, "SELECT 1", &[], &SqlOptions::default()))
    });
    running(1);
    interrupt.store(true, Ordering::Relaxed);
    let (error, after) = cancelled.join().unwrap();
    assert!(error.contains("cancelled"), "{error}");
    assert_eq!(after, Ok(1));
    running(0);

    let lost = Client::connect(addr).unwrap();
    let stream = lost.stream().try_clone().unwrap();
    let waiting = thread::spawn(move || {
        let mut client = lost;
        ask(&mut client, ENDLESS, &[], &SqlOptions::default())
    });
    running(1);
    stream.shutdown(std::net::Shutdown::Both).unwrap();
    waiting.join().unwrap().unwrap_err();
    running(0);
    others_go_on(addr);
}

#[test]
fn what_does_not_fit_the_memory_is_refused() {
    let server = start(&["--sql-memory", "16m"]);
    let mut client = Client::connect(server.addr()).unwrap();
    for text in [
        "SELECT X FROM TABLE(SYSTEM_RANGE(1, 100000000)) ORDER BY X DESC",
        "SELECT COUNT(*) FROM (SELECT DISTINCT X * 7919 % 1000000007 FROM TABLE(SYSTEM_RANGE(1, 100000000)))",
        "SELECT COUNT(*) FROM TABLE(SYSTEM_RANGE(1, 100000000)) A JOIN TABLE(SYSTEM_RANGE(1, 100000000)) B ON A.X = B.X",
    ] {
        let error = ask(&mut client, text, &[], &SqlOptions::default()).unwrap_err();
        assert!(error.contains("--sql-memory"), "{text}: {error}");
        others_go_on(server.addr());
    }
    assert!(server.resident_bytes() < 512 * MIB, "{} MiB", server.resident_bytes() / MIB);
}

#[test]
fn cursors_that_nobody_reads_to_the_end() {
    let server = start(&[]);
    let addr = server.addr();
    let rows = "SELECT X, REPEAT('x', 100) FROM TABLE(SYSTEM_RANGE(1, 1000000000))";
    let options = SqlOptions { page_size: Some(10_000), ..SqlOptions::default() };
    others_go_on(addr);
    let before = server.resident_bytes();
    let mut clients = Vec::new();
    for _ in 0..1_000 {
        let mut client = Client::connect(addr).unwrap();
        let cursor = client.sql(rows, &[], &options).unwrap();
        clients.push((client, cursor));
    }
    others_go_on(addr);
    let grown = server.resident_bytes().saturating_sub(before);
    eprintln!("{} MiB for 1,000 cursors", grown / MIB);
    // Of pages 128 MiB and a little wait; the rest is what each query has in hand.
    assert!(grown < 1024 * MIB, "{} MiB", grown / MIB);
    // They still are cursors: the next page follows.
    let (client, cursor) = clients.last_mut().unwrap();
    assert!(cursor.next_page(client).unwrap().is_some() && cursor.next_page(client).unwrap().is_some());

    // One client may have that many, and no more.
    let mut one = Client::connect(addr).unwrap();
    let options = SqlOptions { page_size: Some(1), ..SqlOptions::default() };
    let cursors: Vec<_> = (0..1_000).map(|_| one.sql(rows, &[], &options).unwrap()).collect();
    let error = one.sql(rows, &[], &options).unwrap_err();
    assert!(error.to_string().contains("holds 1000 open cursors, which is the limit"), "{error}");
    assert_eq!(ask(&mut one, "SELECT 1", &[], &SqlOptions::default()), Ok(1));
    drop((clients, cursors, one));
    others_go_on(addr);
}
