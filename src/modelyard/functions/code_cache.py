"""Code of functions, unpacked on this server's disk: each archive once, for all environments that run it."""

import contextlib
import fcntl
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

from modelyard.functions.code_package import unpack

MOST_UNUSED = 16
"""Unpacked archives that are kept though no environment runs them."""
_LOCK = "lock"


class CodeCache:
    """A folder of this process's own, which is gone when the process is: by itself, or at the next start of a server."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clear_away(parent)
        self._folder = parent / f"{os.getpid()}-{os.urandom(4).hex()}"
        self._folder.mkdir(mode=0o700)
        self._held = os.open(self._folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._held, fcntl.LOCK_EX)
        self._changed = threading.Condition()
        self._used: dict[str, int] = {}
        self._unused: OrderedDict[str, None] = OrderedDict()
        self._unpacking: set[str] = set()

    def take(self, digest: str, read: Callable[[str], Iterator[bytes]]) -> Path:
        """The folder of an archive, which stays until it is given back as often as it was taken. Raises AwsError."""
        folder = self._folder / digest.replace(":", "-")
        with self._changed:
            self._changed.wait_for(lambda: digest not in self._unpacking)
            if digest in self._used or digest in self._unused:
                self._unused.pop(digest, None)
                self._used[digest] = self._used.get(digest, 0) + 1
                return folder
            self._unpacking.add(digest)
        try:
            unpack(read(digest), folder)
            with self._changed:
                self._used[digest] = 1
        finally:
            with self._changed:
                self._unpacking.discard(digest)
                self._changed.notify_all()
        return folder

    def give_back(self, digest: str) -> None:
        """An environment that ran it has ended."""
        with self._changed:
            self._used[digest] -= 1
            if self._used[digest]:
                return
            del self._used[digest]
            self._unused[digest] = None
            gone = [self._unused.popitem(last=False)[0] for _ in range(len(self._unused) - MOST_UNUSED)]
            for one in gone:
                shutil.rmtree(self._folder / one.replace(":", "-"), ignore_errors=True)

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._held)


def _clear_away(parent: Path) -> None:
    """Remove the folders of processes that have ended."""
    for folder in parent.iterdir():
        with contextlib.suppress(OSError):
            held = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)
