"""All the SQL of models and endpoint configurations."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from modelyard.endpoints import endpoint_config, model
from modelyard.endpoints.model import Artifact, Model, Name, Runnable
from modelyard.storage.interface import Row, Transaction
from modelyard.storage.listing import created_and_named, rows_of_page

Parameters = dict[str, Any]

TABLES = {"model": "model", "endpoint-config": "endpoint_config"}
"""By what the ARNs of their rows begin with."""
SUMMARIES = {"model": model.summary, "endpoint-config": endpoint_config.summary}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: after which key, sorted by what, how many rows."""

    after: list[Any] | None
    by_name: bool
    descending: bool
    size: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A row as a list has it."""

    id: int
    folded: str
    created: float
    summary: Mapping[str, Any]


def _at(at: Name) -> Parameters:
    return {"account": at.account, "region": at.region, "folded": at.folded}


_NAMED = "WHERE account = :account AND region = :region AND folded = :folded"


def document(tx: Transaction, at: Name) -> str | None:
    """What Describe answers, as the JSON text that is stored."""
    row = tx.one(f"SELECT document FROM {TABLES[at.kind]} {_NAMED}", _at(at))
    return None if row is None else str(row[0])


def model_at(tx: Transaction, at: Name) -> Model | None:
    """A model, with what there is to run."""
    row = tx.one(f"SELECT id, account, region, created, document, containers FROM model {_NAMED}", _at(at))
    return None if row is None else _model(row)


def _model(row: Row) -> Model:
    number, account, region, created, text, containers = row
    shown = orjson.loads(text)
    return Model(
        id=number,
        at=model.model_at(account, region, shown["ModelName"]),
        created=created,
        document=shown,
        containers=[_runnable(each) for each in orjson.loads(containers)],
    )


def _runnable(kept: dict[str, Any]) -> Runnable:
    return Runnable(**{**kept, "artifacts": [Artifact(**artifact) for artifact in kept["artifacts"]]})


def add_model(tx: Transaction, at: Name, shown: Mapping[str, Any], containers: Sequence[Runnable]) -> None:
    """Keep a new model."""
    tx.execute(
        "INSERT INTO model (account, region, folded, created, document, containers)"
        " VALUES (:account, :region, :folded, :created, :document, :containers)",
        {
            **_at(at),
            "created": shown["CreationTime"],
            "document": orjson.dumps(shown).decode(),
            "containers": orjson.dumps([asdict(container) for container in containers]).decode(),
        },
    )


def add_config(tx: Transaction, at: Name, shown: Mapping[str, Any]) -> None:
    """Keep a new endpoint configuration."""
    tx.execute(
        "INSERT INTO endpoint_config (account, region, folded, created, document)"
        " VALUES (:account, :region, :folded, :created, :document)",
        {**_at(at), "created": shown["CreationTime"], "document": orjson.dumps(shown).decode()},
    )


def delete(tx: Transaction, at: Name) -> bool:
    """Forget a model or an endpoint configuration; False when there was none."""
    return bool(tx.execute(f"DELETE FROM {TABLES[at.kind]} {_NAMED}", _at(at)))


def page_of(tx: Transaction, account: str, region: str, kind: str, filters: Mapping[str, Any], page: Page) -> list[Listed]:
    """Models or endpoint configurations of an account, at most `page.size` + 1."""
    rows = rows_of_page(
        tx,
        f"SELECT id, folded, created, document FROM {TABLES[kind]} WHERE account = :account AND region = :region",
        {"account": account, "region": region},
        filters,
        created_and_named(),
        ("folded" if page.by_name else "created", "id"),
        page,
    )
    shown = SUMMARIES[kind]
    return [Listed(row[0], row[1], row[2], shown(orjson.loads(row[3]))) for row in rows]
