//! Secrets Manager, as far as a bake reads it, and what is needed to put something there to read.

use std::time::Duration;

use serde_json::{Value, json};

use super::Call;
use crate::local_ec2::state::{Moment, Region, SecretVersion, StoredSecret, id};
use crate::local_ec2::wire::Error;

fn unknown() -> Error {
    Error::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

fn need<'a>(request: &'a Value, name: &str) -> Result<&'a str, Error> {
    let missing = || Error::new("InvalidParameterException", format!("You must provide a value for {name}."));
    request[name].as_str().filter(|text| !text.is_empty()).ok_or_else(missing)
}

/// By name, ARN, or ARN without its random end.
fn find<'a>(region: &'a Region, wanted: &str) -> Option<(&'a String, &'a StoredSecret)> {
    let matches = |secret: &StoredSecret| {
        secret.arn == wanted || secret.arn.rsplit_once('-').is_some_and(|(partial, _)| partial == wanted)
    };
    region.secrets.get_key_value(wanted).or_else(|| region.secrets.iter().find(|(_, secret)| matches(secret)))
}

/// The region with the secrets of the profile that nobody has overwritten.
fn with_seeds(call: &Call<'_>, mut region: Region) -> Region {
    for (name, text) in &call.world.seeds.secrets {
        let arn = || call.arn("secretsmanager", &format!("secret:{name}-seeded"));
        region.secrets.entry(name.clone()).or_insert_with(|| StoredSecret {
            arn: arn(),
            created: Moment(0),
            versions: vec![SecretVersion {
                id: id::stable_uuid(name),
                value: text.clone(),
                is_binary: false,
                stages: vec!["AWSCURRENT".to_owned()],
                created: Moment(0),
            }],
            deleted: None,
        });
    }
    region
}

/// DescribeSecret.
pub fn describe(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let region = with_seeds(call, call.read()?);
    let (name, secret) = find(&region, need(request, "SecretId")?).ok_or_else(unknown)?;
    let stages: serde_json::Map<String, Value> =
        secret.versions.iter().map(|version| (version.id.clone(), json!(version.stages))).collect();
    let mut answer = json!({
        "ARN": secret.arn, "Name": name, "CreatedDate": secret.created.epoch_seconds(), "RotationEnabled": false,
        "VersionIdsToStages": stages, "Tags": [],
    });
    if let Some(date) = secret.deleted {
        answer["DeletedDate"] = json!(date.epoch_seconds());
    }
    Ok(answer)
}

/// GetSecretValue.
pub fn get_value(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let region = with_seeds(call, call.read()?);
    let (name, secret) = find(&region, need(request, "SecretId")?).ok_or_else(unknown)?;
    if secret.deleted.is_some() {
        let text = "You can't perform this operation on the secret because it was marked for deletion.";
        return Err(Error::new("InvalidRequestException", text));
    }
    let (id, stage) = (request["VersionId"].as_str(), request["VersionStage"].as_str());
    let wanted_stage = stage.or(if id.is_none() { Some("AWSCURRENT") } else { None });
    let found = secret.versions.iter().rev().find(|version| {
        id.is_none_or(|id| version.id == id)
            && wanted_stage.is_none_or(|stage| version.stages.iter().any(|known| known == stage))
    });
    let version = found.ok_or_else(|| {
        let what = id.map_or_else(
            || format!("staging label: {}", wanted_stage.unwrap_or_default()),
            |id| format!("VersionId: {id}"),
        );
        Error::new(
            "ResourceNotFoundException",
            format!("Secrets Manager can't find the specified secret value for {what}"),
        )
    })?;
    let field = if version.is_binary { "SecretBinary" } else { "SecretString" };
    Ok(json!({
        "ARN": secret.arn, "Name": name, "VersionId": version.id, field: version.value,
        "VersionStages": version.stages, "CreatedDate": version.created.epoch_seconds(),
    }))
}

/// CreateSecret.
pub fn create(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let name = need(request, "Name")?;
    let version = read_version(call, request)?;
    let arn = call.arn("secretsmanager", &format!("secret:{name}-{}", &id::random_hex()[..6]));
    call.update(|region| {
        if region.secrets.contains_key(name) {
            let text = format!("The operation failed because the secret {name} already exists.");
            return Err(Error::new("ResourceExistsException", text));
        }
        let secret = StoredSecret {
            arn: arn.clone(),
            created: call.now,
            versions: version.iter().cloned().collect(),
            deleted: None,
        };
        region.secrets.insert(name.to_owned(), secret);
        Ok(())
    })?;
    let mut answer = json!({ "ARN": arn, "Name": name });
    if let Some(version) = version {
        answer["VersionId"] = json!(version.id);
    }
    Ok(answer)
}

fn read_version(call: &Call<'_>, request: &Value) -> Result<Option<SecretVersion>, Error> {
    let (text, bytes) = (request["SecretString"].as_str(), request["SecretBinary"].as_str());
    if text.is_some() && bytes.is_some() {
        return Err(Error::new("InvalidParameterException", "You can't specify both SecretString and SecretBinary."));
    }
    Ok(text.or(bytes).map(|value| SecretVersion {
        id: request["ClientRequestToken"].as_str().map_or_else(id::uuid, str::to_owned),
        value: value.to_owned(),
        is_binary: bytes.is_some(),
        stages: vec!["AWSCURRENT".to_owned()],
        created: call.now,
    }))
}

/// PutSecretValue: the new version is current, the one before it previous.
pub fn put_value(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let wanted = need(request, "SecretId")?;
    let version = read_version(call, request)?.ok_or_else(|| {
        Error::new("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
    })?;
    call.update(|region| {
        let name = find(region, wanted).ok_or_else(unknown)?.0.clone();
        let secret = region.secrets.get_mut(&name).ok_or_else(unknown)?;
        for old in &mut secret.versions {
            let was_current = old.stages.iter().any(|stage| stage == "AWSCURRENT");
            old.stages.clear();
            if was_current {
                old.stages.push("AWSPREVIOUS".to_owned());
            }
        }
        secret.versions.push(version.clone());
        Ok(json!({ "ARN": secret.arn, "Name": name, "VersionId": version.id, "VersionStages": version.stages }))
    })
}

/// DeleteSecret: scheduled, or at once with `ForceDeleteWithoutRecovery`.
pub fn delete(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let wanted = need(request, "SecretId")?;
    let at_once = request["ForceDeleteWithoutRecovery"].as_bool().unwrap_or(false);
    let days = request["RecoveryWindowInDays"].as_u64().unwrap_or(30);
    let date = call.now.plus(Duration::from_secs(days * 24 * 3600));
    call.update(|region| {
        let name = find(region, wanted).ok_or_else(unknown)?.0.clone();
        let secret = region.secrets.get_mut(&name).ok_or_else(unknown)?;
        secret.deleted = Some(date);
        let arn = secret.arn.clone();
        if at_once {
            region.secrets.remove(&name);
        }
        Ok(json!({ "ARN": arn, "Name": name, "DeletionDate": date.epoch_seconds() }))
    })
}
