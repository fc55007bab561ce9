"""The templates that install packages, baked as shipped. They need Debian's mirrors, which the Rust tests must do without."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import PROGRAM

TEMPLATES = Path(__file__).parents[2] / "templates"

# Packages are fetched and installed meanwhile.
PATIENCE = 600


@pytest.mark.skipif(os.geteuid() != 0, reason="local instances need root")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [("openvpn", []), ("grafana", ["-var", "package_source=debian"])],
)
def test_a_shipped_template_bakes(name, arguments, environment, tmp_path):
    own = {"KILN_STATE_DIR": str(tmp_path / "state"), "KILN_DATA_DIR": str(tmp_path / "data")}
    command = [PROGRAM, "build", "--local", *arguments, "-var", f"manifest={tmp_path}/m.json", TEMPLATES / name]
    baked = subprocess.run(
        command, env=environment | own, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE
    )
    assert baked.returncode == 0, baked.stdout + baked.stderr
    assert "us-east-1:ami-" in (tmp_path / "m.json").read_text()
