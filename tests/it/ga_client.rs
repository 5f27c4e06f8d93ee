//! As much of the GA dialect as the tests need: transactions, and rows of two INT64 columns.

use flint::client::{Error, Result};
use flint::value::{ColumnType, Value};
use flint::wire::binary_tuple::{Builder, Tuple};
use flint::wire::msgpack::{Reader, Write as _};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) const GET: i64 = 12;
pub(crate) const UPSERT_ALL: i64 = 13;
pub(crate) const GET_ALL: i64 = 15;
pub(crate) const GET_AND_UPSERT: i64 = 16;
pub(crate) const UPSERT: i64 = 10;
const TX_BEGIN: i64 = 43;
const TX_COMMIT: i64 = 44;
const TX_ROLLBACK: i64 = 45;

const FLAG_ERROR: i64 = 4;

/// A connection.
pub(crate) struct Ga {
    stream: TcpStream,
    next_id: i64,
}

/// A table of key and value, both INT64, as of its first schema version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pairs(pub(crate) i64);

impl Ga {
    /// Connects as the Java client 3.0.0 does.
    pub(crate) fn connect(addr: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.write_all(b"IGNI\0\0\0\x07\x03\0\0\x02\xc4\0\0")?;
        let mut magic = [0; 4];
        stream.read_exact(&mut magic).map_err(|_| Error::Closed)?;
        let mut client = Self { stream, next_id: 1 };
        let payload = client.read_frame()?;
        let mut reader = Reader::new(&payload);
        for _ in 0..3 {
            reader.i64()?;
        }
        if magic != *b"IGNI" || !reader.nil_if_next()? {
            return Err(Error::Protocol(format!("the handshake was answered by {payload:?}")));
        }
        Ok(client)
    }

    fn read_frame(&mut self) -> Result<Vec<u8>> {
        let lost = |_| Error::Closed;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(lost)?;
        let mut payload = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut payload).map_err(lost)?;
        Ok(payload)
    }

    /// Sends a request, waits, and returns what follows the timestamp. An error has its code as the status.
    pub(crate) fn call(&mut self, op: i64, body: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>> {
        let id = self.next_id;
        self.next_id += 1;
        let mut frame = vec![0; 4];
        frame.put_int(op);
        frame.put_int(id);
        body(&mut frame);
        let length = u32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).map_err(|_| Error::Closed)?;
        let payload = self.read_frame()?;
        let mut reader = Reader::new(&payload);
        let (answered, flags, _timestamp) = (reader.i64()?, reader.i64()?, reader.i64()?);
        if answered != id {
            return Err(Error::Protocol(format!("request {id} was answered as {answered}")));
        }
        if flags & FLAG_ERROR != 0 {
            reader.skip()?;
            let status = reader.i64()?;
            let class = reader.str()?.to_owned();
            return Err(Error::Server { status, message: format!("{class}: {}", reader.str()?) });
        }
        Ok(payload[reader.position()..].to_vec())
    }

    pub(crate) fn begin(&mut self, read_only: bool) -> Result<i64> {
        let answer = self.call(TX_BEGIN, |out| {
            out.put_bool(read_only);
            out.put_int(0);
            out.put_int(0);
        })?;
        Ok(Reader::new(&answer).i64()?)
    }

    pub(crate) fn commit(&mut self, tx: i64) -> Result<()> {
        self.call(TX_COMMIT, |out| out.put_int(tx)).map(drop)
    }

    pub(crate) fn rollback(&mut self, tx: i64) -> Result<()> {
        self.call(TX_ROLLBACK, |out| out.put_int(tx)).map(drop)
    }
}

impl Pairs {
    fn head(self, out: &mut Vec<u8>, tx: Option<i64>) {
        out.put_int(self.0);
        match tx {
            Some(tx) => out.put_int(tx),
            None => out.put_nil(),
        }
        out.put_int(1);
    }

    pub(crate) fn get(self, client: &mut Ga, tx: Option<i64>, key: i64) -> Result<Option<i64>> {
        let answer = client.call(GET, |out| {
            self.head(out, tx);
            put_tuple(out, &[key]);
        })?;
        let mut reader = Reader::new(&answer);
        reader.i64()?;
        optional(&mut reader)
    }

    /// The values of keys, in their order.
    pub(crate) fn get_all(self, client: &mut Ga, tx: Option<i64>, keys: &[i64]) -> Result<Vec<Option<i64>>> {
        let answer = client.call(GET_ALL, |out| {
            self.head(out, tx);
            out.put_int(keys.len() as i64);
            keys.iter().for_each(|key| put_tuple(out, &[*key]));
        })?;
        let mut reader = Reader::new(&answer);
        reader.i64()?;
        (0..reader.i64()?).map(|_| if reader.bool()? { pair(reader.bin()?).map(Some) } else { Ok(None) }).collect()
    }

    pub(crate) fn upsert(self, client: &mut Ga, tx: Option<i64>, key: i64, value: i64) -> Result<()> {
        let put = |out: &mut Vec<u8>| {
            self.head(out, tx);
            put_tuple(out, &[key, value]);
        };
        client.call(UPSERT, put).map(drop)
    }

    pub(crate) fn upsert_all(self, client: &mut Ga, tx: Option<i64>, pairs: &[(i64, i64)]) -> Result<()> {
        let put = |out: &mut Vec<u8>| {
            self.head(out, tx);
            out.put_int(pairs.len() as i64);
            pairs.iter().for_each(|&(key, value)| put_tuple(out, &[key, value]));
        };
        client.call(UPSERT_ALL, put).map(drop)
    }

    /// Puts a value, returns the old one.
    pub(crate) fn swap(self, client: &mut Ga, tx: Option<i64>, key: i64, value: i64) -> Result<Option<i64>> {
        let answer = client.call(GET_AND_UPSERT, |out| {
            self.head(out, tx);
            put_tuple(out, &[key, value]);
        })?;
        let mut reader = Reader::new(&answer);
        reader.i64()?;
        optional(&mut reader)
    }
}

fn put_tuple(out: &mut Vec<u8>, values: &[i64]) {
    out.put_ext(8, &[]);
    let mut builder = Builder::new();
    values.iter().for_each(|value| builder.push(&Value::Int(*value), ColumnType::Int64));
    out.put_bin(&builder.build());
}

fn optional(reader: &mut Reader<'_>) -> Result<Option<i64>> {
    if reader.nil_if_next()? { Ok(None) } else { pair(reader.bin()?).map(Some) }
}

/// The value of a row of key and value.
fn pair(bytes: &[u8]) -> Result<i64> {
    match Tuple::parse(bytes, 2)?.value(1, ColumnType::Int64)? {
        Value::Int(value) => Ok(value),
        other => Err(Error::Protocol(format!("a value of {other}"))),
    }
}
