"""Rows between PostgreSQL and the SQLite file of a backup.

Both have the schema that the same migrations make, so a table is copied column by column; nothing is translated but the
type of the wire.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from modelyard.storage.errors import BackupError, MigrationError, StorageError, StorageUnavailable
from modelyard.storage.migrations import applied, replay
from modelyard.storage.postgresql import WRITER_LOCK
from modelyard.storage.postgresql_connection import Connection, PostgresqlTransaction, connect
from modelyard.storage.sqlite import SqliteTransaction
from modelyard.storage.tables import MIGRATIONS, Table, quoted, tables

CHUNK_ROWS = 1000
WIRE_TYPES = {"INTEGER": "int8", "BIGINT": "int8", "DOUBLE PRECISION": "float8", "TEXT": "text", "BLOB": "bytea"}
"""What the types that migrations use in SQLite are in PostgreSQL."""


def copy_out(address: str, target: Path, progress: Callable[[int, int], None]) -> None:
    """Copy a PostgreSQL database as it is at one moment into a new SQLite file."""
    with _session(address) as source, closing(_new_file(target)) as copy:
        source.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        source.read_only = True
        recorded = applied(PostgresqlTransaction(source))
        copy.execute("BEGIN")
        replay(SqliteTransaction(copy, writes=True), recorded)
        found = [table for table in tables(copy) if table.name != MIGRATIONS]
        for table in reversed(found):
            copy.execute(_emptying(table))
        total = sum(_count(source, table) for table in found)
        done = 0
        for table in found:
            for rows in _chunks(_rows_out(source, table)):
                copy.executemany(_insertion(table), rows)
                done += len(rows)
                progress(done, total)
            if table.identity:
                _remember_count(copy, table, _last_number(source, table, table.identity))
        copy.execute("COMMIT")


def copy_in(database: Path, address: str, progress: Callable[[int, int], None]) -> None:
    """Copy the SQLite file of a backup into an empty PostgreSQL database, whole or not at all."""
    with closing(_existing_file(database)) as source, _session(address) as target:
        target.execute("SELECT pg_advisory_xact_lock(%s)", [WRITER_LOCK])
        if target.execute("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() LIMIT 1").fetchone():
            raise BackupError("The PostgreSQL database has tables already; a backup is restored to an empty one.")
        replay(PostgresqlTransaction(target), applied(SqliteTransaction(source, writes=False)))
        found = [table for table in tables(source) if table.name != MIGRATIONS]
        for table in reversed(found):
            target.execute(_emptying(table))
        total = sum(source.execute(f"SELECT count(*) FROM {quoted(table.name)}").fetchone()[0] for table in found)  # noqa: S608
        done = 0
        for table in found:
            for written in _rows_in(source, target, table):
                progress(done + written, total)
            done += written
            if table.identity:
                _continue_count(source, target, table, table.identity)
        target.commit()


@contextmanager
def _session(address: str) -> Iterator[Connection]:
    """A connection whose work is undone unless it commits; errors come out in one sentence."""
    try:
        connection = connect(address, autocommit=False)
    except psycopg.Error as error:
        raise StorageUnavailable(f"PostgreSQL cannot be reached: {error}") from error
    try:
        yield connection
    except (psycopg.Error, sqlite3.Error) as error:
        raise BackupError(f"The rows could not be copied: {error}") from error
    except MigrationError:
        raise
    except StorageError as error:
        raise BackupError(f"The rows could not be copied: {error}") from error
    finally:
        connection.close()


def _new_file(path: Path) -> sqlite3.Connection:
    """An empty database; durable only once the caller has synced the file."""
    connection = sqlite3.connect(path, isolation_level=None)
    path.chmod(0o600)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _existing_file(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _names(table: Table) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, table.columns))


def _types(table: Table) -> list[str]:
    try:
        return [WIRE_TYPES[kind] for kind in table.columns.values()]
    except KeyError as error:
        raise BackupError(
            f"The table {table.name} has a column of the type {error.args[0]}, which backups do not know."
        ) from error


def _count(source: Connection, table: Table) -> int:
    row = source.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.name))).fetchone()
    assert row is not None
    return int(row[0])


def _rows_out(source: Connection, table: Table) -> Iterator[tuple[object, ...]]:
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT BINARY)").format(_names(table), sql.Identifier(table.name))
    with source.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(_types(table))
        yield from copy.rows()


def _rows_in(source: sqlite3.Connection, target: Connection, table: Table) -> Iterator[int]:
    """Write a table's rows; how many so far, from time to time and at the end."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table.name), _names(table))
    columns = ", ".join(map(quoted, table.columns))
    written = 0
    with target.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(_types(table))
        for row in source.execute(f"SELECT {columns} FROM {quoted(table.name)}"):  # noqa: S608
            copy.write_row(row)
            written += 1
            if written % CHUNK_ROWS == 0:
                yield written
    yield written


def _chunks(rows: Iterator[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _emptying(table: Table) -> str:
    """Takes out the rows that migrations themselves put in: those of the other database come in their place."""
    return f"DELETE FROM {quoted(table.name)}"  # noqa: S608


def _insertion(table: Table) -> str:
    columns = ", ".join(map(quoted, table.columns))
    marks = ", ".join("?" * len(table.columns))
    return f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({marks})"  # noqa: S608


def _last_number(source: Connection, table: Table, column: str) -> int:
    """The highest number that an identity has given out, rows that are gone included: none is ever given again."""
    sequence = source.execute("SELECT pg_get_serial_sequence(%s, %s)", [quoted(table.name), column]).fetchone()
    assert sequence is not None
    row = source.execute(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence[0]}").fetchone()  # noqa: S608
    assert row is not None
    return int(row[0])


def _remember_count(copy: sqlite3.Connection, table: Table, last: int) -> None:
    copy.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table.name])
    copy.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table.name, last])


def _continue_count(source: sqlite3.Connection, target: Connection, table: Table, column: str) -> None:
    row = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [table.name]).fetchone()
    if row and row[0]:
        target.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [quoted(table.name), column, row[0]])
