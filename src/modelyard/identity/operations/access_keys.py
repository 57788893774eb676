"""The access keys of users."""

from typing import Any

from modelyard.access import store
from modelyard.access.accounts import add_access_key
from modelyard.access.identities import AccessKey
from modelyard.access.principal import PrincipalKind
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.identity.failures import invalid_input, limit_exceeded, no_such_entity
from modelyard.identity.holders import USER
from modelyard.identity.pages import page
from modelyard.identity.shapes import access_key_shape

operation = operations_of("iam")
MOST_KEYS = 2


@operation("CreateAccessKey", mode=Mode.WRITE, permissions=USER.needs("CreateAccessKey"))
def create_access_key(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make a key; its secret is shown this once."""
    owner, name = _owner(context, request)
    if len(store.access_keys(context.tx, owner)) >= MOST_KEYS:
        raise limit_exceeded(f"Cannot exceed quota for AccessKeysPerUser: {MOST_KEYS}")
    key_ring = context.dispatcher.authenticator.key_ring
    key, secret = add_access_key(context.tx, key_ring, context.account, owner, ids=context.ids, now=context.now)
    return {"AccessKey": {**access_key_shape(key, name or "root"), "SecretAccessKey": secret}}


@operation("ListAccessKeys", mode=Mode.READ, permissions=USER.needs("ListAccessKeys"))
def list_access_keys(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The keys of a user, without their secrets."""
    owner, name = _owner(context, request)

    def load(cursor: list[Any], limit: int) -> list[AccessKey]:
        return store.access_keys(context.tx, owner, cursor[0] if cursor else "", limit)

    return page(
        context,
        "ListAccessKeys",
        request,
        "AccessKeyMetadata",
        load,
        lambda key: [key.id],
        lambda key: access_key_shape(key, name),
    )


@operation("UpdateAccessKey", mode=Mode.WRITE, permissions=USER.needs("UpdateAccessKey"))
def update_access_key(context: Context, request: dict[str, Any]) -> None:
    """Make a key inactive, or active again."""
    key = _key(context, request)
    if request["Status"] not in {"Active", "Inactive"}:
        raise invalid_input(f"The status of an access key cannot be set to {request['Status']}.")
    store.set_access_key_status(context.tx, key.id, request["Status"])


@operation("DeleteAccessKey", mode=Mode.WRITE, permissions=USER.needs("DeleteAccessKey"))
def delete_access_key(context: Context, request: dict[str, Any]) -> None:
    """Remove a key."""
    store.delete_access_key(context.tx, _key(context, request).id)


def _owner(context: Context, request: dict[str, Any]) -> tuple[str, str | None]:
    """Whose keys a request is about: the id of a user and the name, or the account for its root."""
    if "UserName" not in request and context.principal.kind is PrincipalKind.ROOT:
        return context.account, None
    user = USER.find(context, request)
    return user.id, user.name


def _key(context: Context, request: dict[str, Any]) -> AccessKey:
    owner, _ = _owner(context, request)
    found = store.access_key(context.tx, request["AccessKeyId"])
    if found is None or found[0].owner != owner:
        raise no_such_entity(f"The Access Key with id {request['AccessKeyId']} cannot be found.")
    return found[0]
