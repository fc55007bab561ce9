//! Roles.

use super::{
    arn, check_document, conflict, fresh_id, need, need_name, no_such, path, put_tags, read_tags, time, write_page,
    write_tags,
};
use crate::local_ec2::api::Call;
use crate::local_ec2::state::{Region, Role, Tags};
use crate::local_ec2::wire::{Error, Xml, percent_encode};

/// CreateRole.
pub fn create(call: &Call<'_>) -> Result<Xml, Error> {
    let name = need_name(call, "RoleName", 64)?;
    let trust = need(call, "AssumeRolePolicyDocument")?;
    check_document(trust)?;
    let path = path(call.params)?;
    let max_session = call.params.int("MaxSessionDuration")?.unwrap_or(3600);
    if !(3600..=43_200).contains(&max_session) {
        let rule = "Member must have value between 3600 and 43200";
        return Err(super::invalid(&max_session.to_string(), "maxSessionDuration", rule));
    }
    let role = Role {
        name: name.to_owned(),
        id: fresh_id("AROA"),
        arn: arn(call, &format!("role{path}{name}")),
        path,
        created: call.now,
        description: call.params.get("Description").unwrap_or_default().to_owned(),
        trust: trust.to_owned(),
        max_session,
        boundary: call.params.get("PermissionsBoundary").map(str::to_owned),
        inline: [].into(),
        attached: [].into(),
        tags: read_tags(call.params),
    };
    call.update(|account| {
        if account.roles.contains_key(name) {
            return Err(Error::new("EntityAlreadyExists", format!("Role with name {name} already exists.")));
        }
        account.roles.insert(name.to_owned(), role.clone());
        Ok(())
    })?;
    let mut xml = Xml::new();
    xml.node("Role", |xml| write(xml, &role));
    Ok(xml)
}

/// GetRole.
pub fn get(call: &Call<'_>) -> Result<Xml, Error> {
    let name = need_name(call, "RoleName", 64)?;
    let account = call.read()?;
    let role = account.roles.get(name).ok_or_else(|| no_such("role", name))?;
    let mut xml = Xml::new();
    xml.node("Role", |xml| write(xml, role));
    Ok(xml)
}

/// ListRoles: without tags, as on IAM.
pub fn list(call: &Call<'_>) -> Result<Xml, Error> {
    let account = call.read()?;
    let prefix = call.params.get("PathPrefix").unwrap_or("/");
    let found: Vec<Role> = account.roles.values().filter(|role| role.path.starts_with(prefix)).cloned().collect();
    let found: Vec<Role> = found.into_iter().map(|role| Role { tags: Tags::new(), ..role }).collect();
    let mut xml = Xml::new();
    write_page(call, &mut xml, "Roles", &found, write)?;
    Ok(xml)
}

/// One role as answers show it; policies come percent-encoded, as on IAM.
pub fn write(xml: &mut Xml, role: &Role) {
    xml.text("Path", &role.path).text("RoleName", &role.name).text("RoleId", &role.id).text("Arn", &role.arn);
    xml.text("CreateDate", time(role.created)).text("AssumeRolePolicyDocument", percent_encode(&role.trust));
    xml.filled("Description", &role.description).text("MaxSessionDuration", role.max_session);
    if let Some(boundary) = &role.boundary {
        xml.node("PermissionsBoundary", |xml| {
            xml.text("PermissionsBoundaryType", "Policy").text("PermissionsBoundaryArn", boundary);
        });
    }
    write_tags(xml, &role.tags);
}

/// DeleteRole: only one without policies that no profile holds.
pub fn delete(call: &Call<'_>) -> Result<Xml, Error> {
    let name = need_name(call, "RoleName", 64)?;
    call.update(|account| {
        let role = account.roles.get(name).ok_or_else(|| no_such("role", name))?;
        if account.profiles.values().any(|profile| profile.role.as_deref() == Some(name)) {
            return Err(conflict("Cannot delete entity, must remove roles from instance profile first."));
        }
        if !role.inline.is_empty() {
            return Err(conflict("Cannot delete entity, must delete policies first."));
        }
        if !role.attached.is_empty() {
            return Err(conflict("Cannot delete entity, must detach all policies first."));
        }
        account.roles.remove(name);
        Ok(())
    })?;
    Ok(Xml::new())
}

/// TagRole.
pub fn tag(call: &Call<'_>) -> Result<Xml, Error> {
    put_tags(call, "RoleName", 64, |account, name| Ok(&mut get_mut(account, name)?.tags))
}

/// A role, to change.
pub fn get_mut<'a>(account: &'a mut Region, name: &str) -> Result<&'a mut Role, Error> {
    account.roles.get_mut(name).ok_or_else(|| no_such("role", name))
}
