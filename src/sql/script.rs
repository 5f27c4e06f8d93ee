//! Several statements, one after the other: a script, or one statement with several rows of parameters.

use super::exec::{Answer, Execution, Options};
use super::{Argument, Service};
use crate::error::{Error, Kind, Result};
use crate::op::ddl::{self, Class, Statement};
use crate::store::engine::Engine;
use crate::store::tx::{Ticket, TxId};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

/// A script of statements, which may open and end transactions of its own.
#[derive(Debug)]
pub struct Script {
    statements: VecDeque<Statement>,
    options: Options,
    current: Option<Execution>,
    /// What START TRANSACTION opened.
    transaction: Option<TxId>,
}

impl Script {
    /// The statements of a text; all of it parses, or none is run.
    ///
    /// # Errors
    /// `SqlParse`.
    pub fn new(text: &str, options: Options) -> Result<Self> {
        Ok(Self { statements: ddl::parse_script(text)?.into(), options, current: None, transaction: None })
    }

    /// Goes on. `None`: it waits, and `ticket` will be woken.
    ///
    /// # Errors
    /// That of the first statement that fails; a transaction the script has open is rolled back.
    pub fn step(&mut self, service: &Service, engine: &mut Engine, ticket: Ticket) -> Result<Option<()>> {
        let ended = self.run(service, engine, ticket);
        if matches!(ended, Ok(Some(())) | Err(_)) {
            self.close(engine);
        }
        ended
    }

    /// Rolls back what the script has open.
    pub fn close(&mut self, engine: &mut Engine) {
        self.current = None;
        if let Some(id) = self.transaction.take() {
            engine.rollback(id);
        }
    }

    fn run(&mut self, service: &Service, engine: &mut Engine, ticket: Ticket) -> Result<Option<()>> {
        loop {
            if let Some(current) = &mut self.current {
                // A query of a script has run when its first page is there; nobody reads it.
                if current.step(service, engine, ticket)?.is_none() {
                    return Ok(None);
                }
                self.current = None;
            }
            let Some(statement) = self.statements.pop_front() else {
                return match self.transaction {
                    None => Ok(Some(())),
                    Some(_) => Err(Error::new(
                        Kind::SqlRuntime,
                        "Transaction block doesn't have a COMMIT statement at the end.",
                    )),
                };
            };
            if let Statement::Other { class: Class::TransactionControl, what, tokens } = &statement {
                self.control(what, tokens.len(), engine)?;
                continue;
            }
            let mut options = self.options.clone();
            options.transaction = self.transaction;
            // A script's parameters belong to the first statement that takes some.
            let wanted = statement.parameters();
            options.arguments.truncate(wanted);
            self.options.arguments.drain(..wanted.min(self.options.arguments.len()));
            self.current = Some(Execution::new(&statement, options, service, engine)?);
        }
    }

    fn control(&mut self, what: &str, tokens: usize, engine: &mut Engine) -> Result<()> {
        match (what, self.transaction) {
            ("START" | "BEGIN", None) => {
                // START TRANSACTION READ ONLY
                let read_only = tokens >= 4 && what == "START";
                self.transaction = Some(engine.begin(read_only, None));
                Ok(())
            }
            ("START" | "BEGIN", Some(_)) => {
                Err(Error::new(Kind::SqlTransactionControl, "Nested transactions are not supported."))
            }
            ("COMMIT", Some(id)) => {
                self.transaction = None;
                engine.commit_transaction(id).map(drop)
            }
            ("ROLLBACK", Some(id)) => {
                self.transaction = None;
                engine.rollback(id);
                Ok(())
            }
            // Without a transaction there is nothing to end.
            _ => Ok(()),
        }
    }
}

/// How long a thread outside the loop rests between two looks at a script that waits.
const WAIT: Duration = Duration::from_millis(1);

/// Tickets of scripts that no connection runs.
static TICKETS: AtomicI64 = AtomicI64::new(1);

/// Runs a script to its end from a thread that may wait. `step` takes the engine to where a step of it is run.
///
/// # Errors
/// That of the first statement that fails, or of `step`.
pub fn run_script(
    text: &str,
    mut step: impl FnMut(Script, Ticket) -> Result<(Script, Result<Option<()>>)>,
) -> Result<()> {
    // No connection has the number 0.
    let ticket = Ticket { connection: 0, request: TICKETS.fetch_add(1, Ordering::Relaxed) };
    let mut script = Script::new(text, Options::default())?;
    loop {
        let (same, ended) = step(script, ticket)?;
        if ended?.is_some() {
            return Ok(());
        }
        script = same;
        thread::park_timeout(WAIT);
    }
}

/// One change with several rows of parameters.
#[derive(Debug)]
pub struct Batch {
    statement: Statement,
    rows: VecDeque<Vec<Argument>>,
    options: Options,
    current: Option<Execution>,
    /// The rows changed by each run so far.
    pub counts: Vec<u64>,
}

impl Batch {
    /// A change to be run once for each of `rows`.
    ///
    /// # Errors
    /// `SqlValidation` for what is no change.
    pub fn new(statement: Statement, rows: Vec<Vec<Argument>>, options: Options) -> Result<Self> {
        if statement.class() != Class::Dml {
            return Err(Error::new(
                Kind::SqlValidation,
                format!(
                    "Failed to validate query. Invalid SQL statement type. Expected [DML] but got {}.",
                    if statement.class() == Class::Ddl { "DDL" } else { "QUERY" }
                ),
            ));
        }
        Ok(Self { statement, rows: rows.into(), options, current: None, counts: Vec::new() })
    }

    /// Goes on. `None`: it waits, and `ticket` will be woken. Afterwards `counts` has a count for every row.
    ///
    /// # Errors
    /// That of the first run that fails; `counts` has those before it.
    pub fn step(&mut self, service: &Service, engine: &mut Engine, ticket: Ticket) -> Result<Option<()>> {
        loop {
            if let Some(current) = &mut self.current {
                match current.step(service, engine, ticket)? {
                    None => return Ok(None),
                    Some(Answer::Count(count)) => self.counts.push(count),
                    Some(_) => self.counts.push(0),
                }
                self.current = None;
            }
            let Some(arguments) = self.rows.pop_front() else { return Ok(Some(())) };
            let options = Options { arguments, ..self.options.clone() };
            self.current = Some(Execution::new(&self.statement, options, service, engine)?);
        }
    }
}
