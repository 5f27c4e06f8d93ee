//! The GA dialect: preparing the table and the requests.

use super::workload::{GA_KEY_BASE, Reading, Shape, Workload};
use super::{Error, Operation, Options, Progress, Result};
use crate::client::append_frame;
use crate::door::igni::ga::opcode::Opcode;
use crate::value::{ColumnType, UNLIMITED, Value};
use crate::wire::binary_tuple::Builder;
use crate::wire::frame::{HEADER_BYTES, LENGTH_MAX, MAGIC};
use crate::wire::msgpack::{Reader, Write as _};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Rows of one request while loading, at most.
const LOAD_ROWS: u64 = 500;
/// Bytes of one request while loading, about.
const LOAD_BYTES: usize = 1 << 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first frame of a client without features, credentials or other extensions.
const HELLO: [u8; 7] = [3, 0, 0, 2, 0xc4, 0, 0];
/// How an accepted handshake's answer begins: the version, and no error.
const ACCEPTED: [u8; 4] = [3, 0, 0, 0xc0];

/// Creates and loads the table, and tries each operation once.
pub(super) fn prepare(options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Result<Workload> {
    let (mut peer, welcome_bytes) = Peer::connect(options)?;
    peer.sql(&format!("DROP TABLE IF EXISTS {}", quoted(options)))?;
    let length = options.value_bytes.max(1);
    peer.sql(&format!("CREATE TABLE {} (ID BIGINT PRIMARY KEY, VAL VARBINARY({length}))", quoted(options)))?;
    let table = peer.table(&options.table)?;
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let started = Instant::now();
    load(&mut peer, table, options, &mut rng)?;
    progress(Progress::Loaded(options.keys, started.elapsed()));
    let mut hello = MAGIC.to_vec();
    append_frame(&mut hello, |out| out.extend_from_slice(&HELLO))?;
    let mut welcome = MAGIC.to_vec();
    welcome.extend_from_slice(&(welcome_bytes as u32).to_be_bytes());
    welcome.extend_from_slice(&ACCEPTED);
    let mut workload = Workload {
        shapes: std::sync::Arc::from([]),
        reading: Reading::Ga,
        hello: hello.into(),
        welcome: welcome.into(),
        welcome_rest: welcome_bytes.saturating_sub(ACCEPTED.len()),
        keys: options.keys,
        depth: options.depth,
    };
    let shapes = options.mix.0.iter().map(|(operation, weight)| {
        let mut shape = shape(*operation, *weight, table, options, &mut rng)?;
        peer.stream.write_all(&shape.frame).map_err(failed)?;
        let payload = peer.read_frame()?;
        match workload.read(&payload) {
            Ok((0, bytes)) if shape.answer.contains(&bytes) => shape.answer_bytes = bytes,
            Ok((_, bytes)) => return Err(Error::Answer(format!("{} was answered with {bytes} bytes", shape.name))),
            Err(error) => return Err(Error::Answer(error)),
        }
        Ok(shape)
    });
    let shapes = shapes.collect::<Result<_>>()?;
    workload.shapes = shapes;
    Ok(workload)
}

/// Drops the table.
pub(super) fn clean_up(options: &Options) -> Result<()> {
    Peer::connect(options)?.0.sql(&format!("DROP TABLE IF EXISTS {}", quoted(options)))
}

fn quoted(options: &Options) -> String {
    format!("\"{}\"", options.table.replace('"', "\"\""))
}

/// A connection with one request at a time.
struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Connects, and says how many bytes the handshake's answer has.
    fn connect(options: &Options) -> Result<(Self, usize)> {
        let mut stream = TcpStream::connect(options.addr).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut hello = MAGIC.to_vec();
        append_frame(&mut hello, |out| out.extend_from_slice(&HELLO))?;
        stream.write_all(&hello).map_err(failed)?;
        let mut magic = [0; MAGIC.len()];
        stream.read_exact(&mut magic).map_err(failed)?;
        let mut peer = Self { stream };
        let payload = peer.read_frame()?;
        if magic != MAGIC || !payload.starts_with(&ACCEPTED) {
            return Err(Error::Answer("the handshake was refused".into()));
        }
        Ok((peer, payload.len()))
    }

    fn read_frame(&mut self) -> Result<Vec<u8>> {
        let mut header = [0; HEADER_BYTES];
        self.stream.read_exact(&mut header).map_err(failed)?;
        let length = u32::from_be_bytes(header).min(LENGTH_MAX);
        let mut payload = Vec::new();
        let mut limited = (&mut self.stream).take(length.into());
        limited.read_to_end(&mut payload).map_err(failed)?;
        Ok(payload)
    }

    /// Sends a request and returns the result in its answer.
    fn call(&mut self, op: Opcode, body: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>> {
        let mut frame = Vec::new();
        append_frame(&mut frame, |out| {
            out.put_int(op.code().into());
            out.put_int(0);
            body(out);
        })?;
        self.stream.write_all(&frame).map_err(failed)?;
        let payload = self.read_frame()?;
        let mut reader = Reader::new(&payload);
        match (reader.i64(), reader.i64(), reader.i64()) {
            (Ok(0), Ok(0), Ok(_)) => Ok(reader.rest().to_vec()),
            _ => Err(Error::Answer(explain(&payload))),
        }
    }

    fn sql(&mut self, text: &str) -> Result<()> {
        self.call(Opcode::SqlExec, |out| {
            out.put_nil();
            out.put_str("PUBLIC");
            // Page size, two timeouts, time zone.
            (0..4).for_each(|_| out.put_nil());
            out.put_int(0);
            out.put_bin(&[0]);
            out.put_str(text);
            out.put_nil();
            out.put_int(0);
        })
        .map(drop)
    }

    fn table(&mut self, name: &str) -> Result<i64> {
        let answer = self.call(Opcode::TableGetQualified, |out| {
            out.put_str("PUBLIC");
            out.put_str(name);
        })?;
        Reader::new(&answer).i64().map_err(|error| Error::Answer(error.message.into_owned()))
    }
}

/// Appends a tuple of a key, and of a value if there is one; where the key's 8 bytes are.
fn put_row(out: &mut Vec<u8>, builder: &mut Builder, key: u64, value: Option<&[u8]>) -> usize {
    builder.clear();
    builder.push(&Value::Int((key + GA_KEY_BASE) as i64), ColumnType::Int64);
    if let Some(value) = value {
        builder.push(&Value::Bytes(value.into()), ColumnType::Bytes { length: UNLIMITED });
    }
    let tuple = builder.build();
    out.put_ext(8, &[]);
    out.put_bin(&tuple);
    let width = 1 << (tuple.first().copied().unwrap_or(0) & 3);
    let offsets = if value.is_some() { 2 * width } else { width };
    out.len() - tuple.len() + 1 + offsets
}

/// A random value that needs no escape: its first byte is not 80.
fn fill(value: &mut [u8], rng: &mut fastrand::Rng) {
    rng.fill(value);
    if let Some(first) = value.first_mut() {
        *first &= 0x7f;
    }
}

fn load(peer: &mut Peer, table: i64, options: &Options, rng: &mut fastrand::Rng) -> Result<()> {
    let rows_max = LOAD_ROWS.min((LOAD_BYTES / (options.value_bytes + 16)).max(1) as u64);
    let mut value = vec![0; options.value_bytes];
    let mut builder = Builder::new();
    let mut first = 0;
    while first < options.keys {
        let last = (first + rows_max).min(options.keys);
        peer.call(Opcode::TupleUpsertAll, |out| {
            put_head(out, table);
            out.put_uint(last - first);
            for key in first..last {
                fill(&mut value, rng);
                put_row(out, &mut builder, key, Some(&value));
            }
        })?;
        first = last;
    }
    Ok(())
}

/// Table, no transaction, schema version 1.
fn put_head(out: &mut Vec<u8>, table: i64) {
    out.put_int(table);
    out.put_nil();
    out.put_int(1);
}

fn shape(operation: Operation, weight: u32, table: i64, options: &Options, rng: &mut fastrand::Rng) -> Result<Shape> {
    let (op, rows, has_values) = match operation {
        Operation::Get => (Opcode::TupleGet, None, false),
        Operation::Upsert => (Opcode::TupleUpsert, None, true),
        Operation::GetAll => (Opcode::TupleGetAll, Some(options.batch), false),
        Operation::UpsertAll => (Opcode::TupleUpsertAll, Some(options.batch), true),
    };
    let mut value = vec![0; options.value_bytes];
    let mut builder = Builder::new();
    let (mut id_at, mut keys_at, mut values_at) = (0, Vec::new(), Vec::new());
    let mut frame = Vec::new();
    append_frame(&mut frame, |out| {
        out.put_int(op.code().into());
        // The id has one width, whatever the number.
        out.push(0xcd);
        id_at = out.len();
        out.extend_from_slice(&[0; 2]);
        put_head(out, table);
        if let Some(rows) = rows {
            out.put_uint(rows as u64);
        }
        for key in 0..rows.unwrap_or(1) as u64 {
            fill(&mut value, rng);
            keys_at.push(put_row(out, &mut builder, key, has_values.then_some(&*value)));
            // Behind the first byte, which must not become one that needs an escape.
            if has_values && value.len() > 8 {
                values_at.push(out.len() - 8);
            }
        }
    })?;
    let rows = rows.unwrap_or(1);
    let answer = match operation {
        Operation::Get => options.value_bytes + 8..=options.value_bytes + 32,
        Operation::GetAll => rows * options.value_bytes..=rows * (options.value_bytes + 32) + 32,
        Operation::Upsert | Operation::UpsertAll => 1..=1,
    };
    Ok(Shape { name: operation.name(), frame, id_at, keys_at, values_at, answer, answer_bytes: 0, weight })
}

/// What is wrong with an answer.
pub(super) fn explain(payload: &[u8]) -> String {
    let mut reader = Reader::new(payload);
    let head = (reader.i64(), reader.i64(), reader.i64(), reader.ext(), reader.i64(), reader.str(), reader.str());
    match head {
        (Ok(id), Ok(4), Ok(_), Ok(_), Ok(code), Ok(class), Ok(message)) => {
            format!("the server answered request {id} with error {code}, {class}: {message}")
        }
        _ => format!("the server's answer of {} bytes cannot be read", payload.len()),
    }
}

fn failed(error: io::Error) -> Error {
    Error::Io("the connection that prepares the table failed".into(), error)
}
