//! What stands for the query engine in a build without feature `sql`.

use super::{Job, Message, Wake};
use crate::error::{Error, Kind, Result};
use crate::store::tx::Ticket;

/// Refuses queries.
#[derive(Debug)]
pub struct Service;

impl Service {
    /// A service without an engine.
    pub fn new(_memory: usize, _wake: Wake) -> Self {
        Self
    }

    /// Refuses.
    ///
    /// # Errors
    /// `SqlValidation`, always.
    pub fn start(&self, _job: Job) -> Result<Running> {
        Err(Error::new(
            Kind::SqlValidation,
            "Failed to validate query. This server was built without its query engine: it runs DDL and statements of one \
             key. Build it with: cargo build --release --features sql",
        ))
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
