//! SQL: queries and changes of rows over the database value.
//!
//! ```text
//! text ─► op::ddl (tokens; DDL is run there) ─► prepared ─► keyed (a table operation) ───────────────► exec (steps of a
//!                                                  └─► parse (tree) ─► dml (what a change reads) ─► statement) ─► query
//! ```
//!
//! `parse`, `dml` and `query` are feature `sql`.
//!
//! A statement runs in steps on the event loop, as every request does: a step that has to wait leaves its ticket and is
//! taken up again. Whatever takes time, planning and running a query, happens in `query` on other threads, over a
//! snapshot. A change (INSERT, UPDATE, DELETE, MERGE) is a query for the rows it is about, whose result is applied by the
//! loop as one commit, with the locks of any other write. What the query read must still be so at that moment; if it is
//! not, a single statement is run again, and a transaction that has read all of a table finds out when it commits.

pub mod activity;
pub mod assign;
pub mod batch;
#[cfg(feature = "sql")]
mod calls;
#[cfg(feature = "sql")]
mod dialect;
#[cfg(feature = "sql")]
mod dml;
pub mod exec;
pub mod keyed;
#[cfg(feature = "sql")]
mod literals;
pub mod metadata;
#[cfg(feature = "sql")]
mod names;
#[cfg(feature = "sql")]
mod normal;
#[cfg(feature = "sql")]
pub mod parse;
pub mod prepared;
#[cfg(feature = "sql")]
mod quantified;
#[cfg(feature = "sql")]
pub mod query;
#[cfg(feature = "sql")]
mod refuse;
pub mod results;
pub mod row;
pub mod script;
#[cfg(feature = "sql")]
mod subqueries;
pub mod takes;
#[cfg(feature = "sql")]
mod with;

#[cfg(not(feature = "sql"))]
mod absent;

#[cfg(not(feature = "sql"))]
use absent::dml;
#[cfg(not(feature = "sql"))]
pub use absent::{Running, Service, parse};
#[cfg(not(feature = "sql"))]
use absent::{check_inferred, infer};
#[cfg(feature = "sql")]
use query::infer::{check as check_inferred, parameters as infer};
#[cfg(feature = "sql")]
pub use query::service::{Running, Service};

#[cfg(feature = "sql")]
pub use dml::Source;
pub use dml::Target;

use crate::error::{Error, Kind, Result};
use crate::op::tuple::Write;
use crate::store::database::{Database, Read};
use crate::store::tx::{Ticket, TxId};
use crate::value::{ColumnType, UNLIMITED, Value};
use crate::wire::msgpack::Reader;
use std::sync::Arc;
use std::time::Duration;

/// Runs a parked request again; called on any thread.
pub type Wake = Arc<dyn Fn(Ticket) + Send + Sync>;

/// A parameter's value, with the type its client gave it; no type for a bare null.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// The type.
    pub ty: Option<ColumnType>,
    /// The value.
    pub value: Value<'static>,
}

/// The type of a decimal parameter of so many digits: at least DECIMAL(28, 6), which is what a client of Ignite 3.1.0 is
/// told of one.
pub fn decimal_argument(digits: u32, scale: i32) -> ColumnType {
    let own = u32::try_from(scale).unwrap_or(0);
    let digits = digits.saturating_add(scale.min(0).unsigned_abs());
    let scale = own.max(6);
    ColumnType::Decimal { precision: digits.saturating_add(scale - own).max(scale + 1).max(28), scale }
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// Its type; none for a bare NULL.
    pub ty: Option<ColumnType>,
    /// Whether it may be null.
    pub nullable: bool,
    /// The column of a table that it shows, if it shows one.
    pub origin: Option<Origin>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The table's schema.
    pub schema: Arc<str>,
    /// The table.
    pub table: Arc<str>,
    /// The column.
    pub column: Arc<str>,
}

/// Some rows of a result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// How many.
    pub count: usize,
    /// Each as a msgpack binary that holds a binary tuple.
    pub rows: Vec<u8>,
    /// Whether no rows follow.
    pub last: bool,
}

impl Page {
    /// Lets go of the rows behind the first `rows`; where there are so many, no rows follow.
    ///
    /// # Errors
    /// `Internal` for a page that is not as it says.
    pub fn cut(&mut self, rows: usize) -> Result<()> {
        if self.count < rows {
            return Ok(());
        }
        let mut reader = Reader::new(&self.rows);
        for _row in 0..rows {
            reader.bin().map_err(|error| Error::new(Kind::Internal, error.message))?;
        }
        let bytes = reader.position();
        self.rows.truncate(bytes);
        (self.count, self.last) = (rows, true);
        Ok(())
    }
}

/// What a change comes to.
#[derive(Debug, Clone)]
pub struct Changes {
    /// The table's id.
    pub table: u32,
    /// The rows.
    pub writes: Vec<Write>,
    /// The rows a client is told of.
    pub count: u64,
    /// What was read.
    pub reads: Vec<Read>,
}

/// What a query is run for.
#[derive(Debug, Clone)]
pub enum Work {
    /// Its rows, in pages.
    Rows {
        /// Rows of a page.
        page_rows: usize,
    },
    /// The change that its rows are the source of.
    Change(Target),
    /// Its columns.
    Describe,
}

/// A query to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// The query.
    pub parsed: Arc<parse::Parsed>,
    /// Its text, by which its plan is kept.
    pub text: Arc<str>,
    /// Its text as its client wrote it.
    pub shown: Arc<str>,
    /// What goes on, if it may ask for that.
    pub activity: Option<Arc<activity::Activity>>,
    /// The explicit transaction that it belongs to.
    pub transaction: Option<TxId>,
    /// What for.
    pub work: Work,
    /// The schema of unqualified names.
    pub schema: String,
    /// The id of the time zone of local times; none is UTC.
    pub zone: Option<String>,
    /// Who runs it, if clients have to say who they are.
    pub user: Option<Arc<str>>,
    /// The parameters.
    pub arguments: Vec<Argument>,
    /// What it reads: the committed value with the writes of its transaction.
    pub snapshot: Database,
    /// The committed value alone.
    pub committed: Database,
    /// Where random values start from.
    pub seed: u64,
    /// Bytes of rows that a change may come to.
    pub write_bytes_max: u64,
    /// How long it may run.
    pub timeout: Option<Duration>,
}

/// What a running query says.
#[derive(Debug, Clone)]
pub enum Message {
    /// What it reads.
    Reads(Vec<Read>),
    /// The columns of its rows.
    Columns(Arc<[ResultColumn]>),
    /// Some rows.
    Page(Page),
    /// The change it came to.
    Changes(Changes),
    /// It failed, and ended.
    Failed(Error),
}

impl Running {
    /// The next page. `None`: there is none yet, and `ticket` is woken when there is.
    ///
    /// # Errors
    /// What the query failed with.
    pub fn page(&mut self, ticket: Ticket) -> Option<Result<Page>> {
        loop {
            match self.poll(ticket)? {
                Message::Page(page) => return Some(Ok(page)),
                Message::Failed(error) => return Some(Err(error)),
                Message::Reads(_) | Message::Columns(_) | Message::Changes(_) => {}
            }
        }
    }
}

/// The result of EXPLAIN.
pub fn explain_columns() -> Arc<[ResultColumn]> {
    let ty = Some(ColumnType::String { length: UNLIMITED });
    Arc::new([ResultColumn { name: "PLAN".into(), ty, nullable: true, origin: None }])
}
