"""The SQL of requests to asynchronous endpoints."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from modelyard.endpoints.model import Document
from modelyard.endpoints.queued import Queued, from_document
from modelyard.storage.interface import Row, Transaction

_REQUEST = "SELECT id, endpoint, created, expires, losses, document, body FROM queued_request"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What an asynchronous endpoint has to do."""

    size: int
    """Requests that wait or are answered now: ApproximateBacklogSize."""
    oldest: float | None
    """When the oldest of them came."""


def _queued(row: Row) -> Queued:
    number, endpoint, created, expires, losses, document, body = row
    return from_document(
        orjson.loads(document), id=number, endpoint=endpoint, created=created, expires=expires, losses=losses, body=bytes(body)
    )


def add(tx: Transaction, endpoint: int, document: Document, body: bytes, now: float, expires: float) -> None:
    """Take a request down."""
    tx.execute(
        "INSERT INTO queued_request (endpoint, created, expires, due, owner, losses, document, body)"
        " VALUES (:endpoint, :now, :expires, :now, '', 0, :document, :body)",
        {"endpoint": endpoint, "now": now, "expires": expires, "document": orjson.dumps(document).decode(), "body": body},
    )


def count(tx: Transaction, endpoint: int, most: int) -> int:
    """How many requests an endpoint has, counted up to `most`, in an index alone."""
    counted = "SELECT count(*) FROM (SELECT 1 FROM queued_request WHERE endpoint = :endpoint LIMIT :most) AS counted"
    row = tx.one(counted, {"endpoint": endpoint, "most": most})
    assert row is not None, "an aggregate has a row"
    return int(row[0])


def endpoints(tx: Transaction) -> list[int]:
    """The endpoints that have requests, found without looking at each of those."""
    found: list[int] = []
    after = 0
    while True:
        row = tx.one("SELECT min(endpoint) FROM queued_request WHERE endpoint > :after", {"after": after})
        if row is None or row[0] is None:
            return found
        after = int(row[0])
        found.append(after)


def any_due(tx: Transaction, endpoint: int, now: float) -> bool:
    """Whether a request of an endpoint waits to be answered."""
    where = {"endpoint": endpoint, "now": now}
    return tx.one("SELECT 1 FROM queued_request WHERE endpoint = :endpoint AND due <= :now LIMIT 1", where) is not None


def any_expired(tx: Transaction, endpoint: int, now: float) -> bool:
    """Whether a request of an endpoint has waited for longer than it may."""
    return (
        tx.one(
            "SELECT 1 FROM queued_request WHERE endpoint = :endpoint AND due <= :now AND expires <= :now LIMIT 1",
            {"endpoint": endpoint, "now": now},
        )
        is not None
    )


def claim(tx: Transaction, endpoint: int, now: float, until: float, owner: str, most: int) -> list[Queued]:
    """Take requests that are due, which nobody else takes before `until`; those that came first are first."""
    where = {"endpoint": endpoint, "now": now, "most": most}
    rows = tx.all(f"{_REQUEST} WHERE endpoint = :endpoint AND due <= :now ORDER BY due, id LIMIT :most", where)
    return _claimed(tx, rows, until, owner)


def claim_expired(tx: Transaction, endpoint: int, now: float, until: float, owner: str, most: int) -> list[Queued]:
    """Take requests that have waited for longer than they may."""
    where = {"endpoint": endpoint, "now": now, "most": most}
    rows = tx.all(f"{_REQUEST} WHERE endpoint = :endpoint AND due <= :now AND expires <= :now ORDER BY id LIMIT :most", where)
    return _claimed(tx, rows, until, owner)


def _claimed(tx: Transaction, rows: Sequence[Row], until: float, owner: str) -> list[Queued]:
    tx.execute_many(
        "UPDATE queued_request SET due = :until, owner = :owner WHERE id = :id",
        [{"id": row[0], "until": until, "owner": owner} for row in rows],
    )
    return [_queued(row) for row in rows]


def renew(tx: Transaction, requests: Iterable[int], until: float, owner: str) -> None:
    """Keep requests that a server is at from others for longer; what else it has claimed is not."""
    tx.execute_many(
        "UPDATE queued_request SET due = :until WHERE id = :id AND owner = :owner",
        [{"id": one, "until": until, "owner": owner} for one in sorted(requests)],
    )


def give_back(tx: Transaction, request: Queued, owner: str, now: float) -> None:
    """Give back a request that a server is not at any more, if it has it still."""
    tx.execute(
        "UPDATE queued_request SET due = :now, owner = '' WHERE id = :id AND owner = :owner",
        {"id": request.id, "now": now, "owner": owner},
    )


def release(tx: Transaction, owner: str, now: float) -> None:
    """Give back everything that a server is at."""
    tx.execute("UPDATE queued_request SET due = :now, owner = '' WHERE owner = :owner", {"now": now, "owner": owner})


def try_again(tx: Transaction, request: Queued, due: float, losses: int) -> None:
    """Try a request again later."""
    tx.execute(
        "UPDATE queued_request SET due = :due, owner = '', losses = :losses WHERE id = :id",
        {"id": request.id, "due": due, "losses": losses},
    )


def over(tx: Transaction, request: Queued) -> None:
    """A request is over."""
    tx.execute("DELETE FROM queued_request WHERE id = :id", {"id": request.id})


def forget(tx: Transaction, endpoint: int) -> None:
    """An endpoint is gone, and with it what waited for it."""
    tx.execute("DELETE FROM queued_request WHERE endpoint = :endpoint", {"endpoint": endpoint})


def backlog(tx: Transaction, endpoint: int) -> Backlog:
    """What an endpoint has to do."""
    row = tx.one("SELECT count(*), min(created) FROM queued_request WHERE endpoint = :endpoint", {"endpoint": endpoint})
    assert row is not None, "an aggregate has a row"
    return Backlog(int(row[0]), row[1])
