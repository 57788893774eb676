"""Model package groups: create, describe, list, delete."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ConflictException, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.resources import finds
from modelyard.dispatch.seeing import Seeing, filled
from modelyard.dispatch.tags import forget_tags, from_list, put_tags
from modelyard.registry import events, group, pages, search_store, store
from modelyard.registry.group import Group, GroupName
from modelyard.registry.permissions import created_by, creation, group_at, group_resource, list_of, on_all, on_group

operation = operations_of("sagemaker")
KIND = "ModelPackageGroup"
ARN_KIND = "model-package-group"
LIST = "ListModelPackageGroups"


def existing(context: Context, at: GroupName) -> Group:
    """The group, or AWS's error that there is none."""
    found = store.group(context.tx, at)
    if found is None:
        raise ValidationException(f"ModelPackageGroup {at.arn} does not exist.")
    return found


def _creation(context: Context, request: dict[str, Any]) -> Iterable[Permission]:
    at = group_at(context, request["ModelPackageGroupName"])
    return creation(context, "CreateModelPackageGroup", Resource(at.arn, at.account), request)


@operation("CreateModelPackageGroup", mode=Mode.WRITE, permissions=_creation)
def create_model_package_group(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make a group; its versions will count from 1."""
    at = group_at(context, request["ModelPackageGroupName"])
    earlier = store.group(context.tx, at)
    if earlier is not None:
        raise ValidationException(f"Model Package Group already exists: {earlier.arn}")
    document = group.new_document(at, request, created_by(context), context.now)
    tags = from_list(request.get("Tags", []))
    store.add_group(context.tx, at, document, context.now)
    put_tags(context.tx, at.arn, tags)
    search_store.index(
        context.tx, KIND, at.account, at.region, at.folded, document, tags, created=context.now, modified=context.now
    )
    events.group_changed(context.tx, at, "Created", context.now, Tags=tags)
    return {"ModelPackageGroupArn": at.arn}


@operation("DescribeModelPackageGroup", mode=Mode.READ, permissions=on_group("DescribeModelPackageGroup"))
def describe_model_package_group(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """One group, by its name or ARN."""
    return existing(context, group_at(context, request["ModelPackageGroupName"])).document


@operation("DeleteModelPackageGroup", mode=Mode.WRITE, permissions=on_group("DeleteModelPackageGroup"))
def delete_model_package_group(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Remove a group that has no versions left."""
    found = existing(context, group_at(context, request["ModelPackageGroupName"]))
    if store.has_versions(context.tx, found.id):
        raise ConflictException(f"Model Package Group {found.arn} cannot be deleted because it still contains Model Packages.")
    store.delete_group(context.tx, found.id)
    forget_tags(context.tx, found.arn)
    search_store.forget(context.tx, KIND, found.at.account, found.at.region, found.at.folded)
    events.group_changed(context.tx, found.at, "Deleted", context.now)
    return {}


@operation(LIST, mode=Mode.SLOW_READ, permissions=on_all(LIST, ARN_KIND))
def list_model_package_groups(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Groups of the account that the caller may list, or those that other accounts share with the caller."""
    if request.get("CrossAccountFilterOption") == "CrossAccount":
        return _list_shared_groups(context, request)
    by_name = request.get("SortBy") == "Name"
    found, then = filled(
        pages.page(context, LIST, request),
        Seeing(context, list_of(context, LIST, ARN_KIND)),
        lambda page: store.groups(context.tx, context.account, context.region, request, page, by_name=by_name),
        lambda one: (one.arn,),
        lambda one: [one.at.folded if by_name else one.created, one.id],
    )
    answer: dict[str, Any] = {"ModelPackageGroupSummaryList": [group.summary(one.document) for one in found]}
    if then is not None:
        answer["NextToken"] = pages.token(context, LIST, request, then)
    return answer


def _list_shared_groups(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Groups of other accounts whose policy, with the caller's own, lets the caller describe them."""
    page = pages.page(context, LIST, request)
    shared = [
        one
        for one in store.shared_groups(context.tx, context.account, context.region)
        if _matches(one, request) and _may_describe(context, one)
    ]
    by_name = request.get("SortBy") == "Name"

    def key(one: Group) -> list[Any]:
        return [one.at.folded if by_name else one.created, one.id]

    shared.sort(key=key, reverse=page.descending)
    if page.after is not None:
        after = page.after
        shared = [one for one in shared if (key(one) < after if page.descending else key(one) > after)]
    answer: dict[str, Any] = {"ModelPackageGroupSummaryList": [group.summary(one.document) for one in shared[: page.size]]}
    if len(shared) > page.size:
        answer["NextToken"] = pages.token(context, LIST, request, key(shared[page.size - 1]))
    return answer


def _matches(one: Group, filters: dict[str, Any]) -> bool:
    return (
        filters.get("NameContains", "").lower() in one.at.folded
        and one.created > filters.get("CreationTimeAfter", float("-inf"))
        and one.created < filters.get("CreationTimeBefore", float("inf"))
    )


def _may_describe(context: Context, one: Group) -> bool:
    permission = Permission("sagemaker:DescribeModelPackageGroup", group_resource(context, one.at))
    return decide(context.principal, permission, context.facts).allowed


@finds("sagemaker", ARN_KIND)
def find_group(context: Context, arn: Arn) -> Resource | None:
    """A group by its ARN, for the operations that take any ARN."""
    at = GroupName(arn.account, arn.region, arn.resource.partition("/")[2])
    access = store.group_access(context.tx, at)
    if access is None:
        return None
    return replace(group_resource(context, at), arn=GroupName(at.account, at.region, access.name).arn)
