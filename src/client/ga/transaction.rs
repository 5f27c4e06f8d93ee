//! Transactions.

use super::Client;
use crate::client::error::Result;
use crate::door::igni::ga::opcode::Opcode;
use crate::wire::msgpack::Write as _;
use std::time::Duration;

/// A transaction of the connection that began it; it ends with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tx(i64);

/// How a transaction begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TxOptions {
    /// Reads one moment, and writes nothing.
    pub read_only: bool,
    /// After this long the server rolls it back; `None` is the server's default.
    pub timeout: Option<Duration>,
}

impl Tx {
    /// The number that requests name it by.
    pub fn id(self) -> i64 {
        self.0
    }
}

impl Client {
    /// Begins a transaction.
    ///
    /// # Errors
    /// The connection fails, or has too many open transactions and cursors.
    pub fn begin(&mut self, options: TxOptions) -> Result<Tx> {
        let observed = self.observed;
        let answer = self.call(Opcode::TxBegin, |out| {
            out.put_bool(options.read_only);
            out.put_int(options.timeout.map_or(0, milliseconds));
            out.put_int(observed);
        })?;
        Ok(Tx(answer.reader().i64()?))
    }

    /// Commits a transaction.
    ///
    /// # Errors
    /// The server could not commit it, or ended it before, or knows no such transaction.
    pub fn commit(&mut self, tx: Tx) -> Result<()> {
        self.call(Opcode::TxCommit, |out| out.put_int(tx.0)).map(drop)
    }

    /// Rolls a transaction back.
    ///
    /// # Errors
    /// The server knows no such transaction.
    pub fn rollback(&mut self, tx: Tx) -> Result<()> {
        self.call(Opcode::TxRollback, |out| out.put_int(tx.0)).map(drop)
    }
}

/// Appends which transaction a request belongs to, if any.
pub(super) fn put(out: &mut Vec<u8>, tx: Option<Tx>) {
    match tx {
        Some(tx) => out.put_int(tx.0),
        None => out.put_nil(),
    }
}

/// A time limit for the wire, where 0 would be none.
pub(super) fn milliseconds(limit: Duration) -> i64 {
    i64::try_from(limit.as_millis()).unwrap_or(i64::MAX).max(1)
}
