"""An endpoint's states: what leads from one to the next, which call is refused in which, and what an update leaves behind.

Functions of values: nothing here starts, stops or stores anything.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from modelyard.endpoints.model import Name, RuleBroken

Document = dict[str, Any]


class Status(StrEnum):
    """EndpointStatus."""

    CREATING = "Creating"
    IN_SERVICE = "InService"
    UPDATING = "Updating"
    ROLLING_BACK = "RollingBack"
    SYSTEM_UPDATING = "SystemUpdating"
    DELETING = "Deleting"
    FAILED = "Failed"
    OUT_OF_SERVICE = "OutOfService"
    UPDATE_ROLLBACK_FAILED = "UpdateRollbackFailed"


IN_PROGRESS = frozenset(
    {Status.CREATING, Status.UPDATING, Status.ROLLING_BACK, Status.SYSTEM_UPDATING, Status.DELETING},
)
SERVING = frozenset(
    {Status.IN_SERVICE, Status.UPDATING, Status.ROLLING_BACK, Status.SYSTEM_UPDATING, Status.UPDATE_ROLLBACK_FAILED},
)
"""In these it can be invoked."""
_NEXT = {
    Status.CREATING: {Status.IN_SERVICE, Status.FAILED},
    Status.IN_SERVICE: {Status.UPDATING, Status.SYSTEM_UPDATING, Status.DELETING, Status.OUT_OF_SERVICE},
    Status.UPDATING: {Status.IN_SERVICE, Status.ROLLING_BACK, Status.UPDATE_ROLLBACK_FAILED},
    Status.ROLLING_BACK: {Status.IN_SERVICE, Status.UPDATE_ROLLBACK_FAILED},
    Status.SYSTEM_UPDATING: {Status.IN_SERVICE},
    Status.OUT_OF_SERVICE: {Status.UPDATING, Status.DELETING},
    Status.UPDATE_ROLLBACK_FAILED: {Status.UPDATING, Status.DELETING},
    Status.FAILED: {Status.DELETING},
    Status.DELETING: set(),
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint and its update, if one is under way."""

    at: Name
    status: Status
    config_name: str
    """What Describe shows: during an update still the configuration before."""
    pending_config: str | None = None
    failure_reason: str | None = None
    last_deployment: Document | None = None
    """The DeploymentConfig of the last update that named one."""

    @property
    def is_serving(self) -> bool:
        """Whether it can be invoked."""
        return self.status in SERVING


def endpoint_at(account: str, region: str, name: str) -> Name:
    """The place of an endpoint."""
    return Name(account, region, "endpoint", name)


def moved(endpoint: Endpoint, status: Status) -> Endpoint:
    """The endpoint in its next status. Raises ValueError for a status that does not come after the one it has."""
    if status not in _NEXT[endpoint.status]:
        raise ValueError(f"an endpoint does not go from {endpoint.status} to {status}")
    return replace(endpoint, status=status)


def check_update(endpoint: Endpoint) -> None:
    """Whether an update, or new weights, may begin. Raises RuleBroken, in AWS's words where they are known."""
    _check_in_progress(endpoint)
    if endpoint.status is Status.FAILED:
        raise RuleBroken(f'Cannot update endpoint "{endpoint.at.arn}" with status "Failed": it can only be deleted.')


def check_deletion(endpoint: Endpoint) -> None:
    """Whether it may be deleted. Raises RuleBroken: AWS says of an endpoint in progress that it cannot be *updated*."""
    _check_in_progress(endpoint)


def _check_in_progress(endpoint: Endpoint) -> None:
    if endpoint.status in IN_PROGRESS:
        raise RuleBroken(f'Cannot update in-progress endpoint "{endpoint.at.arn}".')


def created(endpoint: Endpoint, failure: str | None = None) -> Endpoint:
    """What becomes of an endpoint that was being made."""
    if failure is None:
        return moved(endpoint, Status.IN_SERVICE)
    return replace(moved(endpoint, Status.FAILED), failure_reason=failure)


def updating(endpoint: Endpoint, config_name: str, deployment: Document | None = None, *, retain: bool = False) -> Endpoint:
    """An update to a configuration begins; `retain` takes the last DeploymentConfig once more. Raises RuleBroken."""
    check_update(endpoint)
    chosen = endpoint.last_deployment if retain and deployment is None else deployment
    return replace(moved(endpoint, Status.UPDATING), pending_config=config_name, last_deployment=chosen)


def updated(endpoint: Endpoint, failure: str | None = None) -> Endpoint:
    """How an update ended: on the new configuration, or, with the reason why it failed, on the one before."""
    after = moved(endpoint, Status.IN_SERVICE)
    if failure is not None or endpoint.pending_config is None:
        return replace(after, pending_config=None, failure_reason=failure)
    return replace(after, config_name=endpoint.pending_config, pending_config=None, failure_reason=None)


COUNT, WEIGHT, CAPTURE = "DesiredInstanceCount", "DesiredWeight", "DataCaptureConfig"
"""Properties that an update retains: those of VariantPropertyType."""
SERVERLESS = "ServerlessUpdateConfig"


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant as it is wanted now: its configuration says how it began."""

    name: str
    weight: float
    instances: int | None = None
    """None for a serverless one."""
    shared: bool = False
    """Whether its instances are no processes of a model, but what inference components share."""
    shadow: bool = False
    """Whether it is asked what the production variant is asked, and answers nobody."""
    serverless: Document | None = None
    """The ServerlessConfig of a serverless one."""

    @property
    def steady(self) -> int:
        """Instances that are always there."""
        if self.serverless is not None:
            return int(self.serverless.get("ProvisionedConcurrency", 0))
        return self.instances or 0

    @property
    def first(self) -> int:
        """Instances that have to come up well before it serves: of a serverless one that sleeps mostly, one."""
        return self.steady if self.serverless is None else max(1, self.steady)


def variants_of(config: Mapping[str, Any]) -> list[Variant]:
    """The variants of a configuration, as DescribeEndpointConfig answers it."""
    return [
        Variant(
            one["VariantName"],
            one.get("InitialVariantWeight", 1.0),
            one.get("InitialInstanceCount"),
            shared="ModelName" not in one and "ExecutionRoleArn" in config,
            shadow=shadow,
            serverless=one.get("ServerlessConfig"),
        )
        for member, shadow in (("ProductionVariants", False), ("ShadowProductionVariants", True))
        for one in config.get(member, ())
    ]


def retained(new: Iterable[Variant], current: Iterable[Variant], excluded: Collection[str] = ()) -> list[Variant]:
    """The variants of a new configuration with the counts and weights that those of the same names have now, but for what is
    excluded (`ExcludeRetainedVariantProperties`)."""
    now = {variant.name: variant for variant in current}
    found = []
    for variant in new:
        kept = now.get(variant.name)
        if kept is not None and WEIGHT not in excluded:
            variant = replace(variant, weight=kept.weight)  # noqa: PLW2901 - one step after the other
        if kept is not None and COUNT not in excluded and variant.instances is not None and kept.instances is not None:
            variant = replace(variant, instances=kept.instances)  # noqa: PLW2901
        found.append(variant)
    return found


def reweighted(current: Sequence[Variant], wanted: Sequence[Mapping[str, Any]], config_name: str) -> list[Variant]:
    """The variants after UpdateEndpointWeightsAndCapacities. Raises RuleBroken for variants that are not there, or come twice."""
    names = [one["VariantName"] for one in wanted]
    for name in names:
        if names.count(name) > 1:
            raise RuleBroken(f'The variant name "{name}" was non-unique within the request.')
    missing = [name for name in names if name not in {variant.name for variant in current}]
    if missing:
        raise RuleBroken(
            f'The variant name(s) "{", ".join(missing)}" is/are not present within endpoint configuration "{config_name}".'
        )
    changes = {one["VariantName"]: one for one in wanted}
    for variant in current:
        _check_change(variant, changes.get(variant.name, {}))
    return [_changed(variant, changes.get(variant.name, {})) for variant in current]


def _changed(variant: Variant, change: Mapping[str, Any]) -> Variant:
    instances = variant.instances if variant.instances is None else change.get(COUNT, variant.instances)
    serverless = variant.serverless if variant.serverless is None else {**variant.serverless, **change.get(SERVERLESS, {})}
    return replace(variant, weight=change.get(WEIGHT, variant.weight), instances=instances, serverless=serverless)


def _check_change(variant: Variant, change: Mapping[str, Any]) -> None:
    if variant.serverless is None:
        if SERVERLESS in change:
            raise RuleBroken(f'The variant "{variant.name}" is not a serverless one, and so cannot have a {SERVERLESS}.')
        return
    if COUNT in change:
        raise RuleBroken(f'The variant "{variant.name}" is a serverless one, and so cannot have a {COUNT}.')
    after = {**variant.serverless, **change.get(SERVERLESS, {})}
    if after.get("ProvisionedConcurrency", 0) > after["MaxConcurrency"]:
        raise RuleBroken(f"The ProvisionedConcurrency of the variant {variant.name} is greater than its MaxConcurrency.")


def route(variants: Sequence[Variant], chance: float) -> str:
    """The variant that a request goes to, for a chance from 0 up to, and without, 1: each gets its weight's share.

    Raises LookupError when no variant has any weight.
    """
    weighted = [variant for variant in variants if variant.weight > 0]
    if not weighted:
        raise LookupError("no variant has a weight greater than 0")
    left = chance * sum(variant.weight for variant in weighted)
    for variant in weighted:
        if left < variant.weight:
            return variant.name
        left -= variant.weight
    return weighted[-1].name
