"""What was brought to a node: each parcel once, for all workloads of all servers that want it, as long as there is room.

A folder is named by the digest of its parcel, complete or not there at all; whoever uses one holds a shared lock on the file
beside it, in which its size is.
"""

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from modelyard.runtime import archive
from modelyard.runtime.cluster import parcels
from modelyard.runtime.cluster.wire import user_cache
from modelyard.runtime.held import alone_with, hold

FOLDER_VARIABLE = "MODELYARD_NODE_CACHE"
ROOM_VARIABLE = "MODELYARD_NODE_CACHE_GIB"
ROOM_GIB = 64.0
GIBIBYTE = 1024**3
LEFT_OVER_SECONDS = 24 * 3600.0
"""What was begun so long ago was given up."""


class NoRoom(Exception):
    """A parcel cannot be kept; the text says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder or file that stays as long as it is held."""

    path: Path
    lock: int

    def give_back(self) -> None:
        """Hold it no longer. Harmless when called twice."""
        with suppress(OSError):
            os.close(self.lock)


class Cache:
    """The folder of all of them."""

    def __init__(self, folder: Path, room: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.room = room
        self._clear_left_over()

    @classmethod
    def of_node(cls, environment: Mapping[str, str]) -> "Cache":
        """That of this node. Raises OSError and ValueError."""
        folder = environment.get(FOLDER_VARIABLE) or f"{user_cache()}/modelyard/node"
        return cls(Path(folder), int(float(environment.get(ROOM_VARIABLE) or ROOM_GIB) * GIBIBYTE))

    def take(self, digest: str) -> Kept | None:
        """What a parcel holds; None when it is not here."""
        lock = hold(self.folder / f"{digest}.lock")
        path = self.folder / digest / parcels.ITSELF
        if os.path.lexists(path):
            return Kept(path, lock)
        os.close(lock)
        return None

    @contextmanager
    def alone(self, digest: str) -> Iterator[None]:
        """Nobody else brings the same parcel until the end of the block. May take as long as others need to bring it."""
        with (self.folder / f"{digest}.making").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def incoming(self) -> IO[bytes]:
        """A file for a parcel on its way."""
        return tempfile.TemporaryFile(dir=self.folder)

    def keep(self, digest: str, file: IO[bytes]) -> None:
        """Keep a parcel that has come in whole. Raises NoRoom, and BadArchive for what is not that parcel."""
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type] # a file is read, as it asks for
        if found != digest:
            raise archive.BadArchive("it is not what it was said to be")
        size = file.seek(0, os.SEEK_END)
        self._make_room(size)
        file.seek(0)
        made = Path(tempfile.mkdtemp(prefix=f"{digest}.", dir=self.folder))
        try:
            made.chmod(0o755)
            parcels.unpack(file, made, size)
            with suppress(FileExistsError):
                made.rename(self.folder / digest)
        finally:
            archive.remove(made)
        (self.folder / f"{digest}.lock").write_text(str(size), encoding="ascii")

    def _make_room(self, wanted: int) -> None:
        """Remove what was used longest ago by nobody who still does, until there is room."""
        if wanted > self.room:
            raise NoRoom(f"it has {wanted} bytes, and this node keeps {self.room} ({ROOM_VARIABLE}).")
        sizes = {path: _size(path) for path in self.folder.glob("*.lock")}
        total = sum(sizes.values())
        for path in sorted(sizes, key=_last_use):
            if total + wanted <= self.room:
                return
            if alone_with(path, lambda path=path: self._remove(path)):  # type: ignore[misc]
                total -= sizes[path]
        if total + wanted > self.room:
            raise NoRoom(
                f"workloads use so much of this node's {self.room} bytes ({ROOM_VARIABLE}) that {wanted} more do not fit."
            )

    def _remove(self, lock: Path) -> None:
        # Under another name first, so that nobody finds half of it.
        folder, going = lock.with_suffix(""), lock.with_suffix(".going")
        with suppress(FileNotFoundError):
            folder.rename(going)
        archive.remove(going)
        lock.unlink()

    def _clear_left_over(self) -> None:
        before = time.time() - LEFT_OVER_SECONDS
        for path in self.folder.glob("*.*"):
            if path.suffix not in (".lock", ".making") and _last_use(path) < before:
                archive.remove(path)


def _size(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii") or 0)
    except (OSError, ValueError):
        return 0


def _last_use(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
