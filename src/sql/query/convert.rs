//! CAST: `cast_to(value, 'type')`, what may be cast to what, and how.
//!
//! Observed on Ignite 3.1.0: digits are cut, never rounded; text is trimmed and must be a number, date and so on as a whole;
//! text too long for its type is cut; what does not fit fails; between numbers and truth or dates there is no cast at all.

use super::arrays::{ColumnBuilder, value_at};
use super::rowwise::{failed, unexpected};
use super::scan::external;
use super::types;
use super::zone::Zone;
use crate::error::{Error, Result};
use crate::store::range;
use crate::value::{ColumnType, Date, Decimal, Time, Timestamp, UNLIMITED, Value, text};
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The function's name.
pub const NAME: &str = "cast_to";

/// Length of the text of TYPEOF.
const TYPE_NAME_LENGTH: u32 = 2000;

/// The function, and TYPEOF.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Arc::new(ScalarUDF::from(CastTo { signature: Signature::any(2, Volatility::Immutable) })),
        Arc::new(ScalarUDF::from(TypeOf { signature: Signature::any(1, Volatility::Immutable) })),
    ]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CastTo {
    signature: Signature,
}

impl ScalarUDFImpl for CastTo {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> datafusion::common::Result<DataType> {
        internal_err!("the type of a cast is its second argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> datafusion::common::Result<FieldRef> {
        let ([value, _], [_, Some(ScalarValue::Utf8(Some(json)))]) = (args.arg_fields, args.scalar_arguments) else {
            return internal_err!("a cast takes a value and a literal type");
        };
        let Ok(to) = serde_json::from_str::<ColumnType>(json) else { return internal_err!("{json} is no type") };
        match types::of_field(value).filter(|_| !value.data_type().is_null()) {
            Some(from) if !allowed(from, to) => {
                plan_err!("Cast function cannot convert value of type {} to type {}", sql_name(from), sql_name(to))
            }
            _ => Ok(Arc::new(types::field(NAME, to, value.is_nullable()))),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> datafusion::common::Result<ColumnarValue> {
        let Some(to) = types::of_field(&args.return_field) else { return internal_err!("a cast to no type") };
        let Some(value) = args.args.first() else { return internal_err!("a cast of nothing") };
        let scalar = matches!(value, ColumnarValue::Scalar(_));
        let array = value.to_array(if scalar { 1 } else { args.number_rows })?;
        let array = match widens(array.data_type(), args.return_field.data_type()) {
            true => datafusion::arrow::compute::cast(&array, args.return_field.data_type())?,
            false => {
                let zone = Zone::of(&args.config_options).map_err(external)?;
                convert_all(&array, to, &zone).map_err(external)?
            }
        };
        match scalar {
            true => ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(array)),
        }
    }
}

/// TYPEOF: the name of the argument's type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    signature: Signature,
}

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &'static str {
        "typeof"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> datafusion::common::Result<DataType> {
        internal_err!("the type of a type's name depends on nothing")
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> datafusion::common::Result<FieldRef> {
        Ok(Arc::new(types::field("typeof", ColumnType::String { length: TYPE_NAME_LENGTH }, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> datafusion::common::Result<ColumnarValue> {
        let field = args.arg_fields.first().filter(|field| !field.data_type().is_null());
        let name = field.and_then(|field| types::of_field(field)).map_or_else(|| "NULL".to_owned(), sql_name);
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(name))))
    }
}

/// Whether Arrow's cast does the same, and faster: nothing can be lost.
fn widens(from: &DataType, to: &DataType) -> bool {
    let rank = |ty: &DataType| match ty {
        DataType::Int8 => Some(1),
        DataType::Int16 => Some(2),
        DataType::Int32 => Some(3),
        DataType::Int64 => Some(4),
        DataType::Float64 => Some(5),
        _ => None,
    };
    match (rank(from), rank(to)) {
        (Some(from), Some(to)) => from <= to && from != 5,
        _ => from == &DataType::Float32 && to == &DataType::Float64,
    }
}

fn convert_all(array: &ArrayRef, to: ColumnType, zone: &Zone) -> Result<ArrayRef> {
    let mut out = ColumnBuilder::new(to, array.len());
    for row in 0..array.len() {
        if array.data_type().is_null() || array.is_null(row) {
            out.push_null();
            continue;
        }
        out.push(&convert(&value_at(array, row)?, to, zone)?)?;
    }
    Ok(out.finish())
}

fn is_number(ty: ColumnType) -> bool {
    matches!(
        ty,
        ColumnType::Int8
            | ColumnType::Int16
            | ColumnType::Int32
            | ColumnType::Int64
            | ColumnType::Float
            | ColumnType::Double
            | ColumnType::Decimal { .. }
            | ColumnType::Number { .. }
    )
}

/// Whether there is such a cast.
fn allowed(from: ColumnType, to: ColumnType) -> bool {
    use ColumnType as T;
    match (from, to) {
        (T::Bytes { .. }, T::Bytes { .. }) => true,
        (T::Bytes { .. }, _) | (_, T::Bytes { .. }) => false,
        (T::String { .. }, _) | (_, T::String { .. }) => true,
        (T::Date, T::Date | T::Datetime { .. } | T::Timestamp { .. }) => true,
        (T::Time { .. }, T::Time { .. }) => true,
        (
            T::Datetime { .. } | T::Timestamp { .. },
            T::Date | T::Time { .. } | T::Datetime { .. } | T::Timestamp { .. },
        ) => true,
        (from, to) if is_number(from) && is_number(to) => true,
        (from, to) => from.name() == to.name(),
    }
}

/// A type as Ignite's messages name it.
fn sql_name(ty: ColumnType) -> String {
    match ty {
        ColumnType::Int8 => "TINYINT".into(),
        ColumnType::Int16 => "SMALLINT".into(),
        ColumnType::Int32 => "INTEGER".into(),
        ColumnType::Int64 => "BIGINT".into(),
        ColumnType::Float => "REAL".into(),
        ColumnType::Datetime { precision } => format!("TIMESTAMP({precision})"),
        ColumnType::Timestamp { precision } => format!("TIMESTAMP_WITH_LOCAL_TIME_ZONE({precision})"),
        ColumnType::String { length: UNLIMITED } => "VARCHAR".into(),
        ColumnType::String { length } => format!("VARCHAR({length})"),
        ColumnType::Bytes { length: UNLIMITED } => "VARBINARY".into(),
        ColumnType::Bytes { length } => format!("VARBINARY({length})"),
        other => other.to_string(),
    }
}

/// Whether a literal of a date or time is one; its type is the right one for its digits.
///
/// # Errors
/// `SqlRuntime`, what is wrong with it.
pub fn moment_literal(text: &str, ty: ColumnType) -> Result<()> {
    let zone = Zone::parse(None)?;
    let value = convert(&Value::Str(text.into()), ty, &zone)?;
    in_range(value, || failed("out of range")).map(|_| ())
}

/// The value, if a column could hold it.
///
/// # Errors
/// What `beyond` makes.
pub fn in_range(value: Value<'static>, beyond: impl FnOnce() -> Error) -> Result<Value<'static>> {
    let checked = match &value {
        Value::Date(date) => range::date(*date),
        Value::Datetime(date, time) => range::datetime(*date, *time),
        Value::Timestamp(at) => range::timestamp(*at),
        _ => Ok(()),
    };
    checked.map(|()| value).map_err(|_| beyond())
}

/// The value as one of another type.
fn convert(value: &Value<'_>, to: ColumnType, zone: &Zone) -> Result<Value<'static>> {
    Ok(match to {
        ColumnType::Int8 => Value::Int(integer(value, i8::MIN.into(), i8::MAX.into(), "TINYINT")?),
        ColumnType::Int16 => Value::Int(integer(value, i16::MIN.into(), i16::MAX.into(), "SMALLINT")?),
        ColumnType::Int32 => Value::Int(integer(value, i32::MIN.into(), i32::MAX.into(), "INTEGER")?),
        ColumnType::Int64 => Value::Int(integer(value, i64::MIN, i64::MAX, "BIGINT")?),
        ColumnType::Float => match value {
            // Too large a text is infinite, too large a number an error.
            Value::Str(text) => Value::Float(double(text)? as f32),
            Value::Float(v) => Value::Float(*v),
            value => {
                let wide = float(value)?;
                let narrow = wide as f32;
                if narrow.is_infinite() && wide.is_finite() {
                    return Err(failed("REAL out of range"));
                }
                Value::Float(narrow)
            }
        },
        ColumnType::Double => Value::Double(match value {
            Value::Str(text) => double(text)?,
            value => float(value)?,
        }),
        ColumnType::Decimal { precision, scale } => Value::Decimal(decimal(value, precision, scale)?),
        ColumnType::String { length } => Value::Str(shortened(printed(value, zone)?, length).into()),
        ColumnType::Bytes { length } => match value {
            Value::Bytes(bytes) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                Value::Bytes(bytes.get(..length).unwrap_or(bytes).to_vec().into())
            }
            other => return Err(unexpected(other)),
        },
        ColumnType::Boolean => match value {
            Value::Bool(v) => Value::Bool(*v),
            Value::Str(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => return Err(failed(format!("Invalid character for cast: {text}"))),
            },
            other => return Err(unexpected(other)),
        },
        ColumnType::Uuid => match value {
            Value::Uuid(v) => Value::Uuid(*v),
            Value::Str(text) => Value::Uuid(uuid(text).ok_or_else(|| failed(format!("Invalid UUID string: {text}")))?),
            other => return Err(unexpected(other)),
        },
        ColumnType::Date => Value::Date(match value {
            Value::Date(date) | Value::Datetime(date, _) => *date,
            Value::Timestamp(at) => utc(*at)?.0,
            Value::Str(text) => date(text.trim(), text)?,
            other => return Err(unexpected(other)),
        }),
        ColumnType::Time { precision } => Value::Time(
            match value {
                Value::Time(time) | Value::Datetime(_, time) => *time,
                Value::Timestamp(at) => zone.local(*at)?.1,
                Value::Str(text) => time(text.trim(), text)?,
                other => return Err(unexpected(other)),
            }
            .truncated(precision),
        ),
        ColumnType::Datetime { precision } => {
            let (date, time) = match value {
                Value::Timestamp(at) => zone.local(*at)?,
                value => moment(value)?,
            };
            Value::Datetime(date, time.truncated(precision))
        }
        ColumnType::Timestamp { precision } => Value::Timestamp(match value {
            Value::Timestamp(at) => at.truncated(precision),
            value => {
                let (date, time) = moment(value)?;
                zone.point(date, time.truncated(precision))?
            }
        }),
        _ => return Ok(value.clone().into_owned()),
    })
}

fn integer(value: &Value<'_>, min: i64, max: i64, name: &str) -> Result<i64> {
    let out_of_range = || failed(format!("{name} out of range"));
    let cut = |decimal: &Decimal| i64::try_from(cut(decimal, 0).unscaled).map_err(|_| out_of_range());
    let number = match value {
        Value::Int(v) => *v,
        Value::Float(v) => whole(f64::from(*v)).ok_or_else(out_of_range)?,
        Value::Double(v) => whole(*v).ok_or_else(out_of_range)?,
        Value::Decimal(v) => cut(v)?,
        Value::Str(text) => {
            let number =
                number(text).ok_or_else(|| failed(format!("Invalid input string for type {name}: \"{text}\"")))?;
            cut(&number)?
        }
        other => return Err(unexpected(other)),
    };
    if (min..=max).contains(&number) { Ok(number) } else { Err(out_of_range()) }
}

/// Without its fraction; what is no number is 0.
fn whole(value: f64) -> Option<i64> {
    // 2^63 itself is no i64.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    match value.is_nan() {
        true => Some(0),
        false => (-LIMIT..LIMIT).contains(&value).then_some(value as i64),
    }
}

/// The decimal at a scale; digits beyond it are cut.
fn cut(value: &Decimal, scale: i32) -> Decimal {
    match value.scale <= scale {
        true => value.rescaled(scale),
        false => {
            let unit = num_bigint::BigInt::from(10).pow(value.scale.abs_diff(scale));
            Decimal { unscaled: &value.unscaled / unit, scale }
        }
    }
}

fn number(text: &str) -> Option<Decimal> {
    let text = text.trim();
    // The parser takes underscores between digits.
    (!text.contains('_')).then(|| Decimal::parse(text.strip_prefix('+').unwrap_or(text))).flatten()
}

fn float(value: &Value<'_>) -> Result<f64> {
    Ok(match value {
        Value::Int(v) => *v as f64,
        Value::Float(v) => f64::from(*v),
        Value::Double(v) => *v,
        Value::Decimal(v) => v.to_string().parse().map_err(|_| failed(format!("{v} is no number")))?,
        other => return Err(unexpected(other)),
    })
}

fn double(text: &str) -> Result<f64> {
    let trimmed = text.trim();
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    let number = match trimmed.trim_start_matches(['-', '+']) {
        "NaN" | "Infinity" => trimmed.to_ascii_lowercase().parse().ok(),
        _ if trimmed.chars().all(digits) => trimmed.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| failed(format!("For input string: \"{text}\"")))
}

fn decimal(value: &Value<'_>, precision: u32, scale: u32) -> Result<Decimal> {
    let exact = match value {
        Value::Int(v) => Decimal::from_i64(*v),
        Value::Decimal(v) => v.clone(),
        Value::Float(v) => number(&v.to_string()).ok_or_else(|| failed(format!("{v} is no decimal")))?,
        Value::Double(v) => number(&v.to_string()).ok_or_else(|| failed(format!("{v} is no decimal")))?,
        Value::Str(text) => number(text).ok_or_else(|| {
            let wrong = text.trim().chars().find(|c| !c.is_ascii_digit()).map_or(String::new(), String::from);
            failed(format!(
                "Character {wrong} is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark."
            ))
        })?,
        other => return Err(unexpected(other)),
    };
    let places = i32::try_from(scale).unwrap_or(i32::MAX);
    let number = cut(&exact, places);
    match number.exceeds(precision, places) {
        true => Err(failed(format!(
            "Numeric field overflow. A field with precision {precision}, scale {scale} must round to an absolute value \
             less than 10^{}.",
            i64::from(precision) - i64::from(scale)
        ))),
        false => Ok(number),
    }
}

/// The value as text.
fn printed(value: &Value<'_>, zone: &Zone) -> Result<String> {
    Ok(match value {
        Value::Bool(v) => v.to_string().to_uppercase(),
        Value::Float(v) => java(v.is_finite(), f64::from(v.abs()), &format!("{v:e}"), &format!("{v:?}")),
        Value::Double(v) => java(v.is_finite(), v.abs(), &format!("{v:e}"), &format!("{v:?}")),
        Value::Timestamp(at) => {
            let (date, time) = zone.local(*at)?;
            let local = Value::Datetime(date, time);
            format!("{} {}", text::plain(&local).unwrap_or_default(), zone.name())
        }
        Value::Period(years, months, _) => {
            let months = i64::from(*years) * 12 + i64::from(*months);
            format!("{}{}-{:02}", if months < 0 { '-' } else { '+' }, months.abs() / 12, months.abs() % 12)
        }
        Value::Duration(seconds, nanos) => {
            let total = i128::from(*seconds) * 1_000_000_000 + i128::from(*nanos);
            let (sign, micros) = (if total < 0 { '-' } else { '+' }, total.abs() / 1_000);
            let seconds = micros / 1_000_000;
            let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
            format!("{sign}{days} {hours:02}:{minutes:02}:{:02}.{:06}", seconds % 60, micros % 1_000_000)
        }
        value => text::plain(value).unwrap_or_default().into_owned(),
    })
}

/// A floating-point number as Java prints it: with an exponent from 10^7 on and below 10^-3.
fn java(finite: bool, magnitude: f64, scientific: &str, plain: &str) -> String {
    if !finite {
        return plain.replace("inf", "Infinity");
    }
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return if plain.contains(['.', 'e']) { plain.to_owned() } else { format!("{plain}.0") };
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    match digits.contains('.') {
        true => format!("{digits}E{exponent}"),
        false => format!("{digits}.0E{exponent}"),
    }
}

/// At most so many UTF-16 units of a text, and no half characters.
fn shortened(mut text: String, length: u32) -> String {
    let mut units = 0;
    let limit = usize::try_from(length).unwrap_or(usize::MAX);
    let end = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > limit
    });
    if let Some((end, _)) = end {
        text.truncate(end);
    }
    text
}

/// Five groups of hexadecimal digits; zeros at their beginnings may be left out.
fn uuid(text: &str) -> Option<u128> {
    let mut out = 0_u128;
    let mut groups = text.split('-');
    for digits in [8, 4, 4, 4, 12] {
        let group = groups.next().filter(|group| (1..=digits).contains(&group.len()))?;
        let hexadecimal = group.bytes().all(|b| b.is_ascii_hexdigit());
        let value = hexadecimal.then(|| u128::from_str_radix(group, 16).ok()).flatten()?;
        out = out << (4 * digits) | value;
    }
    groups.next().is_none().then_some(out)
}

fn utc(at: Timestamp) -> Result<(Date, Time)> {
    at.to_utc().ok_or_else(|| failed("TIMESTAMP out of range"))
}

fn moment(value: &Value<'_>) -> Result<(Date, Time)> {
    let midnight = Time { hour: 0, minute: 0, second: 0, nanos: 0 };
    Ok(match value {
        Value::Date(date) => (*date, midnight),
        Value::Datetime(date, time) => (*date, *time),
        Value::Str(text) => {
            let trimmed = text.trim();
            match trimmed.split_once(' ') {
                Some((day, clock)) => (date(day, text)?, time(clock, text)?),
                None => (date(trimmed, text)?, midnight),
            }
        }
        other => return Err(unexpected(other)),
    })
}

/// Numbers of a few digits, separated.
fn parts<const N: usize>(text: &str, separator: char) -> Option<[u32; N]> {
    let mut out = [0; N];
    let mut parts = text.split(separator);
    for place in &mut out {
        let part = parts.next().filter(|part| (1..=4).contains(&part.len()))?;
        *place = part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then_some(out)
}

fn out_of_range(field: &str, shown: &str) -> Error {
    failed(format!("Value of {field} field is out of range in '{shown}'"))
}

fn date(text: &str, shown: &str) -> Result<Date> {
    let [year, month, day] = parts(text, '-').ok_or_else(|| failed(format!("Invalid DATE value, '{shown}'")))?;
    let year = i32::try_from(year).ok().filter(|year| (1..=9999).contains(year));
    let year = year.ok_or_else(|| out_of_range("YEAR", shown))?;
    let month = u8::try_from(month).ok().filter(|month| (1..=12).contains(month));
    let month = month.ok_or_else(|| out_of_range("MONTH", shown))?;
    let day = u8::try_from(day).ok().and_then(|day| Date::new(year, month, day));
    day.ok_or_else(|| out_of_range("DAY", shown))
}

fn time(text: &str, shown: &str) -> Result<Time> {
    let invalid = || failed(format!("Invalid TIME value, '{shown}'"));
    let (clock, fraction) = text.split_once('.').map_or((text, None), |(clock, fraction)| (clock, Some(fraction)));
    let [hour, minute, second] = parts(clock, ':').ok_or_else(invalid)?;
    let nanos = match fraction {
        None => 0,
        Some(digits) if (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{digits:0<9}").parse().map_err(|_| invalid())?
        }
        Some(_) => return Err(invalid()),
    };
    let part = |value: u32, limit: u32, field: &str| match u8::try_from(value) {
        Ok(small) if value < limit => Ok(small),
        _ => Err(out_of_range(field, shown)),
    };
    let (hour, minute) = (part(hour, 24, "HOUR")?, part(minute, 60, "MINUTE")?);
    Time::new(hour, minute, part(second, 60, "SECOND")?, nanos).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(value: &Value<'_>, to: ColumnType) -> String {
        match convert(value, to, &Zone::parse(None).unwrap()) {
            Ok(value) => text::plain(&value).unwrap_or_default().into_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Observed on Ignite 3.1.0.
    #[test]
    fn numbers() {
        let dec = |text: &str| Value::Decimal(Decimal::parse(text).unwrap());
        let money = ColumnType::Decimal { precision: 5, scale: 2 };
        assert_eq!(cast(&dec("-1.9"), ColumnType::Int32), "-1");
        assert_eq!(cast(&Value::Str(" +5 ".into()), ColumnType::Int32), "5");
        assert_eq!(cast(&Value::Str("1e2".into()), ColumnType::Int32), "100");
        assert_eq!(cast(&Value::Double(f64::NAN), ColumnType::Int32), "0");
        assert!(cast(&Value::Int(128), ColumnType::Int8).contains("TINYINT out of range"));
        assert!(
            cast(&Value::Str("5a".into()), ColumnType::Int32).contains("Invalid input string for type INTEGER: \"5a\"")
        );
        assert_eq!(cast(&dec("999.999"), money), "999.99");
        assert!(cast(&dec("1000"), money).contains("less than 10^3"));
        assert_eq!(cast(&Value::Str("1e400".into()), ColumnType::Double), "Infinity");
        assert!(cast(&Value::Str("inf".into()), ColumnType::Double).contains("For input string"));
        assert!(cast(&Value::Double(1e39), ColumnType::Float).contains("REAL out of range"));
    }

    #[test]
    fn text_of_values() {
        let text = ColumnType::String { length: UNLIMITED };
        for (value, shown) in [
            (1e7, "1.0E7"),
            (1e-5, "1.0E-5"),
            (123_456_789.0, "1.23456789E8"),
            (1.5, "1.5"),
            (0.001, "0.001"),
            (-0.0, "-0.0"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(cast(&Value::Double(value), text), shown);
        }
        assert_eq!(cast(&Value::Bool(false), ColumnType::String { length: 3 }), "FAL");
        assert_eq!(cast(&Value::Duration(93_784, 0), text), "+1 02:03:04.000000");
        assert_eq!(shortened("a\u{1f600}b".into(), 2), "a");
    }

    #[test]
    fn dates_and_uuids() {
        assert_eq!(cast(&Value::Str(" 2024-2-9 ".into()), ColumnType::Date), "2024-02-09");
        assert!(
            cast(&Value::Str("2023-02-29".into()), ColumnType::Date).contains("Value of DAY field is out of range")
        );
        assert!(
            cast(&Value::Str("2024-02-29T10:20:30".into()), ColumnType::Datetime { precision: 6 })
                .contains("Invalid DATE value")
        );
        assert_eq!(cast(&Value::Str("10:20:30.129".into()), ColumnType::Time { precision: 2 }), "10:20:30.12");
        assert_eq!(cast(&Value::Str("1-2-3-4-5".into()), ColumnType::Uuid), "00000001-0002-0003-0004-000000000005");
        assert!(cast(&Value::Str("abc".into()), ColumnType::Uuid).contains("Invalid UUID string: abc"));
    }
}
