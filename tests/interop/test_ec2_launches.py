"""Spot instances, launch templates and instant fleets of `kiln ec2-local`, driven by boto3."""

import os

import pytest
from calls import code_of, end, error_of, instance, newest, state_of, tags
from conftest import client, wait_for

boots = pytest.mark.skipif(os.geteuid() != 0, reason="instances of this machine's own system boot as root only")


@pytest.fixture(scope="module")
def ec2(local_ec2):
    return client("ec2", local_ec2)


@pytest.fixture
def template(ec2):
    """A launch template as Packer makes one for a spot bake."""
    data = {
        "ImageId": newest(ec2)["ImageId"],
        "InstanceType": "t3.micro",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}}],
        "NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": True, "DeleteOnTermination": True}],
        "MetadataOptions": {"HttpTokens": "required"},
        "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": "1.0"}},
        "TagSpecifications": tags("instance", Name="from-template"),
    }
    made = ec2.create_launch_template(
        LaunchTemplateName="interop", VersionDescription="one", LaunchTemplateData=data, TagSpecifications=tags("launch-template", Run="1")
    )["LaunchTemplate"]
    yield made["LaunchTemplateId"]
    ec2.delete_launch_template(LaunchTemplateId=made["LaunchTemplateId"])


def test_a_template_is_shown_as_it_was_made(ec2, template):
    shown = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Latest"])["LaunchTemplateVersions"][0]
    data = shown["LaunchTemplateData"]
    assert shown["DefaultVersion"] is True
    assert data["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 1
    assert data["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is True
    assert data["InstanceMarketOptions"]["SpotOptions"]["MaxPrice"] == "1.0"
    assert data["TagSpecifications"][0]["Tags"] == [{"Key": "Name", "Value": "from-template"}]
    found = ec2.describe_launch_templates(Filters=[{"Name": "tag:Run", "Values": ["1"]}])["LaunchTemplates"]
    assert [one["LaunchTemplateId"] for one in found] == [template]


def test_templates_refuse_with_ec2s_codes(ec2, template):
    data = {"InstanceType": "t3.micro"}
    for call, arguments, code in [
        (ec2.create_launch_template, {"LaunchTemplateName": "interop", "LaunchTemplateData": data}, "InvalidLaunchTemplateName.AlreadyExistsException"),
        (ec2.create_launch_template, {"LaunchTemplateName": "a b c", "LaunchTemplateData": data}, "InvalidLaunchTemplateName.MalformedException"),
        (ec2.delete_launch_template, {"LaunchTemplateName": "none"}, "InvalidLaunchTemplateName.NotFoundException"),
        (ec2.describe_launch_templates, {"LaunchTemplateIds": ["lt-00000000000000000"]}, "InvalidLaunchTemplateId.NotFound"),
        (ec2.describe_launch_template_versions, {"LaunchTemplateId": template, "Versions": ["9"]}, "InvalidLaunchTemplateId.VersionNotFound"),
        (ec2.create_launch_template, {"LaunchTemplateName": "dry", "LaunchTemplateData": data, "DryRun": True}, "DryRunOperation"),
    ]:
        assert code_of(call, **arguments) == code, arguments
    token = {"LaunchTemplateName": "tokened", "ClientToken": "t" * 128}
    first = ec2.create_launch_template(**token, LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
    assert ec2.create_launch_template(**token, LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"] == first
    assert code_of(ec2.create_launch_template, **token, LaunchTemplateData={"InstanceType": "t3.small"}) == "IdempotentParameterMismatch"
    ec2.delete_launch_template(LaunchTemplateId=first)


def fleet_of(template: str, *types: str, **more) -> dict:
    return {
        "Type": "instant",
        "TargetCapacitySpecification": {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
        "SpotOptions": {"AllocationStrategy": "capacity-optimized"},
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "1"},
                "Overrides": [{"InstanceType": name} for name in types],
            }
        ],
    } | more


@boots
def test_a_fleet_as_packer_asks_for_one(ec2, template):
    wanted = fleet_of(template, "zz9.huge", "t3.small", TagSpecifications=tags("fleet", Run="1"), ClientToken="fleet-1")
    fleet = ec2.create_fleet(**wanted)
    assert [error["ErrorCode"] for error in fleet["Errors"]] == ["InvalidParameterValue"]
    launched = fleet["Instances"][0]
    assert (launched["Lifecycle"], launched["InstanceType"]) == ("spot", "t3.small")
    assert launched["LaunchTemplateAndOverrides"]["Overrides"]["InstanceType"] == "t3.small"
    assert ec2.create_fleet(**wanted)["FleetId"] == fleet["FleetId"], "the token answers repeats"
    (instance_id,) = launched["InstanceIds"]
    try:
        wait_for("running", lambda: state_of(ec2, instance_id) == "running")
        seen = instance(ec2, instance_id)
        assert seen["InstanceLifecycle"] == "spot"
        names = {tag["Key"] for tag in seen["Tags"]}
        assert {"Name", "aws:ec2:fleet-id", "aws:ec2launchtemplate:id"} <= names
        assert {"/dev/sdf"} < {device["DeviceName"] for device in seen["BlockDeviceMappings"]}
        request = seen["SpotInstanceRequestId"]
        ec2.create_tags(Resources=[request], Tags=[{"Key": "Spot", "Value": "1"}])
        found = ec2.describe_spot_instance_requests(Filters=[{"Name": "tag:Spot", "Values": ["1"]}])["SpotInstanceRequests"]
        assert (found[0]["SpotInstanceRequestId"], found[0]["State"], found[0]["Status"]["Code"]) == (request, "active", "fulfilled")
        members = ec2.describe_fleet_instances(FleetId=fleet["FleetId"])["ActiveInstances"]
        assert [one["InstanceId"] for one in members] == [instance_id]
        assert ec2.describe_fleets(FleetIds=[fleet["FleetId"]])["Fleets"][0]["Type"] == "instant"
    finally:
        gone = ec2.delete_fleets(FleetIds=[fleet["FleetId"]], TerminateInstances=True)
        assert gone["SuccessfulFleetDeletions"][0]["CurrentFleetState"] == "deleted_terminating"
        wait_for("terminated", lambda: state_of(ec2, instance_id) == "terminated")
    closed = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request])["SpotInstanceRequests"][0]
    assert (closed["State"], closed["Status"]["Code"]) == ("closed", "instance-terminated-by-user")


def test_fleets_that_launch_nothing(ec2, template):
    fleet = ec2.create_fleet(**fleet_of(template, "zz9.huge"))
    assert (len(fleet["Errors"]), fleet["Instances"]) == (1, [])
    unknown = fleet_of("lt-00000000000000000", "t3.micro")
    assert code_of(ec2.create_fleet, **unknown) == "InvalidLaunchTemplateId.NotFound"
    deleted = ec2.delete_fleets(FleetIds=["fleet-00000000-0000-0000-0000-000000000000"], TerminateInstances=True)
    assert deleted["UnsuccessfulFleetDeletions"][0]["Error"]["Code"] == "fleetIdDoesNotExist"


@boots
def test_spot_by_request(ec2):
    specification = {"ImageId": newest(ec2)["ImageId"], "InstanceType": "t3.micro"}
    made = ec2.request_spot_instances(SpotPrice="1", LaunchSpecification=specification)["SpotInstanceRequests"][0]
    assert (made["State"], made["Status"]["Code"]) == ("open", "pending-evaluation")
    request = made["SpotInstanceRequestId"]
    ec2.get_waiter("spot_instance_request_fulfilled").wait(SpotInstanceRequestIds=[request], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    seen = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request])["SpotInstanceRequests"][0]
    cancelled = ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])["CancelledSpotInstanceRequests"]
    assert cancelled[0]["State"] == "cancelled"
    end(ec2, seen["InstanceId"])
    wanted = {"SpotPrice": "0.00001", "LaunchSpecification": specification}
    assert code_of(ec2.request_spot_instances, **wanted) == "SpotMaxPriceTooLow"
    assert code_of(ec2.describe_spot_instance_requests, SpotInstanceRequestIds=["sir-00000000"]) == "InvalidSpotInstanceRequestID.NotFound"


def test_spot_prices(ec2):
    pages = ec2.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=["t3.micro", "m5.large"], ProductDescriptions=["Linux/UNIX"], PaginationConfig={"PageSize": 5}
    )
    prices = [price for page in pages for price in page["SpotPriceHistory"]]
    assert {price["InstanceType"] for price in prices} == {"t3.micro", "m5.large"}
    assert all(float(price["SpotPrice"]) > 0 for price in prices)
    assert ec2.describe_spot_price_history(ProductDescriptions=["Windows"])["SpotPriceHistory"] == []


def test_launches_refuse_with_ec2s_codes(ec2):
    base = {"ImageId": newest(ec2)["ImageId"], "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    for change, code in [
        ({"InstanceType": "zz9.huge"}, "InvalidParameterValue"),
        ({"InstanceType": "t4g.micro"}, "InvalidParameterValue"),
        ({"ImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
        ({"MinCount": 2}, "InvalidParameterValue"),
        ({"KeyName": "none"}, "InvalidKeyPair.NotFound"),
        ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
        ({"SubnetId": "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"),
        ({"Placement": {"AvailabilityZone": "mars-1a"}}, "InvalidParameterValue"),
        ({"InstanceType": "m5.large", "Placement": {"AvailabilityZone": "us-east-1e"}}, "Unsupported"),
        ({"UserData": "x" * 17_000}, "InvalidParameterValue"),
        ({"TagSpecifications": tags("image", a="b")}, "InvalidParameterValue"),
        ({"TagSpecifications": tags("instance", **{"aws:x": "b"})}, "InvalidParameterValue"),
        ({"IamInstanceProfile": {"Name": "none"}}, "InvalidParameterValue"),
        ({"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.00001"}}}, "SpotMaxPriceTooLow"),
        ({"LaunchTemplate": {"LaunchTemplateName": "none"}}, "InvalidLaunchTemplateName.NotFoundException"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 1}}]}, "InvalidBlockDeviceMapping"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "KmsKeyId": "alias/x"}}]}, "InvalidParameterDependency"),
    ]:
        assert code_of(ec2.run_instances, **(base | change)) == code, change
    refused = error_of(ec2.run_instances, **base, DryRun=True)
    assert (refused["Code"], refused["Status"]) == ("DryRunOperation", 412)
