"""`kiln ec2-local` driven by others' clients: boto3 and the AWS CLI make a bake's calls and its mistakes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from calls import DEBIAN, code_of, instance, newest, state_of, tags
from conftest import PATIENCE, REGION, client, wait_for


@pytest.fixture(scope="module")
def ec2(local_ec2):
    return client("ec2", local_ec2)


@pytest.fixture
def cli(local_ec2, environment):
    """Runs the AWS CLI as a user would."""
    program = Path(sys.executable).parent / "aws"

    def run(*words: str) -> subprocess.CompletedProcess:
        command = [program, "--endpoint-url", local_ec2, "--region", REGION, "--output", "json", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)

    return run


def ssh(address: str, key: Path, command: str) -> subprocess.CompletedProcess:
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"]
    flags = [word for option in options for word in ("-o", option)]
    words = ["ssh", "-F", "none", "-i", str(key), *flags, f"admin@{address}", command]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)


def ssh_key(directory: Path) -> tuple[Path, bytes]:
    """A new key: the file of its private half, and the public one."""
    file = directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return file, file.with_suffix(".pub").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="instances of this machine's own system boot as root only")
def test_a_bakes_calls(ec2, tmp_path):
    base = newest(ec2)
    key_file, public = ssh_key(tmp_path)
    pair = ec2.import_key_pair(KeyName="interop", PublicKeyMaterial=public, TagSpecifications=tags("key-pair", Run="1"))
    group = ec2.create_security_group(GroupName="interop", Description="interop")["GroupId"]
    opening = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "127.0.0.1/32"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[opening])
    assert code_of(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[opening]) == (
        "InvalidPermission.Duplicate"
    )

    wanted = {
        "ImageId": base["ImageId"],
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
        "KeyName": "interop",
        "SecurityGroupIds": [group],
        "ClientToken": "interop-1",
        "TagSpecifications": tags("instance", Name="interop") + tags("volume", Name="interop"),
    }
    launched = ec2.run_instances(**wanted)["Instances"][0]["InstanceId"]
    # A reply that was lost is asked for again with the same token, and must not launch another.
    assert ec2.run_instances(**wanted)["Instances"][0]["InstanceId"] == launched
    assert code_of(ec2.run_instances, **(wanted | {"InstanceType": "t3.small"})) == "IdempotentParameterMismatch"

    try:
        wait_for("running", lambda: state_of(ec2, launched) == "running")
        address = instance(ec2, launched)["PublicIpAddress"]
        assert code_of(ec2.delete_security_group, GroupId=group) == "DependencyViolation"
        answer = wait_for_ssh(address, key_file, "sudo sh -c 'echo baked > /etc/interop && id -u' && uname -n")
        assert answer.splitlines()[0] == "0"

        ec2.stop_instances(InstanceIds=[launched])
        wait_for("stopped", lambda: state_of(ec2, launched) == "stopped")
        made = {"InstanceId": launched, "Name": "interop", "TagSpecifications": tags("image", Name="interop") + tags("snapshot", Name="interop")}
        image = ec2.create_image(**made)["ImageId"]
        assert code_of(ec2.create_image, **made) == "InvalidAMIName.Duplicate"
        ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        found = ec2.describe_images(Owners=["self"], Filters=[{"Name": "tag:Name", "Values": ["interop"]}])["Images"]
        assert [one["ImageId"] for one in found] == [image]
        snapshot = found[0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        assert code_of(ec2.delete_snapshot, SnapshotId=snapshot) == "InvalidSnapshot.InUse"
    finally:
        ec2.terminate_instances(InstanceIds=[launched])
        wait_for("terminated", lambda: state_of(ec2, launched) == "terminated")
    ec2.delete_security_group(GroupId=group)
    ec2.delete_key_pair(KeyPairId=pair["KeyPairId"])

    boot_from(ec2, image, tmp_path)
    ec2.deregister_image(ImageId=image)
    ec2.delete_snapshot(SnapshotId=snapshot)
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []


def wait_for_ssh(address: str, key: Path, command: str) -> str:
    """Tries until the instance lets us in (255 is ssh's own failure), and gives back what the command printed."""
    last = ssh(address, key, command)
    for _ in range(60):
        if last.returncode != 255:
            break
        time.sleep(0.5)
        last = ssh(address, key, command)
    assert last.returncode == 0, last.stderr
    return last.stdout


def boot_from(ec2, image: str, tmp_path: Path) -> None:
    """What was baked is there in an instance of the image."""
    made = ec2.create_key_pair(KeyName="made", KeyType="ed25519")
    key = tmp_path / "made"
    key.touch(mode=0o600)
    # The AWS CLI's text output ends the line too; OpenSSH refuses a key without its end.
    key.write_text(made["KeyMaterial"].rstrip() + "\n")
    launched = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, KeyName="made")
    launched = launched["Instances"][0]["InstanceId"]
    try:
        wait_for("running", lambda: state_of(ec2, launched) == "running")
        assert wait_for_ssh(instance(ec2, launched)["PublicIpAddress"], key, "cat /etc/interop") == "baked\n"
    finally:
        ec2.terminate_instances(InstanceIds=[launched])
        wait_for("terminated", lambda: state_of(ec2, launched) == "terminated")
        ec2.delete_key_pair(KeyName="made")


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("describe_images", {"ImageIds": ["ami-00000000000000000"]}, "InvalidAMIID.NotFound"),
        ("describe_images", {"ImageIds": ["nonsense"]}, "InvalidAMIID.Malformed"),
        ("describe_images", {"Filters": [{"Name": "no-such", "Values": ["x"]}]}, "InvalidParameterValue"),
        ("describe_instances", {"InstanceIds": ["i-00000000000000000"]}, "InvalidInstanceID.NotFound"),
        ("describe_key_pairs", {"KeyNames": ["none"]}, "InvalidKeyPair.NotFound"),
        ("delete_security_group", {"GroupId": "sg-00000000000000000"}, "InvalidGroup.NotFound"),
        ("terminate_instances", {"InstanceIds": ["i-00000000000000000"]}, "InvalidInstanceID.NotFound"),
        ("delete_snapshot", {"SnapshotId": "snap-00000000000000000"}, "InvalidSnapshot.NotFound"),
        ("import_key_pair", {"KeyName": "bad", "PublicKeyMaterial": b"nonsense"}, "InvalidKey.Format"),
    ],
)
def test_errors_have_ec2s_codes(ec2, method, arguments, code):
    assert code_of(getattr(ec2, method), **arguments) == code


def test_deleting_a_key_pair_that_is_not_there_succeeds(ec2):
    ec2.delete_key_pair(KeyName="never-was")


def test_sts_tells_the_account(local_ec2):
    assert client("sts", local_ec2).get_caller_identity()["Account"].isdigit()


def test_pages_hold_each_image_once(ec2):
    pages = ec2.get_paginator("describe_images").paginate(Owners=[DEBIAN], PaginationConfig={"PageSize": 5})
    ids = [image["ImageId"] for page in pages for image in page["Images"]]
    whole = {image["ImageId"] for image in ec2.describe_images(Owners=[DEBIAN])["Images"]}
    assert len(ids) == len(set(ids))
    assert set(ids) == whole


def test_the_aws_cli_finds_the_newest_image(cli, ec2):
    query = "sort_by(Images, &CreationDate)[-1].ImageId"
    done = cli("ec2", "describe-images", "--owners", DEBIAN, "--filters", "Name=name,Values=debian-12-amd64-*", "--query", query)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == newest(ec2)["ImageId"]


def test_the_aws_cli_tags_and_filters(cli):
    made = cli("ec2", "create-security-group", "--group-name", "from-cli", "--description", "from the CLI")
    assert made.returncode == 0, made.stderr
    group = json.loads(made.stdout)["GroupId"]
    try:
        done = cli("ec2", "create-tags", "--resources", group, "--tags", "Key=Purpose,Value=interop")
        assert done.returncode == 0, done.stderr
        found = cli("ec2", "describe-security-groups", "--filters", "Name=tag:Purpose,Values=interop")
        assert [one["GroupId"] for one in json.loads(found.stdout)["SecurityGroups"]] == [group]
    finally:
        assert cli("ec2", "delete-security-group", "--group-id", group).returncode == 0


def test_the_aws_cli_shows_errors(cli):
    done = cli("ec2", "describe-instances", "--instance-ids", "i-00000000000000000")
    assert done.returncode in (254, 255)
    assert "InvalidInstanceID.NotFound" in done.stderr
