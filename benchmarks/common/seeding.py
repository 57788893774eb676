"""Fills a Modelyard with very many versions in minutes: rows made by Modelyard's own operation, written in bulk.

CreateModelPackage runs against a transaction that writes nothing down but what it was asked to insert (`Notebook`). The
collected rows are then inserted by the operation's own statements, in the order in which single registrations would insert
them, so that trees and pages grow as they would have. `compare` holds it to the truth: versions that are registered
through the API afterwards have to be in the database exactly as the notebook would have had them.
"""

import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import orjson
import psycopg
from benchmarks.common import version
from benchmarks.common.yards import Yard

from modelyard.access.permission import RequestFacts
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.dispatch.context import Context
from modelyard.registry.integrity import Kind
from modelyard.registry.operations import packages
from modelyard.registry.operations.preparation import Finding, Prepared
from modelyard.settings import load_settings
from modelyard.storage import Storage, open_storage

CHUNK = 5000
SECONDS_APART = 5.0
"""Between two registrations: a million go back two months."""

_NAMES = {
    "model_package": "id, account, region, folded, version, group_id, approval, created, modified, metrics, document",
    "search_item": "id, space_id, resource_key, modified, tags, record",
    "search_text": "name_id, value, item_id",
    "search_number": "name_id, value, item_id",
    "version_integrity": "package_id, unhashed, document",
    "version_decision": "package_id, arn, decided, subject, principal, actor, state_before, state_after, reason,"
    " effective, counts, approvals, required",
}
COLUMNS = {table: names.split(", ") for table, names in _NAMES.items()}
"""The tables that grow with every version, and their columns in the order in which the operation names them."""

NOT_SEEDED = ("INSERT INTO event ", "INSERT INTO past_state ")
"""What the outbox keeps for some days and past states: nothing that is measured reads them."""

Rows = dict[str, list[tuple[Any, ...]]]
_INSERT = re.compile(r"INSERT INTO (\w+) \(([\w, ]+)\) VALUES ([:\w, ()]+)")
_VALUES = re.compile(r"\((:[:\w, ]+)\)")


@dataclass(frozen=True)
class Place:
    """What the rows of a version refer to, and where their numbers begin."""

    groups: Mapping[str, tuple[Any, ...]]
    """The group's row as the operation reads it, by folded name."""
    space: int
    names: Mapping[str, int]
    caller: tuple[str, str]
    """ARN and unique id of whoever registers."""
    first: Mapping[str, int]
    """The number that the row of the first version gets, by table."""
    until: float
    """When the last version is registered."""


class Notebook:
    """A transaction that takes down what is inserted, and knows of the database what `Place` says."""

    dialect = "sqlite"

    def __init__(self, at: Place) -> None:
        self.place = at
        self.rows: Rows = defaultdict(list)
        self.number = 0

    def one(self, sql: str, parameters: Mapping[str, Any] = {}) -> tuple[Any, ...] | None:
        if sql.startswith("INSERT"):
            table, (names,) = _inserted(sql)
            row_id = self.place.first[table] + self.number
            self.rows[table].append((row_id, *(parameters[name] for name in names)))
            return (row_id,)
        if sql.startswith("UPDATE model_package_group"):
            return version.place(self.number)[1], parameters["now"]
        if "FROM model_package_group" in sql:
            return self.place.groups[parameters["folded"]]
        if "FROM search_space" in sql:
            return (self.place.space,)
        if "FROM search_item" in sql:
            return None
        raise NotImplementedError(sql)

    def all(self, sql: str, parameters: Mapping[str, Any] = {}) -> list[tuple[Any, ...]]:
        if "FROM search_name" in sql:
            wanted = set(parameters.values())
            return [(name, name_id) for name, name_id in self.place.names.items() if name in wanted]
        raise NotImplementedError(sql)

    def execute(self, sql: str, parameters: Mapping[str, Any] = {}) -> int:
        if sql.startswith(NOT_SEEDED):
            return 1
        table, rows = _inserted(sql)
        self.rows[table] += [tuple(parameters[name] for name in names) for names in rows]
        return len(rows)

    def execute_many(self, sql: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        for one in parameters:
            self.execute(sql, one)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Nobody is told of what is only filled in."""

    def register(self, number: int, now: float) -> None:
        """What CreateModelPackage writes for the number-th version."""
        self.number = number
        caller, unique_id = self.place.caller
        principal = Principal(caller, version.ACCOUNT, PrincipalKind.USER, unique_id, caller.rpartition("/")[2])
        nothing: Any = None
        context = Context(
            principal=principal,
            facts=RequestFacts(now, version.REGION, "127.0.0.1", False, "", "AWS4-HMAC-SHA256"),
            request_id="",
            ids=nothing,
            storage=nothing,
            blobs=nothing,
            settings=nothing,
            tokens=nothing,
            dispatcher=nothing,
            transaction=self,  # type: ignore[arg-type]
            prepared=_prepared(number),
        )
        packages.create_model_package(context, version.request(number))


def _prepared(number: int) -> Prepared:
    """What looking at the number-th version finds: its figures, and that its artifact is not there."""
    uri = version.artifact(number)
    missing = Finding(reason=f"There is no object {uri}.")
    return Prepared(figures=version.figures(number), findings={(Kind.OBJECT, uri, None): missing})


@cache
def _inserted(sql: str) -> tuple[str, list[list[str]]]:
    """The table of an INSERT, and for each of its rows the names of the parameters."""
    found = _INSERT.match(sql)
    if found is None or found[2].split(", ") != [name for name in COLUMNS[found[1]] if name != "id"]:
        raise NotImplementedError(sql)
    return found[1], [[name.lstrip(":") for name in names.split(", ")] for names in _VALUES.findall(found[3])]


def fill(yard: Yard, count: int) -> float:
    """Fill a new yard, whose server does not run, with `count` versions; the seconds it took."""
    began = time.perf_counter()
    storage = open_database(yard)
    try:
        at = _place(storage, count)
    finally:
        storage.close()
    with _bulk(yard) as write:
        for rows in _chunks(at, count):
            write(rows)
    storage = open_database(yard)
    try:
        _count_on(storage, at, count)
    finally:
        storage.close()
    return time.perf_counter() - began


def compare(yard: Yard, numbers: Sequence[int]) -> None:
    """Register versions through the API of a filled yard; raise unless their rows are what `fill` would have written."""
    with yard.serving():
        yard.register(numbers)
    storage = open_database(yard)
    try:
        with storage.read() as tx:
            for number in numbers:
                _compare(storage, tx, number)
    finally:
        storage.close()


def open_database(yard: Yard) -> Storage:
    """The database of a yard."""
    given = {"database": yard.database} if yard.database else {}
    settings = load_settings(yard.data, {}, **given)
    return open_storage(settings.database or settings.data / "modelyard.db")


def _place(storage: Storage, count: int) -> Place:
    with storage.read() as tx:
        groups = tx.all(
            "SELECT id, account, region, name, created, next_version, policy, document, governed FROM model_package_group"
        )
        (space,) = tx.all("SELECT id FROM search_space WHERE kind = 'ModelPackage'")
        names = dict(tx.all("SELECT name, id FROM search_name WHERE space_id = :space", {"space": space[0]}))
        (user,) = tx.all("SELECT document FROM model_package_group LIMIT 1")
        first = {table: _last(tx, table) + 1 for table in ("model_package", "search_item")}
    identity = orjson.loads(user[0])["CreatedBy"]["IamIdentity"]
    return Place(
        groups={row[3].lower(): row for row in groups},
        space=space[0],
        names=names,
        caller=(identity["Arn"], identity["PrincipalId"]),
        first=first,
        until=round(time.time() - 60, 3),
    )


def _last(tx: Any, table: str) -> int:
    # Numbers are never reused, so the first one is after every number that was ever given.
    if tx.dialect == "sqlite":
        row = tx.one("SELECT seq FROM sqlite_sequence WHERE name = :table", {"table": table})
        return int(row[0]) if row else 0
    row = tx.one(f"SELECT last_value FROM {table}_id_seq")
    return int(row[0])


def _chunks(at: Place, count: int) -> Iterator[Rows]:
    with ProcessPoolExecutor(2) as pool:
        waiting = []
        for start in range(0, count, CHUNK):
            waiting.append(pool.submit(_rows, at, start, min(count, start + CHUNK), count))
            if len(waiting) > 3:
                yield waiting.pop(0).result()
        for one in waiting:
            yield one.result()


def _rows(at: Place, start: int, end: int, count: int) -> Rows:
    notebook = Notebook(at)
    for number in range(start, end):
        notebook.register(number, created(at.until, number, count))
    return dict(notebook.rows)


def created(until: float, number: int, count: int) -> float:
    """When the number-th of `count` versions was registered."""
    return round(until - (count - number) * SECONDS_APART, 3)


@contextmanager
def _bulk(yard: Yard) -> Iterator[Callable[[Rows], None]]:
    """What writes rows in bulk, each chunk in a transaction; the disk is waited for at the end only."""
    if yard.database:
        with psycopg.connect(yard.database) as connection:
            yield lambda rows: _copy(connection, rows)
        with psycopg.connect(yard.database, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
    else:
        with closing(sqlite3.connect(yard.data / "modelyard.db")) as embedded:
            embedded.execute("PRAGMA synchronous = OFF")
            embedded.execute("PRAGMA cache_size = -1000000")
            yield lambda rows: _insert(embedded, rows)
            embedded.execute("PRAGMA synchronous = FULL")
            embedded.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _insert(connection: sqlite3.Connection, rows: Rows) -> None:
    with connection:
        for table, names in COLUMNS.items():
            sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            connection.executemany(sql, rows[table])


def _copy(connection: "psycopg.Connection[Any]", rows: Rows) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        for table, names in COLUMNS.items():
            with cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
                for row in rows[table]:
                    copy.write_row(row)


def _count_on(storage: Storage, at: Place, count: int) -> None:
    """Let the groups and the database's own counters go on after what was inserted."""

    def work(tx: Any) -> None:
        for position, group in enumerate(version.GROUPS):
            last = max(number for number in range(count - len(version.GROUPS), count) if version.place(number)[0] == group)
            tx.execute(
                "UPDATE model_package_group SET next_version = :next, last_created = :created WHERE folded = :folded",
                {
                    "next": version.place(last)[1] + 1,
                    "created": created(at.until, last, count),
                    "folded": version.GROUPS[position],
                },
            )
        if tx.dialect == "postgresql":
            for table in ("model_package", "search_item"):
                tx.one(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))")

    storage.write(work)


def _compare(storage: Storage, tx: Any, number: int) -> None:
    group, number_in_group = version.place(number)
    (package,) = _select(tx, "model_package", "folded = :a AND version = :b", {"a": group, "b": number_in_group})
    (item,) = _select(tx, "search_item", "resource_key = :a", {"a": f"~model-package/{group}/{number_in_group}"})
    entries = {table: _select(tx, table, "item_id = :a", {"a": item[0]}) for table in ("search_text", "search_number")}
    of_package = ("version_integrity", "version_decision")
    known = {table: _select(tx, table, "package_id = :a", {"a": package[0]}) for table in of_package}
    first = {"model_package": package[0] - number, "search_item": item[0] - number}
    notebook = Notebook(replace(_place(storage, 0), first=first))
    notebook.register(number, package[COLUMNS["model_package"].index("created")])
    for table, rows in {"model_package": [package], "search_item": [item], **entries, **known}.items():
        if sorted(map(repr, rows)) != sorted(map(repr, notebook.rows[table])):
            raise RuntimeError(f"{table} differs from what registering writes:\n{rows}\n{notebook.rows[table]}")


def _select(tx: Any, table: str, condition: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = tx.all(f"SELECT {', '.join(COLUMNS[table])} FROM {table} WHERE {condition}", parameters)
    return rows
