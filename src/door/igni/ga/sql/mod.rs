//! SQL requests: a connection's running statements and open cursors.
//!
//! A request whose statement waits is run again from its frame; what it has come to is kept here under the request's id.
//! A cursor is a query that has more rows. It lives until its last page is read, it is closed, or the connection ends.

mod columns;
pub mod jdbc;
mod request;

use self::request::Head;
use super::error::put_counts;
use super::request::{optional_text, transaction};
use super::transactions::Resources;
use crate::error::{Error, Kind, Result};
use crate::op::ddl::Class;
use crate::sql::batch::Batch;
use crate::sql::exec::{Answer, Execution};
use crate::sql::results::{Outcome, Rest};
use crate::sql::script::Script;
use crate::sql::takes::Takes;
use crate::sql::{Page, ResultColumn, Service};
use crate::store::engine::Engine;
use crate::store::tx::Ticket;
use crate::value::ColumnType;
use crate::wire::msgpack::{Reader, Write};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The SQL of one connection.
#[derive(Debug)]
pub struct Statements {
    service: Arc<Service>,
    /// Whose connection it is, if clients have to say who they are.
    user: Option<Arc<str>>,
    running: HashMap<i64, Run>,
    cursors: HashMap<i64, Cursor>,
    /// What JDBC connections over this one have.
    jdbc: HashMap<i64, jdbc::Context>,
    /// The counts before the failure of the batch that just failed.
    failed_batch: Option<Vec<u64>>,
}

/// A request that is being run.
#[derive(Debug)]
enum Run {
    One(Box<Execution>),
    Script(Box<Script>),
    Batch(Box<Batch>),
    Jdbc(Box<jdbc::Call>),
    /// The client has called it off.
    Cancelled,
}

/// A result whose client may ask for more.
#[derive(Debug, Default)]
struct Cursor {
    /// Its rows that are still to come.
    rest: Option<Rest>,
    /// The results behind it.
    following: VecDeque<Result<Outcome>>,
}

impl Cursor {
    /// How many queries it keeps; at least 1, for it takes a place itself.
    fn weight(&self) -> usize {
        let following = self.following.iter().filter(|outcome| outcome.as_ref().is_ok_and(Outcome::is_open)).count();
        (usize::from(self.rest.is_some()) + following).max(1)
    }
}

impl Statements {
    /// No statements yet; they will run on `service`.
    pub fn new(user: Option<Arc<str>>, service: Arc<Service>) -> Self {
        let (running, cursors, jdbc) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { service, user, running, cursors, jdbc, failed_batch: None }
    }

    /// Runs one statement. `false`: it waits.
    pub fn execute(
        &mut self,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        resources: &mut Resources,
        ticket: Ticket,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let mut run = match self.take_up(ticket, engine)? {
            Some(Run::One(run)) => run,
            _ => {
                let transaction = transaction(reader)?;
                let head = Head::read(reader)?;
                let arguments = request::arguments(reader)?;
                let prepared = self.service.texts.statement(head.text)?;
                let transaction = transaction.map(|id| resources.alive(id, false, engine)).transpose()?;
                let options = head.options(arguments, transaction, self.user.clone());
                Box::new(Execution::new(&prepared, options, &self.service, engine)?)
            }
        };
        let Some(answer) = run.step(&self.service, engine, ticket)? else {
            self.running.insert(ticket.request, Run::One(run));
            return Ok(false);
        };
        match answer {
            Answer::Applied(applied) => put_answer(out, None, &[], None, applied, -1),
            Answer::Count(count) => put_answer(out, None, &[], None, false, i64::try_from(count).unwrap_or(i64::MAX)),
            Answer::Rows { columns, page, rest } => {
                let cursor = rest.map(|running| {
                    let cursor = Cursor { rest: Some(Rest::of(running)), following: VecDeque::new() };
                    self.open(cursor, resources, engine)
                });
                let cursor = cursor.transpose()?;
                put_answer(out, cursor, &columns, Some(&page), false, -1);
            }
        }
        Ok(true)
    }

    /// Runs a script. `false`: it waits.
    pub fn script(&mut self, reader: &mut Reader<'_>, engine: &mut Engine, ticket: Ticket) -> Result<bool> {
        let mut run = match self.take_up(ticket, engine)? {
            Some(Run::Script(run)) => run,
            _ => {
                let head = Head::read(reader)?;
                let arguments = request::arguments(reader)?;
                Box::new(Script::new(head.text, head.options(arguments, None, self.user.clone()))?)
            }
        };
        match run.step(&self.service, engine, ticket)? {
            Some(()) => Ok(true),
            None => {
                self.running.insert(ticket.request, Run::Script(run));
                Ok(false)
            }
        }
    }

    /// Runs a change for several rows of parameters. `false`: it waits.
    pub fn batch(
        &mut self,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        resources: &Resources,
        ticket: Ticket,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let mut run = match self.take_up(ticket, engine)? {
            Some(Run::Batch(run)) => run,
            _ => {
                let transaction = transaction(reader)?;
                let head = Head::read(reader)?;
                let rows = request::batch(reader)?;
                let transaction = transaction.map(|id| resources.alive(id, false, engine)).transpose()?;
                let options = head.options(Vec::new(), transaction, self.user.clone());
                let texts = &self.service.texts;
                let batch = texts.statement(head.text).and_then(|one| Batch::new(one, Takes::Changes, rows, options));
                Box::new(batch.inspect_err(|_| self.failed_batch = Some(Vec::new()))?)
            }
        };
        match run.step(&self.service, engine, ticket) {
            Ok(Some(())) => {
                out.put_nil();
                for _ in 0..3 {
                    out.put_bool(false);
                }
                put_counts(out, &run.counts);
                Ok(true)
            }
            Ok(None) => {
                self.running.insert(ticket.request, Run::Batch(run));
                Ok(false)
            }
            Err(error) => {
                self.failed_batch = Some(run.counts);
                Err(error)
            }
        }
    }

    /// The counts of a batch that has just failed, told once.
    pub fn take_failed_batch(&mut self) -> Option<Vec<u64>> {
        self.failed_batch.take()
    }

    /// Answers the next page of a cursor. `false`: it waits.
    ///
    /// # Errors
    /// `ResourceNotFound`; whatever the query failed with, which closes it.
    pub fn next_page(&mut self, reader: &mut Reader<'_>, ticket: Ticket, out: &mut Vec<u8>) -> Result<bool> {
        let id = reader.i64()?;
        let Some(page) = self.fetch(id, ticket)? else { return Ok(false) };
        put_page(out, &page);
        out.put_bool(!page.last);
        Ok(true)
    }

    /// The next page of a cursor. `None`: it waits.
    fn fetch(&mut self, id: i64, ticket: Ticket) -> Result<Option<Page>> {
        let cursor = self.cursors.get_mut(&id).ok_or_else(|| super::transactions::not_found(id))?;
        let page = match &mut cursor.rest {
            Some(rest) => rest.page(ticket),
            None => Some(Ok(Page { last: true, ..Page::default() })),
        };
        let Some(page) = page else { return Ok(None) };
        if page.as_ref().map_or(true, |page| page.last) {
            self.close_rows(id);
        }
        page.map(Some)
    }

    /// Closes a cursor; one that is closed already is fine, since clients close what they have read to the end.
    pub fn close_cursor(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        self.cursors.remove(&reader.i64()?);
        Ok(())
    }

    /// Ends a cursor's rows; it stays if there are results behind it.
    fn close_rows(&mut self, id: i64) {
        if let Some(cursor) = self.cursors.get_mut(&id) {
            cursor.rest = None;
            if cursor.following.is_empty() {
                self.cursors.remove(&id);
            }
        }
    }

    /// Calls a request off; one that has ended, or never was, is fine.
    pub fn cancel(&mut self, reader: &mut Reader<'_>, engine: &mut Engine, connection: u64) -> Result<()> {
        self.call_off(Ticket { connection, request: reader.i64()? }, engine);
        Ok(())
    }

    fn call_off(&mut self, ticket: Ticket, engine: &mut Engine) {
        if let Some(run) = self.running.get_mut(&ticket.request) {
            std::mem::replace(run, Run::Cancelled).close(engine);
            engine.wake(ticket);
        }
    }

    /// Describes the result of a statement that it does not run. The Python client asks for it after every statement
    /// without rows and ends its process on an error, so DDL and DML are answered, also when they would fail now.
    pub fn describe(
        &mut self,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        resources: &Resources,
        ticket: Ticket,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let run = match self.take_up(ticket, engine)? {
            Some(Run::One(run)) => run,
            _ => {
                let transaction = transaction(reader)?;
                // Verbatim, unlike the schema of other requests.
                let schema = optional_text(reader)?.unwrap_or(crate::store::catalog::PUBLIC);
                let prepared = self.service.texts.statement(reader.str()?)?;
                let outcome = match prepared.statement().class() {
                    Class::Dml => Some(("ROWCOUNT", ColumnType::Int64)),
                    Class::Ddl => Some(("APPLIED", ColumnType::Boolean)),
                    Class::Query | Class::TransactionControl => None,
                };
                if let Some((name, ty)) = outcome {
                    columns::put_parameters(out, &prepared.parameter_types(engine.catalog(), schema));
                    columns::put_outcome(out, name, ty);
                    return Ok(true);
                }
                let transaction = transaction.map(|id| resources.alive(id, true, engine)).transpose()?;
                Box::new(Execution::describe(&prepared, schema, transaction, &self.service, engine)?)
            }
        };
        self.described(run, engine, ticket, out)
    }

    fn described(
        &mut self,
        mut run: Box<Execution>,
        engine: &mut Engine,
        ticket: Ticket,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        match run.step(&self.service, engine, ticket)? {
            None => {
                self.running.insert(ticket.request, Run::One(run));
                Ok(false)
            }
            Some(Answer::Rows { columns, .. }) => {
                columns::put_parameters(out, &run.parameter_types(engine));
                columns::put(out, &columns);
                Ok(true)
            }
            Some(_) => Err(Error::new(Kind::Internal, "a statement without columns was described")),
        }
    }

    /// The connection is gone: everything ends.
    pub fn close(&mut self, engine: &mut Engine) {
        for (_, run) in self.running.drain() {
            run.close(engine);
        }
        self.cursors.clear();
    }

    /// What a request that has waited has come to; none for a new one, for which there is room.
    ///
    /// # Errors
    /// `Cancelled`; `LimitExceeded`.
    fn take_up(&mut self, ticket: Ticket, engine: &Engine) -> Result<Option<Run>> {
        match self.running.remove(&ticket.request) {
            Some(Run::Cancelled) => Err(cancelled()),
            None => self.check_room(engine).map(|()| None),
            run => Ok(run),
        }
    }

    /// Refuses one more statement where too many of the connection's run already.
    fn check_room(&self, engine: &Engine) -> Result<()> {
        let limit = engine.limits.resources;
        if self.running.len() < limit {
            return Ok(());
        }
        Err(Error::new(Kind::LimitExceeded, format!("The connection runs {limit} statements, which is the limit")))
    }

    /// How many more cursors the connection may hold.
    fn cursors_left(&self, engine: &Engine) -> usize {
        let held: usize = self.cursors.values().map(Cursor::weight).sum();
        let coming: usize = self.running.values().map(Run::open).sum();
        engine.limits.resources.saturating_sub(held + coming)
    }

    fn check_cursors(&self, engine: &Engine) -> Result<()> {
        if self.cursors_left(engine) > 0 {
            return Ok(());
        }
        let limit = engine.limits.resources;
        let text = format!("The connection holds {limit} open cursors, which is the limit");
        Err(Error::new(Kind::LimitExceeded, text))
    }

    fn open(&mut self, cursor: Cursor, resources: &mut Resources, engine: &Engine) -> Result<i64> {
        self.check_cursors(engine)?;
        let id = resources.next_id();
        self.cursors.insert(id, cursor);
        Ok(id)
    }
}

impl Run {
    /// Gives back what it has begun.
    fn close(self, engine: &mut Engine) {
        match self {
            Self::One(mut run) => run.cancel(engine),
            Self::Script(mut script) => script.close(engine),
            Self::Batch(mut batch) => batch.close(engine),
            Self::Jdbc(call) => call.close(engine),
            Self::Cancelled => {}
        }
    }

    /// How many of its results have rows to come.
    fn open(&self) -> usize {
        match self {
            Self::Jdbc(call) => call.open(),
            Self::One(_) | Self::Script(_) | Self::Batch(_) | Self::Cancelled => 0,
        }
    }
}

fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "The query was cancelled while executing.")
}

fn put_answer(
    out: &mut Vec<u8>,
    cursor: Option<i64>,
    columns: &[ResultColumn],
    page: Option<&Page>,
    applied: bool,
    affected: i64,
) {
    match cursor {
        Some(id) => out.put_int(id),
        None => out.put_nil(),
    }
    out.put_bool(page.is_some());
    out.put_bool(page.is_some_and(|page| !page.last));
    out.put_bool(applied);
    out.put_int(affected);
    columns::put(out, columns);
    if let Some(page) = page {
        put_page(out, page);
    }
}

fn put_page(out: &mut Vec<u8>, page: &Page) {
    out.put_int(page.count as i64);
    out.extend_from_slice(&page.rows);
}
