//! The well-known publishers' images. Each stands in for a real one: named, owned and dated as that is, and played by the best local base.

use std::fmt;

use super::machine::LayerSet;
use super::state::{Content, DiskType, Ebs, Image, ImageState, Mapping, Moment, Permission, Protection, Tags, id};

/// What a stand-in would like to run. It is written `wish:DISTRIBUTION:VERSION` in [`LayerSet::base`], in the words of `/etc/os-release`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseWish {
    /// `ID`: `amzn`, `ubuntu`, `debian`, `almalinux`, `rocky`, `rhel`.
    pub distribution: String,
    /// `VERSION_ID`, for the Red Hat family the major one: `2023`, `22.04`, `12`, `9`.
    pub version: String,
}

impl BaseWish {
    /// Reads `wish:ubuntu:22.04`; another base name is no wish.
    pub fn parse(base: &str) -> Option<Self> {
        let (distribution, version) = base.strip_prefix("wish:")?.split_once(':')?;
        Some(Self { distribution: distribution.to_owned(), version: version.to_owned() })
    }
}

impl fmt::Display for BaseWish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wish:{}:{}", self.distribution, self.version)
    }
}

/// One product of a publisher: a series of images that differ by date and architecture.
struct Product {
    owner: &'static str,
    alias: Option<&'static str>,
    /// With `{date}` (20261020), `{arch}` (as the publisher spells it), and `{n}` (the image's ordinal).
    name: &'static str,
    description: &'static str,
    /// How the publisher spells x86_64 and arm64.
    arches: [&'static str; 2],
    user: &'static str,
    root_device: &'static str,
    /// GiB and type of the root volume.
    disk: (i64, &'static str),
    imds_v2: bool,
    distribution: &'static str,
    version: &'static str,
    platform: (&'static str, &'static str),
    /// Public SSM parameters that name the newest one, with `{arch}`.
    parameters: &'static [&'static str],
}

const AMAZON: &str = "137112412989";
const CANONICAL: &str = "099720109477";
const DEBIAN: &str = "136693071363";
const ALMALINUX: &str = "764336703387";
const ROCKY: &str = "792107900819";
const RED_HAT: &str = "309956199498";

const LINUX: (&str, &str) = ("Linux/UNIX", "RunInstances");
const RHEL: (&str, &str) = ("Red Hat Enterprise Linux", "RunInstances:0010");
/// Days on which each product had an image: several, so that `most_recent` has something to choose from.
const DATES: [&str; 3] = ["20260616", "20260818", "20261020"];

const fn amazon(
    version: &'static str,
    name: &'static str,
    disk: (i64, &'static str),
    parameters: &'static [&'static str],
) -> Product {
    let is_2023 = version.len() == 4;
    Product {
        owner: AMAZON,
        alias: Some("amazon"),
        name,
        description: if is_2023 {
            "Amazon Linux 2023 AMI {date} {arch} HVM"
        } else {
            "Amazon Linux 2 AMI 2.0.{date} {arch} HVM"
        },
        arches: ["x86_64", "arm64"],
        user: "ec2-user",
        root_device: "/dev/xvda",
        disk,
        imds_v2: is_2023,
        distribution: "amzn",
        version,
        platform: LINUX,
        parameters,
    }
}

const fn ubuntu(
    version: &'static str,
    name: &'static str,
    disk: (i64, &'static str),
    parameters: &'static [&'static str],
) -> Product {
    Product {
        owner: CANONICAL,
        alias: None,
        name,
        description: "Canonical, Ubuntu, {version}, {arch} image build on {date}",
        arches: ["amd64", "arm64"],
        user: "ubuntu",
        root_device: "/dev/sda1",
        disk,
        imds_v2: false,
        distribution: "ubuntu",
        version,
        platform: LINUX,
        parameters,
    }
}

const fn debian(version: &'static str, name: &'static str, parameters: &'static [&'static str]) -> Product {
    Product {
        owner: DEBIAN,
        alias: None,
        name,
        description: "Debian {version} ({date})",
        arches: ["amd64", "arm64"],
        user: "admin",
        root_device: "/dev/xvda",
        disk: (8, "gp3"),
        imds_v2: false,
        distribution: "debian",
        version,
        platform: LINUX,
        parameters,
    }
}

const fn red_hat_like(
    owner: &'static str,
    distribution: &'static str,
    version: &'static str,
    name: &'static str,
    description: &'static str,
    user: &'static str,
) -> Product {
    let is_rhel = owner.as_bytes()[0] == RED_HAT.as_bytes()[0];
    Product {
        owner,
        alias: None,
        name,
        description,
        arches: if is_rhel { ["x86_64", "arm64"] } else { ["x86_64", "aarch64"] },
        user,
        root_device: "/dev/sda1",
        disk: (10, "gp3"),
        imds_v2: false,
        distribution,
        version,
        platform: if is_rhel { RHEL } else { LINUX },
        parameters: &[],
    }
}

const PRODUCTS: &[Product] = &[
    amazon(
        "2023",
        "al2023-ami-2023.10.{date}.{n}-kernel-6.1-{arch}",
        (8, "gp3"),
        &[
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{arch}",
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-{arch}",
        ],
    ),
    amazon(
        "2023",
        "al2023-ami-minimal-2023.10.{date}.{n}-kernel-6.1-{arch}",
        (2, "gp3"),
        &[
            "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-{arch}",
            "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-6.1-{arch}",
        ],
    ),
    amazon(
        "2",
        "amzn2-ami-hvm-2.0.{date}.{n}-{arch}-gp2",
        (8, "gp2"),
        &["/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-{arch}-gp2"],
    ),
    amazon(
        "2",
        "amzn2-ami-kernel-5.10-hvm-2.0.{date}.{n}-{arch}-gp2",
        (8, "gp2"),
        &["/aws/service/ami-amazon-linux-latest/amzn2-ami-kernel-5.10-hvm-{arch}-gp2"],
    ),
    ubuntu(
        "20.04",
        "ubuntu/images/hvm-ssd/ubuntu-focal-20.04-{arch}-server-{date}",
        (8, "gp2"),
        &[
            "/aws/service/canonical/ubuntu/server/20.04/stable/current/{arch}/hvm/ebs-gp2/ami-id",
            "/aws/service/canonical/ubuntu/server/focal/stable/current/{arch}/hvm/ebs-gp2/ami-id",
        ],
    ),
    ubuntu(
        "22.04",
        "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-{arch}-server-{date}",
        (8, "gp2"),
        &[
            "/aws/service/canonical/ubuntu/server/22.04/stable/current/{arch}/hvm/ebs-gp2/ami-id",
            "/aws/service/canonical/ubuntu/server/jammy/stable/current/{arch}/hvm/ebs-gp2/ami-id",
        ],
    ),
    ubuntu("22.04", "ubuntu-minimal/images/hvm-ssd/ubuntu-jammy-22.04-{arch}-minimal-{date}", (8, "gp2"), &[]),
    ubuntu(
        "24.04",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{arch}-server-{date}",
        (8, "gp3"),
        &[
            "/aws/service/canonical/ubuntu/server/24.04/stable/current/{arch}/hvm/ebs-gp3/ami-id",
            "/aws/service/canonical/ubuntu/server/noble/stable/current/{arch}/hvm/ebs-gp3/ami-id",
        ],
    ),
    ubuntu("24.04", "ubuntu-minimal/images/hvm-ssd-gp3/ubuntu-noble-24.04-{arch}-minimal-{date}", (8, "gp3"), &[]),
    ubuntu(
        "26.04",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-resolute-26.04-{arch}-server-{date}",
        (8, "gp3"),
        &[
            "/aws/service/canonical/ubuntu/server/26.04/stable/current/{arch}/hvm/ebs-gp3/ami-id",
            "/aws/service/canonical/ubuntu/server/resolute/stable/current/{arch}/hvm/ebs-gp3/ami-id",
        ],
    ),
    debian("11", "debian-11-{arch}-{date}-211{n}", &["/aws/service/debian/release/11/latest/{arch}"]),
    debian("12", "debian-12-{arch}-{date}-227{n}", &["/aws/service/debian/release/12/latest/{arch}"]),
    debian("13", "debian-13-{arch}-{date}-225{n}", &["/aws/service/debian/release/13/latest/{arch}"]),
    red_hat_like(
        ALMALINUX,
        "almalinux",
        "8",
        "AlmaLinux OS 8.10.{date} {arch}",
        "AlmaLinux OS 8.10.{date}",
        "ec2-user",
    ),
    red_hat_like(ALMALINUX, "almalinux", "9", "AlmaLinux OS 9.7.{date} {arch}", "AlmaLinux OS 9.7.{date}", "ec2-user"),
    red_hat_like(
        ALMALINUX,
        "almalinux",
        "10",
        "AlmaLinux OS 10.1.{date} {arch}",
        "AlmaLinux OS 10.1.{date}",
        "ec2-user",
    ),
    red_hat_like(
        ROCKY,
        "rocky",
        "8",
        "Rocky-8-EC2-Base-8.10-{date}.{n}.{arch}",
        "Rocky-8-EC2-Base-8.10-{date}",
        "rocky",
    ),
    red_hat_like(ROCKY, "rocky", "9", "Rocky-9-EC2-Base-9.7-{date}.{n}.{arch}", "Rocky-9-EC2-Base-9.7-{date}", "rocky"),
    red_hat_like(
        ROCKY,
        "rocky",
        "10",
        "Rocky-10-EC2-Base-10.1-{date}.{n}.{arch}",
        "Rocky-10-EC2-Base-10.1-{date}",
        "rocky",
    ),
    red_hat_like(
        RED_HAT,
        "rhel",
        "8",
        "RHEL-8.10.0_HVM-{date}-{arch}-{n}-Hourly2-GP3",
        "Provided by Red Hat, Inc.",
        "ec2-user",
    ),
    red_hat_like(
        RED_HAT,
        "rhel",
        "9",
        "RHEL-9.7.0_HVM-{date}-{arch}-{n}-Hourly2-GP3",
        "Provided by Red Hat, Inc.",
        "ec2-user",
    ),
    red_hat_like(
        RED_HAT,
        "rhel",
        "10",
        "RHEL-10.1.0_HVM-{date}-{arch}-{n}-Hourly2-GP3",
        "Provided by Red Hat, Inc.",
        "ec2-user",
    ),
];

/// All stand-ins in a region. Ids depend on region and name alone.
pub fn images(region: &str) -> Vec<Image> {
    let all = PRODUCTS.iter().flat_map(|product| [0, 1].map(|arch| (product, arch)));
    all.flat_map(|(product, arch)| (0..DATES.len()).map(move |n| make(region, product, arch, n))).collect()
}

/// The image that a public SSM parameter names. Amazon's own spelling for arm64 and Canonical's for x86_64 are those of the image names.
pub fn public_parameter(region: &str, name: &str) -> Option<Image> {
    PRODUCTS.iter().find_map(|product| {
        let arch = (0..2).find(|arch| {
            product.parameters.iter().any(|pattern| pattern.replace("{arch}", product.arches[*arch]) == name)
        })?;
        Some(make(region, product, arch, DATES.len() - 1))
    })
}

fn make(region: &str, product: &Product, arch: usize, n: usize) -> Image {
    let fill = |pattern: &str| {
        let pattern = pattern.replace("{date}", DATES[n]).replace("{arch}", product.arches[arch]);
        pattern.replace("{version}", product.version).replace("{n}", &n.to_string())
    };
    let name = fill(product.name);
    let wish = BaseWish { distribution: product.distribution.into(), version: product.version.into() };
    let layers = LayerSet { base: wish.to_string(), layers: Vec::new(), size_bytes: 0 };
    let (size, kind) = product.disk;
    let is_gp3 = kind == "gp3";
    let disk = DiskType {
        size,
        kind: kind.into(),
        iops: is_gp3.then_some(3000),
        throughput: is_gp3.then_some(125),
        encrypted: false,
        kms_key: None,
    };
    let snapshot_id = Some(id::stable("snap", &format!("{region} {name}")));
    let date = DATES[n];
    let day = format!("{}-{}-{}T12:3{n}:00Z", &date[..4], &date[4..6], &date[6..8]);
    Image {
        id: id::stable("ami", &format!("{region} {name}")),
        description: format!("{} (stand-in: played by a local base)", fill(product.description)),
        owner: product.owner.into(),
        owner_alias: product.alias.map(str::to_owned),
        state: ImageState::Available,
        change: None,
        reason: None,
        created: Moment::parse(&day).unwrap_or_default(),
        architecture: ["x86_64", "arm64"][arch].into(),
        root_device: product.root_device.into(),
        mappings: vec![Mapping {
            device: product.root_device.into(),
            virtual_name: None,
            ebs: Some(Ebs { snapshot_id, disk, delete_on_termination: true }),
        }],
        virtualization: "hvm".into(),
        ena_support: true,
        sriov_simple: true,
        boot_mode: if arch == 1 { "uefi" } else { "uefi-preferred" }.into(),
        tpm: String::new(),
        imds: if product.imds_v2 { "v2.0" } else { "" }.into(),
        uefi_data: String::new(),
        platform_details: product.platform.0.into(),
        usage_operation: product.platform.1.into(),
        permissions: [Permission::Group("all".into())].into(),
        deprecate_at: None,
        protection: Protection::Off,
        last_launched: None,
        source_instance: None,
        source_image: None,
        content: Content { layers, login_user: product.user.into() },
        tags: Tags::new(),
        name,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn stand_ins_are_many_stable_and_distinct() {
        let here = images("eu-west-1");
        assert_eq!(here.len(), PRODUCTS.len() * 6);
        assert_eq!(here, images("eu-west-1"));
        let ids: BTreeSet<&String> = here.iter().map(|image| &image.id).collect();
        assert_eq!(ids.len(), here.len());
        assert!(!images("us-east-1").iter().any(|image| ids.contains(&image.id)));
        assert!(here.iter().all(|image| image.created > Moment(0)));
    }

    #[test]
    fn public_parameters_name_the_newest() {
        for (name, image) in [
            (
                "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
                "al2023-ami-2023.10.20261020.2-kernel-6.1-arm64",
            ),
            (
                "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
                "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20261020",
            ),
            ("/aws/service/debian/release/12/latest/amd64", "debian-12-amd64-20261020-2272"),
        ] {
            assert_eq!(public_parameter("eu-west-1", name).unwrap().name, image);
        }
        assert!(public_parameter("eu-west-1", "/aws/service/none").is_none());
    }

    #[test]
    fn wishes_read_back() {
        let wish = BaseWish { distribution: "ubuntu".into(), version: "22.04".into() };
        assert_eq!(BaseWish::parse(&wish.to_string()), Some(wish));
        assert_eq!(BaseWish::parse("host"), None);
    }
}
