//! Durations as people read them.

use std::fmt::Write as _;
use std::time::Duration;

/// The units of Packer's duration text, largest first, in microseconds. A year has 365 days.
const UNITS: [(&str, u128); 8] = [
    ("year", 365 * 86_400_000_000),
    ("week", 7 * 86_400_000_000),
    ("day", 86_400_000_000),
    ("hour", 3_600_000_000),
    ("minute", 60_000_000),
    ("second", 1_000_000),
    ("millisecond", 1_000),
    ("microsecond", 1),
];

/// Packer's duration text: the two largest units that are not zero, as in `1 minute 3 seconds`.
/// Less than a microsecond is `0 microseconds`.
pub fn packer(duration: Duration) -> String {
    let mut rest = duration.as_micros();
    let mut parts = Vec::new();
    for (unit, size) in UNITS {
        let count = rest / size;
        rest %= size;
        if count > 0 && parts.len() < 2 {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    if parts.is_empty() { "0 microseconds".to_owned() } else { parts.join(" ") }
}

/// Seconds of a day.
const DAY: u128 = 24 * 3600;

/// A short text for tables, to three figures or so: `340 ms`, `12.3 s`, `4 min 12 s`, `1 h 02 min`, `3 d 4 h`.
pub fn brief(duration: Duration) -> String {
    let millis = duration.as_millis();
    // Rounded to what is shown, so that 59.96 s is not "60.0 s".
    let tenths = (millis + 50) / 100;
    let seconds = (millis + 500) / 1000;
    if millis < 1000 {
        format!("{millis} ms")
    } else if tenths < 600 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else if seconds < 3600 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else if seconds < 2 * DAY {
        format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60)
    } else {
        format!("{} d {} h", seconds / DAY, seconds % DAY / 3600)
    }
}

/// A running clock: `0:07`, `12:34`, `1:02:03`.
pub fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let mut text = String::new();
    let minutes = seconds / 60 % 60;
    // Writing into a String can't fail.
    let _ = match seconds / 3600 {
        0 => write!(text, "{minutes}"),
        hours => write!(text, "{hours}:{minutes:02}"),
    };
    let _ = write!(text, ":{:02}", seconds % 60);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packers_text_has_at_most_two_units() {
        for (micros, text) in [
            (0, "0 microseconds"),
            (1, "1 microsecond"),
            (12_345, "12 milliseconds 345 microseconds"),
            (2_000_000, "2 seconds"),
            (1_002_003, "1 second 2 milliseconds"),
            (1_000_003, "1 second 3 microseconds"),
            (63_000_000, "1 minute 3 seconds"),
            (3_600_000_000, "1 hour"),
            (90_061_000_000, "1 day 1 hour"),
            (8 * 86_400_000_000, "1 week 1 day"),
            (2 * 365 * 86_400_000_000 + 5, "2 years 5 microseconds"),
        ] {
            assert_eq!(packer(Duration::from_micros(micros)), text);
        }
        assert_eq!(packer(Duration::from_nanos(999)), "0 microseconds");
    }

    #[test]
    fn brief_text_rounds_to_what_it_shows() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1.0 s"),
            (12_349, "12.3 s"),
            (59_949, "59.9 s"),
            (59_960, "1 min 00 s"),
            (252_400, "4 min 12 s"),
            (3_599_600, "1 h 00 min"),
            (3_720_000, "1 h 02 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(brief(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn clock_runs() {
        for (seconds, text) in [(7, "0:07"), (754, "12:34"), (3723, "1:02:03")] {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
    }
}
