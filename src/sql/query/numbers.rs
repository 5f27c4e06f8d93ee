//! Functions of numbers whose result has the type of the number.
//!
//! Observed on Ignite 3.1.0: whole numbers stay what they are; of a DECIMAL(p, s) the whole part is a DECIMAL(p, 0), and what
//! is rounded to some digits still a DECIMAL(p, s); halves are rounded away from zero.

use super::rowwise::{Known, RowFunction, cannot_apply, failed, unexpected};
use crate::error::Result;
use crate::value::{ColumnType, Decimal, Value};
use datafusion::logical_expr::{ScalarUDF, Volatility};
use num_bigint::{BigInt, Sign};
use std::sync::Arc;

/// Digits that can be asked for, on both sides of the point.
const DIGITS_MAX: i64 = 1_000;

/// How a number loses digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Down,
    Up,
    Cut,
    Half,
}

/// All of them.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        RowFunction::udf(&["sign"], (1, 1), |args| same("SIGN", args), sign),
        RowFunction::udf(&["ceil", "ceiling"], (1, 1), |args| whole("CEIL", args), |args, _| round(args, Mode::Up)),
        RowFunction::udf(&["floor"], (1, 1), |args| whole("FLOOR", args), |args, _| round(args, Mode::Down)),
        RowFunction::udf(
            &["round"],
            (1, 2),
            |args| rounded("ROUND", args),
            |args, ty| to_type(round(args, Mode::Half)?, ty),
        ),
        RowFunction::udf(
            &["truncate"],
            (1, 2),
            |args| rounded("TRUNCATE", args),
            |args, ty| to_type(round(args, Mode::Cut)?, ty),
        ),
        RowFunction::udf(&["negate"], (1, 1), signed, negate),
        RowFunction::with_volatility(
            &["rand_integer"],
            (1, 2),
            |args| same("RAND_INTEGER", args).map(|_| Some(ColumnType::Int32)),
            |args, _| match args {
                [.., Value::Int(end)] if *end > 0 => Ok(Value::Int(fastrand::i64(0..*end))),
                _ => Err(failed("bound must be positive")),
            },
            Volatility::Volatile,
        ),
    ]
}

fn same(name: &str, args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    let Some(first) = args.first() else { return Err(cannot_apply(name, args)) };
    let number = |ty| {
        matches!(
            ty,
            ColumnType::Int8
                | ColumnType::Int16
                | ColumnType::Int32
                | ColumnType::Int64
                | ColumnType::Float
                | ColumnType::Double
                | ColumnType::Decimal { .. }
        )
    };
    let counted = |ty| matches!(ty, ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64);
    let digits = args.iter().skip(1).all(|arg| arg.ty.is_none_or(counted));
    if first.ty.is_none_or(number) && digits { Ok(first.ty) } else { Err(cannot_apply(name, args)) }
}

/// The type of a whole part.
fn whole(name: &str, args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    Ok(match same(name, args)? {
        Some(ColumnType::Decimal { precision, .. }) => Some(ColumnType::Decimal { precision, scale: 0 }),
        other => other,
    })
}

/// The type of a number with fewer digits.
fn rounded(name: &str, args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    if args.len() == 1 { whole(name, args) } else { same(name, args) }
}

/// The type of what has a sign: numbers and intervals.
fn signed(args: &[Known]) -> std::result::Result<Option<ColumnType>, String> {
    match args.first().and_then(|arg| arg.ty) {
        Some(ty @ (ColumnType::Period | ColumnType::Duration)) => Ok(Some(ty)),
        _ => same("-", args),
    }
}

fn negate(args: &[Value<'_>], ty: ColumnType) -> Result<Value<'static>> {
    Ok(match args.first() {
        Some(Value::Int(v)) => to_type(Value::Int(v.checked_neg().ok_or_else(|| failed("BIGINT out of range"))?), ty)?,
        Some(Value::Float(v)) => Value::Float(-v),
        Some(Value::Double(v)) => Value::Double(-v),
        Some(Value::Decimal(v)) => Value::Decimal(Decimal { unscaled: -&v.unscaled, scale: v.scale }),
        Some(Value::Period(years, months, days)) => {
            let overflow = || failed("INTERVAL out of range");
            let negative = |part: &i32| part.checked_neg().ok_or_else(overflow);
            Value::Period(negative(years)?, negative(months)?, negative(days)?)
        }
        // The nanoseconds of a negative time count up from the second below.
        Some(Value::Duration(seconds, nanos)) => match (seconds.checked_neg(), nanos) {
            (Some(seconds), 0) => Value::Duration(seconds, 0),
            (Some(seconds), nanos) if seconds > i64::MIN => Value::Duration(seconds - 1, 1_000_000_000 - nanos),
            _ => return Err(failed("INTERVAL out of range")),
        },
        other => return Err(unexpected(other.unwrap_or(&Value::Null))),
    })
}

fn sign(args: &[Value<'_>], ty: ColumnType) -> Result<Value<'static>> {
    let sign = |negative: bool, zero: bool| match (negative, zero) {
        (_, true) => 0,
        (true, _) => -1,
        (false, _) => 1,
    };
    Ok(match args.first() {
        Some(Value::Int(v)) => Value::Int(v.signum()),
        Some(Value::Float(v)) if v.is_nan() || *v == 0.0 => Value::Float(*v),
        Some(Value::Float(v)) => Value::Float(v.signum()),
        Some(Value::Double(v)) if v.is_nan() || *v == 0.0 => Value::Double(*v),
        Some(Value::Double(v)) => Value::Double(v.signum()),
        Some(Value::Decimal(v)) => {
            let sign = sign(v.unscaled.sign() == Sign::Minus, v.unscaled.sign() == Sign::NoSign);
            to_type(Value::Decimal(Decimal::from_i64(sign)), ty)?
        }
        other => return Err(unexpected(other.unwrap_or(&Value::Null))),
    })
}

/// The first argument with as many digits after the point as the second says, or none.
fn round(args: &[Value<'_>], mode: Mode) -> Result<Value<'static>> {
    let digits = match args {
        [_] => 0,
        [_, Value::Int(digits)] => (*digits).clamp(-DIGITS_MAX, DIGITS_MAX),
        _ => return Err(failed("a number and how many digits are expected")),
    };
    let digits = i32::try_from(digits).unwrap_or(0);
    Ok(match args.first() {
        Some(Value::Int(v)) if digits >= 0 => Value::Int(*v),
        Some(Value::Int(v)) => {
            let rounded = decimal(&Decimal::from_i64(*v), digits, mode).rescaled(0);
            Value::Int(i64::try_from(rounded.unscaled).map_err(|_| failed("BIGINT out of range"))?)
        }
        Some(Value::Float(v)) => Value::Float(float(f64::from(*v), &v.to_string(), digits, mode) as f32),
        Some(Value::Double(v)) => Value::Double(float(*v, &v.to_string(), digits, mode)),
        Some(Value::Decimal(v)) => Value::Decimal(decimal(v, digits, mode)),
        other => return Err(unexpected(other.unwrap_or(&Value::Null))),
    })
}

/// The number as people write it loses digits, not its binary neighbour.
fn float(value: f64, text: &str, digits: i32, mode: Mode) -> f64 {
    match mode {
        Mode::Up => return value.ceil(),
        Mode::Down => return value.floor(),
        Mode::Cut | Mode::Half => {}
    }
    let rounded = Decimal::parse(text).map(|exact| decimal(&exact, digits, mode).to_string());
    // Neither infinities nor what is no number are decimals.
    rounded.and_then(|text| text.parse().ok()).unwrap_or(value)
}

/// The decimal with at most `digits` digits after the point; its scale stays unless it has to be smaller.
fn decimal(value: &Decimal, digits: i32, mode: Mode) -> Decimal {
    if value.scale <= digits {
        return value.clone();
    }
    let unit = BigInt::from(10).pow(value.scale.abs_diff(digits));
    let (cut, rest) = (&value.unscaled / &unit, &value.unscaled % &unit);
    let away = match mode {
        Mode::Cut => false,
        Mode::Half => rest.magnitude() * 2_u32 >= *unit.magnitude(),
        Mode::Up => rest.sign() == Sign::Plus,
        Mode::Down => rest.sign() == Sign::Minus,
    };
    let unscaled = match (away, value.unscaled.sign()) {
        (false, _) => cut,
        (true, Sign::Minus) => cut - 1,
        (true, _) => cut + 1,
    };
    Decimal { unscaled, scale: digits }
}

/// The value at the type's scale, if it fits.
fn to_type(value: Value<'static>, ty: ColumnType) -> Result<Value<'static>> {
    let (min, max, name) = match ty {
        ColumnType::Int8 => (i8::MIN.into(), i8::MAX.into(), "TINYINT"),
        ColumnType::Int16 => (i16::MIN.into(), i16::MAX.into(), "SMALLINT"),
        ColumnType::Int32 => (i32::MIN.into(), i32::MAX.into(), "INTEGER"),
        _ => (i64::MIN, i64::MAX, "BIGINT"),
    };
    match (value, ty) {
        (Value::Int(v), _) if !(min..=max).contains(&v) => Err(failed(format!("{name} out of range"))),
        (Value::Decimal(v), ColumnType::Decimal { scale, .. }) => {
            Ok(Value::Decimal(v.rescaled(i32::try_from(scale).unwrap_or(i32::MAX))))
        }
        (value, _) => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Value<'static> {
        Value::Decimal(Decimal::parse(text).unwrap())
    }

    /// Observed on Ignite 3.1.0.
    #[test]
    fn numbers_lose_digits() {
        let rounded = |args: &[Value<'_>], mode| match round(args, mode).unwrap() {
            Value::Decimal(v) => v.rescaled(v.scale.max(0)).to_string(),
            other => other.to_string(),
        };
        let ty = ColumnType::Decimal { precision: 5, scale: 4 };
        for (value, digits, half, cut) in [
            (dec("1.2345"), 2, "1.23", "1.23"),
            (dec("1.2355"), 3, "1.236", "1.235"),
            (dec("-2.5"), 0, "-3", "-2"),
            (Value::Double(1.255), 2, "1.26", "1.25"),
            (Value::Double(-0.4), 0, "0", "0"),
            (Value::Int(15), -1, "20", "10"),
            (Value::Int(-12_345), -2, "-12300", "-12300"),
            (Value::Double(1e300), 2, &1e300.to_string(), &1e300.to_string()),
        ] {
            assert_eq!(rounded(&[value.clone(), Value::Int(digits)], Mode::Half), half, "{value}");
            assert_eq!(rounded(&[value.clone(), Value::Int(digits)], Mode::Cut), cut, "{value}");
        }
        assert_eq!(rounded(&[dec("-1.5")], Mode::Up), "-1");
        assert_eq!(rounded(&[dec("-1.5")], Mode::Down), "-2");
        assert_eq!(to_type(dec("1.23"), ty).unwrap(), dec("1.2300"));
        assert!(to_type(Value::Int(130), ColumnType::Int8).is_err());
    }
}
