//! Times written after Go's layouts, which show how a certain moment (Monday, January 2nd 2006, 15:04:05, seven hours
//! behind UTC) would look.

use std::fmt::Write;

use super::moment::{Civil, Moment};

/// The layout of RFC 3339, which is the default.
pub const RFC3339: &str = "2006-01-02T15:04:05Z07:00";

/// The moment as the layout shows it. What is no part of the reference moment is copied as it is.
pub fn format(moment: Moment, layout: &str) -> String {
    let civil = moment.civil();
    let mut out = String::with_capacity(layout.len());
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        match element(rest, moment, &civil) {
            Some((length, text)) => {
                out.push_str(&text);
                rest = &rest[length..];
            }
            None => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

/// The element that the layout begins with: its length and what to write for it.
fn element(layout: &str, moment: Moment, civil: &Civil) -> Option<(usize, String)> {
    let found = ELEMENTS.iter().find(|(written, _)| layout.starts_with(written) && is_whole(layout, written));
    if let Some((written, part)) = found {
        return Some((written.len(), part(civil)));
    }
    fraction(layout, moment).or_else(|| zone(layout, moment))
}

/// `Jan` and `Mon` are not meant where a word goes on: `Monitor`, `Janet`.
fn is_whole(layout: &str, written: &str) -> bool {
    match written {
        "Jan" | "Mon" => !layout[3..].starts_with(|c: char| c.is_ascii_lowercase()),
        _ => true,
    }
}

type Part = fn(&Civil) -> String;

/// What the layout may show, longer ones before those that they begin with.
const ELEMENTS: [(&str, Part); 23] = [
    ("January", |t| t.month_name().to_string()),
    ("Jan", |t| t.month_name()[..3].to_string()),
    ("Monday", |t| t.weekday_name().to_string()),
    ("Mon", |t| t.weekday_name()[..3].to_string()),
    ("01", |t| format!("{:02}", t.month)),
    ("002", |t| format!("{:03}", t.year_day)),
    ("02", |t| format!("{:02}", t.day)),
    ("03", |t| format!("{:02}", t.clock_hour())),
    ("04", |t| format!("{:02}", t.minute)),
    ("05", |t| format!("{:02}", t.second)),
    ("06", |t| format!("{:02}", t.year.unsigned_abs() % 100)),
    ("15", |t| format!("{:02}", t.hour)),
    ("1", |t| t.month.to_string()),
    ("2006", |t| year(t.year)),
    ("2", |t| t.day.to_string()),
    // The year of `_2006` is not the day of `_2`.
    ("_2006", |t| format!("_{}", year(t.year))),
    ("__2", |t| format!("{:3}", t.year_day)),
    ("_2", |t| format!("{:2}", t.day)),
    ("3", |t| t.clock_hour().to_string()),
    ("4", |t| t.minute.to_string()),
    ("5", |t| t.second.to_string()),
    ("PM", |t| if t.hour >= 12 { "PM" } else { "AM" }.to_string()),
    ("pm", |t| if t.hour >= 12 { "pm" } else { "am" }.to_string()),
];

fn year(year: i64) -> String {
    let sign = if year < 0 { "-" } else { "" };
    format!("{sign}{:04}", year.unsigned_abs())
}

/// `.000` or `,000`: that many digits of the second; with nines, without the zeros that end it.
fn fraction(layout: &str, moment: Moment) -> Option<(usize, String)> {
    let separator = layout.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digit = layout[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = layout[1..].chars().take_while(|c| *c == digit).count();
    if layout[1 + count..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{:09}", moment.nanoseconds.min(999_999_999));
    let digits = digits.get(..count).unwrap_or(&digits);
    let digits = if digit == '9' { digits.trim_end_matches('0') } else { digits };
    let text = if digits.is_empty() { String::new() } else { format!("{separator}{digits}") };
    Some((1 + count, text))
}

/// `MST`, `-0700`, `Z07:00` and their kin.
fn zone(layout: &str, moment: Moment) -> Option<(usize, String)> {
    let offset = moment.offset_seconds;
    if layout.starts_with("MST") {
        // Offsets have no names, but for that of UTC.
        let text = if offset == 0 { "UTC".to_string() } else { numeric(offset, "0700") };
        return Some((3, text));
    }
    let style = layout.strip_prefix(['Z', '-'])?;
    let style = ["070000", "07:00:00", "0700", "07:00", "07"].into_iter().find(|known| style.starts_with(known))?;
    let text = if layout.starts_with('Z') && offset == 0 { "Z".to_string() } else { numeric(offset, style) };
    Some((1 + style.len(), text))
}

fn numeric(offset: i32, style: &str) -> String {
    let (sign, seconds) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
    let colon = if style.contains(':') { ":" } else { "" };
    let parts = style.bytes().filter(u8::is_ascii_digit).count() / 2;
    let mut text = format!("{sign}{:02}", seconds / 3600);
    for part in [seconds / 60 % 60, seconds % 60].iter().take(parts - 1) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{colon}{part:02}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        // 2024-02-09T15:04:05.0678Z, a Friday.
        let moment = Moment { unix_seconds: 1_707_491_045, nanoseconds: 67_800_000, offset_seconds: 0 };
        for (layout, expected) in [
            (RFC3339, "2024-02-09T15:04:05Z"),
            ("2006-01-02-1504", "2024-02-09-1504"),
            ("Mon Jan _2 15:04:05 MST 2006", "Fri Feb  9 15:04:05 UTC 2024"),
            ("Monday, January 2, 3:4:5pm '06", "Friday, February 9, 3:4:5pm '24"),
            ("03PM 002 __2", "03PM 040  40"),
            ("05.000 05.999999999 05,00", "05.067 05.0678 05,06"),
            ("-0700 -07:00 Z0700 -07 Z07:00:00", "+0000 +00:00 Z +00 Z"),
            ("_2006 Monitor Janet", "_2024 Monitor Janet"),
            ("no layout \u{e9}", "no layout \u{e9}"),
        ] {
            assert_eq!(format(moment, layout), expected, "{layout}");
        }
    }

    #[test]
    fn offsets() {
        let moment = |offset_seconds| Moment { unix_seconds: 0, nanoseconds: 0, offset_seconds };
        assert_eq!(format(moment(19_800), RFC3339), "1970-01-01T05:30:00+05:30");
        assert_eq!(format(moment(-12_600), "15:04 -0700 MST"), "20:30 -0330 -0330");
        assert_eq!(format(moment(7200), "Z07 MST"), "+02 +0200");
    }
}
