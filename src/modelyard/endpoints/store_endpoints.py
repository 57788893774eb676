"""All the SQL of endpoints and their deployments."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from modelyard.endpoints.deployment import Deployment, Hosted, Kind, Result, Stored, from_document, to_document
from modelyard.endpoints.endpoint import Endpoint, Status, Variant, endpoint_at
from modelyard.endpoints.model import Document, Name
from modelyard.endpoints.store import Listed, Page
from modelyard.storage.interface import Row, Transaction
from modelyard.storage.listing import created_and_named, modified_and_status, rows_of_page

_COLUMNS = (
    "e.id, e.revision, e.account, e.region, e.name, e.status, e.config_name, e.failure, e.created, e.modified, e.deleted,"
    " e.serving, e.pending, e.state, e.owner, p.config_name"
)
_FROM = "FROM endpoint e LEFT JOIN endpoint_deployment p ON p.id = e.pending"
_NAMED = "e.account = :account AND e.region = :region AND e.folded = :folded"


def _at(at: Name) -> dict[str, object]:
    return {"account": at.account, "region": at.region, "folded": at.folded}


def _stored(row: Row) -> Stored:
    number, revision, account, region, name, status, config, failure, created, modified, deleted, *rest = row
    serving, pending, state, owner, pending_config = rest
    shown = orjson.loads(state)
    at = endpoint_at(account, region, name)
    core = Endpoint(at, Status(status), config, pending_config, failure, shown.get("LastDeploymentConfig"))
    return Stored(number, revision, core, created, modified, deleted, serving, pending, shown, owner)


def live(tx: Transaction, at: Name) -> Stored | None:
    """The endpoint of a name that is not deleted."""
    row = tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE {_NAMED} AND e.deleted IS NULL", _at(at))
    return None if row is None else _stored(row)


def is_there(tx: Transaction, at: Name) -> bool:
    """Whether there is an endpoint of a name."""
    return tx.one(f"SELECT 1 FROM endpoint e WHERE {_NAMED} AND e.deleted IS NULL", _at(at)) is not None


def by_id(tx: Transaction, number: int) -> Stored | None:
    """An endpoint, deleted or not."""
    row = tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE e.id = :id", {"id": number})
    return None if row is None else _stored(row)


def all_of_name(tx: Transaction, at: Name) -> list[Stored]:
    """Every endpoint that ever had a name, newest first."""
    return [_stored(row) for row in tx.all(f"SELECT {_COLUMNS} {_FROM} WHERE {_NAMED} ORDER BY e.id DESC", _at(at))]


def add(tx: Transaction, at: Name, status: Status, config_name: str, state: Document, now: float) -> int:
    """A new endpoint; its number."""
    row = tx.one(
        "INSERT INTO endpoint (account, region, folded, name, created, modified, status, config_name, state, revision)"
        " VALUES (:account, :region, :folded, :name, :now, :now, :status, :config, :state, 1) RETURNING id",
        {**_at(at), "name": at.name, "now": now, "status": status, "config": config_name, "state": _json(state)},
    )
    assert row is not None, "RETURNING gives the inserted row"
    return int(row[0])


def put(tx: Transaction, stored: Stored, changed: Endpoint, now: float, **columns: Any) -> bool:
    """Write an endpoint as it is now; False when somebody else has written it since it was read.

    `columns`: serving, pending, state, deleted, where they change. `modified` moves with the status, as on AWS.
    """
    values = {
        "serving": stored.serving,
        "pending": stored.pending,
        "state": stored.state,
        "deleted": stored.deleted,
        "owner": stored.owner,
        **columns,
    }
    state = {name: value for name, value in values["state"].items() if name != "LastDeploymentConfig"}
    if changed.last_deployment is not None:
        state["LastDeploymentConfig"] = changed.last_deployment
    return bool(
        tx.execute(
            "UPDATE endpoint SET status = :status, config_name = :config, failure = :failure, modified = :now,"
            " serving = :serving, pending = :pending, state = :state, deleted = :deleted, owner = :owner,"
            " revision = revision + 1 WHERE id = :id AND revision = :revision",
            {
                **values,
                "state": _json(state),
                "status": changed.status,
                "config": changed.config_name,
                "failure": changed.failure_reason,
                "now": now,
                "id": stored.id,
                "revision": stored.revision,
            },
        )
    )


def put_state(tx: Transaction, stored: Stored, state: Document) -> bool:
    """Write down what was seen of an endpoint, which changes nothing of it."""
    return bool(
        tx.execute(
            "UPDATE endpoint SET state = :state, revision = revision + 1 WHERE id = :id AND revision = :revision",
            {"state": _json(state), "id": stored.id, "revision": stored.revision},
        )
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


# --- deployments --------------------------------------------------------------------------------

_DEPLOYMENT = "id, endpoint, number, kind, plan, config_name, started, started_by, ended, result, reason, document"


def _deployment(row: Row) -> Deployment:
    number, endpoint, count, kind, plan, config_name, started, by, ended, result, reason, document = row
    return Deployment(
        id=number,
        endpoint=endpoint,
        number=count,
        kind=Kind(kind),
        plan=plan,
        config_name=config_name,
        started=started,
        started_by=by,
        ended=ended,
        result=Result(result),
        reason=reason,
        **from_document(orjson.loads(document)),
    )


def begin(tx: Transaction, endpoint: int, kind: Kind, config_name: str, by: str, now: float, component: int | None = None) -> int:
    """A new deployment of an endpoint, or of a component on it, of which nothing else is known yet; its number of all
    deployments."""
    row = tx.one(
        "INSERT INTO endpoint_deployment (endpoint, number, kind, config_name, started, started_by, result, document, component)"
        " SELECT :endpoint, coalesce(max(number), 0) + 1, :kind, :config, CAST(:now AS DOUBLE PRECISION), :by, :result, '',"
        " CAST(:component AS BIGINT) FROM endpoint_deployment WHERE endpoint = :endpoint RETURNING id",
        {
            "endpoint": endpoint,
            "kind": kind,
            "config": config_name,
            "now": now,
            "by": by,
            "result": Result.IN_PROGRESS,
            "component": component,
        },
    )
    assert row is not None, "RETURNING gives the inserted row"
    return int(row[0])


def fill(
    tx: Transaction,
    number: int,
    plan: int,
    policy: Document,
    config: Document,
    variants: Sequence[Variant],
    hosted: Mapping[str, Hosted],
) -> None:
    """What a deployment is to run."""
    document = _json(to_document(policy, config, variants, hosted))
    tx.execute(
        "UPDATE endpoint_deployment SET plan = :plan, document = :document WHERE id = :id",
        {"plan": plan, "document": document, "id": number},
    )
    tx.execute_many(
        "INSERT INTO deployed_package (deployment, package_arn, variant) VALUES (:id, :package, :variant)",
        [{"id": number, "package": arn, "variant": name} for name, one in hosted.items() for arn in one.packages],
    )


def end(tx: Transaction, number: int, result: Result, reason: str | None, now: float) -> None:
    """What became of a deployment."""
    tx.execute(
        "UPDATE endpoint_deployment SET ended = :now, result = :result, reason = :reason WHERE id = :id",
        {"now": now, "result": result, "reason": reason, "id": number},
    )


def deployment(tx: Transaction, number: int) -> Deployment:
    """A deployment. Raises LookupError."""
    row = tx.one(f"SELECT {_DEPLOYMENT} FROM endpoint_deployment WHERE id = :id", {"id": number})
    if row is None:
        raise LookupError(f"there is no deployment {number}")
    return _deployment(row)


def deployments(tx: Transaction, endpoints: Iterable[int], before: int | None, limit: int) -> list[Deployment]:
    """Deployments of endpoints themselves, newest first, those before a number of all deployments."""
    numbers = ", ".join(str(int(number)) for number in endpoints)
    older = "" if before is None else " AND id < :before"
    rows = tx.all(
        f"SELECT {_DEPLOYMENT} FROM endpoint_deployment WHERE endpoint IN ({numbers}) AND component IS NULL{older}"
        f" ORDER BY id DESC LIMIT {int(limit)}",
        {} if before is None else {"before": before},
    )
    return [_deployment(row) for row in rows]


# --- lists --------------------------------------------------------------------------------------

SORTED_BY = {"Name": "e.folded", "CreationTime": "e.created", "Status": "e.status"}
FILTERS = {**created_and_named("e."), **modified_and_status("e.")}


def page_of(tx: Transaction, account: str, region: str, filters: Mapping[str, Any], page: Page, by: str) -> list[Listed]:
    """Endpoints of an account, at most `page.size` + 1."""
    rows = rows_of_page(
        tx,
        f"SELECT e.id, {SORTED_BY[by]}, e.created, e.name, e.modified, e.status FROM endpoint e"
        " WHERE e.account = :account AND e.region = :region AND e.deleted IS NULL",
        {"account": account, "region": region},
        filters,
        FILTERS,
        (SORTED_BY[by], "e.id"),
        page,
    )
    return [_listed(account, region, row) for row in rows]


def _listed(account: str, region: str, row: Row) -> Listed:
    number, key, created, name, modified, status = row
    summary = {
        "EndpointName": name,
        "EndpointArn": endpoint_at(account, region, name).arn,
        "CreationTime": created,
        "LastModifiedTime": modified,
        "EndpointStatus": status,
    }
    return Listed(number, key, created, summary)
