//! Volumes that come and go, snapshots of many volumes, copies, and encryption.

use super::*;
use crate::local_ec2::timing::{Figure, Transition};

async fn volume(ec2: &Ec2, more: &str) -> String {
    let query = format!("CreateVolume&AvailabilityZone=eu-west-1a&Size=1{more}");
    let id = ec2.call(&query).await.text("volumeId").to_owned();
    ec2.until(&format!("DescribeVolumes&VolumeId.1={id}"), "status", "available").await;
    id
}

#[tokio::test]
async fn volumes_are_attached_imaged_and_detached() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let id = ec2.launch("&Placement.AvailabilityZone=eu-west-1a").await;
    let (one, two) = (volume(&ec2, "").await, volume(&ec2, "").await);
    let attach = |volume: &str, device: &str| format!("AttachVolume&VolumeId={volume}&InstanceId={id}&Device={device}");
    assert_eq!(ec2.call(&attach(&one, "/dev/sdf")).await.text("status"), "attaching");
    assert_eq!(ec2.call(&attach(&one, "/dev/sdg")).await.code(), (400, "VolumeInUse"));
    assert_eq!(ec2.call(&attach(&two, "/dev/sdf")).await.code(), (400, "InvalidParameterValue"));
    assert_eq!(ec2.call(&attach(&two, "nonsense")).await.code(), (400, "InvalidParameterValue"));
    let far = ec2.call("CreateVolume&AvailabilityZone=eu-west-1b&Size=1").await.text("volumeId").to_owned();
    ec2.until(&format!("DescribeVolumes&VolumeId.1={far}"), "status", "available").await;
    assert_eq!(ec2.call(&attach(&far, "/dev/sdh")).await.code(), (400, "InvalidVolume.ZoneMismatch"));
    assert_eq!(ec2.call(&format!("DeleteVolume&VolumeId={one}")).await.code(), (400, "VolumeInUse"));

    let set =
        format!("CreateSnapshots&InstanceSpecification.InstanceId={id}&InstanceSpecification.ExcludeBootVolume=true");
    let set = ec2.call(&set).await;
    assert_eq!((set.texts("volumeId"), set.text("state")), (vec![one.as_str()], "pending"));
    let image = ec2.call(&format!("CreateImage&InstanceId={id}&Name=two-disks&NoReboot=true")).await;
    let image = ec2.call(&format!("DescribeImages&ImageId.1={}", image.text("imageId"))).await;
    assert_eq!(image.texts("snapshotId").len(), 2);

    let root = ec2.call("DescribeVolumes&Filter.1.Name=attachment.device&Filter.1.Value.1=/dev/xvda").await;
    let refused = ec2.call(&format!("DetachVolume&VolumeId={}", root.text("volumeId"))).await;
    assert_eq!(refused.code(), (400, "OperationNotPermitted"));
    let detach = format!("DetachVolume&VolumeId={one}");
    assert_eq!(ec2.call(&detach).await.text("status"), "detaching");
    ec2.until(&format!("DescribeVolumes&VolumeId.1={one}"), "status", "available").await;
    assert_eq!(ec2.call(&detach).await.code(), (400, "IncorrectState"));
    assert_eq!(ec2.call(&format!("{detach}&InstanceId={id}")).await.code(), (400, "InvalidAttachment.NotFound"));
    assert_eq!(ec2.call(&format!("DeleteVolume&VolumeId={one}")).await.text("return"), "true");
    assert_eq!(ec2.call(&format!("DeleteVolume&VolumeId={one}")).await.code(), (400, "InvalidVolume.NotFound"));
}

#[tokio::test]
async fn snapshots_are_copied_between_regions_and_accounts() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let source = volume(&ec2, "").await;
    let snapshot = ec2.call(&format!("CreateSnapshot&VolumeId={source}")).await.text("snapshotId").to_owned();
    ec2.until("DescribeSnapshots&Owner.1=self", "status", "completed").await;
    let copy = format!("CopySnapshot&SourceRegion=eu-west-1&SourceSnapshotId={snapshot}");
    let there = |key: &'static str, query: String| {
        let ec2 = &ec2;
        async move { ec2.in_region("us-east-1", "ec2", key, &query).await }
    };
    let made = there("AKIDTEST", format!("{copy}&Encrypted=true")).await;
    let seen = there("AKIDTEST", format!("DescribeSnapshots&SnapshotId.1={}", made.text("snapshotId"))).await;
    assert_eq!(
        (seen.text("encrypted"), seen.text("kmsKeyId"), seen.text("volumeId")),
        ("true", "arn:aws:kms:us-east-1:000000000000:key/035790fe-387f-66b7-9019-c23cb82b71c2", "vol-ffffffff")
    );
    // Another account sees it once it is shared.
    let other = "111122223333";
    assert_eq!(there(other, copy.clone()).await.text("Code"), "InvalidSnapshot.NotFound");
    let share = format!("ModifySnapshotAttribute&SnapshotId={snapshot}&CreateVolumePermission.Add.1.UserId={other}");
    assert_eq!(ec2.call(&share).await.text("return"), "true");
    assert!(there(other, copy.clone()).await.text("snapshotId").starts_with("snap-"));
    for (change, code) in [
        ("SourceRegion=mars-1", "InvalidRegion"),
        ("SourceRegion=eu-west-1&KmsKeyId=alias/x", "InvalidParameterDependency"),
        ("SourceRegion=us-west-2", "InvalidSnapshot.NotFound"),
    ] {
        let query = format!("CopySnapshot&SourceSnapshotId={snapshot}&{change}");
        assert_eq!(there("AKIDTEST", query).await.text("Code"), code, "{change}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_used_shows_later() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::start(dir.path(), Arc::new(NoMachines::default()), |options| {
        options.seeds.kms_keys = vec!["alias/images".to_owned()];
    })
    .await;
    let id = ec2.launch("").await;
    let image = ec2.call(&format!("CreateImage&InstanceId={id}&Name=plain")).await.text("imageId").to_owned();
    ec2.until(&format!("DescribeImages&ImageId.1={image}"), "imageState", "available").await;
    for (n, key, state) in [(1, "alias/images", "available"), (2, "alias/none", "failed"), (3, "not a key", "failed")] {
        let query = format!(
            "CopyImage&Name=copy{n}&SourceRegion=eu-west-1&SourceImageId={image}&Encrypted=true&KmsKeyId={key}"
        );
        let copy = ec2.call(&query).await.text("imageId").to_owned();
        let seen = ec2.until(&format!("DescribeImages&ImageId.1={copy}"), "imageState", state).await;
        assert_eq!(seen.body.contains("AMI snapshot copy failed with error"), state == "failed", "{key}");
    }
    let source = ec2.image().await;
    let locked = format!(
        "RunInstances&ImageId={source}&InstanceType=t3.micro&MinCount=1&MaxCount=1&BlockDeviceMapping.1.DeviceName=/dev/sdf\
         &BlockDeviceMapping.1.Ebs.VolumeSize=1&BlockDeviceMapping.1.Ebs.Encrypted=true&BlockDeviceMapping.1.Ebs.KmsKeyId=alias/none"
    );
    let locked = ec2.call(&locked).await;
    assert_eq!(locked.text("name"), "pending");
    let query = format!("DescribeInstances&InstanceId.1={}", locked.text("instanceId"));
    assert!(ec2.until(&query, "name", "terminated").await.body.contains("Client.InternalError"));
}

#[tokio::test]
async fn the_account_encrypts_by_default_and_blocks_the_public() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    assert_eq!(ec2.call("GetEbsEncryptionByDefault").await.text("ebsEncryptionByDefault"), "false");
    assert_eq!(ec2.call("EnableEbsEncryptionByDefault&DryRun=true").await.code(), (412, "DryRunOperation"));
    assert_eq!(ec2.call("EnableEbsEncryptionByDefault").await.text("ebsEncryptionByDefault"), "true");
    assert_eq!(ec2.call("ModifyEbsDefaultKmsKeyId&KmsKeyId=alias/ours").await.text("kmsKeyId"), "alias/ours");
    let made = ec2.call("CreateVolume&AvailabilityZone=eu-west-1a&Size=1").await;
    let key = "arn:aws:kms:eu-west-1:000000000000:key/0d2bcd8a-b07b-5b3e-80aa-707b40f64b3f";
    assert_eq!((made.text("encrypted"), made.text("kmsKeyId")), ("true", key), "the key that the alias leads to");
    assert_eq!(ec2.call("ResetEbsDefaultKmsKeyId").await.text("kmsKeyId"), "alias/aws/ebs");
    assert_eq!(ec2.call("DisableEbsEncryptionByDefault").await.text("ebsEncryptionByDefault"), "false");
    let block = "EnableImageBlockPublicAccess&ImageBlockPublicAccessState=block-new-sharing";
    assert_eq!(ec2.call(block).await.text("imageBlockPublicAccessState"), "block-new-sharing");
    let id = ec2.launch("").await;
    let image = ec2.call(&format!("CreateImage&InstanceId={id}&Name=mine")).await.text("imageId").to_owned();
    ec2.until(&format!("DescribeImages&ImageId.1={image}"), "imageState", "available").await;
    let publish = format!("ModifyImageAttribute&ImageId={image}&LaunchPermission.Add.1.Group=all");
    assert_eq!(ec2.call(&publish).await.code(), (400, "OperationNotPermitted"));
    ec2.call("DisableImageBlockPublicAccess").await;
    assert_eq!(ec2.call(&publish).await.text("return"), "true");
    let fast = ec2.call(&format!("EnableFastLaunch&ImageId={image}&MaxParallelLaunches=6")).await;
    assert!(fast.text("Message").contains("Windows"), "{}", fast.body);
    assert_eq!(ec2.call(&format!("GetPasswordData&InstanceId={id}")).await.text("passwordData"), "");
    let source = ec2.call(&format!("DescribeInstanceImageMetadata&InstanceId.1={id}")).await;
    assert_eq!(source.text("imageOwnerAlias"), "amazon");
}

#[tokio::test]
async fn a_pending_snapshot_goes_when_it_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::start(dir.path(), Arc::new(NoMachines::default()), |options| {
        options.timings.insert(Transition::Snapshot, Figure::Fixed(0.5));
    })
    .await;
    let volume = ec2.call("CreateVolume&AvailabilityZone=eu-west-1a&Size=1").await.text("volumeId").to_owned();
    ec2.until(&format!("DescribeVolumes&VolumeId.1={volume}"), "status", "available").await;
    let id = ec2.call(&format!("CreateSnapshot&VolumeId={volume}")).await.text("snapshotId").to_owned();
    let seen = format!("DescribeSnapshots&SnapshotId.1={id}");
    for _ in 0..2 {
        assert_eq!(ec2.call(&format!("DeleteSnapshot&SnapshotId={id}")).await.text("return"), "true");
    }
    assert_eq!(ec2.call(&seen).await.text("status"), "pending");
    ec2.until(&seen, "Code", "InvalidSnapshot.NotFound").await;
}
