"""IAM users."""

from typing import Any

from modelyard.access import store, store_policies
from modelyard.access.identities import Identity, new_id
from modelyard.access.principal import PrincipalKind
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.identity.failures import already_exists, delete_conflict
from modelyard.identity.holders import USER, checked_boundary, listing, tag_conditions
from modelyard.identity.pages import page
from modelyard.identity.shapes import merged_tags, user_shape

operation = operations_of("iam")


@operation("CreateUser", mode=Mode.WRITE, permissions=USER.needs("CreateUser", tag_conditions))
def create_user(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make a user who may do nothing yet."""
    name = request["UserName"]
    if store.identity(context.tx, context.account, USER.kind, name) is not None:
        raise already_exists(f"User with name {name} already exists.")
    user = Identity(
        id=new_id(context.ids, "AIDA"),
        account=context.account,
        kind=USER.kind,
        name=name,
        path=request.get("Path", "/"),
        created_at=context.now,
        boundary_arn=checked_boundary(context, request),
        tags=merged_tags({}, request.get("Tags", [])),
    )
    store.add_identity(context.tx, user)
    return {"User": user_shape(user)}


@operation("GetUser", mode=Mode.READ, permissions=USER.needs("GetUser"))
def get_user(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """A user; without a name, the caller."""
    principal = context.principal
    if "UserName" not in request and principal.kind is PrincipalKind.ROOT:
        created = next(created for account, created in store.accounts(context.tx) if account == context.account)
        return {
            "User": {"Path": "/", "UserName": "root", "UserId": principal.unique_id, "Arn": principal.arn, "CreateDate": created}
        }
    return {"User": user_shape(USER.find(context, request))}


@operation("ListUsers", mode=Mode.SLOW_READ, permissions=listing("ListUsers", "user"))
def list_users(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Users, by name."""

    def load(cursor: list[Any], limit: int) -> list[Identity]:
        prefix = request.get("PathPrefix", "/")
        return store.identities(context.tx, context.account, USER.kind, prefix, cursor[0] if cursor else "", limit)

    return page(context, "ListUsers", request, "Users", load, lambda user: [user.name], lambda user: user_shape(user, tags=False))


@operation("DeleteUser", mode=Mode.WRITE, permissions=USER.needs("DeleteUser"))
def delete_user(context: Context, request: dict[str, Any]) -> None:
    """Remove a user who has no keys and no policies left."""
    user = USER.find(context, request)
    if store.access_keys(context.tx, user.id, limit=1):
        raise delete_conflict("Cannot delete entity, must delete access keys first.")
    refuse_while_policies(context, user)
    store.delete_identity(context.tx, user)


def refuse_while_policies(context: Context, identity: Identity) -> None:
    """Raise DeleteConflict while a user or role has policies."""
    if store_policies.attached_policies(context.tx, identity.id, limit=1):
        raise delete_conflict("Cannot delete entity, must detach all policies first.")
    if store_policies.inline_policies(context.tx, identity.id, limit=1):
        raise delete_conflict("Cannot delete entity, must delete policies first.")
