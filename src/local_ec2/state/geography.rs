//! Regions and their zones.

/// One region as DescribeRegions lists it.
#[derive(Debug, PartialEq, Eq)]
pub struct RegionInfo {
    /// `eu-west-1`.
    pub name: &'static str,
    /// The letters of its zones.
    zones: &'static str,
    /// What its zone ids begin with (`euw1` in `euw1-az1`).
    zone_id_prefix: &'static str,
    /// True for a region that accounts must switch on; none is here.
    pub opt_in: bool,
}

/// One availability zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// `eu-west-1a`.
    pub name: String,
    /// `euw1-az2`: zone names are shuffled per account, so the numbers do not follow the letters.
    pub id: String,
}

const fn region(name: &'static str, zones: &'static str, zone_id_prefix: &'static str) -> RegionInfo {
    RegionInfo { name, zones, zone_id_prefix, opt_in: false }
}

const fn opt_in(name: &'static str, zone_id_prefix: &'static str) -> RegionInfo {
    RegionInfo { name, zones: "abc", zone_id_prefix, opt_in: true }
}

/// The regions that can be signed for.
pub const REGIONS: &[RegionInfo] = &[
    region("ap-northeast-1", "acd", "apne1"),
    region("ap-northeast-2", "abcd", "apne2"),
    region("ap-northeast-3", "abc", "apne3"),
    region("ap-south-1", "abc", "aps1"),
    region("ap-southeast-1", "abc", "apse1"),
    region("ap-southeast-2", "abc", "apse2"),
    region("ca-central-1", "abd", "cac1"),
    region("eu-central-1", "abc", "euc1"),
    region("eu-north-1", "abc", "eun1"),
    region("eu-west-1", "abc", "euw1"),
    region("eu-west-2", "abc", "euw2"),
    region("eu-west-3", "abc", "euw3"),
    region("sa-east-1", "abc", "sae1"),
    region("us-east-1", "abcdef", "use1"),
    region("us-east-2", "abc", "use2"),
    region("us-west-1", "ac", "usw1"),
    region("us-west-2", "abcd", "usw2"),
    region("us-gov-west-1", "abc", "usgw1"),
    region("us-gov-east-1", "abc", "usge1"),
    region("cn-north-1", "abd", "cnn1"),
    region("cn-northwest-1", "abc", "cnnw1"),
    opt_in("af-south-1", "afs1"),
    opt_in("ap-east-1", "ape1"),
    opt_in("eu-south-1", "eus1"),
    opt_in("me-south-1", "mes1"),
];

impl RegionInfo {
    /// The region with this name.
    pub fn find(name: &str) -> Option<&'static RegionInfo> {
        REGIONS.iter().find(|region| region.name == name)
    }

    /// `aws`, `aws-cn` or `aws-us-gov`: regions of different partitions do not know each other.
    pub fn partition(&self) -> &'static str {
        partition_of(self.name)
    }

    /// Its zones in the order of their names.
    pub fn zones(&self) -> Vec<Zone> {
        let count = self.zones.len();
        let name = |(at, letter)| Zone {
            name: format!("{}{letter}", self.name),
            id: format!("{}-az{}", self.zone_id_prefix, (at + 1) % count + 1),
        };
        self.zones.chars().enumerate().map(name).collect()
    }

    /// The host that the AWS SDKs would dial.
    pub fn endpoint(&self) -> String {
        let suffix = if self.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("ec2.{}.{suffix}", self.name)
    }
}

/// The partition in which a region of this name lies.
pub fn partition_of(region: &str) -> &'static str {
    match region {
        name if name.starts_with("cn-") => "aws-cn",
        name if name.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names_and_shuffled_ids() {
        let zones = RegionInfo::find("us-west-1").unwrap().zones();
        assert_eq!(zones[0], Zone { name: "us-west-1a".into(), id: "usw1-az2".into() });
        assert_eq!(zones[1], Zone { name: "us-west-1c".into(), id: "usw1-az1".into() });
        assert_eq!(RegionInfo::find("mars-1"), None);
        assert_eq!(RegionInfo::find("cn-north-1").unwrap().endpoint(), "ec2.cn-north-1.amazonaws.com.cn");
    }
}
