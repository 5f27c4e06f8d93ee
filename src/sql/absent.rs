//! What stands for the query engine in a build without feature `sql`.

use super::prepared::Texts;
use super::{Job, Message, Wake};
use crate::error::{Error, Kind, Result};
use crate::store::catalog::Catalog;
use crate::store::tx::Ticket;
use crate::value::ColumnType;

/// Refuses queries.
#[derive(Debug)]
pub struct Service {
    /// The statements of texts that came lately.
    pub texts: Texts,
}

impl Service {
    /// A service without an engine.
    pub fn new(_memory: usize, _wake: Wake) -> Self {
        Self { texts: Texts::default() }
    }

    /// Never: without trees there are no jobs.
    ///
    /// # Errors
    /// None.
    pub fn start(&self, job: Job) -> Result<Running> {
        match *job.parsed {}
    }

    /// Finds none.
    pub fn kill(&self, _id: u128) -> bool {
        false
    }
}

/// There is none.
#[derive(Debug)]
pub enum Running {}

impl Running {
    /// Never.
    pub fn poll(&mut self, _ticket: Ticket) -> Option<Message> {
        match *self {}
    }
}

/// Never: without trees nothing is told of parameters.
pub(super) fn infer(parsed: &parse::Parsed, _catalog: &Catalog, _schema: &str) -> Vec<Option<ColumnType>> {
    match *parsed {}
}

/// Never: without trees there are no parameters of queries.
pub(super) fn check_inferred(parsed: &parse::Parsed, _types: &[Option<ColumnType>]) -> Result<()> {
    match *parsed {}
}

/// Trees of statements.
pub mod parse {
    use super::{Error, Kind, Result};
    use sqlparser::tokenizer::TokenWithSpan;

    /// There is none.
    #[derive(Debug, Clone)]
    pub enum Parsed {}

    /// Refuses.
    ///
    /// # Errors
    /// `SqlValidation`, always.
    pub fn parse(_tokens: &[TokenWithSpan]) -> Result<Parsed> {
        Err(Error::new(
            Kind::SqlValidation,
            "Failed to validate query. This server was built without its query engine: it runs DDL and statements that \
             name the whole keys of their rows. Build it with: cargo build --profile release-sql --features sql",
        ))
    }
}

/// Changes.
pub(super) mod dml {
    use super::Result;
    use super::parse::Parsed;
    use crate::store::catalog::Catalog;

    /// There is none.
    #[derive(Debug, Clone)]
    pub enum Target {}

    /// Never.
    pub(in crate::sql) fn change(
        parsed: &Parsed,
        _catalog: &Catalog,
        _schema: &str,
    ) -> Result<Option<(Parsed, Target)>> {
        match *parsed {}
    }
}
