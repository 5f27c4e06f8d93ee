//! ABS and SQRT.
//!
//! Observed on Ignite 3.1.0: the least integer is its own absolute value; an interval has one, too; the square root of what
//! is negative is NaN.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    IntervalYearMonthType,
};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// All of them.
pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let function =
        |root| Arc::new(ScalarUDF::from(Magnitude { root, signature: Signature::user_defined(Volatility::Immutable) }));
    vec![function(false), function(true)]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Magnitude {
    /// Whether it is the square root.
    root: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Magnitude {
    fn name(&self) -> &'static str {
        if self.root { "sqrt" } else { "abs" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name().to_uppercase();
        match types {
            [ty] if ty.is_numeric() && self.root => Ok(vec![DataType::Float64]),
            [DataType::Null] if self.root => Ok(vec![DataType::Float64]),
            [ty] if ty.is_numeric() || ty.is_null() || matches!(ty, DataType::Interval(_)) && !self.root => {
                Ok(vec![ty.clone()])
            }
            [ty] => plan_err!("Cannot apply '{name}' to arguments of type '{name}(<{ty}>)'"),
            _ => plan_err!("Invalid number of arguments to function '{name}'. Was expecting 1 arguments"),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [_] if self.root => Ok(DataType::Float64),
            [ty] => Ok(ty.clone()),
            _ => plan_err!("{} takes one number", self.name()),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<_> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [numbers] = arrays.as_slice() else { return plan_err!("{} takes one number", self.name()) };
        let array = match self.root {
            true => each::<Float64Type>(&cast(numbers, &DataType::Float64)?, f64::sqrt),
            false => absolute(numbers),
        };
        match scalar {
            true => ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(array)),
        }
    }
}

fn each<T: ArrowPrimitiveType>(array: &ArrayRef, of: impl Fn(T::Native) -> T::Native) -> ArrayRef {
    let array: &PrimitiveArray<T> = array.as_primitive();
    // The type has more to it than its kind: the digits of a decimal.
    Arc::new(array.unary::<_, T>(of).with_data_type(array.data_type().clone()))
}

fn absolute(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Int8 => each::<Int8Type>(array, i8::wrapping_abs),
        DataType::Int16 => each::<Int16Type>(array, i16::wrapping_abs),
        DataType::Int32 => each::<Int32Type>(array, i32::wrapping_abs),
        DataType::Int64 => each::<Int64Type>(array, i64::wrapping_abs),
        DataType::Float32 => each::<Float32Type>(array, f32::abs),
        DataType::Float64 => each::<Float64Type>(array, f64::abs),
        DataType::Decimal128(..) => each::<Decimal128Type>(array, i128::wrapping_abs),
        DataType::Decimal256(..) => each::<Decimal256Type>(array, |v| v.wrapping_abs()),
        DataType::Interval(IntervalUnit::YearMonth) => each::<IntervalYearMonthType>(array, i32::wrapping_abs),
        DataType::Interval(IntervalUnit::MonthDayNano) => each::<IntervalMonthDayNanoType>(array, |v| {
            IntervalMonthDayNano::new(v.months.wrapping_abs(), v.days.wrapping_abs(), v.nanoseconds.wrapping_abs())
        }),
        _ => Arc::clone(array),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Decimal128Array, Int8Array};

    #[test]
    fn absolute_values() {
        let ints: ArrayRef = Arc::new(Int8Array::from(vec![Some(-5), None, Some(i8::MIN)]));
        assert_eq!(absolute(&ints).as_ref(), &Int8Array::from(vec![Some(5), None, Some(i8::MIN)]) as &dyn Array);
        let decimals: ArrayRef = Arc::new(Decimal128Array::from(vec![-150]).with_precision_and_scale(5, 2).unwrap());
        let absolute = absolute(&decimals);
        assert_eq!(absolute.data_type(), &DataType::Decimal128(5, 2));
        assert_eq!(absolute.as_primitive::<Decimal128Type>().value(0), 150);
    }
}
