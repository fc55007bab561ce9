"""Volumes, snapshots, copies between regions, sharing and encryption of `kiln ec2-local`, driven by boto3 and the AWS CLI."""

import datetime

import pytest
from calls import code_of, newest, snapshot, tags, volume
from conftest import client, wait_for

OTHER = "111122223333"


@pytest.fixture(scope="module")
def ec2(local_ec2):
    return client("ec2", local_ec2)


@pytest.fixture(scope="module")
def far(local_ec2):
    return client("ec2", local_ec2, region="eu-central-1")


@pytest.fixture(scope="module")
def image(ec2):
    """An image with a root and a data disk, registered from snapshots."""
    source = volume(ec2)
    disks = [snapshot(ec2, source), snapshot(ec2, source)]
    ec2.delete_volume(VolumeId=source)
    wanted = {
        "Name": "disks",
        "Architecture": "x86_64",
        "VirtualizationType": "hvm",
        "EnaSupport": True,
        "ImdsSupport": "v2.0",
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [
            {"DeviceName": device, "Ebs": {"SnapshotId": disk, "VolumeType": "gp3", "VolumeSize": 2}}
            for device, disk in zip(["/dev/xvda", "/dev/sdf"], disks)
        ],
        "TagSpecifications": tags("image", Role="golden"),
    }
    made = ec2.register_image(**wanted)["ImageId"]
    assert code_of(ec2.register_image, **wanted) == "InvalidAMIName.Duplicate"
    available(ec2, made)
    yield made
    assert code_of(ec2.delete_snapshot, SnapshotId=disks[0]) == "InvalidSnapshot.InUse"
    results = ec2.deregister_image(ImageId=made, DeleteAssociatedSnapshots=True)["DeleteSnapshotResults"]
    assert {(result["SnapshotId"], result["ReturnCode"]) for result in results} == {(disk, "success") for disk in disks}
    assert code_of(ec2.deregister_image, ImageId=made) in ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable")


def seen(ec2, image_id: str) -> dict:
    return ec2.describe_images(ImageIds=[image_id])["Images"][0]


def available(ec2, image_id: str) -> dict:
    wait_for("available", lambda: seen(ec2, image_id)["State"] == "available")
    return seen(ec2, image_id)


def test_a_copy_to_another_region(ec2, far, image):
    wanted = {"Name": "copied", "SourceImageId": image, "SourceRegion": "us-east-1", "Encrypted": True, "ClientToken": "copy-1"}
    wanted |= {"CopyImageTags": True, "TagSpecifications": tags("image", Run="1") + tags("snapshot", Run="1")}
    copy = far.copy_image(**wanted)["ImageId"]
    assert far.copy_image(**wanted)["ImageId"] == copy
    assert code_of(far.copy_image, **(wanted | {"Name": "other"})) == "IdempotentParameterMismatch"
    assert code_of(far.copy_image, **(wanted | {"ClientToken": "copy-2"})) == "InvalidAMIName.Duplicate"
    found = available(far, copy)
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == {"Role": "golden", "Run": "1"}
    assert (found["SourceImageId"], found["SourceImageRegion"]) == (image, "us-east-1")
    disks = [device["Ebs"] for device in found["BlockDeviceMappings"]]
    assert len(disks) == 2 and all(disk["Encrypted"] for disk in disks)
    snapshots = far.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "tag:Run", "Values": ["1"]}])["Snapshots"]
    assert {one["SnapshotId"] for one in snapshots} == {disk["SnapshotId"] for disk in disks}
    assert all(one["Progress"] == "100%" and copy in one["Description"] for one in snapshots)
    # Sharing what is encrypted with AWS's own key is refused; ids of one region mean nothing in another.
    assert code_of(far.modify_image_attribute, ImageId=copy, LaunchPermission={"Add": [{"UserId": OTHER}]}) == "InvalidParameter"
    permission = {"Add": [{"UserId": OTHER}]}
    assert code_of(far.modify_snapshot_attribute, SnapshotId=disks[0]["SnapshotId"], CreateVolumePermission=permission) == "OperationNotPermitted"
    assert code_of(ec2.describe_images, ImageIds=[copy]) == "InvalidAMIID.NotFound"
    far.deregister_image(ImageId=copy, DeleteAssociatedSnapshots=True)


def test_copies_refuse_with_ec2s_codes(far, image):
    base = {"Name": "refused", "SourceImageId": image, "SourceRegion": "us-east-1"}
    for change, code in [
        ({"SourceImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
        ({"SourceImageId": "nonsense"}, "InvalidAMIID.Malformed"),
        ({"SourceRegion": "mars-1"}, "InvalidRegion"),
        ({"KmsKeyId": "alias/x"}, "InvalidParameterDependency"),
        ({"Name": "a*b"}, "InvalidAMIName.Malformed"),
        ({"SnapshotCopyCompletionDurationMinutes": 7}, "InvalidParameterValue"),
        ({"DryRun": True}, "DryRunOperation"),
    ]:
        assert code_of(far.copy_image, **(base | change)) == code, change


def test_a_key_that_cannot_be_used_fails_the_copy_later(far, image):
    key = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    wanted = {"Name": "locked", "SourceImageId": image, "SourceRegion": "us-east-1", "Encrypted": True, "KmsKeyId": key}
    copy = far.copy_image(**wanted)["ImageId"]
    wait_for("failed", lambda: seen(far, copy)["State"] == "failed")
    assert "Given key ID is not accessible" in seen(far, copy)["StateReason"]["Message"]
    far.deregister_image(ImageId=copy, DeleteAssociatedSnapshots=True)


def test_an_image_is_shared_deprecated_and_protected(ec2, local_ec2, image):
    other = client("ec2", local_ec2, key=OTHER)
    assert code_of(other.describe_images, ImageIds=[image]) == "InvalidAMIID.NotFound"
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": OTHER}]})
    shared = other.describe_images(ExecutableUsers=["self"])["Images"]
    assert [one["ImageId"] for one in shared] == [image]
    assert code_of(other.deregister_image, ImageId=image) == "AuthFailure"
    # Launching is one permission, reading the storage another.
    elsewhere = client("ec2", local_ec2, region="eu-central-1", key=OTHER)
    wanted = {"Name": "theirs", "SourceImageId": image, "SourceRegion": "us-east-1"}
    assert code_of(elsewhere.copy_image, **wanted) == "InvalidRequest"
    for device in seen(ec2, image)["BlockDeviceMappings"]:
        permission = {"Add": [{"UserId": OTHER}]}
        ec2.modify_snapshot_attribute(SnapshotId=device["Ebs"]["SnapshotId"], CreateVolumePermission=permission)
    copy = elsewhere.copy_image(**wanted)["ImageId"]
    available(elsewhere, copy)
    elsewhere.deregister_image(ImageId=copy, DeleteAssociatedSnapshots=True)
    organization = "arn:aws:organizations::123456789012:organization/o-1"
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"OrganizationArn": organization}]})
    permissions = ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]
    assert permissions == [{"UserId": OTHER}, {"OrganizationArn": organization}]
    bad = {"Add": [{"UserId": "bob"}]}
    assert code_of(ec2.modify_image_attribute, ImageId=image, LaunchPermission=bad) == "InvalidAMIAttributeItemValue"

    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)
    assert ec2.enable_image_deprecation(ImageId=image, DeprecateAt=soon)["Return"] is True
    assert seen(ec2, image)["DeprecationTime"].endswith(":00.000Z"), "rounded to the minute"
    past = datetime.datetime(2020, 1, 1)
    assert code_of(ec2.enable_image_deprecation, ImageId=image, DeprecateAt=past) == "InvalidParameterValue"
    assert ec2.enable_image_deregistration_protection(ImageId=image)["Return"] == "enabled-without-cooldown"
    assert code_of(ec2.deregister_image, ImageId=image) == "OperationNotPermitted"
    assert ec2.disable_image_deregistration_protection(ImageId=image)["Return"] == "disabled"
    for attribute in ["description", "kernel", "ramdisk", "productCodes", "blockDeviceMapping", "sriovNetSupport", "bootMode"]:
        ec2.describe_image_attribute(ImageId=image, Attribute=attribute)
    for attribute in ["tpmSupport", "uefiData", "lastLaunchedTime", "imdsSupport", "deregistrationProtection"]:
        ec2.describe_image_attribute(ImageId=image, Attribute=attribute)


def test_snapshots_are_copied_and_shared(ec2, far, local_ec2):
    source = volume(ec2, TagSpecifications=tags("volume", Name="data"))
    made = snapshot(ec2, source, Description="of data", TagSpecifications=tags("snapshot", Name="data"))
    copy = far.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=made, TagSpecifications=tags("snapshot", Run="2"))
    assert copy["Tags"] == [{"Key": "Run", "Value": "2"}]
    found = far.describe_snapshots(SnapshotIds=[copy["SnapshotId"]])["Snapshots"][0]
    assert found["VolumeId"] == "vol-ffffffff"
    other = client("ec2", local_ec2, key=OTHER)
    assert code_of(other.describe_snapshots, SnapshotIds=[made]) == "InvalidSnapshot.NotFound"
    zone = {"AvailabilityZone": "us-east-1a"}
    mapping = [{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": made}}]
    launch = {"ImageId": newest(ec2)["ImageId"], "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    launch |= {"BlockDeviceMappings": mapping, "DryRun": True}
    assert code_of(other.create_volume, **zone, SnapshotId=made) == "InvalidSnapshot.NotFound"
    assert code_of(other.run_instances, **launch) == "InvalidSnapshot.NotFound"
    flat = {"Attribute": "createVolumePermission", "OperationType": "add", "UserIds": [OTHER]}
    ec2.modify_snapshot_attribute(SnapshotId=made, **flat)
    assert [one["SnapshotId"] for one in other.describe_snapshots(RestorableByUserIds=["self"], SnapshotIds=[made])["Snapshots"]] == [made]
    assert code_of(other.run_instances, **launch) == "DryRunOperation"
    other.delete_volume(VolumeId=volume(other, SnapshotId=made))
    permissions = ec2.describe_snapshot_attribute(SnapshotId=made, Attribute="createVolumePermission")
    assert permissions["CreateVolumePermissions"] == [{"UserId": OTHER}]
    assert code_of(far.copy_snapshot, SourceRegion="us-east-1", SourceSnapshotId="snap-00000000000000000") == "InvalidSnapshot.NotFound"
    far.delete_snapshot(SnapshotId=copy["SnapshotId"])
    ec2.delete_snapshot(SnapshotId=made)
    ec2.delete_volume(VolumeId=source)


def test_volumes_refuse_with_ec2s_codes(ec2):
    for arguments, code in [
        ({"AvailabilityZone": "us-east-1a"}, "MissingParameter"),
        ({"Size": 1}, "MissingParameter"),
        ({"AvailabilityZone": "mars-1a", "Size": 1}, "InvalidZone.NotFound"),
        ({"AvailabilityZone": "us-east-1a", "Size": 1, "VolumeType": "zz"}, "UnknownVolumeType"),
        ({"AvailabilityZone": "us-east-1a", "Size": 99_000_000}, "InvalidParameterValue"),
        ({"AvailabilityZone": "us-east-1a", "SnapshotId": "snap-00000000000000000"}, "InvalidSnapshot.NotFound"),
    ]:
        assert code_of(ec2.create_volume, **arguments) == code, arguments
    for arguments, code in [
        ({"Size": 10, "VolumeType": "gp2", "Iops": 300}, "InvalidParameterCombination"),
        ({"Size": 10, "VolumeType": "gp3", "Iops": 16000}, "InvalidParameterValue"),
        ({"Size": 10, "VolumeType": "gp3", "Throughput": 1000}, "InvalidParameterValue"),
        ({"Size": 10, "VolumeType": "io1", "Iops": 5000}, "InvalidParameterValue"),
    ]:
        assert code_of(ec2.create_volume, AvailabilityZone="us-east-1a", **arguments) == code, arguments
    made = volume(ec2, ClientToken="volume-1")
    assert volume(ec2, ClientToken="volume-1") == made
    assert volume(ec2, AvailabilityZone="us-east-1b", ClientToken="volume-1") == made
    assert code_of(ec2.create_volume, AvailabilityZone="us-east-1a", Size=2, ClientToken="volume-1") == "IdempotentParameterMismatch"
    assert code_of(ec2.detach_volume, VolumeId=made) == "IncorrectState"
    missing = {"VolumeId": made, "InstanceId": "i-00000000000000000", "Device": "/dev/sdf"}
    assert code_of(ec2.attach_volume, **missing) == "InvalidInstanceID.NotFound"
    ec2.delete_volume(VolumeId=made)
    assert code_of(ec2.delete_volume, VolumeId=made) == "InvalidVolume.NotFound"


def test_settings_of_the_account(far, local_ec2):
    assert far.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert far.enable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    made = far.create_volume(AvailabilityZone="eu-central-1a", Size=1)
    key = far.get_ebs_default_kms_key_id()["KmsKeyId"]
    arn = client("kms", local_ec2, region="eu-central-1").describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    assert (made["Encrypted"], made["KmsKeyId"]) == (True, arn)
    assert far.disable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert far.get_image_block_public_access_state()["ImageBlockPublicAccessState"] == "unblocked"
    assert far.get_snapshot_block_public_access_state()["State"] == "unblocked"
    assert far.get_serial_console_access_status()["SerialConsoleAccessEnabled"] is False
    assert far.list_images_in_recycle_bin()["Images"] == []
    assert far.describe_fast_launch_images()["FastLaunchImages"] == []


def test_fast_launch_is_for_windows(ec2):
    image_id = newest(ec2)["ImageId"]
    assert code_of(ec2.enable_fast_launch, ImageId=image_id) == "InvalidParameterValue"
    assert code_of(ec2.enable_fast_launch, ImageId=image_id, MaxParallelLaunches=5) == "InvalidParameterValue"


def test_tags_refuse_with_ec2s_codes(ec2):
    made = volume(ec2)
    for resource, keys, code in [
        ("i-00000000000000000", {"a": "b"}, "InvalidInstanceID.NotFound"),
        ("lt-00000000000000000", {"a": "b"}, "InvalidLaunchTemplateId.NotFound"),
        ("nonsense", {"a": "b"}, "InvalidID"),
        (made, {"aws:a": "b"}, "InvalidParameterValue"),
        (made, {"k" * 129: "b"}, "InvalidParameterValue"),
        (made, {f"k{n}": "" for n in range(51)}, "TagLimitExceeded"),
    ]:
        wanted = [{"Key": key, "Value": value} for key, value in keys.items()]
        assert code_of(ec2.create_tags, Resources=[resource], Tags=wanted) == code, resource
    ec2.delete_volume(VolumeId=made)
