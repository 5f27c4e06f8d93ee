//! A column, and which values it takes.

use super::range::{self, OutOfRange};
use crate::config::DECIMAL_SCALE_MAX;
use crate::error::{Error, Kind, Result};
use crate::value::{ColumnType, Decimal, UNLIMITED, Value};
use crate::wire::binary_tuple;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// A column of a table in one or more of its schema versions. A changed column is another one of the same id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Stable within the table, ascending in table order, never reused.
    pub id: i64,
    /// The name as stored: exact case, no quotes.
    pub name: Arc<str>,
    /// What values it holds.
    pub ty: ColumnType,
    /// Whether it may be null. Key columns may not.
    pub nullable: bool,
    /// What a tuple gets that brings no value.
    pub default: Default,
    /// What rows get that were stored before the column came, where its default is another one by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filler: Option<Default>,
    /// The place in the key, from 0; `None` for a value column.
    pub key: Option<u16>,
    /// The place in the colocation key, from 0.
    pub colocation: Option<u16>,
}

/// What a column holds when a tuple brings no value for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Default {
    /// Null, if the column is nullable.
    None,
    /// This element of a binary tuple.
    Element(Box<[u8]>),
    /// A random UUID, made for each tuple.
    RandomUuid,
}

impl Column {
    /// The value as this column stores it: rounded or cut to its precision, of exactly its type.
    ///
    /// # Errors
    /// `TypeMismatch`, `OutOfRange` and, for null where null is not allowed, `NotNull`; each names the column, its type
    /// and the value.
    pub fn accept<'a>(&self, value: Value<'a>) -> Result<Value<'a>> {
        use ColumnType as T;
        let value = match (self.ty, value) {
            (_, Value::Null) if self.nullable => Value::Null,
            (_, Value::Null) => return Err(self.null_refused()),
            (T::Boolean, v @ Value::Bool(_)) | (T::Uuid, v @ Value::Uuid(_)) | (T::Float, v @ Value::Float(_)) => v,
            (T::Period, v @ Value::Period(..)) | (T::Duration, v @ Value::Duration(..)) => v,
            (T::Date, Value::Date(d)) => {
                self.check_range(range::date(d))?;
                Value::Date(d)
            }
            (T::Double, v @ Value::Double(_)) => v,
            // Of a tuple packed for an older schema, in which the column was a REAL.
            (T::Double, Value::Float(v)) => Value::Double(v.into()),
            (T::Int8, Value::Int(v)) => self.ranged(v, i64::from(i8::MIN), i64::from(i8::MAX))?,
            (T::Int16, Value::Int(v)) => self.ranged(v, i64::from(i16::MIN), i64::from(i16::MAX))?,
            (T::Int32, Value::Int(v)) => self.ranged(v, i64::from(i32::MIN), i64::from(i32::MAX))?,
            (T::Int64, v @ Value::Int(_)) => v,
            (T::Decimal { precision, scale }, Value::Decimal(v)) => self.rounded(&v, precision, scale)?,
            (T::Number { precision }, Value::Decimal(v)) => self.rounded(&v, precision, 0)?,
            (T::Time { precision }, Value::Time(t)) => Value::Time(t.truncated(precision)),
            (T::Datetime { precision }, Value::Datetime(d, t)) => {
                self.check_range(range::datetime(d, t))?;
                Value::Datetime(d, t.truncated(precision))
            }
            (T::Timestamp { precision }, Value::Timestamp(t)) => {
                self.check_range(range::timestamp(t))?;
                Value::Timestamp(t.truncated(precision))
            }
            (T::String { length }, Value::Str(s)) => {
                if s.len() > length as usize && s.encode_utf16().count() > length as usize {
                    return Err(self.too_long());
                }
                Value::Str(s)
            }
            (T::Bytes { length }, Value::Bytes(b)) if b.len() <= length as usize => Value::Bytes(b),
            (T::Bytes { .. }, Value::Bytes(_)) => return Err(self.too_long()),
            (T::Bitmask { bits }, Value::Bytes(b)) => self.mask(b, bits)?,
            (_, v) => {
                return Err(Error::new(
                    Kind::TypeMismatch,
                    format!("column {} is {}, but the value {v} is {}", self.name, self.ty, v.type_name()),
                ));
            }
        };
        Ok(value)
    }

    /// What rows get that were stored before the column came: the default that it had then.
    pub fn filler(&self) -> &Default {
        self.filler.as_ref().unwrap_or(&self.default)
    }

    /// The value of the default. Null stands for none.
    ///
    /// # Errors
    /// A default that is no value of the column's type.
    pub fn default_value(&self) -> Result<Value<'static>> {
        self.constant(&self.default)
    }

    /// The value of [`Self::filler`]. Null stands for none.
    ///
    /// # Errors
    /// As [`Self::default_value`].
    pub fn filler_value(&self) -> Result<Value<'static>> {
        self.constant(self.filler())
    }

    fn constant(&self, default: &Default) -> Result<Value<'static>> {
        match default.element() {
            Some(element) => binary_tuple::decode(element, self.ty).map(Value::into_owned),
            None => Ok(Value::Null),
        }
    }

    /// The error for a null, or no value, where the column needs one.
    pub fn null_refused(&self) -> Error {
        let kind = if self.key.is_some() { Kind::MissingKey } else { Kind::NotNull };
        Error::new(kind, format!("Column '{}' does not allow NULLs", self.name))
    }

    /// The error for a tuple that brings no value for this key column.
    pub fn missed_key(&self) -> Error {
        Error::new(Kind::MissingKey, format!("Missed key column: {}", self.name))
    }

    fn check_range(&self, checked: std::result::Result<(), OutOfRange>) -> Result<()> {
        checked.map_err(|OutOfRange { value, min, max }| {
            let name = &self.name;
            Error::new(
                Kind::OutOfRange,
                format!("Value is out of allowed range (column='{name}', value='{value}', min='{min}', max='{max}')."),
            )
        })
    }

    fn ranged(&self, v: i64, min: i64, max: i64) -> Result<Value<'static>> {
        if (min..=max).contains(&v) {
            return Ok(Value::Int(v));
        }
        Err(Error::new(Kind::OutOfRange, format!("column {} is {}: {v} is outside {min}..={max}", self.name, self.ty)))
    }

    fn rounded(&self, v: &Decimal, precision: u32, scale: u32) -> Result<Value<'static>> {
        if !v.can_be_stored() {
            return Err(Error::new(
                Kind::OutOfRange,
                format!(
                    "column {} is {}: the decimal {} has a scale beyond {DECIMAL_SCALE_MAX}",
                    self.name,
                    self.ty,
                    shown(v)
                ),
            ));
        }
        if precision == UNLIMITED && scale == UNLIMITED {
            return Ok(Value::Decimal(v.clone()));
        }
        let scale = i32::try_from(scale).unwrap_or(i32::MAX);
        // Zeros at the end are not stored, so none are made.
        let v = if v.scale > scale { v.rescaled(scale) } else { v.clone() };
        if v.exceeds(precision, scale) {
            return Err(Error::new(Kind::OutOfRange, format!("Numeric field overflow in column '{}'", self.name)));
        }
        Ok(Value::Decimal(v))
    }

    fn mask<'a>(&self, bytes: Cow<'a, [u8]>, bits: u32) -> Result<Value<'a>> {
        let used = bytes.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1);
        let highest = used
            .checked_sub(1)
            .and_then(|i| bytes.get(i))
            .map_or(0, |b| (used as u64) * 8 - u64::from(b.leading_zeros()));
        if highest > u64::from(bits) {
            return Err(self.too_long());
        }
        Ok(Value::Bytes(match bytes {
            Cow::Borrowed(b) => Cow::Borrowed(b.get(..used).unwrap_or_default()),
            Cow::Owned(mut b) => {
                b.truncate(used);
                Cow::Owned(b)
            }
        }))
    }

    /// Ignite's words; the type tells the limit.
    fn too_long(&self) -> Error {
        let ty = match self.ty {
            ColumnType::Bytes { length } => format!("BYTE_ARRAY({length})"),
            ty => ty.to_string(),
        };
        Error::new(Kind::OutOfRange, format!("Value too long [column='{}', type={ty}]", self.name))
    }
}

/// A decimal for a message, cut where it would fill the screen.
fn shown(v: &Decimal) -> String {
    if v.unscaled.bits() > 512 { format!("of {} bits", v.unscaled.bits()) } else { v.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Date, Time};

    fn column(ty: ColumnType) -> Column {
        Column {
            id: 1,
            name: "c".into(),
            ty,
            nullable: true,
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
    fn values_are_cut_to_the_column() {
        let two = column(ColumnType::Decimal { precision: 5, scale: 2 });
        assert_eq!(two.accept(dec("1.005")).unwrap(), dec("1.01"));
        assert_eq!(two.accept(dec("999.994")).unwrap(), dec("999.99"));
        let t = |nanos| Value::Time(Time::new(1, 2, 3, nanos).unwrap());
        assert_eq!(column(ColumnType::Time { precision: 3 }).accept(t(123_456_789)).unwrap(), t(123_000_000));
        let mask = column(ColumnType::Bitmask { bits: 9 });
        assert_eq!(mask.accept(Value::Bytes(vec![1, 1, 0].into())).unwrap(), Value::Bytes(vec![1, 1].into()));
        assert!(mask.accept(Value::Bytes(vec![0, 2].into())).is_err());
    }

    #[test]
    fn refusals_name_column_type_and_value() {
        let cases = [
            (ColumnType::Int8, Value::Int(300), Kind::OutOfRange, "300"),
            (ColumnType::Int32, Value::Int(1 << 31), Kind::OutOfRange, "2147483648"),
            (ColumnType::Int32, Value::Str("x".into()), Kind::TypeMismatch, "\"x\""),
            (ColumnType::Decimal { precision: 3, scale: 1 }, dec("1e99999"), Kind::OutOfRange, "scale"),
            (ColumnType::Number { precision: UNLIMITED }, dec("10e32767"), Kind::OutOfRange, "scale"),
            (ColumnType::Float, Value::Double(1.0), Kind::TypeMismatch, "1"),
        ];
        for (ty, value, kind, part) in cases {
            let error = column(ty).accept(value).unwrap_err();
            assert_eq!(error.kind, kind);
            for needle in [part, "c", ty.name()] {
                assert!(error.message.contains(needle), "{error} lacks {needle}");
            }
        }
    }

    /// Observed on Ignite 3.1.0.
    #[test]
    fn refusals_are_worded_as_by_a_real_node() {
        let refused = |ty, value| column(ty).accept(value).unwrap_err().message.into_owned();
        let text = refused(ColumnType::String { length: 3 }, Value::Str("\u{1f600}\u{1f600}".into()));
        assert_eq!(text, "Value too long [column='c', type=STRING(3)]");
        let text = refused(ColumnType::Bytes { length: 1 }, Value::Bytes(vec![1, 2].into()));
        assert_eq!(text, "Value too long [column='c', type=BYTE_ARRAY(1)]");
        let text = refused(ColumnType::Decimal { precision: 3, scale: 1 }, dec("100"));
        assert_eq!(text, "Numeric field overflow in column 'c'");
        let text = refused(ColumnType::Date, Value::Date(Date::new(-1, 1, 1).unwrap()));
        assert_eq!(
            text,
            "Value is out of allowed range (column='c', value='-0001-01-01', min='0001-01-01', max='9999-12-31')."
        );
    }

    #[test]
    fn null_depends_on_the_column() {
        let mut c = column(ColumnType::Int8);
        assert_eq!(c.accept(Value::Null).unwrap(), Value::Null);
        c.nullable = false;
        assert_eq!(c.accept(Value::Null).unwrap_err().kind, Kind::NotNull);
        c.key = Some(0);
        assert_eq!(c.accept(Value::Null).unwrap_err().kind, Kind::MissingKey);
    }
}
