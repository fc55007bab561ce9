//! Security groups: the temporary one that lets only the caller in, and the look-up of existing ones.

use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, Ipv6Range, ResourceType};

use super::clients::Ec2;
use super::error::{Error, Kind};
use super::network::{Filters, sdk_filters};
use super::repeat::{self, change, create, look};
use super::retry::Age;
use super::tags::{RUN, Tags, specification};

/// What a temporary group is made of.
pub struct Group<'a> {
    /// Its name, unique within the VPC.
    pub name: &'a str,
    /// Its VPC; `None` for the account's default one.
    pub vpc: Option<&'a str>,
    /// Its tags, the run's included.
    pub tags: &'a Tags,
}

/// Creates a group without any ingress rule and returns its id.
pub async fn create_group(ec2: &Ec2, group: &Group<'_>) -> Result<String, Error> {
    let call = async || {
        let request = ec2
            .client
            .create_security_group()
            .group_name(group.name)
            .description("Temporary group for Packer")
            .set_vpc_id(group.vpc.map(str::to_owned))
            .set_tag_specifications(specification(ResourceType::SecurityGroup, group.tags).map(|one| vec![one]));
        let made = request.send().await.map_err(|e| Error::from_sdk("CreateSecurityGroup", group.name, &e))?;
        let missing = || Error::new("CreateSecurityGroup", group.name, Kind::NoReply, "the reply names no group");
        made.group_id.ok_or_else(missing)
    };
    create(ec2, call, async || find(ec2, group.name, group.tags.get(RUN)).await).await
}

/// The id of the group of that name that this run made, if there is one.
pub async fn find(ec2: &Ec2, name: &str, run: Option<&String>) -> Result<Option<String>, Error> {
    let named = Filter::builder().name("group-name").values(name).build();
    let tagged = run.map(|run| Filter::builder().name(format!("tag:{RUN}")).values(run).build());
    let filters: Vec<Filter> = [Some(named), tagged].into_iter().flatten().collect();
    let found = look(ec2, Age::Old, async || {
        let call = ec2.client.describe_security_groups().set_filters(Some(filters.clone()));
        call.send().await.map_err(|e| Error::from_sdk("DescribeSecurityGroups", name, &e))
    })
    .await?;
    Ok(found.security_groups().first().and_then(|group| group.group_id().map(str::to_owned)))
}

/// Lets TCP connections to one port in from these CIDR blocks (IPv4 and IPv6).
pub async fn allow(ec2: &Ec2, id: &str, port: u16, cidrs: &[String]) -> Result<(), Error> {
    let (v6, v4): (Vec<_>, Vec<_>) = cidrs.iter().partition(|cidr| cidr.contains(':'));
    let permission = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(port.into())
        .to_port(port.into())
        .set_ip_ranges(some(v4.into_iter().map(|cidr| IpRange::builder().cidr_ip(cidr).build())))
        .set_ipv6_ranges(some(v6.into_iter().map(|cidr| Ipv6Range::builder().cidr_ipv6(cidr).build())))
        .build();
    // Made again after a lost reply, the rule is there already.
    change(ec2, Age::Young, async || {
        let call = ec2.client.authorize_security_group_ingress().group_id(id).ip_permissions(permission.clone());
        call.send().await.map(drop).map_err(|e| Error::from_sdk("AuthorizeSecurityGroupIngress", id, &e))
    })
    .await
}

fn some<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

/// Ids of the groups that match; an unknown id is an error.
pub async fn describe(ec2: &Ec2, ids: Option<Vec<String>>, filters: &Filters) -> Result<Vec<String>, Error> {
    look(ec2, Age::Old, async || all(ec2, ids.clone(), filters).await).await
}

async fn all(ec2: &Ec2, ids: Option<Vec<String>>, filters: &Filters) -> Result<Vec<String>, Error> {
    let subject = ids.clone().unwrap_or_default().join(", ");
    let call = ec2.client.describe_security_groups().set_group_ids(ids).set_filters(Some(sdk_filters(filters)));
    let mut pages = call.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(next) = pages.next().await {
        found.extend(next.map_err(|e| Error::from_sdk("DescribeSecurityGroups", &subject, &e))?.group_id);
    }
    Ok(found)
}

/// The default group of a VPC.
pub async fn default_of(ec2: &Ec2, vpc: &str) -> Result<Option<String>, Error> {
    let filters = [("vpc-id", vpc), ("group-name", "default")];
    let filters = filters.map(|(name, value)| (name.to_owned(), vec![value.to_owned()])).into();
    Ok(describe(ec2, None, &filters).await?.into_iter().next())
}

/// Deletes a group once nothing uses it any more; one that is gone is no error.
pub async fn release(ec2: &Ec2, id: &str) -> Result<(), Error> {
    repeat::release(ec2, Age::Old, async || {
        let call = ec2.client.delete_security_group().group_id(id).send().await;
        call.map(drop).map_err(|e| Error::from_sdk("DeleteSecurityGroup", id, &e))
    })
    .await
}
