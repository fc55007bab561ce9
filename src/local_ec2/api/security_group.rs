//! Security groups and their rules.

use super::filter::Filters;
use super::security_rule::read_rules;
use super::tags::{self, Specified};
use super::{Call, Kind, done, page};
use crate::local_ec2::state::{Group, Peer, Region, Rule, Tags, id};
use crate::local_ec2::wire::{Error, Params, Xml};

/// The parameters of the calls that add and remove rules.
pub const RULE_PARAMS: &str =
    "GroupId GroupName IpPermissions IpProtocol FromPort ToPort CidrIp SecurityGroupRuleId TagSpecification";
/// Rules per group and direction.
const MAX_RULES: usize = 60;
/// Besides letters and digits, what names and descriptions may have.
const LEGAL: &str = " ._-:/()#,@[]+=&;{}!$*";

/// CreateSecurityGroup.
pub fn create(call: &Call<'_>) -> Result<Xml, Error> {
    let name = call.params.need("GroupName")?;
    let description = call.params.need("GroupDescription")?;
    check_text("groupName", name)?;
    check_text("groupDescription", description)?;
    if name.starts_with("sg-") {
        return Err(Error::value(format!(
            "Value ({name}) for parameter groupName is invalid. Must not begin with 'sg-'."
        )));
    }
    if name.eq_ignore_ascii_case("default") {
        return Err(Error::new("InvalidGroup.Reserved", "Cannot use reserved security group name: default"));
    }
    let tags = Specified::read(call.params, &["security-group"])?.of(Kind::Group);
    let group = call.update(|region| {
        let vpc_id = vpc_or_default(region, call.params.get("VpcId"))?;
        let is_same = |group: &Group| group.vpc_id == vpc_id && group.name.to_lowercase() == name.to_lowercase();
        if region.groups.values().any(is_same) {
            let text = format!("The security group '{name}' already exists for VPC '{vpc_id}'");
            return Err(Error::new("InvalidGroup.Duplicate", text));
        }
        let group = Group {
            id: id::fresh("sg"),
            name: name.to_owned(),
            description: description.to_owned(),
            vpc_id,
            created: call.now,
            ingress: Vec::new(),
            egress: vec![Rule {
                id: id::fresh("sgr"),
                protocol: "-1".into(),
                ports: None,
                peer: Peer::V4("0.0.0.0/0".into()),
                description: String::new(),
                tags: Tags::new(),
            }],
            tags,
        };
        region.groups.insert(group.id.clone(), group.clone());
        Ok(group)
    })?;
    let mut xml = Xml::new();
    xml.text("groupId", &group.id);
    xml.text("securityGroupArn", call.arn("ec2", &format!("security-group/{}", group.id)));
    tags::write(&mut xml, &group.tags);
    Ok(xml)
}

fn check_text(what: &str, text: &str) -> Result<(), Error> {
    let legal = |c: char| c.is_ascii_alphanumeric() || LEGAL.contains(c);
    if text.len() <= 255 && text.chars().all(legal) {
        return Ok(());
    }
    Err(Error::value(format!(
        "Value ({text}) for parameter {what} is invalid. Character sets beyond ASCII are not supported; at most 255 characters."
    )))
}

fn vpc_or_default(region: &Region, vpc_id: Option<&str>) -> Result<String, Error> {
    match vpc_id {
        Some(vpc_id) if region.vpcs.contains_key(vpc_id) => Ok(vpc_id.to_owned()),
        Some(vpc_id) => Err(Kind::Vpc.not_found(&[vpc_id])),
        None => {
            let none = || Error::new("VPCIdNotSpecified", "No default VPC for this user");
            region.default_vpc().map(|vpc| vpc.id.clone()).ok_or_else(none)
        }
    }
}

/// DescribeSecurityGroups.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    const KNOWN: [&str; 9] = [
        "group-id",
        "group-name",
        "vpc-id",
        "description",
        "owner-id",
        "ip-permission.cidr",
        "ip-permission.from-port",
        "ip-permission.to-port",
        "ip-permission.protocol",
    ];
    let filters = Filters::read(call.params, &KNOWN)?;
    let (ids, names) = (call.params.list("GroupId"), call.params.list("GroupName"));
    let region = call.read()?;
    Kind::Group.check(&ids, |id| region.groups.contains_key(id))?;
    for name in &names {
        by_name(&region, name)?;
    }
    let found = region.groups.values().filter(|group| {
        (ids.is_empty() && names.is_empty() || ids.contains(&group.id) || names.contains(&group.name))
            && filters.pass(&group.tags, |name| values(call, group, name))
    });
    let page = page::cut(call, found.collect(), page::USUAL, |group| group.id.clone())?;
    let mut xml = Xml::new();
    xml.list("securityGroupInfo", &page.items, |xml, group| {
        let account = &call.scope.account;
        xml.text("ownerId", account).text("groupName", &group.name).text("groupId", &group.id);
        xml.text("groupDescription", &group.description);
        xml.text("securityGroupArn", call.arn("ec2", &format!("security-group/{}", group.id)));
        write_permissions(xml, "ipPermissions", &group.ingress, account);
        write_permissions(xml, "ipPermissionsEgress", &group.egress, account);
        xml.text("vpcId", &group.vpc_id);
        tags::write(xml, &group.tags);
    });
    xml.some("nextToken", page.next);
    Ok(xml)
}

fn values(call: &Call<'_>, group: &Group, name: &str) -> Vec<String> {
    let ports = |pick: fn((i32, i32)) -> i32| {
        group.ingress.iter().filter_map(|r| r.ports).map(|p| pick(p).to_string()).collect()
    };
    match name {
        "group-id" => vec![group.id.clone()],
        "group-name" => vec![group.name.clone()],
        "vpc-id" => vec![group.vpc_id.clone()],
        "description" => vec![group.description.clone()],
        "owner-id" => vec![call.scope.account.clone()],
        "ip-permission.from-port" => ports(|p| p.0),
        "ip-permission.to-port" => ports(|p| p.1),
        "ip-permission.protocol" => group.ingress.iter().map(|rule| rule.protocol.clone()).collect(),
        _ => group
            .ingress
            .iter()
            .filter_map(|rule| if let Peer::V4(cidr) = &rule.peer { Some(cidr.clone()) } else { None })
            .collect(),
    }
}

/// EC2 folds rules with the same protocol and ports into one permission.
fn write_permissions(xml: &mut Xml, name: &str, rules: &[Rule], account: &str) {
    let mut heads: Vec<(&str, Option<(i32, i32)>)> = Vec::new();
    for rule in rules {
        if !heads.contains(&(rule.protocol.as_str(), rule.ports)) {
            heads.push((&rule.protocol, rule.ports));
        }
    }
    xml.list(name, heads, |xml, (protocol, ports)| {
        let mine = || rules.iter().filter(|rule| rule.protocol == protocol && rule.ports == ports);
        xml.text("ipProtocol", protocol);
        xml.some("fromPort", ports.map(|p| p.0)).some("toPort", ports.map(|p| p.1));
        let groups = mine().filter_map(|rule| if let Peer::Group(x) = &rule.peer { Some((x, rule)) } else { None });
        xml.list("groups", groups, |xml, (group, rule)| {
            xml.text("userId", account).text("groupId", group).filled("description", &rule.description);
        });
        let v4 = mine().filter_map(|rule| if let Peer::V4(x) = &rule.peer { Some((x, rule)) } else { None });
        xml.list("ipRanges", v4, |xml, (cidr, rule)| {
            xml.text("cidrIp", cidr).filled("description", &rule.description);
        });
        let v6 = mine().filter_map(|rule| if let Peer::V6(x) = &rule.peer { Some((x, rule)) } else { None });
        xml.list("ipv6Ranges", v6, |xml, (cidr, rule)| {
            xml.text("cidrIpv6", cidr).filled("description", &rule.description);
        });
        xml.list("prefixListIds", std::iter::empty::<()>(), |_, ()| {});
    });
}

/// AuthorizeSecurityGroupIngress: all rules or none.
pub fn authorize_ingress(call: &Call<'_>) -> Result<Xml, Error> {
    let tags = Specified::read(call.params, &["security-group-rule"])?.of(Kind::GroupRule);
    let mut rules = read_rules(call.params)?;
    if rules.is_empty() {
        return Err(Error::missing("ipPermissions"));
    }
    rules.iter_mut().for_each(|rule| rule.tags = tags.clone());
    let group_id = call.update(|region| {
        for rule in &rules {
            if let Peer::Group(peer) = &rule.peer
                && !region.groups.contains_key(peer)
            {
                return Err(Kind::Group.not_found(&[peer]));
            }
        }
        let group = named(region, call.params)?;
        for rule in &rules {
            if group.ingress.iter().any(|old| old.matches(rule)) {
                return Err(duplicate(rule));
            }
            group.ingress.push(rule.clone());
        }
        if group.ingress.len() > MAX_RULES {
            let text = "The maximum number of rules per security group has been reached.";
            return Err(Error::new("RulesPerSecurityGroupLimitExceeded", text));
        }
        Ok(group.id.clone())
    })?;
    let mut xml = done();
    xml.list("securityGroupRuleSet", &rules, |xml, rule| {
        write_rule(xml, rule, &group_id, call);
        xml.text("groupOwnerId", &call.scope.account);
        tags::write(xml, &rule.tags);
    });
    Ok(xml)
}

fn duplicate(rule: &Rule) -> Error {
    let (Peer::V4(peer) | Peer::V6(peer) | Peer::Group(peer)) = &rule.peer;
    let ports = rule.ports.map(|(from, to)| format!(", from port: {from}, to port: {to}")).unwrap_or_default();
    let protocol = if rule.protocol == "-1" { "ALL".to_owned() } else { rule.protocol.to_uppercase() };
    let text = format!("the specified rule \"peer: {peer}, {protocol}{ports}, ALLOW\" already exists");
    Error::new("InvalidPermission.Duplicate", text)
}

fn write_rule(xml: &mut Xml, rule: &Rule, group_id: &str, call: &Call<'_>) {
    xml.text("securityGroupRuleId", &rule.id).text("groupId", group_id);
    xml.text("isEgress", false).text("ipProtocol", &rule.protocol);
    let (from, to) = rule.ports.unwrap_or((-1, -1));
    xml.text("fromPort", from).text("toPort", to);
    match &rule.peer {
        Peer::V4(cidr) => xml.text("cidrIpv4", cidr),
        Peer::V6(cidr) => xml.text("cidrIpv6", cidr),
        Peer::Group(group) => xml.node("referencedGroupInfo", |xml| {
            xml.text("groupId", group).text("userId", &call.scope.account);
        }),
    };
    xml.filled("description", &rule.description);
}

/// RevokeSecurityGroupIngress. In the default VPC a rule that is not there is no error.
pub fn revoke_ingress(call: &Call<'_>) -> Result<Xml, Error> {
    let ids = call.params.list("SecurityGroupRuleId");
    let doomed = read_rules(call.params)?;
    if ids.is_empty() && doomed.is_empty() {
        return Err(Error::missing("ipPermissions"));
    }
    let (group_id, gone, unknown) = call.update(|region| {
        let default_vpc = region.default_vpc().map(|vpc| vpc.id.clone());
        let group = named(region, call.params)?;
        for id in &ids {
            if !group.ingress.iter().any(|rule| rule.id == *id) {
                return Err(Kind::GroupRule.not_found(&[id]));
            }
        }
        let (unknown, _): (Vec<Rule>, Vec<Rule>) =
            doomed.iter().cloned().partition(|rule| !group.ingress.iter().any(|old| old.matches(rule)));
        if !unknown.is_empty() && Some(&group.vpc_id) != default_vpc.as_ref() {
            let text = "The specified rule does not exist in this security group.";
            return Err(Error::new("InvalidPermission.NotFound", text));
        }
        let is_doomed = |rule: &Rule| ids.contains(&rule.id) || doomed.iter().any(|d| d.matches(rule));
        let (gone, kept) = std::mem::take(&mut group.ingress).into_iter().partition(is_doomed);
        group.ingress = kept;
        Ok::<(String, Vec<Rule>, Vec<Rule>), Error>((group.id.clone(), gone, unknown))
    })?;
    let mut xml = done();
    write_permissions(&mut xml, "unknownIpPermissionSet", &unknown, &call.scope.account);
    xml.list("revokedSecurityGroupRuleSet", &gone, |xml, rule| write_rule(xml, rule, &group_id, call));
    Ok(xml)
}

/// The group that the request names by id, or by name in the default VPC.
fn named<'a>(region: &'a mut Region, params: &Params) -> Result<&'a mut Group, Error> {
    let id = match (params.get("GroupId"), params.get("GroupName")) {
        (Some(id), _) => {
            Kind::Group.check_shape(id)?;
            id.to_owned()
        }
        (None, Some(name)) => by_name(region, name)?,
        (None, None) => return Err(Error::missing("groupName or groupId")),
    };
    region.groups.get_mut(&id).ok_or_else(|| Kind::Group.not_found(&[&id]))
}

fn by_name(region: &Region, name: &str) -> Result<String, Error> {
    let vpc = region.default_vpc().map(|vpc| vpc.id.as_str());
    let found = region.groups.values().find(|group| Some(group.vpc_id.as_str()) == vpc && group.name == name);
    found.map(|group| group.id.clone()).ok_or_else(|| Kind::Group.not_found(&[name]))
}

/// DeleteSecurityGroup: not while an instance that is not yet terminated, or another group's rule, uses it.
pub fn delete(call: &Call<'_>) -> Result<Xml, Error> {
    let group_id = call.update(|region| {
        let group = named(region, call.params)?;
        let (group_id, is_default) = (group.id.clone(), group.name == "default");
        if is_default {
            let text = format!("the specified group: \"{group_id}\" name: \"default\" cannot be deleted by a user");
            return Err(Error::new("CannotDelete", text));
        }
        let has_instance = region.instances.values().any(|i| i.is_live() && i.groups.contains(&group_id));
        let is_peer = |group: &Group| {
            group.id != group_id && group.ingress.iter().any(|rule| rule.peer == Peer::Group(group_id.clone()))
        };
        if has_instance || region.groups.values().any(is_peer) {
            let text = format!("resource {group_id} has a dependent object");
            return Err(Error::new("DependencyViolation", text));
        }
        region.groups.remove(&group_id);
        Ok(group_id)
    })?;
    let mut xml = done();
    xml.text("groupId", group_id);
    Ok(xml)
}
