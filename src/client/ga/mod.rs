//! A typed, blocking client of today's dialect (Ignite 3.0 and 3.1): SQL, transactions, tables and tuples.
//!
//! One [`Client`] is one connection with one request at a time. It announces itself as a modern client that knows
//! qualified table names and nothing else that would change the layout of requests, so it works with a real node as well
//! as with this server. The tables of operation codes, type ids and names are those of the door; everything that reads
//! or writes a message is written anew.
//!
//! Statements answer an [`SqlResult`], which holds one page of rows; the rest waits on the server until it is asked for:
//!
//! ```no_run
//! use flint::client::ga::{Client, SqlOptions};
//!
//! # fn main() -> flint::client::Result<()> {
//! let mut client = Client::connect("127.0.0.1:10800")?;
//! client.sql("CREATE TABLE CITY (ID INT PRIMARY KEY, NAME VARCHAR)", &[], &SqlOptions::default())?;
//! client.sql("INSERT INTO CITY VALUES (?, ?)", &[1.into(), "Oslo".into()], &SqlOptions::default())?;
//! let cities = client.sql("SELECT * FROM CITY", &[], &SqlOptions::default())?;
//! for row in cities.rows(&mut client) {
//!     println!("{:?}", row?);
//! }
//! # Ok(())
//! # }
//! ```

mod argument;
mod columns;
mod error;
mod result;
mod sql;
mod table;
mod transaction;

pub use argument::Argument;
pub use columns::{ColumnMeta, Origin, Parameter};
pub use error::ServerError;
pub use result::{Row, Rows, SqlResult};
pub use sql::{Description, SqlOptions};
pub use table::{Fields, Record, Table, TableColumn, TableName};
pub use transaction::{Tx, TxOptions};

use super::connection::Connection;
use super::error::{Error, Result};
use super::tls::Tls;
use crate::door::igni::ga::opcode::Opcode;
use crate::wire::frame::MAGIC;
use crate::wire::msgpack::{Reader, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Bit 1: tables are asked for by qualified name.
const FEATURES: [u8; 1] = [0b10];
/// What kind of client this is: a general one.
const CLIENT_GENERAL: i64 = 2;

/// The partition assignment changed; a timestamp of it precedes the usual one.
const FLAG_ASSIGNMENT: i64 = 1;
/// Not the answer to a request.
const FLAG_NOTIFICATION: i64 = 2;
/// The answer is an error.
const FLAG_ERROR: i64 = 4;

/// How a client connects.
#[derive(Debug, Clone)]
pub struct Options {
    /// The user's name and password, if the server wants them.
    pub credentials: Option<(String, String)>,
    /// How long to wait for the connection, and then for the answer to the handshake.
    pub connect_timeout: Duration,
    /// How long to wait for bytes of an answer; `None` waits for ever.
    pub timeout: Option<Duration>,
    /// How to speak TLS; `None` speaks plainly.
    pub tls: Option<Tls>,
    /// Setting this flag cancels the statement that runs: the server is asked to end it, and its error is waited for,
    /// until the flag is set once more. With a flag, `timeout` does not matter.
    pub interrupt: Option<Arc<AtomicBool>>,
}

impl Default for Options {
    fn default() -> Self {
        let (connect_timeout, timeout) = (Duration::from_secs(10), Some(Duration::from_secs(60)));
        Self { credentials: None, connect_timeout, timeout, tls: None, interrupt: None }
    }
}

/// What the server said about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// The node's name.
    pub node: String,
    /// The cluster's name.
    pub cluster: String,
    /// The version that it claims to be: major, minor, maintenance.
    pub version: (i64, i64, i64),
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    next_id: i64,
    /// The newest hybrid time that the server named; it goes back with requests that must see what was seen before.
    observed: i64,
    server: ServerInfo,
}

/// A successful answer.
#[derive(Debug)]
pub(super) struct Answer {
    payload: Vec<u8>,
    body_at: usize,
}

impl Answer {
    /// A reader at the operation's result.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader::new(self.payload.get(self.body_at..).unwrap_or_default())
    }
}

impl Client {
    /// Connects with the default options.
    ///
    /// # Errors
    /// As [`Client::connect_with`].
    pub fn connect(addr: impl ToSocketAddrs) -> Result<Self> {
        Self::connect_with(addr, &Options::default())
    }

    /// Connects and shakes hands.
    ///
    /// # Errors
    /// Nobody listens there, the time is up, or the server refuses ([`Error::Ga`]).
    pub fn connect_with(addr: impl ToSocketAddrs, options: &Options) -> Result<Self> {
        let mut connection = Connection::open(addr, options.connect_timeout, options.tls.as_ref())?;
        connection.write_raw(&MAGIC)?;
        connection.queue_frame(|out| put_hello(out, options))?;
        connection.flush()?;
        connection.read_magic()?;
        let payload = connection.read_frame()?;
        let (server, observed) = read_welcome(&mut Reader::new(&payload))?;
        connection.set_timeout(options.timeout)?;
        if let Some(flag) = &options.interrupt {
            connection.interrupt_by(Arc::clone(flag))?;
        }
        Ok(Self { connection, next_id: 1, observed, server })
    }

    /// What the server said about itself.
    pub fn server(&self) -> &ServerInfo {
        &self.server
    }

    /// The newest hybrid time that the server named.
    pub fn observed(&self) -> i64 {
        self.observed
    }

    /// Takes over what another client observed: reads outside of transactions then see at least what that one saw. A real
    /// node otherwise answers a new connection with data that may be some 100 ms old.
    pub fn observe(&mut self, time: i64) {
        self.observed = self.observed.max(time);
    }

    /// The socket, for tests that close or stall it.
    pub fn stream(&self) -> &TcpStream {
        self.connection.socket()
    }

    /// Asks for nothing; keeps the connection alive.
    ///
    /// # Errors
    /// The connection fails.
    pub fn heartbeat(&mut self) -> Result<()> {
        self.call(Opcode::Heartbeat, |_| {}).map(drop)
    }

    /// Sends a request and waits for its successful answer.
    pub(super) fn call(&mut self, op: Opcode, body: impl FnOnce(&mut Vec<u8>)) -> Result<Answer> {
        self.connection.check_interrupt()?;
        let id = self.send(op, body)?;
        let mut cancel = None;
        loop {
            let payload = match self.connection.read_frame() {
                Err(Error::Interrupted) if cancel.is_none() => {
                    cancel = Some(self.send(Opcode::OperationCancel, |out| out.put_int(id))?);
                    continue;
                }
                result => result?,
            };
            let mut reader = Reader::new(&payload);
            let (answered, flags) = (reader.i64()?, reader.i64()?);
            if flags & FLAG_ASSIGNMENT != 0 {
                reader.i64()?;
            }
            self.observed = self.observed.max(reader.i64()?);
            // An answer that was given up earlier, that of the cancellation, or one that nobody asked for.
            if answered < id || Some(answered) == cancel || flags & FLAG_NOTIFICATION != 0 {
                continue;
            }
            if answered != id {
                return Err(Error::Protocol(format!("answer to request {answered}, which was not sent")));
            }
            if flags & FLAG_ERROR != 0 {
                return Err(Error::Ga(Box::new(ServerError::read(&mut reader)?)));
            }
            let body_at = reader.position();
            return Ok(Answer { payload, body_at });
        }
    }

    /// Sends a request; its id.
    fn send(&mut self, op: Opcode, body: impl FnOnce(&mut Vec<u8>)) -> Result<i64> {
        let id = self.next_id;
        self.next_id += 1;
        self.connection.queue_frame(|out| {
            out.put_int(op.code().into());
            out.put_int(id);
            body(out);
        })?;
        self.connection.flush()?;
        Ok(id)
    }
}

fn put_hello(out: &mut Vec<u8>, options: &Options) {
    [3, 0, 0, CLIENT_GENERAL].into_iter().for_each(|n| out.put_int(n));
    out.put_bin(&FEATURES);
    let Some((name, password)) = &options.credentials else {
        out.put_int(0);
        return;
    };
    let extensions = [("authn-type", "BASIC"), ("authn-identity", name), ("authn-secret", password)];
    out.put_int(extensions.len() as i64);
    for (key, value) in extensions {
        out.put_str(key);
        out.put_str(value);
    }
}

/// What the server is, and its time.
fn read_welcome(reader: &mut Reader<'_>) -> Result<(ServerInfo, i64)> {
    for _version in 0..3 {
        reader.i64()?;
    }
    if !reader.nil_if_next()? {
        return Err(Error::Ga(Box::new(ServerError::read(reader)?)));
    }
    let _idle_timeout = reader.i64()?;
    let _node_id = reader.ext()?;
    let node = reader.str()?.to_owned();
    for _cluster_id in 0..reader.count(1)? {
        reader.ext()?;
    }
    let cluster = reader.str()?.to_owned();
    let observed = reader.i64()?;
    let version = (reader.i64()?, reader.i64()?, reader.i64()?);
    Ok((ServerInfo { node, cluster, version }, observed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer of an Ignite 3.1.0 node.
    #[test]
    fn a_real_nodes_welcome_is_read() {
        let mut welcome =
            b"\x03\0\0\xc0\0\xd8\x03\xea\x49\xfe\x4b\x89\x37\xbd\xdc\xcc\xda\xe8\x4d\x4d\x34\x2a\x81".to_vec();
        welcome.extend(b"\xa4peer\x01\xd8\x03\x11\x44\x58\x77\xbc\xf2\x99\x14\xfc\x9a\x5b\x38\x1c\x97\x4f\xbd");
        welcome.extend(b"\xacpeer-cluster\xcf\x01\xa2\x06\xa4\x11\x6d\0\0\x03\x01\0\xc0\xc0\xc4\x02\xee\x0f\0");
        let (server, observed) = read_welcome(&mut Reader::new(&welcome)).unwrap();
        let expected = ServerInfo { node: "peer".into(), cluster: "peer-cluster".into(), version: (3, 1, 0) };
        assert_eq!((server, observed), (expected, 0x01a2_06a4_116d_0000));
    }

    proptest::proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let reader = || Reader::new(&bytes);
            let name = TableName { id: 1, schema: String::new(), name: String::new() };
            let _ = (read_welcome(&mut reader()), ServerError::read(&mut reader()), Table::read(name, &mut reader()));
            if let Ok(result) = SqlResult::read(&mut reader()) {
                result.columns.iter().for_each(|column| drop(column.type_name()));
            }
        }

        #[test]
        fn any_row_is_read_or_refused(
            row in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
            (type_id, scale) in (0_u8..20, proptest::prelude::any::<i16>()),
        ) {
            let mut bytes = vec![0xc0, 0xc3, 0xc2, 0xc2, 0xff, 1, 6, 0xa1, b'A', 0xc3, type_id];
            bytes.put_int(scale.into());
            bytes.extend([0xff, 0xc2, 1, 0xc4, row.len() as u8 + 2, 0, row.len() as u8]);
            bytes.extend(&row);
            if let Ok(mut result) = SqlResult::read(&mut Reader::new(&bytes)) {
                let value = result.take_page().remove(0).remove(0);
                let _ = crate::value::text::plain(&value);
            }
        }
    }

    #[test]
    fn credentials_go_with_the_first_frame() {
        let mut out = Vec::new();
        put_hello(&mut out, &Options::default());
        assert_eq!(out, [3, 0, 0, 2, 0xc4, 1, 2, 0]);
        let options = Options { credentials: Some(("u".into(), "p".into())), ..Options::default() };
        out.clear();
        put_hello(&mut out, &options);
        assert!(out.ends_with(b"\x03\xaaauthn-type\xa5BASIC\xaeauthn-identity\xa1u\xacauthn-secret\xa1p"), "{out:?}");
    }
}
