"""All the SQL of messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.queues.message import Attributes, Message, pack, unpack
from modelyard.queues.queue import Queue
from modelyard.storage.interface import Row, Transaction

LOOKS = 8
"""How often a receive looks further when what it found belongs to groups that wait for a delayed message."""
_MESSAGE = (
    "SELECT m.id, m.message_id, m.body, m.attributes, m.system, m.group_id, m.sent, m.received, m.received_before,"
    " m.first_received FROM queue_message m"
)
_STANDARD = (
    f"{_MESSAGE} WHERE m.space = :space AND m.visible_at <= :now AND m.sent > :oldest ORDER BY m.visible_at, m.id LIMIT :most"
)
_IN_ORDER = (
    # The sum keeps SQLite from the index by visible_at, with which it would sort all that is in the queue.
    f"{_MESSAGE} WHERE m.space = :space AND m.visible_at + 0 <= :now AND m.sent > :oldest"
    # A group waits while any of its messages is in flight.
    " AND m.group_id NOT IN (SELECT f.group_id FROM queue_message f WHERE f.space = :space AND f.visible_at > :now"
    " AND f.received > f.received_before AND f.group_id IS NOT NULL)"
)
_IN_FLIGHT = "SELECT 1 FROM queue_message WHERE space = :space AND visible_at > :now AND received > received_before"


def _message(row: Row) -> Message:
    return Message(row[0], row[1], row[2], unpack(row[3]), orjson.loads(row[4]), row[5], row[6], row[7], row[8], row[9])


def add(
    tx: Transaction,
    queue: Queue,
    *,
    message_id: str,
    body: str,
    attributes: Attributes,
    system: Mapping[str, str],
    group_id: str | None,
    now: float,
    visible_at: float,
) -> int:
    """Keep a message; its number, which grows with every message."""
    row = tx.one(
        "INSERT INTO queue_message"
        " (space, visible_at, sent, message_id, body, attributes, system, group_id, received, received_before)"
        " VALUES (:space, :visible_at, :now, :message_id, :body, :attributes, :system, :group_id, 0, 0) RETURNING id",
        {
            "space": queue.space,
            "visible_at": visible_at,
            "now": now,
            "message_id": message_id,
            "body": body,
            "attributes": pack(attributes),
            "system": orjson.dumps(dict(system)).decode(),
            "group_id": group_id,
        },
    )
    assert row is not None
    return int(row[0])


def earlier_twin(tx: Transaction, queue: Queue, scope: str, deduplication_id: str, since: float) -> tuple[str, int] | None:
    """The message id and number of what was sent under this deduplication id since then."""
    row = tx.one(
        "SELECT message_id, sequence FROM queue_deduplication"
        " WHERE space = :space AND scope = :scope AND deduplication_id = :id AND sent > :since",
        {"space": queue.space, "scope": scope, "id": deduplication_id, "since": since},
    )
    return None if row is None else (row[0], row[1])


def remember_twin(
    tx: Transaction, queue: Queue, scope: str, deduplication_id: str, *, message_id: str, sequence: int, now: float
) -> None:
    """Note what was sent under this deduplication id."""
    tx.execute(
        "INSERT INTO queue_deduplication (space, scope, deduplication_id, sent, message_id, sequence)"
        " VALUES (:space, :scope, :id, :now, :message_id, :sequence) ON CONFLICT (space, scope, deduplication_id)"
        " DO UPDATE SET sent = excluded.sent, message_id = excluded.message_id, sequence = excluded.sequence",
        {
            "space": queue.space,
            "scope": scope,
            "id": deduplication_id,
            "now": now,
            "message_id": message_id,
            "sequence": sequence,
        },
    )


def receivable(tx: Transaction, queue: Queue, now: float, most: int) -> list[Message]:
    """Messages that may be received now, in the queue's order."""
    oldest = now - queue.number("MessageRetentionPeriod")
    parameters = {"space": queue.space, "now": now, "oldest": oldest, "most": most}
    if queue.is_fifo:
        return _receivable_in_order(tx, parameters)
    return [_message(row) for row in tx.all(_STANDARD, parameters)]


def _receivable_in_order(tx: Transaction, parameters: Mapping[str, Any]) -> list[Message]:
    """The first messages, without those of groups in which an earlier one is delayed."""
    delayed: set[str] = set()
    found: list[Message] = []
    for _ in range(LOOKS):
        names = {f"delayed_{place}": group for place, group in enumerate(delayed)}
        others = f" AND m.group_id NOT IN ({', '.join(':' + name for name in names)})" if names else ""
        rows = tx.all(f"{_IN_ORDER}{others} ORDER BY m.id LIMIT :most", {**parameters, **names})
        found = [_message(row) for row in rows]
        first = {str(one.group_id): one.id for one in reversed(found)}
        late = {group for group, number in first.items() if _has_earlier_delayed(tx, parameters, group, number)}
        if not late:
            return found
        delayed |= late
    return [one for one in found if one.group_id not in delayed]


def _has_earlier_delayed(tx: Transaction, parameters: Mapping[str, Any], group: str, number: int) -> bool:
    sql = (
        "SELECT 1 FROM queue_message"
        " WHERE space = :space AND group_id = :group AND id < :number AND visible_at + 0 > :now LIMIT 1"
    )
    wanted = {"space": parameters["space"], "now": parameters["now"], "group": group, "number": number}
    return tx.one(sql, wanted) is not None


def take(tx: Transaction, messages: Sequence[Message], now: float, visible_at: float) -> None:
    """Put messages in flight until `visible_at`."""
    tx.execute_many(
        "UPDATE queue_message SET visible_at = :visible_at, received = received + 1,"
        " first_received = COALESCE(first_received, :now) WHERE id = :id",
        [{"id": message.id, "now": now, "visible_at": visible_at} for message in messages],
    )


def move(tx: Transaction, messages: Sequence[Message], to: Queue, source_arn: str, now: float) -> None:
    """Put messages into another queue, where they can be received now."""
    tx.execute_many(
        "UPDATE queue_message SET space = :space, visible_at = :now, received_before = received, system = :system WHERE id = :id",
        [
            {
                "id": message.id,
                "space": to.space,
                "now": now,
                "system": orjson.dumps({**message.system, "DeadLetterQueueSourceArn": source_arn}).decode(),
            }
            for message in messages
        ],
    )


def next_visible(tx: Transaction, queue: Queue, now: float) -> float | None:
    """When the next message that is delayed or in flight can be received."""
    row = tx.one(
        "SELECT visible_at FROM queue_message WHERE space = :space AND visible_at > :now ORDER BY visible_at LIMIT 1",
        {"space": queue.space, "now": now},
    )
    return None if row is None else float(row[0])


def has_in_flight(tx: Transaction, queue: Queue, now: float, number: int) -> bool:
    """Whether so many messages are in flight."""
    sql = f"{_IN_FLIGHT} ORDER BY visible_at LIMIT 1 OFFSET :skipped"
    return tx.one(sql, {"space": queue.space, "now": now, "skipped": number - 1}) is not None


@dataclass(frozen=True, slots=True)
class Held:
    """Where a message stands that a receipt handle names."""

    visible_at: float
    received: int


def held(tx: Transaction, queue: Queue, message: int) -> Held | None:
    """How a message of the queue stands."""
    row = tx.one(
        "SELECT visible_at, received FROM queue_message WHERE id = :id AND space = :space", {"id": message, "space": queue.space}
    )
    return None if row is None else Held(*row)


def delete(tx: Transaction, queue: Queue, message: int, received: int) -> bool:
    """Remove a message, unless it was received again since; whether it was there."""
    parameters = {"id": message, "space": queue.space, "received": received}
    return tx.execute("DELETE FROM queue_message WHERE id = :id AND space = :space AND received = :received", parameters) > 0


def set_visible_at(tx: Transaction, message: int, visible_at: float) -> None:
    """Let a message that is in flight be received from then on."""
    tx.execute("UPDATE queue_message SET visible_at = :visible_at WHERE id = :id", {"id": message, "visible_at": visible_at})


def count(tx: Transaction, queue: Queue, now: float) -> tuple[int, int, int]:
    """How many messages can be received, are in flight, are delayed. It reads an entry of the index for each of them."""
    oldest = now - queue.number("MessageRetentionPeriod")
    parameters: dict[str, Any] = {"space": queue.space, "now": now, "oldest": oldest}
    row = tx.one(
        "SELECT count(CASE WHEN visible_at <= :now THEN 1 END),"
        " count(CASE WHEN visible_at > :now AND received > received_before THEN 1 END),"
        " count(CASE WHEN visible_at > :now AND received = received_before THEN 1 END)"
        " FROM queue_message WHERE space = :space AND sent > :oldest",
        parameters,
    )
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


def expire(tx: Transaction, queue: Queue, now: float, most: int) -> bool:
    """Remove the oldest messages that are past the queue's retention, up to `most`; whether there may be more.

    Numbers grow with time, so the oldest are the first.
    """
    oldest = now - queue.number("MessageRetentionPeriod")
    rows = tx.all(
        "SELECT id, sent FROM queue_message WHERE space = :space ORDER BY id LIMIT :most", {"space": queue.space, "most": most}
    )
    expired = [number for number, sent in rows if sent <= oldest]
    tx.execute_many("DELETE FROM queue_message WHERE id = :id", [{"id": number} for number in expired])
    return len(expired) == most


def has_expired(tx: Transaction, queue: Queue, now: float) -> bool:
    """Whether the queue's oldest message is past its retention."""
    row = tx.one("SELECT sent FROM queue_message WHERE space = :space ORDER BY id LIMIT 1", {"space": queue.space})
    return row is not None and bool(row[0] <= now - queue.number("MessageRetentionPeriod"))


def forget_twins(tx: Transaction, before: float, most: int) -> bool:
    """Forget what was sent before then, up to `most`; whether there may be more."""
    rows = tx.all("SELECT id, sent FROM queue_deduplication ORDER BY id LIMIT :most", {"most": most})
    expired = [number for number, sent in rows if sent <= before]
    tx.execute_many("DELETE FROM queue_deduplication WHERE id = :id", [{"id": number} for number in expired])
    return len(expired) == most
