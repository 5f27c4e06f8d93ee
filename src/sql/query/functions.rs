//! Functions that Ignite has and DataFusion has not, or has under another name or with another result.

use super::arrays::ColumnBuilder;
use super::planner::Ignite;
use super::scan::external;
use super::types::to_arrow;
use super::zone::Zone;
use crate::error::{Error, Kind};
use crate::value::{ColumnType, Timestamp, Value};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, Int32Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// All of them.
pub fn all(ignite: &Ignite) -> Vec<Arc<ScalarUDF>> {
    let mut all = vec![
        Arc::clone(ignite.modulo()),
        function(ToUuid { signature: Signature::any(1, Volatility::Immutable) }),
        function(RandUuid { signature: Signature::nullary(Volatility::Volatile) }),
        function(Now { moment: Moment::Local, signature: moment() }),
        function(Now { moment: Moment::Point, signature: moment() }),
        function(Now { moment: Moment::TimeOfDay, signature: moment() }),
        function(Plain { signature: Signature::any(1, Volatility::Immutable) }),
        function(Length { octets: false, signature: Signature::user_defined(Volatility::Immutable) }),
        function(Length { octets: true, signature: Signature::user_defined(Volatility::Immutable) }),
    ];
    for family in [
        super::dates::all(),
        super::numbers::all(),
        super::texts::all(),
        super::convert::all(),
        super::intervals::all(),
        super::hashes::all(),
        super::json::all(),
        super::magnitudes::all(),
        super::patterns::all(),
    ] {
        all.extend(family);
    }
    all
}

fn function(implementation: impl ScalarUDFImpl + 'static) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(implementation))
}

/// Volatile, so that nothing evaluates one call after the other before `simplify` gives all of them one moment.
fn moment() -> Signature {
    Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::Exact(vec![DataType::Int64])], Volatility::Volatile)
}

/// What CAST(x AS UUID) stands for.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToUuid {
    signature: Signature,
}

impl ScalarUDFImpl for ToUuid {
    fn name(&self) -> &'static str {
        "to_uuid"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::FixedSizeBinary(16) | DataType::Utf8 | DataType::Utf8View | DataType::Null] => {
                Ok(DataType::FixedSizeBinary(16))
            }
            _ => plan_err!(
                "Cast function cannot convert value of type {} to type UUID",
                types.first().unwrap_or(&DataType::Null)
            ),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [values] = arrays.as_slice() else { return plan_err!("CAST takes one value") };
        if values.data_type() == &DataType::FixedSizeBinary(16) {
            return Ok(ColumnarValue::Array(Arc::clone(values)));
        }
        let texts = cast(values, &DataType::Utf8)?;
        let mut out = FixedSizeBinaryBuilder::with_capacity(texts.len(), 16);
        for text in texts.as_string::<i32>() {
            match text {
                None => out.append_null(),
                Some(text) => {
                    let uuid = parse_uuid(text.trim()).ok_or_else(|| {
                        external(Error::new(Kind::SqlRuntime, format!("Invalid UUID string: {text}")))
                    })?;
                    out.append_value(uuid.to_be_bytes())?;
                }
            }
        }
        let array: ArrayRef = Arc::new(out.finish());
        match scalar {
            true => ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(array)),
        }
    }
}

/// Reads `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
fn parse_uuid(text: &str) -> Option<u128> {
    let parts: Vec<&str> = text.split('-').collect();
    let [8, 4, 4, 4, 12] = *parts.iter().map(|part| part.len()).collect::<Vec<_>>() else { return None };
    let digits = parts.concat();
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u128::from_str_radix(&digits, 16).ok()).flatten()
}

/// RAND_UUID(): a new UUID for every row.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RandUuid {
    signature: Signature,
}

impl ScalarUDFImpl for RandUuid {
    fn name(&self) -> &'static str {
        "rand_uuid"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::FixedSizeBinary(16))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut rng = fastrand::Rng::new();
        let mut out = FixedSizeBinaryBuilder::with_capacity(args.number_rows, 16);
        for _ in 0..args.number_rows {
            out.append_value(crate::store::engine::random_uuid(&mut rng).to_be_bytes())?;
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}

/// Which of the functions that tell the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Moment {
    /// LOCALTIMESTAMP
    Local,
    /// CURRENT_TIMESTAMP
    Point,
    /// LOCALTIME
    TimeOfDay,
}

/// The moment the statement runs, in milliseconds, in its time zone.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Now {
    moment: Moment,
    signature: Signature,
}

impl ScalarUDFImpl for Now {
    fn name(&self) -> &'static str {
        match self.moment {
            Moment::Local => "localtimestamp",
            Moment::Point => "current_timestamp",
            Moment::TimeOfDay => "localtime",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(to_arrow(match self.moment {
            Moment::Local => ColumnType::Datetime { precision: 6 },
            Moment::Point => ColumnType::Timestamp { precision: 6 },
            Moment::TimeOfDay => ColumnType::Time { precision: 9 },
        }))
    }

    /// The start of the statement, for all of its calls alike.
    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(start) = info.query_execution_start_time() else { return Ok(ExprSimplifyResult::Original(args)) };
        let value = self.at(start.timestamp_millis(), info.config_options())?;
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(value, None)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = i64::try_from(now.as_millis()).unwrap_or_default();
        self.at(millis, &args.config_options).map(ColumnarValue::Scalar)
    }
}

impl Now {
    /// What the function answers at so many milliseconds since 1970.
    fn at(&self, millis: i64, options: &ConfigOptions) -> Result<ScalarValue> {
        let nanos = u32::try_from(millis.rem_euclid(1_000)).unwrap_or_default() * 1_000_000;
        let at = Timestamp { seconds: millis.div_euclid(1_000), nanos };
        let zone = Zone::of(options).map_err(external)?;
        let (date, time) = zone.local(at).map_err(external)?;
        let (ty, value) = match self.moment {
            Moment::Local => (ColumnType::Datetime { precision: 6 }, Value::Datetime(date, time)),
            Moment::Point => (ColumnType::Timestamp { precision: 6 }, Value::Timestamp(at)),
            Moment::TimeOfDay => (ColumnType::Time { precision: 9 }, Value::Time(time)),
        };
        let mut builder = ColumnBuilder::new(ty, 1);
        builder.push(&value).map_err(external)?;
        ScalarValue::try_from_array(&builder.finish(), 0)
    }
}

/// A value as it is: the rows of VALUES must agree in what Arrow does not know of it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Plain {
    signature: Signature,
}

impl ScalarUDFImpl for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [ty] => Ok(ty.clone()),
            _ => plan_err!("one value is expected"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [field] => Ok(Arc::new(Field::new(self.name(), field.data_type().clone(), field.is_nullable()))),
            _ => plan_err!("one value is expected"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(value) => Ok(value),
            None => plan_err!("one value is expected"),
        }
    }
}

/// LENGTH and CHAR_LENGTH, in UTF-16 units, and OCTET_LENGTH: of texts and bytes, as an INT.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Length {
    octets: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Length {
    fn name(&self) -> &'static str {
        if self.octets { "octet_length" } else { "length" }
    }

    fn aliases(&self) -> &[String] {
        static ALIASES: std::sync::LazyLock<Vec<String>> =
            std::sync::LazyLock::new(|| vec!["char_length".to_owned(), "character_length".to_owned()]);
        if self.octets { &[] } else { &ALIASES }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name().to_uppercase();
        match types {
            [DataType::Null] => Ok(vec![DataType::Utf8]),
            [ty] if ty.is_string() || *ty == DataType::Binary => Ok(vec![ty.clone()]),
            [ty] => plan_err!("Cannot apply '{name}' to arguments of type '{name}(<{ty}>)'"),
            _ => plan_err!("Invalid number of arguments to function '{name}'. Was expecting 1 arguments"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [values] = arrays.as_slice() else { return plan_err!("LENGTH takes one text") };
        let length = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let of = |text: &str| length(if self.octets { text.len() } else { text.encode_utf16().count() });
        let lengths: Int32Array = match values.data_type() {
            DataType::Binary => values.as_binary::<i32>().iter().map(|bytes| bytes.map(|b| length(b.len()))).collect(),
            DataType::Utf8View => values.as_string_view().iter().map(|text| text.map(of)).collect(),
            DataType::LargeUtf8 => values.as_string::<i64>().iter().map(|text| text.map(of)).collect(),
            _ => values.as_string::<i32>().iter().map(|text| text.map(of)).collect(),
        };
        let array: ArrayRef = Arc::new(lengths);
        match args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) && array.len() == 1 {
            true => ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(array)),
        }
    }
}
