"""Results of invocations that somebody waits for, until they are fetched."""

import threading
import time

from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.functions.invocation import Outcome

KEPT_SECONDS = 60.0
"""How long a result waits for a caller who may have left."""


class Results:
    """Outcomes by the id of the request that waits for them (an engine, `dispatch.engines`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected: dict[str, tuple[float, Outcome] | None] = {}

    @classmethod
    def of(cls, dispatcher: Dispatcher) -> "Results":
        """Those of a server."""
        return dispatcher.engines.get(cls, cls)

    def expect(self, request_id: str) -> bool:
        """Note that somebody waits; False when that was noted before."""
        with self._lock:
            if request_id in self._expected:
                return False
            self._expected[request_id] = None
            return True

    def put(self, request_id: str, outcome: Outcome) -> None:
        """Keep a result; those that nobody fetched are forgotten."""
        now = time.monotonic()
        with self._lock:
            self._expected[request_id] = (now, outcome)
            old = [key for key, kept in self._expected.items() if kept is not None and kept[0] < now - KEPT_SECONDS]
            for key in old:
                del self._expected[key]

    def take(self, request_id: str) -> Outcome | None:
        """Fetch a result, if it is there."""
        with self._lock:
            kept = self._expected.get(request_id)
            if kept is None:
                return None
            del self._expected[request_id]
            return kept[1]

    def close(self) -> None:
        """Forget everything."""
        self._expected.clear()
