//! The results of a text of statements, for requests that answer them one by one.
//!
//! All statements run before the first result is answered, whether or not a client will ask for the others: as on a real
//! node, a change does not depend on that. A statement that fails ends the text; its error is the last result.

use super::exec::{Answer, Options};
use super::prepared::Texts;
use super::script::{Progress, Script};
use super::takes::Takes;
use super::{Page, ResultColumn, Running, Service};
use crate::config::{SQL_RESULTS_BYTES_MAX, SQL_STATEMENTS_PER_STEP};
use crate::error::{Error, Kind, Result};
use crate::op::ddl::Class;
use crate::store::engine::Engine;
use crate::store::tx::Ticket;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a statement came to.
#[derive(Debug)]
pub enum Outcome {
    /// A change, of so many rows; 0 for DDL and transaction control.
    Count(u64),
    /// Rows.
    Rows {
        /// Their columns.
        columns: Arc<[ResultColumn]>,
        /// The first of them.
        page: Page,
        /// The others, if there are any.
        rest: Option<Rest>,
    },
}

/// The rows of a result that are still to come.
#[derive(Debug)]
pub struct Rest {
    running: Running,
    /// How many may come, where that is limited.
    left: Option<u64>,
}

/// A text that is being run.
#[derive(Debug)]
pub struct Results {
    script: Script,
    /// Rows that one result may have.
    rows_max: Option<u64>,
    outcomes: VecDeque<Result<Outcome>>,
    /// Bytes of their pages.
    bytes: usize,
    /// How many have rows to come.
    open: usize,
}

impl Results {
    /// The statements of a text: one, or `several`. A result ends after `rows_max` rows, if that is given.
    ///
    /// # Errors
    /// `SqlParse`; `SqlValidation` for what is not taken.
    pub fn new(
        text: &str,
        several: bool,
        takes: Takes,
        options: Options,
        rows_max: Option<u64>,
        texts: &Texts,
    ) -> Result<Self> {
        let statements = if several { texts.statements(text)? } else { vec![texts.statement(text)?] };
        if statements.is_empty() {
            return Err(Error::new(Kind::SqlParse, "Failed to parse query: Not a statement"));
        }
        for prepared in &statements {
            let statement = prepared.statement();
            if !several && statement.class() == Class::TransactionControl && options.transaction.is_none() {
                return Err(super::exec::control_alone());
            }
            takes.check(statement.class())?;
        }
        let script = Script::of(statements, options);
        Ok(Self { script, rows_max, outcomes: VecDeque::new(), bytes: 0, open: 0 })
    }

    /// Runs to the end. `None`: it waits, and `ticket` will be woken. Else there is at least one result, and only the last
    /// may be an error. `room` is how many results may have rows to come.
    ///
    /// # Errors
    /// That of the first statement, which leaves nothing to answer.
    pub fn step(
        &mut self,
        service: &Service,
        engine: &mut Engine,
        ticket: Ticket,
        room: usize,
    ) -> Result<Option<VecDeque<Result<Outcome>>>> {
        let mut ended = false;
        for _statement in 0..SQL_STATEMENTS_PER_STEP {
            let outcome = match self.script.advance(service, engine, ticket) {
                Ok(Progress::Waits) => return Ok(None),
                Ok(Progress::Ended) => {
                    ended = true;
                    break;
                }
                Ok(Progress::Answered(answer)) => self.outcome(answer, room),
                Err(error) => Err(error),
            };
            ended = outcome.is_err();
            self.outcomes.push_back(outcome);
            if ended {
                self.script.close(engine);
                break;
            }
        }
        if !ended {
            engine.wake(ticket);
            return Ok(None);
        }
        match self.outcomes.pop_front() {
            Some(Err(error)) => Err(error),
            Some(first) => {
                self.outcomes.push_front(first);
                Ok(Some(std::mem::take(&mut self.outcomes)))
            }
            None => Err(Error::new(Kind::Internal, "a text without statements")),
        }
    }

    /// How many results have rows to come.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Rolls back what the text has open.
    pub fn close(&mut self, engine: &mut Engine) {
        self.script.close(engine);
    }

    fn outcome(&mut self, answer: Answer, room: usize) -> Result<Outcome> {
        let (columns, mut page, running) = match answer {
            Answer::Applied(_) => return Ok(Outcome::Count(0)),
            Answer::Count(count) => return Ok(Outcome::Count(count)),
            Answer::Rows { columns, page, rest } => (columns, page, rest),
        };
        let left = limit(&mut page, self.rows_max)?;
        let rest = running.filter(|_| !page.last).map(|running| Rest { running, left });
        if rest.is_some() {
            if self.open >= room {
                let text = "The connection holds as many open cursors as it may: close some, or read them to the end";
                return Err(Error::new(Kind::LimitExceeded, text));
            }
            self.open += 1;
        }
        self.bytes += page.rows.len();
        if self.bytes > SQL_RESULTS_BYTES_MAX && (!self.outcomes.is_empty() || self.script.has_more()) {
            let text = format!("The results of the script take more than {SQL_RESULTS_BYTES_MAX} bytes");
            return Err(Error::new(Kind::LimitExceeded, text));
        }
        Ok(Outcome::Rows { columns, page, rest })
    }
}

impl Outcome {
    /// Whether rows are still to come.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Rows { rest: Some(_), .. })
    }

    /// Takes the rows that are still to come.
    pub fn take_rest(&mut self) -> Option<Rest> {
        match self {
            Self::Rows { rest, .. } => rest.take(),
            Self::Count(_) => None,
        }
    }
}

impl Rest {
    /// What is left of a query.
    pub fn of(running: Running) -> Self {
        Self { running, left: None }
    }

    /// The next page. `None`: there is none yet, and `ticket` is woken when there is.
    ///
    /// # Errors
    /// What the query failed with.
    pub fn page(&mut self, ticket: Ticket) -> Option<Result<Page>> {
        let page = self.running.page(ticket)?;
        Some(page.and_then(|mut page| {
            self.left = limit(&mut page, self.left)?;
            Ok(page)
        }))
    }
}

/// Ends a page where the limit does; how many rows may follow.
fn limit(page: &mut Page, rows_max: Option<u64>) -> Result<Option<u64>> {
    let Some(rows_max) = rows_max else { return Ok(None) };
    page.cut(usize::try_from(rows_max).unwrap_or(usize::MAX))?;
    Ok(Some(rows_max.saturating_sub(page.count as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::msgpack::Write;

    fn page(rows: &[&[u8]], last: bool) -> Page {
        let mut bytes = Vec::new();
        rows.iter().for_each(|row| bytes.put_bin(row));
        Page { count: rows.len(), rows: bytes, last }
    }

    #[test]
    fn a_page_ends_where_the_limit_does() {
        for (rows_max, rows, left, last) in [
            (None, 3, None, false),
            (Some(5), 3, Some(2), false),
            (Some(3), 3, Some(0), true),
            (Some(2), 2, Some(0), true),
            (Some(0), 0, Some(0), true),
        ] {
            let whole: [&[u8]; 3] = [b"a", b"", b"ccc"];
            let mut cut = page(&whole, false);
            assert_eq!(limit(&mut cut, rows_max), Ok(left));
            assert_eq!(cut, page(&whole[..rows], last), "{rows_max:?}");
        }
    }
}
