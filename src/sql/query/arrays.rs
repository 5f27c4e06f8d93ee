//! Values into Arrow arrays and back.

use super::types;
use crate::error::{Error, Kind, Result};
use crate::store::row::Row;
use crate::value::{ColumnType, Date, Decimal, Time, Timestamp, Value};
use crate::wire::binary_tuple;
use crate::wire::element::Element;
use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder,
    Decimal256Builder, FixedSizeBinaryBuilder, Float32Builder, Float64Builder, Int8Builder, Int16Builder, Int32Builder,
    Int64Builder, IntervalMonthDayNanoBuilder, IntervalYearMonthBuilder, PrimitiveBuilder, StringBuilder,
    Time64NanosecondBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalDayTimeType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    IntervalYearMonthType, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use num_bigint::BigInt;
use std::sync::Arc;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Collects the values of one column.
#[derive(Debug)]
pub enum ColumnBuilder {
    /// BOOLEAN.
    Bool(BooleanBuilder),
    /// INT8.
    Int8(Int8Builder),
    /// INT16.
    Int16(Int16Builder),
    /// INT32.
    Int32(Int32Builder),
    /// INT64.
    Int64(Int64Builder),
    /// FLOAT.
    Float(Float32Builder),
    /// DOUBLE.
    Double(Float64Builder),
    /// Decimals of up to 38 digits, at this scale.
    Decimal128(Decimal128Builder, i8),
    /// Longer decimals, at this scale.
    Decimal256(Decimal256Builder, i8),
    /// DATE, as days since 1970.
    Date(Date32Builder),
    /// TIME, as nanoseconds since midnight.
    Time(Time64NanosecondBuilder),
    /// DATETIME and TIMESTAMP, as microseconds since 1970.
    Timestamp(TimestampMicrosecondBuilder),
    /// UUID, most significant byte first.
    Uuid(FixedSizeBinaryBuilder),
    /// STRING.
    Str(StringBuilder),
    /// BYTES, BITMASK.
    Bytes(BinaryBuilder),
    /// PERIOD, as months.
    Period(IntervalYearMonthBuilder),
    /// DURATION.
    Duration(IntervalMonthDayNanoBuilder),
}

impl ColumnBuilder {
    /// For about `rows` values of a column.
    pub fn new(ty: ColumnType, rows: usize) -> Self {
        let arrow = types::to_arrow(ty);
        match (ty, &arrow) {
            (ColumnType::Boolean, _) => Self::Bool(BooleanBuilder::with_capacity(rows)),
            (ColumnType::Int8, _) => Self::Int8(Int8Builder::with_capacity(rows)),
            (ColumnType::Int16, _) => Self::Int16(Int16Builder::with_capacity(rows)),
            (ColumnType::Int32, _) => Self::Int32(Int32Builder::with_capacity(rows)),
            (ColumnType::Int64, _) => Self::Int64(Int64Builder::with_capacity(rows)),
            (ColumnType::Float, _) => Self::Float(Float32Builder::with_capacity(rows)),
            (ColumnType::Double, _) => Self::Double(Float64Builder::with_capacity(rows)),
            (_, &DataType::Decimal128(_, scale)) => {
                Self::Decimal128(Decimal128Builder::with_capacity(rows).with_data_type(arrow), scale)
            }
            (_, &DataType::Decimal256(_, scale)) => {
                Self::Decimal256(Decimal256Builder::with_capacity(rows).with_data_type(arrow), scale)
            }
            (ColumnType::Date, _) => Self::Date(Date32Builder::with_capacity(rows)),
            (ColumnType::Time { .. }, _) => Self::Time(Time64NanosecondBuilder::with_capacity(rows)),
            (ColumnType::Datetime { .. } | ColumnType::Timestamp { .. }, _) => {
                Self::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(arrow))
            }
            (ColumnType::Uuid, _) => Self::Uuid(FixedSizeBinaryBuilder::with_capacity(rows, 16)),
            (ColumnType::Period, _) => Self::Period(IntervalYearMonthBuilder::with_capacity(rows)),
            (ColumnType::Duration, _) => Self::Duration(IntervalMonthDayNanoBuilder::with_capacity(rows)),
            (ColumnType::Bytes { .. } | ColumnType::Bitmask { .. }, _) => {
                Self::Bytes(BinaryBuilder::with_capacity(rows, 16 * rows))
            }
            _ => Self::Str(StringBuilder::with_capacity(rows, 16 * rows)),
        }
    }

    /// Appends a value of the column's type.
    ///
    /// # Errors
    /// `SqlRuntime` for a decimal that has more digits than a query can calculate with.
    pub fn push(&mut self, value: &Value<'_>) -> Result<()> {
        match (self, value) {
            (Self::Bool(b), Value::Bool(v)) => b.append_value(*v),
            (Self::Int8(b), Value::Int(v)) => b.append_value(*v as i8),
            (Self::Int16(b), Value::Int(v)) => b.append_value(*v as i16),
            (Self::Int32(b), Value::Int(v)) => b.append_value(*v as i32),
            (Self::Int64(b), Value::Int(v)) => b.append_value(*v),
            (Self::Float(b), Value::Float(v)) => b.append_value(*v),
            (Self::Double(b), Value::Double(v)) => b.append_value(*v),
            (Self::Decimal128(b, scale), Value::Decimal(v)) => b.append_value(unscaled128(v, *scale)?),
            (Self::Decimal256(b, scale), Value::Decimal(v)) => b.append_value(unscaled256(v, *scale)?),
            (Self::Date(b), Value::Date(v)) => b.append_value(epoch_days(*v)),
            (Self::Time(b), Value::Time(v)) => b.append_value(nanos_of_day(*v)),
            (Self::Timestamp(b), Value::Datetime(d, t)) => b.append_value(micros(Timestamp::from_utc(*d, *t))),
            (Self::Timestamp(b), Value::Timestamp(v)) => b.append_value(micros(*v)),
            (Self::Uuid(b), Value::Uuid(v)) => b.append_value(v.to_be_bytes()).map_err(internal)?,
            (Self::Str(b), Value::Str(v)) => b.append_value(v),
            (Self::Bytes(b), Value::Bytes(v)) => b.append_value(v),
            (Self::Period(b), Value::Period(y, m, _)) => b.append_value(y.saturating_mul(12).saturating_add(*m)),
            (Self::Duration(b), Value::Duration(s, n)) => {
                let nanos = s.saturating_mul(NANOS_PER_SECOND).saturating_add(i64::from(*n));
                b.append_value(IntervalMonthDayNano::new(0, 0, nanos));
            }
            (builder, Value::Null) => builder.push_null(),
            (_, other) => return Err(internal(format!("{} in a column of another type", other.type_name()))),
        }
        Ok(())
    }

    /// Appends element `index` of each of these rows, whose tuples have `count` elements.
    ///
    /// # Errors
    /// As [`Self::push`]; `Protocol` for bytes that are no value of the type.
    pub fn push_elements(&mut self, rows: &[&Row], count: usize, index: usize, ty: ColumnType) -> Result<()> {
        let elements = rows.iter().map(|row| row.element(count, index).ok_or_else(|| internal("a row is no tuple")));
        // Most columns of most scans are numbers; a value on the way to its array would double what they cost.
        match self {
            Self::Int8(b) => push_ints(b, elements, |v| v as i8),
            Self::Int16(b) => push_ints(b, elements, |v| v as i16),
            Self::Int32(b) => push_ints(b, elements, |v| v as i32),
            Self::Int64(b) => push_ints(b, elements, |v| v),
            _ => elements.into_iter().try_for_each(|element| match element?.bytes() {
                Some(bytes) => self.push(&binary_tuple::decode(bytes, ty)?),
                None => {
                    self.push_null();
                    Ok(())
                }
            }),
        }
    }

    /// Appends null.
    pub fn push_null(&mut self) {
        match self {
            Self::Bool(b) => b.append_null(),
            Self::Int8(b) => b.append_null(),
            Self::Int16(b) => b.append_null(),
            Self::Int32(b) => b.append_null(),
            Self::Int64(b) => b.append_null(),
            Self::Float(b) => b.append_null(),
            Self::Double(b) => b.append_null(),
            Self::Decimal128(b, _) => b.append_null(),
            Self::Decimal256(b, _) => b.append_null(),
            Self::Date(b) => b.append_null(),
            Self::Time(b) => b.append_null(),
            Self::Timestamp(b) => b.append_null(),
            Self::Uuid(b) => b.append_null(),
            Self::Str(b) => b.append_null(),
            Self::Bytes(b) => b.append_null(),
            Self::Period(b) => b.append_null(),
            Self::Duration(b) => b.append_null(),
        }
    }

    /// The array of what was appended; the builder is empty again.
    pub fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Int8(b) => Arc::new(b.finish()),
            Self::Int16(b) => Arc::new(b.finish()),
            Self::Int32(b) => Arc::new(b.finish()),
            Self::Int64(b) => Arc::new(b.finish()),
            Self::Float(b) => Arc::new(b.finish()),
            Self::Double(b) => Arc::new(b.finish()),
            Self::Decimal128(b, _) => Arc::new(b.finish()),
            Self::Decimal256(b, _) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
            Self::Time(b) => Arc::new(b.finish()),
            Self::Timestamp(b) => Arc::new(b.finish()),
            Self::Uuid(b) => Arc::new(b.finish()),
            Self::Str(b) => Arc::new(b.finish()),
            Self::Bytes(b) => Arc::new(b.finish()),
            Self::Period(b) => Arc::new(b.finish()),
            Self::Duration(b) => Arc::new(b.finish()),
        }
    }
}

/// The value at `row` of an array.
///
/// # Errors
/// `Internal` for an array of a type that no client could be told.
pub fn value_at(array: &dyn Array, row: usize) -> Result<Value<'_>> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int8 => Value::Int(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Value::Int(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Value::Int(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Value::Int(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Value::Int(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => {
            let value = array.as_primitive::<UInt64Type>().value(row);
            Value::Int(i64::try_from(value).map_err(|_| out_of_range("BIGINT"))?)
        }
        DataType::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        &DataType::Decimal128(_, scale) => Value::Decimal(Decimal {
            unscaled: array.as_primitive::<Decimal128Type>().value(row).into(),
            scale: scale.into(),
        }),
        &DataType::Decimal256(_, scale) => Value::Decimal(Decimal {
            unscaled: BigInt::from_signed_bytes_le(&array.as_primitive::<Decimal256Type>().value(row).to_le_bytes()),
            scale: scale.into(),
        }),
        DataType::Date32 => Value::Date(date(array.as_primitive::<Date32Type>().value(row).into())?),
        DataType::Time32(TimeUnit::Second) => {
            Value::Time(time(i64::from(array.as_primitive::<Time32SecondType>().value(row)) * NANOS_PER_SECOND)?)
        }
        DataType::Time32(_) => {
            Value::Time(time(i64::from(array.as_primitive::<Time32MillisecondType>().value(row)) * 1_000_000)?)
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            Value::Time(time(array.as_primitive::<Time64MicrosecondType>().value(row) * 1_000)?)
        }
        DataType::Time64(_) => Value::Time(time(array.as_primitive::<Time64NanosecondType>().value(row))?),
        DataType::Timestamp(unit, zone) => {
            let point = match unit {
                TimeUnit::Second => point(array.as_primitive::<TimestampSecondType>().value(row), 1),
                TimeUnit::Millisecond => point(array.as_primitive::<TimestampMillisecondType>().value(row), 1_000),
                TimeUnit::Microsecond => point(array.as_primitive::<TimestampMicrosecondType>().value(row), 1_000_000),
                TimeUnit::Nanosecond => {
                    point(array.as_primitive::<TimestampNanosecondType>().value(row), NANOS_PER_SECOND)
                }
            };
            match zone {
                Some(_) => Value::Timestamp(point),
                None => {
                    let of_day = point.seconds.rem_euclid(SECONDS_PER_DAY) * NANOS_PER_SECOND + i64::from(point.nanos);
                    Value::Datetime(date(point.seconds.div_euclid(SECONDS_PER_DAY))?, time(of_day)?)
                }
            }
        }
        DataType::FixedSizeBinary(16) => {
            let bytes = array.as_fixed_size_binary().value(row);
            Value::Uuid(u128::from_be_bytes(bytes.try_into().map_err(internal)?))
        }
        DataType::Utf8 => Value::Str(array.as_string::<i32>().value(row).into()),
        DataType::LargeUtf8 => Value::Str(array.as_string::<i64>().value(row).into()),
        DataType::Utf8View => Value::Str(array.as_string_view().value(row).into()),
        DataType::Binary => Value::Bytes(array.as_binary::<i32>().value(row).into()),
        DataType::LargeBinary => Value::Bytes(array.as_binary::<i64>().value(row).into()),
        DataType::BinaryView => Value::Bytes(array.as_binary_view().value(row).into()),
        DataType::Interval(IntervalUnit::YearMonth) => {
            let months = array.as_primitive::<IntervalYearMonthType>().value(row);
            Value::Period(months / 12, months % 12, 0)
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            let v = array.as_primitive::<IntervalDayTimeType>().value(row);
            duration(i64::from(v.days) * SECONDS_PER_DAY * 1_000 + i64::from(v.milliseconds), 1_000)
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let v = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            if v.months != 0 {
                return Ok(Value::Period(v.months / 12, v.months % 12, v.days));
            }
            let Value::Duration(seconds, nanos) = duration(v.nanoseconds, NANOS_PER_SECOND) else {
                return Ok(Value::Null);
            };
            Value::Duration(seconds + i64::from(v.days) * SECONDS_PER_DAY, nanos)
        }
        // A row or a list, which a function was given for a value.
        other => {
            let text = format!("Failed to validate query. A value of type {other} cannot be used here");
            return Err(Error::new(Kind::SqlValidation, text));
        }
    })
}

/// Appends whole numbers, which fit the column.
fn push_ints<'a, T: ArrowPrimitiveType>(
    builder: &mut PrimitiveBuilder<T>,
    elements: impl Iterator<Item = Result<Element<'a>>>,
    narrow: impl Fn(i64) -> T::Native,
) -> Result<()> {
    for element in elements {
        let element = element?;
        match element.is_null() {
            true => builder.append_null(),
            false => builder.append_value(narrow(element.int().ok_or_else(|| internal("no whole number"))?)),
        }
    }
    Ok(())
}

fn unscaled128(v: &Decimal, scale: i8) -> Result<i128> {
    i128::try_from(v.rescaled(scale.into()).unscaled).map_err(|_| out_of_range("DECIMAL"))
}

fn unscaled256(v: &Decimal, scale: i8) -> Result<i256> {
    let bytes = v.rescaled(scale.into()).unscaled.to_signed_bytes_le();
    let fill = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xFF } else { 0 };
    let mut padded = [fill; 32];
    padded.get_mut(..bytes.len()).ok_or_else(|| out_of_range("DECIMAL"))?.copy_from_slice(&bytes);
    Ok(i256::from_le_bytes(padded))
}

fn epoch_days(date: Date) -> i32 {
    i32::try_from(date.to_epoch_days()).unwrap_or_default()
}

fn nanos_of_day(t: Time) -> i64 {
    let seconds = (i64::from(t.hour) * 60 + i64::from(t.minute)) * 60 + i64::from(t.second);
    seconds * NANOS_PER_SECOND + i64::from(t.nanos)
}

/// Years of the column's range are within an i64 of microseconds.
fn micros(point: Timestamp) -> i64 {
    point.seconds.saturating_mul(1_000_000).saturating_add(i64::from(point.nanos / 1_000))
}

fn point(value: i64, per_second: i64) -> Timestamp {
    let nanos = value.rem_euclid(per_second) * (NANOS_PER_SECOND / per_second);
    Timestamp { seconds: value.div_euclid(per_second), nanos: nanos as u32 }
}

fn duration(value: i64, per_second: i64) -> Value<'static> {
    let Timestamp { seconds, nanos } = point(value, per_second);
    Value::Duration(seconds, nanos)
}

fn date(days: i64) -> Result<Date> {
    Date::from_epoch_days(days).ok_or_else(|| out_of_range("DATE"))
}

fn time(nanos: i64) -> Result<Time> {
    let (seconds, nanos) =
        (nanos.rem_euclid(SECONDS_PER_DAY * NANOS_PER_SECOND) / NANOS_PER_SECOND, nanos.rem_euclid(NANOS_PER_SECOND));
    let part = |v: i64| u8::try_from(v).unwrap_or_default();
    Time::new(part(seconds / 3600), part(seconds / 60 % 60), part(seconds % 60), nanos as u32)
        .ok_or_else(|| out_of_range("TIME"))
}

fn out_of_range(ty: &str) -> Error {
    Error::new(Kind::SqlRuntime, format!("{ty} out of range"))
}

fn internal(what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Internal, what.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_way_through_an_array() {
        let day = Date::new(1969, 12, 31).unwrap();
        let clock = Time::new(23, 59, 58, 123_456_000).unwrap();
        let dec = |text: &str| Value::Decimal(Decimal::parse(text).unwrap());
        let cases = [
            (ColumnType::Boolean, Value::Bool(true)),
            (ColumnType::Int8, Value::Int(-128)),
            (ColumnType::Int16, Value::Int(-129)),
            (ColumnType::Int32, Value::Int(i32::MIN.into())),
            (ColumnType::Int64, Value::Int(i64::MAX)),
            (ColumnType::Float, Value::Float(0.1)),
            (ColumnType::Double, Value::Double(-0.1)),
            (ColumnType::Decimal { precision: 5, scale: 2 }, dec("-123.45")),
            (ColumnType::Decimal { precision: 60, scale: 2 }, dec("-12345678901234567890123456789012345678901234.56")),
            (ColumnType::Date, Value::Date(day)),
            (ColumnType::Date, Value::Date(Date::new(9999, 12, 31).unwrap())),
            (ColumnType::Time { precision: 9 }, Value::Time(Time::new(1, 2, 3, 999_999_999).unwrap())),
            (ColumnType::Datetime { precision: 6 }, Value::Datetime(day, clock)),
            (ColumnType::Timestamp { precision: 6 }, Value::Timestamp(Timestamp { seconds: -1, nanos: 5_000 })),
            (ColumnType::Uuid, Value::Uuid(1 << 127 | 5)),
            (ColumnType::String { length: 9 }, Value::Str("\u{e9}".into())),
            (ColumnType::Bytes { length: 9 }, Value::Bytes(vec![0x80, 0].into())),
            (ColumnType::Period, Value::Period(-1, -2, 0)),
            (ColumnType::Duration, Value::Duration(-2, 5)),
        ];
        for (ty, value) in cases {
            let mut builder = ColumnBuilder::new(ty, 2);
            builder.push(&value).unwrap();
            builder.push(&Value::Null).unwrap();
            let array = builder.finish();
            assert_eq!(array.data_type(), &types::to_arrow(ty));
            assert_eq!(value_at(&array, 0).unwrap(), value, "{ty}");
            assert_eq!(value_at(&array, 1).unwrap(), Value::Null, "{ty}");
        }
    }
}
