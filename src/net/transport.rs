//! What a connection needs of its socket.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;

/// A non-blocking stream of bytes in both directions.
pub(crate) trait Transport {
    /// Reads into `buffer`; zero bytes are the end of the stream. [`io::ErrorKind::WouldBlock`]: nothing there now.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Received>;

    /// Writes some of `bytes`, as [`Write::write`] does.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Sends what the transport has taken but keeps itself; an error of kind [`io::ErrorKind::WouldBlock`] when the
    /// socket does not take all of it.
    fn flush(&mut self) -> io::Result<()>;

    /// Tells the peer that nothing more comes.
    fn end(&mut self) -> io::Result<()>;
}

/// What a read brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// Bytes in the buffer.
    pub(crate) bytes: usize,
    /// Whether there may be more to read now.
    pub(crate) more: bool,
}

impl Transport for TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let bytes = Read::read(self, buffer)?;
        // A stream socket that does not fill the buffer is empty, and the next byte raises a new event.
        Ok(Received { bytes, more: bytes == buffer.len() })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
