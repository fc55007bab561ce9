"""IAM, STS, SSM, Secrets Manager and KMS of `kiln ec2-local`, driven by boto3; and what a profile file puts there."""

import json

import pytest
from calls import code_of, error_of, newest
from conftest import client, serving

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def test_a_temporary_instance_profile(local_ec2):
    """The calls that Packer makes for `temporary_iam_instance_profile_policy_document`, in its order."""
    iam, ec2 = client("iam", local_ec2), client("ec2", local_ec2)
    made = iam.create_instance_profile(InstanceProfileName="packer-1", Tags=[{"Key": "a", "Value": "b"}])["InstanceProfile"]
    assert made["Arn"].endswith(":instance-profile/packer-1")
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="packer-1")
    iam.create_role(RoleName="packer-1", Description="Temporary role for Packer", AssumeRolePolicyDocument=TRUST)
    iam.get_waiter("role_exists").wait(RoleName="packer-1")
    assert iam.get_role(RoleName="packer-1")["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST)
    iam.put_role_policy(RoleName="packer-1", PolicyName="inline", PolicyDocument=json.dumps(ALLOW))
    assert iam.get_role_policy(RoleName="packer-1", PolicyName="inline")["PolicyDocument"] == ALLOW
    iam.add_role_to_instance_profile(InstanceProfileName="packer-1", RoleName="packer-1")
    assert [role["RoleName"] for role in iam.get_instance_profile(InstanceProfileName="packer-1")["InstanceProfile"]["Roles"]] == ["packer-1"]

    probe = {"ImageId": newest(ec2)["ImageId"], "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1, "DryRun": True}
    assert code_of(ec2.run_instances, **probe, IamInstanceProfile={"Name": "packer-1"}) == "DryRunOperation"
    unknown = error_of(ec2.run_instances, **probe, IamInstanceProfile={"Name": "packer-2"})
    assert "Invalid IAM Instance Profile name" in unknown["Message"]

    for call, arguments, refusal in [
        (iam.delete_role, {"RoleName": "packer-1"}, ("DeleteConflict", 409)),
        (iam.delete_instance_profile, {"InstanceProfileName": "packer-1"}, ("DeleteConflict", 409)),
        (iam.create_role, {"RoleName": "packer-1", "AssumeRolePolicyDocument": TRUST}, ("EntityAlreadyExists", 409)),
        (iam.create_role, {"RoleName": "x", "AssumeRolePolicyDocument": "nonsense"}, ("MalformedPolicyDocument", 400)),
        (iam.get_role, {"RoleName": "none"}, ("NoSuchEntity", 404)),
        (iam.get_instance_profile, {"InstanceProfileName": "none"}, ("NoSuchEntity", 404)),
        (iam.add_role_to_instance_profile, {"InstanceProfileName": "packer-1", "RoleName": "packer-1"}, ("LimitExceeded", 409)),
    ]:
        error = error_of(call, **arguments)
        assert (error["Code"], error["Status"]) == refusal, arguments
    iam.remove_role_from_instance_profile(InstanceProfileName="packer-1", RoleName="packer-1")
    iam.delete_role_policy(RoleName="packer-1", PolicyName="inline")
    assert iam.list_role_policies(RoleName="packer-1")["PolicyNames"] == []
    iam.delete_role(RoleName="packer-1")
    iam.delete_instance_profile(InstanceProfileName="packer-1")


def test_managed_policies(local_ec2):
    iam = client("iam", local_ec2)
    iam.create_role(RoleName="managed", AssumeRolePolicyDocument=TRUST)
    policy = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    iam.attach_role_policy(RoleName="managed", PolicyArn=policy)
    attached = iam.list_attached_role_policies(RoleName="managed")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AmazonSSMManagedInstanceCore", "PolicyArn": policy}]
    assert iam.list_instance_profiles_for_role(RoleName="managed")["InstanceProfiles"] == []
    assert code_of(iam.delete_role, RoleName="managed") == "DeleteConflict"
    iam.detach_role_policy(RoleName="managed", PolicyArn=policy)
    iam.delete_role(RoleName="managed")


def test_roles_are_assumed(local_ec2):
    sts = client("sts", local_ec2)
    role = "arn:aws:iam::222233334444:role/baker"
    made = sts.assume_role(RoleArn=role, RoleSessionName="interop")
    assert made["AssumedRoleUser"]["Arn"] == "arn:aws:sts::222233334444:assumed-role/baker/interop"
    assumed = client("sts", local_ec2, key=made["Credentials"]["AccessKeyId"])
    assert assumed.get_caller_identity()["Account"] == "222233334444"
    # In one's own account a role must be there.
    mine = "arn:aws:iam::000000000000:role/no-such-role"
    assert code_of(sts.assume_role, RoleArn=mine, RoleSessionName="interop") == "AccessDenied"
    assert code_of(sts.assume_role, RoleArn="nonsense-that-is-long-enough", RoleSessionName="interop") == "ValidationError"
    assert code_of(sts.decode_authorization_message, EncodedMessage="x") == "InvalidAuthorizationMessageException"


@pytest.fixture(scope="module")
def seeded(environment, tmp_path_factory):
    """An endpoint whose profile file says what there is and what is refused."""
    directory = tmp_path_factory.mktemp("seeded")
    profile = {
        "accounts": {"AKIDSEEDED": "333344445555"},
        "parameters": {"/golden/base": "ami-0123456789abcdef0"},
        "secrets": {"registry": "hunter2"},
        "kms_keys": ["alias/images"],
        "faults": [{"action": "DescribeVpcs", "kind": "unauthorized"}],
    }
    (directory / "profile.json").write_text(json.dumps(profile))
    own = environment | {"XDG_DATA_HOME": str(directory / "data")}
    with serving(own, directory, "--profile", directory / "profile.json") as url:
        yield url


def test_what_a_profile_puts_there(seeded):
    assert client("sts", seeded, key="AKIDSEEDED").get_caller_identity()["Account"] == "333344445555"
    ssm, secrets, kms = (client(name, seeded) for name in ["ssm", "secretsmanager", "kms"])
    assert ssm.get_parameter(Name="/golden/base")["Parameter"]["Value"] == "ami-0123456789abcdef0"
    assert ssm.put_parameter(Name="/golden/base", Value="ami-1", Type="String")["Version"] == 1
    assert ssm.get_parameter(Name="/golden/base")["Parameter"]["Value"] == "ami-1"
    assert secrets.get_secret_value(SecretId="registry")["SecretString"] == "hunter2"
    assert secrets.describe_secret(SecretId="registry")["Name"] == "registry"
    version = secrets.get_secret_value(SecretId="registry")["VersionId"]
    assert secrets.get_secret_value(SecretId="registry", VersionId=version)["SecretString"] == "hunter2"
    assert kms.describe_key(KeyId="alias/images")["KeyMetadata"]["KeyState"] == "Enabled"
    assert code_of(kms.describe_key, KeyId="alias/none") == "NotFoundException"
    ec2, sts = client("ec2", seeded), client("sts", seeded)
    denied = error_of(ec2.describe_vpcs)
    assert (denied["Code"], denied["Status"]) == ("UnauthorizedOperation", 403)
    decoded = sts.decode_authorization_message(EncodedMessage=denied["Message"].rsplit(" ", 1)[1])["DecodedMessage"]
    assert json.loads(decoded)["context"]["action"] == "ec2:DescribeVpcs"


def test_parameters(local_ec2):
    ssm = client("ssm", local_ec2)
    public = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    assert ssm.get_parameter(Name=public)["Parameter"]["Value"].startswith("ami-")
    ssm.put_parameter(Name="/interop/a", Value="1", Type="String")
    assert code_of(ssm.put_parameter, Name="/interop/a", Value="2", Type="String") == "ParameterAlreadyExists"
    assert ssm.put_parameter(Name="/interop/a", Value="2", Type="String", Overwrite=True)["Version"] == 2
    assert ssm.get_parameter(Name="/interop/a:1")["Parameter"]["Value"] == "1"
    assert code_of(ssm.get_parameter, Name="/interop/a:9") == "ParameterVersionNotFound"
    several = ssm.get_parameters(Names=["/interop/a", "/interop/none"])
    assert ([one["Value"] for one in several["Parameters"]], several["InvalidParameters"]) == (["2"], ["/interop/none"])
    ssm.put_parameter(Name="/interop/s", Value="hunter2", Type="SecureString")
    sealed = ssm.get_parameter(Name="/interop/s")["Parameter"]["Value"]
    assert sealed == ssm.get_parameters(Names=["/interop/s"])["Parameters"][0]["Value"] and "hunter2" not in sealed
    assert ssm.get_parameter(Name="/interop/s", WithDecryption=True)["Parameter"]["Value"] == "hunter2"
    assert code_of(ssm.put_parameter, Name="/interop/n", Value="1") == "ValidationException"
    assert code_of(ssm.put_parameter, Name="a b*", Value="1", Type="String") == "ValidationException"
    ssm.delete_parameter(Name="/interop/a")
    assert code_of(ssm.get_parameter, Name="/interop/a") == "ParameterNotFound"


def test_secrets(local_ec2):
    secrets = client("secretsmanager", local_ec2)
    arn = secrets.create_secret(Name="interop", SecretString="one")["ARN"]
    secrets.put_secret_value(SecretId="interop", SecretBinary=b"\x00two")
    assert secrets.get_secret_value(SecretId=arn)["SecretBinary"] == b"\x00two"
    assert secrets.get_secret_value(SecretId="interop", VersionStage="AWSPREVIOUS")["SecretString"] == "one"
    assert code_of(secrets.get_secret_value, SecretId="interop", VersionStage="NONE") == "ResourceNotFoundException"
    assert code_of(secrets.get_secret_value, SecretId="none") == "ResourceNotFoundException"
    secrets.delete_secret(SecretId="interop")
    assert code_of(secrets.get_secret_value, SecretId="interop") == "InvalidRequestException"
    secrets.delete_secret(SecretId="interop", ForceDeleteWithoutRecovery=True)
