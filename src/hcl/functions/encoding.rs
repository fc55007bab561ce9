//! Functions between text, bytes in base64 and the query form of URLs.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::arguments::{string, text, text_param};
use super::{Call, Function, FunctionError};
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("base64decode", &[text_param("str")], string, base64decode),
    Function::new("base64encode", &[text_param("str")], string, base64encode),
    Function::new("base64gzip", &[text_param("str")], string, base64gzip),
    Function::new("urlencode", &[text_param("str")], string, urlencode),
];

/// Bits left over at the end may have any value, as most decoders allow.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// A gzip header without a name or a time, from an unknown operating system, so that it is the same everywhere.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The empty stored block that ends the data.
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

fn base64encode(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    Ok(Value::string(STANDARD.encode(text(args, 0)?)))
}

fn base64decode(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let bytes = from_base64(text(args, 0)?).map_err(|message| FunctionError::argument(0, message))?;
    let decoded = String::from_utf8(bytes).map_err(|_| {
        FunctionError::argument(0, "the decoded bytes are no UTF-8 text; textdecodebase64 knows others")
    })?;
    Ok(Value::string(decoded))
}

/// The bytes of a base64 text; line breaks in it do not count.
pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    let joined: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    LENIENT.decode(joined).map_err(|error| format!("this is no base64: {error}"))
}

/// Laid out as Go does it: all data, a flush, and an empty block at the end. Short texts come out the same byte for
/// byte; of longer ones this cannot be said, since every implementation finds other repetitions.
fn base64gzip(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let text = text(args, 0)?.as_bytes();
    let mut crc = Crc::new();
    crc.update(text);
    let mut gzip = GZIP_HEADER.to_vec();
    gzip.extend(deflated(text).map_err(|error| FunctionError::failed(format!("cannot compress: {error}")))?);
    gzip.extend(LAST_BLOCK);
    gzip.extend(crc.sum().to_le_bytes());
    gzip.extend(crc.amount().to_le_bytes());
    Ok(Value::string(STANDARD.encode(gzip)))
}

/// The compressed form of bytes, flushed but not ended.
fn deflated(bytes: &[u8]) -> Result<Vec<u8>, flate2::CompressError> {
    let mut compress = Compress::new(Compression::default(), false);
    let mut out = Vec::with_capacity(bytes.len() + 64);
    loop {
        let taken = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        let rest = bytes.get(taken..).unwrap_or_default();
        let status = compress.compress_vec(rest, &mut out, FlushCompress::Sync)?;
        // With room left over, everything has been written.
        if status != Status::Ok || out.len() < out.capacity() {
            return Ok(out);
        }
        out.reserve(out.len());
    }
}

/// A blank becomes `+`; letters, digits and `-_.~` stay.
fn urlencode(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let encoded = text(args, 0)?.bytes().map(|byte| match byte {
        b' ' => "+".to_owned(),
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    Ok(Value::string(encoded.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn deflated_bytes_come_back() {
        for length in [0, 5, 100, 70_000] {
            let text: Vec<u8> = (0..length).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            let mut data = deflated(&text).unwrap();
            data.extend(LAST_BLOCK);
            let mut back = Vec::new();
            flate2::read::DeflateDecoder::new(data.as_slice()).read_to_end(&mut back).unwrap();
            assert_eq!(back, text, "{length}");
        }
    }
}
