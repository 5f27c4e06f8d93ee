//! Batches over JDBC: several texts, or one with several rows of parameters.

use super::super::{Run, Statements, request};
use super::{Call, SUCCESS, Work, put_success};
use crate::door::igni::ga::error::put_counts;
use crate::door::igni::ga::request::optional_text;
use crate::door::igni::ga::transactions::Resources;
use crate::error::{Error, Kind, Result};
use crate::op::ddl::default_schema;
use crate::sql::batch::{self, Batch};
use crate::sql::exec::Options;
use crate::sql::takes::Takes;
use crate::store::engine::Engine;
use crate::store::tx::Ticket;
use crate::wire::msgpack::{Reader, Write};

impl Statements {
    /// Runs a batch. `false`: it waits. What ran before a failure stays, and is counted in the answer.
    pub(super) fn jdbc_batch(
        &mut self,
        prepared: bool,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        resources: &mut Resources,
        ticket: Ticket,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let mut call = match self.take_up(ticket, engine)? {
            Some(Run::Jdbc(call)) => call,
            _ => Box::new(self.read_batch(prepared, reader, engine, resources)?),
        };
        let Work::Batch(batch) = &mut call.work else {
            return Err(Error::new(Kind::Internal, "a statement in the place of a batch"));
        };
        match batch.step(&self.service, engine, ticket) {
            Ok(Some(())) => {
                put_success(out);
                out.put_int(SUCCESS);
                put_counts(out, &batch.counts);
                Ok(true)
            }
            Ok(None) => {
                self.running.insert(ticket.request, Run::Jdbc(call));
                Ok(false)
            }
            Err(error) => {
                self.failed_batch = Some(std::mem::take(&mut batch.counts));
                Err(error)
            }
        }
    }

    fn read_batch(
        &mut self,
        prepared: bool,
        reader: &mut Reader<'_>,
        engine: &mut Engine,
        resources: &mut Resources,
    ) -> Result<Call> {
        let (connection, auto_commit) = (reader.i64()?, reader.bool()?);
        let schema = default_schema(optional_text(reader)?.filter(|name| !name.is_empty()));
        let text = if prepared { Some(reader.str()?) } else { None };
        let count = request::batch_count(reader)?;
        let (mut rows, mut runs) = (Vec::new(), Vec::new());
        for _run in 0..count {
            match prepared {
                true => rows.push(request::arguments(reader)?),
                false => runs.push(batch::Run { text: Some(reader.str()?.into()), arguments: Vec::new() }),
            }
        }
        let (timeout, token) = (request::duration(reader.i64()?), reader.i64()?);
        let transaction = self.jdbc_transaction(connection, auto_commit, resources, engine)?;
        let (zone, user) = (self.jdbc_zone(connection), self.user.clone());
        let options = Options { schema, zone, user, timeout, transaction, ..Options::default() };
        let batch = match text {
            Some(text) => Batch::new(self.service.texts.statement(text)?, Takes::Updates, rows, options)?,
            None => Batch::of(runs, Takes::Updates, options),
        };
        Ok(Call { connection, token, work: Work::Batch(batch) })
    }
}
