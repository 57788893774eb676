"""Model data on this server's disk: unpacked once for all instances that run it, on this server and the next, until nobody does.

A folder is named by what is in it, complete or not there at all; whoever uses one holds a shared lock on the file beside it.
"""

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from modelyard.endpoints.model import Artifact, Document, Runnable
from modelyard.runtime import archive
from modelyard.runtime.archive import BadArchive
from modelyard.runtime.held import alone_with, hold

MODEL = "/opt/ml/model"
MORE = "/opt/ml/additional-model-data-sources"
MOST_BYTES = 64 * 1024**3
"""Of what one artifact unpacks to."""
KEPT_UNUSED_SECONDS = 24 * 3600.0
"""How long what nobody runs stays: a deployment that is rolled back to starts at once."""

Read = Callable[[Document], Iterator[bytes]]
"""The bytes of a registered object."""


class NoModelData(Exception):
    """Model data cannot be had; the text says why, as AWS would."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A folder that stays as long as it is held."""

    target: str
    """Where the container sees it."""
    folder: Path
    lock: int

    def give_back(self) -> None:
        """Hold it no longer. Harmless when called twice."""
        with suppress(OSError):
            os.close(self.lock)


def data_of(container: Runnable) -> list[tuple[str, Artifact, Document]]:
    """What a container's model data is: where it is to be seen, the artifact, and how it is kept."""
    definition, found = container.definition, []
    for artifact in container.artifacts:
        member = artifact.location.rpartition(".")[2]
        if member == "ModelDataUrl":
            found.append((MODEL, artifact, {"CompressionType": "Gzip", "S3DataType": "S3Object"}))
        elif member == "ModelDataSource":
            found.append((MODEL, artifact, definition["ModelDataSource"]["S3DataSource"]))
        elif member.startswith("AdditionalModelDataSources"):
            source = definition["AdditionalModelDataSources"][int(member.partition("[")[2].rstrip("]"))]
            found.append((f"{MORE}/{source['ChannelName']}", artifact, source["S3DataSource"]))
    return found


class ModelFiles:
    """The folder of all of them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}

    def take(self, name: str, container: Runnable, read: Read) -> list[Unpacked]:
        """The folders of a container's model data, each held until it is given back. Raises NoModelData."""
        taken: list[Unpacked] = []
        try:
            for target, artifact, source in data_of(container):
                taken.append(self._one(name, target, artifact, source, read))
        except BaseException:
            for one in taken:
                one.give_back()
            raise
        return taken

    def _one(self, name: str, target: str, artifact: Artifact, source: Document, read: Read) -> Unpacked:
        if not artifact.objects:
            why = artifact.reason or "No bytes are kept of it."
            raise NoModelData(
                f'Failed to download model data for container "{name}" from URL: "{artifact.uri}". Please ensure that there is'
                " an object located at the URL and that the role passed to CreateModel has permissions to download the object."
                f" {why}"
            )
        packed = source["CompressionType"] == "Gzip"
        key = _key(artifact.objects, packed=packed)
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            lock = hold(self._folder / f"{key}.lock")
            try:
                if not (self._folder / key).is_dir():
                    self._make(name, key, artifact, packed, read)
            except BaseException:
                os.close(lock)
                raise
        return Unpacked(target, self._folder / key, lock)

    def _make(self, name: str, key: str, artifact: Artifact, packed: bool, read: Read) -> None:
        made = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=self._folder))
        made.chmod(0o755)
        try:
            if packed:
                self._unpack(read(artifact.objects[0]), made)
            else:
                _copy_all(artifact, made, read)
            self._put(made, key)
        except BadArchive as error:
            raise NoModelData(
                f'Failed to extract model data archive for container "{name}" from URL "{artifact.uri}". Please ensure that the'
                f" object located at the URL is a valid tar.gz archive. ({error})"
            ) from error
        except OSError as error:
            raise NoModelData(
                f'Failed to download model data for container "{name}" from URL: "{artifact.uri}". {error}'
            ) from error
        finally:
            archive.remove(made)

    def _put(self, made: Path, key: str) -> None:
        try:
            made.rename(self._folder / key)
        except OSError:
            if not (self._folder / key).is_dir():  # else another server made it at the same time
                raise

    def _unpack(self, pieces: Iterator[bytes], made: Path) -> None:
        with tempfile.TemporaryFile(dir=self._folder) as file:
            for piece in pieces:
                file.write(piece)
            file.seek(0)
            archive.unpack(file, made, MOST_BYTES)

    def clear_away(self) -> None:
        """Remove what nobody has run for a day."""
        before = time.time() - KEPT_UNUSED_SECONDS
        for path in self._folder.glob("*.lock"):
            with suppress(OSError):
                if path.stat().st_mtime <= before:
                    alone_with(path, lambda path=path: _remove(path))  # type: ignore[misc]


def _remove(lock: Path) -> None:
    archive.remove(lock.with_suffix(""))
    lock.unlink()


def _copy_all(artifact: Artifact, made: Path, read: Read) -> None:
    """Objects as they are: one as itself, those below a prefix with what comes behind it."""
    prefix = artifact.uri.removeprefix("s3://").partition("/")[2]
    for one in artifact.objects:
        inside = one["Key"].removeprefix(prefix).lstrip("/") if artifact.kind == "Prefix" else one["Key"].rpartition("/")[2]
        if not inside or inside.endswith("/"):
            continue
        path = archive.inside(inside)
        archive.make_folders((made / path).parent, made)
        archive.copy(read(one), made / path, MOST_BYTES)


def _key(objects: Sequence[Document], *, packed: bool) -> str:
    """A name for what objects hold: by their digests, and by their pins where no digest is known."""
    named = [[one.get("Key") if not packed else "", one.get("Sha256") or ["pin", one["Pin"]]] for one in objects]
    return hashlib.sha256(orjson.dumps([packed, named])).hexdigest()
