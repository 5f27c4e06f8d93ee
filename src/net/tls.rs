//! TLS between the socket and the frames.
//!
//! rustls does no I/O: it is given what the socket brings and asked for what the socket shall take. Certificates are
//! read when the server starts and again when it is told to; connections keep what they began with.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use super::transport::{Received, Transport};
use crate::config::Tls;
use crate::error::{Error, Kind, Result};

/// What listeners speak TLS with, and where it was read.
pub(crate) struct Certificates {
    files: Tls,
    config: Arc<ServerConfig>,
}

impl Certificates {
    /// Reads `files`.
    pub(crate) fn load(files: &Tls) -> Result<Self> {
        Ok(Self { files: files.clone(), config: load(files)? })
    }

    /// Reads the files again. Connections that exist keep what they began with.
    pub(crate) fn reload(&mut self) {
        match load(&self.files) {
            Ok(config) => {
                self.config = config;
                log::info!("certificates read again");
            }
            Err(error) => log::error!("the old certificates stay in use: {error}"),
        }
    }
}

fn load(tls: &Tls) -> Result<Arc<ServerConfig>> {
    let refused = |what: &str, path: &Path, error: &dyn std::fmt::Display| {
        Error::new(Kind::InvalidArgument, format!("{what} {} cannot be used: {error}", path.display()))
    };
    let certificates = |what: &str, path: &Path| {
        let read: Vec<_> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| refused(what, path, &error))?;
        if read.is_empty() {
            return Err(refused(what, path, &"it holds no PEM certificate"));
        }
        Ok(read)
    };
    let chain = certificates("the certificate", &tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| refused("the private key", &tls.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Kind::Internal, format!("TLS cannot be set up: {error}")))?;
    let builder = match &tls.client_authority {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let what = "the authority of clients";
            let mut roots = RootCertStore::empty();
            for certificate in certificates(what, path)? {
                roots.add(certificate).map_err(|error| refused(what, path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| refused(what, path, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config =
        builder.with_single_cert(chain, key).map_err(|error| refused("the certificate", &tls.certificate, &error))?;
    Ok(Arc::new(config))
}

/// A socket that speaks plainly or TLS.
#[derive(Debug)]
pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsSocket>),
}

#[derive(Debug)]
pub(crate) struct TlsSocket {
    stream: TcpStream,
    tls: ServerConnection,
    /// Nothing can be understood any more, or we have said the last word: what comes is discarded.
    deaf: bool,
    ended: bool,
}

impl Socket {
    /// Plain without `certificates`.
    pub(crate) fn new(stream: TcpStream, certificates: Option<&Certificates>) -> io::Result<Self> {
        let Some(certificates) = certificates else { return Ok(Self::Plain(stream)) };
        let tls = ServerConnection::new(Arc::clone(&certificates.config)).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(TlsSocket { stream, tls, deaf: false, ended: false })))
    }
}

impl Transport for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        match self {
            Self::Plain(stream) => Transport::read(stream, buffer),
            Self::Tls(socket) => socket.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => Transport::write(stream, bytes),
            Self::Tls(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => Transport::flush(stream),
            Self::Tls(socket) => socket.flush(),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.end(),
            Self::Tls(socket) => socket.end(),
        }
    }
}

impl Transport for TlsSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        if self.deaf {
            return Transport::read(&mut self.stream, buffer);
        }
        loop {
            match self.tls.reader().read(buffer) {
                Ok(bytes) => return Ok(Received { bytes, more: true }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The peer is gone without saying so; frames have lengths, so a cut shows anyway.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(Received { bytes: 0, more: false });
                }
                Err(error) => return Err(error),
            }
            // Zero bytes are the end of the stream, which the reader tells in the next round.
            self.tls.read_tls(&mut self.stream)?;
            if let Err(error) = self.tls.process_new_packets() {
                self.deaf = true;
                // The alert that tells the peer why; it leaves now or not at all.
                let _ = self.flush();
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            match self.flush() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        loop {
            match self.flush() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && taken > 0 => return Ok(taken),
                Err(error) => return Err(error),
            }
            match bytes.get(taken..) {
                Some(rest @ [_, ..]) => match self.tls.writer().write(rest)? {
                    0 if taken == 0 => return Err(io::ErrorKind::WouldBlock.into()),
                    0 => return Ok(taken),
                    n => taken += n,
                },
                _ => return Ok(taken),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut self.stream)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if !self.ended {
            self.ended = true;
            if !self.deaf {
                self.tls.send_close_notify();
            }
            self.deaf = true;
        }
        self.flush()?;
        self.stream.shutdown(Shutdown::Write)
    }
}
