"""Resource policies of groups: what lets another account in."""

from typing import Any

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.registry import events, group_policy, store
from modelyard.registry.group import Group
from modelyard.registry.permissions import group_at, on_group

operation = operations_of("sagemaker")


def _existing(context: Context, request: dict[str, Any]) -> Group:
    at = group_at(context, request["ModelPackageGroupName"])
    found = store.group(context.tx, at)
    if found is None:
        raise ValidationException(f"Cannot find Model Package Group: {at.arn}")
    return found


@operation("PutModelPackageGroupPolicy", mode=Mode.WRITE, permissions=on_group("PutModelPackageGroupPolicy"))
def put_model_package_group_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Keep a policy as it was given, once it is one that can be evaluated."""
    found = _existing(context, request)
    try:
        group_policy.check(request["ResourcePolicy"], found.at)
    except group_policy.InvalidPolicy as error:
        raise ValidationException(f"Invalid policy provided: {error}") from None
    store.set_policy(context.tx, found.id, request["ResourcePolicy"])
    events.group_changed(context.tx, found.at, "PolicyPut", context.now)
    return {"ModelPackageGroupArn": found.arn}


@operation("GetModelPackageGroupPolicy", mode=Mode.READ, permissions=on_group("GetModelPackageGroupPolicy"))
def get_model_package_group_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The policy as it was given."""
    found = _existing(context, request)
    if found.policy is None:
        raise ValidationException(f"Cannot find resource policy for: {found.arn}")
    return {"ResourcePolicy": found.policy}


@operation("DeleteModelPackageGroupPolicy", mode=Mode.WRITE, permissions=on_group("DeleteModelPackageGroupPolicy"))
def delete_model_package_group_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Remove the policy; removing it twice is an error, as on AWS."""
    found = _existing(context, request)
    if found.policy is None:
        raise ValidationException(f"Cannot find resource policy for: {found.arn}")
    store.set_policy(context.tx, found.id, None)
    events.group_changed(context.tx, found.at, "PolicyDeleted", context.now)
    return {}
