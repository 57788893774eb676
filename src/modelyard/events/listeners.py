"""Who wants to know at once that something was published: workers that read the outbox.

A worker reads the outbox from where it left off, whether it was told or not; being told saves it the wait. It is told only of
what this process publishes, so it also looks by itself from time to time.
"""

import threading
from collections.abc import Callable

_lock = threading.Lock()
_listeners: tuple[Callable[[], None], ...] = ()


def listen(wake: Callable[[], None]) -> Callable[[], None]:
    """Have `wake` called, on the writer's thread, after each commit with an event; what ends that. `wake` must be quick."""
    global _listeners  # noqa: PLW0603  one process has one list, as it has one outbox
    with _lock:
        _listeners = (*_listeners, wake)

    def forget() -> None:
        global _listeners  # noqa: PLW0603
        with _lock:
            _listeners = tuple(one for one in _listeners if one is not wake)

    return forget


def tell() -> None:
    """Call everybody who listens."""
    for wake in _listeners:
        wake()
