"""AddTags, ListTags, DeleteTags: for every SageMaker resource that a part of this server keeps."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ValidationException
from modelyard.dispatch import tags
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.dispatch.resources import find
from modelyard.registry import events, search_store, store
from modelyard.registry.operations.groups import KIND as GROUP
from modelyard.registry.operations.model_cards import card_at, reindex_card_tags
from modelyard.registry.operations.packages import reindex_tags
from modelyard.registry.permissions import group_at, group_resource, package_at, tag_conditions

operation = operations_of("sagemaker")
Request = dict[str, Any]


def _on_resource(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        resource = _asked_for(context, request["ResourceArn"])
        conditions = tag_conditions(request.get("Tags", []))
        if "TagKeys" in request:
            conditions["aws:TagKeys"] = tuple(request["TagKeys"])
        yield Permission(f"sagemaker:{action}", resource, conditions)

    return permissions


def _asked_for(context: Context, text: str) -> Resource:
    """What an ARN names, as policies see it, whether it is there or not."""
    arn = Arn.parse(text)
    found = find(context, arn)
    if found is not None and arn.resource.startswith("model-package-group/"):
        return group_resource(context, group_at(context, text))  # in the caller's spelling
    return found or Resource(text, arn.account)


def _existing(context: Context, request: Request) -> Resource:
    resource = find(context, Arn.parse(request["ResourceArn"]))
    if resource is None:
        raise ValidationException(f"Could not find resource with ARN {request['ResourceArn']}: it does not exist.")
    return resource


@operation("AddTags", mode=Mode.WRITE, permissions=_on_resource("AddTags"))
def add_tags(context: Context, request: Request) -> Request:
    """Add tags to a resource, overwriting those with the same keys; answers those that were added."""
    resource = _existing(context, request)
    tags.put_tags(context.tx, resource.arn, tags.from_list(request["Tags"]))
    _tell_search(context, resource.arn)
    return {"Tags": request["Tags"]}


@operation("ListTags", mode=Mode.READ, permissions=_on_resource("ListTags"))
def list_tags(context: Context, request: Request) -> Request:
    """All tags of a resource: at most 50, which is the smallest page AWS allows, so there is never a second one."""
    if "NextToken" in request:
        context.tokens.open(request["NextToken"], {"operation": "ListTags"})
    return {"Tags": tags.to_list(tags.tags_of(context.tx, _existing(context, request).arn))}


@operation("DeleteTags", mode=Mode.WRITE, permissions=_on_resource("DeleteTags"))
def delete_tags(context: Context, request: Request) -> Request:
    """Remove tags; keys that are not there are ignored."""
    resource = _existing(context, request)
    tags.remove_tags(context.tx, resource.arn, request["TagKeys"])
    _tell_search(context, resource.arn)
    return {}


def _tell_search(context: Context, arn: str) -> None:
    """Groups, packages and model cards are searched by their tags."""
    kind = Arn.parse(arn).resource.partition("/")[0]
    if kind == "model-package":
        reindex_tags(context, package_at(context, arn))
    elif kind == "model-card":
        reindex_card_tags(context, card_at(context, arn))
    elif kind == "model-package-group":
        found = store.group(context.tx, group_at(context, arn))
        assert found is not None
        search_store.index(
            context.tx,
            GROUP,
            found.at.account,
            found.at.region,
            found.at.folded,
            found.document,
            tags.tags_of(context.tx, arn),
            created=found.created,
            modified=found.created,
        )
        events.group_changed(context.tx, found.at, "Tagged", context.now, Tags=tags.tags_of(context.tx, arn))
