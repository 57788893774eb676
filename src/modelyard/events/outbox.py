"""The outbox: an event is a row in the transaction of the change that it tells of.

Positions count up in the order of commits, since writes come one after the other: whoever has read up to a position misses
nothing by going on after it. That order holds over all, and so within every account and every group. Numbers may be left out.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.events import listeners
from modelyard.storage.interface import Row, Transaction

TRIMMED = ""
"""The reader's name under which it is kept how far the outbox was trimmed."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event as EventBridge knows it, and its place in the outbox."""

    position: int
    time: float
    account: str
    region: str
    group_key: str
    """Whose order it keeps: the ARN of a model package group, of a bucket …"""
    source: str
    detail_type: str
    resources: Sequence[str]
    detail: str
    """A JSON object."""

    @property
    def id(self) -> str:
        """A UUID, the same every time the event is read."""
        text = f"{self.position} {self.time} {self.account} {self.group_key}"
        return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def publish(
    tx: Transaction,
    *,
    source: str,
    detail_type: str,
    account: str,
    region: str,
    resources: Sequence[str],
    detail: Mapping[str, Any],
    group_key: str,
    now: float,
) -> None:
    """Add an event to the outbox, in the transaction of what it tells of; who listens is told after the commit."""
    tx.execute(
        "INSERT INTO event (time, account, region, group_key, source, detail_type, resources, detail)"
        " VALUES (:time, :account, :region, :group_key, :source, :detail_type, :resources, :detail)",
        {
            "time": now,
            "account": account,
            "region": region,
            "group_key": group_key,
            "source": source,
            "detail_type": detail_type,
            "resources": orjson.dumps(resources).decode(),
            "detail": orjson.dumps(detail).decode(),
        },
    )
    tx.after_commit(listeners.tell)


_EVENT = "place, time, account, region, group_key, source, detail_type, resources, detail"


def _event(row: Row) -> Event:
    position, time, account, region, group_key, source, detail_type, resources, detail = row
    return Event(position, time, account, region, group_key, source, detail_type, orjson.loads(resources), detail)


def read(tx: Transaction, after: int, limit: int, *, group_key: str | None = None) -> list[Event]:
    """Events after a position, oldest first: of all accounts, or of one group."""
    narrowed = "" if group_key is None else " AND group_key = :group_key"
    parameters: dict[str, object] = {"after": after, "limit": limit}
    if group_key is not None:
        parameters["group_key"] = group_key
    rows = tx.all(f"SELECT {_EVENT} FROM event WHERE place > :after{narrowed} ORDER BY place LIMIT :limit", parameters)  # noqa: S608
    return [_event(row) for row in rows]


def read_account(tx: Transaction, account: str, region: str, after: int, until: int, limit: int) -> list[Event]:
    """Events of one account and region between two positions (the second included), oldest first."""
    rows = tx.all(
        f"SELECT {_EVENT} FROM event WHERE place > :after AND place <= :until"  # noqa: S608
        " AND account = :account AND region = :region ORDER BY place LIMIT :limit",
        {"account": account, "region": region, "after": after, "until": until, "limit": limit},
    )
    return [_event(row) for row in rows]


def last_position(tx: Transaction) -> int:
    """The position of the newest event; 0 when there is none."""
    row = tx.one("SELECT place FROM event ORDER BY place DESC LIMIT 1")
    return trimmed_to(tx) if row is None else int(row[0])


def trimmed_to(tx: Transaction) -> int:
    """The position up to which events are gone; 0 when none are."""
    return position_of(tx, TRIMMED)


def position_of(tx: Transaction, reader: str) -> int:
    """The position up to which a reader is done; 0 for one that never said."""
    row = tx.one("SELECT place FROM event_reader WHERE name = :name", {"name": reader})
    return 0 if row is None else int(row[0])


def done(tx: Transaction, reader: str, position: int) -> None:
    """Note that a reader is done with everything up to a position: it may be trimmed, and the reader goes on after it."""
    tx.execute(
        "INSERT INTO event_reader (name, place) VALUES (:name, :position)"
        " ON CONFLICT (name) DO UPDATE SET place = excluded.place",
        {"name": reader, "position": position},
    )


def spare(tx: Transaction, before: float, most_rows: int, limit: int) -> int:
    """The position up to which events may be removed, looking at no more than `limit` of them; 0 when none may."""
    row = tx.one("SELECT min(place) FROM event_reader WHERE name <> ''")
    needed = None if row is None or row[0] is None else int(row[0])
    beyond = last_position(tx) - most_rows
    last = 0
    for place, time in tx.all("SELECT place, time FROM event ORDER BY place LIMIT :limit", {"limit": limit}):
        if (time >= before and place > beyond) or (needed is not None and place > needed):
            break
        last = place
    return last


def trim(tx: Transaction, before: float, most_rows: int, limit: int) -> int:
    """Remove events that are older than a time, or beyond the newest `most_rows`, at most `limit` of them; how many that were.

    What a reader is not done with stays.
    """
    last = spare(tx, before, most_rows, limit)
    if not last:
        return 0
    done(tx, TRIMMED, last)
    return tx.execute("DELETE FROM event WHERE place <= :last", {"last": last})
