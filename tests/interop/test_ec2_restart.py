"""What `kiln ec2-local` leaves to its next start: stopped instances and their disks, and nothing of those that ran."""

import os

import pytest
from calls import end, instance, newest, state_of
from conftest import client, serving, wait_for
from test_ec2_local import ssh_key, wait_for_ssh


@pytest.mark.skipif(os.geteuid() != 0, reason="instances of this machine's own system boot as root only")
def test_a_stopped_machine_keeps_its_disk(environment, tmp_path):
    own = environment | {"XDG_DATA_HOME": str(tmp_path / "data")}
    key_file, public = ssh_key(tmp_path)
    with serving(own, tmp_path) as url:
        ec2 = client("ec2", url)
        ec2.import_key_pair(KeyName="restart", PublicKeyMaterial=public)
        wanted = {"ImageId": newest(ec2)["ImageId"], "InstanceType": "t3.micro", "KeyName": "restart"}
        launched = ec2.run_instances(**wanted, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        wait_for("running", lambda: state_of(ec2, launched) == "running")
        wait_for_ssh(instance(ec2, launched)["PublicIpAddress"], key_file, "sudo sh -c 'echo kept > /etc/interop'")
        ec2.stop_instances(InstanceIds=[launched])
        wait_for("stopped", lambda: state_of(ec2, launched) == "stopped")
    with serving(own, tmp_path) as url:
        ec2 = client("ec2", url)
        assert state_of(ec2, launched) == "stopped"
        image = ec2.create_image(InstanceId=launched, Name="kept")["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1})
        ec2.start_instances(InstanceIds=[launched])
        wait_for("running", lambda: state_of(ec2, launched) == "running")
        assert wait_for_ssh(instance(ec2, launched)["PublicIpAddress"], key_file, "cat /etc/interop") == "kept\n"
        end(ec2, launched)
