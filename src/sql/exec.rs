//! One statement, step by step on the event loop.

use super::dml;
use super::parse::{self, Parsed};
use super::{Argument, Changes, Job, Message, Page, ResultColumn, Running, Service, Work};
use crate::error::{Error, Kind, Result};
use crate::op::ddl::{self, Class};
use crate::op::exec::{Operation, Outcome, Scope, execute};
use crate::op::tuple::{Action, Reply, Write};
use crate::store::catalog::PUBLIC;
use crate::store::database::{Database, Read};
use crate::store::engine::Engine;
use crate::store::tx::{State as TxState, Ticket, TxId, finished};
use crate::value::Value;
use sqlparser::tokenizer::TokenWithSpan;
use std::sync::Arc;
use std::time::Duration;

/// How often a change is run again because what it read has changed, before that is an error.
const TRIES_MAX: u32 = 100;

/// How a statement is to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The schema of unqualified names.
    pub schema: String,
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
        Self { schema: PUBLIC.into(), page_rows: 1, timeout: None, transaction: None, arguments: Vec::new() }
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
    options: Options,
    state: State,
    parameters: usize,
}

#[derive(Debug)]
enum State {
    Ddl(Box<ddl::Statement>),
    /// `columns` come before the first page.
    Query {
        running: Running,
        columns: Option<Arc<[ResultColumn]>>,
    },
    Describe(Running),
    /// Before a change's query runs, and while it does.
    Change {
        source: Arc<Change>,
        running: Option<Running>,
        tries: u32,
    },
    Apply {
        source: Arc<Change>,
        table: u32,
        writes: Arc<[Write]>,
        count: u64,
        reads: Vec<Read>,
        tries: u32,
    },
}

#[derive(Debug)]
struct Change {
    parsed: Parsed,
    text: Arc<str>,
}

impl Execution {
    /// Begins a statement.
    ///
    /// # Errors
    /// `SqlParse`, `SqlValidation`; `SqlRuntime` for DDL in a transaction.
    pub fn new(statement: &ddl::Statement, options: Options, service: &Service, engine: &mut Engine) -> Result<Self> {
        let state = match statement {
            ddl::Statement::Other { class: Class::Query | Class::Dml, tokens, .. } => {
                let parsed = parse::parse(tokens)?;
                let text = plan_text(tokens);
                check_count(options.arguments.len(), parsed.parameters)?;
                if dml::is_change(&parsed) {
                    State::Change { source: Arc::new(Change { parsed, text }), running: None, tries: 0 }
                } else {
                    let work = Work::Rows { page_rows: options.page_rows };
                    let job = job(Arc::new(parsed), text, work, &options, engine)?;
                    State::Query { running: service.start(job)?, columns: None }
                }
            }
            ddl::Statement::Other { class: Class::TransactionControl, .. } => {
                return Err(control_alone());
            }
            statement => {
                if options.transaction.is_some() {
                    return Err(Error::new(Kind::SqlRuntime, "DDL doesn't support transactions."));
                }
                check_count(options.arguments.len(), 0)?;
                State::Ddl(Box::new(statement.clone()))
            }
        };
        Ok(Self { options, state, parameters: statement.parameters() })
    }

    /// Begins a query that is not run, for its columns: it answers rows, but none.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn describe(
        statement: &ddl::Statement,
        schema: &str,
        transaction: Option<TxId>,
        service: &Service,
        engine: &mut Engine,
    ) -> Result<Self> {
        let ddl::Statement::Other { class: Class::Query, tokens, .. } = statement else { return Err(control_alone()) };
        let parsed = parse::parse(tokens)?;
        let arguments = vec![Argument { ty: None, value: Value::Null }; parsed.parameters];
        let options = Options { schema: schema.to_owned(), page_rows: 1, timeout: None, transaction, arguments };
        let job = job(Arc::new(parsed), plan_text(tokens), Work::Describe, &options, engine)?;
        Ok(Self { options, state: State::Describe(service.start(job)?), parameters: statement.parameters() })
    }

    /// How many parameters the statement has.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Goes on. `None`: it waits, and `ticket` will be woken.
    ///
    /// # Errors
    /// Whatever ends the statement. What fails while it runs takes its read-write transaction with it, as on a real node.
    pub fn step(&mut self, service: &Service, engine: &mut Engine, ticket: Ticket) -> Result<Option<Answer>> {
        let ended = self.go_on(service, engine, ticket);
        if let (Err(error), Some(id)) = (&ended, self.options.transaction)
            && matches!(error.kind, Kind::SqlRuntime | Kind::SqlConstraint | Kind::Cancelled | Kind::OutOfMemory)
            && !is_read_only(id, engine)
        {
            engine.kill(id, finished(id));
        }
        ended
    }

    fn go_on(&mut self, service: &Service, engine: &mut Engine, ticket: Ticket) -> Result<Option<Answer>> {
        loop {
            match &mut self.state {
                State::Ddl(statement) => {
                    return ddl::run(engine, statement, &self.options.schema)
                        .map(|applied| Some(Answer::Applied(applied)));
                }
                State::Query { running, columns } => match running.poll(ticket) {
                    None => return Ok(None),
                    Some(Message::Reads(reads)) => self.has_read(engine, reads),
                    Some(Message::Columns(found)) => *columns = Some(found),
                    Some(Message::Page(page)) => {
                        let columns = columns.take().unwrap_or_default();
                        let State::Query { running, .. } = std::mem::replace(&mut self.state, ended()) else {
                            continue;
                        };
                        let rest = (!page.last).then_some(running);
                        return Ok(Some(Answer::Rows { columns, page, rest }));
                    }
                    Some(Message::Failed(error)) => return Err(error),
                    Some(Message::Changes(_)) => return Err(unexpected()),
                },
                State::Describe(running) => match running.poll(ticket) {
                    None => return Ok(None),
                    Some(Message::Columns(columns)) => {
                        return Ok(Some(Answer::Rows { columns, page: Page::default(), rest: None }));
                    }
                    Some(Message::Failed(error)) => return Err(error),
                    Some(_) => return Err(unexpected()),
                },
                State::Change { source, running: running @ None, .. } => {
                    let schema = &self.options.schema;
                    let (query, target) =
                        dml::change(&source.parsed, engine.catalog(), schema)?.ok_or_else(unexpected)?;
                    if self.options.transaction.is_some_and(|id| is_read_only(id, engine)) {
                        let text = "DML cannot be started by using read only transactions.";
                        return Err(Error::new(Kind::SqlRuntime, text));
                    }
                    let job =
                        job(Arc::new(query), Arc::clone(&source.text), Work::Change(target), &self.options, engine)?;
                    *running = Some(service.start(job)?);
                }
                State::Change { source, running: Some(running), tries } => match running.poll(ticket) {
                    None => return Ok(None),
                    Some(Message::Changes(Changes { table, writes, count, reads })) => {
                        let (source, tries) = (Arc::clone(source), *tries);
                        self.state = State::Apply { source, table, writes: writes.into(), count, reads, tries };
                    }
                    Some(Message::Failed(error)) => return Err(error),
                    Some(_) => {}
                },
                State::Apply { source, table, writes, count, reads, tries } => {
                    let Some(table) = engine.catalog().table(*table).cloned() else {
                        return Err(Error::new(Kind::SqlValidation, "Failed to validate query. The table was dropped"));
                    };
                    if !reads.iter().all(|read| read.holds(engine.database())) {
                        if *tries >= TRIES_MAX {
                            return Err(conflict());
                        }
                        self.state = State::Change { source: Arc::clone(source), running: None, tries: *tries + 1 };
                        continue;
                    }
                    let scope = self.options.transaction.map_or(Scope::Single, Scope::In);
                    let operation = Operation { table, grow: Vec::new(), action: Action::Change(Arc::clone(writes)) };
                    let answer = Answer::Count(*count);
                    match execute(engine, scope, ticket, operation)? {
                        Outcome::Waits => return Ok(None),
                        Outcome::Done(Reply::Skipped(places)) if !places.is_empty() => return Err(duplicate_key()),
                        Outcome::Done(_) => {
                            let reads = std::mem::take(reads);
                            self.has_read(engine, reads);
                            return Ok(Some(answer));
                        }
                    }
                }
            }
        }
    }

    /// A transaction depends on what its queries have read.
    fn has_read(&self, engine: &mut Engine, reads: Vec<Read>) {
        if let Some(id) = self.options.transaction {
            engine.has_read(id, reads);
        }
    }
}

/// What a statement's plan is kept by: its tokens, whatever stood between them.
fn plan_text(tokens: &[TokenWithSpan]) -> Arc<str> {
    let mut text = String::new();
    for token in tokens {
        // The text of a token tells its kind: names and literals keep their quotes.
        text.push_str(&token.token.to_string());
        text.push(' ');
    }
    text.into()
}

/// A query, over what its transaction sees.
fn job(parsed: Arc<Parsed>, text: Arc<str>, work: Work, options: &Options, engine: &mut Engine) -> Result<Job> {
    let committed = engine.database().clone();
    let snapshot = snapshot(options.transaction, engine)?;
    Ok(Job {
        parsed,
        text,
        work,
        schema: options.schema.clone(),
        arguments: options.arguments.clone(),
        snapshot,
        committed,
        seed: engine.rng.u64(..),
        write_bytes_max: engine.memory_left(),
        timeout: options.timeout,
    })
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

fn ended() -> State {
    State::Ddl(Box::new(ddl::Statement::Other { class: Class::Query, what: String::new(), tokens: Vec::new() }))
}
