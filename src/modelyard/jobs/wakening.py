"""Who wants to know at once that jobs changed: the worker that runs them."""

import threading
from collections.abc import Callable

_lock = threading.Lock()
_listeners: tuple[Callable[[], None], ...] = ()


def listen(wake: Callable[[], None]) -> Callable[[], None]:
    """Have `wake` called, on any thread, after each commit with a change and when a job ended; what ends that."""
    global _listeners  # noqa: PLW0603  one process has one list
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
