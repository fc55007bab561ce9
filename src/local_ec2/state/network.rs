//! VPCs, subnets and security groups as they are kept.

use serde::{Deserialize, Serialize};

use super::{Moment, Tags};

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// `vpc-…`.
    pub id: String,
    /// Its IPv4 block.
    pub cidr: String,
    /// The one that is taken when none is named.
    pub is_default: bool,
    /// User tags.
    pub tags: Tags,
}

/// A subnet of a VPC, in one zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// `subnet-…`.
    pub id: String,
    /// The VPC it is part of.
    pub vpc_id: String,
    /// The zone's name.
    pub zone: String,
    /// The zone's id.
    pub zone_id: String,
    /// First address of its block.
    pub base: std::net::Ipv4Addr,
    /// Length of the block's prefix.
    pub prefix: u8,
    /// The one that is taken when only the zone is named.
    pub default_for_az: bool,
    /// Whether instances get a public address unless they say otherwise.
    pub public_ip_on_launch: bool,
    /// User tags.
    pub tags: Tags,
}

impl Subnet {
    /// `172.31.0.0/20`.
    pub fn cidr(&self) -> String {
        format!("{}/{}", self.base, self.prefix)
    }

    /// Addresses that instances can have: AWS keeps five of each subnet.
    pub fn capacity(&self) -> u32 {
        (1u32 << (32 - u32::from(self.prefix.clamp(16, 28)))) - 5
    }

    /// Whether an address is one of them.
    pub fn has(&self, address: std::net::Ipv4Addr) -> bool {
        let first = u32::from(self.base) + 4;
        (first..first + self.capacity()).contains(&u32::from(address))
    }

    /// The `n`th of them.
    pub fn address(&self, n: u32) -> std::net::Ipv4Addr {
        std::net::Ipv4Addr::from(u32::from(self.base) + 4 + n % self.capacity())
    }
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// `sg-…`.
    pub id: String,
    /// Unique in its VPC, whatever the case.
    pub name: String,
    /// What its maker wrote.
    pub description: String,
    /// The VPC it is part of.
    pub vpc_id: String,
    /// When it was made.
    pub created: Moment,
    /// What it lets in.
    pub ingress: Vec<Rule>,
    /// What it lets out.
    pub egress: Vec<Rule>,
    /// User tags.
    pub tags: Tags,
}

/// One rule: a single peer, as EC2 counts them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// `sgr-…`.
    pub id: String,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1`.
    pub protocol: String,
    /// First and last port (ICMP: type and code); none for `-1`.
    pub ports: Option<(i32, i32)>,
    /// Whom it lets in or out.
    pub peer: Peer,
    /// What its maker wrote.
    pub description: String,
    /// User tags.
    #[serde(default)]
    pub tags: Tags,
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peer {
    /// An IPv4 block, canonical.
    V4(String),
    /// An IPv6 block, canonical.
    V6(String),
    /// The members of a group.
    Group(String),
}

impl Rule {
    /// True when both let the same in, whatever their ids and descriptions.
    pub fn matches(&self, other: &Rule) -> bool {
        (&self.protocol, self.ports, &self.peer) == (&other.protocol, other.ports, &other.peer)
    }
}
