//! Column types of the draft dialect: their codes, and what a column definition may say beside them.

use crate::config::DECIMAL_SCALE_MAX;
use crate::error::{Error, Kind, Result};
use crate::value::{ColumnType, UNLIMITED};

/// What a decimal that names no precision gets, as Ignite's schema builder has it.
pub(super) const DECIMAL_DEFAULT: (u32, u32) = (19, 3);
/// Fractional digits of a time that names no precision.
pub(super) const TIME_PRECISION_DEFAULT: u8 = 6;

/// The code of a column's type. PERIOD and DURATION, which no column has, count as bytes.
pub fn type_code(ty: ColumnType) -> i64 {
    match ty {
        ColumnType::Int8 => 1,
        ColumnType::Int16 => 2,
        ColumnType::Int32 => 3,
        ColumnType::Int64 => 4,
        ColumnType::Float => 5,
        ColumnType::Double => 6,
        ColumnType::Decimal { .. } => 7,
        ColumnType::Uuid => 8,
        ColumnType::String { .. } => 9,
        ColumnType::Bytes { .. } | ColumnType::Period | ColumnType::Duration => 10,
        ColumnType::Bitmask { .. } => 11,
        ColumnType::Date => 12,
        ColumnType::Time { .. } => 13,
        ColumnType::Datetime { .. } => 14,
        ColumnType::Timestamp { .. } => 15,
        ColumnType::Number { .. } => 16,
        ColumnType::Boolean => 17,
    }
}

/// What a column definition may say beside its type's code.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parameters {
    /// Characters of text, bytes, or bits.
    pub length: Option<u32>,
    /// Digits of a number, or fractional digits of a time.
    pub precision: Option<u32>,
    /// Digits after a decimal's point.
    pub scale: Option<u32>,
}

/// The type that `code` and `parameters` name.
///
/// # Errors
/// No type has the code, a parameter is out of range, or the type takes no such parameter.
pub fn column_type(code: i64, parameters: Parameters) -> Result<ColumnType> {
    let Parameters { length, precision, scale } = parameters;
    let unlimited = |n: Option<u32>| n.unwrap_or(UNLIMITED);
    let fraction = || match precision {
        None => Ok(TIME_PRECISION_DEFAULT),
        Some(digits) => u8::try_from(digits)
            .ok()
            .filter(|digits| *digits <= 9)
            .ok_or_else(|| Error::new(Kind::InvalidArgument, format!("precision {digits} is outside 0..=9"))),
    };
    let (ty, takes) = match code {
        1 => (ColumnType::Int8, [false; 3]),
        2 => (ColumnType::Int16, [false; 3]),
        3 => (ColumnType::Int32, [false; 3]),
        4 => (ColumnType::Int64, [false; 3]),
        5 => (ColumnType::Float, [false; 3]),
        6 => (ColumnType::Double, [false; 3]),
        7 => {
            let (precision, scale) = (precision.unwrap_or(DECIMAL_DEFAULT.0), scale.unwrap_or(DECIMAL_DEFAULT.1));
            if precision == 0 || scale > precision || scale > DECIMAL_SCALE_MAX {
                let text = format!(
                    "DECIMAL({precision}, {scale}) needs a precision above 0 and a scale within it, at most {DECIMAL_SCALE_MAX}"
                );
                return Err(Error::new(Kind::InvalidArgument, text));
            }
            (ColumnType::Decimal { precision, scale }, [false, true, true])
        }
        8 => (ColumnType::Uuid, [false; 3]),
        9 => (ColumnType::String { length: unlimited(length) }, [true, false, false]),
        10 => (ColumnType::Bytes { length: unlimited(length) }, [true, false, false]),
        11 => (ColumnType::Bitmask { bits: unlimited(length) }, [true, false, false]),
        12 => (ColumnType::Date, [false; 3]),
        13 => (ColumnType::Time { precision: fraction()? }, [false, true, false]),
        14 => (ColumnType::Datetime { precision: fraction()? }, [false, true, false]),
        15 => (ColumnType::Timestamp { precision: fraction()? }, [false, true, false]),
        16 => (ColumnType::Number { precision: unlimited(precision) }, [false, true, false]),
        17 => (ColumnType::Boolean, [false; 3]),
        _ => {
            return Err(Error::new(Kind::InvalidArgument, format!("no column type has code {code}; codes are 1..=17")));
        }
    };
    let given = [length.is_some(), precision.is_some(), scale.is_some()];
    for ((name, given), takes) in ["length", "precision", "scale"].into_iter().zip(given).zip(takes) {
        if given && !takes {
            return Err(Error::new(Kind::InvalidArgument, format!("{} takes no {name}", ty.name())));
        }
    }
    if length == Some(0) || (matches!(ty, ColumnType::Number { .. }) && precision == Some(0)) {
        return Err(Error::new(Kind::InvalidArgument, format!("{} of size 0 holds nothing", ty.name())));
    }
    Ok(ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_belong_to_types() {
        let text = |code, parameters| column_type(code, parameters).unwrap_err().message.into_owned();
        let length = Parameters { length: Some(5), ..Parameters::default() };
        assert_eq!(column_type(9, length), Ok(ColumnType::String { length: 5 }));
        assert_eq!(text(4, length), "INT64 takes no length");
        let precision = Parameters { precision: Some(10), ..Parameters::default() };
        assert_eq!(text(13, precision), "precision 10 is outside 0..=9");
        assert_eq!(column_type(16, precision), Ok(ColumnType::Number { precision: 10 }));
        assert!(text(7, Parameters { precision: Some(2), ..Parameters::default() }).contains("DECIMAL(2, 3)"));
        assert_eq!(text(18, Parameters::default()), "no column type has code 18; codes are 1..=17");
    }
}
