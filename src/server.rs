//! Puts a server together: engine and event loop, started and stopped as one.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::net::{Clock, EventLoop, Handle, Hooks};

/// A server that is bound and loaded but does not answer yet.
pub struct Server {
    event_loop: EventLoop,
}

impl Server {
    /// Binds the listeners and loads the data. Clients that connect from now on are answered once the server runs.
    pub fn new(config: &Config) -> Result<Self> {
        Self::with(config, Clock::default(), Hooks::default())
    }

    /// As [`Self::new`], with a clock that the caller can move and with hooks.
    pub fn with(config: &Config, clock: Clock, hooks: Hooks) -> Result<Self> {
        let event_loop = EventLoop::bind(config, clock, hooks)?;
        Ok(Self { event_loop })
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
        let _engine = self.event_loop.run(crate::net::Engine::new())?;
        Ok(())
    }

    /// Serves on a thread of its own.
    pub fn start(self) -> Result<Running> {
        let (addresses, handle) = (self.addresses(), self.handle());
        let thread = thread::Builder::new()
            .name("flint-loop".into())
            .spawn(move || self.run())
            .map_err(|error| Error::new(Kind::Internal, format!("cannot start the server's thread: {error}")))?;
        Ok(Running { addresses, handle, thread: Some(thread) })
    }
}

/// A server that serves on a thread of its own; it is stopped when this is dropped.
pub struct Running {
    addresses: Vec<SocketAddr>,
    handle: Handle,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Running {
    /// The addresses listened on, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A way into the server.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Stops: no more connections, running requests end, answers are sent, everything is on the disk.
    pub fn stop(mut self) -> Result<()> {
        self.join()
    }

    fn join(&mut self) -> Result<()> {
        self.handle.stop();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(Error::new(Kind::Internal, "the server's thread panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            log::error!("{error}");
        }
    }
}
