"""uv, which resolves and installs packages, from wherever pip is configured to look (uv does not read pip's settings itself)."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

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
PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)
"""Variables of the server that uv gets, besides those that are meant for it."""
SECONDS = 3600.0
TOLD_LINES = 12
Told = Callable[[str], None]


class CannotInstall(Exception):
    """Packages cannot be resolved or installed; the text is what uv said of it."""


class Installer:
    """Runs uv."""

    def __init__(self, cache: Path) -> None:
        self._program = _find_uv()
        self._variables = _variables(cache)
        self._lock = threading.Lock()
        self._running: subprocess.Popen[str] | None = None
        self._stopped = False

    def stop(self) -> None:
        """End what runs, and run nothing more. On any thread."""
        with self._lock:
            self._stopped = True
            if self._running is not None:
                self._running.kill()

    def run(self, *words: str | Path, told: Told | None = None) -> None:
        """Run a uv command; `told` hears each line that it says. Raises CannotInstall."""
        command = [self._program, *(str(word) for word in words)]
        with subprocess.Popen(  # noqa: S603
            command,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd="/",
        ) as process:
            with self._lock:
                self._running = process
                if self._stopped:
                    process.kill()
            timer = threading.Timer(SECONDS, process.kill)
            timer.start()
            said: list[str] = []
            assert process.stderr is not None
            for line in process.stderr:
                if line.strip():
                    said.append(line.rstrip())
                    if told is not None:
                        told(said[-1])
            timer.cancel()
        with self._lock:
            self._running = None
        if self._stopped:
            raise CannotInstall("it was stopped with the server.")
        if process.returncode:
            raise CannotInstall(_reason(said) or f"uv ended with {process.returncode}.")


def _reason(said: Sequence[str]) -> str:
    """What uv says of a failure, on one line, without its advice."""
    lines = [line.strip(" ╰─▶│├·×").strip() for line in said[-TOLD_LINES:]]
    kept = [line for line in lines if line and not line.startswith(("hint:", "warning:"))]
    return " ".join(" ".join(kept).removeprefix("error: ").split())


def _find_uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise CannotInstall(f"uv is not installed: `{sys.executable} -m pip install uv`.")
    return found


def _variables(cache: Path) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name.upper() in PASSED_ON or name.startswith("UV_")}
    variables = {**uv_settings(pip_settings(_pip_listing()), given), **given}
    # A service may have no home to keep a cache in.
    if not Path(given.get("HOME") or "/nonexistent").is_dir():
        variables.setdefault("UV_CACHE_DIR", str(cache))
    return variables


def _pip_listing() -> str:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


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
    variables["UV_LINK_MODE"] = "copy"  # what is linked to the cache would change with it
    variables["UV_NO_CONFIG"] = "1"
    variables["UV_NO_PROGRESS"] = "1"
    return {name: value for name, value in variables.items() if name not in given}
