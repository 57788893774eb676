"""The models of one multi-model container on this server's disk: fetched as the execution role when they are first asked for.

The container sees the folder, and cannot write to it; what is put there while it runs it sees at once. Everything here is called
on threads of its own, for one model at a time.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from modelyard.dispatch.artifacts import FoundObject, NotLookedUp, keeper
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.endpoints.acting import RoleUnusable, context_of
from modelyard.endpoints.addresses import in_s3
from modelyard.endpoints.model import Name
from modelyard.runtime import archive
from modelyard.runtime.archive import BadArchive

INSIDE = "/opt/ml/models"
"""Where a container sees its models: `/opt/ml/models/NAME/model`."""


class NotFetched(Exception):
    """A model cannot be had; the text says why, for the client, as AWS would."""


class Source(Protocol):
    """Where models are fetched from."""

    def find(self, target: str) -> FoundObject:
        """What is at a model's address now. Raises NotFetched."""
        ...

    def read(self, found: FoundObject) -> Iterator[bytes]:
        """Its bytes. Raises NotFetched."""
        ...


class Below:
    """The objects below a prefix, as an execution role may read them."""

    def __init__(self, dispatcher: Dispatcher, at: Name, role: str | None, uri: str) -> None:
        self._dispatcher = dispatcher
        self._at = at
        self._role = role
        where = in_s3(uri)
        assert where is not None, "other addresses are not deployed"
        self._bucket, prefix = where
        self._prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"

    def find(self, target: str) -> FoundObject:
        """What is at a model's address now. Raises NotFetched."""
        keeps, key = keeper(), self._prefix + target.removeprefix("/")
        assert keeps is not None, "a server with endpoints keeps objects"
        try:
            acting = context_of(self._dispatcher, self._at, self._role)
            with self._dispatcher.storage.read() as tx:
                return keeps.find(replace(acting, transaction=tx), tx, self._bucket, key)
        except (NotLookedUp, RoleUnusable) as error:
            raise NotFetched(_not_downloaded(self._bucket, key, str(error))) from error

    def read(self, found: FoundObject) -> Iterator[bytes]:
        """Its bytes. Raises NotFetched."""
        keeps = keeper()
        assert keeps is not None, "it has found something"
        try:
            yield from keeps.read_found(context_of(self._dispatcher, self._at, self._role), found)
        except (NotLookedUp, RoleUnusable) as error:
            raise NotFetched(_not_downloaded(found.bucket, found.key, str(error))) from error


def _not_downloaded(bucket: str, key: str, why: str) -> str:
    return (
        f"Failed to download model data(bucket: {bucket}, key: {key}). Please ensure that there is an object located at the URL"
        f" and that the role passed to CreateModel has permissions to download the model. {why}"
    )


@dataclass(frozen=True, slots=True)
class Shelved:
    """A model that is on the disk."""

    identity: tuple[object, ...]
    """Of the object that it was made of."""
    size: int
    """Bytes, unpacked."""


def name_of(target: str) -> str:
    """What a container knows a model by."""
    return hashlib.sha256(target.encode()).hexdigest()[:32]


class Shelf:
    """The folder of one container's models."""

    def __init__(self, folder: Path, source: Source, most: int) -> None:
        self._folder = folder
        self._source = source
        self.most = most
        """Bytes that the models may take; one that is fetched may take as many until others have made room."""
        self.models = folder / "models"
        """What the container sees."""
        self._lock = threading.Lock()
        self._shelved: OrderedDict[str, Shelved] = OrderedDict()
        self._held = _held(folder)
        self.models.mkdir(mode=0o755, exist_ok=True)
        self.models.chmod(0o755)

    @property
    def size(self) -> int:
        """Bytes that the models take."""
        with self._lock:
            return sum(one.size for one in self._shelved.values())

    def oldest(self) -> list[str]:
        """The models on the disk, that first which was fetched, or looked at, longest ago."""
        with self._lock:
            return list(self._shelved)

    def fetch(self, target: str) -> None:
        """Have what is at a model's address now on the disk. Raises NotFetched."""
        found = self._source.find(target)
        identity = (found.version_id, found.etag, found.size, found.digest)
        with self._lock:
            known = self._shelved.get(target)
            if known is not None and known.identity == identity:
                self._shelved.move_to_end(target)
                return
        made = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            self._unpack(found, made)
            made.chmod(0o755)
            size = _size_of(made)
            self.drop(target)
            with self._lock:
                made.rename(self.models / name_of(target))
                self._shelved[target] = Shelved(identity, size)
        except (BadArchive, OSError) as error:
            raise NotFetched(
                f"Failed to extract model data archive from URL s3://{found.bucket}/{found.key}. Please ensure that the object"
                f" located at the URL is a valid tar.gz archive. ({error})"
            ) from error
        finally:
            archive.remove(made)

    def _unpack(self, found: FoundObject, made: Path) -> None:
        if found.size > self.most:
            raise BadArchive("it has more bytes than this server takes")
        inside = made / "model"
        inside.mkdir(mode=0o755)
        inside.chmod(0o755)
        with tempfile.TemporaryFile(dir=self._folder) as file:
            for piece in self._source.read(found):
                file.write(piece)
            file.seek(0)
            archive.unpack(file, inside, self.most)

    def drop(self, target: str) -> None:
        """Have a model on the disk no more. Harmless for one that is not."""
        with self._lock:
            if self._shelved.pop(target, None) is None:
                return
            gone = Path(tempfile.mkdtemp(dir=self._folder))
            (self.models / name_of(target)).rename(gone / "model")
        archive.remove(gone)

    def close(self) -> None:
        """Remove all of it. Harmless when called twice."""
        with self._lock:
            held, self._held = self._held, -1
        if held >= 0:
            shutil.rmtree(self._folder, ignore_errors=True)
            os.close(held)


def _size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _held(folder: Path) -> int:
    """Make a folder whose lock is held as long as this process runs and keeps it."""
    while True:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Whoever cleared it away meanwhile has removed the folder that is locked now.
        with suppress(FileNotFoundError):
            if folder.stat().st_ino == os.fstat(lock).st_ino:
                return lock
        os.close(lock)


def clear_away(shelves: Path) -> None:
    """Remove the folders of containers whose server is gone."""
    for folder in shelves.glob("*"):
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
