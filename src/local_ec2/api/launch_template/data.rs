//! The data of a launch template: what may be in it, and how it is shown.

use crate::local_ec2::api::instance;
use crate::local_ec2::wire::{Error, Params, Xml};

/// How the lists of a template are called when they are shown, and what their items are called.
const LISTS: &[(&str, &str, &str)] = &[
    ("BlockDeviceMapping", "blockDeviceMappingSet", "item"),
    ("NetworkInterface", "networkInterfaceSet", "item"),
    ("NetworkInterface.SecurityGroupId", "groupSet", "groupId"),
    ("SecurityGroupId", "securityGroupIdSet", "item"),
    ("SecurityGroup", "securityGroupSet", "item"),
    ("TagSpecification", "tagSpecificationSet", "item"),
    ("TagSpecification.Tag", "tagSet", "item"),
    ("LicenseSpecification", "licenseSet", "item"),
];

/// Refuses what no launch here would take; the rest is looked at when an instance is launched, as on EC2.
pub fn check(data: &Params) -> Result<(), Error> {
    let known: Vec<&str> = instance::RUN_PARAMS.split_whitespace().collect();
    // A template's RAM disk has a name of its own (`RamDiskId`), and an address is for one instance.
    const ELSEWHERE: [&str; 6] =
        ["MinCount", "MaxCount", "ClientToken", "LaunchTemplate", "RamdiskId", "PrivateIpAddress"];
    if let Some(head) = data.heads().into_iter().find(|head| !known.contains(head) || ELSEWHERE.contains(head)) {
        let text = format!("The parameter LaunchTemplateData.{head} is not recognized");
        return Err(Error::new("UnknownParameter", text));
    }
    if let Some(text) = data.get("UserData") {
        instance::check_user_data(text)?;
    }
    Ok(())
}

/// Writes the data as DescribeLaunchTemplateVersions shows it.
pub fn write(xml: &mut Xml, data: &Params) {
    write_below(xml, data, "");
}

fn write_below(xml: &mut Xml, data: &Params, path: &str) {
    for head in data.heads() {
        let here = if path.is_empty() { head.to_owned() } else { format!("{path}.{head}") };
        if let Some((_, name, item)) = LISTS.iter().find(|(list, _, _)| *list == here) {
            xml.node(name, |xml| write_items(xml, data, head, &here, item));
        } else if let Some(value) = data.raw(head) {
            // What is written without a value (`SubnetId=`) was not set; tags and `NoDevice` may be empty.
            if !value.is_empty() || head == "NoDevice" || here.ends_with("Tag.Value") {
                xml.text(&element(head), value);
            }
        } else {
            xml.node(&element(head), |xml| write_below(xml, &data.sub(head), &here));
        }
    }
}

fn write_items(xml: &mut Xml, data: &Params, head: &str, here: &str, item: &str) {
    let scalars = data.list(head);
    if !scalars.is_empty() {
        for value in &scalars {
            xml.text(item, value);
        }
        return;
    }
    for entry in data.each(head) {
        xml.node(item, |xml| write_below(xml, &entry, here));
    }
}

/// `ImageId` is shown as `imageId`.
fn element(head: &str) -> String {
    let mut chars = head.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_ec2::wire::xml::document;

    #[test]
    fn data_is_shown_with_the_names_of_the_answer() {
        let data = Params::parse(
            "ImageId=ami-1&SecurityGroupId.1=sg-1&NetworkInterface.1.SecurityGroupId.1=sg-2&NetworkInterface.1.DeviceIndex=0\
             &TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=\
             &BlockDeviceMapping.1.Ebs.VolumeSize=8&SubnetId=",
        );
        let mut xml = Xml::new();
        write(&mut xml, &data);
        let text = document("x", None, &xml);
        for part in [
            "<blockDeviceMappingSet><item><ebs><volumeSize>8</volumeSize></ebs></item></blockDeviceMappingSet>",
            "<imageId>ami-1</imageId>",
            "<groupSet><groupId>sg-2</groupId></groupSet>",
            "<securityGroupIdSet><item>sg-1</item></securityGroupIdSet>",
            "<tagSet><item><key>k</key><value></value></item></tagSet>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("subnetId"));
        assert_eq!(check(&Params::parse("Bogus=1")).unwrap_err().code, "UnknownParameter");
    }
}
