//! One statement, step by step on the event loop.

use super::activity::{self, Activity};
use super::dml;
use super::keyed::{Keyed, What};
use super::parse::Parsed;
use super::prepared::Prepared;
use super::{Argument, Changes, Job, Message, Page, ResultColumn, Running, Service, Work};
use crate::error::{Error, Kind, Result};
use crate::op::ddl::{self, Class, Victim};
use crate::op::exec::{Operation, Outcome, Scope, execute};
use crate::op::tuple::{Action, Reply, Write};
use crate::store::catalog::{PUBLIC, Table};
use crate::store::database::{Database, Read};
use crate::store::engine::Engine;
use crate::store::key::Key;
use crate::store::row::Row;
use crate::store::tx::{State as TxState, Ticket, TxId, finished};
use crate::value::{ColumnType, Value};
use smallvec::smallvec;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a change is run again because what it read has changed, before that is an error.
const TRIES_MAX: u32 = 100;

/// How a statement is to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The schema of unqualified names.
    pub schema: String,
    /// The id of the time zone of local times; none is UTC.
    pub zone: Option<String>,
    /// Who runs it, if clients have to say who they are.
    pub user: Option<Arc<str>>,
    /// Rows of a page.
    pub page_rows: usize,
    /// How long the statement may run.
    pub timeout: Option<Duration>,
    /// The transaction it belongs to.
    pub transaction: Option<TxId>,
    /// The parameters.
    pub arguments: Vec<Argument>,
}

impl Default for Options {
    /// No transaction, no parameters, unqualified names in PUBLIC.
    fn default() -> Self {
        let schema = PUBLIC.into();
        let (zone, user, timeout, transaction, arguments) = (None, None, None, None, Vec::new());
        Self { schema, zone, user, page_rows: 1, timeout, transaction, arguments }
    }
}

/// What a statement answers.
#[derive(Debug)]
pub enum Answer {
    /// DDL: whether it changed something.
    Applied(bool),
    /// A change: how many rows.
    Count(u64),
    /// A query.
    Rows {
        /// Its columns.
        columns: Arc<[ResultColumn]>,
        /// The first rows.
        page: Page,
        /// The query, if rows are left.
        rest: Option<Running>,
    },
}

/// A statement that is being run.
#[derive(Debug)]
pub struct Execution {
    prepared: Arc<Prepared>,
    options: Options,
    state: State,
    /// How often it was begun again.
    tries: u32,
    /// When its time is up.
    deadline: Option<Instant>,
    /// The request under which it waits for a lock.
    waits: Option<Ticket>,
}

#[derive(Debug)]
enum State {
    Ddl,
    /// A statement of known keys, planned for the catalog of this edition.
    Keyed {
        keyed: Arc<Keyed>,
        key: Key,
        catalog: u64,
    },
    /// `columns` come before the first page.
    Query {
        running: Running,
        columns: Option<Arc<[ResultColumn]>>,
    },
    Described(Arc<[ResultColumn]>),
    Describe(Running),
    /// While a change's query runs.
    Change(Running),
    Apply {
        table: u32,
        writes: Arc<[Write]>,
        count: u64,
        reads: Arc<[Read]>,
    },
    Ended,
}

impl Execution {
    /// Begins a statement.
    ///
    /// # Errors
    /// `SqlParse`, `SqlValidation`; `SqlRuntime` for DDL in a transaction.
    pub fn new(prepared: &Arc<Prepared>, options: Options, service: &Service, engine: &mut Engine) -> Result<Self> {
        let deadline = options.timeout.and_then(|timeout| engine.now().checked_add(timeout));
        let state = begin(prepared, &options, options.timeout, service, engine)?;
        Ok(Self { prepared: Arc::clone(prepared), options, state, tries: 0, deadline, waits: None })
    }

    /// Begins a query that is not run, for its columns: it answers rows, but none.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn describe(
        prepared: &Arc<Prepared>,
        schema: &str,
        transaction: Option<TxId>,
        service: &Service,
        engine: &mut Engine,
    ) -> Result<Self> {
        if prepared.statement().class() != Class::Query {
            return Err(control_alone());
        }
        let parameters = prepared.statement().parameters();
        let arguments = vec![Argument { ty: None, value: Value::Null }; parameters];
        let options = Options { schema: schema.to_owned(), transaction, arguments, ..Options::default() };
        let keyed = prepared.keyed(engine.catalog(), schema);
        let state = match keyed.as_ref().and_then(|keyed| keyed.columns()) {
            Some(columns) => State::Described(Arc::clone(columns)),
            None => {
                prepared.check_parameters(engine.catalog(), schema)?;
                let job = job(Arc::clone(prepared.parsed()?), prepared, Work::Describe, &options, None, engine)?;
                State::Describe(service.start(job)?)
            }
        };
        Ok(Self { prepared: Arc::clone(prepared), options, state, tries: 0, deadline: None, waits: None })
    }

    /// The types that the statement's parameters stand for, where its text tells.
    pub fn parameter_types(&self, engine: &Engine) -> Vec<Option<ColumnType>> {
        self.prepared.parameter_types(engine.catalog(), &self.options.schema)
    }

    /// Goes on. `None`: it waits, and `ticket` will be woken.
    ///
    /// # Errors
    /// Whatever ends the statement. What fails while it runs takes its read-write transaction with it, as on a real node.
    pub fn step(&mut self, service: &Service, engine: &mut Engine, ticket: Ticket) -> Result<Option<Answer>> {
        let waited = self.waits.take();
        let ended = match waited.and(self.deadline) {
            Some(deadline) if deadline <= engine.now() => Err(self.timed_out()),
            _ => self.go_on(service, engine, ticket),
        };
        match (self.waits, self.deadline) {
            (Some(ticket), Some(deadline)) => engine.transactions.wake_at(ticket, deadline),
            (Some(_), None) => {}
            (None, _) => waited.into_iter().for_each(|ticket| engine.withdraw(ticket)),
        }
        if let Err(error) = &ended
            && matches!(error.kind, Kind::SqlRuntime | Kind::SqlConstraint | Kind::Cancelled | Kind::OutOfMemory)
        {
            self.end_transaction(engine);
        }
        ended
    }

    /// Ends before its time: it waits for nothing any more, and its read-write transaction is over.
    pub fn cancel(&mut self, engine: &mut Engine) {
        self.state = State::Ended;
        if let Some(ticket) = self.waits.take() {
            engine.withdraw(ticket);
        }
        self.end_transaction(engine);
    }

    fn end_transaction(&self, engine: &mut Engine) {
        if let Some(id) = self.options.transaction
            && !is_read_only(id, engine)
        {
            engine.kill(id, finished(id));
        }
    }

    fn timed_out(&self) -> Error {
        let ms = self.options.timeout.unwrap_or_default().as_millis();
        Error::new(Kind::Cancelled, format!("Query timeout: the statement ran for {ms} ms"))
    }

    fn go_on(&mut self, service: &Service, engine: &mut Engine, ticket: Ticket) -> Result<Option<Answer>> {
        loop {
            match &mut self.state {
                State::Ddl => {
                    if let ddl::Statement::Kill { what: Victim::Query, id } = self.prepared.statement() {
                        let id = ddl::victim(Victim::Query, id)?;
                        return Ok(Some(Answer::Applied(service.kill(id))));
                    }
                    return ddl::run(engine, self.prepared.statement(), &self.options.schema)
                        .map(|applied| Some(Answer::Applied(applied)));
                }
                State::Keyed { keyed, key, catalog } if *catalog == engine.catalog().edition() => {
                    let (keyed, key) = (Arc::clone(keyed), key.clone());
                    return self.keyed(&keyed, key, engine, ticket);
                }
                // What it was planned for is gone.
                State::Keyed { .. } => self.begin_again(service, engine)?,
                State::Query { running, columns } => match running.poll(ticket) {
                    None => return Ok(None),
                    Some(Message::Reads(reads)) => self.has_read(engine, &reads),
                    Some(Message::Columns(found)) => *columns = Some(found),
                    Some(Message::Page(page)) => {
                        let columns = columns.take().unwrap_or_default();
                        let State::Query { running, .. } = std::mem::replace(&mut self.state, State::Ended) else {
                            continue;
                        };
                        let rest = (!page.last).then_some(running);
                        return Ok(Some(Answer::Rows { columns, page, rest }));
                    }
                    Some(Message::Failed(error)) => return Err(error),
                    Some(Message::Changes(_)) => return Err(unexpected()),
                },
                State::Described(columns) => {
                    let columns = Arc::clone(columns);
                    return Ok(Some(Answer::Rows { columns, page: Page::default(), rest: None }));
                }
                State::Describe(running) => match running.poll(ticket) {
                    None => return Ok(None),
                    Some(Message::Columns(columns)) => {
                        return Ok(Some(Answer::Rows { columns, page: Page::default(), rest: None }));
                    }
                    Some(Message::Failed(error)) => return Err(error),
                    Some(_) => return Err(unexpected()),
                },
                State::Change(running) => match running.poll(ticket) {
                    None => return Ok(None),
                    Some(Message::Changes(Changes { table, writes, count, reads })) => {
                        self.state = State::Apply { table, writes: writes.into(), count, reads: reads.into() };
                    }
                    Some(Message::Failed(error)) => return Err(error),
                    Some(_) => {}
                },
                State::Apply { table, writes, count, reads } => {
                    let Some(table) = engine.catalog().table(*table).cloned() else {
                        return Err(Error::new(Kind::SqlValidation, "Failed to validate query. The table was dropped"));
                    };
                    if !reads.iter().all(|read| read.holds(engine.database())) {
                        self.begin_again(service, engine)?;
                        continue;
                    }
                    let action = Action::Change(Arc::clone(writes));
                    let (count, reads) = (*count, Arc::clone(reads));
                    return self.change(table, action, count, &reads, engine, ticket);
                }
                State::Ended => return Err(unexpected()),
            }
        }
    }

    /// Runs a statement of known keys as the table operation that it is.
    fn keyed(&mut self, keyed: &Arc<Keyed>, key: Key, engine: &mut Engine, ticket: Ticket) -> Result<Option<Answer>> {
        let table = Arc::clone(&keyed.table);
        let arguments = &self.options.arguments;
        match &keyed.what {
            What::Select { columns, .. } => {
                let action = Action::Get(smallvec![key]);
                match self.operate(table, action, engine, ticket)? {
                    Outcome::Done(Reply::Rows(rows)) => {
                        let page = keyed.page(rows.first().and_then(Option::as_ref))?;
                        Ok(Some(Answer::Rows { columns: Arc::clone(columns), page, rest: None }))
                    }
                    Outcome::Done(_) => Err(unexpected()),
                    Outcome::Waits => Ok(None),
                }
            }
            What::Delete { .. } => match self.operate(table, Action::Delete(smallvec![key]), engine, ticket)? {
                Outcome::Done(Reply::Skipped(missing)) => Ok(Some(Answer::Count(u64::from(missing.is_empty())))),
                Outcome::Done(_) => Err(unexpected()),
                Outcome::Waits => Ok(None),
            },
            What::Insert { .. } => {
                let writes = keyed.inserts(arguments, &mut engine.rng)?;
                let count = writes.len() as u64;
                self.change(table, Action::Change(writes.into()), count, &[], engine, ticket)
            }
            What::Update { .. } => {
                // The row is locked by the change that follows within this call, or the call is made again.
                let row = visible(self.options.transaction, &table, &key, engine)?;
                let write = row.map(|row| keyed.update(&row, arguments, &mut engine.rng)).transpose()?.flatten();
                let rows = engine.database().rows(table.id);
                let span = (Bound::Included(key.clone()), Bound::Included(key));
                let read = Read { table: table.id, rows, spans: vec![span] };
                let writes: Arc<[Write]> = write.into_iter().collect();
                let count = writes.len() as u64;
                self.change(table, Action::Change(writes), count, &[read], engine, ticket)
            }
        }
    }

    /// Applies a change. `None`: it waits for a row.
    fn change(
        &mut self,
        table: Arc<Table>,
        action: Action,
        count: u64,
        reads: &[Read],
        engine: &mut Engine,
        ticket: Ticket,
    ) -> Result<Option<Answer>> {
        match self.operate(table, action, engine, ticket)? {
            Outcome::Waits => Ok(None),
            Outcome::Done(Reply::Skipped(places)) if !places.is_empty() => Err(duplicate_key()),
            Outcome::Done(_) => {
                self.has_read(engine, reads);
                Ok(Some(Answer::Count(count)))
            }
        }
    }

    fn operate(&mut self, table: Arc<Table>, action: Action, engine: &mut Engine, ticket: Ticket) -> Result<Outcome> {
        let scope = self.options.transaction.map_or(Scope::Single, Scope::In);
        let outcome = execute(engine, scope, ticket, Operation { table, grow: Vec::new(), action })?;
        self.waits = (outcome == Outcome::Waits).then_some(ticket);
        Ok(outcome)
    }

    /// What the statement has read, or was planned for, has changed.
    fn begin_again(&mut self, service: &Service, engine: &mut Engine) -> Result<()> {
        if self.tries >= TRIES_MAX {
            return Err(conflict());
        }
        self.tries += 1;
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(engine.now()));
        self.state = begin(&self.prepared, &self.options, left, service, engine)?;
        Ok(())
    }

    /// A transaction depends on what its queries have read.
    fn has_read(&self, engine: &mut Engine, reads: &[Read]) {
        if let Some(id) = self.options.transaction {
            engine.has_read(id, reads.to_vec());
        }
    }
}

/// `left` is the time that it may still run.
fn begin(
    prepared: &Arc<Prepared>,
    options: &Options,
    left: Option<Duration>,
    service: &Service,
    engine: &mut Engine,
) -> Result<State> {
    let class = prepared.statement().class();
    match class {
        Class::TransactionControl => {
            return Err(match prepared.statement() {
                // Only START TRANSACTION and COMMIT are SQL to Ignite.
                ddl::Statement::Other { what, .. } if what == "ROLLBACK" || what == "BEGIN" => {
                    Error::new(Kind::SqlParse, format!("Failed to parse query: {what} is no statement"))
                }
                _ => control_alone(),
            });
        }
        Class::Ddl if options.transaction.is_some() => {
            return Err(Error::new(Kind::SqlRuntime, "DDL doesn't support transactions."));
        }
        Class::Ddl => {
            check_count(options.arguments.len(), 0)?;
            return Ok(State::Ddl);
        }
        Class::Query | Class::Dml => {}
    }
    let keyed = prepared.keyed(engine.catalog(), &options.schema);
    if let Some(keyed) = keyed
        && prepared.statement().parameters() == options.arguments.len()
        && let Some(key) = keyed.key(&options.arguments)
    {
        if class == Class::Dml {
            keyed.check()?;
            check_can_write(options, engine)?;
        }
        return Ok(State::Keyed { keyed, key, catalog: engine.catalog().edition() });
    }
    let parsed = prepared.parsed()?;
    check_count(options.arguments.len(), prepared.statement().parameters())?;
    if let Some((query, target)) = dml::change(parsed, engine.catalog(), &options.schema)? {
        check_can_write(options, engine)?;
        let job = job(Arc::new(query), prepared, Work::Change(target), options, left, engine)?;
        return Ok(State::Change(service.start(job)?));
    }
    let work = Work::Rows { page_rows: options.page_rows };
    let job = job(Arc::clone(parsed), prepared, work, options, left, engine)?;
    Ok(State::Query { running: service.start(job)?, columns: None })
}

/// A query, over what its transaction sees.
fn job(
    parsed: Arc<Parsed>,
    prepared: &Prepared,
    work: Work,
    options: &Options,
    left: Option<Duration>,
    engine: &mut Engine,
) -> Result<Job> {
    let committed = engine.database().clone();
    let snapshot = snapshot(options.transaction, engine)?;
    let concerned = activity::concerns(prepared.plan_text(), &options.schema);
    Ok(Job {
        parsed,
        text: Arc::clone(prepared.plan_text()),
        shown: Arc::clone(prepared.shown()),
        activity: concerned.then(|| Arc::new(Activity::of(engine))),
        transaction: options.transaction,
        work,
        schema: options.schema.clone(),
        zone: options.zone.clone(),
        user: options.user.clone(),
        arguments: options.arguments.clone(),
        snapshot,
        committed,
        seed: engine.rng.u64(..),
        write_bytes_max: engine.memory_left(),
        timeout: left,
    })
}

/// A row as a statement of this transaction sees it.
fn visible(transaction: Option<TxId>, table: &Table, key: &Key, engine: &Engine) -> Result<Option<Row>> {
    let committed = || engine.database().get(table.id, key).cloned();
    let Some(id) = transaction else { return Ok(committed()) };
    let tx = engine.transactions.get(id).ok_or_else(|| finished(id))?;
    tx.check_alive()?;
    match &tx.state {
        TxState::ReadWrite(writes) => Ok(writes.rows.get(&(table.id, key.clone())).cloned().unwrap_or_else(committed)),
        TxState::ReadOnly(db) => Ok(db.get(table.id, key).cloned()),
        TxState::Dead(error) => Err(error.clone()),
    }
}

fn check_can_write(options: &Options, engine: &Engine) -> Result<()> {
    if options.transaction.is_some_and(|id| is_read_only(id, engine)) {
        return Err(Error::new(Kind::SqlRuntime, "DML cannot be started by using read only transactions."));
    }
    Ok(())
}

/// What a statement of this transaction sees.
fn snapshot(transaction: Option<TxId>, engine: &Engine) -> Result<Database> {
    let Some(id) = transaction else { return Ok(engine.database().clone()) };
    let tx = engine.transactions.get(id).ok_or_else(|| finished(id))?;
    tx.check_alive()?;
    match &tx.state {
        TxState::ReadOnly(db) => Ok((**db).clone()),
        TxState::ReadWrite(writes) => {
            let mut db = engine.database().clone();
            for ((table, key), row) in &writes.rows {
                db.set(*table, key.clone(), row.clone());
            }
            Ok(db)
        }
        TxState::Dead(error) => Err(error.clone()),
    }
}

fn is_read_only(id: TxId, engine: &Engine) -> bool {
    matches!(engine.transactions.get(id).map(|tx| &tx.state), Some(TxState::ReadOnly(_)))
}

fn check_count(given: usize, wanted: usize) -> Result<()> {
    if given == wanted {
        return Ok(());
    }
    Err(Error::new(
        Kind::SqlValidation,
        format!(
            "Failed to validate query. Unexpected number of query parameters. Provided {given} but there is only {wanted} \
             dynamic parameter(s)."
        ),
    ))
}

pub(super) fn control_alone() -> Error {
    Error::new(
        Kind::SqlValidation,
        "Failed to validate query. Transaction control statement can not be executed as an independent statement.",
    )
}

/// A key that is there already.
pub fn duplicate_key() -> Error {
    Error::new(Kind::SqlConstraint, "PK unique constraint is violated")
}

fn conflict() -> Error {
    Error::new(
        Kind::LockConflict,
        format!("the tables that the statement reads changed {TRIES_MAX} times while it ran"),
    )
}

fn unexpected() -> Error {
    Error::new(Kind::Internal, "a statement of another kind")
}
