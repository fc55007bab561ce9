//! KMS, as far as a bake asks whether a key can be used.

use serde_json::{Value, json};

use super::{Call, encryption};
use crate::local_ec2::state::id;
use crate::local_ec2::wire::Error;

/// DescribeKey, by id, ARN or alias.
pub fn describe_key(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let key = request["KeyId"].as_str().filter(|text| !text.is_empty());
    let key = key.ok_or_else(|| Error::new("ValidationException", "KeyId must not be null"))?;
    if encryption::problem(call, key).is_some() {
        return Err(Error::new("NotFoundException", format!("Key '{key}' does not exist")));
    }
    let name = key.rsplit("key/").next().unwrap_or(key);
    let key_id = if name.contains("alias/") { uuid_of(name) } else { name.to_owned() };
    let manager = if name.ends_with(encryption::AWS_KEY) { "AWS" } else { "CUSTOMER" };
    Ok(json!({ "KeyMetadata": {
        "AWSAccountId": call.scope.account,
        "KeyId": key_id,
        "Arn": call.arn("kms", &format!("key/{key_id}")),
        "Enabled": true,
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyManager": manager,
        "MultiRegion": key_id.starts_with("mrk-"),
        "Origin": "AWS_KMS",
    } }))
}

/// The id of the key that an alias leads to: the same alias always leads to the same.
fn uuid_of(alias: &str) -> String {
    let digits = id::stable("", alias) + &id::stable("", &format!("{alias} more"));
    let digits: String = digits.chars().filter(char::is_ascii_hexdigit).take(32).collect();
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_lead_to_keys() {
        assert_eq!(uuid_of("alias/a").len(), 36);
        assert_eq!(uuid_of("alias/a"), uuid_of("alias/a"));
        assert_ne!(uuid_of("alias/a"), uuid_of("alias/b"));
    }
}
