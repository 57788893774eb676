"""What tables a SQLite database has: its own catalogue, read for backups and their way onto PostgreSQL."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

MIGRATIONS = "modelyard_migrations"


@dataclass(frozen=True, slots=True)
class Table:
    """One table and what it is made of."""

    name: str
    columns: Mapping[str, str]
    """Name -> declared type, in order."""
    identity: str | None
    """The column that counts up by itself."""


def quoted(name: str) -> str:
    """A name as both databases take it."""
    return '"' + name.replace('"', '""') + '"'


def tables(connection: sqlite3.Connection) -> list[Table]:
    """Every table, those that are referred to before those that refer to them."""
    statement = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    found = {name: _table(connection, name, sql) for name, sql in connection.execute(statement).fetchall()}
    references = {name: _references(connection, name) for name in found}
    return [found[name] for name in TopologicalSorter(references).static_order()]


def row_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """The number of rows of every table."""
    return {
        table.name: connection.execute(f"SELECT count(*) FROM {quoted(table.name)}").fetchone()[0]  # noqa: S608
        for table in tables(connection)
    }


def _table(connection: sqlite3.Connection, name: str, sql: str) -> Table:
    rows = connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
    key = [column for _, column, _, _, _, position in rows if position]
    counts = "AUTOINCREMENT" in sql.upper() and len(key) == 1
    return Table(name, {column: kind.upper() for _, column, kind, *_ in rows}, key[0] if counts else None)


def _references(connection: sqlite3.Connection, name: str) -> set[str]:
    """The tables a table refers to, but for itself."""
    rows = connection.execute(f"PRAGMA foreign_key_list({quoted(name)})").fetchall()
    return {row[2] for row in rows} - {name}
