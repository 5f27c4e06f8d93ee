//! Puts a server together: engine and event loop, started and stopped as one.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::config::{Config, Storage};
use crate::control::Control;
use crate::error::{Error, Kind, Result};
use crate::net::{EventLoop, Handle, Hooks};
use crate::sql::{Service, script};
use crate::store::clock::{Clock, SystemClock};
use crate::store::database::Database;
use crate::store::engine::Engine;
use crate::store::open::open;
use crate::store::persist::{Files, RealFiles};
use crate::trace::Trace;

/// A server that is bound and loaded but does not answer yet.
pub struct Server {
    event_loop: EventLoop,
    engine: Engine,
    control: Option<Control>,
}

/// What a server is made of besides its configuration.
pub struct Parts {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Faults and observers.
    pub hooks: Hooks,
    /// Where ids and random defaults start from; random if not given.
    pub seed: Option<u64>,
    /// The tables and rows of a server in memory.
    pub database: Option<Database>,
    /// The file system of a server with a directory.
    pub files: Arc<dyn Files>,
}

impl Default for Parts {
    /// Those of a server in production.
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            hooks: Hooks::default(),
            seed: None,
            database: None,
            files: Arc::new(RealFiles),
        }
    }
}

impl Server {
    /// Binds the listeners and loads the data. Clients that connect from now on are answered once the server runs.
    pub fn new(config: &Config) -> Result<Self> {
        Self::with(config, Parts::default())
    }

    /// As [`Self::new`], with some parts given.
    pub fn with(config: &Config, parts: Parts) -> Result<Self> {
        let Parts { clock, mut hooks, seed, database, files } = parts;
        if let Some(path) = &config.trace {
            let trace = Trace::create(path).map_err(|error| {
                Error::new(Kind::InvalidArgument, format!("cannot write the trace to {}: {error}", path.display()))
            })?;
            hooks.observers.push(Box::new(trace));
        }
        let event_loop = EventLoop::bind(config, Arc::clone(&clock), hooks)?;
        let rng = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let mut engine = match database {
            Some(database) => Engine::new(database, None, config.max_memory, config.limits.clone(), clock, rng),
            None => {
                let handle = event_loop.handle();
                open(config, files, clock, rng, Arc::new(move || handle.wake()))?
            }
        };
        for file in &config.init {
            run_init(&mut engine, &event_loop.sql(), file)?;
        }
        let control = match &config.storage {
            Storage::Directory(dir) => Control::start(dir, event_loop.handle()),
            Storage::Memory => None,
        };
        Ok(Self { event_loop, engine, control })
    }

    /// The addresses listened on, in the order of the configuration, with the ports that were picked.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.event_loop.addresses()
    }

    /// A way into the server for other threads.
    pub fn handle(&self) -> Handle {
        self.event_loop.handle()
    }

    /// Lets SIGTERM and SIGINT stop the server. For a process that is this server.
    pub fn handle_signals(&mut self) -> Result<()> {
        self.event_loop.handle_signals()
    }

    /// Serves on this thread until the stop is asked for and done.
    pub fn run(self) -> Result<()> {
        let handle = self.event_loop.handle();
        let mut engine = self.event_loop.run(self.engine)?;
        // No command may come in between.
        drop(self.control);
        if handle.aborting() {
            engine.crash();
            return Ok(());
        }
        match engine.close() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Serves on a thread of its own.
    pub fn start(self) -> Result<Running> {
        let (addresses, handle, sql) = (self.addresses(), self.handle(), self.event_loop.sql());
        let thread = thread::Builder::new()
            .name("flint-loop".into())
            .spawn(move || self.run())
            .map_err(|error| Error::new(Kind::Internal, format!("cannot start the server's thread: {error}")))?;
        Ok(Running { addresses, handle, sql, thread: Some(thread) })
    }
}

/// Runs an SQL file of `--init`.
fn run_init(engine: &mut Engine, service: &Service, file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).map_err(|error| {
        Error::new(Kind::InvalidArgument, format!("the file {} of --init cannot be read: {error}", file.display()))
    })?;
    let ran = script::run_script(&text, |mut script, ticket| {
        let ended = script.step(service, engine, ticket);
        Ok((script, ended))
    });
    ran.map_err(|error| Error::new(error.kind, format!("{}: {error}", file.display())))
}

/// A server that serves on a thread of its own; it is stopped when this is dropped.
pub struct Running {
    addresses: Vec<SocketAddr>,
    handle: Handle,
    sql: Arc<Service>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Running {
    /// The addresses listened on, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What runs its SQL.
    pub fn sql(&self) -> &Arc<Service> {
        &self.sql
    }

    /// A way into the server.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Stops: no more connections, running requests end, answers are sent, everything is on the disk.
    pub fn stop(mut self) -> Result<()> {
        self.handle.stop();
        self.join()
    }

    /// Ends at once: connections are dropped as they are, nothing is sent or written any more.
    pub fn abort(mut self) {
        self.handle.abort();
        if let Err(error) = self.join() {
            log::error!("{error}");
        }
    }

    fn join(&mut self) -> Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(Error::new(Kind::Internal, "the server's thread panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        if let Err(error) = self.join() {
            log::error!("{error}");
        }
    }
}
