//! The GA dialect: Ignite 3.0.0 and newer.
//!
//! [`Ga`] is one connection's side of it. A frame is an operation code, a request id and a body; the answer carries the
//! id, flags, a hybrid timestamp, and a body or an error. Answers may come in any order, so a request that waits for a
//! lock holds up nobody else.

pub mod cluster;
pub mod error;
pub mod handshake;
pub mod hash;
pub mod names;
pub mod opcode;
pub mod request;
pub mod schema;
pub mod sql;
pub mod tables;
pub mod transactions;
pub mod tuples;

use self::handshake::Identity;
use self::opcode::Opcode;
use self::sql::Statements;
use self::transactions::Resources;
use super::handshake::Request;
use crate::config::NODE_NAME;
use crate::door::{ConnId, Flow, Output};
use crate::error::{Error, Kind, Result};
use crate::sql::Service;
use crate::store::engine::Engine;
use crate::store::tx::Ticket;
use crate::wire::msgpack::{Reader, Write};
use std::net::SocketAddr;
use std::sync::Arc;

/// The flag of an error answer.
const FLAG_ERROR: i64 = 4;

/// One connection that speaks the GA dialect.
#[derive(Debug)]
pub struct Ga {
    connection: ConnId,
    /// The address the client reached.
    address: SocketAddr,
    identity: Identity,
    /// Whether the client named no features, as those of Ignite 3.0.0.
    featureless: bool,
    resources: Resources,
    statements: Statements,
    /// Trace ids of errors; nothing secret, so a plain generator.
    rng: fastrand::Rng,
}

/// What came of a request.
enum Step {
    /// Its answer is written.
    Answered,
    /// It gets no answer.
    Silent,
    /// It waits for a lock; nothing is written.
    Waits,
}

impl Ga {
    /// Accepts the first frame of a connection, after the magic.
    pub fn greet(
        engine: &mut Engine,
        connection: ConnId,
        address: SocketAddr,
        user: Option<Arc<str>>,
        sql: Arc<Service>,
        request: &Request<'_>,
        out: &mut Output,
    ) -> Self {
        let identity = Identity {
            node_id: engine.node_id,
            node_name: NODE_NAME.into(),
            cluster_id: engine.catalog().cluster_id,
            cluster_name: CLUSTER_NAME.into(),
        };
        let timestamp = timestamp(engine);
        out.frame(|bytes| handshake::accept(bytes, &identity, timestamp));
        let rng = engine.rng.fork();
        let featureless = request.features.is_empty();
        let statements = Statements::new(user, sql);
        Self { connection, address, identity, featureless, resources: Resources::default(), statements, rng }
    }

    /// Refuses a first frame, after the magic; the connection is to be closed.
    pub fn refuse(engine: &mut Engine, error: &Error, out: &mut Output) {
        let trace_id = engine.random_uuid();
        out.frame(|bytes| handshake::refuse(bytes, error, trace_id));
    }

    /// Runs one request. A frame whose code or id cannot be read cannot be answered and ends the connection.
    pub fn frame(&mut self, engine: &mut Engine, frame: &[u8], out: &mut Output) -> Flow {
        let mut reader = Reader::new(frame);
        let (Ok(code), Ok(request)) = (reader.i64(), reader.i64()) else {
            log::debug!("connection {:?}: a request without code or id", self.connection);
            return Flow::Close;
        };
        let start = out.len();
        let mut step = Ok(Step::Silent);
        out.frame(|bytes| {
            put_head(bytes, request, 0, timestamp(engine));
            step = match Opcode::from_code(code) {
                Some(op) => self.run(op, request, &mut reader, engine, bytes),
                None => Err(Error::new(Kind::UnknownOperation, format!("Unexpected operation code: {code}"))),
            };
        });
        match step {
            Ok(Step::Answered) => {}
            Ok(Step::Silent) => {
                out.truncate(start);
                return Flow::Continue;
            }
            Ok(Step::Waits) => {
                out.truncate(start);
                return Flow::Park;
            }
            Err(error) => {
                out.truncate(start);
                self.put_error(request, &error, timestamp(engine), out);
            }
        }
        if let Some(commit) = engine.awaited_commit() {
            out.hold(commit, request);
        }
        Flow::Continue
    }

    /// Answers a request with an error after all: what its answer claimed was lost with the disk.
    pub fn fail(&mut self, request: i64, error: &Error, out: &mut Output) {
        self.put_error(request, error, 0, out);
    }

    /// The connection is gone: its transactions are rolled back.
    pub fn closed(&mut self, engine: &mut Engine) {
        self.statements.close(engine);
        self.resources.close(engine);
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
            Opcode::TupleUpsert
            | Opcode::TupleGet
            | Opcode::TupleUpsertAll
            | Opcode::TupleGetAll
            | Opcode::TupleGetAndUpsert
            | Opcode::TupleInsert
            | Opcode::TupleInsertAll
            | Opcode::TupleReplace
            | Opcode::TupleReplaceExact
            | Opcode::TupleGetAndReplace
            | Opcode::TupleDelete
            | Opcode::TupleDeleteAll
            | Opcode::TupleDeleteExact
            | Opcode::TupleDeleteAllExact
            | Opcode::TupleGetAndDelete
            | Opcode::TupleContainsKey
            | Opcode::TupleContainsAllKeys => {
                return tuples::run(op, reader, engine, &self.resources, ticket, out).map(Step::of);
            }
            Opcode::StreamerBatchSend => return tuples::stream(reader, engine, ticket, out).map(Step::of),
            Opcode::ServerOpResponse => return Ok(Step::Silent),

            Opcode::SqlExec => {
                return self.statements.execute(reader, engine, &mut self.resources, ticket, out).map(Step::of);
            }
            Opcode::SqlExecScript => return self.statements.script(reader, engine, ticket).map(Step::of),
            Opcode::SqlExecBatch => {
                return self.statements.batch(reader, engine, &self.resources, ticket, out).map(Step::of);
            }
            Opcode::SqlQueryMeta => {
                return self.statements.describe(reader, engine, &self.resources, ticket, out).map(Step::of);
            }
            Opcode::SqlCursorNextPage => return self.statements.next_page(reader, ticket, out).map(Step::of),
            Opcode::SqlCursorClose => self.statements.close_cursor(reader)?,
            Opcode::OperationCancel => self.statements.cancel(reader, engine, self.connection.0)?,

            Opcode::Heartbeat => {}
            Opcode::TablesGet => tables::all(engine.catalog(), out),
            Opcode::TablesGetQualified => tables::all_qualified(engine.catalog(), out),
            Opcode::TableGet => tables::by_name(reader, engine.catalog(), out)?,
            Opcode::TableGetQualified => tables::by_qualified_name(reader, engine.catalog(), out)?,
            Opcode::SchemasGet => tables::schemas(reader, engine.catalog(), out)?,

            Opcode::TxBegin => self.resources.begin(reader, engine, out)?,
            Opcode::TxCommit => self.resources.commit(reader.i64()?, engine)?,
            Opcode::TxRollback => self.resources.rollback(reader.i64()?, engine)?,

            Opcode::ClusterGetNodes => cluster::put_nodes(out, &self.identity, self.address),
            Opcode::PartitionAssignmentGet => {
                cluster::partition_assignment(reader, engine.catalog(), &self.identity, self.featureless, out)?;
            }
            Opcode::PrimaryReplicasGet => {
                cluster::primary_replicas(reader, engine.catalog(), &self.identity, self.address, out)?;
            }

            Opcode::JdbcExec
            | Opcode::JdbcNext
            | Opcode::JdbcExecBatch
            | Opcode::JdbcPreparedBatch
            | Opcode::JdbcCursorClose
            | Opcode::JdbcTableMeta
            | Opcode::JdbcColumnMeta
            | Opcode::JdbcSchemasMeta
            | Opcode::JdbcPrimaryKeyMeta
            | Opcode::JdbcConnect
            | Opcode::JdbcTxFinish
            | Opcode::JdbcMoreResults
            | Opcode::JdbcCancel => {
                let Self { statements, resources, .. } = self;
                return sql::jdbc::run(op, statements, reader, engine, resources, ticket, out).map(Step::of);
            }

            Opcode::ComputeExecute
            | Opcode::ComputeExecuteColocated
            | Opcode::ComputeExecutePartitioned
            | Opcode::ComputeExecuteMapReduce
            | Opcode::StreamerWithReceiverBatchSend => {
                return Err(Error::new(
                    Kind::ComputeUnsupported,
                    "Cannot load job class: compute jobs and stream receivers are not run by this server",
                ));
            }
            // No such job.
            Opcode::ComputeGetState | Opcode::ComputeCancel | Opcode::ComputeChangePriority => out.put_nil(),
        }
        Ok(Step::Answered)
    }

    fn put_error(&mut self, request: i64, error: &Error, timestamp: i64, out: &mut Output) {
        let trace_id = self.rng.u128(..);
        let batch = self.statements.take_failed_batch();
        out.frame(|bytes| {
            put_head(bytes, request, FLAG_ERROR, timestamp);
            error::put_body(bytes, error, trace_id, batch.as_deref());
        });
    }
}

impl Step {
    fn of(answered: bool) -> Self {
        if answered { Self::Answered } else { Self::Waits }
    }
}

/// The cluster's name, for people.
const CLUSTER_NAME: &str = "flint";

/// Whether a client is one.
///
/// # Errors
/// `Protocol` for a process that wants to run jobs.
pub fn check_purpose(request: &Request<'_>) -> Result<()> {
    match request.extension("compute-executor-id") {
        None => Ok(()),
        Some(_) => Err(Error::protocol("Compute executors are not supported: no jobs are run by this server")),
    }
}

fn put_head(out: &mut Vec<u8>, request: i64, flags: i64, timestamp: i64) {
    out.put_int(request);
    out.put_int(flags);
    out.put_i64_wide(timestamp);
}

/// The hybrid time of an answer.
fn timestamp(engine: &mut Engine) -> i64 {
    i64::try_from(engine.timestamp()).unwrap_or(i64::MAX)
}
