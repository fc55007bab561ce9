//! Logarithms and powers of doubles as Go computes them: `log(27, 3)` is 3.0000000000000004 there, and what a template
//! shows must not depend on the C library of the machine.
//!
//! Logarithms and whole powers are the same to the last bit; powers with a fraction may differ in it, since they need
//! `exp`, which is the machine's.

/// The natural logarithm, by the usual series in `s = f / (2 + f)` for `1 + f` between √½ and √2, whose coefficients
/// are the best ones for doubles (FreeBSD's `e_log.c` derives them).
pub(super) fn ln(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 7] = [
        6.666_666_666_666_735e-1,
        3.999_999_999_940_942e-1,
        2.857_142_874_366_239e-1,
        2.222_219_843_214_978_4e-1,
        1.818_357_216_161_805e-1,
        1.531_383_769_920_937_3e-1,
        1.479_819_860_511_658_6e-1,
    ];
    /// ln 2 in two parts, of which the first times any exponent is exact.
    const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    if !(x > 0.0 && x.is_finite()) {
        return x.ln();
    }
    let (mut fraction, mut exponent) = split(x);
    if fraction < std::f64::consts::FRAC_1_SQRT_2 {
        fraction *= 2.0;
        exponent -= 1;
    }
    let (f, k) = (fraction - 1.0, f64::from(exponent));
    let s = f / (2.0 + f);
    let (s2, s4) = (s * s, s * s * (s * s));
    let [c1, c2, c3, c4, c5, c6, c7] = COEFFICIENTS;
    let odd = s2 * (c1 + s4 * (c3 + s4 * (c5 + s4 * c7)));
    let even = s4 * (c2 + s4 * (c4 + s4 * c6));
    let half = 0.5 * f * f;
    let [high, low] = LN_2;
    k * high - ((half - (s * (half + (odd + even)) + k * low)) - f)
}

/// A power: the whole part of the exponent by squaring, the rest by `exp` and `ln`.
pub(super) fn pow(x: f64, y: f64) -> f64 {
    const HUGE: f64 = 9_223_372_036_854_775_808.0;
    let special = x == 0.0 || x == 1.0 || y == 0.0 || !x.is_finite() || !y.is_finite() || y.abs() >= HUGE;
    if special || (x < 0.0 && y.fract() != 0.0) {
        return x.powf(y);
    }
    if y.abs() == 0.5 {
        return if y > 0.0 { x.sqrt() } else { 1.0 / x.sqrt() };
    }
    let (mut whole, mut rest) = (y.abs().trunc(), y.abs().fract());
    if rest > 0.5 {
        rest -= 1.0;
        whole += 1.0;
    }
    let mut result = if rest == 0.0 { 1.0 } else { (rest * ln(x)).exp() };
    let mut exponent = 0_i64;
    let (mut square, square_exponent) = split(x);
    let mut square_exponent = i64::from(square_exponent);
    let mut left = whole as u64;
    while left != 0 {
        if left % 2 == 1 {
            result *= square;
            exponent = exponent.saturating_add(square_exponent);
        }
        square *= square;
        square_exponent = square_exponent.saturating_mul(2);
        if square < 0.5 {
            square += square;
            square_exponent = square_exponent.saturating_sub(1);
        }
        left /= 2;
    }
    if y < 0.0 { scaled(1.0 / result, exponent.saturating_neg()) } else { scaled(result, exponent) }
}

/// A fraction from a half to one, and the power of two that it is to be multiplied by.
fn split(x: f64) -> (f64, i32) {
    const EXPONENT_BITS: u64 = 0x7ff << 52;
    // The smallest numbers have fewer digits; larger ones are easier to take apart.
    let (x, below) = if x.abs() < f64::MIN_POSITIVE { (x * 2_f64.powi(54), 54) } else { (x, 0) };
    let bits = x.to_bits();
    let exponent = i32::try_from((bits & EXPONENT_BITS) >> 52).unwrap_or_default() - 1022;
    (f64::from_bits(bits & !EXPONENT_BITS | 1022 << 52), exponent - below)
}

/// `x × 2^exponent`
fn scaled(x: f64, exponent: i64) -> f64 {
    let (fraction, own) = split(x);
    let exponent = i64::from(own).saturating_add(exponent).clamp(-1100, 1100);
    let half = i32::try_from(exponent / 2).unwrap_or_default();
    // In two steps, of which only the last can leave the range of doubles.
    fraction * 2_f64.powi(half) * 2_f64.powi(i32::try_from(exponent).unwrap_or_default() - half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms() {
        assert_eq!(ln(3.0), 1.098_612_288_668_109_6);
        assert_eq!(ln(27.0) / ln(3.0), 3.000_000_000_000_000_4);
        assert_eq!(ln(243.0) / ln(3.0), 5.0);
        assert_eq!(ln(100.0) / ln(10.0), 2.0);
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(0.0), f64::NEG_INFINITY);
        assert!(ln(-1.0).is_nan());
    }

    #[test]
    fn powers() {
        let cases = [
            (1.1, 10.0, 2.593742460100002),
            (0.1, 5.0, 1.000_000_000_000_000_6e-5),
            (0.3, -2.0, 11.11111111111111),
            (2.0, 1.5, 2.82842712474619),
            (2.0, 64.0, 18_446_744_073_709_551_616.0),
            (10.0, -3.0, 0.001),
            (-2.0, 3.0, -8.0),
            (2.0, -1074.0, 5e-324),
            (2.0, 2000.0, f64::INFINITY),
            (2.0, -2000.0, 0.0),
            (4.0, -0.5, 0.5),
            (0.0, 0.0, 1.0),
        ];
        for (x, y, want) in cases {
            assert_eq!(pow(x, y), want, "{x} {y}");
        }
        assert!(pow(-8.0, 1.0 / 3.0).is_nan());
    }
}
