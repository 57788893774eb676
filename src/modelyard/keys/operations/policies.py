"""Key policies: every key has one, named `default`."""

from collections.abc import Iterable

from modelyard.access.permission import Permission
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.keys import key_policy, pages, store
from modelyard.keys.failures import failure
from modelyard.keys.permissions import customer_key, existing, find, on_key, permission, refuse_across

operation = operations_of("kms")

NAME = "default"


def _check_name(request: Request) -> None:
    if request.get("PolicyName", NAME) != NAME:
        raise failure("NotFoundException", "No such policy exists")


def _putting(context: Context, request: Request) -> Iterable[Permission]:
    found = find(context, request["KeyId"])
    refuse_across(context, found, "PutKeyPolicy")
    bypass = "true" if request.get("BypassPolicyLockoutSafetyCheck") else "false"
    yield permission(context, "PutKeyPolicy", found, {"kms:BypassPolicyLockoutSafetyCheck": bypass})


@operation("PutKeyPolicy", mode=Mode.WRITE, permissions=_putting)
def put_key_policy(context: Context, request: Request) -> None:
    """Say anew who may use a key; it counts from the next request on."""
    key = customer_key(context, request)
    _check_name(request)
    key_policy.check(context, key.arn, request["Policy"], bypass=request.get("BypassPolicyLockoutSafetyCheck", False))
    store.set_policy(context.tx, key, request["Policy"])


@operation("GetKeyPolicy", mode=Mode.READ, permissions=on_key("GetKeyPolicy"))
def get_key_policy(context: Context, request: Request) -> Request:
    """The policy as it was given."""
    key = existing(context, request)
    _check_name(request)
    return {"Policy": key.policy, "PolicyName": NAME}


@operation("ListKeyPolicies", mode=Mode.READ, permissions=on_key("ListKeyPolicies"))
def list_key_policies(context: Context, request: Request) -> Request:
    """The names of a key's policies: there is one."""
    existing(context, request)
    return pages.page(context, "ListKeyPolicies", request, "PolicyNames", lambda _after, _most: [NAME], str, str)
