"""The SQL of associations, and of steps along them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.lineage.entity import Document, Entity, EntityName, Kind
from modelyard.lineage.store import Kept, Page
from modelyard.storage.interface import Row, Transaction

AT_ONCE = 100
"""Entities whose associations one statement reads."""
_ENDS = "s.kind, s.handle, s.type, s.document, d.kind, d.handle, d.type, d.document"


@dataclass(frozen=True, slots=True)
class Edge:
    """An association, by the numbers of what it joins."""

    source: int
    destination: int
    type: str


@dataclass(frozen=True, slots=True)
class Association:
    """An association as lists show it, and what the next page begins after."""

    id: int
    summary: Document
    created: float


def associate(
    tx: Transaction, account: str, region: str, source: int, destination: int, kind: str, by: Mapping[str, Any], now: float
) -> bool:
    """Join two entities; False when they are joined already."""
    return bool(
        tx.execute(
            "INSERT INTO lineage_association (account, region, source_id, destination_id, type, created, created_by)"
            " VALUES (:account, :region, :source, :destination, :type, :now, :by)"
            " ON CONFLICT (source_id, destination_id) DO NOTHING",
            {
                "account": account,
                "region": region,
                "source": source,
                "destination": destination,
                "type": kind,
                "now": now,
                "by": orjson.dumps(by).decode(),
            },
        )
    )


def dissociate(tx: Transaction, source: int, destination: int) -> bool:
    """Part two entities; False when they were not joined."""
    return bool(
        tx.execute(
            "DELETE FROM lineage_association WHERE source_id = :source AND destination_id = :destination",
            {"source": source, "destination": destination},
        )
    )


def is_associated(tx: Transaction, number: int) -> bool:
    """Whether an entity has associations."""
    found = tx.one("SELECT id FROM lineage_association WHERE source_id = :id LIMIT 1", {"id": number})
    return found is not None or bool(
        tx.one("SELECT id FROM lineage_association WHERE destination_id = :id LIMIT 1", {"id": number})
    )


def steps(tx: Transaction, numbers: Sequence[int], *, up: bool, most: int) -> list[Edge]:
    """Associations that lead to (`up`) or from some entities, at most `most`."""
    here, there = ("destination_id", "source_id") if up else ("source_id", "destination_id")
    edges: list[Edge] = []
    for chunk in _chunks(numbers):
        rows = tx.all(
            "SELECT source_id, destination_id, type FROM lineage_association"
            f" WHERE {here} IN ({_LISTED}) ORDER BY {there}, {here} LIMIT :most",
            {**chunk, "most": most - len(edges)},
        )
        edges += [Edge(*row) for row in rows]
        if len(edges) >= most:
            break
    return edges


def entities(tx: Transaction, numbers: Sequence[int]) -> dict[int, Kept]:
    """Entities by their numbers."""
    found: dict[int, Kept] = {}
    for chunk in _chunks(numbers):
        for row in tx.all(
            f"SELECT id, account, region, kind, handle, document FROM lineage_entity WHERE id IN ({_LISTED})", chunk
        ):
            number, account, region, kind, handle, document = row
            found[number] = Kept(number, Entity(EntityName(account, region, Kind(kind), handle), orjson.loads(document)))
    return found


_LISTED = ", ".join(f":n{place}" for place in range(AT_ONCE))


def _chunks(numbers: Sequence[int]) -> Iterator[dict[str, object]]:
    """The parameters of one statement after the other; the last number fills up what is left, so that the text stays the same."""
    for start in range(0, len(numbers), AT_ONCE):
        chunk = [*numbers[start : start + AT_ONCE]]
        chunk += [chunk[-1]] * (AT_ONCE - len(chunk))
        yield {f"n{place}": number for place, number in enumerate(chunk)}


SORTED_BY = {
    "CreationTime": "a.created",
    "SourceArn": "s.kind || '/' || s.handle",
    "DestinationArn": "d.kind || '/' || d.handle",
    "SourceType": "s.type",
    "DestinationType": "d.type",
}
FILTERS = {
    "SourceType": "s.type = :sourcetype",
    "DestinationType": "d.type = :destinationtype",
    "AssociationType": "a.type = :associationtype",
    "CreatedAfter": "a.created >= :createdafter",
    "CreatedBefore": "a.created <= :createdbefore",
}


def associations(
    tx: Transaction,
    account: str,
    region: str,
    ends: tuple[int | None, int | None],
    request: Mapping[str, Any],
    page: Page,
) -> list[tuple[Association, Any]]:
    """A page of associations with their sort values, and one more when there are more; `ends` are source and destination."""
    conditions, values = ["a.account = :account", "a.region = :region"], {"account": account, "region": region}
    parameters: dict[str, object] = {**values, "most": page.size + 1}
    for column, number in zip(("source_id", "destination_id"), ends, strict=True):
        if number is not None:
            conditions.append(f"a.{column} = :{column}")
            parameters[column] = number
    for member, condition in FILTERS.items():
        if member in request:
            conditions.append(condition)
            parameters[member.lower()] = request[member]
    value = SORTED_BY[request.get("SortBy", "CreationTime")]
    if page.after is not None:
        conditions.append(f"({value}, a.id) {'<' if page.descending else '>'} (:value, :id)")
        parameters |= {"value": page.after[0], "id": page.after[1]}
    direction = "DESC" if page.descending else "ASC"
    rows = tx.all(
        f"SELECT a.id, a.type, a.created, a.created_by, {value}, {_ENDS} FROM lineage_association a"
        " JOIN lineage_entity s ON s.id = a.source_id JOIN lineage_entity d ON d.id = a.destination_id"
        f" WHERE {' AND '.join(conditions)} ORDER BY {value} {direction}, a.id {direction} LIMIT :most",
        parameters,
    )
    return [(_association(account, region, row), row[4]) for row in rows]


def _association(account: str, region: str, row: Row) -> Association:
    number, kind, created, by = row[:4]
    shown: Document = {}
    for end, (end_kind, handle, end_type, text) in (("Source", row[5:9]), ("Destination", row[9:13])):
        at = EntityName(account, region, Kind(end_kind), handle)
        name = Entity(at, orjson.loads(text)).name
        shown |= {f"{end}Arn": at.arn, f"{end}Type": end_type}
        if name is not None:
            shown[f"{end}Name"] = name
    if kind:
        shown["AssociationType"] = kind
    return Association(number, {**shown, "CreationTime": created, "CreatedBy": orjson.loads(by)}, created)
