"""Small words for calls to EC2 that several test files use."""

import pytest
from botocore.exceptions import ClientError
from conftest import wait_for

DEBIAN = "136693071363"
NEWEST_DEBIAN = [
    {"Name": "name", "Values": ["debian-12-amd64-*"]},
    {"Name": "architecture", "Values": ["x86_64"]},
    {"Name": "virtualization-type", "Values": ["hvm"]},
]


def newest(ec2) -> dict:
    images = ec2.describe_images(Owners=[DEBIAN], Filters=NEWEST_DEBIAN)["Images"]
    return max(images, key=lambda image: image["CreationDate"])


def instance(ec2, instance_id: str) -> dict:
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def state_of(ec2, instance_id: str) -> str:
    return instance(ec2, instance_id)["State"]["Name"]


def error_of(call, **arguments) -> dict:
    """The error of a call that must fail, with its status."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["Error"] | {"Status": response["ResponseMetadata"]["HTTPStatusCode"]}


def code_of(call, **arguments) -> str:
    return error_of(call, **arguments)["Code"]


def tags(resource: str, **values: str) -> list[dict]:
    return [{"ResourceType": resource, "Tags": [{"Key": key, "Value": value} for key, value in values.items()]}]


def end(ec2, *instance_ids: str) -> None:
    ec2.terminate_instances(InstanceIds=list(instance_ids))
    for instance_id in instance_ids:
        wait_for("terminated", lambda: state_of(ec2, instance_id) == "terminated")


def volume(ec2, **more) -> str:
    made = ec2.create_volume(**({"AvailabilityZone": "us-east-1a", "Size": 1} | more))["VolumeId"]
    state = lambda: ec2.describe_volumes(VolumeIds=[made])["Volumes"][0]["State"]
    wait_for("available", lambda: state() == "available")
    return made


def snapshot(ec2, volume_id: str, **more) -> str:
    made = ec2.create_snapshot(VolumeId=volume_id, **more)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[made], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return made
