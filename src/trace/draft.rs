//! The draft dialect, field by field.
//!
//! Tuples carry bare values; which column each is stands in an answer to SCHEMAS_GET seen before. A [`Draft`] therefore
//! remembers the schemas it saw and which request each answer belongs to, both up to a limit.

use super::fields::{Field, Fields, show};
use crate::config::{TRACE_PENDING_MAX, TRACE_SCHEMAS_MAX};
use crate::door::igni::draft::codec::{self, ext};
use crate::door::igni::draft::opcode::{Answer, Carries, Columns, Form, Opcode};
use crate::door::igni::draft::types::{Parameters, column_type};
use crate::error::{Error, Result};
use crate::value::ColumnType;
use std::collections::HashMap;
use std::sync::Arc;

/// What a conversation has shown so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pending: HashMap<i64, Pending>,
    schemas: HashMap<(TableId, i64), Arc<[Column]>>,
}

/// A table id's payload, 24 or 16 bytes.
type TableId = Vec<u8>;

/// A request whose answer has not been seen.
#[derive(Debug, Clone)]
struct Pending {
    op: Opcode,
    table: TableId,
}

#[derive(Debug)]
struct Column {
    name: String,
    ty: Option<ColumnType>,
    key: bool,
}

impl Draft {
    /// Takes a request apart; the title names it.
    pub(super) fn request(&mut self, payload: &[u8]) -> (String, Vec<Field>) {
        Fields::take_apart(payload, "request", |fields, title| self.request_fields(fields, title))
    }

    /// Takes an answer apart; the title names the request it answers.
    pub(super) fn answer(&mut self, payload: &[u8]) -> (String, Vec<Field>) {
        Fields::take_apart(payload, "answer", |fields, title| self.answer_fields(fields, title))
    }

    fn request_fields(&mut self, fields: &mut Fields<'_>, title: &mut String) -> Result<()> {
        let code = |code: &i32| match Opcode::from_code(*code) {
            Some(op) => format!("{code} {}", op.name()),
            None => format!("{code} unknown"),
        };
        let op = fields.take("operation", |r| r.i32(), code)?;
        let id = fields.int("request id")?;
        let Some(op) = Opcode::from_code(op) else { return Err(Error::protocol("unknown operation")) };
        *title = format!("{} {id}", op.name());
        let mut pending = Pending { op, table: Vec::new() };
        let outcome = self.body(fields, &mut pending);
        if self.pending.len() < TRACE_PENDING_MAX {
            self.pending.insert(id, pending);
        }
        outcome
    }

    fn body(&self, fields: &mut Fields<'_>, pending: &mut Pending) -> Result<()> {
        match pending.op {
            Opcode::TableCreate => {
                fields.str("name")?;
                fields.any("options")
            }
            Opcode::TableDrop | Opcode::TableGet => fields.str("name").map(|_| ()),
            Opcode::TablesGet => Ok(()),
            Opcode::SchemasGet => {
                pending.table = table_id(fields)?;
                if !fields.nil_if_next("versions")? {
                    for i in 0..fields.array("versions")? {
                        fields.int(format!("version[{i}]"))?;
                    }
                }
                Ok(())
            }
            Opcode::Tuple(action, Form::Plain) => {
                pending.table = table_id(fields)?;
                let (carries, columns) = action.request();
                let schema = self.schema(&pending.table, fields.int("schema")?);
                match carries {
                    Carries::One => tuple(fields, "", schema.as_deref(), columns),
                    Carries::Two => {
                        tuple(fields, "old.", schema.as_deref(), columns)?;
                        tuple(fields, "new.", schema.as_deref(), columns)
                    }
                    Carries::Many => tuples(fields, schema.as_deref(), columns),
                }
            }
            Opcode::Tuple(action, Form::Schemaless) => {
                pending.table = table_id(fields)?;
                match action.request().0 {
                    Carries::One => map(fields, ""),
                    Carries::Two => {
                        map(fields, "old.")?;
                        map(fields, "new.")
                    }
                    Carries::Many => maps(fields),
                }
            }
            Opcode::Sql(_) => values(fields, "argument"),
        }
    }

    fn answer_fields(&mut self, fields: &mut Fields<'_>, title: &mut String) -> Result<()> {
        fields.take(
            "type",
            |r| r.i64(),
            |kind| match kind {
                0 => "0 response".to_owned(),
                other => other.to_string(),
            },
        )?;
        let id = fields.int("request id")?;
        let pending = self.pending.remove(&id);
        if let Some(pending) = &pending {
            *title = format!("{} {id}", pending.op.name());
        }
        let status = fields.take(
            "status",
            |r| r.i64(),
            |status| match status {
                0 => "0 success".to_owned(),
                1 => "1 failed".to_owned(),
                other => other.to_string(),
            },
        )?;
        if status != 0 {
            return fields.str("message").map(|_| ());
        }
        let Some(Pending { op, table }) = pending else { return values(fields, "value") };
        match op {
            Opcode::TableDrop => Ok(()),
            Opcode::TableCreate => table_id(fields).map(|_| ()),
            Opcode::TableGet => match fields.nil_if_next("table")? {
                true => Ok(()),
                false => table_id(fields).map(|_| ()),
            },
            Opcode::TablesGet => {
                for _ in 0..fields.map("tables")? {
                    table_id(fields)?;
                    fields.str("name")?;
                }
                Ok(())
            }
            Opcode::SchemasGet => self.learn(fields, &table),
            Opcode::Tuple(action, form) => self.tuple_answer(fields, &table, action.answer(form)),
            Opcode::Sql(_) => values(fields, "value"),
        }
    }

    fn tuple_answer(&self, fields: &mut Fields<'_>, table: &TableId, answer: Answer) -> Result<()> {
        match answer {
            Answer::Nothing => Ok(()),
            Answer::Bool => fields.take("result", |r| r.bool(), bool::to_string).map(|_| ()),
            Answer::OptionalTuple(columns) => {
                if fields.nil_if_next("tuple")? {
                    return Ok(());
                }
                let schema = self.schema(table, fields.int("schema")?);
                tuple(fields, "", schema.as_deref(), columns)
            }
            Answer::OptionalTuples(columns) => {
                if fields.nil_if_next("tuples")? {
                    return Ok(());
                }
                let schema = self.schema(table, fields.int("schema")?);
                tuples(fields, schema.as_deref(), columns)
            }
            Answer::OptionalMaps => match fields.nil_if_next("tuples")? {
                true => Ok(()),
                false => maps(fields),
            },
        }
    }

    /// The answer to SCHEMAS_GET, which later tuples are read by.
    fn learn(&mut self, fields: &mut Fields<'_>, table: &TableId) -> Result<()> {
        for _ in 0..fields.map("schemas")? {
            let version = fields.int("version")?;
            let mut columns = Vec::new();
            for i in 0..fields.array("columns")? {
                let parts = fields.array(format!("column[{i}]"))?;
                let name = fields.str("name")?.to_owned();
                let mut ty = None;
                fields.take(
                    "type",
                    |r| r.i64(),
                    |code| match column_type(*code, Parameters::default()) {
                        Ok(known) => {
                            ty = Some(known);
                            format!("{code} {}", known.name())
                        }
                        Err(_) => code.to_string(),
                    },
                )?;
                let key = fields.take("is key", |r| r.bool(), bool::to_string)?;
                fields.take("nullable", |r| r.bool(), bool::to_string)?;
                for extra in 4..parts {
                    fields.any(&format!("extra[{extra}]"))?;
                }
                columns.push(Column { name, ty, key });
            }
            if self.schemas.len() < TRACE_SCHEMAS_MAX {
                self.schemas.insert((table.clone(), version), columns.into());
            }
        }
        Ok(())
    }

    fn schema(&self, table: &TableId, version: i64) -> Option<Arc<[Column]>> {
        self.schemas.get(&(table.clone(), version)).cloned()
    }
}

fn table_id(fields: &mut Fields<'_>) -> Result<TableId> {
    fields
        .take(
            "table",
            |reader| match reader.ext()? {
                (ext::TABLE_ID | ext::UUID, payload) => Ok(payload),
                (kind, _) => Err(Error::protocol(format!("extension {kind} is no table id"))),
            },
            |payload| codec::describe_table_id(payload),
        )
        .map(<[u8]>::to_vec)
}

fn tuples(fields: &mut Fields<'_>, schema: Option<&[Column]>, columns: Columns) -> Result<()> {
    let count = fields.int("tuple count")?;
    if schema.is_none() {
        return values(fields, "value");
    }
    for i in 0..count {
        tuple(fields, &format!("tuple[{i}]."), schema, columns)?;
    }
    Ok(())
}

/// The values of one tuple; without a schema it cannot be told where it ends, so all that is left is taken.
fn tuple(fields: &mut Fields<'_>, prefix: &str, schema: Option<&[Column]>, columns: Columns) -> Result<()> {
    let Some(schema) = schema else { return values(fields, "value") };
    let wanted = |column: &&Column| match columns {
        Columns::All => true,
        Columns::Key => column.key,
        Columns::Value => !column.key,
    };
    for column in schema.iter().filter(wanted) {
        let name = format!("{prefix}{}", column.name);
        match column.ty {
            Some(ty) => fields.take(name, |reader| codec::read(reader, ty), show).map(|_| ())?,
            None => fields.any(&name)?,
        }
    }
    Ok(())
}

fn maps(fields: &mut Fields<'_>) -> Result<()> {
    for i in 0..fields.array("tuples")? {
        map(fields, &format!("tuple[{i}]."))?;
    }
    Ok(())
}

fn map(fields: &mut Fields<'_>, prefix: &str) -> Result<()> {
    for _ in 0..fields.map(format!("{prefix}columns"))? {
        let column = fields.str(format!("{prefix}column"))?;
        fields.any(&format!("{prefix}{column}"))?;
    }
    Ok(())
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
