//! From the bytes of a file to text, and why they are none.

use std::ops::Range;

use super::diagnostics::{Diagnostic, FileId, Sources, Span};
use super::format::comments;

/// Where bytes that are no UTF-8 are tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    /// Nowhere: the text is written back, or its language has no comments.
    None,
    /// In comments of HCL: older editors write an accent or a dash in them as a single byte, and nobody reads them but people.
    Comments,
}

/// The text of a file without its byte order mark, added to the sources; what is tolerated is U+FFFD in it.
///
/// # Errors
/// When it is no text; the place is in the sources then, too.
pub fn read(
    name: &str,
    bytes: &[u8],
    tolerance: Tolerance,
    sources: &mut Sources,
) -> Result<(FileId, String), Box<Diagnostic>> {
    let (text, fault) = decode(bytes, tolerance);
    let file = sources.add(name, text.as_str());
    let Some(fault) = fault else { return Ok((file, text)) };
    let problem = Diagnostic::error("Invalid character encoding", fault.detail).at(&Span::new(file, fault.place));
    Err(Box::new(problem.hint(Some("save the file as UTF-8".to_owned()))))
}

/// What is wrong with an encoding.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    /// The bytes in question.
    place: Range<usize>,
    /// In a sentence.
    detail: &'static str,
}

fn decode(bytes: &[u8], tolerance: Tolerance) -> (String, Option<Fault>) {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let detail = "The file is UTF-16; only UTF-8 is read.";
        return (String::new(), Some(Fault { place: 0..0, detail }));
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
    if !broken.is_empty() && tolerance == Tolerance::Comments {
        let comments = comments(&text);
        broken.retain(|place| !comments.iter().any(|comment| comment.contains(&place.start)));
    }
    let detail = "The file is not valid UTF-8 here.";
    let fault = broken.first().map(|place| Fault { place: place.clone(), detail });
    (text, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text, or the place of the fault.
    fn decoded(bytes: &[u8], tolerance: Tolerance) -> Result<String, Range<usize>> {
        let (text, fault) = decode(bytes, tolerance);
        fault.map_or(Ok(text), |fault| Err(fault.place))
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(decoded(b"\xef\xbb\xbfa = 1", Tolerance::Comments), Ok("a = 1".to_owned()));
        assert_eq!(decoded(b"\xef\xbb\xbf{}", Tolerance::None), Ok("{}".to_owned()));
    }

    #[test]
    fn comments_may_have_any_bytes() {
        assert_eq!(
            decoded(b"# caf\xe9\na = 1 // \x96\n/* \xff\n*/", Tolerance::Comments).unwrap().matches('\u{fffd}').count(),
            3
        );
        assert_eq!(decoded(b"a = \"# \xe9\"", Tolerance::Comments), Err(7..10));
        assert_eq!(decoded(b"# \xe9\na = <<A\n# \xe9\nA\n", Tolerance::Comments), Err(16..19));
        assert_eq!(decoded(b"{\"//\": \"\xe9\"}", Tolerance::None), Err(8..11));
        assert_eq!(decoded(b"# caf\xe9\n", Tolerance::None), Err(5..8), "formatting would change the comment");
    }

    #[test]
    fn other_encodings_are_named() {
        for bytes in [b"\xff\xfea\0", b"\xfe\xff\0a"] {
            let fault = decode(bytes, Tolerance::Comments).1.unwrap();
            assert_eq!(fault.detail, "The file is UTF-16; only UTF-8 is read.");
        }
    }
}
