"""Which Python runs a function: one of the version that the function names, when it is installed with what functions need, else
the server's own."""

import importlib.util
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import orjson

from modelyard.runtime.base import SYSTEM, python_mounts
from modelyard.runtime.workload import Mount

NEEDED = ("awslambdaric", "boto3")
_ASK = (
    "import sys, importlib.util as u, json;"
    f"print(json.dumps([sys.executable, sys.version.split()[0], all(u.find_spec(n) for n in {NEEDED!r}),"
    " sorted({sys.base_prefix, sys.prefix, *[p for p in sys.path if p.endswith(('site-packages', 'dist-packages'))]})]))"
)
_COMPILE = (
    "import awslambdaric.__main__, awslambdaric.bootstrap, boto3, boto3.s3.transfer;"
    "boto3.client('s3', 'us-east-1'); boto3.client('sagemaker', 'us-east-1')"
)
ASK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python with `awslambdaric` and boto3."""

    program: str
    version: str
    mounts: tuple[Mount, ...]


class NoInterpreter(Exception):
    """No Python here can run functions; the text says what to install."""


class Interpreters:
    """Finds interpreters, and remembers them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, Interpreter] = {}

    def of(self, runtime: str) -> Interpreter:
        """The interpreter for `python3.11`. Raises NoInterpreter."""
        with self._lock:
            if runtime not in self._found:
                self._found[runtime] = self._find(runtime)
            return self._found[runtime]

    def _find(self, runtime: str) -> Interpreter:
        own = f"python{sys.version_info.major}.{sys.version_info.minor}"
        program = None if runtime == own else shutil.which(runtime)
        found = (_asked(program) if program is not None else None) or _servers()
        _compile(found)
        return found


def _compile(interpreter: Interpreter) -> None:
    """Have the compiled form of what functions import kept, where that is possible: a sandbox could not, and would take a second
    longer each time."""
    subprocess.run(  # noqa: S603
        [interpreter.program, "-I", "-c", _COMPILE], capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=60
    )


def _servers() -> Interpreter:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise NoInterpreter(
            f"Functions need the Python package {' and '.join(missing)}: `{sys.executable} -m pip install {' '.join(missing)}`;"
            " where there is no wheel of awslambdaric for this Python, its build needs a C++ compiler, make, cmake, autoconf,"
            " automake, libtool and libcurl's headers."
        )
    return Interpreter(sys.executable, sys.version.split()[0], python_mounts())


def _asked(program: str) -> Interpreter | None:
    """What another interpreter says of itself; None when functions cannot run on it."""
    try:
        done = subprocess.run(  # noqa: S603
            [program, "-I", "-c", _ASK], capture_output=True, timeout=ASK_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
        path, version, fit, folders = orjson.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if not fit:
        return None
    outside = [Path(folder) for folder in folders if not any(Path(folder).resolve().is_relative_to(one) for one in SYSTEM)]
    return Interpreter(path, version, tuple(Mount(folder, str(folder)) for folder in outside if folder.is_dir()))
