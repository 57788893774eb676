"""CloudWatch's errors."""

from modelyard.aws.errors import AwsError, ValidationException


def invalid_value(message: str) -> AwsError:
    """A parameter may not have this value."""
    return AwsError(message, code="InvalidParameterValueException")


def invalid_combination(message: str) -> AwsError:
    """Parameters do not go together."""
    return AwsError(message, code="InvalidParameterCombinationException")


def missing(message: str) -> AwsError:
    """A parameter has to be there."""
    return AwsError(message, code="MissingRequiredParameterException")


def invalid(message: str) -> AwsError:
    """The request breaks a rule: `ValidationError`."""
    return ValidationException(message)


def invalid_token() -> AwsError:
    """The token of a list was not issued here, or for another query."""
    return AwsError("The next token specified is invalid.", code="InvalidNextToken")


def not_found(message: str, code: str = "ResourceNotFound") -> AwsError:
    """There is no such alarm."""
    return AwsError(message, code=code, status=404)


def limit_exceeded(message: str) -> AwsError:
    """There are as many as there may be."""
    return AwsError(message, code="LimitExceededFault")
