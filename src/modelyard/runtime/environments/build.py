"""Building the environment of a recipe: whole or not at all, once for all who ask, and under a digest of what is in it."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from modelyard.runtime.environments.built import (
    INSIDE,
    MANIFEST,
    PREFIX,
    BuiltEnvironment,
    built_environment,
    flush_folder,
    make_current,
    write_whole,
)
from modelyard.runtime.environments.installer import CannotInstall, Installer
from modelyard.runtime.environments.interpreter import Interpreter, find_interpreter
from modelyard.runtime.environments.recipe import Recipe, RecipeError
from modelyard.runtime.environments.recipes import folder_of

PROGRAMS = Path(__file__).parents[1] / "programs"
"""What serves and trains inside; there it is the package `modelyard_programs`."""
STEPS = ("resolving", "downloading and installing", "compiling", "keeping")
FORMAT = 1
TESTS = "/tests?/"
"""Packages' own tests, which nobody imports: a third of what there is to compile."""
Progress = Callable[[str, int, int], None]
"""Called with a sentence, the steps that are done, and how many there are."""
Log = Callable[[str], None]


class CannotBuild(Exception):
    """An environment cannot be built; the text is a sentence that says why."""


class Builder:
    """Builds in a data directory."""

    def __init__(
        self, data: Path, progress: Progress | None = None, log: Log | None = None, ended: Callable[[str], None] | None = None
    ) -> None:
        self._data = data
        self._folder = folder_of(data)
        self._progress = progress or (lambda _sentence, _done, _total: None)
        self._log = log or (lambda _line: None)
        self._ended = ended or (lambda _reason: None)
        """Told why it failed, or nothing, while nobody else builds the recipe yet."""
        self._installer: Installer | None = None
        self._stopped = False

    def stop(self) -> None:
        """Give up what is being built. On any thread."""
        self._stopped = True
        if self._installer is not None:
            self._installer.stop()

    def build(self, recipe: Recipe, *, renew: bool = False) -> BuiltEnvironment:
        """The environment of a recipe, built unless it is there. Waits while another process builds it.

        Packages are resolved once, and again when the recipe has changed or with `renew`: then newer ones may come in, and it
        gets another digest. Raises CannotBuild.
        """
        with self._alone(recipe):
            try:
                built = self._build(recipe, renew)
            except (CannotInstall, RecipeError) as error:
                raise self._failure(recipe, str(error)) from error
            except OSError as error:
                raise self._failure(recipe, f"{error.filename or ''} {error.strerror}".strip()) from error
            self._ended("")
            return built

    def _failure(self, recipe: Recipe, why: str) -> CannotBuild:
        failure = CannotBuild(f"{recipe.name} cannot be built: {why}")
        self._log(str(failure))
        self._ended(str(failure))
        return failure

    def _build(self, recipe: Recipe, renew: bool) -> BuiltEnvironment:
        self._step(0, recipe)
        interpreter = find_interpreter(recipe)
        basis = basis_of(recipe, interpreter)
        installer = self._installer = Installer(self._folder / "cache")
        if self._stopped:
            installer.stop()
        lock = self._lock(recipe, interpreter, installer, renew)
        digest = PREFIX + _hash(orjson.dumps({**basis, "lock": lock}, option=orjson.OPT_SORT_KEYS))
        found = built_environment(digest, self._data)
        if found is None:
            self._make(recipe, interpreter, installer, lock, digest, basis)
            found = built_environment(digest, self._data)
            assert found is not None
        make_current(recipe.name, digest, self._data)
        self._progress(f"{recipe.name} is built", len(STEPS), len(STEPS))
        return found

    def _step(self, number: int, recipe: Recipe) -> None:
        self._log(f"{recipe.name}: {STEPS[number]}")
        self._progress(f"{recipe.name}: {STEPS[number]}", number, len(STEPS))

    # --- what belongs into it -------------------------------------------------------------------

    def _lock(self, recipe: Recipe, interpreter: Interpreter, installer: Installer, renew: bool) -> str:
        """The packages with their versions and hashes: those resolved before, unless what is asked for has changed."""
        asked = orjson.dumps([recipe.describe(), interpreter.tag], option=orjson.OPT_SORT_KEYS)
        path = self._folder / "locks" / f"{recipe.name}-{_hash(asked)[:16]}.txt"
        if path.exists() and not renew:
            return path.read_text(encoding="utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = self._resolved(recipe, interpreter, installer)
        write_whole(path, lock.encode())
        return lock

    def _resolved(self, recipe: Recipe, interpreter: Interpreter, installer: Installer) -> str:
        if recipe.optional:
            try:
                return self._resolve(recipe, (*recipe.requirements, *recipe.optional), interpreter, installer)
            except CannotInstall as error:
                self._log(f"Without {', '.join(recipe.optional)}, which cannot be had: {error}")
        return self._resolve(recipe, recipe.requirements, interpreter, installer)

    def _resolve(self, recipe: Recipe, lines: tuple[str, ...], interpreter: Interpreter, installer: Installer) -> str:
        made = self._folder / "locks" / f".{recipe.name}.{os.getpid()}"
        asked, answered = made.with_suffix(".in"), made.with_suffix(".out")
        asked.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        options = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--generate-hashes"]
        with_torch = recipe.torch and (lines != recipe.requirements or not recipe.optional)
        torch = ["--torch-backend", recipe.torch] if with_torch else []
        try:
            installer.run(
                "pip", "compile", "--quiet", "--python", interpreter.program, *options, *_sources(recipe), *torch,
                "--output-file", answered, asked, told=self._log,
            )  # fmt: skip
            return answered.read_text(encoding="utf-8")
        finally:
            for path in (asked, answered):
                path.unlink(missing_ok=True)

    # --- making it ------------------------------------------------------------------------------

    def _make(
        self, recipe: Recipe, interpreter: Interpreter, installer: Installer, lock: str, digest: str, basis: dict[str, Any]
    ) -> None:
        """Make the environment beside its place, and move it there once all of it is on disk."""
        place = self._folder / "built" / digest.removeprefix(PREFIX)
        making = place.with_name(f".making-{recipe.name}")
        shutil.rmtree(making, ignore_errors=True)  # what a build that was killed left; what it downloaded is in uv's cache
        making.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._step(1, recipe)
            installer.run("venv", "--quiet", "--relocatable", "--python", interpreter.program, making)
            making.chmod(0o755)
            locked = making / "requirements.txt"
            locked.write_text(lock, encoding="utf-8")
            installer.run(
                "pip", "sync", "--require-hashes", "--allow-empty-requirements", "--python", making / "bin" / "python",
                *_sources(recipe), *(["--torch-backend", recipe.torch] if recipe.torch and "torch==" in lock else []), locked,
                told=self._log,
            )  # fmt: skip
            self._step(2, recipe)
            _put_programs(making)
            _put_files(recipe, making)
            compile_modules(making / "lib", interpreter, INSIDE + "/lib")
            self._step(3, recipe)
            manifest = {
                **basis,
                "digest": digest,
                "framework": recipe.framework,
                "programs": {name: list(words) for name, words in recipe.programs.items()},
                "environment": dict(recipe.environment),
                "differs": list(recipe.differs),
                "packages": [line.partition(" ")[0] for line in lock.splitlines() if line[:1].isalnum()],
                "python": {
                    "version": ".".join(map(str, interpreter.version)),
                    "mounts": [mount.target for mount in interpreter.mounts()],
                },
                "built": time.time(),
                "bytes": _size(making),
            }
            (making / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
            os.sync()
            making.rename(place)
            flush_folder(place.parent)
        finally:
            shutil.rmtree(making, ignore_errors=True)

    @contextlib.contextmanager
    def _alone(self, recipe: Recipe) -> Iterator[None]:
        """One build of a recipe at a time, by whichever process."""
        self._folder.mkdir(parents=True, exist_ok=True)
        folder = self._folder / "building"
        folder.mkdir(exist_ok=True)
        with (folder / f"{recipe.name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def basis_of(recipe: Recipe, interpreter: Interpreter) -> dict[str, Any]:
    """What an environment's digest is of, but for its packages."""
    return {
        "format": FORMAT,
        "recipe": recipe.describe(),
        "files": {name: _digest_of(source) for name, source in recipe.files},
        "interpreter": interpreter.tag,
        "inside": _digest_of(PROGRAMS),
    }


def is_outdated(built: BuiltEnvironment, recipe: Recipe) -> bool:
    """Whether building its recipe now would make another one: the recipe, the programs inside or the Python have changed.
    Raises RecipeError when no Python here will do."""
    basis = basis_of(recipe, find_interpreter(recipe))
    return any(built.manifest.get(name) != value for name, value in basis.items())


def _sources(recipe: Recipe) -> list[str]:
    """Wheels alone, but for what the recipe allows: a source runs code of its own when it is built."""
    return ["--only-binary", ":all:", *(word for package in recipe.from_source for word in ("--no-binary", package))]


def _put_programs(making: Path) -> None:
    site = next((making / "lib").glob("python3*/site-packages"))
    shutil.copytree(PROGRAMS, site / "modelyard_programs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("serve", "train"):
        script = making / "bin" / name
        script.write_text(f"#!{INSIDE}/bin/python\nfrom modelyard_programs.{name} import main\n\nmain()\n", encoding="utf-8")
        script.chmod(0o755)


def _put_files(recipe: Recipe, making: Path) -> None:
    for name, source in recipe.files:
        target = making / "program" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def compile_modules(folder: Path, interpreter: Interpreter, inside: str) -> None:
    """Have every module compiled, as of where it is inside, where nothing can be written. It runs no code of the packages."""
    subprocess.run(  # noqa: S603
        [
            interpreter.program, "-I", "-S", "-m", "compileall", "-q", "-j", "0", "-x", TESTS, "-s", str(folder), "-p", inside,
            str(folder),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,  # packages bring templates and files for other Pythons that cannot be compiled
    )  # fmt: skip


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _digest_of(path: Path) -> str:
    """The digest of a file, or of a folder's files with their names."""
    if path.is_file():
        return _hash(path.read_bytes())
    digest = hashlib.sha256()
    for found in sorted(path.rglob("*")):
        if found.is_file() and "__pycache__" not in found.parts:
            content = found.read_bytes()
            digest.update(f"{found.relative_to(path)}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
