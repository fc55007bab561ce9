//! The text form of a number: as few decimal digits as tell it from its neighbours.

use std::cmp::Ordering;

use num_bigint::BigUint;

use super::is_zero;

/// The shortest decimal that lies nearer to the number than to its neighbours at this precision.
pub(super) fn shortest(mantissa: &BigUint, exponent: i64, precision: u64) -> String {
    if is_zero(mantissa) {
        return "0".into();
    }
    let bits = mantissa.bits();
    let spare = precision.saturating_sub(bits);
    if exponent >= 0 && exponent.unsigned_abs() <= spare {
        return (mantissa << exponent.unsigned_abs()).to_string();
    }
    // In units of half the distance to the neighbours: the number is `middle`, the interval `middle ± 1`.
    let middle = mantissa << (spare + 1);
    let unit = exponent.saturating_sub_unsigned(spare + 1);
    let inclusive = spare > 0;
    let (low, high) = (&middle - 1_u8, &middle + 1_u8);
    let exact = |value: &BigUint| decimal_digits(value, unit);
    let (low, middle, high) = (exact(&low), exact(&middle), exact(&high));
    let point = high.1;
    let pad = |digits: &(Vec<u8>, i64)| {
        let mut all = vec![0_u8; usize::try_from(point - digits.1).unwrap_or_default()];
        all.extend_from_slice(&digits.0);
        all
    };
    let digits = shortest_between(&pad(&low), &pad(&middle), &high.0, inclusive);
    place_point(&digits, point)
}

/// All decimal digits of `value × 2^unit`, and how many of them stand before the point.
fn decimal_digits(value: &BigUint, unit: i64) -> (Vec<u8>, i64) {
    let (scaled, fraction) = if unit >= 0 {
        (value << unit.unsigned_abs(), 0)
    } else {
        // x / 2^n is x * 5^n / 10^n.
        let power = u32::try_from(unit.unsigned_abs()).unwrap_or(u32::MAX);
        (value * BigUint::from(5_u8).pow(power), i64::from(power))
    };
    let digits: Vec<u8> = scaled.to_string().bytes().map(|byte| byte - b'0').collect();
    let before = i64::try_from(digits.len()).unwrap_or(i64::MAX) - fraction;
    (digits, before)
}

/// The shortest run of leading digits, of `middle` cut or rounded up, that lies between `low` and `high`.
fn shortest_between(low: &[u8], middle: &[u8], high: &[u8], inclusive: bool) -> Vec<u8> {
    let digit = |digits: &[u8], at: usize| digits.get(at).copied().unwrap_or(0);
    let length = middle.len().max(low.len()).max(high.len());
    let beyond = |digits: &[u8], at: usize| digits.iter().skip(at).any(|digit| *digit != 0);
    for count in 1..length {
        let cut = &middle[..count.min(middle.len())];
        // Cut: at or above `low`. Rounded up: at or below `high`.
        let low_prefix: Vec<u8> = (0..count).map(|at| digit(low, at)).collect();
        let mut up = cut.to_vec();
        up.resize(count, 0);
        let down = up.clone();
        increment(&mut up);
        let high_prefix: Vec<u8> = (0..count).map(|at| digit(high, at)).collect();
        let down_fits = match down.cmp(&low_prefix) {
            Ordering::Greater => true,
            Ordering::Equal => inclusive && !beyond(low, count),
            Ordering::Less => false,
        };
        let up_fits = up.len() == count
            && match up.cmp(&high_prefix) {
                Ordering::Less => true,
                Ordering::Equal => inclusive || beyond(high, count),
                Ordering::Greater => false,
            };
        match (down_fits, up_fits) {
            (true, true) => return if rounds_up(middle, count) { up } else { down },
            (true, false) => return down,
            (false, true) => return up,
            (false, false) => {}
        }
    }
    middle.to_vec()
}

fn rounds_up(digits: &[u8], count: usize) -> bool {
    let next = digits.get(count).copied().unwrap_or(0);
    let more = digits.iter().skip(count + 1).any(|digit| *digit != 0);
    let odd = count.checked_sub(1).and_then(|last| digits.get(last)).is_some_and(|digit| digit % 2 == 1);
    next > 5 || (next == 5 && (more || odd))
}

/// Adds one to the last digit; a carry out of the first digit makes the number longer.
fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    digits.insert(0, 1);
}

fn place_point(digits: &[u8], point: i64) -> String {
    let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
    let text = if point >= 0 {
        let point = usize::try_from(point).unwrap_or(usize::MAX);
        let whole: String = text.chars().chain(std::iter::repeat('0')).take(point).collect();
        format!("{whole}.{}", text.get(point..).unwrap_or(""))
    } else {
        let zeros = "0".repeat(usize::try_from(-point).unwrap_or_default());
        format!(".{zeros}{text}")
    };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() { whole.into() } else { format!("{whole}.{fraction}") }
}
