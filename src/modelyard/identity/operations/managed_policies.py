"""Managed policies: those of the account, and AWS's own."""

from collections.abc import Callable, Iterable
from typing import Any

from modelyard.access import store_policies
from modelyard.access.identities import ManagedPolicy, new_id, policy_arn
from modelyard.access.managed import aws_managed_policies, find_policy, find_version
from modelyard.access.permission import Permission, Resource
from modelyard.access.policy import PolicyKind
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.identity.failures import already_exists, delete_conflict, invalid_input, limit_exceeded, no_such_entity
from modelyard.identity.holders import checked_policy, listing, policy_size, tag_conditions
from modelyard.identity.pages import page
from modelyard.identity.shapes import merged_tags, policy_shape, version_shape

operation = operations_of("iam")
MOST_POLICIES = 1500
MOST_CHARACTERS = 6144
Permissions = Callable[[Context, dict[str, Any]], Iterable[Permission]]


def _on_new(context: Context, request: dict[str, Any]) -> Iterable[Permission]:
    arn = policy_arn(context.account, request.get("Path", "/"), request["PolicyName"])
    return (Permission("iam:CreatePolicy", Resource(arn, context.account), tag_conditions(request)),)


def _on_policy(action: str) -> Permissions:
    """The permission on the policy that a request names; AWS's policies belong to whoever looks at them."""

    def permissions(context: Context, request: dict[str, Any]) -> Iterable[Permission]:
        arn = request["PolicyArn"]
        policy = find_policy(context.tx, arn)
        tags = policy.tags if policy is not None and policy.account == context.account else {}
        return (Permission(f"iam:{action}", Resource(arn, context.account, tags)),)

    return permissions


@operation("CreatePolicy", mode=Mode.WRITE, permissions=_on_new)
def create_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make a managed policy."""
    name, document = request["PolicyName"], request["PolicyDocument"]
    if policy_size(document) > MOST_CHARACTERS:
        raise limit_exceeded(f"Cannot exceed quota for PolicySize: {MOST_CHARACTERS}")
    checked_policy(document, PolicyKind.IDENTITY)
    if store_policies.managed_policy_named(context.tx, context.account, name) is not None:
        raise already_exists(f"A policy called {name} already exists. Duplicate names are not allowed.")
    if store_policies.managed_policy_count(context.tx, context.account) >= MOST_POLICIES:
        raise limit_exceeded(f"Cannot exceed quota for PoliciesPerAccount: {MOST_POLICIES}")
    path = request.get("Path", "/")
    policy = ManagedPolicy(
        arn=policy_arn(context.account, path, name),
        id=new_id(context.ids, "ANPA"),
        account=context.account,
        name=name,
        path=path,
        created_at=context.now,
        updated_at=context.now,
        default_version="v1",
        description=request.get("Description"),
        tags=merged_tags({}, request.get("Tags", [])),
    )
    store_policies.add_managed_policy(context.tx, policy, document)
    return {"Policy": policy_shape(policy, 0, 0)}


@operation("GetPolicy", mode=Mode.READ, permissions=_on_policy("GetPolicy"))
def get_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """A managed policy, without its text."""
    policy = _existing(context, request["PolicyArn"])
    attached, bounded = store_policies.usage(context.tx, context.account)
    return {"Policy": policy_shape(policy, attached.get(policy.arn, 0), bounded.get(policy.arn, 0))}


@operation("GetPolicyVersion", mode=Mode.READ, permissions=_on_policy("GetPolicyVersion"))
def get_policy_version(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The text of a managed policy."""
    policy = _existing(context, request["PolicyArn"])
    version = find_version(context.tx, policy.arn, request["VersionId"])
    if version is None:
        raise no_such_entity(f"Policy {policy.arn} version {request['VersionId']} does not exist or is not attachable.")
    return {"PolicyVersion": version_shape(version, default=version.version == policy.default_version)}


@operation("DeletePolicy", mode=Mode.WRITE, permissions=_on_policy("DeletePolicy"))
def delete_policy(context: Context, request: dict[str, Any]) -> None:
    """Remove a policy of the account that is in use nowhere."""
    policy = _existing(context, request["PolicyArn"])
    if policy.account == "aws":
        raise invalid_input(f"ARN {policy.arn} is not valid.")
    attached, bounded = store_policies.usage(context.tx, context.account)
    if policy.arn in attached or policy.arn in bounded:
        raise delete_conflict("Cannot delete a policy attached to entities.")
    store_policies.delete_managed_policy(context.tx, policy.arn)


@operation("ListPolicies", mode=Mode.SLOW_READ, permissions=listing("ListPolicies", "policy"))
def list_policies(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Policies of the account, of AWS, or both; by name."""
    attached, bounded = store_policies.usage(context.tx, context.account)

    def order(policy: ManagedPolicy) -> list[Any]:
        return [policy.name.lower(), int(policy.account == "aws")]

    def wanted(policy: ManagedPolicy) -> bool:
        used = bounded if request.get("PolicyUsageFilter") == "PermissionsBoundary" else attached
        return policy.path.startswith(request.get("PathPrefix", "/")) and (
            policy.arn in used or not request.get("OnlyAttached", False)
        )

    def load(cursor: list[Any], limit: int) -> list[ManagedPolicy]:
        found = [policy for policy in _in_scope(context, request.get("Scope", "All")) if wanted(policy)]
        return sorted((policy for policy in found if not cursor or order(policy) > cursor), key=order)[:limit]

    def shape(policy: ManagedPolicy) -> dict[str, Any]:
        return policy_shape(policy, attached.get(policy.arn, 0), bounded.get(policy.arn, 0), whole=False)

    return page(context, "ListPolicies", request, "Policies", load, order, shape)


def _in_scope(context: Context, scope: str) -> list[ManagedPolicy]:
    own = store_policies.managed_policies(context.tx, context.account) if scope != "AWS" else []
    return own + ([policy for policy, _ in aws_managed_policies().values()] if scope != "Local" else [])


def _existing(context: Context, arn: str) -> ManagedPolicy:
    policy = find_policy(context.tx, arn)
    if policy is None or policy.account not in {"aws", context.account}:
        raise no_such_entity(f"Policy {arn} was not found.")
    return policy
