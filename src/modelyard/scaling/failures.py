"""The errors of Application Auto Scaling, in AWS's words."""

from modelyard.aws.errors import AwsError, ValidationException
from modelyard.scaling.dimension import Aim


def not_found(message: str) -> AwsError:
    """What a request names is not there."""
    return AwsError(message, code="ObjectNotFoundException")


def no_target(aim: Aim, registered: str) -> AwsError:
    """Nothing of this capacity is registered, or found: AWS's operations say either."""
    return not_found(f"No scalable target {registered} for {aim.words}")


def no_policy(aim: Aim, name: str) -> AwsError:
    """There is no policy of that name."""
    return not_found(f"No scaling policy found for {aim.words}, policy name: {name}")


def no_action(aim: Aim, name: str) -> AwsError:
    """There is no scheduled action of that name."""
    return not_found(f"No scheduled action found for {aim.words}, scheduled action name: {name}")


def too_many(what: str, most: int) -> AwsError:
    """A quota is reached."""
    return AwsError(f"The quota of {most} {what} is reached.", code="LimitExceededException")


def invalid_token() -> AwsError:
    """A NextToken is none of this list."""
    return AwsError("The NextToken is invalid.", code="InvalidNextTokenException")


def invalid(message: str) -> ValidationException:
    """A rule is broken."""
    return ValidationException(message)
