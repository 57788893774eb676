"""Claim: SQL by hand costs a fraction of SQLAlchemy Core on the two paths that every request takes.

One row read in a snapshot of its own, as DescribeModelPackage does, and 16 inserts, each in a savepoint, in one durable
commit, as the writer does; both by this package's transactions and by SQLAlchemy Core in its three forms (expressions built
once, `text()`, the driver's own SQL), on held connections with the same settings and on the same file, in turns. And what
importing either costs a process. Times are those of the thread's processor, which all requests of a process share; the
time on the clock, with the disk's part, is beside them.

    python -m benchmarks.storage_layers [--rounds 5] [--calls 5000] [--output FILE]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from modelyard.storage import Storage, open_storage
from modelyard.storage.migrations import run_script
from modelyard.storage.sqlite import READ_SETTINGS, WRITE_SETTINGS, SqliteWriteConnection

RESULTS = Path(__file__).parent / "results" / "storage_layers.json"
TABLE = """
CREATE TABLE package (
    id {identity},
    account {text} NOT NULL,
    name {text} NOT NULL,
    version BIGINT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    document {text} NOT NULL,
    UNIQUE (account, name, version)
);
"""
ROWS = 20_000
BATCH = 16
KEY = {"account": "111122223333", "name": "fraud", "version": 7777}
SELECT = "SELECT document FROM package WHERE account = :account AND name = :name AND version = :version"
INSERT = "INSERT INTO package (account, name, version, created, document) VALUES (:account, :name, :version, :created, :document)"
Package = sa.Table(
    "package",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("version", sa.BigInteger),
    sa.Column("created", sa.Double),
    sa.Column("document", sa.Text),
)
READ_EXPRESSION = sa.select(Package.c.document).where(
    Package.c.account == sa.bindparam("account"),
    Package.c.name == sa.bindparam("name"),
    Package.c.version == sa.bindparam("version"),
)
NUMBERS = iter(range(1_000_000, 1_000_000_000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "yard.sqlite3"
        storage = open_storage(path)
        try:
            storage.write(lambda tx: run_script(tx, TABLE))
            storage.write(lambda tx: tx.execute_many(INSERT, [_row(number) for number in range(ROWS)]))
            reads = _in_turns(dict(_readers(storage, path)), arguments.rounds, arguments.calls)
            writes = _in_turns(dict(_writers(path)), arguments.rounds, arguments.calls // BATCH)
        finally:
            storage.close()
    result = {
        "claim": "SQL by hand takes at most a third of SQLAlchemy Core's processor time for a row, half for 16 inserts",
        "machine": {"python": platform.python_version(), "processor": platform.machine(), "cores": os.cpu_count()},
        "versions": {"sqlalchemy": sa.__version__},
        "rounds": arguments.rounds,
        "read_one_row_microseconds": reads,
        "commit_16_inserts_microseconds": writes,
        "import": {name: _import_cost(name) for name in ("modelyard.storage", "sqlalchemy")},
    }
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    arguments.output.write_text(text + "\n")
    cost = lambda figures, name: figures[name]["processor"]  # noqa: E731
    if cost(reads, "expression") < 3 * cost(reads, "by hand") or cost(writes, "expression") < 2 * cost(writes, "by hand"):
        sys.exit("SQLAlchemy Core costs less than the decision in docs/adr/0002-sql-by-hand.md says")


def _row(version: int) -> dict[str, object]:
    document = '{"ModelPackageVersion": ' + str(version) + ', "x": "' + "y" * 1500 + '"}'
    return {"account": KEY["account"], "name": KEY["name"], "version": version, "created": 1.5, "document": document}


def _in_turns(actions: dict[str, Callable[[], object]], rounds: int, calls: int) -> dict[str, dict[str, float]]:
    """Microseconds a call, of the processor and on the clock: medians of rounds that take the actions in turns."""
    each: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for action in actions.values():
        for _ in range(100):
            action()
    for _ in range(rounds):
        for name, action in actions.items():
            clock, processor = time.perf_counter(), time.thread_time()
            for _ in range(calls):
                action()
            each[name].append((time.thread_time() - processor, time.perf_counter() - clock))
    return {
        name: {
            kind: round(statistics.median(times[column] for times in rounds_of_one) / calls * 1e6, 1)
            for column, kind in enumerate(("processor", "clock"))
        }
        for name, rounds_of_one in each.items()
    }


def _engine(path: Path, settings: dict[str, object]) -> sa.Engine:
    """An engine that keeps one connection, with the settings of ours and transactions of its own."""
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=StaticPool, connect_args={"check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for name, value in settings.items():
            connection.execute(f"PRAGMA {name} = {value}").fetchall()

    return engine


def _begin_with(engine: sa.Engine, statement: str) -> sa.Engine:
    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(statement)

    return engine


def _readers(storage: Storage, path: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    def by_hand() -> object:
        with storage.read() as tx:
            return tx.one(SELECT, KEY)

    connection = _begin_with(_engine(path, dict(READ_SETTINGS)), "BEGIN").connect()
    written = sa.text(SELECT)

    def expression() -> object:
        with connection.begin():
            return connection.execute(READ_EXPRESSION, KEY).first()

    def text() -> object:
        with connection.begin():
            return connection.execute(written, KEY).first()

    def driver() -> object:
        with connection.begin():
            return connection.exec_driver_sql(SELECT, KEY).first()  # type: ignore[arg-type]

    assert tuple(expression() or ()) == tuple(text() or ()) == tuple(driver() or ()) == by_hand()
    yield from {"by hand": by_hand, "expression": expression, "text()": text, "driver's SQL": driver}.items()


def _writers(path: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    writer = SqliteWriteConnection(path)

    def by_hand() -> None:
        writer.begin()
        for _ in range(BATCH):
            writer.savepoint()
            writer.transaction().execute(INSERT, _row(next(NUMBERS)))
        writer.commit()

    connection = _begin_with(_engine(path, dict(WRITE_SETTINGS)), "BEGIN IMMEDIATE").connect()
    inserting, written = sa.insert(Package), sa.text(INSERT)

    def core(insert: Callable[[dict[str, object]], object]) -> Callable[[], None]:
        def commit() -> None:
            with connection.begin():
                for _ in range(BATCH):
                    with connection.begin_nested():
                        insert(_row(next(NUMBERS)))

        return commit

    yield "by hand", by_hand
    yield "expression", core(lambda row: connection.execute(inserting, row))
    yield "text()", core(lambda row: connection.execute(written, row))
    yield "driver's SQL", core(lambda row: connection.exec_driver_sql(INSERT, row))


def _import_cost(module: str) -> dict[str, float]:
    """Milliseconds and megabytes that importing a module adds to a new process, the median of five."""
    script = (
        "import time; page = 4096; size = lambda: int(open('/proc/self/statm').read().split()[1]) * page; "
        f"before, start = size(), time.perf_counter(); import {module}; "
        "print((time.perf_counter() - start) * 1000, (size() - before) / 1e6)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(5)
    ]
    milliseconds, megabytes = (statistics.median(float(run[column]) for run in runs) for column in (0, 1))
    return {"milliseconds": round(milliseconds), "megabytes": round(megabytes, 1)}


if __name__ == "__main__":
    main()
