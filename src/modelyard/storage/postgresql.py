"""PostgreSQL: a pool of connections for reading, one connection for the writer.

Batches of several server processes take turns by an advisory lock, so that they cannot deadlock on each other's rows.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TypeVar

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg_pool import ConnectionPool

from modelyard.storage.errors import StorageError, StorageUnavailable
from modelyard.storage.interface import Row, Transaction
from modelyard.storage.named_parameters import to_pyformat
from modelyard.storage.parameters import not_text, refuse_unstorable
from modelyard.storage.postgresql_connection import (
    CONNECT_SECONDS,
    OPTIONS,
    Connection,
    PostgresqlTransaction,
    broke,
    connect,
    lost,
    repeats,
    sentence,
    translated,
)
from modelyard.storage.writer import RepeatBatch, Writer

T = TypeVar("T")

READ_CONNECTIONS = 32
LONGEST_PAUSE = 0.5
PATIENCE_SECONDS = 60
"""How long the writer waits for another process that writes."""
WRITER_LOCK = 0x6D6F64656C79617264 & 0x7FFFFFFFFFFFFFFF
"""The advisory lock of whoever writes; locks are counted per database."""

_BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({WRITER_LOCK})".encode()
_WRITER_SETTINGS = (
    # A lost machine must not keep the lock: the server ends sessions that fall silent within a batch.
    f"SET lock_timeout = '{PATIENCE_SECONDS}s'",
    f"SET idle_in_transaction_session_timeout = '{PATIENCE_SECONDS}s'",
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)


class _Snapshot(PostgresqlTransaction):
    """A read-only transaction that takes a connection, and so the snapshot, at its first statement."""

    __slots__ = ("_began", "_pool")

    def __init__(self, pool: "ConnectionPool[Connection]") -> None:
        super().__init__(None)
        self._pool = pool
        self._began = False

    def after_commit(self, action: Callable[[], None]) -> None:
        """A snapshot has no commit."""
        raise RuntimeError("a snapshot has no commit to act after")

    def end(self) -> None:
        """Give the connection back."""
        connection, self._connection, self._began = self._connection, None, False
        if connection is not None:
            try:
                connection.rollback()
            except psycopg.Error:
                connection.close()
            self._pool.putconn(connection)

    def _run(self, sql: str, parameters: Mapping[str, object]) -> psycopg.Cursor[Row]:
        refuse_unstorable(parameters)
        statement = to_pyformat(sql)
        while True:
            connection = self._open()
            try:
                cursor = connection.execute(statement, parameters, binary=True)
            except (psycopg.Error, UnicodeEncodeError) as error:
                if self._began or isinstance(error, UnicodeEncodeError) or not broke(connection, error):
                    raise self._failed(connection, error) from error
                # A connection that was idle while the server restarted: nothing was read yet, so take another one.
                connection.close()
                self.end()
            else:
                self._began = True
                return cursor

    def _open(self) -> Connection:
        if self._connection is None:
            try:
                self._connection = self._pool.getconn(CONNECT_SECONDS)
            except psycopg.Error as error:
                raise translated(error) from error
        return self._connection

    def _failed(self, connection: Connection, error: psycopg.Error | UnicodeEncodeError) -> Exception:
        return not_text(error) if isinstance(error, UnicodeEncodeError) else translated(error)


class _Reader:
    """One thread's snapshot, while it has one."""

    __slots__ = ("_depth", "_snapshot")

    def __init__(self, pool: "ConnectionPool[Connection]") -> None:
        self._snapshot = _Snapshot(pool)
        self._depth = 0

    def __enter__(self) -> Transaction:
        self._depth += 1
        return self._snapshot

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._snapshot.end()


class PostgresqlWriteConnection:
    """The writer's connection, opened again when it was lost."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection = self._connect()
        self._marked = False
        encoding = self._connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            self._connection.close()
            raise StorageError(f"The database is encoded in {encoding}: create it with ENCODING 'UTF8'.")

    def begin(self) -> None:
        """Start a transaction and take the writers' lock."""
        self._marked = False
        deadline = time.monotonic() + CONNECT_SECONDS
        pause = 0.01
        while True:
            try:
                if self._connection.closed:
                    self._connection = self._connect()
                self._command(_BEGIN)
            except (RepeatBatch, psycopg.OperationalError) as error:
                failure = error
            else:
                return
            if time.monotonic() > deadline:
                raise StorageUnavailable(f"the database cannot be reached: {failure}") from failure
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def transaction(self) -> PostgresqlTransaction:
        """The transaction as one work sees it."""
        return PostgresqlTransaction(self._connection)

    def savepoint(self) -> None:
        """Keep the work before, mark the beginning of the next; one round trip."""
        self._command(b"RELEASE SAVEPOINT work; SAVEPOINT work" if self._marked else b"SAVEPOINT work")
        self._marked = True

    def undo(self) -> None:
        """Go back to the savepoint."""
        self._command(b"ROLLBACK TO SAVEPOINT work")

    def commit(self) -> None:
        """Commit, and say truly whether it was."""
        status, message, sqlstate = self._exchange(b"COMMIT")
        if status == b"COMMIT":
            return
        if repeats(sqlstate):
            raise RepeatBatch(message)
        if self._connection.closed:
            raise StorageUnavailable(f"the connection was lost during the commit, which may or may not have happened: {message}")
        raise StorageUnavailable(f"the commit failed: {message}")

    def rollback(self) -> None:
        """Drop the batch; a connection that cannot is closed, which drops it as well."""
        if self._connection.closed or self._connection.pgconn.transaction_status == TransactionStatus.IDLE:
            return
        if self._exchange(b"ROLLBACK")[0] is None:
            self._connection.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _command(self, statement: bytes) -> None:
        """Run statements that need no parameters. Raises RepeatBatch when the connection is lost."""
        status, message, sqlstate = self._exchange(statement)
        if status is not None:
            return
        if repeats(sqlstate) or self._connection.closed:
            raise RepeatBatch(message)
        raise StorageUnavailable(message)

    def _exchange(self, statement: bytes) -> tuple[bytes | None, str, str | None]:
        """One round trip: what was done, or None and why not with its SQLSTATE. Closes a connection that is lost."""
        try:
            result = self._connection.pgconn.exec_(statement)
        except psycopg.OperationalError as error:
            self._connection.close()
            return None, str(error), None
        if result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            return result.command_status, "", None
        field = result.error_field(DiagnosticField.SQLSTATE)
        sqlstate = field.decode() if field else None
        if lost(self._connection, sqlstate):
            self._connection.close()
        message = result.error_field(DiagnosticField.MESSAGE_PRIMARY) or result.error_message
        return None, message.decode("utf-8", "replace").strip(), sqlstate

    def _connect(self) -> Connection:
        connection = connect(self._address)
        for setting in _WRITER_SETTINGS:
            connection.execute(setting)
        return connection


class PostgresqlStorage:
    """A database of a PostgreSQL server."""

    dialect = "postgresql"
    embedded = False

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            connection = PostgresqlWriteConnection(address)
        except psycopg.Error as error:
            raise StorageUnavailable(f"PostgreSQL cannot be reached: {sentence(error)}") from error
        self._writer = Writer(connection)
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            address,
            kwargs=OPTIONS,
            configure=_for_reading,
            min_size=1,
            max_size=READ_CONNECTIONS,
            name="storage-readers",
            open=True,
        )
        self._local = threading.local()

    def read(self) -> AbstractContextManager[Transaction]:
        """A snapshot on a connection of the pool; within one on the same thread, the same snapshot."""
        try:
            reader: _Reader = self._local.reader
        except AttributeError:
            reader = self._local.reader = _Reader(self._pool)
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
        self._pool.close()


def _for_reading(connection: Connection) -> None:
    # What is read here takes well under a millisecond; to start workers or a compiler for it takes many, and PostgreSQL does
    # so where it takes few rows for many.
    connection.execute("SET max_parallel_workers_per_gather = 0")
    connection.execute("SET jit = off")
    connection.commit()
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
