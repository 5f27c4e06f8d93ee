//! SUM and AVG as Ignite does them: exact for integers and decimals.
//!
//! Observed on Ignite 3.1.0: the sum of a BIGINT is a decimal, so it does not overflow; an average of integers is a
//! decimal with 16 digits after the point, the rest cut. DataFusion's own do the work; only what their argument is taken
//! as differs.

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::functions_aggregate::{average::avg_udaf, sum::sum_udaf};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature, Volatility,
};
use std::sync::Arc;

/// Digits after the point that an average of integers has, less those that DataFusion's average adds to its argument.
const AVERAGE_SCALE: i8 = 12;

/// An aggregate function over an argument that is taken as another type first.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Taken {
    inner: Arc<AggregateUDF>,
    signature: Signature,
    average: bool,
}

/// SUM and AVG.
pub fn all() -> Vec<Arc<AggregateUDF>> {
    let taken = |inner, average| {
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(AggregateUDF::new_from_impl(Taken { inner, signature, average }))
    };
    vec![taken(sum_udaf(), false), taken(avg_udaf(), true)]
}

impl Taken {
    fn argument(&self, ty: &DataType) -> Result<DataType> {
        let integer = match ty {
            DataType::Int8 => 3,
            DataType::Int16 => 5,
            DataType::Int32 => 10,
            DataType::Int64 => 19,
            DataType::Null => return Ok(DataType::Int64),
            DataType::Float32 | DataType::Float64 => return Ok(DataType::Float64),
            &DataType::Decimal128(p, s) if self.average && s < AVERAGE_SCALE => {
                let digits = p.saturating_sub(s.unsigned_abs()) + AVERAGE_SCALE.unsigned_abs();
                return Ok(DataType::Decimal128(digits.min(38), AVERAGE_SCALE));
            }
            DataType::Decimal128(..) | DataType::Decimal256(..) => return Ok(ty.clone()),
            other => {
                let name = self.name().to_uppercase();
                return plan_err!("Cannot apply '{name}' to arguments of type '{name}(<{other}>)'");
            }
        };
        Ok(match (self.average, integer) {
            (true, digits) => DataType::Decimal128(digits + AVERAGE_SCALE.unsigned_abs(), AVERAGE_SCALE),
            (false, 19) => DataType::Decimal128(38, 0),
            // Taken as what it is and widened on the way in: a type that is taken as another must not be taken further.
            (false, _) => ty.clone(),
        })
    }
}

impl Taken {
    /// Whether the sum of the type is a BIGINT of another type's values.
    fn widens(&self, ty: &DataType) -> bool {
        !self.average && matches!(ty, DataType::Int8 | DataType::Int16 | DataType::Int32)
    }

    fn widens_input(&self, args: &AccumulatorArgs<'_>) -> bool {
        args.expr_fields.first().is_some_and(|field| self.widens(field.data_type()))
    }
}

/// Takes integers as BIGINT.
#[derive(Debug)]
struct Widened<T>(T);

fn widened(values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    values.iter().map(|array| Ok(cast(array, &DataType::Int64)?)).collect()
}

impl Accumulator for Widened<Box<dyn Accumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(&widened(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.evaluate()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.retract_batch(&widened(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.supports_retract_batch()
    }
}

impl GroupsAccumulator for Widened<Box<dyn GroupsAccumulator>> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.0.update_batch(&widened(values)?, groups, filter, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.0.evaluate(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.0.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.0.merge_batch(states, groups, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.0.convert_to_state(&widened(values)?, filter)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

impl AggregateUDFImpl for Taken {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [ty] => Ok(vec![self.argument(ty)?]),
            _ => plan_err!(
                "Invalid number of arguments to function '{}'. Was expecting 1 arguments",
                self.name().to_uppercase()
            ),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [ty] if self.widens(ty) => Ok(DataType::Int64),
            _ => self.inner.inner().return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let widens = self.widens_input(&args);
        let inner = self.inner.inner().accumulator(args)?;
        Ok(if widens { Box::new(Widened(inner)) } else { inner })
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.inner.inner().state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.inner().groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let widens = self.widens_input(&args);
        let inner = self.inner.inner().create_groups_accumulator(args)?;
        Ok(if widens { Box::new(Widened(inner)) } else { inner })
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let widens = self.widens_input(&args);
        let inner = self.inner.inner().create_sliding_accumulator(args)?;
        Ok(if widens { Box::new(Widened(inner)) } else { inner })
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn default_value(&self, ty: &DataType) -> Result<ScalarValue> {
        self.inner.inner().default_value(ty)
    }
}
