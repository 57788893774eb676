"""The recipes there are: those that come with Modelyard, and those that a team added to its data directory."""

import contextlib
import os
import shutil
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from modelyard.runtime.environments.recipe import Recipe, RecipeError, best, read_recipes

SHIPPED = Path(__file__).parents[1] / "catalogue"
FILE = "recipe.toml"
MOST_REMEMBERED = 4096


def folder_of(data: Path) -> Path:
    """Where a data directory keeps what belongs to images."""
    return data / "images"


@dataclass(slots=True)
class _Known:
    """What was read of a data directory's recipes, and found for images since."""

    state: tuple[tuple[str, int], ...]
    recipes: list[Recipe]
    found: dict[str, Recipe | None] = field(default_factory=dict)


class Recipes:
    """The recipes of a data directory. A team's may be added while a server runs, so it is looked whether they changed."""

    def __init__(self, data: Path) -> None:
        self.folder = folder_of(data) / "recipes"

    def all(self) -> list[Recipe]:
        """Every recipe: a team's own first, by name. Raises RecipeError."""
        return self._known().recipes

    def find(self, uri: str) -> Recipe | None:
        """The recipe that answers for an image. Raises RecipeError."""
        known = self._known()
        if uri not in known.found:
            if len(known.found) >= MOST_REMEMBERED:
                known.found.clear()
            known.found[uri] = best(known.recipes, uri)
        return known.found[uri]

    def _known(self) -> _Known:
        state = self._state()
        known = _by_folder.get(self.folder)
        if known is None or known.state != state:
            own = [recipe for name, _ in state for recipe in read_recipes(self.folder / name / FILE)]
            names = {recipe.name for recipe in own}
            shipped = [recipe for recipe in _shipped() if recipe.name not in names]
            known = _by_folder[self.folder] = _Known(state, own + shipped)
        return known

    def _state(self) -> tuple[tuple[str, int], ...]:
        """The team's recipes, and when each was last written."""
        try:
            with os.scandir(self.folder) as entries:
                names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        except FileNotFoundError:
            return ()
        return tuple((name, (self.folder / name / FILE).stat().st_mtime_ns) for name in names)

    def named(self, name: str) -> Recipe:
        """The recipe of a name, or the one that answers for an image. Raises RecipeError."""
        recipes = self.all()
        for recipe in recipes:
            if recipe.name == name:
                return recipe
        found = best(recipes, name)
        if found is None:
            raise RecipeError(f"No recipe is called '{name}' or answers for an image of that name.")
        return found

    def add(self, path: Path) -> Recipe:
        """Keep a team's recipe with its files; it takes the place of the one that had its name. Raises RecipeError."""
        if not path.is_file():
            raise RecipeError(f"{path} is not there.")
        recipes = read_recipes(path)
        if len(recipes) != 1:
            raise RecipeError(f"{path.name} must hold one recipe: a file with `versions` is not a team's.")
        recipe = recipes[0]
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=self.folder) as made:
            kept = Path(made) / "new"
            kept.mkdir()
            for name, source in recipe.files:
                _copy(source, kept / name)
            (kept / FILE).write_text(_self_contained(path, recipe), encoding="utf-8")
            target = self.folder / recipe.name
            with contextlib.suppress(FileNotFoundError):
                target.rename(Path(made) / "old")
            kept.rename(target)
        _flush(self.folder)
        return self.named(recipe.name)

    def remove(self, name: str) -> None:
        """Take a team's recipe away. What was built from it stays until it is pruned. Raises RecipeError."""
        target = self.folder / name
        if "/" in name or not (target / FILE).is_file():
            why = "comes with Modelyard" if any(recipe.name == name for recipe in _shipped()) else "is not there"
            raise RecipeError(f"The recipe '{name}' {why}: only those that were added can be removed.")
        with tempfile.TemporaryDirectory(prefix=".removing-", dir=self.folder) as made:
            target.rename(Path(made) / "old")
        _flush(self.folder)


def _self_contained(path: Path, recipe: Recipe) -> str:
    """The recipe's text, with what stood in its requirements file and files where they are now."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    document.pop("requirements_file", None)
    document["requirements"] = list(recipe.requirements)
    if recipe.files:
        document["files"] = [name for name, _ in recipe.files]
    lines = [f"{key} = {_toml(value)}" for key, value in document.items() if not isinstance(value, dict)]
    for key, value in document.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(f"{_toml(name)} = {_toml(text)}" for name, text in value.items())]
    return "\n".join(lines) + "\n"


def _toml(value: str | list[str]) -> str:
    """A text or a list of texts as TOML writes it."""
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    escaped = "".join(
        f"\\u{ord(character):04x}"
        if ord(character) < 32 or ord(character) == 127
        else {'"': '\\"', "\\": "\\\\"}.get(character, character)
        for character in value
    )
    return f'"{escaped}"'


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_by_folder: dict[Path, _Known] = {}
_shipped_recipes: list[Recipe] = []


def _shipped() -> list[Recipe]:
    if not _shipped_recipes:
        _shipped_recipes[:] = [recipe for path in sorted(SHIPPED.glob("*.toml")) for recipe in read_recipes(path, shipped=True)]
    return _shipped_recipes
