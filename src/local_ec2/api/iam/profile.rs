//! Instance profiles, and how EC2 finds them.

use super::{
    arn, conflict, fresh_id, need_name, no_such, path, put_tags, read_tags, role, time, write_page, write_tags,
};
use crate::local_ec2::api::Call;
use crate::local_ec2::state::{InstanceProfile, Region, Scope, Tags};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Xml};

/// CreateInstanceProfile.
pub fn create(call: &Call<'_>) -> Result<Xml, Error> {
    let name = need_name(call, "InstanceProfileName", 128)?;
    let path = path(call.params)?;
    let profile = InstanceProfile {
        name: name.to_owned(),
        id: fresh_id("AIPA"),
        arn: arn(call, &format!("instance-profile{path}{name}")),
        path,
        created: call.now,
        role: None,
        changed: call.now,
        tags: read_tags(call.params),
    };
    let account = call.update(|account| {
        if account.profiles.contains_key(name) {
            let text = format!("Instance Profile {name} already exists.");
            return Err(Error::new("EntityAlreadyExists", text));
        }
        account.profiles.insert(name.to_owned(), profile.clone());
        Ok(account.clone())
    })?;
    let mut xml = Xml::new();
    xml.node("InstanceProfile", |xml| write(xml, &account, &profile));
    Ok(xml)
}

fn write(xml: &mut Xml, account: &Region, profile: &InstanceProfile) {
    xml.text("Path", &profile.path).text("InstanceProfileName", &profile.name);
    xml.text("InstanceProfileId", &profile.id).text("Arn", &profile.arn).text("CreateDate", time(profile.created));
    let role = profile.role.as_ref().and_then(|name| account.roles.get(name));
    xml.list_of("Roles", "member", role, role::write);
    write_tags(xml, &profile.tags);
}

fn missing(name: &str) -> Error {
    let text = format!("Instance Profile {name} cannot be found.");
    Error::new("NoSuchEntity", text)
}

fn get_mut<'a>(account: &'a mut Region, name: &str) -> Result<&'a mut InstanceProfile, Error> {
    account.profiles.get_mut(name).ok_or_else(|| missing(name))
}

/// GetInstanceProfile.
pub fn get(call: &Call<'_>) -> Result<Xml, Error> {
    let name = need_name(call, "InstanceProfileName", 128)?;
    let account = call.read()?;
    let profile = account.profiles.get(name).ok_or_else(|| missing(name))?;
    let mut xml = Xml::new();
    xml.node("InstanceProfile", |xml| write(xml, &account, profile));
    Ok(xml)
}

/// AddRoleToInstanceProfile: one role at most.
pub fn add_role(call: &Call<'_>) -> Result<Xml, Error> {
    let (name, role) = (need_name(call, "InstanceProfileName", 128)?, need_name(call, "RoleName", 64)?);
    call.update(|account| {
        if !account.roles.contains_key(role) {
            return Err(no_such("role", role));
        }
        let profile = get_mut(account, name)?;
        if profile.role.is_some() {
            let text = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
            return Err(Error::new("LimitExceeded", text));
        }
        profile.role = Some(role.to_owned());
        profile.changed = call.now;
        Ok(())
    })?;
    Ok(Xml::new())
}

/// RemoveRoleFromInstanceProfile.
pub fn remove_role(call: &Call<'_>) -> Result<Xml, Error> {
    let (name, role) = (need_name(call, "InstanceProfileName", 128)?, need_name(call, "RoleName", 64)?);
    call.update(|account| {
        let profile = get_mut(account, name)?;
        if profile.role.as_deref() != Some(role) {
            return Err(no_such("role", role));
        }
        profile.role = None;
        profile.changed = call.now;
        Ok(())
    })?;
    Ok(Xml::new())
}

/// DeleteInstanceProfile: only one without a role.
pub fn delete(call: &Call<'_>) -> Result<Xml, Error> {
    let name = need_name(call, "InstanceProfileName", 128)?;
    call.update(|account| {
        if get_mut(account, name)?.role.is_some() {
            return Err(conflict("Cannot delete entity, must remove roles from instance profile first."));
        }
        account.profiles.remove(name);
        Ok(())
    })?;
    Ok(Xml::new())
}

/// ListInstanceProfilesForRole.
pub fn list_for_role(call: &Call<'_>) -> Result<Xml, Error> {
    let role = need_name(call, "RoleName", 64)?;
    let account = call.read()?;
    if !account.roles.contains_key(role) {
        return Err(no_such("role", role));
    }
    let found: Vec<&InstanceProfile> =
        account.profiles.values().filter(|profile| profile.role.as_deref() == Some(role)).collect();
    let mut xml = Xml::new();
    write_page(call, &mut xml, "InstanceProfiles", &found, |xml, profile| write(xml, &account, profile))?;
    Ok(xml)
}

/// ListInstanceProfiles: without tags, as on IAM.
pub fn list(call: &Call<'_>) -> Result<Xml, Error> {
    let account = call.read()?;
    let prefix = call.params.get("PathPrefix").unwrap_or("/");
    let found = account.profiles.values().filter(|profile| profile.path.starts_with(prefix)).cloned();
    let found: Vec<_> = found.map(|profile| InstanceProfile { tags: Tags::new(), ..profile }).collect();
    let mut xml = Xml::new();
    write_page(call, &mut xml, "InstanceProfiles", &found, |xml, profile| write(xml, &account, profile))?;
    Ok(xml)
}

/// TagInstanceProfile.
pub fn tag(call: &Call<'_>) -> Result<Xml, Error> {
    put_tags(call, "InstanceProfileName", 128, |account, name| Ok(&mut get_mut(account, name)?.tags))
}

/// The profile of a launch, by name or ARN: its ARN and id. One that was just changed is not known to EC2 yet; Packer retries on the text.
pub fn find_for_launch(call: &Call<'_>) -> Result<Option<(String, String)>, Error> {
    let (name, arn) = (call.params.get("IamInstanceProfile.Name"), call.params.get("IamInstanceProfile.Arn"));
    if name.is_none() && arn.is_none() {
        return Ok(None);
    }
    if name.is_some() && arn.is_some() {
        let text =
            "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'";
        return Err(Error::combination(text));
    }
    if let Some(arn) = arn.filter(|arn| !arn.starts_with("arn:")) {
        return Err(Error::new("InvalidIamInstanceProfileArn.Malformed", format!("The ARN '{arn}' is malformed")));
    }
    let account = call.world.store.read(&Scope::global(&call.scope.account), call.now)?;
    let is_known = |profile: &&InstanceProfile| {
        let window = call.world.timing.draw_for(Transition::ProfileVisible, &profile.id);
        profile.changed.plus(window) <= call.now
    };
    let mut profiles = account.profiles.values().filter(is_known);
    let found = profiles.find(|profile| Some(profile.name.as_str()) == name || Some(profile.arn.as_str()) == arn);
    let (what, member, value) = match (name, arn) {
        (Some(name), _) => ("Invalid IAM Instance Profile name", "name", name),
        (None, arn) => ("Invalid IAM Instance Profile ARN", "arn", arn.unwrap_or_default()),
    };
    let unknown =
        || Error::value(format!("Value ({value}) for parameter iamInstanceProfile.{member} is invalid. {what}"));
    found.map(|profile| Some((profile.arn.clone(), profile.id.clone()))).ok_or_else(unknown)
}
