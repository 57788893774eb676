"""The SQL of schedules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.storage.interface import Row, Transaction
from modelyard.triggers.names import Place


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as it is kept."""

    id: int
    place: Place
    name: str
    due: float | None
    document: Mapping[str, Any]
    """What GetSchedule answers, with times in epoch seconds."""

    @property
    def arn(self) -> str:
        """The ARN."""
        return self.place.schedule(self.name)


_SCHEDULE = "SELECT id, account, region, name, due, document FROM event_schedule"


def _schedule(row: Row) -> Schedule:
    return Schedule(row[0], Place(row[1], row[2]), row[3], row[4], orjson.loads(row[5]))


def schedule(tx: Transaction, place: Place, name: str) -> Schedule | None:
    """The schedule of that name."""
    row = tx.one(
        f"{_SCHEDULE} WHERE account = :account AND region = :region AND name = :name",
        {"account": place.account, "region": place.region, "name": name},
    )
    return None if row is None else _schedule(row)


def schedules(tx: Transaction, place: Place, prefix: str, after: str, most: int) -> list[Schedule]:
    """Schedules by name, those that begin with `prefix` and come after `after`."""
    rows = tx.all(
        f"{_SCHEDULE} WHERE account = :account AND region = :region AND name > :after AND name >= :prefix"
        " AND substr(name, 1, CAST(:length AS INTEGER)) = :prefix ORDER BY name LIMIT :most",
        {
            "account": place.account,
            "region": place.region,
            "after": after,
            "prefix": prefix,
            "length": len(prefix),
            "most": most,
        },
    )
    return [_schedule(row) for row in rows]


def due_schedules(tx: Transaction, now: float, most: int) -> list[Schedule]:
    """Schedules that are due, of everybody."""
    rows = tx.all(f"{_SCHEDULE} WHERE due <= :now ORDER BY due, id LIMIT :most", {"now": now, "most": most})
    return [_schedule(row) for row in rows]


def put(tx: Transaction, place: Place, name: str, due: float | None, document: Mapping[str, Any]) -> None:
    """Keep a schedule, in place of one of that name."""
    tx.execute(
        "INSERT INTO event_schedule (account, region, name, due, document) VALUES (:account, :region, :name, :due, :document)"
        " ON CONFLICT (account, region, name) DO UPDATE SET due = excluded.due, document = excluded.document",
        {
            "account": place.account,
            "region": place.region,
            "name": name,
            "due": due,
            "document": orjson.dumps(document).decode(),
        },
    )


def set_due(tx: Transaction, schedule_id: int, due: float | None) -> None:
    """Say when a schedule is due next."""
    tx.execute("UPDATE event_schedule SET due = :due WHERE id = :id", {"id": schedule_id, "due": due})


def delete(tx: Transaction, schedule_id: int) -> None:
    """Forget a schedule; what it has started already is delivered."""
    tx.execute("DELETE FROM event_schedule WHERE id = :id", {"id": schedule_id})
