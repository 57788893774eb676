"""Processes that a test started, and what these started in turn: never what else runs on the machine."""

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ENDED = ("Z", "X")
SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, order=True)
class Process:
    """A process. The machine gives its number to another one later, but not with the time it began."""

    number: int
    began: str

    def words(self) -> list[str]:
        """Its command line; none once it has ended."""
        with suppress(OSError):
            return (Path("/proc") / str(self.number) / "cmdline").read_text().rstrip("\0").split("\0")
        return []


def below(number: int) -> set[Process]:
    """What a process started, and what that started, as far as it runs."""
    return _below(_running(), {number})


def keep_orphans() -> None:
    """From now on what loses its parent below this process becomes a child of this one, and so stays below it."""
    assert ctypes.CDLL(None, use_errno=True).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())


def left_of(processes: Iterable[Process]) -> set[Process]:
    """Those of the processes that still run, with what they started since."""
    running = _running()
    left = set(running) & set(processes)
    return left | _below(running, {process.number for process in left})


def frozen(number: int) -> set[Process]:
    """Stop a process where it is, so that it starts nothing more; what it has started. The process is there to be killed."""
    os.kill(number, signal.SIGSTOP)
    while _state(number) not in ("T", *ENDED):
        time.sleep(0.001)
    return below(number)


def gone(processes: Iterable[Process], seconds: float = 60) -> None:
    """Wait until none of the processes runs any more."""
    deadline = time.monotonic() + seconds
    while left := left_of(processes):
        assert time.monotonic() < deadline, f"{len(left)} processes are left"
        time.sleep(0.02)


def _running() -> dict[Process, int]:
    """Every process, with the number of its parent."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                state, parent, *more = _stat(int(folder.name))
                if state not in ENDED:
                    found[Process(int(folder.name), more[17])] = int(parent)
    return found


def _below(running: dict[Process, int], numbers: set[int]) -> set[Process]:
    found: set[Process] = set()
    while more := {process for process, parent in running.items() if parent in numbers} - found:
        found |= more
        numbers = {process.number for process in more}
    return found


def _state(number: int) -> str:
    return _stat(number)[0]


def _stat(number: int) -> list[str]:
    """What the kernel tells of a process, from its state on: what comes before may have spaces and brackets in it."""
    return (Path("/proc") / str(number) / "stat").read_text().rpartition(") ")[2].split()
