"""What was lost beside answers (captures that could not be kept, copies that a shadow did not answer): counted, and told.

Whoever asks an endpoint notices nothing of it, so it is told at once, and then at most once a minute, in two places: in this
server's log, and in the log group of the endpoint, where those look who deployed it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.log_lines import LogLines, LogStream
from modelyard.endpoints.acting import RoleUnusable
from modelyard.endpoints.model import Name

BETWEEN_SECONDS = 60.0

log = logging.getLogger("modelyard.endpoints")


@dataclass(frozen=True, slots=True)
class Place:
    """A variant that something was lost of."""

    at: Name
    """The endpoint."""
    variant: str
    role: str | None
    """As whom its log group is written."""


@dataclass(slots=True)
class _Count:
    lost: int = 0
    total: int = 0
    why: str = ""
    not_before: float = 0.0


class Losses:
    """Counts them. On any thread."""

    def __init__(self, lines: LogLines, context: Callable[[Name, str | None], Context]) -> None:
        self._lines = lines
        self._context = context
        self._lock = threading.Lock()
        self._counts: dict[tuple[Place, str], _Count] = {}

    def add(self, place: Place, what: str, number: int, why: str) -> None:
        """Note that so many (`what`: data captures, copies) were lost, and why."""
        with self._lock:
            count = self._counts.setdefault((place, what), _Count())
            count.lost += number
            count.total += number
            count.why = why

    def total(self, place: Place, what: str) -> int:
        """How many were lost since anything was."""
        with self._lock:
            found = self._counts.get((place, what))
            return 0 if found is None else found.total

    def tell(self, *, at_once: bool = False) -> None:
        """Tell what is due, or everything."""
        now, due = time.monotonic(), []
        with self._lock:
            for about, count in list(self._counts.items()):
                if count.lost and (at_once or now >= count.not_before):
                    due.append((*about, count.lost, count.why))
                    count.lost, count.not_before = 0, now + BETWEEN_SECONDS
                elif not count.lost and now > count.not_before + BETWEEN_SECONDS:
                    del self._counts[about]
        for place, what, lost, why in due:
            log.warning("%s of variant %s of %s were lost: %d. %s", what, place.variant, place.at.arn, lost, why)
            self._lines.write(self._stream(place), f"{what} that were lost: {lost}. {why}")

    def _stream(self, place: Place) -> LogStream:
        def context() -> Context:
            try:
                return self._context(place.at, place.role)
            except RoleUnusable as error:
                raise AwsError(str(error)) from error

        return LogStream(context, f"/aws/sagemaker/Endpoints/{place.at.name}", f"{place.variant}/losses")
