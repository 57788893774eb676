"""A recipe: what an image's name stands for here, read from TOML."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

FRAMEWORKS = ("python", "sklearn", "xgboost", "autogluon")
NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_HOST = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.[a-z0-9.-]+")
"""The registry of an AWS account, in a region of any partition."""
_OWN_PROGRAMS = {
    "serve": ("python", "-m", "modelyard_programs.serve"),
    "train": ("python", "-m", "modelyard_programs.train"),
}


class RecipeError(Exception):
    """A recipe cannot be used; the text is a sentence that says which and why."""


@dataclass(frozen=True, slots=True)
class ImageName:
    """The address of an image, taken apart."""

    host: str
    repository: str
    tag: str
    digest: str | None

    @classmethod
    def of(cls, uri: str) -> "ImageName":
        """`HOST/REPOSITORY:TAG@DIGEST`, of which only the repository has to be there."""
        rest, _, digest = uri.partition("@")
        host, slash, path = rest.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            host, path = "", rest
        repository, colon, tag = path.partition(":")
        return cls(host, repository, tag if colon else "latest", digest or None)

    @property
    def short(self) -> str:
        """`REPOSITORY:TAG`."""
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make the environment that stands for an image."""

    name: str
    title: str
    answers: tuple[str, ...]
    """Patterns of `REPOSITORY:TAG`, in the registry of any AWS account and region or with no registry; one that begins with a
    host counts for that host."""
    framework: str
    """Whose defaults the serving program has: one of FRAMEWORKS."""
    python: str
    """Which Pythons will do: `>=3.11,<3.13`."""
    requirements: tuple[str, ...]
    programs: Mapping[str, tuple[str, ...]]
    """The commands of `serve` and `train`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    files: tuple[tuple[str, Path], ...] = ()
    """What is put into `/opt/program`: the path there, and the file or folder here."""
    differs: tuple[str, ...] = ()
    """In what it is not like the image that AWS has under these names."""
    from_source: tuple[str, ...] = ()
    """Packages that may be built from source; all others come as wheels, which run no code when they are installed."""
    optional: tuple[str, ...] = ()
    """Requirements that are left out when they cannot be had."""
    torch: str = ""
    """The build of PyTorch: `cpu`, or empty for the package index's."""
    shipped: bool = False

    def fits(self, image: ImageName) -> int:
        """How closely it answers for an image: the length of the pattern's fixed text, -1 when it does not."""
        return max((_closeness(pattern, image) for pattern in self.answers), default=-1)

    def describe(self) -> dict[str, Any]:
        """What decides how the environment comes out, as JSON has it."""
        return {
            "name": self.name,
            "framework": self.framework,
            "python": self.python,
            "requirements": list(self.requirements),
            "programs": {name: list(words) for name, words in sorted(self.programs.items())},
            "environment": dict(sorted(self.environment.items())),
            "from_source": list(self.from_source),
            "optional": list(self.optional),
            "torch": self.torch,
        }


def _closeness(pattern: str, image: ImageName) -> int:
    given = ImageName.of(pattern)
    if given.host:
        if not fnmatchcase(image.host, given.host):
            return -1
    elif image.host and _HOST.fullmatch(image.host) is None:
        return -1
    if not fnmatchcase(image.repository, given.repository):
        return -1
    wanted = given.tag if ":" in pattern.removeprefix(given.host) else "*"
    # An address with a digest alone names whatever has that digest.
    by_digest = image.digest is not None and image.tag == "latest"
    if not by_digest and not fnmatchcase(image.tag, wanted):
        return -1
    return len(pattern.replace("*", ""))


def best(recipes: Iterable[Recipe], uri: str) -> Recipe | None:
    """The recipe that answers for an image: a team's own before a shipped one, then the one that names it most closely."""
    image = ImageName.of(uri)
    fitting = [(not recipe.shipped, recipe.fits(image), recipe) for recipe in recipes if recipe.fits(image) >= 0]
    return max(fitting, key=lambda one: one[:2])[2] if fitting else None


# --- reading ------------------------------------------------------------------------------------

_TEXTS = ("name", "title", "framework", "python", "requirements_file", "torch", "version")
_LISTS = ("answers", "requirements", "serve", "train", "files", "differs", "from_source", "optional")
_TABLES = ("environment", "versions")


def read_recipes(path: Path, *, shipped: bool = False) -> list[Recipe]:
    """The recipes in a file: one, or one for each of its `versions`. Raises RecipeError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path.name} is not valid TOML: {error}.") from error
    versions = document.pop("versions", None)
    if versions is None:
        return [_recipe(document, path, shipped)]
    if not isinstance(versions, list) or not all(isinstance(one, dict) for one in versions):
        raise RecipeError(f"`versions` in {path.name} must be tables: [[versions]].")
    recipes = []
    for one in versions:
        merged = {**document, **one}
        merged["requirements"] = [*document.get("requirements", []), *one.get("requirements", [])]
        merged["differs"] = [*one.get("differs", []), *document.get("differs", [])]
        merged["name"] = f"{document.get('name', '')}-{one.get('version', '')}"
        recipes.append(_recipe(merged, path, shipped))
    return recipes


def _recipe(document: Mapping[str, Any], path: Path, shipped: bool) -> Recipe:
    _check(document, path)
    name = document.get("name", "")
    if NAME.fullmatch(name) is None:
        raise RecipeError(f"`name` in {path.name} must be of small letters, digits, `-`, `_` and `.`, not '{name}'.")
    if not document.get("answers"):
        raise RecipeError(f'`answers` in {path.name} must name at least one image, such as "{name}:*".')
    framework = document.get("framework", "python")
    if framework not in FRAMEWORKS:
        raise RecipeError(f"`framework` in {path.name} must be one of {', '.join(FRAMEWORKS)}, not '{framework}'.")
    if document.get("torch", "") not in ("", "cpu"):
        raise RecipeError(f"`torch` in {path.name} must be `cpu`, or left out.")
    return Recipe(
        name=name,
        title=document.get("title", name),
        answers=tuple(document["answers"]),
        framework=framework,
        python=document.get("python", ">=3.11"),
        requirements=_requirements(document, path),
        programs={program: tuple(document.get(program) or own) for program, own in _OWN_PROGRAMS.items()},
        environment=document.get("environment", {}),
        files=tuple(_files(document.get("files", ()), path)),
        differs=tuple(document.get("differs", ())),
        from_source=tuple(document.get("from_source", ())),
        optional=tuple(document.get("optional", ())),
        torch=document.get("torch", ""),
        shipped=shipped,
    )


def _check(document: Mapping[str, Any], path: Path) -> None:
    """Raise RecipeError for what is not known, or not of its type."""
    for key, value in document.items():
        if key in _TEXTS:
            fits, noun = isinstance(value, str), "a text"
        elif key in _LISTS:
            fits, noun = isinstance(value, list) and all(isinstance(one, str) for one in value), "a list of texts"
        elif key in _TABLES:
            fits, noun = isinstance(value, dict) and all(isinstance(one, str) for one in value.values()), "a table of texts"
        else:
            raise RecipeError(
                f"There is no `{key}` in a recipe ({path.name}); there are {', '.join((*_TEXTS, *_LISTS, *_TABLES))}."
            )
        if not fits:
            raise RecipeError(f"`{key}` in {path.name} must be {noun}.")


def _requirements(document: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    lines = list(document.get("requirements", ()))
    if "requirements_file" in document:
        beside = _beside(document["requirements_file"], path)
        if not beside.is_file():
            raise RecipeError(f"`requirements_file` in {path.name} names {document['requirements_file']}, which is not there.")
        lines += beside.read_text(encoding="utf-8").splitlines()
    stripped = (line.partition(" #")[0].strip() for line in lines)
    return tuple(line for line in stripped if line and not line.startswith("#"))


def _files(names: Sequence[str], path: Path) -> Iterable[tuple[str, Path]]:
    for name in names:
        found = _beside(name, path)
        if not found.exists():
            raise RecipeError(f"`files` in {path.name} names {name}, which is not there.")
        yield found.name, found


def _beside(name: str, path: Path) -> Path:
    """A file beside the recipe, or in a folder beside it. Raises RecipeError for one elsewhere."""
    if not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise RecipeError(f"{path.name} names '{name}': files of a recipe stand beside it.")
    return path.parent / name
