"""Builds that were asked of a server: one after the other, on a thread of their own."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.runtime.environments.build import CannotBuild
from modelyard.runtime.environments.recipe import Recipe
from modelyard.runtime.environments.status import Watched

log = logging.getLogger("modelyard.images")


class Builds:
    """The engine of builds (`dispatch.engines`)."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._data = dispatcher.settings.data
        self._lock = threading.Lock()
        self._waiting: dict[str, Watched] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="image-builds")

    @classmethod
    def of(cls, dispatcher: Dispatcher) -> "Builds":
        """That of a server."""
        return dispatcher.engines.get(cls, lambda: cls(dispatcher))

    def begin(self, recipe: Recipe, *, renew: bool) -> None:
        """Build a recipe soon; nothing is done when it waits for that already."""
        with self._lock:
            if recipe.name in self._waiting:
                return
            watched = self._waiting[recipe.name] = Watched(recipe, self._data)
        self._thread.submit(self._run, recipe, watched, renew)

    def has(self, recipe: str) -> bool:
        """Whether a recipe is being built or waits to be."""
        return recipe in self._waiting

    def _run(self, recipe: Recipe, watched: Watched, renew: bool) -> None:
        try:
            built = watched.run(renew=renew)
            log.info("%s is built: %s", recipe.name, built.digest)
        except CannotBuild as error:
            log.warning("%s", error)
        finally:
            with self._lock:
                self._waiting.pop(recipe.name, None)

    def close(self) -> None:
        """Give up what is being built, and wait for that."""
        with self._lock:
            for watched in self._waiting.values():
                watched.stop()
        self._thread.shutdown(wait=True, cancel_futures=True)
