"""What a part keeps running besides answering calls: made when first needed, one of each kind, and closed with the server."""

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar, cast


class Engine(Protocol):
    """What runs by itself."""

    def close(self) -> None:
        """End it, and wait for that."""
        ...


E = TypeVar("E", bound=Engine)


class Engines:
    """The engines of one server."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._running: dict[type, Engine] = {}
        self._warned: list[Callable[[], None]] = []
        self._closed = False

    def get(self, kind: type[E], make: Callable[[], E]) -> E:
        """The engine of a kind; `make` is called when there is none yet. Raises RuntimeError once they are closed."""
        found = self._running.get(kind)
        if found is None:
            with self._lock:
                if self._closed:
                    raise RuntimeError("the server is closed")
                found = self._running.get(kind)
                if found is None:
                    found = self._running[kind] = make()
        return cast(E, found)

    def has(self, kind: type) -> bool:
        """Whether an engine of a kind runs."""
        return kind in self._running

    def before_end(self, warn: Callable[[], None]) -> None:
        """Have `warn` called when the server is told to stop, while it still answers; it must be quick."""
        self._warned.append(warn)

    def warn(self) -> None:
        """Tell those who asked for it that the server is about to stop. On the event loop."""
        for warn in self._warned:
            warn()

    @property
    def closing(self) -> bool:
        """Whether they are about to end."""
        return self._closed

    def close(self) -> None:
        """End all of them, those that were made last first. Harmless when called twice."""
        with self._lock:
            self._closed = True
            while self._running:
                self._running.popitem()[1].close()
