//! `flint serve`: flags to a configuration, then one server until it is told to stop.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;

use super::bytes;
use crate::config::{Authentication, Config, Durability, Limits, SQL_MEMORY, Storage, Tls};
use crate::error::{Error, Kind, Result};
use crate::server::Server;

/// Serve tables to thin clients until SIGTERM or SIGINT.
///
/// When it is ready it prints one line to stdout, `flint ready igni=ADDRESS`, with one `igni=` per listener.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address to listen on; port 0 picks a free one. Can be given several times
    #[arg(long, env = "FLINT_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:10800")]
    #[arg(value_delimiter = ',', value_parser = address)]
    listen: Vec<SocketAddr>,

    /// Address to listen on without TLS although --tls-cert is given. Can be given several times
    #[arg(long, env = "FLINT_LISTEN_PLAIN", value_name = "ADDRESS", requires = "tls_cert")]
    #[arg(value_delimiter = ',', value_parser = address)]
    listen_plain: Vec<SocketAddr>,

    /// Directory of the data; created if it is missing
    #[arg(long, env = "FLINT_DATA_DIR", value_name = "DIR", default_value = "flint-data")]
    data_dir: PathBuf,

    /// Keep everything in memory: no files, gone with the process
    #[arg(long, env = "FLINT_IN_MEMORY", conflicts_with_all = ["data_dir", "durability"])]
    #[arg(value_parser = BoolishValueParser::new())]
    in_memory: bool,

    /// When a write is acknowledged: `sync`, when it is on the disk, or `interval=MS`, when it is in memory, with the
    /// disk following every MS milliseconds (a crash loses at most that)
    #[arg(long, env = "FLINT_DURABILITY", value_name = "sync|interval=MS", default_value = "sync")]
    #[arg(value_parser = durability)]
    durability: Durability,

    /// SQL file to run before the server is ready. Can be given several times
    #[arg(long, env = "FLINT_INIT", value_name = "FILE", value_delimiter = ',')]
    init: Vec<PathBuf>,

    /// The only user who may connect
    #[arg(long, env = "FLINT_USER", value_name = "NAME", requires = "password_file")]
    user: Option<String>,

    /// File that holds the password of --user and nothing else
    #[arg(long, env = "FLINT_PASSWORD_FILE", value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,

    /// File of the users who may connect, written by `flint user add`
    #[arg(long, env = "FLINT_USERS", value_name = "FILE", conflicts_with = "user")]
    users: Option<PathBuf>,

    /// Certificate chain of the server, PEM; clients must then use TLS
    #[arg(long, env = "FLINT_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Private key of the server, PEM
    #[arg(long, env = "FLINT_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Authority that must have signed the certificates of clients, PEM
    #[arg(long, env = "FLINT_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,

    /// Bytes that all rows and keys may take; writes beyond it are refused
    #[arg(long, env = "FLINT_MAX_MEMORY", value_name = "BYTES", value_parser = bytes)]
    max_memory: Option<u64>,

    /// Bytes that all running SQL statements may take together, beside the rows (default 256MiB); indexes and kept columns may take as much again
    #[arg(long, env = "FLINT_SQL_MEMORY", value_name = "BYTES", value_parser = bytes)]
    sql_memory: Option<u64>,

    /// Connections at one time
    #[arg(long, env = "FLINT_MAX_CONNECTIONS", value_name = "N", default_value_t = Limits::default().connections)]
    max_connections: usize,

    /// Largest frame a client may send, in bytes
    #[arg(long, env = "FLINT_MAX_FRAME", value_name = "BYTES", default_value = "64m", value_parser = bytes)]
    max_frame: u64,

    /// Unsent bytes of answers at which a connection is no longer read
    #[arg(long, env = "FLINT_MAX_OUTPUT", value_name = "BYTES", default_value = "64m", value_parser = bytes)]
    max_output: u64,

    /// Bytes buffered for all connections together before each gets only a small share
    #[arg(long, env = "FLINT_MAX_BUFFERED", value_name = "BYTES", default_value = "1g", value_parser = bytes)]
    max_buffered: u64,

    /// Bytes of commits waiting for the disk at which requests wait too
    #[arg(long, env = "FLINT_MAX_LOG_BACKLOG", value_name = "BYTES", default_value = "64m", value_parser = bytes)]
    max_log_backlog: u64,

    /// Bytes of log, beyond the bytes of the data, after which a checkpoint is made
    #[arg(long, env = "FLINT_CHECKPOINT_LOG", value_name = "BYTES", default_value = "64m", value_parser = bytes)]
    checkpoint_log: u64,

    /// Open transactions and cursors of one connection
    #[arg(long, env = "FLINT_MAX_RESOURCES", value_name = "N", default_value_t = Limits::default().resources)]
    max_resources: usize,

    /// Time for a new connection's handshake, in milliseconds
    #[arg(long, env = "FLINT_HANDSHAKE_TIMEOUT_MS", value_name = "MS", default_value_t = 10_000)]
    handshake_timeout_ms: u64,

    /// How long a request waits for a lock, and a transaction lasts whose client names no time, in milliseconds
    #[arg(long, env = "FLINT_TRANSACTION_TIMEOUT_MS", value_name = "MS", default_value_t = 30_000)]
    transaction_timeout_ms: u64,

    /// Microseconds to go on polling after the last event before the thread sleeps: less latency for more CPU time
    #[arg(long, env = "FLINT_SPIN_US", value_name = "US", default_value_t = 0)]
    spin_us: u64,

    /// File to which annotated frames of all connections are written
    #[arg(long, env = "FLINT_TRACE", value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// Serves until told to stop.
pub(super) fn run(args: Args) -> Result<()> {
    let config = config(args)?;
    raise_file_limit(config.limits.connections);
    let mut server = Server::new(&config)?;
    server.handle_signals()?;
    announce(&server.addresses())
        .map_err(|error| Error::new(Kind::Internal, format!("cannot write the ready line to stdout: {error}")))?;
    server.run()
}

fn announce(addresses: &[SocketAddr]) -> io::Result<()> {
    let mut line = String::from("flint ready");
    for address in addresses {
        line.push_str(&format!(" igni={address}"));
    }
    line.push('\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

fn config(args: Args) -> Result<Config> {
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Ok(Config {
        listen: args.listen,
        listen_plain: args.listen_plain,
        storage: if args.in_memory { Storage::Memory } else { Storage::Directory(args.data_dir) },
        durability: args.durability,
        init: args.init,
        authentication: authentication(args.user, args.password_file, args.users)?,
        tls: args.tls_cert.zip(args.tls_key).map(|(certificate, key)| Tls {
            certificate,
            key,
            client_authority: args.tls_client_ca,
        }),
        max_memory: args.max_memory.unwrap_or(u64::MAX),
        sql_memory: args.sql_memory.map_or(SQL_MEMORY, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        spin: Duration::from_micros(args.spin_us),
        trace: args.trace,
        limits: Limits {
            frame_bytes: size(args.max_frame),
            connections: args.max_connections,
            resources: args.max_resources,
            output_bytes: size(args.max_output),
            buffered_bytes: size(args.max_buffered),
            handshake: Duration::from_millis(args.handshake_timeout_ms),
            log_backlog_bytes: size(args.max_log_backlog),
            checkpoint_log_bytes: args.checkpoint_log,
            transaction: Duration::from_millis(args.transaction_timeout_ms),
        },
    })
}

fn authentication(name: Option<String>, file: Option<PathBuf>, users: Option<PathBuf>) -> Result<Authentication> {
    match (name.zip(file), users) {
        (Some((name, file)), _) => {
            let password = fs::read_to_string(&file).map_err(|error| {
                Error::new(
                    Kind::InvalidArgument,
                    format!("cannot read the password file {}: {error}; give a readable one", file.display()),
                )
            })?;
            // Editors end files with a line break that nobody meant as a part of the password.
            let password = password.strip_suffix('\n').unwrap_or(&password);
            let password = password.strip_suffix('\r').unwrap_or(password).to_owned();
            Ok(Authentication::One { name, password })
        }
        (None, Some(users)) => Ok(Authentication::File(users)),
        (None, None) => Ok(Authentication::None),
    }
}

/// Every connection takes a file descriptor; the soft limit is often far below the hard one.
fn raise_file_limit(connections: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let wanted = connections as u64 + 100;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    limit.current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::warn!("cannot raise the limit of open files: {error}");
    }
    if let Some(current) = getrlimit(Resource::Nofile).current
        && current < wanted
    {
        log::warn!("{current} open files are allowed, too few for {connections} connections; see `ulimit -n`");
    }
}

fn address(text: &str) -> std::result::Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| format!("{error}; expected HOST:PORT"))?;
    addresses.next().ok_or_else(|| "this name has no address".into())
}

fn durability(text: &str) -> std::result::Result<Durability, String> {
    match text.strip_prefix("interval=") {
        Some(ms) => match ms.parse() {
            Ok(ms @ 1..=60_000) => Ok(Durability::Interval(Duration::from_millis(ms))),
            _ => Err("expected interval=MS with 1 to 60000 milliseconds".into()),
        },
        None if text == "sync" => Ok(Durability::Sync),
        None => Err("expected `sync` or `interval=MS`".into()),
    }
}
