"""All the SQL of queues; that of messages is in store_messages.py."""

from collections.abc import Mapping

import orjson

from modelyard.queues.queue import Queue, QueueName
from modelyard.storage.interface import Row, Transaction

LAST = "\U0010ffff"
"""Behind every character that a name may have."""
_QUEUE = "SELECT id, account, region, name, space, created, modified, purged, attributes FROM queue"


def _queue(row: Row) -> Queue:
    return Queue(row[0], QueueName(row[1], row[2], row[3]), row[4], row[5], row[6], row[7], orjson.loads(row[8]))


def queue(tx: Transaction, at: QueueName) -> Queue | None:
    """The queue of that name."""
    row = tx.one(
        f"{_QUEUE} WHERE account = :account AND region = :region AND name = :name",
        {"account": at.account, "region": at.region, "name": at.name},
    )
    return None if row is None else _queue(row)


def names(tx: Transaction, account: str, region: str, prefix: str, after: str, most: int) -> list[str]:
    """Names of queues in order, those that begin with `prefix` and come after `after`."""
    rows = tx.all(
        "SELECT name FROM queue WHERE account = :account AND region = :region AND name > :after"
        " AND name >= :prefix AND name < :beyond ORDER BY name LIMIT :most",
        {"account": account, "region": region, "prefix": prefix, "beyond": prefix + LAST, "after": after, "most": most},
    )
    return [name for (name,) in rows]


def all_queues(tx: Transaction, after: int, most: int) -> list[Queue]:
    """Queues of everybody in the order they were made, for the worker."""
    return [_queue(row) for row in tx.all(f"{_QUEUE} WHERE id > :after ORDER BY id LIMIT :most", {"after": after, "most": most})]


def add(tx: Transaction, at: QueueName, attributes: Mapping[str, str], now: float) -> None:
    """Keep a new queue, with room for messages."""
    tx.execute(
        "INSERT INTO queue (account, region, name, space, created, modified, attributes)"
        " VALUES (:account, :region, :name, :space, :now, :now, :attributes)",
        {
            "account": at.account,
            "region": at.region,
            "name": at.name,
            "space": _new_space(tx),
            "now": now,
            "attributes": orjson.dumps(dict(attributes)).decode(),
        },
    )


def _new_space(tx: Transaction) -> int:
    row = tx.one("INSERT INTO queue_space (abandoned) VALUES (0) RETURNING id")
    assert row is not None
    return int(row[0])


def set_attributes(tx: Transaction, queue_id: int, attributes: Mapping[str, str], now: float) -> None:
    """Keep these attributes and no others."""
    tx.execute(
        "UPDATE queue SET attributes = :attributes, modified = :now WHERE id = :id",
        {"id": queue_id, "attributes": orjson.dumps(dict(attributes)).decode(), "now": now},
    )


def delete(tx: Transaction, queue: Queue) -> None:
    """Forget a queue; its messages are out of reach at once, and gone when the worker has been there."""
    tx.execute("DELETE FROM queue WHERE id = :id", {"id": queue.id})
    _abandon(tx, queue.space)


def empty(tx: Transaction, queue: Queue, now: float) -> None:
    """Have no messages."""
    tx.execute(
        "UPDATE queue SET space = :space, purged = :now WHERE id = :id", {"id": queue.id, "space": _new_space(tx), "now": now}
    )
    _abandon(tx, queue.space)


def _abandon(tx: Transaction, space: int) -> None:
    tx.execute("UPDATE queue_space SET abandoned = 1 WHERE id = :space", {"space": space})


def clear_abandoned(tx: Transaction, most: int) -> bool:
    """Remove up to `most` messages of abandoned spaces, and a space that is empty; whether there may be more."""
    row = tx.one("SELECT id FROM queue_space WHERE abandoned = 1 ORDER BY id LIMIT 1")
    if row is None:
        return False
    for table in ("queue_message", "queue_deduplication"):
        gone = tx.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE space = :space LIMIT :most)",
            {"space": row[0], "most": most},
        )
        if gone == most:
            return True
    tx.execute("DELETE FROM queue_space WHERE id = :space", {"space": row[0]})
    return True
