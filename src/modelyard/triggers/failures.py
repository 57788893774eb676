"""The errors of EventBridge and its Scheduler, in AWS's words."""

from modelyard.aws.errors import AwsError, ConflictException, ValidationException


def not_found(message: str) -> AwsError:
    """What a request names is not there."""
    return AwsError(message, code="ResourceNotFoundException")


def no_such_rule(name: str) -> AwsError:
    """There is no rule of that name."""
    return not_found(f"Rule {name} does not exist on EventBus default.")


def no_such_bus(name: str) -> AwsError:
    """There is no event bus but the default one."""
    return not_found(f"Event bus {name} does not exist.")


def exists_already(message: str) -> AwsError:
    """The name is taken."""
    return AwsError(message, code="ResourceAlreadyExistsException")


def invalid_pattern(reason: str) -> AwsError:
    """A pattern is not valid."""
    return AwsError(f"Event pattern is not valid. Reason: {reason}", code="InvalidEventPatternException")


def too_many() -> AwsError:
    """A limit is reached."""
    return AwsError("The requested resource exceeds the maximum number allowed.", code="LimitExceededException")


def invalid(parameter: str, reason: str = "") -> ValidationException:
    """A parameter has a value that it may not have."""
    return ValidationException(f"Parameter {parameter} is not valid." + (f" Reason: {reason}" if reason else ""))


def no_such_schedule(name: str) -> AwsError:
    """There is no schedule of that name."""
    return not_found(f"Schedule {name} does not exist.")


def schedule_exists(name: str) -> ConflictException:
    """The name of a schedule is taken."""
    return ConflictException(f"Schedule {name} already exists.")
