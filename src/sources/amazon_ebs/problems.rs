//! What is wrong with a template's options, found before anything is made (packer-amazon.md sections 1.2 and 1.3).

use crate::hcl::diagnostics::Diagnostics;

use super::options::{Device, Options};
use super::{AmazonEbs, capacity, copies, spot, unsupported};

impl AmazonEbs {
    /// All problems, one text each, in the order in which Packer reports them.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.access.problems();
        problems.extend(image_problems(&self.options));
        problems.extend(copies::problems(&self.options, given(&self.access.region)));
        problems.extend(self.communicator.problems());
        problems.extend(self.run_problems());
        let devices = self.options.ami_block_device_mappings.iter().chain(&self.options.launch_block_device_mappings);
        problems.extend(devices.flat_map(device_problems));
        problems
    }

    fn run_problems(&self) -> Vec<String> {
        let options = &self.options;
        let mut problems = source_problems(options);
        if let Some(kind) = given(&self.communicator.temporary_key_pair_type)
            && !["rsa", "ed25519"].contains(&kind)
        {
            problems.push("temporary_key_pair_type requires either rsa or ed25519 as its value".to_owned());
        }
        if given(&self.communicator.ssh_keypair_name).is_some()
            && self.communicator.ssh_private_key_file.is_none()
            && (self.communicator.is_winrm() || !self.communicator.ssh_agent_auth)
        {
            // The password of a Windows instance is encrypted with its key, which an agent does not decrypt with.
            let text = match self.communicator.is_winrm() {
                true => {
                    "ssh_private_key_file must be provided to retrieve the winrm password when using ssh_keypair_name."
                }
                false => {
                    "ssh_private_key_file must be provided or ssh_agent_auth enabled when ssh_keypair_name is specified."
                }
            };
            problems.push(text.to_owned());
        }
        let interfaces = ["public_ip", "private_ip", "public_dns", "private_dns", "ipv6"];
        match given(&options.ssh_interface) {
            Some("session_manager") => {
                problems.push("ssh_interface `session_manager` is not supported by this version of Kiln".to_owned());
            }
            Some(other) if !interfaces.contains(&other) => problems.push(format!("Unknown interface type: {other}")),
            _ => {}
        }
        problems.extend(launch_problems(options));
        problems
    }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn source_problems(options: &Options) -> Vec<String> {
    let mut problems = Vec::new();
    let filter = options.source_ami_filter.as_ref();
    if given(&options.source_ami).is_none() {
        if filter.is_none_or(|filter| filter.filters.is_empty() && filter.owners.is_empty()) {
            problems.push("A source_ami or source_ami_filter must be specified".to_owned());
        }
        if filter.is_some_and(|filter| filter.owners.is_empty()) {
            problems.push("For security reasons, your source AMI filter must declare an owner.".to_owned());
        }
    }
    match (given(&options.instance_type), options.spot_instance_types.is_empty()) {
        (None, true) => problems.push("either instance_type or spot_instance_types must be specified".to_owned()),
        (Some(_), false) => {
            problems.push("either instance_type or spot_instance_types must be specified, not both".to_owned());
        }
        _ => {}
    }
    problems
}

fn launch_problems(options: &Options) -> Vec<String> {
    let mut problems = Vec::new();
    if options.user_data.is_some() && options.user_data_file.is_some() {
        problems.push("Only one of user_data or user_data_file can be specified.".to_owned());
    } else if let Some(file) = given(&options.user_data_file)
        && !std::path::Path::new(file).exists()
    {
        problems.push(format!("user_data_file not found: {file}"));
    }
    if options.security_group_id.is_some() && !options.security_group_ids.is_empty() {
        problems.push("Only one of security_group_id or security_group_ids can be specified.".to_owned());
    }
    let bad = options.temporary_security_group_source_cidrs.iter().filter(|cidr| !is_cidr(cidr));
    problems.extend(bad.map(|cidr| {
        format!("Error parsing CIDR in temporary_security_group_source_cidrs: invalid CIDR address: {cidr}")
    }));
    if given(&options.shutdown_behavior).is_some_and(|value| !["stop", "terminate"].contains(&value)) {
        problems.push("shutdown_behavior only accepts 'stop' or 'terminate' values.".to_owned());
    }
    if options.tenancy.is_some() && options.placement.as_ref().is_some_and(|placement| placement.tenancy.is_some()) {
        problems.push("Error: Please set only one of placement.tenancy and tenancy (deprecated)".to_owned());
    }
    let placed = options.placement.as_ref().and_then(|placement| placement.tenancy.as_deref());
    let tenancies = [placed, options.tenancy.as_deref()].into_iter().flatten();
    let unknown = tenancies.filter(|tenancy| !["", "default", "dedicated", "host"].contains(tenancy));
    problems.extend(unknown.map(|tenancy| format!("Error: Unknown tenancy type {tenancy}")));
    problems.extend(metadata_problems(options));
    problems.extend(credit_problem(options));
    problems.extend(spot::problems(options));
    problems.extend(capacity::problems(options));
    problems
}

fn credit_problem(options: &Options) -> Option<String> {
    let burstable = ["t2.", "t3.", "t3a.", "t4g."];
    let kinds = options.instance_types();
    if !options.enable_unlimited_credits && !options.enable_t2_unlimited {
        return None;
    }
    if let Some(kind) = kinds.iter().find(|kind| !burstable.iter().any(|prefix| kind.starts_with(prefix))) {
        return Some(format!(
            "Error: Instance Type: {kind} is not within the supported types for Unlimited credits. Supported instance types are T2, T3, T3a and T4g"
        ));
    }
    let of_t2 = options.is_spot() && kinds.iter().any(|kind| kind.starts_with("t2."));
    of_t2.then(|| "Error: Unlimited credits cannot be used in conjunction with Spot Instances".to_owned())
}

fn metadata_problems(options: &Options) -> Vec<String> {
    let Some(metadata) = &options.metadata_options else { return Vec::new() };
    let choices = [
        ("http_endpoint", &metadata.http_endpoint, ["disabled", "enabled"]),
        ("http_tokens", &metadata.http_tokens, ["optional", "required"]),
        ("instance_metadata_tags", &metadata.instance_metadata_tags, ["disabled", "enabled"]),
    ];
    let wrong = choices.iter().filter(|(_, value, allowed)| given(value).is_some_and(|v| !allowed.contains(&v)));
    let mut problems: Vec<String> =
        wrong.map(|(name, _, [one, other])| format!("{name} requires either {one} or {other} as its value")).collect();
    if metadata.http_put_response_hop_limit.is_some_and(|limit| !(0..=64).contains(&limit)) {
        problems.push("http_put_response_hop_limit requires a number between 1 and 64".to_owned());
    }
    problems
}

fn image_problems(options: &Options) -> Vec<String> {
    let mut problems = name_problems(&options.ami_name);
    if options.on_copy_failure.as_deref().is_some_and(|value| !["", "undo", "keep"].contains(&value)) {
        problems.push("on_copy_failure only accepts 'undo' or 'keep'".to_owned());
    }
    if options.imds_support.as_deref().is_some_and(|value| !["", "v2.0"].contains(&value)) {
        problems.push("The only valid imds_support values are \"v2.0\" or the empty string".to_owned());
    }
    if let Some(at) = given(&options.deprecate_at)
        && at.parse::<jiff::Timestamp>().is_err()
    {
        problems.push(format!("deprecate_at is not a valid time: \"{at}\". Expect time format: YYYY-MM-DDTHH:MM:SSZ"));
    }
    problems
}

fn name_problems(name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if name.is_empty() {
        problems.push("ami_name must be specified".to_owned());
    }
    if !(3..=128).contains(&name.len()) {
        problems.push("ami_name must be between 3 and 128 characters long".to_owned());
    }
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "()[] ./-'@_".contains(letter);
    if let Some(bad) = name.chars().find(|letter| !allowed(*letter)) {
        problems.push(format!(
            "AMIName should only contain alphanumeric characters, parentheses (()), square brackets ([]), spaces ( ), periods (.), slashes (/), dashes (-), single quotes ('), at-signs (@), or underscores(_); `{name}` contains `{bad}`"
        ));
    }
    problems
}

fn device_problems(device: &Device) -> Vec<String> {
    let mut problems = Vec::new();
    let name = &device.device_name;
    if name.is_empty() {
        problems.push("The `device_name` must be specified for every device in the block device mapping.".to_owned());
    }
    if device.kms_key_id.is_some() && device.encrypted == Some(false) {
        problems.push(format!("The device {name}, must also have `encrypted: true` when setting a kms_key_id."));
    }
    let kind = device.volume_type.as_deref().unwrap_or_default();
    if device.throughput.is_some() && kind != "gp3" {
        problems.push(format!("Throughput is only valid for gp3 volumes, \"{name}\" is of type {kind}"));
    }
    // EC2's own limits (ec2-api.md section 2.5), wider than those that Packer knows.
    let iops = match kind {
        "gp3" => Some(3000..=80_000),
        "io1" => Some(100..=64_000),
        "io2" => Some(100..=256_000),
        _ => None,
    };
    if let (Some(value), Some(range)) = (device.iops, iops)
        && !range.contains(&value)
    {
        problems.push(format!("IOPS must be between {} and {} for device {name}", range.start(), range.end()));
    }
    problems.extend(iops_ratio_problem(device, kind));
    if let Some(value) = device.throughput
        && !(125..=2000).contains(&value)
    {
        problems.push(format!("Throughput must be between 125 and 2000 for device {name}"));
    }
    problems
}

/// EC2 gives an `io1` volume at most 50 operations a second for each GiB, and an `io2` volume 500.
fn iops_ratio_problem(device: &Device, kind: &str) -> Option<String> {
    let most = match kind {
        "io1" => 50,
        "io2" => 500,
        _ => return None,
    };
    let (iops, size) = (device.iops?, device.volume_size.filter(|size| *size > 0)?);
    (iops / size > most).then(|| {
        let name = &device.device_name;
        format!("{name}: the maximum ratio of provisioned IOPS to requested volume size (in GiB) is {most}:1 for {kind} volumes")
    })
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(bits)) = (address.parse::<std::net::IpAddr>(), bits.parse::<u8>()) else { return false };
    bits <= if address.is_ipv4() { 32 } else { 128 }
}

/// Adds to "unsupported argument" errors that the option is Packer's and not in this version, where that is so.
pub fn with_hints(diagnostics: Diagnostics) -> Diagnostics {
    let hinted = diagnostics.into_iter().map(|diagnostic| {
        let known = unsupported::OPTIONS.iter().find(|name| diagnostic.detail.contains(&format!("\"{name}\"")));
        match known {
            Some(name) => {
                diagnostic.hint(format!("Packer knows `{name}`; this version of Kiln does not support it yet"))
            }
            None => diagnostic,
        }
    });
    hinted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_ec2s_rules() {
        assert!(name_problems("a b(c)[d]./-'@_9").is_empty());
        assert_eq!(name_problems("").len(), 2);
        assert_eq!(name_problems("ab").len(), 1);
        assert!(name_problems("base-2026:01")[0].contains("`:`"));
    }

    #[test]
    fn cidrs() {
        for (text, good) in [("10.0.0.0/8", true), ("::/0", true), ("10.0.0.0", false), ("10.0.0.0/33", false)] {
            assert_eq!(is_cidr(text), good, "{text}");
        }
    }

    #[test]
    fn a_source_needs_an_image_and_a_type() {
        let problems = source_problems(&Options::default());
        assert_eq!(problems.len(), 2);
        let options =
            Options { source_ami: Some("ami-1".into()), instance_type: Some("t3.micro".into()), ..Options::default() };
        assert!(source_problems(&options).is_empty());
    }
}
