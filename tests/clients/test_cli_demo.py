"""`modelyard demo` from beginning to end."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.cli import running

MODELYARD = Path(sys.executable).with_name("modelyard")
SHOWN = r"   (eval |\S*/(modelyard|aws) )"

pytestmark = [pytest.mark.slow, pytest.mark.ours]


def test_the_demo_holds_what_it_claims(tmp_path: Path) -> None:
    """It ends with 0, shows every step, and leaves no server behind."""
    command = [MODELYARD, "demo", "--folder", tmp_path / "demo", "--picture", tmp_path / "demo.svg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = re.findall(r"^(\d+)\. (.*)$", done.stdout, re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, 21))
    assert done.stdout.count("✓") >= 27
    for told in ("AccessDeniedException", "PendingManualApproval", "MetadataProperties is missing", "ApproverIsNotRegistrant"):
        assert told in done.stdout
    assert "REPORT RequestId" in done.stdout and "wrote what is to be deployed" in done.stdout
    assert done.stdout.count("none of them failed") == 2 and "from the registry alone" in done.stdout
    assert "the audit trail cannot be changed" in done.stdout and "whole        yes" in done.stdout
    assert (tmp_path / "demo.svg").read_text().startswith("<svg")
    assert running.address_of(tmp_path / "demo" / "data") is None


def test_what_it_says_to_try_next_works(tmp_path: Path) -> None:
    """The commands that the demo ends with run as they are printed, on the data that it left."""
    command = [MODELYARD, "demo", "--folder", tmp_path / "demo"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300).stdout
    serve, prepare, groups, endpoints, objects = [line.strip() for line in told.splitlines() if re.match(SHOWN, line)][-5:]
    started = ["bash", "-c", f"exec {serve} --port 0 2> log"]
    server = subprocess.Popen(started, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    with server:
        assert server.stdout is not None and server.stdout.readline().startswith("ready ")
        script = f"set -e\n{prepare}\n{groups}\n{endpoints}\n{objects}"
        shown = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
        server.terminate()
    assert shown.returncode == 0, shown.stderr
    assert "clinic-tumour-screening" in shown.stdout and "forest/model.tar.gz" in shown.stdout
    assert "tumour-screening" in shown.stdout and "InService" in shown.stdout


def test_a_demo_that_cannot_start_says_so(tmp_path: Path) -> None:
    """A folder with something else in it is one sentence and exit code 1."""
    (tmp_path / "mine").touch()
    done = subprocess.run([MODELYARD, "demo", "--folder", tmp_path], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "no demo made it" in done.stderr
