//! Times as RFC 3339 writes them, and the calendar around them.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// A time and how far ahead of UTC the clock that shows it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// What the clock shows.
    pub(super) clock: DateTime,
    /// Seconds that the clock is ahead of UTC, negative in the west. Whole minutes, less than a day.
    pub(super) ahead: i64,
}

impl Moment {
    /// A time as clocks in UTC show it.
    pub(super) fn utc(time: Timestamp) -> Self {
        Self { clock: Offset::UTC.to_datetime(time), ahead: 0 }
    }

    /// Seconds since 1970.
    pub(super) fn unix(&self) -> i64 {
        let since = self.clock.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
        since.as_secs() - i64::from(since.subsec_nanos() < 0) - self.ahead
    }

    /// The time after a while; none if the calendar ends before.
    pub(super) fn after(&self, while_: SignedDuration) -> Option<Self> {
        Some(Self { clock: self.clock.checked_add(while_).ok()?, ..*self })
    }

    /// `+02:00`, or `Z` in UTC.
    pub(super) fn zone(&self) -> String {
        if self.ahead == 0 { "Z".into() } else { self.offset(":") }
    }

    /// `+02:00` with something between hours and minutes.
    pub(super) fn offset(&self, separator: &str) -> String {
        let sign = if self.ahead < 0 { '-' } else { '+' };
        let minutes = self.ahead.unsigned_abs() / 60;
        format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
    }

    /// `2024-02-03T04:05:06+02:00`, without fractions of seconds.
    pub(super) fn rfc3339(&self) -> String {
        let clock = &self.clock;
        let (sign, year) = (if clock.year() < 0 { "-" } else { "" }, clock.year().unsigned_abs());
        let date = format!("{sign}{year:04}-{:02}-{:02}", clock.month(), clock.day());
        format!("{date}T{:02}:{:02}:{:02}{}", clock.hour(), clock.minute(), clock.second(), self.zone())
    }
}

/// Reads `2024-02-03T04:05:06.789+02:00`; an error says what is wrong with it.
pub(super) fn parse(text: &str, separators: &[char]) -> Result<Moment, String> {
    read(text, separators).ok_or_else(|| {
        format!("{text:?} is no time of the form 2024-02-03T04:05:06Z (a zone such as +02:00 may stand for the Z)")
    })
}

fn read(text: &str, separators: &[char]) -> Option<Moment> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let rest = rest.strip_prefix(separators)?;
    let (hour, rest) = digits(rest, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (nanosecond, rest) = fraction(rest);
    let small = |number: i64| i8::try_from(number).ok();
    let clock = DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        nanosecond,
    );
    Some(Moment { clock: clock.ok()?, ahead: zone(rest)? })
}

/// Exactly this many digits, and what follows.
fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let (digits, rest) = text.split_at_checked(count)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((digits.parse().ok().filter(|_| plain)?, rest))
}

/// Nanoseconds, if a fraction is in front.
fn fraction(text: &str) -> (i32, &str) {
    let Some(inner) = text.strip_prefix('.') else { return (0, text) };
    let length = inner.find(|c: char| !c.is_ascii_digit()).unwrap_or(inner.len());
    if length == 0 {
        return (0, text);
    }
    let nine: String = inner[..length].chars().chain("000000000".chars()).take(9).collect();
    (nine.parse().unwrap_or(0), &inner[length..])
}

/// Seconds ahead of UTC.
fn zone(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.chars().next()? {
        '+' => (1, &text[1..]),
        '-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, rest) = digits(rest, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?, 2)?;
    (rest.is_empty() && hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading() {
        let cases = [
            ("2024-02-03T04:05:06Z", Some(1_706_933_106)),
            ("2024-02-03T04:05:06.789+05:30", Some(1_706_913_306)),
            ("1969-12-31T23:59:59.5Z", Some(-1)),
            ("2024-02-03T4:05:06Z", None),
            ("2024-02-03T04:05:06,5Z", None),
            ("2024-02-03T04:05:06+24:00", None),
            ("2024-02-03t04:05:06Z", None),
            ("2024-02-30T04:05:06Z", None),
            ("2024-02-03T24:05:06Z", None),
            ("2024-02-03T04:05:60Z", None),
            ("2024-02-03T04:05:06", None),
            ("2024-02-03T04:05:06.Z", None),
            ("2024-02-03T04:05:06+0200", None),
            ("2024-02-03T04:05:06Zx", None),
            ("+024-02-03T04:05:06Z", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text, &['T']).ok().map(|moment| moment.unix()), want, "{text}");
        }
    }
}
