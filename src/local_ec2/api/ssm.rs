//! SSM's parameter store: the public parameters that name images, and stored ones.

use serde_json::{Value, json};

use super::Call;
use crate::local_ec2::catalog;
use crate::local_ec2::state::{Parameter, Region};
use crate::local_ec2::wire::Error;

/// GetParameter: `name`, `name:version`, an ARN, or a public `/aws/service/…`.
pub fn get_parameter(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let name = need(request, "Name")?;
    Ok(json!({ "Parameter": find(call, &call.read()?, name)? }))
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
        match find(call, &region, name) {
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

fn find(call: &Call<'_>, region: &Region, asked: &str) -> Result<Value, Error> {
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
    let mut found = json!({
        "Name": name, "Type": parameter.kind, "Value": value, "Version": version,
        "LastModifiedDate": time.epoch_seconds(), "DataType": parameter.data_type,
        "ARN": call.arn("ssm", &format!("parameter{separator}{name}")),
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

/// PutParameter.
pub fn put_parameter(call: &Call<'_>, request: &Value) -> Result<Value, Error> {
    let (name, value) = (need(request, "Name")?, need(request, "Value")?);
    let overwrite = request["Overwrite"].as_bool().unwrap_or(false);
    let kind = request["Type"].as_str();
    if kind.is_some_and(|kind| !["String", "StringList", "SecureString"].contains(&kind)) {
        return Err(Error::new("ValidationException", "Type must be String, StringList or SecureString"));
    }
    if name.starts_with("/aws") || name.starts_with("aws") {
        return Err(Error::new("AccessDeniedException", format!("No access to reserved parameter name: {name}.")));
    }
    let data_type = request["DataType"].as_str().unwrap_or("text").to_owned();
    let version = call.update(|region| {
        if region.parameters.contains_key(name) && !overwrite {
            let text = "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
            return Err(Error::new("ParameterAlreadyExists", text));
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
