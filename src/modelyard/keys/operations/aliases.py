"""Aliases: names of keys that people can read, and that can be moved to another key."""

import re
from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, Request, operations_of
from modelyard.keys import managed, pages, store
from modelyard.keys.failures import check_not_pending, failure
from modelyard.keys.key import ALIAS_PREFIX, RESERVED_PREFIX, Key, KeyName, alias_arn
from modelyard.keys.permissions import Found, caller_conditions, find, permission, refuse_across
from modelyard.keys.store import Alias

operation = operations_of("kms")

_NAME = re.compile(r"alias/[a-zA-Z0-9/_-]+")


def _check_name(name: str) -> str:
    """The name of an alias, once it may be one of a customer. Raises AwsError."""
    if not name.startswith(ALIAS_PREFIX):
        raise failure("ValidationException", "Invalid identifier")
    if _NAME.fullmatch(name) is None:
        raise failure("InvalidAliasNameException", f"{name} contains invalid characters for an alias")
    if name.startswith(RESERVED_PREFIX):
        raise failure("NotAuthorizedException", f"{name} is reserved: aliases that begin with {RESERVED_PREFIX} are AWS's own.")
    return name


def _on_alias(context: Context, action: str, name: str) -> Permission:
    arn = alias_arn(context.region, context.account, name)
    return Permission(f"kms:{action}", Resource(arn, context.account), caller_conditions(context))


def _target(context: Context, text: str, action: str) -> Found:
    found = find(context, text)
    refuse_across(context, found, action)
    return found


def _creating(context: Context, request: Request) -> Iterable[Permission]:
    yield _on_alias(context, "CreateAlias", _check_name(request["AliasName"]))
    yield permission(context, "CreateAlias", _target(context, request["TargetKeyId"], "CreateAlias"))


@operation("CreateAlias", mode=Mode.WRITE, permissions=_creating)
def create_alias(context: Context, request: Request) -> None:
    """Give a key a name."""
    name, key = request["AliasName"], _target_key(context, request["TargetKeyId"])
    if store.alias(context.tx, context.account, context.region, name) is not None:
        arn = alias_arn(context.region, context.account, name)
        raise failure("AlreadyExistsException", f"An alias with the name {arn} already exists")
    store.add_alias(context.tx, context.account, context.region, name, key.key_id, context.now)


def _target_key(context: Context, text: str) -> Key:
    key = find(context, text).existing()
    check_not_pending(key)
    if not key.sealed_material:
        raise failure("AccessDeniedException", f"{key.arn} is managed by AWS: it cannot have another alias.")
    return key


def _existing(context: Context, name: str) -> Alias:
    found = store.alias(context.tx, context.account, context.region, name)
    if found is None:
        arn = KeyName(context.account, context.region, alias=name).arn
        raise failure("NotFoundException", f"Alias {arn} is not found.")
    return found


def _changing(action: str) -> Permissions:
    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        name = _check_name(request["AliasName"])
        yield _on_alias(context, action, name)
        before = store.alias(context.tx, context.account, context.region, name)
        if before is not None:
            yield permission(context, action, _target(context, before.key_id, action))
        if "TargetKeyId" in request:
            yield permission(context, action, _target(context, request["TargetKeyId"], action))

    return permissions


@operation("UpdateAlias", mode=Mode.WRITE, permissions=_changing("UpdateAlias"))
def update_alias(context: Context, request: Request) -> None:
    """Let a name lead to another key."""
    found = _existing(context, request["AliasName"])
    key = _target_key(context, request["TargetKeyId"])
    store.move_alias(context.tx, context.account, context.region, found.name, key.key_id, context.now)


@operation("DeleteAlias", mode=Mode.WRITE, permissions=_changing("DeleteAlias"))
def delete_alias(context: Context, request: Request) -> None:
    """Take a name away; the key stays."""
    found = _existing(context, request["AliasName"])
    store.remove_alias(context.tx, context.account, context.region, found.name)


def _listing(context: Context, request: Request) -> Iterable[Permission]:
    yield Permission("kms:ListAliases", Resource("*", context.account), caller_conditions(context))
    if "KeyId" in request:
        refuse_across(context, find(context, request["KeyId"]), "ListAliases")


@operation("ListAliases", mode=Mode.SLOW_READ, permissions=_listing)
def list_aliases(context: Context, request: Request) -> Request:
    """The aliases of the account, or of one key, in order of their names."""
    key = find(context, request["KeyId"]).existing() if "KeyId" in request else None
    own = [
        Alias(alias, managed_key.key_id, None, None)
        for alias, managed_key in managed.all_of(context.dispatcher.authenticator.key_ring, context.account, context.region)
        if key is None or key.key_id == managed_key.key_id
    ]

    def load(after: str | None, most: int) -> list[Alias]:
        if key is None:
            stored = store.aliases(context.tx, context.account, context.region, after or "", most)
        else:
            stored = store.aliases_of_key(context.tx, key.key_id, after or "", most)
        found = [*stored, *(alias for alias in own if alias.name > (after or ""))]
        return sorted(found, key=lambda alias: alias.name)[:most]

    return pages.page(context, "ListAliases", request, "Aliases", load, lambda alias: alias.name, lambda a: _shape(context, a))


def _shape(context: Context, alias: Alias) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "AliasName": alias.name,
        "AliasArn": alias_arn(context.region, context.account, alias.name),
        "TargetKeyId": alias.key_id,
    }
    if alias.created is not None:
        answer |= {"CreationDate": alias.created, "LastUpdatedDate": alias.updated}
    return answer
