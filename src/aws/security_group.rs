//! Security groups: the temporary one that lets only the caller in, and the look-up of existing ones.

use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, Ipv6Range, ResourceType};

use super::clients::Ec2;
use super::error::{Error, Kind};
use super::network::{Filters, sdk_filters};
use super::repeat::{create, repeat};
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
            .set_tag_specifications(specification(ResourceType::SecurityGroup, group.tags).map(|one| vec![one]))
            .customize()
            .config_override(aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled()));
        let made = request.send().await.map_err(|e| Error::from_sdk("CreateSecurityGroup", group.name, &e))?;
        let missing = || Error::new("CreateSecurityGroup", group.name, Kind::NoReply, "the reply names no group");
        made.group_id.ok_or_else(missing)
    };
    create(call, async || find(ec2, group.name, group.tags.get(RUN)).await).await
}

/// The id of the group of that name that this run made, if there is one.
pub async fn find(ec2: &Ec2, name: &str, run: Option<&String>) -> Result<Option<String>, Error> {
    let mut call = ec2.client.describe_security_groups();
    call = call.filters(Filter::builder().name("group-name").values(name).build());
    if let Some(run) = run {
        call = call.filters(Filter::builder().name(format!("tag:{RUN}")).values(run).build());
    }
    let found = call.send().await.map_err(|e| Error::from_sdk("DescribeSecurityGroups", name, &e))?;
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
    // A young group can be unknown to this call for some seconds (ec2-api.md 2.0), so NotFound is asked again for a while.
    young(async || {
        let call = ec2.client.authorize_security_group_ingress().group_id(id).ip_permissions(permission.clone());
        match call.send().await.map_err(|e| Error::from_sdk("AuthorizeSecurityGroupIngress", id, &e)) {
            Err(error) if error.kind == Kind::Duplicate => Ok(()),
            other => other.map(drop),
        }
    })
    .await
}

/// Asks again while a resource that was just made is not found yet.
async fn young<T>(call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let until = tokio::time::Instant::now() + super::wait_states::YOUNG;
    repeat(async || match call().await {
        Err(error) if error.kind == Kind::NotFound && tokio::time::Instant::now() < until => {
            Err(Error { kind: Kind::Unavailable, ..error })
        }
        other => other,
    })
    .await
}

fn some<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

/// Ids of the groups that match; an unknown id is an error.
pub async fn describe(ec2: &Ec2, ids: Option<Vec<String>>, filters: &Filters) -> Result<Vec<String>, Error> {
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
    super::wait_states::retry_in_use("delete security group", async || {
        match ec2.client.delete_security_group().group_id(id).send().await {
            Ok(_) => Ok(()),
            Err(e) => match Error::from_sdk("DeleteSecurityGroup", id, &e) {
                error if error.kind == Kind::NotFound => Ok(()),
                error => Err(error),
            },
        }
    })
    .await
}
