"""IAM roles."""

from dataclasses import replace
from typing import Any

from modelyard.access import store
from modelyard.access.identities import DEFAULT_SESSION_SECONDS, Identity, new_id
from modelyard.access.policy import PolicyKind
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.identity.failures import already_exists, limit_exceeded, malformed_policy
from modelyard.identity.holders import ROLE, checked_boundary, checked_policy, listing, policy_size, tag_conditions
from modelyard.identity.operations.users import refuse_while_policies
from modelyard.identity.pages import page
from modelyard.identity.shapes import merged_tags, role_shape

operation = operations_of("iam")
MOST_TRUST_CHARACTERS = 8192


@operation("CreateRole", mode=Mode.WRITE, permissions=ROLE.needs("CreateRole", tag_conditions))
def create_role(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make a role that those named in its trust policy may assume."""
    name = request["RoleName"]
    if store.identity(context.tx, context.account, ROLE.kind, name) is not None:
        raise already_exists(f"Role with name {name} already exists.")
    role = Identity(
        id=new_id(context.ids, "AROA"),
        account=context.account,
        kind=ROLE.kind,
        name=name,
        path=request.get("Path", "/"),
        created_at=context.now,
        boundary_arn=checked_boundary(context, request),
        tags=merged_tags({}, request.get("Tags", [])),
        trust_policy=_trust_policy(context, request["AssumeRolePolicyDocument"]),
        description=request.get("Description"),
        max_session_seconds=request.get("MaxSessionDuration", DEFAULT_SESSION_SECONDS),
    )
    store.add_identity(context.tx, role)
    return {"Role": role_shape(role)}


@operation("GetRole", mode=Mode.READ, permissions=ROLE.needs("GetRole"))
def get_role(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """A role."""
    return {"Role": role_shape(ROLE.find(context, request))}


@operation("ListRoles", mode=Mode.SLOW_READ, permissions=listing("ListRoles", "role"))
def list_roles(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Roles, by name."""

    def load(cursor: list[Any], limit: int) -> list[Identity]:
        prefix = request.get("PathPrefix", "/")
        return store.identities(context.tx, context.account, ROLE.kind, prefix, cursor[0] if cursor else "", limit)

    return page(context, "ListRoles", request, "Roles", load, lambda role: [role.name], lambda role: role_shape(role, tags=False))


@operation("UpdateRole", mode=Mode.WRITE, permissions=ROLE.needs("UpdateRole"))
def update_role(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Change the description or the longest session of a role."""
    role = ROLE.find(context, request)
    changed = replace(
        role,
        description=request.get("Description", role.description),
        max_session_seconds=request.get("MaxSessionDuration", role.max_session_seconds),
    )
    store.update_identity(context.tx, changed)
    return {}


@operation("UpdateAssumeRolePolicy", mode=Mode.WRITE, permissions=ROLE.needs("UpdateAssumeRolePolicy"))
def update_assume_role_policy(context: Context, request: dict[str, Any]) -> None:
    """Change who may assume a role."""
    role = ROLE.find(context, request)
    store.update_identity(context.tx, replace(role, trust_policy=_trust_policy(context, request["PolicyDocument"])))


@operation("DeleteRole", mode=Mode.WRITE, permissions=ROLE.needs("DeleteRole"))
def delete_role(context: Context, request: dict[str, Any]) -> None:
    """Remove a role that has no policies left; its sessions end with it."""
    role = ROLE.find(context, request)
    refuse_while_policies(context, role)
    store.delete_identity(context.tx, role)


def _trust_policy(context: Context, text: str) -> str:
    """A trust policy whose users and roles exist, as far as their accounts are here. Raises MalformedPolicyDocument."""
    if policy_size(text) > MOST_TRUST_CHARACTERS:
        raise limit_exceeded(f"Cannot exceed quota for ACLSizePerRole: {MOST_TRUST_CHARACTERS}")
    for statement in checked_policy(text, PolicyKind.TRUST).statements:
        actions = statement.source.actions or () if statement.source else ()
        if any(not action.lower().startswith("sts:") for action in actions):
            raise malformed_policy("AssumeRole policy may only specify STS AssumeRole actions.")
        for kind, name in (statement.source.principals or ()) if statement.source else ():
            if kind == "AWS" and _names_nobody(context, name):
                raise malformed_policy(f'Invalid principal in policy: "AWS":"{name}"')
    return text


def _names_nobody(context: Context, arn: str) -> bool:
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith(("user/", "role/")):
        return False
    return store.has_account(context.tx, parts[4]) and store.identity_by_arn(context.tx, arn) is None
