"""SQLite, in this process: a connection of its own for every thread that reads, and one for the writer."""

import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from modelyard.storage.errors import ConstraintViolation, StorageError, StorageUnavailable
from modelyard.storage.interface import Row, Transaction
from modelyard.storage.parameters import not_text, refuse_unstorable
from modelyard.storage.writer import RepeatBatch, Writer

T = TypeVar("T")

STATEMENTS = 512
"""Prepared statements that a connection keeps."""
PATIENCE_SECONDS = 60.0
"""How long the writer waits for another process that writes."""
LONGEST_PAUSE = 0.002
YIELD_SECONDS = 0.0005
"""How long a new snapshot lets works go on that are running.

This is about the interpreter's lock, not the database's. Every statement lets go of that lock and has to get it back,
and a thread that reads all the time gets it back sooner than the writer wakes up: without giving way, one busy event
loop starves every write (benchmarks/interpreter_lock.py; the other half is a short `sys.setswitchinterval`).
"""
READ_SETTINGS = {
    # For the rare moments when SQLite locks readers out (recovery after a crash).
    "busy_timeout": 10_000,
    "cache_size": -4096,
    "foreign_keys": "ON",
    "query_only": "ON",
    "synchronous": "FULL",
}
WRITE_SETTINGS = {
    "cache_size": -16384,
    "foreign_keys": "ON",
    # Of a new file. Documents of 1 to 3 KB leave less room unused than in pages of 4096 bytes.
    "page_size": 8192,
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "wal_autocheckpoint": 2000,
    # What is left of the write-ahead log after it was larger.
    "journal_size_limit": 64 * 1024 * 1024,
}

_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_CONTENTION = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for an error of the Python module itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _translated(error: sqlite3.Error) -> StorageError:
    if isinstance(error, sqlite3.IntegrityError):
        return ConstraintViolation(str(error))
    if _code(error) in _UNAVAILABLE:
        return StorageUnavailable(str(error))
    return StorageError(str(error))


class SqliteTransaction:
    """Statements on one connection."""

    __slots__ = ("_connection", "_writes", "actions", "failure")

    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection, *, writes: bool) -> None:
        self._connection = connection
        self._writes = writes
        self.actions: list[Callable[[], None]] = []
        self.failure: Exception | None = None

    def one(self, sql: str, parameters: Mapping[str, object] = {}) -> Row | None:
        """The first row, or None."""
        refuse_unstorable(parameters)
        try:
            row: Row | None = self._connection.execute(sql, parameters).fetchone()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._failed(error) from error
        return row

    def all(self, sql: str, parameters: Mapping[str, object] = {}) -> list[Row]:
        """All rows."""
        refuse_unstorable(parameters)
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._failed(error) from error

    def execute(self, sql: str, parameters: Mapping[str, object] = {}) -> int:
        """Run a statement; the number of rows it changed."""
        refuse_unstorable(parameters)
        try:
            return max(0, self._connection.execute(sql, parameters).rowcount)
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._failed(error) from error

    def execute_many(self, sql: str, parameters: Sequence[Mapping[str, object]]) -> None:
        """Run a statement once for each set of parameters."""
        for one in parameters:
            refuse_unstorable(one)
        try:
            self._connection.executemany(sql, parameters)
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._failed(error) from error

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` once this work is durable."""
        if not self._writes:
            raise RuntimeError("a snapshot has no commit to act after")
        self.actions.append(action)

    def _failed(self, error: sqlite3.Error | UnicodeEncodeError) -> Exception:
        if isinstance(error, UnicodeEncodeError):
            return not_text(error)
        failure = _translated(error)
        if self._writes and self.failure is None:
            self.failure = failure
        return failure


def _connect(path: Path, settings: Mapping[str, object]) -> sqlite3.Connection:
    """A connection with these PRAGMA settings, in this order."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS, timeout=0)
    try:
        for name, value in settings.items():
            _patiently(lambda name=name, value=value: connection.execute(f"PRAGMA {name} = {value}").fetchall())  # type: ignore[misc]
    except BaseException:
        connection.close()
        raise
    return connection


def _patiently(action: Callable[[], object]) -> None:
    """Do what another process may be in the way of, as soon as it is not. Raises StorageUnavailable.

    SQLite's own waiting sleeps longer and longer, up to 100 ms; short pauses of uneven length let writers of several
    processes take turns.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    pause = LONGEST_PAUSE / 16
    while True:
        try:
            action()
        except sqlite3.Error as error:
            if _code(error) not in _CONTENTION or time.monotonic() > deadline:
                raise StorageUnavailable(str(error)) from error
        else:
            return
        time.sleep(random.uniform(0, pause))  # noqa: S311  spreads processes out, guards nothing
        pause = min(2 * pause, LONGEST_PAUSE)


class SqliteWriteConnection:
    """The writer's connection."""

    def __init__(self, path: Path) -> None:
        self._connection = _connect(path, WRITE_SETTINGS)
        self._open = False

    def begin(self) -> None:
        """Take SQLite's write lock, waiting for other processes."""
        self._open = False
        _patiently(lambda: self._connection.execute("BEGIN IMMEDIATE"))

    def transaction(self) -> SqliteTransaction:
        """The transaction as one work sees it."""
        return SqliteTransaction(self._connection, writes=True)

    def savepoint(self) -> None:
        """Keep the work before, mark the beginning of the next."""
        self._check()
        if self._open:
            self._connection.execute("RELEASE work")
        self._connection.execute("SAVEPOINT work")
        self._open = True

    def undo(self) -> None:
        """Go back to the savepoint."""
        self._check()
        self._connection.execute("ROLLBACK TO work")

    def commit(self) -> None:
        """Write the log to the disk."""
        self._check()
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageUnavailable(f"the commit failed: {error}") from error

    def rollback(self) -> None:
        """Drop the batch."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _check(self) -> None:
        # A full disk or a failing one can make SQLite roll back everything, not only the statement that met it.
        if not self._connection.in_transaction:
            raise RepeatBatch("SQLite dropped the transaction")


class _Reader:
    """One thread's connection for reading, and its snapshot while there is one."""

    __slots__ = ("__weakref__", "_connection", "_depth", "_transaction", "_turn")

    def __init__(self, path: Path, turn: threading.Lock) -> None:
        self._turn = turn
        self._connection = _connect(path, READ_SETTINGS)
        self._transaction = SqliteTransaction(self._connection, writes=False)
        self._depth = 0

    def __enter__(self) -> Transaction:
        if self._depth == 0:
            if self._turn.locked() and self._turn.acquire(timeout=YIELD_SECONDS):
                self._turn.release()
            try:
                self._connection.execute("BEGIN")
            except sqlite3.Error as error:
                raise _translated(error) from error
        self._depth += 1
        return self._transaction

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._depth -= 1
        if self._depth == 0 and self._connection.in_transaction:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.DatabaseError:
                # On a damaged file. The statement that met the damage told of it; here the snapshot only has to end.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def __del__(self) -> None:
        self._connection.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class SqliteStorage:
    """A database in one file."""

    dialect = "sqlite"
    embedded = True

    def __init__(self, path: Path) -> None:
        self.path = path
        _create(path)
        self._writer = Writer(SqliteWriteConnection(path))
        self._local = threading.local()
        self._readers: weakref.WeakSet[_Reader] = weakref.WeakSet()
        self._gate = threading.Lock()
        self._closed = False

    def read(self) -> AbstractContextManager[Transaction]:
        """A snapshot on this thread's connection; within one, the same snapshot."""
        try:
            reader: _Reader = self._local.reader
        except AttributeError:
            reader = self._local.reader = self._new_reader()
        return reader

    def submit(self, work: Callable[[Transaction], T]) -> "Future[T]":
        """Queue `work` for the writer."""
        return self._writer.submit(work)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Submit `work` and wait for its result."""
        return self._writer.write(work)

    def close(self) -> None:
        """Finish what is queued, then close every connection."""
        self._writer.close()
        with self._gate:
            self._closed = True
            for reader in list(self._readers):
                reader.close()

    def _new_reader(self) -> _Reader:
        # A work that takes a snapshot holds the turn itself.
        turn = threading.Lock() if self._writer.is_this_thread() else self._writer.turn
        with self._gate:
            if self._closed:
                raise StorageError("the storage is closed")
            reader = _Reader(self.path, turn)
            self._readers.add(reader)
            return reader


def _create(path: Path) -> None:
    """Make sure that the file is there, readable by its owner only, and that its name survives a power cut."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
