//! Decimal numbers of any size: an unscaled integer and the place of its point.

use crate::config::DECIMAL_SCALE_MAX;
use num_bigint::{BigInt, Sign};
use std::fmt;

/// `unscaled * 10^-scale`. Two decimals are equal here if both parts are; see [`Decimal::normalized`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    /// The digits, as one integer.
    pub unscaled: BigInt,
    /// How many of the digits stand after the point; negative for trailing zeros that were cut.
    pub scale: i32,
}

impl Decimal {
    /// An integer.
    pub fn from_i64(value: i64) -> Self {
        Self { unscaled: BigInt::from(value), scale: 0 }
    }

    /// Reads what a person writes: `-12.340`, `1e5`.
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((m, e)) => (m, e.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if fraction.starts_with(['-', '+']) || !digits.bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        let unscaled = BigInt::parse_bytes(digits.as_bytes(), 10)?;
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        Some(Self { unscaled, scale })
    }

    /// The same number at `scale`, rounded half up (away from zero) where digits are lost.
    pub fn rescaled(&self, scale: i32) -> Self {
        if self.unscaled.sign() == Sign::NoSign {
            return Self { unscaled: BigInt::ZERO, scale };
        }
        let unscaled = match i64::from(scale) - i64::from(self.scale) {
            0 => self.unscaled.clone(),
            up if up > 0 => &self.unscaled * pow10(up.unsigned_abs()),
            down => {
                let lost = down.unsigned_abs();
                if lost > self.digits_bounds().1 + 1 {
                    BigInt::ZERO
                } else {
                    let unit = pow10(lost);
                    let half = &unit / 2;
                    match self.unscaled.sign() {
                        Sign::Minus => (&self.unscaled - half) / unit,
                        _ => (&self.unscaled + half) / unit,
                    }
                }
            }
        };
        Self { unscaled, scale }
    }

    /// The same number without trailing zeros; zero has scale 0.
    pub fn normalized(&self) -> Self {
        if self.unscaled.sign() == Sign::NoSign {
            return Self { unscaled: BigInt::ZERO, scale: 0 };
        }
        let (mut unscaled, mut scale) = (self.unscaled.clone(), self.scale);
        // Large steps first, so that thousands of zeros cost a few divisions.
        for step in [4096, 256, 16, 1] {
            if step > 16 && unscaled.bits() < step {
                continue;
            }
            let unit = pow10(step);
            while (&unscaled % &unit).sign() == Sign::NoSign {
                unscaled /= &unit;
                scale -= step as i32;
            }
        }
        Self { unscaled, scale }
    }

    /// Whether the scale, as well as that without trailing zeros, has a place in a binary tuple.
    pub fn can_be_stored(&self) -> bool {
        let stored = if self.scale < 0 { self.normalized().scale } else { self.scale };
        self.scale.unsigned_abs() <= DECIMAL_SCALE_MAX && stored.unsigned_abs() <= DECIMAL_SCALE_MAX
    }

    /// Whether the number has more than `precision` digits at `scale`, which has at least as many digits after the point
    /// as the number. Huge numbers are judged by their bits where that is enough.
    pub fn exceeds(&self, precision: u32, scale: i32) -> bool {
        if self.unscaled.sign() == Sign::NoSign {
            return false;
        }
        let zeros = u64::try_from(i64::from(scale) - i64::from(self.scale)).unwrap_or(0);
        let (least, most) = self.digits_bounds();
        let precision = u64::from(precision);
        most + zeros > precision && (least + zeros > precision || self.digits() + zeros > precision)
    }

    /// The fewest and the most decimal digits that an unscaled integer of so many bits can have.
    fn digits_bounds(&self) -> (u64, u64) {
        // log10(2) = 0.30102999...; numbers have far fewer bits than would make the difference to this count.
        let digits = |bits: u64| bits.saturating_mul(30_103) / 100_000 + 1;
        let bits = self.unscaled.bits();
        (digits(bits.saturating_sub(1)).saturating_sub(1).max(1), digits(bits))
    }

    /// How many decimal digits the unscaled integer has; 1 for zero.
    pub fn digits(&self) -> u64 {
        match i64::try_from(&self.unscaled) {
            Ok(v) => v.unsigned_abs().checked_ilog10().map_or(1, |n| u64::from(n) + 1),
            Err(_) => self.unscaled.magnitude().to_string().len() as u64,
        }
    }
}

/// Ten to the power of `exponent`.
fn pow10(exponent: u64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(u32::MAX))
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale <= 0 {
            write!(f, "{}", self.unscaled)?;
            if self.scale < 0 && self.unscaled.sign() != Sign::NoSign {
                write!(f, "e{}", -i64::from(self.scale))?;
            }
            return Ok(());
        }
        let digits = self.unscaled.magnitude().to_string();
        let scale = self.scale as usize;
        let padded =
            if digits.len() <= scale { format!("{}{digits}", "0".repeat(scale + 1 - digits.len())) } else { digits };
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        let sign = if self.unscaled.sign() == Sign::Minus { "-" } else { "" };
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn parses_and_prints() {
        for text in ["0", "12.340", "-0.05", "-1.5", "123456789012345678901234567890.5"] {
            assert_eq!(dec(text).to_string(), text);
        }
        assert_eq!(dec("1e3").to_string(), "1e3");
        for bad in ["", ".", "-", "1.-5", "1.+5", "abc", "1e99999999999"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn rounds_half_away_from_zero() {
        assert_eq!(dec("1.25").rescaled(1), dec("1.3"));
        assert_eq!(dec("-1.25").rescaled(1), dec("-1.3"));
        assert_eq!(dec("1.24").rescaled(1), dec("1.2"));
        assert_eq!(dec("0.5").rescaled(0), dec("1"));
        assert_eq!(dec("0.05").rescaled(0), dec("0"));
        assert_eq!(dec("7").rescaled(2), dec("7.00"));
    }

    #[test]
    fn precision_is_judged_without_making_zeros() {
        assert!(!dec("999.99").exceeds(5, 2) && dec("1000").exceeds(5, 2) && !dec("999").exceeds(5, 2));
        assert!(!dec("0").exceeds(1, 32_767) && dec("1").exceeds(32_767, 32_767));
        for digits in 1..200_u32 {
            let nines = Decimal { unscaled: BigInt::from(10).pow(digits) - 1, scale: 0 };
            let one = Decimal { unscaled: BigInt::from(10).pow(digits), scale: 0 };
            assert!(!nines.exceeds(digits, 0) && one.exceeds(digits, 0) && !one.exceeds(digits + 1, 0));
        }
    }

    #[test]
    fn normalizes_and_counts() {
        assert_eq!(
            dec(&format!("12{}", "0".repeat(9000))).normalized(),
            Decimal { unscaled: BigInt::from(12), scale: -9000 }
        );
        assert_eq!(dec("1000.0").normalized(), Decimal { unscaled: BigInt::from(1), scale: -3 });
        assert_eq!(dec("0.000").normalized(), Decimal { unscaled: BigInt::ZERO, scale: 0 });
        assert_eq!((dec("0").digits(), dec("-999").digits(), dec("12345678901234567890123").digits()), (1, 3, 23));
    }
}
