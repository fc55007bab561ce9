//! Numbers in decimal digits, rounded and laid out as wanted.

use num_bigint::BigUint;

use crate::hcl::number::Number;

/// The magnitude of a finite number: `0.digits × 10^point`, without zeros at either end.
#[derive(Clone)]
pub(super) struct Decimal {
    digits: Vec<u8>,
    point: i64,
}

impl Decimal {
    /// All digits; none for an infinity.
    pub(super) fn exact(number: &Number) -> Option<Self> {
        // Every finite number becomes whole when it is doubled often enough, and x / 2^n is x * 5^n / 10^n.
        let mut doublings = 0_u32;
        let mut whole = number.clone();
        while !whole.is_integer() {
            if whole.is_infinite() {
                return None;
            }
            doublings = (doublings * 2).max(64);
            let power = Number::from_integer(false, BigUint::from(1_u8) << doublings);
            whole = number.mul(&power).ok()?;
        }
        let (_, magnitude) = whole.to_integer()?;
        let digits = (magnitude * BigUint::from(5_u8).pow(doublings)).to_string();
        let point = i64::try_from(digits.len()).ok()? - i64::from(doublings);
        Some(Self::new(digits.bytes().map(|byte| byte - b'0').collect(), point))
    }

    /// As few digits as tell the number from its neighbours; none for an infinity.
    pub(super) fn shortest(number: &Number) -> Option<Self> {
        if number.is_infinite() {
            return None;
        }
        let text = number.abs().to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = whole.bytes().chain(fraction.bytes()).map(|byte| byte.saturating_sub(b'0')).collect();
        Some(Self::new(digits, i64::try_from(whole.len()).ok()?))
    }

    fn new(mut digits: Vec<u8>, mut point: i64) -> Self {
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..zeros);
        point -= i64::try_from(zeros).unwrap_or_default();
        while digits.last() == Some(&0) {
            digits.pop();
        }
        if digits.is_empty() {
            point = 0;
        }
        Self { digits, point }
    }

    /// Rounded to this many digits, half to even.
    fn rounded(&self, count: i64) -> Self {
        let Ok(count) = usize::try_from(count) else { return Self::new(Vec::new(), 0) };
        let Some(next) = self.digits.get(count) else { return self.clone() };
        let odd = count.checked_sub(1).and_then(|last| self.digits.get(last)).is_some_and(|digit| digit % 2 == 1);
        let more = self.digits.len() > count + 1;
        let mut digits = self.digits.get(..count).unwrap_or_default().to_vec();
        let mut point = self.point;
        if *next > 5 || (*next == 5 && (more || odd)) {
            while digits.last() == Some(&9) {
                digits.pop();
            }
            match digits.last_mut() {
                Some(digit) => *digit += 1,
                None => {
                    digits.push(1);
                    point += 1;
                }
            }
        }
        Self::new(digits, point)
    }

    /// The digit at a place, counted from the first one; zero beyond.
    fn digit(&self, at: i64) -> char {
        let digit = usize::try_from(at).ok().and_then(|at| self.digits.get(at)).copied().unwrap_or(0);
        char::from(b'0' + digit)
    }

    fn len(&self) -> i64 {
        i64::try_from(self.digits.len()).unwrap_or(i64::MAX)
    }

    /// `123.450`: this many digits after the point.
    pub(super) fn fixed(&self, precision: usize) -> String {
        let precision = i64::try_from(precision).unwrap_or(i64::MAX);
        self.rounded(self.point.saturating_add(precision)).lay_out(precision)
    }

    fn lay_out(&self, precision: i64) -> String {
        let mut text: String = (0..self.point).map(|at| self.digit(at)).collect();
        if text.is_empty() {
            text.push('0');
        }
        if precision > 0 {
            text.push('.');
            text.extend((self.point..self.point.saturating_add(precision)).map(|at| self.digit(at)));
        }
        text
    }

    /// `1.2345e+02`: this many digits after the point.
    pub(super) fn scientific(&self, precision: usize, e: char) -> String {
        let precision = i64::try_from(precision).unwrap_or(i64::MAX - 1);
        self.rounded(precision + 1).lay_out_scientific(precision, e)
    }

    fn lay_out_scientific(&self, precision: i64, e: char) -> String {
        let mut text = String::from(self.digit(0));
        if precision > 0 {
            text.push('.');
            text.extend((1..=precision).map(|at| self.digit(at)));
        }
        let exponent = if self.digits.is_empty() { 0 } else { self.point - 1 };
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{text}{e}{sign}{:02}", exponent.unsigned_abs())
    }

    /// The shorter of both forms, with this many digits or all there are.
    pub(super) fn general(&self, precision: Option<usize>, e: char) -> String {
        let wanted = precision.map(|precision| i64::try_from(precision.max(1)).unwrap_or(i64::MAX));
        let number = wanted.map_or_else(|| self.clone(), |wanted| self.rounded(wanted));
        let (length, exponent) = (number.len(), number.point - 1);
        let limit = match wanted {
            // All digits shown: an exponent is shorter from a million on.
            None => 6,
            Some(wanted) if wanted > length && length >= number.point => length,
            Some(wanted) => wanted,
        };
        let shown = wanted.unwrap_or(length).min(length);
        if exponent < -4 || exponent >= limit {
            return number.lay_out_scientific(shown - 1, e);
        }
        number.lay_out((length - number.point).max(0))
    }
}
