"""What permissions on the audit trail and on change feeds are asked for."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import find

Request = dict[str, Any]


def on_own(action: str, name: str) -> Permissions:
    """An action on something that every account has one of in a region: its `audit`, its `changes`."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        arn = f"arn:aws:modelyard:{context.region}:{context.account}:{name}"
        yield Permission(f"modelyard:{action}", Resource(arn, context.account))

    return permissions


def group_arn(context: Context, name: str) -> Arn:
    """The ARN of the group that a request names, by its name or its ARN."""
    if name.startswith("arn:"):
        return Arn.parse(name)
    return Arn("aws", "sagemaker", context.region, context.account, f"model-package-group/{name}")


def on_group(action: str) -> Permissions:
    """An action on the group that a request names, with its policy and tags as long as it is there."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        arn = group_arn(context, request["ModelPackageGroupName"])
        yield Permission(f"modelyard:{action}", find(context, arn) or Resource(str(arn), arn.account))

    return permissions
