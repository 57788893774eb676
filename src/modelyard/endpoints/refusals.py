"""Errors of invocations, which have codes of their own."""

from modelyard.aws.errors import AwsError


def not_found(name: str, account: str) -> AwsError:
    """AWS's error that there is no such endpoint."""
    return AwsError(f"Endpoint {name} of account {account} not found.", code="ValidationError")


def invalid(text: str) -> AwsError:
    """A request that the endpoint does not take."""
    return AwsError(text, code="ValidationError")
