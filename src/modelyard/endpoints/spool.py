"""Bytes of a request or an answer that may be many: few are kept in memory, more in a file without a name."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Executor
from pathlib import Path
from types import TracebackType
from typing import IO, cast

IN_MEMORY = 1024 * 1024
PIECE = 1024 * 1024


class TooMany(Exception):
    """There are more bytes than there may be."""


class Spool:
    """Bytes, written once and then read."""

    def __init__(self, folder: Path, most: int) -> None:
        self._file = cast(IO[bytes], tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder)))  # noqa: SIM115 - closed by `close`
        self._most = most
        self.size = 0
        self.content_type: str | None = None

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def write(self, piece: bytes) -> None:
        """Add bytes. Raises TooMany, and OSError when there is no room for them."""
        self.size += len(piece)
        if self.size > self._most:
            raise TooMany
        self._file.write(piece)

    def write_all(self, pieces: Iterable[bytes]) -> None:
        """Add bytes, as `write` does."""
        for piece in pieces:
            self.write(piece)

    async def take(self, piece: bytes, threads: Executor) -> None:
        """Add bytes on the event loop, and on a thread where that may take long."""
        if self.size + len(piece) <= IN_MEMORY:
            self.write(piece)
        else:
            await asyncio.get_running_loop().run_in_executor(threads, self.write, piece)

    async def pieces(self, threads: Executor) -> AsyncIterator[bytes]:
        """All of them, from the beginning."""
        loop = asyncio.get_running_loop()
        self._file.seek(0)
        while True:
            few = self.size <= IN_MEMORY
            piece = self._file.read(PIECE) if few else await loop.run_in_executor(threads, self._file.read, PIECE)
            if not piece:
                return
            yield piece

    def read_again(self) -> IO[bytes]:
        """A file of them, at its beginning."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Let go of them."""
        self._file.close()
