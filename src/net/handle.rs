//! How other threads reach the loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc;

use mio::Waker;
use parking_lot::Mutex;

use crate::error::{Error, Kind, Result};
use crate::store::engine::Engine;

/// A way into the loop of one server. Cheap to clone; outlives the server.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// What runs inside the loop.
pub(crate) type Command = Box<dyn FnOnce(&mut Engine) + Send>;

struct Shared {
    // Held while a command is put or all are taken; commands run outside it.
    commands: Mutex<Option<Vec<Command>>>,
    stop: AtomicU8,
    waker: Waker,
}

// How the loop is to go on.
const RUN: u8 = 0;
const STOP: u8 = 1;
const ABORT: u8 = 2;

impl Handle {
    pub(crate) fn new(waker: Waker) -> Self {
        let commands = Mutex::new(Some(Vec::new()));
        Self { shared: Arc::new(Shared { commands, stop: AtomicU8::new(RUN), waker }) }
    }

    /// Runs `f` inside the loop and returns what it returns. The error is [`Kind::Stopping`]: the loop has ended.
    ///
    /// Must not be called by the loop's own thread, which would wait for itself.
    pub fn with<R: Send + 'static>(&self, f: impl FnOnce(&mut Engine) -> R + Send + 'static) -> Result<R> {
        let (reply, result) = mpsc::sync_channel(1);
        self.post(Box::new(move |engine| {
            // Nobody waits any more if the caller's thread is gone.
            let _ = reply.send(f(engine));
        }));
        result.recv().map_err(|_| Error::new(Kind::Stopping, "the server has stopped"))
    }

    /// Asks the loop to stop: no more connections, running requests end, answers are sent.
    pub fn stop(&self) {
        self.shared.stop.fetch_max(STOP, Ordering::Release);
        self.wake();
    }

    /// Makes the loop end at once: connections are dropped as they are, nothing is sent or written any more.
    pub fn abort(&self) {
        self.shared.stop.fetch_max(ABORT, Ordering::Release);
        self.wake();
    }

    /// Makes the loop take a turn.
    pub fn wake(&self) {
        if let Err(error) = self.shared.waker.wake() {
            log::error!("cannot wake the event loop: {error}");
        }
    }

    pub(crate) fn stopping(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire) >= STOP
    }

    pub(crate) fn aborting(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire) >= ABORT
    }

    /// The commands that came since the last call.
    pub(crate) fn commands(&self) -> Vec<Command> {
        self.shared.commands.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Refuses commands from now on; callers that wait get their error.
    pub(crate) fn close(&self) {
        let refused = self.shared.commands.lock().take();
        drop(refused);
    }

    /// Runs a command inside the loop, some time; not at all if the loop has ended.
    pub(crate) fn post(&self, command: Command) {
        if let Some(commands) = self.shared.commands.lock().as_mut() {
            commands.push(command);
        }
        self.wake();
    }
}
