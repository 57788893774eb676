"""What governance does by itself: sign how far the audit trail has come, and trim the outbox."""

from collections.abc import Callable
from typing import Protocol

from modelyard.clock import Clock
from modelyard.events import outbox, store_audit
from modelyard.events.trail import AuditTrail
from modelyard.settings import Settings
from modelyard.storage.interface import Storage

SECONDS = 60.0
BATCH = 500
"""Events that one commit removes."""
DAY = 86400.0


class House(Protocol):
    """What the worker needs of the server it runs in."""

    @property
    def storage(self) -> Storage:
        """Where the rows are."""
        ...

    @property
    def trail(self) -> AuditTrail:
        """The audit trail."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def settings(self) -> Settings:
        """How long events are kept."""
        ...


def keep_checkpoint(storage: Storage, trail: AuditTrail) -> None:
    """Sign the last record, unless it has a checkpoint; a yard where nothing happens writes nothing."""
    with storage.read() as tx:
        head, last = store_audit.head(tx), store_audit.last_checkpoint(tx)
    if head is not None and (last is None or last.content["sequence"] < head[0]):
        storage.write(trail.keep_checkpoint)


def trim(storage: Storage, settings: Settings, now: float) -> int:
    """Remove the events that need not be kept any longer; how many that were."""
    before = now - settings.events_days * DAY
    removed = 0
    while gone := _trim_some(storage, before, settings.events_rows):
        removed += gone
    return removed


def _trim_some(storage: Storage, before: float, most_rows: int) -> int:
    with storage.read() as tx:
        if not outbox.spare(tx, before, most_rows, 1):
            return 0
    return storage.write(lambda tx: outbox.trim(tx, before, most_rows, BATCH))


def periodic(house: House) -> tuple[float, Callable[[], None]]:
    """What the server calls from time to time, and after how many seconds each time."""

    def tend() -> None:
        keep_checkpoint(house.storage, house.trail)
        trim(house.storage, house.settings, house.clock.now())

    return SECONDS, tend
