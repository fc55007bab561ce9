//! The kinds of resources: what their ids look like and what EC2 says when one is malformed or unknown.

use crate::local_ec2::state::{Moment, Region, Tags, id};
use crate::local_ec2::wire::Error;

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ami-…`.
    Image,
    /// `i-…`.
    Instance,
    /// `vol-…`.
    Volume,
    /// `snap-…`.
    Snapshot,
    /// `sg-…`.
    Group,
    /// `sgr-…`.
    GroupRule,
    /// `subnet-…`.
    Subnet,
    /// `vpc-…`.
    Vpc,
    /// `key-…`.
    KeyPair,
    /// `eni-…`.
    Interface,
    /// `sir-…`.
    SpotRequest,
    /// `lt-…`.
    LaunchTemplate,
    /// `fleet-…`.
    Fleet,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 13] = [
        Self::Image,
        Self::Instance,
        Self::Volume,
        Self::Snapshot,
        Self::Group,
        Self::GroupRule,
        Self::Subnet,
        Self::Vpc,
        Self::KeyPair,
        Self::Interface,
        Self::SpotRequest,
        Self::LaunchTemplate,
        Self::Fleet,
    ];

    /// Those that know when they were made, so that they can be too young to be known everywhere.
    pub const YOUNG: [Kind; 8] = [
        Self::Image,
        Self::Instance,
        Self::Volume,
        Self::Snapshot,
        Self::Group,
        Self::KeyPair,
        Self::SpotRequest,
        Self::LaunchTemplate,
    ];

    /// What the ids begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Image => "ami",
            Self::Instance => "i",
            Self::Volume => "vol",
            Self::Snapshot => "snap",
            Self::Group => "sg",
            Self::GroupRule => "sgr",
            Self::Subnet => "subnet",
            Self::Vpc => "vpc",
            Self::KeyPair => "key",
            Self::Interface => "eni",
            Self::SpotRequest => "sir",
            Self::LaunchTemplate => "lt",
            Self::Fleet => "fleet",
        }
    }

    /// The name in tag specifications and DescribeTags.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Instance => "instance",
            Self::Volume => "volume",
            Self::Snapshot => "snapshot",
            Self::Group => "security-group",
            Self::GroupRule => "security-group-rule",
            Self::Subnet => "subnet",
            Self::Vpc => "vpc",
            Self::KeyPair => "key-pair",
            Self::Interface => "network-interface",
            Self::SpotRequest => "spot-instances-request",
            Self::LaunchTemplate => "launch-template",
            Self::Fleet => "fleet",
        }
    }

    /// The kind of a well-formed id.
    pub fn of(id: &str) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| kind.fits(id))
    }

    /// Whether an id has the shape of this kind's.
    fn fits(self, text: &str) -> bool {
        let rest = text.strip_prefix(self.prefix()).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
        match self {
            Self::SpotRequest => rest.len() == 8 && rest.bytes().all(|b| b.is_ascii_alphanumeric()),
            Self::Fleet => rest.len() == 36 && rest.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'),
            _ => id::is_well_formed(self.prefix(), text),
        }
    }

    fn malformed_code(self) -> &'static str {
        match self {
            Self::Image => "InvalidAMIID.Malformed",
            Self::Instance => "InvalidInstanceID.Malformed",
            Self::Volume => "InvalidVolumeID.Malformed",
            Self::Snapshot => "InvalidSnapshotID.Malformed",
            Self::Group => "InvalidGroupId.Malformed",
            Self::GroupRule => "InvalidSecurityGroupRuleId.Malformed",
            Self::Subnet => "InvalidSubnetID.Malformed",
            Self::Vpc => "InvalidVpcID.Malformed",
            Self::KeyPair => "InvalidKeyPair.NotFound",
            Self::Interface => "InvalidNetworkInterfaceId.Malformed",
            Self::SpotRequest => "InvalidSpotInstanceRequestID.Malformed",
            Self::LaunchTemplate => "InvalidLaunchTemplateId.Malformed",
            Self::Fleet => "InvalidFleetId.Malformed",
        }
    }

    /// Unknown ids. The codes of volumes, snapshots and groups lack an "ID", as on EC2.
    pub fn not_found(self, ids: &[&str]) -> Error {
        let list = ids.join(", ");
        let (code, text) = match (self, ids.len()) {
            (Self::Image, 0 | 1) => ("InvalidAMIID.NotFound", format!("The image id '[{list}]' does not exist")),
            (Self::Image, _) => ("InvalidAMIID.NotFound", format!("The image ids '[{list}]' do not exist")),
            (Self::Instance, 0 | 1) => {
                ("InvalidInstanceID.NotFound", format!("The instance ID '{list}' does not exist"))
            }
            (Self::Instance, _) => ("InvalidInstanceID.NotFound", format!("The instance IDs '{list}' do not exist")),
            (Self::Volume, _) => ("InvalidVolume.NotFound", format!("The volume '{list}' does not exist.")),
            (Self::Snapshot, _) => ("InvalidSnapshot.NotFound", format!("The snapshot '{list}' does not exist.")),
            (Self::Group, _) => ("InvalidGroup.NotFound", format!("The security group '{list}' does not exist")),
            (Self::GroupRule, _) => {
                ("InvalidSecurityGroupRuleId.NotFound", format!("The security group rule ID '{list}' does not exist"))
            }
            (Self::Subnet, _) => ("InvalidSubnetID.NotFound", format!("The subnet ID '{list}' does not exist")),
            (Self::Vpc, _) => ("InvalidVpcID.NotFound", format!("The vpc ID '{list}' does not exist")),
            (Self::KeyPair, _) => ("InvalidKeyPair.NotFound", format!("The key pair '{list}' does not exist")),
            (Self::Interface, _) => {
                ("InvalidNetworkInterfaceID.NotFound", format!("The networkInterface ID '{list}' does not exist"))
            }
            (Self::SpotRequest, _) => (
                "InvalidSpotInstanceRequestID.NotFound",
                format!("The spot instance request ID '{list}' does not exist"),
            ),
            (Self::LaunchTemplate, _) => (
                "InvalidLaunchTemplateId.NotFound",
                format!("The specified launch template, with template ID {list}, does not exist."),
            ),
            (Self::Fleet, _) => ("InvalidFleetId.NotFound", format!("The fleet ID '{list}' does not exist")),
        };
        Error::new(code, text)
    }

    /// Refuses an id of another shape.
    pub fn check_shape(self, id: &str) -> Result<(), Error> {
        if self.fits(id) {
            return Ok(());
        }
        Err(Error::new(self.malformed_code(), format!("Invalid id: \"{id}\" (expecting \"{}-...\")", self.prefix())))
    }

    /// Refuses malformed ids, then unknown ones, all of them named.
    pub fn check(self, ids: &[String], exists: impl Fn(&str) -> bool) -> Result<(), Error> {
        ids.iter().try_for_each(|id| self.check_shape(id))?;
        let unknown: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !exists(id)).collect();
        if unknown.is_empty() { Ok(()) } else { Err(self.not_found(&unknown)) }
    }

    /// The tags of a resource, to change.
    pub fn tags_mut<'a>(self, region: &'a mut Region, id: &str) -> Option<&'a mut Tags> {
        match self {
            Self::Image => region.images.get_mut(id).map(|x| &mut x.tags),
            Self::Instance => region.instances.get_mut(id).map(|x| &mut x.tags),
            Self::Volume => region.volumes.get_mut(id).map(|x| &mut x.tags),
            Self::Snapshot => region.snapshots.get_mut(id).map(|x| &mut x.tags),
            Self::Group => region.groups.get_mut(id).map(|x| &mut x.tags),
            Self::GroupRule => region
                .groups
                .values_mut()
                .flat_map(|group| group.ingress.iter_mut().chain(group.egress.iter_mut()))
                .find(|rule| rule.id == id)
                .map(|rule| &mut rule.tags),
            Self::Subnet => region.subnets.get_mut(id).map(|x| &mut x.tags),
            Self::Vpc => region.vpcs.get_mut(id).map(|x| &mut x.tags),
            Self::KeyPair => region.key_pairs.values_mut().find(|x| x.id == id).map(|x| &mut x.tags),
            Self::Interface => {
                let holder = region.instances.values_mut().find(|x| x.is_live() && x.interface.id == id);
                holder.map(|x| &mut x.interface.tags)
            }
            Self::SpotRequest => region.spot_requests.get_mut(id).map(|x| &mut x.tags),
            Self::LaunchTemplate => region.launch_templates.get_mut(id).map(|x| &mut x.tags),
            Self::Fleet => region.fleets.get_mut(id).map(|x| &mut x.tags),
        }
    }

    /// When a resource was made, for those that other calls may not know at once.
    pub fn created(self, region: &Region, id: &str) -> Option<Moment> {
        match self {
            Self::Image => region.images.get(id).map(|x| x.created),
            Self::Instance => region.instances.get(id).map(|x| x.created),
            Self::Volume => region.volumes.get(id).map(|x| x.created),
            Self::Snapshot => region.snapshots.get(id).map(|x| x.started),
            Self::Group => region.groups.get(id).map(|x| x.created),
            Self::KeyPair => region.key_pairs.values().find(|x| x.id == id).map(|x| x.created),
            Self::SpotRequest => region.spot_requests.get(id).map(|x| x.created),
            Self::LaunchTemplate => region.launch_templates.get(id).map(|x| x.created),
            _ => None,
        }
    }
}
