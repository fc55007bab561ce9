//! Text and characters in quotes, with the escapes of Go's string constants.

use std::fmt::Write;

/// Which characters are left as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    Unicode,
    Ascii,
}

/// The text in double quotes.
pub fn quote(text: &str) -> String {
    quoted(text, '"', Charset::Unicode)
}

/// The text between two of `mark`.
pub fn quoted(text: &str, mark: char, charset: Charset) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for c in text.chars() {
        push(&mut out, c, mark, charset);
    }
    out.push(mark);
    out
}

fn push(out: &mut String, c: char, mark: char, charset: Charset) {
    let code = u32::from(c);
    let escape = match c {
        '\x07' => 'a',
        '\x08' => 'b',
        '\x0c' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\x0b' => 'v',
        '\\' => '\\',
        c if c == mark => mark,
        c if is_printable(c) && (c.is_ascii() || charset == Charset::Unicode) => {
            out.push(c);
            return;
        }
        _ => {
            // Writing to a String cannot fail.
            let _ = match code {
                0..=0x1f | 0x7f => write!(out, "\\x{code:02x}"),
                0x80..=0xffff => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
            return;
        }
    };
    out.push('\\');
    out.push(escape);
}

/// Whether Go would print the character as it is: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\0'..='\x7f' => false,
        _ if c.is_whitespace() => false,
        // The standard library escapes what Unicode does not print. It also escapes a combining mark that stands first,
        // hence the letter before it.
        _ => {
            let mut after_letter = ['a', c].iter().collect::<String>();
            after_letter = after_letter.escape_debug().collect();
            after_letter.len() == 1 + c.len_utf8()
        }
    }
}

/// Whether the text can stand between back quotes as it is.
pub fn fits_raw(text: &str) -> bool {
    text.chars().all(|c| c != '`' && c != '\u{feff}' && c != '\x7f' && (c >= ' ' || c == '\t'))
}
