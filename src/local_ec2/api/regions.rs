//! Regions and availability zones.

use super::Call;
use super::filter::Filters;
use crate::local_ec2::state::{REGIONS, RegionInfo, Tags, partition_of};
use crate::local_ec2::wire::{Error, Xml};

/// DescribeRegions: the enabled regions of the caller's partition.
pub fn describe_regions(call: &Call<'_>) -> Result<Xml, Error> {
    let filters = Filters::read(call.params, &["region-name", "endpoint", "opt-in-status"])?;
    let all = call.params.flag("AllRegions")?.unwrap_or(false);
    let names = call.params.list("RegionName");
    let partition = partition_of(&call.scope.region);
    let known: Vec<&RegionInfo> = REGIONS.iter().filter(|region| region.partition() == partition).collect();
    let unknown: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !known.iter().any(|region| region.name == *name)).collect();
    if !unknown.is_empty() {
        return Err(Error::value(format!("Invalid region names: {}", unknown.join(", "))));
    }
    let shown = known.into_iter().filter(|region| {
        (all || !region.opt_in || names.iter().any(|name| name == region.name))
            && (names.is_empty() || names.iter().any(|name| name == region.name))
            && filters.pass(&Tags::new(), |name| {
                vec![match name {
                    "region-name" => region.name.to_owned(),
                    "endpoint" => region.endpoint(),
                    _ => opt_in_status(region).to_owned(),
                }]
            })
    });
    let mut xml = Xml::new();
    xml.list("regionInfo", shown, |xml, region| {
        xml.text("regionName", region.name);
        xml.text("regionEndpoint", region.endpoint());
        xml.text("optInStatus", opt_in_status(region));
    });
    Ok(xml)
}

fn opt_in_status(region: &RegionInfo) -> &'static str {
    if region.opt_in { "not-opted-in" } else { "opt-in-not-required" }
}

/// DescribeAvailabilityZones.
pub fn describe_zones(call: &Call<'_>) -> Result<Xml, Error> {
    let known = ["zone-name", "zone-id", "state", "zone-type", "region-name", "group-name", "opt-in-status"];
    let filters = Filters::read(call.params, &known)?;
    let (names, ids) = (call.params.list("ZoneName"), call.params.list("ZoneId"));
    let region = &call.scope.region;
    let zones = RegionInfo::find(region).map(RegionInfo::zones).unwrap_or_default();
    let unknown = names.iter().find(|name| !zones.iter().any(|zone| zone.name == **name));
    let unknown = unknown.or_else(|| ids.iter().find(|id| !zones.iter().any(|zone| zone.id == **id)));
    if let Some(name) = unknown {
        return Err(Error::value(format!("Invalid availability zones: [{name}]")));
    }
    let shown = zones.iter().filter(|zone| {
        (names.is_empty() || names.contains(&zone.name))
            && (ids.is_empty() || ids.contains(&zone.id))
            && filters.pass(&Tags::new(), |name| {
                vec![match name {
                    "zone-name" => zone.name.clone(),
                    "zone-id" => zone.id.clone(),
                    "state" => "available".to_owned(),
                    "zone-type" => "availability-zone".to_owned(),
                    "opt-in-status" => "opt-in-not-required".to_owned(),
                    _ => region.clone(),
                }]
            })
    });
    let mut xml = Xml::new();
    xml.list("availabilityZoneInfo", shown, |xml, zone| {
        xml.text("optInStatus", "opt-in-not-required").text("zoneName", &zone.name).text("zoneId", &zone.id);
        xml.text("zoneState", "available").text("regionName", region).text("groupName", region);
        xml.text("zoneType", "availability-zone").text("networkBorderGroup", region);
    });
    Ok(xml)
}
