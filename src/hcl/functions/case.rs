//! Functions that change the case of letters.
//!
//! Each letter becomes one letter: `ß` has no single capital and stays.

use super::arguments::{string, text, text_param};
use super::{Call, Function, FunctionError};
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("lower", &[text_param("str")], string, lower),
    Function::new("title", &[text_param("str")], string, title),
    Function::new("upper", &[text_param("str")], string, upper),
];

fn lower(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(text(args, 0)?.chars().map(lower_letter).collect::<String>()))
}

fn upper(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(text(args, 0)?.chars().map(upper_letter).collect::<String>()))
}

/// The first letter of each word becomes a capital, the others stay as they are.
fn title(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let mut previous = ' ';
    let letter = |c: char| {
        let titled = if separates_words(previous) { title_letter(c) } else { c };
        previous = c;
        titled
    };
    Ok(Value::string(text(args, 0)?.chars().map(letter).collect::<String>()))
}

/// Within ASCII everything but letters, digits and `_`, elsewhere only blanks.
fn separates_words(c: char) -> bool {
    if c.is_ascii() { !c.is_ascii_alphanumeric() && c != '_' } else { c.is_whitespace() }
}

fn lower_letter(c: char) -> char {
    match c {
        // Its full lower case is two characters; the single one is the plain letter.
        'İ' => 'i',
        _ => only(c.to_lowercase(), c),
    }
}

fn upper_letter(c: char) -> char {
    match c {
        // Greek letters with iota below: one capital each, though the full mapping spells the iota out.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => shifted(c, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => shifted(c, 9),
        _ => only(c.to_uppercase(), c),
    }
}

fn title_letter(c: char) -> char {
    match c {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        // Georgian has capitals, but no word begins with one alone.
        '\u{10d0}'..='\u{10ff}' => c,
        _ => upper_letter(c),
    }
}

fn shifted(c: char, by: u32) -> char {
    char::from_u32(u32::from(c) + by).unwrap_or(c)
}

/// The mapping if it is a single letter, else the letter itself.
fn only(mut mapped: impl Iterator<Item = char>, c: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stay_single() {
        let upper = |text: &str| text.chars().map(upper_letter).collect::<String>();
        assert_eq!(upper("straße ǆ ᾳ ﬁ"), "STRAßE Ǆ ᾼ ﬁ");
        assert_eq!("ΑΣİ".chars().map(lower_letter).collect::<String>(), "ασi");
        assert_eq!("ǆა".chars().map(title_letter).collect::<String>(), "ǅა");
    }
}
