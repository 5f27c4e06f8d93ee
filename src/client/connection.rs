//! A socket and its buffers: whole frames in and out, blocking.

use super::error::{Error, Result};
use super::tls::{Stream, Tls};
use crate::wire::frame::{self, MAGIC, Next};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The largest answer a client takes, in bytes.
const REPLY_BYTES_MAX: usize = 1 << 30;
/// How a server that speaks TLS answers one that does not: an alert record, and the version's major part.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];
/// How often a wait that can be interrupted looks whether it was.
const INTERRUPT_POLL: Duration = Duration::from_millis(50);

/// One connection, before and after its handshake.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    /// How long bytes of an answer may take; `None` waits for ever.
    timeout: Option<Duration>,
    /// Set by somebody who wants a wait to end.
    interrupt: Option<Arc<AtomicBool>>,
    /// Requests that wait to be written.
    output: Vec<u8>,
    input: Vec<u8>,
    /// Bytes of `input` that were consumed.
    consumed: usize,
}

impl Connection {
    /// Connects to the first address that answers within `timeout`, which holds for bytes of answers, too.
    pub(super) fn open(addr: impl ToSocketAddrs, timeout: Duration, tls: Option<&Tls>) -> Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no address given");
        for addr in addr.to_socket_addrs()? {
            match TcpStream::connect_timeout(&addr, timeout) {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    let mut connection = Self {
                        stream: Stream::new(socket, tls)?,
                        timeout: None,
                        interrupt: None,
                        output: Vec::new(),
                        input: Vec::new(),
                        consumed: 0,
                    };
                    connection.set_timeout(Some(timeout))?;
                    return Ok(connection);
                }
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    /// From now on, bytes of an answer may take this long.
    pub(super) fn set_timeout(&mut self, timeout: Option<Duration>) -> Result<()> {
        self.stream.socket().set_read_timeout(timeout)?;
        self.stream.socket().set_write_timeout(timeout)?;
        self.timeout = timeout;
        Ok(())
    }

    /// From now on, waits for an answer end when the flag is set, and only then.
    pub(super) fn interrupt_by(&mut self, flag: Arc<AtomicBool>) -> Result<()> {
        self.stream.socket().set_read_timeout(Some(INTERRUPT_POLL))?;
        self.interrupt = Some(flag);
        Ok(())
    }

    /// Fails if the flag is set, and takes it back.
    pub(super) fn check_interrupt(&self) -> Result<()> {
        match &self.interrupt {
            Some(flag) if flag.swap(false, Ordering::Relaxed) => Err(Error::Interrupted),
            _ => Ok(()),
        }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        self.stream.socket()
    }

    pub(super) fn into_socket(self) -> TcpStream {
        self.stream.into_socket()
    }

    /// Bytes of requests that were not written yet.
    pub(super) fn queued_bytes(&self) -> usize {
        self.output.len()
    }

    /// Bytes that arrived and were not consumed yet.
    pub(super) fn unread(&self) -> &[u8] {
        self.input.get(self.consumed..).unwrap_or_default()
    }

    /// Adds a frame to those to be written, with the payload that `build` appends.
    pub(super) fn queue_frame(&mut self, build: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        append_frame(&mut self.output, build)
    }

    /// Writes what waits to be written.
    pub(super) fn flush(&mut self) -> Result<()> {
        let result = self.stream.write_all(&self.output).and_then(|()| self.stream.flush());
        self.output.clear();
        result.map_err(|error| self.io_error(error))
    }

    /// Writes bytes as they are.
    pub(super) fn write_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.flush()?;
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).map_err(|error| self.io_error(error))
    }

    /// Reads the magic that precedes the answer to a handshake.
    pub(super) fn read_magic(&mut self) -> Result<()> {
        self.fill(MAGIC.len())?;
        if frame::magic(self.unread()) != Some(true) {
            let what = match self.unread().starts_with(&TLS_ALERT) {
                true => "the server speaks TLS",
                false => "the answer does not start with the magic",
            };
            return Err(Error::Protocol(what.into()));
        }
        self.consumed += MAGIC.len();
        Ok(())
    }

    /// Reads one frame's payload.
    pub(super) fn read_frame(&mut self) -> Result<Vec<u8>> {
        loop {
            let needed = match frame::next(self.unread(), REPLY_BYTES_MAX) {
                Next::Frame(payload) => {
                    let payload = payload.to_vec();
                    self.consumed += frame::HEADER_BYTES + payload.len();
                    return Ok(payload);
                }
                Next::Partial(bytes) => bytes.max(frame::HEADER_BYTES),
                Next::Oversize(length) | Next::Invalid(length) => {
                    return Err(Error::Protocol(format!("a frame of {length} bytes")));
                }
            };
            self.fill(needed)?;
        }
    }

    /// Reads until `needed` bytes are there.
    fn fill(&mut self, needed: usize) -> Result<()> {
        if self.consumed > 0 {
            self.input.drain(..self.consumed);
            self.consumed = 0;
        }
        let mut chunk = [0; 16 << 10];
        while self.input.len() < needed {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Error::Closed),
                Ok(n) => self.input.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.interrupt.is_some() && is_timeout(&error) => self.check_interrupt()?,
                Err(error) => return Err(self.io_error(error)),
            }
        }
        Ok(())
    }

    fn io_error(&self, error: io::Error) -> Error {
        match (error.kind(), self.timeout) {
            (_, Some(limit)) if is_timeout(&error) => Error::Timeout(limit),
            (io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof, _) => {
                Error::Closed
            }
            _ => Error::Io(error),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Appends a frame whose payload `build` appends.
pub(crate) fn append_frame(out: &mut Vec<u8>, build: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let header = out.len();
    out.extend_from_slice(&[0; frame::HEADER_BYTES]);
    build(out);
    let bytes = out.len() - header - frame::HEADER_BYTES;
    match i32::try_from(bytes) {
        Ok(length) => {
            for (place, byte) in out.iter_mut().skip(header).zip(length.to_be_bytes()) {
                *place = byte;
            }
            Ok(())
        }
        Err(_) => {
            out.truncate(header);
            Err(Error::Usage(format!("a request of {bytes} bytes does not fit a frame")))
        }
    }
}
