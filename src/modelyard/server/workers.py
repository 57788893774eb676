"""Background work: what parts do by themselves, every so often, on a thread of its own."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("modelyard.workers")


class Periodic:
    """Calls `action` every `seconds` until it is stopped. What the action raises is logged; the next turn comes all the same."""

    def __init__(self, name: str, seconds: float, action: Callable[[], object]) -> None:
        self._name = name
        self._seconds = seconds
        self._action = action
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the turn that runs now, and wait for it."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            try:
                self._action()
            except Exception:
                log.exception("the worker %s failed; it goes on", self._name)
