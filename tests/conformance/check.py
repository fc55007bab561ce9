#!/usr/bin/env python3
"""Runs the conformance suite and fails when a case fails that is not in known.txt.

    check.py SUITE KILN     SUITE is ../shared/conformance, KILN the binary

The suite is copied first: its files may be read-only where it lies, and some cases compare the modes of files.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


def known():
    lines = (pathlib.Path(__file__).parent / "known.txt").read_text().splitlines()
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def writable_copy(suite, directory):
    copy = pathlib.Path(directory) / "conformance"
    shutil.copytree(suite, copy, symlinks=True)
    for root, directories, files in os.walk(copy):
        for name in directories + files:
            path = os.path.join(root, name)
            if not os.path.islink(path):
                # As in a checkout: readable by all, writable by the owner, executable where it was.
                executable = os.path.isdir(path) or os.stat(path).st_mode & 0o111
                os.chmod(path, 0o755 if executable else 0o644)
    return copy


def main():
    suite, kiln = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        copy = writable_copy(suite, directory)
        command = [sys.executable, copy / "run.py", "--tool", os.path.abspath(kiln), "--report", "json"]
        command += ["--jobs", str(os.cpu_count() or 1)]
        report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
    passed, failed = set(report["passed"]), report["failed"]
    for case in sorted(known() & passed):
        print(f"{case} passes: take it out of known.txt")
    regressions = sorted(set(failed) - known())
    for case in regressions:
        print(f"\n{case}\n{failed[case]}")
    print(f"conformance: {len(passed)} of {len(passed) + len(failed)} cases pass, {len(regressions)} unexpected failures")
    return 1 if regressions or not passed else 0


sys.exit(main())
