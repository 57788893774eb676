"""Lambda's errors, in AWS's words."""

from modelyard.aws.errors import AwsError, ValidationException


def not_found(message: str) -> AwsError:
    """What a request names is not there."""
    return AwsError(message, code="ResourceNotFoundException", status=404, members={"Type": "User"})


def no_such_function(arn: str) -> AwsError:
    """There is no such function, or no such version of it."""
    return not_found(f"Function not found: {arn}")


def conflict(message: str) -> AwsError:
    """The name is taken, or the state forbids it."""
    return AwsError(message, code="ResourceConflictException", status=409, members={"Type": "User"})


def invalid(message: str) -> AwsError:
    """A parameter has a value that it may not have."""
    return AwsError(message, code="InvalidParameterValueException", status=400, members={"Type": "User"})


def out_of_bounds(value: object, member: str, most: object) -> ValidationException:
    """A number is larger than Lambda takes."""
    return ValidationException(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint:"
        f" Member must have value less than or equal to {most}"
    )


def not_here(what: str) -> AwsError:
    """Lambda has it and Modelyard has not."""
    return invalid(f"{what} is not available in Modelyard.")


def precondition_failed() -> AwsError:
    """The function was changed since the caller looked."""
    return AwsError(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest"
        " Revision Id",
        code="PreconditionFailedException",
        status=412,
        members={"Type": "User"},
    )


def too_many() -> AwsError:
    """As many functions run as may."""
    return AwsError(
        "Rate Exceeded.",
        code="TooManyRequestsException",
        status=429,
        members={"Type": "User", "Reason": "ConcurrentInvocationLimitExceeded"},
    )


def too_large(size: int, most: int) -> AwsError:
    """A payload is larger than Lambda takes."""
    return AwsError(
        f"{size} byte payload is too large for the RequestResponse invocation type (limit {most} bytes)"
        if most > 1_000_000
        else f"{size} byte payload is too large for the Event invocation type (limit {most} bytes)",
        code="RequestTooLargeException",
        status=413,
        members={"Type": "User"},
    )


def stopping() -> AwsError:
    """The server ends before the function does."""
    return AwsError("The service is stopping; try again.", code="ServiceException", status=503, members={"Type": "Service"})
