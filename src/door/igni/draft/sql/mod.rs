//! The SQL family, which JDBC used.
//!
//! Every answer begins with whether there are results, a status and a text; the envelope's status stays success, where
//! these clients do not look for errors. A request answers the results of all statements of its text at once, each with
//! its first rows. A result keeps its number after its last row: a client asks for its columns whenever it likes.

mod metadata;
mod values;

use super::opcode::SqlOp;
use super::{Step, check_answer};
use crate::config::{BATCH_ROWS_MAX, SQL_ENDED_RESULTS_MAX, SQL_PAGE_ROWS_MAX};
use crate::error::{Error, Kind, Result};
use crate::op::ddl::default_schema;
use crate::sql::batch::{self, Batch};
use crate::sql::exec::Options;
use crate::sql::prepared::Texts;
use crate::sql::results::{Outcome, Rest, Results};
use crate::sql::takes::Takes;
use crate::sql::{Page, ResultColumn, Service};
use crate::store::engine::Engine;
use crate::store::tx::Ticket;
use crate::wire::msgpack::{Reader, Write};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The status inside an answer: success, and failure of any kind.
const SUCCESS: i64 = 0;
const FAILED: i64 = 1;
/// The count of a result that has rows.
const NO_COUNT: i64 = -1;

/// The SQL of one connection.
#[derive(Debug)]
pub struct Sql {
    service: Arc<Service>,
    /// Whose connection it is, if clients have to say who they are.
    user: Option<Arc<str>>,
    running: HashMap<i64, Run>,
    /// Results that have rows to come.
    cursors: HashMap<i64, Cursor>,
    /// The newest of those that have none, oldest first.
    ended: VecDeque<(i64, Arc<[ResultColumn]>)>,
    /// The last number that was given to a result.
    last: i64,
}

#[derive(Debug)]
enum Run {
    Results(Box<Results>),
    Batch(Box<Batch>),
}

#[derive(Debug)]
struct Cursor {
    columns: Arc<[ResultColumn]>,
    rest: Rest,
}

impl Sql {
    /// No statements yet; they will run on `service`.
    pub fn new(user: Option<Arc<str>>, service: Arc<Service>) -> Self {
        Self { service, user, running: HashMap::new(), cursors: HashMap::new(), ended: VecDeque::new(), last: 0 }
    }

    /// Runs an operation.
    ///
    /// # Errors
    /// `Protocol` for what cannot be read; other failures are answered here.
    pub fn run(
        &mut self,
        op: SqlOp,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        ticket: Ticket,
        out: &mut Vec<u8>,
    ) -> Result<Step> {
        let start = out.len();
        let ran = match op {
            SqlOp::Exec => self.execute(reader, engine, ticket, out),
            SqlOp::Next => self.next_page(reader, engine, ticket, out),
            SqlOp::ExecBatch => self.batch(reader, engine, ticket, out),
            SqlOp::CursorClose => self.close_cursor(reader, out),
            SqlOp::TableMeta => metadata::tables(reader, engine, out),
            SqlOp::ColumnMeta => metadata::columns(reader, engine, out),
            SqlOp::SchemasMeta => metadata::schemas(reader, engine, out),
            SqlOp::PrimaryKeyMeta => metadata::keys(reader, engine, out),
            SqlOp::QueryMeta => self.describe(reader, engine, out),
        };
        match ran {
            Err(error) if error.kind != Kind::Protocol => {
                out.truncate(start);
                put_failure(out, &error);
                Ok(Step::Answered)
            }
            ran => ran,
        }
    }

    /// The connection is gone: everything ends.
    pub fn close(&mut self, engine: &mut Engine) {
        for (_, run) in self.running.drain() {
            match run {
                Run::Results(mut results) => results.close(engine),
                Run::Batch(mut batch) => batch.close(engine),
            }
        }
        self.cursors.clear();
    }

    fn execute(
        &mut self,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        ticket: Ticket,
        out: &mut Vec<u8>,
    ) -> Result<Step> {
        let mut results = match self.running.remove(&ticket.request) {
            Some(Run::Results(results)) => results,
            _ => {
                self.check_room(engine)?;
                Box::new(read_text(reader, self.user.clone(), &self.service.texts)?)
            }
        };
        let coming = self.running.values().map(|run| if let Run::Results(results) = run { results.open() } else { 0 });
        let held = self.cursors.len() + coming.sum::<usize>();
        let room = engine.limits.resources.saturating_sub(held);
        let Some(outcomes) = results.step(&self.service, engine, ticket, room)? else {
            self.running.insert(ticket.request, Run::Results(results));
            return Ok(Step::Waits);
        };
        put_success(out);
        out.put_array(outcomes.len());
        for outcome in outcomes {
            match outcome {
                Ok(outcome) => self.put_result(outcome, out)?,
                Err(error) => put_failure(out, &error),
            }
            check_answer(out, engine.limits.frame_bytes, "rows")?;
        }
        Ok(Step::Answered)
    }

    fn put_result(&mut self, outcome: Outcome, out: &mut Vec<u8>) -> Result<()> {
        self.last += 1;
        put_success(out);
        out.put_int(self.last);
        match outcome {
            Outcome::Count(count) => {
                out.put_bool(false);
                out.put_int(i64::try_from(count).unwrap_or(i64::MAX));
                out.put_bool(true);
                out.put_array(0);
            }
            Outcome::Rows { columns, page, rest } => {
                out.put_bool(true);
                out.put_int(NO_COUNT);
                put_page(out, &page, &columns)?;
                match rest {
                    Some(rest) => drop(self.cursors.insert(self.last, Cursor { columns, rest })),
                    None => self.end(self.last, columns),
                }
            }
        }
        Ok(())
    }

    fn next_page(
        &mut self,
        reader: &mut Reader<'_>,
        engine: &Engine,
        ticket: Ticket,
        out: &mut Vec<u8>,
    ) -> Result<Step> {
        let id = reader.i64()?;
        // The pages of a result have as many rows as its first one.
        fetch_size(reader)?;
        let Some(cursor) = self.cursors.get_mut(&id) else {
            self.columns(id)?;
            put_success(out);
            put_page(out, &Page { last: true, ..Page::default() }, &[])?;
            return Ok(Step::Answered);
        };
        let Some(page) = cursor.rest.page(ticket) else { return Ok(Step::Waits) };
        let columns = Arc::clone(&cursor.columns);
        if page.as_ref().map_or(true, |page| page.last) {
            self.cursors.remove(&id);
            self.end(id, Arc::clone(&columns));
        }
        put_success(out);
        put_page(out, &page?, &columns)?;
        check_answer(out, engine.limits.frame_bytes, "rows")?;
        Ok(Step::Answered)
    }

    fn batch(
        &mut self,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        ticket: Ticket,
        out: &mut Vec<u8>,
    ) -> Result<Step> {
        let mut batch = match self.running.remove(&ticket.request) {
            Some(Run::Batch(batch)) => batch,
            _ => {
                self.check_room(engine)?;
                Box::new(read_batch(reader, self.user.clone())?)
            }
        };
        if batch.step(&self.service, engine, ticket)?.is_none() {
            self.running.insert(ticket.request, Run::Batch(batch));
            return Ok(Step::Waits);
        }
        put_success(out);
        out.put_array(batch.counts.len());
        batch.counts.iter().for_each(|&count| out.put_int(i32::try_from(count).unwrap_or(i32::MAX).into()));
        Ok(Step::Answered)
    }

    fn close_cursor(&mut self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<Step> {
        let id = reader.i64()?;
        // Changes have numbers, too, and an ended result may be forgotten.
        if !(1..=self.last).contains(&id) {
            return Err(no_cursor(id));
        }
        self.cursors.remove(&id);
        self.ended.retain(|(ended, _)| *ended != id);
        put_success(out);
        Ok(Step::Answered)
    }

    fn describe(&self, reader: &mut Reader<'_>, engine: &Engine, out: &mut Vec<u8>) -> Result<Step> {
        let columns = self.columns(reader.i64()?)?;
        metadata::put_columns(columns, engine, out)
    }

    fn columns(&self, id: i64) -> Result<&[ResultColumn]> {
        let ended = || self.ended.iter().find(|(ended, _)| *ended == id).map(|(_, columns)| columns);
        let columns = self.cursors.get(&id).map(|cursor| &cursor.columns).or_else(ended);
        columns.map(|columns| &**columns).ok_or_else(|| no_cursor(id))
    }

    fn end(&mut self, id: i64, columns: Arc<[ResultColumn]>) {
        if self.ended.len() >= SQL_ENDED_RESULTS_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back((id, columns));
    }

    fn check_room(&self, engine: &Engine) -> Result<()> {
        let limit = engine.limits.resources;
        if self.running.len() < limit {
            return Ok(());
        }
        Err(Error::new(Kind::LimitExceeded, format!("The connection runs {limit} statements, which is the limit")))
    }
}

/// Reads a text of statements and how to run them.
fn read_text(reader: &mut Reader<'_>, user: Option<Arc<str>>, texts: &Texts) -> Result<Results> {
    let schema = schema(reader)?;
    let page_rows = fetch_size(reader)?;
    let rows_max = u64::try_from(reader.i64()?).ok().filter(|rows| *rows > 0);
    let text = reader.str()?;
    let arguments = values::arguments(reader)?;
    let most = rows_max.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(usize::MAX);
    let options = Options { schema, user, page_rows: page_rows.min(most), arguments, ..Options::default() };
    Results::new(text, true, Takes::Any, options, rows_max, texts)
}

/// Reads a batch: texts with their parameters, where nil stands for the text before.
fn read_batch(reader: &mut Reader<'_>, user: Option<Arc<str>>) -> Result<Batch> {
    let schema = schema(reader)?;
    let count = reader.array()?;
    if count > BATCH_ROWS_MAX {
        let text = format!("The batch has {count} rows, the limit is {BATCH_ROWS_MAX}");
        return Err(Error::new(Kind::LimitExceeded, text));
    }
    let mut runs = Vec::new();
    for _run in 0..count {
        let text = if reader.nil_if_next()? { None } else { Some(reader.str()?.into()) };
        runs.push(batch::Run { text, arguments: values::arguments(reader)? });
    }
    Ok(Batch::of(runs, Takes::Updates, Options { schema, user, ..Options::default() }))
}

/// Reads the schema of unqualified names.
fn schema(reader: &mut Reader<'_>) -> Result<String> {
    let name = if reader.nil_if_next()? { None } else { Some(reader.str()?) };
    Ok(default_schema(name.filter(|name| !name.is_empty())))
}

/// Reads how many rows a page has; a larger one than there may be is not asked for twice.
fn fetch_size(reader: &mut Reader<'_>) -> Result<usize> {
    let rows = reader.i64()?;
    match usize::try_from(rows) {
        Ok(n) if n > 0 => Ok(n.min(SQL_PAGE_ROWS_MAX)),
        _ => Err(Error::new(Kind::InvalidArgument, format!("Invalid fetch size : [fetchSize={rows}]"))),
    }
}

fn no_cursor(id: i64) -> Error {
    Error::new(Kind::ResourceNotFound, format!("Failed to find query cursor with ID: {id}"))
}

fn put_success(out: &mut Vec<u8>) {
    out.put_bool(true);
    out.put_int(SUCCESS);
    out.put_nil();
}

fn put_failure(out: &mut Vec<u8>, error: &Error) {
    out.put_bool(false);
    out.put_int(FAILED);
    out.put_str(&error.message);
}

/// Appends whether a page is the last one, and its rows.
fn put_page(out: &mut Vec<u8>, page: &Page, columns: &[ResultColumn]) -> Result<()> {
    out.put_bool(page.last);
    values::put_rows(out, page, columns)
}
