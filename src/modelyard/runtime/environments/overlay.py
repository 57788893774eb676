"""The packages that code/requirements.txt asks for: installed beside the environment, once for all who ask for the same.

It happens outside the sandbox, which has no network, and so runs none of their code: wheels alone, from the package index that
the operator has set up, and nothing that names a file, an address or an option.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from modelyard.runtime.environments.build import compile_modules
from modelyard.runtime.environments.built import OVERLAY, BuiltEnvironment, flush_folder
from modelyard.runtime.environments.installer import CannotInstall, Installer, Told
from modelyard.runtime.environments.interpreter import find_python
from modelyard.runtime.environments.recipes import folder_of
from modelyard.runtime.workload import Mount

MOST_LINES = 200
MOST_BYTES = 8 * 1024**3
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[A-Za-z0-9._,\s-]*\])?\s*([<>=!~][^;@#/\\]*)?(;[^@#/\\]*)?")


class CannotComplete(Exception):
    """What the code asks for cannot be had; the text is the reason that its owner reads."""


def overlay_of(built: BuiltEnvironment, requirements: str, data: Path, told: Told | None = None) -> tuple[Mount, ...]:
    """The mount that gives a workload in an environment what a requirements.txt asks for; none when it asks for nothing.

    Raises CannotComplete.
    """
    lines = _lines(requirements)
    if not lines:
        return ()
    key = hashlib.sha256("\n".join([built.digest, *sorted(lines)]).encode()).hexdigest()
    place = folder_of(data) / "overlays" / key
    if not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.with_name(f".{key}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.is_dir():
                _make(built, lines, place, Installer(folder_of(data) / "cache"), told)
    return (Mount(place, OVERLAY),)


def _lines(requirements: str) -> list[str]:
    """The requirements, each `NAME[EXTRAS] VERSIONS; MARKER`. Raises CannotComplete for anything else."""
    joined = requirements.replace("\\\n", " ")
    lines = [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines()) if line]
    if len(lines) > MOST_LINES:
        raise CannotComplete(f"requirements.txt in the code has more than {MOST_LINES} lines.")
    for line in lines:
        if _REQUIREMENT.fullmatch(line) is None:
            raise CannotComplete(
                f"requirements.txt in the code has '{line[:200]}': only names of packages with versions can be had here, neither"
                " addresses, files nor options."
            )
    return lines


def _make(built: BuiltEnvironment, lines: Iterable[str], place: Path, installer: Installer, told: Told | None) -> None:
    making = place.with_name(f".making-{place.name}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    try:
        asked, constraints = making / "requirements.txt", making / "constraints.txt"
        asked.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        # What is in the environment stays as it is, unless the code asks for another version of that very package.
        names = {_normal(line) for line in lines}
        kept = [package for package in built.manifest["packages"] if _normal(package) not in names]
        constraints.write_text("".join(f"{package}\n" for package in kept), encoding="utf-8")
        packages, python = making / "packages", find_python(built.manifest["interpreter"])
        installer.run(
            "pip", "install", "--only-binary", ":all:", "--python", python.program, "--target", packages,
            "--constraints", constraints, "-r", asked, told=told,
        )  # fmt: skip
        if sum(path.lstat().st_size for path in packages.rglob("*")) > MOST_BYTES:
            raise CannotComplete(f"What requirements.txt in the code asks for is more than {MOST_BYTES} bytes.")
        _leave_out(built, packages)
        compile_modules(packages, python, OVERLAY)
        os.sync()
        packages.chmod(0o755)
        place.with_name(f".{place.name}.of").write_text(built.digest, encoding="ascii")
        packages.rename(place)
        flush_folder(place.parent)
    except CannotInstall as error:
        raise CannotComplete(f"requirements.txt in the code cannot be installed: {error}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _leave_out(built: BuiltEnvironment, packages: Path) -> None:
    """Take away what the environment has in the same version: one copy is enough, and two of a library in C can clash."""
    there = {_normal(package): package.partition("==")[2] for package in built.manifest["packages"]}
    for information in packages.glob("*.dist-info"):
        name, _, version = information.name.removesuffix(".dist-info").rpartition("-")
        if there.get(_normal(name)) != version:
            continue
        with contextlib.suppress(FileNotFoundError):
            for line in (information / "RECORD").read_text(encoding="utf-8").splitlines():
                file = packages / line.rpartition(",")[0].rpartition(",")[0].strip('"')
                if file.is_relative_to(packages) and ".." not in file.parts:
                    file.unlink(missing_ok=True)
        shutil.rmtree(information, ignore_errors=True)


def _normal(requirement: str) -> str:
    """The name in a requirement, as package indexes compare names."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
