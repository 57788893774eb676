"""The SQL of deliveries: lines of events that wait for one target in one order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.storage.interface import Row, Transaction
from modelyard.triggers.names import Place


@dataclass(frozen=True, slots=True)
class Line:
    """What waits for one target in one order."""

    id: int
    place: Place
    source: str
    """The ARN of the rule or schedule."""
    target_name: str
    """The id of the target; empty for that of a schedule."""
    group_key: str
    due: float
    target: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a target."""

    id: int
    event_id: str
    event: str
    """The JSON of the event."""
    created: float
    attempts: int
    """How often it was tried."""
    last_error: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A delivery that is to be made."""

    place: Place
    source: str
    target_name: str
    group_key: str
    target: Mapping[str, Any]
    event_id: str
    event: str


_LINE = "SELECT id, account, region, source, target_name, group_key, due, target FROM event_line"


def _line(row: Row) -> Line:
    return Line(row[0], Place(row[1], row[2]), row[3], row[4], row[5], row[6], orjson.loads(row[7]))


def add(tx: Transaction, planned: Planned, now: float, lines: dict[tuple[str, str, str], int]) -> None:
    """Put a delivery at the end of its line. `lines` remembers lines within this transaction."""
    key = (planned.source, planned.target_name, planned.group_key)
    line = lines.get(key)
    if line is None:
        line = lines[key] = _line_of(tx, planned, now)
    tx.execute(
        "INSERT INTO event_delivery (line, event_id, event, created, attempts, last_error)"
        " VALUES (:line, :event_id, :event, :now, 0, '')",
        {"line": line, "event_id": planned.event_id, "event": planned.event, "now": now},
    )


def _line_of(tx: Transaction, planned: Planned, due: float) -> int:
    """The line of a delivery, a new one if there is none; it has the target as it is now."""
    row = tx.one(
        "INSERT INTO event_line (account, region, source, target_name, group_key, due, arn, target)"
        " VALUES (:account, :region, :source, :target_name, :group_key, :due, :arn, :target)"
        " ON CONFLICT (source, target_name, group_key) DO UPDATE SET arn = excluded.arn, target = excluded.target RETURNING id",
        {
            "account": planned.place.account,
            "region": planned.place.region,
            "source": planned.source,
            "target_name": planned.target_name,
            "group_key": planned.group_key,
            "due": due,
            "arn": planned.target["Arn"],
            "target": orjson.dumps(planned.target).decode(),
        },
    )
    assert row is not None
    return int(row[0])


def due_lines(tx: Transaction, now: float, most: int, but: Sequence[str] = ()) -> list[Line]:
    """Lines that are due, the longest due first, but for those to targets of some ARNs."""
    names = {f"but{number}": arn for number, arn in enumerate(but)}
    narrowed = "".join(f" AND arn <> :{name}" for name in names)
    rows = tx.all(f"{_LINE} WHERE due <= :now{narrowed} ORDER BY due, id LIMIT :most", {"now": now, "most": most, **names})
    return [_line(row) for row in rows]


def line_due(tx: Transaction, line_id: int, now: float) -> Line | None:
    """The line as it is now, if it still is due."""
    row = tx.one(f"{_LINE} WHERE id = :id AND due <= :now", {"id": line_id, "now": now})
    return None if row is None else _line(row)


def claim(tx: Transaction, line_id: int, now: float, until: float) -> Line | None:
    """Keep others from a line until a time; None when somebody was faster. It has the line as it is now."""
    line = line_due(tx, line_id, now)
    if line is not None:
        set_due(tx, line_id, until)
    return line


def set_due(tx: Transaction, line_id: int, due: float) -> None:
    """Say when a line is due next."""
    tx.execute("UPDATE event_line SET due = :due WHERE id = :id", {"id": line_id, "due": due})


def first(tx: Transaction, line_id: int, most: int) -> list[Delivery]:
    """The first deliveries of a line."""
    rows = tx.all(
        "SELECT id, event_id, event, created, attempts, last_error FROM event_delivery"
        " WHERE line = :line ORDER BY id LIMIT :most",
        {"line": line_id, "most": most},
    )
    return [Delivery(*row) for row in rows]


def delivered(tx: Transaction, delivery_id: int) -> None:
    """Forget a delivery."""
    tx.execute("DELETE FROM event_delivery WHERE id = :id", {"id": delivery_id})


def failed(tx: Transaction, delivery_id: int, attempts: int, error: str) -> None:
    """Note a failed attempt."""
    tx.execute(
        "UPDATE event_delivery SET attempts = :attempts, last_error = :error WHERE id = :id",
        {"id": delivery_id, "attempts": attempts, "error": error},
    )


def step_aside(tx: Transaction, line: Line, delivery: Delivery, due: float) -> None:
    """Give a delivery a line of its own, so that others need not wait for it."""
    own = Planned(
        line.place, line.source, line.target_name, f"{line.group_key} {delivery.id}", line.target, delivery.event_id, ""
    )
    tx.execute("UPDATE event_delivery SET line = :line WHERE id = :id", {"id": delivery.id, "line": _line_of(tx, own, due)})


def end_if_empty(tx: Transaction, line_id: int) -> bool:
    """Forget a line that nothing waits in; whether it was so."""
    return (
        tx.execute(
            "DELETE FROM event_line WHERE id = :id AND NOT EXISTS (SELECT 1 FROM event_delivery WHERE line = :id)",
            {"id": line_id},
        )
        > 0
    )


def change_target(tx: Transaction, source: str, target: Mapping[str, Any]) -> None:
    """Deliver what waits to the target as it is from now on."""
    tx.execute(
        "UPDATE event_line SET arn = :arn, target = :target WHERE source = :source AND target_name = :name",
        {"source": source, "name": target["Id"], "arn": target["Arn"], "target": orjson.dumps(target).decode()},
    )


def abandon(tx: Transaction, source: str, target_name: str) -> None:
    """Forget what waits for a target that is no target any more."""
    parameters = {"source": source, "name": target_name}
    tx.execute(
        "DELETE FROM event_delivery WHERE line IN (SELECT id FROM event_line WHERE source = :source AND target_name = :name)",
        parameters,
    )
    tx.execute("DELETE FROM event_line WHERE source = :source AND target_name = :name", parameters)
