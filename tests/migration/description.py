"""A schema in words that are the same for SQLite and PostgreSQL.

`python -m tests.migration.description` prints that of this version: `docs/reference/schema.txt`.
"""

import re
import tempfile
from pathlib import Path

from modelyard.server.composition import MIGRATED
from modelyard.storage import Storage, Transaction, migrate, open_storage

TYPES = {
    "INTEGER": "integer",
    "BIGINT": "integer",
    "bigint": "integer",
    "DOUBLE PRECISION": "float",
    "double precision": "float",
    "TEXT": "text",
    "text": "text",
    "BLOB": "bytes",
    "bytea": "bytes",
}
_POSTGRESQL_COLUMNS = """
SELECT attname::text, format_type(atttypid, atttypmod), attnotnull, coalesce(pg_get_expr(adbin, adrelid), ''),
       attcollation::regcollation::text
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_POSTGRESQL_KEYS = """
SELECT contype::text, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = CAST(:table AS regclass) AND contype IN ('p', 'u', 'f', 'c')
"""
_POSTGRESQL_INDEXES = """
SELECT relname::text, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid = CAST(:table AS regclass)
  AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
"""


def describe(storage: Storage) -> list[str]:
    """One line for each column, key and index, by table; text that is not compared by its bytes is marked as wrong."""
    with storage.read() as tx:
        sqlite = tx.dialect == "sqlite"
        lines = []
        for table in _tables(tx):
            lines.append(f"table {table}")
            lines += [f"    {line}" for line in (_sqlite_columns(tx, table) if sqlite else _postgresql_columns(tx, table))]
            lines += sorted(f"    {line}" for line in (_sqlite_keys(tx, table) if sqlite else _postgresql_keys(tx, table)))
        return lines


def _tables(tx: Transaction) -> list[str]:
    statement = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name",
        "postgresql": "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename",
    }
    return [name for (name,) in tx.all(statement[tx.dialect])]


def _column(name: str, kind: str, required: bool, default: str) -> str:
    default = default.split("::")[0]
    return f"{name} {TYPES[kind]}{' required' if required else ''}{f' default {default}' if default else ''}"


def _sqlite_columns(tx: Transaction, table: str) -> list[str]:
    rows = tx.all(f"PRAGMA table_info({table})")
    return [_column(name, kind, bool(required or key), default or "") for _, name, kind, required, default, key in rows]


def _postgresql_columns(tx: Transaction, table: str) -> list[str]:
    lines = []
    for name, kind, required, default, collation in tx.all(_POSTGRESQL_COLUMNS, {"table": table}):
        wrong = "" if kind != "text" or collation in ('"C"', 'pg_catalog."C"') else f" COLLATION {collation}"
        lines.append(_column(name, kind, required, default) + wrong)
    return lines


def _sqlite_keys(tx: Transaction, table: str) -> list[str]:
    lines = []
    key = sorted((position, name) for _, name, *_, position in tx.all(f"PRAGMA table_info({table})") if position)
    lines.append(f"primary key ({', '.join(name for _, name in key)})")
    references: dict[int, list[tuple[str, str, str]]] = {}
    for number, _, parent, column, target, _, on_delete, _ in tx.all(f"PRAGMA foreign_key_list({table})"):
        references.setdefault(number, []).append((column, target, f"{parent} ON DELETE {on_delete}"))
    for columns in references.values():
        parent, on_delete = columns[0][2].split(" ON DELETE ")
        lines.append(_reference([c for c, _, _ in columns], parent, [t for _, t, _ in columns], on_delete))
    for _, index, unique, origin, _ in tx.all(f"PRAGMA index_list({table})"):
        if origin == "u":
            columns = ", ".join(name for _, _, name in tx.all(f"PRAGMA index_info({index})"))
            lines.append(f"unique ({columns})")
        elif origin == "c":
            text = tx.one("SELECT sql FROM sqlite_master WHERE name = :name", {"name": index})
            assert text is not None
            lines.append(_index(index, bool(unique), text[0]))
    checks = tx.one("SELECT sql FROM sqlite_master WHERE name = :name", {"name": table})
    assert checks is not None
    return lines + [
        f"check {_plain(check)}" for check in re.findall(r"CHECK\s*(\((?:[^()]|\([^()]*\))*\))", checks[0], re.IGNORECASE)
    ]


def _postgresql_keys(tx: Transaction, table: str) -> list[str]:
    lines = []
    for kind, text in tx.all(_POSTGRESQL_KEYS, {"table": table}):
        if kind == "f":
            match = re.fullmatch(r"FOREIGN KEY \((.*)\) REFERENCES (\w+)\((.*?)\)(?: ON DELETE ([A-Z ]+?))?", text)
            assert match, text
            lines.append(_reference(match[1].split(", "), match[2], match[3].split(", "), match[4] or "NO ACTION"))
        elif kind == "c":
            lines.append(f"check {_plain(text.removeprefix('CHECK '))}")
        else:
            lines.append(text.replace("PRIMARY KEY", "primary key").replace("UNIQUE", "unique"))
    for name, text in tx.all(_POSTGRESQL_INDEXES, {"table": table}):
        lines.append(_index(name, "UNIQUE INDEX" in text, text))
    return lines


def _reference(columns: list[str], parent: str, targets: list[str], on_delete: str) -> str:
    return f"({', '.join(columns)}) refers to {parent} ({', '.join(targets)}), on delete {on_delete.lower()}"


def _index(name: str, unique: bool, text: str) -> str:
    """An index from the statement that made it: its columns in their order, and which rows are in it."""
    match = re.search(r"\((?P<columns>(?:[^()]|\([^()]*\))*)\)\s*(?:WHERE (?P<where>.*))?$", text, re.DOTALL)
    assert match, text
    where = f" where {_plain(match['where'])}" if match["where"] else ""
    return f"{'unique ' if unique else ''}index {name} ({_plain(match['columns'])}){where}"


def _plain(expression: str) -> str:
    """An expression without what the databases write differently: brackets, casts, collations, quotes, white space."""
    expression = re.sub(r"::\w+|\bCOLLATE\s+\S+|\"", "", expression)
    return " ".join(re.sub(r"[()]", " ", expression).split()).replace(" ,", ",").lower()


def main() -> None:
    """Print the schema of this version."""
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage(Path(folder) / "schema.sqlite3")
        migrate(storage, MIGRATED)
        print("\n".join(describe(storage)))
        storage.close()


if __name__ == "__main__":
    main()
