"""What IAM and STS answer when something is wrong, in AWS's words."""

from modelyard.aws.errors import AwsError


def no_such_entity(text: str) -> AwsError:
    """Something that is named is not there."""
    return AwsError(text, code="NoSuchEntity", status=404)


def already_exists(text: str) -> AwsError:
    """The name is taken."""
    return AwsError(text, code="EntityAlreadyExists", status=409)


def delete_conflict(text: str) -> AwsError:
    """Something still hangs on what should go."""
    return AwsError(text, code="DeleteConflict", status=409)


def limit_exceeded(text: str) -> AwsError:
    """A quota is used up."""
    return AwsError(text, code="LimitExceeded", status=409)


def malformed_policy(text: str) -> AwsError:
    """A policy document is not one."""
    return AwsError(text, code="MalformedPolicyDocument", status=400)


def invalid_input(text: str) -> AwsError:
    """A value makes no sense for this operation."""
    return AwsError(text, code="InvalidInput", status=400)


def invalid(text: str) -> AwsError:
    """A value or a combination of values is not allowed."""
    return AwsError(text, code="ValidationError", status=400)


def denied(text: str) -> AwsError:
    """A caller who may never do this, whatever policies say."""
    return AwsError(text, code="AccessDenied", status=403)
