"""Background work: by the clock, when it is woken, and not after its end."""

import threading

import pytest

from modelyard.events import listeners
from modelyard.server.workers import Periodic

pytestmark = pytest.mark.ours
NEVER = 3600.0
PATIENCE = 30.0


def test_a_worker_acts_when_it_is_woken() -> None:
    """Whoever is woken acts long before its time, once more for each time it is woken after a turn."""
    acted = threading.Semaphore(0)
    worker = Periodic("woken", NEVER, acted.release)
    try:
        for _ in range(3):
            worker.wake()
            assert acted.acquire(timeout=PATIENCE)
    finally:
        worker.stop()
    assert not acted.acquire(blocking=False)


def test_a_worker_acts_by_itself() -> None:
    """Without being woken it acts when its time has come, and again after what it did has failed."""
    acted = threading.Semaphore(0)

    def act() -> None:
        acted.release()
        raise ValueError("a defect in the work")

    worker = Periodic("by itself", 0.001, act)
    try:
        assert acted.acquire(timeout=PATIENCE)
        assert acted.acquire(timeout=PATIENCE)
    finally:
        worker.stop()


def test_a_worker_that_is_stopped_does_not_act() -> None:
    """Stopping ends the wait at once, without a turn."""
    acted = threading.Event()
    Periodic("stopped", NEVER, acted.set).stop()
    assert not acted.is_set()


def test_who_listens_is_told_until_it_forgets() -> None:
    """Everybody who listens is told, each by itself."""
    told: list[str] = []
    forget = [listeners.listen(lambda name=name: told.append(name)) for name in ("a", "b")]  # type: ignore[misc]
    listeners.tell()
    forget[0]()
    listeners.tell()
    forget[1]()
    listeners.tell()
    assert told == ["a", "b", "b"]
