"""Tags of repositories (not of images)."""

from collections.abc import Iterable, Mapping

from modelyard.access.permission import Permission
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, Request, operations_of
from modelyard.dispatch.tags import from_list, put_tags, remove_tags, tags_of, to_list
from modelyard.images.failures import failure, invalid
from modelyard.images.permissions import existing, repository_resource, tag_conditions
from modelyard.images.repository import Repository, RepositoryName
from modelyard.storage.interface import Transaction

operation = operations_of("ecr")


def keep_tags(tx: Transaction, arn: str, given: Iterable[Mapping[str, str]]) -> None:
    """Give a repository tags, overwriting those with the same keys. Raises InvalidTagParameterException."""
    try:
        put_tags(tx, arn, from_list(given))
    except ValidationException as error:
        raise failure("InvalidTagParameterException", error.message) from None


def _at(context: Context, request: Request) -> RepositoryName:
    try:
        arn = Arn.parse(request["resourceArn"])
    except ValidationException:
        raise invalid("resourceArn", "Invalid ARN") from None
    kind, _, name = arn.resource.partition("/")
    if (arn.service, arn.region, kind) != ("ecr", context.region, "repository") or not name:
        raise invalid("resourceArn", "Invalid ARN")
    return RepositoryName(arn.account, arn.region, name)


def _on(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        conditions = tag_conditions(request.get("tags", ()))
        if "tagKeys" in request:
            conditions["aws:TagKeys"] = tuple(request["tagKeys"])
        yield Permission(f"ecr:{action}", repository_resource(context, _at(context, request)), conditions)

    return permissions


def _existing(context: Context, request: Request) -> Repository:
    return existing(context, _at(context, request))


@operation("TagResource", mode=Mode.WRITE, permissions=_on("TagResource"))
def tag_resource(context: Context, request: Request) -> Request:
    """Add tags to a repository, overwriting those with the same keys."""
    keep_tags(context.tx, _existing(context, request).at.arn, request["tags"])
    return {}


@operation("UntagResource", mode=Mode.WRITE, permissions=_on("UntagResource"))
def untag_resource(context: Context, request: Request) -> Request:
    """Remove tags; keys that are not there are ignored."""
    remove_tags(context.tx, _existing(context, request).at.arn, request["tagKeys"])
    return {}


@operation("ListTagsForResource", mode=Mode.READ, permissions=_on("ListTagsForResource"))
def list_tags_for_resource(context: Context, request: Request) -> Request:
    """The tags of a repository."""
    return {"tags": to_list(tags_of(context.tx, _existing(context, request).at.arn))}
