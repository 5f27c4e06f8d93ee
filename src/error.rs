//! The operation error: what failed, with a sentence for a person.
//!
//! Doors translate [`Kind`] to wire codes, each in one table of its own. A message names the thing, the value and the
//! limit; it never carries another layer's type.

use std::borrow::Cow;
use std::fmt;

/// What failed. The payloads are what a door needs to build its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request's bytes do not follow the protocol.
    Protocol,
    /// The client speaks another version of the protocol.
    ProtocolVersion,
    /// No operation has this code.
    UnknownOperation,
    /// An argument is well-formed but not acceptable.
    InvalidArgument,
    /// No table has this name.
    TableNotFound,
    /// No table has this id, or it was dropped.
    TableIdUnknown,
    /// A table of this name exists already.
    TableExists,
    /// No column has this name.
    ColumnNotFound,
    /// A column of this name exists already.
    ColumnExists,
    /// The row was packed for another schema version; the table is at `current`.
    SchemaVersionMismatch {
        /// The table's newest schema version.
        current: i32,
    },
    /// The table never had this schema version.
    SchemaVersionUnknown,
    /// A value's type is not the column's.
    TypeMismatch,
    /// A value is outside what its column can hold.
    OutOfRange,
    /// A key column has no value.
    MissingKey,
    /// A column that is not nullable was given null.
    NotNull,
    /// The tuple does not fit the schema and the table does not grow.
    SchemaMismatch,
    /// The live schema cannot grow by this value.
    LiveSchemaRefused,
    /// A named limit was reached.
    LimitExceeded,
    /// `--max-memory` was reached.
    OutOfMemory,
    /// The store takes no writes since the disk failed.
    ReadOnlyStore,
    /// The commit could not be made durable.
    CommitFailed,
    /// This connection holds no transaction or cursor with the given id.
    ResourceNotFound,
    /// Another transaction holds a lock, and this one must give way.
    LockConflict,
    /// A lock was not granted in time.
    LockTimeout,
    /// A write in a read-only transaction.
    WriteInReadOnlyTransaction,
    /// The transaction is committed or rolled back already.
    TransactionFinished,
    /// The transaction was rolled back by its timeout.
    TransactionTimedOut,
    /// The table's schema changed in a way the transaction cannot follow.
    IncompatibleSchema,
    /// SQL text that does not parse.
    SqlParse,
    /// SQL that names what does not exist, or that is not supported.
    SqlValidation,
    /// A constraint of a table forbids the write.
    SqlConstraint,
    /// SQL that failed while it ran.
    SqlRuntime,
    /// A statement that begins or ends a transaction where none may.
    SqlTransactionControl,
    /// A request was cancelled or ran out of time.
    Cancelled,
    /// Compute jobs are not run here.
    ComputeUnsupported,
    /// A name or password is wrong, or none was given.
    InvalidCredentials,
    /// No such authentication type.
    UnsupportedAuthentication,
    /// The server is stopping.
    Stopping,
    /// A fault of our own.
    Internal,
}

/// An error of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What failed.
    pub kind: Kind,
    /// A sentence with the name, the value and the limit.
    pub message: Cow<'static, str>,
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The request's bytes do not follow the protocol.
    pub fn protocol(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Protocol, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
