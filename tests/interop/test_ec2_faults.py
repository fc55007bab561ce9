"""Injected faults of `kiln ec2-local`, as boto3 sees them: rules come from a file that changes while the endpoint runs."""

import contextlib
import json
import os
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from calls import code_of, end, error_of, newest, snapshot, state_of, volume
from conftest import client, serving, wait_for

boots = pytest.mark.skipif(os.geteuid() != 0, reason="instances of this machine's own system boot as root only")


class Faulty:
    """An endpoint with a faults file and a request log."""

    def __init__(self, url, directory):
        self.url, self.rules_file, self.log = url, directory / "faults.json", directory / "requests.jsonl"
        # A retry would find the effect of the first try.
        self.ec2 = client("ec2", url, retries=0)

    def rules(self, *rules: dict) -> None:
        # Put in place whole: the endpoint may look at any moment.
        new = self.rules_file.with_suffix(".new")
        new.write_text(json.dumps({"rules": list(rules)}))
        new.rename(self.rules_file)

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture(scope="module")
def endpoint(environment, tmp_path_factory):
    directory = tmp_path_factory.mktemp("faulty")
    own = environment | {"XDG_DATA_HOME": str(directory / "data")}
    flags = ["--faults", directory / "faults.json", "--log", directory / "requests.jsonl"]
    with serving(own, directory, *flags) as url:
        yield Faulty(url, directory)


@pytest.fixture
def faulty(endpoint):
    yield endpoint
    endpoint.rules()


def test_errors_before_any_effect(faulty):
    for rule, answer in [
        ({"kind": "throttle"}, ("RequestLimitExceeded", 503)),
        ({"kind": "internal"}, ("InternalError", 500)),
        ({"kind": "unauthorized"}, ("UnauthorizedOperation", 403)),
        ({"kind": "bad_gateway"}, ("502", 502)),
        ({"kind": "error", "code": "VcpuLimitExceeded", "message": "no more"}, ("VcpuLimitExceeded", 400)),
    ]:
        faulty.rules({"action": "CreateKeyPair"} | rule)
        # A proxy's page is no answer of EC2's: boto3 can say no more than that it cannot read it.
        with pytest.raises((ClientError, ResponseParserError)) as caught:
            faulty.ec2.create_key_pair(KeyName="never")
        if isinstance(caught.value, ClientError):
            response = caught.value.response
            assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == answer
        else:
            assert rule["kind"] == "bad_gateway"
    faulty.rules()
    assert faulty.ec2.describe_key_pairs()["KeyPairs"] == []


def test_other_services_throttle_in_their_own_words(faulty):
    faulty.rules({"kind": "throttle"})
    assert code_of(client("sts", faulty.url).get_caller_identity) == "Throttling"
    assert code_of(client("iam", faulty.url).get_role, RoleName="r") == "Throttling"
    assert code_of(client("ssm", faulty.url).get_parameter, Name="p") == "ThrottlingException"


@pytest.mark.parametrize("kind", ["lost_reply", "truncated", "reset"])
def test_answers_that_do_not_arrive(faulty, kind):
    """The effect is there, though the client has no answer."""
    rule = {"action": "CreateSecurityGroup", "kind": kind, "nth": [1]}
    faulty.rules(rule | ({"when": "after"} if kind == "reset" else {}))
    wanted = {"GroupName": f"after-{kind}", "Description": "d"}
    with pytest.raises((BotoCoreError, ResponseParserError)):
        faulty.ec2.create_security_group(**wanted)
    assert code_of(faulty.ec2.create_security_group, **wanted) == "InvalidGroup.Duplicate"
    faulty.ec2.delete_security_group(GroupName=wanted["GroupName"])


@pytest.mark.parametrize(("when", "there"), [("before", 0), ("after", 1)])
def test_the_log_tells_the_moment_of_a_hang(faulty, when, there):
    """By this a test kills a client at exactly one call."""
    name = f"hangs-{when}"
    faulty.rules({"effect": "writes", "kind": "hang", "when": when, "nth": [1], "params": {"GroupName": name}})
    impatient = client("ec2", faulty.url)

    def call():
        # Never answered: it ends when the endpoint goes away under it.
        with contextlib.suppress(BotoCoreError, ClientError):
            impatient.create_security_group(GroupName=name, Description="d")

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    found = lambda: [line for line in faulty.lines() if line["code"] == "Hang" and line["params"]["GroupName"] == name]
    (line,) = wait_for("the line of the hang", found)
    assert (line["action"], line["fault"], line["status"]) == ("CreateSecurityGroup", f"hang {when}", 0)
    groups = faulty.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"]
    assert len(groups) == there


def test_probabilities_repeat_with_the_seed(environment, tmp_path):
    profile = {"seed": 7, "faults": [{"action": "DescribeVpcs", "kind": "throttle", "probability": 0.5}]}
    (tmp_path / "profile.json").write_text(json.dumps(profile))
    seen = []
    for attempt in ["one", "two"]:
        directory = tmp_path / attempt
        directory.mkdir()
        own = environment | {"XDG_DATA_HOME": str(directory / "data")}
        with serving(own, directory, "--profile", tmp_path / "profile.json") as url:
            ec2 = client("ec2", url, retries=0)
            seen.append([throttled(ec2) for _ in range(24)])
    assert seen[0] == seen[1]
    assert 4 < sum(seen[0]) < 20


def throttled(ec2) -> bool:
    try:
        ec2.describe_vpcs()
    except ClientError as error:
        return error.response["Error"]["Code"] == "RequestLimitExceeded"
    return False


def test_new_ids_are_unknown_for_a_while(faulty):
    faulty.rules({"kind": "not_found", "resource": "vol", "window_seconds": 1.5})
    made = faulty.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    assert code_of(faulty.ec2.describe_volumes, VolumeIds=[made]) == "InvalidVolume.NotFound"
    time.sleep(1.6)
    assert faulty.ec2.describe_volumes(VolumeIds=[made])["Volumes"][0]["VolumeId"] == made
    faulty.ec2.delete_volume(VolumeId=made)


def test_a_copy_fails_in_one_region(faulty):
    source = volume(faulty.ec2)
    made = snapshot(faulty.ec2, source)
    faulty.rules({"action": "CopySnapshot", "region": "eu-west-1", "kind": "fails_later", "message": "Given key ID is not accessible"})
    for region, state in [("eu-west-1", "error"), ("eu-west-2", "completed")]:
        there = client("ec2", faulty.url, region=region)
        copy = there.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=made)["SnapshotId"]
        look = lambda: there.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]
        wait_for(state, lambda: look()["State"] == state)
        assert look().get("StateMessage", "").startswith("Given key") == (state == "error")


@boots
def test_no_capacity_and_an_early_end(faulty):
    ec2 = faulty.ec2
    wanted = {"ImageId": newest(ec2)["ImageId"], "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    faulty.rules(
        {"kind": "no_capacity", "instance_type": "t3.micro", "zone": "us-east-1a"},
        {"action": "RunInstances", "kind": "interrupted", "window_seconds": 1.0},
    )
    refused = error_of(ec2.run_instances, **wanted, Placement={"AvailabilityZone": "us-east-1a"})
    assert (refused["Code"], refused["Status"]) == ("InsufficientInstanceCapacity", 500)
    spot = ec2.run_instances(**wanted, InstanceMarketOptions={"MarketType": "spot"})["Instances"][0]
    assert spot["Placement"]["AvailabilityZone"] != "us-east-1a"
    steady = ec2.run_instances(**wanted)["Instances"][0]["InstanceId"]
    try:
        wait_for("terminated", lambda: state_of(ec2, spot["InstanceId"]) == "terminated")
        request = ec2.describe_spot_instance_requests()["SpotInstanceRequests"][0]
        assert request["Status"]["Code"] == "instance-terminated-no-capacity"
        wait_for("running", lambda: state_of(ec2, steady) == "running")
    finally:
        end(ec2, steady)
