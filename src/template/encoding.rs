//! From the bytes of a file to text.

use std::ops::Range;

use super::inputs::FileKind;
use crate::hcl::format::comments;

/// A text, and what is wrong with its encoding.
pub(super) struct Decoded {
    /// The text without its byte order mark; what is no UTF-8 is U+FFFD in it.
    pub text: String,
    /// Why it cannot be used.
    pub fault: Option<Fault>,
}

/// What is wrong with an encoding.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The bytes in question.
    pub place: Range<usize>,
    /// In a sentence.
    pub detail: &'static str,
}

/// Decodes the bytes of a file.
///
/// Comments in HCL may have any bytes: older editors write an accent or a dash in them as a single byte, and nobody reads
/// them but people.
pub(super) fn decode(bytes: &[u8], kind: FileKind) -> Decoded {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let detail = "The file is UTF-16; only UTF-8 is read.";
        return Decoded { text: String::new(), fault: Some(Fault { place: 0..0, detail }) };
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (mut text, mut broken) = (String::with_capacity(bytes.len()), Vec::new());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            let start = text.len();
            text.push(char::REPLACEMENT_CHARACTER);
            broken.push(start..text.len());
        }
    }
    if !broken.is_empty() && kind == FileKind::Hcl {
        let comments = comments(&text);
        broken.retain(|place| !comments.iter().any(|comment| comment.contains(&place.start)));
    }
    let fault = broken.first().map(|place| Fault { place: place.clone(), detail: "The file is not valid UTF-8 here." });
    Decoded { text, fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text, or the place of the fault.
    fn decoded(bytes: &[u8], kind: FileKind) -> Result<String, Range<usize>> {
        let decoded = decode(bytes, kind);
        decoded.fault.map_or(Ok(decoded.text), |fault| Err(fault.place))
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(decoded(b"\xef\xbb\xbfa = 1", FileKind::Hcl), Ok("a = 1".to_owned()));
        assert_eq!(decoded(b"\xef\xbb\xbf{}", FileKind::Json), Ok("{}".to_owned()));
    }

    #[test]
    fn comments_may_have_any_bytes() {
        assert_eq!(
            decoded(b"# caf\xe9\na = 1 // \x96\n/* \xff\n*/", FileKind::Hcl).unwrap().matches('\u{fffd}').count(),
            3
        );
        assert_eq!(decoded(b"a = \"# \xe9\"", FileKind::Hcl), Err(7..10));
        assert_eq!(decoded(b"# \xe9\na = <<A\n# \xe9\nA\n", FileKind::Hcl), Err(16..19));
        assert_eq!(decoded(b"{\"//\": \"\xe9\"}", FileKind::Json), Err(8..11));
    }

    #[test]
    fn other_encodings_are_named() {
        for bytes in [b"\xff\xfea\0", b"\xfe\xff\0a"] {
            let fault = decode(bytes, FileKind::Hcl).fault.unwrap();
            assert_eq!(fault.detail, "The file is UTF-16; only UTF-8 is read.");
        }
    }
}
