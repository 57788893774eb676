"""What goes wrong in ECR, with its codes and sentences. All are answered with status 400."""

from modelyard.aws.errors import AwsError
from modelyard.images.repository import RepositoryName


def failure(code: str, text: str, **members: object) -> AwsError:
    """An error by its code."""
    return AwsError(text, code=code, members=members)


def invalid(member: str, constraint: str) -> AwsError:
    """A member of the request makes no sense."""
    return failure("InvalidParameterException", f"Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'")


def about(code: str, at: RepositoryName, text: str) -> AwsError:
    """Something is wrong with a repository: `text` says what, of `{repository}`."""
    named = f"the repository with name '{at.name}' in the registry with id '{at.account}'"
    return failure(code, text.replace("{repository}", named))


def repository_not_found(at: RepositoryName) -> AwsError:
    """No such repository."""
    return failure(
        "RepositoryNotFoundException",
        f"The repository with name '{at.name}' does not exist in the registry with id '{at.account}'",
    )


def image_not_found(at: RepositoryName, digest: str | None, tag: str | None) -> AwsError:
    """No such image."""
    named = f"{{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}}"
    return about("ImageNotFoundException", at, f"The image with imageId {named} does not exist within {{repository}}")
