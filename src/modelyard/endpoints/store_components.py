"""All the SQL of inference components."""

from collections.abc import Mapping
from typing import Any

import orjson

from modelyard.endpoints import component as domain
from modelyard.endpoints.component import Component, component_at
from modelyard.endpoints.deployment import Stored
from modelyard.endpoints.endpoint import Endpoint, Status, endpoint_at
from modelyard.endpoints.model import Document, Name
from modelyard.endpoints.store import Listed, Page
from modelyard.storage.interface import Row, Transaction
from modelyard.storage.listing import created_and_named, modified_and_status, rows_of_page

_COLUMNS = (
    "c.id, c.revision, c.account, c.region, c.name, c.status, c.failure, c.created, c.modified, c.deleted, c.serving, c.pending,"
    " c.state, c.endpoint, c.variant, e.name, e.owner"
)
_FROM = "FROM inference_component c JOIN endpoint e ON e.id = c.endpoint"
_NAMED = "c.account = :account AND c.region = :region AND c.folded = :folded AND c.deleted IS NULL"


def _at(at: Name) -> dict[str, object]:
    return {"account": at.account, "region": at.region, "folded": at.folded}


def _component(row: Row) -> Component:
    number, revision, account, region, name, status, failure, created, modified, deleted, *rest = row
    serving, pending, state, endpoint, variant, endpoint_name, owner = rest
    shown = orjson.loads(state)
    at = component_at(account, region, name)
    core = Endpoint(at, Status(status), "", None, failure, shown.get("LastDeploymentConfig"))
    stored = Stored(number, revision, core, created, modified, deleted, serving, pending, shown, owner)
    return Component(stored, endpoint, endpoint_at(account, region, endpoint_name), variant)


def live(tx: Transaction, at: Name) -> Component | None:
    """The component of a name that is not deleted."""
    row = tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE {_NAMED}", _at(at))
    return None if row is None else _component(row)


def is_there(tx: Transaction, at: Name) -> bool:
    """Whether there is a component of a name."""
    return tx.one(f"SELECT 1 FROM inference_component c WHERE {_NAMED}", _at(at)) is not None


def by_id(tx: Transaction, number: int) -> Component | None:
    """A component, deleted or not."""
    row = tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE c.id = :id", {"id": number})
    return None if row is None else _component(row)


def of_endpoint(tx: Transaction, endpoint: int) -> list[Component]:
    """The components of an endpoint."""
    rows = tx.all(
        f"SELECT {_COLUMNS} {_FROM} WHERE c.endpoint = :endpoint AND c.deleted IS NULL ORDER BY c.id", {"endpoint": endpoint}
    )
    return [_component(row) for row in rows]


def revisions(tx: Transaction, owner: str) -> dict[int, int]:
    """The components of the endpoints that a server runs, each with its revision."""
    return dict(
        tx.all(
            f"SELECT c.id, c.revision {_FROM} WHERE e.owner = :owner AND e.deleted IS NULL AND c.deleted IS NULL",
            {"owner": owner},
        )
    )


def add(tx: Transaction, at: Name, endpoint: int, variant: str, now: float) -> int:
    """A new component; its number."""
    row = tx.one(
        "INSERT INTO inference_component"
        " (account, region, folded, name, endpoint, variant, created, modified, status, state, revision)"
        " VALUES (:account, :region, :folded, :name, :endpoint, :variant, :now, :now, :status, '{}', 1) RETURNING id",
        {**_at(at), "name": at.name, "endpoint": endpoint, "variant": variant, "now": now, "status": Status.CREATING},
    )
    assert row is not None, "RETURNING gives the inserted row"
    return int(row[0])


def put(tx: Transaction, stored: Stored, changed: Endpoint, now: float, **columns: Any) -> bool:
    """Write a component as it is now; False when somebody else has written it since it was read."""
    values = {
        "serving": stored.serving,
        "pending": stored.pending,
        "state": stored.state,
        "deleted": stored.deleted,
        **columns,
    }
    state = {name: value for name, value in values["state"].items() if name != "LastDeploymentConfig"}
    if changed.last_deployment is not None:
        state["LastDeploymentConfig"] = changed.last_deployment
    return bool(
        tx.execute(
            "UPDATE inference_component SET status = :status, failure = :failure, modified = :now, serving = :serving,"
            " pending = :pending, state = :state, deleted = :deleted, revision = revision + 1"
            " WHERE id = :id AND revision = :revision",
            {
                **values,
                "state": _json(state),
                "status": changed.status,
                "failure": changed.failure_reason,
                "now": now,
                "id": stored.id,
                "revision": stored.revision,
            },
        )
    )


def put_state(tx: Transaction, stored: Stored, state: Document) -> bool:
    """Write down what was seen of a component, which changes nothing of it."""
    return bool(
        tx.execute(
            "UPDATE inference_component SET state = :state, revision = revision + 1 WHERE id = :id AND revision = :revision",
            {"state": _json(state), "id": stored.id, "revision": stored.revision},
        )
    )


def plans(tx: Transaction, component: int) -> list[int]:
    """The deployments of a component that hold bytes."""
    return [
        number
        for (number,) in tx.all("SELECT id FROM endpoint_deployment WHERE component = :id AND plan = id", {"id": component})
    ]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


SORTED_BY = {"Name": "c.folded", "CreationTime": "c.created", "Status": "c.status"}
FILTERS = {
    **created_and_named("c."),
    **modified_and_status("c."),
    "EndpointNameEquals": ("e.name", "="),
    "VariantNameEquals": ("c.variant", "="),
}


def page_of(tx: Transaction, account: str, region: str, filters: Mapping[str, Any], page: Page, by: str) -> list[Listed]:
    """Components of an account, at most `page.size` + 1."""
    rows = rows_of_page(
        tx,
        f"SELECT {_COLUMNS} {_FROM} WHERE c.account = :account AND c.region = :region AND c.deleted IS NULL",
        {"account": account, "region": region},
        filters,
        FILTERS,
        (SORTED_BY[by], "c.id"),
        page,
    )
    return [_listed(_component(row), by) for row in rows]


def _listed(one: Component, by: str) -> Listed:
    key: Any = {"Name": one.at.folded, "CreationTime": one.stored.created, "Status": str(one.status)}[by]
    return Listed(one.stored.id, key, one.stored.created, domain.summary(one))
