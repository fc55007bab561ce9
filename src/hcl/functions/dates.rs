//! Functions on dates and times.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::arguments::{any, number_param, string, text, text_param, whole};
use super::timestamps::{Moment, parse};
use super::{Call, Function, FunctionError};
use crate::hcl::duration::GoDuration;
use crate::hcl::value::Value;
use crate::text_template::{self, go_time, strftime};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("formatdate", &[text_param("format"), text_param("time")], string, formatdate),
    Function::new("legacy_isotime", &[], string, legacy_isotime).with_variadic(text_param("format")),
    Function::new("legacy_strftime", &[], string, legacy_strftime).with_variadic(text_param("format")),
    Function::new("rfc3339_parse", &[text_param("timestamp")], any, rfc3339_parse),
    Function::new("timeadd", &[text_param("timestamp"), text_param("duration")], string, timeadd),
    Function::new("timestamp", &[], string, timestamp),
    Function::new("unix_timestamp_parse", &[number_param("unix_timestamp")], any, unix_timestamp_parse),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

fn month_name(moment: &Moment) -> &'static str {
    let at = usize::try_from(moment.clock.month() - 1).unwrap_or_default();
    MONTHS.get(at).copied().unwrap_or_default()
}

/// Days since Sunday.
fn weekday(moment: &Moment) -> i8 {
    moment.clock.weekday().to_sunday_zero_offset()
}

fn weekday_name(moment: &Moment) -> &'static str {
    let at = usize::try_from(weekday(moment)).unwrap_or_default();
    WEEKDAYS.get(at).copied().unwrap_or_default()
}

fn timestamp(call: &Call<'_>, _: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(Moment::utc(call.host.now()).rfc3339()))
}

fn timeadd(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let moment = parse(text(args, 0)?, &['T']).map_err(|message| FunctionError::argument(0, message))?;
    let later = moment.after(duration(text(args, 1)?).map_err(|message| FunctionError::argument(1, message))?);
    let later = later.ok_or_else(|| FunctionError::failed("the resulting time lies outside of the calendar"))?;
    Ok(Value::string(later.rfc3339()))
}

/// A span of time such as `-1h30m`.
fn duration(text: &str) -> Result<SignedDuration, String> {
    let read = |text: &str| text.parse::<GoDuration>().map_err(|error| error.to_string());
    let negative = read(text)?.is_negative();
    // Go's spans convert to unsigned ones only.
    let length = Duration::from(read(text.strip_prefix('-').unwrap_or(text))?);
    let length = SignedDuration::try_from(length).map_err(|error| error.to_string())?;
    Ok(if negative { -length } else { length })
}

/// When the process started, in UTC, after one of Go's layouts.
fn legacy_isotime(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let layout = match args {
        [] => go_time::RFC3339,
        [_] => text(args, 0)?,
        _ => return Err(FunctionError::failed("at most one layout can be given")),
    };
    Ok(Value::string(go_time::format(started(call), layout)))
}

/// When the process started, in UTC, with `%Y` and the like.
fn legacy_strftime(call: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    match args {
        [] => Ok(Value::string(go_time::format(started(call), go_time::RFC3339))),
        [_] => Ok(Value::string(strftime::format(started(call), text(args, 0)?))),
        _ => Err(FunctionError::failed("at most one format can be given")),
    }
}

fn started(call: &Call<'_>) -> text_template::Moment {
    text_template::Moment::utc(call.host.started().as_second())
}

/// The parts of a time, as the clock that it was read from shows them.
fn rfc3339_parse(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let moment = parse(text(args, 0)?, &['T', ' ']).map_err(|message| FunctionError::argument(0, message))?;
    let mut parts = parts(&moment);
    parts.insert("unix".into(), Value::number(moment.unix()));
    Ok(Value::object(parts))
}

/// The parts of a time in UTC.
fn unix_timestamp_parse(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let time = Timestamp::from_second(whole(args, 0)?)
        .map_err(|_| FunctionError::argument(0, "the time lies outside of the calendar"))?;
    let moment = Moment::utc(time);
    let mut parts = parts(&moment);
    parts.insert("rfc3339".into(), Value::string(moment.rfc3339()));
    Ok(Value::object(parts))
}

fn parts(moment: &Moment) -> BTreeMap<String, Value> {
    let clock = &moment.clock;
    let week = clock.date().iso_week_date();
    let numbers: [(&str, i64); 10] = [
        ("year", clock.year().into()),
        ("year_day", clock.day_of_year().into()),
        ("month", clock.month().into()),
        ("day", clock.day().into()),
        ("weekday", weekday(moment).into()),
        ("hour", clock.hour().into()),
        ("minute", clock.minute().into()),
        ("second", clock.second().into()),
        ("iso_year", week.year().into()),
        ("iso_week", week.week().into()),
    ];
    let names = [("month_name", month_name(moment)), ("weekday_name", weekday_name(moment))];
    let numbers = numbers.into_iter().map(|(name, number)| (name.to_owned(), Value::number(number)));
    numbers.chain(names.into_iter().map(|(name, text)| (name.to_owned(), Value::string(text)))).collect()
}

fn formatdate(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let format = text(args, 0)?;
    let moment = parse(text(args, 1)?, &['T']).map_err(|message| FunctionError::argument(1, message))?;
    format_date(format, &moment).map(Value::string).map_err(|message| FunctionError::argument(0, message))
}

/// Writes a time after a pattern of runs of letters; other characters and what is quoted are copied.
fn format_date(format: &str, moment: &Moment) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_alphabetic() {
            rest.find(|c| c != first).unwrap_or(rest.len())
        } else if first == '\'' {
            quoted_length(rest).ok_or_else(|| format!("the quote in {rest:?} is not closed"))?
        } else {
            first.len_utf8()
        };
        let (sequence, after) = rest.split_at(length);
        match first {
            '\'' if length == 2 => out.push('\''),
            '\'' => out.push_str(&sequence[1..length - 1].replace("''", "'")),
            first if first.is_ascii_alphabetic() => out.push_str(&part(sequence, moment)?),
            _ => out.push_str(sequence),
        }
        rest = after;
    }
    Ok(out)
}

/// The length of a quoted text with its quotes. Two quotes in it are one that does not end it, and so are two alone.
fn quoted_length(text: &str) -> Option<usize> {
    if text.starts_with("''") {
        return Some(2);
    }
    let mut at = 1;
    loop {
        at += text.get(at..)?.find('\'')?;
        if !text[at + 1..].starts_with('\'') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// What a run of one letter stands for.
fn part(sequence: &str, moment: &Moment) -> Result<String, String> {
    let clock = &moment.clock;
    let half = if clock.hour() < 12 { "am" } else { "pm" };
    let twelve = (clock.hour() + 11) % 12 + 1;
    Ok(match sequence {
        "YYYY" => format!("{:04}", clock.year()),
        "YY" => format!("{:02}", clock.year() % 100),
        "MMMM" => month_name(moment).into(),
        "MMM" => month_name(moment)[..3].into(),
        "MM" => format!("{:02}", clock.month()),
        "M" => clock.month().to_string(),
        "DD" => format!("{:02}", clock.day()),
        "D" => clock.day().to_string(),
        "EEEE" => weekday_name(moment).into(),
        "EEE" => weekday_name(moment)[..3].into(),
        "hh" => format!("{:02}", clock.hour()),
        "h" => clock.hour().to_string(),
        "HH" => format!("{twelve:02}"),
        "H" => twelve.to_string(),
        "aa" => half.into(),
        "AA" => half.to_ascii_uppercase(),
        "mm" => format!("{:02}", clock.minute()),
        "m" => clock.minute().to_string(),
        "ss" => format!("{:02}", clock.second()),
        "s" => clock.second().to_string(),
        "Z" => moment.zone(),
        "ZZZ" if moment.ahead == 0 => "UTC".into(),
        "ZZZ" | "ZZZZ" => moment.offset(""),
        "ZZZZZ" => moment.offset(":"),
        _ => {
            return Err(format!(
                "{sequence:?} stands for no part of a time; put text that is to be copied between single quotes"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let moment = parse("2024-02-03T14:05:06-08:00", &['T']).unwrap();
        let cases = [
            ("YYYY-MM-DD'T'hh:mm:ssZ", Some("2024-02-03T14:05:06-08:00")),
            ("D M YY H AA aa", Some("3 2 24 2 PM pm")),
            ("EEE, MMM MMMM", Some("Sat, Feb February")),
            ("'it''s' ''h'h'", Some("it's '14h")),
            ("''", Some("'")),
            ("''''", Some("''")),
            ("''h''", Some("'14'")),
            ("'''", None),
            ("'open", None),
            ("ü 日", Some("ü 日")),
            ("YYYYY", None),
            ("T", None),
        ];
        for (format, want) in cases {
            assert_eq!(format_date(format, &moment).ok().as_deref(), want, "{format}");
        }
    }
}
