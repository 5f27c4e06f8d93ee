//! Values and column types: the union of what both dialects know. Every layer speaks them.

mod decimal;
mod temporal;
pub mod text;

pub use decimal::Decimal;
pub use temporal::{Date, Time, Timestamp, civil_from_days};

use std::borrow::Cow;
use std::fmt;

/// A length or precision without limit.
pub const UNLIMITED: u32 = u32::MAX;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// A signed integer of 8 bits.
    Int8,
    /// A signed integer of 16 bits.
    Int16,
    /// A signed integer of 32 bits.
    Int32,
    /// A signed integer of 64 bits.
    Int64,
    /// IEEE 754 binary32.
    Float,
    /// IEEE 754 binary64.
    Double,
    /// A decimal number.
    Decimal {
        /// Significant digits at most, or [`UNLIMITED`].
        precision: u32,
        /// Digits after the point; values are rounded half up to it.
        scale: u32,
    },
    /// An integer of any size (draft dialect); `DECIMAL(precision, 0)` to today's clients.
    Number {
        /// Digits at most, or [`UNLIMITED`].
        precision: u32,
    },
    /// A calendar date.
    Date,
    /// A time of day.
    Time {
        /// Fractional digits kept, 0..=9.
        precision: u8,
    },
    /// A date and a time of day without zone.
    Datetime {
        /// Fractional digits kept, 0..=9.
        precision: u8,
    },
    /// A point in time.
    Timestamp {
        /// Fractional digits kept, 0..=9.
        precision: u8,
    },
    /// 128 bits.
    Uuid,
    /// Text.
    String {
        /// Characters (UTF-16 units, as Ignite counts) at most, or [`UNLIMITED`].
        length: u32,
    },
    /// Bytes.
    Bytes {
        /// Bytes at most, or [`UNLIMITED`].
        length: u32,
    },
    /// A bit set (draft dialect), kept as bytes with bit 0 lowest; a byte array to today's clients.
    Bitmask {
        /// Bits at most, or [`UNLIMITED`].
        bits: u32,
    },
    /// Years, months and days; SQL values only.
    Period,
    /// Seconds and nanoseconds; SQL values only.
    Duration,
}

/// One value. Text and bytes borrow from the frame or row they were read from.
///
/// Integers of every width are [`Value::Int`]: the width belongs to the column. `NUMBER` is a decimal of scale 0,
/// a bitmask is bytes without trailing zero bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// BOOLEAN.
    Bool(bool),
    /// INT8, INT16, INT32, INT64.
    Int(i64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL, NUMBER.
    Decimal(Decimal),
    /// DATE.
    Date(Date),
    /// TIME.
    Time(Time),
    /// DATETIME.
    Datetime(Date, Time),
    /// TIMESTAMP.
    Timestamp(Timestamp),
    /// UUID, most significant bits first.
    Uuid(u128),
    /// STRING.
    Str(Cow<'a, str>),
    /// BYTES, BITMASK.
    Bytes(Cow<'a, [u8]>),
    /// PERIOD: years, months, days.
    Period(i32, i32, i32),
    /// DURATION: seconds, nanoseconds 0..=999,999,999.
    Duration(i64, u32),
}

impl Value<'_> {
    /// The same value, owning its text and bytes.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Str(s) => Value::Str(Cow::Owned(s.into_owned())),
            Self::Bytes(b) => Value::Bytes(Cow::Owned(b.into_owned())),
            Self::Null => Value::Null,
            Self::Bool(v) => Value::Bool(v),
            Self::Int(v) => Value::Int(v),
            Self::Float(v) => Value::Float(v),
            Self::Double(v) => Value::Double(v),
            Self::Decimal(v) => Value::Decimal(v),
            Self::Date(v) => Value::Date(v),
            Self::Time(v) => Value::Time(v),
            Self::Datetime(d, t) => Value::Datetime(d, t),
            Self::Timestamp(v) => Value::Timestamp(v),
            Self::Uuid(v) => Value::Uuid(v),
            Self::Period(y, m, d) => Value::Period(y, m, d),
            Self::Duration(s, n) => Value::Duration(s, n),
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The name of this value's type, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "BOOLEAN",
            Self::Int(_) => "INTEGER",
            Self::Float(_) => "FLOAT",
            Self::Double(_) => "DOUBLE",
            Self::Decimal(_) => "DECIMAL",
            Self::Date(_) => "DATE",
            Self::Time(_) => "TIME",
            Self::Datetime(..) => "DATETIME",
            Self::Timestamp(_) => "TIMESTAMP",
            Self::Uuid(_) => "UUID",
            Self::Str(_) => "STRING",
            Self::Bytes(_) => "BYTES",
            Self::Period(..) => "PERIOD",
            Self::Duration(..) => "DURATION",
        }
    }
}

/// Bytes of a text or byte value that a message shows before it is cut.
const SHOWN_MAX: usize = 64;

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(v) => write!(f, "{v}"),
            Self::Int(v) => write!(f, "{v}"),
            Self::Float(v) => write!(f, "{v}"),
            Self::Double(v) => write!(f, "{v}"),
            Self::Decimal(v) => write!(f, "{v}"),
            Self::Date(v) => write!(f, "{v}"),
            Self::Time(v) => write!(f, "{v}"),
            Self::Datetime(d, t) => write!(f, "{d}T{t}"),
            Self::Timestamp(v) => write!(f, "{v}"),
            Self::Uuid(v) => {
                let b = v.to_be_bytes();
                for (i, byte) in b.iter().enumerate() {
                    if matches!(i, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
            Self::Str(s) if s.chars().count() > SHOWN_MAX => {
                write!(f, "\"{}...\"", s.chars().take(SHOWN_MAX).collect::<String>())
            }
            Self::Str(s) => write!(f, "\"{s}\""),
            Self::Bytes(b) => {
                f.write_str("0x")?;
                for byte in b.iter().take(SHOWN_MAX) {
                    write!(f, "{byte:02x}")?;
                }
                if b.len() > SHOWN_MAX { f.write_str("...") } else { Ok(()) }
            }
            Self::Period(y, m, d) => write!(f, "P{y}Y{m}M{d}D"),
            Self::Duration(s, n) => write!(f, "PT{s}.{n:09}S"),
        }
    }
}

impl ColumnType {
    /// The type's name without its parameters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Decimal { .. } => "DECIMAL",
            Self::Number { .. } => "NUMBER",
            Self::Date => "DATE",
            Self::Time { .. } => "TIME",
            Self::Datetime { .. } => "DATETIME",
            Self::Timestamp { .. } => "TIMESTAMP",
            Self::Uuid => "UUID",
            Self::String { .. } => "STRING",
            Self::Bytes { .. } => "BYTES",
            Self::Bitmask { .. } => "BITMASK",
            Self::Period => "PERIOD",
            Self::Duration => "DURATION",
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match *self {
            Self::Decimal { precision, scale } if precision != UNLIMITED => write!(f, "({precision}, {scale})"),
            Self::Number { precision: n }
            | Self::String { length: n }
            | Self::Bytes { length: n }
            | Self::Bitmask { bits: n }
                if n != UNLIMITED =>
            {
                write!(f, "({n})")
            }
            Self::Time { precision } | Self::Datetime { precision } | Self::Timestamp { precision } => {
                write!(f, "({precision})")
            }
            _ => Ok(()),
        }
    }
}
