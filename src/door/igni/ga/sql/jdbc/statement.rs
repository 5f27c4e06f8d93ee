//! Statements over JDBC, their results, and the rows of these.

use super::super::{Cursor, Run, Statements, put_page, request};
use super::{Call, Described, Work, put_success};
use crate::config::SQL_PAGE_ROWS_MAX;
use crate::door::igni::ga::request::optional_text;
use crate::door::igni::ga::transactions::Resources;
use crate::error::{Error, Kind, Result};
use crate::op::ddl::default_schema;
use crate::sql::Argument;
use crate::sql::exec::Options;
use crate::sql::prepared::Texts;
use crate::sql::results::{Outcome, Results};
use crate::sql::takes::Takes;
use crate::store::engine::Engine;
use crate::store::tx::Ticket;
use crate::wire::msgpack::{Reader, Write};
use std::collections::VecDeque;
use std::time::Duration;

/// A text to run.
#[derive(Debug)]
struct Execute<'a> {
    connection: i64,
    auto_commit: bool,
    takes: Takes,
    schema: Option<&'a str>,
    page_rows: usize,
    rows_max: Option<u64>,
    text: &'a str,
    several: bool,
    arguments: Vec<Argument>,
    timeout: Option<Duration>,
    token: i64,
}

impl<'a> Execute<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let (connection, auto_commit) = (reader.i64()?, reader.bool()?);
        let takes = match reader.i64()? {
            0 => Takes::Any,
            1 => Takes::Rows,
            2 => Takes::Updates,
            other => return Err(Error::new(Kind::InvalidArgument, format!("Unknown JDBC statement type: {other}"))),
        };
        let schema = optional_text(reader)?;
        let page_rows = fetch_size(reader)?;
        let rows_max = u64::try_from(reader.i64()?).ok().filter(|rows| *rows > 0);
        let (text, several) = (reader.str()?, reader.bool()?);
        let arguments = request::arguments(reader)?;
        let (timeout, token) = (request::duration(reader.i64()?), reader.i64()?);
        Ok(Self {
            connection,
            auto_commit,
            takes,
            schema,
            page_rows,
            rows_max,
            text,
            several,
            arguments,
            timeout,
            token,
        })
    }

    /// The call; `options` tell what the connection has.
    fn into_call(self, options: Options, texts: &Texts) -> Result<Call> {
        let page_rows = self.rows_max.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(usize::MAX);
        let options = Options {
            schema: default_schema(self.schema.filter(|name| !name.is_empty())),
            page_rows: page_rows.min(self.page_rows),
            timeout: self.timeout,
            arguments: self.arguments,
            ..options
        };
        let results = Results::new(self.text, self.several, self.takes, options, self.rows_max, texts)?;
        Ok(Call { connection: self.connection, token: self.token, work: Work::Results(results) })
    }
}

impl Statements {
    /// Runs a text and answers its first result. `false`: it waits.
    pub(super) fn jdbc_execute(
        &mut self,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        resources: &mut Resources,
        ticket: Ticket,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let mut call = match self.take_up(ticket, engine)? {
            Some(Run::Jdbc(call)) => call,
            _ => {
                let execute = Execute::read(reader)?;
                if execute.several {
                    self.check_cursors(engine)?;
                }
                let transaction = self.jdbc_transaction(execute.connection, execute.auto_commit, resources, engine)?;
                let options = Options {
                    zone: self.jdbc_zone(execute.connection),
                    user: self.user.clone(),
                    transaction,
                    ..Options::default()
                };
                Box::new(execute.into_call(options, &self.service.texts)?)
            }
        };
        let room = self.cursors_left(engine);
        let Work::Results(results) = &mut call.work else {
            return Err(Error::new(Kind::Internal, "a batch in the place of a statement"));
        };
        match results.step(&self.service, engine, ticket, room)? {
            Some(outcomes) => self.put_result(outcomes, resources, out),
            None => {
                self.running.insert(ticket.request, Run::Jdbc(call));
                Ok(false)
            }
        }
    }

    /// Answers the next result of a text; the cursor of the one before is closed.
    pub(super) fn jdbc_more_results(
        &mut self,
        reader: &mut Reader<'_>,
        resources: &mut Resources,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let id = reader.i64()?;
        fetch_size(reader)?;
        let cursor = self.cursors.remove(&id).ok_or_else(|| no_cursor(id))?;
        self.put_result(cursor.following, resources, out)
    }

    /// Answers the next page of a result. `false`: it waits.
    pub(super) fn jdbc_next(&mut self, reader: &mut Reader<'_>, ticket: Ticket, out: &mut Vec<u8>) -> Result<bool> {
        let id = reader.i64()?;
        // The pages of a cursor have as many rows as its first one.
        fetch_size(reader)?;
        if !self.cursors.contains_key(&id) {
            return Err(no_cursor(id));
        }
        let Some(page) = self.fetch(id, ticket)? else { return Ok(false) };
        put_success(out);
        out.put_bool(page.last);
        put_page(out, &page);
        Ok(true)
    }

    /// Closes a cursor, or only its rows where the results behind it are still wanted.
    pub(super) fn jdbc_close(
        &mut self,
        reader: &mut Reader<'_>,
        resources: &Resources,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let (id, remove) = (reader.i64()?, reader.bool()?);
        // A cursor ends with its last page, and the driver closes it after that.
        if !resources.was_given(id) {
            return Err(no_cursor(id));
        }
        match remove {
            true => drop(self.cursors.remove(&id)),
            false => self.close_rows(id),
        }
        put_success(out);
        Ok(true)
    }

    /// Answers the first of some results; a cursor keeps the others, and its own rows that are to come.
    fn put_result(
        &mut self,
        mut outcomes: VecDeque<Result<Outcome>>,
        resources: &mut Resources,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let Some(first) = outcomes.pop_front() else {
            return Err(Error::new(Kind::InvalidArgument, "There are no more results"));
        };
        let mut first = first?;
        let (rest, has_next) = (first.take_rest(), !outcomes.is_empty());
        put_success(out);
        if rest.is_some() || has_next {
            let id = resources.next_id();
            self.cursors.insert(id, Cursor { rest, following: outcomes });
            out.put_int(id);
        } else {
            out.put_nil();
        }
        match first {
            Outcome::Count(count) => {
                out.put_bool(false);
                out.put_bool(has_next);
                out.put_int(i64::try_from(count).unwrap_or(i64::MAX));
            }
            Outcome::Rows { columns, page, .. } => {
                out.put_bool(true);
                out.put_bool(has_next);
                out.put_bool(!page.last);
                out.put_int(columns.len() as i64);
                columns.iter().for_each(|column| Described::of(column).put(out));
                put_page(out, &page);
            }
        }
        Ok(true)
    }
}

/// Reads how many rows a page has, as a driver says it; a larger page than there may be is not asked for twice.
fn fetch_size(reader: &mut Reader<'_>) -> Result<usize> {
    let rows = reader.i64()?;
    match usize::try_from(rows) {
        Ok(n) if n > 0 => Ok(n.min(SQL_PAGE_ROWS_MAX)),
        _ => Err(Error::new(Kind::InvalidArgument, format!("Invalid fetch size [fetchSize={rows}]"))),
    }
}

fn no_cursor(id: i64) -> Error {
    Error::new(Kind::ResourceNotFound, format!("Failed to find query cursor [curId={id}]"))
}
