//! The GA dialect, field by field.
//!
//! Tuples are read by the schemas that answers to SCHEMAS_GET showed before. Layouts that belong to features this
//! server does not offer (transactions that begin with their first operation, a flag before SQL) are known too, so that
//! captures of real nodes read as well.

use super::fields::{Field, Fields};
use crate::config::{TRACE_PENDING_MAX, TRACE_SCHEMAS_MAX};
use crate::door::igni::ga::opcode::Opcode;
use crate::door::igni::ga::request::bit_set;
use crate::door::igni::ga::schema::column_type;
use crate::error::{Error, Result};
use crate::value::{ColumnType, Value};
use crate::wire::binary_tuple::Tuple;
use crate::wire::msgpack::{Family, Reader};
use std::collections::HashMap;
use std::sync::Arc;

/// What a conversation has shown so far.
#[derive(Debug, Default)]
pub(super) struct Ga {
    pending: HashMap<i64, Pending>,
    schemas: HashMap<(i64, i64), Arc<[Column]>>,
}

/// A request whose answer has not been seen.
#[derive(Debug, Clone, Copy)]
struct Pending {
    op: Opcode,
    table: i64,
    /// Whether a transaction began with it.
    begins: bool,
}

#[derive(Debug)]
struct Column {
    name: String,
    ty: Option<ColumnType>,
    /// The place in the key, from 0.
    key: i64,
}

/// Which columns a tuple has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Row,
    Key,
}

impl Ga {
    /// Takes a request apart; the title names it.
    pub(super) fn request(&mut self, payload: &[u8]) -> (String, Vec<Field>) {
        Fields::take_apart(payload, "request", |fields, title| self.request_fields(fields, title))
    }

    /// Takes an answer apart; the title names the request it answers.
    pub(super) fn answer(&mut self, payload: &[u8]) -> (String, Vec<Field>) {
        Fields::take_apart(payload, "answer", |fields, title| self.answer_fields(fields, title))
    }

    fn request_fields(&mut self, fields: &mut Fields<'_>, title: &mut String) -> Result<()> {
        let op = |code: &i64| Opcode::from_code(*code);
        let code = fields.take("operation", Reader::i64, |code| match op(code) {
            Some(op) => format!("{code} {}", op.name()),
            None => code.to_string(),
        })?;
        let id = fields.int("request id")?;
        let Some(op) = op(&code) else { return values(fields, "value") };
        *title = format!("{} {id}", op.name());
        let mut pending = Pending { op, table: 0, begins: false };
        let outcome = self.body(fields, &mut pending);
        if self.pending.len() < TRACE_PENDING_MAX {
            self.pending.insert(id, pending);
        }
        outcome
    }

    fn body(&self, fields: &mut Fields<'_>, pending: &mut Pending) -> Result<()> {
        match pending.op {
            Opcode::TableGet => fields.str("name").map(drop),
            Opcode::TableGetQualified => {
                fields.str("schema")?;
                fields.str("name").map(drop)
            }
            Opcode::SchemasGet => {
                pending.table = fields.int("table")?;
                if fields.nil_if_next("versions")? {
                    return Ok(());
                }
                for i in 0..fields.int("version count")? {
                    fields.int(format!("version[{i}]"))?;
                }
                Ok(())
            }
            Opcode::TxBegin => {
                boolean(fields, "read only")?;
                fields.int("timeout, ms")?;
                fields.int("observed timestamp").map(drop)
            }
            Opcode::TxCommit | Opcode::TxRollback => fields.int("transaction").map(drop),
            Opcode::PartitionAssignmentGet => {
                pending.table = fields.int("table")?;
                fields.int("timestamp").map(drop)
            }
            Opcode::PrimaryReplicasGet => fields.int("table").map(drop),
            Opcode::StreamerBatchSend => {
                pending.table = fields.int("table")?;
                fields.int("partition")?;
                let deleted = if fields.nil_if_next("deleted")? { &[][..] } else { bits(fields, "deleted")? };
                let schema = self.schema(pending.table, fields.int("schema version")?);
                for i in 0..fields.int("tuple count")? {
                    let at = usize::try_from(i).unwrap_or(usize::MAX);
                    let is_key = crate::door::igni::ga::request::bit(deleted, at);
                    let shape = if is_key { Shape::Key } else { Shape::Row };
                    sent_tuple(fields, &format!("tuple[{i}]"), schema.as_deref(), shape)?;
                }
                Ok(())
            }
            Opcode::SqlExec => {
                if fields.family()? == Family::Boolean {
                    boolean(fields, "delayed acknowledgement")?;
                }
                pending.begins = transaction(fields)?;
                sql(fields)?;
                arguments(fields)?;
                fields.int("observed timestamp").map(drop)
            }
            Opcode::SqlExecScript => {
                sql(fields)?;
                arguments(fields)?;
                fields.int("observed timestamp").map(drop)
            }
            Opcode::SqlQueryMeta => {
                pending.begins = transaction(fields)?;
                fields.any("schema")?;
                fields.str("query").map(drop)
            }
            Opcode::SqlCursorNextPage | Opcode::SqlCursorClose => fields.int("cursor").map(drop),
            Opcode::OperationCancel => fields.int("request").map(drop),
            op => match tuples_of(op) {
                None => values(fields, "value"),
                Some((shape, count)) => {
                    pending.table = fields.int("table")?;
                    pending.begins = transaction(fields)?;
                    let schema = self.schema(pending.table, fields.int("schema version")?);
                    match count {
                        Count::One => sent_tuple(fields, "tuple", schema.as_deref(), shape),
                        Count::Two => {
                            sent_tuple(fields, "old", schema.as_deref(), shape)?;
                            sent_tuple(fields, "new", schema.as_deref(), shape)
                        }
                        Count::Many => {
                            for i in 0..fields.int("tuple count")? {
                                sent_tuple(fields, &format!("tuple[{i}]"), schema.as_deref(), shape)?;
                            }
                            Ok(())
                        }
                    }
                }
            },
        }
    }

    fn answer_fields(&mut self, fields: &mut Fields<'_>, title: &mut String) -> Result<()> {
        let id = fields.int("request id")?;
        let pending = self.pending.remove(&id);
        if let Some(pending) = pending {
            *title = format!("{} {id}", pending.op.name());
        }
        let flags = fields.take("flags", Reader::i64, |flags| {
            let names = ["assignment changed", "notification", "error", "server operation"];
            let set: Vec<&str> =
                (0..).zip(names).filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, name)| name).collect();
            if set.is_empty() { flags.to_string() } else { format!("{flags} {}", set.join(", ")) }
        })?;
        if flags & 1 != 0 {
            fields.int("assignment timestamp")?;
        }
        fields.int("timestamp")?;
        if flags & 4 != 0 {
            return error_body(fields);
        }
        let Some(Pending { op, table, begins }) = pending else { return values(fields, "value") };
        if begins {
            fields.int("transaction")?;
            uuid(fields, "transaction id")?;
            uuid(fields, "coordinator")?;
            fields.int("timeout, ms")?;
        }
        match op {
            Opcode::TableGet | Opcode::TableGetQualified => match fields.nil_if_next("table")? {
                true => Ok(()),
                false => table_name(fields, op == Opcode::TableGetQualified),
            },
            Opcode::TablesGet | Opcode::TablesGetQualified => {
                for _ in 0..fields.int("table count")? {
                    table_name(fields, op == Opcode::TablesGetQualified)?;
                }
                Ok(())
            }
            Opcode::SchemasGet => self.learn(fields, table),
            Opcode::TxBegin => fields.int("transaction").map(drop),
            Opcode::ClusterGetNodes => {
                for _ in 0..fields.int("node count")? {
                    node(fields)?;
                }
                Ok(())
            }
            Opcode::PrimaryReplicasGet => {
                for _ in 0..fields.int("partition count")? {
                    fields.int("partition")?;
                    node(fields)?;
                }
                Ok(())
            }
            Opcode::PartitionAssignmentGet => {
                fields.int("partition count")?;
                boolean(fields, "available")?;
                values(fields, "value")
            }
            Opcode::StreamerBatchSend => fields.int("schema version").map(drop),
            Opcode::SqlExec => {
                fields.any("cursor")?;
                boolean(fields, "has rows")?;
                boolean(fields, "more pages")?;
                boolean(fields, "applied")?;
                fields.int("affected rows")?;
                values(fields, "value")
            }
            op => match tuples_of(op) {
                None => values(fields, "value"),
                Some((shape, _)) => {
                    let schema = self.schema(table, fields.int("schema version")?);
                    results(fields, op, shape, schema.as_deref())
                }
            },
        }
    }

    /// The answer to SCHEMAS_GET, which later tuples are read by.
    fn learn(&mut self, fields: &mut Fields<'_>, table: i64) -> Result<()> {
        for _ in 0..fields.int("schema count")? {
            let version = fields.int("version")?;
            let mut columns = Vec::new();
            for i in 0..fields.int("column count")? {
                let parts = fields.int(format!("column[{i}] fields"))?;
                let name = fields.str("name")?.to_owned();
                let type_id = fields.take("type", Reader::i64, |id| match column_type(*id, 0, 0) {
                    Some(ty) => format!("{id} {}", ty.name()),
                    None => id.to_string(),
                })?;
                let key = fields.int("key index")?;
                boolean(fields, "nullable")?;
                fields.int("colocation index")?;
                let (scale, precision) = (fields.int("scale")?, fields.int("precision")?);
                for extra in 7..parts {
                    fields.any(&format!("extra[{extra}]"))?;
                }
                columns.push(Column { name, ty: column_type(type_id, scale, precision), key });
            }
            if self.schemas.len() < TRACE_SCHEMAS_MAX {
                self.schemas.insert((table, version), columns.into());
            }
        }
        Ok(())
    }

    fn schema(&self, table: i64, version: i64) -> Option<Arc<[Column]>> {
        self.schemas.get(&(table, version)).cloned()
    }
}

/// The fields of an accepted handshake after its version.
pub(super) fn accepted(fields: &mut Fields<'_>) -> Result<()> {
    fields.nil_if_next("error")?;
    fields.int("idle timeout, ms")?;
    uuid(fields, "node id")?;
    fields.str("node name")?;
    for i in 0..fields.int("cluster id count")? {
        uuid(fields, &format!("cluster id[{i}]"))?;
    }
    fields.str("cluster name")?;
    fields.int("timestamp")?;
    for part in ["product.major", "product.minor", "product.maintenance"] {
        fields.int(part)?;
    }
    fields.any("product.patch")?;
    fields.any("product.pre-release")?;
    fields.take("features", Reader::bin, |bytes| Value::Bytes((*bytes).into()).to_string())?;
    fields.int("extension count").map(drop)
}

/// The fields of an error.
pub(super) fn error_body(fields: &mut Fields<'_>) -> Result<()> {
    uuid(fields, "trace id")?;
    fields.take("code", Reader::i64, |code| format!("{code} (group {}, number {})", code >> 16, code & 0xffff))?;
    fields.str("class")?;
    fields.any("message")?;
    fields.any("stack trace")?;
    if fields.nil_if_next("extensions")? {
        return Ok(());
    }
    for _ in 0..fields.int("extension count")? {
        fields.str("key")?;
        fields.any("value")?;
    }
    Ok(())
}

/// How many tuples a request brings.
#[derive(Debug, Clone, Copy)]
enum Count {
    One,
    Two,
    Many,
}

/// What tuples an operation brings, if it is one on tuples.
fn tuples_of(op: Opcode) -> Option<(Shape, Count)> {
    Some(match op {
        Opcode::TupleUpsert
        | Opcode::TupleGetAndUpsert
        | Opcode::TupleInsert
        | Opcode::TupleReplace
        | Opcode::TupleGetAndReplace
        | Opcode::TupleDeleteExact => (Shape::Row, Count::One),
        Opcode::TupleReplaceExact => (Shape::Row, Count::Two),
        Opcode::TupleUpsertAll | Opcode::TupleInsertAll | Opcode::TupleDeleteAllExact => (Shape::Row, Count::Many),
        Opcode::TupleGet | Opcode::TupleDelete | Opcode::TupleGetAndDelete | Opcode::TupleContainsKey => {
            (Shape::Key, Count::One)
        }
        Opcode::TupleGetAll | Opcode::TupleDeleteAll | Opcode::TupleContainsAllKeys => (Shape::Key, Count::Many),
        _ => return None,
    })
}

/// What an operation on tuples answers after the schema version.
fn results(fields: &mut Fields<'_>, op: Opcode, shape: Shape, schema: Option<&[Column]>) -> Result<()> {
    match op {
        Opcode::TupleUpsert | Opcode::TupleUpsertAll => Ok(()),
        Opcode::TupleGetAll => {
            for i in 0..fields.int("tuple count")? {
                if boolean(fields, &format!("found[{i}]"))? {
                    tuple(fields, &format!("tuple[{i}]"), schema, Shape::Row)?;
                }
            }
            Ok(())
        }
        Opcode::TupleInsertAll | Opcode::TupleDeleteAll | Opcode::TupleDeleteAllExact => {
            for i in 0..fields.int("skipped count")? {
                tuple(fields, &format!("skipped[{i}]"), schema, shape)?;
            }
            Ok(())
        }
        Opcode::TupleGet | Opcode::TupleGetAndUpsert | Opcode::TupleGetAndReplace | Opcode::TupleGetAndDelete => {
            match fields.nil_if_next("tuple")? {
                true => Ok(()),
                false => tuple(fields, "tuple", schema, Shape::Row),
            }
        }
        _ => boolean(fields, "result").map(drop),
    }
}

fn sent_tuple(fields: &mut Fields<'_>, name: &str, schema: Option<&[Column]>, shape: Shape) -> Result<()> {
    bits(fields, &format!("{name}.no value"))?;
    tuple(fields, name, schema, shape)
}

/// A binary tuple: its columns by name where the schema is known.
fn tuple(fields: &mut Fields<'_>, name: &str, schema: Option<&[Column]>, shape: Shape) -> Result<()> {
    let show = |bytes: &&[u8]| match schema {
        None => format!("{} bytes of an unknown schema", bytes.len()),
        Some(columns) => {
            let mut columns: Vec<&Column> = columns.iter().filter(|c| shape == Shape::Row || c.key >= 0).collect();
            if shape == Shape::Key {
                columns.sort_by_key(|c| c.key);
            }
            shown(bytes, &columns).unwrap_or_else(|error| error.message.into_owned())
        }
    };
    fields.take(name, Reader::bin, show).map(drop)
}

fn shown(bytes: &[u8], columns: &[&Column]) -> Result<String> {
    let tuple = Tuple::parse(bytes, columns.len())?;
    let mut text = String::new();
    for (i, column) in columns.iter().enumerate() {
        let value = match column.ty {
            Some(ty) => tuple.value(i, ty)?,
            None => Value::Bytes(tuple.element(i).unwrap_or_default().into()),
        };
        if i > 0 {
            text.push_str(", ");
        }
        text.push_str(&format!("{}={value}", column.name));
    }
    Ok(text)
}

/// Which transaction a request belongs to; whether one begins with it.
fn transaction(fields: &mut Fields<'_>) -> Result<bool> {
    if fields.nil_if_next("transaction")? {
        return Ok(false);
    }
    let begins = fields.int("transaction")? == -1;
    if begins {
        fields.int("observed timestamp")?;
        boolean(fields, "read only")?;
        fields.int("timeout, ms")?;
    }
    Ok(begins)
}

fn sql(fields: &mut Fields<'_>) -> Result<()> {
    for name in ["schema", "page size", "query timeout, ms", "session timeout, ms", "time zone"] {
        fields.any(name)?;
    }
    fields.int("property count")?;
    fields.any("properties")?;
    fields.str("query").map(drop)
}

fn arguments(fields: &mut Fields<'_>) -> Result<()> {
    if fields.nil_if_next("arguments")? {
        return Ok(());
    }
    if fields.int("argument count")? > 0 {
        fields.any("arguments")?;
    }
    Ok(())
}

fn table_name(fields: &mut Fields<'_>, qualified: bool) -> Result<()> {
    fields.int("table")?;
    if qualified {
        fields.str("schema")?;
    }
    fields.str("name").map(drop)
}

fn node(fields: &mut Fields<'_>) -> Result<()> {
    fields.int("node fields")?;
    uuid(fields, "node id")?;
    fields.str("node name")?;
    fields.str("host")?;
    fields.int("port").map(drop)
}

fn boolean(fields: &mut Fields<'_>, name: &str) -> Result<bool> {
    fields.take(name, Reader::bool, bool::to_string)
}

fn bits<'a>(fields: &mut Fields<'a>, name: &str) -> Result<&'a [u8]> {
    fields.take(name, bit_set, |bits| {
        let set: Vec<String> = (0..bits.len() * 8)
            .filter(|i| crate::door::igni::ga::request::bit(bits, *i))
            .map(|i| i.to_string())
            .collect();
        format!("bits {{{}}}", set.join(", "))
    })
}

/// A UUID: each half little-endian, the upper half first.
fn uuid(fields: &mut Fields<'_>, name: &str) -> Result<()> {
    let read = |reader: &mut Reader<'_>| match reader.ext()? {
        (3, payload) => <[u8; 16]>::try_from(payload)
            .map(|bytes| u128::from_le_bytes(bytes).rotate_left(64))
            .map_err(|_| Error::protocol(format!("{} bytes are no UUID", payload.len()))),
        (kind, _) => Err(Error::protocol(format!("extension {kind} is no UUID"))),
    };
    fields.take(name, read, |uuid| Value::Uuid(*uuid).to_string()).map(drop)
}

fn values(fields: &mut Fields<'_>, name: &str) -> Result<()> {
    for i in 0.. {
        if fields.is_empty() {
            break;
        }
        fields.any(&format!("{name}[{i}]"))?;
    }
    Ok(())
}
