//! Options of an instance that change nothing here: they are checked, kept and shown.

use crate::local_ec2::api::instance_type::InstanceType;
use crate::local_ec2::api::text_of;
use crate::local_ec2::state::{Attributes, Instance};
use crate::local_ec2::wire::{Error, Params, Xml};

/// Reads `CpuOptions`, `HibernationOptions`, `MaintenanceOptions`, `PrivateDnsNameOptions`, `KernelId` and `RamdiskId`.
pub fn read(params: &Params, instance_type: &InstanceType) -> Result<Attributes, Error> {
    let flag = |name: &str| params.flag(name).map(|value| value.unwrap_or(false));
    let hibernation = flag("HibernationOptions.Configured")?;
    if hibernation && flag("EnclaveOptions.Enabled")? {
        return Err(Error::combination("Hibernation and enclaves cannot be used for the same instance"));
    }
    Ok(Attributes {
        hibernation,
        cpu: read_cpu(params, instance_type)?,
        sev_snp: choice(params, "CpuOptions.AmdSevSnp", ["", "enabled", "disabled"])?,
        auto_recovery: choice(params, "MaintenanceOptions.AutoRecovery", ["", "default", "disabled"])?,
        hostname_type: choice(params, "PrivateDnsNameOptions.HostnameType", ["", "ip-name", "resource-name"])?,
        resource_names: (
            flag("PrivateDnsNameOptions.EnableResourceNameDnsARecord")?,
            flag("PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord")?,
        ),
        kernel: (read_id(params, "KernelId", "aki-")?, read_id(params, "RamdiskId", "ari-")?),
        ..Attributes::default()
    })
}

fn choice(params: &Params, name: &str, legal: [&str; 3]) -> Result<String, Error> {
    let text = text_of(params.get(name));
    if legal.contains(&text.as_str()) {
        return Ok(text);
    }
    Err(Error::value(format!("Invalid value '{text}' for {name}: {} or {}.", legal[1], legal[2])))
}

fn read_id(params: &Params, name: &str, prefix: &str) -> Result<String, Error> {
    let text = text_of(params.get(name));
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    if text.is_empty() || matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(text);
    }
    Err(Error::new("InvalidAMIID.Malformed", format!("Invalid id: \"{text}\" (expecting \"{prefix}...\")")))
}

/// Both numbers or none, and no more than the type has.
fn read_cpu(params: &Params, instance_type: &InstanceType) -> Result<(Option<i64>, Option<i64>), Error> {
    let wanted = (params.int("CpuOptions.CoreCount")?, params.int("CpuOptions.ThreadsPerCore")?);
    let (most, threads) = (instance_type.cores(), instance_type.threads_per_core());
    match wanted {
        (None, None) => Ok(wanted),
        (Some(cores), Some(per_core)) if (1..=most).contains(&cores) && (1..=threads).contains(&per_core) => Ok(wanted),
        (Some(cores), Some(per_core)) => Err(Error::value(format!(
            "CpuOptions: {cores} cores with {per_core} threads each are not supported by the instance type {}: 1 to {most} cores, 1 to {threads} threads",
            instance_type.name
        ))),
        _ => Err(Error::combination("CpuOptions: CoreCount and ThreadsPerCore must be specified together")),
    }
}

/// Writes them as DescribeInstances shows them.
pub fn write(xml: &mut Xml, instance: &Instance) {
    let attributes = &instance.attributes;
    let known = InstanceType::find(&instance.instance_type);
    let cores = attributes.cpu.0.or(known.as_ref().map(InstanceType::cores));
    let threads = attributes.cpu.1.or(known.as_ref().map(InstanceType::threads_per_core));
    xml.node("cpuOptions", |xml| {
        xml.some("coreCount", cores).some("threadsPerCore", threads).filled("amdSevSnp", &attributes.sev_snp);
    });
    xml.node("hibernationOptions", |xml| {
        xml.text("configured", attributes.hibernation);
    });
    let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
    xml.node("maintenanceOptions", |xml| {
        xml.text("autoRecovery", or(&attributes.auto_recovery, "default"));
    });
    xml.node("privateDnsNameOptions", |xml| {
        xml.text("hostnameType", or(&attributes.hostname_type, "ip-name"));
        xml.text("enableResourceNameDnsARecord", attributes.resource_names.0);
        xml.text("enableResourceNameDnsAAAARecord", attributes.resource_names.1);
    });
    xml.filled("kernelId", &attributes.kernel.0).filled("ramdiskId", &attributes.kernel.1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked_against_the_type() {
        let small = InstanceType::find("t3.micro").unwrap();
        for (query, code) in [
            ("", None),
            ("CpuOptions.CoreCount=1&CpuOptions.ThreadsPerCore=2", None),
            ("CpuOptions.CoreCount=1", Some("InvalidParameterCombination")),
            ("CpuOptions.CoreCount=2&CpuOptions.ThreadsPerCore=2", Some("InvalidParameterValue")),
            ("MaintenanceOptions.AutoRecovery=never", Some("InvalidParameterValue")),
            ("PrivateDnsNameOptions.HostnameType=resource-name", None),
            ("KernelId=aki-12345678&RamdiskId=ari-12345678", None),
            ("KernelId=ami-12345678", Some("InvalidAMIID.Malformed")),
        ] {
            let error = read(&Params::parse(query), &small).err();
            assert_eq!(error.map(|error| error.code.to_string()).as_deref(), code, "{query}");
        }
    }
}
