"""A deployment: what an endpoint was to run from some time on.

It is complete in itself: it can be run again whatever has become of the configuration and the models it was made of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from modelyard.endpoints import queued
from modelyard.endpoints.endpoint import Endpoint, Variant
from modelyard.endpoints.model import Artifact, Document, Runnable

FIRST_CHECK_SECONDS = 240.0
"""How long a container may take until it first answers /ping, unless its variant says otherwise."""


class Kind(StrEnum):
    """What made a deployment."""

    CREATE = "Create"
    UPDATE = "Update"
    WEIGHTS = "WeightsAndCapacities"
    ROLLBACK = "Rollback"
    RESTORE = "Restore"


class Result(StrEnum):
    """What became of it."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ROLLED_BACK = "RolledBack"
    """Alarms went off while it was baking."""


FIRST = (Kind.CREATE, Kind.RESTORE)
"""Those that make an endpoint."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """What one variant runs: a model as it was when it was deployed."""

    model_name: str
    model_arn: str
    role: str | None
    """The execution role of the model."""
    isolated: bool
    """Whether its containers reach nothing, Modelyard neither."""
    direct: bool
    """Whether its containers are invoked one by one, by their hostnames, and not one after the other."""
    first_check_seconds: float
    instance_type: str
    """Empty for a serverless variant."""
    document: Document
    """What DescribeModel answered."""
    containers: Sequence[Runnable]
    memory_mib: int | None = None
    """Of each container, where it is not that of every instance."""

    def name_of(self, index: int) -> str:
        """What SageMaker calls a container in texts and log streams."""
        hostname = self.containers[index].definition.get("ContainerHostname")
        if hostname is not None:
            return str(hostname)
        return "primary" if len(self.containers) == 1 else f"container_{index + 1}"

    @property
    def packages(self) -> list[str]:
        """The ARNs of the model packages in it."""
        return sorted({one.package_arn for one in self.containers if one.package_arn is not None})


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as it is stored."""

    id: int
    endpoint: int
    number: int
    kind: Kind
    plan: int
    """The deployment whose fleet it runs on."""
    config_name: str
    started: float
    started_by: str
    config: Document
    """What DescribeEndpointConfig answered."""
    variants: Sequence[Variant]
    """How they are wanted."""
    hosted: Mapping[str, Hosted]
    """By variant."""
    policy: Document
    """The DeploymentConfig that it goes by."""
    ended: float | None = None
    result: Result = Result.IN_PROGRESS
    reason: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Instances by variant that have to be there before it is done; what inference components share is no process."""
        own = self.plan == self.id
        return {variant.name: variant.first if own else variant.steady for variant in self.variants if not variant.shared}

    @property
    def steady(self) -> dict[str, int]:
        """Instances by variant that are there as long as it serves, whether there are requests or not."""
        return {variant.name: variant.steady for variant in self.variants if not variant.shared}

    @property
    def is_asynchronous(self) -> bool:
        """Whether requests to it are queued."""
        return queued.config_of(self.config) is not None

    def instance_type(self, variant: str) -> str:
        """That of a variant, as it is in the configuration where it runs no model itself; empty for a serverless one."""
        if variant in self.hosted:
            return self.hosted[variant].instance_type
        given = {one["VariantName"]: one for one in self.config["ProductionVariants"]}
        return str(given[variant]["InstanceType"])


@dataclass(frozen=True, slots=True)
class Stored:
    """An endpoint as it is stored."""

    id: int
    revision: int
    endpoint: Endpoint
    created: float
    modified: float
    deleted: float | None
    serving: int | None
    pending: int | None
    state: Document
    """`Current`: by variant the count of healthy instances and the weight; `Pending`: the same of what is on its way; `Stage`:
    VariantStatus of what is on its way."""
    owner: str | None


def holder(number: int) -> str:
    """As what a deployment holds on to bytes."""
    return f"modelyard:endpoint-deployment/{number}"


def to_document(
    deployment_config: Document, config: Document, variants: Sequence[Variant], hosted: Mapping[str, Hosted]
) -> Document:
    """A deployment's own part, as JSON."""
    return {
        "Config": config,
        "Variants": [asdict(variant) for variant in variants],
        "Hosted": {name: asdict(one) for name, one in hosted.items()},
        "DeploymentConfig": deployment_config,
    }


def from_document(document: Document) -> dict[str, Any]:
    """The members of a Deployment that `to_document` made JSON of."""
    return {
        "config": document["Config"],
        "variants": [Variant(**one) for one in document["Variants"]],
        "hosted": {name: hosted_from(one) for name, one in document["Hosted"].items()},
        "policy": document["DeploymentConfig"],
    }


def hosted_from(document: Document) -> Hosted:
    """What one variant runs, as it was made JSON of."""
    return Hosted(**{**document, "containers": [_runnable(one) for one in document["containers"]]})


def _runnable(document: Document) -> Runnable:
    return Runnable(**{**document, "artifacts": [Artifact(**one) for one in document["artifacts"]]})
