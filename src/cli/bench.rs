//! `flint bench`: flags to options, then one run.

use crate::bench::floor::Floor;
use crate::bench::{self, Mix, Options, Progress};
use crate::door::igni::handshake::Dialect;
use crate::error::{Error, Kind, Result};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Measure how many operations a server does, and how long each takes.
///
/// Creates and loads a table of its own, and drops it at the end.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address of the server
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:10800", value_parser = address)]
    addr: SocketAddr,

    /// Protocol to speak
    #[arg(long, value_name = "NAME", default_value = "draft", value_parser = dialect)]
    dialect: Dialect,

    /// Connections
    #[arg(long, short, value_name = "N", default_value_t = 1)]
    connections: usize,

    /// Requests in flight on each connection
    #[arg(long, short, value_name = "N", default_value_t = 64)]
    depth: usize,

    /// Operations with their weights: get, upsert, get_all, upsert_all
    #[arg(long, short, value_name = "OP=WEIGHT,...", default_value = "get=90,upsert=10")]
    mix: Mix,

    /// Rows of one get_all or upsert_all
    #[arg(long, value_name = "ROWS", default_value_t = 100)]
    batch: usize,

    /// Bytes of a row's value
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    value_bytes: usize,

    /// Rows of the table; keys are drawn from all of them
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    keys: u64,

    /// Seconds to measure
    #[arg(long, short, value_name = "S", default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,

    /// Seconds to run before measuring
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = seconds)]
    warm_up: f64,

    /// Threads of the client
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,

    /// Seed of keys and values
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Table to use; whatever it holds is lost
    #[arg(long, value_name = "NAME", default_value = "FLINT_BENCH")]
    table: String,

    /// Leave the table there at the end
    #[arg(long)]
    keep: bool,

    /// Connections more that do nothing
    #[arg(long, value_name = "N", default_value_t = 0)]
    idle: usize,

    /// Compare with a bare echo server that answers as many bytes, in a process of its own
    #[arg(long)]
    floor: bool,

    /// Compare with a floor server that runs already, see --serve-floor
    #[arg(long, value_name = "ADDRESS", value_parser = address, conflicts_with = "floor")]
    floor_addr: Option<SocketAddr>,

    /// Be the floor server, print its address and measure nothing
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:0")]
    #[arg(value_parser = address)]
    serve_floor: Option<SocketAddr>,

    /// Microseconds that the floor server polls before it sleeps, as `flint serve --spin-us`
    #[arg(long, value_name = "US", default_value_t = 0)]
    floor_spin_us: u64,

    /// Compare with a loop that appends to a file in this directory and syncs it
    #[arg(long, value_name = "DIR")]
    fsync_floor: Option<PathBuf>,

    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
pub(super) fn run(args: Args) -> Result<()> {
    let spin = Duration::from_micros(args.floor_spin_us);
    if let Some(addr) = args.serve_floor {
        return serve_floor(addr, spin).map_err(|error| failed(format!("the floor server failed: {error}")));
    }
    let floor = match args.floor {
        true => Some(FloorProcess::start(spin).map_err(|error| failed(format!("cannot start the floor: {error}")))?),
        false => None,
    };
    let floor_addr = floor.as_ref().map(|floor| floor.addr).or(args.floor_addr);
    let options = Options {
        addr: args.addr,
        dialect: args.dialect,
        connections: args.connections,
        depth: args.depth,
        mix: args.mix,
        batch: args.batch,
        value_bytes: args.value_bytes,
        keys: args.keys,
        duration: Duration::from_secs_f64(args.seconds),
        warm_up: Duration::from_secs_f64(args.warm_up),
        threads: args.threads,
        seed: args.seed,
        table: args.table,
        keep: args.keep,
        idle: args.idle,
        sync_floor: args.fsync_floor,
    };
    let report = bench::run(&options, floor_addr, &show).map_err(|error| failed(error.to_string()))?;
    let text = if args.json { format!("{}\n", report.json()) } else { report.to_string() };
    io::stdout().write_all(text.as_bytes()).map_err(|error| failed(format!("cannot write the result: {error}")))
}

fn failed(message: String) -> Error {
    Error::new(Kind::Internal, message)
}

fn show(progress: Progress) {
    match progress {
        Progress::Loaded(rows, took) => {
            let rate = rows as f64 / took.as_secs_f64().max(1e-9);
            eprintln!("loaded {rows} rows in {:.2} s, {rate:.0} rows/s", took.as_secs_f64());
        }
        Progress::Rate { name, elapsed, rate } => {
            eprintln!("{:>6.1} s  {name:<10} {rate:>12.0} operations/s", elapsed.as_secs_f64());
        }
    }
}

fn serve_floor(addr: SocketAddr, spin: Duration) -> io::Result<()> {
    let floor = Floor::bind(addr)?;
    println!("floor ready {}", floor.addr());
    io::stdout().flush()?;
    floor.run(spin, || false)
}

/// A floor server in a process of its own, as the server is one; it ends with this value.
struct FloorProcess {
    child: Child,
    addr: SocketAddr,
}

impl FloorProcess {
    fn start(spin: Duration) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "--serve-floor", "--floor-spin-us", &spin.as_micros().to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        let addr = line.trim().strip_prefix("floor ready ").and_then(|addr| addr.parse().ok());
        match (read, addr) {
            (Some(Ok(_)), Some(addr)) => Ok(Self { child, addr }),
            _ => {
                child.kill()?;
                child.wait()?;
                Err(io::Error::other(format!("it said {line:?} instead of its address")))
            }
        }
    }
}

impl Drop for FloorProcess {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            log::warn!("cannot end the floor server: {error}");
        }
    }
}

fn address(text: &str) -> std::result::Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| format!("{error}; expected HOST:PORT"))?;
    addresses.next().ok_or_else(|| "this name has no address".into())
}

fn dialect(text: &str) -> std::result::Result<Dialect, String> {
    match text {
        "draft" => Ok(Dialect::Draft),
        "ga" => Ok(Dialect::Ga),
        _ => Err("expected `draft` or `ga`".into()),
    }
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected seconds between 0 and 86400".into()),
    }
}
