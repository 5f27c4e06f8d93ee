//! Tables and their rows, with values by column name.
//!
//! A [`Table`] holds one schema version and no connection. When the server has moved on to another version, the table
//! follows it and sends the request once more, as Ignite's own clients do.

use super::transaction::{self, Tx};
use super::{Answer, Client};
use crate::client::error::{Error, Result};
use crate::config::COLUMNS_MAX;
use crate::door::igni::ga::names;
use crate::door::igni::ga::opcode::Opcode;
use crate::door::igni::ga::schema::column_type;
use crate::value::{ColumnType, Value};
use crate::wire::binary_tuple::{Builder, Tuple};
use crate::wire::msgpack::{Reader, Write as _};
use std::fmt;
use std::sync::Arc;

/// The fewest bytes of a table in a list: id, schema and name.
const TABLE_BYTES_MIN: usize = 3;
/// The fewest bytes that describe a column: seven fields and their number.
const COLUMN_BYTES_MIN: usize = 8;
/// Fields that describe a column.
const FIELDS: usize = 7;
/// The extension that is a bit set.
const EXT_BITS: i8 = 8;

/// A table's name and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// The number that requests name it by.
    pub id: i64,
    /// Its schema, exactly as stored.
    pub schema: String,
    /// Its name within the schema, exactly as stored.
    pub name: String,
}

/// The canonical name, as SQL reads it back.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", names::quoted(&self.schema), names::quoted(&self.name))
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name, exactly as stored.
    pub name: Arc<str>,
    /// Its type. Lengths of text and bytes are not sent.
    pub ty: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Its place in the key, from 0; `None` for a value column.
    pub key: Option<usize>,
}

/// A table as of one schema version.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name and id.
    pub name: TableName,
    /// The version of the schema.
    pub version: i64,
    /// All columns, in table order.
    pub columns: Vec<TableColumn>,
    /// Where the key's columns stand, in key order.
    key: Vec<usize>,
}

/// Values for columns, by their exact names. Columns that are not named get their defaults.
pub type Fields<'a> = [(&'a str, Value<'a>)];

/// A row that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Record(Vec<(Arc<str>, Value<'static>)>);

impl Record {
    /// The value of a column, by its exact name.
    pub fn get(&self, column: &str) -> Option<&Value<'static>> {
        self.0.iter().find(|(name, _)| **name == *column).map(|(_, value)| value)
    }

    /// The values in table order.
    pub fn into_values(self) -> impl Iterator<Item = Value<'static>> {
        self.0.into_iter().map(|(_, value)| value)
    }

    /// Names and values in table order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'static>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl Client {
    /// All tables of all schemas.
    ///
    /// # Errors
    /// The connection fails.
    pub fn tables(&mut self) -> Result<Vec<TableName>> {
        let answer = self.call(Opcode::TablesGetQualified, |_| {})?;
        let mut reader = answer.reader();
        (0..reader.count(TABLE_BYTES_MIN)?).map(|_| read_name(&mut reader)).collect()
    }

    /// A table with its newest schema, by its name as SQL reads it: upper-cased unless quoted, in PUBLIC unless it names
    /// a schema.
    ///
    /// # Errors
    /// The name is malformed, or the connection fails.
    pub fn table(&mut self, name: &str) -> Result<Option<Table>> {
        let (schema, object) =
            names::parse_canonical(name).map_err(|error| Error::Usage(error.message.into_owned()))?;
        let answer = self.call(Opcode::TableGetQualified, |out| {
            out.put_str(&schema);
            out.put_str(&object);
        })?;
        let mut reader = answer.reader();
        if reader.nil_if_next()? {
            return Ok(None);
        }
        let name = read_name(&mut reader)?;
        self.schema(&name).map(Some)
    }

    /// A table with its newest schema.
    ///
    /// # Errors
    /// There is no such table any more, or the connection fails.
    pub fn schema(&mut self, name: &TableName) -> Result<Table> {
        self.schema_version(name, None)
    }

    fn schema_version(&mut self, name: &TableName, version: Option<i64>) -> Result<Table> {
        let answer = self.call(Opcode::SchemasGet, |out| {
            out.put_int(name.id);
            match version {
                None => out.put_nil(),
                Some(version) => {
                    out.put_int(1);
                    out.put_int(version);
                }
            }
        })?;
        let mut reader = answer.reader();
        match reader.i64()? {
            1 => Table::read(name.clone(), &mut reader),
            count => Err(Error::Protocol(format!("{count} schemas where one was asked for"))),
        }
    }
}

impl Table {
    pub(super) fn read(name: TableName, reader: &mut Reader<'_>) -> Result<Self> {
        let version = reader.i64()?;
        let count = reader.count(COLUMN_BYTES_MIN)?;
        if count > COLUMNS_MAX {
            return Err(Error::Protocol(format!("a schema of {count} columns, the limit is {COLUMNS_MAX}")));
        }
        let columns: Vec<_> = (0..count).map(|_| read_column(reader)).collect::<Result<_>>()?;
        Ok(Self::new(name, version, columns))
    }

    fn new(name: TableName, version: i64, columns: Vec<TableColumn>) -> Self {
        let places = columns.iter().enumerate().filter_map(|(index, column)| Some((column.key?, index)));
        let mut key: Vec<_> = places.collect();
        key.sort_unstable();
        Self { name, version, columns, key: key.into_iter().map(|(_, index)| index).collect() }
    }

    /// A table of no server.
    #[cfg(test)]
    pub(crate) fn for_test(columns: Vec<TableColumn>) -> Self {
        Self::new(TableName { id: 1, schema: "PUBLIC".into(), name: "T".into() }, 1, columns)
    }

    /// The key's columns, in key order.
    pub fn key(&self) -> impl Iterator<Item = &TableColumn> {
        self.key.iter().filter_map(|&index| self.columns.get(index))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// A name is no column's, a value is not of its column's type, the server refuses the row, or the connection fails.
    pub fn upsert(&mut self, client: &mut Client, tx: Option<Tx>, row: &Fields<'_>) -> Result<()> {
        self.call(client, Opcode::TupleUpsert, tx, |table, out| table.put_row(out, row)).map(drop)
    }

    /// Writes rows, all or none.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn upsert_all<'a, R>(&mut self, client: &mut Client, tx: Option<Tx>, rows: &[R]) -> Result<()>
    where
        R: AsRef<Fields<'a>>,
    {
        let put = |table: &Self, out: &mut Vec<u8>| {
            out.put_uint(rows.len() as u64);
            rows.iter().try_for_each(|row| table.put_row(out, row.as_ref()))
        };
        self.call(client, Opcode::TupleUpsertAll, tx, put).map(drop)
    }

    /// Writes a row if its key is free, and says whether it was.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn insert(&mut self, client: &mut Client, tx: Option<Tx>, row: &Fields<'_>) -> Result<bool> {
        let answer = self.call(client, Opcode::TupleInsert, tx, |table, out| table.put_row(out, row))?;
        read_flag(&answer)
    }

    /// Reads the row of a key.
    ///
    /// # Errors
    /// A name is no key column's or one is missing, or the connection fails.
    pub fn get(&mut self, client: &mut Client, tx: Option<Tx>, key: &Fields<'_>) -> Result<Option<Record>> {
        let answer = self.call(client, Opcode::TupleGet, tx, |table, out| table.put_key(out, key))?;
        let mut reader = answer.reader();
        self.follow(client, reader.i64()?)?;
        if reader.nil_if_next()? { Ok(None) } else { self.record(reader.bin()?).map(Some) }
    }

    /// Reads the rows of keys, in their order.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn get_all<'a, K>(&mut self, client: &mut Client, tx: Option<Tx>, keys: &[K]) -> Result<Vec<Option<Record>>>
    where
        K: AsRef<Fields<'a>>,
    {
        let put = |table: &Self, out: &mut Vec<u8>| {
            out.put_uint(keys.len() as u64);
            keys.iter().try_for_each(|key| table.put_key(out, key.as_ref()))
        };
        let answer = self.call(client, Opcode::TupleGetAll, tx, put)?;
        let mut reader = answer.reader();
        self.follow(client, reader.i64()?)?;
        if reader.nil_if_next()? {
            return Ok(Vec::new());
        }
        (0..reader.count(1)?)
            .map(|_| if reader.bool()? { self.record(reader.bin()?).map(Some) } else { Ok(None) })
            .collect()
    }

    /// Deletes the row of a key, and says whether there was one.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn delete(&mut self, client: &mut Client, tx: Option<Tx>, key: &Fields<'_>) -> Result<bool> {
        read_flag(&self.call(client, Opcode::TupleDelete, tx, |table, out| table.put_key(out, key))?)
    }

    /// Sends a request; once more if the server names another schema version.
    fn call(
        &mut self,
        client: &mut Client,
        op: Opcode,
        tx: Option<Tx>,
        body: impl Fn(&Self, &mut Vec<u8>) -> Result<()>,
    ) -> Result<Answer> {
        let send = |table: &Self, client: &mut Client| {
            let mut bytes = Vec::new();
            bytes.put_int(table.name.id);
            transaction::put(&mut bytes, tx);
            bytes.put_int(table.version);
            body(table, &mut bytes)?;
            client.call(op, |out| out.extend_from_slice(&bytes))
        };
        match send(self, client) {
            Err(Error::Ga(error)) => match error.expected_schema_version {
                Some(version) => {
                    self.follow(client, version.into())?;
                    send(self, client)
                }
                None => Err(Error::Ga(error)),
            },
            result => result,
        }
    }

    /// Takes the schema of another version.
    fn follow(&mut self, client: &mut Client, version: i64) -> Result<()> {
        if version != self.version {
            *self = client.schema_version(&self.name, Some(version))?;
        }
        Ok(())
    }

    fn put_row(&self, out: &mut Vec<u8>, row: &Fields<'_>) -> Result<()> {
        self.put(out, self.columns.iter().enumerate(), self.columns.len(), row)
    }

    fn put_key(&self, out: &mut Vec<u8>, key: &Fields<'_>) -> Result<()> {
        let columns = self.key.iter().filter_map(|&index| Some((index, self.columns.get(index)?)));
        self.put(out, columns, self.key.len(), key)
    }

    /// Appends which columns are not named, and the tuple.
    fn put<'t>(
        &self,
        out: &mut Vec<u8>,
        columns: impl Iterator<Item = (usize, &'t TableColumn)>,
        count: usize,
        fields: &Fields<'_>,
    ) -> Result<()> {
        let mut builder = Builder::new();
        let mut no_value = vec![0; self.columns.len().div_ceil(8)];
        let mut named = 0;
        for (index, column) in columns {
            match fields.iter().find(|(name, _)| *name == &*column.name) {
                Some((_, value)) => {
                    named += 1;
                    check(column, value)?;
                    builder.push(value, column.ty);
                }
                None => {
                    if let Some(byte) = no_value.get_mut(index / 8) {
                        *byte |= 1 << (index % 8);
                    }
                    builder.push_null();
                }
            }
        }
        if named < fields.len() {
            return Err(self.misnamed(fields, count));
        }
        let used = no_value.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        out.put_ext(EXT_BITS, no_value.get(..used).unwrap_or_default());
        out.put_bin(&builder.build());
        Ok(())
    }

    /// What is wrong with names that are more than the columns found.
    fn misnamed(&self, fields: &Fields<'_>, count: usize) -> Error {
        let keys_only = count < self.columns.len();
        let known = |name: &str| self.columns.iter().any(|c| &*c.name == name && (c.key.is_some() || !keys_only));
        Error::Usage(match fields.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) if keys_only => format!("{} has no such key column: {name}", self.name),
            Some((name, _)) => format!("{} has no such column: {name}", self.name),
            None => format!("a column of {} is named twice", self.name),
        })
    }

    fn record(&self, bytes: &[u8]) -> Result<Record> {
        let tuple = Tuple::parse(bytes, self.columns.len())?;
        let field = |(index, column): (usize, &TableColumn)| {
            let value = match (tuple.value(index, column.ty)?, column.ty) {
                (Value::Decimal(decimal), ColumnType::Decimal { scale, .. }) => {
                    Value::Decimal(super::columns::at_scale(decimal, i32::try_from(scale).unwrap_or(i32::MAX)))
                }
                (value, _) => value.into_owned(),
            };
            Ok((Arc::clone(&column.name), value))
        };
        self.columns.iter().enumerate().map(field).collect::<Result<_>>().map(Record)
    }
}

/// Whether the value is one of the column's type; its range is the server's business.
fn check(column: &TableColumn, value: &Value<'_>) -> Result<()> {
    use ColumnType as T;
    let fits = match value {
        Value::Null => true,
        Value::Bool(_) => column.ty == T::Boolean,
        Value::Int(_) => matches!(column.ty, T::Int8 | T::Int16 | T::Int32 | T::Int64),
        Value::Float(_) => matches!(column.ty, T::Float | T::Double),
        Value::Double(_) => column.ty == T::Double,
        Value::Decimal(v) => matches!(column.ty, T::Decimal { .. }) && v.can_be_stored(),
        Value::Date(_) => column.ty == T::Date,
        Value::Time(_) => matches!(column.ty, T::Time { .. }),
        Value::Datetime(..) => matches!(column.ty, T::Datetime { .. }),
        Value::Timestamp(_) => matches!(column.ty, T::Timestamp { .. }),
        Value::Uuid(_) => column.ty == T::Uuid,
        Value::Str(_) => matches!(column.ty, T::String { .. }),
        Value::Bytes(_) => matches!(column.ty, T::Bytes { .. }),
        Value::Period(..) => column.ty == T::Period,
        Value::Duration(..) => column.ty == T::Duration,
    };
    if fits {
        return Ok(());
    }
    let (name, ty, kind) = (&column.name, column.ty, value.type_name());
    Err(Error::Usage(format!("column {name} is {ty}, but the value {value} is {kind}")))
}

fn read_name(reader: &mut Reader<'_>) -> Result<TableName> {
    Ok(TableName { id: reader.i64()?, schema: reader.str()?.to_owned(), name: reader.str()?.to_owned() })
}

fn read_column(reader: &mut Reader<'_>) -> Result<TableColumn> {
    let fields = reader.count(1)?;
    let name: Arc<str> = reader.str()?.into();
    let type_id = reader.i64()?;
    let key = usize::try_from(reader.i64()?).ok();
    let nullable = reader.bool()?;
    let _colocation = reader.i64()?;
    let (scale, precision) = (reader.i64()?, reader.i64()?);
    for _ in FIELDS..fields {
        reader.skip()?;
    }
    match column_type(type_id, scale, precision) {
        Some(ty) => Ok(TableColumn { name, ty, nullable, key }),
        None => Err(Error::Protocol(format!("column {name} has type {type_id}, which is none"))),
    }
}

/// The one truth value of an answer, after the schema version.
fn read_flag(answer: &Answer) -> Result<bool> {
    let mut reader = answer.reader();
    reader.i64()?;
    Ok(reader.bool()?)
}
