//! The fields of SQL requests.

use crate::config::{BATCH_ROWS_MAX, SQL_PAGE_ROWS_MAX, SQL_PARAMETERS_MAX};
use crate::door::igni::ga::request::optional_text;
use crate::door::igni::ga::schema;
use crate::error::{Error, Kind, Result};
use crate::op::ddl::default_schema;
use crate::sql::Argument;
use crate::sql::exec::Options;
use crate::store::tx::TxId;
use crate::value::Value;
use crate::wire::binary_tuple::{self, Tuple};
use crate::wire::msgpack::Reader;
use std::sync::Arc;
use std::time::Duration;

/// Rows of a page whose request names no number.
const PAGE_ROWS: usize = 1024;
/// Elements of one typed value: its type, its scale, itself.
const ELEMENTS: usize = 3;

/// A statement and how to run it, up to its text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head<'a> {
    schema: Option<&'a str>,
    page_rows: usize,
    timeout: Option<Duration>,
    zone: Option<&'a str>,
    /// The text.
    pub(super) text: &'a str,
}

impl<'a> Head<'a> {
    /// Reads from the schema to the text.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let schema = optional_text(reader)?;
        let page_rows = optional_int(reader)?;
        let timeout = optional_int(reader)?;
        let _session_timeout = optional_int(reader)?;
        let zone = optional_text(reader)?;
        let _property_count = reader.i64()?;
        let _properties = reader.bin()?;
        let text = reader.str()?;
        let page_rows = match page_rows {
            None | Some(0) => PAGE_ROWS,
            Some(n) => usize::try_from(n).ok().filter(|n| *n <= SQL_PAGE_ROWS_MAX).ok_or_else(|| {
                Error::new(Kind::InvalidArgument, format!("A page has 1 to {SQL_PAGE_ROWS_MAX} rows, not {n}"))
            })?,
        };
        let timeout = timeout.and_then(duration);
        Ok(Self { schema, page_rows, timeout, zone, text })
    }

    /// How to run it with these parameters in this transaction.
    pub(super) fn options(
        &self,
        arguments: Vec<Argument>,
        transaction: Option<TxId>,
        user: Option<Arc<str>>,
    ) -> Options {
        Options {
            schema: default_schema(self.schema.filter(|name| !name.is_empty())),
            zone: self.zone.map(str::to_owned),
            user,
            page_rows: self.page_rows,
            timeout: self.timeout,
            transaction,
            arguments,
        }
    }
}

/// A time in milliseconds; none for 0.
pub(super) fn duration(ms: i64) -> Option<Duration> {
    u64::try_from(ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}

fn optional_int(reader: &mut Reader<'_>) -> Result<Option<i64>> {
    if reader.nil_if_next()? { Ok(None) } else { reader.i64().map(Some) }
}

/// Reads a list of typed values: nil or a count, then a binary tuple of three elements each.
///
/// # Errors
/// `LimitExceeded` beyond [`SQL_PARAMETERS_MAX`]; `Protocol`.
pub(super) fn arguments(reader: &mut Reader<'_>) -> Result<Vec<Argument>> {
    if reader.is_empty() || reader.nil_if_next()? {
        return Ok(Vec::new());
    }
    let count = checked(reader.i64()?)?;
    match count {
        0 => Ok(Vec::new()),
        _ => typed_values(reader.bin()?, count),
    }
}

/// Reads the rows of a batch.
///
/// # Errors
/// As [`arguments`]; `LimitExceeded` beyond [`BATCH_ROWS_MAX`].
pub(super) fn batch(reader: &mut Reader<'_>) -> Result<Vec<Vec<Argument>>> {
    if reader.nil_if_next()? {
        return Ok(Vec::new());
    }
    let width = checked(reader.i64()?)?;
    let count = batch_count(reader)?;
    let _more = reader.bool()?;
    (0..count).map(|_| typed_values(reader.bin()?, width)).collect()
}

/// Reads how many runs a batch has.
///
/// # Errors
/// `LimitExceeded` beyond [`BATCH_ROWS_MAX`].
pub(super) fn batch_count(reader: &mut Reader<'_>) -> Result<usize> {
    let count = reader.count(1)?;
    if count > BATCH_ROWS_MAX {
        return Err(Error::new(
            Kind::LimitExceeded,
            format!("The batch has {count} rows, the limit is {BATCH_ROWS_MAX}"),
        ));
    }
    Ok(count)
}

fn checked(count: i64) -> Result<usize> {
    usize::try_from(count).ok().filter(|n| *n <= SQL_PARAMETERS_MAX).ok_or_else(|| {
        Error::new(
            Kind::LimitExceeded,
            format!("The statement has {count} parameters, the limit is {SQL_PARAMETERS_MAX}"),
        )
    })
}

fn typed_values(bytes: &[u8], count: usize) -> Result<Vec<Argument>> {
    let tuple = Tuple::parse(bytes, ELEMENTS * count)?;
    let int = |element: Option<&[u8]>| match element
        .map(|bytes| binary_tuple::decode(bytes, crate::value::ColumnType::Int32))
    {
        Some(Ok(Value::Int(v))) => Ok(v),
        _ => Err(Error::protocol("a typed value without a type")),
    };
    let value = |place: usize| {
        let at = ELEMENTS * place;
        let Some(element) = tuple.element(at + 2) else { return Ok(Argument { ty: None, value: Value::Null }) };
        let (id, scale) = (int(tuple.element(at))?, int(tuple.element(at + 1))?);
        let ty = schema::argument_type(id, scale, element.len())
            .ok_or_else(|| Error::protocol(format!("a typed value of the unknown type {id}")))?;
        Ok(Argument { ty: Some(ty), value: binary_tuple::decode(element, ty)?.into_owned() })
    };
    (0..count).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ColumnType;

    /// As Ignite 3.1.0's Java and Python clients send it, from the schema on.
    #[test]
    fn requests_of_real_clients_are_read() {
        let java = b"\xa6PUBLIC\xcd\x04\0\0\0\xa7Etc/UTC\0\xc4\x01\0\xd9\x08SELECT ?\x01\xc4\x07\0\x01\x02\x03\x04\0*\xcf\0\0\0\0\0\0\0\x01";
        let mut reader = Reader::new(java);
        let head = Head::read(&mut reader).unwrap();
        let (schema, zone) = (Some("PUBLIC"), Some("Etc/UTC"));
        assert_eq!(head, Head { schema, page_rows: 1024, timeout: None, zone, text: "SELECT ?" });
        let int = Argument { ty: Some(ColumnType::Int32), value: Value::Int(42) };
        assert_eq!(arguments(&mut reader).unwrap(), std::slice::from_ref(&int));
        let python = b"\xa6PUBLIC\xcd\x04\0\xcdu0\xc0\xc0\0\xc4\x01\0\xa6DROP X\xc0\0";
        let mut reader = Reader::new(python);
        let head = Head::read(&mut reader).unwrap();
        assert_eq!(head.timeout, Some(Duration::from_secs(30)));
        assert_eq!(arguments(&mut reader).unwrap(), []);
        let rows = b"\x01\x02\xc2\xc4\x07\0\x01\x02\x03\x04\0\x2a\xc4\x07\0\x01\x02\x03\x04\0\x2a";
        assert_eq!(batch(&mut Reader::new(rows)).unwrap(), [vec![int.clone()], vec![int]]);
    }

    #[test]
    fn nulls_and_absurd_counts() {
        assert_eq!(
            arguments(&mut Reader::new(b"\x01\xc4\x04\0\0\0\0")).unwrap(),
            [Argument { ty: None, value: Value::Null }]
        );
        assert_eq!(arguments(&mut Reader::new(b"\xce\x7f\xff\xff\xff")).unwrap_err().kind, Kind::LimitExceeded);
        assert_eq!(arguments(&mut Reader::new(b"\xff")).unwrap_err().kind, Kind::LimitExceeded);
        assert_eq!(arguments(&mut Reader::new(b"\x02\xc4\x04\0\0\0\0")).unwrap_err().kind, Kind::Protocol);
    }
}
