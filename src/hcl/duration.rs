//! Spans of time written as `1h2m3.5s`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A span of time, perhaps negative, to the nanosecond and up to 292 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GoDuration(i64);

/// The text is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration {0:?}: write numbers with units, such as \"300ms\", \"90s\" or \"1h30m\"")]
pub struct ParseDurationError(String);

/// Units and their nanoseconds, longest names first.
const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl GoDuration {
    /// Whether it lies before zero.
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Its length in nanoseconds.
    pub fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl FromStr for GoDuration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseDurationError(text.to_owned());
        let (sign, rest) = match text.as_bytes().first() {
            Some(b'-') => (-1, &text[1..]),
            Some(b'+') => (1, &text[1..]),
            _ => (1, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(error());
        }
        let mut left = rest;
        let mut total: i128 = 0;
        while !left.is_empty() {
            let (nanoseconds, after) = part(left).ok_or_else(error)?;
            total = total.checked_add(nanoseconds).ok_or_else(error)?;
            left = after;
        }
        i64::try_from(sign * total).map(Self).map_err(|_| error())
    }
}

/// One number with its unit, in nanoseconds, and the text after it.
fn part(text: &str) -> Option<(i128, &str)> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (name, size) = UNITS.into_iter().find(|(name, _)| {
        // "m" is not the start of "ms".
        rest.strip_prefix(name).is_some_and(|after| !after.starts_with(|c: char| c.is_alphabetic()))
    })?;
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Digits beyond a nanosecond's part of an hour do not count.
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let part = if fraction.is_empty() { 0 } else { fraction.parse::<i128>().ok()? * size / scale };
    Some((whole.checked_mul(size)?.checked_add(part)?, &rest[name.len()..]))
}

/// As Go writes it: `1h0m0s`, `1m30.5s`, `300ms`, `0s`.
impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let total = self.0.unsigned_abs();
        let small = match total {
            0 => return f.write_str("0s"),
            1..1_000 => Some((1, "ns")),
            1_000..1_000_000 => Some((1_000, "µs")),
            1_000_000..1_000_000_000 => Some((1_000_000, "ms")),
            _ => None,
        };
        if let Some((unit, name)) = small {
            return write!(f, "{sign}{}{name}", decimal(total, unit));
        }
        let (minutes, seconds) = (total / 60_000_000_000, decimal(total % 60_000_000_000, 1_000_000_000));
        match (minutes / 60, minutes % 60) {
            (0, 0) => write!(f, "{sign}{seconds}s"),
            (0, minutes) => write!(f, "{sign}{minutes}m{seconds}s"),
            (hours, minutes) => write!(f, "{sign}{hours}h{minutes}m{seconds}s"),
        }
    }
}

/// A number of units with as many decimals as it needs.
fn decimal(value: u64, unit: u64) -> String {
    let digits = unit.ilog10() as usize;
    let text = format!("{}.{:0digits$}", value / unit, value % unit);
    if digits == 0 { value.to_string() } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// Spans longer than 292 years become 292 years.
impl From<Duration> for GoDuration {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// A negative span becomes zero.
impl From<GoDuration> for Duration {
    fn from(duration: GoDuration) -> Self {
        Self::from_nanos(u64::try_from(duration.0).unwrap_or(0))
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "go-duration" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_writing() {
        let cases = [
            ("1h2m3.5s", "1h2m3.5s"),
            ("300ms", "300ms"),
            ("60s", "1m0s"),
            ("0", "0s"),
            ("-1s", "-1s"),
            ("1.5h", "1h30m0s"),
            ("100us", "100µs"),
            ("+5m", "5m0s"),
            (".5s", "500ms"),
            ("1m1ms", "1m0.001s"),
            ("7ns", "7ns"),
            ("1h30m", "1h30m0s"),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<GoDuration>().unwrap().to_string(), want, "{text}");
        }
        for text in ["", "5", "five minutes", "1d", "-", "1s ", "1 s", "s", ".s", "9999999h", "1m1"] {
            assert!(text.parse::<GoDuration>().is_err(), "{text}");
        }
    }

    #[test]
    fn from_and_to_std() {
        assert_eq!(Duration::from("90s".parse::<GoDuration>().unwrap()), Duration::from_secs(90));
        assert_eq!(Duration::from("-90s".parse::<GoDuration>().unwrap()), Duration::ZERO);
        assert_eq!(GoDuration::from(Duration::from_millis(1500)).to_string(), "1.5s");
        assert_eq!(GoDuration::from(Duration::MAX).to_string(), "2562047h47m16.854775807s");
    }
}
