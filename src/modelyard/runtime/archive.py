"""model.tar.gz, unpacked where a container can read it: nothing in it leads out of its folder, whatever it says of itself."""

import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

PIECE = 1024 * 1024
MOST_FILES = 200_000
LONGEST_NAME = 4096


class BadArchive(Exception):
    """An archive that cannot be unpacked, or may not; the text says why."""


def unpack(file: IO[bytes], folder: Path, most: int) -> None:
    """Unpack a tar archive, compressed or not, into a folder that is there; at most `most` bytes. Raises BadArchive.

    Files and folders become readable by everybody and writable by nobody else; links stay within the folder, and what is neither
    is refused.
    """
    left, count = most, 0
    try:
        with tarfile.open(fileobj=file, mode="r:*") as archive:
            for member in archive:
                count += 1
                if count > MOST_FILES:
                    raise BadArchive(f"it has more than {MOST_FILES} members")
                left -= _unpack_one(archive, member, folder, left)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        # zlib's errors are neither: tarfile makes ReadErrors of them.
        raise BadArchive(str(error) or type(error).__name__) from error


def _unpack_one(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, most: int) -> int:
    """Unpack one member; how many bytes that were."""
    name = inside(member.name)
    if not name.parts:
        return 0
    target = folder / name
    if member.isdir():
        make_folders(target, folder)
        return 0
    make_folders(target.parent, folder)
    if member.issym() or member.islnk():
        _link(member, name, target, folder)
        return 0
    if not member.isfile():
        raise BadArchive(f"{member.name[:128]} is no file, no folder and no link")
    source = archive.extractfile(member)
    assert source is not None, "files have content"
    return copy(source, target, most, executable=bool(member.mode & 0o111))


def inside(name: str) -> PurePosixPath:
    """A path within an archive. Raises BadArchive for one that leads out."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or len(name) > LONGEST_NAME or "\0" in name:
        raise BadArchive(f"{name[:128]} leads out of it")
    return path


def _link(member: tarfile.TarInfo, name: PurePosixPath, target: Path, folder: Path) -> None:
    """Make a link; where it leads is followed by the container alone, in whose files there is nothing else."""
    where = PurePosixPath(member.linkname)
    within = where if member.islnk() else name.parent / where
    depth = 0
    for part in within.parts:
        depth += -1 if part == ".." else 0 if part == "." else 1
        if depth < 0 or where.is_absolute():
            raise BadArchive(f"the link {member.name[:128]} leads out of it")
    _clear(target)
    if member.islnk():
        source = folder / within
        if ".." in within.parts or not stat.S_ISREG(os.lstat(source).st_mode):
            raise BadArchive(f"the link {member.name[:128]} leads to no file")
        os.link(source, target, follow_symlinks=False)
    else:
        target.symlink_to(member.linkname)


def copy(source: IO[bytes] | Iterator[bytes], target: Path, most: int, *, executable: bool = False) -> int:
    """Write a new file; how many bytes that were. Raises BadArchive for more than `most`."""
    _clear(target)
    size = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    pieces = source if isinstance(source, Iterator) and not hasattr(source, "read") else iter(lambda: source.read(PIECE), b"")
    with os.fdopen(os.open(target, flags, 0o644), "wb") as file:
        for piece in pieces:
            size += len(piece)
            if size > most:
                raise BadArchive("it unpacks to more bytes than this server takes")
            file.write(piece)
        os.fchmod(file.fileno(), 0o755 if executable else 0o644)
    return size


def _clear(target: Path) -> None:
    """Let what comes later in an archive replace what came before, as tar does."""
    try:
        kind = os.lstat(target).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(kind):
        raise BadArchive(f"{target.name[:128]} is a folder and something else")
    target.unlink()


def make_folders(folder: Path, root: Path) -> None:
    """Make folders, none of them by way of a link."""
    if folder == root:
        return
    make_folders(folder.parent, root)
    try:
        kind = os.lstat(folder).st_mode
    except FileNotFoundError:
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
        return
    if not stat.S_ISDIR(kind):
        raise BadArchive(f"{folder.name[:128]} is a folder and something else")


def remove(folder: Path) -> None:
    """Remove what was unpacked."""
    shutil.rmtree(folder, ignore_errors=True)
