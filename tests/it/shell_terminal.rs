//! `flint shell` with a person at a terminal.

use flint::fixture::TestServer;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal with the shell in it.
pub(crate) struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What the screen has shown and nobody has waited for.
    seen: String,
    pub(crate) child: Child,
}

impl Terminal {
    pub(crate) fn open(server: &TestServer, history: &Path) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let slave = || OpenOptions::new().read(true).write(true).open(path.to_str().unwrap()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_flint"))
            .args(["shell", "--addr", &server.addr().to_string()])
            .env("FLINT_HISTORY", history)
            .env("TERM", "xterm")
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap();
        let keyboard = File::from(master);
        let mut output = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The terminal fails when the last program has left it.
            while let Ok(n) = output.read(&mut bytes) {
                if n == 0 || sender.send(bytes[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut terminal = Self { keyboard, screen, seen: String::new(), child };
        terminal.wait_for("flint> ");
        terminal
    }

    /// Types, and waits until the screen has shown some things one after the other.
    pub(crate) fn type_until(&mut self, keys: &str, shown: &[&str]) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        shown.iter().for_each(|shown| self.wait_for(shown));
    }

    fn wait_for(&mut self, shown: &str) {
        loop {
            if let Some(at) = self.seen.find(shown) {
                self.seen.drain(..at + shown.len());
                return;
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{error}: {shown:?} is not in {:?}", self.seen),
            }
        }
    }

    pub(crate) fn leave(mut self, keys: &str) -> Option<i32> {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        loop {
            match self.screen.recv_timeout(PATIENCE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap().code(),
                Err(RecvTimeoutError::Timeout) => panic!("it does not leave"),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) const ENTER: &str = "\r";
const UP: &str = "\x1b[A";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

#[test]
fn a_person_types_completes_and_finds_it_again() {
    let server = TestServer::start();
    let dir = tempfile::tempdir().unwrap();
    let history = dir.path().join("history");
    let mut terminal = Terminal::open(&server, &history);
    let enter = |text: &str| format!("{text}{ENTER}");
    // A statement over two lines, then the table that it made is completed.
    let create = format!("create table quite_long_name (id int{ENTER}primary key);{ENTER}");
    terminal.type_until(&create, &["done", "flint> "]);
    terminal.type_until(&enter("\\d quite\t"), &["INTEGER", "flint> "]);
    terminal.type_until(&enter("roll\t;"), &["no transaction is open", "flint> "]);
    terminal.type_until(&enter("begin;"), &["transaction begun", "flint*> "]);
    terminal.type_until(&enter("rollback;"), &["rolled back", "flint> "]);
    // An error leaves it running, and what is given up is not run.
    terminal.type_until(&enter("drop table no_such;"), &["IGN-SQL-4: ", "flint> "]);
    terminal.type_until("drop table quite_long_name", &["quite_long_name"]);
    terminal.type_until(CTRL_C, &["\n", "flint> "]);
    terminal.type_until(&format!("{UP}{UP}{UP}{UP}"), &["no_such", "rollback", "begin", "rollback"]);
    terminal.type_until(CTRL_C, &["\n", "flint> "]);
    assert_eq!(terminal.leave(CTRL_D), Some(0));

    let mut terminal = Terminal::open(&server, &history);
    terminal.type_until(UP, &["drop table no_such;"]);
    terminal.type_until(CTRL_C, &["\n", "flint> "]);
    terminal.type_until(&enter("\\d"), &["(1 row)", "flint> "]);
    assert_eq!(terminal.leave(&enter("\\q")), Some(0));
    assert!(std::fs::read_to_string(history).unwrap().contains("create table quite_long_name"));
}
