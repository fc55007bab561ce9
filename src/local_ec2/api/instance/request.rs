//! What a RunInstances request says, read and checked as far as it can be without the state.

use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::options;
use crate::local_ec2::api::instance_type::InstanceType;
use crate::local_ec2::api::mapping::Wanted;
use crate::local_ec2::api::spot_request::read_terms;
use crate::local_ec2::api::tags::Specified;
use crate::local_ec2::api::{Call, Kind, text_of};
use crate::local_ec2::state::{Attributes, Group, OnShutdown, Region, RegionInfo, Subnet, Tags};
use crate::local_ec2::wire::{Error, Params};

/// Bytes of user data, decoded.
const MAX_USER_DATA: usize = 16_384;
/// Instances per call.
const MAX_COUNT: i64 = 100;

/// What the request says, read and checked as far as it can be without the state.
pub struct Request {
    /// At least and at most so many.
    pub counts: (i64, i64),
    /// The type.
    pub instance_type: InstanceType,
    /// Where.
    pub placement: Placement,
    /// Base64.
    pub user_data: Option<String>,
    /// Devices.
    pub mappings: Vec<Wanted>,
    /// What a power-off inside means.
    pub on_shutdown: OnShutdown,
    /// Plain attributes.
    pub attributes: Attributes,
    /// What it pays on the spot market; none on demand.
    pub spot: Option<SpotTerms>,
    /// Tags by resource type.
    pub tags: Specified,
    /// The instance's tags that EC2 itself sets.
    pub system_tags: Tags,
}

/// `InstanceMarketOptions` of a spot instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotTerms {
    /// The most that its owner pays, in dollars an hour; the on-demand price when left out.
    pub max_price: Option<String>,
    /// `one-time` or `persistent`.
    pub kind: String,
    /// `terminate`, `stop` or `hibernate`.
    pub on_interruption: String,
}

/// Where, with which groups, and how it is reached.
#[derive(Default)]
pub struct Placement {
    /// The zone that was named.
    pub zone: Option<String>,
    /// The subnet that was named.
    pub subnet: Option<String>,
    /// Groups by id.
    pub groups: Vec<String>,
    /// Groups by name.
    pub group_names: Vec<String>,
    /// `AssociatePublicIpAddress`.
    pub public: Option<bool>,
    /// Of the network interface.
    pub description: String,
    /// `DeleteOnTermination=false` of the network interface.
    pub interface_stays: bool,
    /// `PrivateIpAddress`, of the request or of the network interface.
    pub private_ip: Option<Ipv4Addr>,
}

impl Request {
    /// Reads it.
    pub fn read(call: &Call<'_>) -> Result<Self, Error> {
        let params = call.params;
        params.need("ImageId")?;
        let count = |name| params.int(name).and_then(|n| n.ok_or_else(|| Error::missing(name)));
        let counts = (count("MinCount")?, count("MaxCount")?);
        if counts.0 < 1 || counts.0 > counts.1 || counts.1 > MAX_COUNT {
            let text = format!("Invalid value '{}' for minCount or '{}' for maxCount", counts.0, counts.1);
            return Err(Error::value(text));
        }
        let type_name = params.get("InstanceType").unwrap_or("m1.small");
        let instance_type = InstanceType::find(type_name)
            .ok_or_else(|| Error::value(format!("Invalid value '{type_name}' for InstanceType.")))?;
        Ok(Self {
            counts,
            placement: Placement::read(params)?,
            user_data: read_user_data(params)?,
            mappings: Wanted::read_all(params)?,
            on_shutdown: read_shutdown(params.get("InstanceInitiatedShutdownBehavior"))?,
            attributes: read_attributes(params, &instance_type)?,
            tags: Specified::read(params, &["instance", "volume", "network-interface", "spot-instances-request"])?,
            spot: read_terms(params)?,
            system_tags: Tags::new(),
            instance_type,
        })
    }
}

impl Placement {
    fn read(params: &Params) -> Result<Self, Error> {
        let text = |name: &str| params.get(name).map(str::to_owned);
        let mut placement = Self {
            zone: text("Placement.AvailabilityZone"),
            subnet: text("SubnetId"),
            groups: params.list("SecurityGroupId"),
            group_names: params.list("SecurityGroup"),
            private_ip: read_address(params)?,
            ..Self::default()
        };
        for unsupported in ["Placement.HostId", "Placement.HostResourceGroupArn"] {
            if params.get(unsupported).is_some() {
                return Err(Error::new("Unsupported", "Dedicated hosts are not there in local EC2."));
            }
        }
        let interfaces = params.each("NetworkInterface");
        let Some(first) = interfaces.first() else { return Ok(placement) };
        if placement.subnet.is_some() || !placement.groups.is_empty() || !placement.group_names.is_empty() {
            let what = if placement.subnet.is_some() { "subnet ID" } else { "security groups" };
            let text =
                format!("Network interfaces and an instance-level {what} may not be specified on the same request");
            return Err(Error::combination(text));
        }
        if interfaces.len() > 1
            || first.int("DeviceIndex")?.unwrap_or(0) != 0
            || first.get("NetworkInterfaceId").is_some()
        {
            return Err(Error::new(
                "Unsupported",
                "Local EC2 gives an instance one new network interface, with index 0.",
            ));
        }
        placement.subnet = first.get("SubnetId").map(str::to_owned);
        placement.groups = first.list("SecurityGroupId");
        placement.public = first.flag("AssociatePublicIpAddress")?;
        placement.private_ip = placement.private_ip.or(read_address(first)?);
        placement.description = text_of(first.get("Description"));
        placement.interface_stays = first.flag("DeleteOnTermination")? == Some(false);
        Ok(placement)
    }

    /// The subnet: the named one, else the zone's default, else the default one of a zone that has the instance type.
    pub fn subnet<'a>(&self, call: &Call<'_>, region: &'a Region, wanted: &InstanceType) -> Result<&'a Subnet, Error> {
        let zones = RegionInfo::find(&call.scope.region).map(RegionInfo::zones).unwrap_or_default();
        if let Some(name) = self.zone.as_ref().filter(|name| !zones.iter().any(|zone| zone.name == **name)) {
            return Err(Error::value(format!("Invalid availability zone: [{name}]")));
        }
        let offers = |subnet: &&Subnet| zones.iter().any(|zone| zone.name == subnet.zone && wanted.is_offered_in(zone));
        let subnet = match (&self.subnet, &self.zone) {
            (Some(id), _) => {
                Kind::Subnet.check_shape(id)?;
                region.subnets.get(id).ok_or_else(|| Kind::Subnet.not_found(&[id]))?
            }
            (None, zone) => {
                let mut defaults = region.subnets.values().filter(|subnet| subnet.default_for_az);
                let found = match zone {
                    Some(zone) => defaults.find(|subnet| subnet.zone == *zone),
                    // A zone that is out of capacity is not picked, unless all are; an address belongs to one subnet.
                    None => defaults.filter(offers).max_by_key(|s| {
                        let is_scarce = call.injected.is_scarce(&wanted.name, &s.zone);
                        let has_address = self.private_ip.is_none_or(|address| s.has(address));
                        (has_address, !is_scarce, s.capacity().saturating_sub(region.addresses_in_use(&s.id)))
                    }),
                };
                found.ok_or_else(|| Error::new("VPCIdNotSpecified", "No default VPC for this user"))?
            }
        };
        if self.zone.as_ref().is_some_and(|zone| *zone != subnet.zone) {
            return Err(Error::value("The specified subnet is not in the specified availability zone."));
        }
        if !offers(&subnet) {
            let others: Vec<&str> =
                zones.iter().filter(|zone| wanted.is_offered_in(zone)).map(|zone| zone.name.as_str()).collect();
            let text = format!(
                "Your requested instance type ({}) is not supported in your requested Availability Zone ({}). Please retry your request by not \
                 specifying an Availability Zone or choosing {}.",
                wanted.name,
                subnet.zone,
                others.join(", ")
            );
            return Err(Error::new("Unsupported", text));
        }
        Ok(subnet)
    }

    /// The groups: the named ones, else the VPC's default one.
    pub fn groups(&self, region: &Region, vpc_id: &str) -> Result<Vec<String>, Error> {
        let mut ids = self.groups.clone();
        for name in &self.group_names {
            let found = region.groups.values().find(|group| group.vpc_id == vpc_id && group.name == *name);
            ids.push(found.ok_or_else(|| Kind::Group.not_found(&[name]))?.id.clone());
        }
        Kind::Group.check(&ids, |id| region.groups.contains_key(id))?;
        if let Some(alien) = ids.iter().find(|id| region.groups.get(*id).is_some_and(|group| group.vpc_id != vpc_id)) {
            let text = format!("Security group {alien} and the subnet belong to different networks.");
            return Err(Error::new("InvalidParameter", text));
        }
        if ids.is_empty() {
            let is_default = |group: &&Group| group.vpc_id == vpc_id && group.name == "default";
            ids.extend(region.groups.values().find(is_default).map(|group| group.id.clone()));
        }
        Ok(ids)
    }
}

fn read_address(params: &Params) -> Result<Option<Ipv4Addr>, Error> {
    let Some(text) = params.get("PrivateIpAddress") else { return Ok(None) };
    let invalid = || Error::value(format!("Invalid IPv4 address '{text}' for privateIpAddress"));
    text.parse().map(Some).map_err(|_| invalid())
}

fn read_user_data(params: &Params) -> Result<Option<String>, Error> {
    let Some(text) = params.get("UserData") else { return Ok(None) };
    check_user_data(text).map(Some)
}

/// Decodes user data and encodes it again, so that it is kept in one form.
pub fn check_user_data(text: &str) -> Result<String, Error> {
    let packed: String = text.split_whitespace().collect();
    let bytes = STANDARD
        .decode(packed)
        .map_err(|_| Error::new("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."))?;
    if bytes.len() > MAX_USER_DATA {
        return Err(Error::value(format!("User data is limited to {MAX_USER_DATA} bytes")));
    }
    Ok(STANDARD.encode(bytes))
}

/// Reads `stop` or `terminate`.
pub fn read_shutdown(text: Option<&str>) -> Result<OnShutdown, Error> {
    match text {
        None | Some("stop") => Ok(OnShutdown::Stop),
        Some("terminate") => Ok(OnShutdown::Terminate),
        Some(other) => {
            Err(Error::value(format!("Value ({other}) for parameter instanceInitiatedShutdownBehavior is invalid.")))
        }
    }
}

fn read_attributes(params: &Params, instance_type: &InstanceType) -> Result<Attributes, Error> {
    let flag = |name: &str| params.flag(name).map(|value| value.unwrap_or(false));
    let credits = text_of(params.get("CreditSpecification.CpuCredits"));
    if !["", "standard", "unlimited"].contains(&credits.as_str()) {
        return Err(Error::value(format!("Invalid value '{credits}' for CpuCredits.")));
    }
    if !credits.is_empty() && !instance_type.burstable {
        let text = "The CreditSpecification parameter is only supported for burstable performance instances";
        return Err(Error::combination(text));
    }
    let tenancy = params.get("Placement.Tenancy").unwrap_or("default");
    if !["default", "dedicated", "host"].contains(&tenancy) {
        return Err(Error::value(format!("Invalid value '{tenancy}' for tenancy: default, dedicated or host.")));
    }
    if tenancy == "host" {
        return Err(Error::new("Unsupported", "Dedicated hosts are not there in local EC2."));
    }
    Ok(Attributes {
        ebs_optimized: flag("EbsOptimized")?,
        source_dest_check: true,
        no_termination: flag("DisableApiTermination")?,
        no_stop: flag("DisableApiStop")?,
        monitoring: flag("Monitoring.Enabled")?,
        enclave: flag("EnclaveOptions.Enabled")?,
        tenancy: tenancy.to_owned(),
        placement_group: text_of(params.get("Placement.GroupName")),
        cpu_credits: credits,
        capacity_reservation: text_of(params.get("CapacityReservationSpecification.CapacityReservationPreference")),
        licenses: params
            .each("LicenseSpecification")
            .iter()
            .filter_map(|license| license.get("LicenseConfigurationArn").map(str::to_owned))
            .collect(),
        ..options::read(params, instance_type)?
    })
}
