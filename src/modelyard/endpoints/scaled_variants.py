"""Variants that are scaled: when they go, so does what scales them, as AWS has it."""

from collections.abc import Iterable
from typing import Any

from modelyard.aws.errors import AccessDeniedException, ValidationException
from modelyard.dispatch.context import Context
from modelyard.endpoints.acting import service
from modelyard.endpoints.model import Name

SCALING = "application-autoscaling"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
NOT_PERMITTED = (
    "An Application AutoScaling scalable target exists for a variant being deleted, and the IAM identity used to invoke"
    " DeleteEndpoint does not have application-autoscaling:DeregisterScalableTarget permission to deregister the scalable target."
)


def _registered(context: Context, at: Name, variants: Iterable[str]) -> list[str]:
    """Those variants of an endpoint that are scalable targets, by their resource ids."""
    resources = [f"endpoint/{at.name}/variant/{name}" for name in variants]
    if not resources or (SCALING, "DescribeScalableTargets") not in context.dispatcher.operations:
        return []
    request: dict[str, Any] = {"ServiceNamespace": "sagemaker", "ResourceIds": resources, "ScalableDimension": DIMENSION}
    found = context.call(SCALING, "DescribeScalableTargets", request, principal=service(at.account))
    return [target["ResourceId"] for target in found["ScalableTargets"]]


def check_removed(context: Context, at: Name, variants: Iterable[str]) -> None:
    """Raise ValidationException when variants that an update removes are scaled."""
    found = _registered(context, at, variants)
    if found:
        names = ", ".join(f'"{resource.rpartition("/")[2]}"' for resource in found)
        raise ValidationException(
            f"The variant(s) {names} must be deregistered as scalable targets with AWS Auto Scaling before they can be removed"
            " or have their instance type updated."
        )


def deregister(context: Context, at: Name, variants: Iterable[str]) -> None:
    """Scale the variants of an endpoint that goes no more, if its caller may have that. Raises ValidationException."""
    for resource in _registered(context, at, variants):
        request = {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": DIMENSION}
        try:
            context.call(SCALING, "DeregisterScalableTarget", request)
        except AccessDeniedException:
            raise ValidationException(NOT_PERMITTED) from None
