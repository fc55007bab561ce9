//! Rounding to a number of bits, and division.

use num_bigint::BigUint;

use super::{Number, Repr, is_zero};

/// `mantissa × 2^exponent`, rounded half to even to `precision` bits, with an odd mantissa.
pub(super) fn rounded(negative: bool, mantissa: BigUint, exponent: i64, precision: u64) -> Number {
    let excess = mantissa.bits().saturating_sub(precision);
    let mut exponent = exponent;
    let mut mantissa = mantissa;
    if excess > 0 {
        let half = excess - 1;
        let up = mantissa.bit(half) && (mantissa.bit(excess) || mantissa.trailing_zeros().is_some_and(|n| n < half));
        mantissa >>= excess;
        if up {
            mantissa += 1_u8;
        }
        exponent = exponent.saturating_add_unsigned(excess);
    }
    let zeros = mantissa.trailing_zeros().unwrap_or(0);
    mantissa >>= zeros;
    let exponent = if is_zero(&mantissa) { 0 } else { exponent.saturating_add_unsigned(zeros) };
    Number(Repr::Finite { negative: negative && !is_zero(&mantissa), mantissa, exponent, precision })
}

/// `left / right × 2^exponent`, correctly rounded.
pub(super) fn quotient(negative: bool, left: &BigUint, right: &BigUint, exponent: i64, precision: u64) -> Number {
    let shift = (precision + 2 + right.bits()).saturating_sub(left.bits());
    let shifted = left << shift;
    let whole = &shifted / right;
    let exact = &whole * right == shifted;
    // One more bit says whether anything was cut off, so that a tie is told from just above a tie.
    let sticky = (whole << 1_u8) | BigUint::from(u8::from(!exact));
    rounded(negative, sticky, exponent.saturating_sub_unsigned(shift) - 1, precision)
}

/// `mantissa × 2^exponent` as a double; the mantissa has at most 53 bits.
pub(super) fn scale(mantissa: u64, exponent: i64) -> f64 {
    let mut value = mantissa as f64;
    let mut left = exponent.clamp(-2200, 2200);
    while left != 0 && value != 0.0 && value.is_finite() {
        let step = left.clamp(-1000, 1000);
        value *= 2_f64.powi(i32::try_from(step).unwrap_or_default());
        left -= step;
    }
    value
}
