//! Launch templates: made, listed, versioned, deleted here; applied to launches in `apply`, shown by `data`.

mod apply;
mod data;

pub use apply::{apply, named, overlay};

use std::collections::BTreeMap;

use super::filter::Filters;
use super::tags::{self, Specified};
use super::token::{ClientToken, LONG};
use super::{Call, Kind, page};
use crate::local_ec2::state::{LaunchTemplate, Region, TemplateVersion, id};
use crate::local_ec2::wire::{Error, Params, Xml};

/// CreateLaunchTemplate.
pub fn create(call: &Call<'_>) -> Result<Xml, Error> {
    let name = call.params.need("LaunchTemplateName")?;
    check_name(name)?;
    let version = version(call, BTreeMap::new())?;
    let tags = Specified::read(call.params, &["launch-template"])?.of(Kind::LaunchTemplate);
    let token = ClientToken::read_up_to(call, "", LONG)?;
    let template = call.update(|region| {
        if let Some(ids) = token.earlier(region)? {
            return find(region, ids.first().map(String::as_str), None).cloned();
        }
        if region.launch_templates.values().any(|known| known.name == name) {
            let text = "Launch template name already in use.";
            return Err(Error::new("InvalidLaunchTemplateName.AlreadyExistsException", text));
        }
        let template = LaunchTemplate {
            id: id::fresh("lt"),
            name: name.to_owned(),
            created: call.now,
            created_by: call.caller.arn.clone(),
            default_version: 1,
            versions: BTreeMap::from([(1, version)]),
            latest_version: 1,
            tags,
        };
        region.launch_templates.insert(template.id.clone(), template.clone());
        token.remember(region, call, vec![template.id.clone()]);
        Ok(template)
    })?;
    let mut xml = Xml::new();
    xml.node("launchTemplate", |xml| write(xml, &template));
    Ok(xml)
}

fn check_name(name: &str) -> Result<(), Error> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "().-/_".contains(c);
    if (3..=128).contains(&name.len()) && name.chars().all(legal) {
        return Ok(());
    }
    let text = "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _.";
    Err(Error::new("InvalidLaunchTemplateName.MalformedException", text))
}

/// A version from the request's `LaunchTemplateData`, over the data of another one.
fn version(call: &Call<'_>, base: BTreeMap<String, String>) -> Result<TemplateVersion, Error> {
    let given = call.params.sub("LaunchTemplateData");
    if given.is_empty() && base.is_empty() {
        return Err(Error::missing("LaunchTemplateData"));
    }
    data::check(&given)?;
    let description = call.params.get("VersionDescription").unwrap_or_default();
    if description.chars().count() > 255 {
        return Err(Error::value("Value for parameter versionDescription is invalid: at most 255 characters."));
    }
    let data = overlay(&base.into_iter().collect(), &given);
    Ok(TemplateVersion {
        description: description.to_owned(),
        created: call.now,
        created_by: call.caller.arn.clone(),
        data: data.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    })
}

/// The template with this id or name.
fn find<'a>(region: &'a Region, id: Option<&str>, name: Option<&str>) -> Result<&'a LaunchTemplate, Error> {
    match (id, name) {
        (Some(_), Some(_)) => {
            let text =
                "The request must contain exactly one of the parameters LaunchTemplateId and LaunchTemplateName.";
            Err(Error::combination(text))
        }
        (Some(id), None) => {
            Kind::LaunchTemplate.check_shape(id)?;
            region.launch_templates.get(id).ok_or_else(|| Kind::LaunchTemplate.not_found(&[id]))
        }
        (None, Some(name)) => {
            region.launch_templates.values().find(|t| t.name == name).ok_or_else(|| unknown_name(name))
        }
        (None, None) => Err(Error::missing("LaunchTemplateId")),
    }
}

fn unknown_name(name: &str) -> Error {
    let text = format!("The specified launch template, with template name {name}, does not exist.");
    Error::new("InvalidLaunchTemplateName.NotFoundException", text)
}

fn unknown_version(template: &LaunchTemplate, wanted: &str) -> Error {
    let text =
        format!("Could not find the specified version {wanted} for the launch template with ID {}.", template.id);
    Error::new("InvalidLaunchTemplateId.VersionNotFound", text)
}

/// The id of the template that the request names.
fn named_id(call: &Call<'_>, region: &Region) -> Result<String, Error> {
    let (id, name) = (call.params.get("LaunchTemplateId"), call.params.get("LaunchTemplateName"));
    find(region, id, name).map(|template| template.id.clone())
}

/// CreateLaunchTemplateVersion.
pub fn create_version(call: &Call<'_>) -> Result<Xml, Error> {
    let token = ClientToken::read_up_to(call, "", LONG)?;
    let (template, number) = call.update(|region| {
        let id = named_id(call, region)?;
        let template = region.launch_templates.get_mut(&id).ok_or_else(|| Kind::LaunchTemplate.not_found(&[&id]))?;
        let source = match call.params.get("SourceVersion") {
            None => BTreeMap::new(),
            Some(wanted) => {
                let number = template.number(Some(wanted)).ok_or_else(|| unknown_version(template, wanted))?;
                template.versions.get(&number).map(|version| version.data.clone()).unwrap_or_default()
            }
        };
        let version = version(call, source)?;
        if let Some(known) = token.earlier(region)? {
            let number = known.first().and_then(|text| text.parse().ok()).unwrap_or(1);
            return Ok((find(region, Some(&id), None)?.clone(), number));
        }
        let template = region.launch_templates.get_mut(&id).ok_or_else(|| Kind::LaunchTemplate.not_found(&[&id]))?;
        template.latest_version += 1;
        let number = template.latest_version;
        template.versions.insert(number, version);
        let template = template.clone();
        token.remember(region, call, vec![number.to_string()]);
        Ok((template, number))
    })?;
    let mut xml = Xml::new();
    xml.node("launchTemplateVersion", |xml| write_version(xml, &template, number));
    Ok(xml)
}

/// ModifyLaunchTemplate: which version is the default.
pub fn modify(call: &Call<'_>) -> Result<Xml, Error> {
    let wanted = call.params.need("SetDefaultVersion")?;
    ClientToken::read_up_to(call, "", LONG)?;
    let template = call.update(|region| {
        let id = named_id(call, region)?;
        let template = region.launch_templates.get_mut(&id).ok_or_else(|| Kind::LaunchTemplate.not_found(&[&id]))?;
        template.default_version = template.number(Some(wanted)).ok_or_else(|| unknown_version(template, wanted))?;
        Ok(template.clone())
    })?;
    let mut xml = Xml::new();
    xml.node("launchTemplate", |xml| write(xml, &template));
    Ok(xml)
}

/// DescribeLaunchTemplates.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    let filters = Filters::read(call.params, &["launch-template-name", "create-time"])?;
    let (ids, names) = (call.params.list("LaunchTemplateId"), call.params.list("LaunchTemplateName"));
    let region = call.read()?;
    Kind::LaunchTemplate.check(&ids, |id| region.launch_templates.contains_key(id))?;
    if let Some(unknown) = names.iter().find(|name| !region.launch_templates.values().any(|t| t.name == **name)) {
        return Err(unknown_name(unknown));
    }
    let found = region.launch_templates.values().filter(|template| {
        (ids.is_empty() || ids.contains(&template.id))
            && (names.is_empty() || names.contains(&template.name))
            && filters.pass(&template.tags, |name| {
                vec![if name == "create-time" { template.created.to_string() } else { template.name.clone() }]
            })
    });
    let page = page::cut(call, found.collect(), 1..=200, |template| template.id.clone())?;
    let mut xml = Xml::new();
    xml.list("launchTemplates", &page.items, |xml, template| write(xml, template));
    xml.some("nextToken", page.next);
    Ok(xml)
}

/// DescribeLaunchTemplateVersions: of one template; or, with `$Latest` or `$Default` alone, of all.
pub fn describe_versions(call: &Call<'_>) -> Result<Xml, Error> {
    let filters = Filters::read(call.params, &["create-time", "image-id", "instance-type", "is-default-version"])?;
    let wanted = call.params.list("LaunchTemplateVersion");
    let (low, high) = (call.params.int("MinVersion")?.unwrap_or(0), call.params.int("MaxVersion")?.unwrap_or(i64::MAX));
    let region = call.read()?;
    let (id, name) = (call.params.get("LaunchTemplateId"), call.params.get("LaunchTemplateName"));
    let templates: Vec<&LaunchTemplate> = if id.is_none() && name.is_none() && !wanted.is_empty() {
        region.launch_templates.values().collect()
    } else {
        vec![find(&region, id, name)?]
    };
    let mut found = Vec::new();
    for template in templates {
        let numbers: Vec<u64> = if wanted.is_empty() {
            template.versions.keys().copied().collect()
        } else {
            let number = |text: &String| template.number(Some(text)).ok_or_else(|| unknown_version(template, text));
            wanted.iter().map(number).collect::<Result<_, _>>()?
        };
        let fits = |number: &u64| i64::try_from(*number).is_ok_and(|n| (low..=high).contains(&n));
        found.extend(numbers.into_iter().filter(fits).map(|number| (template, number)));
    }
    found.retain(|(template, number)| {
        let Some(version) = template.versions.get(number) else { return false };
        let data = |name: &str| version.data.get(name).cloned().into_iter().collect();
        filters.pass(&template.tags, |name| match name {
            "create-time" => vec![version.created.to_string()],
            "image-id" => data("ImageId"),
            "instance-type" => data("InstanceType"),
            _ => vec![(template.default_version == *number).to_string()],
        })
    });
    let page = page::cut(call, found, 1..=200, |(template, number)| format!("{} {number:08}", template.id))?;
    let mut xml = Xml::new();
    xml.list("launchTemplateVersionSet", &page.items, |xml, (template, number)| write_version(xml, template, *number));
    xml.some("nextToken", page.next);
    Ok(xml)
}

fn write(xml: &mut Xml, template: &LaunchTemplate) {
    xml.text("launchTemplateId", &template.id).text("launchTemplateName", &template.name);
    xml.text("createTime", template.created).text("createdBy", &template.created_by);
    xml.text("defaultVersionNumber", template.default_version);
    xml.text("latestVersionNumber", template.latest_version);
    tags::write(xml, &template.tags);
}

fn write_version(xml: &mut Xml, template: &LaunchTemplate, number: u64) {
    let Some(version) = template.versions.get(&number) else { return };
    xml.text("launchTemplateId", &template.id).text("launchTemplateName", &template.name);
    xml.text("versionNumber", number).filled("versionDescription", &version.description);
    xml.text("createTime", version.created).text("createdBy", &version.created_by);
    xml.text("defaultVersion", template.default_version == number);
    let given: Params = version.data.clone().into_iter().collect();
    xml.node("launchTemplateData", |xml| data::write(xml, &given));
}

/// DeleteLaunchTemplate.
pub fn delete(call: &Call<'_>) -> Result<Xml, Error> {
    let template = call.update(|region| {
        let id = named_id(call, region)?;
        region.launch_templates.remove(&id).ok_or_else(|| Kind::LaunchTemplate.not_found(&[&id]))
    })?;
    let mut xml = Xml::new();
    xml.node("launchTemplate", |xml| write(xml, &template));
    Ok(xml)
}

/// DeleteLaunchTemplateVersions: all but the default one can go, each with a result of its own.
pub fn delete_versions(call: &Call<'_>) -> Result<Xml, Error> {
    let wanted = call.params.list("LaunchTemplateVersion");
    if wanted.is_empty() {
        return Err(Error::missing("LaunchTemplateVersion"));
    }
    let (template, results) = call.update(|region| {
        let id = named_id(call, region)?;
        let template = region.launch_templates.get_mut(&id).ok_or_else(|| Kind::LaunchTemplate.not_found(&[&id]))?;
        let mut results = Vec::new();
        for text in &wanted {
            let number = text.parse::<u64>().unwrap_or(0);
            let failure = if number == template.default_version {
                Some(("unexpectedError", "The default version cannot be deleted."))
            } else if template.versions.remove(&number).is_none() {
                Some(("launchTemplateVersionDoesNotExist", "The version does not exist."))
            } else {
                None
            };
            results.push((number, failure));
        }
        Ok((template.clone(), results))
    })?;
    let head = |xml: &mut Xml, number: u64| {
        xml.text("launchTemplateId", &template.id).text("launchTemplateName", &template.name);
        xml.text("versionNumber", number);
    };
    let (gone, kept): (Vec<_>, Vec<_>) = results.into_iter().partition(|(_, failure)| failure.is_none());
    let mut xml = Xml::new();
    xml.list("successfullyDeletedLaunchTemplateVersionSet", gone, |xml, (number, _)| head(xml, number));
    xml.list("unsuccessfullyDeletedLaunchTemplateVersionSet", kept, |xml, (number, failure)| {
        head(xml, number);
        if let Some((code, message)) = failure {
            xml.node("responseError", |xml| {
                xml.text("code", code).text("message", message);
            });
        }
    });
    Ok(xml)
}
