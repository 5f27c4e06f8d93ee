//! Functions that Ignite has and DataFusion has not, or has under another name or with another result.

use super::planner::Ignite;
use super::scan::external;
use crate::error::{Error, Kind};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, Int32Array, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// All of them.
pub fn all(ignite: &Ignite) -> Vec<Arc<ScalarUDF>> {
    let mut all = vec![
        Arc::clone(ignite.modulo()),
        function(ToUuid { signature: Signature::any(1, Volatility::Immutable) }),
        function(RandUuid { signature: Signature::nullary(Volatility::Volatile) }),
        function(Now { name: "localtimestamp", zone: None, signature: moment() }),
        function(Now { name: "current_timestamp", zone: Some(super::types::UTC), signature: moment() }),
        function(Length { signature: Signature::string(1, Volatility::Immutable) }),
    ];
    for family in [super::dates::all(), super::numbers::all(), super::texts::all(), super::convert::all()] {
        all.extend(family);
    }
    all
}

fn function(implementation: impl ScalarUDFImpl + 'static) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(implementation))
}

fn moment() -> Signature {
    Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::Exact(vec![DataType::Int64])], Volatility::Stable)
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

/// LOCALTIMESTAMP and CURRENT_TIMESTAMP: the moment the statement runs, in milliseconds.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Now {
    name: &'static str,
    zone: Option<&'static str>,
    signature: Signature,
}

impl ScalarUDFImpl for Now {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Microsecond, self.zone.map(Into::into)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(now.as_millis()).unwrap_or_default() * 1_000;
        let array = TimestampMicrosecondArray::from(vec![micros]).with_data_type(args.return_type().clone());
        ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar)
    }
}

/// LENGTH and CHAR_LENGTH: in UTF-16 units, as an INT.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Length {
    signature: Signature,
}

impl ScalarUDFImpl for Length {
    fn name(&self) -> &'static str {
        "length"
    }

    fn aliases(&self) -> &[String] {
        static ALIASES: std::sync::LazyLock<Vec<String>> =
            std::sync::LazyLock::new(|| vec!["char_length".to_owned(), "character_length".to_owned()]);
        &ALIASES
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [texts] = arrays.as_slice() else { return plan_err!("LENGTH takes one text") };
        let units = |text: &str| i32::try_from(text.encode_utf16().count()).unwrap_or(i32::MAX);
        let lengths: Int32Array = match texts.data_type() {
            DataType::Utf8View => texts.as_string_view().iter().map(|text| text.map(units)).collect(),
            DataType::LargeUtf8 => texts.as_string::<i64>().iter().map(|text| text.map(units)).collect(),
            _ => texts.as_string::<i32>().iter().map(|text| text.map(units)).collect(),
        };
        let array: ArrayRef = Arc::new(lengths);
        match args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) && array.len() == 1 {
            true => ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(array)),
        }
    }
}
