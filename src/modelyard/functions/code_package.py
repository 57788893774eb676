"""Code as it comes: a zip archive, which is looked at before it is taken in and unpacked where a function can read it."""

import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from modelyard.functions.failures import invalid

LARGEST_ZIP = 52_428_800
"""Bytes of an archive that comes in the request."""
LARGEST_UNPACKED = 262_144_000
MOST_FILES = 100_000
LONGEST_NAME = 4096
PIECE = 1024 * 1024
_BAD = "Could not unzip uploaded file. Please check your file, then try to upload again."


def check_archive(file: IO[bytes]) -> None:
    """Whether an archive can be unpacked safely. Raises InvalidParameterValueException."""
    try:
        with zipfile.ZipFile(file) as archive:
            _members(archive)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, UnicodeError):
        raise invalid(_BAD) from None


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if sum(member.file_size for member in members) > LARGEST_UNPACKED:
        raise invalid(f"Unzipped size must be smaller than {LARGEST_UNPACKED} bytes")
    if len(members) > MOST_FILES:
        raise invalid(f"The archive has {len(members)} files; at most {MOST_FILES} are taken.")
    for member in members:
        name = PurePosixPath(member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if name.is_absolute() or ".." in name.parts or "\\" in member.filename or len(member.filename) > LONGEST_NAME:
            raise invalid(f"The archive has a file with a name that leads out of it: {member.filename[:128]}")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise invalid(f"The archive has something that is no file and no folder: {member.filename[:128]}")
        if member.flag_bits & 1:
            raise invalid("The archive is encrypted.")
    return members


def unpack(pieces: Iterator[bytes], folder: Path) -> None:
    """Unpack an archive into a new folder, readable by everybody and writable by nobody else. Raises AwsError.

    What it unpacks to is counted while it does, whatever the archive says of itself.
    """
    folder.mkdir(mode=0o755)
    packed = folder.with_suffix(".zip")
    try:
        with packed.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        with zipfile.ZipFile(packed) as archive:
            left = LARGEST_UNPACKED
            for member in _members(archive):
                left -= _unpack_one(archive, member, folder, left)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, EOFError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise invalid(f"{_BAD} ({type(error).__name__})") from error
    finally:
        packed.unlink(missing_ok=True)


def _unpack_one(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, most: int) -> int:
    """Unpack one file or folder; how many bytes that were."""
    target = folder / PurePosixPath(member.filename)
    if member.is_dir():
        _make_folders(target, folder)
        return 0
    _make_folders(target.parent, folder)
    size = 0
    executable = (member.external_attr >> 16) & 0o111
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with archive.open(member) as source, os.fdopen(os.open(target, flags, 0o644), "wb") as file:
        while piece := source.read(PIECE):
            size += len(piece)
            if size > most:
                raise ValueError("it unpacks to more than it says")
            file.write(piece)
        os.fchmod(file.fileno(), 0o755 if executable else 0o644)
    return size


def _make_folders(folder: Path, root: Path) -> None:
    if folder == root or folder.is_dir():
        return
    _make_folders(folder.parent, root)
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
