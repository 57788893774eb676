"""Bytes by their digest, in a directory.

`<root>/<ab>/<cd>/<64 hexadecimal digits>` are the bytes, `<root>/incoming/` those on their way in. A file gets its name by
`rename`, after its bytes are on disk, so that under a name there is always the whole.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from modelyard.blobs.incoming import IncomingFile, clear_left_over
from modelyard.blobs.interface import Blob, BlobsUnavailable

PIECE = 1024 * 1024
"""The most that is read from disk at once, in bytes."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class DirectoryBlobs:
    """A BlobStore in a directory of a local or shared file system."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        clear_left_over(self._incoming)

    def writer(self) -> "DirectoryWriter":
        """Start to take in bytes, hashed as they come."""
        return DirectoryWriter(self, IncomingFile(self._incoming))

    def read(self, digest: str, start: int = 0, length: int | None = None) -> "FilePieces":
        """The bytes from `start`, in pieces of at most `PIECE`. Raises FileNotFoundError at once when they are not here."""
        return FilePieces(self.path(digest), start, length)

    def size(self, digest: str) -> int | None:
        """The number of bytes, or None when they are not here."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, digest: str) -> None:
        """Remove the bytes; harmless when they are not here."""
        self.path(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[str]:
        """Every digest that is kept."""
        for outer in self._root.iterdir():
            if len(outer.name) != 2:
                continue
            for inner in outer.iterdir():
                for entry in os.scandir(inner):
                    yield f"sha256:{entry.name}"

    def path(self, digest: str) -> Path:
        """Where the bytes of `digest` are, or would be."""
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise ValueError(f"{digest!r} is not a digest")
        name = match[1]
        return self._root / name[:2] / name[2:4] / name


class DirectoryWriter:
    """Bytes on their way into a DirectoryBlobs."""

    def __init__(self, blobs: DirectoryBlobs, file: IncomingFile) -> None:
        self._blobs = blobs
        self._file = file

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._file.write(data)

    def digest(self) -> str:
        """The digest of the bytes so far."""
        return self._file.digest()

    def commit(self) -> Blob:
        """Put the bytes on disk under their digest: the file, and the names that lead to it. Raises BlobsUnavailable."""
        digest = self._file.digest()
        path = self._blobs.path(digest)
        try:
            os.fsync(self._file.descriptor)
            _make_durably(path.parent)
            # The same bytes may be there already: replacing them also mends a copy that the disk has damaged.
            self._file.path.rename(path)
            self._file.close()
            _sync_directory(path.parent)
        except OSError as error:
            raise BlobsUnavailable(f"the bytes cannot be kept: {error.strerror}") from error
        return Blob(digest, self._file.size)

    def discard(self) -> None:
        """Forget the bytes. Harmless after `commit`."""
        self._file.remove()


class FilePieces:
    """A part of a file, read as it is iterated over; it holds the file open, so that deleting the file does not cut it short."""

    def __init__(self, path: Path, start: int, length: int | None) -> None:
        self._descriptor: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._path = path
        self._offset = start
        size = os.fstat(self._descriptor).st_size
        self._end = size if length is None else start + length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        left = self._end - self._offset
        if self._descriptor is None or left <= 0:
            self.close()
            raise StopIteration
        piece = os.pread(self._descriptor, min(PIECE, left), self._offset)
        if not piece:
            self.close()
            raise OSError(f"{self._path} ends {left} bytes too early")
        self._offset += len(piece)
        return piece

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        if getattr(self, "_descriptor", None) is not None:
            self.close()


def _make_durably(directory: Path) -> None:
    """Make a directory so that its own name survives a power cut too."""
    if directory.is_dir():
        return
    _make_durably(directory.parent)
    directory.mkdir(exist_ok=True, mode=0o700)
    _sync_directory(directory.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
