"""What ECR's operations ask for: repositories with their policies and tags, in the caller's registry or another one."""

from collections.abc import Iterable, Mapping
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import finds
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.images import store
from modelyard.images.failures import repository_not_found
from modelyard.images.repository import Repository, RepositoryName

Request = Mapping[str, Any]
Values = dict[str, str | tuple[str, ...]]


def repository_at(context: Context, request: Request, name: str | None = None) -> RepositoryName:
    """The repository that a request names: of the caller's registry, unless it says which one."""
    return RepositoryName(
        request.get("registryId", context.account), context.region, request["repositoryName"] if name is None else name
    )


def existing(context: Context, at: RepositoryName) -> Repository:
    """The repository. Raises RepositoryNotFoundException."""
    found = store.repository(context.tx, at)
    if found is None:
        raise repository_not_found(at)
    return found


def named(context: Context, request: Request) -> Repository:
    """The repository that a request names. Raises RepositoryNotFoundException."""
    return existing(context, repository_at(context, request))


def repository_resource(context: Context, at: RepositoryName) -> Resource:
    """A repository as policies see it."""
    found = store.repository(context.tx, at)
    return Resource(at.arn, at.account, TagsOnDemand(context.tx, at.arn), None if found is None else found.policy)


def on_repository(action: str) -> Permissions:
    """One action on the repository that the request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"ecr:{action}", repository_resource(context, repository_at(context, request)))

    return permissions


def tag_conditions(tags: Iterable[Mapping[str, str]]) -> Values:
    """`aws:RequestTag/<key>` and `aws:TagKeys` of a request."""
    conditions: Values = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    if conditions:
        conditions["aws:TagKeys"] = tuple(tag["Key"] for tag in tags)
    return conditions


@finds("ecr", "repository")
def find_repository(context: Context, arn: Arn) -> Resource | None:
    """A repository by its ARN, for those who ask what may be done with it."""
    at = RepositoryName(arn.account, arn.region, arn.resource.partition("/")[2])
    return None if store.repository(context.tx, at) is None else repository_resource(context, at)
