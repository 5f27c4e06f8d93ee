//! What a client reports.

use super::ga::ServerError;
use std::fmt;
use std::io;
use std::time::Duration;

/// An error of the client.
#[derive(Debug)]
pub enum Error {
    /// The socket failed.
    Io(io::Error),
    /// Nothing came within the client's time limit.
    Timeout(Duration),
    /// The wait was interrupted from outside; see [`Options::interrupt`](super::ga::Options::interrupt).
    Interrupted,
    /// The server closed the connection.
    Closed,
    /// The server refused the handshake: its error code and message.
    Handshake {
        /// 1 for a failure, 2 for wrong credentials.
        code: i64,
        /// The server's sentence.
        message: String,
    },
    /// The server answered a request with an error.
    Server {
        /// The status of the response, never 0.
        status: i64,
        /// The server's sentence.
        message: String,
    },
    /// The same in today's dialect, for a handshake as for a request.
    Ga(Box<ServerError>),
    /// The server's bytes do not follow the protocol.
    Protocol(String),
    /// The client was asked for what it cannot send.
    Usage(String),
}

/// The result of a client's call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The server's message, if the server answered with an error.
    pub fn server_message(&self) -> Option<&str> {
        match self {
            Self::Server { message, .. } | Self::Handshake { message, .. } => Some(message),
            Self::Ga(error) => Some(&error.message),
            _ => None,
        }
    }

    /// The server's error, if it answered with one in today's dialect.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Ga(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the connection failed: {error}"),
            Self::Timeout(limit) => write!(f, "the server did not answer within {limit:?}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Handshake { code, message } => write!(f, "the server refused the handshake (code {code}): {message}"),
            Self::Server { status, message } => write!(f, "the server answered with status {status}: {message}"),
            Self::Ga(error) => write!(f, "{error}"),
            Self::Protocol(what) => write!(f, "the server's answer is not what the protocol says: {what}"),
            Self::Usage(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<crate::error::Error> for Error {
    /// An answer that cannot be read.
    fn from(error: crate::error::Error) -> Self {
        Self::Protocol(error.message.into_owned())
    }
}
