"""Whether a database is whole: what `modelyard verify` asks of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from modelyard.storage.errors import StorageError
from modelyard.storage.interface import Storage, Transaction
from modelyard.storage.tables import quoted

_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename",
}
_FOREIGN_KEYS = """
SELECT constraints.conrelid::regclass::text, constraints.confrelid::regclass::text,
       array_agg(child.attname::text ORDER BY position), array_agg(parent.attname::text ORDER BY position)
FROM pg_constraint constraints
CROSS JOIN LATERAL unnest(constraints.conkey, constraints.confkey) WITH ORDINALITY AS pairs (child_key, parent_key, position)
JOIN pg_attribute child ON child.attrelid = constraints.conrelid AND child.attnum = pairs.child_key
JOIN pg_attribute parent ON parent.attrelid = constraints.confrelid AND parent.attnum = pairs.parent_key
WHERE constraints.contype = 'f' AND constraints.connamespace = current_schema()::regnamespace
GROUP BY constraints.oid, constraints.conrelid, constraints.confrelid
"""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the database found."""

    rows: Mapping[str, int]
    """By table."""
    problems: tuple[str, ...]
    """One sentence each; empty when the database is whole."""


def verify(storage: Storage, progress: Callable[[int, int], None] = lambda done, total: None) -> Verification:
    """Check the database in one snapshot: its pages, its foreign keys, and that every row can be read.

    `progress` is told the tables that are done and how many there are. PostgreSQL has no check of its pages but reading
    them (its own `pg_amcheck` looks at indexes).
    """
    rows: dict[str, int] = {}
    problems: list[str] = []
    with storage.read() as tx:
        names = [name for (name,) in tx.all(_TABLES[tx.dialect])]
        for done, name in enumerate(names):
            progress(done, len(names))
            try:
                rows[name] = _readable_rows(tx, name)
            except StorageError as error:
                problems.append(f"The table {name} cannot be read: {error}.")
                break
        else:
            problems += _sqlite_problems(tx) if tx.dialect == "sqlite" else _postgresql_problems(tx)
        progress(len(names), len(names))
    return Verification(rows, tuple(problems))


def _readable_rows(tx: Transaction, table: str) -> int:
    """The number of rows; on PostgreSQL by reading all of each (SQLite's own check reads every page)."""
    read = "count(*)" if tx.dialect == "sqlite" else "count(*), sum(length(t::text))"
    row = tx.one(f"SELECT {read} FROM {quoted(table)} t")  # noqa: S608
    assert row is not None
    return int(row[0])


def _sqlite_problems(tx: Transaction) -> list[str]:
    problems = [f"SQLite's integrity check: {sentence}." for (sentence,) in tx.all("PRAGMA integrity_check") if sentence != "ok"]
    for table, row, parent, _ in tx.all("PRAGMA foreign_key_check"):
        problems.append(f"Row {row} of {table} refers to a row of {parent} that is not there.")
    return problems


def _postgresql_problems(tx: Transaction) -> list[str]:
    problems = []
    for table, parent, columns, keys in tx.all(_FOREIGN_KEYS):
        present = " AND ".join(f"t.{quoted(column)} IS NOT NULL" for column in columns)
        same = " AND ".join(f"p.{quoted(key)} = t.{quoted(column)}" for column, key in zip(columns, keys, strict=True))
        statement = f"SELECT count(*) FROM {table} t WHERE {present} AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE {same})"  # noqa: S608
        orphans = tx.one(statement)
        if orphans and orphans[0]:
            problems.append(f"{orphans[0]} rows of {table} refer to rows of {parent} that are not there.")
    return problems
