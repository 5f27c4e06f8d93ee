//! The server inside a test.
//!
//! [`TestServer::start`] gives a real server on a free port, in memory, ready when it returns and stopped when dropped;
//! many can run in one process. A test reaches its rows without the wire, moves its clock, makes requests fail on
//! demand, and reads what was asked of it.
//!
//! ```
//! use flint::TestServer;
//! use flint::client::{Client, Column};
//! use flint::value::{ColumnType, UNLIMITED, Value};
//!
//! let server = TestServer::start();
//! let city = server.create_table(
//!     "city",
//!     &[
//!         Column::key("id", ColumnType::Int64),
//!         Column::value("name", ColumnType::String { length: UNLIMITED }),
//!     ],
//! )?;
//! server.put("city", &[Value::Int(1), Value::Str("Oslo".into())])?;
//!
//! // Any client of the protocol; this one comes with the crate.
//! let mut client = Client::connect(server.addr())?;
//! let city = client.table(city)?;
//! assert_eq!(city.get(&mut client, &[Value::Int(1)])?, Some(vec![Value::Str("Oslo".into())]));
//!
//! // Tests share a server: each starts from the same rows.
//! let before = server.snapshot()?;
//! city.upsert(&mut client, &[Value::Int(2), Value::Str("Bergen".into())])?;
//! assert_eq!(server.rows("city")?.len(), 2);
//! server.restore(&before)?;
//! assert_eq!(server.rows("city")?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod certificates;
mod data;
mod recorder;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use certificates::Certificates;
use recorder::Recorder;
pub use recorder::Request;

pub use crate::net::{Fault, Faults};

use crate::config::{self, Authentication, Config, Durability, Limits, Storage};
use crate::error::{Error, Kind, Result};
use crate::net::{Handle, Hooks};
use crate::server::{Parts, Running, Server};
use crate::sql::Service;
use crate::store::clock::ManualClock;
use crate::store::database::Database;
use crate::store::persist::{Files, RealFiles};

/// A running server that a test owns.
pub struct TestServer {
    /// `None` only while it restarts.
    running: Option<Running>,
    config: Config,
    seed: u64,
    /// How often it was started.
    lives: u64,
    clock: Arc<ManualClock>,
    faults: Faults,
    recorder: Recorder,
    files: Arc<dyn Files>,
    certificates: Option<Certificates>,
    /// Data and certificates that go with this.
    own_dir: Option<PathBuf>,
}

/// All tables and rows at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot(Database);

impl TestServer {
    /// A server in memory.
    ///
    /// # Panics
    /// If it cannot be started: no test that needs it can go on.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A server with other settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.config.listen.first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// All tables and rows at this moment; takes no time, however many they are.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.handle()?.with(|engine| Snapshot(engine.database().clone()))
    }

    /// Puts all tables and rows back. Only for servers in memory.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<()> {
        let database = snapshot.0.clone();
        self.handle()?.with(move |engine| engine.restore(database))?
    }

    /// Moves the server's clock forward: what is due by then happens now.
    pub fn advance(&self, by: Duration) -> Result<()> {
        self.clock.advance(by);
        // The first turn sees the new time; when a second one begins, all of its consequences are there.
        self.handle()?.with(|_| ())?;
        self.handle()?.with(|_| ())
    }

    /// The certificates of a server that speaks TLS.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// Faults to come.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The requests so far, handshakes not counted, oldest first.
    ///
    /// The newest 64 MiB of traffic are kept.
    pub fn requests(&self) -> Vec<Request> {
        self.recorder.requests()
    }

    /// Writes the annotated frames so far, and those to come, to a file.
    pub fn trace(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.recorder.trace(path.as_ref())
    }

    /// Stops as a server that is told to, and starts again on the same address. Rows are kept, also in memory.
    pub fn restart(&mut self) -> Result<()> {
        let database = self.handle()?.with(|engine| engine.database().clone())?;
        if let Some(running) = self.running.take() {
            running.stop()?;
        }
        let database = (self.config.storage == Storage::Memory).then_some(database);
        self.run(database)
    }

    /// Ends at once, as a process that is killed, and starts again on the same address: connections are lost, and so is
    /// everything that is not on the disk. In memory, that is everything.
    pub fn crash(&mut self) -> Result<()> {
        if let Some(running) = self.running.take() {
            running.abort();
        }
        self.run(None)
    }

    /// Stops and says how that went; dropping stops too.
    pub fn stop(mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), Running::stop)
    }

    /// A way to the server's engine.
    pub fn handle(&self) -> Result<&Handle> {
        let stopped = || Error::new(Kind::Stopping, "the server did not start again");
        self.running.as_ref().map(Running::handle).ok_or_else(stopped)
    }

    fn service(&self) -> Result<Arc<Service>> {
        let running = self.running.as_ref().map(|running| Arc::clone(running.sql()));
        running.ok_or_else(|| Error::new(Kind::Stopping, "the server is stopped"))
    }

    fn run(&mut self, database: Option<Database>) -> Result<()> {
        let hooks = Hooks { faults: Some(self.faults.clone()), observers: vec![Box::new(self.recorder.clone())] };
        // Another life draws other ids than those that its tables and rows have already.
        let seed = self.seed.wrapping_add(self.lives << 32);
        self.lives += 1;
        let parts = Parts {
            clock: Arc::clone(&self.clock) as _,
            hooks,
            seed: Some(seed),
            database,
            files: Arc::clone(&self.files),
        };
        let running = Server::with(&self.config, parts)?.start()?;
        self.config.listen = running.addresses().to_vec();
        self.running = Some(running);
        Ok(())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.running = None;
        if let Some(dir) = &self.own_dir
            && let Err(error) = fs::remove_dir_all(dir)
        {
            log::warn!("cannot remove {}: {error}", dir.display());
        }
    }
}

/// Settings of a [`TestServer`].
pub struct Builder {
    config: Config,
    seed: u64,
    clock: ManualClock,
    durable: bool,
    tls: Option<Tls>,
    files: Arc<dyn Files>,
}

/// Whom a server that speaks TLS lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tls {
    Everybody,
    WithCertificate,
}

impl Default for Builder {
    fn default() -> Self {
        let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let config = Config { listen, storage: Storage::Memory, ..Config::default() };
        Self { config, seed: 0, clock: ManualClock::default(), durable: false, tls: None, files: Arc::new(RealFiles) }
    }
}

impl Builder {
    /// Keeps the data on the disk, in a directory that goes with the server. Every write waits for the disk.
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Keeps the data in this directory, which stays.
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.config.storage = Storage::Directory(dir.into());
        self
    }

    /// Keeps the data in a file system of the test's own, such as one that fails when told to.
    pub fn files(mut self, files: Arc<dyn Files>) -> Self {
        self.files = files;
        self.data_dir("/flint-test")
    }

    /// When a write is acknowledged, for a server with a directory.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.config.durability = durability;
        self
    }

    /// Only this user may connect.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.config.authentication = Authentication::One { name: name.into(), password: password.into() };
        self
    }

    /// Speaks TLS, with certificates made for this server: [`TestServer::certificates`].
    pub fn tls(mut self) -> Self {
        self.tls = Some(Tls::Everybody);
        self
    }

    /// Speaks TLS with clients that show a certificate: [`TestServer::certificates`] has one for them.
    pub fn tls_with_client_certificates(mut self) -> Self {
        self.tls = Some(Tls::WithCertificate);
        self
    }

    /// Changes what one client may ask for.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.config.limits);
        self
    }

    /// Bytes that all rows and keys may take.
    pub fn max_memory(mut self, bytes: u64) -> Self {
        self.config.max_memory = bytes;
        self
    }

    /// The clock moves only by [`TestServer::advance`].
    pub fn stopped_clock(mut self) -> Self {
        self.clock = ManualClock::stopped();
        self
    }

    /// Where ids and random defaults start from; servers with equal seeds give equal ones. It is 0 if not given.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(self) -> TestServer {
        self.try_start().unwrap_or_else(|error| panic!("the test server cannot be started: {error}"))
    }

    /// Starts the server, or says why not.
    pub fn try_start(mut self) -> Result<TestServer> {
        let dir = std::env::temp_dir().join(format!("flint-test-{:016x}", fastrand::u64(..)));
        let data = self.durable && self.config.storage == Storage::Memory;
        if data {
            self.config.storage = Storage::Directory(dir.join("data"));
        }
        let own_dir = (data || self.tls.is_some()).then(|| dir.clone());
        let certificates = self.tls.map(|_| Certificates::create(&dir.join("certificates"))).transpose()?;
        self.config.tls = certificates.as_ref().map(|files| config::Tls {
            certificate: files.server.clone(),
            key: files.server_key.clone(),
            client_authority: (self.tls == Some(Tls::WithCertificate)).then(|| files.authority.clone()),
        });
        let mut server = TestServer {
            running: None,
            config: self.config,
            seed: self.seed,
            lives: 0,
            clock: Arc::new(self.clock),
            faults: Faults::default(),
            recorder: Recorder::default(),
            files: self.files,
            certificates,
            own_dir,
        };
        server.run(None)?;
        Ok(server)
    }
}
