//! Listeners, and what to do when a connection cannot be accepted.
//!
//! An accept can fail for a reason that lies with the client (it is gone again) or with this process or machine (no
//! file descriptor, no memory). The first is skipped. The second would come again at once, since the connection stays in
//! the listener's queue: accepting rests for a while, which is logged once, and goes on when it works again.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

use crate::error::{Error, Kind, Result};

/// How long accepting rests after the system refused a connection.
const REST: Duration = Duration::from_millis(50);

/// Connections accepted in one turn of the loop, so that a flood of them leaves room for requests.
const ACCEPTS_PER_TURN: usize = 64;

/// The sockets that take connections.
#[derive(Debug)]
pub(crate) struct Listeners {
    listeners: Vec<Listener>,
    rest_until: Option<Instant>,
    /// Whether the log says that connections are refused.
    troubled: bool,
}

#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    secure: bool,
    token: Token,
    ready: bool,
}

impl Listeners {
    /// Listens on `addresses`, each with whether it speaks TLS; port 0 picks one. `token` numbers them.
    pub(crate) fn bind(
        addresses: impl Iterator<Item = (SocketAddr, bool)>,
        registry: &Registry,
        token: impl Fn(usize) -> Token,
    ) -> Result<Self> {
        let mut listeners = Vec::new();
        for (n, (address, secure)) in addresses.enumerate() {
            let failed = |error: io::Error| {
                let advice = match error.kind() {
                    io::ErrorKind::AddrInUse => {
                        "; another program listens there: stop it or choose another port with --listen"
                    }
                    io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
                    io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
                    _ => "",
                };
                Error::new(Kind::InvalidArgument, format!("cannot listen on {address}: {error}{advice}"))
            };
            let mut socket = TcpListener::bind(address).map_err(failed)?;
            let address = socket.local_addr().map_err(failed)?;
            registry.register(&mut socket, token(n), Interest::READABLE).map_err(failed)?;
            listeners.push(Listener { socket, address, secure, token: token(n), ready: true });
        }
        Ok(Self { listeners, rest_until: None, troubled: false })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.listeners.len()
    }

    /// The addresses in the order they were given.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|listener| listener.address).collect()
    }

    /// A listener has connections waiting.
    pub(crate) fn ready(&mut self, token: Token) {
        for listener in self.listeners.iter_mut().filter(|listener| listener.token == token) {
            listener.ready = true;
        }
    }

    /// Whether a turn now would accept.
    pub(crate) fn pending(&self, now: Instant) -> bool {
        self.rest_until.is_none_or(|until| until <= now) && self.listeners.iter().any(|listener| listener.ready)
    }

    /// When accepting goes on after a rest.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.rest_until.filter(|_| self.listeners.iter().any(|listener| listener.ready))
    }

    /// Accepts what waits, within bounds, and gives it to `take` with its peer and whether it speaks TLS.
    pub(crate) fn accept(&mut self, now: Instant, mut take: impl FnMut(TcpStream, SocketAddr, bool)) {
        if self.rest_until.is_some_and(|until| until > now) {
            return;
        }
        self.rest_until = None;
        for listener in &mut self.listeners {
            for _ in 0..ACCEPTS_PER_TURN {
                if !listener.ready {
                    break;
                }
                match listener.socket.accept() {
                    Ok((stream, peer)) => take(stream, peer, listener.secure),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        listener.ready = false;
                        // Only now: one that gets through while others wait is no end of the trouble.
                        if std::mem::take(&mut self.troubled) {
                            log::info!("all connections that waited are accepted");
                        }
                    }
                    Err(error) if lies_with_client(&error) => {}
                    Err(error) => {
                        if !std::mem::replace(&mut self.troubled, true) {
                            log::error!(
                                "cannot accept connections on {}: {error}; will go on trying (if file descriptors ran \
                                 out, raise the limit with `ulimit -n`)",
                                listener.address
                            );
                        }
                        self.rest_until = Some(now + REST);
                        return;
                    }
                }
            }
        }
    }

    /// Closes all.
    pub(crate) fn close(&mut self) {
        self.listeners.clear();
        self.rest_until = None;
    }
}

fn lies_with_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | TimedOut)
}
