//! Tables and typed rows.
//!
//! A [`Table`] is a name for a table as of one schema version; it holds no connection, so one value serves many
//! clients. Rows are slices of values in the order of the schema's columns, keys come first.

use super::error::{Error, Result};
use super::value::{read_value, type_code, type_of, write_value};
use super::{Client, Reply, op};
use crate::config::COLUMNS_MAX;
use crate::value::{ColumnType, Value};
use crate::wire::msgpack::{Reader, Write as _};
use std::collections::BTreeMap;

const EXT_TABLE_ID: i8 = 9;
const EXT_UUID: i8 = 3;

/// The id of a table: 16 bytes of a UUID and 8 of a local id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub [u8; 24]);

impl TableId {
    /// Appends the id the way clients send it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_ext(EXT_TABLE_ID, &self.0);
    }

    /// Appends the id as a plain UUID.
    pub fn write_uuid(&self, out: &mut Vec<u8>) {
        let [uuid @ .., _, _, _, _, _, _, _, _] = &self.0;
        out.put_ext(EXT_UUID, uuid);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        match reader.ext()? {
            (EXT_TABLE_ID, payload) => payload.try_into().map(Self),
            (kind, _) => return Err(Error::Protocol(format!("extension {kind} where a table id belongs"))),
        }
        .map_err(|_| Error::Protocol("a table id that has not 24 bytes".into()))
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The type; its parameters are not sent by the server.
    pub ty: ColumnType,
    /// Whether it belongs to the key.
    pub key: bool,
    /// Whether it may be null.
    pub nullable: bool,
}

impl Column {
    /// A key column.
    pub fn key(name: impl Into<String>, ty: ColumnType) -> Self {
        Self { name: name.into(), ty, key: true, nullable: false }
    }

    /// A value column that may be null.
    pub fn value(name: impl Into<String>, ty: ColumnType) -> Self {
        Self { name: name.into(), ty, key: false, nullable: true }
    }
}

/// A table as of one schema version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The table's id.
    pub id: TableId,
    /// The schema version that `columns` are of.
    pub version: i64,
    /// Key columns first.
    pub columns: Vec<Column>,
}

/// A row, or a part of it.
pub type Row = Vec<Value<'static>>;

impl Client {
    /// Creates a table; an error if the name is taken.
    ///
    /// # Errors
    /// The server refuses, or the connection fails.
    pub fn table_create(&mut self, name: &str, columns: &[Column]) -> Result<TableId> {
        self.table_create_with(name, columns, &[])
    }

    /// Creates a table with options that are either set or not: `live`, `if_not_exists`.
    ///
    /// # Errors
    /// The server refuses, or the connection fails.
    pub fn table_create_with(&mut self, name: &str, columns: &[Column], options: &[&str]) -> Result<TableId> {
        let reply = self.call(op::TABLE_CREATE, |out| {
            out.put_str(name);
            out.put_map(1 + options.len());
            out.put_str("columns");
            out.put_array(columns.len());
            columns.iter().for_each(|column| write_column(out, column));
            for option in options {
                out.put_str(option);
                out.put_bool(true);
            }
        })?;
        TableId::read(&mut reply.reader()?)
    }

    /// Drops a table; no error if there is none.
    ///
    /// # Errors
    /// The server refuses, or the connection fails.
    pub fn table_drop(&mut self, name: &str) -> Result<()> {
        self.call(op::TABLE_DROP, |out| out.put_str(name)).map(drop)
    }

    /// A table's id, if there is one of that name.
    ///
    /// # Errors
    /// The connection fails.
    pub fn table_get(&mut self, name: &str) -> Result<Option<TableId>> {
        let reply = self.call(op::TABLE_GET, |out| out.put_str(name))?;
        let mut reader = reply.reader()?;
        if reader.nil_if_next()? { Ok(None) } else { TableId::read(&mut reader).map(Some) }
    }

    /// All tables' names.
    ///
    /// # Errors
    /// The connection fails.
    pub fn tables_get(&mut self) -> Result<BTreeMap<TableId, String>> {
        let reply = self.call(op::TABLES_GET, |_| {})?;
        let mut reader = reply.reader()?;
        (0..reader.map()?).map(|_| Ok((TableId::read(&mut reader)?, reader.str()?.to_owned()))).collect()
    }

    /// The columns of the newest schema version, or of those named.
    ///
    /// # Errors
    /// No such table or version, or the connection fails.
    pub fn schemas_get(&mut self, table: TableId, versions: Option<&[i64]>) -> Result<BTreeMap<i64, Vec<Column>>> {
        let reply = self.call(op::SCHEMAS_GET, |out| {
            table.write(out);
            match versions {
                None => out.put_nil(),
                Some(versions) => {
                    out.put_array(versions.len());
                    versions.iter().for_each(|version| out.put_int(*version));
                }
            }
        })?;
        let mut reader = reply.reader()?;
        (0..reader.map()?).map(|_| Ok((reader.i64()?, read_columns(&mut reader)?))).collect()
    }

    /// The table of an id as of its newest schema version.
    ///
    /// # Errors
    /// No such table, or the connection fails.
    pub fn table(&mut self, id: TableId) -> Result<Table> {
        let newest = self.schemas_get(id, None)?.pop_last();
        let (version, columns) = newest.ok_or_else(|| Error::Protocol("a table without schema".into()))?;
        Ok(Table { id, version, columns })
    }
}

fn write_column(out: &mut Vec<u8>, column: &Column) {
    let parameters: Vec<(&str, u32)> = match column.ty {
        ColumnType::Decimal { precision, scale } => vec![("precision", precision), ("scale", scale)],
        ColumnType::Number { precision } => vec![("precision", precision)],
        ColumnType::Time { precision } | ColumnType::Datetime { precision } | ColumnType::Timestamp { precision } => {
            vec![("precision", precision.into())]
        }
        ColumnType::String { length } | ColumnType::Bytes { length } | ColumnType::Bitmask { bits: length } => {
            vec![("length", length)]
        }
        _ => Vec::new(),
    };
    let parameters: Vec<_> = parameters.into_iter().filter(|(_, n)| *n != crate::value::UNLIMITED).collect();
    out.put_array(if parameters.is_empty() { 4 } else { 5 });
    out.put_str(&column.name);
    out.put_int(type_code(column.ty));
    out.put_bool(column.key);
    out.put_bool(column.nullable);
    if !parameters.is_empty() {
        out.put_map(parameters.len());
        for (name, n) in parameters {
            out.put_str(name);
            out.put_int(n.into());
        }
    }
}

fn read_columns(reader: &mut Reader<'_>) -> Result<Vec<Column>> {
    let count = reader.array()?;
    if count > COLUMNS_MAX {
        return Err(Error::Protocol(format!("{count} columns")));
    }
    (0..count)
        .map(|_| {
            let fields = reader.array()?;
            let name = reader.str()?.to_owned();
            let code = reader.i64()?;
            let ty = type_of(code).ok_or_else(|| Error::Protocol(format!("column type {code}")))?;
            let (key, nullable) = (reader.bool()?, reader.bool()?);
            for _ in 4..fields {
                reader.skip()?;
            }
            Ok(Column { name, ty, key, nullable })
        })
        .collect()
}

impl Table {
    /// How many of the columns are the key.
    pub fn key_columns(&self) -> usize {
        self.columns.iter().take_while(|column| column.key).count()
    }

    /// The table's id and schema version, which every operation on tuples starts with.
    pub fn write_head(&self, out: &mut Vec<u8>) {
        self.id.write(out);
        out.put_int(self.version);
    }

    /// Appends values of the first columns: a key or a whole row.
    ///
    /// # Errors
    /// A value that the dialect has no form for, or more values than columns.
    pub fn write_values(&self, out: &mut Vec<u8>, values: &[Value<'_>]) -> Result<()> {
        if values.len() > self.columns.len() {
            return Err(Error::Usage(format!("{} values for {} columns", values.len(), self.columns.len())));
        }
        values.iter().zip(&self.columns).try_for_each(|(value, column)| write_value(out, value, column.ty))
    }

    fn call(&self, client: &mut Client, op: i64, parts: &[&[Value<'_>]]) -> Result<Reply> {
        let mut body = Vec::new();
        for values in parts {
            self.write_values(&mut body, values)?;
        }
        client.call(op, |out| {
            self.write_head(out);
            out.extend_from_slice(&body);
        })
    }

    fn call_all(&self, client: &mut Client, op: i64, rows: &[Row]) -> Result<Reply> {
        let mut body = Vec::new();
        body.put_int(i64::try_from(rows.len()).unwrap_or(i64::MAX));
        for row in rows {
            self.write_values(&mut body, row)?;
        }
        client.call(op, |out| {
            self.write_head(out);
            out.extend_from_slice(&body);
        })
    }

    fn flag(&self, client: &mut Client, op: i64, parts: &[&[Value<'_>]]) -> Result<bool> {
        Ok(self.call(client, op, parts)?.reader()?.bool()?)
    }

    /// Reads the value columns after a schema version, or nil. An answer of a newer version than this table's is an
    /// error: ask for the table again.
    fn old_row(&self, reply: &Reply) -> Result<Option<Row>> {
        let mut reader = reply.reader()?;
        if reader.nil_if_next()? {
            return Ok(None);
        }
        self.check_version(reader.i64()?)?;
        self.read_row(&mut reader, self.key_columns()).map(Some)
    }

    fn rows(&self, reply: &Reply, columns: std::ops::Range<usize>) -> Result<Vec<Row>> {
        let mut reader = reply.reader()?;
        if reader.nil_if_next()? {
            return Ok(Vec::new());
        }
        self.check_version(reader.i64()?)?;
        let wanted = self.columns.get(columns).unwrap_or_default();
        (0..reader.count(wanted.len())?)
            .map(|_| wanted.iter().map(|column| read_value(&mut reader, column.ty)).collect())
            .collect()
    }

    fn check_version(&self, version: i64) -> Result<()> {
        if version == self.version {
            return Ok(());
        }
        Err(Error::Usage(format!("the table is at schema version {version}, this handle at {}", self.version)))
    }

    fn read_row(&self, reader: &mut Reader<'_>, first: usize) -> Result<Row> {
        self.columns.iter().skip(first).map(|column| read_value(reader, column.ty)).collect()
    }

    /// Inserts or overwrites a row.
    ///
    /// # Errors
    /// The server refuses, or the connection fails; so for all operations.
    pub fn upsert(&self, client: &mut Client, row: &[Value<'_>]) -> Result<()> {
        self.call(client, op::UPSERT, &[row]).map(drop)
    }

    /// The value columns of a key.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn get(&self, client: &mut Client, key: &[Value<'_>]) -> Result<Option<Row>> {
        self.old_row(&self.call(client, op::GET, &[key])?)
    }

    /// Inserts or overwrites rows.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn upsert_all(&self, client: &mut Client, rows: &[Row]) -> Result<()> {
        self.call_all(client, op::UPSERT_ALL, rows).map(drop)
    }

    /// The rows of those keys that exist.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn get_all(&self, client: &mut Client, keys: &[Row]) -> Result<Vec<Row>> {
        self.rows(&self.call_all(client, op::GET_ALL, keys)?, 0..self.columns.len())
    }

    /// Overwrites, and returns the value columns that were there.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn get_and_upsert(&self, client: &mut Client, row: &[Value<'_>]) -> Result<Option<Row>> {
        self.old_row(&self.call(client, op::GET_AND_UPSERT, &[row])?)
    }

    /// Inserts a row if its key is new, and says whether it did.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn insert(&self, client: &mut Client, row: &[Value<'_>]) -> Result<bool> {
        self.flag(client, op::INSERT, &[row])
    }

    /// Inserts the rows whose keys are new, and returns those that were skipped.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn insert_all(&self, client: &mut Client, rows: &[Row]) -> Result<Vec<Row>> {
        self.rows(&self.call_all(client, op::INSERT_ALL, rows)?, 0..self.columns.len())
    }

    /// Overwrites a row if its key exists, and says whether it did.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn replace(&self, client: &mut Client, row: &[Value<'_>]) -> Result<bool> {
        self.flag(client, op::REPLACE, &[row])
    }

    /// Overwrites `old` with `new` if the row is exactly `old`, and says whether it was.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn replace_exact(&self, client: &mut Client, old: &[Value<'_>], new: &[Value<'_>]) -> Result<bool> {
        self.flag(client, op::REPLACE_EXACT, &[old, new])
    }

    /// Overwrites if the key exists, and returns the value columns that were there.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn get_and_replace(&self, client: &mut Client, row: &[Value<'_>]) -> Result<Option<Row>> {
        self.old_row(&self.call(client, op::GET_AND_REPLACE, &[row])?)
    }

    /// Deletes a key, and says whether it was there.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn delete(&self, client: &mut Client, key: &[Value<'_>]) -> Result<bool> {
        self.flag(client, op::DELETE, &[key])
    }

    /// Deletes keys, and returns those that were not there.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn delete_all(&self, client: &mut Client, keys: &[Row]) -> Result<Vec<Row>> {
        self.rows(&self.call_all(client, op::DELETE_ALL, keys)?, 0..self.key_columns())
    }

    /// Deletes a row if it is exactly as given, and says whether it was.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn delete_exact(&self, client: &mut Client, row: &[Value<'_>]) -> Result<bool> {
        self.flag(client, op::DELETE_EXACT, &[row])
    }

    /// Deletes the rows that are exactly as given, and returns the others.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn delete_all_exact(&self, client: &mut Client, rows: &[Row]) -> Result<Vec<Row>> {
        self.rows(&self.call_all(client, op::DELETE_ALL_EXACT, rows)?, 0..self.columns.len())
    }

    /// Deletes a key and returns its value columns.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn get_and_delete(&self, client: &mut Client, key: &[Value<'_>]) -> Result<Option<Row>> {
        self.old_row(&self.call(client, op::GET_AND_DELETE, &[key])?)
    }

    /// Whether a key exists.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn contains_key(&self, client: &mut Client, key: &[Value<'_>]) -> Result<bool> {
        self.flag(client, op::CONTAINS_KEY, &[key])
    }
}
