//! What is set on a finished image and its snapshots: description, sharing, deprecation, protection.

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    AttributeValue, CreateVolumePermission, CreateVolumePermissionModifications, LaunchPermission,
    LaunchPermissionModifications, PermissionGroup, SnapshotAttributeName,
};

use super::clients::Ec2;
use super::error::Error;
use super::repeat::change;
use super::retry::Age;

/// With whom an image or snapshot is shared.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    /// Account ids.
    pub users: Vec<String>,
    /// Groups; `all` is the only one EC2 knows.
    pub groups: Vec<String>,
    /// Organisation ARNs (images only).
    pub organizations: Vec<String>,
    /// Organisational unit ARNs (images only).
    pub units: Vec<String>,
}

impl Shares {
    /// True when there is nobody to share with.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && self.organizations.is_empty() && self.units.is_empty()
    }
}

/// Sets an image's description.
pub async fn describe(ec2: &Ec2, image: &str, text: &str) -> Result<(), Error> {
    change(ec2, Age::Young, async || {
        let value = AttributeValue::builder().value(text).build();
        let call = ec2.client.modify_image_attribute().image_id(image).description(value);
        call.send().await.map(drop).map_err(|e| Error::from_sdk("ModifyImageAttribute", image, &e))
    })
    .await
}

/// Demands IMDSv2 of instances launched from an image.
pub async fn require_imds_v2(ec2: &Ec2, image: &str) -> Result<(), Error> {
    change(ec2, Age::Young, async || {
        let value = AttributeValue::builder().value("v2.0").build();
        let call = ec2.client.modify_image_attribute().image_id(image).imds_support(value);
        call.send().await.map(drop).map_err(|e| Error::from_sdk("ModifyImageAttribute", image, &e))
    })
    .await
}

/// Shares an image.
pub async fn share_image(ec2: &Ec2, image: &str, shares: &Shares) -> Result<(), Error> {
    let users = shares.users.iter().map(|user| LaunchPermission::builder().user_id(user).build());
    let groups =
        shares.groups.iter().map(|g| LaunchPermission::builder().group(PermissionGroup::from(g.as_str())).build());
    let organizations =
        shares.organizations.iter().map(|arn| LaunchPermission::builder().organization_arn(arn).build());
    let units = shares.units.iter().map(|arn| LaunchPermission::builder().organizational_unit_arn(arn).build());
    let all: Vec<_> = users.chain(groups).chain(organizations).chain(units).collect();
    change(ec2, Age::Young, async || {
        let added = LaunchPermissionModifications::builder().set_add(Some(all.clone())).build();
        let call = ec2.client.modify_image_attribute().image_id(image).launch_permission(added);
        call.send().await.map(drop).map_err(|e| Error::from_sdk("ModifyImageAttribute", image, &e))
    })
    .await
}

/// Shares a snapshot.
pub async fn share_snapshot(ec2: &Ec2, snapshot: &str, shares: &Shares) -> Result<(), Error> {
    let users = shares.users.iter().map(|user| CreateVolumePermission::builder().user_id(user).build());
    let groups = shares
        .groups
        .iter()
        .map(|g| CreateVolumePermission::builder().group(PermissionGroup::from(g.as_str())).build());
    let all: Vec<_> = users.chain(groups).collect();
    change(ec2, Age::Young, async || {
        let added = CreateVolumePermissionModifications::builder().set_add(Some(all.clone())).build();
        let call = ec2
            .client
            .modify_snapshot_attribute()
            .snapshot_id(snapshot)
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .create_volume_permission(added);
        call.send().await.map(drop).map_err(|e| Error::from_sdk("ModifySnapshotAttribute", snapshot, &e))
    })
    .await
}

/// Sets when an image counts as deprecated, in seconds since 1970.
pub async fn deprecate(ec2: &Ec2, image: &str, at: i64) -> Result<(), Error> {
    change(ec2, Age::Young, async || {
        let call = ec2.client.enable_image_deprecation().image_id(image).deprecate_at(DateTime::from_secs(at));
        call.send().await.map(drop).map_err(|e| Error::from_sdk("EnableImageDeprecation", image, &e))
    })
    .await
}

/// Whether protection outlives its removal by a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cooldown {
    /// It does.
    Day,
    /// It ends at once.
    None,
}

/// Protects an image from being deregistered.
pub async fn protect(ec2: &Ec2, image: &str, cooldown: Cooldown) -> Result<(), Error> {
    change(ec2, Age::Young, async || {
        let call = ec2.client.enable_image_deregistration_protection().image_id(image);
        let call = call.with_cooldown(cooldown == Cooldown::Day);
        call.send().await.map(drop).map_err(|e| Error::from_sdk("EnableImageDeregistrationProtection", image, &e))
    })
    .await
}
