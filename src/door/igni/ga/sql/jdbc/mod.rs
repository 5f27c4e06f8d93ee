//! What Ignite's JDBC driver asks for.
//!
//! A driver opens one context per `java.sql.Connection`. Without auto-commit its statements share a transaction that the
//! context begins with the first of them and keeps until the driver ends it. A text of several statements is run to its
//! end at once; the driver then asks for one result after the other.
//!
//! Every answer begins with a status: 0 and nil, or 1 and a text. So what fails is told inside an ordinary answer, and
//! only a request that cannot be read gets the error answer of other operations.

mod batch;
mod connection;
mod metadata;
mod statement;

pub use connection::Context;

use super::Statements;
use crate::door::igni::ga::error::put_counts;
use crate::door::igni::ga::opcode::Opcode;
use crate::door::igni::ga::schema::type_id;
use crate::door::igni::ga::transactions::Resources;
use crate::error::{Error, Kind, Result};
use crate::sql::ResultColumn;
use crate::sql::batch::Batch;
use crate::sql::metadata::precision_and_scale;
use crate::sql::results::Results;
use crate::store::engine::Engine;
use crate::store::tx::Ticket;
use crate::value::ColumnType;
use crate::wire::msgpack::{Reader, Write};

/// The status of what succeeded, and of what failed, whatever it was.
const SUCCESS: i64 = 0;
const FAILED: i64 = 1;
/// The code of a batch's failure, which tells nothing more.
const UNKNOWN: i64 = 1;
/// What validation errors of other operations begin with, and those of JDBC do not.
const VALIDATION_PREFIX: &str = "Failed to validate query. ";
/// The type id of a bare NULL.
const NULL_TYPE: i64 = 0;

/// A request whose statements are being run.
#[derive(Debug)]
pub struct Call {
    /// The context it belongs to, and the number that the driver would cancel it by.
    connection: i64,
    token: i64,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Results(Results),
    Batch(Batch),
}

impl Call {
    /// Gives back what it has begun.
    pub fn close(self, engine: &mut Engine) {
        match self.work {
            Work::Results(mut results) => results.close(engine),
            Work::Batch(mut batch) => batch.close(engine),
        }
    }

    /// How many of its results have rows to come.
    pub fn open(&self) -> usize {
        match &self.work {
            Work::Results(results) => results.open(),
            Work::Batch(_) => 0,
        }
    }
}

/// Runs an operation. `false`: it waits.
///
/// # Errors
/// `Protocol` for what cannot be read; other failures are answered here.
pub fn run(
    op: Opcode,
    statements: &mut Statements,
    reader: &mut Reader<'_>,
    engine: &mut Engine,
    resources: &mut Resources,
    ticket: Ticket,
    out: &mut Vec<u8>,
) -> Result<bool> {
    let start = out.len();
    let ran = match op {
        Opcode::JdbcConnect => statements.jdbc_connect(reader, engine, resources, out),
        Opcode::JdbcExec => statements.jdbc_execute(reader, engine, resources, ticket, out),
        Opcode::JdbcNext => statements.jdbc_next(reader, ticket, out),
        Opcode::JdbcMoreResults => statements.jdbc_more_results(reader, resources, out),
        Opcode::JdbcCursorClose => statements.jdbc_close(reader, resources, out),
        Opcode::JdbcExecBatch | Opcode::JdbcPreparedBatch => {
            statements.jdbc_batch(op == Opcode::JdbcPreparedBatch, reader, engine, resources, ticket, out)
        }
        Opcode::JdbcTableMeta => metadata::tables(reader, engine, out),
        Opcode::JdbcColumnMeta => metadata::columns(reader, engine, out),
        Opcode::JdbcSchemasMeta => metadata::schemas(reader, engine, out),
        Opcode::JdbcPrimaryKeyMeta => metadata::keys(reader, engine, out),
        Opcode::JdbcTxFinish => statements.jdbc_finish(reader, engine, resources, out),
        Opcode::JdbcCancel => statements.jdbc_cancel(reader, engine, ticket.connection, out),
        _ => Err(Error::new(Kind::Internal, "not an operation of JDBC")),
    };
    match ran {
        Err(error) if error.kind != Kind::Protocol => {
            out.truncate(start);
            out.put_int(FAILED);
            out.put_str(error.message.strip_prefix(VALIDATION_PREFIX).unwrap_or(&error.message));
            let counts = statements.take_failed_batch().unwrap_or_default();
            if matches!(op, Opcode::JdbcExecBatch | Opcode::JdbcPreparedBatch) {
                out.put_int(UNKNOWN);
                put_counts(out, &counts);
            }
            Ok(true)
        }
        ran => ran,
    }
}

fn put_success(out: &mut Vec<u8>) {
    out.put_int(SUCCESS);
    out.put_nil();
}

/// A column as the driver reads it.
struct Described<'a> {
    label: &'a str,
    /// Schema, table and column that it shows.
    origin: Option<(&'a str, &'a str, &'a str)>,
    ty: Option<ColumnType>,
    nullable: bool,
    precision: i64,
    scale: i64,
}

impl<'a> Described<'a> {
    fn of(column: &'a ResultColumn) -> Self {
        let (precision, scale) = precision_and_scale(column.ty);
        let origin = column.origin.as_ref().map(|origin| (&*origin.schema, &*origin.table, &*origin.column));
        Self { label: &column.name, origin, ty: column.ty, nullable: column.nullable, precision, scale }
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_success(out);
        out.put_str(self.label);
        match self.origin {
            Some((schema, table, column)) => [schema, table, column].iter().for_each(|name| out.put_str(name)),
            None => (0..3).for_each(|_| out.put_nil()),
        }
        out.put_int(self.ty.map_or(NULL_TYPE, type_id));
        out.put_bool(self.nullable);
        out.put_int(self.precision);
        out.put_int(self.scale);
    }
}
