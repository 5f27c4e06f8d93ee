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
use crate::auth::checks::{Check, Checks};
use crate::auth::{self, Users};
use crate::config::SQL_MEMORY;
use crate::error::{Error, Result};
use crate::sql;
use crate::store::engine::Engine;
use crate::store::tx::Ticket;
use crate::wire::frame::MAGIC;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the connections of a server share.
#[derive(Debug, Clone)]
pub struct Services {
    /// Who may connect; everybody if there are none.
    pub users: Option<Arc<Users>>,
    /// Checks passwords that take long to check.
    pub passwords: Arc<Checks>,
    /// Runs SQL.
    pub sql: Arc<sql::Service>,
}

impl Services {
    /// Those of a server; `wake` runs a parked frame again.
    pub fn new(users: Option<Arc<Users>>, sql_memory: usize, wake: sql::Wake) -> Self {
        let passwords = Arc::new(Checks::new(Arc::clone(&wake)));
        Self { users, passwords, sql: Arc::new(sql::Service::new(sql_memory, wake)) }
    }
}

impl Default for Services {
    /// Those of a door without a server around it: nobody takes up again a statement that waits.
    fn default() -> Self {
        Self::new(None, SQL_MEMORY, Arc::new(|_| {}))
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
    /// Before a handshake was accepted; what the one that is parked waits for.
    Handshake(Option<Arc<Check>>),
    Draft(Draft),
    Ga(Box<Ga>),
}

impl Session {
    /// A connection that has not said anything, to the server's `address`.
    pub fn new(id: ConnId, address: SocketAddr, services: Services) -> Self {
        Self { id, address, services, state: State::Handshake(None) }
    }

    /// Runs one frame and appends what it is answered. After [`Flow::Park`] nothing was, and the same frame is to be run
    /// again later.
    pub fn frame(&mut self, engine: &mut Engine, frame: &[u8], out: &mut Output) -> Flow {
        match &mut self.state {
            State::Draft(draft) => draft.frame(engine, frame, out),
            State::Ga(ga) => ga.frame(engine, frame, out),
            State::Handshake(_) => self.greet(engine, frame, out),
        }
    }

    /// Answers a request with an error after all: what its answer claimed was lost with the disk.
    pub fn fail(&mut self, request: i64, error: &Error, out: &mut Output) {
        match &mut self.state {
            State::Draft(draft) => draft.fail(request, error, out),
            State::Ga(ga) => ga.fail(request, error, out),
            State::Handshake(_) => {}
        }
    }

    /// Answers bytes that are no frame, where the protocol has an answer for that; the connection ends.
    pub fn bad_frame(&mut self, error: &Error, out: &mut Output) -> Flow {
        match &mut self.state {
            State::Draft(draft) => draft.bad_frame(error, out),
            // Its clients take an answer for a request they do not know as a broken connection, which this is.
            State::Ga(_) => {}
            State::Handshake(_) => {
                out.raw(&MAGIC);
                out.frame(|bytes| handshake::refuse_draft(bytes, error));
            }
        }
        Flow::Close
    }

    /// Whether a handshake was accepted.
    pub fn established(&self) -> bool {
        !matches!(self.state, State::Handshake(_))
    }

    /// The connection is gone: what it held is given back.
    pub fn closed(&mut self, engine: &mut Engine) {
        match &mut self.state {
            State::Draft(draft) => draft.closed(engine),
            State::Ga(ga) => ga.closed(engine),
            State::Handshake(_) => {}
        }
    }

    fn greet(&mut self, engine: &mut Engine, frame: &[u8], out: &mut Output) -> Flow {
        let admitted = Request::parse(frame).and_then(|request| match self.admit(&request) {
            Ok(admission) => Ok((request, admission)),
            Err(error) => Err(Refusal { dialect: request.dialect, error }),
        });
        let (request, user) = match admitted {
            Ok((_, Admission::Waits)) => return Flow::Park,
            Ok((request, Admission::As(user))) => (request, user),
            Err(refusal) => return self.refuse(engine, &refusal, out),
        };
        out.raw(&MAGIC);
        let sql = Arc::clone(&self.services.sql);
        self.state = match request.dialect {
            Dialect::Draft => {
                out.frame(handshake::accept_draft);
                State::Draft(Draft::new(self.id, user, sql))
            }
            Dialect::Ga => State::Ga(Box::new(Ga::greet(engine, self.id, self.address, user, sql, &request, out))),
        };
        Flow::Continue
    }

    fn refuse(&self, engine: &mut Engine, Refusal { dialect, error }: &Refusal, out: &mut Output) -> Flow {
        log::info!("connection {:?}: handshake refused: {error}", self.id);
        out.raw(&MAGIC);
        match dialect {
            Dialect::Draft => {
                out.frame(|bytes| handshake::refuse_draft(bytes, error));
                Flow::Continue
            }
            Dialect::Ga => {
                Ga::refuse(engine, error, out);
                Flow::Close
            }
        }
    }

    /// Who a client is, if clients have to say so; those of the draft do it as today's do.
    fn admit(&mut self, request: &Request<'_>) -> Result<Admission> {
        let State::Handshake(check) = &mut self.state else { return Ok(Admission::Waits) };
        if request.dialect == Dialect::Ga {
            ga::check_purpose(request)?;
        }
        let Some(users) = &self.services.users else { return Ok(Admission::As(None)) };
        let text = |key| request.extension(key).unwrap_or_default();
        let (name, password) = (text("authn-identity"), text("authn-secret"));
        if let Some(right) = check.as_ref().and_then(|check| check.right()) {
            *check = None;
            return if right { Ok(Admission::As(Some(name.into()))) } else { Err(auth::refused()) };
        }
        if check.is_none() {
            if let Some(user) = users.authenticate(request.extension("authn-type"), name, password)? {
                return Ok(Admission::As(Some(user)));
            }
            // A handshake is parked under the second field of its frame, as all requests are.
            let [_, request, _] = handshake::VERSION;
            let ticket = Ticket { connection: self.id.0, request: request.into() };
            *check = Some(self.services.passwords.start(users, name, password, ticket)?);
        }
        Ok(Admission::Waits)
    }
}

/// Whether a client is let in.
enum Admission {
    /// As this user, if there are users.
    As(Option<Arc<str>>),
    /// That is not known yet.
    Waits,
}
