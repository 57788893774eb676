"""Background work: what parts do by themselves, every so often, on a thread of its own."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("modelyard.workers")


GATHER_SECONDS = 0.02
"""Between being woken and acting, so that what comes at the same time is done in one turn."""


class Periodic:
    """Calls `action` every `seconds`, and soon after it is woken, until it is stopped.

    What the action raises is logged; the next turn comes all the same.
    """

    def __init__(self, name: str, seconds: float, action: Callable[[], object]) -> None:
        self._name = name
        self._seconds = seconds
        self._action = action
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Let the next turn come soon; on any thread, and quick."""
        self._woken.set()

    def stop(self) -> None:
        """End after the turn that runs now, and wait for it."""
        self._stopping.set()
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._woken.wait(self._seconds) and self._stopping.wait(GATHER_SECONDS):
                return
            # From here on it is woken for the turn after this one.
            self._woken.clear()
            try:
                self._action()
            except Exception:
                log.exception("the worker %s failed; it goes on", self._name)
