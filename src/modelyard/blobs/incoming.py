"""Bytes on their way in: a file that a crash cannot leave behind for ever.

The file is locked while its process lives. At start, files that nobody has locked are those of a killed process
and are removed; several servers may share a directory.
"""

import fcntl
import hashlib
import os
import secrets
from pathlib import Path

from modelyard.blobs.interface import BlobsUnavailable


class IncomingFile:
    """A temporary file that is hashed as it is written."""

    def __init__(self, directory: Path) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._descriptor: int | None = None
        try:
            self._create(directory)
        except OSError as error:
            raise BlobsUnavailable(f"no bytes can be taken in: {error.strerror}") from error

    def _create(self, directory: Path) -> None:
        """Make a file that is locked. Another process that starts may have cleared it away before the lock: then once more."""
        while True:
            self.path = directory / f"{os.getpid()}-{secrets.token_hex(8)}"
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if os.fstat(self._descriptor).st_nlink:
                return
            self.close()

    @property
    def descriptor(self) -> int:
        """The open file. Raises ValueError once it was closed."""
        if self._descriptor is None:
            raise ValueError("these bytes were committed or discarded already")
        return self._descriptor

    def write(self, data: bytes) -> None:
        """Add bytes. Raises BlobsUnavailable."""
        self._sha256.update(data)
        self.size += len(data)
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self.descriptor, left) :]
        except OSError as error:
            raise BlobsUnavailable(f"the bytes cannot be written: {error.strerror}") from error

    def digest(self) -> str:
        """The digest of the bytes so far."""
        return f"sha256:{self._sha256.hexdigest()}"

    def close(self) -> None:
        """Let go of the file, which stays where it is."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Forget the bytes."""
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)
            self.close()

    def __del__(self) -> None:
        self.remove()


def clear_left_over(directory: Path) -> int:
    """Remove the files of processes that are no more; how many they were."""
    cleared = 0
    for path in directory.iterdir():
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            cleared += 1
        except BlockingIOError:
            pass  # its writer lives
        finally:
            os.close(descriptor)
    return cleared
