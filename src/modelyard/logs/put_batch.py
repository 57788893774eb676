"""What a batch of log events must be, and which of its events are taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from modelyard.logs.errors import invalid
from modelyard.logs.log_group import DAY, EVENT_OVERHEAD, LogGroup

LARGEST = 1_048_576
"""Bytes of a batch."""
OLDEST = 14 * DAY
NEWEST = 2 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch, sorted into what is taken and what is not."""

    taken: Sequence[dict[str, Any]]
    rejected: dict[str, int]
    """RejectedLogEventsInfo; empty when all is taken."""
    size: int
    """Bytes of what is taken."""


def sort_out(events: Sequence[dict[str, Any]], group: LogGroup, now: int) -> Sorted:
    """The events that are neither too old nor too new. Raises InvalidParameterException for a batch that is refused whole."""
    times = [event["timestamp"] for event in events]
    if any(later < earlier for earlier, later in pairwise(times)):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
    sizes = [len(event["message"].encode()) + EVENT_OVERHEAD for event in events]
    if sum(sizes) > LARGEST:
        raise invalid(f"Upload too large: {sum(sizes)} bytes exceeds limit of {LARGEST}")
    too_old = sum(time < now - OLDEST for time in times)
    expired = sum(time < group.oldest(now) for time in times)
    start, end = max(too_old, expired), len(times) - sum(time > now + NEWEST for time in times)
    if end > start and times[end - 1] - times[start] > DAY:
        raise invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    rejected = {}
    if end < len(times):
        rejected["tooNewLogEventStartIndex"] = end
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired > too_old:
        rejected["expiredLogEventEndIndex"] = expired
    return Sorted(events[start:end], rejected, sum(sizes[start:end]))
