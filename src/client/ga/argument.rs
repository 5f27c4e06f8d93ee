//! Arguments of statements: values that carry their type with them.

use crate::client::error::{Error, Result};
use crate::door::igni::ga::schema::type_id;
use crate::value::{ColumnType, Date, Decimal, Time, Timestamp, UNLIMITED, Value};
use crate::wire::binary_tuple::Builder;
use crate::wire::msgpack::Write as _;

/// One argument: what stands for a `?`.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    ty: ColumnType,
    value: Value<'static>,
}

impl Argument {
    /// A value as a value of `ty`, which it must be one of: [`Value::Int`] goes with every integer type.
    pub fn new(ty: ColumnType, value: Value<'static>) -> Self {
        Self { ty, value }
    }

    /// No value.
    pub fn null() -> Self {
        Self::new(ColumnType::Boolean, Value::Null)
    }

    /// The value.
    pub fn value(&self) -> &Value<'static> {
        &self.value
    }

    /// Appends the triple of type, scale and value; of a null, all three are empty.
    fn push(&self, builder: &mut Builder) {
        if self.value.is_null() {
            (0..3).for_each(|_| builder.push_null());
            return;
        }
        let scale = match &self.value {
            Value::Decimal(decimal) => decimal.scale.into(),
            _ => 0,
        };
        builder.push(&Value::Int(type_id(self.ty)), ColumnType::Int32);
        builder.push(&Value::Int(scale), ColumnType::Int32);
        builder.push(&self.value, self.ty);
    }
}

/// Refuses arguments that have no form on the wire.
pub(super) fn check(arguments: &[Argument]) -> Result<()> {
    match arguments.iter().position(|argument| matches!(argument.value(), Value::Decimal(v) if !v.can_be_stored())) {
        Some(index) => Err(Error::Usage(format!("argument {} is a decimal of too large a scale", index + 1))),
        None => Ok(()),
    }
}

/// Appends one list of arguments, or nil if there are none.
pub(super) fn put_list(out: &mut Vec<u8>, arguments: &[Argument]) {
    if arguments.is_empty() {
        out.put_nil();
        return;
    }
    out.put_uint(arguments.len() as u64);
    put_row(out, arguments);
}

/// Appends the values of one list, without their number.
pub(super) fn put_row(out: &mut Vec<u8>, arguments: &[Argument]) {
    let mut builder = Builder::new();
    arguments.iter().for_each(|argument| argument.push(&mut builder));
    out.put_bin(&builder.build());
}

/// The type that a value has by itself: the widest of its kind.
impl From<Value<'static>> for Argument {
    fn from(value: Value<'static>) -> Self {
        let ty = match &value {
            Value::Null | Value::Bool(_) => ColumnType::Boolean,
            Value::Int(_) => ColumnType::Int64,
            Value::Float(_) => ColumnType::Float,
            Value::Double(_) => ColumnType::Double,
            Value::Decimal(_) => ColumnType::Decimal { precision: UNLIMITED, scale: UNLIMITED },
            Value::Date(_) => ColumnType::Date,
            Value::Time(_) => ColumnType::Time { precision: 9 },
            Value::Datetime(..) => ColumnType::Datetime { precision: 9 },
            Value::Timestamp(_) => ColumnType::Timestamp { precision: 9 },
            Value::Uuid(_) => ColumnType::Uuid,
            Value::Str(_) => ColumnType::String { length: UNLIMITED },
            Value::Bytes(_) => ColumnType::Bytes { length: UNLIMITED },
            Value::Period(..) => ColumnType::Period,
            Value::Duration(..) => ColumnType::Duration,
        };
        Self { ty, value }
    }
}

macro_rules! from {
    ($($from:ty as $ty:expr, $value:expr;)*) => {
        $(impl From<$from> for Argument {
            fn from(value: $from) -> Self {
                let make: fn($from) -> Value<'static> = $value;
                Self::new($ty, make(value))
            }
        })*
    };
}

from! {
    bool as ColumnType::Boolean, Value::Bool;
    i8 as ColumnType::Int8, |v| Value::Int(v.into());
    i16 as ColumnType::Int16, |v| Value::Int(v.into());
    i32 as ColumnType::Int32, |v| Value::Int(v.into());
    i64 as ColumnType::Int64, Value::Int;
    f32 as ColumnType::Float, Value::Float;
    f64 as ColumnType::Double, Value::Double;
    Decimal as ColumnType::Decimal { precision: UNLIMITED, scale: UNLIMITED }, Value::Decimal;
    Date as ColumnType::Date, Value::Date;
    Time as ColumnType::Time { precision: 9 }, Value::Time;
    (Date, Time) as ColumnType::Datetime { precision: 9 }, |(date, time)| Value::Datetime(date, time);
    Timestamp as ColumnType::Timestamp { precision: 9 }, Value::Timestamp;
    &str as ColumnType::String { length: UNLIMITED }, |v| Value::Str(v.to_owned().into());
    String as ColumnType::String { length: UNLIMITED }, |v| Value::Str(v.into());
    &[u8] as ColumnType::Bytes { length: UNLIMITED }, |v| Value::Bytes(v.to_vec().into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(arguments: &[Argument]) -> Vec<u8> {
        let mut out = Vec::new();
        put_list(&mut out, arguments);
        out
    }

    #[test]
    fn arguments_are_triples() {
        assert_eq!(list(&[]), [0xc0]);
        // As Ignite's Java client sends an Integer.
        assert_eq!(list(&[42.into()]), [1, 0xc4, 7, 0, 1, 2, 3, 4, 0, 42]);
        assert_eq!(list(&[Argument::null()]), [1, 0xc4, 4, 0, 0, 0, 0]);
        let huge = Argument::from(Decimal::parse("1e40000").unwrap());
        assert!(check(&[1.into(), huge]).unwrap_err().to_string().contains("argument 2"));
        let decimal = Decimal::parse("-1.5").unwrap();
        assert_eq!(list(&[decimal.into()]), [1, 0xc4, 9, 0, 1, 2, 5, 8, 1, 1, 0, 0xf1]);
        let int = Argument::new(ColumnType::Int8, Value::Int(-1));
        assert_eq!(list(&[int.clone(), "a".into()]), [2, 0xc4, 13, 0, 1, 2, 3, 4, 5, 6, 2, 0, 0xff, 15, 0, b'a']);
        assert_eq!(int, Argument::from(-1_i8));
        assert_eq!(Argument::from(Value::Int(1)), Argument::from(1_i64));
    }
}
