//! Several statements, one after the other.

use super::Service;
use super::exec::{Answer, Execution, Options};
use super::prepared::{self, Prepared};
use crate::config::SQL_STATEMENTS_PER_STEP;
use crate::error::{Error, Kind, Result};
use crate::op::ddl::{Class, Statement};
use crate::store::engine::Engine;
use crate::store::tx::{Ticket, TxId};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

/// A script of statements, which may open and end transactions of its own unless it runs in one.
#[derive(Debug)]
pub struct Script {
    statements: VecDeque<Arc<Prepared>>,
    options: Options,
    current: Option<Execution>,
    /// What START TRANSACTION opened.
    transaction: Option<TxId>,
}

/// How far a script has come.
#[derive(Debug)]
pub enum Progress {
    /// Its statement waits.
    Waits,
    /// Its statement has run.
    Answered(Answer),
    /// All statements have run.
    Ended,
}

impl Script {
    /// The statements of a text; all of it parses, or none is run.
    ///
    /// # Errors
    /// `SqlParse`.
    pub fn new(text: &str, options: Options) -> Result<Self> {
        Ok(Self::of(prepared::script(text)?, options))
    }

    /// A script of these statements.
    pub fn of(statements: Vec<Arc<Prepared>>, options: Options) -> Self {
        Self { statements: statements.into(), options, current: None, transaction: None }
    }

    /// Runs to the end. `None`: it waits, and `ticket` will be woken.
    ///
    /// # Errors
    /// As [`Self::advance`].
    pub fn step(&mut self, service: &Service, engine: &mut Engine, ticket: Ticket) -> Result<Option<()>> {
        for _statement in 0..SQL_STATEMENTS_PER_STEP {
            match self.advance(service, engine, ticket)? {
                Progress::Waits => return Ok(None),
                // A query of a script has run when its first page is there; nobody reads it.
                Progress::Answered(_) => {}
                Progress::Ended => return Ok(Some(())),
            }
        }
        engine.wake(ticket);
        Ok(None)
    }

    /// Runs the statement at hand. Where it waits, `ticket` will be woken.
    ///
    /// # Errors
    /// That of the statement; a transaction the script has open is rolled back.
    pub fn advance(&mut self, service: &Service, engine: &mut Engine, ticket: Ticket) -> Result<Progress> {
        let progress = self.run(service, engine, ticket);
        if matches!(progress, Ok(Progress::Ended) | Err(_)) {
            self.close(engine);
        }
        progress
    }

    /// Rolls back what the script has open.
    pub fn close(&mut self, engine: &mut Engine) {
        if let Some(mut current) = self.current.take() {
            current.cancel(engine);
        }
        if let Some(id) = self.transaction.take() {
            engine.rollback(id);
        }
    }

    /// Whether a statement is left.
    pub fn has_more(&self) -> bool {
        !self.statements.is_empty()
    }

    fn run(&mut self, service: &Service, engine: &mut Engine, ticket: Ticket) -> Result<Progress> {
        if self.current.is_none() {
            let Some(prepared) = self.statements.pop_front() else {
                return match self.transaction {
                    None => Ok(Progress::Ended),
                    Some(_) => Err(Error::new(
                        Kind::SqlRuntime,
                        "Transaction block doesn't have a COMMIT statement at the end.",
                    )),
                };
            };
            if let Statement::Other { class: Class::TransactionControl, what, tokens } = prepared.statement() {
                self.control(what, tokens.len(), engine)?;
                return Ok(Progress::Answered(Answer::Applied(true)));
            }
            let mut options = self.options.clone();
            options.transaction = self.transaction.or(self.options.transaction);
            // A script's parameters belong to the first statement that takes some. The last one is given all that are
            // left, and refuses those it has no place for.
            let wanted = prepared.statement().parameters();
            if self.has_more() {
                options.arguments.truncate(wanted);
            }
            self.options.arguments.drain(..wanted.min(self.options.arguments.len()));
            self.current = Some(Execution::new(&prepared, options, service, engine)?);
        }
        let Some(current) = &mut self.current else { return Ok(Progress::Waits) };
        let ended = current.step(service, engine, ticket);
        if matches!(ended, Ok(None)) {
            return Ok(Progress::Waits);
        }
        self.current = None;
        ended.map(|answer| answer.map_or(Progress::Waits, Progress::Answered))
    }

    fn control(&mut self, what: &str, tokens: usize, engine: &mut Engine) -> Result<()> {
        if self.options.transaction.is_some() {
            let text = "Transaction control statements are not supported when autocommit mode is disabled";
            return Err(Error::new(Kind::SqlTransactionControl, text));
        }
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
