"""The SQL of connections and API destinations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.storage.interface import Row, Transaction
from modelyard.triggers.names import Place


@dataclass(frozen=True, slots=True)
class Connection:
    """How API destinations authorise."""

    id: int
    name: str
    arn: str
    document: Mapping[str, Any]
    """What DescribeConnection answers."""
    secrets: bytes
    """The AuthParameters as they were given, sealed."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an API destination is."""

    id: int
    name: str
    arn: str
    connection: str
    """The ARN of its connection."""
    document: Mapping[str, Any]
    """What DescribeApiDestination answers."""


_CONNECTION = "SELECT id, name, arn, document, secrets FROM event_connection"
_DESTINATION = "SELECT id, name, arn, connection, document FROM event_destination"
_NAMED = "account = :account AND region = :region AND name = :name"
_LISTED = (
    "account = :account AND region = :region AND name > :after AND name >= :prefix"
    " AND substr(name, 1, CAST(:length AS INTEGER)) = :prefix ORDER BY name"
)


def _connection(row: Row) -> Connection:
    return Connection(row[0], row[1], row[2], orjson.loads(row[3]), bytes(row[4]))


def _destination(row: Row) -> Destination:
    return Destination(row[0], row[1], row[2], row[3], orjson.loads(row[4]))


def _at(place: Place, name: str) -> dict[str, object]:
    return {"account": place.account, "region": place.region, "name": name}


def _listing(place: Place, prefix: str, after: str, most: int) -> dict[str, object]:
    return {
        "account": place.account,
        "region": place.region,
        "prefix": prefix,
        "length": len(prefix),
        "after": after,
        "most": most,
    }


def connection(tx: Transaction, place: Place, name: str) -> Connection | None:
    """The connection of that name."""
    row = tx.one(f"{_CONNECTION} WHERE {_NAMED}", _at(place, name))
    return None if row is None else _connection(row)


def connection_by_arn(tx: Transaction, arn: str) -> Connection | None:
    """The connection of that ARN."""
    row = tx.one(f"{_CONNECTION} WHERE arn = :arn", {"arn": arn})
    return None if row is None else _connection(row)


def connections(tx: Transaction, place: Place, prefix: str, after: str, most: int) -> list[Connection]:
    """Connections by name."""
    return [
        _connection(row) for row in tx.all(f"{_CONNECTION} WHERE {_LISTED} LIMIT :most", _listing(place, prefix, after, most))
    ]


def put_connection(tx: Transaction, place: Place, name: str, arn: str, document: Mapping[str, Any], secrets: bytes) -> None:
    """Keep a connection, in place of one of that name."""
    tx.execute(
        "INSERT INTO event_connection (account, region, name, arn, document, secrets)"
        " VALUES (:account, :region, :name, :arn, :document, :secrets)"
        " ON CONFLICT (account, region, name) DO UPDATE SET document = excluded.document, secrets = excluded.secrets",
        {**_at(place, name), "arn": arn, "document": orjson.dumps(document).decode(), "secrets": secrets},
    )


def delete_connection(tx: Transaction, connection: Connection) -> None:
    """Forget a connection and its secrets."""
    tx.execute("DELETE FROM event_connection WHERE id = :id", {"id": connection.id})


def destination(tx: Transaction, place: Place, name: str) -> Destination | None:
    """The API destination of that name."""
    row = tx.one(f"{_DESTINATION} WHERE {_NAMED}", _at(place, name))
    return None if row is None else _destination(row)


def destination_by_arn(tx: Transaction, arn: str) -> Destination | None:
    """The API destination of that ARN."""
    row = tx.one(f"{_DESTINATION} WHERE arn = :arn", {"arn": arn})
    return None if row is None else _destination(row)


def destinations(tx: Transaction, place: Place, prefix: str, after: str, most: int, connection: str | None) -> list[Destination]:
    """API destinations by name, or those of one connection."""
    narrowed = "" if connection is None else "connection = :connection AND "
    parameters = _listing(place, prefix, after, most) | ({} if connection is None else {"connection": connection})
    return [_destination(row) for row in tx.all(f"{_DESTINATION} WHERE {narrowed}{_LISTED} LIMIT :most", parameters)]


def put_destination(tx: Transaction, place: Place, name: str, arn: str, document: Mapping[str, Any]) -> None:
    """Keep an API destination, in place of one of that name."""
    tx.execute(
        "INSERT INTO event_destination (account, region, name, arn, connection, document)"
        " VALUES (:account, :region, :name, :arn, :connection, :document)"
        " ON CONFLICT (account, region, name) DO UPDATE SET connection = excluded.connection, document = excluded.document",
        {
            **_at(place, name),
            "arn": arn,
            "connection": document["ConnectionArn"],
            "document": orjson.dumps(document).decode(),
        },
    )


def delete_destination(tx: Transaction, destination: Destination) -> None:
    """Forget an API destination."""
    tx.execute("DELETE FROM event_destination WHERE id = :id", {"id": destination.id})
