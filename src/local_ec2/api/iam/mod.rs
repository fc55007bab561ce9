//! IAM, as far as a temporary instance profile needs it: roles, their policies, and instance profiles.
//!
//! IAM belongs to an account and not to a region; everything here is in the account's global document.

mod policy;
mod profile;
mod role;

pub use policy::{
    attach, attached, delete as delete_policy, detach, get as get_policy, list as list_policies, put as put_policy,
};
pub use profile::{
    add_role, create as create_profile, delete as delete_profile, find_for_launch, get as get_profile,
    list as list_profiles, list_for_role as list_profiles_for_role, remove_role, tag as tag_profile,
};
pub use role::{create as create_role, delete as delete_role, get as get_role, list as list_roles, tag as tag_role};

use super::Call;
use crate::local_ec2::state::{Moment, Region, Tags, id};
use crate::local_ec2::wire::{Error, Params, Xml};

/// `2026-11-20T13:47:59Z`: IAM's times have no fractions.
fn time(at: Moment) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ")
}

/// A required parameter, refused in IAM's words.
fn need<'a>(call: &Call<'a>, name: &str) -> Result<&'a str, Error> {
    let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
    call.params.get(name).ok_or_else(|| invalid("null", &member, "Member must not be null"))
}

fn invalid(value: &str, member: &str, rule: &str) -> Error {
    let quoted = if value == "null" { value.to_owned() } else { format!("'{value}'") };
    let text =
        format!("1 validation error detected: Value {quoted} at '{member}' failed to satisfy constraint: {rule}");
    Error::new("ValidationError", text)
}

/// A required name of a role, profile or policy.
fn need_name<'a>(call: &Call<'a>, parameter: &str, longest: usize) -> Result<&'a str, Error> {
    let name = need(call, parameter)?;
    let member = format!("{}{}", parameter[..1].to_lowercase(), &parameter[1..]);
    if name.len() > longest {
        return Err(invalid(name, &member, &format!("Member must have length less than or equal to {longest}")));
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)) {
        return Err(invalid(name, &member, "Member must satisfy regular expression pattern: [\\w+=,.@-]+"));
    }
    Ok(name)
}

/// TagRole and TagInstanceProfile: `tags_of` finds what the tags are put on.
fn put_tags(
    call: &Call<'_>,
    parameter: &str,
    longest: usize,
    tags_of: impl for<'a> Fn(&'a mut Region, &str) -> Result<&'a mut Tags, Error>,
) -> Result<Xml, Error> {
    let name = need_name(call, parameter, longest)?;
    let tags = read_tags(call.params);
    call.update(|account| {
        tags_of(account, name)?.extend(tags);
        Ok(())
    })?;
    Ok(Xml::new())
}

/// `/` unless the request says otherwise.
fn path(params: &Params) -> Result<String, Error> {
    let path = params.get("Path").unwrap_or("/");
    if path.starts_with('/') && path.ends_with('/') {
        return Ok(path.to_owned());
    }
    Err(Error::new(
        "ValidationError",
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
    ))
}

/// `Tags.member.N`.
fn read_tags(params: &Params) -> Tags {
    let pair = |tag: &Params| Some((tag.get("Key")?.to_owned(), tag.raw("Value").unwrap_or_default().to_owned()));
    params.each("Tags").iter().filter_map(pair).collect()
}

fn write_tags(xml: &mut Xml, tags: &Tags) {
    if tags.is_empty() {
        return;
    }
    xml.list_of("Tags", "member", tags, |xml, (key, value)| {
        xml.text("Key", key).text("Value", value);
    });
}

/// `AROA…` and the like: 21 characters.
fn fresh_id(prefix: &str) -> String {
    format!("{prefix}{}", &id::random_hex().to_uppercase()[..17])
}

/// `arn:aws:iam::ACCOUNT:WHAT`, in the caller's partition.
fn arn(call: &Call<'_>, what: &str) -> String {
    let partition = call.caller.arn.split(':').nth(1).unwrap_or("aws");
    format!("arn:{partition}:iam::{}:{what}", call.scope.account)
}

/// Policy documents must be JSON objects with statements.
fn check_document(text: &str) -> Result<(), Error> {
    let document: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| Error::new("MalformedPolicyDocument", format!("Syntax errors in policy: {error}")))?;
    let statements = match &document["Statement"] {
        serde_json::Value::Array(all) => all.iter().collect(),
        one @ serde_json::Value::Object(_) => vec![one],
        _ => Vec::new(),
    };
    let is_whole = |s: &&serde_json::Value| matches!(s["Effect"].as_str(), Some("Allow" | "Deny"));
    if statements.is_empty() || !statements.iter().all(is_whole) {
        return Err(Error::new("MalformedPolicyDocument", "Syntax errors in policy."));
    }
    Ok(())
}

fn no_such(what: &str, name: &str) -> Error {
    Error::new("NoSuchEntity", format!("The {what} with name {name} cannot be found."))
}

fn conflict(text: &str) -> Error {
    Error::new("DeleteConflict", text)
}

/// Writes one page of a list: `MaxItems` from `Marker` on.
fn write_page<T>(
    call: &Call<'_>,
    xml: &mut Xml,
    name: &str,
    items: &[T],
    each: impl Fn(&mut Xml, &T),
) -> Result<(), Error> {
    let start = match call.params.get("Marker") {
        None => 0,
        Some(text) => text.parse::<usize>().map_err(|_| Error::new("ValidationError", "Invalid Marker."))?,
    };
    let size = call.params.int("MaxItems")?.unwrap_or(100);
    if !(1..=1000).contains(&size) {
        return Err(invalid(&size.to_string(), "maxItems", "Member must have value between 1 and 1000"));
    }
    let end = items.len().min(start.saturating_add(usize::try_from(size).unwrap_or(100)));
    let page = items.get(start..end).unwrap_or_default();
    xml.list_of(name, "member", page, each);
    xml.text("IsTruncated", end < items.len());
    xml.some("Marker", (end < items.len()).then_some(end));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_json_with_statements() {
        for (text, ok) in [
            (r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#, true),
            (r#"{"Statement":{"Effect":"Deny"}}"#, true),
            (r#"{"Statement":[]}"#, false),
            (r#"{"Statement":[{"Action":"*"}]}"#, false),
            ("nonsense", false),
        ] {
            assert_eq!(check_document(text).is_ok(), ok, "{text}");
        }
    }
}
