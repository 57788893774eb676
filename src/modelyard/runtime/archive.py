"""Unpacking archives that others made: model.tar.gz and sourcedir.tar.gz, into a folder that belongs to a workload."""

import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

MOST_BYTES = 64 * 1024**3
MOST_MEMBERS = 500_000
LONGEST_PATH = 1024
READ_BYTES = 1024 * 1024


class BadArchive(Exception):
    """An archive is refused; the text is a sentence that says why, for the one whose archive it is."""


def unpack(
    source: IO[bytes],
    target: Path,
    *,
    most_bytes: int = MOST_BYTES,
    most_members: int = MOST_MEMBERS,
    owner: int | None = None,
) -> int:
    """Unpack a tar archive, compressed or not, from a stream into the folder `target`; the bytes that came out.

    Only files and folders come out, and only below `target`: absolute paths, `..`, links, devices and pipes refuse the whole
    archive, as do more bytes or members than are allowed, before they are written. Files can be read by everybody, are written by
    their owner alone, and belong to the user `owner` where this process may say so. `target` must be empty, and is left
    with what came out so far when BadArchive is raised.
    """
    unpacking = _Unpacking(target, most_bytes, most_members, owner)
    with _opened(source) as archive:
        for member in archive:
            unpacking.take(archive, member)
    return unpacking.written


@contextmanager
def _opened(source: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """The archive, with everything that its bytes can be wrong in told as BadArchive."""
    try:
        with tarfile.open(fileobj=source, mode="r|*") as archive:
            yield archive
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise BadArchive(f"It is not a tar archive, or a damaged one: {error}.") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise BadArchive(f"It is not a tar archive, or a damaged one: {error}.") from error


class _Unpacking:
    def __init__(self, target: Path, most_bytes: int, most_members: int, owner: int | None) -> None:
        self._target = target
        self._most_bytes = most_bytes
        self._most_members = most_members
        self._owner = owner
        self._members = 0
        self.written = 0

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Write one member. Raises BadArchive."""
        self._members += 1
        if self._members > self._most_members:
            raise BadArchive(f"It has more than {self._most_members} members.")
        path = self._place(member)
        if member.isdir():
            self._folder(path)
            return
        if not member.isreg():
            kind = "a link" if member.issym() or member.islnk() else "a device or a pipe"
            raise BadArchive(f"{member.name} is {kind}: only files and folders are unpacked.")
        # Before anything is written: a sparse or a lying header could fill the disk.
        if self.written + member.size > self._most_bytes:
            raise BadArchive(f"It has more than {self._most_bytes} bytes once it is unpacked.")
        self._folder(path.parent)
        self._file(archive, member, path)

    def _place(self, member: tarfile.TarInfo) -> Path:
        parts = PurePosixPath(member.name).parts
        if "\0" in member.name or len(member.name) > LONGEST_PATH:
            raise BadArchive("It has a member whose name no file can have.")
        if member.name.startswith("/") or ".." in parts:
            raise BadArchive(f"{member.name} leads out of the folder that it is unpacked into.")
        return self._target.joinpath(*parts)

    def _folder(self, path: Path) -> None:
        missing = []
        while path != self._target and not path.is_dir():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            try:
                folder.mkdir(mode=0o755)
            except FileExistsError:
                raise BadArchive(f"{folder.relative_to(self._target)} is a file and a folder.") from None
            self._give(folder)

    def _file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
        content = archive.extractfile(member)
        assert content is not None, "it is a regular file"
        mode = 0o755 if member.mode & 0o100 else 0o644
        # There is no link in the folder, for none was made: a name that is there already is a member that came twice.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags, mode)
        except IsADirectoryError:
            raise BadArchive(f"{member.name} is a file and a folder.") from None
        with os.fdopen(descriptor, "wb") as file:
            while read := content.read(READ_BYTES):
                file.write(read)
                self.written += len(read)
        path.chmod(mode)
        self._give(path)

    def _give(self, path: Path) -> None:
        if self._owner is not None and os.getuid() == 0:
            os.chown(path, self._owner, self._owner)
