"""The packages that code/requirements.txt asks for: installed beside the environment, once for all who ask for the same.

It happens outside the sandbox, which has no network, and so runs none of their code: wheels alone, from the package index that
the operator has set up, and nothing that names a file, an address or an option.
"""

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
        asked, chosen, needed = (making / name for name in ("asked.txt", "chosen.txt", "needed.txt"))
        packages, python = making / "packages", find_python(built.manifest["interpreter"])
        there = built.manifest["packages"]
        _write(asked, lines)
        _write(chosen, there)  # which it prefers to other versions
        installer.run(
            "pip", "compile", "--quiet", "--python", python.program, "--only-binary", ":all:", "--no-header", "--no-annotate",
            "--no-emit-index-url", "--no-emit-find-links", "--output-file", chosen, asked, told=told,
        )  # fmt: skip
        _write(needed, (line for line in chosen.read_text(encoding="utf-8").splitlines() if line not in there))
        packages.mkdir()
        installer.run(
            "pip", "install", "--only-binary", ":all:", "--no-deps", "--python", python.program, "--target", packages,
            "-r", needed, told=told,
        )  # fmt: skip
        if sum(path.lstat().st_size for path in packages.rglob("*")) > MOST_BYTES:
            raise CannotComplete(f"What requirements.txt in the code asks for is more than {MOST_BYTES} bytes.")
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


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
