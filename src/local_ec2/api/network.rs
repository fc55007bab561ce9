//! VPCs and subnets: to look at. Every region has a default VPC with a subnet per zone.

use super::filter::Filters;
use super::{Call, Kind, page, tags};
use crate::local_ec2::wire::{Error, Xml};

/// DescribeVpcs.
pub fn describe_vpcs(call: &Call<'_>) -> Result<Xml, Error> {
    let known = ["vpc-id", "state", "cidr", "cidr-block", "is-default", "isDefault", "owner-id", "dhcp-options-id"];
    let filters = Filters::read(call.params, &known)?;
    let ids = call.params.list("VpcId");
    let region = call.read()?;
    Kind::Vpc.check(&ids, |id| region.vpcs.contains_key(id))?;
    let found = region.vpcs.values().filter(|vpc| {
        (ids.is_empty() || ids.contains(&vpc.id))
            && filters.pass(&vpc.tags, |name| {
                vec![match name {
                    "vpc-id" => vpc.id.clone(),
                    "state" => "available".to_owned(),
                    "cidr" | "cidr-block" => vpc.cidr.clone(),
                    "is-default" | "isDefault" => vpc.is_default.to_string(),
                    "owner-id" => call.scope.account.clone(),
                    _ => "default".to_owned(),
                }]
            })
    });
    let page = page::cut(call, found.collect(), page::USUAL, |vpc| vpc.id.clone())?;
    let mut xml = Xml::new();
    xml.list("vpcSet", &page.items, |xml, vpc| {
        xml.text("vpcId", &vpc.id).text("ownerId", &call.scope.account).text("state", "available");
        xml.text("cidrBlock", &vpc.cidr).text("dhcpOptionsId", "default").text("instanceTenancy", "default");
        xml.text("isDefault", vpc.is_default);
        tags::write(xml, &vpc.tags);
    });
    xml.some("nextToken", page.next);
    Ok(xml)
}

/// DescribeSubnets.
pub fn describe_subnets(call: &Call<'_>) -> Result<Xml, Error> {
    const KNOWN: [&str; 13] = [
        "vpc-id",
        "state",
        "availability-zone",
        "availabilityZone",
        "availability-zone-id",
        "availabilityZoneId",
        "default-for-az",
        "defaultForAz",
        "subnet-id",
        "cidr-block",
        "map-public-ip-on-launch",
        "owner-id",
        "available-ip-address-count",
    ];
    let filters = Filters::read(call.params, &KNOWN)?;
    let ids = call.params.list("SubnetId");
    let region = call.read()?;
    Kind::Subnet.check(&ids, |id| region.subnets.contains_key(id))?;
    let free = |id: &str, capacity: u32| capacity.saturating_sub(region.addresses_in_use(id));
    let found = region.subnets.values().filter(|subnet| {
        (ids.is_empty() || ids.contains(&subnet.id))
            && filters.pass(&subnet.tags, |name| {
                vec![match name {
                    "vpc-id" => subnet.vpc_id.clone(),
                    "state" => "available".to_owned(),
                    "availability-zone" | "availabilityZone" => subnet.zone.clone(),
                    "availability-zone-id" | "availabilityZoneId" => subnet.zone_id.clone(),
                    "default-for-az" | "defaultForAz" => subnet.default_for_az.to_string(),
                    "subnet-id" => subnet.id.clone(),
                    "cidr-block" => subnet.cidr(),
                    "map-public-ip-on-launch" => subnet.public_ip_on_launch.to_string(),
                    "available-ip-address-count" => free(&subnet.id, subnet.capacity()).to_string(),
                    _ => call.scope.account.clone(),
                }]
            })
    });
    let page = page::cut(call, found.collect(), page::USUAL, |subnet| subnet.id.clone())?;
    let mut xml = Xml::new();
    xml.list("subnetSet", &page.items, |xml, subnet| {
        xml.text("subnetId", &subnet.id).text("state", "available").text("vpcId", &subnet.vpc_id);
        xml.text("ownerId", &call.scope.account).text("cidrBlock", subnet.cidr());
        xml.text("availableIpAddressCount", free(&subnet.id, subnet.capacity()));
        xml.text("availabilityZone", &subnet.zone).text("availabilityZoneId", &subnet.zone_id);
        xml.text("defaultForAz", subnet.default_for_az).text("mapPublicIpOnLaunch", subnet.public_ip_on_launch);
        xml.text("assignIpv6AddressOnCreation", false);
        xml.text("subnetArn", call.arn("ec2", &format!("subnet/{}", subnet.id)));
        tags::write(xml, &subnet.tags);
    });
    xml.some("nextToken", page.next);
    Ok(xml)
}
