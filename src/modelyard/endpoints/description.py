"""What DescribeEndpoint answers, and events say, of an endpoint and its deployments. Functions of values."""

from collections.abc import Mapping
from typing import Any

from modelyard.endpoints import capture
from modelyard.endpoints.deployment import Deployment, Stored
from modelyard.endpoints.endpoint import Status
from modelyard.endpoints.model import Document

OF_VARIANTS = ("ManagedInstanceScaling", "RoutingConfig")
"""Members of variants that are shown as their configuration has them."""
COPIED = ("AsyncInferenceConfig", "ExplainerConfig", "MetricsConfig", "CrossRegionTrafficConfig")


def described(stored: Stored, serving: Deployment | None, pending: Deployment | None) -> Document:
    """The answer of DescribeEndpoint."""
    core = stored.endpoint
    shown: Document = {
        "EndpointName": core.at.name,
        "EndpointArn": core.at.arn,
        "EndpointConfigName": core.config_name,
        "EndpointStatus": str(core.status),
        "CreationTime": stored.created,
        "LastModifiedTime": stored.modified,
    }
    if serving is not None:
        shown |= variants(serving, stored.state.get("Current", {}), pending)
        shown |= {member: serving.config[member] for member in COPIED if member in serving.config}
        captured = capture.summary(serving.config)
        if captured is not None:
            shown["DataCaptureConfig"] = captured
    if core.failure_reason is not None:
        shown["FailureReason"] = core.failure_reason
    if core.last_deployment:
        shown["LastDeploymentConfig"] = core.last_deployment
    if pending is not None and core.status is Status.UPDATING:
        shown["PendingDeploymentSummary"] = summary(stored, pending)
    return shown


def summary(stored: Stored, pending: Deployment) -> Document:
    """PendingDeploymentSummary."""
    shown = variants(pending, stored.state.get("Pending", {}))
    stage = stored.state.get("Stage")
    for variant in (one for listed in shown.values() for one in listed):
        instance_type = pending.instance_type(variant["VariantName"])
        if instance_type:
            variant["InstanceType"] = instance_type
        if stage is not None:
            variant["VariantStatus"] = [stage]
    return {"EndpointConfigName": pending.config_name, **shown, "StartTime": pending.started}


def variants(deployment: Deployment, seen: Mapping[str, Any], wanted: Deployment | None = None) -> Document:
    """ProductionVariants, and ShadowProductionVariants where there are any, with what was seen of each; `wanted` may already want
    other counts and weights of them."""
    desired = {variant.name: variant for variant in deployment.variants}
    if wanted is not None and wanted.plan == deployment.plan:
        desired |= {variant.name: variant for variant in wanted.variants}
    given = {one["VariantName"]: one for one in deployment.config.get("ProductionVariants", ())}
    found: Document = {"ProductionVariants": []}
    for variant in deployment.variants:
        now = seen.get(variant.name, {})
        shown: Document = {
            "VariantName": variant.name,
            "CurrentWeight": now.get("Weight", 0.0),
            "DesiredWeight": desired[variant.name].weight,
            "CurrentInstanceCount": now.get("Count", 0),
        }
        shown |= {member: value for member, value in given.get(variant.name, {}).items() if member in OF_VARIANTS}
        if variant.name in deployment.hosted:
            shown["DeployedImages"] = images(deployment, variant.name)
        if variant.serverless is None:
            shown["DesiredInstanceCount"] = desired[variant.name].instances or 0
        else:
            shown["CurrentServerlessConfig"] = variant.serverless
            shown["DesiredServerlessConfig"] = desired[variant.name].serverless
        found.setdefault("ShadowProductionVariants" if variant.shadow else "ProductionVariants", []).append(shown)
    return found


def images(deployment: Deployment, variant: str) -> list[Document]:
    """DeployedImages of a variant."""
    found = []
    for container in deployment.hosted[variant].containers:
        image = container.definition["Image"]
        digest = next((one.digest for one in container.artifacts if one.kind == "Image" and one.digest), None)
        resolved = image if digest is None else f"{image.partition('@')[0].rpartition(':')[0] or image}@{digest}"
        found.append({"SpecifiedImage": image, "ResolvedImage": resolved, "ResolutionTime": deployment.started})
    return found
