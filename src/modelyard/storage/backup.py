"""A copy of the database while it is used, and its way back.

A backup is the same whatever database it was made from: `database.sqlite3`, which any SQLite opens, and
`database.json`, which says what is in it. So a yard that began on SQLite is restored onto PostgreSQL, and back.
Objects' bytes are not in it; they are copied beside it.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from modelyard import __version__
from modelyard.storage.errors import BackupError
from modelyard.storage.interface import Storage
from modelyard.storage.sqlite import SqliteStorage
from modelyard.storage.tables import row_counts

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is; bytes or rows, whichever the copy goes by."""

FORMAT = 1
DATABASE = "database.sqlite3"
MANIFEST = "database.json"
STEP_PAGES = 128


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    format: int
    modelyard: str
    """The version that made it."""
    source: str
    """The dialect it was made from."""
    rows: Mapping[str, int]
    """By table."""
    sha256: str
    """Of the database file."""


def no_progress(done: int, total: int) -> None:
    """For callers who do not watch."""


def backup(storage: Storage, target_directory: Path, progress: Progress = no_progress) -> Manifest:
    """Copy the database as it is at one moment into `target_directory`; writers go on meanwhile.

    The manifest is written last: without it there is no backup. Raises BackupError when there is one already.
    """
    target_directory.mkdir(parents=True, exist_ok=True)
    database, part = target_directory / DATABASE, target_directory / f"{DATABASE}.part"
    for path in (database, target_directory / MANIFEST):
        if path.exists():
            raise BackupError(f"There is a backup in {target_directory} already; choose an empty directory.")
    part.unlink(missing_ok=True)
    if isinstance(storage, SqliteStorage):
        _copy_sqlite(storage.path, part, progress)
    else:
        from modelyard.storage.postgresql import PostgresqlStorage
        from modelyard.storage.transfer import copy_out

        assert isinstance(storage, PostgresqlStorage)
        copy_out(storage.address, part, progress)
    with closing(sqlite3.connect(part)) as copy:
        rows = row_counts(copy)
    _sync(part)
    part.rename(database)
    manifest = Manifest(FORMAT, __version__, storage.dialect, rows, _sha256(database))
    _write_durably(target_directory / MANIFEST, json.dumps(asdict(manifest), indent=2) + "\n")
    return manifest


def restore(source_directory: Path, address_or_path: str | Path, progress: Progress = no_progress) -> Manifest:
    """Put a backup into a database that is not there yet: a path without a file, or an empty PostgreSQL database.

    Raises BackupError when the backup is damaged or the place is not empty; the place is then as it was.
    """
    manifest = read_manifest(source_directory)
    database = source_directory / DATABASE
    if _sha256(database) != manifest.sha256:
        raise BackupError(f"{database} is damaged: its bytes are not those that were written.")
    if isinstance(address_or_path, str) and address_or_path.startswith(("postgresql://", "postgres://")):
        from modelyard.storage.transfer import copy_in

        copy_in(database, address_or_path, progress)
    else:
        _place_sqlite(database, Path(address_or_path), progress)
    return manifest


def read_manifest(source_directory: Path) -> Manifest:
    """What the backup in a directory says of itself. Raises BackupError."""
    path = source_directory / MANIFEST
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BackupError(f"There is no complete backup in {source_directory}: {MANIFEST} is missing.") from None
    except (ValueError, TypeError) as error:
        raise BackupError(f"{path} cannot be read: {error}.") from error
    if manifest.format != FORMAT:
        raise BackupError(f"{path} has the format {manifest.format}, which this version of Modelyard does not read.")
    if not (source_directory / DATABASE).exists():
        raise BackupError(f"The backup in {source_directory} is not complete: {DATABASE} is missing.")
    return manifest


def _copy_sqlite(source: Path, target: Path, progress: Progress) -> None:
    """Copy a database page by page.

    SQLite starts such a copy again whenever somebody else writes between two steps. Held in one read transaction it does
    not: the log keeps what is written meanwhile, and nobody waits.
    """
    with closing(sqlite3.connect(source, isolation_level=None)) as reader, closing(_new_file(target)) as copy:
        size = reader.execute("PRAGMA page_size").fetchone()[0]
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()

        def step(status: int, remaining: int, total: int) -> None:
            progress((total - remaining) * size, total * size)

        try:
            reader.backup(copy, pages=STEP_PAGES, progress=step)
            # The copy says of itself that it has a log beside it: make it one file that can be carried away.
            copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise BackupError(f"The database could not be copied to {target}: {error}.") from error
        finally:
            reader.execute("ROLLBACK")


def _place_sqlite(database: Path, target: Path, progress: Progress) -> None:
    for path in (target, target.with_name(f"{target.name}-wal")):
        if path.exists():
            raise BackupError(f"{path} exists already; a backup is restored to a place where there is nothing yet.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    _copy_sqlite(database, part, progress)
    _sync(part)
    part.rename(target)
    _sync(target.parent)


def _new_file(path: Path) -> sqlite3.Connection:
    """An empty database that only its owner can read."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    return sqlite3.connect(path, isolation_level=None)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_durably(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    _sync(part)
    part.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
