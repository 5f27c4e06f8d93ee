//! Passwords that are checked away from the event loop.
//!
//! A hash takes tens of milliseconds by design. They are spent on one thread, which starts with the first check: whoever
//! tries passwords takes this thread's time, and that of others who log in for the first time, but no request's.

use super::Users;
use crate::config::PASSWORD_CHECKS_MAX;
use crate::error::{Error, Kind, Result};
use crate::store::tx::Ticket;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;

/// A password that is to be checked. Nobody does once this is dropped.
pub struct Check {
    users: Arc<Users>,
    name: String,
    password: String,
    waiting: Ticket,
    right: OnceLock<bool>,
}

impl Check {
    /// Whether it is right, once that is known.
    pub fn right(&self) -> Option<bool> {
        self.right.get().copied()
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).field("right", &self.right).finish_non_exhaustive()
    }
}

/// Checks passwords, one after the other.
pub struct Checks(Arc<Queue>);

struct Queue {
    /// Held for a push, a pop, or one pass over it when it is full.
    state: Mutex<State>,
    /// There is something to do, or nothing any more.
    changed: Condvar,
    wake: Arc<dyn Fn(Ticket) + Send + Sync>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Weak<Check>>,
    running: bool,
    stopping: bool,
}

impl Checks {
    /// Nothing to check yet. `wake` runs a parked handshake again.
    pub fn new(wake: Arc<dyn Fn(Ticket) + Send + Sync>) -> Self {
        Self(Arc::new(Queue { state: Mutex::default(), changed: Condvar::new(), wake }))
    }

    /// Has a password checked; `waiting` is woken when it is.
    ///
    /// # Errors
    /// `LimitExceeded` if too many wait already, `Internal` if there can be no thread.
    pub fn start(&self, users: &Arc<Users>, name: &str, password: &str, waiting: Ticket) -> Result<Arc<Check>> {
        let mut state = self.0.state.lock();
        if state.waiting.len() >= PASSWORD_CHECKS_MAX {
            state.waiting.retain(|check| check.strong_count() > 0);
        }
        if state.waiting.len() >= PASSWORD_CHECKS_MAX {
            let message = format!("{PASSWORD_CHECKS_MAX} passwords wait to be checked, which is the limit");
            return Err(Error::new(Kind::LimitExceeded, message));
        }
        if !state.running {
            let queue = Arc::clone(&self.0);
            let thread = thread::Builder::new().name("flint-passwords".into()).spawn(move || queue.run());
            thread.map_err(|e| Error::new(Kind::Internal, format!("cannot start a thread: {e}")))?;
            state.running = true;
        }
        let (name, password) = (name.to_owned(), password.to_owned());
        let check = Arc::new(Check { users: Arc::clone(users), name, password, waiting, right: OnceLock::new() });
        state.waiting.push_back(Arc::downgrade(&check));
        self.0.changed.notify_one();
        Ok(check)
    }
}

impl Queue {
    fn run(&self) {
        let mut state = self.state.lock();
        while !state.stopping {
            let Some(check) = state.waiting.pop_front() else {
                self.changed.wait(&mut state);
                continue;
            };
            // Whoever left does not want to know.
            let Some(check) = check.upgrade() else { continue };
            drop(state);
            let right = check.users.check(&check.name, &check.password);
            // It is set once.
            let _ = check.right.set(right);
            (self.wake)(check.waiting);
            drop(check);
            state = self.state.lock();
        }
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        self.0.state.lock().stopping = true;
        self.0.changed.notify_one();
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks").field("waiting", &self.0.state.lock().waiting.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Authentication;
    use std::sync::mpsc;

    fn ticket(connection: u64) -> Ticket {
        Ticket { connection, request: 0 }
    }

    #[test]
    fn who_waits_is_told_and_who_left_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        super::super::add_user(&path, "ann", "one").unwrap();
        let users = Arc::new(Users::load(&Authentication::File(path)).unwrap().unwrap());
        let (sender, woken) = mpsc::channel();
        let checks = Checks::new(Arc::new(move |ticket: Ticket| sender.send(ticket.connection).unwrap()));
        let right = checks.start(&users, "ann", "one", ticket(1)).unwrap();
        drop(checks.start(&users, "ann", "one", ticket(2)).unwrap());
        let wrong = checks.start(&users, "ann", "two", ticket(3)).unwrap();
        let nobody = checks.start(&users, "eve", "one", ticket(4)).unwrap();
        assert_eq!([1, 3, 4].map(|_| woken.recv().unwrap()), [1, 3, 4]);
        assert_eq!([right, wrong, nobody].map(|check| check.right()), [Some(true), Some(false), Some(false)]);
        // Its thread ends with it.
        drop(checks);
        assert!(woken.recv().is_err());
    }

    #[test]
    fn the_queue_has_an_end() {
        let one = Authentication::One { name: "a".into(), password: "b".into() };
        let users = Arc::new(Users::load(&one).unwrap().unwrap());
        let checks = Checks::new(Arc::new(|_| {}));
        // As if a thread were busy.
        checks.0.state.lock().running = true;
        let start = |n| checks.start(&users, "a", "b", ticket(n));
        let held: Vec<_> = (0..PASSWORD_CHECKS_MAX as u64).map(|n| start(n).unwrap()).collect();
        assert_eq!(start(0).unwrap_err().kind, Kind::LimitExceeded);
        drop(held);
        start(0).unwrap();
        assert_eq!(checks.0.state.lock().waiting.len(), 1);
    }
}
