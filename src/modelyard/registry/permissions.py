"""What the registry's operations ask for: the resource as policies see it, and the condition keys of the request."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.registry import names, store
from modelyard.registry.group import GroupName
from modelyard.registry.model_package import PackageName

Request = dict[str, Any]


def group_at(context: Context, text: str) -> GroupName:
    """The group that a request names. Raises ValidationException for what is no group's name."""
    try:
        return names.group_name(text, context.account, context.region)
    except names.NotAName as error:
        raise ValidationException(str(error)) from None


def package_at(context: Context, text: str) -> PackageName:
    """The package that a request names. Raises ValidationException for what is no package's name."""
    try:
        return names.package_name(text, context.account, context.region)
    except names.NotAName as error:
        raise ValidationException(str(error)) from None


def group_resource(context: Context, at: GroupName) -> Resource:
    """A group, with its tags and its policy.

    Its ARN is as the request has it: a refusal is not to tell whoever may not see the group how its name is written.
    """
    access = store.group_access(context.tx, at)
    if access is None:
        return Resource(at.arn, at.account)
    stored_arn = GroupName(at.account, at.region, access.name).arn
    return Resource(at.arn, at.account, TagsOnDemand(context.tx, stored_arn), access.policy)


def package_resource(context: Context, at: PackageName) -> Resource:
    """A package: a version carries the policy of its group and the tags of both."""
    if not at.version:
        return Resource(at.arn, at.account, TagsOnDemand(context.tx, at.arn))
    return within_group(context, GroupName(at.account, at.region, at.name), at.version)


def within_group(context: Context, at: GroupName, version: int | str) -> Resource:
    """A version, or with `*` the versions, of a group, under the group's tags and policy.

    Of a tag that both have the group's counts: whoever may tag a version does not move it out of, or into, what policies
    grant by the tags of groups.
    """
    access = store.group_access(context.tx, at)
    if access is None:
        return Resource(at.package_arn(version), at.account)
    group_arn = GroupName(at.account, at.region, access.name).arn
    arn = at.package_arn(version)
    return Resource(arn, at.account, TagsOnDemand(context.tx, arn, group_arn), access.policy)


def on_group(action: str, member: str = "ModelPackageGroupName", *, service: str = "sagemaker") -> Permissions:
    """One action on the group that a member of the request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"{service}:{action}", group_resource(context, group_at(context, request[member])))

    return permissions


def on_package(action: str, member: str = "ModelPackageName", *, service: str = "sagemaker") -> Permissions:
    """One action on the package that a member of the request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        resource = package_resource(context, package_at(context, request[member]))
        yield Permission(f"{service}:{action}", resource, state_conditions(request))

    return permissions


def list_of(context: Context, action: str, kind: str) -> Permission:
    """Listing the resources of a kind in the caller's account: those that the caller may see."""
    listing = f"arn:aws:sagemaker:{context.region}:{context.account}:{kind}/"
    return Permission(f"sagemaker:{action}", Resource(f"{listing}*", context.account), listing=listing)


def on_all(action: str, kind: str) -> Permissions:
    """Listing the resources of a kind in the caller's account."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield list_of(context, action, kind)

    return permissions


def creation(context: Context, action: str, resource: Resource, request: Request) -> Iterator[Permission]:
    """Creating something: the action, and with tags also AddTags on what is made."""
    tags = request.get("Tags", [])
    conditions = {**state_conditions(request), **tag_conditions(tags)}
    yield Permission(f"sagemaker:{action}", resource, conditions)
    if tags:
        # By this key policies tell tagging what is made from tagging what is there.
        yield Permission("sagemaker:AddTags", resource, {**conditions, "sagemaker:TaggingAction": action})


def tag_conditions(tags: Iterable[Mapping[str, str]]) -> dict[str, str | tuple[str, ...]]:
    """`aws:RequestTag/<key>` and `aws:TagKeys` of a request."""
    conditions: dict[str, str | tuple[str, ...]] = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    if conditions:
        conditions["aws:TagKeys"] = tuple(tag["Key"] for tag in tags)
    return conditions


def state_conditions(request: Request) -> dict[str, str | tuple[str, ...]]:
    """SageMaker's own condition keys. What the request does not say leaves its key absent."""
    conditions: dict[str, str | tuple[str, ...]] = {}
    if "ModelApprovalStatus" in request:
        conditions["sagemaker:ModelApprovalStatus"] = request["ModelApprovalStatus"]
    cycle = request.get("ModelLifeCycle", {})
    if "Stage" in cycle:
        conditions["sagemaker:ModelLifeCycle:stage"] = cycle["Stage"]
    if "StageStatus" in cycle:
        conditions["sagemaker:ModelLifeCycle:stageStatus"] = cycle["StageStatus"]
    for key, value in request.get("CustomerMetadataProperties", {}).items():
        conditions[f"sagemaker:CustomerMetadataProperties/{key}"] = value
    return conditions


def created_by(context: Context) -> dict[str, Any]:
    """UserContext of the caller, as CreatedBy and LastModifiedBy show it."""
    identity = {"Arn": context.principal.arn, "PrincipalId": context.principal.unique_id}
    if context.principal.source_identity:
        identity["SourceIdentity"] = context.principal.source_identity
    return {"IamIdentity": identity}
