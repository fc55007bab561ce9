//! Which VPC, subnet and zone the instance goes into (packer-amazon.md section 2.2 step 3).

use crate::aws::network::{Filters, Subnet, subnet, subnets, vpcs, zones_offering};
use crate::engine::Cause;
use crate::sources::options::filters::filters;

use super::super::bake::Bake;
use super::super::options::SubnetFilter;
use super::Refused;

/// Where the instance goes; empty means that EC2 chooses.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// VPC.
    pub vpc: Option<String>,
    /// Subnet.
    pub subnet: Option<String>,
    /// Availability zone.
    pub zone: Option<String>,
}

/// Finds it from the template's ids and filters.
pub async fn find(bake: &Bake<'_>) -> Result<Network, Cause> {
    if bake.past.instance().is_some() {
        return Ok(Network::default());
    }
    let options = &bake.source.options;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let zone = given(&options.availability_zone);
    let vpc = match given(&options.vpc_id) {
        Some(id) => Some(id),
        None => vpc_by_filter(bake).await?,
    };
    let subnet = match given(&options.subnet_id) {
        Some(id) => Some(subnet(&bake.ec2, &id).await?),
        None => subnet_by_filter(bake, vpc.as_deref(), zone.as_deref()).await?,
    };
    let subnet = match (subnet, options.associate_public_ip_address) {
        // EC2 takes the choice of a public address only together with a subnet.
        (None, Some(_)) => Some(infer_subnet(bake, vpc.as_deref(), zone.as_deref()).await?),
        (subnet, _) => subnet,
    };
    if subnet.is_none() && vpc.is_some() {
        check_default(bake, vpc.as_deref()).await?;
    }
    Ok(match subnet {
        Some(subnet) => Network { vpc: Some(subnet.vpc), subnet: Some(subnet.id), zone: zone.or(Some(subnet.zone)) },
        None => Network { vpc, subnet: None, zone },
    })
}

async fn vpc_by_filter(bake: &Bake<'_>) -> Result<Option<String>, Cause> {
    let Some(filter) = &bake.source.options.vpc_filter else { return Ok(None) };
    let mut wanted = filters(&filter.filters, &filter.filter);
    wanted.entry("state".into()).or_insert_with(|| vec!["available".into()]);
    let found = vpcs(&bake.ec2, None, &wanted).await?;
    let [vpc] = found.as_slice() else {
        let text = format!("Exactly one VPC should match the filter, but {} VPCs match {}", found.len(), text(&wanted));
        return Err(Refused(text).into());
    };
    bake.cx.events.say(format!("Found VPC ID: {}", vpc.id));
    Ok(Some(vpc.id.clone()))
}

async fn subnet_by_filter(bake: &Bake<'_>, vpc: Option<&str>, zone: Option<&str>) -> Result<Option<Subnet>, Cause> {
    let Some(filter) = &bake.source.options.subnet_filter else { return Ok(None) };
    let mut wanted = available(vpc, zone);
    wanted.extend(filters(&filter.filters, &filter.filter));
    let found = subnets(&bake.ec2, None, &wanted).await?;
    let subnet = choose(filter, found).map_err(|count| match count {
        0 => Refused(format!("No Subnets was found matching filters: {}", text(&wanted))),
        n => Refused(format!(
            "Your filter matched {n} Subnets. Please try a more specific search, or set random or most_free to true."
        )),
    })?;
    bake.cx.events.say(format!("Found Subnet ID: {}", subnet.id));
    Ok(Some(subnet))
}

/// One of the subnets found, or how many there are when that is not one and the template does not say how to choose.
fn choose(filter: &SubnetFilter, mut found: Vec<Subnet>) -> Result<Subnet, usize> {
    let count = found.len();
    if filter.random && !filter.most_free && count > 1 {
        use std::hash::{BuildHasher, RandomState};
        return Ok(found.swap_remove((RandomState::new().hash_one(count) % count as u64) as usize));
    }
    if count > 1 && !filter.most_free {
        return Err(count);
    }
    found.into_iter().max_by_key(|subnet| subnet.free).ok_or(0)
}

fn available(vpc: Option<&str>, zone: Option<&str>) -> Filters {
    let known = [("state", Some("available")), ("vpc-id", vpc), ("availability-zone", zone)];
    known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), vec![value?.to_owned()]))).collect()
}

/// The subnet with most free addresses in a zone that offers the instance type.
async fn infer_subnet(bake: &Bake<'_>, vpc: Option<&str>, zone: Option<&str>) -> Result<Subnet, Cause> {
    let kinds = bake.source.options.instance_types();
    let vpc = match vpc {
        Some(vpc) => vpc.to_owned(),
        None => default_vpc(bake).await?,
    };
    let wanted = available(Some(&vpc), zone);
    let (found, zones) = tokio::try_join!(subnets(&bake.ec2, None, &wanted), zones_offering(&bake.ec2, &kinds))?;
    let usable = found.into_iter().filter(|subnet| zones.contains(&subnet.zone));
    let subnet = usable.max_by_key(|subnet| subnet.free).ok_or_else(|| {
        Refused(format!("associate_public_ip_address needs a subnet, and no subnet of {vpc} is in a zone that offers {}: set subnet_id", kinds.join(" or ")))
    })?;
    bake.cx.events.say(format!("Set subnet as \"{}\"", subnet.id));
    Ok(subnet)
}

async fn default_vpc(bake: &Bake<'_>) -> Result<String, Cause> {
    let wanted = [("is-default".to_owned(), vec!["true".to_owned()])].into();
    let found = vpcs(&bake.ec2, None, &wanted).await?;
    let missing = || Refused(format!("No default VPC found in {}: set subnet_id", bake.ec2.region));
    Ok(found.first().map(|vpc| vpc.id.clone()).ok_or_else(missing)?)
}

/// A VPC that is not the default one says nothing about a subnet.
async fn check_default(bake: &Bake<'_>, vpc: Option<&str>) -> Result<(), Cause> {
    let Some(id) = vpc else { return Ok(()) };
    let found = vpcs(&bake.ec2, Some(vec![id.to_owned()]), &Filters::new()).await?;
    if found.first().is_some_and(|vpc| vpc.is_default) {
        return Ok(());
    }
    Err(Refused(format!("subnet_id or subnet_filter must be provided for non-default VPCs ({id})")).into())
}

fn text(filters: &Filters) -> String {
    let one = |(name, values): (&String, &Vec<String>)| format!("{name} = {}", values.join(" or "));
    filters.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_subnets_need_a_choice() {
        let subnet = |id: &str, free| Subnet { id: id.into(), vpc: String::new(), zone: String::new(), free };
        let found = || vec![subnet("a", 1), subnet("b", 3), subnet("c", 2)];
        let filter = SubnetFilter::default();
        assert_eq!(choose(&filter, found()).unwrap_err(), 3);
        assert_eq!(choose(&filter, vec![]).unwrap_err(), 0);
        assert_eq!(choose(&filter, vec![subnet("a", 1)]).unwrap().id, "a");
        let most_free = SubnetFilter { most_free: true, random: true, ..SubnetFilter::default() };
        assert_eq!(choose(&most_free, found()).unwrap().id, "b");
        let random = SubnetFilter { random: true, ..SubnetFilter::default() };
        assert!(choose(&random, found()).is_ok());
    }
}
