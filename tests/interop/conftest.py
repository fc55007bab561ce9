"""What the interop tests stand on: the binary in an environment of its own, moto, an OpenSSH server, local EC2.

Everything listens on loopback, lives in temporary directories, and is ended by the process that started it.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

HERE = Path(__file__).parent
PROGRAM = Path(os.environ["KILN_BIN"])
REGION = "us-east-1"

# Long enough for a loaded machine with two cores; a healthy run needs a fraction.
PATIENCE = 120.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(what: str, probe, process: subprocess.Popen | None = None, seconds: float = PATIENCE):
    """Asks until the probe gives something; fails early when the process that should answer has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := probe():
            return value
        if process is not None and process.poll() is not None:
            said = process.log.read_text(errors="replace")
            pytest.fail(f"{what}: {process.args[0]} ended with {process.returncode}\n{said}")
        time.sleep(0.05)
    pytest.fail(f"{what}: not after {seconds:.0f} s")


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def running(command: list, log: Path, end: signal.Signals = signal.SIGTERM, **options):
    """A process with its output in a file, ended by its own id whatever happens."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options
        )
        process.log = log
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(end)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def client(service: str, url: str, region: str = REGION, key: str = "interop", retries: int = 1):
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key="interop",
        config=Config(retries={"max_attempts": retries}, proxies={}),
    )


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    """A cleared environment: nobody's AWS profile, no proxy, a home and a state directory of its own."""
    home = tmp_path_factory.mktemp("home")
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "AWS_ACCESS_KEY_ID": "interop",
        "AWS_SECRET_ACCESS_KEY": "interop",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
    }


@pytest.fixture(scope="session")
def moto(environment, tmp_path_factory):
    """The URL of a moto server."""
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    program = Path(sys.executable).parent / "moto_server"
    # Hundreds of stand-in images would be loaded at every reset otherwise.
    options = environment | {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}
    with running([program, "-H", "127.0.0.1", "-p", port], log, env=options) as process:
        wait_for("moto", lambda: answers(port), process)
        yield f"http://127.0.0.1:{port}"


class Ec2:
    """moto's EC2, empty but for one image to start from."""

    def __init__(self, url: str):
        self.url = url
        urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"), timeout=30).close()
        self.client = client("ec2", url)
        self.base = self.client.register_image(
            Name="base",
            Architecture="x86_64",
            RootDeviceName="/dev/xvda",
            VirtualizationType="hvm",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}],
        )["ImageId"]
        self.before = self.holds()

    def images(self) -> list[dict]:
        own = self.client.describe_images(Owners=["self"])["Images"]
        return [image for image in own if image["ImageId"] != self.base]

    def holds(self) -> dict[str, set[str]]:
        """Everything that a run could leave behind and that costs money or lets somebody in."""
        ec2 = self.client
        reservations = ec2.describe_instances()["Reservations"]
        instances = [instance for reservation in reservations for instance in reservation["Instances"]]
        alive = [i for i in instances if i["State"]["Name"] not in ("terminated", "shutting-down")]
        return {
            "key pairs": {pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]},
            "security groups": {group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]},
            "instances": {instance["InstanceId"] for instance in alive},
            "volumes": {volume["VolumeId"] for volume in ec2.describe_volumes()["Volumes"]},
        }

    def left(self) -> dict[str, set[str]]:
        """What is there now and was not before."""
        now = {kind: ids - self.before[kind] for kind, ids in self.holds().items()}
        return {kind: ids for kind, ids in now.items() if ids}


@pytest.fixture
def ec2(moto) -> Ec2:
    return Ec2(moto)


class Sshd:
    def __init__(self, port: int, key: Path, user: str, home: Path):
        self.port, self.key, self.user, self.home = port, key, user, home

    def command(self, text: str) -> list[str]:
        """Another user's connection, with the stock client."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"]
        flags = [word for option in options for word in ("-o", option)]
        return ["ssh", "-F", "none", "-i", str(self.key), "-p", str(self.port), *flags, f"{self.user}@127.0.0.1", text]


SSHD_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {dir}/host_key
AuthorizedKeysFile {dir}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
SetEnv HOME={dir}/home
"""


@pytest.fixture(scope="session")
def sshd(tmp_path_factory):
    """A real OpenSSH server with keys and a configuration of its own."""
    program = next((p for p in ("/usr/sbin/sshd", "/usr/local/sbin/sshd") if os.access(p, os.X_OK)), None)
    assert program, "no sshd: apt-get install openssh-server"
    directory = tmp_path_factory.mktemp("sshd")
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name]
        subprocess.run(command, check=True)
    # A home of its own: what the user's own shell start-up files do (minutes of it, if they wait for a lock) is not tested.
    (directory / "home").mkdir()
    user = subprocess.check_output(["id", "-un"], text=True).strip()
    port = free_port()
    (directory / "sshd_config").write_text(SSHD_CONFIG.format(port=port, dir=directory))
    command = [*own_processes(), program, "-D", "-e", "-f", directory / "sshd_config"]
    with separation_directory():
        # `unshare` ignores the gentle signal; when it is killed, so is everything in its process table.
        with running(command, directory / "log", end=signal.SIGKILL) as process:
            wait_for("sshd", lambda: answers(port), process)
            yield Sshd(port, directory / "user_key", user, directory / "home")


def own_processes() -> list[str]:
    """What to put before a command so that it has a process table of its own, where the machine lets us.

    The "instance" then sees its own processes only, as an instance does: what a mistake of Kiln's kills there is not the
    machine that runs the tests, and what a test leaves running there ends with it.
    """
    words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    with contextlib.suppress(OSError):
        if subprocess.run([*words, "true"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
            return words
    return []


@contextlib.contextmanager
def separation_directory():
    """sshd as root wants /run/sshd, which its service would make."""
    directory = Path("/run/sshd")
    if os.geteuid() != 0 or directory.exists():
        yield
        return
    directory.mkdir(mode=0o755)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            directory.rmdir()


class Bake:
    """Runs the binary on tests/interop/templates."""

    def __init__(self, environment: dict[str, str], ec2: Ec2, sshd: Sshd, directory: Path):
        self.environment, self.ec2, self.sshd = dict(environment), ec2, sshd
        self.work = directory / "work"
        self.manifest = directory / "manifest.json"
        self.log = directory / "log"
        self.environment |= {"AWS_ENDPOINT_URL": ec2.url, "AWS_ENDPOINT_URL_EC2": ec2.url, "AWS_ENDPOINT_URL_STS": ec2.url}

    def command(self, **variables: str) -> list[str]:
        variables = {
            "source_ami": self.ec2.base,
            "ssh_port": self.sshd.port,
            "ssh_key": self.sshd.key,
            "ssh_username": self.sshd.user,
            "workdir": self.work,
            "manifest": self.manifest,
        } | variables
        words = [word for name, value in variables.items() for word in ("-var", f"{name}={value}")]
        return [str(PROGRAM), "build", "-color=false", *words, str(HERE / "templates")]

    def run(self, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(**variables),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    def clean_up(self) -> subprocess.CompletedProcess:
        """`kiln cleanup`, as another process would run it after a crash."""
        words = [str(PROGRAM), "cleanup"]
        return subprocess.run(words, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)

    def start(self, **variables: str):
        return running(self.command(**variables), self.log, env=self.environment)


@pytest.fixture
def bake(environment, ec2, sshd, tmp_path) -> Bake:
    return Bake(environment, ec2, sshd, tmp_path)


@contextlib.contextmanager
def serving(environment: dict[str, str], directory: Path, *flags):
    """`kiln ec2-local`, served as any client would use it; gives its URL."""
    port = free_port()
    command = [PROGRAM, "ec2-local", "--listen", f"127.0.0.1:{port}", *flags]
    with running(command, directory / "log", env=environment) as process:
        wait_for("kiln ec2-local", lambda: answers(port), process)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def local_ec2(environment, tmp_path_factory):
    """The URL of `kiln ec2-local` without delays and faults."""
    with serving(environment, tmp_path_factory.mktemp("ec2-local")) as url:
        yield url
