"""Errors of invocations, which have codes of their own, in AWS's words as far as they are known."""

from modelyard.aws.errors import AwsError
from modelyard.endpoints.endpoint import Variant


def not_found(name: str, account: str) -> AwsError:
    """AWS's error that there is no such endpoint."""
    return AwsError(f"Endpoint {name} of account {account} not found.", code="ValidationError")


def invalid(text: str) -> AwsError:
    """A request that the endpoint does not take."""
    return AwsError(text, code="ValidationError")


COMPONENT_REQUIRED = (
    "Inference Component Name header is required for endpoints to which you plan to deploy inference components. Please include"
    " Inference Component Name header or consider using SageMaker models."
)
COMPONENT_NOT_ALLOWED = (
    "Inference Component Name header is not allowed for endpoints to which you dont plan to deploy inference components. Please"
    " remove the Inference Component Name header and try again."
)
NO_CAPACITY = (
    "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress (if configured) or"
    " try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API."
)


def refusal_of(variant: Variant) -> str:
    """What requests to a variant are told that has no instance, and is to have none; empty where one may come up."""
    if variant.shared:
        return COMPONENT_REQUIRED
    return NO_CAPACITY if variant.instances == 0 else ""
