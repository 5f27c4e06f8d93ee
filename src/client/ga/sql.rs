//! Statements, scripts and batches.

use super::argument::{check, put_list, put_row};
use super::columns::{read_columns, read_parameters};
use super::error::read_integers;
use super::transaction::{self, milliseconds};
use super::{Argument, Client, ColumnMeta, Parameter, SqlResult, Tx};
use crate::client::error::{Error, Result};
use crate::door::igni::ga::opcode::Opcode;
use crate::wire::msgpack::Write as _;
use std::time::Duration;

/// The schema of names that name none.
const SCHEMA: &str = "PUBLIC";

/// How a statement runs.
#[derive(Debug, Clone, Default)]
pub struct SqlOptions {
    /// The schema of names that name none, as an identifier; `None` is PUBLIC.
    pub schema: Option<String>,
    /// Rows of a page at most; `None` leaves it to the server.
    pub page_size: Option<u32>,
    /// After this long the server cancels the statement.
    pub timeout: Option<Duration>,
    /// The time zone of the session, such as `Europe/Oslo`; `None` is the server's.
    pub time_zone: Option<String>,
    /// The transaction to run in; `None` is one of its own.
    pub tx: Option<Tx>,
}

/// What a statement takes and answers, without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// The columns of its rows; of DML and DDL, one that tells the effect.
    pub columns: Vec<ColumnMeta>,
}

impl SqlOptions {
    /// The same in a transaction.
    pub fn within(self, tx: Tx) -> Self {
        Self { tx: Some(tx), ..self }
    }

    fn schema(&self) -> &str {
        self.schema.as_deref().unwrap_or(SCHEMA)
    }

    /// Appends the fields from the schema to the text.
    fn put(&self, out: &mut Vec<u8>, text: &str) {
        out.put_str(self.schema());
        match self.page_size {
            Some(rows) => out.put_uint(rows.into()),
            None => out.put_nil(),
        }
        out.put_int(self.timeout.map_or(0, milliseconds));
        // The session's timeout, which nobody uses.
        out.put_nil();
        match &self.time_zone {
            Some(zone) => out.put_str(zone),
            None => out.put_nil(),
        }
        // No properties: a binary tuple without elements.
        out.put_int(0);
        out.put_bin(&[0]);
        out.put_str(text);
    }
}

impl Client {
    /// Runs one statement.
    ///
    /// # Errors
    /// The server refuses it or it fails ([`Error::Ga`]), or the connection does.
    pub fn sql(&mut self, text: &str, arguments: &[Argument], options: &SqlOptions) -> Result<SqlResult> {
        check(arguments)?;
        let observed = self.observed;
        let answer = self.call(Opcode::SqlExec, |out| {
            transaction::put(out, options.tx);
            options.put(out, text);
            put_list(out, arguments);
            out.put_int(observed);
        })?;
        SqlResult::read(&mut answer.reader())
    }

    /// Runs statements that are separated by semicolons, one after the other, for their effect only.
    ///
    /// # Errors
    /// As [`Client::sql`], for the first that fails; what the earlier ones did stays. Scripts manage transactions by
    /// their own statements, so `options.tx` must be `None`.
    pub fn script(&mut self, text: &str, arguments: &[Argument], options: &SqlOptions) -> Result<()> {
        if options.tx.is_some() {
            return Err(Error::Usage("a script cannot run in a transaction of the client".into()));
        }
        check(arguments)?;
        let observed = self.observed;
        self.call(Opcode::SqlExecScript, |out| {
            options.put(out, text);
            put_list(out, arguments);
            out.put_int(observed);
        })
        .map(drop)
    }

    /// Runs one statement once per list of arguments; the rows that each one affected.
    ///
    /// # Errors
    /// As [`Client::sql`]; the error of the server has the counters of what succeeded. All lists must be equally long.
    pub fn batch(&mut self, text: &str, lists: &[Vec<Argument>], options: &SqlOptions) -> Result<Vec<i64>> {
        let width = lists.first().map_or(0, Vec::len);
        if lists.iter().any(|list| list.len() != width) {
            return Err(Error::Usage(format!("the first list of the batch has {width} arguments, another has not")));
        }
        lists.iter().try_for_each(|list| check(list))?;
        let observed = self.observed;
        let answer = self.call(Opcode::SqlExecBatch, |out| {
            transaction::put(out, options.tx);
            options.put(out, text);
            out.put_uint(width as u64);
            out.put_uint(lists.len() as u64);
            // A flag that means nothing to servers.
            out.put_bool(false);
            lists.iter().for_each(|list| put_row(out, list));
            out.put_int(observed);
        })?;
        let mut reader = answer.reader();
        // No cursor, no rows, no pages, nothing applied.
        for _ in 0..4 {
            reader.skip()?;
        }
        read_integers(&mut reader)
    }

    /// What a statement takes and answers. It is not run.
    ///
    /// # Errors
    /// The server refuses the statement, or the connection fails.
    pub fn describe(&mut self, text: &str, options: &SqlOptions) -> Result<Description> {
        let answer = self.call(Opcode::SqlQueryMeta, |out| {
            transaction::put(out, options.tx);
            out.put_str(options.schema());
            out.put_str(text);
        })?;
        let mut reader = answer.reader();
        Ok(Description { parameters: read_parameters(&mut reader)?, columns: read_columns(&mut reader)? })
    }
}
