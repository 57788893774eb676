"""A server in a process of its own, as people run it: made and started by the `modelyard` command."""

import json
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config

PROJECT = Path(__file__).resolve().parents[1]
ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
MODELYARD = (sys.executable, "-m", "modelyard.cli.main")
DEFECT = "a defect in answering a request"

both_databases = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
"""Run a test of the `yard` on SQLite and on PostgreSQL; without this mark it runs on SQLite."""


@dataclass(frozen=True)
class Credentials:
    """What signs a request."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


class RunningYard:
    """A server on a data directory, with two accounts."""

    program: tuple[str, ...] = MODELYARD

    def __init__(self, data: Path, **settings: object) -> None:
        self.data = data
        self.log = data.parent / f"{data.name}.log"
        self._settings = {f"MODELYARD_{name.upper()}": str(value) for name, value in settings.items()}
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.modelyard("init", "--account", ACCOUNT)
        self.modelyard("accounts", "create", OTHER_ACCOUNT)

    @property
    def endpoint(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def modelyard(self, *arguments: str) -> str:
        """Run a `modelyard` command on the data directory; what it prints."""
        command = [*self.program, *arguments, "--data", str(self.data)]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        """Start the server, on the port it had before; returns once it answers."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*self.program, "serve", "--data", str(self.data), "--port", str(self.port)],
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready http://"), f"the server did not start: {line}{self.log.read_text()[-2000:]}"
        self.port = int(line.rpartition(":")[2])

    def stop(self, seconds: float = 30) -> int:
        """Tell the server to stop, as an operator does; its exit code."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        """End the server with no chance to tidy up (kill -9)."""
        self._end(signal.SIGKILL, 30)

    def _end(self, number: signal.Signals, seconds: float) -> int:
        assert self.process is not None and self.process.stdout is not None
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        self.process.stdout.close()
        self.process = None
        return code

    @cache  # noqa: B019 - a handful of yards live as long as the tests
    def environment(self, account: str = ACCOUNT, profile: str = "admin") -> dict[str, str]:
        """The environment for a client program: what `modelyard env` prints, and nothing of ours besides PATH."""
        exported = {}
        for line in self.modelyard("env", "--account", account, "--profile", profile).splitlines():
            (_, assignment) = shlex.split(line)
            name, _, value = assignment.partition("=")
            exported[name] = value
        home = self.data.parent / f"{self.data.name}-home"
        home.mkdir(exist_ok=True)
        return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **exported}

    def admin(self, account: str = ACCOUNT) -> Credentials:
        """The key of an account's administrator."""
        exported = self.environment(account)
        return Credentials(exported["AWS_ACCESS_KEY_ID"], exported["AWS_SECRET_ACCESS_KEY"])

    def client(
        self,
        service: str,
        account: str = ACCOUNT,
        region: str = "us-east-1",
        credentials: Credentials | None = None,
        config: Config | None = None,
    ) -> Any:
        """A boto3 client, the account's administrator unless other credentials are given. It does not retry."""
        signer = credentials or self.admin(account)
        return self._session().client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=signer.access_key_id,
            aws_secret_access_key=signer.secret_access_key,
            aws_session_token=signer.session_token,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}).merge(config or Config()),
        )

    @cache  # noqa: B019 - as above
    def _session(self) -> boto3.Session:
        """What boto3 knows, and the service `modelyard` as well."""
        session = botocore.session.Session()
        session.set_config_variable("data_path", self.environment()["AWS_DATA_PATH"])
        return boto3.Session(botocore_session=session)

    def defects(self) -> list[str]:
        """The tracebacks that the server logged: a request must never end in one."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line.get("traceback", "") for line in lines if line.get("message") == DEFECT]

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MODELYARD_"))}
        return {**inherited, **self._settings}
