"""Several processes on one database, and one that is killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.contract.storage import process
from tests.contract.storage.batches import add, names

from modelyard.storage import Storage, open_storage, verify

pytestmark = pytest.mark.ours

PROJECT = Path(__file__).resolve().parents[3]
SCRIPT = Path(process.__file__)


def start(what: str, address: str, name: str = "") -> "subprocess.Popen[str]":
    """Start another process on the same database."""
    command = [sys.executable, SCRIPT, what, address, name]
    return subprocess.Popen(
        command, cwd=PROJECT, env={"PYTHONPATH": str(PROJECT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def finish(started: "subprocess.Popen[str]") -> str:
    """Its output, once it has ended well."""
    out, _ = started.communicate(timeout=120)
    assert started.returncode == 0
    return out


def test_no_number_is_lost_or_repeated(storage: Storage, address: str) -> None:
    """64 writers in four processes take numbers from one row: 1, 2, 3 … each exactly once, without one error."""
    storage.write(lambda tx: tx.execute("INSERT INTO counter (name, value) VALUES ('versions', 0)"))
    started = [start("count", address, f"process {number}") for number in range(4)]
    taken = sorted(int(number) for process_ in started for number in finish(process_).split())
    total = 4 * process.THREADS * process.TIMES
    assert taken == list(range(1, total + 1))
    with storage.read() as tx:
        assert tx.one("SELECT value FROM counter") == (total,)
        assert tx.one("SELECT count(DISTINCT amount), count(*) FROM thing") == (total, total)


def test_what_was_acknowledged_survives_kill_9(storage: Storage, address: str) -> None:
    """After kill -9 in the middle of commits every acknowledged pair is there, whole, and no half of any other."""
    started = start("acknowledge", address)
    assert started.stdout is not None
    acknowledged = [int(started.stdout.readline()) for _ in range(300)]
    started.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in started.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    started.wait(10)
    started.stdout.close()
    assert started.stdin is not None
    started.stdin.close()
    # The other process's session may live a moment longer in a PostgreSQL server; its lock is the sign of it.
    storage.write(add("afterwards"))
    with storage.read() as tx:
        halves = dict(tx.all("SELECT amount, count(*) FROM thing WHERE amount IS NOT NULL GROUP BY amount"))
    assert set(acknowledged) <= set(halves)
    assert set(halves.values()) == {2}
    assert verify(storage).problems == ()


def test_a_writer_waits_for_another_process(storage: Storage, address: str) -> None:
    """While another process holds the write lock a write waits, reads do not, and nobody gets an error."""
    started = start("hold", address, "theirs")
    assert started.stdout is not None
    assert started.stdout.readline() == "holding\n"
    future = storage.submit(add("ours"))
    began = time.monotonic()
    assert names(storage) == []
    assert time.monotonic() - began < 0.5
    with pytest.raises(TimeoutError):
        future.result(0.2)
    started.communicate("\n", timeout=30)
    future.result(30)
    assert names(storage) == ["ours", "theirs"]


def test_two_processes_that_start_at_once_migrate_once(address: str) -> None:
    """Each step is taken by exactly one of the processes, and both find the schema complete."""
    open_storage(address).close()
    started = [start("migrate", address) for _ in range(2)]
    time.sleep(0.5)
    for each in started:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    steps = sorted(" ".join(finish(each) for each in started).split())
    assert steps == ["tests.migration.sample/0001_shelves", "tests.migration.sample/0002_books"]
