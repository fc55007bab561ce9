//! VPCs and subnets: which network the instance goes into, before anything is made.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Filter;

use super::clients::Ec2;
use super::error::{Error, Kind};
use super::repeat::look;
use super::retry::Age;

/// Filters by name, each with the values that match.
pub type Filters = BTreeMap<String, Vec<String>>;

/// A subnet, as far as a bake cares.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its availability zone.
    pub zone: String,
    /// Free addresses.
    pub free: i32,
}

/// A VPC, as far as a bake cares.
#[derive(Clone, Debug)]
pub struct Vpc {
    /// Its id.
    pub id: String,
    /// Whether it is the account's default one.
    pub is_default: bool,
}

/// The SDK's form of filters.
pub fn sdk_filters(filters: &Filters) -> Vec<Filter> {
    let one =
        |(name, values): (&String, &Vec<String>)| Filter::builder().name(name).set_values(Some(values.clone())).build();
    filters.iter().map(one).collect()
}

/// All subnets that match.
pub async fn subnets(ec2: &Ec2, ids: Option<Vec<String>>, filters: &Filters) -> Result<Vec<Subnet>, Error> {
    look(ec2, Age::Old, async || all_subnets(ec2, ids.clone(), filters).await).await
}

async fn all_subnets(ec2: &Ec2, ids: Option<Vec<String>>, filters: &Filters) -> Result<Vec<Subnet>, Error> {
    let subject = ids.clone().unwrap_or_default().join(", ");
    let call = ec2.client.describe_subnets().set_subnet_ids(ids).set_filters(Some(sdk_filters(filters)));
    let mut pages = call.into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(next) = pages.next().await {
        let subnet = next.map_err(|e| Error::from_sdk("DescribeSubnets", &subject, &e))?;
        all.push(Subnet {
            id: subnet.subnet_id.unwrap_or_default(),
            vpc: subnet.vpc_id.unwrap_or_default(),
            zone: subnet.availability_zone.unwrap_or_default(),
            free: subnet.available_ip_address_count.unwrap_or_default(),
        });
    }
    Ok(all)
}

/// One subnet by id.
pub async fn subnet(ec2: &Ec2, id: &str) -> Result<Subnet, Error> {
    let found = subnets(ec2, Some(vec![id.to_owned()]), &Filters::new()).await?;
    let missing = || Error::new("DescribeSubnets", id, Kind::NotFound, "the subnet does not exist");
    found.into_iter().next().ok_or_else(missing)
}

/// All VPCs that match.
pub async fn vpcs(ec2: &Ec2, ids: Option<Vec<String>>, filters: &Filters) -> Result<Vec<Vpc>, Error> {
    look(ec2, Age::Old, async || all_vpcs(ec2, ids.clone(), filters).await).await
}

async fn all_vpcs(ec2: &Ec2, ids: Option<Vec<String>>, filters: &Filters) -> Result<Vec<Vpc>, Error> {
    let subject = ids.clone().unwrap_or_default().join(", ");
    let call = ec2.client.describe_vpcs().set_vpc_ids(ids).set_filters(Some(sdk_filters(filters)));
    let mut pages = call.into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(next) = pages.next().await {
        let vpc = next.map_err(|e| Error::from_sdk("DescribeVpcs", &subject, &e))?;
        all.push(Vpc { id: vpc.vpc_id.unwrap_or_default(), is_default: vpc.is_default.unwrap_or_default() });
    }
    Ok(all)
}

/// Zones in which at least one of these instance types is offered.
pub async fn zones_offering(ec2: &Ec2, instance_types: &[String]) -> Result<Vec<String>, Error> {
    look(ec2, Age::Old, async || all_zones_offering(ec2, instance_types).await).await
}

async fn all_zones_offering(ec2: &Ec2, instance_types: &[String]) -> Result<Vec<String>, Error> {
    let subject = instance_types.join(", ");
    let call = ec2
        .client
        .describe_instance_type_offerings()
        .location_type(aws_sdk_ec2::types::LocationType::AvailabilityZone)
        .filters(Filter::builder().name("instance-type").set_values(Some(instance_types.to_vec())).build());
    let mut pages = call.into_paginator().items().send();
    let mut zones = Vec::new();
    while let Some(next) = pages.next().await {
        let offering = next.map_err(|e| Error::from_sdk("DescribeInstanceTypeOfferings", &subject, &e))?;
        zones.extend(offering.location);
    }
    Ok(zones)
}

/// Names of the regions that the account can use.
pub async fn regions(ec2: &Ec2) -> Result<Vec<String>, Error> {
    look(ec2, Age::Old, async || {
        let found =
            ec2.client.describe_regions().send().await.map_err(|e| Error::from_sdk("DescribeRegions", "", &e))?;
        Ok(found.regions().iter().filter_map(|region| region.region_name().map(str::to_owned)).collect())
    })
    .await
}
