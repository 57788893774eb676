"""An inference component: copies of one model on a variant that is there for several, and how much of its instances they take.

Functions of values. Instances of such a variant are no processes, but what its components share; the copies are the processes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.endpoints.deployment import Deployment, Stored
from modelyard.endpoints.endpoint import IN_PROGRESS, Status
from modelyard.endpoints.model import Document, Name, RuleBroken

KIND = "inference-component"
MOST_COPIES = 64
"""Of all components of an endpoint: they all run on this machine."""
NOT_HERE = {
    "InstanceType": "an InstanceType of its own: it runs on those of its variant",
    "BaseInferenceComponentName": "adapters of a base inference component",
    "SchedulingConfig": "a SchedulingConfig: all instances are on one machine",
}
_SIZE = re.compile(r"\.(\d*)(medium|large|xlarge)$")
_CPUS = {"medium": 1.0, "large": 2.0, "xlarge": 4.0}


@dataclass(frozen=True, slots=True)
class Component:
    """An inference component as it is stored."""

    stored: Stored
    """Its name, status, deployments and what was seen of it, as endpoints have them."""
    endpoint: int
    endpoint_at: Name
    variant: str

    @property
    def at(self) -> Name:
        """Where it is."""
        return self.stored.endpoint.at

    @property
    def status(self) -> Status:
        """InferenceComponentStatus."""
        return self.stored.endpoint.status


@dataclass(frozen=True, slots=True)
class Needs:
    """What one copy takes of an instance, and how many copies there are to be."""

    cpus: float
    memory_mib: int
    copies: int


@dataclass(frozen=True, slots=True)
class Host:
    """What the instances of a variant have."""

    cpus: float
    memory_mib: int
    count: int
    """How many instances there may be."""


def component_at(account: str, region: str, name: str) -> Name:
    """The place of an inference component."""
    return Name(account, region, KIND, name)


def key_of(endpoint: Name, component: str) -> tuple[str, str, str]:
    """What a component's route is found by: no endpoint's name has a slash."""
    return endpoint.account, endpoint.region, f"{endpoint.folded}/{component.lower()}"


def holds_components(variant: Mapping[str, Any]) -> bool:
    """Whether a variant of a configuration is there for inference components."""
    return "ModelName" not in variant


def host_of(variant: Mapping[str, Any], instances: int, memory_mib: int) -> Host:
    """What a variant of a configuration has, of which there are so many instances now, each with so much memory."""
    scaling = variant.get("ManagedInstanceScaling", {})
    most = scaling.get("MaxInstanceCount", instances) if scaling.get("Status") == "ENABLED" else instances
    return Host(cpus_of(variant["InstanceType"]), memory_mib, max(instances, most))


def cpus_of(instance_type: str) -> float:
    """The processors of an instance type, by the rule that the names of their sizes follow: `ml.m5.large` has 2."""
    found = _SIZE.search(instance_type)
    return 2.0 if found is None else int(found[1] or 1) * _CPUS[found[2]]


def needs_of(deployment: Deployment) -> Needs:
    """What a component's deployment takes."""
    required = deployment.config["Specification"]["ComputeResourceRequirements"]
    copies = sum(deployment.counts.values())
    return Needs(required.get("NumberOfCpuCoresRequired", 0.0), required["MinMemoryRequiredInMb"], copies)


def check_fit(needs: Sequence[Needs], host: Host) -> None:
    """Whether all copies find a place, the largest first. Raises RuleBroken."""
    free: list[tuple[float, int]] = []
    for one in sorted(needs, key=lambda each: (each.memory_mib, each.cpus), reverse=True):
        if one.cpus > host.cpus or one.memory_mib > host.memory_mib:
            raise RuleBroken(
                f"A copy takes {one.cpus:g} CPU cores and {one.memory_mib} MB of memory, and an instance has {host.cpus:g} CPU"
                f" cores and {host.memory_mib} MB."
            )
        for _ in range(one.copies):
            _place(one, host, free)
    if len(free) > host.count:
        raise RuleBroken(
            f"The copies of all inference components on the variant take {len(free)} instance(s), and it can have {host.count}."
        )


def _place(one: Needs, host: Host, free: list[tuple[float, int]]) -> None:
    for index, (cpus, memory) in enumerate(free):
        if one.cpus <= cpus and one.memory_mib <= memory:
            free[index] = (cpus - one.cpus, memory - one.memory_mib)
            return
    free.append((host.cpus - one.cpus, host.memory_mib - one.memory_mib))


def check_copies(counts: Iterable[int]) -> None:
    """Whether an endpoint can have so many copies. Raises RuleBroken."""
    total = sum(counts)
    if total > MOST_COPIES:
        raise RuleBroken(
            f"The inference components of an endpoint can have at most {MOST_COPIES} copies on this server; this makes {total}."
        )


def check_specification(specification: Mapping[str, Any]) -> None:
    """What the service model leaves open in a Specification. Raises RuleBroken."""
    for member, words in NOT_HERE.items():
        if member in specification:
            raise RuleBroken(f"The specification asks for {words}, which this server does not have.")
    if ("ModelName" in specification) is ("Container" in specification):
        raise RuleBroken("One of ModelName and Container must be specified.")
    container = specification.get("Container", {})
    if "ModelName" not in specification and "Image" not in container:
        raise RuleBroken("The Container of a specification needs an Image.")
    if "ContainerMetricsConfig" in container:
        raise RuleBroken("The specification asks for metrics of its container, which this server does not collect.")
    required = specification.get("ComputeResourceRequirements")
    if required is None:
        raise RuleBroken("ComputeResourceRequirements must be specified.")
    if required.get("NumberOfAcceleratorDevicesRequired") or "AcceleratorPartitionType" in required:
        raise RuleBroken("The instances of this server have no accelerator devices.")
    least = required["MinMemoryRequiredInMb"]
    if required.get("MaxMemoryRequiredInMb", least) < least:
        raise RuleBroken("MaxMemoryRequiredInMb must not be less than MinMemoryRequiredInMb.")


def check_change(component: Component) -> None:
    """Whether an update may begin. Raises RuleBroken."""
    if component.status in IN_PROGRESS:
        raise RuleBroken(f'Cannot update in-progress inference component "{component.at.arn}".')
    if component.status is Status.FAILED:
        raise RuleBroken(f'Cannot update inference component "{component.at.arn}" with status "Failed": it can only be deleted.')


def described(component: Component, serving: Deployment | None, pending: Deployment | None) -> Document:
    """The answer of DescribeInferenceComponent; while it is made or updated, with the copies that are on their way."""
    stored = component.stored
    core = stored.endpoint
    shown: Document = {
        "InferenceComponentName": core.at.name,
        "InferenceComponentArn": core.at.arn,
        "EndpointName": component.endpoint_at.name,
        "EndpointArn": component.endpoint_at.arn,
        "VariantName": component.variant,
        "CreationTime": stored.created,
        "LastModifiedTime": stored.modified,
        "InferenceComponentStatus": str(core.status),
    }
    current, wanted = serving or pending, pending or serving
    if current is not None and wanted is not None:
        shown["Specification"] = _shown(current)
        seen = stored.state.get("Current", {}).get(component.variant, {})
        shown["RuntimeConfig"] = {
            "DesiredCopyCount": sum(wanted.counts.values()),
            "CurrentCopyCount": seen.get("Count", 0),
        }
    if core.failure_reason is not None:
        shown["FailureReason"] = core.failure_reason
    if core.last_deployment:
        shown["LastDeploymentConfig"] = core.last_deployment
    return shown


def _shown(deployment: Deployment) -> Document:
    given: Document = dict(deployment.config["Specification"])
    if "Container" in given:
        container = {name: value for name, value in given["Container"].items() if name != "Image"}
        given["Container"] = {"DeployedImage": deployment.config["DeployedImage"], **container}
    return given


def summary(component: Component) -> Document:
    """The entry of ListInferenceComponents."""
    shown = described(component, None, None)
    order = ("InferenceComponentArn", "InferenceComponentName", "EndpointArn", "EndpointName", "VariantName", "CreationTime")
    return {name: shown[name] for name in (*order, "LastModifiedTime", "InferenceComponentStatus")}
