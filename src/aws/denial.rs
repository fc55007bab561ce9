//! Refusals whose reasons are encoded: STS decodes them for whoever may ask.

use super::error::Error;

/// What EC2 writes before the encoded part.
const MARK: &str = "Encoded authorization failure message: ";

/// The error with its encoded part decoded. What cannot be decoded stays as it is, with the reason.
pub async fn decoded(sts: &aws_sdk_sts::Client, error: Error) -> Error {
    let Some((before, after)) = error.message.split_once(MARK) else { return error };
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let encoded = after.split(|c| !is_part(c)).next().unwrap_or_default();
    let rest = &after[encoded.len()..];
    let answer = sts.decode_authorization_message().encoded_message(encoded).send().await;
    let message = match answer.map_err(|e| Error::from_sdk("DecodeAuthorizationMessage", "", &e)) {
        Ok(answer) => {
            let text = answer.decoded_message.unwrap_or_default();
            format!("{before}Authorization failure message: '{text}'{rest}")
        }
        Err(reason) => format!("{} (it could not be decoded: {reason})", error.message),
    };
    Error { message, ..error }
}
