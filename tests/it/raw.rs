//! A socket that sends what a test wants, whole frames or not.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use flint::TestServer;

/// The magic and the first frame of a draft client.
pub(crate) const HELLO: &[u8] = b"IGNI\0\0\0\x07\x03\0\0\x02\xc4\0\x80";
/// What a server answers to it.
pub(crate) const WELCOME: &[u8] = b"IGNI\0\0\0\x07\x03\0\0\0\xc4\0\x80";

pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    /// Connects and says nothing.
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(stream)
    }

    /// Connects as a draft client.
    pub(crate) fn draft(addr: SocketAddr) -> Self {
        let mut raw = Self::connect(addr);
        raw.send(HELLO);
        assert_eq!(raw.read(WELCOME.len()), WELCOME);
        raw
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub(crate) fn read(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The payload of the next frame.
    pub(crate) fn frame(&mut self) -> Vec<u8> {
        let length = self.read(4).try_into().map(u32::from_be_bytes).unwrap();
        self.read(length as usize)
    }

    /// Everything until the server ends the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{error}, after {bytes:?}"),
        }
        bytes
    }

    pub(crate) fn end(&mut self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }
}

/// A frame.
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes(), payload].concat()
}

/// A request for all tables.
pub(crate) fn tables_get(id: u8) -> Vec<u8> {
    frame(&[3, id])
}

/// Waits until the server has read what was sent so far.
pub(crate) fn settle(server: &TestServer) {
    for _ in 0..3 {
        server.handle().unwrap().with(|_| ()).unwrap();
    }
}
