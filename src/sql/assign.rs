//! A value of one SQL type stored in a column of another: what an INSERT or an UPDATE converts by itself.
//!
//! Numbers become numbers, with an error where they do not fit, local times points in time; anything else has to be cast by
//! the statement.

use crate::error::{Error, Kind, Result};
use crate::store::column::Column;
use crate::value::{ColumnType, Decimal, Timestamp, Value};
use num_bigint::BigInt;

/// The value as the column stores it.
///
/// # Errors
/// `SqlRuntime` where a value does not fit, `SqlConstraint` for a null where none may be, `SqlValidation` for types that
/// are not assigned to each other.
pub fn assign(value: Value<'static>, column: &Column) -> Result<Value<'static>> {
    let value = cut(convert(value, column)?, column)?;
    column.accept(value).map_err(|error| match error.kind {
        Kind::OutOfRange => Error::new(Kind::SqlRuntime, out_of_range(column.ty, error.message.into_owned())),
        Kind::NotNull | Kind::MissingKey => {
            Error::new(Kind::SqlConstraint, format!("Column '{}' does not allow NULLs", column.name))
        }
        Kind::TypeMismatch => mismatch(column),
        _ => error,
    })
}

/// As a real node words it: by the type alone for numbers, else by the column.
fn out_of_range(ty: ColumnType, message: String) -> String {
    match ty {
        ColumnType::Int8 => "TINYINT out of range".into(),
        ColumnType::Int16 => "SMALLINT out of range".into(),
        ColumnType::Int32 => "INTEGER out of range".into(),
        ColumnType::Int64 => "BIGINT out of range".into(),
        ColumnType::Decimal { precision, scale } => format!(
            "Numeric field overflow. A field with precision {precision}, scale {scale} must round to an absolute value less \
             than 10^{}.",
            precision.saturating_sub(scale)
        ),
        _ => message,
    }
}

fn convert(value: Value<'static>, column: &Column) -> Result<Value<'static>> {
    use ColumnType as T;
    use Value as V;
    let beyond = || {
        Error::new(
            Kind::SqlRuntime,
            out_of_range(column.ty, format!("Numeric field overflow in column '{}'", column.name)),
        )
    };
    Ok(match (column.ty, value) {
        (T::Int8 | T::Int16 | T::Int32 | T::Int64, V::Decimal(v)) => {
            // Digits after the point are cut.
            let whole = if v.scale > 0 { truncated(&v) } else { v.rescaled(0).unscaled };
            V::Int(i64::try_from(whole).map_err(|_| beyond())?)
        }
        (T::Int8 | T::Int16 | T::Int32 | T::Int64, V::Float(v)) => V::Int(whole(v.into()).ok_or_else(beyond)?),
        (T::Int8 | T::Int16 | T::Int32 | T::Int64, V::Double(v)) => V::Int(whole(v).ok_or_else(beyond)?),
        (T::Float, V::Int(v)) => V::Float(v as f32),
        (T::Float, V::Double(v)) => match v as f32 {
            narrow if narrow.is_infinite() && v.is_finite() => {
                return Err(Error::new(Kind::SqlRuntime, "REAL out of range"));
            }
            narrow => V::Float(narrow),
        },
        (T::Float, V::Decimal(v)) => V::Float(v.to_string().parse().map_err(|_| beyond())?),
        (T::Double, V::Int(v)) => V::Double(v as f64),
        (T::Double, V::Float(v)) => V::Double(v.into()),
        (T::Double, V::Decimal(v)) => V::Double(v.to_string().parse().map_err(|_| beyond())?),
        (T::Decimal { .. } | T::Number { .. }, V::Int(v)) => V::Decimal(Decimal::from_i64(v)),
        (T::Decimal { .. } | T::Number { .. }, V::Float(v)) => {
            V::Decimal(Decimal::parse(&v.to_string()).ok_or_else(beyond)?)
        }
        (T::Decimal { .. } | T::Number { .. }, V::Double(v)) => {
            V::Decimal(Decimal::parse(&v.to_string()).ok_or_else(beyond)?)
        }
        (T::Timestamp { .. }, V::Datetime(d, t)) => V::Timestamp(Timestamp::from_utc(d, t)),
        (_, value) => value,
    })
}

/// Digits beyond the column's scale are cut, not rounded, and so are blanks beyond its length.
fn cut(value: Value<'static>, column: &Column) -> Result<Value<'static>> {
    Ok(match (column.ty, value) {
        (ColumnType::Decimal { scale, .. }, Value::Decimal(v)) if i64::from(v.scale) > i64::from(scale) => {
            let unit = BigInt::from(10).pow(v.scale.unsigned_abs() - scale);
            Value::Decimal(Decimal { unscaled: v.unscaled / unit, scale: scale as i32 })
        }
        (ColumnType::Number { .. }, Value::Decimal(v)) if v.scale > 0 => {
            Value::Decimal(Decimal { unscaled: truncated(&v), scale: 0 })
        }
        (ColumnType::String { length }, Value::Str(text)) if text.encode_utf16().count() > length as usize => {
            let (mut units, mut end) = (0, text.len());
            for (at, c) in text.char_indices() {
                units += c.len_utf16();
                if units > length as usize {
                    end = at;
                    break;
                }
            }
            let (kept, beyond) = text.split_at_checked(end).unwrap_or((&text, ""));
            if beyond.chars().any(|c| c != ' ') {
                return Err(too_long(column.ty));
            }
            Value::Str(kept.to_owned().into())
        }
        (ColumnType::Bytes { length }, Value::Bytes(bytes)) if bytes.len() > length as usize => {
            return Err(too_long(column.ty));
        }
        (_, value) => value,
    })
}

fn too_long(ty: ColumnType) -> Error {
    let name = match ty {
        ColumnType::String { length } => format!("VARCHAR({length})"),
        ColumnType::Bytes { length } => format!("VARBINARY({length})"),
        other => other.to_string(),
    };
    Error::new(Kind::SqlValidation, format!("Failed to validate query. Value too long for type: {name}"))
}

fn truncated(v: &Decimal) -> BigInt {
    &v.unscaled / BigInt::from(10).pow(v.scale.unsigned_abs())
}

fn whole(v: f64) -> Option<i64> {
    let v = v.trunc();
    // The upper end is exact as a power of two; i64::MAX is not.
    (v >= i64::MIN as f64 && v < -(i64::MIN as f64)).then_some(v as i64)
}

fn mismatch(column: &Column) -> Error {
    let text = format!(
        "Failed to validate query. Values passed to column '{}' of type {} are not assignable to it",
        column.name, column.ty
    );
    Error::new(Kind::SqlValidation, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::column::Default;

    fn column(ty: ColumnType) -> Column {
        Column {
            id: 1,
            name: "C".into(),
            ty,
            nullable: false,
            default: Default::None,
            filler: None,
            key: None,
            colocation: None,
        }
    }

    fn dec(text: &str) -> Value<'static> {
        Value::Decimal(Decimal::parse(text).unwrap())
    }

    #[test]
    fn numbers_become_numbers() {
        for (ty, value, stored) in [
            (ColumnType::Int32, dec("12.9"), Value::Int(12)),
            (ColumnType::Int32, dec("-12.9"), Value::Int(-12)),
            (ColumnType::Int64, Value::Double(-1.5), Value::Int(-1)),
            (ColumnType::Double, Value::Int(3), Value::Double(3.0)),
            (ColumnType::Float, dec("0.5"), Value::Float(0.5)),
            (ColumnType::Decimal { precision: 5, scale: 2 }, Value::Int(3), dec("3")),
            (ColumnType::Decimal { precision: 5, scale: 2 }, Value::Double(0.1), dec("0.1")),
            (ColumnType::Decimal { precision: 5, scale: 2 }, dec("-1.019"), dec("-1.01")),
            (ColumnType::String { length: 2 }, Value::Str("ab  ".into()), Value::Str("ab".into())),
        ] {
            assert_eq!(assign(value.clone(), &column(ty)).unwrap(), stored, "{ty} {value}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (ty, value, kind) in [
            (ColumnType::Int8, Value::Int(128), Kind::SqlRuntime),
            (ColumnType::Int64, Value::Double(9.3e18), Kind::SqlRuntime),
            (ColumnType::Int64, Value::Double(f64::NAN), Kind::SqlRuntime),
            (ColumnType::Int32, Value::Str("5".into()), Kind::SqlValidation),
            (ColumnType::Int32, Value::Null, Kind::SqlConstraint),
            (ColumnType::String { length: 1 }, Value::Str("ab".into()), Kind::SqlValidation),
            (ColumnType::Decimal { precision: 3, scale: 1 }, Value::Int(100), Kind::SqlRuntime),
        ] {
            assert_eq!(assign(value.clone(), &column(ty)).unwrap_err().kind, kind, "{ty} {value}");
        }
    }
}
