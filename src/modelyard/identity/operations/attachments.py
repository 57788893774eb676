"""Managed policies on users and roles: attach, detach, list; and permissions boundaries."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modelyard.access import store, store_policies
from modelyard.access.identities import AWS_POLICY_PREFIX, ManagedPolicy
from modelyard.access.managed import find_policy
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.identity.failures import limit_exceeded, no_such_entity
from modelyard.identity.holders import HOLDERS, Holder, checked_boundary, tag_conditions
from modelyard.identity.pages import page

operation = operations_of("iam")
MOST_ATTACHED = 20


def declare(holder: Holder) -> None:
    """Declare the operations of users, or of roles."""
    attach, detach = f"Attach{holder.title}Policy", f"Detach{holder.title}Policy"
    list_attached = f"ListAttached{holder.title}Policies"

    @operation(attach, mode=Mode.WRITE, permissions=holder.needs(attach, _policy_condition))
    def attach_policy(context: Context, request: dict[str, Any]) -> None:
        """Attach a managed policy, which then counts with the others."""
        identity = holder.find(context, request)
        policy = usable_policy(context, request["PolicyArn"])
        attached = store_policies.attached_policies(context.tx, identity.id)
        if len(attached) >= MOST_ATTACHED and policy.arn not in dict(attached):
            raise limit_exceeded(f"Cannot exceed quota for PoliciesPer{holder.title}: {MOST_ATTACHED}")
        store_policies.attach(context.tx, identity.id, context.account, policy.arn, policy.name)

    @operation(detach, mode=Mode.WRITE, permissions=holder.needs(detach, _policy_condition))
    def detach_policy(context: Context, request: dict[str, Any]) -> None:
        """Take a managed policy away."""
        identity = holder.find(context, request)
        if not store_policies.detach(context.tx, identity.id, request["PolicyArn"]):
            raise no_such_entity(f"Policy {request['PolicyArn']} was not found.")

    @operation(list_attached, mode=Mode.READ, permissions=holder.needs(list_attached))
    def list_attached_policies(context: Context, request: dict[str, Any]) -> dict[str, Any]:
        """The managed policies that are attached, by name."""
        identity = holder.find(context, request)
        return _list_attached(context, list_attached, request, identity.id)

    _declare_boundary(holder)


def _declare_boundary(holder: Holder) -> None:
    put, delete = f"Put{holder.title}PermissionsBoundary", f"Delete{holder.title}PermissionsBoundary"

    @operation(put, mode=Mode.WRITE, permissions=holder.needs(put, tag_conditions))
    def put_boundary(context: Context, request: dict[str, Any]) -> None:
        """Set the policy that bounds what the other policies may allow."""
        identity = holder.find(context, request)
        store.update_identity(context.tx, replace(identity, boundary_arn=checked_boundary(context, request)))

    @operation(delete, mode=Mode.WRITE, permissions=holder.needs(delete))
    def delete_boundary(context: Context, request: dict[str, Any]) -> None:
        """Remove the bound."""
        identity = holder.find(context, request)
        if identity.boundary_arn is None:
            raise no_such_entity(f"{holder.title} {identity.name} does not have a permission boundary.")
        store.update_identity(context.tx, replace(identity, boundary_arn=None))


def usable_policy(context: Context, arn: str) -> ManagedPolicy:
    """A policy of AWS's or of the caller's account. Raises NoSuchEntity."""
    policy = find_policy(context.tx, arn)
    if policy is None or policy.account not in {"aws", context.account}:
        raise no_such_entity(f"Policy {arn} does not exist or is not attachable.")
    return policy


def _list_attached(context: Context, name: str, request: dict[str, Any], identity: str) -> dict[str, Any]:
    """By name; of the two kinds of policies with one name, the account's own comes first."""

    def order(attached: tuple[str, str]) -> list[Any]:
        return [attached[1].lower(), int(attached[0].startswith(AWS_POLICY_PREFIX))]

    def load(cursor: list[Any], limit: int) -> list[tuple[str, str]]:
        prefix = request.get("PathPrefix", "/")
        found = [each for each in store_policies.attached_policies(context.tx, identity) if _path(each[0]).startswith(prefix)]
        return sorted((each for each in found if not cursor or order(each) > cursor), key=order)[:limit]

    return page(
        context, name, request, "AttachedPolicies", load, order, lambda each: {"PolicyName": each[1], "PolicyArn": each[0]}
    )


def _path(arn: str) -> str:
    return arn.split(":policy", 1)[1].rpartition("/")[0] + "/"


def _policy_condition(request: dict[str, Any]) -> Mapping[str, Any]:
    return {"iam:PolicyARN": request["PolicyArn"]}


for _holder in HOLDERS:
    declare(_holder)
