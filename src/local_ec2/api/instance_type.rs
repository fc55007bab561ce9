//! Instance types: a table of the families that templates use, and where each is offered.

use super::filter::Filters;
use super::{Call, page};
use crate::local_ec2::state::{RegionInfo, Tags, Zone};
use crate::local_ec2::wire::{Error, Xml};

/// A family: everything its sizes share.
struct Family {
    name: &'static str,
    architecture: &'static str,
    /// GiB of memory per vCPU.
    ratio: u32,
    sizes: &'static [&'static str],
    traits: Traits,
}

/// What kind of hardware a family is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Traits {
    /// Before Nitro.
    Xen,
    /// Before Nitro, burstable.
    XenBurstable,
    /// Nitro.
    Nitro,
    /// Nitro, burstable.
    NitroBurstable,
}

const T: &[&str] = &["nano", "micro", "small", "medium", "large", "xlarge", "2xlarge"];
const OLD: &[&str] = &["large", "xlarge", "2xlarge", "4xlarge"];
const NEW: &[&str] = &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "metal"];
const GRAVITON: &[&str] =
    &["medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "metal"];

const fn family(
    name: &'static str,
    architecture: &'static str,
    ratio: u32,
    sizes: &'static [&'static str],
    traits: Traits,
) -> Family {
    Family { name, architecture, ratio, sizes, traits }
}

const FAMILIES: &[Family] = &[
    family("t2", "x86_64", 4, T, Traits::XenBurstable),
    family("t3", "x86_64", 4, T, Traits::NitroBurstable),
    family("t3a", "x86_64", 4, T, Traits::NitroBurstable),
    family("t4g", "arm64", 4, T, Traits::NitroBurstable),
    family("m4", "x86_64", 4, OLD, Traits::Xen),
    family("c4", "x86_64", 2, OLD, Traits::Xen),
    family("r4", "x86_64", 8, OLD, Traits::Xen),
    family("m5", "x86_64", 4, NEW, Traits::Nitro),
    family("m5a", "x86_64", 4, OLD, Traits::Nitro),
    family("m6i", "x86_64", 4, NEW, Traits::Nitro),
    family("m6a", "x86_64", 4, NEW, Traits::Nitro),
    family("m7i", "x86_64", 4, NEW, Traits::Nitro),
    family("m7a", "x86_64", 4, NEW, Traits::Nitro),
    family("c5", "x86_64", 2, NEW, Traits::Nitro),
    family("c5n", "x86_64", 2, NEW, Traits::Nitro),
    family("c6i", "x86_64", 2, NEW, Traits::Nitro),
    family("c6a", "x86_64", 2, NEW, Traits::Nitro),
    family("c7i", "x86_64", 2, NEW, Traits::Nitro),
    family("c7a", "x86_64", 2, NEW, Traits::Nitro),
    family("r5", "x86_64", 8, NEW, Traits::Nitro),
    family("r6i", "x86_64", 8, NEW, Traits::Nitro),
    family("r7i", "x86_64", 8, NEW, Traits::Nitro),
    family("g4dn", "x86_64", 4, OLD, Traits::Nitro),
    family("g5", "x86_64", 4, OLD, Traits::Nitro),
    family("p3", "x86_64", 8, &["2xlarge", "8xlarge", "16xlarge"], Traits::Xen),
    family("m6g", "arm64", 4, GRAVITON, Traits::Nitro),
    family("m7g", "arm64", 4, GRAVITON, Traits::Nitro),
    family("m8g", "arm64", 4, GRAVITON, Traits::Nitro),
    family("c6g", "arm64", 2, GRAVITON, Traits::Nitro),
    family("c7g", "arm64", 2, GRAVITON, Traits::Nitro),
    family("c8g", "arm64", 2, GRAVITON, Traits::Nitro),
    family("r6g", "arm64", 8, GRAVITON, Traits::Nitro),
    family("r7g", "arm64", 8, GRAVITON, Traits::Nitro),
    family("a1", "arm64", 2, &["medium", "large", "xlarge", "2xlarge", "4xlarge", "metal"], Traits::Nitro),
];

/// The zone that really has only the generations before Nitro: bakes that pick a zone blindly trip over it.
const ZONE_WITHOUT_NITRO: &str = "us-east-1e";

/// One instance type.
pub struct InstanceType {
    /// `t3.micro`.
    pub name: String,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
    /// Memory in MiB.
    pub memory: u32,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Whether it runs on credits.
    pub burstable: bool,
    /// Whether it is a whole machine.
    pub bare_metal: bool,
    nitro: bool,
}

impl InstanceType {
    /// All of them, by name.
    pub fn all() -> Vec<InstanceType> {
        let mut all: Vec<_> =
            FAMILIES.iter().flat_map(|family| family.sizes.iter().map(|size| make(family, size))).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The one with this name.
    pub fn find(name: &str) -> Option<InstanceType> {
        let (family, size) = name.split_once('.')?;
        let family = FAMILIES.iter().find(|known| known.name == family)?;
        family.sizes.iter().find(|known| **known == size).map(|size| make(family, size))
    }

    /// Whether a zone has it.
    pub fn is_offered_in(&self, zone: &Zone) -> bool {
        !self.nitro || zone.name != ZONE_WITHOUT_NITRO
    }

    /// Dollars an hour, about what it costs in us-east-1: burstable types by memory, the others by processors and memory.
    pub fn on_demand_price(&self) -> f64 {
        let gib = f64::from(self.memory) / 1024.0;
        if self.burstable { gib * 0.0104 } else { f64::from(self.vcpus) * 0.03 + gib * 0.0045 }
    }

    /// Threads that each core has: two, but one of Arm and of the old burstable ones.
    pub fn threads_per_core(&self) -> i64 {
        if self.architecture == "arm64" || self.name.starts_with("t2.") || self.vcpus < 2 { 1 } else { 2 }
    }

    /// Cores that it has.
    pub fn cores(&self) -> i64 {
        i64::from(self.vcpus) / self.threads_per_core()
    }

    fn boot_modes(&self) -> &'static [&'static str] {
        match (self.architecture, self.nitro) {
            ("arm64", _) => &["uefi"],
            (_, true) => &["legacy-bios", "uefi"],
            _ => &["legacy-bios"],
        }
    }

    fn values(&self, filter: &str) -> Vec<String> {
        let one = |value: &dyn ToString| vec![value.to_string()];
        match filter {
            "instance-type" => one(&self.name),
            "processor-info.supported-architecture" => one(&self.architecture),
            "current-generation" => one(&(self.nitro || self.name.starts_with("t2."))),
            "bare-metal" => one(&self.bare_metal),
            "burstable-performance-supported" => one(&self.burstable),
            "supported-boot-mode" => self.boot_modes().iter().map(|&mode| mode.to_owned()).collect(),
            "supported-virtualization-type" => one(&"hvm"),
            "supported-root-device-type" => one(&"ebs"),
            "supported-usage-class" => vec!["on-demand".into(), "spot".into()],
            "vcpu-info.default-vcpus" => one(&self.vcpus),
            "memory-info.size-in-mib" => one(&self.memory),
            "network-info.ena-support" => one(&self.ena_support()),
            "nitro-tpm-support" => one(&if self.nitro && !self.bare_metal { "supported" } else { "unsupported" }),
            "free-tier-eligible" => one(&self.is_free_tier()),
            _ => one(&self.hypervisor().unwrap_or_default()),
        }
    }

    fn ena_support(&self) -> &'static str {
        if self.nitro { "required" } else { "supported" }
    }

    fn is_free_tier(&self) -> bool {
        matches!(self.name.as_str(), "t2.micro" | "t3.micro" | "t3.small" | "t4g.micro" | "t4g.small")
    }

    fn hypervisor(&self) -> Option<&'static str> {
        (!self.bare_metal).then_some(if self.nitro { "nitro" } else { "xen" })
    }
}

const FILTERS: &[&str] = &[
    "instance-type",
    "processor-info.supported-architecture",
    "current-generation",
    "bare-metal",
    "burstable-performance-supported",
    "supported-boot-mode",
    "supported-virtualization-type",
    "supported-root-device-type",
    "supported-usage-class",
    "vcpu-info.default-vcpus",
    "memory-info.size-in-mib",
    "network-info.ena-support",
    "nitro-tpm-support",
    "free-tier-eligible",
    "hypervisor",
];

fn make(family: &Family, size: &str) -> InstanceType {
    let burstable = matches!(family.traits, Traits::XenBurstable | Traits::NitroBurstable);
    let vcpus = match size {
        "nano" | "micro" | "small" | "medium" if family.traits == Traits::XenBurstable && size != "medium" => 1,
        "nano" | "micro" | "small" | "medium" if burstable => 2,
        "medium" => 1,
        "large" => 2,
        "xlarge" => 4,
        "metal" => 96,
        size => size.strip_suffix("xlarge").and_then(|n| n.parse::<u32>().ok()).unwrap_or(1) * 4,
    };
    let memory = match size {
        "nano" => 512,
        "micro" => 1024,
        "small" => 2048,
        "medium" if burstable => 4096,
        _ => vcpus * family.ratio * 1024,
    };
    InstanceType {
        name: format!("{}.{size}", family.name),
        architecture: family.architecture,
        memory,
        vcpus,
        burstable,
        bare_metal: size == "metal",
        nitro: matches!(family.traits, Traits::Nitro | Traits::NitroBurstable),
    }
}

/// DescribeInstanceTypes.
pub fn describe(call: &Call<'_>) -> Result<Xml, Error> {
    let filters = Filters::read(call.params, FILTERS)?;
    let names = call.params.list("InstanceType");
    let all = InstanceType::all();
    let unknown: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !all.iter().any(|t| t.name == *name)).collect();
    if !unknown.is_empty() {
        let text = format!("The following supplied instance types do not exist: [{}]", unknown.join(", "));
        return Err(Error::new("InvalidInstanceType", text));
    }
    let found = all.into_iter().filter(|t| names.is_empty() || names.contains(&t.name));
    let found = found.filter(|t| filters.pass(&Tags::new(), |name| t.values(name))).collect();
    let page = page::cut(call, found, 5..=100, |t| t.name.clone())?;
    let mut xml = Xml::new();
    xml.list("instanceTypeSet", &page.items, write);
    xml.some("nextToken", page.next);
    Ok(xml)
}

fn write(xml: &mut Xml, t: &InstanceType) {
    let strings = |xml: &mut Xml, name: &str, values: &[&str]| {
        xml.node(name, |xml| {
            for value in values {
                xml.text("item", value);
            }
        });
    };
    xml.text("instanceType", &t.name).text("currentGeneration", t.values("current-generation").concat());
    xml.text("freeTierEligible", t.is_free_tier());
    strings(xml, "supportedUsageClasses", &["on-demand", "spot"]);
    strings(xml, "supportedRootDeviceTypes", &["ebs"]);
    strings(xml, "supportedVirtualizationTypes", &["hvm"]);
    xml.text("bareMetal", t.bare_metal);
    xml.some("hypervisor", t.hypervisor());
    xml.node("processorInfo", |xml| strings(xml, "supportedArchitectures", &[t.architecture]));
    xml.node("vCpuInfo", |xml| {
        xml.text("defaultVCpus", t.vcpus);
    });
    xml.node("memoryInfo", |xml| {
        xml.text("sizeInMiB", t.memory);
    });
    xml.text("instanceStorageSupported", false);
    xml.node("ebsInfo", |xml| {
        xml.text("ebsOptimizedSupport", if t.nitro { "default" } else { "supported" });
        xml.text("encryptionSupport", "supported")
            .text("nvmeSupport", if t.nitro { "required" } else { "unsupported" });
    });
    xml.node("networkInfo", |xml| {
        xml.text("enaSupport", t.ena_support()).text("ipv6Supported", true);
    });
    xml.text("burstablePerformanceSupported", t.burstable);
    strings(xml, "supportedBootModes", t.boot_modes());
    xml.text("nitroEnclavesSupport", if t.nitro && t.vcpus >= 4 { "supported" } else { "unsupported" });
    xml.text("nitroTpmSupport", t.values("nitro-tpm-support").concat());
}

/// DescribeInstanceTypeOfferings.
pub fn describe_offerings(call: &Call<'_>) -> Result<Xml, Error> {
    let filters = Filters::read(call.params, &["instance-type", "location"])?;
    let kind = call.params.get("LocationType").unwrap_or("region");
    if !["region", "availability-zone", "availability-zone-id"].contains(&kind) {
        return Err(Error::value(format!("Value ({kind}) for parameter locationType is invalid.")));
    }
    let zones = RegionInfo::find(&call.scope.region).map(RegionInfo::zones).unwrap_or_default();
    let mut found = Vec::new();
    for t in InstanceType::all() {
        let places: Vec<String> = match kind {
            "region" => vec![call.scope.region.clone()],
            _ => zones.iter().filter(|zone| t.is_offered_in(zone)).map(|zone| location(zone, kind)).collect(),
        };
        found.extend(places.into_iter().map(|place| (t.name.clone(), place)));
    }
    found.retain(|(t, place)| {
        filters.pass(&Tags::new(), |name| vec![if name == "location" { place.clone() } else { t.clone() }])
    });
    let page = page::cut(call, found, page::USUAL, |(t, place)| format!("{t} {place}"))?;
    let mut xml = Xml::new();
    xml.list("instanceTypeOfferingSet", &page.items, |xml, (t, place)| {
        xml.text("instanceType", t).text("locationType", kind).text("location", place);
    });
    xml.some("nextToken", page.next);
    Ok(xml)
}

fn location(zone: &Zone, kind: &str) -> String {
    if kind == "availability-zone" { zone.name.clone() } else { zone.id.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_their_cpus_and_memory() {
        for (name, vcpus, memory) in [
            ("t3.micro", 2, 1024),
            ("t2.micro", 1, 1024),
            ("m5.large", 2, 8192),
            ("c7g.16xlarge", 64, 131_072),
            ("t3.xlarge", 4, 16_384),
        ] {
            let t = InstanceType::find(name).unwrap();
            assert_eq!((t.vcpus, t.memory), (vcpus, memory), "{name}");
        }
        assert!(InstanceType::find("zz9.x").is_none());
    }
}
