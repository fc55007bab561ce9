"""Bakes against moto, with a real OpenSSH server for the instance."""

import contextlib
import json
import signal
import subprocess

import pytest
from conftest import PATIENCE, running, wait_for


def tags_of(thing: dict) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


def check_baked(bake) -> dict:
    """One image with its tags, a manifest that names it, everything uploaded, nothing left."""
    (image,) = bake.ec2.images()
    assert image["State"] == "available"
    assert image["Name"] == "interop"
    tags = tags_of(image)
    expected = {"Name": "interop", "Base": bake.ec2.base, "Version": "1.2.3", "Purpose": "interop"}
    assert {key: tags.get(key) for key in expected} == expected

    manifest = json.loads(bake.manifest.read_text())
    (build,) = manifest["builds"]
    assert build["artifact_id"] == f"us-east-1:{image['ImageId']}"
    assert build["builder_type"] == "amazon-ebs"
    assert build["name"] == "interop"
    assert build["custom_data"] == {"version": "1.2.3"}
    assert build["packer_run_uuid"] == manifest["last_run_uuid"]

    there = {str(path.relative_to(bake.work)): path.read_text() for path in bake.work.rglob("*") if path.is_file()}
    assert there == {
        "build-name": "interop\n",
        "back.txt": "two\n",
        "in/content.txt": "made up\n",
        "in/one.txt": "one\n",
        "in/sub/two.txt": "two\n",
    }
    assert bake.ec2.left() == {}
    return image


@pytest.mark.parametrize("transfer", [None, "scp", "sftp"])
def test_bakes_an_image(bake, transfer):
    done = bake.run(**({"transfer": transfer} if transfer else {}))
    assert done.returncode == 0, done.stdout
    image = check_baked(bake)
    assert image["ImageId"] in done.stdout


def test_custom_endpoint_in_the_template(bake):
    # Only STS is found by the environment: EC2 must come from the template.
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"):
        del bake.environment[name]
    done = bake.run(endpoint=bake.ec2.url)
    assert done.returncode == 0, done.stdout
    check_baked(bake)


def test_a_failing_provisioner_leaves_nothing(bake):
    done = bake.run(step="exit 7")
    assert done.returncode == 1, done.stdout
    assert "7" in done.stdout
    assert bake.ec2.images() == []
    assert not bake.manifest.exists()
    assert bake.ec2.left() == {}


@contextlib.contextmanager
def provisioning(bake):
    """A bake that waits in its last provisioner until it is ended, with what it made in EC2."""
    mark, end = bake.work / "mark", bake.work / "end"
    try:
        with bake.start(step=f"touch {mark}; while [ ! -e {end} ]; do sleep 0.2; done") as process:
            wait_for("the last provisioner", mark.exists, process)
            assert bake.ec2.left(), "an instance should be there while provisioners run"
            yield process
    finally:
        # The "instance" outlives its termination here, so what runs in it is asked to end.
        end.touch()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_provisioning_leaves_nothing(bake, number):
    with provisioning(bake) as process:
        process.send_signal(number)
        code = process.wait(PATIENCE)
    assert code == 1, bake.log.read_text()
    assert bake.ec2.images() == []
    assert bake.ec2.left() == {}


def test_an_interrupt_spares_other_connections(bake, tmp_path):
    """What Kiln ends on the machine is what it started there, and nobody else's.

    Login shells that are slow to start (version managers, network homes) are where this went wrong: the shell that was to end
    Kiln's processes came to life when its connection was gone, and took init for its parent.
    """
    mark, start_up = tmp_path / "neighbour", bake.sshd.home / ".bashrc"
    with running(bake.sshd.command(f"touch {mark}; sleep 60"), tmp_path / "said") as neighbour:
        wait_for("the neighbour", mark.exists, neighbour)
        try:
            with provisioning(bake) as process:
                start_up.write_text("sleep 1\n")
                process.send_signal(signal.SIGINT)
                process.wait(PATIENCE)
        finally:
            start_up.unlink(missing_ok=True)
        with pytest.raises(subprocess.TimeoutExpired):
            neighbour.wait(4)


def test_cleanup_removes_what_a_killed_run_left(bake):
    with provisioning(bake) as process:
        process.kill()
        process.wait(PATIENCE)
    assert bake.ec2.left() != {}
    done = bake.clean_up()
    assert done.returncode == 0, done.stdout
    assert bake.ec2.left() == {}


def test_an_unknown_source_image_fails_before_anything_is_made(bake):
    done = bake.run(source_ami="ami-00000000000000000")
    assert done.returncode == 1, done.stdout
    assert "ami-00000000000000000" in done.stdout
    assert bake.ec2.left() == {}
