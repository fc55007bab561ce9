//! Policies of roles: inline ones, and managed ones that are attached.

use super::role::get_mut;
use super::{check_document, need, need_name, no_such, write_page};
use crate::local_ec2::api::Call;
use crate::local_ec2::wire::{Error, Xml, percent_encode};

/// Characters that all inline policies of a role may have together, white space not counted.
const MAX_INLINE: usize = 10_240;
/// Managed policies per role.
const MAX_ATTACHED: usize = 10;

/// PutRolePolicy.
pub fn put(call: &Call<'_>) -> Result<Xml, Error> {
    let (role, name) = (need_name(call, "RoleName", 64)?, need_name(call, "PolicyName", 128)?);
    let document = need(call, "PolicyDocument")?;
    check_document(document)?;
    call.update(|account| {
        let role = get_mut(account, role)?;
        role.inline.insert(name.to_owned(), document.to_owned());
        let size: usize = role.inline.values().map(|text| text.chars().filter(|c| !c.is_whitespace()).count()).sum();
        if size > MAX_INLINE {
            let text = format!("Maximum policy size of {MAX_INLINE} bytes exceeded for role {}", role.name);
            return Err(Error::new("LimitExceeded", text));
        }
        Ok(())
    })?;
    Ok(Xml::new())
}

/// GetRolePolicy.
pub fn get(call: &Call<'_>) -> Result<Xml, Error> {
    let (role_name, name) = (need_name(call, "RoleName", 64)?, need_name(call, "PolicyName", 128)?);
    let account = call.read()?;
    let role = account.roles.get(role_name).ok_or_else(|| no_such("role", role_name))?;
    let document = role.inline.get(name).ok_or_else(|| no_such("role policy", name))?;
    let mut xml = Xml::new();
    xml.text("RoleName", role_name).text("PolicyName", name);
    xml.text("PolicyDocument", percent_encode(document));
    Ok(xml)
}

/// DeleteRolePolicy.
pub fn delete(call: &Call<'_>) -> Result<Xml, Error> {
    let (role, name) = (need_name(call, "RoleName", 64)?, need_name(call, "PolicyName", 128)?);
    call.update(|account| {
        get_mut(account, role)?.inline.remove(name).map(drop).ok_or_else(|| no_such("role policy", name))
    })?;
    Ok(Xml::new())
}

/// ListRolePolicies.
pub fn list(call: &Call<'_>) -> Result<Xml, Error> {
    let name = need_name(call, "RoleName", 64)?;
    let account = call.read()?;
    let role = account.roles.get(name).ok_or_else(|| no_such("role", name))?;
    let names: Vec<&String> = role.inline.keys().collect();
    let mut xml = Xml::new();
    write_scalars(call, &mut xml, "PolicyNames", &names)?;
    Ok(xml)
}

/// A page whose members are texts.
fn write_scalars(call: &Call<'_>, xml: &mut Xml, name: &str, items: &[&String]) -> Result<(), Error> {
    write_page(call, xml, name, items, |xml, item| {
        xml.value(item);
    })
}

/// The name of a managed policy. Those of AWS itself are all taken to exist; an account's own cannot be made here.
fn managed_name(arn: &str) -> Result<&str, Error> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let name = match parts[..] {
        ["arn", _, "iam", "", "aws", path] => path.strip_prefix("policy/").and_then(|path| path.rsplit('/').next()),
        ["arn", _, "iam", "", _, _] => None,
        _ => return Err(Error::new("ValidationError", format!("ARN {arn} is not valid."))),
    };
    let unknown = || Error::new("NoSuchEntity", format!("Policy {arn} does not exist or is not attachable."));
    name.filter(|name| !name.is_empty()).ok_or_else(unknown)
}

/// AttachRolePolicy.
pub fn attach(call: &Call<'_>) -> Result<Xml, Error> {
    let (role, arn) = (need_name(call, "RoleName", 64)?, need(call, "PolicyArn")?);
    managed_name(arn)?;
    call.update(|account| {
        let role = get_mut(account, role)?;
        role.attached.insert(arn.to_owned());
        if role.attached.len() > MAX_ATTACHED {
            return Err(Error::new(
                "LimitExceeded",
                format!("Cannot exceed quota for PoliciesPerRole: {MAX_ATTACHED}"),
            ));
        }
        Ok(())
    })?;
    Ok(Xml::new())
}

/// DetachRolePolicy.
pub fn detach(call: &Call<'_>) -> Result<Xml, Error> {
    let (role, arn) = (need_name(call, "RoleName", 64)?, need(call, "PolicyArn")?);
    call.update(|account| {
        if get_mut(account, role)?.attached.remove(arn) {
            return Ok(());
        }
        Err(Error::new("NoSuchEntity", format!("Policy {arn} was not found.")))
    })?;
    Ok(Xml::new())
}

/// ListAttachedRolePolicies.
pub fn attached(call: &Call<'_>) -> Result<Xml, Error> {
    let name = need_name(call, "RoleName", 64)?;
    let account = call.read()?;
    let role = account.roles.get(name).ok_or_else(|| no_such("role", name))?;
    let arns: Vec<&String> = role.attached.iter().collect();
    let mut xml = Xml::new();
    write_page(call, &mut xml, "AttachedPolicies", &arns, |xml, arn| {
        xml.text("PolicyName", managed_name(arn).unwrap_or_default()).text("PolicyArn", arn);
    })?;
    Ok(xml)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managed_policies_are_known_by_their_arn() {
        assert_eq!(
            managed_name("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore").unwrap(),
            "AmazonSSMManagedInstanceCore"
        );
        assert_eq!(managed_name("arn:aws:iam::aws:policy/service-role/X").unwrap(), "X");
        let code = |arn| managed_name(arn).unwrap_err().code;
        assert_eq!(code("arn:aws:iam::123456789012:policy/mine"), "NoSuchEntity");
        assert_eq!(code("ReadOnlyAccess"), "ValidationError");
    }
}
