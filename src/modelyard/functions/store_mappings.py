"""The SQL of event source mappings: the queues that functions read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.functions.function import Version
from modelyard.storage.interface import Row, Transaction

_MAPPING = "SELECT id, uuid, account, region, function_id, qualifier, source, enabled, document FROM lambda_mapping"


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """A queue that a function reads."""

    id: int
    uuid: str
    account: str
    region: str
    function_id: int
    qualifier: str
    source: str
    """The ARN of the queue."""
    enabled: bool
    document: dict[str, Any]
    """Its EventSourceMappingConfiguration."""

    @property
    def batch_size(self) -> int:
        """How many messages at most one invocation gets."""
        return int(self.document["BatchSize"])

    @property
    def reports_failures(self) -> bool:
        """Whether the function says which messages it failed at."""
        return "ReportBatchItemFailures" in self.document.get("FunctionResponseTypes", [])


def _mapping(row: Row) -> SourceMapping:
    return SourceMapping(row[0], row[1], row[2], row[3], row[4], row[5], row[6], bool(row[7]), orjson.loads(row[8]))


def add(tx: Transaction, version: Version, qualifier: str, uuid: str, document: Mapping[str, Any], *, enabled: bool) -> bool:
    """Keep a mapping; False when the function reads that queue already."""
    added = tx.execute(
        "INSERT INTO lambda_mapping (uuid, account, region, function_id, qualifier, source, enabled, document)"
        " VALUES (:uuid, :account, :region, :function, :qualifier, :source, :enabled, :document)"
        " ON CONFLICT (function_id, qualifier, source) DO NOTHING",
        {
            "uuid": uuid,
            "account": version.at.account,
            "region": version.at.region,
            "function": version.function_id,
            "qualifier": qualifier,
            "source": document["EventSourceArn"],
            "enabled": int(enabled),
            "document": orjson.dumps(document).decode(),
        },
    )
    return added == 1


def change(tx: Transaction, mapping: SourceMapping, document: Mapping[str, Any], *, enabled: bool) -> None:
    """Keep another configuration."""
    tx.execute(
        "UPDATE lambda_mapping SET document = :document, enabled = :enabled WHERE id = :id",
        {"id": mapping.id, "document": orjson.dumps(document).decode(), "enabled": int(enabled)},
    )


def by_uuid(tx: Transaction, account: str, region: str, uuid: str) -> SourceMapping | None:
    """The mapping of that id."""
    row = tx.one(
        f"{_MAPPING} WHERE uuid = :uuid AND account = :account AND region = :region",
        {"uuid": uuid, "account": account, "region": region},
    )
    return None if row is None else _mapping(row)


def listed(
    tx: Transaction, account: str, region: str, *, function: int | None, source: str | None, after: int, most: int
) -> list[SourceMapping]:
    """Mappings of an account in the order they were made: all, those of a function, those of a queue."""
    narrowed, parameters = "", {"account": account, "region": region, "after": after, "most": most}
    if function is not None:
        narrowed, parameters["function"] = " AND function_id = :function", function
    if source is not None:
        narrowed, parameters["source"] = f"{narrowed} AND source = :source", source
    rows = tx.all(
        f"{_MAPPING} WHERE account = :account AND region = :region AND id > :after{narrowed} ORDER BY id LIMIT :most", parameters
    )
    return [_mapping(row) for row in rows]


def enabled(tx: Transaction) -> list[SourceMapping]:
    """Every mapping that is in use."""
    return [_mapping(row) for row in tx.all(f"{_MAPPING} WHERE enabled = 1 ORDER BY id")]


def remove(tx: Transaction, mapping: SourceMapping) -> None:
    """Forget a mapping."""
    tx.execute("DELETE FROM lambda_mapping WHERE id = :id", {"id": mapping.id})
