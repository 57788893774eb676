"""The SQL of asynchronous invocations, and of what is said of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.dispatch.context import Context
from modelyard.functions import wakening
from modelyard.functions.function import Version
from modelyard.storage.interface import Row, Transaction

_EVENT = "SELECT id, function_id, qualifier, request_id, payload, created, attempts, tries FROM lambda_event"


@dataclass(frozen=True, slots=True)
class Event:
    """An asynchronous invocation that is not over."""

    id: int
    function_id: int
    qualifier: str
    request_id: str
    payload: bytes
    created: float
    attempts: int
    """How often the function failed."""
    tries: int
    """How often it was begun."""


def _event(row: Row) -> Event:
    return Event(row[0], row[1], row[2], row[3], bytes(row[4]), row[5], row[6], row[7])


def accept(context: Context, version: Version, qualifier: str, payload: bytes) -> None:
    """Take an asynchronous invocation down; returns once it is on disk."""

    def write(tx: Transaction) -> None:
        tx.execute(
            "INSERT INTO lambda_event (function_id, qualifier, request_id, payload, created, due, owner, attempts, tries)"
            " VALUES (:function, :qualifier, :request, :payload, :now, :now, '', 0, 0)",
            {
                "function": version.function_id,
                "qualifier": qualifier,
                "request": context.request_id,
                "payload": payload,
                "now": context.now,
            },
        )
        tx.after_commit(wakening.tell)

    context.write(write)


def any_due(tx: Transaction, now: float) -> bool:
    """Whether an invocation is to be begun."""
    return tx.one("SELECT 1 FROM lambda_event WHERE due <= :now LIMIT 1", {"now": now}) is not None


def claim(tx: Transaction, now: float, until: float, owner: str, most: int) -> list[Event]:
    """Take invocations that are due, which nobody else takes before `until`."""
    rows = tx.all(f"{_EVENT} WHERE due <= :now ORDER BY due, id LIMIT :most", {"now": now, "most": most})
    tx.execute_many(
        "UPDATE lambda_event SET due = :until, owner = :owner, tries = tries + 1 WHERE id = :id",
        [{"id": row[0], "until": until, "owner": owner} for row in rows],
    )
    return [_event(row) for row in rows]


def renew(tx: Transaction, until: float, owner: str) -> None:
    """Keep what a server is at from others for longer."""
    tx.execute("UPDATE lambda_event SET due = :until WHERE owner = :owner", {"until": until, "owner": owner})


def over(tx: Transaction, event: Event) -> None:
    """An invocation is over."""
    tx.execute("DELETE FROM lambda_event WHERE id = :id", {"id": event.id})


def try_again(tx: Transaction, event: Event, due: float, attempts: int) -> None:
    """Try an invocation again later."""
    tx.execute(
        "UPDATE lambda_event SET due = :due, owner = '', attempts = :attempts WHERE id = :id",
        {"id": event.id, "due": due, "attempts": attempts},
    )


def invoke_config(tx: Transaction, function: int, qualifier: str) -> dict[str, Any] | None:
    """What is said of asynchronous invocations of a version; empty for the function as a whole."""
    row = tx.one(
        "SELECT document FROM lambda_invoke_config WHERE function_id = :function AND qualifier = :qualifier",
        {"function": function, "qualifier": qualifier},
    )
    return None if row is None else dict(orjson.loads(row[0]))


def put_invoke_config(tx: Transaction, function: int, qualifier: str, document: Mapping[str, Any]) -> None:
    """Say something of asynchronous invocations, in place of what was said before."""
    tx.execute(
        "INSERT INTO lambda_invoke_config (function_id, qualifier, document) VALUES (:function, :qualifier, :document)"
        " ON CONFLICT (function_id, qualifier) DO UPDATE SET document = excluded.document",
        {"function": function, "qualifier": qualifier, "document": orjson.dumps(document).decode()},
    )


def remove_invoke_config(tx: Transaction, function: int, qualifier: str) -> bool:
    """Say nothing any more; whether something was said."""
    where = {"function": function, "qualifier": qualifier}
    return tx.execute("DELETE FROM lambda_invoke_config WHERE function_id = :function AND qualifier = :qualifier", where) == 1
