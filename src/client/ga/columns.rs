//! What a statement's rows and parameters look like.

use super::TableColumn;
use super::error::optional_text;
use crate::client::error::{Error, Result};
use crate::config::DECIMAL_SCALE_MAX;
use crate::door::igni::ga::schema::{column_type, type_id};
use crate::value::{ColumnType, Decimal, Value};
use crate::wire::binary_tuple::Tuple;
use crate::wire::msgpack::{Family, Reader};

/// The fewest bytes that describe a column: six fields and their number.
const COLUMN_BYTES_MIN: usize = 7;
/// The fewest bytes that describe a parameter.
const PARAMETER_BYTES_MIN: usize = 4;
/// How many fields a column has, without an origin and with one.
const FIELDS: usize = 6;
const FIELDS_WITH_ORIGIN: usize = 9;
/// What stands for a precision and a scale where a type has none.
const PRECISION_UNDEFINED: i64 = -1;
const SCALE_UNDEFINED: i64 = i32::MIN as i64;
/// The type of a column of nothing but nulls.
const TYPE_NULL: i64 = 0;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMeta {
    /// Its name or alias; of an expression, its text or `EXPR$n`.
    pub name: String,
    /// Whether it may hold nulls.
    pub nullable: bool,
    /// The number of its type on the wire; 0 for a column of nothing but nulls.
    pub type_id: i64,
    /// Digits, or the length of text and bytes.
    pub precision: Option<u32>,
    /// Digits after the point.
    pub scale: Option<i32>,
    /// The table's column it comes from, if it is one.
    pub origin: Option<Origin>,
}

/// A column of a table that a result's column comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The table's schema.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
}

/// A parameter of a statement, as far as the server knows its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Whether it may be null.
    pub nullable: bool,
    /// The number of its type on the wire.
    pub type_id: i64,
    /// Digits, or the length of text and bytes.
    pub precision: Option<u32>,
    /// Digits after the point.
    pub scale: Option<i32>,
}

impl ColumnMeta {
    /// The type; `None` for a column of nothing but nulls.
    pub fn ty(&self) -> Option<ColumnType> {
        column_type(
            self.type_id,
            self.scale.map_or(SCALE_UNDEFINED, i64::from),
            self.precision.map_or(PRECISION_UNDEFINED, i64::from),
        )
    }

    /// The type's name, with precision and scale where they say something.
    pub fn type_name(&self) -> String {
        self.ty().map_or_else(|| "NULL".into(), |ty| ty.to_string())
    }

    /// The element of a row that belongs to this column.
    fn value(&self, tuple: &Tuple<'_>, index: usize) -> Result<Value<'static>> {
        let Some(ty) = self.ty() else { return Ok(Value::Null) };
        Ok(match (tuple.value(index, ty)?, self.scale) {
            (Value::Decimal(decimal), Some(scale)) => Value::Decimal(at_scale(decimal, scale)),
            (value, _) => value.into_owned(),
        })
    }
}

/// As a query of the table describes it, but for the lengths of text and bytes.
impl From<&TableColumn> for ColumnMeta {
    fn from(column: &TableColumn) -> Self {
        let (precision, scale) = match column.ty {
            ColumnType::Decimal { precision, scale } => (Some(precision), i32::try_from(scale).ok()),
            ColumnType::Time { precision }
            | ColumnType::Datetime { precision }
            | ColumnType::Timestamp { precision } => (Some(precision.into()), None),
            _ => (None, None),
        };
        let (name, type_id) = (column.name.to_string(), type_id(column.ty));
        Self { name, nullable: column.nullable, type_id, precision, scale, origin: None }
    }
}

/// Zeros at the end are not sent; the column's scale tells how many there are.
pub(super) fn at_scale(decimal: Decimal, scale: i32) -> Decimal {
    let limit = i32::try_from(DECIMAL_SCALE_MAX).unwrap_or(i32::MAX);
    if decimal.scale < scale && scale <= limit && decimal.scale >= -limit { decimal.rescaled(scale) } else { decimal }
}

/// Reads the columns of a result.
pub(super) fn read_columns(reader: &mut Reader<'_>) -> Result<Vec<ColumnMeta>> {
    let count = reader.count(COLUMN_BYTES_MIN)?;
    let mut columns = Vec::with_capacity(count);
    for _ in 0..count {
        let column = read_column(reader, &columns)?;
        columns.push(column);
    }
    Ok(columns)
}

fn read_column(reader: &mut Reader<'_>, before: &[ColumnMeta]) -> Result<ColumnMeta> {
    let fields = reader.count(1)?;
    let name = reader.str()?.to_owned();
    let (nullable, type_id) = (reader.bool()?, reader.i64()?);
    if type_id != TYPE_NULL && column_type(type_id, 0, 0).is_none() {
        return Err(Error::Protocol(format!("column {name} has type {type_id}, which is none")));
    }
    let scale = scale(reader.i64()?);
    let precision = precision(reader.i64()?);
    let has_origin = reader.bool()?;
    let origin = match has_origin {
        true => Some(Origin {
            column: optional_text(reader)?.unwrap_or(&name).to_owned(),
            schema: read_origin(reader, before, |origin| &origin.schema)?,
            table: read_origin(reader, before, |origin| &origin.table)?,
        }),
        false => None,
    };
    for _ in if has_origin { FIELDS_WITH_ORIGIN } else { FIELDS }..fields {
        reader.skip()?;
    }
    Ok(ColumnMeta { name, nullable, type_id, precision, scale, origin })
}

/// A name, or the number of an earlier column that has the same one.
fn read_origin(reader: &mut Reader<'_>, before: &[ColumnMeta], part: fn(&Origin) -> &String) -> Result<String> {
    if reader.family()? != Family::Integer {
        return Ok(reader.str()?.to_owned());
    }
    let index = reader.i64()?;
    let earlier = usize::try_from(index).ok().and_then(|index| before.get(index)?.origin.as_ref());
    match earlier {
        Some(origin) => Ok(part(origin).clone()),
        None => Err(Error::Protocol(format!("an origin refers to column {index}, which has none"))),
    }
}

/// Reads the parameters of a statement.
pub(super) fn read_parameters(reader: &mut Reader<'_>) -> Result<Vec<Parameter>> {
    (0..reader.count(PARAMETER_BYTES_MIN)?)
        .map(|_| {
            let (nullable, type_id) = (reader.bool()?, reader.i64()?);
            let scale = scale(reader.i64()?);
            Ok(Parameter { nullable, type_id, scale, precision: precision(reader.i64()?) })
        })
        .collect()
}

/// Reads the rows of a page.
pub(super) fn read_page(reader: &mut Reader<'_>, columns: &[ColumnMeta]) -> Result<Vec<Vec<Value<'static>>>> {
    // The header of a binary, and that of a tuple.
    (0..reader.count(3)?)
        .map(|_| {
            let tuple = Tuple::parse(reader.bin()?, columns.len())?;
            columns.iter().enumerate().map(|(index, column)| column.value(&tuple, index)).collect()
        })
        .collect()
}

fn precision(number: i64) -> Option<u32> {
    u32::try_from(number).ok()
}

fn scale(number: i64) -> Option<i32> {
    i32::try_from(number).ok().filter(|_| number != SCALE_UNDEFINED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ID INT of PUBLIC.T, A DECIMAL(5, 2) AS X of the same, and text from nowhere with a field that is not known yet.
    const RESULT: &[u8] = b"\x03\
        \x09\xa2ID\xc2\x04\x00\x0a\xc3\xc0\xa6PUBLIC\xa1T\
        \x09\xa1X\xc3\x08\x02\x05\xc3\xa1A\x00\x00\
        \x07\xa6EXPR$2\xc3\x0f\xd2\x80\0\0\0\xff\xc2\x90";
    /// A row of 7, 0.7 and `a`, and one of 5 and nulls.
    const PAGE: &[u8] = b"\x02\
        \xc4\x09\x00\x01\x04\x05\x07\x01\x00\x07a\
        \xc4\x05\x00\x01\x01\x01\x05";

    #[test]
    fn columns_and_rows_are_read() {
        let bytes = [RESULT, PAGE].concat();
        let mut reader = Reader::new(&bytes);
        let columns = read_columns(&mut reader).unwrap();
        let origin = |column: &str| Some(Origin { schema: "PUBLIC".into(), table: "T".into(), column: column.into() });
        assert_eq!(columns[0].origin, origin("ID"));
        assert_eq!(columns[1].origin, origin("A"));
        assert_eq!((columns[1].scale, columns[1].precision), (Some(2), Some(5)));
        assert_eq!((columns[2].scale, columns[2].precision, &columns[2].origin), (None, None, &None));
        assert_eq!(columns.iter().map(ColumnMeta::type_name).collect::<Vec<_>>(), ["INT32", "DECIMAL(5, 2)", "STRING"]);
        let rows = read_page(&mut reader, &columns).unwrap();
        assert!(reader.is_empty());
        let decimal = Value::Decimal(Decimal::parse("0.70").unwrap());
        assert_eq!(rows[0], [Value::Int(7), decimal, Value::Str("a".into())]);
        assert_eq!(rows[1], [Value::Int(5), Value::Null, Value::Null]);
        for cut in 0..bytes.len() {
            let mut reader = Reader::new(&bytes[..cut]);
            assert!(read_columns(&mut reader).and_then(|columns| read_page(&mut reader, &columns)).is_err(), "{cut}");
        }
    }

    #[test]
    fn wrong_columns_are_refused() {
        let error = |bytes: &[u8]| read_columns(&mut Reader::new(bytes)).unwrap_err().to_string();
        assert!(error(b"\x01\x09\xa1X\xc3\x08\x02\x05\xc3\xa1A\x00\x00").contains("column 0"));
        assert!(error(b"\x01\x06\xa1X\xc3\x0e\x02\x05\xc2").contains("type 14"));
        assert!(read_columns(&mut Reader::new(b"\xce\x7f\xff\xff\xff")).is_err());
    }
}
