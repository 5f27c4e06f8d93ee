//! Arithmetic as Ignite does it: results as wide as the wider operand, and an error where they do not fit.
//!
//! Observed on Ignite 3.1.0: `TINYINT + TINYINT` is a TINYINT, `INT / INT` cuts, `%` has the type of its second operand.
//! A decimal result has the precision and scale that its operands imply, a quotient at least six digits, the rest cut.

use super::types::to_arrow;
use crate::error::{Error, Kind};
use crate::sql::query::scan::external;
use crate::value::ColumnType;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder, Decimal256Builder};
use datafusion::arrow::compute::{cast, kernels::numeric};
use datafusion::arrow::datatypes::{DataType, Decimal256Type, Field, FieldRef, i256};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use std::cmp::Ordering;
use std::sync::Arc;

/// Digits that a decimal result can have.
const DIGITS_MAX: i32 = 76;
/// Digits after the point that a quotient has at least.
const QUOTIENT_SCALE_MIN: i32 = 6;

/// An operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

/// One operator on two numbers.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Arithmetic {
    op: Op,
    signature: Signature,
}

impl Arithmetic {
    /// The function of an operator.
    pub fn new(op: Op) -> Self {
        Self { op, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        match self.op {
            Op::Add => "plus",
            Op::Subtract => "minus",
            Op::Multiply => "times",
            Op::Divide => "divide",
            Op::Modulo => "mod",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = types else { return plan_err!("{} takes two numbers", self.name()) };
        let left = if left.is_null() { right } else { left };
        let right = if right.is_null() { left } else { right };
        if left.is_null() {
            return Ok(vec![DataType::Int32; 2]);
        }
        if !left.is_numeric() || !right.is_numeric() {
            return plan_err!("Cannot apply '{}' to arguments of type '<{left}> and <{right}>'", self.name());
        }
        Ok(vec![left.clone(), right.clone()])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [left, right] = types else { return plan_err!("{} takes two numbers", self.name()) };
        Ok(result_type(self.op, left, right))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<_> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let result = args.return_type().clone();
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [left, right] = arrays.as_slice() else { return plan_err!("{} takes two numbers", self.name()) };
        let array = calculate(self.op, left, right, &result)?;
        match scalar {
            true => datafusion::common::ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(array)),
        }
    }
}

/// Precision and scale of a number that is a decimal, or stands for one.
fn digits(ty: &DataType) -> (i32, i32) {
    match ty {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => (i32::from(*p), i32::from(*s)),
        _ => (19, 0),
    }
}

fn is_decimal(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..)
    )
}

fn width(ty: &DataType) -> u8 {
    match ty {
        DataType::Int8 => 1,
        DataType::Int16 | DataType::UInt8 => 2,
        DataType::Int32 | DataType::UInt16 => 4,
        _ => 8,
    }
}

fn wider(left: &DataType, right: &DataType) -> DataType {
    match width(left).max(width(right)) {
        1 => DataType::Int8,
        2 => DataType::Int16,
        4 => DataType::Int32,
        _ => DataType::Int64,
    }
}

/// The type of a result.
pub fn result_type(op: Op, left: &DataType, right: &DataType) -> DataType {
    let floats = (left.is_floating(), right.is_floating());
    if floats.0 || floats.1 {
        let single = |ty: &DataType| *ty == DataType::Float32 || ty.is_integer();
        return if single(left) && single(right) { DataType::Float32 } else { DataType::Float64 };
    }
    if !is_decimal(left) && !is_decimal(right) {
        return if op == Op::Modulo { wider(right, right) } else { wider(left, right) };
    }
    let ((p1, s1), (p2, s2)) = (digits(left), digits(right));
    let (precision, scale) = match op {
        Op::Add | Op::Subtract => ((p1 - s1).max(p2 - s2) + s1.max(s2) + 1, s1.max(s2)),
        Op::Multiply => (p1 + p2, s1 + s2),
        Op::Divide => {
            let scale = QUOTIENT_SCALE_MIN.max(s1 + p2 + 1);
            (p1 - s1 + s2 + scale, scale)
        }
        Op::Modulo => ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)),
    };
    // What does not fit loses digits after the point, down to what the operands have.
    let scale = if precision > DIGITS_MAX { (scale - (precision - DIGITS_MAX)).max(s1.max(s2)) } else { scale };
    let limited = |n: i32| u32::try_from(n.clamp(0, DIGITS_MAX)).unwrap_or(0);
    to_arrow(ColumnType::Decimal { precision: limited(precision.max(1)), scale: limited(scale) })
}

fn calculate(op: Op, left: &ArrayRef, right: &ArrayRef, result: &DataType) -> Result<ArrayRef> {
    if is_decimal(result) {
        return decimals(op, left, right, result);
    }
    let common = if result.is_floating() { result.clone() } else { wider(left.data_type(), right.data_type()) };
    let (left, right) = (cast(left, &common)?, cast(right, &common)?);
    let calculated = match op {
        Op::Add => numeric::add(&left, &right),
        Op::Subtract => numeric::sub(&left, &right),
        Op::Multiply => numeric::mul(&left, &right),
        Op::Divide => numeric::div(&left, &right),
        Op::Modulo => numeric::rem(&left, &right),
    };
    let calculated = calculated.map_err(|error| match error {
        ArrowError::DivideByZero => by_zero(op == Op::Divide),
        _ => out_of_range(&common),
    });
    Ok(cast(&calculated.map_err(external)?, result)?)
}

fn decimals(op: Op, left: &ArrayRef, right: &ArrayRef, result: &DataType) -> Result<ArrayRef> {
    let ((p1, s1), (p2, s2)) = (digits(left.data_type()), digits(right.data_type()));
    let wide = |array: &ArrayRef, p: i32, s: i32| {
        let exact = match array.data_type() {
            ty if is_decimal(ty) => Arc::clone(array),
            _ => cast(array, &DataType::Decimal128(p as u8, 0))?,
        };
        cast(&exact, &DataType::Decimal256(DIGITS_MAX as u8, s as i8))
    };
    let (left, right) = (wide(left, p1, s1)?, wide(right, p2, s2)?);
    let (left, right) = (left.as_primitive::<Decimal256Type>(), right.as_primitive::<Decimal256Type>());
    let (precision, scale) = digits(result);
    let value = |row: usize| -> std::result::Result<Option<i256>, Error> {
        if left.is_null(row) || right.is_null(row) {
            return Ok(None);
        }
        let (a, b) = (left.value(row), right.value(row));
        let beyond = || overflow(precision, scale);
        let common = s1.max(s2);
        let value = match op {
            Op::Add | Op::Subtract | Op::Modulo => {
                let (a, b) = (rescale(a, s1, common).ok_or_else(beyond)?, rescale(b, s2, common).ok_or_else(beyond)?);
                let exact = match op {
                    Op::Add => a.checked_add(b),
                    Op::Subtract => a.checked_sub(b),
                    _ if b == i256::ZERO => return Err(by_zero(false)),
                    _ => a.checked_rem(b),
                };
                exact.and_then(|v| rescale(v, common, scale))
            }
            Op::Multiply => a.checked_mul(b).and_then(|v| rescale(v, s1 + s2, scale)),
            Op::Divide if b == i256::ZERO => return Err(by_zero(false)),
            Op::Divide => rescale(a, s1 - s2, scale).and_then(|a| a.checked_div(b)),
        };
        value.filter(|v| fits(*v, precision)).map(Some).ok_or_else(beyond)
    };
    let rows = left.len();
    match result {
        DataType::Decimal128(..) => {
            let mut out = Decimal128Builder::with_capacity(rows).with_data_type(result.clone());
            for row in 0..rows {
                out.append_option(value(row).map_err(external)?.and_then(i256::to_i128));
            }
            Ok(Arc::new(out.finish()))
        }
        _ => {
            let mut out = Decimal256Builder::with_capacity(rows).with_data_type(result.clone());
            for row in 0..rows {
                out.append_option(value(row).map_err(external)?);
            }
            Ok(Arc::new(out.finish()))
        }
    }
}

/// The digits of a number at another scale; those beyond it are cut.
fn rescale(value: i256, from: i32, to: i32) -> Option<i256> {
    let by = |n: i32| i256::from(10).checked_pow(n.unsigned_abs());
    match from.cmp(&to) {
        Ordering::Equal => Some(value),
        Ordering::Less => value.checked_mul(by(to - from)?),
        Ordering::Greater => by(from - to).map_or(Some(i256::ZERO), |unit| value.checked_div(unit)),
    }
}

fn fits(value: i256, precision: i32) -> bool {
    let Some(limit) = i256::from(10).checked_pow(precision.unsigned_abs()) else { return true };
    value.checked_abs().is_some_and(|v| v < limit)
}

fn by_zero(integers: bool) -> Error {
    Error::new(Kind::SqlRuntime, if integers { "Division by zero" } else { "/ by zero" })
}

fn overflow(precision: i32, scale: i32) -> Error {
    Error::new(
        Kind::SqlRuntime,
        format!(
            "Numeric field overflow. A field with precision {precision}, scale {scale} must round to an absolute value less \
             than 10^{}.",
            precision - scale
        ),
    )
}

/// The error of a result that its type cannot hold.
pub fn out_of_range(ty: &DataType) -> Error {
    let name = match ty {
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Float32 => "REAL",
        _ => "BIGINT",
    };
    Error::new(Kind::SqlRuntime, format!("{name} out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Decimal128Array, Int8Array, Int32Array};

    fn dec(unscaled: i128, precision: u8, scale: i8) -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![unscaled]).with_precision_and_scale(precision, scale).unwrap())
    }

    fn run(op: Op, left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
        calculate(op, left, right, &result_type(op, left.data_type(), right.data_type()))
    }

    #[test]
    fn integers_are_checked() {
        let (max, one): (ArrayRef, ArrayRef) =
            (Arc::new(Int8Array::from(vec![127])), Arc::new(Int8Array::from(vec![1])));
        assert!(run(Op::Add, &max, &one).unwrap_err().to_string().contains("TINYINT out of range"));
        let int: ArrayRef = Arc::new(Int32Array::from(vec![-7]));
        let two: ArrayRef = Arc::new(Int32Array::from(vec![2]));
        let zero: ArrayRef = Arc::new(Int32Array::from(vec![0]));
        let quotient = run(Op::Divide, &int, &two).unwrap();
        assert_eq!(quotient.as_ref(), &Int32Array::from(vec![-3]) as &dyn Array);
        assert_eq!(run(Op::Modulo, &int, &max).unwrap().data_type(), &DataType::Int8);
        assert!(run(Op::Divide, &int, &zero).unwrap_err().to_string().contains("Division by zero"));
        assert!(run(Op::Modulo, &int, &zero).unwrap_err().to_string().contains("/ by zero"));
    }

    /// Observed on Ignite 3.1.0.
    #[test]
    fn decimals_have_the_digits_their_operands_imply() {
        let ty = |op, (p1, s1), (p2, s2)| match result_type(
            op,
            &DataType::Decimal128(p1, s1),
            &DataType::Decimal128(p2, s2),
        ) {
            DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => (p, s),
            other => panic!("{other}"),
        };
        assert_eq!(ty(Op::Add, (10, 2), (5, 3)), (12, 3));
        assert_eq!(ty(Op::Multiply, (10, 2), (5, 3)), (15, 5));
        assert_eq!(ty(Op::Divide, (10, 2), (5, 3)), (19, 8));
        assert_eq!(ty(Op::Modulo, (10, 2), (5, 3)), (5, 3));
        let quotient = run(Op::Divide, &dec(500, 3, 2), &dec(3, 1, 0)).unwrap();
        assert_eq!(quotient.as_primitive::<datafusion::arrow::datatypes::Decimal128Type>().value(0), 1_666_666);
    }
}
