"""How the building of a recipe stands: written by whoever builds, read by whoever asks."""

import fcntl
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from modelyard.runtime.environments.build import Builder, Progress
from modelyard.runtime.environments.built import BuiltEnvironment, write_whole
from modelyard.runtime.environments.recipe import Recipe
from modelyard.runtime.environments.recipes import folder_of

LOG_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Building:
    """The last building of a recipe."""

    status: str
    """`Building`, `Built` or `Failed`; `Interrupted` when whoever built it is gone."""
    step: str
    started: float
    ended: float | None
    reason: str


class Watched:
    """A build whose progress and log are kept."""

    def __init__(self, recipe: Recipe, data: Path, shown: Progress | None = None) -> None:
        self._shown = shown or (lambda _sentence, _done, _total: None)
        self._recipe = recipe
        self._data = data
        self._folder = folder_of(data) / "building"
        self._started = time.time()
        self._builder: Builder | None = None
        self._stopped = False

    def stop(self) -> None:
        """Give it up. On any thread."""
        self._stopped = True
        if self._builder is not None:
            self._builder.stop()

    def run(self, *, renew: bool = False) -> BuiltEnvironment:
        """Build. Raises CannotBuild."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{self._recipe.name}.log").open("w", encoding="utf-8") as log:

            def write(line: str) -> None:
                log.write(f"{line}\n")
                log.flush()

            def progress(sentence: str, done: int, total: int) -> None:
                self._tell("Building", sentence)
                self._shown(self._recipe.name, done, total)

            def ended(reason: str) -> None:
                self._tell("Failed" if reason else "Built", "", reason)

            builder = self._builder = Builder(self._data, progress, write, ended)
            if self._stopped:
                builder.stop()
            return builder.build(self._recipe, renew=renew)

    def _tell(self, status: str, step: str, reason: str = "") -> None:
        ended = None if status == "Building" else time.time()
        document = {"status": status, "step": step, "started": self._started, "ended": ended, "reason": reason}
        write_whole(self._folder / f"{self._recipe.name}.json", orjson.dumps(document))


def building_of(recipe: str, data: Path) -> Building | None:
    """How the last building of a recipe stands; None when there was none."""
    folder = folder_of(data) / "building"
    found = _read(folder / f"{recipe}.json")
    if found is None or found.status != "Building" or not _nobody_builds(folder / f"{recipe}.lock"):
        return found
    found = _read(folder / f"{recipe}.json")  # it may have ended between the two looks
    if found is None or found.status != "Building":
        return found
    return Building("Interrupted", found.step, found.started, None, "Whoever built it ended meanwhile.")


def _read(path: Path) -> Building | None:
    try:
        return Building(**orjson.loads(path.read_bytes()))
    except FileNotFoundError:
        return None


def log_of(recipe: str, data: Path) -> str:
    """The end of the log of the last building."""
    try:
        content = (folder_of(data) / "building" / f"{recipe}.log").read_bytes()
    except FileNotFoundError:
        return ""
    return content[-LOG_BYTES:].decode("utf-8", "replace")


def _nobody_builds(lock_path: Path) -> bool:
    try:
        with lock_path.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True
