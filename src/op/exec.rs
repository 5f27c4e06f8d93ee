//! Runs an operation: takes its locks, or says that it waits, then runs it on the value or in its transaction.

use super::tuple::{Action, Reply, run};
use crate::error::{Error, Kind, Result};
use crate::store::catalog::{Change, Table};
use crate::store::column::Column;
use crate::store::engine::{Engine, Overlay};
use crate::store::key::Key;
use crate::store::locks::Verdict;
use crate::store::tx::{self, State, Ticket, TxId, Waiting};
use std::sync::Arc;

/// Which transaction an operation belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// None: it is one of its own.
    Single,
    /// This one.
    In(TxId),
}

/// What came of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It ran.
    Done(Reply),
    /// It waits for a lock; the engine will name its ticket, and the request is to be run again from its start.
    Waits,
}

/// A tuple operation, resolved against the newest schema of its table.
#[derive(Debug)]
pub struct Operation {
    /// The table.
    pub table: Arc<Table>,
    /// Columns that a live schema gains first, in one new version; rows are packed for it.
    pub grow: Vec<Column>,
    /// What to do.
    pub action: Action,
}

/// Runs `operation`. `ticket` names the request, should it have to wait.
///
/// # Errors
/// Of a transaction: why it is dead, `WriteInReadOnlyTransaction`, `LockConflict` (it is rolled back then). Of a single
/// operation: `LockTimeout`. Of both: `ReadOnlyStore`, `OutOfMemory`.
pub fn execute(engine: &mut Engine, scope: Scope, ticket: Ticket, operation: Operation) -> Result<Outcome> {
    match scope {
        Scope::Single => single(engine, ticket, operation),
        Scope::In(id) => in_transaction(engine, id, ticket, operation),
    }
}

fn single(engine: &mut Engine, ticket: Ticket, operation: Operation) -> Result<Outcome> {
    // A read outside a transaction sees what is committed; nobody's lock concerns it.
    if operation.action.is_read() {
        let mut access = Overlay { db: engine.database(), writes: None };
        return Ok(Outcome::Done(run(&mut access, &operation.table, operation.action)));
    }
    let waiting = engine.transactions.resume(ticket);
    if (waiting.is_some() || !engine.locks.is_empty()) && !admitted(engine, ticket, &operation, waiting)? {
        return Ok(Outcome::Waits);
    }
    engine.check_writable(operation.action.bytes())?;
    let mut commit = engine.begin_commit();
    let table = match operation.grow.is_empty() {
        true => operation.table,
        false => {
            commit.change(&Change::AlterTable { id: operation.table.id, add: operation.grow, drop: Vec::new() })?;
            commit.table(operation.table.id)?
        }
    };
    let reply = run(&mut commit, &table, operation.action);
    commit.finish();
    Ok(Outcome::Done(reply))
}

/// Whether no other transaction is in the way of a single operation. It waits for one row at a time and holds nothing
/// while it waits, so it cannot be part of a deadlock.
fn admitted(engine: &mut Engine, ticket: Ticket, operation: &Operation, waiting: Option<Waiting>) -> Result<bool> {
    let (id, deadline) = match &waiting {
        Some(w) => (w.tx, w.deadline),
        None => (engine.transactions.next_id(), engine.now() + engine.limits.transaction),
    };
    let (mode, keys) = operation.action.keys();
    let mut taken: Vec<(u32, Key)> = Vec::with_capacity(keys.len());
    let mut blocked = None;
    let expired = waiting.as_ref().is_some_and(|w| w.expired);
    if !expired {
        for key in keys {
            let row = (operation.table.id, key.clone());
            match engine.locks.acquire(id, row.clone(), mode, ticket, false) {
                Verdict::Granted => taken.push(row),
                Verdict::Waits | Verdict::Dies(_) => {
                    blocked = Some(row);
                    break;
                }
            }
        }
    }
    // The operation runs within this call, so no lock outlives it; only a place in a queue does.
    for row in &taken {
        engine.release_row(id, row);
    }
    if let Some(old) = waiting.filter(|w| blocked.as_ref() != Some(&w.row) && !taken.contains(&w.row)) {
        engine.release_row(id, &old.row);
    }
    if expired {
        return Err(Error::new(
            Kind::LockTimeout,
            format!("a lock was not granted within {:?}", engine.limits.transaction),
        ));
    }
    let Some(row) = blocked else { return Ok(true) };
    engine.transactions.wait(ticket, Waiting { tx: id, row, deadline, expired: false });
    Ok(false)
}

fn in_transaction(engine: &mut Engine, id: TxId, ticket: Ticket, operation: Operation) -> Result<Outcome> {
    let tx = engine.transactions.get(id).ok_or_else(|| {
        Error::new(Kind::TransactionFinished, format!("Transaction is already finished [txId={}]", id.0))
    })?;
    tx.check_alive()?;
    if let State::ReadOnly(db) = &tx.state {
        if !operation.action.is_read() {
            return Err(Error::new(
                Kind::WriteInReadOnlyTransaction,
                format!("Failed to enlist read-write operation into read-only transaction txId={{{}}}", id.0),
            ));
        }
        let mut access = Overlay { db, writes: None };
        return Ok(Outcome::Done(run(&mut access, &operation.table, operation.action)));
    }
    if !lock(engine, id, ticket, &operation)? {
        return Ok(Outcome::Waits);
    }
    let bytes = operation.action.bytes();
    engine.check_writable(bytes)?;
    let (db, transactions) = engine.parts();
    let Some(State::ReadWrite(writes)) = transactions.get_mut(id).map(|tx| &mut tx.state) else {
        return Err(Error::new(Kind::Internal, "a transaction changed its kind"));
    };
    let mut access = Overlay { db, writes: Some(writes) };
    Ok(Outcome::Done(run(&mut access, &operation.table, operation.action)))
}

/// Takes all locks of an operation in a read-write transaction. `false`: it waits for one of them.
fn lock(engine: &mut Engine, id: TxId, ticket: Ticket, operation: &Operation) -> Result<bool> {
    let (mode, keys) = operation.action.keys();
    for key in keys {
        let row = (operation.table.id, key.clone());
        let verdict = engine.locks.acquire(id, row.clone(), mode, ticket, true);
        if let Verdict::Dies(older) = verdict {
            let error = tx::conflict(id, older);
            engine.kill(id, error.clone());
            return Err(error);
        }
        let Some(State::ReadWrite(writes)) = engine.transactions.get_mut(id).map(|tx| &mut tx.state) else { continue };
        writes.locked.insert(row);
        if verdict == Verdict::Waits {
            writes.waiting.insert(ticket);
            return Ok(false);
        }
        writes.waiting.remove(&ticket);
    }
    Ok(true)
}
