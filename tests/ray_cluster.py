"""A Ray cluster of two nodes that behave as if they were apart, and servers that run models on it."""

import json
import os
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.clients.environments import PROJECT, client_environment
from tests.processes import Process, below
from tests.running import RunningYard


def python_with_ray() -> str:
    """The Python that has Modelyard and Ray; the test is skipped where there is none to be had."""
    try:
        return str(client_environment("ray"))
    except subprocess.CalledProcessError:
        pytest.skip("Ray cannot be installed for this Python")


class RayCluster:
    """Nodes that are real ones to Ray: each has its own address, processes, and folder for what is brought to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self._raylets: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        """Ray lets nobody in without."""
        program = PROJECT / "tests" / "clients" / "programs" / "ray_nodes.py"
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [python_with_ray(), program, folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **self.token},
            )

    def add(self, name: str) -> None:
        """Start a node."""
        told = self._tell(f"add {name}")
        self.address = told["address"]
        self._raylets[name] = told["raylet"]

    def kill(self, name: str) -> None:
        """End a node, as when somebody pulls the plug."""
        self._tell(f"kill {name}")

    def models(self, name: str) -> set[Process]:
        """The processes of models on a node, and nothing else."""
        return {process for process in below(self._raylets[name]) if " ".join(process.words()).endswith("serve.py")}

    def all_models(self) -> set[Process]:
        """The processes of models on all nodes, also those that Ray has lost."""
        return {process for process in below(self.process.pid) if " ".join(process.words()).endswith("serve.py")}

    def _tell(self, order: str) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                told: dict[str, Any] = json.loads(line)
                return told
        raise AssertionError(f"Ray did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def close(self) -> None:
        """End all nodes."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class RayYard(RunningYard):
    """A server in an environment that has Ray."""

    def __init__(self, data: Path, address: str, token: dict[str, str] | None = None, **settings: object) -> None:
        self.token = token or {}
        self.program = (python_with_ray(), "-m", "modelyard.cli.main")
        given = {"runtime": "ray", "ray_address": address, "ray_cpus": 0.5, "instance_memory_mib": 256}
        super().__init__(data, **{**given, **settings})

    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), **self.token}
