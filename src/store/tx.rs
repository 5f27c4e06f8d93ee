//! Transactions: what a read-write one has locked and written so far, what a read-only one sees, and when each ends.
//!
//! A read-write transaction buffers its writes and reads them back; others see none of them until it commits, as one
//! change set. A read-only transaction holds a database value and no locks. A transaction that was rolled back by
//! somebody else (a lock conflict, its timeout) stays as a tombstone that says why, until its client ends it.

use super::catalog::{Catalog, Table};
use super::column::Default;
use super::database::Database;
use super::key::Key;
use super::reads::Reads;
use super::row::Row;
use crate::error::{Error, Kind};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::Instant;

/// A transaction. Ids ascend with age and are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxId(pub u64);

/// As a UUID, which ids of transactions are to today's clients.
impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00000000-0000-0000-{:04x}-{:012x}", self.0 >> 48, self.0 & 0xFFFF_FFFF_FFFF)
    }
}

/// A request that waits: it will be run again from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// The connection's id.
    pub connection: u64,
    /// The request's id on that connection.
    pub request: i64,
}

/// One open transaction.
#[derive(Debug)]
pub struct Tx {
    /// When it began, in milliseconds since 1970.
    pub started: u64,
    /// Rolled back when this passes.
    pub deadline: Instant,
    /// What it is and has.
    pub state: State,
}

/// What a transaction is and has.
#[derive(Debug)]
pub enum State {
    /// Reads and writes.
    ReadWrite(Box<Writes>),
    /// Reads one database value.
    ReadOnly(Box<Database>),
    /// Rolled back already, for this reason.
    Dead(Error),
}

/// The rows a read-write transaction has locked and written.
#[derive(Debug, Default)]
pub struct Writes {
    /// Rows locked or waited for.
    pub locked: HashSet<(u32, Key)>,
    /// The newest write of each row; `None` deletes it.
    pub rows: BTreeMap<(u32, Key), Option<Row>>,
    /// Requests of this transaction that wait for a lock.
    pub waiting: HashSet<Ticket>,
    /// Bytes that `rows` and their overhead take, or a little more.
    pub bytes: u64,
    /// The tables as they were when it began.
    pub began: Catalog,
    /// What its queries have read, which must still be so when it commits.
    pub reads: Reads,
}

impl Writes {
    /// Whether the transaction may still write to `table`: as on a real node, only with the schema it began with.
    ///
    /// # Errors
    /// `IncompatibleSchema`.
    pub fn check_write(&self, table: &Table) -> Result<(), Error> {
        let (Some(began), now) = (self.began.table(table.id), table.newest().version) else { return Ok(()) };
        let then = began.newest().version;
        if then == now {
            return Ok(());
        }
        Err(Error::new(
            Kind::IncompatibleSchema,
            format!(
                "Table schema was updated after the transaction was started [table={}, startSchema={then}, \
                 operationSchema={now}]",
                table.name
            ),
        ))
    }

    /// Whether what was written may be committed over the tables of now: columns may have come that old rows can do
    /// without; none may have gone.
    ///
    /// # Errors
    /// `IncompatibleSchema`.
    pub fn check_commit(&self, now: &Catalog) -> Result<(), Error> {
        let mut last = None;
        for &(id, _) in self.rows.keys() {
            if last.replace(id) == Some(id) {
                continue;
            }
            let began = self.began.table(id);
            let Some(table) = now.table(id) else {
                let name = began.map_or_else(|| id.to_string(), |table| table.name.to_string());
                return Err(Error::new(
                    Kind::IncompatibleSchema,
                    format!("Commit failed because a table was already dropped [table={name}]"),
                ));
            };
            let (Some(then), newest) = (began.map(|table| table.newest()), table.newest()) else { continue };
            let then_has = |id| then.columns.iter().any(|c| c.id == id);
            let now_has = |id| newest.columns.iter().any(|c| c.id == id);
            let details = if then.columns.iter().any(|c| !now_has(c.id)) {
                "Columns were dropped"
            } else if newest.columns.iter().any(|c| !then_has(c.id) && !c.nullable && c.default == Default::None) {
                "Not null column added without default value"
            } else if newest.columns.iter().any(|c| then.columns.iter().any(|t| t.id == c.id && t.default != c.default))
            {
                "Column default value changed"
            } else {
                continue;
            };
            return Err(Error::new(
                Kind::IncompatibleSchema,
                format!(
                    "Commit failed because schema is not forward-compatible [fromSchemaVersion={}, toSchemaVersion={}, \
                     table={}, details={details}]",
                    then.version, newest.version, table.name
                ),
            ));
        }
        Ok(())
    }
}

/// The error of a transaction whose queries have read what others have changed since.
pub fn changed_under(id: TxId) -> Error {
    Error::new(
        Kind::LockConflict,
        format!("What a query of the transaction has read was changed by another one [txId={id}]; it is rolled back"),
    )
}

/// All open transactions and all requests that wait.
#[derive(Debug, Default)]
pub struct Transactions {
    last: u64,
    open: HashMap<TxId, Tx>,
    /// Single operations that wait for a lock.
    waiting: HashMap<Ticket, Waiting>,
    /// When requests that wait for a lock are run again whether they have got it or not.
    alarms: HashMap<Ticket, Instant>,
    /// The earliest deadline of `open`, `waiting` and `alarms`, or earlier.
    next_deadline: Option<Instant>,
}

/// A single operation that waits for a lock.
#[derive(Debug)]
pub struct Waiting {
    /// The id it waits under, kept over re-runs.
    pub tx: TxId,
    /// The row it waits for, or was granted.
    pub row: (u32, Key),
    /// When it gives up.
    pub deadline: Instant,
    /// Whether it has given up.
    pub expired: bool,
}

impl Transactions {
    /// A fresh id, younger than all others.
    pub fn next_id(&mut self) -> TxId {
        self.last += 1;
        TxId(self.last)
    }

    /// Opens a transaction.
    pub fn open(&mut self, tx: Tx) -> TxId {
        let id = self.next_id();
        self.watch(tx.deadline);
        self.open.insert(id, tx);
        id
    }

    /// The transaction, if it is open or a tombstone.
    pub fn get(&self, id: TxId) -> Option<&Tx> {
        self.open.get(&id)
    }

    /// The transaction, to change it.
    pub fn get_mut(&mut self, id: TxId) -> Option<&mut Tx> {
        self.open.get_mut(&id)
    }

    /// Takes the transaction out.
    pub fn remove(&mut self, id: TxId) -> Option<Tx> {
        self.open.remove(&id)
    }

    /// Open transactions and tombstones, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (TxId, &Tx)> {
        self.open.iter().map(|(&id, tx)| (id, tx))
    }

    /// How many there are of both.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Records that a single operation waits.
    pub fn wait(&mut self, ticket: Ticket, waiting: Waiting) {
        self.watch(waiting.deadline);
        self.waiting.insert(ticket, waiting);
    }

    /// Takes a waiting single operation out, when it is run again or its connection closes.
    pub fn resume(&mut self, ticket: Ticket) -> Option<Waiting> {
        if self.waiting.is_empty() { None } else { self.waiting.remove(&ticket) }
    }

    /// Runs a request that waits again at this moment, if it still waits.
    pub fn wake_at(&mut self, ticket: Ticket, at: Instant) {
        self.watch(at);
        self.alarms.insert(ticket, at);
    }

    /// A request that has [`Transactions::wake_at`] waits no more.
    pub fn no_alarm(&mut self, ticket: Ticket) {
        self.alarms.remove(&ticket);
    }

    /// The tickets of a connection's requests that wait for a lock of a single operation, or are to be woken.
    pub fn waiting_of(&self, connection: u64) -> Vec<Ticket> {
        let all = self.waiting.keys().chain(self.alarms.keys());
        all.filter(|t| t.connection == connection).copied().collect()
    }

    /// When [`Transactions::expired`] has something to say, at the earliest.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.next_deadline
    }

    /// The transactions that ran out of time and are to be rolled back, and the waiting requests to be run again now:
    /// single operations that give up, and those that asked for it.
    pub fn expired(&mut self, now: Instant) -> (Vec<TxId>, Vec<Ticket>) {
        if self.next_deadline.is_none_or(|d| now < d) {
            return (Vec::new(), Vec::new());
        }
        let alive = |tx: &Tx| !matches!(tx.state, State::Dead(_));
        let dead = self.open.iter().filter(|(_, tx)| alive(tx) && tx.deadline <= now).map(|(&id, _)| id).collect();
        let mut given_up = Vec::new();
        for (&ticket, waiting) in self.waiting.iter_mut().filter(|(_, w)| !w.expired && w.deadline <= now) {
            waiting.expired = true;
            given_up.push(ticket);
        }
        given_up.extend(self.alarms.extract_if(|_, at| *at <= now).map(|(ticket, _)| ticket));
        let open = self.open.values().filter(|tx| alive(tx) && tx.deadline > now).map(|tx| tx.deadline);
        let waiting = self.waiting.values().filter(|w| !w.expired).map(|w| w.deadline);
        self.next_deadline = open.chain(waiting).chain(self.alarms.values().copied()).min();
        (dead, given_up)
    }

    fn watch(&mut self, deadline: Instant) {
        self.next_deadline = Some(self.next_deadline.map_or(deadline, |d| d.min(deadline)));
    }
}

impl Tx {
    /// The error for work in a transaction that is no longer alive.
    pub fn check_alive(&self) -> Result<(), Error> {
        match &self.state {
            State::Dead(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

/// The error of a transaction that gave way to an older one.
pub fn conflict(tx: TxId, older: TxId) -> Error {
    Error::new(
        Kind::LockConflict,
        format!("Failed to acquire a lock due to a possible deadlock [locker={tx}, holder={older}]"),
    )
}

/// The error of work in a transaction that is over.
pub fn finished(tx: TxId) -> Error {
    Error::new(Kind::TransactionFinished, format!("Transaction is already finished [id={tx}, state=ABORTED]."))
}
