"""Environments of their own for the clients that cannot share ours, each made once under `.build/clients`.

    client_environment("sdk2")          -> the Python that has the SageMaker Python SDK, version 2
    client_environment("sdk3")          -> the Python that has sagemaker-core, of version 3
    client_environment("s3fs")          -> the Python that has the newest s3fs, which holds botocore back
    client_environment("ray")           -> the Python that has Modelyard and Ray, which is as large as all else
    client_environment("javascript")    -> the folder whose node_modules has the AWS SDK for JavaScript
    client_environment("evaluator")     -> the folder whose node_modules has an evaluator of IAM policies by others

A script finds those by `require`, with NODE_PATH set to node_modules

What they hold is pinned by compiled requirements; they are made again when those change. `make clients` makes all of
them with visible progress, and `make test` runs it first, so that no test has to wait for one.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / ".build" / "clients"
PYTHON_CLIENTS = ("sdk2", "sdk3", "s3fs", "ray")
WITH_MODELYARD = ("ray",)
NOT_EVERYWHERE = ("ray",)
"""There are no packages of it for every Python and machine: what needs it is skipped there."""
NODE_CLIENTS = ("javascript", "evaluator")


def client_environment(name: str) -> Path:
    """The Python of the client environment `name`, or the folder of one for Node; made when it is not there yet."""
    if name in NODE_CLIENTS:
        return _node_modules(name)
    if name not in PYTHON_CLIENTS:
        raise ValueError(f"there is no client environment '{name}': there are {', '.join((*PYTHON_CLIENTS, *NODE_CLIENTS))}")
    requirements = PROJECT / "requirements" / f"{name}.txt"
    command = [sys.executable, PROJECT / "scripts" / "make_environment.py", FOLDER / name, "--requirements", requirements]
    command += ["--editable", PROJECT] if name in WITH_MODELYARD else []
    subprocess.run(command, check=True)
    return FOLDER / name / "bin" / "python"


def _node_modules(name: str) -> Path:
    folder = FOLDER / name
    described = [PROJECT / "tests" / "clients" / name / file for file in ("package.json", "package-lock.json")]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in described)).hexdigest()
    stamp = folder / "made-from"
    with _alone(FOLDER / f".{name}.lock"):
        if not stamp.exists() or stamp.read_text() != wanted:
            folder.mkdir(parents=True, exist_ok=True)
            for path in described:
                shutil.copy(path, folder)
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True)
            stamp.write_text(wanted)
    return folder


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Make all of them."""
    for name in (*PYTHON_CLIENTS, *NODE_CLIENTS):
        try:
            print(f"client environment {name}: {os.path.relpath(client_environment(name), PROJECT)}", flush=True)
        except subprocess.CalledProcessError:
            if name not in NOT_EVERYWHERE:
                raise
            print(f"client environment {name}: not to be had here", flush=True)


if __name__ == "__main__":
    main()
