"""CloudWatch Logs' errors."""

from modelyard.aws.errors import AwsError


def invalid(message: str) -> AwsError:
    """A parameter may not be so."""
    return AwsError(message, code="InvalidParameterException")


def no_such_group() -> AwsError:
    """There is no log group of that name."""
    return AwsError("The specified log group does not exist.", code="ResourceNotFoundException")


def no_such_stream() -> AwsError:
    """There is no log stream of that name."""
    return AwsError("The specified log stream does not exist.", code="ResourceNotFoundException")


def exists(what: str) -> AwsError:
    """There is one of that name."""
    return AwsError(f"The specified {what} already exists", code="ResourceAlreadyExistsException")
