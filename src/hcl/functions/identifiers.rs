//! Functions that make UUIDs.

use sha1::{Digest, Sha1};

use super::arguments::{string, text, text_param};
use super::{Call, Function, FunctionError};
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("uuidv4", &[], string, uuidv4),
    Function::new("uuidv5", &[text_param("namespace"), text_param("name")], string, uuidv5),
];

/// The name spaces that RFC 4122 knows by name; their last bytes are the same.
const NAMESPACES: [(&str, u8); 4] = [("dns", 0x10), ("url", 0x11), ("oid", 0x12), ("x500", 0x14)];

/// A random one.
fn uuidv4(call: &Call<'_>, _: &[Value]) -> Result<Value, FunctionError> {
    let mut bytes = [0; 16];
    call.host.random(&mut bytes);
    Ok(Value::string(written(bytes, 4)))
}

/// The same one for the same name, always.
fn uuidv5(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let namespace = namespace(text(args, 0)?).ok_or_else(|| {
        FunctionError::argument(0, "the name space must be \"dns\", \"url\", \"oid\", \"x500\" or a UUID")
    })?;
    let digest = Sha1::new().chain_update(namespace).chain_update(text(args, 1)?).finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, digested)| *byte = digested);
    Ok(Value::string(written(bytes, 5)))
}

fn namespace(text: &str) -> Option<[u8; 16]> {
    if let Some((_, byte)) = NAMESPACES.iter().find(|(name, _)| *name == text) {
        let mut bytes = [0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];
        bytes[3] = *byte;
        return Some(bytes);
    }
    parse(text)
}

/// A UUID in any of its usual forms: with dashes or without, in braces, after `urn:uuid:`.
fn parse(text: &str) -> Option<[u8; 16]> {
    let urn = text.split_at_checked(9).filter(|(start, _)| start.eq_ignore_ascii_case("urn:uuid:"));
    let plain = urn.map(|(_, rest)| rest);
    let braced = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let digits = match (plain.or(braced), text.len()) {
        (Some(dashed), _) => without_dashes(dashed)?,
        (None, 32) => text.to_owned(),
        (None, _) => without_dashes(text)?,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}

/// The digits of a UUID whose dashes are where they should be.
fn without_dashes(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    (lengths == [8, 4, 4, 4, 12]).then(|| parts.concat())
}

fn written(bytes: [u8; 16], version: u128) -> String {
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << 76) | version << 76;
    let digits = format!("{:032x}", number & !(0b11 << 62) | 0b10 << 62);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.get(range).unwrap_or_default());
    parts.join("-")
}
