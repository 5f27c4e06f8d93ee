//! SINGLE_VALUE: the value of a subquery that must not answer several rows.

use super::rowwise::failed;
use super::scan::external;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The function.
pub(super) fn udaf() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(SingleValue { signature: Signature::any(1, Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue {
    signature: Signature,
}

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &'static str {
        crate::sql::subqueries::SINGLE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [ty] => Ok(ty.clone()),
            _ => internal_err!("SINGLE_VALUE takes one value"),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let value = ScalarValue::try_from(args.return_field.data_type())?;
        Ok(Box::new(Single { value, taken: false }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let value = Field::new("value", args.return_field.data_type().clone(), true);
        Ok(vec![Arc::new(value), Arc::new(Field::new("taken", DataType::Boolean, false))])
    }
}

#[derive(Debug)]
struct Single {
    value: ScalarValue,
    taken: bool,
}

impl Single {
    fn take(&mut self, values: &ArrayRef, row: usize) -> Result<()> {
        if self.taken {
            return Err(external(failed("Subquery returned more than 1 value.")));
        }
        self.value = ScalarValue::try_from_array(values, row)?;
        self.taken = true;
        Ok(())
    }
}

impl Accumulator for Single {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [values] = values else { return internal_err!("SINGLE_VALUE takes one value") };
        // The second row already is one too many.
        (0..values.len().min(2)).try_for_each(|row| self.take(values, row))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) - size_of_val(&self.value) + self.value.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::Boolean(Some(self.taken))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, taken] = states else { return internal_err!("SINGLE_VALUE keeps two states") };
        let taken: &BooleanArray = taken.as_boolean();
        (0..values.len()).filter(|row| taken.value(*row)).try_for_each(|row| self.take(values, row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::Int32Array;

    #[test]
    fn the_second_value_is_refused() {
        let mut single = Single { value: ScalarValue::Int32(None), taken: false };
        assert_eq!(single.evaluate().unwrap(), ScalarValue::Int32(None));
        let one: ArrayRef = Arc::new(Int32Array::from(vec![7]));
        single.update_batch(std::slice::from_ref(&one)).unwrap();
        assert_eq!(single.evaluate().unwrap(), ScalarValue::Int32(Some(7)));
        assert!(single.update_batch(&[one]).unwrap_err().to_string().contains("more than 1 value"));
    }
}
