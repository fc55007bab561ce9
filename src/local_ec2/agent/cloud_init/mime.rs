//! Takes a MIME multipart message apart (RFC 2045, 2046), as far as user data uses it.

use base64::Engine;

/// One leaf of a message: its declared type, its file name, and its decoded content.
#[derive(Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The media type in lower case, without parameters.
    pub content_type: String,
    /// Name from `Content-Disposition`.
    pub filename: Option<String>,
    /// Content, with the transfer encoding undone.
    pub content: Vec<u8>,
}

/// Whether the text begins like a MIME message.
pub fn is_message(data: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&data[..data.len().min(64)]).to_ascii_lowercase();
    ["content-type:", "mime-version:", "from nobody"].iter().any(|prefix| start.trim_start().starts_with(prefix))
}

/// All leaves in order; nested multiparts are opened.
pub fn leaves(message: &[u8]) -> Vec<Leaf> {
    let (headers, body) = split_headers(message);
    let content_type = header(&headers, "content-type").unwrap_or("text/plain");
    if content_type.to_ascii_lowercase().starts_with("multipart/") {
        let Some(boundary) = parameter(content_type, "boundary") else { return Vec::new() };
        return split_parts(body, &boundary).into_iter().flat_map(leaves).collect();
    }
    let encoding = header(&headers, "content-transfer-encoding").unwrap_or("7bit").trim().to_ascii_lowercase();
    let filename = header(&headers, "content-disposition").and_then(|value| parameter(value, "filename"));
    let media_type = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    vec![Leaf { content_type: media_type, filename, content: decode(&encoding, body) }]
}

type Headers = Vec<(String, String)>;

/// Headers end at the first empty line. A line that begins with a space continues the one before.
fn split_headers(message: &[u8]) -> (Headers, &[u8]) {
    let mut headers = Headers::new();
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            break;
        }
        match (line.starts_with([' ', '\t']), headers.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => value.push_str(&format!(" {}", line.trim())),
            (_, _, Some((name, value))) => headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned())),
            _ => {}
        }
    }
    (headers, rest)
}

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The value of `name=value` or `name="value"` after a header's first word.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|piece| {
        let (key, value) = piece.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The texts between the lines `--boundary`, up to `--boundary--`. The line end before a boundary belongs to it.
fn split_parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let (open, close) = (format!("--{boundary}"), format!("--{boundary}--"));
    let mut parts = Vec::new();
    let (mut start, mut at) = (None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        if text == open.as_bytes() || text == close.as_bytes() {
            parts.extend(start.map(|start: usize| trim_line_end(&body[start..at])));
            start = (text == open.as_bytes()).then_some(at + line.len());
        }
        at += line.len();
    }
    parts.extend(start.map(|start| &body[start..]));
    parts
}

fn trim_line_end(data: &[u8]) -> &[u8] {
    let data = data.strip_suffix(b"\n").unwrap_or(data);
    data.strip_suffix(b"\r").unwrap_or(data)
}

fn decode(encoding: &str, body: &[u8]) -> Vec<u8> {
    match encoding {
        "base64" => decode_base64(body).unwrap_or_default(),
        "quoted-printable" => decode_quoted_printable(body),
        _ => body.to_vec(),
    }
}

/// Base64 with line ends in it.
pub fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let packed: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(packed).ok()
}

fn decode_quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'=', [b'\r', b'\n', after @ ..] | [b'\n', after @ ..]) => after,
            (b'=', [high, low, tail @ ..]) => match hex(*high, *low) {
                Some(byte) => {
                    out.push(byte);
                    tail
                }
                None => {
                    out.push(b'=');
                    after
                }
            },
            _ => {
                out.push(*first);
                after
            }
        };
    }
    out
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "Content-Type: multipart/mixed;\r\n boundary=\"==X==\"\r\nMIME-Version: 1.0\r\n\r\npreamble\r\n\
        --==X==\r\nContent-Type: text/cloud-config; charset=\"us-ascii\"\r\n\r\n#cloud-config\r\nruncmd: []\r\n\r\n\
        --==X==\r\nContent-Type: text/x-shellscript\r\nContent-Transfer-Encoding: base64\r\n\
        Content-Disposition: attachment; filename=\"go.sh\"\r\n\r\nIyEvYmlu\r\nL3NoCg==\r\n\
        --==X==\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc\r\n--==X==--\r\n";

    #[test]
    fn a_message_falls_into_its_parts() {
        assert!(is_message(MESSAGE.as_bytes()));
        let leaf = |content_type: &str, filename: Option<&str>, content: &str| Leaf {
            content_type: content_type.into(),
            filename: filename.map(str::to_owned),
            content: content.into(),
        };
        assert_eq!(
            leaves(MESSAGE.as_bytes()),
            [
                leaf("text/cloud-config", None, "#cloud-config\r\nruncmd: []\r\n"),
                leaf("text/x-shellscript", Some("go.sh"), "#!/bin/sh\n"),
                leaf("text/plain", None, "a=bc"),
            ]
        );
    }

    #[test]
    fn nested_parts_are_opened_and_a_missing_end_is_forgiven() {
        let nested = "Content-Type: multipart/mixed; boundary=A\n\n--A\nContent-Type: multipart/mixed; boundary=B\n\n\
            --B\nContent-Type: text/x-shellscript\n\n#!one\n--B--\n--A\n\n#!two\n";
        let contents: Vec<_> = leaves(nested.as_bytes()).into_iter().map(|leaf| leaf.content).collect();
        assert_eq!(contents, [b"#!one".to_vec(), b"#!two\n".to_vec()]);
    }
}
