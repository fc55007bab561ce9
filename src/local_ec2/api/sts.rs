//! STS: who am I, and roles.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Call;
use crate::local_ec2::state::{Scope, Session, id};
use crate::local_ec2::wire::{Error, Xml};

/// What AssumeRole takes.
pub const ASSUME_ROLE_PARAMS: &str = "RoleArn RoleSessionName DurationSeconds ExternalId Policy PolicyArns Tags TransitiveTagKeys \
     SerialNumber TokenCode SourceIdentity ProvidedContexts";

/// GetCallerIdentity.
pub fn get_caller_identity(call: &Call<'_>) -> Result<Xml, Error> {
    let mut xml = Xml::new();
    xml.text("Arn", &call.caller.arn).text("UserId", &call.caller.user_id).text("Account", &call.caller.account);
    Ok(xml)
}

/// The encoded message that an `UnauthorizedOperation` carries: here it is its own key.
pub fn encode_denial(action: &str, region: &str) -> String {
    let denial = json!({
        "allowed": false,
        "explicitDeny": false,
        "matchedStatements": { "items": [] },
        "failures": { "items": [] },
        "context": {
            "principal": { "id": "AIDAKILN", "name": "kiln", "arn": "arn:aws:iam::000000000000:user/kiln" },
            "action": action,
            "resource": "*",
            "conditions": { "items": [{ "key": "aws:Region", "values": { "items": [{ "value": region }] } }] },
        },
    });
    URL_SAFE_NO_PAD.encode(denial.to_string())
}

/// DecodeAuthorizationMessage.
pub fn decode_authorization_message(call: &Call<'_>) -> Result<Xml, Error> {
    let invalid = || Error::new("InvalidAuthorizationMessageException", "Invalid EncodedMessage");
    let message = call.params.get("EncodedMessage").filter(|text| text.len() <= 10_240).ok_or_else(invalid)?;
    let bytes = URL_SAFE_NO_PAD.decode(message).map_err(|_| invalid())?;
    let denial: Value = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    if !denial["context"].is_object() {
        return Err(invalid());
    }
    let mut xml = Xml::new();
    xml.text("DecodedMessage", denial);
    Ok(xml)
}

/// AssumeRole. In the caller's own account a role must be there; other accounts, of which nothing need be known here, have every role. Trust policies
/// are not looked at.
pub fn assume_role(call: &Call<'_>) -> Result<Xml, Error> {
    let invalid = |text: String| Error::new("ValidationError", text);
    let need = |name: &str| call.params.get(name).ok_or_else(|| invalid(format!("{name} must not be null")));
    let (role, name) = (need("RoleArn")?, need("RoleSessionName")?);
    let parts: Vec<&str> = role.split(':').collect();
    let [_, partition, "iam", _, account, path] = parts[..] else {
        return Err(invalid(format!("{role} is invalid")));
    };
    let role_name = path.strip_prefix("role/").ok_or_else(|| invalid(format!("{role} is invalid")))?;
    let role_name = role_name.rsplit('/').next().unwrap_or(role_name);
    let legal = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(legal) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint"
        )));
    }
    let seconds = call.params.int("DurationSeconds")?.unwrap_or(3600);
    if !(900..=43_200).contains(&seconds) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint"
        )));
    }
    if account == call.caller.account
        && !call.world.store.read(&Scope::global(account), call.now)?.roles.contains_key(role_name)
    {
        let text =
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {role}", call.caller.arn);
        return Err(Error::new("AccessDenied", text));
    }
    let key_id = format!("ASIA{}", &id::random_hex().to_uppercase()[..16]);
    let session = Session {
        arn: format!("arn:{partition}:sts::{account}:assumed-role/{role_name}/{name}"),
        user_id: format!("{}:{name}", id::stable("AROA", role).replace('-', "").to_uppercase()),
        account: account.to_owned(),
        secret: id::random_hex()[..40].to_owned(),
        expires: call.now.plus(Duration::from_secs(u64::try_from(seconds).unwrap_or(3600))),
    };
    call.world.store.update::<_, Error>(&Scope::global(account), call.now, |region| {
        region.sessions.insert(key_id.clone(), session.clone());
        Ok(())
    })?;
    let mut xml = Xml::new();
    xml.node("Credentials", |xml| {
        xml.text("AccessKeyId", &key_id).text("SecretAccessKey", &session.secret);
        xml.text("SessionToken", id::random_hex()).text("Expiration", session.expires);
    });
    xml.node("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", &session.user_id).text("Arn", &session.arn);
    });
    Ok(xml)
}
