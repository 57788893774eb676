"""The SQL of rules and their targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.storage.interface import Row, Transaction
from modelyard.triggers.names import Place


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is kept."""

    id: int
    place: Place
    name: str
    enabled: bool
    pattern: str | None
    due: float | None
    """When it is due next, for one that has a schedule."""
    origin: float
    """When its rate began to count."""
    document: Mapping[str, Any]
    """Description, EventPattern, ScheduleExpression, RoleArn: those that were given."""

    @property
    def arn(self) -> str:
        """The ARN."""
        return self.place.rule(self.name)


_RULE = "SELECT id, account, region, name, enabled, pattern, due, origin, document FROM event_rule"


def _rule(row: Row) -> Rule:
    return Rule(row[0], Place(row[1], row[2]), row[3], bool(row[4]), row[5], row[6], row[7], orjson.loads(row[8]))


def _at(place: Place, name: str) -> dict[str, object]:
    return {"account": place.account, "region": place.region, "name": name}


_NAMED = "account = :account AND region = :region AND name = :name"


def rule(tx: Transaction, place: Place, name: str) -> Rule | None:
    """The rule of that name."""
    row = tx.one(f"{_RULE} WHERE {_NAMED}", _at(place, name))
    return None if row is None else _rule(row)


def count_rules(tx: Transaction, place: Place) -> int:
    """How many rules there are."""
    row = tx.one(
        "SELECT count(*) FROM event_rule WHERE account = :account AND region = :region",
        {"account": place.account, "region": place.region},
    )
    return 0 if row is None else int(row[0])


def rules(tx: Transaction, place: Place, prefix: str, after: str, most: int) -> list[Rule]:
    """Rules by name, those that begin with `prefix` and come after `after`."""
    rows = tx.all(
        f"{_RULE} WHERE account = :account AND region = :region AND name > :after AND name >= :prefix"
        " AND substr(name, 1, CAST(:length AS INTEGER)) = :prefix ORDER BY name LIMIT :most",
        {**_at(place, ""), "after": after, "prefix": prefix, "length": len(prefix), "most": most},
    )
    return [_rule(row) for row in rows]


def matching_rules(tx: Transaction, place: Place) -> list[Rule]:
    """The rules that events are compared with."""
    rows = tx.all(
        f"{_RULE} WHERE account = :account AND region = :region AND enabled = 1 AND pattern IS NOT NULL ORDER BY id",
        {"account": place.account, "region": place.region},
    )
    return [_rule(row) for row in rows]


def due_rules(tx: Transaction, now: float, most: int) -> list[Rule]:
    """Rules whose schedule is due, of everybody."""
    rows = tx.all(f"{_RULE} WHERE due <= :now ORDER BY due, id LIMIT :most", {"now": now, "most": most})
    return [_rule(row) for row in rows]


def put_rule(
    tx: Transaction, place: Place, name: str, *, enabled: bool, due: float | None, origin: float, document: Mapping[str, Any]
) -> None:
    """Keep a rule, in place of one of that name."""
    tx.execute(
        "INSERT INTO event_rule (account, region, name, enabled, pattern, due, origin, document)"
        " VALUES (:account, :region, :name, :enabled, :pattern, :due, :origin, :document)"
        " ON CONFLICT (account, region, name) DO UPDATE SET enabled = excluded.enabled, pattern = excluded.pattern,"
        " due = excluded.due, origin = excluded.origin, document = excluded.document",
        {
            **_at(place, name),
            "enabled": int(enabled),
            "pattern": document.get("EventPattern"),
            "due": due,
            "origin": origin,
            "document": orjson.dumps(document).decode(),
        },
    )


def set_state(tx: Transaction, rule: Rule, *, enabled: bool, due: float | None) -> None:
    """Enable or disable a rule."""
    tx.execute(
        "UPDATE event_rule SET enabled = :enabled, due = :due WHERE id = :id",
        {"id": rule.id, "enabled": int(enabled), "due": due},
    )


def set_due(tx: Transaction, rule_id: int, due: float | None) -> None:
    """Say when a rule is due next."""
    tx.execute("UPDATE event_rule SET due = :due WHERE id = :id", {"id": rule_id, "due": due})


def delete_rule(tx: Transaction, rule: Rule) -> None:
    """Forget a rule, which has no targets any more."""
    tx.execute("DELETE FROM event_rule WHERE id = :id", {"id": rule.id})


def targets(tx: Transaction, rule_id: int, after: str = "", most: int = 1000) -> list[dict[str, Any]]:
    """Targets of a rule by their ids, as PutTargets took them."""
    rows = tx.all(
        "SELECT document FROM event_target WHERE rule = :rule AND name > :after ORDER BY name LIMIT :most",
        {"rule": rule_id, "after": after, "most": most},
    )
    return [orjson.loads(document) for (document,) in rows]


def put_target(tx: Transaction, rule_id: int, target: Mapping[str, Any]) -> None:
    """Keep a target, in place of one of that id."""
    tx.execute(
        "INSERT INTO event_target (rule, name, arn, document) VALUES (:rule, :name, :arn, :document)"
        " ON CONFLICT (rule, name) DO UPDATE SET arn = excluded.arn, document = excluded.document",
        {"rule": rule_id, "name": target["Id"], "arn": target["Arn"], "document": orjson.dumps(target).decode()},
    )


def remove_target(tx: Transaction, rule_id: int, name: str) -> bool:
    """Forget a target; whether there was one."""
    return tx.execute("DELETE FROM event_target WHERE rule = :rule AND name = :name", {"rule": rule_id, "name": name}) > 0


def rule_names_of_target(tx: Transaction, place: Place, arn: str, after: str, most: int) -> list[str]:
    """Names of the rules that have a target of this ARN."""
    rows = tx.all(
        "SELECT DISTINCT r.name FROM event_target t JOIN event_rule r ON r.id = t.rule"
        " WHERE t.arn = :arn AND r.account = :account AND r.region = :region AND r.name > :after ORDER BY r.name LIMIT :most",
        {"arn": arn, "account": place.account, "region": place.region, "after": after, "most": most},
    )
    return [name for (name,) in rows]
