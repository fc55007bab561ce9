//! A launch template under a request: what the request says wins, parameter by parameter.

use std::collections::BTreeSet;

use super::{find, unknown_version};
use crate::local_ec2::state::{Region, Tags};
use crate::local_ec2::wire::{Error, Params};

/// A request with its template's parameters.
pub struct Applied {
    /// All parameters.
    pub params: Params,
    /// The tags that EC2 itself sets on what is launched from a template.
    pub tags: Tags,
}

/// The request's parameters over those of the template that it names, if it names one.
pub fn apply(region: &Region, params: &Params) -> Result<Applied, Error> {
    let wanted = params.sub("LaunchTemplate");
    if wanted.is_empty() {
        return Ok(Applied { params: params.clone(), tags: Tags::new() });
    }
    let (id, version, data) = named(region, &wanted)?;
    Ok(Applied { params: overlay(&data, params), tags: system_tags(&id, version) })
}

/// The template that `LaunchTemplateId`, `LaunchTemplateName` and `Version` mean: its id, the version, and its data.
pub fn named(region: &Region, wanted: &Params) -> Result<(String, u64, Params), Error> {
    let template = find(region, wanted.get("LaunchTemplateId"), wanted.get("LaunchTemplateName"))?;
    let version = wanted.get("Version");
    let number = template.number(version).ok_or_else(|| unknown_version(template, version.unwrap_or_default()))?;
    let data = template.versions.get(&number).map(|version| version.data.clone()).unwrap_or_default();
    Ok((template.id.clone(), number, data.into_iter().collect()))
}

fn system_tags(id: &str, version: u64) -> Tags {
    Tags::from([
        ("aws:ec2launchtemplate:id".to_owned(), id.to_owned()),
        ("aws:ec2launchtemplate:version".to_owned(), version.to_string()),
    ])
}

/// A parameter (with everything below it) of the upper layer replaces the one of the lower layer; tags add up by resource type.
pub fn overlay(lower: &Params, upper: &Params) -> Params {
    let mut replaced: BTreeSet<&str> = upper.heads();
    replaced.remove("TagSpecification");
    // Security groups by id and by name are one thing.
    for (one, other) in [("SecurityGroup", "SecurityGroupId"), ("SecurityGroupId", "SecurityGroup")] {
        if upper.heads().contains(one) {
            replaced.insert(other);
        }
    }
    let is_kept = |name: &str| !replaced.contains(name.split('.').next().unwrap_or(name));
    let mut merged: Params = lower
        .iter()
        .filter(|(name, _)| is_kept(name) && !name.starts_with("TagSpecification."))
        .chain(upper.iter().filter(|(name, _)| !name.starts_with("TagSpecification.")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for (number, specification) in (1..).zip(specifications(lower, upper)) {
        for (name, value) in specification.iter() {
            merged = merged.with(&format!("TagSpecification.{number}.{name}"), value);
        }
    }
    merged
}

/// The tag specifications of both layers; of one resource type, the upper layer's.
fn specifications(lower: &Params, upper: &Params) -> Vec<Params> {
    let mut found = upper.each("TagSpecification");
    for specification in lower.each("TagSpecification") {
        let kind = specification.get("ResourceType").map(str::to_owned);
        if !found.iter().any(|known| known.get("ResourceType") == kind.as_deref()) {
            found.push(specification);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_layer_wins_by_parameter() {
        let lower = Params::parse(
            "ImageId=a&InstanceType=t3.micro&BlockDeviceMapping.1.DeviceName=/dev/sda&SecurityGroupId.1=sg-1\
             &TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=k\
             &TagSpecification.2.ResourceType=volume&TagSpecification.2.Tag.1.Key=v",
        );
        let upper = Params::parse(
            "InstanceType=t3.small&SecurityGroup.1=web&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=n",
        );
        let merged = overlay(&lower, &upper);
        assert_eq!((merged.get("ImageId"), merged.get("InstanceType")), (Some("a"), Some("t3.small")));
        assert_eq!(merged.get("BlockDeviceMapping.1.DeviceName"), Some("/dev/sda"));
        assert_eq!((merged.list("SecurityGroupId").len(), merged.list("SecurityGroup").len()), (0, 1));
        let keys: Vec<String> = merged
            .each("TagSpecification")
            .iter()
            .map(|s| format!("{}={}", s.get("ResourceType").unwrap(), s.get("Tag.1.Key").unwrap()))
            .collect();
        assert_eq!(keys, ["instance=n", "volume=v"]);
    }
}
