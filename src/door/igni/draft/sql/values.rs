//! Values whose types go with them: parameters, and the rows of results. Each is nil, or the code of its type and itself.

use super::super::codec;
use super::super::types::{Parameters, column_type, type_code};
use crate::config::SQL_PARAMETERS_MAX;
use crate::error::{Error, Kind, Result};
use crate::sql::{Argument, Page, ResultColumn, decimal_argument};
use crate::value::{ColumnType, UNLIMITED, Value};
use crate::wire::binary_tuple::Tuple;
use crate::wire::msgpack::{Reader, Write};

/// The type of texts, which is also what values without a form of their own are shown as.
const TEXT: ColumnType = ColumnType::String { length: UNLIMITED };

/// Reads a list of parameters, or nil for none.
///
/// # Errors
/// `LimitExceeded` beyond [`SQL_PARAMETERS_MAX`]; a type or value that does not exist.
pub(super) fn arguments(reader: &mut Reader<'_>) -> Result<Vec<Argument>> {
    if reader.nil_if_next()? {
        return Ok(Vec::new());
    }
    let count = reader.array()?;
    if count > SQL_PARAMETERS_MAX {
        return Err(Error::new(
            Kind::LimitExceeded,
            format!("The statement has {count} parameters, the limit is {SQL_PARAMETERS_MAX}"),
        ));
    }
    (0..count).map(|_| argument(reader)).collect()
}

fn argument(reader: &mut Reader<'_>) -> Result<Argument> {
    if reader.nil_if_next()? {
        return Ok(Argument { ty: None, value: Value::Null });
    }
    let ty = column_type(reader.i64()?, Parameters::default())?;
    let value = codec::read(reader, ty)?.into_owned();
    let ty = match (ty, &value) {
        (_, Value::Decimal(decimal)) => {
            // 10 digits need at least 33 bits.
            let digits = u32::try_from(decimal.unscaled.bits() * 10 / 33).unwrap_or(u32::MAX).saturating_add(1);
            decimal_argument(digits, decimal.scale)
        }
        (ColumnType::Bitmask { .. }, _) => ColumnType::Bytes { length: UNLIMITED },
        (ColumnType::Time { .. }, _) => ColumnType::Time { precision: 9 },
        (ty, _) => ty,
    };
    Ok(Argument { ty: Some(ty), value })
}

/// Appends the rows of a page.
///
/// # Errors
/// `Internal` for rows that are not of these columns.
pub(super) fn put_rows(out: &mut Vec<u8>, page: &Page, columns: &[ResultColumn]) -> Result<()> {
    out.put_array(page.count);
    let mut reader = Reader::new(&page.rows);
    for _row in 0..page.count {
        let row = reader.bin().and_then(|bytes| Tuple::parse(bytes, columns.len())).map_err(ours)?;
        out.put_array(columns.len());
        for (place, column) in columns.iter().enumerate() {
            let ty = column.ty.unwrap_or(TEXT);
            match row.value(place, ty).map_err(ours)? {
                Value::Null => out.put_nil(),
                value @ (Value::Period(..) | Value::Duration(..)) => {
                    out.put_int(type_code(TEXT));
                    out.put_str(&value.to_string());
                }
                value => {
                    out.put_int(type_code(ty));
                    codec::write_typed(out, &value, ty);
                }
            }
        }
    }
    Ok(())
}

/// What is wrong with our own rows is no fault of the request.
fn ours(error: Error) -> Error {
    Error::new(Kind::Internal, error.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Decimal;

    #[test]
    fn parameters_bring_their_types() {
        let bytes =
            b"\x96\xc0\x04\x05\x09\xa1a\x07\xc7\x05\x02\0\0\0\x02\x7d\x11\xc3\x0d\xc7\x07\x05\x01\x02\x03\0\0\0\0";
        let arguments = arguments(&mut Reader::new(bytes)).unwrap();
        let types: Vec<_> = arguments.iter().map(|a| a.ty).collect();
        let decimal = ColumnType::Decimal { precision: 28, scale: 6 };
        let time = ColumnType::Time { precision: 9 };
        assert_eq!(
            types,
            [None, Some(ColumnType::Int64), Some(TEXT), Some(decimal), Some(ColumnType::Boolean), Some(time)]
        );
        assert_eq!(arguments[3].value, Value::Decimal(Decimal { unscaled: 125.into(), scale: 2 }));
    }

    #[test]
    fn bad_parameters_are_refused() {
        assert_eq!(arguments(&mut Reader::new(b"\xc0")).unwrap(), []);
        assert_eq!(arguments(&mut Reader::new(b"\x91\x12\x01")).unwrap_err().kind, Kind::InvalidArgument);
        assert_eq!(arguments(&mut Reader::new(b"\x91\x04\xa1a")).unwrap_err().kind, Kind::TypeMismatch);
        assert_eq!(arguments(&mut Reader::new(b"\x92\x04\x01")).unwrap_err().kind, Kind::Protocol);
        assert_eq!(arguments(&mut Reader::new(b"\xdd\x7f\xff\xff\xff")).unwrap_err().kind, Kind::Protocol);
        let many = [&b"\xdc\x27\x11"[..], &[0xc0; 10_001]].concat();
        assert_eq!(arguments(&mut Reader::new(&many)).unwrap_err().kind, Kind::LimitExceeded);
    }
}
