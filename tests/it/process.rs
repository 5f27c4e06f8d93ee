//! The program itself: ready line, exit codes, signals, file descriptors, many connections.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use flint::store::clock::{Clock, SystemClock};

use crate::raw::{HELLO, Raw, WELCOME, frame, tables_get};

const FLINT: &str = env!("CARGO_BIN_EXE_flint");

/// A started `flint serve`, killed when dropped.
pub(crate) struct Serve {
    child: Child,
    pub(crate) addr: SocketAddr,
    /// Of further listeners.
    pub(crate) more: Vec<SocketAddr>,
}

impl Serve {
    /// `limit` is the number of files that the process may open.
    pub(crate) fn start(limit: Option<u32>, args: &[&str]) -> Self {
        let mut command = match limit {
            Some(limit) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "ulimit -n \"$1\" && shift && exec \"$@\"", "sh", &limit.to_string(), FLINT]);
                shell
            }
            None => Command::new(FLINT),
        };
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let rest = line.trim_end().strip_prefix("flint ready igni=").unwrap_or_else(|| panic!("{line:?}"));
        let mut more: Vec<_> = rest.split(" igni=").map(|addr| addr.parse().unwrap()).collect();
        let addr = more.remove(0);
        Self { child, addr, more }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for the end; the exit code and what it wrote to stderr.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }

    fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_signal_stops_it_cleanly_whatever_its_clients_do() {
    for signal in ["TERM", "INT"] {
        let serve = Serve::start(None, &["--in-memory"]);
        let mut idle = Raw::draft(serve.addr);
        let silent = Raw::connect(serve.addr);
        let mut busy = Raw::draft(serve.addr);
        busy.send(&[tables_get(1), vec![0, 0, 1, 0]].concat());
        assert_eq!(busy.frame(), [0, 1, 0, 0x80]);
        // One that asks for a lot and reads nothing.
        let mut stuck = Raw::draft(serve.addr);
        stuck.0.set_nonblocking(true).unwrap();
        let requests: Vec<u8> = (0..50_000).flat_map(|_| tables_get(1)).collect();
        while std::io::Write::write(&mut stuck.0, &requests).is_ok() {}
        let start = SystemClock.now();
        serve.signal(signal);
        assert_eq!(idle.rest(), b"");
        let (code, log) = serve.wait();
        assert_eq!(code, Some(0), "{log}");
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        drop(silent);
    }
}

#[test]
fn what_is_acknowledged_survives_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let script = dir.path().join("init.sql");
    std::fs::write(&script, "CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY, v INT)").unwrap();
    for (args, tables) in [(vec!["--init", script.to_str().unwrap()], 1), (vec![], 1)] {
        let serve = Serve::start(None, &[&["--data-dir", data.to_str().unwrap()], &args[..]].concat());
        let mut raw = Raw::draft(serve.addr);
        raw.send(&tables_get(1));
        assert_eq!(raw.frame()[3], 0x80 + tables);
        serve.signal("TERM");
        assert_eq!(serve.wait().0, Some(0));
    }
}

#[test]
fn exit_codes_tell_wrong_flags_from_failures() {
    let run = |args: &[&str]| {
        let output = Command::new(FLINT).args(args).output().unwrap();
        assert!(output.stdout.is_empty() || args.contains(&"--help"));
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for args in [
        &["serve", "--no-such-flag"][..],
        &["serve", "--listen", "nowhere"],
        &["serve", "--durability", "sometimes"],
        &["serve", "--durability", "interval=0"],
        &["serve", "--in-memory", "--data-dir", "x"],
        &["serve", "--user", "somebody"],
        &["no-such-command"],
        &[],
    ] {
        assert_eq!(run(args).0, Some(2), "{args:?}");
    }
    assert_eq!(run(&["serve", "--help"]).0, Some(0));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = run(&["serve", "--in-memory", "--listen", &address]);
    assert_eq!(code, Some(1));
    assert!(text.contains("another program listens there"), "{text}");
    let (code, text) = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", "/proc/no/such/place"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("/proc/no/such/place"), "{text}");
}

#[test]
fn variables_stand_for_flags_and_every_listener_is_told() {
    let mut child = Command::new(FLINT)
        .arg("serve")
        .env("FLINT_IN_MEMORY", "true")
        .env("FLINT_LISTEN", "127.0.0.1:0,127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addresses: Vec<SocketAddr> =
        line.split(" igni=").skip(1).map(|address| address.trim_end().parse().unwrap()).collect();
    assert_eq!(addresses.len(), 2, "{line}");
    for address in addresses {
        Raw::draft(address);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn running_out_of_file_descriptors_ends_nothing() {
    let serve = Serve::start(Some(40), &["--in-memory"]);
    let mut first = Raw::draft(serve.addr);
    let mut more: Vec<_> = (0..60).map(|_| Raw::connect(serve.addr)).collect();
    thread::park_timeout(Duration::from_millis(300));
    first.send(&tables_get(1));
    assert_eq!(first.frame(), [0, 1, 0, 0x80], "who is in is served");
    let mut last = more.pop().unwrap();
    drop(more);
    last.send(HELLO);
    assert_eq!(last.read(WELCOME.len()), WELCOME, "who waited is served once there is room");
    thread::park_timeout(Duration::from_millis(300));
    serve.signal("TERM");
    let (code, log) = serve.wait();
    assert_eq!(code, Some(0));
    assert_eq!(log.matches("cannot accept").count(), 1, "{log}");
    assert!(log.contains("that waited are accepted"), "{log}");
}

#[test]
fn connections_above_the_limit_are_closed() {
    let serve = Serve::start(None, &["--in-memory", "--max-connections", "3"]);
    let mut three: Vec<_> = (0..3).map(|_| Raw::draft(serve.addr)).collect();
    assert_eq!(Raw::connect(serve.addr).rest(), b"");
    drop(three.pop());
    thread::park_timeout(Duration::from_millis(50));
    Raw::draft(serve.addr);
}

#[test]
fn ten_thousand_idle_connections_cost_little() {
    const IDLE: usize = 10_000;
    const BUSY: usize = 200;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let needed = (IDLE + BUSY + 500) as u64;
    if limit.current.is_some_and(|current| current < needed) {
        println!("skipped: {needed} open files are needed, {:?} are allowed (`ulimit -n`)", limit.current);
        return;
    }
    let serve = Serve::start(None, &["--in-memory", "--max-connections", "11000"]);
    let before = serve.rss_kib();
    let idle: Vec<_> = (0..IDLE).map(|_| Raw::draft(serve.addr)).collect();
    let after = serve.rss_kib();
    let mut busy: Vec<_> = (0..BUSY).map(|_| Raw::draft(serve.addr)).collect();
    let start = SystemClock.now();
    for round in 0..20u8 {
        for raw in &mut busy {
            raw.send(&[tables_get(round), tables_get(round)].concat());
        }
        for raw in &mut busy {
            assert_eq!(raw.read(16), [frame(&[0, round, 0, 0x80]), frame(&[0, round, 0, 0x80])].concat());
        }
    }
    println!(
        "{before} KiB without connections, {after} KiB with {IDLE} idle ones, {} KiB with {BUSY} busy ones; {:?} for 8000 requests",
        serve.rss_kib(),
        start.elapsed()
    );
    assert!(serve.rss_kib() - before < 24 << 10);
    // Frames that are announced take no memory before they arrive.
    let mut announced: Vec<_> = (0..BUSY).map(|_| Raw::draft(serve.addr)).collect();
    let before = serve.rss_kib();
    for raw in &mut announced {
        raw.send(&[0x03, 0xff, 0xff, 0xff, 3]);
    }
    thread::park_timeout(Duration::from_millis(100));
    assert!(serve.rss_kib().saturating_sub(before) < 2 << 10, "64 MiB frames were reserved");
    drop(idle);
}
