"""The SQL of what was deployed: where a version is, and what an endpoint ran at some time."""

from dataclasses import dataclass

from modelyard.endpoints import store_components
from modelyard.endpoints.deployment import Deployment, Result, Stored
from modelyard.endpoints.model import Name
from modelyard.endpoints.store_endpoints import all_of_name, by_id, deployment
from modelyard.storage.interface import Transaction


@dataclass(frozen=True, slots=True)
class Use:
    """A version in a variant of a deployment."""

    stored: Stored
    deployment: Deployment
    variant: str
    is_current: bool
    until: float | None
    """When something else was served instead."""
    component: str | None
    """The inference component that it is in."""


def serving(tx: Transaction, package_arn: str) -> list[str]:
    """The ARNs of the endpoints that serve a package, or are about to."""
    rows = tx.all(
        "SELECT e.account, e.region, e.folded FROM deployed_package d"
        " JOIN endpoint e ON (e.serving = d.deployment OR e.pending = d.deployment) AND e.deleted IS NULL"
        " WHERE d.package_arn = :package UNION SELECT e.account, e.region, e.folded FROM deployed_package d"
        " JOIN inference_component c ON (c.serving = d.deployment OR c.pending = d.deployment) AND c.deleted IS NULL"
        " JOIN endpoint e ON e.id = c.endpoint WHERE d.package_arn = :package ORDER BY 1, 2, 3",
        {"package": package_arn},
    )
    return [f"arn:aws:sagemaker:{region}:{account}:endpoint/{folded}" for account, region, folded in rows]


def uses(
    tx: Transaction, account: str, region: str, package_arn: str, before: int | None, limit: int, *, past: bool
) -> list[tuple[int, Use]]:
    """Where a package is (and with `past` was) deployed by an account, newest deployments first, each with its number of all
    deployments; at most `limit` deployments, those before a number."""
    conditions = ["e.account = :account", "e.region = :region", "d.package_arn = :package"]
    parameters: dict[str, object] = {"account": account, "region": region, "package": package_arn}
    if not past:
        conditions.append("(e.serving = d.deployment OR c.serving = d.deployment) AND e.deleted IS NULL AND c.deleted IS NULL")
    else:
        conditions.append("t.result = :well")
        parameters["well"] = Result.SUCCEEDED
    if before is not None:
        conditions.append("d.deployment < :before")
        parameters["before"] = before
    rows = tx.all(
        "SELECT DISTINCT d.deployment, t.endpoint, t.component FROM deployed_package d"
        " JOIN endpoint_deployment t ON t.id = d.deployment JOIN endpoint e ON e.id = t.endpoint"
        " LEFT JOIN inference_component c ON c.id = t.component"
        f" WHERE {' AND '.join(conditions)} ORDER BY d.deployment DESC LIMIT {int(limit)}",
        parameters,
    )
    found = []
    for number, endpoint, component in rows:
        stored, deployed = by_id(tx, endpoint), deployment(tx, number)
        assert stored is not None, "deployments are of endpoints"
        by = None if component is None else store_components.by_id(tx, component)
        whose = stored if by is None else by.stored
        current = whose.serving == number and whose.deleted is None
        until = None if current else _until(tx, whose, number, "endpoint" if by is None else "component")
        for variant, hosted in deployed.hosted.items():
            if package_arn in hosted.packages:
                found.append((number, Use(stored, deployed, variant, current, until, None if by is None else by.at.name)))
    return found


def _until(tx: Transaction, stored: Stored, number: int, kind: str) -> float | None:
    """When a deployment that served was followed by another, or what it was of deleted."""
    own = " AND component IS NULL" if kind == "endpoint" else ""
    row = tx.one(
        f"SELECT min(ended) FROM endpoint_deployment WHERE {kind} = :number{own} AND id > :id AND result = :well",
        {"number": stored.id, "id": number, "well": Result.SUCCEEDED},
    )
    return stored.deleted if row is None or row[0] is None else float(row[0])


def succeeded(tx: Transaction, endpoints: list[int]) -> list[Deployment]:
    """The deployments of endpoints that served, newest first."""
    numbers = ", ".join(str(int(one)) for one in endpoints)
    rows = tx.all(
        f"SELECT id FROM endpoint_deployment WHERE endpoint IN ({numbers}) AND component IS NULL AND result = :well"
        " ORDER BY id DESC",
        {"well": Result.SUCCEEDED},
    )
    return [deployment(tx, number) for (number,) in rows]


def served_at(tx: Transaction, at: Name, time: float) -> Deployment | None:
    """What was served under a name at a time; None when nothing was."""
    for stored in all_of_name(tx, at):
        if stored.created > time or (stored.deleted is not None and stored.deleted <= time):
            continue
        row = tx.one(
            "SELECT id FROM endpoint_deployment WHERE endpoint = :endpoint AND component IS NULL AND result = :well"
            " AND ended <= :time ORDER BY id DESC LIMIT 1",
            {"endpoint": stored.id, "well": Result.SUCCEEDED, "time": time},
        )
        return None if row is None else deployment(tx, row[0])
    return None
