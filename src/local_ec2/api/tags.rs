//! Tags: on create, and the calls that change and list them.

use std::collections::BTreeMap;

use super::filter::Filters;
use super::{Call, Kind, done, page};
use crate::local_ec2::state::{Region, Tags};
use crate::local_ec2::wire::{Error, Params, Xml};

/// Tags per resource.
const MAX_TAGS: usize = 50;
/// Resources per CreateTags.
const MAX_RESOURCES: usize = 1000;

/// The tags of `TagSpecification.N` by resource type.
#[derive(Debug, Default)]
pub struct Specified(BTreeMap<String, Tags>);

impl Specified {
    /// Reads and checks them; `allowed` are the resource types that the action makes.
    pub fn read(params: &Params, allowed: &[&str]) -> Result<Self, Error> {
        let mut found = BTreeMap::new();
        for specification in params.each("TagSpecification") {
            let kind = specification.need("ResourceType")?;
            if !allowed.contains(&kind) {
                let text = format!("'{kind}' is not a valid taggable resource type for this operation.");
                return Err(Error::value(text));
            }
            let tags = read_tags(&specification)?;
            check_count(&tags)?;
            if found.insert(kind.to_owned(), tags).is_some() {
                return Err(Error::value(format!("The same resource type '{kind}' is specified more than once")));
            }
        }
        Ok(Self(found))
    }

    /// The tags for one type of resource.
    pub fn of(&self, kind: Kind) -> Tags {
        self.0.get(kind.resource_type()).cloned().unwrap_or_default()
    }
}

fn read_tags(params: &Params) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for tag in params.each("Tag") {
        let (key, value) = (tag.raw("Key").unwrap_or_default(), tag.raw("Value").unwrap_or_default());
        check_tag(key, value)?;
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Error::value(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    Ok(tags)
}

fn check_tag(key: &str, value: &str) -> Result<(), Error> {
    if key.is_empty() {
        return Err(Error::value("Tag keys cannot be empty"));
    }
    if key.chars().count() > 128 {
        return Err(Error::value(format!("Tag key exceeds the maximum length of 128 characters: '{key}'")));
    }
    if value.chars().count() > 256 {
        return Err(Error::value(format!("Tag value exceeds the maximum length of 256 characters: '{key}'")));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(Error::value("Tag keys starting with 'aws:' are reserved for internal use"));
    }
    Ok(())
}

fn check_count(tags: &Tags) -> Result<(), Error> {
    if tags.len() <= MAX_TAGS {
        return Ok(());
    }
    Err(Error::new(
        "TagLimitExceeded",
        format!("The maximum number of tags ({MAX_TAGS}) for this resource is exceeded"),
    ))
}

/// CreateTags.
pub fn create(call: &Call<'_>) -> Result<Xml, Error> {
    let tags = read_tags(call.params)?;
    if tags.is_empty() {
        return Err(Error::missing("Tag"));
    }
    change(call, |found, _| {
        found.extend(tags.clone());
        check_count(found)
    })
}

/// DeleteTags: by key, by key and value, or all of them.
pub fn delete(call: &Call<'_>) -> Result<Xml, Error> {
    let doomed: Vec<(String, Option<String>)> = call
        .params
        .each("Tag")
        .iter()
        .map(|tag| (tag.raw("Key").unwrap_or_default().to_owned(), tag.raw("Value").map(str::to_owned)))
        .collect();
    change(call, |found, _| {
        if doomed.is_empty() {
            // Tags of EC2's own (`aws:…`) are not the user's to delete.
            found.retain(|key, _| key.starts_with("aws:"));
        }
        for (key, value) in &doomed {
            if value.as_ref().is_none_or(|value| found.get(key) == Some(value)) {
                found.remove(key);
            }
        }
        Ok(())
    })
}

fn change(call: &Call<'_>, edit: impl Fn(&mut Tags, &str) -> Result<(), Error>) -> Result<Xml, Error> {
    let ids = call.params.list("ResourceId");
    if ids.is_empty() {
        return Err(Error::missing("ResourceId"));
    }
    if ids.len() > MAX_RESOURCES {
        return Err(Error::value(format!("At most {MAX_RESOURCES} resources can be tagged in one call")));
    }
    call.update(|region| {
        for id in &ids {
            let kind = Kind::of(id).ok_or_else(|| Error::new("InvalidID", format!("The ID '{id}' is not valid")))?;
            let tags = kind.tags_mut(region, id).ok_or_else(|| kind.not_found(&[id]))?;
            edit(tags, id)?;
        }
        Ok(())
    })?;
    Ok(done())
}

/// DescribeTags.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    let filters = Filters::read(call.params, &["resource-id", "resource-type", "key", "value"])?;
    let region = call.read()?;
    let mut found = Vec::new();
    for (kind, id, tags) in all(&region) {
        for (key, value) in tags {
            let only = Tags::from([(key.clone(), value.clone())]);
            let passes = filters.pass(&only, |name| match name {
                "resource-id" => vec![id.to_owned()],
                "resource-type" => vec![kind.resource_type().to_owned()],
                "key" => vec![key.clone()],
                _ => vec![value.clone()],
            });
            if passes {
                found.push((kind, id.to_owned(), key.clone(), value.clone()));
            }
        }
    }
    let page = page::cut(call, found, page::USUAL, |(_, id, key, _)| format!("{id} {key}"))?;
    let mut xml = Xml::new();
    xml.list("tagSet", &page.items, |xml, (kind, id, key, value)| {
        xml.text("resourceId", id).text("resourceType", kind.resource_type()).text("key", key).text("value", value);
    });
    xml.some("nextToken", page.next);
    Ok(xml)
}

fn all(region: &Region) -> Vec<(Kind, &str, &Tags)> {
    let mut found: Vec<(Kind, &str, &Tags)> = Vec::new();
    found.extend(region.images.values().map(|x| (Kind::Image, x.id.as_str(), &x.tags)));
    found.extend(region.instances.values().map(|x| (Kind::Instance, x.id.as_str(), &x.tags)));
    found.extend(region.volumes.values().map(|x| (Kind::Volume, x.id.as_str(), &x.tags)));
    found.extend(region.snapshots.values().map(|x| (Kind::Snapshot, x.id.as_str(), &x.tags)));
    found.extend(region.groups.values().map(|x| (Kind::Group, x.id.as_str(), &x.tags)));
    let rules = region.groups.values().flat_map(|group| group.ingress.iter().chain(&group.egress));
    found.extend(rules.map(|x| (Kind::GroupRule, x.id.as_str(), &x.tags)));
    found.extend(region.subnets.values().map(|x| (Kind::Subnet, x.id.as_str(), &x.tags)));
    found.extend(region.vpcs.values().map(|x| (Kind::Vpc, x.id.as_str(), &x.tags)));
    found.extend(region.key_pairs.values().map(|x| (Kind::KeyPair, x.id.as_str(), &x.tags)));
    let live = region.instances.values().filter(|x| x.is_live());
    found.extend(live.map(|x| (Kind::Interface, x.interface.id.as_str(), &x.interface.tags)));
    found.extend(region.spot_requests.values().map(|x| (Kind::SpotRequest, x.id.as_str(), &x.tags)));
    found.extend(region.launch_templates.values().map(|x| (Kind::LaunchTemplate, x.id.as_str(), &x.tags)));
    found.extend(region.fleets.values().map(|x| (Kind::Fleet, x.id.as_str(), &x.tags)));
    found
}

/// `tagSet`; an untagged resource has none, as on EC2.
pub fn write(xml: &mut Xml, tags: &Tags) {
    if tags.is_empty() {
        return;
    }
    xml.list("tagSet", tags, |xml, (key, value)| {
        xml.text("key", key).text("value", value);
    });
}
