//! What the tests share: seeds, the real binary as a process, numbers from the environment.

use parking_lot::Mutex;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// A number from the environment, or its default.
pub(crate) fn number<N: FromStr>(variable: &str, default: N) -> N
where
    N::Err: Display,
{
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")),
        Err(_) => default,
    }
}

/// The seed of a random test, printed when the test fails: `FLINT_SEED`, else another one every time.
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    pub(crate) fn new() -> Self {
        Self(number("FLINT_SEED", fastrand::u64(..)))
    }

    pub(crate) fn rng(&self, stream: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.0 ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("run it again with FLINT_SEED={}", self.0);
        }
    }
}

/// `flint serve` as a process of its own; killed when dropped. `FLINT_BIN` names another binary than the one built for the
/// tests.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    addr: SocketAddr,
    logged: Arc<Mutex<String>>,
    /// Reads what the process logs: one that logs much would wait for a reader.
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts it and waits for the ready line.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Self::spawn(args);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.trim().strip_prefix("flint ready igni=").and_then(|addr| addr.parse().ok());
        let Some(addr) = addr else {
            let _ = child.kill();
            let output = child.wait_with_output().unwrap();
            panic!("flint {args:?} said {line:?} and {}", String::from_utf8_lossy(&output.stderr));
        };
        let logged = Arc::new(Mutex::new(String::new()));
        let (sink, mut stderr) = (Arc::clone(&logged), child.stderr.take().unwrap());
        let reader = thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = stderr.read(&mut buffer) {
                sink.lock().push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        Self { child, addr, logged, reader: Some(reader) }
    }

    /// Starts it on a data directory, with the log of its runs beside it.
    pub(crate) fn start_on(dir: &Path, args: &[&str]) -> Self {
        Self::start(&[&["--data-dir", dir.to_str().unwrap()], args].concat())
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn(args: &[&str]) -> Child {
        let binary = std::env::var("FLINT_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_flint").to_owned());
        Command::new(binary)
            .env_clear()
            .env("RUST_LOG", "warn")
            .env("RUST_BACKTRACE", "1")
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// SIGKILL; what the process had logged.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.log()
    }

    /// Bytes of memory that the process has resident.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }

    /// What the process has logged so far.
    #[cfg(feature = "sql")]
    pub(crate) fn logged(&self) -> String {
        self.logged.lock().clone()
    }

    fn log(&mut self) -> String {
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        std::mem::take(&mut *self.logged.lock())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let log = self.log();
        if thread::panicking() && !log.is_empty() {
            eprintln!("the server logged:\n{log}");
        }
    }
}
