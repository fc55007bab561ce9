//! KMS, as far as a bake asks whether a key can be used.

use serde_json::{Value, json};

use super::{Call, encryption};
use crate::local_ec2::state::{Scope, id, partition_of};
use crate::local_ec2::wire::Error;

/// DescribeKey, by id, ARN or alias.
pub fn describe_key(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let key = request["KeyId"].as_str().filter(|text| !text.is_empty());
    let key = key.ok_or_else(|| Error::new("ValidationException", "KeyId must not be null"))?;
    if encryption::problem(call, key).is_some() {
        return Err(Error::new("NotFoundException", format!("Key '{key}' does not exist")));
    }
    let key_id = key_id(key);
    let manager = if encryption::is_aws_key(Some(key)) { "AWS" } else { "CUSTOMER" };
    Ok(json!({ "KeyMetadata": {
        "AWSAccountId": call.scope.account,
        "KeyId": key_id,
        "Arn": arn(&call.scope, key),
        "Enabled": true,
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyManager": manager,
        "MultiRegion": key_id.starts_with("mrk-"),
        "Origin": "AWS_KMS",
    } }))
}

/// The ARN of a key of this account and region, by id, ARN or alias. Volumes and snapshots show it, whatever their maker wrote.
pub fn arn(owner: &Scope, key: &str) -> String {
    if key.starts_with("arn:") && key.contains(":key/") {
        return key.to_owned();
    }
    let Scope { region, account } = owner;
    format!("arn:{}:kms:{region}:{account}:key/{}", partition_of(region), key_id(key))
}

/// The id of a key, by id, ARN or alias.
pub fn key_id(key: &str) -> String {
    if let Some((_, id)) = key.split_once(":key/") {
        return id.to_owned();
    }
    let name = key.rsplit(':').next().unwrap_or(key);
    if name.starts_with("alias/") { uuid_of(name) } else { name.to_owned() }
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
        let scope = Scope { region: "eu-west-1".into(), account: "111122223333".into() };
        let known = arn(&scope, "alias/a");
        assert_eq!(known, format!("arn:aws:kms:eu-west-1:111122223333:key/{}", uuid_of("alias/a")));
        assert_eq!(arn(&scope, &known), known);
        assert_eq!(arn(&scope, "arn:aws:kms:eu-west-1:111122223333:alias/a"), known);
    }
}
