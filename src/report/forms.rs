//! The forms in which a secret may turn up in output: as it is, line by line, and in the usual encodings.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Pieces of base64 that are shorter than this are not masked: they would hit other text by chance.
const SHORTEST_BASE64_CORE: usize = 6;

/// Lines of a secret of several lines that are shorter than this and have no letter or digit (`{`, `},` of a JSON
/// document) carry nothing secret, and masking them would mangle all output.
const SHORTEST_PUNCTUATION: usize = 4;

/// Every text that gives the secret away, without repeats.
pub fn of(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    let unix = secret.replace("\r\n", "\n");
    let bare = unix.trim();
    for whole in [secret, &unix, bare] {
        forms.insert(whole.to_owned());
        // Encodings of nothing but blanks (`+`, `%20`, `Cg==`) are everywhere.
        if !bare.is_empty() {
            text_encodings(whole, &mut forms);
            forms.extend(url(whole));
            base64(whole, &mut forms);
        }
    }
    if !bare.is_empty() {
        // A trailing newline comes with `echo`, and changes the end of the base64 text.
        base64(&format!("{bare}\n"), &mut forms);
    }
    lines(&unix, &mut forms);
    forms.remove("");
    forms
}

/// Each line that says something, with and without its indentation.
fn lines(secret: &str, forms: &mut BTreeSet<String>) {
    if !secret.contains(['\n', '\r']) {
        return;
    }
    for line in secret.split(['\n', '\r']) {
        let bare = line.trim();
        let dull = bare.len() < SHORTEST_PUNCTUATION && !bare.contains(char::is_alphanumeric);
        if !dull {
            forms.extend([line.to_owned(), bare.to_owned()]);
            text_encodings(bare, forms);
        }
    }
}

/// The encodings that leave most of the text readable.
fn text_encodings(text: &str, forms: &mut BTreeSet<String>) {
    let json = json(text);
    forms.extend([
        // JSON within JSON, as policies in AWS requests are.
        self::json(&json),
        // HCL's jsonencode and Go's encoder escape what HTML gives a meaning to.
        json.replace('<', r"\u003c").replace('>', r"\u003e").replace('&', r"\u0026"),
        json.replace('/', r"\/"),
        ascii_json(&json),
        json,
        // Shells: within single quotes in two styles, within double quotes, by backslashes, within $'…'.
        text.replace('\'', r#"'"'"'"#),
        text.replace('\'', r"'\''"),
        backslashed(text, |c| matches!(c, '\\' | '"' | '$' | '`')),
        backslashed(text, |c| c.is_ascii() && !c.is_ascii_alphanumeric() && !"_-./:=@%+,\n".contains(c)),
        backslashed(text, |c| matches!(c, '\\' | '\'')).replace('\n', r"\n").replace('\t', r"\t"),
    ]);
}

/// The text as it stands between the quotes of a JSON string.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// JSON text with everything beyond ASCII as `\uXXXX`, as Python's `json.dumps` writes it.
fn ascii_json(json: &str) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into a String can't fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

fn backslashed(text: &str, special: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if special(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Percent-encoded forms. Encoders differ in what they leave alone, in a blank, and in the case of the digits.
fn url(text: &str) -> impl Iterator<Item = String> {
    ["", "/", "!*'()", ";,/?:@&=+$!*'()#"].into_iter().flat_map(move |safe| {
        let upper = percent(text, safe);
        let plus = upper.replace("%20", "+");
        let lower = lower_escapes(&upper);
        [lower.replace("%20", "+"), lower, plus, upper]
    })
}

fn percent(text: &str, safe: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || safe.contains(c) {
            out.push(c);
        } else {
            // Writing into a String can't fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The same text with its escapes, and only those, in lower case.
fn lower_escapes(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push('%');
        let (digits, rest) = part.split_at(2.min(part.len()));
        out.push_str(&digits.to_lowercase());
        out.push_str(rest);
    }
    out
}

/// Base64 of the text alone, and what it looks like inside the base64 of something longer: a byte starts at one of
/// three places of a group of four digits, so there are three texts, less the digits that its neighbours share.
fn base64(text: &str, forms: &mut BTreeSet<String>) {
    let mut add = |standard: String| {
        forms.insert(standard.replace('+', "-").replace('/', "_"));
        forms.insert(standard);
    };
    let alone = STANDARD.encode(text);
    let unpadded = alone.trim_end_matches('=').to_owned();
    add(alone);
    if unpadded.len() >= SHORTEST_BASE64_CORE {
        add(unpadded);
    }
    for offset in 0..3 {
        let mut bytes = vec![0; offset];
        bytes.extend_from_slice(text.as_bytes());
        let digits = STANDARD.encode(&bytes);
        // The digits whose six bits all belong to the text.
        let core = &digits[(offset * 8).div_ceil(6)..bytes.len() * 8 / 6];
        if core.len() >= SHORTEST_BASE64_CORE {
            add(core.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_word_has_its_base64_forms_beside_itself() {
        let forms = of("hunter2x");
        for form in ["hunter2x", "aHVudGVyMng=", "aHVudGVyMng", "aHVudGVyMn"] {
            assert!(forms.contains(form), "{form} of {forms:?}");
        }
    }

    #[test]
    fn base64_is_known_at_every_alignment() {
        let forms = of("correct horse");
        for before in ["", "x", "xy", "xyz"] {
            let text = STANDARD.encode(format!("{before}correct horse battery"));
            assert!(forms.iter().any(|form| form.len() >= 14 && text.contains(form.as_str())), "{text}");
        }
    }

    #[test]
    fn encodings_are_known() {
        let forms = of("it's \"a\" <b>/ü\\");
        for form in [
            r#"it's \"a\" <b>/ü\\"#,
            r#"it's \"a\" \u003cb\u003e/ü\\"#,
            r#"it's \"a\" <b>/\u00fc\\"#,
            r#"it's \"a\" <b>\/ü\\"#,
            r#"it'"'"'s "a" <b>/ü\"#,
            r#"it'\''s "a" <b>/ü\"#,
            r#"it\'s\ \"a\"\ \<b\>/ü\\"#,
            "it%27s%20%22a%22%20%3Cb%3E%2F%C3%BC%5C",
            "it%27s+%22a%22+%3cb%3e%2f%c3%bc%5c",
            "it's%20%22a%22%20%3Cb%3E/%C3%BC%5C",
        ] {
            assert!(forms.contains(form), "{form}");
        }
    }

    #[test]
    fn lines_count_each_but_not_brackets() {
        let forms = of("{\r\n  \"k\": \"v1\"\r\n}\r\n");
        for form in ["{\n  \"k\": \"v1\"\n}\n", "  \"k\": \"v1\"", "\"k\": \"v1\"", r#"\"k\": \"v1\""#] {
            assert!(forms.contains(form), "{form}");
        }
        assert!(!forms.contains("{") && !forms.contains("}") && !forms.contains(""));
    }

    #[test]
    fn a_short_secret_is_masked_whatever_it_is() {
        assert!(of("{").contains("{"));
        assert!(of("a").contains("a"));
        assert_eq!(of("a"), ["YQ==", "YQo=", "a"].map(str::to_owned).into());
        assert_eq!(of(" "), [" ".to_owned()].into());
    }
}
