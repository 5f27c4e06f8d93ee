//! The transactions that a connection holds, under resource ids of its own.
//!
//! A transaction that was rolled back from outside (by a lock conflict, by its timeout) keeps its resource id until the
//! client ends it: the first request in it was told why, later ones learn that it is finished.

use crate::error::{Error, Kind, Result};
use crate::store::engine::Engine;
use crate::store::tx::{self, State, Tx, TxId};
use crate::wire::msgpack::{Reader, Write};
use std::collections::HashMap;
use std::time::Duration;

/// How long a read-only transaction may last whose client names no time, as on a real node.
const READ_ONLY_TIMEOUT: Duration = Duration::from_secs(600);

/// The transactions of one connection. Ids count from 1 and are never reused.
#[derive(Debug, Default)]
pub struct Resources {
    last: i64,
    open: HashMap<i64, Held>,
}

/// One transaction of a connection.
#[derive(Debug, Clone, Copy)]
struct Held {
    tx: TxId,
    read_only: bool,
}

impl Resources {
    /// Begins a transaction and answers its id.
    ///
    /// # Errors
    /// `InvalidArgument` for a negative timeout; `LimitExceeded` if the connection holds too many.
    pub fn begin(&mut self, reader: &mut Reader<'_>, engine: &mut Engine, out: &mut Vec<u8>) -> Result<()> {
        let read_only = reader.bool()?;
        let timeout_ms = reader.i64()?;
        // What the client has seen; there is nothing newer on one node than what is there now.
        let _observed = reader.i64()?;
        let timeout = match u64::try_from(timeout_ms) {
            Ok(0) => read_only.then_some(READ_ONLY_TIMEOUT),
            Ok(ms) => Some(Duration::from_millis(ms)),
            Err(_) => {
                return Err(Error::new(
                    Kind::InvalidArgument,
                    format!("A transaction's timeout cannot be negative: {timeout_ms} ms"),
                ));
            }
        };
        out.put_int(self.open(read_only, timeout, engine)?);
        Ok(())
    }

    /// Begins a transaction; its id.
    ///
    /// # Errors
    /// `LimitExceeded` if the connection holds too many.
    pub fn open(&mut self, read_only: bool, timeout: Option<Duration>, engine: &mut Engine) -> Result<i64> {
        if self.open.len() >= engine.limits.resources {
            return Err(Error::new(
                Kind::LimitExceeded,
                format!("The connection holds {} open transactions, the limit is {0}", self.open.len()),
            ));
        }
        let id = self.next_id();
        self.open.insert(id, Held { tx: engine.begin(read_only, timeout), read_only });
        Ok(id)
    }

    /// Whether an id was ever given out.
    pub fn was_given(&self, id: i64) -> bool {
        (1..=self.last).contains(&id)
    }

    /// The next id, for a transaction or whatever else the connection holds.
    pub fn next_id(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// Commits. Of a read-only transaction that ran out of time there is nothing to lose, so it is no error.
    ///
    /// # Errors
    /// `ResourceNotFound`; `TransactionTimedOut` or `TransactionFinished` if it was rolled back before;
    /// `IncompatibleSchema` and faults of the store. The transaction is over in every case.
    pub fn commit(&mut self, id: i64, engine: &mut Engine) -> Result<()> {
        let Held { tx, read_only } = self.open.remove(&id).ok_or_else(|| not_found(id))?;
        if read_only {
            engine.rollback(tx);
            return Ok(());
        }
        if let Err(why) = alive(tx, engine) {
            engine.rollback(tx);
            return Err(why);
        }
        engine.commit_transaction(tx).map(drop)
    }

    /// Rolls back; also what was rolled back before.
    ///
    /// # Errors
    /// `ResourceNotFound`.
    pub fn rollback(&mut self, id: i64, engine: &mut Engine) -> Result<()> {
        let held = self.open.remove(&id).ok_or_else(|| not_found(id))?;
        engine.rollback(held.tx);
        Ok(())
    }

    /// The transaction of a resource id, for work in it; `reads` if the work only reads.
    ///
    /// # Errors
    /// `ResourceNotFound`; `TransactionTimedOut` or `TransactionFinished` if it was rolled back.
    pub fn alive(&self, id: i64, reads: bool, engine: &Engine) -> Result<TxId> {
        let Held { tx, read_only } = *self.open.get(&id).ok_or_else(|| not_found(id))?;
        match alive(tx, engine) {
            Ok(()) => Ok(tx),
            Err(why) if reads => {
                let text = format!("Transaction is already finished () [txId={tx}, readOnly={read_only}].");
                Err(Error::new(why.kind, text))
            }
            Err(why) => Err(why),
        }
    }

    /// Fails a write to a table that was dropped since the transaction began, and the transaction with it.
    pub fn check_dropped(&self, id: i64, table: i64, engine: &mut Engine) -> Result<()> {
        let Some(Held { tx, .. }) = self.open.get(&id).copied() else { return Ok(()) };
        let Some(Tx { state: State::ReadWrite(writes), .. }) = engine.transactions.get(tx) else { return Ok(()) };
        let Some(began) = u32::try_from(table).ok().and_then(|table| writes.began.table(table)) else { return Ok(()) };
        let error = Error::new(Kind::IncompatibleSchema, format!("Table was dropped [tableId={}]", began.id));
        engine.kill(tx, error.clone());
        Err(error)
    }

    /// Rolls back everything: the connection is gone.
    pub fn close(&mut self, engine: &mut Engine) {
        for (_, held) in self.open.drain() {
            engine.rollback(held.tx);
        }
    }
}

/// Why a transaction is over, if it is: its time, or whatever else ended it.
fn alive(tx: TxId, engine: &Engine) -> Result<()> {
    match engine.transactions.get(tx).map(Tx::check_alive) {
        Some(Ok(())) => Ok(()),
        Some(Err(why)) if why.kind == Kind::TransactionTimedOut => Err(why),
        _ => Err(tx::finished(tx)),
    }
}

/// The error for an id under which the connection holds nothing.
pub fn not_found(id: i64) -> Error {
    Error::new(Kind::ResourceNotFound, format!("Failed to find resource with id: {id}"))
}
