//! Block device mappings of requests: what a caller may ask for, and the rules of sizes, types and encryption.

use crate::local_ec2::state::{DiskType, Region};
use crate::local_ec2::wire::{Error, Params, Xml};

use super::Kind;
use crate::local_ec2::state::Mapping;

/// One `BlockDeviceMapping.N` of a request.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `/dev/sdb`.
    pub device: String,
    /// `NoDevice` was given, even if empty: leave this device out.
    pub suppressed: bool,
    /// `ephemeral0`.
    pub virtual_name: Option<String>,
    /// What the request says about the EBS volume.
    pub ebs: WantedDisk,
}

/// The part that mappings and CreateVolume have in common. What is unset is taken from the image or a default.
#[derive(Clone, Debug, Default)]
pub struct WantedDisk {
    /// Make it from this snapshot.
    pub snapshot_id: Option<String>,
    /// GiB.
    pub size: Option<i64>,
    /// `gp3` and the like.
    pub kind: Option<String>,
    /// Provisioned IOPS.
    pub iops: Option<i64>,
    /// MiB/s.
    pub throughput: Option<i64>,
    /// Encrypted.
    pub encrypted: Option<bool>,
    /// The key.
    pub kms_key: Option<String>,
    /// Whether it goes with the instance.
    pub delete_on_termination: Option<bool>,
}

impl Wanted {
    /// Reads and checks all mappings of a request.
    pub fn read_all(params: &Params) -> Result<Vec<Wanted>, Error> {
        let all: Vec<Wanted> = params.each("BlockDeviceMapping").iter().map(Self::read).collect::<Result<_, _>>()?;
        for (at, wanted) in all.iter().enumerate() {
            if all[..at].iter().any(|earlier| earlier.device == wanted.device) {
                let text = format!("The device '{}' is used in more than one block-device mapping", wanted.device);
                return Err(Error::new("InvalidBlockDeviceMapping", text));
            }
        }
        Ok(all)
    }

    fn read(params: &Params) -> Result<Self, Error> {
        let device = params.need("DeviceName")?.to_owned();
        check_device(&device)?;
        let ebs = WantedDisk::read(&params.sub("Ebs"), "VolumeSize", "VolumeType")?;
        let virtual_name = params.get("VirtualName").map(str::to_owned);
        Ok(Self { device, suppressed: params.raw("NoDevice").is_some(), virtual_name, ebs })
    }
}

impl WantedDisk {
    /// Reads the fields; size and type have other names in CreateVolume.
    pub fn read(params: &Params, size: &str, kind: &str) -> Result<Self, Error> {
        let text = |name: &str| params.get(name).map(str::to_owned);
        let disk = Self {
            snapshot_id: text("SnapshotId"),
            size: params.int(size)?,
            kind: text(kind),
            iops: params.int("Iops")?,
            throughput: params.int("Throughput")?,
            encrypted: params.flag("Encrypted")?,
            kms_key: text("KmsKeyId"),
            delete_on_termination: params.flag("DeleteOnTermination")?,
        };
        if disk.kms_key.is_some() && disk.encrypted != Some(true) {
            let text = "The parameter [KmsKeyId] requires the parameter Encrypted to be set.";
            return Err(Error::new("InvalidParameterDependency", text));
        }
        Ok(disk)
    }

    /// The disk that results, over what the image (or a snapshot) says. `floor` is the least size in GiB.
    pub fn resolve(&self, base: Option<&DiskType>, floor: Option<(i64, &str)>) -> Result<DiskType, Error> {
        let was_encrypted = base.is_some_and(|base| base.encrypted);
        if was_encrypted && self.encrypted == Some(false) {
            return Err(Error::combination("Cannot specify Encrypted=false for an encrypted snapshot"));
        }
        let size = self.size.or(base.map(|base| base.size)).or(floor.map(|(size, _)| size));
        let size = size.ok_or_else(|| Error::missing("size or snapshotId"))?;
        if let Some((least, snapshot)) = floor.filter(|(least, _)| size < *least) {
            let text =
                format!("Volume of size {size}GB is smaller than snapshot '{snapshot}', expect size >= {least}GB");
            return Err(Error::new("InvalidBlockDeviceMapping", text));
        }
        let kind = self.kind.clone().or_else(|| base.map(|b| b.kind.clone()).filter(|k| !k.is_empty()));
        let kind = kind.unwrap_or_else(|| "gp2".into());
        if self.iops.is_some() && !["gp3", "io1", "io2"].contains(&kind.as_str()) && is_known(&kind) {
            return Err(Error::combination(format!("The parameter iops is not supported for {kind} volumes.")));
        }
        let same_kind = base.filter(|base| base.kind == kind);
        let disk = DiskType {
            size,
            iops: self.iops.or(same_kind.and_then(|base| base.iops)).or_else(|| default_iops(&kind, size)),
            throughput: self
                .throughput
                .or(same_kind.and_then(|base| base.throughput))
                .or((kind == "gp3").then_some(125)),
            encrypted: was_encrypted || self.encrypted == Some(true),
            kms_key: self.kms_key.clone().or_else(|| base.and_then(|base| base.kms_key.clone())),
            kind,
        };
        check_limits(&disk)?;
        Ok(disk)
    }
}

/// The size below which a volume from this snapshot cannot be; an unknown snapshot is an error.
pub fn floor_of<'a>(region: &Region, snapshot_id: Option<&'a str>) -> Result<Option<(i64, &'a str)>, Error> {
    let Some(id) = snapshot_id else { return Ok(None) };
    Kind::Snapshot.check_shape(id)?;
    let snapshot = region.snapshots.get(id).ok_or_else(|| Kind::Snapshot.not_found(&[id]))?;
    Ok(Some((snapshot.disk.size, id)))
}

fn default_iops(kind: &str, size: i64) -> Option<i64> {
    match kind {
        "gp3" => Some(3000),
        "gp2" => Some((size * 3).clamp(100, 16_000)),
        _ => None,
    }
}

/// Sizes, IOPS and throughput of each volume type.
fn check_limits(disk: &DiskType) -> Result<(), Error> {
    let (sizes, iops) = match disk.kind.as_str() {
        "gp2" => (1..=16_384, None),
        "gp3" => (1..=65_536, Some(3000..=80_000)),
        "io1" => (4..=16_384, Some(100..=64_000)),
        "io2" => (4..=65_536, Some(100..=256_000)),
        "st1" | "sc1" => (125..=16_384, None),
        "standard" => (1..=1024, None),
        kind => {
            return Err(Error::new(
                "UnknownVolumeType",
                format!("Unsupported volume type '{kind}' for volume creation."),
            ));
        }
    };
    if !sizes.contains(&disk.size) {
        let text = format!(
            "Volume size {} GiB is out of range for volume type {}: {} to {} GiB",
            disk.size,
            disk.kind,
            sizes.start(),
            sizes.end()
        );
        return Err(Error::value(text));
    }
    match (iops, disk.iops) {
        (Some(_), None) if disk.kind != "gp3" => Err(Error::missing("iops")),
        (Some(legal), Some(iops)) if !legal.contains(&iops) => Err(Error::value(format!(
            "Iops {iops} is out of range for volume type {}: {} to {}",
            disk.kind,
            legal.start(),
            legal.end()
        ))),
        _ if disk.throughput.is_some_and(|t| disk.kind != "gp3" || !(125..=2000).contains(&t)) => Err(Error::value(
            format!("The parameter Throughput is not valid for volume type {}: 125 to 2000 with gp3", disk.kind),
        )),
        _ => check_ratios(disk),
    }
}

/// What a type can give at this size, and at these IOPS.
fn check_ratios(disk: &DiskType) -> Result<(), Error> {
    let per_gib = match disk.kind.as_str() {
        "gp3" => 500,
        "io1" => 50,
        "io2" => 1000,
        _ => return Ok(()),
    };
    let Some(iops) = disk.iops else { return Ok(()) };
    let exact = |number: i64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    // The 3000 of gp3 come with any size, and so do the 100 that are the least of the others.
    let included = if disk.kind == "gp3" { 3000 } else { 100 };
    if iops > included.max(per_gib * disk.size) {
        let ratio = exact(iops) / exact(disk.size);
        let text = format!("Iops to volume size ratio of {ratio:.6} is too high; maximum is {per_gib}.000000");
        return Err(Error::value(text));
    }
    match disk.throughput {
        Some(throughput) if throughput * 4 > iops => {
            let ratio = exact(throughput) / exact(iops);
            let text = format!(
                "Throughput (MiBps) to iops ratio of {ratio:.6} is too high; maximum is 0.250000 MiBps per iops."
            );
            Err(Error::value(text))
        }
        _ => Ok(()),
    }
}

fn is_known(kind: &str) -> bool {
    ["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"].contains(&kind)
}

/// Refuses a name that is none of a device of an HVM instance.
pub fn check_device(name: &str) -> Result<(), Error> {
    let rest = name.strip_prefix("/dev/").unwrap_or(name);
    let letters = rest.strip_prefix("sd").or_else(|| rest.strip_prefix("xvd"));
    let is_legal = letters.is_some_and(|letters| {
        let letters = letters.strip_suffix('1').unwrap_or(letters);
        (1..=2).contains(&letters.len()) && letters.bytes().all(|b| b.is_ascii_lowercase())
    });
    if is_legal {
        return Ok(());
    }
    Err(Error::new("InvalidBlockDeviceMapping", format!("Invalid device name {name}")))
}

/// A mapping as images show it.
pub fn write(xml: &mut Xml, mapping: &Mapping) {
    xml.text("deviceName", &mapping.device);
    xml.some("virtualName", mapping.virtual_name.as_ref());
    if let Some(ebs) = &mapping.ebs {
        xml.node("ebs", |xml| {
            xml.some("snapshotId", ebs.snapshot_id.as_ref()).text("volumeSize", ebs.disk.size);
            xml.text("deleteOnTermination", ebs.delete_on_termination).text("volumeType", &ebs.disk.kind);
            if ebs.disk.kind != "gp2" {
                xml.some("iops", ebs.disk.iops);
            }
            xml.some("throughput", ebs.disk.throughput).text("encrypted", ebs.disk.encrypted);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(query: &str) -> Result<DiskType, Error> {
        let base =
            DiskType { size: 8, kind: "gp3".into(), iops: Some(3000), throughput: Some(125), ..DiskType::default() };
        let wanted = Wanted::read_all(&Params::parse(query))?;
        wanted[0].ebs.resolve(Some(&base), Some((8, "snap-1")))
    }

    #[test]
    fn mappings_merge_and_are_checked() {
        let at = |rest: &str| format!("BlockDeviceMapping.1.DeviceName=/dev/sda1&BlockDeviceMapping.1.Ebs.{rest}");
        let disk = resolve(&at("VolumeSize=20")).unwrap();
        assert_eq!((disk.size, disk.kind.as_str(), disk.iops), (20, "gp3", Some(3000)));
        for (rest, code) in [
            ("VolumeSize=4", "InvalidBlockDeviceMapping"),
            ("VolumeType=zz", "UnknownVolumeType"),
            ("VolumeType=io1", "MissingParameter"),
            ("KmsKeyId=alias/x", "InvalidParameterDependency"),
            ("Throughput=9999", "InvalidParameterValue"),
            ("Throughput=1000", "InvalidParameterValue"),
            ("Iops=16000", "InvalidParameterValue"),
        ] {
            assert_eq!(resolve(&at(rest)).unwrap_err().code, code, "{rest}");
        }
        for (rest, code) in [
            ("VolumeSize=500&BlockDeviceMapping.1.Ebs.Iops=16000&BlockDeviceMapping.1.Ebs.Throughput=1000", None),
            ("VolumeType=gp2&BlockDeviceMapping.1.Ebs.Iops=300", Some("InvalidParameterCombination")),
            ("VolumeType=io1&BlockDeviceMapping.1.Ebs.Iops=400", None),
            ("VolumeType=io1&BlockDeviceMapping.1.Ebs.Iops=401", Some("InvalidParameterValue")),
            ("VolumeType=io2&BlockDeviceMapping.1.Ebs.Iops=8000", None),
        ] {
            assert_eq!(resolve(&at(rest)).err().map(|e| e.code.to_string()).as_deref(), code, "{rest}");
        }
        assert!(check_device("/dev/nvme0").is_err());
        assert!(check_device("/dev/xvdba").is_ok());
    }
}
