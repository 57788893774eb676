"""All the SQL of alarms, their history and the actions that they still have to take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.metrics.alarm import Alarm
from modelyard.metrics.metric import Metric
from modelyard.metrics.store import dimensions_text
from modelyard.storage.interface import Row, Transaction

LAST = "\U0010ffff"
"""Behind every character that a name may have."""
_ALARM = "SELECT id, account, region, name, kind, settings, state, revision FROM alarm"


def _alarm(row: Row) -> Alarm:
    return Alarm(row[0], row[1], row[2], row[3], row[4], orjson.loads(row[5]), orjson.loads(row[6]), row[7])


def alarm(tx: Transaction, account: str, region: str, name: str) -> Alarm | None:
    """The alarm of that name."""
    row = tx.one(
        f"{_ALARM} WHERE account = :account AND region = :region AND name = :name",
        {"account": account, "region": region, "name": name},
    )
    return None if row is None else _alarm(row)


def alarm_by_id(tx: Transaction, number: int) -> Alarm | None:
    """The alarm of that number."""
    row = tx.one(f"{_ALARM} WHERE id = :id", {"id": number})
    return None if row is None else _alarm(row)


def alarms(
    tx: Transaction, account: str, region: str, *, prefix: str, kind: str, state: str | None, after: str, most: int
) -> list[Alarm]:
    """Alarms of a kind in order of names: those that begin with `prefix`, are in a state, and come after `after`."""
    rows = tx.all(
        f"{_ALARM} WHERE account = :account AND region = :region AND name > :after AND name >= :prefix AND name < :beyond"
        " AND kind = :kind AND (CAST(:state AS TEXT) IS NULL OR state_value = :state) ORDER BY name LIMIT :most",
        {
            "account": account,
            "region": region,
            "after": after,
            "prefix": prefix,
            "beyond": prefix + LAST,
            "kind": kind,
            "state": state,
            "most": most,
        },
    )
    return [_alarm(row) for row in rows]


def all_alarms(tx: Transaction, after: int, most: int) -> list[Alarm]:
    """Alarms of everybody, for the worker."""
    return [_alarm(row) for row in tx.all(f"{_ALARM} WHERE id > :after ORDER BY id LIMIT :most", {"after": after, "most": most})]


def alarms_of_metric(tx: Transaction, metric: Metric) -> list[Alarm]:
    """The alarms that look at a metric, without math."""
    rows = tx.all(
        f"{_ALARM} WHERE id IN (SELECT alarm_id FROM alarm_metric WHERE account = :account AND region = :region"
        " AND namespace = :namespace AND name = :name AND dimensions = :dimensions) ORDER BY name",
        {
            "account": metric.account,
            "region": metric.region,
            "namespace": metric.namespace,
            "name": metric.name,
            "dimensions": dimensions_text(metric.dimensions),
        },
    )
    return [_alarm(row) for row in rows]


def count(tx: Transaction, account: str, region: str) -> int:
    """How many alarms there are."""
    row = tx.one(
        "SELECT count(*) FROM alarm WHERE account = :account AND region = :region", {"account": account, "region": region}
    )
    assert row is not None
    return int(row[0])


def put(
    tx: Transaction,
    account: str,
    region: str,
    name: str,
    kind: str,
    settings: Mapping[str, Any],
    new_state: Mapping[str, Any],
    metric: Metric | None,
) -> None:
    """Keep an alarm; one that is there keeps its state. `metric` is what it looks at, if that is a single one."""
    tx.execute(
        "INSERT INTO alarm (account, region, name, kind, state_value, settings, state, revision)"
        " VALUES (:account, :region, :name, :kind, :value, :settings, :state, 1)"
        " ON CONFLICT (account, region, name) DO UPDATE SET kind = excluded.kind, settings = excluded.settings,"
        " revision = alarm.revision + 1",
        {
            "account": account,
            "region": region,
            "name": name,
            "kind": kind,
            "value": new_state["StateValue"],
            "settings": orjson.dumps(settings).decode(),
            "state": orjson.dumps(new_state).decode(),
        },
    )
    kept = alarm(tx, account, region, name)
    assert kept is not None
    tx.execute("DELETE FROM alarm_metric WHERE alarm_id = :id", {"id": kept.id})
    if metric is not None:
        tx.execute(
            "INSERT INTO alarm_metric (alarm_id, account, region, namespace, name, dimensions)"
            " VALUES (:id, :account, :region, :namespace, :name, :dimensions)",
            {
                "id": kept.id,
                "account": metric.account,
                "region": metric.region,
                "namespace": metric.namespace,
                "name": metric.name,
                "dimensions": dimensions_text(metric.dimensions),
            },
        )


def set_settings(tx: Transaction, number: int, settings: Mapping[str, Any]) -> None:
    """Change the settings of an alarm that stays what it is."""
    tx.execute(
        "UPDATE alarm SET settings = :settings, revision = revision + 1 WHERE id = :id",
        {"id": number, "settings": orjson.dumps(settings).decode()},
    )


def set_state(tx: Transaction, number: int, state: Mapping[str, Any]) -> None:
    """Put an alarm into a state."""
    tx.execute(
        "UPDATE alarm SET state = :state, state_value = :value, revision = revision + 1 WHERE id = :id",
        {"id": number, "state": orjson.dumps(state).decode(), "value": state["StateValue"]},
    )


def delete(tx: Transaction, number: int) -> None:
    """Forget an alarm; its history stays."""
    tx.execute("DELETE FROM alarm WHERE id = :id", {"id": number})
    tx.execute("DELETE FROM alarm_metric WHERE alarm_id = :id", {"id": number})


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """What became of an alarm; the time in epoch milliseconds."""

    id: int
    name: str
    kind: str
    time: int
    type: str
    summary: str
    data: str


def note(tx: Transaction, of: Alarm, now: float, item_type: str, summary: str, data: str) -> None:
    """Add to the history of an alarm."""
    tx.execute(
        "INSERT INTO alarm_history (account, region, name, kind, time, type, summary, data)"
        " VALUES (:account, :region, :name, :kind, :time, :type, :summary, :data)",
        {
            "account": of.account,
            "region": of.region,
            "name": of.name,
            "kind": of.kind,
            "time": round(now * 1000),
            "type": item_type,
            "summary": summary,
            "data": data,
        },
    )


@dataclass(frozen=True, slots=True)
class HistorySpan:
    """Which items: of an alarm or all, of some kinds and a type or all, from `start` on until `end`, in epoch milliseconds."""

    account: str
    region: str
    name: str | None
    kinds: Sequence[str]
    type: str | None
    start: int
    end: int


def history(
    tx: Transaction, span: HistorySpan, after: tuple[int, int] | None, *, descending: bool, most: int
) -> list[HistoryItem]:
    """Items in order of time, behind the time and number of `after`."""
    comparison, direction = ("<", " DESC") if descending else (">", "")
    condition = "" if after is None else f" AND (time, id) {comparison} (:after_time, :after_id)"
    kinds = {f"kind_{place}": kind for place, kind in enumerate(span.kinds)}
    parameters: dict[str, Any] = {
        "account": span.account,
        "region": span.region,
        "start": span.start,
        "end": span.end,
        "type": span.type,
        "most": most,
        **kinds,
    }
    if span.name is not None:
        condition += " AND name = :name"
        parameters["name"] = span.name
    if after is not None:
        parameters |= {"after_time": after[0], "after_id": after[1]}
    rows = tx.all(
        "SELECT id, name, kind, time, type, summary, data FROM alarm_history WHERE account = :account AND region = :region"
        f" AND time >= :start AND time <= :end AND kind IN ({', '.join(':' + name for name in kinds)})"
        f" AND (CAST(:type AS TEXT) IS NULL OR type = :type){condition} ORDER BY time{direction}, id{direction} LIMIT :most",
        parameters,
    )
    return [HistoryItem(*row) for row in rows]


def has_history(tx: Transaction, before: float) -> bool:
    """Whether there is an item that is older than a time (epoch seconds)."""
    return tx.one("SELECT 1 FROM alarm_history WHERE time < :before LIMIT 1", {"before": round(before * 1000)}) is not None


def trim_history(tx: Transaction, before: float, most: int) -> int:
    """Remove items that are older than a time (epoch seconds), up to `most`; how many that were."""
    return tx.execute(
        "DELETE FROM alarm_history WHERE id IN (SELECT id FROM alarm_history WHERE time < :before ORDER BY time LIMIT :most)",
        {"before": round(before * 1000), "most": most},
    )


@dataclass(frozen=True, slots=True)
class Action:
    """An action that an alarm still has to take."""

    id: int
    account: str
    region: str
    name: str
    target: str
    """The ARN of what is to be done."""
    notice: str
    attempts: int


def add_action(tx: Transaction, of: Alarm, target: str, notice: str, now: float) -> None:
    """Remember an action."""
    tx.execute(
        "INSERT INTO alarm_action (account, region, name, target, notice, attempts, due)"
        " VALUES (:account, :region, :name, :target, :notice, 0, :now)",
        {"account": of.account, "region": of.region, "name": of.name, "target": target, "notice": notice, "now": now},
    )


def due_actions(tx: Transaction, now: float, most: int) -> list[Action]:
    """Actions whose time has come, oldest first."""
    rows = tx.all(
        "SELECT id, account, region, name, target, notice, attempts FROM alarm_action WHERE due <= :now"
        " ORDER BY due, id LIMIT :most",
        {"now": now, "most": most},
    )
    return [Action(*row) for row in rows]


def end_action(tx: Transaction, number: int) -> bool:
    """Forget an action; whether it was still there."""
    return tx.execute("DELETE FROM alarm_action WHERE id = :id", {"id": number}) > 0


def claim(tx: Transaction, action: Action, until: float) -> bool:
    """Take an action for oneself until a time, when it is tried again; whether nobody else was faster."""
    sql = "UPDATE alarm_action SET attempts = attempts + 1, due = :until WHERE id = :id AND attempts = :attempts"
    return tx.execute(sql, {"id": action.id, "attempts": action.attempts, "until": until}) > 0


def put_off(tx: Transaction, number: int, due: float) -> None:
    """Try an action again later."""
    tx.execute("UPDATE alarm_action SET due = :due WHERE id = :id", {"id": number, "due": due})
