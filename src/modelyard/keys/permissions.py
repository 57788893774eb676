"""What KMS's operations ask for: the key with its policy, its tags and the grants on it, and KMS's condition keys."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.access.evaluation import decide
from modelyard.access.permission import Grant, Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.aws.errors import AccessDeniedException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import finds
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.keys import managed, store
from modelyard.keys.failures import failure, not_found
from modelyard.keys.grant import EncryptionContext, KeyGrant
from modelyard.keys.key import ALGORITHM, ORIGIN, USAGE, Key, KeyName, NotAKey, NotAnArn, key_name
from modelyard.keys.tokens import check_tokens
from modelyard.storage.interface import Transaction

Request = Mapping[str, Any]
Values = dict[str, str | tuple[str, ...]]
Covers = Callable[[KeyGrant], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """What a request names, and the key, if there is one."""

    name: KeyName
    key: Key | None

    @property
    def arn(self) -> str:
        """Of the key; of what was named when there is none."""
        return self.name.arn if self.key is None else self.key.arn

    def existing(self) -> Key:
        """The key. Raises NotFoundException."""
        if self.key is None:
            raise not_found(self.name)
        return self.key


def find(context: Context, text: str, *, aliases: bool = False) -> Found:
    """The key that a request names. Raises AwsError for what names none; with `aliases` it may be an alias."""
    try:
        name = key_name(text, context.account, context.region)
    except NotAnArn:
        raise failure("InvalidArnException", f"Invalid arn {text[:256]}") from None
    except NotAKey:
        raise failure("NotFoundException", f"Invalid keyId '{text[:256]}'") from None
    if name.region != context.region:
        raise failure("NotFoundException", f"Invalid arn {name.region}")
    if name.alias and not aliases:
        raise failure("NotFoundException", f"Invalid keyId '{text[:256]}'")
    return Found(name, _key(context, name))


def _key(context: Context, name: KeyName) -> Key | None:
    key_ring = context.dispatcher.authenticator.key_ring
    if name.alias:
        return managed.by_alias(key_ring, name.account, name.region, name.alias) or store.key_of_alias(
            context.tx, name.account, name.region, name.alias, context.now
        )
    return store.key(context.tx, name.account, name.region, name.key_id, context.now) or managed.by_id(
        key_ring, name.account, name.region, name.key_id
    )


def existing(context: Context, request: Request, *, aliases: bool = False) -> Key:
    """The key that a request names. Raises NotFoundException."""
    return find(context, request["KeyId"], aliases=aliases).existing()


def customer_key(context: Context, request: Request) -> Key:
    """The key that a request names, once it is sure that AWS does not manage it."""
    key = existing(context, request)
    if not key.sealed_material:
        raise failure("AccessDeniedException", f"{key.arn} is managed by AWS: it cannot be changed.")
    return key


def on_key(action: str, member: str = "KeyId", *, across: bool = False) -> Permissions:
    """One action on the key that a member of the request names; without `across` it has to be one of the caller's account."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        found = find(context, request[member])
        if not across:
            refuse_across(context, found, action)
        yield permission(context, action, found)

    return permissions


def refuse_across(context: Context, found: Found, action: str) -> None:
    """Raise AccessDeniedException for a key of another account: no policy can allow this there."""
    if found.name.account != context.account:
        raise AccessDeniedException(
            f"User: {context.principal.arn} is not authorized to perform: kms:{action} on resource: {found.arn} because the "
            "operation cannot be performed across accounts"
        )


def permission(
    context: Context, action: str, found: Found, values: Values | None = None, covers: Covers | None = None
) -> Permission:
    """An action on a key. `covers` says which grants are for it, when there may be any."""
    key = found.key
    if key is None:
        return Permission(f"kms:{action}", Resource(found.arn, found.name.account), values or {})
    conditions = KeyConditions(context, key, found.name.alias, values or {})
    asked = Permission(f"kms:{action}", key_resource(context, key, covers), conditions)
    if found.name.alias and key.account != context.account and not decide(context.principal, asked, context.facts).allowed:
        # A refusal names what was asked for: not to everybody is it told that an alias is there, and of which key.
        return Permission(f"kms:{action}", Resource(found.name.arn, key.account), values or {})
    return asked


def key_resource(context: Context, key: Key, covers: Covers | None = None) -> Resource:
    """A key as policies and grants see it."""
    tags = TagsOnDemand(context.tx, key.arn)
    if covers is None or not key.sealed_material:
        return Resource(key.arn, key.account, tags, key.policy)
    chosen = covers

    def grants() -> Iterable[Grant]:
        to_caller = store.grants_to(context.tx, key.key_id, _names_of_caller(context))
        return [Grant(one.grant_id, one.grantee) for one in to_caller if chosen(one)]

    return Resource(key.arn, key.account, tags, key.policy, grants)


def _names_of_caller(context: Context) -> set[str]:
    """Every name that a grant may know the caller by."""
    caller = context.principal
    names = {caller.arn, caller.name, caller.account, f"arn:aws:iam::{caller.account}:root", caller.unique_id.partition(":")[0]}
    return names | ({caller.role_arn} if caller.role_arn else set())


def using(
    action: str, context: Context, found: Found, encryption: EncryptionContext, request: Request, more: Values | None = None
) -> Permission:
    """A cryptographic operation under an encryption context. Raises InvalidGrantTokenException for tokens that are none."""
    check_tokens(context, request)
    values: Values = {f"kms:EncryptionContext:{name}": value for name, value in encryption.items()}
    if encryption:
        values["kms:EncryptionContextKeys"] = tuple(encryption)
    values |= {"kms:EncryptionAlgorithm": ALGORITHM, **(more or {})}
    return permission(context, action, found, values, lambda grant: grant.covers(action, encryption))


class KeyConditions(Mapping[str, str | tuple[str, ...]]):
    """KMS's condition keys; the key's aliases are looked up only when a condition looks at any."""

    __slots__ = ("_key", "_tx", "_values")

    def __init__(self, context: Context, key: Key, alias: str, values: Values) -> None:
        self._tx: Transaction | None = context.tx
        self._key = key
        self._values: Values = values | caller_conditions(context) | SPEC_CONDITIONS
        if alias:
            self._values["kms:RequestAlias"] = alias

    def _all(self) -> Values:
        if self._tx is not None:
            names = tuple(alias.name for alias in store.aliases_of_key(self._tx, self._key.key_id))
            if names:
                self._values["kms:ResourceAliases"] = names
            self._tx = None
        return self._values

    def __getitem__(self, name: str) -> str | tuple[str, ...]:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


SPEC_CONDITIONS: Values = {"kms:KeySpec": ALGORITHM, "kms:KeyUsage": USAGE, "kms:KeyOrigin": ORIGIN, "kms:MultiRegion": "false"}
"""Of every key that there is here."""


def caller_conditions(context: Context) -> Values:
    """The condition keys that say who asks, and through which service."""
    values: Values = {"kms:CallerAccount": context.account}
    if context.facts.via_service:
        values["kms:ViaService"] = context.facts.via_service
    return values


def _find(context: Context, arn: Arn) -> Resource | None:
    """A key by its ARN or that of an alias, for those who ask what may be done with it.

    Grants are those for the operation of the context, to its principal, that ask for no encryption context.
    """
    try:
        key = _key(context, key_name(str(arn), context.account, context.region))
    except (NotAnArn, NotAKey):
        return None
    action = context.operation.partition(":")[2]
    return None if key is None else key_resource(context, key, lambda grant: grant.covers(action, {}))


for _kind in ("key", "alias"):
    finds("kms", _kind)(_find)
