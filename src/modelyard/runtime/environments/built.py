"""Built environments: where they are, which one stands for an image, and what a workload needs to run in one."""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from modelyard.runtime.environments.recipe import ImageName, RecipeError
from modelyard.runtime.environments.recipes import Recipes, folder_of
from modelyard.runtime.workload import Limits, Mount, Workload

INSIDE = "/opt/environment"
"""Where an environment is, inside."""
PROGRAM = "/opt/program"
"""Where a recipe's own files are, inside."""
OVERLAY = "/opt/overlay"
"""Where the packages of code/requirements.txt are, inside (environments/overlay.py)."""
ML = "/opt/ml"
MANIFEST = "environment.json"
PREFIX = "sha256:"


@dataclass(frozen=True, slots=True)
class BuiltEnvironment:
    """An environment that stands for an image."""

    recipe: str
    digest: str
    """`sha256:` and 64 hexadecimal digits: of the recipe, its packages, the programs inside and the Python."""
    folder: Path
    manifest: Mapping[str, Any]
    """What it was built from: recipe, lock, python, differs …"""

    def command(self, words: Sequence[str]) -> tuple[str, ...]:
        """A command as it is run inside: `serve`, `train`, `python` or any other program by its path there."""
        first, *rest = words
        if len(words) == 1 and first in self.manifest["programs"]:
            first, *rest = self.manifest["programs"][first]
        if "/" not in first:
            own = self.folder / "bin" / first
            first = f"{INSIDE}/bin/{first}" if own.exists() or own.is_symlink() else _on_path(first)
        return (first, *rest)

    def mounts(self) -> tuple[Mount, ...]:
        """What a workload has to see of this machine to run in it."""
        found = [Mount(self.folder, INSIDE)]
        if (self.folder / "program").is_dir():
            found.append(Mount(self.folder / "program", PROGRAM))
        prefixes: Iterable[str] = self.manifest["python"]["mounts"]
        return (*found, *(Mount(Path(prefix), prefix) for prefix in prefixes))

    def environment(self) -> dict[str, str]:
        """The variables that the image itself has."""
        return {
            "HOME": "/tmp",  # noqa: S108 - the sandbox's own
            "LANG": "C.UTF-8",
            "PATH": f"{INSIDE}/bin:/usr/local/bin:/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "SAGEMAKER_FRAMEWORK": self.manifest["framework"],
            **self.manifest["environment"],
        }

    def workload(
        self,
        words: Sequence[str],
        *,
        mounts: Iterable[Mount] = (),
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        directory: str = "/",
        timeout: float | None = None,
        listeners: tuple[int, ...] = (),
        hidden: tuple[Path, ...] = (),
    ) -> Workload:
        """`IMAGE words…` as a workload: `["serve"]`, `["train"]`, or a container's entry point with its arguments.

        `mounts` are its /opt/ml folders, which the sandbox's user has to be able to read (and write), and an overlay.
        """
        command, *arguments = self.command(words)
        return Workload(
            command=command,
            arguments=tuple(arguments),
            environment={**self.environment(), **(environment or {})},
            mounts=(*self.mounts(), *mounts),
            directory=directory,
            limits=limits or Limits(),
            timeout=timeout,
            listeners=listeners,
            hidden=hidden,
        )

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep it from being pruned, by any process, until the end of the block."""
        with _lock_file(self.folder) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield


@dataclass(frozen=True, slots=True)
class NotBuilt:
    """Why there is no environment for an image."""

    reason: str
    """A sentence for whoever wanted it."""
    recipe: str | None
    """The recipe that could be built, None where none answers for the image."""


def environment_of(uri: str, data: Path) -> BuiltEnvironment | NotBuilt:
    """The environment that stands for an image in a data directory: that of its digest when the address has one (or when the
    caller puts the recorded one there: `URI@sha256:…`), else the newest that was built from its recipe."""
    name = ImageName.of(uri)
    try:
        recipe = Recipes(data).find(uri)
    except RecipeError as error:
        return NotBuilt(str(error), None)
    if recipe is None:
        return NotBuilt(f"No recipe of the image catalogue answers for {uri}, and no container engine is set up.", None)
    digest = name.digest or current_digest(recipe.name, data)
    if digest is None:
        return NotBuilt(
            f"The recipe {recipe.name} answers for {uri}, and is not built: run `modelyard images build {recipe.name}`.",
            recipe.name,
        )
    found = built_environment(digest, data)
    if found is None or found.recipe != recipe.name:
        return NotBuilt(f"No environment with the digest {digest} was built from the recipe {recipe.name} here.", recipe.name)
    return found


def built_environment(digest: str, data: Path) -> BuiltEnvironment | None:
    """The environment with a digest."""
    hexadecimal = digest.removeprefix(PREFIX)
    if not hexadecimal.isalnum():
        return None
    folder = folder_of(data) / "built" / hexadecimal
    known = _manifests.get(folder)
    if known is None:
        try:
            known = _manifests[folder] = orjson.loads((folder / MANIFEST).read_bytes())
        except FileNotFoundError:
            return None
    elif not folder.is_dir():
        del _manifests[folder]
        return None
    return BuiltEnvironment(known["recipe"]["name"], PREFIX + hexadecimal, folder, known)


def built_environments(data: Path) -> list[BuiltEnvironment]:
    """Every environment there is."""
    folders = (folder_of(data) / "built").glob("[0-9a-f]*")
    found = (built_environment(folder.name, data) for folder in sorted(folders) if len(folder.name) == 64)
    return [one for one in found if one is not None]


def current_digest(recipe: str, data: Path) -> str | None:
    """The digest of what was built last from a recipe, while that is there."""
    path = folder_of(data) / "current" / recipe
    try:
        digest = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    return digest if built_environment(digest, data) is not None else None


def make_current(recipe: str, digest: str, data: Path) -> None:
    """Let what was built stand for its recipe from now on."""
    path = folder_of(data) / "current" / recipe
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, digest.encode() + b"\n")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or as it was, whatever happens."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _lock_file(folder: Path) -> Iterator[IO[bytes]]:
    with folder.with_name(f".{folder.name}.lock").open("ab") as lock:
        yield lock


def _on_path(program: str) -> str:
    """Where the machine's own program is, which a sandbox sees at the same place."""
    for place in ("/usr/local/bin", "/usr/bin", "/bin"):
        if Path(place, program).exists():
            return f"{place}/{program}"
    return f"/usr/bin/{program}"


_manifests: dict[Path, Mapping[str, Any]] = {}
