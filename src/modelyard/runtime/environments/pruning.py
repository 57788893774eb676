"""Taking away what was built and nobody needs any more."""

import fcntl
import shutil
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from modelyard.runtime.environments.built import BuiltEnvironment, built_environments, current_digest
from modelyard.runtime.environments.recipes import Recipes, folder_of


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went."""

    environments: tuple[BuiltEnvironment, ...]
    overlays: int


def prune(data: Path, recorded: Container[str], *, dry: bool = False) -> Pruned:
    """Remove the environments that neither stand for a recipe, nor are `recorded` by a registered version, nor are in use.

    Overlays are made again when they are wanted, so all of them go that no running workload can have: those of the environments
    that went, and those whose making was given up.
    """
    recipes = {recipe.name for recipe in Recipes(data).all()}
    gone = []
    for built in built_environments(data):
        stands = built.recipe in recipes and current_digest(built.recipe, data) == built.digest
        if not stands and built.digest not in recorded and _removed(built, dry=dry):
            gone.append(built)
    return Pruned(tuple(gone), 0 if dry else _clear(folder_of(data), {built.digest for built in gone}))


def _removed(built: BuiltEnvironment, *, dry: bool) -> bool:
    """Remove an environment, unless it is in use: a name that is not looked up first, then its files."""
    lock_path = built.folder.with_name(f".{built.folder.name}.lock")
    with lock_path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not dry:
            going = built.folder.with_name(f".removing-{built.folder.name}")
            built.folder.rename(going)
            shutil.rmtree(going)
            lock_path.unlink()
    return True


def _clear(folder: Path, gone: set[str]) -> int:
    """Remove what interrupted work left, and the overlays of what went; how many overlays."""
    for left in (folder / "built").glob(".removing-*"):
        shutil.rmtree(left, ignore_errors=True)
    removed = 0
    for overlay in (folder / "overlays").glob("*"):
        base = overlay.with_name(f".{overlay.name}.of")
        if base.is_file() and base.read_text(encoding="ascii").strip() in gone:
            shutil.rmtree(overlay, ignore_errors=True)
            base.unlink()
            removed += 1
    return removed
