"""Whether what a model runs is known and kept."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.endpoints.model import Artifact, Runnable
from modelyard.endpoints.operations.models import existing
from modelyard.endpoints.permissions import named, on_one

operation = operations_of("modelyard")
Request = dict[str, Any]

VERIFIED, UNVERIFIED = "Verified", "Unverified"


@operation(
    "DescribeModelIntegrity",
    mode=Mode.READ,
    permissions=on_one("DescribeModelIntegrity", "model", "ModelName", service="modelyard"),
)
def describe_model_integrity(context: Context, request: Request) -> Request:
    """What each container of a model runs: the registered bytes, or whatever will be at an address."""
    found = existing(context, named(context, "model", request["ModelName"]))
    containers = [_container(container) for container in found.containers]
    verified = all(container["Status"] == VERIFIED for container in containers)
    return {"ModelArn": found.at.arn, "Status": VERIFIED if verified else UNVERIFIED, "Containers": containers}


def _container(container: Runnable) -> Request:
    verified = all(not artifact.reason for artifact in container.artifacts)
    shown: Request = {
        "Location": container.location,
        "Status": VERIFIED if verified else UNVERIFIED,
        "Artifacts": [_artifact(artifact) for artifact in container.artifacts],
    }
    if "ContainerHostname" in container.definition:
        shown["ContainerHostname"] = container.definition["ContainerHostname"]
    return shown if container.package_arn is None else {**shown, "ModelPackageArn": container.package_arn}


def _artifact(artifact: Artifact) -> Request:
    shown: Request = {
        "Location": artifact.location,
        "Kind": artifact.kind,
        "Uri": artifact.uri,
        "Status": UNVERIFIED if artifact.reason else VERIFIED,
    }
    if artifact.reason:
        shown["Reason"] = artifact.reason
    if artifact.digest is not None:
        shown["ImageDigest"] = artifact.digest
    if artifact.objects:
        shown["Objects"] = [{name: value for name, value in one.items() if name != "Pin"} for one in artifact.objects]
    return shown
