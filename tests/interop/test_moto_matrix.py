"""A smaller crash matrix against software that is not ours: moto, behind a proxy that lets one call come to grief.

moto ignores client tokens, so a launch whose reply is lost must be looked for before it is asked for again.
"""

import contextlib
import http.client
import signal
import subprocess
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import PATIENCE, PROGRAM, running, wait_for

TEMPLATE = """
source "amazon-ebs" "matrix" {
  region        = "us-east-1"
  source_ami    = "%s"
  instance_type = "t3.micro"
  ami_name      = "matrix"
  communicator  = "none"
  ami_users     = ["111122223333"]
  tags          = { Purpose = "matrix" }
  run_tags      = { Purpose = "matrix" }
}
build { sources = ["source.amazon-ebs.matrix"] }
"""

INTERNAL = (
    b'<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>InternalError</Code>'
    b"<Message>An internal error has occurred</Message></Error></Errors><RequestID>proxy</RequestID></Response>"
)


class Proxy(ThreadingHTTPServer):
    """Passes calls on to moto. `grief` is (action, occurrence, what, when) of the one call that is not just passed on."""

    daemon_threads = True

    def __init__(self, url: str):
        super().__init__(("127.0.0.1", 0), Passing)
        self.upstream = urllib.parse.urlsplit(url)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.begin(None)

    def begin(self, grief):
        with self.lock:
            self.grief, self.writes, self.counts = grief, [], {}
            self.reached, self.released = threading.Event(), threading.Event()

    def take(self, action: str):
        """Counts a call, and says what is to happen to it."""
        with self.lock:
            if not action.startswith(("Describe", "Get")):
                self.counts[action] = self.counts.get(action, 0) + 1
                self.writes.append((action, self.counts[action]))
                if self.grief and self.grief[:2] == (action, self.counts[action]):
                    return self.grief[2:]
        return None, None


class Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        action = urllib.parse.parse_qs(body.decode(errors="replace")).get("Action", ["?"])[0]
        what, when = self.server.take(action)
        if when == "before":
            return self.suffer(what)
        upstream = http.client.HTTPConnection(self.server.upstream.hostname, self.server.upstream.port, timeout=60)
        with contextlib.closing(upstream):
            upstream.request("POST", self.path, body, {k: v for k, v in self.headers.items() if k.lower() != "connection"})
            answer = upstream.getresponse()
            status, text = answer.status, answer.read()
            if when == "after":
                return self.suffer(what)
            self.reply(status, text, answer.getheader("Content-Type", "text/xml"))

    def suffer(self, what: str):
        self.server.reached.set()
        if what == "fails":
            return self.reply(500, INTERNAL, "text/xml")
        if what == "hangs":
            self.server.released.wait(PATIENCE)
        self.close_connection = True

    def reply(self, status: int, body: bytes, kind: str):
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


class Matrix:
    def __init__(self, environment, ec2, proxy, directory):
        self.ec2, self.proxy, self.log = ec2, proxy, directory / "log"
        self.environment = environment | {"AWS_ENDPOINT_URL": proxy.url, "KILN_STATE_DIR": str(directory / "state")}
        self.template = directory / "matrix.pkr.hcl"
        self.template.write_text(TEMPLATE % ec2.base)

    def bake(self, grief=None):
        self.proxy.begin(grief)
        return running([PROGRAM, "build", self.template], self.log, env=self.environment)

    def clean_up(self) -> subprocess.CompletedProcess:
        words = [str(PROGRAM), "cleanup"]
        return subprocess.run(words, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)

    def launched(self) -> int:
        """Instances that there are or have been: moto shows those that ended."""
        return sum(len(one["Instances"]) for one in self.ec2.client.describe_instances()["Reservations"])


@pytest.fixture
def matrix(environment, moto, tmp_path):
    from conftest import Ec2

    with contextlib.closing(Proxy(moto)) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()

        def cell():
            directory = tmp_path / f"cell-{len(list(tmp_path.iterdir()))}"
            directory.mkdir()
            return Matrix(environment, Ec2(moto), proxy, directory)

        yield cell
        proxy.released.set()
        proxy.shutdown()
    thread.join()


Proxy.close = Proxy.server_close


def golden(cell) -> list[tuple[str, int]]:
    with cell.bake() as process:
        assert process.wait(PATIENCE) == 0, cell.log.read_text()
    assert cell.ec2.left() == {}
    assert cell.launched() == 1
    calls = list(cell.proxy.writes)
    assert {"CreateSecurityGroup", "RunInstances", "CreateImage", "TerminateInstances"} <= {action for action, _ in calls}
    return calls


@pytest.mark.parametrize("what, when", [("fails", "before"), ("fails", "after"), ("closes", "before"), ("closes", "after")])
def test_what_passes_fails_no_bake_and_makes_nothing_twice(matrix, what, when):
    for action, occurrence in golden(matrix()):
        cell, name = matrix(), f"{action} {occurrence} {what} {when}"
        with cell.bake((action, occurrence, what, when)) as process:
            assert process.wait(PATIENCE) == 0, f"{name}\n{cell.log.read_text()}"
        assert cell.proxy.reached.is_set(), name
        assert cell.ec2.left() == {}, f"{name}\n{cell.log.read_text()}"
        assert cell.launched() == 1, f"{name}\n{cell.log.read_text()}"
        assert len(cell.ec2.images()) == 1, name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("when", ["before", "after"])
def test_nothing_is_left_of_a_bake_that_ends_in_the_middle_of_a_call(matrix, number, when):
    for action, occurrence in golden(matrix()):
        cell, name = matrix(), f"{action} {occurrence} {when} {number}"
        with cell.bake((action, occurrence, "hangs", when)) as process:
            wait_for(name, cell.proxy.reached.is_set, process)
            process.send_signal(number)
            process.wait(PATIENCE)
        cell.proxy.released.set()
        told = cell.log.read_text()
        if number == signal.SIGINT:
            assert cell.ec2.left() == {}, f"{name}\n{told}"
        done = cell.clean_up()
        assert done.returncode == 0, f"{name}\n{told}\n{done.stdout}{done.stderr}"
        assert cell.ec2.left() == {}, f"{name}\n{told}\n{done.stdout}"
        for image in cell.ec2.images():
            assert image["ImageId"] in told and "it is kept" in told, f"{name}\n{told}\n{done.stdout}"
