//! The dialect of Ignite 3.0.0-alpha3.
//!
//! [`Draft`] is one connection's side of it. A request is an operation code, an id and a body; the answer carries 0 (it
//! is an answer), the id, a status, and a body or a text. Bytes after a request's last field are ignored, as by a real
//! server: its own client sends some.

pub mod codec;
pub mod opcode;
pub mod plain;
pub mod schemaless;
pub mod sql;
pub mod tables;
pub mod tuples;
pub mod types;

use self::opcode::{Form, Opcode};
use self::sql::Sql;
use crate::door::{ConnId, Flow, Output};
use crate::error::{Error, Kind, Result};
use crate::sql::Service;
use crate::store::engine::Engine;
use crate::store::tx::Ticket;
use crate::wire::msgpack::{Reader, Write};
use std::sync::Arc;

/// The type of an answer; 1 would be a notification, which no client expects.
const TYPE_RESPONSE: i64 = 0;
/// Whom an answer is for whose request's id could not be read.
const NO_REQUEST: i64 = -1;

/// The status of an answer. The dialect has one for all failures, so every [`Kind`] becomes it; the text tells the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Success = 0,
    Failed = 1,
}

/// One connection that speaks the draft dialect.
#[derive(Debug)]
pub struct Draft {
    connection: ConnId,
    sql: Sql,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its answer is written.
    Answered,
    /// It waits, for a lock or a statement, and is to be run again from its start.
    Waits,
}

impl Draft {
    /// A connection of `user` whose handshake is done; its SQL runs on `service`.
    pub fn new(connection: ConnId, user: Option<Arc<str>>, service: Arc<Service>) -> Self {
        Self { connection, sql: Sql::new(user, service) }
    }

    /// Runs one request.
    pub fn frame(&mut self, engine: &mut Engine, frame: &[u8], out: &mut Output) -> Flow {
        let mut reader = Reader::new(frame);
        let (code, request) = match head(&mut reader) {
            Ok(head) => head,
            Err(error) => {
                put_error(NO_REQUEST, &error, out);
                return Flow::Continue;
            }
        };
        let start = out.len();
        let mut step = Ok(Step::Answered);
        out.frame(|bytes| {
            put_head(bytes, request, Status::Success);
            step = match Opcode::from_code(code) {
                Some(op) => self.run(op, request, &mut reader, engine, bytes),
                None => Err(Error::new(Kind::UnknownOperation, format!("Unexpected operation code: {code}"))),
            };
        });
        match step {
            Ok(Step::Answered) => {}
            Ok(Step::Waits) => {
                out.truncate(start);
                return Flow::Park;
            }
            Err(error) => {
                out.truncate(start);
                put_error(request, &error, out);
            }
        }
        if let Some(commit) = engine.awaited_commit() {
            out.hold(commit, request);
        }
        Flow::Continue
    }

    /// Answers a request with an error after all: what its answer claimed was lost with the disk.
    pub fn fail(&mut self, request: i64, error: &Error, out: &mut Output) {
        put_error(request, error, out);
    }

    /// Answers bytes that are no frame; whom they were meant for is not known.
    pub fn bad_frame(&mut self, error: &Error, out: &mut Output) {
        put_error(NO_REQUEST, error, out);
    }

    /// The connection is gone: its statements end, and what its requests wait for is forgotten.
    pub fn closed(&mut self, engine: &mut Engine) {
        self.sql.close(engine);
        engine.forget_waiting(self.connection.0);
    }

    fn run(
        &mut self,
        op: Opcode,
        request: i64,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        out: &mut Vec<u8>,
    ) -> Result<Step> {
        let ticket = Ticket { connection: self.connection.0, request };
        match op {
            Opcode::TableCreate => tables::create(reader, engine, out)?,
            Opcode::TableDrop => tables::drop(reader, engine)?,
            Opcode::TablesGet => tables::all(engine.catalog(), out),
            Opcode::TableGet => tables::by_name(reader, engine.catalog(), out)?,
            Opcode::SchemasGet => tables::schemas(reader, engine, out)?,
            Opcode::Tuple(action, Form::Plain) => return plain::run(action, reader, engine, ticket, out),
            Opcode::Tuple(action, Form::Schemaless) => return schemaless::run(action, reader, engine, ticket, out),
            Opcode::Sql(op) => return self.sql.run(op, reader, engine, ticket, out),
        }
        Ok(Step::Answered)
    }
}

/// Refuses an answer that has grown beyond `bytes_max`, which is as large as frames may be.
fn check_answer(out: &[u8], bytes_max: usize, what: &str) -> Result<()> {
    if out.len() <= bytes_max {
        return Ok(());
    }
    let text = format!("The answer takes more than {bytes_max} bytes: ask for fewer {what} at once");
    Err(Error::new(Kind::LimitExceeded, text))
}

/// Operation code and request id.
fn head(reader: &mut Reader<'_>) -> Result<(i32, i64)> {
    Ok((reader.i32()?, reader.i64()?))
}

fn put_head(out: &mut Vec<u8>, request: i64, status: Status) {
    out.put_int(TYPE_RESPONSE);
    out.put_int(request);
    out.put_int(status as i64);
}

fn put_error(request: i64, error: &Error, out: &mut Output) {
    out.frame(|bytes| {
        put_head(bytes, request, Status::Failed);
        bytes.put_str(&error.message);
    });
}
