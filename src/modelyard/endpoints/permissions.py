"""What the operations of hosting ask for: models and endpoint configurations with their tags, and the packages behind models."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from modelyard.access.permission import ConditionValues, Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import find
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.endpoints.model import Name

Request = dict[str, Any]
Values = dict[str, str | tuple[str, ...]]

SERVICE = "sagemaker.amazonaws.com"
"""What execution roles are passed to."""
_VERSION = re.compile(r"model-package/([^/]+)/[0-9]+")


def named(context: Context, kind: str, name: str) -> Name:
    """A model or an endpoint configuration of the caller's account: their operations take names alone."""
    return Name(context.account, context.region, kind, name)


def resource_of(context: Context, at: Name) -> Resource:
    """A model or an endpoint configuration, as policies see it."""
    return Resource(at.arn, at.account, TagsOnDemand(context.tx, at.arn))


def on_one(action: str, kind: str, member: str, *, service: str = "sagemaker") -> Permissions:
    """One action on what a member of the request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"{service}:{action}", resource_of(context, named(context, kind, request[member])))

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


def creation(action: str, at: Name, request: Request, conditions: ConditionValues) -> Iterator[Permission]:
    """Creating something: the action, and with tags also AddTags on what is made."""
    tags = request.get("Tags", [])
    values = {**conditions, **network_conditions(request), **tag_conditions(tags)}
    resource = Resource(at.arn, at.account)
    yield Permission(f"sagemaker:{action}", resource, values)
    if tags:
        # By this key policies tell tagging what is made from tagging what is there.
        yield Permission("sagemaker:AddTags", resource, {**values, "sagemaker:TaggingAction": action})


def package_resource(context: Context, name: str) -> Resource:
    """The model package that a container names, as policies see it, whether it is there or not."""
    text = name if name.startswith("arn:") else f"arn:aws:sagemaker:{context.region}:{context.account}:model-package/{name}"
    arn = Arn.parse(text)
    folded = replace(arn, resource=arn.resource.lower())
    found = find(context, folded)
    version = _VERSION.fullmatch(folded.resource)
    if found is None and version is not None:
        # One that is not there stands under the policy and the tags of its group: whoever may see it is told so.
        group = find(context, replace(folded, resource=f"model-package-group/{version[1]}"))
        return replace(group, arn=str(folded)) if group is not None else Resource(str(folded), arn.account)
    return found or Resource(str(folded), arn.account)


def network_conditions(request: Request) -> Values:
    """SageMaker's condition keys of networks."""
    values: Values = {}
    if "EnableNetworkIsolation" in request:
        values["sagemaker:NetworkIsolation"] = str(request["EnableNetworkIsolation"]).lower()
    network = request.get("VpcConfig", {})
    if "Subnets" in network:
        values["sagemaker:VpcSubnets"] = tuple(network["Subnets"])
    if "SecurityGroupIds" in network:
        values["sagemaker:VpcSecurityGroupIds"] = tuple(network["SecurityGroupIds"])
    return values


def tag_conditions(tags: Iterable[Mapping[str, str]]) -> Values:
    """`aws:RequestTag/<key>` and `aws:TagKeys` of a request."""
    values: Values = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    if values:
        values["aws:TagKeys"] = tuple(tag["Key"] for tag in tags)
    return values
