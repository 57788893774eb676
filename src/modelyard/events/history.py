"""What the numbered members of a group were like at past times: approval, stage, metadata of model package versions.

A row says what a member was like since a time, until the next row of the same number. Rows are never removed, so the state of
any past time can be told, also of members and groups that are gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.storage.interface import Transaction


def package_group_key(account: str, region: str, name: str) -> str:
    """The key of a model package group, in the history as in the outbox: its ARN in lower case."""
    return f"arn:aws:sagemaker:{region}:{account}:model-package-group/{name.lower()}"


@dataclass(frozen=True, slots=True)
class PastState:
    """What a member was like."""

    number: int
    since: float
    state: Mapping[str, Any] | None
    """None when it was gone."""


def keep(tx: Transaction, group_key: str, number: int, now: float, state: Mapping[str, Any] | None) -> None:
    """Note what a member of a group is like from now on; None when it goes.

    Within one moment the last word counts; a clock that was set back does not put a later state before an earlier one.
    """
    tx.execute(
        "INSERT INTO past_state (group_key, number, since, state)"
        " SELECT :group_key, :number, CASE WHEN latest > CAST(:now AS DOUBLE PRECISION) THEN latest"
        " ELSE CAST(:now AS DOUBLE PRECISION) END, :state FROM (SELECT max(since) AS latest FROM past_state"
        " WHERE group_key = :group_key AND number = :number) earlier WHERE true"
        " ON CONFLICT (group_key, number, since) DO UPDATE SET state = excluded.state",
        {
            "group_key": group_key,
            "number": number,
            "now": now,
            "state": None if state is None else orjson.dumps(state).decode(),
        },
    )


def as_of(tx: Transaction, group_key: str, time: float, after: int, limit: int) -> list[PastState]:
    """What the members of a group after a number were like at a time, those that were gone included, by number."""
    rows = tx.all(
        "SELECT p.number, p.since, p.state FROM past_state p JOIN (SELECT number, max(since) AS since FROM past_state"
        " WHERE group_key = :group_key AND number > :after AND since <= :time GROUP BY number"
        " ORDER BY number LIMIT :limit) newest"
        " ON p.group_key = :group_key AND p.number = newest.number AND p.since = newest.since ORDER BY p.number",
        {"group_key": group_key, "time": time, "after": after, "limit": limit},
    )
    return [PastState(number, since, None if state is None else orjson.loads(state)) for number, since, state in rows]
