"""SNS's errors, by the codes that clients know."""

from modelyard.aws.errors import AwsError


def invalid(parameter: str, reason: str) -> AwsError:
    """A parameter has a value that it may not have."""
    return AwsError(f"Invalid parameter: {parameter} Reason: {reason}", code="InvalidParameter", status=400)


def not_found() -> AwsError:
    """There is no such topic."""
    return AwsError("Topic does not exist", code="NotFound", status=404)


def too_many(what: str, text: str) -> AwsError:
    """A quota is reached: of a `Topic` or a `Subscription`."""
    return AwsError(text, code=f"{what}LimitExceeded", status=403)
