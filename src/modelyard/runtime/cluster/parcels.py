"""Folders and files as they are brought to a node: the same bytes for the same content, named by their digest.

A parcel is a tar archive whose members are in order of their names and say nothing but what a program could see: content, time,
whether it may be executed, where a link leads.
"""

import hashlib
import os
import stat
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from modelyard.runtime import archive
from modelyard.runtime.archive import PIECE, BadArchive

ITSELF = "content"
"""The folder or file, within its parcel."""
END = bytes(1024)
"""How a tar archive ends."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is brought to a node."""

    digest: str
    path: Path


class Parcels:
    """What a server brings to nodes. What is in a folder is read once, as long as the folder is the same one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def of(self, path: Path) -> Parcel:
        """The parcel of a folder or file; long for a large one the first time. Raises OSError."""
        real = path.resolve(strict=True)
        found = real.stat()
        same = (found.st_dev, found.st_ino, found.st_ctime_ns)
        with self._lock:
            known = self._known.get(real)
        if known is None or known[0] != same:
            digest = hashlib.sha256()
            for piece in pieces(real):
                digest.update(piece)
            known = (same, digest.hexdigest())
            with self._lock:
                self._known[real] = known
        return Parcel(known[1], real)


def pieces(path: Path) -> Iterator[bytes]:
    """A folder or file as a tar archive. Raises OSError."""
    yield from _member(path, ITSELF)
    yield END


def _member(path: Path, name: str) -> Iterator[bytes]:
    found = path.lstat()
    info = tarfile.TarInfo(name)
    info.mtime = int(found.st_mtime)
    info.mode = 0o755 if found.st_mode & 0o111 else 0o644
    if stat.S_ISLNK(found.st_mode):
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, os.fsdecode(path.readlink()), 0o777
        yield _head(info)
    elif stat.S_ISDIR(found.st_mode):
        info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, 0
        yield _head(info)
        for one in sorted(path.iterdir()):
            yield from _member(one, f"{name}/{one.name}")
    elif stat.S_ISREG(found.st_mode):
        info.size = found.st_size
        yield _head(info)
        yield from _content(path, found.st_size)
    else:
        raise OSError(f"{path} is no file, no folder and no link")


def _head(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _content(path: Path, size: int) -> Iterator[bytes]:
    left = size
    with path.open("rb") as file:
        while left:
            piece = file.read(min(left, PIECE))
            if not piece:
                raise OSError(f"{path} became shorter while it was read")
            left -= len(piece)
            yield piece
    if size % tarfile.BLOCKSIZE:
        yield bytes(tarfile.BLOCKSIZE - size % tarfile.BLOCKSIZE)


def unpack(file: IO[bytes], folder: Path, most: int) -> None:
    """Unpack a parcel into a folder that is there; at most `most` bytes. Raises BadArchive.

    Nothing is written outside it, whatever the archive says. A link may lead anywhere, for it is never followed here: to the
    workload alone, in whose files there is nothing else.
    """
    left = most
    try:
        with tarfile.open(fileobj=file, mode="r:") as opened:
            for member in opened:
                target = folder / archive.inside(member.name)
                archive.make_folders(target.parent, folder)
                if member.isdir():
                    archive.make_folders(target, folder)
                elif member.issym():
                    target.symlink_to(member.linkname)
                elif member.isreg():
                    source = opened.extractfile(member)
                    assert source is not None, "files have content"
                    left -= archive.copy(source, target, left, executable=bool(member.mode & 0o100))
                    # Python takes what it compiled before for what it is by the time of its source.
                    os.utime(target, (member.mtime, member.mtime))
                else:
                    raise BadArchive(f"{member.name[:128]} is no file, no folder and no link")
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise BadArchive(str(error) or type(error).__name__) from error
