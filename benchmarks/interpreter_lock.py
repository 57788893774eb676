"""Claim: an event loop that is busy all the time does not starve the writer.

Every statement of SQLite lets go of the interpreter's lock and has to get it back. A loop that reads all the time gets it
back sooner than the writer's thread wakes up, and the interpreter's own remedy (the switch interval) starts anew at each
try. Measured: durable writes and reads a second of one event loop with writers and busy readers, each request with 150 µs of
Python around it, with and without the storage giving way (sqlite.YIELD_SECONDS), at the interpreter's switch interval of
5 ms and at 0.05 ms. A work has 20 statements, as a registration has.

    python -m benchmarks.interpreter_lock [--rounds 3] [--seconds 1.5] [--output FILE]
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from modelyard.storage import Storage, Transaction, open_storage, sqlite
from modelyard.storage.migrations import run_script

RESULTS = Path(__file__).parent / "results" / "interpreter_lock.json"
TABLE = "CREATE TABLE entry (number BIGINT NOT NULL, position BIGINT NOT NULL, value {text}, PRIMARY KEY (number, position));"
STATEMENTS = 20
REQUEST_SECONDS = 0.000_150
MIXES = {"1 writer": (1, 0), "16 writers": (16, 0), "1 writer, 1 reader": (1, 1), "16 writers, 4 readers": (16, 4)}
SETTINGS = {
    "neither": (0.0, 0.005),
    "giving way": (0.0005, 0.005),
    "short switch interval": (0.0, 0.000_05),
    "both": (0.0005, 0.000_05),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    measured = _measure(arguments.rounds, arguments.seconds)
    result = {
        "claim": "with both remedies a busy reader leaves a writer at least a fifth of the writes it has alone",
        "machine": {
            "python": platform.python_version(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
        },
        "rounds": arguments.rounds,
        "a_second": measured,
    }
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    arguments.output.write_text(text + "\n")
    both = measured["both"]
    if both["1 writer, 1 reader"]["writes"] * 5 < both["1 writer"]["writes"]:
        sys.exit("a busy event loop starves the writer")


def _measure(rounds: int, seconds: float) -> dict[str, Any]:
    each: dict[tuple[str, str], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage(Path(folder) / "yard.sqlite3")
        storage.write(lambda tx: run_script(tx, TABLE))
        for _ in range(rounds):
            for setting, (give_way, interval) in SETTINGS.items():
                sqlite.YIELD_SECONDS = give_way
                sys.setswitchinterval(interval)
                for mix, (writers, readers) in MIXES.items():
                    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                        each.setdefault((setting, mix), []).append(runner.run(_mix(storage, writers, readers, seconds)))
        storage.close()
    return {
        setting: {
            mix: {key: statistics.median(run[key] for run in each[setting, mix]) for key in each[setting, mix][0]}
            for mix in MIXES
        }
        for setting in SETTINGS
    }


async def _mix(storage: Storage, writers: int, readers: int, seconds: float) -> dict[str, float]:
    waits: list[float] = []
    reads = 0
    end = time.perf_counter() + seconds

    async def write() -> None:
        while time.perf_counter() < end:
            _spin()
            start = time.perf_counter()
            await asyncio.wrap_future(storage.submit(_work(time.time_ns())))
            waits.append(time.perf_counter() - start)

    async def read() -> None:
        nonlocal reads
        while time.perf_counter() < end:
            _spin()
            with storage.read() as tx:
                tx.one("SELECT value FROM entry WHERE number = :number AND position = 3", {"number": 7})
            reads += 1
            await asyncio.sleep(0)

    await asyncio.gather(*(write() for _ in range(writers)), *(read() for _ in range(readers)))
    waits.sort()
    return {
        "writes": round(len(waits) / seconds),
        "reads": round(reads / seconds),
        "write_milliseconds_p50": round(waits[len(waits) // 2] * 1000, 2),
        "write_milliseconds_p99": round(waits[int(len(waits) * 0.99)] * 1000, 2),
    }


def _work(number: int) -> Any:
    def work(tx: Transaction) -> None:
        for position in range(STATEMENTS):
            tx.execute(
                "INSERT INTO entry (number, position, value) VALUES (:number, :position, :value)",
                {"number": number, "position": position, "value": f"value {position}"},
            )

    return work


def _spin() -> None:
    """What a request costs in Python besides its rows."""
    end = time.perf_counter() + REQUEST_SECONDS
    while time.perf_counter() < end:
        pass


if __name__ == "__main__":
    main()
