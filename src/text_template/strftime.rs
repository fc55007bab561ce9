//! Times written after the formats of C's `strftime`, in the C locale.

use super::moment::{Civil, Moment};

/// The moment with each `%` code replaced. Unknown codes stay as they are.
pub fn format(moment: Moment, format: &str) -> String {
    let civil = moment.civil();
    let mut out = String::with_capacity(format.len());
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match rest.next() {
            None => out.push('%'),
            Some(code) => match element(code, moment, &civil) {
                Some(text) => out.push_str(&text),
                None => out.extend(['%', code]),
            },
        }
    }
    out
}

fn element(code: char, moment: Moment, civil: &Civil) -> Option<String> {
    date(code, civil).or_else(|| time(code, moment, civil)).or_else(|| {
        let whole = match code {
            'c' => "%a %b %e %H:%M:%S %Y",
            'D' | 'x' => "%m/%d/%y",
            'F' => "%Y-%m-%d",
            'R' => "%H:%M",
            'r' => "%I:%M:%S %p",
            'T' | 'X' => "%H:%M:%S",
            _ => return None,
        };
        Some(format(moment, whole))
    })
}

fn date(code: char, civil: &Civil) -> Option<String> {
    let (iso_year, iso_week) = civil.iso_week();
    Some(match code {
        'a' => civil.weekday_name()[..3].to_string(),
        'A' => civil.weekday_name().to_string(),
        'b' | 'h' => civil.month_name()[..3].to_string(),
        'B' => civil.month_name().to_string(),
        'C' => format!("{:02}", civil.year.div_euclid(100)),
        'd' => format!("{:02}", civil.day),
        'e' => format!("{:2}", civil.day),
        'g' => format!("{:02}", iso_year.rem_euclid(100)),
        'G' => iso_year.to_string(),
        'j' => format!("{:03}", civil.year_day),
        'm' => format!("{:02}", civil.month),
        'u' => ((civil.weekday + 6) % 7 + 1).to_string(),
        'U' => format!("{:02}", (civil.year_day + 6 - civil.weekday) / 7),
        'V' => format!("{iso_week:02}"),
        'w' => civil.weekday.to_string(),
        'W' => format!("{:02}", (civil.year_day + 6 - (civil.weekday + 6) % 7) / 7),
        'y' => format!("{:02}", civil.year.rem_euclid(100)),
        'Y' => format!("{:04}", civil.year),
        _ => return None,
    })
}

fn time(code: char, moment: Moment, civil: &Civil) -> Option<String> {
    Some(match code {
        'f' => format!("{:06}", moment.nanoseconds / 1000),
        'H' => format!("{:02}", civil.hour),
        'I' => format!("{:02}", civil.clock_hour()),
        'k' => format!("{:2}", civil.hour),
        'l' => format!("{:2}", civil.clock_hour()),
        'L' => format!("{:03}", moment.nanoseconds / 1_000_000),
        'M' => format!("{:02}", civil.minute),
        'n' => "\n".to_string(),
        'p' => if civil.hour >= 12 { "PM" } else { "AM" }.to_string(),
        'P' => if civil.hour >= 12 { "pm" } else { "am" }.to_string(),
        's' => moment.unix_seconds.to_string(),
        'S' => format!("{:02}", civil.second),
        't' => "\t".to_string(),
        'z' => super::go_time::format(moment, "-0700"),
        'Z' => super::go_time::format(moment, "MST"),
        '%' => "%".to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        // 2024-02-09T15:04:05Z, a Friday.
        let moment = Moment { unix_seconds: 1_707_491_045, nanoseconds: 67_800_000, offset_seconds: 0 };
        for (format_text, expected) in [
            ("%Y-%m-%dT%H:%M:%S%z", "2024-02-09T15:04:05+0000"),
            ("%c", "Fri Feb  9 15:04:05 2024"),
            ("%A %B %e %I %p %j %y %C", "Friday February  9 03 PM 040 24 20"),
            ("%F %T %D %R %r", "2024-02-09 15:04:05 02/09/24 15:04 03:04:05 PM"),
            ("%u %w %U %W %V %G %g", "5 5 05 06 06 2024 24"),
            ("%s %f %L %Z", "1707491045 067800 067 UTC"),
            ("100%% %Q %", "100% %Q %"),
        ] {
            assert_eq!(format(moment, format_text), expected, "{format_text}");
        }
    }
}
