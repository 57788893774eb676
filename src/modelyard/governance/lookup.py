"""Finding records of the audit trail, newest first, a page at a time."""

from dataclasses import dataclass

import orjson

from modelyard.events import store_audit
from modelyard.events.audit_record import Record, subject_key
from modelyard.governance.audit_event import Wanted
from modelyard.storage.interface import Transaction

CHUNK = 200
MOST_LOOKED_AT = 5000
"""Records that one page looks at; beyond them the next page goes on."""


@dataclass(frozen=True, slots=True)
class Page:
    """What was found, and where to go on."""

    found: list[tuple[Record, str]]
    """Records, and their texts."""
    before: int | None
    """The number below which the next page begins; None when there is no more."""


def find(tx: Transaction, wanted: Wanted, *, start: float | None, end: float | None, before: int | None, size: int) -> Page:
    """Records from `start` on, before `end`, with numbers below `before`."""
    first = 1 if start is None else store_audit.first_at(tx, start)
    if before is None:
        head = store_audit.head(tx)
        before = 1 if head is None else head[0] + 1
    if end is not None:
        before = min(before, store_audit.first_at(tx, end))
    subject = subject_key(wanted.subject)
    found: list[tuple[Record, str]] = []
    looked_at = 0
    while looked_at < MOST_LOOKED_AT:
        rows = store_audit.mentioning(tx, subject, before, first, CHUNK)
        for sequence, document in rows:
            before = sequence
            record: Record = orjson.loads(document)
            if wanted.matches(record):
                found.append((record, document))
                if len(found) == size:
                    return Page(found, before)
        if len(rows) < CHUNK:
            return Page(found, None)
        looked_at += len(rows)
    return Page(found, before)
