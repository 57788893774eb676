"""The demo's own server: a fresh data directory, a process on a free port, and clients for whoever has a key."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from modelyard.aws.models import own_models
from modelyard.cli import credentials, running
from modelyard.cli.credentials import Credentials
from modelyard.cli.failure import CommandFailure
from modelyard.settings import load_settings

MARK = "made-by-modelyard-demo"
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Yard:
    """A server that runs, as its clients see it."""

    data: Path
    address: str
    account: str
    region: str
    administrator: Credentials

    def client(self, service: str, key: Credentials) -> Any:
        """An ordinary boto3 client that signs with `key`."""
        return self._session().client(
            service,
            endpoint_url=self.address,
            region_name=self.region,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            config=Config(proxies={}, retries={"max_attempts": 1}),
        )

    @staticmethod
    def _session() -> Any:
        """A session that also knows the service `modelyard`, as `AWS_DATA_PATH` from `modelyard env` makes every one know it."""
        session = botocore.session.Session()
        session.set_config_variable("data_path", str(own_models()))
        return boto3.Session(botocore_session=session)

    def shell(self, key: Credentials) -> Mapping[str, str]:
        """The environment in which the AWS CLI is this person's."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.data),  # nothing of the person's own AWS configuration
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }


def open_yard(data: Path, address: str, account: str) -> Yard:
    """The running server of `data`, with its administrator's key."""
    settings = load_settings(data, os.environ)
    administrator = credentials.kept(data, account)[credentials.ADMINISTRATOR]
    return Yard(data, address, account, settings.region, administrator)


def fresh_directory(folder: Path) -> Path:
    """An empty data directory in `folder`, in place of what an earlier demo left there. Raises CommandFailure."""
    data = folder / "data"
    if folder.exists():
        if not (folder / MARK).exists() and any(folder.iterdir()):
            raise CommandFailure(f"{folder} is not empty and no demo made it: name another folder with --folder.")
        if running.address_of(data) is not None:
            raise CommandFailure(f"A server still runs on {data}: end it, or name another folder with --folder.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    return data


def modelyard(*arguments: str) -> list[str]:
    """The command line of this very Modelyard."""
    return [sys.executable, "-m", "modelyard.cli.main", *arguments]


def beside_python(command: str) -> Path:
    """A command of this environment."""
    return Path(sys.executable).with_name(command)


@contextmanager
def served(data: Path, log: Path) -> Iterator[str]:
    """Run `modelyard serve` on a free port while the block runs; its address. Raises CommandFailure."""
    command = modelyard("serve", "--data", str(data), "--port", "0")
    with log.open("wb") as sink, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("ready "):
                raise CommandFailure(f"The server did not start; {log} says why.")
            yield line.removeprefix("ready ").strip()
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
    if process.returncode:
        raise CommandFailure(f"The server ended with {process.returncode}; {log} says why.")
