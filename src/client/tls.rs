//! TLS of a client, blocking.

use super::error::{Error, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fmt::Display;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

/// Whom a client trusts, and how it proves who it is.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// Reads PEM files: the certificates of the authorities that may have signed the server's, and, if the server asks for
    /// one, the client's own certificate chain with its private key. `host` is a name or an address that the server's
    /// certificate must be for.
    ///
    /// # Errors
    /// A file cannot be read or used; the message names it.
    pub fn load(authority: &Path, identity: Option<(&Path, &Path)>, host: &str) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| Error::Usage(format!("TLS needs the name of a host, not {host:?}: {error}")))?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(authority)? {
            roots.add(certificate).map_err(|error| unusable(authority, &error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Usage(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
                builder.with_client_auth_cert(certificates(chain)?, private).map_err(|error| unusable(chain, &error))?
            }
        };
        Ok(Self { config: Arc::new(config), name })
    }
}

/// The certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| unusable(path, &error))?;
    if read.is_empty() {
        return Err(unusable(path, &"it holds no PEM certificate"));
    }
    Ok(read)
}

fn unusable(path: &Path, error: &dyn Display) -> Error {
    Error::Usage(format!("{} cannot be used: {error}", path.display()))
}

/// A socket that speaks plainly or TLS.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Plain without `tls`. The handshake happens with the first bytes.
    pub(super) fn new(socket: TcpStream, tls: Option<&Tls>) -> Result<Self> {
        let Some(Tls { config, name }) = tls else { return Ok(Self::Plain(socket)) };
        let connection = ClientConnection::new(Arc::clone(config), name.clone())
            .map_err(|error| Error::Usage(format!("TLS cannot be set up: {error}")))?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, socket))))
    }

    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    /// The socket alone; whatever TLS it spoke is forgotten.
    pub(super) fn into_socket(self) -> TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.into_parts().1,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
