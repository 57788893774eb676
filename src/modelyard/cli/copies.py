"""A copy of everything a data directory is made of, and its way back.

    <backup>/database.sqlite3, database.json   the database as of one moment (see modelyard.storage.backup)
    <backup>/blobs/                            every blob that this database refers to
    <backup>/keys/ tls/ credentials/           the master key, the certificate authority, the kept access keys
    <backup>/modelyard.toml                    the settings
    <backup>/backup.json                       what it holds; without it there is no backup

A copy is made beside its place and gets its name when it is whole, so a place holds a whole copy or nothing.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from modelyard import __version__
from modelyard.blobs import open_blobs
from modelyard.blobs.directory import DirectoryBlobs
from modelyard.blobs.interface import Blob, BlobStore
from modelyard.cli.failure import CommandFailure
from modelyard.dispatch import kept_blobs
from modelyard.server.composition import open_database
from modelyard.settings import Settings
from modelyard.storage import backup as backup_database
from modelyard.storage import restore as restore_database
from modelyard.storage.backup import DATABASE, MANIFEST
from modelyard.storage.interface import Transaction
from modelyard.storage.sqlite import SqliteTransaction

Progress = Callable[[str, int, int], None]
"""Called with a stage, how much of it is done, and how much there is."""

SUMMARY = "backup.json"
FORMAT = 1
CARRIED = ("keys", "tls", "credentials", "modelyard.toml")
PAGE = 1000
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Summary:
    """What a backup holds."""

    format: int
    modelyard: str
    """The version that made it."""
    rows: int
    objects: int
    """Blobs: objects with the same bytes share one."""
    bytes: int


def make_backup(settings: Settings, target: Path, made_at: float, progress: Progress) -> Summary:
    """Copy the data of `settings` into the directory `target`; a server may run meanwhile. Raises CommandFailure."""
    with _whole(target) as draft:
        for name in CARRIED:
            _carry(settings.data / name, draft / name)
        blobs = DirectoryBlobs(draft / "blobs")
        rows = _database_and_blobs(settings, draft, blobs, progress)
        with snapshot(draft) as tx:
            kept = list(known_blobs(tx))
        (draft / "blobs" / "incoming").rmdir()
        summary = Summary(FORMAT, __version__, rows, len(kept), sum(blob.size for blob in kept))
        (draft / SUMMARY).write_text(json.dumps({**asdict(summary), "made_at": made_at}, indent=2) + "\n", encoding="utf-8")
    return summary


def restore_backup(source: Path, settings: Settings, progress: Progress) -> Summary:
    """Put a backup into the database and the blobs of `settings`; its own files are already in place. Raises CommandFailure."""
    summary = read_summary(source)
    restore_database(
        source, settings.database or settings.data / "modelyard.db", lambda done, all_: progress("database", done, all_)
    )
    with snapshot(source) as tx:
        _copy_blobs(tx, DirectoryBlobs(source / "blobs"), open_blobs(settings), progress)
    return summary


@contextmanager
def restored_files(source: Path, target: Path) -> Iterator[Path]:
    """A directory with a backup's own files, which becomes `target` when the block ends well. Raises CommandFailure."""
    read_summary(source)
    with _whole(target) as draft:
        for name in CARRIED:
            _carry(source / name, draft / name)
        yield draft


def read_summary(source: Path) -> Summary:
    """What a backup says of itself. Raises CommandFailure when there is none."""
    try:
        document = json.loads((source / SUMMARY).read_text(encoding="utf-8"))
        summary = Summary(**{name: document[name] for name in Summary.__slots__})
    except FileNotFoundError:
        raise CommandFailure(f"{source} holds no complete backup: {SUMMARY} is missing.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise CommandFailure(f"{source / SUMMARY} is damaged and cannot be read.") from error
    if summary.format != FORMAT:
        raise CommandFailure(f"{source} was made by Modelyard {summary.modelyard} in a format that this version does not read.")
    return summary


def is_backup(place: Path) -> bool:
    """Whether a directory is a backup rather than a data directory."""
    return (place / SUMMARY).exists()


@contextmanager
def snapshot(backup: Path) -> Iterator[Transaction]:
    """The database of a backup, to be read and left as it is."""
    address = f"{(backup / DATABASE).absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        yield SqliteTransaction(connection, writes=False)


def known_blobs(tx: Transaction) -> Iterator[Blob]:
    """Every blob that rows may name, in order."""
    last = ""
    while page := kept_blobs.blobs_after(tx, last, PAGE):
        yield from page
        last = page[-1].digest


def _database_and_blobs(settings: Settings, draft: Path, blobs: BlobStore, progress: Progress) -> int:
    """Copy both so that they fit together; the number of rows.

    The database is copied first, then the blobs it names. When one of those was cleared away meanwhile, the database is
    copied anew, which no longer names it; the blobs that are there already are not copied twice.
    """
    storage, source = open_database(settings), open_blobs(settings)
    try:
        for _ in range(ATTEMPTS):
            manifest = backup_database(storage, draft, lambda done, all_: progress("database", done, all_))
            try:
                with snapshot(draft) as tx:
                    _copy_blobs(tx, source, blobs, progress)
            except FileNotFoundError:
                (draft / DATABASE).unlink()
                (draft / MANIFEST).unlink()
                continue
            return sum(manifest.rows.values())
    finally:
        storage.close()
    raise CommandFailure("Objects that the database names are not there: `modelyard verify` says which.")


def _copy_blobs(tx: Transaction, source: BlobStore, target: BlobStore, progress: Progress) -> None:
    """Copy the blobs that a database names, those that are there already excepted. Raises FileNotFoundError."""
    total = sum(blob.size for blob in known_blobs(tx))
    done = 0
    for blob in known_blobs(tx):
        if target.size(blob.digest) != blob.size:
            _copy(blob, source, target)
        done += blob.size
        progress("objects", done, total)


def _copy(blob: Blob, source: BlobStore, target: BlobStore) -> None:
    writer = target.writer()
    try:
        for piece in source.read(blob.digest):
            writer.write(piece)
        copied = writer.commit()
    finally:
        writer.discard()
    if copied != blob:
        raise CommandFailure(f"The bytes of {blob.digest} are damaged: `modelyard verify` says what else is.")


@contextmanager
def _whole(place: Path) -> Iterator[Path]:
    """A directory beside `place` that takes its name when the block ends well, and vanishes when not."""
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise CommandFailure(f"{place} is there already and not empty: name a directory that does not exist yet.")
    draft = place.with_name(f".{place.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    try:
        yield draft
        os.sync()
        draft.rename(place)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _carry(source: Path, target: Path) -> None:
    """Copy a file or a folder with its modes, if it is there."""
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copy2(source, target)
