//! From the tuples of a request to an action, and from its reply to an answer; the same for both forms of tuples.
//!
//! A [`Source`] reads tuples in one form. Repeated tuples of a bulk operation count once, as they do on a real server,
//! which keeps them in sets; unlike there, their order is kept.

use super::codec;
use super::opcode::{Action, Answer, Columns};
use super::{Step, check_answer, tables};
use crate::config::BATCH_ROWS_MAX;
use crate::error::{Error, Kind, Result};
use crate::op::exec::{Operation, Outcome, Scope, execute};
use crate::op::tuple::{Action as Run, Many, NewTuple, Reply};
use crate::store::catalog::Table;
use crate::store::column::Column;
use crate::store::engine::Engine;
use crate::store::key::Key;
use crate::store::row::Row;
use crate::store::schema::Schema;
use crate::store::tx::Ticket;
use crate::wire::msgpack::{Reader, Write};
use smallvec::smallvec;
use std::collections::HashSet;
use std::hash::Hash;

/// Reads the tuples of one request.
pub trait Source<'a> {
    /// The next tuple.
    fn tuple(&mut self) -> Result<NewTuple>;
    /// The next key.
    fn key(&mut self) -> Result<Key>;
    /// How many tuples follow, each of at least so many bytes.
    fn count(&mut self, columns: Columns) -> Result<usize>;
    /// What has not been read yet.
    fn rest(&self) -> &'a [u8];
    /// Whether skipped tuples are answered by the bytes they were sent in.
    const ECHOES_BYTES: bool;
}

/// The tuples of a bulk request, for an answer that returns some of them.
#[derive(Debug)]
pub enum Sent<'a> {
    /// There is no such answer.
    Unneeded,
    /// As rows of the newest schema version.
    Rows(Vec<Row>),
    /// As the bytes they were sent in.
    Bytes(Vec<&'a [u8]>),
}

/// Reads what an action needs.
///
/// # Errors
/// Those of the source.
pub fn read<'a, S: Source<'a>>(action: Action, source: &mut S) -> Result<(Run, Sent<'a>)> {
    let run = match action {
        Action::Get => Run::Get(smallvec![source.key()?]),
        Action::Delete => Run::Delete(smallvec![source.key()?]),
        Action::GetAndDelete => Run::GetAndDelete(source.key()?),
        Action::ContainsKey => Run::Contains(smallvec![source.key()?]),
        Action::GetAll => Run::Get(keys(source)?.0),
        Action::DeleteAll => {
            let (keys, sent) = keys(source)?;
            return Ok((Run::Delete(keys), sent));
        }
        Action::Upsert => Run::Upsert(smallvec![source.tuple()?]),
        Action::GetAndUpsert => Run::GetAndUpsert(source.tuple()?),
        Action::Insert => Run::Insert(smallvec![source.tuple()?]),
        Action::Replace => Run::Replace(source.tuple()?),
        Action::ReplaceExact => Run::ReplaceExact { old: source.tuple()?, new: source.tuple()? },
        Action::GetAndReplace => Run::GetAndReplace(source.tuple()?),
        Action::DeleteExact => Run::DeleteExact(smallvec![source.tuple()?]),
        // The last of several tuples with one key stays, also where an earlier one comes again.
        Action::UpsertAll => Run::Upsert(all(source)?),
        Action::InsertAll => {
            let (tuples, sent) = tuples(source)?;
            return Ok((Run::Insert(tuples), sent));
        }
        Action::DeleteAllExact => {
            let (tuples, sent) = tuples(source)?;
            return Ok((Run::DeleteExact(tuples), sent));
        }
    };
    Ok((run, Sent::Unneeded))
}

/// Runs an action and writes its answer.
///
/// # Errors
/// Those of running it; an answer that would be larger than a frame may be.
pub fn execute_and_answer(
    engine: &mut Engine,
    ticket: Ticket,
    operation: Operation,
    sent: &Sent<'_>,
    answer: Answer,
    out: &mut Vec<u8>,
) -> Result<Step> {
    let id = operation.table.id;
    let Outcome::Done(reply) = execute(engine, Scope::Single, ticket, operation)? else { return Ok(Step::Waits) };
    let table = engine.catalog().table(id).ok_or_else(|| tables::unknown_id(id))?;
    let bytes_max = out.len() + engine.limits.frame_bytes;
    put_answer(out, table.newest(), answer, &reply, sent, bytes_max)?;
    Ok(Step::Answered)
}

/// Appends what an answer carries.
fn put_answer(
    out: &mut Vec<u8>,
    schema: &Schema,
    answer: Answer,
    reply: &Reply,
    sent: &Sent<'_>,
    bytes_max: usize,
) -> Result<()> {
    match (answer, reply) {
        (Answer::Nothing, Reply::Done) => {}
        (Answer::Bool, Reply::Bool(yes)) => out.put_bool(*yes),
        (Answer::Bool, Reply::Skipped(places)) => out.put_bool(places.is_empty()),
        (Answer::OptionalTuple(columns), Reply::Row(row)) => put_optional(out, schema, row.as_ref(), columns)?,
        (Answer::OptionalTuple(columns), Reply::Rows(rows)) => {
            put_optional(out, schema, rows.first().and_then(Option::as_ref), columns)?;
        }
        (Answer::OptionalTuples(columns), Reply::Rows(rows)) => {
            let found = rows.iter().flatten();
            put_tuples_header(out, schema, found.clone().count());
            for row in found {
                put_columns(out, schema, row, columns)?;
                check_answer(out, bytes_max, "rows")?;
            }
        }
        (Answer::OptionalTuples(columns), Reply::Skipped(places)) => {
            put_tuples_header(out, schema, places.len());
            for &place in places {
                match sent {
                    Sent::Rows(rows) => match rows.get(place) {
                        Some(row) => put_columns(out, schema, row, columns)?,
                        None => return Err(mismatch()),
                    },
                    Sent::Bytes(bytes) => out.extend_from_slice(bytes.get(place).ok_or_else(mismatch)?),
                    Sent::Unneeded => return Err(mismatch()),
                }
            }
        }
        (Answer::OptionalMaps, Reply::Skipped(places)) => match (places.is_empty(), sent) {
            (true, _) => out.put_nil(),
            (false, Sent::Bytes(bytes)) => {
                out.put_array(places.len());
                for &place in places {
                    out.extend_from_slice(bytes.get(place).ok_or_else(mismatch)?);
                }
            }
            (false, _) => return Err(mismatch()),
        },
        _ => return Err(mismatch()),
    }
    Ok(())
}

#[cold]
fn mismatch() -> Error {
    Error::new(Kind::Internal, "the operation's reply is not of the form its answer has")
}

/// Nil, or the newest version and one tuple.
fn put_optional(out: &mut Vec<u8>, schema: &Schema, row: Option<&Row>, columns: Columns) -> Result<()> {
    match row {
        None => out.put_nil(),
        Some(row) => {
            out.put_int(schema.version.into());
            put_columns(out, schema, row, columns)?;
        }
    }
    Ok(())
}

/// Nil for none, else the newest version and the count.
fn put_tuples_header(out: &mut Vec<u8>, schema: &Schema, count: usize) {
    if count == 0 {
        return out.put_nil();
    }
    out.put_int(schema.version.into());
    out.put_uint(count as u64);
}

/// Values of a row packed for `schema`, in the dialect's order.
fn put_columns(out: &mut Vec<u8>, schema: &Schema, row: &Row, columns: Columns) -> Result<()> {
    let tuple = schema.tuple(row)?;
    for &place in positions(schema, columns) {
        let Some(column) = schema.columns.get(place) else { continue };
        codec::write_typed(out, &tuple.value(place, column.ty)?, column.ty);
    }
    Ok(())
}

/// Places of columns in the dialect's order: the keys come first.
pub fn positions(schema: &Schema, columns: Columns) -> &[usize] {
    let (keys, values) = schema.draft_order.split_at_checked(schema.key.len()).unwrap_or_default();
    match columns {
        Columns::Key => keys,
        Columns::Value => values,
        Columns::All => &schema.draft_order,
    }
}

fn keys<'a, S: Source<'a>>(source: &mut S) -> Result<(Many<Key>, Sent<'a>)> {
    let (mut keys, mut bytes) = (Many::new(), Vec::new());
    for _ in 0..checked(source.count(Columns::Key)?)? {
        let before = source.rest();
        keys.push(source.key()?);
        bytes.push(before.get(..before.len() - source.rest().len()).unwrap_or_default());
    }
    if let Some(first) = first_of_each(&keys, Key::as_slice) {
        retain(&mut keys, &first);
        retain(&mut bytes, &first);
    }
    Ok((keys, Sent::Bytes(bytes)))
}

fn all<'a, S: Source<'a>>(source: &mut S) -> Result<Many<NewTuple>> {
    (0..checked(source.count(Columns::All)?)?).map(|_| source.tuple()).collect()
}

fn tuples<'a, S: Source<'a>>(source: &mut S) -> Result<(Many<NewTuple>, Sent<'a>)> {
    let (mut tuples, mut bytes) = (Many::<NewTuple>::new(), Vec::new());
    for _ in 0..checked(source.count(Columns::All)?)? {
        let before = source.rest();
        tuples.push(source.tuple()?);
        if S::ECHOES_BYTES {
            bytes.push(before.get(..before.len() - source.rest().len()).unwrap_or_default());
        }
    }
    if let Some(first) = first_of_each(&tuples, |t| (t.key.as_slice(), t.row.tuple())) {
        retain(&mut tuples, &first);
        retain(&mut bytes, &first);
    }
    let sent = match S::ECHOES_BYTES {
        true => Sent::Bytes(bytes),
        false => Sent::Rows(tuples.iter().map(|t| t.row.clone()).collect()),
    };
    Ok((tuples, sent))
}

fn checked(count: usize) -> Result<usize> {
    if count > BATCH_ROWS_MAX {
        return Err(Error::new(
            Kind::LimitExceeded,
            format!("{count} rows in one operation, the limit is {BATCH_ROWS_MAX}"),
        ));
    }
    Ok(count)
}

/// For each item whether it is the first of its identity; `None` if all are.
fn first_of_each<'i, T, I: Hash + Eq>(items: &'i [T], identity: impl Fn(&'i T) -> I) -> Option<Vec<bool>> {
    if items.len() < 2 {
        return None;
    }
    let mut seen = HashSet::with_capacity(items.len());
    let first: Vec<bool> = items.iter().map(|item| seen.insert(identity(item))).collect();
    first.contains(&false).then_some(first)
}

fn retain<T, V>(items: &mut V, keep: &[bool])
where
    V: Default + Extend<T> + IntoIterator<Item = T>,
{
    let kept = std::mem::take(items).into_iter().zip(keep).filter_map(|(item, keep)| keep.then_some(item));
    let mut list = V::default();
    list.extend(kept);
    *items = list;
}

/// An error of a value, told with its place. `reader` stands at the value.
pub fn in_column(error: Error, table: &Table, column: &Column, reader: &Reader<'_>) -> Error {
    match error.kind {
        Kind::TypeMismatch | Kind::OutOfRange => {
            let value = codec::describe(&mut reader.clone()).unwrap_or_else(|_| "?".to_owned());
            let message = format!(
                "{} [table={}, column={}, type={}, value={value}]",
                error.message, table.draft_name, column.name, column.ty
            );
            Error { message: message.into(), ..error }
        }
        _ => error,
    }
}

/// An error of a tuple that its columns refused, told with the place of the value. `values` reads the tuple once more: it
/// returns the next column and the reader at its value, until there is none.
pub fn in_tuple<'a, 't>(
    error: Error,
    table: &Table,
    mut values: impl FnMut() -> Option<(&'t Column, Reader<'a>)>,
) -> Error {
    match error.kind {
        Kind::TypeMismatch | Kind::OutOfRange => {
            while let Some((column, reader)) = values() {
                match codec::read(&mut reader.clone(), column.ty).and_then(|value| column.accept(value)) {
                    Err(refused) if refused.kind == error.kind => return in_column(error, table, column, &reader),
                    _ => {}
                }
            }
            error
        }
        Kind::NotNull | Kind::LiveSchemaRefused => in_table(error, table),
        _ => error,
    }
}

/// An error told with its table.
pub fn in_table(error: Error, table: &Table) -> Error {
    match error.kind {
        Kind::TypeMismatch | Kind::OutOfRange | Kind::NotNull | Kind::LiveSchemaRefused => {
            Error { message: format!("{} [table={}]", error.message, table.draft_name).into(), ..error }
        }
        _ => error,
    }
}
