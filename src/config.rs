//! Every limit and default, named with its unit. `flint serve --help` shows the same names.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The largest frame a client may send, in bytes.
pub const FRAME_BYTES_MAX: usize = 64 << 20;
/// The largest frame a client may send before its handshake is done, in bytes.
pub const HANDSHAKE_FRAME_BYTES_MAX: usize = 64 << 10;
/// Bytes that one connection may buffer while all together are beyond [`Limits::buffered_bytes`].
pub const CROWDED_BYTES: usize = 64 << 10;
/// How deep arrays and maps may nest in one msgpack value.
pub const MSGPACK_DEPTH_MAX: usize = 32;
/// Values inside one msgpack value without fixed layout (options, extensions), counting nested ones.
pub const MSGPACK_NODES_MAX: usize = 100_000;
/// Extensions in one handshake.
pub const HANDSHAKE_EXTENSIONS_MAX: usize = 64;
/// Columns of one table.
pub const COLUMNS_MAX: usize = 1024;
/// Bytes of a table's or column's name.
pub const NAME_BYTES_MAX: usize = 128;
/// Passwords that wait to be checked against their hashes.
pub const PASSWORD_CHECKS_MAX: usize = 1024;
/// Tables of a store.
pub const TABLES_MAX: usize = 100_000;
/// Schema versions that one table may have over its life.
pub const TABLE_VERSIONS_MAX: i32 = 32_767;
/// Schemas, zones and indexes of a store, all together.
pub const CATALOG_OBJECTS_MAX: usize = 100_000;
/// Rows of one batch operation.
pub const BATCH_ROWS_MAX: usize = 1_000_000;
/// Bytes of a decimal's unscaled integer: about 39,000 digits; Ignite's precision ends at 32,767.
pub const DECIMAL_BYTES_MAX: usize = 16 << 10;
/// A decimal's scale, in either direction.
pub const DECIMAL_SCALE_MAX: u32 = 32_767;
/// Parameters of one SQL statement.
pub const SQL_PARAMETERS_MAX: usize = 10_000;
/// Bytes of one page of a result, give or take a row; it ends before its rows are as many as were asked for.
pub const SQL_PAGE_BYTES_MAX: usize = 8 << 20;
/// Queries that run, and cursors that are open, on a server at one time.
pub const SQL_QUERIES_MAX: usize = 10_000;
/// Bytes that the pages which wait for their clients may take together, about: with many of them, pages get smaller.
pub const SQL_PAGES_BYTES_MAX: usize = 128 << 20;
/// Bytes of a page however many there are, give or take a row.
pub const SQL_PAGE_BYTES_MIN: usize = 16 << 10;
/// Bytes of stored rows that a scan reads at a time, give or take a row.
pub const SQL_BATCH_BYTES_MAX: usize = 4 << 20;
/// Rows of one page of a result.
pub const SQL_PAGE_ROWS_MAX: usize = 100_000;
/// Bytes of the pages that the results of one script may take together, until they are asked for.
pub const SQL_RESULTS_BYTES_MAX: usize = 16 << 20;
/// Statements of one request that run before other requests have their turn.
pub const SQL_STATEMENTS_PER_STEP: usize = 256;
/// Results that have ended whose columns a client of the draft dialect may still ask for; the oldest are forgotten.
pub const SQL_ENDED_RESULTS_MAX: usize = 64;
/// Bytes of a pattern for names.
pub const NAME_PATTERN_BYTES_MAX: usize = 1024;
/// The name of the server's one node, to clients. It names no machine, and clients compare it with nothing else.
pub const NODE_NAME: &str = "flint";
/// Partitions that GA clients are told a table has: Ignite's default. It must not change over a table's life.
pub const PARTITIONS: u16 = 25;
/// Schema versions of a table that one request may ask for.
pub const SCHEMA_VERSIONS_MAX: usize = 1024;
/// Bytes of one encoded key. A VARCHAR or VARBINARY of the default length fits, however its bytes have to be escaped.
pub const KEY_BYTES_MAX: usize = 512 << 10;

/// Bytes of one statement of a script that the shell runs.
pub const STATEMENT_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// Scripts that may run inside each other.
pub const SCRIPT_DEPTH_MAX: usize = 16;
/// Tables whose columns the shell completes.
pub const COMPLETION_TABLES_MAX: usize = 200;
/// Bytes of text that one request of an import holds at most, about.
pub const IMPORT_BATCH_BYTES: usize = 4 << 20;

/// Fields of one frame that a trace takes apart; the bytes behind them are shown as one.
pub const TRACE_FIELDS_MAX: usize = 10_000;
/// Requests whose answers a trace waits for, per connection.
pub const TRACE_PENDING_MAX: usize = 10_000;
/// Schema versions a trace remembers, per connection.
pub const TRACE_SCHEMAS_MAX: usize = 1_000;

/// Bytes that ranges of keys take which a transaction's queries have read of one table, before all of it counts as read.
pub const READ_BYTES_MAX: usize = 1 << 20;
/// Rows of a system view that tells what goes on: transactions, locks, queries.
pub const ACTIVITY_ROWS_MAX: usize = 10_000;
/// How long a query engine keeps an index that no query has used.
pub const SQL_INDEX_IDLE: Duration = Duration::from_secs(300);
/// How long a query engine keeps a column, or the columns of a table, that no query has read.
pub const SQL_COLUMNS_IDLE: Duration = Duration::from_secs(60);
/// Bytes that all running SQL statements may take together unless told otherwise; indexes and kept columns may take as
/// much again.
pub const SQL_MEMORY: usize = 256 << 20;

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The addresses to listen on; port 0 picks one.
    pub listen: Vec<SocketAddr>,
    /// More addresses to listen on, which speak plain TCP even if the others speak TLS.
    pub listen_plain: Vec<SocketAddr>,
    /// Where the data lives.
    pub storage: Storage,
    /// When a write counts as acknowledged.
    pub durability: Durability,
    /// SQL files that are run before the server is ready.
    pub init: Vec<PathBuf>,
    /// Who may connect.
    pub authentication: Authentication,
    /// TLS of the listeners in `listen`; plain TCP if none.
    pub tls: Option<Tls>,
    /// Bytes that all rows and keys may take.
    pub max_memory: u64,
    /// Bytes that all running SQL statements may take together, beside the rows.
    pub sql_memory: usize,
    /// How long the loop polls without blocking after the last event.
    pub spin: Duration,
    /// Annotated frames of all connections are written here.
    pub trace: Option<PathBuf>,
    /// What one client may ask for.
    pub limits: Limits,
}

/// Where the data lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In memory; gone with the process.
    Memory,
    /// In this directory, which is created if it is missing.
    Directory(PathBuf),
}

/// When a write counts as acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When it is on the disk.
    Sync,
    /// When it is in memory; the disk follows at this interval.
    Interval(Duration),
}

/// Who may connect.
#[derive(Debug, Clone, Default)]
pub enum Authentication {
    /// Everybody.
    #[default]
    None,
    /// One user whose password is given.
    One {
        /// The user's name.
        name: String,
        /// The password itself.
        password: String,
    },
    /// The users of this file, with salted hashes.
    File(PathBuf),
}

/// TLS of the listeners.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The server's certificate chain, PEM.
    pub certificate: PathBuf,
    /// The server's private key, PEM.
    pub key: PathBuf,
    /// If given, clients must show a certificate that this authority signed.
    pub client_authority: Option<PathBuf>,
}

/// What one client, or all of them, may ask for.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest frame a client may send, in bytes.
    pub frame_bytes: usize,
    /// Connections at one time.
    pub connections: usize,
    /// Open transactions and cursors of one connection.
    pub resources: usize,
    /// Bytes waiting to be sent to one connection before it is no longer read.
    pub output_bytes: usize,
    /// Bytes that all connections together buffer (unfinished frames, parked requests, answers not sent) before each is
    /// cut down to [`CROWDED_BYTES`].
    pub buffered_bytes: usize,
    /// How long a connection may take for its handshake.
    pub handshake: Duration,
    /// Bytes of commits that wait for the disk before requests wait too.
    pub log_backlog_bytes: usize,
    /// Bytes of log, beyond the bytes of the data, after which a checkpoint is made.
    pub checkpoint_log_bytes: u64,
    /// How long a request waits for a lock, and a transaction may last when its client names no time.
    pub transaction: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: FRAME_BYTES_MAX,
            connections: 10_000,
            resources: 1_000,
            output_bytes: 64 << 20,
            buffered_bytes: 1 << 30,
            handshake: Duration::from_secs(10),
            log_backlog_bytes: 64 << 20,
            checkpoint_log_bytes: 64 << 20,
            transaction: Duration::from_secs(30),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 10800))],
            listen_plain: Vec::new(),
            storage: Storage::Memory,
            durability: Durability::Sync,
            init: Vec::new(),
            authentication: Authentication::None,
            tls: None,
            max_memory: u64::MAX,
            sql_memory: SQL_MEMORY,
            spin: Duration::ZERO,
            trace: None,
            limits: Limits::default(),
        }
    }
}
