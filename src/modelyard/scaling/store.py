"""All the SQL of scaling."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from modelyard.scaling.decision import Memory
from modelyard.scaling.dimension import Aim
from modelyard.storage.interface import Row, Transaction

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A scalable target as it is kept."""

    id: int
    aim: Aim
    document: Document
    """What DescribeScalableTargets answers."""
    revision: int
    enforce: bool
    """Whether its capacity still has to be put within its bounds."""
    not_before: float

    @property
    def arn(self) -> str:
        """The ARN."""
        return str(self.document["ScalableTargetARN"])


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it is kept."""

    id: int
    target: int
    name: str
    document: Document
    memory: Memory

    @property
    def arn(self) -> str:
        """The ARN."""
        return str(self.document["PolicyARN"])


@dataclass(frozen=True, slots=True)
class Action:
    """A scheduled action as it is kept."""

    id: int
    target: int
    name: str
    document: Document
    due: float | None


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity as it is kept."""

    id: int
    aim: Aim
    wanted: int | None
    document: Document


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _of(aim: Aim) -> dict[str, Any]:
    return {"account": aim.account, "region": aim.region, "resource": aim.resource, "dimension": aim.dimension}


_AIM = "account = :account AND region = :region AND resource = :resource AND dimension = :dimension"

# --- targets ------------------------------------------------------------------------------------

_TARGET = "SELECT id, account, region, resource, dimension, document, revision, enforce, not_before FROM scalable_target"


def _target(row: Row) -> Target:
    return Target(row[0], Aim(*row[1:5]), orjson.loads(row[5]), row[6], bool(row[7]), row[8])


def target(tx: Transaction, aim: Aim) -> Target | None:
    """The target of a capacity."""
    row = tx.one(f"{_TARGET} WHERE {_AIM}", _of(aim))
    return None if row is None else _target(row)


def target_by_arn(tx: Transaction, arn: str) -> Target | None:
    """A target by its ARN."""
    row = tx.one(f"{_TARGET} WHERE arn = :arn", {"arn": arn})
    return None if row is None else _target(row)


def target_by_id(tx: Transaction, number: int) -> Target | None:
    """A target by its number."""
    row = tx.one(f"{_TARGET} WHERE id = :id", {"id": number})
    return None if row is None else _target(row)


def add_target(tx: Transaction, aim: Aim, document: Document) -> None:
    """A new target, whose capacity is to be put within its bounds."""
    tx.execute(
        "INSERT INTO scalable_target (account, region, resource, dimension, arn, document, revision, enforce, not_before)"
        " VALUES (:account, :region, :resource, :dimension, :arn, :document, 1, 1, 0)",
        {**_of(aim), "arn": document["ScalableTargetARN"], "document": _json(document)},
    )


def change_target(tx: Transaction, number: int, document: Document) -> None:
    """Other bounds, or another suspension, of a target, whose capacity is to be put within them."""
    tx.execute(
        "UPDATE scalable_target SET document = :document, enforce = 1, revision = revision + 1, not_before = 0 WHERE id = :id",
        {"id": number, "document": _json(document)},
    )


def settled(tx: Transaction, number: int) -> None:
    """The capacity of a target was set, or is within its bounds."""
    tx.execute("UPDATE scalable_target SET revision = revision + 1, enforce = 0 WHERE id = :id", {"id": number})


def put_off(tx: Transaction, number: int, until: float) -> None:
    """Try nothing with a target before a time."""
    tx.execute(
        "UPDATE scalable_target SET revision = revision + 1, not_before = :until WHERE id = :id", {"id": number, "until": until}
    )


def targets(
    tx: Transaction, account: str, region: str, resources: Iterable[str], dimension: str | None, after: int, most: int
) -> list[Target]:
    """Targets of an account in order of their numbers, of some resources or of all."""
    named = {f"r{place}": resource for place, resource in enumerate(resources)}
    chosen = f" AND resource IN ({', '.join(f':{name}' for name in named)})" if named else ""
    rows = tx.all(
        f"{_TARGET} WHERE account = :account AND region = :region AND id > :after{chosen}"
        " AND (CAST(:dimension AS TEXT) IS NULL OR dimension = :dimension) ORDER BY id LIMIT :most",
        {"account": account, "region": region, "after": after, "dimension": dimension, "most": most, **named},
    )
    return [_target(row) for row in rows]


def delete_target(tx: Transaction, number: int) -> None:
    """Forget a target with its policies and scheduled actions; what was done stays."""
    for table in ("scaling_policy", "scheduled_action"):
        tx.execute(f"DELETE FROM {table} WHERE target_id = :id", {"id": number})
    tx.execute("DELETE FROM scalable_target WHERE id = :id", {"id": number})


def busy_places(tx: Transaction) -> list[tuple[str, str]]:
    """Accounts and regions that have policies, or a capacity to put within bounds."""
    rows = tx.all(
        "SELECT DISTINCT account, region FROM scalable_target t WHERE enforce = 1"
        " OR EXISTS (SELECT 1 FROM scaling_policy p WHERE p.target_id = t.id) ORDER BY account, region"
    )
    return [(row[0], row[1]) for row in rows]


def enforced_targets(tx: Transaction, account: str, region: str) -> list[Target]:
    """Targets whose capacity has to be put within their bounds."""
    rows = tx.all(
        f"{_TARGET} WHERE account = :account AND region = :region AND enforce = 1 ORDER BY id",
        {"account": account, "region": region},
    )
    return [_target(row) for row in rows]


# --- policies -----------------------------------------------------------------------------------

_POLICY = "SELECT p.id, p.target_id, p.name, p.document, p.memory FROM scaling_policy p"


def _policy(row: Row) -> Policy:
    return Policy(row[0], row[1], row[2], orjson.loads(row[3]), Memory(**orjson.loads(row[4])))


def policies_of(tx: Transaction, target: int) -> list[Policy]:
    """The policies of a target."""
    return [_policy(row) for row in tx.all(f"{_POLICY} WHERE p.target_id = :target ORDER BY p.id", {"target": target})]


def target_of_policy(tx: Transaction, account: str, region: str, arn: str) -> Target | None:
    """The target of the policy with an ARN, which names it: alarms may still name policies that are gone."""
    _, _, rest = arn.partition(":resource/sagemaker/")
    resource, _, name = rest.partition(":policyName/")
    rows = tx.all(
        f"{_TARGET} WHERE account = :account AND region = :region AND resource = :resource ORDER BY id",
        {"account": account, "region": region, "resource": resource},
    )
    for found in map(_target, rows):
        if any(policy.name == name and policy.arn == arn for policy in policies_of(tx, found.id)):
            return found
    return None


def policies(
    tx: Transaction, account: str, region: str, wanted: Mapping[str, Any], after: int, most: int
) -> list[tuple[Policy, Target]]:
    """Policies of an account in order of their numbers, each with its target; `wanted` as DescribeScalingPolicies is asked."""
    named = {f"n{place}": name for place, name in enumerate(wanted.get("PolicyNames", ()))}
    chosen = f" AND p.name IN ({', '.join(f':{name}' for name in named)})" if named else ""
    rows = tx.all(
        f"{_POLICY} JOIN scalable_target t ON t.id = p.target_id WHERE t.account = :account AND t.region = :region"
        f" AND p.id > :after{chosen} AND (CAST(:resource AS TEXT) IS NULL OR t.resource = :resource)"
        " AND (CAST(:dimension AS TEXT) IS NULL OR t.dimension = :dimension) ORDER BY p.id LIMIT :most",
        {
            "account": account,
            "region": region,
            "after": after,
            "resource": wanted.get("ResourceId"),
            "dimension": wanted.get("ScalableDimension"),
            "most": most,
            **named,
        },
    )
    found = []
    for policy in map(_policy, rows):
        of = target_by_id(tx, policy.target)
        assert of is not None, "policies go with their targets"
        found.append((policy, of))
    return found


def put_policy(tx: Transaction, target: int, name: str, document: Document) -> None:
    """Keep a policy, in place of one of that name; what that one did last is remembered."""
    tx.execute(
        "INSERT INTO scaling_policy (target_id, name, document, memory) VALUES (:target, :name, :document, :memory)"
        " ON CONFLICT (target_id, name) DO UPDATE SET document = excluded.document",
        {"target": target, "name": name, "document": _json(document), "memory": _json(asdict(Memory()))},
    )


def remember(tx: Transaction, policy: int, memory: Memory) -> None:
    """What a policy did last."""
    tx.execute("UPDATE scaling_policy SET memory = :memory WHERE id = :id", {"id": policy, "memory": _json(asdict(memory))})


def delete_policy(tx: Transaction, number: int) -> None:
    """Forget a policy."""
    tx.execute("DELETE FROM scaling_policy WHERE id = :id", {"id": number})


# --- scheduled actions --------------------------------------------------------------------------

_ACTION = "SELECT a.id, a.target_id, a.name, a.document, a.due FROM scheduled_action a"


def _action(row: Row) -> Action:
    return Action(row[0], row[1], row[2], orjson.loads(row[3]), row[4])


def actions_of(tx: Transaction, target: int) -> list[Action]:
    """The scheduled actions of a target."""
    return [_action(row) for row in tx.all(f"{_ACTION} WHERE a.target_id = :target ORDER BY a.id", {"target": target})]


def actions(tx: Transaction, account: str, region: str, wanted: Mapping[str, Any], after: int, most: int) -> list[Action]:
    """Scheduled actions of an account in order of their numbers; `wanted` as DescribeScheduledActions is asked."""
    named = {f"n{place}": name for place, name in enumerate(wanted.get("ScheduledActionNames", ()))}
    chosen = f" AND a.name IN ({', '.join(f':{name}' for name in named)})" if named else ""
    rows = tx.all(
        f"{_ACTION} JOIN scalable_target t ON t.id = a.target_id WHERE t.account = :account AND t.region = :region"
        f" AND a.id > :after{chosen} AND (CAST(:resource AS TEXT) IS NULL OR t.resource = :resource)"
        " AND (CAST(:dimension AS TEXT) IS NULL OR t.dimension = :dimension) ORDER BY a.id LIMIT :most",
        {
            "account": account,
            "region": region,
            "after": after,
            "resource": wanted.get("ResourceId"),
            "dimension": wanted.get("ScalableDimension"),
            "most": most,
            **named,
        },
    )
    return [_action(row) for row in rows]


def put_action(tx: Transaction, target: int, name: str, document: Document, due: float | None) -> None:
    """Keep a scheduled action, in place of one of that name."""
    tx.execute(
        "INSERT INTO scheduled_action (target_id, name, document, due) VALUES (:target, :name, :document, :due)"
        " ON CONFLICT (target_id, name) DO UPDATE SET document = excluded.document, due = excluded.due",
        {"target": target, "name": name, "document": _json(document), "due": due},
    )


def due_actions(tx: Transaction, now: float, most: int) -> list[Action]:
    """Scheduled actions that are due, of everybody."""
    rows = tx.all(f"{_ACTION} WHERE a.due <= :now ORDER BY a.due, a.id LIMIT :most", {"now": now, "most": most})
    return [_action(row) for row in rows]


def set_due(tx: Transaction, number: int, due: float | None) -> None:
    """Say when a scheduled action is due next."""
    tx.execute("UPDATE scheduled_action SET due = :due WHERE id = :id", {"id": number, "due": due})


def delete_action(tx: Transaction, number: int) -> None:
    """Forget a scheduled action."""
    tx.execute("DELETE FROM scheduled_action WHERE id = :id", {"id": number})


# --- activities ---------------------------------------------------------------------------------

_ACTIVITY = "SELECT id, account, region, resource, dimension, wanted, document FROM scaling_activity"


def _activity(row: Row) -> Activity:
    return Activity(row[0], Aim(*row[1:5]), row[5], orjson.loads(row[6]))


def add_activity(tx: Transaction, aim: Aim, document: Document, wanted: int | None) -> None:
    """Something is done."""
    tx.execute(
        "INSERT INTO scaling_activity (account, region, resource, dimension, started, wanted, document)"
        " VALUES (:account, :region, :resource, :dimension, :started, :wanted, :document)",
        {**_of(aim), "started": document["StartTime"], "wanted": wanted, "document": _json(document)},
    )


def end_activity(tx: Transaction, number: int, document: Document) -> None:
    """What became of it."""
    tx.execute(
        "UPDATE scaling_activity SET wanted = NULL, document = :document WHERE id = :id AND wanted IS NOT NULL",
        {"id": number, "document": _json(document)},
    )


def under_way(tx: Transaction) -> list[Activity]:
    """Activities whose capacity is waited for, of everybody."""
    return [_activity(row) for row in tx.all(f"{_ACTIVITY} WHERE wanted IS NOT NULL ORDER BY id")]


def activities(
    tx: Transaction, account: str, region: str, wanted: Mapping[str, Any], before: int | None, most: int
) -> list[Activity]:
    """Activities of an account, newest first; `wanted` as DescribeScalingActivities is asked."""
    rows = tx.all(
        f"{_ACTIVITY} WHERE account = :account AND region = :region AND (CAST(:before AS BIGINT) IS NULL OR id < :before)"
        " AND (CAST(:resource AS TEXT) IS NULL OR resource = :resource)"
        " AND (CAST(:dimension AS TEXT) IS NULL OR dimension = :dimension) ORDER BY id DESC LIMIT :most",
        {
            "account": account,
            "region": region,
            "before": before,
            "resource": wanted.get("ResourceId"),
            "dimension": wanted.get("ScalableDimension"),
            "most": most,
        },
    )
    return [_activity(row) for row in rows]


def has_old(tx: Transaction, before: float) -> bool:
    """Whether there is an activity that began before a time."""
    return tx.one("SELECT 1 FROM scaling_activity WHERE started < :before LIMIT 1", {"before": before}) is not None


def forget_old(tx: Transaction, before: float) -> None:
    """Remove activities that began before a time."""
    tx.execute("DELETE FROM scaling_activity WHERE started < :before", {"before": before})
