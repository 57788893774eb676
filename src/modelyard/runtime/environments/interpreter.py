"""Which Python an environment is made with: the server's own where it will do, else another one that is installed."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from modelyard.runtime.base import SYSTEM
from modelyard.runtime.environments.recipe import Recipe, RecipeError
from modelyard.runtime.workload import Mount

OLDEST = (3, 10)
"""What modelyard_programs need."""
ASK_SECONDS = 10.0
_ASK = (
    "import sys, sysconfig, json;"
    "print(json.dumps([list(sys.version_info[:3]), sys.implementation.name, sysconfig.get_platform(),"
    " sorted({sys.base_prefix, sys.base_exec_prefix}), getattr(sys, '_base_executable', sys.executable)]))"
)
_CLAUSE = re.compile(r"(>=|<=|==|!=|>|<)\s*(\d+)(?:\.(\d+))?(?:\.(\d+|\*))?")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that is installed here."""

    program: str
    version: tuple[int, int, int]
    implementation: str
    platform: str
    prefixes: tuple[str, ...]

    @property
    def tag(self) -> str:
        """What environments made with it have in common: `cpython-3.11-linux-x86_64`."""
        return f"{self.implementation}-{self.version[0]}.{self.version[1]}-{self.platform}"

    def mounts(self) -> tuple[Mount, ...]:
        """What a sandbox has to see for it to run."""
        outside = [prefix for prefix in self.prefixes if not any(Path(prefix).resolve().is_relative_to(one) for one in SYSTEM)]
        return tuple(Mount(Path(prefix), prefix) for prefix in outside)


def find_interpreter(recipe: Recipe) -> Interpreter:
    """A Python that the recipe can use. Raises RecipeError, which says which are there."""
    seen: list[str] = []
    for program in _candidates():
        found = ask(program)
        if found is None:
            continue
        if found.version >= OLDEST and allows(recipe.python, found.version):
            return found
        version = ".".join(map(str, found.version))
        seen += [] if version in seen else [version]
    raise RecipeError(f"{recipe.name} needs Python {recipe.python}, and here is {', '.join(seen)}: install one that fits.")


def find_python(tag: str) -> Interpreter:
    """A Python of this kind: `cpython-3.11-linux-x86_64`. Raises RecipeError."""
    for program in _candidates():
        found = ask(program)
        if found is not None and found.tag == tag:
            return found
    raise RecipeError(f"The Python that it was built with, {tag}, is not installed any more.")


def allows(specifier: str, version: tuple[int, int, int]) -> bool:
    """Whether `>=3.11,<3.13` allows a version. Raises RecipeError when it is not of that form."""
    return all(_allows(clause.strip(), version) for clause in specifier.split(",") if clause.strip())


def _allows(clause: str, version: tuple[int, int, int]) -> bool:
    found = _CLAUSE.fullmatch(clause)
    if found is None:
        raise RecipeError(f"'{clause}' is not of the form >=3.11.")
    given = tuple(int(part) for part in found.group(2, 3, 4) if part not in (None, "*"))
    head = version[: len(given)]
    sign = found[1]
    if sign in ("==", "!="):
        return (head == given) is (sign == "==")
    if sign in (">=", "<"):
        return (version >= given) is (sign == ">=")
    return (head > given) is (sign == ">")


def _candidates() -> Iterator[str]:
    yield sys.executable
    for minor in range(10, 20):
        program = shutil.which(f"python3.{minor}")
        if program is not None:
            yield program


def ask(program: str) -> Interpreter | None:
    """What an interpreter says of itself; None when it does not run."""
    try:
        done = subprocess.run(  # noqa: S603
            [program, "-I", "-S", "-c", _ASK], capture_output=True, timeout=ASK_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
        version, implementation, platform, prefixes, base = orjson.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return Interpreter(base or program, tuple(version), implementation, platform, tuple(prefixes))
