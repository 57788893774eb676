"""Claim: concurrent writes share commits, so 16 submitters get several times the durable rate of one.

Each write inserts one document of 1,500 bytes and is acknowledged once it is on disk. The floor is a bare `sqlite3` loop on
the same disk in the same run, one durable commit a row. With --postgresql the same on a PostgreSQL server (fsync on), whose
floor is a bare psycopg loop.

    python -m benchmarks.group_commit [--rounds 3] [--writes 3000] [--postgresql] [--output FILE]
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from tests.postgresql import PostgresqlServer, fresh_database

from modelyard.storage import Storage, Transaction, open_storage
from modelyard.storage.migrations import run_script
from modelyard.storage.sqlite import WRITE_SETTINGS

RESULTS = Path(__file__).parent / "results" / "group_commit.json"
SUBMITTERS = (1, 4, 16, 64)
DOCUMENT = os.urandom(1500)
TABLE = "CREATE TABLE document (id {identity}, name {text} NOT NULL UNIQUE, content {blob} NOT NULL);"
INSERT = "INSERT INTO document (name, content) VALUES (:name, :content)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--writes", type=int, default=3000)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    databases: dict[str, Any] = {"sqlite": _measure(_sqlite, _bare_sqlite, arguments.rounds, arguments.writes)}
    if arguments.postgresql:
        server = PostgresqlServer.start(durable=True)
        try:
            place = lambda: fresh_database(server.address)  # noqa: E731
            databases["postgresql"] = _measure(place, _bare_postgresql, arguments.rounds, arguments.writes)
        finally:
            server.stop()
    result = {
        "claim": "16 concurrent submitters get at least twice the durable writes of one at a time",
        "machine": {
            "python": platform.python_version(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
        },
        "rounds": arguments.rounds,
        "writes": arguments.writes,
        "databases": databases,
    }
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    arguments.output.write_text(text + "\n")
    if databases["sqlite"]["times_one_at_a_time"]["16"] < 2:
        sys.exit("16 submitters share too few commits")


@contextlib.contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder) / "yard.sqlite3")


def _measure(place: Callable[[], Any], bare: Callable[[str, int], float], rounds: int, writes: int) -> dict[str, Any]:
    """Durable writes a second, the median of the rounds; each round measures everything on a new database."""
    rates: dict[str, list[float]] = {name: [] for name in ("bare", *map(str, SUBMITTERS))}
    for _ in range(rounds):
        with place() as address:
            storage = open_storage(address)
            try:
                storage.write(lambda tx: run_script(tx, TABLE))
                asyncio_rate = lambda count: _rate(storage, count, writes)  # noqa: E731, B023
                asyncio_rate(16)
                rates["bare"].append(bare(address, writes))
                for count in SUBMITTERS:
                    rates[str(count)].append(asyncio_rate(count))
            finally:
                storage.close()
    medians = {name: round(statistics.median(each)) for name, each in rates.items()}
    return {
        "durable_writes_per_second": {"bare": medians.pop("bare"), "submitters": medians},
        "times_one_at_a_time": {name: round(rate / medians["1"], 2) for name, rate in medians.items()},
        "rounds": {name: [round(rate) for rate in each] for name, each in rates.items()},
    }


def _rate(storage: Storage, submitters: int, writes: int) -> float:
    """Writes a second of so many tasks on one event loop, each waiting for its own before the next."""
    numbers = iter(range(writes))
    run = time.time_ns()

    async def submit() -> None:
        for number in numbers:
            row = {"name": f"{run}/{submitters}/{number}", "content": DOCUMENT}

            def work(tx: Transaction, row: dict[str, object] = row) -> int:
                return tx.execute(INSERT, row)

            await asyncio.wrap_future(storage.submit(work))

    async def everyone() -> float:
        start = time.perf_counter()
        await asyncio.gather(*(submit() for _ in range(submitters)))
        return writes / (time.perf_counter() - start)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(everyone())


def _bare_sqlite(address: str, writes: int) -> float:
    run = time.time_ns()
    with contextlib.closing(sqlite3.connect(address, isolation_level=None)) as connection:
        for name, value in WRITE_SETTINGS.items():
            connection.execute(f"PRAGMA {name} = {value}").fetchall()
        start = time.perf_counter()
        for number in range(writes):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(INSERT, {"name": f"{run}/{number}", "content": DOCUMENT})
            connection.execute("COMMIT")
        return writes / (time.perf_counter() - start)


def _bare_postgresql(address: str, writes: int) -> float:
    run = time.time_ns()
    statement = "INSERT INTO document (name, content) VALUES (%(name)s, %(content)s)"
    with psycopg.connect(address, autocommit=True) as connection:
        start = time.perf_counter()
        for number in range(writes):
            connection.execute(statement, {"name": f"{run}/{number}", "content": DOCUMENT})
        return writes / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
