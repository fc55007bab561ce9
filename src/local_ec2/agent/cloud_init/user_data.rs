//! What the user data is made of: scripts, cloud-configs and boot hooks, out of whatever wrapping they came in.

use std::io::Read;

use super::mime;

/// More than any user data (EC2 allows 16 KiB) unpacks to; a bound against gzip bombs.
const UNPACKED_LIMIT: u64 = 64 << 20;

/// One piece of user data.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// A script, run once at the end of the instance's first boot, under this name.
    Script(String, Vec<u8>),
    /// The text of a `#cloud-config`.
    CloudConfig(String),
    /// A script run early in every boot.
    BootHook(Vec<u8>),
    /// Something that is not supported, in words for the log.
    Refused(String),
}

/// Takes user data apart.
pub fn parts(raw: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    collect(raw, None, &mut parts);
    parts
}

fn collect(raw: &[u8], name: Option<&str>, parts: &mut Vec<Part>) {
    let unpacked = unpack(raw);
    let data = unpacked.as_deref().unwrap_or(raw);
    if !mime::is_message(data) {
        return parts.extend(classify(data, "text/plain", name, parts.len()));
    }
    for leaf in mime::leaves(data) {
        if unpack(&leaf.content).is_some() {
            collect(&leaf.content, leaf.filename.as_deref(), parts);
        } else {
            parts.extend(classify(&leaf.content, &leaf.content_type, leaf.filename.as_deref(), parts.len()));
        }
    }
}

/// The content of gzip data; `None` when it is none.
pub fn unpack(data: &[u8]) -> Option<Vec<u8>> {
    if !data.starts_with(&[0x1f, 0x8b]) {
        return None;
    }
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(data).take(UNPACKED_LIMIT).read_to_end(&mut out).ok()?;
    Some(out)
}

/// The first line decides, and the declared type where the first line says nothing. Empty data is no part at all.
fn classify(data: &[u8], content_type: &str, name: Option<&str>, index: usize) -> Option<Part> {
    let text = String::from_utf8_lossy(data);
    let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or("").trim_end();
    let script = || {
        let name = name.map(|name| name.replace('/', "_")).unwrap_or_else(|| format!("part-{:03}", index + 1));
        Part::Script(name, data.to_vec())
    };
    let refused = |what: &str| Some(Part::Refused(what.to_owned()));
    if text.trim().is_empty() {
        return None;
    }
    match first {
        _ if first.starts_with("#cloud-config-archive") => refused("`#cloud-config-archive` user data"),
        _ if first.starts_with("#cloud-config-jsonp") => refused("`#cloud-config-jsonp` user data"),
        _ if first.starts_with("#cloud-config") => Some(Part::CloudConfig(text.into_owned())),
        _ if first.starts_with("#cloud-boothook") => Some(Part::BootHook(data.to_vec())),
        _ if first.starts_with("#include") => refused("`#include` user data (nothing is fetched)"),
        _ if first.starts_with("## template: jinja") => refused("user data as a jinja template"),
        _ if first.starts_with("#part-handler") => refused("`#part-handler` user data"),
        _ if first.starts_with("#upstart-job") => refused("`#upstart-job` user data"),
        _ if first.starts_with("#!") => Some(script()),
        _ => match content_type {
            "text/x-shellscript" => Some(script()),
            "text/cloud-config" => Some(Part::CloudConfig(text.into_owned())),
            "text/cloud-boothook" => Some(Part::BootHook(data.to_vec())),
            "text/plain" => refused("user data that begins with neither `#!` nor `#cloud-config`"),
            other => refused(&format!("a user data part of type `{other}`")),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_first_line_decides() {
        let script = || Part::Script("part-001".into(), b"#!/bin/sh\necho hi\n".to_vec());
        let config = || Part::CloudConfig("#cloud-config\npackages: [a]\n".into());
        let table: [(&[u8], Vec<Part>); 6] = [
            (b"#!/bin/sh\necho hi\n", vec![script()]),
            (b"#cloud-config\npackages: [a]\n", vec![config()]),
            (b"", vec![]),
            (b" \n", vec![]),
            (b"#cloud-boothook\nx", vec![Part::BootHook(b"#cloud-boothook\nx".to_vec())]),
            (b"#include\nhttp://x", vec![Part::Refused("`#include` user data (nothing is fetched)".into())]),
        ];
        for (raw, expected) in table {
            assert_eq!(parts(raw), expected, "{}", String::from_utf8_lossy(raw));
            if !raw.is_empty() {
                assert_eq!(parts(&gzip(raw)), expected);
            }
        }
    }

    #[test]
    fn a_multipart_may_be_packed_as_a_whole_and_in_parts() {
        let mut message =
            b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/x-shellscript\n\
            Content-Disposition: attachment; filename=\"a/b.sh\"\n\n#!/bin/sh\n--B\nContent-Type: application/gzip\n\n"
                .to_vec();
        message.extend(gzip(b"#cloud-config\n"));
        message.extend(b"\n--B--\n");
        let expected =
            [Part::Script("a_b.sh".into(), b"#!/bin/sh".to_vec()), Part::CloudConfig("#cloud-config\n".into())];
        assert_eq!(parts(&gzip(&message)), expected);
    }
}
