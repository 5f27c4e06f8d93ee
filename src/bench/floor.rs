//! The floor: a bare echo server.
//!
//! It does what any server must for a request and nothing else: find the frame, send as many bytes as the client asks
//! for. A request's payload starts with the size of the answer's payload (4 bytes) and an id (2 bytes); the answer is
//! the id and zeros.

use crate::wire::frame::{self, HEADER_BYTES, Next};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const LISTENER: Token = Token(usize::MAX);
const REQUEST_BYTES_MAX: usize = 64 << 20;
const ANSWER_BYTES_MAX: usize = 64 << 20;
const READ_BYTES: usize = 256 << 10;
const HEAD_BYTES: usize = 6;

/// A floor server that listens but does not answer yet.
pub struct Floor {
    poll: Poll,
    listener: TcpListener,
    addr: SocketAddr,
}

struct Peer {
    stream: TcpStream,
    partial: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
}

impl Floor {
    /// Listens.
    ///
    /// # Errors
    /// The address is not free.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(addr)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let addr = listener.local_addr()?;
        Ok(Self { poll, listener, addr })
    }

    /// The address, with the port that was picked.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers until `stop` says so; it is asked once per turn, at least every 100 ms. Polls without blocking for
    /// `spin` after the last event.
    ///
    /// # Errors
    /// The listener fails.
    pub fn run(mut self, spin: Duration, stop: impl Fn() -> bool) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut peers: Vec<Option<Peer>> = Vec::new();
        let mut input = vec![0; READ_BYTES];
        let mut last_event = Instant::now();
        while !stop() {
            let blocks = spin.is_zero() || last_event.elapsed() >= spin;
            match self.poll.poll(&mut events, Some(if blocks { Duration::from_millis(100) } else { Duration::ZERO })) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            if !spin.is_zero() && !events.is_empty() {
                last_event = Instant::now();
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept(&mut peers)?;
                    continue;
                }
                let Some(place) = peers.get_mut(event.token().0) else { continue };
                if place.as_mut().is_some_and(|peer| peer.turn(&mut input).is_err()) {
                    *place = None;
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, peers: &mut Vec<Option<Peer>>) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let token = Token(peers.len());
            self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            peers.push(Some(Peer { stream, partial: Vec::new(), output: Vec::new(), sent: 0 }));
        }
    }
}

impl Peer {
    fn turn(&mut self, input: &mut [u8]) -> io::Result<()> {
        loop {
            let n = match self.stream.read(input) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let bytes = input.get(..n).unwrap_or_default();
            if self.partial.is_empty() {
                let used = answer(bytes, &mut self.output)?;
                self.partial.extend_from_slice(bytes.get(used..).unwrap_or_default());
            } else {
                self.partial.extend_from_slice(bytes);
                let used = answer(&self.partial, &mut self.output)?;
                self.partial.drain(..used);
            }
            if n < input.len() {
                break;
            }
        }
        while let Some(rest @ [_, ..]) = self.output.get(self.sent..) {
            match self.stream.write(rest) {
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(())
    }
}

/// Answers the whole requests at the front of `bytes` and returns how many bytes they are.
fn answer(bytes: &[u8], output: &mut Vec<u8>) -> io::Result<usize> {
    let mut used = 0;
    loop {
        let payload = match frame::next(bytes.get(used..).unwrap_or_default(), REQUEST_BYTES_MAX) {
            Next::Frame(payload) => payload,
            Next::Partial(_) => return Ok(used),
            Next::Oversize(_) | Next::Invalid(_) => return Err(io::ErrorKind::InvalidData.into()),
        };
        used += HEADER_BYTES + payload.len();
        let Some(&[a, b, c, d, id @ ..]) = payload.first_chunk::<HEAD_BYTES>() else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let answer_bytes = u32::from_be_bytes([a, b, c, d]) as usize;
        if !(id.len()..=ANSWER_BYTES_MAX).contains(&answer_bytes) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        output.extend_from_slice(&[a, b, c, d]);
        output.extend_from_slice(&id);
        output.resize(output.len() + answer_bytes - id.len(), 0);
    }
}
