//! Tuple operations: from the frame to an [`Action`], and from its [`Reply`] to the answer.
//!
//! Rows travel as bytes both ways. An answer names the schema version its rows are packed for before the rows.

use super::opcode::Opcode;
use super::request::{self, RawTuple};
use super::tables;
use super::transactions::Resources;
use crate::error::{Error, Kind, Result};
use crate::op::exec::{self, Operation, Outcome, Scope};
use crate::op::resolve::Resolver;
use crate::op::tuple::{Action, Many, NewTuple, Reply};
use crate::store::catalog::Table;
use crate::store::engine::Engine;
use crate::store::key::Key;
use crate::store::row::Row;
use crate::store::tx::Ticket;
use crate::wire::msgpack::{Reader, Write};
use std::sync::Arc;

/// What an answer needs of a request whose action keeps the rest.
enum Echo<'a> {
    Nothing,
    /// Key tuples, as they came.
    Keys(Vec<RawTuple<'a>>),
    Rows(Vec<Row>),
}

/// Runs a tuple operation and appends its answer. `false`: it waits for a lock, and nothing was appended.
pub fn run(
    op: Opcode,
    reader: &mut Reader<'_>,
    engine: &mut Engine,
    resources: &Resources,
    ticket: Ticket,
    out: &mut Vec<u8>,
) -> Result<bool> {
    let table_id = reader.clone().i64()?;
    let table = tables::by_id(reader, engine.catalog());
    let scope = match request::transaction(reader)? {
        None => Scope::Single,
        Some(id) => {
            let tx = resources.alive(id, reads(op), engine)?;
            if table.is_err() {
                resources.check_dropped(id, table_id, engine)?;
            }
            Scope::In(tx)
        }
    };
    let table = table?;
    let sent_version = reader.i32()?;
    check_version(&table, sent_version, takes_full_rows(op))?;
    let (action, echo) = action(op, reader, &table, engine)?;
    finish(op, engine, scope, ticket, table, action, &echo, out)
}

/// Runs a batch of a data stream, which upserts and deletes outside of any transaction.
pub fn stream(reader: &mut Reader<'_>, engine: &mut Engine, ticket: Ticket, out: &mut Vec<u8>) -> Result<bool> {
    let table = tables::by_id(reader, engine.catalog())?;
    let _partition = reader.i32()?;
    let deleted = if reader.nil_if_next()? { &[] } else { request::bit_set(reader)? };
    let sent_version = reader.i32()?;
    check_version(&table, sent_version, true)?;
    let count = request::batch_count(reader)?;
    let mut rows = Vec::with_capacity(count);
    let mut resolver = Resolver::new(table.newest());
    for index in 0..count {
        let raw = request::tuple(reader)?;
        rows.push(match request::bit(deleted, index) {
            true => (key(&mut resolver, &raw)?, None),
            false => {
                let NewTuple { key, row } = full(&mut resolver, raw, engine)?;
                (key, Some(row))
            }
        });
    }
    let op = Opcode::StreamerBatchSend;
    finish(op, engine, Scope::Single, ticket, table, Action::Stream(rows), &Echo::Nothing, out)
}

#[expect(clippy::too_many_arguments, reason = "the two callers' common tail")]
fn finish(
    op: Opcode,
    engine: &mut Engine,
    scope: Scope,
    ticket: Ticket,
    table: Arc<Table>,
    action: Action,
    echo: &Echo<'_>,
    out: &mut Vec<u8>,
) -> Result<bool> {
    let version = table.newest().version;
    let operation = Operation { table, grow: Vec::new(), action };
    match exec::execute(engine, scope, ticket, operation)? {
        Outcome::Waits => Ok(false),
        Outcome::Done(reply) => {
            out.put_int(version.into());
            put_reply(op, reply, echo, out);
            Ok(true)
        }
    }
}

/// A full row is packed for one version and nothing else; a key is the same in every version, so a key of an older one
/// is taken.
fn check_version(table: &Table, sent: i32, full_rows: bool) -> Result<()> {
    let current = table.newest().version;
    let fits = if full_rows { sent == current } else { (1..=current).contains(&sent) };
    if fits {
        return Ok(());
    }
    Err(Error::new(
        Kind::SchemaVersionMismatch { current },
        format!("Schema version mismatch of table {}: expected {current}, but got {sent}", table.qualified_name()),
    ))
}

fn reads(op: Opcode) -> bool {
    matches!(op, Opcode::TupleGet | Opcode::TupleGetAll | Opcode::TupleContainsKey | Opcode::TupleContainsAllKeys)
}

fn takes_full_rows(op: Opcode) -> bool {
    !matches!(
        op,
        Opcode::TupleGet
            | Opcode::TupleGetAll
            | Opcode::TupleDelete
            | Opcode::TupleDeleteAll
            | Opcode::TupleGetAndDelete
            | Opcode::TupleContainsKey
            | Opcode::TupleContainsAllKeys
    )
}

/// Reads the tuples of a request, as what is to be done with them.
fn action<'a>(op: Opcode, reader: &mut Reader<'a>, table: &Table, engine: &mut Engine) -> Result<(Action, Echo<'a>)> {
    let mut resolver = Resolver::new(table.newest());
    let mut one_row = |reader: &mut Reader<'a>| full(&mut resolver, request::tuple(reader)?, engine);
    let action = match op {
        Opcode::TupleUpsert => Action::Upsert(one(one_row(reader)?)),
        Opcode::TupleInsert => Action::Insert(one(one_row(reader)?)),
        Opcode::TupleDeleteExact => Action::DeleteExact(one(one_row(reader)?)),
        Opcode::TupleReplace => Action::Replace(one_row(reader)?),
        Opcode::TupleGetAndUpsert => Action::GetAndUpsert(one_row(reader)?),
        Opcode::TupleGetAndReplace => Action::GetAndReplace(one_row(reader)?),
        Opcode::TupleReplaceExact => {
            let (old, new) = (one_row(reader)?, one_row(reader)?);
            Action::ReplaceExact { old, new }
        }
        Opcode::TupleUpsertAll => Action::Upsert(all_rows(reader, &mut resolver, engine)?),
        Opcode::TupleInsertAll => {
            let rows = all_rows(reader, &mut resolver, engine)?;
            let echo = Echo::Rows(rows.iter().map(|t| t.row.clone()).collect());
            return Ok((Action::Insert(rows), echo));
        }
        Opcode::TupleDeleteAllExact => {
            let rows = all_rows(reader, &mut resolver, engine)?;
            let echo = Echo::Rows(rows.iter().map(|t| t.row.clone()).collect());
            return Ok((Action::DeleteExact(rows), echo));
        }
        Opcode::TupleGet => Action::Get(one(key(&mut resolver, &request::tuple(reader)?)?)),
        Opcode::TupleContainsKey => Action::Contains(one(key(&mut resolver, &request::tuple(reader)?)?)),
        Opcode::TupleDelete => Action::Delete(one(key(&mut resolver, &request::tuple(reader)?)?)),
        Opcode::TupleGetAndDelete => Action::GetAndDelete(key(&mut resolver, &request::tuple(reader)?)?),
        Opcode::TupleGetAll => Action::Get(all_keys(reader, &mut resolver)?.0),
        Opcode::TupleContainsAllKeys => Action::Contains(all_keys(reader, &mut resolver)?.0),
        Opcode::TupleDeleteAll => {
            let (keys, raw) = all_keys(reader, &mut resolver)?;
            return Ok((Action::Delete(keys), Echo::Keys(raw)));
        }
        _ => return Err(Error::new(Kind::Internal, format!("{op:?} is no tuple operation"))),
    };
    Ok((action, Echo::Nothing))
}

fn one<T>(item: T) -> Many<T> {
    let mut many = Many::new();
    many.push(item);
    many
}

fn full(resolver: &mut Resolver<'_>, raw: RawTuple<'_>, engine: &mut Engine) -> Result<NewTuple> {
    resolver.binary(|column| request::bit(raw.no_value, column), raw.bytes, &mut engine.rng)
}

fn key(resolver: &mut Resolver<'_>, raw: &RawTuple<'_>) -> Result<Key> {
    resolver.binary_key(|column| request::bit(raw.no_value, column), raw.bytes)
}

fn all_rows(reader: &mut Reader<'_>, resolver: &mut Resolver<'_>, engine: &mut Engine) -> Result<Many<NewTuple>> {
    let count = request::batch_count(reader)?;
    let mut rows = Many::with_capacity(count);
    for _ in 0..count {
        rows.push(full(resolver, request::tuple(reader)?, engine)?);
    }
    Ok(rows)
}

fn all_keys<'a>(reader: &mut Reader<'a>, resolver: &mut Resolver<'_>) -> Result<(Many<Key>, Vec<RawTuple<'a>>)> {
    let raw = request::tuples(reader)?;
    let keys = raw.iter().map(|tuple| key(resolver, tuple)).collect::<Result<_>>()?;
    Ok((keys, raw))
}

fn put_reply(op: Opcode, reply: Reply, echo: &Echo<'_>, out: &mut Vec<u8>) {
    match reply {
        Reply::Done => {}
        Reply::Bool(yes) => out.put_bool(yes),
        Reply::Row(row) => put_row(out, row.as_ref()),
        Reply::Rows(rows) if op == Opcode::TupleGetAll => {
            out.put_int(rows.len() as i64);
            for row in &rows {
                out.put_bool(row.is_some());
                if let Some(row) = row {
                    out.put_bin(row.tuple());
                }
            }
        }
        Reply::Rows(rows) => put_row(out, rows.first().and_then(Option::as_ref)),
        Reply::Skipped(places) => match echo {
            Echo::Nothing => out.put_bool(places.is_empty()),
            Echo::Keys(keys) => put_skipped(out, &places, |i| keys.get(i).map(|raw| raw.bytes)),
            Echo::Rows(rows) => put_skipped(out, &places, |i| rows.get(i).map(Row::tuple)),
        },
    }
}

fn put_row(out: &mut Vec<u8>, row: Option<&Row>) {
    match row {
        Some(row) => out.put_bin(row.tuple()),
        None => out.put_nil(),
    }
}

fn put_skipped<'r>(out: &mut Vec<u8>, places: &[usize], item: impl Fn(usize) -> Option<&'r [u8]>) {
    out.put_int(places.len() as i64);
    for &place in places {
        out.put_bin(item(place).unwrap_or_default());
    }
}
