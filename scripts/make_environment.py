"""Make a virtual environment from compiled requirements: once, and again only when they change.

    python scripts/make_environment.py .venv --requirements requirements/development.txt --editable .

Needs nothing but Python's standard library. Packages are installed by uv, which is fast, from wherever pip is
configured to look (uv does not read pip's configuration itself); when uv cannot, pip does it.
"""

from __future__ import annotations  # so that an older Python can still say that it is too old

import argparse
import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TOOLS = PROJECT / "requirements" / "tools.txt"
"""What installs: uv, and what builds Modelyard itself."""
SHARED_PATHS = (Path(__file__).resolve(), TOOLS)
LOCKS = PROJECT / ".build" / "locks"
OLDEST_PYTHON = (3, 11)

UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "proxy": "ALL_PROXY",
}
"""pip's settings that say where packages come from, and the variables in which uv reads the same."""


class EnvironmentFailure(Exception):
    """The environment cannot be made; the text says why in one sentence."""


def pip_settings(listing: str) -> dict[str, str]:
    """What `pip config list` printed, without its sections: the later and the more specific win, as in pip."""
    settings: dict[str, str] = {}
    ranks: dict[str, int] = {}
    for line in listing.splitlines():
        name, separator, value = line.partition("=")
        section, dot, key = name.strip().rpartition(".")
        rank = {"global": 0, "install": 1, ":env:": 2}.get(section)
        if not separator or not dot or rank is None or rank < ranks.get(key, 0):
            continue
        settings[key] = " ".join(value.strip().strip("'\"").replace("\\n", " ").split())
        ranks[key] = rank
    return settings


def uv_settings(settings: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The same settings as variables for uv; what the caller's environment already says to uv stays as it is."""
    variables = {UV_NAMES[key]: value for key, value in settings.items() if key in UV_NAMES and value}
    if "UV_FIND_LINKS" in variables:
        variables["UV_FIND_LINKS"] = ",".join(variables["UV_FIND_LINKS"].split())
    variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does: the best version of all places
    variables["UV_PYTHON_DOWNLOADS"] = "never"
    variables["UV_LINK_MODE"] = "copy"  # hard links do not cross file systems, and uv warns when it cannot make one
    variables["UV_NO_CONFIG"] = "1"
    return {name: value for name, value in variables.items() if name not in given}


class Environment:
    """A virtual environment in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.python = directory / "bin" / "python"

    def make(self, requirements: Sequence[Path], editable: Path | None) -> bool:
        """Install what is asked for; False when it was there already. Raises EnvironmentFailure."""
        stamp = self.directory / ".made-from" / self._digest(requirements, editable)
        with self._alone():
            if stamp.exists() and self._works():
                return False
            self._create()
            paths = [*requirements, *([TOOLS] if editable else [])]
            self._install([word for path in paths for word in ("-r", str(path))])
            if editable is not None:
                self._install(["--no-deps", "--no-build-isolation", "-e", str(editable)])
            stamp.parent.mkdir(exist_ok=True)
            stamp.touch()
        return True

    def uv(self) -> tuple[list[str], dict[str, str]]:
        """The uv to use and the variables it needs: the one of the Python that runs this, else one installed here."""
        listing = subprocess.run([self.python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
        variables = {**os.environ, **uv_settings(pip_settings(listing), os.environ)}
        beside = Path(sys.executable).parent / "uv"
        if beside.exists():
            return [str(beside)], variables
        own = self.directory / "bin" / "uv"
        if not own.exists():
            self._run([self.python, "-m", "pip", "install", "--quiet", "-r", TOOLS])
        return [str(own)], variables

    def _digest(self, requirements: Sequence[Path], editable: Path | None) -> str:
        seen = hashlib.sha256(f"{sys.version_info[:2]} {self.directory.absolute()} {editable}".encode())
        paths = [*requirements, *SHARED_PATHS, *([editable / "pyproject.toml"] if editable else [])]
        for path in paths:
            seen.update(path.read_bytes())
        return seen.hexdigest()[:32]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time: test processes may ask for the same environment at once."""
        LOCKS.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(str(self.directory.absolute()).encode()).hexdigest()[:16]
        with (LOCKS / name).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _works(self) -> bool:
        return self.python.exists() and subprocess.run([self.python, "-c", ""], check=False).returncode == 0

    def _create(self) -> None:
        if self._works():
            return
        if sys.version_info < OLDEST_PYTHON:
            raise EnvironmentFailure(f"Modelyard needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}.")
        command = [sys.executable, "-m", "venv", "--clear", str(self.directory)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise EnvironmentFailure(
                f"`{' '.join(command)}` failed; on Debian and Ubuntu it needs the package python3-venv.\n"
                f"{made.stdout}{made.stderr}"
            )

    def _install(self, what: Sequence[str]) -> None:
        try:
            uv, variables = self.uv()
            self._run([*uv, "pip", "install", "--python", self.python, *what], variables)
        except EnvironmentFailure as failure:
            print(f"{failure} Trying pip instead.", file=sys.stderr)
            self._run([self.python, "-m", "pip", "install", "--progress-bar", "on", *what])

    def _run(self, command: Sequence[str | Path], variables: Mapping[str, str] | None = None) -> None:
        done = subprocess.run([str(word) for word in command], env=variables, check=False)
        if done.returncode:
            raise EnvironmentFailure(f"`{' '.join(str(word) for word in command[:4])} …` ended with {done.returncode}.")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make a virtual environment from compiled requirements.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--requirements", type=Path, action="append", required=True)
    parser.add_argument("--editable", type=Path)
    options = parser.parse_args()
    try:
        Environment(options.directory).make(options.requirements, options.editable)
    except EnvironmentFailure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
