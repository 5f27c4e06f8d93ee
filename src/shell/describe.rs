//! Tables and schemas at a glance.

use crate::client::ga::{Client, ColumnMeta, Row, SqlOptions};
use crate::client::{Error, Result};
use crate::door::igni::ga::names::quoted;
use crate::store::catalog::PUBLIC;
use crate::value::{ColumnType, Value};
use std::collections::BTreeSet;

/// Rows of text with their columns.
pub(super) type Listing = (Vec<ColumnMeta>, Vec<Row>);

/// The type of a column of text.
const TYPE_STRING: i64 = 15;
/// The length of text and bytes for which none was given.
const LENGTH_DEFAULT: u32 = 65_536;

/// All tables.
pub(super) fn tables(client: &mut Client) -> Result<Listing> {
    let mut tables = client.tables()?;
    tables.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    let rows = tables.iter().map(|table| row([quoted(&table.schema), quoted(&table.name)]));
    Ok((columns(["SCHEMA", "TABLE"]), rows.collect()))
}

/// The columns of a table.
pub(super) fn table(client: &mut Client, name: &str) -> Result<Listing> {
    let Some(table) = client.table(name)? else {
        return Err(Error::Usage(format!("no such table: {name}")));
    };
    // Schemas do not tell lengths, results do; a server that does not describe queries leaves them out.
    let described = client.describe(&format!("SELECT * FROM {}", table.name), &SqlOptions::default());
    let described = described.map(|description| description.columns).unwrap_or_default();
    let length = |name: &str| described.iter().find(|column| column.name == name).and_then(|column| column.precision);
    let rows = table.columns.iter().map(|column| {
        let key = column.key.map_or_else(String::new, |place| format!("{}", place + 1));
        let nullable = if column.nullable { "" } else { "not null" };
        row([quoted(&column.name), sql_type(column.ty, length(&column.name)).into(), nullable.into(), key.into()])
    });
    Ok((columns(["COLUMN", "TYPE", "NULLABLE", "KEY"]), rows.collect()))
}

/// PUBLIC, and the schemas that hold tables.
pub(super) fn schemas(client: &mut Client) -> Result<Listing> {
    let mut schemas: BTreeSet<_> = client.tables()?.into_iter().map(|table| table.schema).collect();
    schemas.insert(PUBLIC.into());
    Ok((columns(["SCHEMA"]), schemas.iter().map(|schema| row([quoted(schema)])).collect()))
}

/// The type as SQL writes it. The length of text and bytes may not be known.
fn sql_type(ty: ColumnType, length: Option<u32>) -> String {
    let sized = |name: &str| match length {
        None | Some(LENGTH_DEFAULT) => name.into(),
        Some(length) => format!("{name}({length})"),
    };
    match ty {
        ColumnType::Int8 => "TINYINT".into(),
        ColumnType::Int16 => "SMALLINT".into(),
        ColumnType::Int32 => "INTEGER".into(),
        ColumnType::Int64 => "BIGINT".into(),
        ColumnType::Float => "REAL".into(),
        ColumnType::String { .. } => sized("VARCHAR"),
        ColumnType::Bytes { .. } => sized("VARBINARY"),
        ColumnType::Datetime { precision } => format!("TIMESTAMP({precision})"),
        ColumnType::Timestamp { precision } => format!("TIMESTAMP({precision}) WITH LOCAL TIME ZONE"),
        ty => ty.to_string(),
    }
}

fn columns<const N: usize>(names: [&str; N]) -> Vec<ColumnMeta> {
    let column = |name: &str| ColumnMeta {
        name: name.into(),
        nullable: false,
        type_id: TYPE_STRING,
        precision: None,
        scale: None,
        origin: None,
    };
    names.into_iter().map(column).collect()
}

fn row<const N: usize>(texts: [std::borrow::Cow<'_, str>; N]) -> Row {
    texts.into_iter().map(|text| Value::Str(text.into_owned().into())).collect()
}
