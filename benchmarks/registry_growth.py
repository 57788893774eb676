"""Claim: no call gets slower with the registry: p50 at 1,000,000 versions is at most 1.5 times p50 at 1,000, on both databases.

Yards of 1,000 versions and more, on SQLite and on PostgreSQL, are filled with what registering writes (common/seeding.py
checks that against versions registered through the API), then served as people do it, and asked by one client on one
connection. Beside the calls: bytes on disk for a version, with and without indexes; memory when idle; seconds from starting
to the first answer.

The yards of one database are served at the same time, and each call goes through them in turn, so that what else the
machine does meets all sizes alike.

    python -m benchmarks.registry_growth [--sizes 1000,10000,100000] [--databases sqlite,postgresql] [--rounds 3] [--calls 300]

A million takes four to five minutes, and 3 GB of disk on SQLite, 5 GB on PostgreSQL: `--sizes 1000,10000,100000,1000000`.
"""

import argparse
import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from benchmarks.common import machine, version
from benchmarks.common.calls import Call, SageMaker
from benchmarks.common.client import Connection, milliseconds
from benchmarks.common.seeding import compare, fill
from benchmarks.common.yards import Yard, start_to_first_answer
from tests.postgresql import PostgresqlServer, fresh_database

RESULTS = Path(__file__).parent / "results" / "registry_growth.json"
MOST = 1.5
"""How many times the p50 at the smallest size the p50 at the largest may be."""
LIMITS = {"bytes_per_version": 3072, "idle_megabytes": 150, "start_to_first_answer_seconds": 1.5}
PAGE = 50
"""Versions in a list: the smallest registry has fewer than 100 approved ones in a group."""
WARM_UP = 20
SECONDS = 20.0


@dataclass
class Size:
    """A yard of so many versions, and what was measured of it."""

    count: int
    yard: Yard
    facts: dict[str, Any] = field(default_factory=dict)
    port: int = 0
    calls: dict[str, Call] = field(default_factory=dict)
    spent: dict[str, list[float]] = field(default_factory=dict)
    """The p50 of each round, by call."""

    def prepare(self, calls: int) -> None:
        """Sign what will be asked; the yard is being served."""
        registry = SageMaker(self.yard.key, self.count, PAGE)
        spread = [[int(version.scattered(number, salt) * (self.count - 2)) for number in range(calls)] for salt in range(10, 15)]
        new = list(range(self.count + 4, self.count + 4 + calls))
        self.yard.put_figures(new)
        self.calls = {
            "describe": registry.describe(spread[0]),
            f"list newest {PAGE} approved": registry.newest_approved(spread[1]),
            "search by metric": registry.search_metric(spread[2]),
            "search by metadata": registry.search_metadata(spread[3]),
            "approve": registry.approve(spread[4]),
            # Last, since it makes the smallest registry larger.
            "create": registry.create(new),
        }

    def run(self, name: str, share: slice) -> None:
        """One round of one call."""
        call = self.calls[name]
        connection = Connection(self.port)
        requests = call.requests[share]
        milliseconds(connection, requests[:WARM_UP], SECONDS, call.check)
        self.spent.setdefault(name, []).append(median(milliseconds(connection, requests[WARM_UP:], SECONDS, call.check)))
        connection.close()


def main() -> None:
    arguments = _arguments()
    sizes = [int(size) for size in arguments.sizes.split(",")]
    measured = {}
    for database in arguments.databases.split(","):
        facts = machine.facts()
        with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as place:
            figures = _measure(Path(place), database, sizes, arguments.rounds, arguments.calls)
        load = machine.facts()["load_average"]
        measured[database] = {"machine": facts, **figures, "load_average_at_the_end": load}
    result = {
        "claim": f"p50 of no call grows more than {MOST} times from the smallest registry to the largest",
        "limits": LIMITS,
        # No figure here compares the databases, so one that is not measured this time keeps what it had.
        "databases": {**_before(arguments.output), **measured},
    }
    text = json.dumps(result, indent=2)
    print(text)
    arguments.output.write_text(text + "\n")
    for database, figures in measured.items():
        if missed := [call for call, times in figures["times_the_smallest"].items() if times > MOST]:
            print(f"{database}: grows more than {MOST} times: {', '.join(missed)}", file=sys.stderr)


def _before(output: Path) -> dict[str, Any]:
    """What an earlier run measured."""
    return dict(json.loads(output.read_text())["databases"]) if output.exists() else {}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--output", type=Path, default=RESULTS)
    return parser.parse_args()


def _measure(place: Path, database: str, counts: list[int], rounds: int, calls: int) -> dict[str, Any]:
    with ExitStack() as stack:
        addresses = stack.enter_context(_databases(database, len(counts)))
        sizes = [_filled(place / f"yard-{count}", count, address) for count, address in zip(counts, addresses, strict=True)]
        for size in sizes:
            size.port = stack.enter_context(size.yard.serving())
            size.facts["idle_megabytes"] = machine.resident_megabytes(size.yard.pid)
            size.prepare(rounds * (calls + WARM_UP))
        for name in sizes[0].calls:
            print(f"{database}: {name}", file=sys.stderr)
            for number in range(rounds):
                for size in sizes:
                    size.run(name, slice(number * (calls + WARM_UP), (number + 1) * (calls + WARM_UP)))
        for size in sizes:
            size.facts["megabytes_after"] = machine.resident_megabytes(size.yard.pid)
    p50 = {size.count: {call: round(median(spent), 3) for call, spent in size.spent.items()} for size in sizes}
    smallest, largest = p50[counts[0]], p50[counts[-1]]
    return {
        "p50_milliseconds": p50,
        "times_the_smallest": {call: round(largest[call] / smallest[call], 2) for call in largest},
        "sizes": {size.count: size.facts for size in sizes},
        "p50_milliseconds_of_the_rounds": {
            size.count: {call: [round(one, 3) for one in spent] for call, spent in size.spent.items()} for size in sizes
        },
    }


@contextmanager
def _databases(database: str, count: int) -> Iterator[list[str]]:
    """So many databases; SQLite's are files of the yards."""
    if database == "sqlite":
        yield [""] * count
        return
    server = PostgresqlServer.start(durable=True)
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(fresh_database(server.address)) for _ in range(count)]
    finally:
        server.stop()


def _filled(data: Path, count: int, address: str) -> Size:
    print(f"filling {address.partition(':')[0] or 'sqlite'} with {count} versions", file=sys.stderr)
    yard = Yard(data, address)
    seconds = fill(yard, count)
    facts: dict[str, Any] = {"seeding_seconds": round(seconds, 1), **_disk(yard, count)}
    facts["start_to_first_answer_seconds"] = round(median(start_to_first_answer(yard) for _ in range(3)), 3)
    compare(yard, list(range(count, count + 4)))
    return Size(count, yard, facts)


def _disk(yard: Yard, count: int) -> dict[str, Any]:
    """Bytes that a version takes on the disk: all of the database, and without its indexes."""
    if yard.database:
        with psycopg.connect(yard.database) as connection:
            row = connection.execute(
                "SELECT sum(pg_total_relation_size(c.oid)), sum(pg_indexes_size(c.oid)) FROM pg_class AS c"
                " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'public'"
            ).fetchone()
        assert row is not None
        return {"bytes_per_version": round(row[0] / count), "bytes_per_version_without_indexes": round((row[0] - row[1]) / count)}
    with closing(sqlite3.connect(yard.data / "modelyard.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        names = dict(connection.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'index'"))
        pages = dict(connection.execute("SELECT name, count(*) FROM dbstat GROUP BY name").fetchall())
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    indexes = sum(number for name, number in pages.items() if name in names)
    return {
        "bytes_per_version": round(sum(pages.values()) * page_size / count),
        "bytes_per_version_without_indexes": round((sum(pages.values()) - indexes) * page_size / count),
    }


if __name__ == "__main__":
    main()
