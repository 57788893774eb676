"""Environments of the peers' own, under `.build/benchmarks`: nothing of theirs is ever installed with Modelyard."""

import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / ".build" / "benchmarks"


def environment(name: str) -> Path:
    """The `bin` folder of the environment `name`, from requirements/bench-<name>.txt; made when it is not there yet."""
    requirements = PROJECT / "requirements" / f"bench-{name}.txt"
    command = [sys.executable, PROJECT / "scripts" / "make_environment.py", FOLDER / name, "--requirements", requirements]
    subprocess.run(command, check=True)
    return FOLDER / name / "bin"


def installed(name: str, package: str) -> str:
    """The version of a package in the environment `name`."""
    program = f"import importlib.metadata, json; print(json.dumps(importlib.metadata.version({package!r})))"
    printed = subprocess.run([environment(name) / "python", "-c", program], check=True, capture_output=True, text=True).stdout
    return str(json.loads(printed))
