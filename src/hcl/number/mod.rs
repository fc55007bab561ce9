//! HCL's numbers: binary floating point with 512 bits, rounded half to even.
//!
//! Doubles would show: `0.1 + 0.2 == 0.3` is true in the language, and a number as text is never in exponent form.
//! The value is `mantissa × 2^exponent` with an odd mantissa, so equal numbers have equal representations.

mod decimal;
mod rounding;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use num_bigint::BigUint;

use rounding::{quotient, rounded, scale};

/// The bits of a number read from text.
const TEXT_PRECISION: u64 = 512;
/// The bits of a number made from a double; it decides how many digits its text form needs.
const DOUBLE_PRECISION: u64 = 53;
/// The bits of a number made from an integer.
const INTEGER_PRECISION: u64 = 64;
/// Exponents beyond this are refused: their text form alone would fill the memory.
const MAX_DECIMAL_EXPONENT: i64 = 100_000;

/// A number of the language: finite, or an infinity.
#[derive(Clone)]
pub struct Number(Repr);

#[derive(Clone)]
enum Repr {
    Finite { negative: bool, mantissa: BigUint, exponent: i64, precision: u64 },
    Infinite { negative: bool },
}

/// An operation without a result: `0 / 0`, `Inf - Inf` and their like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the result is not a number")]
pub struct NotANumber;

impl Number {
    /// Positive infinity.
    pub fn infinity() -> Self {
        Self(Repr::Infinite { negative: false })
    }

    /// Zero.
    pub fn zero() -> Self {
        Self::from(0_i64)
    }

    /// Reads decimal or exponent form, or `inf`, with an optional sign. No blanks, no other base.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if matches!(digits, "inf" | "Inf") {
            return Some(Self(Repr::Infinite { negative }));
        }
        let (mantissa, exponent) = match digits.find(['e', 'E']) {
            Some(at) => (&digits[..at], digits[at + 1..].parse::<i64>().ok()?),
            None => (digits, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = if fraction.is_empty() { Cow::Borrowed(whole) } else { Cow::Owned(format!("{whole}{fraction}")) };
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        if exponent.abs() > MAX_DECIMAL_EXPONENT {
            return None;
        }
        Some(Self::from_decimal(negative, BigUint::parse_bytes(all.as_bytes(), 10)?, exponent))
    }

    fn from_decimal(negative: bool, digits: BigUint, exponent: i64) -> Self {
        if exponent == 0 {
            return Self::from_integer(negative, digits);
        }
        let power = BigUint::from(10_u8).pow(u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX));
        if exponent >= 0 {
            rounded(negative, digits * power, 0, TEXT_PRECISION)
        } else {
            quotient(negative, &digits, &power, 0, TEXT_PRECISION)
        }
    }

    /// The number of a double; none for NaN.
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        if value.is_infinite() {
            return Some(Self(Repr::Infinite { negative: value < 0.0 }));
        }
        let bits = value.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let biased = i64::try_from((bits >> 52) & 0x7ff).unwrap_or_default();
        let (mantissa, exponent) = if biased == 0 { (fraction, -1074) } else { (fraction | (1 << 52), biased - 1075) };
        Some(rounded(value.is_sign_negative(), BigUint::from(mantissa), exponent, DOUBLE_PRECISION))
    }

    /// A whole number of any size, such as one read in another base.
    pub fn from_integer(negative: bool, magnitude: BigUint) -> Self {
        rounded(negative, magnitude, 0, TEXT_PRECISION)
    }

    /// Below zero.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Finite { negative, mantissa, .. } => *negative && !is_zero(mantissa),
            Repr::Infinite { negative } => *negative,
        }
    }

    /// Zero.
    pub fn is_zero(&self) -> bool {
        matches!(&self.0, Repr::Finite { mantissa, .. } if is_zero(mantissa))
    }

    /// Plus or minus infinity.
    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::Infinite { .. })
    }

    /// Finite and without a fraction.
    pub fn is_integer(&self) -> bool {
        matches!(&self.0, Repr::Finite { exponent, .. } if *exponent >= 0)
    }

    /// Sign and magnitude of a whole number of any size.
    pub fn to_integer(&self) -> Option<(bool, BigUint)> {
        match &self.0 {
            Repr::Finite { negative, mantissa, exponent, .. } if *exponent >= 0 => {
                Some((*negative, mantissa << u64::try_from(*exponent).ok()?))
            }
            _ => None,
        }
    }

    /// The number as a signed integer, if it is whole and fits.
    pub fn to_i64(&self) -> Option<i64> {
        let (negative, magnitude) = self.to_integer()?;
        let magnitude = i128::from(u64::try_from(magnitude).ok()?);
        i64::try_from(if negative { -magnitude } else { magnitude }).ok()
    }

    /// The number as an unsigned integer, if it is whole and fits.
    pub fn to_u64(&self) -> Option<u64> {
        let (negative, magnitude) = self.to_integer()?;
        if negative { None } else { u64::try_from(magnitude).ok() }
    }

    /// The number as an index or a count, if it is whole and fits.
    pub fn to_usize(&self) -> Option<usize> {
        usize::try_from(self.to_u64()?).ok()
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::Infinite { negative } => {
                if *negative {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                }
            }
            Repr::Finite { negative, mantissa, exponent, .. } => {
                // Rounded first, so that the scaling below is exact (but for subnormal results).
                let number = rounded(*negative, mantissa.clone(), *exponent, DOUBLE_PRECISION);
                let Repr::Finite { mantissa, exponent, .. } = number.0 else { return f64::INFINITY };
                let magnitude = scale(u64::try_from(mantissa).unwrap_or(u64::MAX), exponent);
                if *negative { -magnitude } else { magnitude }
            }
        }
    }

    /// Sum.
    pub fn add(&self, other: &Self) -> Result<Self, NotANumber> {
        match (&self.0, &other.0) {
            (Repr::Infinite { negative: a }, Repr::Infinite { negative: b }) if a != b => Err(NotANumber),
            (Repr::Infinite { .. }, _) => Ok(self.clone()),
            (_, Repr::Infinite { .. }) => Ok(other.clone()),
            (
                Repr::Finite { negative: na, mantissa: ma, exponent: ea, precision: pa },
                Repr::Finite { negative: nb, mantissa: mb, exponent: eb, precision: pb },
            ) => {
                let low = *ea.min(eb);
                let (left, right) = (ma << ea.abs_diff(low), mb << eb.abs_diff(low));
                let (negative, sum) = if na == nb {
                    (*na, left + right)
                } else if left >= right {
                    (*na, left - right)
                } else {
                    (*nb, right - left)
                };
                Ok(rounded(negative, sum, low, *pa.max(pb)))
            }
        }
    }

    /// Difference.
    pub fn sub(&self, other: &Self) -> Result<Self, NotANumber> {
        self.add(&other.neg())
    }

    /// Product.
    pub fn mul(&self, other: &Self) -> Result<Self, NotANumber> {
        let negative = self.is_negative() != other.is_negative();
        match (&self.0, &other.0) {
            (
                Repr::Finite { mantissa: ma, exponent: ea, precision: pa, .. },
                Repr::Finite { mantissa: mb, exponent: eb, precision: pb, .. },
            ) => Ok(rounded(negative, ma * mb, ea + eb, *pa.max(pb))),
            _ if self.is_zero() || other.is_zero() => Err(NotANumber),
            _ => Ok(Self(Repr::Infinite { negative })),
        }
    }

    /// Quotient; a division by zero is an infinity, `0 / 0` is an error.
    pub fn div(&self, other: &Self) -> Result<Self, NotANumber> {
        let negative = self.is_negative() != other.is_negative();
        match (&self.0, &other.0) {
            (Repr::Infinite { .. }, Repr::Infinite { .. }) => Err(NotANumber),
            (Repr::Infinite { .. }, _) => Ok(Self(Repr::Infinite { negative })),
            (_, Repr::Infinite { .. }) => Ok(Self::zero()),
            _ if other.is_zero() && self.is_zero() => Err(NotANumber),
            _ if other.is_zero() => Ok(Self(Repr::Infinite { negative })),
            (
                Repr::Finite { mantissa: ma, exponent: ea, precision: pa, .. },
                Repr::Finite { mantissa: mb, exponent: eb, precision: pb, .. },
            ) => Ok(quotient(negative, ma, mb, ea - eb, *pa.max(pb))),
        }
    }

    /// Remainder of the truncated division; the remainder by zero or infinity is the number itself.
    pub fn rem(&self, other: &Self) -> Result<Self, NotANumber> {
        if other.is_zero() || other.is_infinite() || self.is_infinite() {
            return Ok(self.clone());
        }
        self.sub(&self.div(other)?.trunc().mul(other)?)
    }

    /// The number with its sign changed; zero gets a sign that only its text form shows.
    pub fn neg(&self) -> Self {
        match &self.0 {
            Repr::Infinite { negative } => Self(Repr::Infinite { negative: !negative }),
            Repr::Finite { negative, mantissa, exponent, precision } => Self(Repr::Finite {
                negative: !negative,
                mantissa: mantissa.clone(),
                exponent: *exponent,
                precision: *precision,
            }),
        }
    }

    /// The absolute value.
    pub fn abs(&self) -> Self {
        if self.is_negative() { self.neg() } else { self.clone() }
    }

    /// Rounded towards zero.
    pub fn trunc(&self) -> Self {
        match &self.0 {
            Repr::Finite { negative, mantissa, exponent, precision } if *exponent < 0 => {
                rounded(*negative, mantissa >> exponent.unsigned_abs(), 0, *precision)
            }
            _ => self.clone(),
        }
    }

    /// Rounded towards minus infinity.
    pub fn floor(&self) -> Self {
        let whole = self.trunc();
        if self.is_negative() && !self.is_integer() { whole.sub(&Self::from(1_i64)).unwrap_or(whole) } else { whole }
    }

    /// Rounded towards plus infinity.
    pub fn ceil(&self) -> Self {
        self.neg().floor().neg()
    }

    /// The shortest double form with an exponent where it has more than six digits: `1e+20`, `0.5`, `+Inf`.
    pub fn to_shortest_double(&self) -> String {
        let value = self.to_f64();
        if value.is_infinite() {
            return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
        }
        let scientific = format!("{value:e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        if (-4..21).contains(&exponent) && (exponent < 6) {
            format!("{value}")
        } else {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}

/// The text form: full decimal with as few digits as tell the number from its neighbours, never an exponent.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Infinite { negative: false } => f.write_str("+Inf"),
            Repr::Infinite { negative: true } => f.write_str("-Inf"),
            Repr::Finite { negative, mantissa, exponent, precision } => {
                if *negative {
                    f.write_str("-")?;
                }
                f.write_str(&decimal::shortest(mantissa, *exponent, *precision))
            }
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        rounded(value < 0, BigUint::from(value.unsigned_abs()), 0, INTEGER_PRECISION)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        rounded(false, BigUint::from(value), 0, INTEGER_PRECISION)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        rounded(false, BigUint::from(value), 0, INTEGER_PRECISION)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_sign = other.is_negative().cmp(&self.is_negative());
        let by_size = || compare_magnitudes(&self.0, &other.0);
        by_sign.then_with(|| if self.is_negative() { by_size().reverse() } else { by_size() })
    }
}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Repr::Infinite { negative } => negative.hash(state),
            Repr::Finite { mantissa, exponent, .. } => (self.is_negative(), mantissa, exponent).hash(state),
        }
    }
}

fn is_zero(mantissa: &BigUint) -> bool {
    mantissa.bits() == 0
}

fn compare_magnitudes(left: &Repr, right: &Repr) -> Ordering {
    match (left, right) {
        (Repr::Infinite { .. }, Repr::Infinite { .. }) => Ordering::Equal,
        (Repr::Infinite { .. }, _) => Ordering::Greater,
        (_, Repr::Infinite { .. }) => Ordering::Less,
        (Repr::Finite { mantissa: ma, exponent: ea, .. }, Repr::Finite { mantissa: mb, exponent: eb, .. }) => {
            match (is_zero(ma), is_zero(mb)) {
                (true, true) => return Ordering::Equal,
                (true, false) => return Ordering::Less,
                (false, true) => return Ordering::Greater,
                (false, false) => {}
            }
            let top = |mantissa: &BigUint, exponent: i64| i64::try_from(mantissa.bits()).unwrap_or(i64::MAX) + exponent;
            top(ma, *ea).cmp(&top(mb, *eb)).then_with(|| {
                let low = *ea.min(eb);
                (ma << ea.abs_diff(low)).cmp(&(mb << eb.abs_diff(low)))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn text_form() {
        let cases = [
            ("1", "1"),
            ("-0", "0"),
            ("1.50", "1.5"),
            ("007", "7"),
            ("1e21", "1000000000000000000000"),
            ("0.1", "0.1"),
            ("1e-7", "0.0000001"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("-0.5", "-0.5"),
            ("+1", "1"),
            ("inf", "+Inf"),
            ("-Inf", "-Inf"),
            ("0.3", "0.3"),
            ("99.99", "99.99"),
            ("9.5e3", "9500"),
            ("1024", "1024"),
        ];
        for (text, want) in cases {
            assert_eq!(n(text).to_string(), want, "{text}");
        }
        assert_eq!(n("0").neg().to_string(), "-0");
        assert_eq!(n("0").neg(), n("0"));
        let big = n("1e400").to_string();
        assert_eq!(big, format!("1{}", "0".repeat(400)));
        assert_eq!(n("1").div(&n("3")).unwrap().to_string().len(), 157);
        assert!(n("1").div(&n("3")).unwrap().to_string().ends_with("335"));
    }

    #[test]
    fn refused_text() {
        for text in ["", " 1", "1 ", "0x10", "1_000", ".", "e3", "1e", "abc", "1e999999999999", "--1"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn arithmetic() {
        assert_eq!(n("0.1").add(&n("0.2")).unwrap(), n("0.3"));
        assert_eq!(n("1").div(&n("3")).unwrap().mul(&n("3")).unwrap(), n("1"));
        assert_eq!(n("-7").rem(&n("3")).unwrap(), n("-1"));
        assert_eq!(n("1").rem(&n("0")).unwrap(), n("1"));
        assert_eq!(n("5.5").rem(&n("2")).unwrap(), n("1.5"));
        assert_eq!(n("-1").div(&n("0")).unwrap().to_string(), "-Inf");
        assert_eq!(n("0").div(&n("0")), Err(NotANumber));
        assert_eq!(n("inf").sub(&n("inf")), Err(NotANumber));
        assert_eq!(n("-0.1").floor(), n("-1"));
        assert_eq!(n("1.1").ceil(), n("2"));
        assert_eq!(n("-1.9").trunc(), n("-1"));
    }

    #[test]
    fn doubles() {
        let cases = [
            ("1e20", "1e+20"),
            ("123456789.125", "1.23456789125e+08"),
            ("0.0000001", "1e-07"),
            ("0.5", "0.5"),
            ("-0.25", "-0.25"),
            ("1e100", "1e+100"),
            ("inf", "+Inf"),
            ("12345678.9", "1.23456789e+07"),
            ("1e-400", "0"),
        ];
        for (text, want) in cases {
            assert_eq!(n(text).to_shortest_double(), want, "{text}");
        }
        assert_eq!(Number::from_f64(std::f64::consts::SQRT_2).unwrap().to_string(), "1.4142135623730951");
        assert_eq!(Number::from_f64(0.1).unwrap().to_string(), "0.1");
        assert_eq!(Number::from_f64(5e-324).unwrap().to_f64(), 5e-324);
        assert!(Number::from_f64(f64::NAN).is_none());
    }

    #[test]
    fn order() {
        let mut all = [n("2"), n("-inf"), n("0"), n("-1.5"), n("inf"), n("1e-9"), n("-2")];
        all.sort();
        let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["-Inf", "-2", "-1.5", "0", "0.000000001", "2", "+Inf"]);
    }

    #[test]
    fn integers() {
        assert_eq!(n("-9223372036854775808").to_i64(), Some(i64::MIN));
        assert_eq!(n("9223372036854775808").to_i64(), None);
        assert_eq!(n("1.5").to_i64(), None);
        assert_eq!(n("3").to_usize(), Some(3));
    }
}
