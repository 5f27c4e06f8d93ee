//! A client of the draft dialect for tests, below the level of `flint::client`: it sends any bytes, in process or over
//! TCP, and hands back the answers as they are.

use flint::config::{Config, Limits};
use flint::door::igni::{Services, Session};
use flint::door::{ConnId, Flow, Output};
use flint::server::{Running, Server};
use flint::store::clock::SystemClock;
use flint::store::database::Database;
use flint::store::engine::Engine;
use flint::wire::frame::{self, MAGIC, Next};
use flint::wire::msgpack::{Reader, Write};
use std::cell::RefCell;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The shortest accepted handshake, with the magic.
pub const HANDSHAKE: &[u8] = b"IGNI\0\0\0\x07\x03\0\0\x02\xc4\0\x80";

/// A server.
pub trait Over {
    /// A connection that has said nothing.
    fn connect(&self) -> Box<dyn Peer>;

    /// A connection past its handshake.
    fn connect_established(&self) -> Box<dyn Peer> {
        let mut peer = self.connect();
        peer.send(HANDSHAKE);
        assert_eq!(peer.answer(false), b"IGNI\0\0\0\x07\x03\0\0\0\xc4\0\x80");
        peer
    }
}

/// A connection.
pub trait Peer {
    /// Sends bytes.
    fn send(&mut self, bytes: &[u8]);
    /// Receives one frame, with its length and a magic before it. Nothing if the connection is closed, or if `may_stay`
    /// and nothing comes.
    fn answer(&mut self, may_stay: bool) -> Vec<u8>;
    /// Whether the server closes the connection.
    fn is_closed(&mut self) -> bool;
}

/// Sends a request of id 7 and returns what follows the status, or the message.
pub fn answer_of(peer: &mut dyn Peer, op: i64, body: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>, String> {
    peer.send(&request(op, 7, body));
    let answer = peer.answer(false);
    let mut reader = Reader::new(&answer[4..]);
    assert_eq!((reader.i64(), reader.i64()), (Ok(0), Ok(7)), "{answer:02x?}");
    match reader.i64().unwrap() {
        0 => Ok(reader.rest().to_vec()),
        _ => Err(reader.str().unwrap().to_owned()),
    }
}

/// A request as a frame.
pub fn request(op: i64, id: i64, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.put_int(op);
    payload.put_int(id);
    body(&mut payload);
    framed(&payload)
}

/// A payload as a frame.
pub fn framed(payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes().to_vec();
    frame.extend(payload);
    frame
}

/// Columns for TABLE_CREATE, each as `name:type[:length|:key]`.
pub fn put_columns(out: &mut Vec<u8>, columns: &[&str]) {
    out.put_array(columns.len());
    for column in columns {
        let mut parts = column.split(':');
        let (name, code) = (parts.next().unwrap(), parts.next().unwrap().parse().unwrap());
        let last = parts.next();
        let is_key = last == Some("key");
        let length = last.and_then(|length| length.parse().ok());
        out.put_array(4 + usize::from(length.is_some()));
        out.put_str(name);
        out.put_int(code);
        out.put_bool(is_key);
        out.put_bool(!is_key);
        if let Some(length) = length {
            out.put_map(1);
            out.put_str("length");
            out.put_int(length);
        }
    }
}

/// A session without sockets.
pub struct InProcess {
    engine: Rc<RefCell<Engine>>,
}

impl InProcess {
    /// A server without tables.
    /// Runs DDL.
    pub fn sql(&self, script: &str) {
        flint::op::ddl::run_script(&mut self.engine.borrow_mut(), script).unwrap();
    }

    pub fn new() -> Self {
        let clock = Arc::new(SystemClock);
        let rng = fastrand::Rng::with_seed(7);
        let engine = Engine::new(Database::new(), None, u64::MAX, Limits::default(), clock, rng);
        Self { engine: Rc::new(RefCell::new(engine)) }
    }
}

impl Over for InProcess {
    fn connect(&self) -> Box<dyn Peer> {
        Box::new(InProcessPeer {
            engine: Rc::clone(&self.engine),
            session: Session::new(ConnId(1), ([127, 0, 0, 1], 10800).into(), Services::default()),
            output: Output::default(),
            input: Vec::new(),
            magic_seen: false,
            closed: false,
        })
    }
}

struct InProcessPeer {
    engine: Rc<RefCell<Engine>>,
    session: Session,
    output: Output,
    input: Vec<u8>,
    magic_seen: bool,
    closed: bool,
}

impl Peer for InProcessPeer {
    fn send(&mut self, bytes: &[u8]) {
        self.input.extend(bytes);
        if !self.magic_seen {
            match frame::magic(&self.input) {
                None => return,
                Some(true) => self.input.drain(..MAGIC.len()),
                Some(false) => return self.closed = true,
            };
            self.magic_seen = true;
        }
        while !self.closed {
            let input = std::mem::take(&mut self.input);
            match frame::next(&input, Limits::default().frame_bytes) {
                Next::Frame(payload) => {
                    let flow = self.session.frame(&mut self.engine.borrow_mut(), payload, &mut self.output);
                    self.closed = flow == Flow::Close;
                    self.input = input[4 + payload.len()..].to_vec();
                }
                Next::Partial(_) => {
                    self.input = input;
                    break;
                }
                // The texts are the loop's.
                Next::Oversize(length) => {
                    let text = format!("a frame of {length} bytes is above the limit of {} bytes", 64 << 20);
                    let error = flint::error::Error::protocol(text);
                    self.session.bad_frame(&error, &mut self.output);
                    self.closed = true;
                }
                Next::Invalid(_) => self.closed = true,
            }
        }
    }

    fn answer(&mut self, _may_stay: bool) -> Vec<u8> {
        let waiting = self.output.sendable(u64::MAX).to_vec();
        let magic = if waiting.starts_with(&MAGIC) { 4 } else { 0 };
        let end = match frame::next(&waiting[magic..], usize::MAX) {
            Next::Frame(payload) => magic + 4 + payload.len(),
            _ => waiting.len(),
        };
        self.output.sent(end);
        waiting[..end].to_vec()
    }

    fn is_closed(&mut self) -> bool {
        self.closed
    }
}

/// A server behind a port.
pub struct Tcp {
    server: Running,
}

impl Tcp {
    /// A server without tables.
    pub fn new() -> Self {
        let config = Config { listen: vec![([127, 0, 0, 1], 0).into()], ..Config::default() };
        Self { server: Server::new(&config).unwrap().start().unwrap() }
    }
}

impl Over for Tcp {
    fn connect(&self) -> Box<dyn Peer> {
        let stream = TcpStream::connect(self.server.addresses()[0]).unwrap();
        stream.set_nodelay(true).unwrap();
        Box::new(stream)
    }
}

impl Peer for TcpStream {
    fn send(&mut self, bytes: &[u8]) {
        self.write_all(bytes).unwrap();
    }

    fn answer(&mut self, may_stay: bool) -> Vec<u8> {
        let patience = if may_stay { 2_000 } else { 20_000 };
        self.set_read_timeout(Some(Duration::from_millis(patience))).unwrap();
        let mut answer = vec![0; 4];
        if self.read_exact(&mut answer).is_err() {
            assert!(may_stay, "no answer");
            return Vec::new();
        }
        if answer == MAGIC {
            answer.resize(8, 0);
            self.read_exact(&mut answer[4..]).unwrap();
        }
        let head = answer.len();
        let length = u32::from_be_bytes(answer[head - 4..].try_into().unwrap()) as usize;
        answer.resize(head + length, 0);
        self.read_exact(&mut answer[head..]).unwrap();
        answer
    }

    fn is_closed(&mut self) -> bool {
        self.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        matches!(self.read(&mut [0]), Ok(0))
    }
}
