//! A small blocking client that can keep many requests in flight.
//!
//! This is the client of the draft dialect; that of today's is in [`ga`].
//!
//! It knows the protocol from its description alone and shares no code with the doors, so that it checks them: only the
//! framing, msgpack and the values are common. [`Client::call`] sends one request and waits. [`Client::send`] and
//! [`Client::receive`] pipeline; [`Pipeline`] keeps a number of requests in flight. [`Table`] adds typed rows.
//!
//! ```no_run
//! use flint::client::{Client, Column};
//! use flint::value::{ColumnType, Value};
//!
//! # fn main() -> flint::client::Result<()> {
//! let mut client = Client::connect("127.0.0.1:10800")?;
//! let columns = [
//!     Column::key("id", ColumnType::Int64),
//!     Column::value("name", ColumnType::String { length: flint::value::UNLIMITED }),
//! ];
//! let id = client.table_create("city", &columns)?;
//! let city = client.table(id)?;
//! city.upsert(&mut client, &[Value::Int(1), Value::Str("Oslo".into())])?;
//! assert_eq!(city.get(&mut client, &[Value::Int(1)])?, Some(vec![Value::Str("Oslo".into())]));
//! # Ok(())
//! # }
//! ```

mod connection;
mod error;
pub mod ga;
pub mod op;
mod pipeline;
mod table;
mod tls;
mod value;

pub(crate) use connection::append_frame;
pub use error::{Error, Result};
pub use pipeline::Pipeline;
pub use table::{Column, Row, Table, TableId};
pub use tls::Tls;
pub use value::{read_value, type_code, type_of, write_value};

use crate::wire::frame::MAGIC;
use crate::wire::msgpack::{Reader, Write as _};
use connection::Connection;
use std::collections::{HashMap, HashSet};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Bytes of requests that are gathered before they are written without being asked for.
const WRITE_BYTES: usize = 64 << 10;

/// Which protocol the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// The protocol of Ignite 3.0.0-alpha3.
    #[default]
    Draft,
}

/// How a client connects.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which protocol to speak.
    pub dialect: Dialect,
    /// How long to wait for the connection, and for bytes of an answer.
    pub timeout: Duration,
    /// The version to announce: major, minor, patch.
    pub version: (i64, i64, i64),
}

impl Default for Options {
    fn default() -> Self {
        Self { dialect: Dialect::Draft, timeout: Duration::from_secs(30), version: (3, 0, 0) }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    options: Options,
    next_id: i64,
    outstanding: HashSet<i64>,
    /// Answers that arrived while another was waited for.
    early: HashMap<i64, Reply>,
}

/// One answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The id of the request it answers; -1 if the server could not read one.
    pub id: i64,
    /// 0 for success.
    pub status: i64,
    /// The whole payload.
    pub payload: Vec<u8>,
    data_at: usize,
}

impl Reply {
    fn parse(payload: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(payload);
        let kind = reader.i64()?;
        if kind != 0 {
            return Err(Error::Protocol(format!("message of type {kind}")));
        }
        let (id, status) = (reader.i64()?, reader.i64()?);
        Ok(Self { id, status, data_at: reader.position(), payload: payload.to_vec() })
    }

    /// What follows the status.
    pub fn data(&self) -> &[u8] {
        self.payload.get(self.data_at..).unwrap_or_default()
    }

    /// A reader at what follows the status.
    ///
    /// # Errors
    /// The server answered with an error.
    pub fn reader(&self) -> Result<Reader<'_>> {
        let mut reader = Reader::new(self.data());
        if self.status == 0 {
            return Ok(reader);
        }
        Err(Error::Server { status: self.status, message: reader.str()?.to_owned() })
    }
}

impl Client {
    /// Connects with the default options.
    ///
    /// # Errors
    /// As [`Client::connect_with`].
    pub fn connect(addr: impl ToSocketAddrs) -> Result<Self> {
        Self::connect_with(addr, Options::default())
    }

    /// Connects and shakes hands.
    ///
    /// # Errors
    /// Nobody listens there, the time is up, or the server refuses the handshake.
    pub fn connect_with(addr: impl ToSocketAddrs, options: Options) -> Result<Self> {
        let mut client = Self::connect_raw(addr, options)?;
        let (major, minor, patch) = client.options.version;
        client.write_raw(&MAGIC)?;
        client.write_frame(|body| {
            [major, minor, patch, op::CLIENT_GENERAL].into_iter().for_each(|n| body.put_int(n));
            body.put_bin(&[]);
            body.put_map(0);
        })?;
        client.handshake_reply()?;
        Ok(client)
    }

    /// Connects without a handshake, for callers that write its bytes themselves.
    ///
    /// # Errors
    /// Nobody listens there, or the time is up.
    pub fn connect_raw(addr: impl ToSocketAddrs, options: Options) -> Result<Self> {
        let connection = Connection::open(addr, options.timeout, None)?;
        Ok(Self { connection, options, next_id: 1, outstanding: HashSet::new(), early: HashMap::new() })
    }

    /// Reads the magic and the answer to a handshake.
    ///
    /// # Errors
    /// The server refuses, or answers with something else.
    pub fn handshake_reply(&mut self) -> Result<()> {
        self.connection.read_magic()?;
        let payload = self.read_frame()?;
        let mut reader = Reader::new(&payload);
        for _ in 0..3 {
            reader.i64()?;
        }
        match reader.i64()? {
            0 => Ok(()),
            code => Err(Error::Handshake { code, message: reader.str()?.to_owned() }),
        }
    }

    /// The protocol spoken.
    pub fn dialect(&self) -> Dialect {
        self.options.dialect
    }

    /// Requests whose answer was not returned yet.
    pub fn in_flight(&self) -> usize {
        self.outstanding.len() + self.early.len()
    }

    /// The socket, for tests that close or stall it.
    pub fn stream(&self) -> &TcpStream {
        self.connection.socket()
    }

    /// Gives the socket away, for a caller that goes on by itself.
    ///
    /// # Errors
    /// Requests or answers are under way.
    pub fn into_stream(mut self) -> Result<TcpStream> {
        self.flush()?;
        if self.in_flight() > 0 || !self.connection.unread().is_empty() {
            return Err(Error::Usage("the connection has requests under way".into()));
        }
        Ok(self.connection.into_socket())
    }

    /// Sends a request and waits for its answer, whatever its status.
    ///
    /// # Errors
    /// The connection fails, the time is up, or the answer cannot be read.
    pub fn request(&mut self, op: i64, body: impl FnOnce(&mut Vec<u8>)) -> Result<Reply> {
        let id = self.send(op, body)?;
        self.receive_for(id)
    }

    /// Sends a request and waits for its successful answer.
    ///
    /// # Errors
    /// As [`Client::request`], and if the server answers with an error.
    pub fn call(&mut self, op: i64, body: impl FnOnce(&mut Vec<u8>)) -> Result<Reply> {
        let reply = self.request(op, body)?;
        reply.reader()?;
        Ok(reply)
    }

    /// Adds a request to those to be sent and returns its id. They leave with the next wait, [`Client::flush`], or when
    /// there are many.
    ///
    /// # Errors
    /// The connection fails.
    pub fn send(&mut self, op: i64, body: impl FnOnce(&mut Vec<u8>)) -> Result<i64> {
        let id = self.next_id;
        self.next_id += 1;
        self.connection.queue_frame(|payload| {
            payload.put_int(op);
            payload.put_int(id);
            body(payload);
        })?;
        self.outstanding.insert(id);
        if self.connection.queued_bytes() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(id)
    }

    /// Writes what waits to be sent.
    ///
    /// # Errors
    /// The connection fails.
    pub fn flush(&mut self) -> Result<()> {
        self.connection.flush()
    }

    /// Waits for the next answer, of whichever request.
    ///
    /// # Errors
    /// The connection fails, the time is up, or the answer cannot be read.
    pub fn receive(&mut self) -> Result<Reply> {
        if let Some(id) = self.early.keys().next().copied() {
            return self.early.remove(&id).ok_or(Error::Closed);
        }
        self.receive_next()
    }

    /// Waits for the answer of request `id`; others that arrive meanwhile are kept.
    ///
    /// # Errors
    /// As [`Client::receive`], and if no such request is under way.
    pub fn receive_for(&mut self, id: i64) -> Result<Reply> {
        if let Some(reply) = self.early.remove(&id) {
            return Ok(reply);
        }
        if !self.outstanding.contains(&id) {
            return Err(Error::Usage(format!("request {id} is not under way")));
        }
        loop {
            let reply = self.receive_next()?;
            if reply.id == id {
                return Ok(reply);
            }
            self.early.insert(reply.id, reply);
        }
    }

    fn receive_next(&mut self) -> Result<Reply> {
        self.flush()?;
        let reply = Reply::parse(&self.read_frame()?)?;
        // -1 answers a request whose id the server could not read.
        if !self.outstanding.remove(&reply.id) && reply.id != -1 {
            return Err(Error::Protocol(format!("answer to request {}, which was not sent", reply.id)));
        }
        Ok(reply)
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// The connection fails.
    pub fn write_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.connection.write_raw(bytes)
    }

    /// Writes one frame with the payload that `build` appends.
    ///
    /// # Errors
    /// The connection fails.
    pub fn write_frame(&mut self, build: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.connection.queue_frame(build)?;
        self.flush()
    }

    /// Reads one frame's payload.
    ///
    /// # Errors
    /// The connection fails, the time is up, or the length is absurd.
    pub fn read_frame(&mut self) -> Result<Vec<u8>> {
        self.connection.read_frame()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::thread::{self, JoinHandle};

    /// A server that answers each request of a script once it is whole, and returns what it received.
    fn scripted(script: &'static [(&'static [u8], &'static [u8])]) -> (SocketAddr, JoinHandle<Vec<Vec<u8>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let answer = |(request, answer): &(&[u8], &[u8])| {
                let mut seen = vec![0; request.len()];
                stream.read_exact(&mut seen).unwrap();
                stream.write_all(answer).unwrap();
                seen
            };
            script.iter().map(answer).collect()
        });
        (addr, server)
    }

    const HANDSHAKE: &[u8] = b"IGNI\0\0\0\x07\x03\0\0\x02\xc4\0\x80";
    const WELCOME: &[u8] = b"IGNI\0\0\0\x07\x03\0\0\0\xc4\0\x80";

    #[test]
    fn shakes_hands_as_real_clients_do() {
        let (addr, server) = scripted(&[(HANDSHAKE, WELCOME)]);
        Client::connect(addr).unwrap();
        assert_eq!(server.join().unwrap(), [HANDSHAKE]);
    }

    #[test]
    fn a_refused_handshake_carries_the_servers_sentence() {
        let (addr, _server) = scripted(&[(HANDSHAKE, b"IGNI\0\0\0\x07\x03\0\0\x01\xa2no")]);
        let error = Client::connect(addr).unwrap_err();
        assert_eq!(error.server_message(), Some("no"));
        assert_eq!(error.to_string(), "the server refused the handshake (code 1): no");
    }

    #[test]
    fn answers_in_any_order_find_their_request() {
        const REQUESTS: &[u8] = b"\0\0\0\x02\x63\x01\0\0\0\x02\x63\x02";
        const ANSWERS: &[u8] = b"\0\0\0\x04\0\x02\0\xc3\0\0\0\x06\0\x01\x01\xa2no";
        let (addr, server) = scripted(&[(HANDSHAKE, WELCOME), (REQUESTS, ANSWERS)]);
        let mut client = Client::connect(addr).unwrap();
        let first = client.send(99, |_| {}).unwrap();
        let second = client.send(99, |_| {}).unwrap();
        let error = client.receive_for(first).unwrap().reader().unwrap_err();
        assert_eq!(error.to_string(), "the server answered with status 1: no");
        assert!(client.receive_for(second).unwrap().reader().unwrap().bool().unwrap());
        assert_eq!(client.in_flight(), 0);
        assert_eq!(server.join().unwrap(), [HANDSHAKE, REQUESTS]);
        assert!(matches!(client.call(99, |_| {}), Err(Error::Closed)));
    }

    #[test]
    fn silence_ends_at_the_time_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = Options { timeout: Duration::from_millis(20), ..Options::default() };
        let error = Client::connect_with(listener.local_addr().unwrap(), options).unwrap_err();
        assert_eq!(error.to_string(), "the server did not answer within 20ms");
    }
}
