//! The control socket: how `flint checkpoint` and `flint backup` reach a server that has their data directory open.
//!
//! `DIR/control` is a Unix socket that belongs to the user who started the server. A connection carries one line, a
//! command, and gets one line back, `ok ...` or `error ...`:
//!
//! ```text
//! checkpoint        writes a checkpoint now
//! backup FILE       writes everything to FILE, as of now, while the server goes on
//! ```

use crate::error::{Error, Kind, Result};
use crate::net::Handle;
use crate::store::persist;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes of a command: a path and a word.
const COMMAND_BYTES_MAX: u64 = 8 << 10;
/// How long a client may take to say what it wants.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);

/// The socket's thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Listens in a data directory that this process holds. A path too long for a socket only costs the commands.
    pub fn start(dir: &Path, handle: Handle) -> Option<Self> {
        let path = path(dir);
        // The directory's lock is ours, so a socket that is there is a dead server's.
        let _ = std::fs::remove_file(&path);
        let listener = match UnixListener::bind(&path) {
            Ok(listener) => listener,
            Err(error) => {
                log::warn!(
                    "no control socket at {}: {error}; `flint checkpoint` and `flint backup` need a stopped server",
                    path.display()
                );
                return None;
            }
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = thread::Builder::new().name("flint-control".into()).spawn(move || {
            for stream in listener.incoming() {
                if stopping.load(Ordering::Acquire) {
                    return;
                }
                if let Err(error) = stream.and_then(|stream| serve(&stream, &handle)) {
                    log::debug!("control: {error}");
                }
            }
        });
        thread.ok().map(|thread| Self { path, stop, thread: Some(thread) })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let woken = UnixStream::connect(&self.path).is_ok();
        let _ = std::fs::remove_file(&self.path);
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

/// Sends a command to the server that holds `dir`; its answer. `None` if no server does.
///
/// # Errors
/// What the server answers after `error`; a connection that breaks.
pub fn ask(dir: &Path, command: &str) -> Result<Option<String>> {
    let Ok(mut stream) = UnixStream::connect(path(dir)) else { return Ok(None) };
    let broken = |error: io::Error| {
        Error::new(Kind::Internal, format!("the server at {} did not answer: {error}", dir.display()))
    };
    writeln!(stream, "{command}").map_err(broken)?;
    let mut answer = String::new();
    BufReader::new(stream).take(COMMAND_BYTES_MAX).read_line(&mut answer).map_err(broken)?;
    match answer.trim_end().split_once(' ') {
        Some(("ok", text)) => Ok(Some(text.to_owned())),
        Some(("error", text)) => Err(Error::new(Kind::Internal, text.to_owned())),
        _ => Err(Error::new(Kind::Internal, format!("the server at {} stopped before it was done", dir.display()))),
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("control")
}

fn serve(stream: &UnixStream, handle: &Handle) -> io::Result<()> {
    stream.set_read_timeout(Some(COMMAND_TIMEOUT))?;
    stream.set_write_timeout(Some(COMMAND_TIMEOUT))?;
    let mut line = String::new();
    BufReader::new(stream.take(COMMAND_BYTES_MAX)).read_line(&mut line)?;
    let answer = match line.trim_end_matches('\n').split_once(' ') {
        None if line.trim_end() == "checkpoint" => checkpoint(handle),
        Some(("backup", file)) => backup(handle, Path::new(file)),
        _ => Err(format!("unknown command {:?}: expected checkpoint, or backup FILE", line.trim_end())),
    };
    let mut stream = stream;
    match answer {
        Ok(text) => writeln!(stream, "ok {}", text.replace('\n', " ")),
        Err(text) => writeln!(stream, "error {}", text.replace('\n', " ")),
    }
}

fn checkpoint(handle: &Handle) -> Result<String, String> {
    let (tell, told) = mpsc::channel();
    let started = handle.with(move |engine| {
        engine.checkpoint(Box::new(move |result| {
            let _ = tell.send(result);
        }));
    });
    started.map_err(|e| e.to_string())?;
    match told.recv() {
        Ok(Ok(info)) => Ok(format!(
            "checkpoint {}: {} rows, {} bytes, up to commit {}",
            info.generation, info.rows, info.bytes, info.commit
        )),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the server stopped before the checkpoint was done".into()),
    }
}

fn backup(handle: &Handle, file: &Path) -> Result<String, String> {
    let value = handle.with(|engine| engine.database().clone()).map_err(|e| e.to_string())?;
    let info = persist::backup(&value, file).map_err(|e| e.to_string())?;
    Ok(format!("backed up to {}: {} rows, up to commit {}", file.display(), info.rows, info.commit))
}
