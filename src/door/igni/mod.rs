//! The Ignite thin-client protocol in its two dialects.
//!
//! A [`Session`] is the door's side of one connection. Its first frame decides the dialect; a draft client that is
//! refused may try again on the same connection, and gets the magic again too.

pub mod draft;
pub mod ga;
pub mod handshake;

use self::draft::Draft;
use self::ga::Ga;
use self::handshake::{Dialect, Refusal, Request};
use super::{ConnId, Flow, Output};
use crate::auth::Users;
use crate::config::SQL_MEMORY;
use crate::error::{Error, Result};
use crate::sql;
use crate::store::engine::Engine;
use crate::wire::frame::MAGIC;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the connections of a server share.
#[derive(Debug, Clone)]
pub struct Services {
    /// Who may connect; everybody if there are none.
    pub users: Option<Arc<Users>>,
    /// Runs SQL.
    pub sql: Arc<sql::Service>,
}

impl Default for Services {
    /// Those of a door without a server around it: nobody takes up again a statement that waits.
    fn default() -> Self {
        Self { users: None, sql: Arc::new(sql::Service::new(SQL_MEMORY, Arc::new(|_| {}))) }
    }
}

/// One connection.
pub struct Session {
    id: ConnId,
    address: SocketAddr,
    services: Services,
    state: State,
}

enum State {
    /// Before a handshake was accepted.
    Handshake,
    Draft(Draft),
    Ga(Box<Ga>),
}

impl Session {
    /// A connection that has not said anything, to the server's `address`.
    pub fn new(id: ConnId, address: SocketAddr, services: Services) -> Self {
        Self { id, address, services, state: State::Handshake }
    }

    /// Runs one frame and appends what it is answered. After [`Flow::Park`] nothing was, and the same frame is to be run
    /// again later.
    pub fn frame(&mut self, engine: &mut Engine, frame: &[u8], out: &mut Output) -> Flow {
        match &mut self.state {
            State::Draft(draft) => draft.frame(engine, frame, out),
            State::Ga(ga) => ga.frame(engine, frame, out),
            State::Handshake => self.greet(engine, frame, out),
        }
    }

    /// Answers a request with an error after all: what its answer claimed was lost with the disk.
    pub fn fail(&mut self, request: i64, error: &Error, out: &mut Output) {
        match &mut self.state {
            State::Draft(draft) => draft.fail(request, error, out),
            State::Ga(ga) => ga.fail(request, error, out),
            State::Handshake => {}
        }
    }

    /// Answers bytes that are no frame, where the protocol has an answer for that; the connection ends.
    pub fn bad_frame(&mut self, error: &Error, out: &mut Output) -> Flow {
        match &mut self.state {
            State::Draft(draft) => draft.bad_frame(error, out),
            // Its clients take an answer for a request they do not know as a broken connection, which this is.
            State::Ga(_) => {}
            State::Handshake => {
                out.raw(&MAGIC);
                out.frame(|bytes| handshake::refuse_draft(bytes, error));
            }
        }
        Flow::Close
    }

    /// Whether a handshake was accepted.
    pub fn established(&self) -> bool {
        !matches!(self.state, State::Handshake)
    }

    /// The connection is gone: what it held is given back.
    pub fn closed(&mut self, engine: &mut Engine) {
        match &mut self.state {
            State::Draft(draft) => draft.closed(engine),
            State::Ga(ga) => ga.closed(engine),
            State::Handshake => {}
        }
    }

    fn greet(&mut self, engine: &mut Engine, frame: &[u8], out: &mut Output) -> Flow {
        out.raw(&MAGIC);
        match Request::parse(frame) {
            Ok(request @ Request { dialect: Dialect::Ga, .. }) => {
                match Ga::greet(engine, self.id, self.address, &self.services, &request, out) {
                    Some(ga) => {
                        self.state = State::Ga(Box::new(ga));
                        Flow::Continue
                    }
                    None => Flow::Close,
                }
            }
            Ok(request) => match self.admit(&request) {
                Ok(user) => {
                    out.frame(handshake::accept_draft);
                    self.state = State::Draft(Draft::new(self.id, user, Arc::clone(&self.services.sql)));
                    Flow::Continue
                }
                Err(error) => self.refuse_draft(&error, out),
            },
            Err(Refusal { dialect: Dialect::Draft, error }) => self.refuse_draft(&error, out),
            Err(Refusal { dialect: Dialect::Ga, error }) => {
                log::info!("connection {:?}: handshake refused: {error}", self.id);
                Ga::refuse(engine, &error, out);
                Flow::Close
            }
        }
    }

    fn refuse_draft(&self, error: &Error, out: &mut Output) -> Flow {
        log::info!("connection {:?}: handshake refused: {error}", self.id);
        out.frame(|bytes| handshake::refuse_draft(bytes, error));
        Flow::Continue
    }

    /// Who a draft client is, if clients have to say so; it brings credentials as today's clients do.
    fn admit(&self, request: &Request<'_>) -> Result<Option<Arc<str>>> {
        let authenticate = |users: &Arc<Users>| {
            users.authenticate(
                request.extension("authn-type"),
                request.extension("authn-identity"),
                request.extension("authn-secret"),
            )
        };
        self.services.users.as_ref().map(authenticate).transpose()
    }
}
