//! Floats as `%e`, `%f` and `%g` write them.

/// How a float is written, with as many digits as it takes to read it back where `precision` is none.
pub fn float(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    match verb {
        'e' | 'E' => cased(exponential(value, precision), verb),
        'f' | 'F' => fixed(value, precision),
        _ => cased(general(value, precision), verb),
    }
}

fn cased(text: String, verb: char) -> String {
    if verb.is_ascii_uppercase() { text.to_ascii_uppercase() } else { text }
}

fn fixed(value: f64, precision: Option<usize>) -> String {
    match precision {
        Some(precision) => format!("{value:.precision$}"),
        None => format!("{value}"),
    }
}

/// Go writes at least two digits of the exponent, and its sign.
fn exponential(value: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// Exponential for what is very small or has more digits before the point than asked for, else fixed.
fn general(value: f64, precision: Option<usize>) -> String {
    let digits = precision.map(|precision| precision.max(1));
    let exact = exponential(value, digits.map(|digits| digits - 1));
    let (mantissa, exponent) = exact.split_once('e').unwrap_or((&exact, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let significant = trimmed(mantissa).chars().filter(char::is_ascii_digit).count();
    let largest = match digits {
        // The shortest text that reads back changes over at a fixed place, else every whole float were fixed.
        None => 6,
        Some(digits) if digits > significant && i64::try_from(significant).is_ok_and(|s| s > exponent) => significant,
        Some(digits) => digits,
    };
    if exponent < -4 || i64::try_from(largest).is_ok_and(|largest| exponent >= largest) {
        let (_, written) = exact.split_once('e').unwrap_or((&exact, "+00"));
        return format!("{}e{written}", trimmed(mantissa));
    }
    let decimals = digits.map(|digits| usize::try_from(i64::try_from(digits).unwrap_or(0) - 1 - exponent).unwrap_or(0));
    trimmed(&fixed(value, decimals)).to_string()
}

/// Without the zeros that end a fraction.
fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}
