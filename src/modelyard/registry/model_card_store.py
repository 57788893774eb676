"""All the SQL of model cards and their export jobs."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from modelyard.registry.model_card import Card, CardName
from modelyard.registry.store import Page
from modelyard.storage.interface import Row, Transaction

Document = dict[str, Any]

_NEWEST = (
    "SELECT c.id, c.account, c.region, c.name, c.created, c.last_version, v.document FROM model_card AS c"
    " JOIN model_card_version AS v ON v.card_id = c.id AND v.version = c.last_version"
)


def _card(row: Row) -> Card:
    return Card(id=row[0], at=CardName(row[1], row[2], row[3]), created=row[4], version=row[5], document=orjson.loads(row[6]))


def card(tx: Transaction, at: CardName) -> Card | None:
    """The newest version of a card."""
    row = tx.one(
        f"{_NEWEST} WHERE c.account = :account AND c.region = :region AND c.name = :name",
        {"account": at.account, "region": at.region, "name": at.name},
    )
    return None if row is None else _card(row)


def version(tx: Transaction, card_id: int, number: int) -> Document | None:
    """What DescribeModelCard answers for a version."""
    row = tx.one(
        "SELECT document FROM model_card_version WHERE card_id = :id AND version = :version", {"id": card_id, "version": number}
    )
    return None if row is None else orjson.loads(row[0])


def add_card(tx: Transaction, at: CardName, document: Document) -> None:
    """Keep a new card."""
    created = document["CreationTime"]
    row = tx.one(
        "INSERT INTO model_card (account, region, name, status, created, last_version)"
        " VALUES (:account, :region, :name, :status, :created, 0) RETURNING id",
        {
            "account": at.account,
            "region": at.region,
            "name": at.name,
            "status": document["ModelCardStatus"],
            "created": created,
        },
    )
    assert row is not None
    add_version(tx, row[0], document, created)


def add_version(tx: Transaction, card_id: int, document: Document, now: float) -> None:
    """Keep a new version of a card as its newest."""
    values = {
        "id": card_id,
        "version": document["ModelCardVersion"],
        "status": document["ModelCardStatus"],
        "created": now,
        "document": _json(document),
    }
    tx.execute(
        "INSERT INTO model_card_version (card_id, version, status, created, document)"
        " VALUES (:id, :version, :status, :created, :document)",
        values,
    )
    tx.execute("UPDATE model_card SET last_version = :version, status = :status WHERE id = :id", values)


def update_version(tx: Transaction, card_id: int, document: Document) -> None:
    """Keep what has become of a card's newest version."""
    values = {
        "id": card_id,
        "version": document["ModelCardVersion"],
        "status": document["ModelCardStatus"],
        "document": _json(document),
    }
    tx.execute(
        "UPDATE model_card_version SET status = :status, document = :document WHERE card_id = :id AND version = :version", values
    )
    tx.execute("UPDATE model_card SET status = :status WHERE id = :id", values)


def delete_card(tx: Transaction, card_id: int) -> None:
    """Forget a card with its versions and the records of its exports; the exported files stay."""
    tx.execute("DELETE FROM model_card WHERE id = :id", {"id": card_id})


def cards(tx: Transaction, account: str, region: str, filters: Mapping[str, Any], page: Page, *, by_name: bool) -> list[Card]:
    """Cards of an account in order of creation or name, at most `page.size` + 1."""
    sort = ("c.name", "c.id") if by_name else ("c.created", "c.id")
    where, parameters = _filters(filters, "c", "ModelCardStatus")
    if "NameContains" in filters:
        where += " AND c.name LIKE :contains"
        parameters["contains"] = f"%{filters['NameContains']}%"
    keyset, after = page.condition(*sort)
    rows = tx.all(
        f"{_NEWEST} WHERE c.account = :account AND c.region = :region{where}{keyset}{page.order(*sort)}",
        {"account": account, "region": region, **parameters, **after},
    )
    return [_card(row) for row in rows]


def documents(tx: Transaction, account: str, region: str, names: Sequence[str]) -> dict[str, Document]:
    """The newest versions of cards by name."""
    found = (card(tx, CardName(account, region, name)) for name in names)
    return {one.at.name: one.document for one in found if one is not None}


def versions(tx: Transaction, card_id: int, filters: Mapping[str, Any], page: Page) -> list[tuple[float, Document]]:
    """When versions of a card were made, and their documents, in order of their numbers, at most `page.size` + 1."""
    where, parameters = _filters(filters, "v", "ModelCardStatus")
    keyset, after = page.condition("v.version")
    rows = tx.all(
        "SELECT v.created, v.document FROM model_card_version AS v"  # noqa: S608  names of columns and parameters
        f" WHERE v.card_id = :card_id{where}{keyset}{page.order('v.version')}",
        {"card_id": card_id, **parameters, **after},
    )
    return [(row[0], orjson.loads(row[1])) for row in rows]


def export_job(tx: Transaction, card_id: int, name: str) -> Document | None:
    """What DescribeModelCardExportJob answers."""
    row = tx.one("SELECT document FROM model_card_export_job WHERE card_id = :id AND name = :name", {"id": card_id, "name": name})
    return None if row is None else orjson.loads(row[0])


def add_export_job(tx: Transaction, card_id: int, document: Document) -> None:
    """Keep the record of an export."""
    tx.execute(
        "INSERT INTO model_card_export_job (card_id, name, version, status, created, document)"
        " VALUES (:card_id, :name, :version, :status, :created, :document)",
        {
            "card_id": card_id,
            "name": document["ModelCardExportJobName"],
            "version": document["ModelCardVersion"],
            "status": document["Status"],
            "created": document["CreatedAt"],
            "document": _json(document),
        },
    )


def export_jobs(tx: Transaction, card_id: int, filters: Mapping[str, Any], page: Page, sort: str) -> list[tuple[int, Document]]:
    """Export jobs of a card in order of `sort` (a column), at most `page.size` + 1, each with its row's number."""
    where, parameters = _filters(filters, "j", "StatusEquals")
    if "ModelCardVersion" in filters:
        where += " AND j.version = :version"
        parameters["version"] = filters["ModelCardVersion"]
    if "ModelCardExportJobNameContains" in filters:
        where += " AND j.name LIKE :contains"
        parameters["contains"] = f"%{filters['ModelCardExportJobNameContains']}%"
    columns = (f"j.{sort}", "j.id")
    keyset, after = page.condition(*columns)
    rows = tx.all(
        "SELECT j.id, j.document FROM model_card_export_job AS j"  # noqa: S608  names of columns and parameters
        f" WHERE j.card_id = :card_id{where}{keyset}{page.order(*columns)}",
        {"card_id": card_id, **parameters, **after},
    )
    return [(row[0], orjson.loads(row[1])) for row in rows]


def _filters(filters: Mapping[str, Any], table: str, status: str) -> tuple[str, Document]:
    where, parameters = "", {}
    if status in filters:
        where += f" AND {table}.status = :status"
        parameters["status"] = filters[status]
    if "CreationTimeAfter" in filters:
        where += f" AND {table}.created > :created_after"
        parameters["created_after"] = filters["CreationTimeAfter"]
    if "CreationTimeBefore" in filters:
        where += f" AND {table}.created < :created_before"
        parameters["created_before"] = filters["CreationTimeBefore"]
    return where, parameters


def _json(document: Document) -> str:
    return orjson.dumps(document).decode()
