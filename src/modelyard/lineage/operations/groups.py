"""Lineage groups: every account has one in each region, and nothing is shared through it with other accounts."""

from collections.abc import Iterable
from typing import Any

from modelyard.access import store as access_store
from modelyard.access.permission import Permission, Resource
from modelyard.aws.errors import ResourceNotFound
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.lineage.entity import DEFAULT_GROUP, group_arn
from modelyard.lineage.permissions import on_all

operation = operations_of("sagemaker")
Request = dict[str, Any]


def _on_group(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"sagemaker:{action}", Resource(_arn(context, request), _arn(context, request).split(":")[4]))

    return permissions


def _arn(context: Context, request: Request) -> str:
    name: str = request["LineageGroupName"]
    return name if name.startswith("arn:") else f"arn:aws:sagemaker:{context.region}:{context.account}:lineage-group/{name}"


def _existing(context: Context, request: Request) -> Request:
    arn = _arn(context, request)
    if arn.lower() != group_arn(context.account, context.region):
        raise ResourceNotFound(f"Lineage group '{arn}' does not exist.")
    created = dict(access_store.accounts(context.tx)).get(context.account, 0.0)
    return {
        "LineageGroupName": DEFAULT_GROUP,
        "LineageGroupArn": group_arn(context.account, context.region),
        "DisplayName": DEFAULT_GROUP,
        "CreationTime": created,
        "LastModifiedTime": created,
    }


@operation("DescribeLineageGroup", mode=Mode.READ, permissions=_on_group("DescribeLineageGroup"))
def describe_lineage_group(context: Context, request: Request) -> Request:
    """The account's own group; it came with the account."""
    return {**_existing(context, request), "Description": "The lineage group of the account.", "CreatedBy": {}}


@operation("GetLineageGroupPolicy", mode=Mode.READ, permissions=_on_group("GetLineageGroupPolicy"))
def get_lineage_group_policy(context: Context, request: Request) -> Request:
    """Groups are not shared, so none has a policy."""
    found = _existing(context, request)
    raise ResourceNotFound(f"Cannot find resource policy for: {found['LineageGroupArn']}")


@operation("ListLineageGroups", mode=Mode.READ, permissions=on_all("ListLineageGroups", "lineage-group"))
def list_lineage_groups(context: Context, request: Request) -> Request:
    """The account's own group."""
    if "NextToken" in request:
        context.tokens.open(request["NextToken"], {"operation": "ListLineageGroups"})
    group = _existing(context, {"LineageGroupName": DEFAULT_GROUP})
    after, before = request.get("CreatedAfter", float("-inf")), request.get("CreatedBefore", float("inf"))
    return {"LineageGroupSummaries": [group] if after <= group["CreationTime"] <= before else []}
