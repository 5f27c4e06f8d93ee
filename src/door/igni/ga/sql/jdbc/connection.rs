//! The contexts of JDBC connections: what they keep on the server, and calling their statements off.

use super::super::{Run, Statements};
use super::put_success;
use crate::config::NAME_BYTES_MAX;
use crate::door::igni::ga::request::optional_text;
use crate::door::igni::ga::transactions::{Resources, not_found};
use crate::error::{Error, Kind, Result};
use crate::store::engine::Engine;
use crate::store::tx::{Ticket, TxId};
use crate::wire::msgpack::{Reader, Write};

/// What one `java.sql.Connection` has here.
#[derive(Debug)]
pub struct Context {
    /// The resource id of the transaction that its statements without auto-commit share.
    transaction: Option<i64>,
    /// The id of its time zone.
    zone: Option<String>,
}

impl Statements {
    /// Opens a context.
    pub(super) fn jdbc_connect(
        &mut self,
        reader: &mut Reader<'_>,
        engine: &Engine,
        resources: &mut Resources,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let zone = optional_text(reader)?;
        if let Some(long) = zone.filter(|zone| zone.len() > NAME_BYTES_MAX) {
            let text = format!("A time-zone ID of {} bytes, the limit is {NAME_BYTES_MAX}", long.len());
            return Err(Error::new(Kind::LimitExceeded, text));
        }
        let limit = engine.limits.resources;
        if self.jdbc.len() >= limit {
            let text = format!("The connection holds {limit} JDBC connections, which is the limit");
            return Err(Error::new(Kind::LimitExceeded, text));
        }
        let id = resources.next_id();
        self.jdbc.insert(id, Context { transaction: None, zone: zone.map(str::to_owned) });
        put_success(out);
        out.put_int(id);
        Ok(true)
    }

    /// Ends the transaction of a context, if it has one.
    pub(super) fn jdbc_finish(
        &mut self,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        resources: &mut Resources,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let (id, commit) = (reader.i64()?, reader.bool()?);
        let transaction = self.context(id)?.transaction.take();
        match transaction {
            Some(transaction) if commit => resources.commit(transaction, engine)?,
            Some(transaction) => resources.rollback(transaction, engine)?,
            None => {}
        }
        put_success(out);
        Ok(true)
    }

    /// Calls a statement off; one that has ended, or never was, is fine.
    pub(super) fn jdbc_cancel(
        &mut self,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        connection: u64,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let (id, token) = (reader.i64()?, reader.i64()?);
        let meant = |run: &Run| matches!(run, Run::Jdbc(call) if call.connection == id && call.token == token);
        let request = self.running.iter().find(|(_, run)| meant(run)).map(|(request, _)| *request);
        if let Some(request) = request {
            self.call_off(Ticket { connection, request }, engine);
        }
        put_success(out);
        Ok(true)
    }

    /// The transaction of a context's statement; it begins with the first one without auto-commit.
    ///
    /// # Errors
    /// `ResourceNotFound`; that the transaction is over.
    pub(super) fn jdbc_transaction(
        &mut self,
        id: i64,
        auto_commit: bool,
        resources: &mut Resources,
        engine: &mut Engine,
    ) -> Result<Option<TxId>> {
        let context = self.context(id)?;
        if auto_commit {
            return Ok(None);
        }
        let transaction = match context.transaction {
            Some(transaction) => transaction,
            None => *context.transaction.insert(resources.open(false, None, engine)?),
        };
        resources.alive(transaction, false, engine).map(Some)
    }

    /// The time zone of a context.
    pub(super) fn jdbc_zone(&self, id: i64) -> Option<String> {
        self.jdbc.get(&id).and_then(|context| context.zone.clone())
    }

    fn context(&mut self, id: i64) -> Result<&mut Context> {
        self.jdbc.get_mut(&id).ok_or_else(|| not_found(id))
    }
}
