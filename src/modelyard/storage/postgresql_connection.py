"""One connection to PostgreSQL: how values travel on it, what its errors mean, and statements on it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader
from psycopg.types.string import StrDumper

from modelyard.storage.errors import ConstraintViolation, StorageError, StorageUnavailable
from modelyard.storage.interface import Row
from modelyard.storage.named_parameters import to_pyformat
from modelyard.storage.parameters import not_text, refuse_unstorable
from modelyard.storage.writer import RepeatBatch

Connection = psycopg.Connection[Row]

CONNECT_SECONDS = 10
"""How long a read or a batch waits for a server that is away (restarting, say) before it fails."""


class _NumberLoader(NumericBinaryLoader):
    """`sum` of whole numbers is numeric in PostgreSQL: give an int or a float, as SQLite does, and not a Decimal."""

    def load(self, data: Buffer) -> int | float:  # type: ignore[override]
        number = super().load(data)
        return int(number) if number.as_tuple().exponent == 0 else float(number)


def _adapters() -> AdaptersMap:
    """How values travel: whole numbers and truth values as 64-bit integers, text as text, so that a statement is planned once."""
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(bool, Int8BinaryDumper)
    adapters.register_dumper(str, StrDumper)
    adapters.register_loader("numeric", _NumberLoader)
    return adapters


class _Values:
    """The adaptation context that connections are opened with."""

    adapters = _adapters()
    connection = None


OPTIONS: dict[str, Any] = {
    "context": _Values(),
    "client_encoding": "utf8",
    "application_name": "modelyard",
    "connect_timeout": CONNECT_SECONDS,
    "prepare_threshold": 2,
}


def connect(address: str, *, autocommit: bool = True) -> Connection:
    """A connection on which values travel as everywhere in Modelyard. Raises psycopg.OperationalError."""
    return psycopg.connect(address, autocommit=autocommit, **OPTIONS)


def lost(connection: Connection, sqlstate: str | None) -> bool:
    """Whether an operational error means that the session is gone: the server never said why, or that it is ending."""
    return connection.closed or sqlstate is None or sqlstate.startswith(("08", "57P"))


def broke(connection: Connection, error: psycopg.Error) -> bool:
    """Whether an error ended the session."""
    return isinstance(error, psycopg.OperationalError) and lost(connection, error.sqlstate)


def translated(error: psycopg.Error) -> StorageError:
    """The error in the words that both databases share."""
    if isinstance(error, psycopg.IntegrityError):
        return ConstraintViolation(sentence(error))
    if isinstance(error, psycopg.OperationalError):
        return StorageUnavailable(sentence(error))
    return StorageError(sentence(error))


def sentence(error: psycopg.Error) -> str:
    """What the server, or the driver, says went wrong."""
    return error.diag.message_primary or str(error).strip()


def repeats(sqlstate: str | None) -> bool:
    """Class 40, transaction rollback: serialization failure and deadlock."""
    return sqlstate is not None and sqlstate.startswith("40")


class PostgresqlTransaction:
    """Statements of a work on the writer's connection, or of a snapshot."""

    __slots__ = ("_connection", "actions", "failure")

    dialect = "postgresql"

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection
        self.actions: list[Callable[[], None]] = []
        self.failure: Exception | None = None

    def one(self, sql: str, parameters: Mapping[str, object] = {}) -> Row | None:
        """The first row, or None."""
        cursor = self._run(sql, parameters)
        return cursor.fetchone() if cursor.description else None

    def all(self, sql: str, parameters: Mapping[str, object] = {}) -> list[Row]:
        """All rows."""
        cursor = self._run(sql, parameters)
        return cursor.fetchall() if cursor.description else []

    def execute(self, sql: str, parameters: Mapping[str, object] = {}) -> int:
        """Run a statement; the number of rows it changed."""
        return max(0, self._run(sql, parameters).rowcount)

    def execute_many(self, sql: str, parameters: Sequence[Mapping[str, object]]) -> None:
        """Run a statement once for each set of parameters."""
        for one in parameters:
            refuse_unstorable(one)
        connection = self._open()
        try:
            with connection.cursor() as cursor:
                cursor.executemany(to_pyformat(sql), parameters)
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise self._failed(connection, error) from error

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` once this work is durable."""
        self.actions.append(action)

    def _run(self, sql: str, parameters: Mapping[str, object]) -> psycopg.Cursor[Row]:
        refuse_unstorable(parameters)
        connection = self._open()
        try:
            return connection.execute(to_pyformat(sql), parameters, binary=True)
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise self._failed(connection, error) from error

    def _open(self) -> Connection:
        assert self._connection is not None
        return self._connection

    def _failed(self, connection: Connection, error: psycopg.Error | UnicodeEncodeError) -> Exception:
        if isinstance(error, UnicodeEncodeError):
            return not_text(error)
        failure: Exception = translated(error)
        if broke(connection, error):
            connection.close()
            failure = RepeatBatch(sentence(error))
        elif repeats(error.sqlstate):
            failure = RepeatBatch(sentence(error))
        if self.failure is None:
            self.failure = failure
        return failure
