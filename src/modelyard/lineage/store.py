"""The SQL of entities; that of associations and of walks along them is in store_graph.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.lineage.entity import Entity, EntityName, Kind, source_key
from modelyard.storage.interface import Row, Transaction

_ENTITY = "id, account, region, kind, handle, document"


@dataclass(frozen=True, slots=True)
class Kept:
    """An entity, and the number of its row."""

    id: int
    entity: Entity


@dataclass(frozen=True, slots=True)
class Page:
    """Where a list goes on, in which direction, and how much of it is wanted."""

    after: Sequence[Any] | None
    """The sort value and the number of the last one before; None at the beginning."""
    descending: bool
    size: int


def _kept(row: Row) -> Kept:
    number, account, region, kind, handle, document = row
    return Kept(number, Entity(EntityName(account, region, Kind(kind), handle), orjson.loads(document)))


def _at(at: EntityName) -> dict[str, object]:
    return {"account": at.account, "region": at.region, "kind": at.kind.value, "handle": at.handle}


def entity(tx: Transaction, at: EntityName) -> Kept | None:
    """The entity of that name."""
    row = tx.one(
        f"SELECT {_ENTITY} FROM lineage_entity"
        " WHERE account = :account AND region = :region AND kind = :kind AND handle = :handle",
        _at(at),
    )
    return None if row is None else _kept(row)


def entity_id(tx: Transaction, at: EntityName) -> int | None:
    """The number of the entity of that name."""
    row = tx.one(
        "SELECT id FROM lineage_entity WHERE account = :account AND region = :region AND kind = :kind AND handle = :handle",
        _at(at),
    )
    return None if row is None else int(row[0])


def by_source(tx: Transaction, account: str, region: str, source_uri: str, most: int) -> list[Kept]:
    """What stands for a source, newest first."""
    rows = tx.all(
        f"SELECT {_ENTITY} FROM lineage_entity"
        " WHERE account = :account AND region = :region AND source_key = :source ORDER BY id DESC LIMIT :most",
        {"account": account, "region": region, "source": source_key(source_uri), "most": most},
    )
    return [_kept(row) for row in rows]


def id_by_source(tx: Transaction, at: EntityName, source_uri: str) -> int | None:
    """The number of the newest entity of the same kind that stands for a source."""
    row = tx.one(
        "SELECT id FROM lineage_entity WHERE account = :account AND region = :region AND source_key = :source"
        " AND kind = :kind ORDER BY id DESC LIMIT 1",
        {"account": at.account, "region": at.region, "kind": at.kind.value, "source": source_key(source_uri)},
    )
    return None if row is None else int(row[0])


def add(tx: Transaction, made: Entity) -> int:
    """Keep a new entity; its number."""
    row = tx.one(
        "INSERT INTO lineage_entity (account, region, kind, handle, type, source_key, created, modified, document)"
        " VALUES (:account, :region, :kind, :handle, :type, :source, :created, :modified, :document) RETURNING id",
        {
            **_at(made.at),
            "type": made.type,
            "source": source_key(made.source_uri),
            "created": made.document["CreationTime"],
            "modified": made.document["LastModifiedTime"],
            "document": orjson.dumps(made.document).decode(),
        },
    )
    assert row is not None
    return int(row[0])


def update(tx: Transaction, number: int, document: Mapping[str, Any]) -> None:
    """Keep what an entity is like now."""
    tx.execute(
        "UPDATE lineage_entity SET modified = :modified, document = :document WHERE id = :id",
        {"id": number, "modified": document["LastModifiedTime"], "document": orjson.dumps(document).decode()},
    )


def delete(tx: Transaction, number: int) -> None:
    """Remove an entity that has no associations."""
    tx.execute("DELETE FROM lineage_entity WHERE id = :id", {"id": number})


def entities(
    tx: Transaction, account: str, region: str, kind: Kind, filters: Mapping[str, Any], page: Page, *, by_name: bool
) -> list[Kept]:
    """A page of the entities of a kind, and one more when there are more.

    `filters` has members of the List operation: SourceUri, CreatedAfter, CreatedBefore, and `Type`.
    """
    conditions = ["account = :account", "region = :region", "kind = :kind"]
    values: dict[str, object] = {"account": account, "region": region, "kind": kind.value, "most": page.size + 1}
    for member, condition in (("Type", "type = :type"), ("CreatedAfter", "created >= :createdafter")):
        if member in filters:
            conditions.append(condition)
            values[member.lower()] = filters[member]
    if "CreatedBefore" in filters:
        conditions.append("created <= :createdbefore")
        values["createdbefore"] = filters["CreatedBefore"]
    if "SourceUri" in filters:
        conditions.append("source_key = :source")
        values["source"] = source_key(filters["SourceUri"])
    column = "handle" if by_name else "created"
    if page.after is not None:
        # Rows are compared as PostgreSQL and SQLite both do.
        conditions.append(f"({column}, id) {'<' if page.descending else '>'} (:value, :id)")
        values |= {"value": page.after[0], "id": page.after[1]}
    direction = "DESC" if page.descending else "ASC"
    rows = tx.all(
        f"SELECT {_ENTITY} FROM lineage_entity WHERE {' AND '.join(conditions)}"
        f" ORDER BY {column} {direction}, id {direction} LIMIT :most",
        values,
    )
    return [_kept(row) for row in rows]
