"""All the SQL of log events."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.logs.log_group import EVENT_OVERHEAD, LogEvent, LogGroup
from modelyard.logs.store import LAST
from modelyard.storage.interface import Transaction

CHUNK = 50
"""Events that are read at a time: each may have a megabyte."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which events: of a group, or of one stream of it, or some; from `start` on and before `end`, in epoch milliseconds."""

    group_id: int
    start: int
    end: int
    streams: Sequence[int] | None = None
    """None for all."""
    prefix: str | None = None
    """Only streams whose names begin so."""

    def condition(self, after: tuple[int, int] | None, *, descending: bool) -> tuple[str, dict[str, Any]]:
        """The events behind `after` (a time and a number) as SQL, with its parameters.

        One bound on each side, the narrower one: given two, SQLite may look for the wider one in its index.
        """
        single = self.streams is not None and len(self.streams) == 1
        text = "stream_id = :stream" if single else "group_id = :group_id"
        parameters: dict[str, Any] = {"stream": self.streams[0]} if single and self.streams else {"group_id": self.group_id}
        lower, upper = "time >= :start", "time < :end"
        if after is not None and descending and after[0] < self.end:
            upper = "(time, id) < (:after_time, :after_id)"
        if after is not None and not descending and after[0] >= self.start:
            lower = "(time, id) > (:after_time, :after_id)"
        parameters |= {"start": self.start} if "start" in lower else {}
        parameters |= {"end": self.end} if "end" in upper else {}
        if after is not None and "after" in lower + upper:
            parameters |= {"after_time": after[0], "after_id": after[1]}
        some, names = self._some_streams() if not single else ("", {})
        return f"{text} AND {lower} AND {upper}{some}", {**parameters, **names}

    def _some_streams(self) -> tuple[str, dict[str, Any]]:
        """The condition that leaves the streams that are wanted, with its parameters."""
        text, parameters = "", {}
        if self.streams is not None:
            parameters = {f"stream_{place}": number for place, number in enumerate(self.streams)}
            text = f" AND stream_id IN ({', '.join(':' + name for name in parameters)})"
        if self.prefix is None:
            return text, parameters
        text += " AND stream_id IN (SELECT id FROM log_stream WHERE group_id = :group_id AND name >= :prefix AND name < :beyond)"
        return text, {**parameters, "prefix": self.prefix, "beyond": self.prefix + LAST}


def add(tx: Transaction, group_id: int, stream_id: int, events: Sequence[dict[str, Any]], now: int) -> None:
    """Keep events, in their order."""
    tx.execute_many(
        "INSERT INTO log_event (group_id, stream_id, time, ingested, message)"
        " VALUES (:group_id, :stream_id, :time, :now, :message)",
        [
            {
                "group_id": group_id,
                "stream_id": stream_id,
                "time": event["timestamp"],
                "now": now,
                "message": event["message"],
            }
            for event in events
        ],
    )


def walk(tx: Transaction, span: Span, after: tuple[int, int] | None, *, descending: bool) -> Iterator[LogEvent]:
    """The events of a span one by one in order of time and arrival, from behind the event `after` (its time and number)."""
    direction = " DESC" if descending else ""
    while True:
        text, parameters = span.condition(after, descending=descending)
        rows = tx.all(
            f"SELECT id, stream_id, time, ingested, message FROM log_event WHERE {text}"
            f" ORDER BY time{direction}, id{direction} LIMIT :most",
            {**parameters, "most": CHUNK},
        )
        for row in rows:
            yield LogEvent(*row)
        if len(rows) < CHUNK:
            return
        after = (rows[-1][2], rows[-1][0])


def expire(tx: Transaction, group: LogGroup, now: int, most: int) -> bool:
    """Remove the oldest events that are past the group's retention, up to `most`; whether there may be more."""
    rows = tx.all(
        "SELECT id, message FROM log_event WHERE group_id = :group_id AND time < :oldest ORDER BY time, id LIMIT :most",
        {"group_id": group.id, "oldest": group.oldest(now), "most": most},
    )
    tx.execute_many("DELETE FROM log_event WHERE id = :id", [{"id": number} for number, _ in rows])
    if rows:
        size = sum(len(message.encode()) + EVENT_OVERHEAD for _, message in rows)
        tx.execute("UPDATE log_group SET stored = stored - :size WHERE id = :id", {"id": group.id, "size": size})
    return len(rows) == most


def has_expired(tx: Transaction, group: LogGroup, now: int) -> bool:
    """Whether the group holds an event past its retention."""
    sql = "SELECT 1 FROM log_event WHERE group_id = :group_id AND time < :oldest LIMIT 1"
    return tx.one(sql, {"group_id": group.id, "oldest": group.oldest(now)}) is not None


def clear_remains(tx: Transaction, most: int) -> bool:
    """Remove up to `most` rows of what was deleted first; whether there may be more."""
    row = tx.one("SELECT id, group_id, stream_id FROM log_remains ORDER BY id LIMIT 1")
    if row is None:
        return False
    number, group_id, stream_id = row
    column, value = ("group_id", group_id) if group_id is not None else ("stream_id", stream_id)
    for table in ("log_event", "log_stream") if group_id is not None else ("log_event",):
        gone = tx.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {column} = :value LIMIT :most)",
            {"value": value, "most": most},
        )
        if gone == most:
            return True
    tx.execute("DELETE FROM log_remains WHERE id = :id", {"id": number})
    return True
