//! SSM's parameter store: the public parameters that name images, and stored ones.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Call;
use crate::local_ec2::catalog;
use crate::local_ec2::state::{Parameter, Region};
use crate::local_ec2::wire::Error;

/// GetParameter: `name`, `name:version`, an ARN, or a public `/aws/service/…`.
pub fn get_parameter(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let name = need(request, "Name")?;
    Ok(json!({ "Parameter": find(call, &call.read()?, name, Wanted::of(request))? }))
}

/// GetParameters: unknown names are no error.
pub fn get_parameters(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let names: Vec<&str> = request["Names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !(1..=10).contains(&names.len()) {
        return Err(Error::new("ValidationException", "Names must have 1 to 10 members"));
    }
    let region = call.read()?;
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in names {
        match find(call, &region, name, Wanted::of(request)) {
            Ok(parameter) => found.push(parameter),
            Err(_) => invalid.push(name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": invalid }))
}

fn need<'a>(request: &'a Value, name: &str) -> Result<&'a str, Error> {
    let missing = || Error::new("ValidationException", format!("{name} must not be null"));
    request[name].as_str().filter(|text| !text.is_empty()).ok_or_else(missing)
}

/// How a `SecureString` is to be given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// As it was put.
    Plain,
    /// As it is stored.
    Sealed,
}

impl Wanted {
    fn of(request: &Value) -> Self {
        if request["WithDecryption"].as_bool().unwrap_or(false) { Self::Plain } else { Self::Sealed }
    }
}

/// What stands for the encrypted value of a version: like KMS's blobs, it looks the same whenever it is asked for and says nothing about the value.
fn sealed(arn: &str, version: usize) -> String {
    // KMS's blobs begin with these bytes too.
    let head: &[u8] = &[1, 2, 2, 0, 0x78];
    let parts = [1, 2, 3].map(|part| Sha256::digest(format!("{arn} {version} {part}")));
    STANDARD.encode([head, &parts.concat()].concat())
}

fn find(call: &Call<'_>, region: &Region, asked: &str, wanted: Wanted) -> Result<Value, Error> {
    let unknown = || Error::new("ParameterNotFound", format!("Parameter {asked} not found."));
    let name = asked.split_once(":parameter").map_or(asked, |(_, rest)| rest);
    let (name, selector) = name.split_once(':').map_or((name, None), |(name, selector)| (name, Some(selector)));
    if name.starts_with("/aws/service/") {
        let image = catalog::public_parameter(&call.scope.region, name).ok_or_else(unknown)?;
        let arn = format!("arn:aws:ssm:{}::parameter{name}", call.scope.region);
        return Ok(json!({
            "Name": name, "Type": "String", "Value": image.id, "Version": 1,
            "LastModifiedDate": image.created.epoch_seconds(), "ARN": arn, "DataType": "aws:ec2:image",
        }));
    }
    if let Some(value) = call.world.seeds.parameters.get(name).filter(|_| !region.parameters.contains_key(name)) {
        return seeded(call, name, value, selector).ok_or_else(unknown);
    }
    // A stored name may or may not begin with a slash; an ARN drops the difference.
    let stored = region.parameters.get(name).map(|parameter| (name, parameter));
    let (name, parameter) = stored
        .or_else(|| region.parameters.get_key_value(name.trim_start_matches('/')).map(|(name, p)| (name.as_str(), p)))
        .ok_or_else(unknown)?;
    let newest = parameter.versions.len();
    let version = match selector {
        None => newest,
        Some(text) => text.parse().ok().filter(|n| (1..=newest).contains(n)).ok_or_else(|| {
            let text = format!("Systems Manager could not find version {text} of {name}.");
            Error::new("ParameterVersionNotFound", text)
        })?,
    };
    let (value, time) = parameter.versions.get(version - 1).ok_or_else(unknown)?;
    let separator = if name.starts_with('/') { "" } else { "/" };
    let arn = call.arn("ssm", &format!("parameter{separator}{name}"));
    let is_sealed = parameter.kind == "SecureString" && wanted == Wanted::Sealed;
    let value = if is_sealed { sealed(&arn, version) } else { value.clone() };
    let mut found = json!({
        "Name": name, "Type": parameter.kind, "Value": value, "Version": version,
        "LastModifiedDate": time.epoch_seconds(), "DataType": parameter.data_type, "ARN": arn,
    });
    if let Some(selector) = selector {
        found["Selector"] = json!(format!(":{selector}"));
    }
    Ok(found)
}

/// A parameter of the profile: it has one version, of the beginning of time.
fn seeded(call: &Call<'_>, name: &str, value: &str, selector: Option<&str>) -> Option<Value> {
    if selector.is_some_and(|version| version != "1") {
        return None;
    }
    let separator = if name.starts_with('/') { "" } else { "/" };
    Some(json!({
        "Name": name, "Type": "String", "Value": value, "Version": 1, "LastModifiedDate": 0, "DataType": "text",
        "ARN": call.arn("ssm", &format!("parameter{separator}{name}")),
    }))
}

/// Levels that a name may have.
const MAX_LEVELS: usize = 15;
/// Characters that a name may have beside those of its ARN.
const MAX_NAME: usize = 1011;

/// Refuses the names that the service documents as impossible.
fn check_name(name: &str) -> Result<(), Error> {
    let refused = |text: &str| Err(Error::new("ValidationException", text));
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("/aws/") {
        return Err(Error::new("AccessDeniedException", format!("No access to reserved parameter name: {name}.")));
    }
    let bare = lower.trim_start_matches('/');
    let is_legal = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    let parts: Vec<&str> = name.strip_prefix('/').unwrap_or(name).split('/').collect();
    if bare.starts_with("aws")
        || bare.starts_with("ssm")
        || !parts.iter().all(|part| !part.is_empty() && is_legal(part))
    {
        return refused(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). A name, and each part of a path between slashes, consists of \
             letters, digits and the symbols .-_",
        );
    }
    if parts.len() > 1 && !name.starts_with('/') {
        return refused("Parameter name must be a fully qualified name.");
    }
    if name.len() > MAX_NAME {
        return refused(&format!("Parameter name has more than {MAX_NAME} characters."));
    }
    if parts.len() > MAX_LEVELS {
        let text = format!("A hierarchy can have a maximum of {MAX_LEVELS} levels.");
        return Err(Error::new("HierarchyLevelLimitExceededException", text));
    }
    Ok(())
}

/// PutParameter.
pub fn put_parameter(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    // Spaces around a name are taken off.
    let (name, value) = (need(request, "Name")?.trim(), need(request, "Value")?);
    check_name(name)?;
    let overwrite = request["Overwrite"].as_bool().unwrap_or(false);
    let kind = request["Type"].as_str();
    if kind.is_some_and(|kind| !["String", "StringList", "SecureString"].contains(&kind)) {
        return Err(Error::new("ValidationException", "Type must be String, StringList or SecureString"));
    }
    let data_type = request["DataType"].as_str().unwrap_or("text").to_owned();
    let version = call.update(|region| {
        if region.parameters.contains_key(name) && !overwrite {
            let text = "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
            return Err(Error::new("ParameterAlreadyExists", text));
        }
        // Those of the profile are there, with a type.
        let is_seeded = call.world.seeds.parameters.contains_key(name);
        if kind.is_none() && !is_seeded && !region.parameters.contains_key(name) {
            let text = "A parameter type is required when you create a parameter.";
            return Err(Error::new("ValidationException", text));
        }
        let fresh = || Parameter { kind: kind.unwrap_or("String").to_owned(), data_type, versions: Vec::new() };
        let parameter = region.parameters.entry(name.to_owned()).or_insert_with(fresh);
        if let Some(kind) = kind {
            parameter.kind = kind.to_owned();
        }
        parameter.versions.push((value.to_owned(), call.now));
        Ok(parameter.versions.len())
    })?;
    Ok(json!({ "Version": version, "Tier": "Standard" }))
}

/// DeleteParameter.
pub fn delete_parameter(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let name = need(request, "Name")?;
    call.update(|region| {
        let unknown = || Error::new("ParameterNotFound", format!("Parameter {name} not found."));
        region.parameters.remove(name).map(drop).ok_or_else(unknown)
    })?;
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        for (name, code) in [
            ("a", None),
            ("/golden/base-1.2_x", None),
            ("a b*", Some("ValidationException")),
            ("a/b", Some("ValidationException")),
            ("/a//b", Some("ValidationException")),
            ("SSMthing", Some("ValidationException")),
            ("awsome", Some("ValidationException")),
            ("/aws/service/x", Some("AccessDeniedException")),
            ("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", Some("HierarchyLevelLimitExceededException")),
        ] {
            assert_eq!(check_name(name).err().map(|error| error.code.to_string()).as_deref(), code, "{name}");
        }
    }

    #[test]
    fn sealed_values_repeat_and_differ_by_version() {
        assert_eq!(sealed("a", 1), sealed("a", 1));
        assert_ne!(sealed("a", 1), sealed("a", 2));
        assert!(sealed("a", 1).starts_with("AQICAH"));
    }
}
