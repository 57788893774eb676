"""Keys: made, described, listed, disabled, deleted after a waiting period."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.dispatch.tags import put_tags
from modelyard.keys import key_policy, managed, pages, store
from modelyard.keys.failures import check_not_pending, failure, unsupported
from modelyard.keys.key import (
    ALGORITHM,
    DAY_SECONDS,
    LONGEST_WINDOW,
    ORIGIN,
    SHORTEST_WINDOW,
    USAGE,
    Key,
    KeyState,
    default_policy,
    key_arn,
)
from modelyard.keys.key_tags import read_tags, tag_conditions
from modelyard.keys.material import new_material
from modelyard.keys.permissions import (
    SPEC_CONDITIONS,
    Values,
    caller_conditions,
    customer_key,
    existing,
    find,
    on_key,
    permission,
    refuse_across,
)
from modelyard.keys.tokens import check_tokens

operation = operations_of("kms")

_ONLY = {"KeySpec": ALGORITHM, "CustomerMasterKeySpec": ALGORITHM, "KeyUsage": USAGE, "Origin": ORIGIN, "MultiRegion": False}
_NOT_HERE = ("CustomKeyStoreId", "XksKeyId")


def _creating(context: Context, request: Request) -> Iterable[Permission]:
    resource = Resource("*", context.account)
    values: Values = caller_conditions(context) | SPEC_CONDITIONS | tag_conditions(request.get("Tags", ()))
    values["kms:BypassPolicyLockoutSafetyCheck"] = _truth(request.get("BypassPolicyLockoutSafetyCheck", False))
    yield Permission("kms:CreateKey", resource, values)
    if request.get("Tags"):
        yield Permission("kms:TagResource", resource, values)


@operation("CreateKey", mode=Mode.WRITE, permissions=_creating)
def create_key(context: Context, request: Request) -> Request:
    """Make a symmetric encryption key, whose material never leaves the server."""
    for member, only in _ONLY.items():
        if request.get(member, only) != only:
            raise unsupported(f"Modelyard has symmetric encryption keys of its own only: {member} cannot be {request[member]}.")
    for member in _NOT_HERE:
        if member in request:
            raise unsupported(f"Custom key stores are not available in Modelyard: {member} cannot be given.")
    arn = key_arn(context.region, context.account, key_id := context.ids.request_id())
    policy = request.get("Policy", default_policy(context.account))
    key_policy.check(context, arn, policy, bypass=request.get("BypassPolicyLockoutSafetyCheck", False))
    key = Key(
        account=context.account,
        region=context.region,
        key_id=key_id,
        created=context.now,
        state=KeyState.ENABLED,
        description=request.get("Description", ""),
        policy=policy,
        sealed_material=new_material(context.dispatcher.authenticator.key_ring, arn),
    )
    store.add_key(context.tx, key)
    put_tags(context.tx, arn, read_tags(context.tx, arn, request.get("Tags", ())))
    return {"KeyMetadata": key.metadata()}


def _describing(context: Context, request: Request) -> Iterable[Permission]:
    check_tokens(context, request)
    found = find(context, request["KeyId"], aliases=True)
    yield permission(context, "DescribeKey", found, covers=lambda grant: grant.covers("DescribeKey", {}))


@operation("DescribeKey", mode=Mode.READ, permissions=_describing)
def describe_key(context: Context, request: Request) -> Request:
    """What is known of a key, by its id, ARN or alias."""
    return {"KeyMetadata": existing(context, request, aliases=True).metadata()}


def _listing(context: Context, _request: Request) -> Iterable[Permission]:
    yield Permission("kms:ListKeys", Resource("*", context.account), caller_conditions(context))


@operation("ListKeys", mode=Mode.SLOW_READ, permissions=_listing)
def list_keys(context: Context, request: Request) -> Request:
    """The keys of the account, those that AWS manages among them."""
    own = [key.key_id for _, key in managed.all_of(context.dispatcher.authenticator.key_ring, context.account, context.region)]

    def load(after: str | None, most: int) -> list[str]:
        stored = store.key_ids(context.tx, context.account, context.region, after or "", most, context.now)
        return sorted([*stored, *(key_id for key_id in own if key_id > (after or ""))])[:most]

    def shape(key_id: str) -> dict[str, Any]:
        return {"KeyId": key_id, "KeyArn": key_arn(context.region, context.account, key_id)}

    return pages.page(context, "ListKeys", request, "Keys", load, str, shape, usual=100)


@operation("EnableKey", mode=Mode.WRITE, permissions=on_key("EnableKey"))
def enable_key(context: Context, request: Request) -> None:
    """Let a key be used again."""
    key = customer_key(context, request)
    check_not_pending(key)
    store.set_state(context.tx, key, KeyState.ENABLED)


@operation("DisableKey", mode=Mode.WRITE, permissions=on_key("DisableKey"))
def disable_key(context: Context, request: Request) -> None:
    """Let nobody use a key, until it is enabled again."""
    key = customer_key(context, request)
    check_not_pending(key)
    store.set_state(context.tx, key, KeyState.DISABLED)


@operation("UpdateKeyDescription", mode=Mode.WRITE, permissions=on_key("UpdateKeyDescription"))
def update_key_description(context: Context, request: Request) -> None:
    """Describe a key otherwise."""
    key = customer_key(context, request)
    check_not_pending(key)
    store.set_description(context.tx, key, request["Description"])


def _scheduling(context: Context, request: Request) -> Iterable[Permission]:
    found = find(context, request["KeyId"])
    refuse_across(context, found, "ScheduleKeyDeletion")
    window = str(request.get("PendingWindowInDays", LONGEST_WINDOW))
    yield permission(context, "ScheduleKeyDeletion", found, {"kms:ScheduleKeyDeletionPendingWindowInDays": window})


@operation("ScheduleKeyDeletion", mode=Mode.WRITE, permissions=_scheduling)
def schedule_key_deletion(context: Context, request: Request) -> Request:
    """Delete a key when a waiting period is over; until then nobody can use it, and it can be had back."""
    key = customer_key(context, request)
    check_not_pending(key)
    days = request.get("PendingWindowInDays", LONGEST_WINDOW)
    if not SHORTEST_WINDOW <= days <= LONGEST_WINDOW:
        raise failure(
            "ValidationException", f"PendingWindowInDays must be between {SHORTEST_WINDOW} and {LONGEST_WINDOW}, inclusive."
        )
    deletion = context.now + days * DAY_SECONDS
    store.set_state(context.tx, key, KeyState.PENDING_DELETION, deletion)
    state = KeyState.PENDING_DELETION.value
    return {"KeyId": key.arn, "DeletionDate": deletion, "KeyState": state, "PendingWindowInDays": days}


@operation("CancelKeyDeletion", mode=Mode.WRITE, permissions=on_key("CancelKeyDeletion"))
def cancel_key_deletion(context: Context, request: Request) -> Request:
    """Keep a key that was to be deleted; it is disabled."""
    key = customer_key(context, request)
    if key.state is not KeyState.PENDING_DELETION:
        raise failure("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    store.set_state(context.tx, key, KeyState.DISABLED)
    return {"KeyId": key.arn}


def _truth(value: bool) -> str:
    return "true" if value else "false"
