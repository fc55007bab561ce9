//! The wire: how requests are spelled and answers are written, without a word of what they mean.

pub mod auth;
pub mod error;
pub mod params;
pub mod xml;

pub use error::Error;
pub use params::Params;
pub use xml::Xml;

/// Decodes `%XX` and, in forms, `+`. Bytes that are no UTF-8 become the replacement character.
pub fn percent_decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let decoded = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match decoded.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 2;
            }
            None if bytes[at] == b'+' && plus_is_space => out.push(b' '),
            None => out.push(bytes[at]),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Encodes everything but the unreserved characters of RFC 3986, as SigV4 wants it.
pub fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_coding_is_lenient_and_reversible() {
        for (text, plus, want) in
            [("a%20b+c", true, "a b c"), ("a+b", false, "a+b"), ("100%", true, "100%"), ("%C3%A9%zz", true, "é%zz")]
        {
            assert_eq!(percent_decode(text, plus), want);
        }
        assert_eq!(percent_decode(&percent_encode("a b/é~"), false), "a b/é~");
    }
}
