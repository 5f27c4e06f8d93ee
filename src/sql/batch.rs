//! Changes that are run one after the other and only counted: one statement with several rows of parameters, or several
//! statements.

use super::exec::{Answer, Execution, Options};
use super::prepared::Prepared;
use super::takes::Takes;
use super::{Argument, Service};
use crate::config::SQL_STATEMENTS_PER_STEP;
use crate::error::{Error, Kind, Result};
use crate::store::engine::Engine;
use crate::store::tx::Ticket;
use std::collections::VecDeque;
use std::sync::Arc;

/// A batch that is being run.
#[derive(Debug)]
pub struct Batch {
    takes: Takes,
    /// What the next runs without a text of their own are of.
    prepared: Option<Arc<Prepared>>,
    runs: VecDeque<Run>,
    options: Options,
    current: Option<Execution>,
    /// The rows changed by each run so far.
    pub counts: Vec<u64>,
}

/// One run of a batch.
#[derive(Debug, Default)]
pub struct Run {
    /// Its text, parsed when its turn comes; none for the statement of the run before it.
    pub text: Option<Box<str>>,
    /// Its parameters.
    pub arguments: Vec<Argument>,
}

impl Batch {
    /// A statement to be run once for each of `rows`.
    ///
    /// # Errors
    /// `SqlValidation` for what `takes` does not take.
    pub fn new(prepared: Arc<Prepared>, takes: Takes, rows: Vec<Vec<Argument>>, options: Options) -> Result<Self> {
        takes.check(prepared.statement().class())?;
        let runs = rows.into_iter().map(|arguments| Run { text: None, arguments }).collect();
        Ok(Self { takes, prepared: Some(prepared), runs, options, current: None, counts: Vec::new() })
    }

    /// Statements of their own.
    pub fn of(runs: Vec<Run>, takes: Takes, options: Options) -> Self {
        Self { takes, prepared: None, runs: runs.into(), options, current: None, counts: Vec::new() }
    }

    /// Goes on. `None`: it waits, and `ticket` will be woken. Afterwards `counts` has a count for every run.
    ///
    /// # Errors
    /// That of the first run that fails; `counts` has those before it.
    pub fn step(&mut self, service: &Service, engine: &mut Engine, ticket: Ticket) -> Result<Option<()>> {
        for _run in 0..SQL_STATEMENTS_PER_STEP {
            if let Some(current) = &mut self.current {
                match current.step(service, engine, ticket)? {
                    None => return Ok(None),
                    Some(Answer::Count(count)) => self.counts.push(count),
                    Some(_) => self.counts.push(0),
                }
                self.current = None;
            }
            let Some(Run { text, arguments }) = self.runs.pop_front() else { return Ok(Some(())) };
            if let Some(text) = text {
                let prepared = service.texts.statement(&text)?;
                self.takes.check(prepared.statement().class())?;
                self.prepared = Some(prepared);
            }
            let Some(prepared) = &self.prepared else {
                return Err(Error::new(Kind::Internal, "a batch without a statement"));
            };
            let options = Options { arguments, ..self.options.clone() };
            self.current = Some(Execution::new(prepared, options, service, engine)?);
        }
        engine.wake(ticket);
        Ok(None)
    }

    /// Ends the run at hand before its time.
    pub fn close(&mut self, engine: &mut Engine) {
        if let Some(mut current) = self.current.take() {
            current.cancel(engine);
        }
    }
}
