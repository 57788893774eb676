"""Variants and inference components that are scaled: when they go, so does what scales them, as AWS has it for variants."""

from collections.abc import Iterable
from typing import Any

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.recording import Refused
from modelyard.endpoints.acting import service
from modelyard.endpoints.model import Name

SCALING = "application-autoscaling"
VARIANT, COPIES = "sagemaker:variant:DesiredInstanceCount", "sagemaker:inference-component:DesiredCopyCount"
NOT_PERMITTED = (
    "An Application AutoScaling scalable target exists for {what} being deleted, and the IAM identity used to invoke {operation}"
    " does not have {action} permission to deregister the scalable target."
)


def _of_variants(at: Name, variants: Iterable[str]) -> list[str]:
    """The variants of an endpoint, by their resource ids."""
    return [f"endpoint/{at.name}/variant/{name}" for name in variants]


def _registered(context: Context, at: Name, resources: list[str], dimension: str) -> list[str]:
    """Those resources that are scalable targets."""
    if not resources or (SCALING, "DescribeScalableTargets") not in context.dispatcher.operations:
        return []
    request: dict[str, Any] = {"ServiceNamespace": "sagemaker", "ResourceIds": resources, "ScalableDimension": dimension}
    found = context.call(SCALING, "DescribeScalableTargets", request, principal=service(at.account))
    return [target["ResourceId"] for target in found["ScalableTargets"]]


def check_removed(context: Context, at: Name, variants: Iterable[str]) -> None:
    """Raise ValidationException when variants that an update removes are scaled."""
    found = _registered(context, at, _of_variants(at, variants), VARIANT)
    if found:
        names = ", ".join(f'"{resource.rpartition("/")[2]}"' for resource in found)
        raise ValidationException(
            f"The variant(s) {names} must be deregistered as scalable targets with AWS Auto Scaling before they can be removed"
            " or have their instance type updated."
        )


def deregister(context: Context, at: Name, variants: Iterable[str]) -> None:
    """Scale the variants of an endpoint that goes no more, if its caller may have that. Raises ValidationException."""
    _deregister(context, at, _of_variants(at, variants), VARIANT)


def deregister_component(context: Context, at: Name) -> None:
    """The same for an inference component that goes: none that gets its name later is scaled for it."""
    _deregister(context, at, [f"inference-component/{at.name}"], COPIES)


def _deregister(context: Context, at: Name, resources: list[str], dimension: str) -> None:
    for resource in _registered(context, at, resources, dimension):
        request = {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": dimension}
        try:
            context.call(SCALING, "DeregisterScalableTarget", request)
        except Refused as error:
            what = "a variant" if dimension == VARIANT else "an inference component"
            operation, action = context.operation.partition(":")[2], error.permission.action
            raise ValidationException(NOT_PERMITTED.format(what=what, operation=operation, action=action)) from None
