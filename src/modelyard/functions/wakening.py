"""Who wants to know at once that an invocation was accepted: the worker that begins it."""

import threading
from collections.abc import Callable

_lock = threading.Lock()
_listeners: tuple[Callable[[], None], ...] = ()


def listen(wake: Callable[[], None]) -> Callable[[], None]:
    """Have `wake` called, on the writer's thread, after each commit with an invocation; what ends that. `wake` must be quick."""
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
