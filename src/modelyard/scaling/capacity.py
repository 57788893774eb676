"""Reading a capacity, and setting it: by SageMaker's operations, as anybody would."""

from dataclasses import dataclass
from typing import Any

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.scaling import service_role
from modelyard.scaling.dimension import Aim

IN_SERVICE = "InService"


@dataclass(frozen=True, slots=True)
class Capacity:
    """A capacity as it is now."""

    wanted: int
    running: int
    settled: bool
    """Whether it may be set: nothing else of its endpoint is being changed."""
    may_be_none: bool
    """Whether it can be zero."""
    failure: str = ""
    """Why the last change came to nothing."""


def read(context: Context, aim: Aim) -> Capacity:
    """The capacity. Raises AwsError, as the operation does, when there is no such thing."""
    if aim.component is not None:
        return _copies(context, aim.component)
    assert aim.variant is not None, "what is no component is a variant"
    endpoint, variant = aim.variant
    shown = _call(context, "DescribeEndpoint", {"EndpointName": endpoint})
    if shown["EndpointName"] != endpoint:
        raise ValidationException(f'Could not find endpoint "{endpoint}".')
    found = next((one for one in shown.get("ProductionVariants", ()) if one["VariantName"] == variant), None)
    if found is None or "DesiredInstanceCount" not in found or "CurrentServerlessConfig" in found:
        raise ValidationException(f'The endpoint "{endpoint}" has no variant "{variant}" of instances.')
    return Capacity(
        wanted=found["DesiredInstanceCount"],
        running=found.get("CurrentInstanceCount", 0),
        settled=shown["EndpointStatus"] == IN_SERVICE,
        may_be_none="AsyncInferenceConfig" in shown,
        failure=shown.get("FailureReason", ""),
    )


def _copies(context: Context, component: str) -> Capacity:
    shown = _call(context, "DescribeInferenceComponent", {"InferenceComponentName": component})
    if shown["InferenceComponentName"] != component:
        raise ValidationException(f'Could not find inference component "{component}".')
    copies = shown.get("RuntimeConfig", {})
    return Capacity(
        wanted=copies.get("DesiredCopyCount", 0),
        running=copies.get("CurrentCopyCount", 0),
        settled=shown["InferenceComponentStatus"] == IN_SERVICE,
        may_be_none=True,
        failure=shown.get("FailureReason", ""),
    )


def put(context: Context, aim: Aim, capacity: int) -> None:
    """Set the capacity. Raises AwsError, as the operation does, when it cannot be set now."""
    if aim.component is not None:
        request: dict[str, Any] = {
            "InferenceComponentName": aim.component,
            "DesiredRuntimeConfig": {"CopyCount": capacity},
        }
        _call(context, "UpdateInferenceComponentRuntimeConfig", request)
        return
    assert aim.variant is not None, "what is no component is a variant"
    endpoint, variant = aim.variant
    wanted = [{"VariantName": variant, "DesiredInstanceCount": capacity}]
    _call(
        context,
        "UpdateEndpointWeightsAndCapacities",
        {"EndpointName": endpoint, "DesiredWeightsAndCapacities": wanted},
    )


def _call(context: Context, operation: str, request: dict[str, Any]) -> Any:
    """As the role of the account whose capacity it is."""
    if ("sagemaker", operation) not in context.dispatcher.operations:
        raise ValidationException(f"The operation sagemaker:{operation} is not available in Modelyard.")
    account = context.account or context.facts.source_account
    return context.call("sagemaker", operation, request, principal=service_role.principal(account))
