"""Grants: made, listed, revoked by the owners of a key, retired by those who no longer need them."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Grant, Permission, Resource
from modelyard.access.policy_principals import MalformedPrincipal, principals_of
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.keys import pages, store
from modelyard.keys.failures import check_enabled, failure, unsupported
from modelyard.keys.grant import AWS_PRINCIPAL, OPERATIONS, SERVICE_PRINCIPAL, Constraints, KeyGrant
from modelyard.keys.key import Key, key_arn
from modelyard.keys.permissions import (
    Found,
    KeyConditions,
    Values,
    caller_conditions,
    customer_key,
    existing,
    find,
    on_key,
    permission,
)
from modelyard.keys.tokens import check_tokens, grant_id_of, grant_token

operation = operations_of("kms")

_HEXADECIMAL = "0123456789abcdef"
MOST_GRANTS = 50_000


def _creating(context: Context, request: Request) -> Iterable[Permission]:
    check_tokens(context, request)
    constraints = Constraints.of(request.get("Constraints", {}))
    values: Values = {"kms:GrantOperations": tuple(request["Operations"])}
    values["kms:GrantIsForAWSResource"] = "true" if context.facts.via_service else "false"
    for role, prefix in (("GranteePrincipal", "Grantee"), ("RetiringPrincipal", "Retiring")):
        given = _principal(request, prefix)
        if given is not None:
            values[f"kms:{role}"] = given[1]
    if constraints.members():
        values["kms:GrantConstraintType"] = tuple(constraints.members())
    found = find(context, request["KeyId"])
    yield permission(
        context, "CreateGrant", found, values, lambda grant: grant.covers_creation(request["Operations"], constraints)
    )


@operation("CreateGrant", mode=Mode.WRITE, permissions=_creating)
def create_grant(context: Context, request: Request) -> Request:
    """Let a principal use a key. The same grant under the same name is made once."""
    key = customer_key(context, request)
    check_enabled(key)
    new = _grant(context, key, request)
    if request.get("DryRun"):
        raise dry_run()
    earlier = store.grants(context.tx, key.key_id, 0, MOST_GRANTS, "", new.grantee) if new.name else []
    found = next((one for one in earlier if one.is_like(new)), None)
    if found is None:
        store.add_grant(context.tx, new)
        found = new
    return {"GrantId": found.grant_id, "GrantToken": grant_token(context, found.grant_id)}


def _grant(context: Context, key: Key, request: Request) -> KeyGrant:
    """What a request asks for. Raises AwsError when it makes no sense."""
    grantee = _principal(request, "Grantee")
    if grantee is None:
        raise failure("ValidationException", "Specify either GranteePrincipal or GranteeServicePrincipal.")
    for operation_name in request["Operations"]:
        if operation_name not in OPERATIONS:
            raise failure(
                "ValidationException", f"Grant operation {operation_name} is not supported for a symmetric encryption key."
            )
    if not request["Operations"]:
        raise failure("ValidationException", "A grant has at least one operation.")
    if "SourceArn" in request.get("Constraints", {}):
        raise unsupported("Grants constrained to a SourceArn are not available in Modelyard.")
    return KeyGrant(
        grant_id=context.ids.text(_HEXADECIMAL, 64),
        key_id=key.key_id,
        grantee=grantee,
        operations=tuple(dict.fromkeys(request["Operations"])),
        issuing_account=context.account,
        created=context.now,
        retiring=_principal(request, "Retiring"),
        name=request.get("Name", ""),
        constraints=Constraints.of(request.get("Constraints", {})),
    )


def _principal(request: Request, role: str) -> tuple[str, str] | None:
    """The grantee or retiring principal of a request, as policies name them. Raises InvalidArnException for nobody."""
    given = [
        (kind, request[member])
        for member, kind in ((f"{role}Principal", AWS_PRINCIPAL), (f"{role}ServicePrincipal", SERVICE_PRINCIPAL))
        if member in request
    ]
    if len(given) > 1:
        raise failure("ValidationException", f"Specify either {role}Principal or {role}ServicePrincipal, not both.")
    try:
        principals_of(tuple(given))
    except MalformedPrincipal:
        raise failure("InvalidArnException", f"ARN does not refer to a valid principal: {given[0][1]}") from None
    return given[0] if given else None


def _account_of(principal: str) -> str:
    """The account of a principal, which is named by its ARN or by the account alone."""
    return principal.split(":")[4] if principal.count(":") >= 5 else principal


def dry_run() -> Exception:
    """The answer to a request that was only meant to be tried."""
    return failure("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


@operation("ListGrants", mode=Mode.SLOW_READ, permissions=on_key("ListGrants", across=True))
def list_grants(context: Context, request: Request) -> Request:
    """The grants on a key, in the order they were made."""
    key = existing(context, request)
    grantee, grant_id = _principal(request, "Grantee"), request.get("GrantId", "")

    def load(after: int | None, most: int) -> list[KeyGrant]:
        return store.grants(context.tx, key.key_id, after or 0, most, grant_id, grantee)

    return pages.page(context, "ListGrants", request, "Grants", load, lambda one: one.id, lambda one: one.shape(key.arn))


def _listing_retirable(context: Context, _request: Request) -> Iterable[Permission]:
    yield Permission("kms:ListRetirableGrants", Resource("*", context.account), caller_conditions(context))


@operation("ListRetirableGrants", mode=Mode.SLOW_READ, permissions=_listing_retirable)
def list_retirable_grants(context: Context, request: Request) -> Request:
    """The grants that a principal of the caller's account may retire."""
    retiring = _principal(request, "Retiring")
    if retiring is None:
        raise failure("ValidationException", "Specify either RetiringPrincipal or RetiringServicePrincipal.")
    if retiring[0] == AWS_PRINCIPAL and context.account != _account_of(retiring[1]):
        raise failure("ValidationException", "The retiring principal has to be one of your account.")

    def load(after: int | None, most: int) -> list[tuple[KeyGrant, str]]:
        return store.retirable_grants(context.tx, retiring, context.region, after or 0, most)

    def shape(found: tuple[KeyGrant, str]) -> dict[str, Any]:
        return found[0].shape(key_arn(context.region, found[1], found[0].key_id))

    return pages.page(context, "ListRetirableGrants", request, "Grants", load, lambda found: found[0].id, shape)


@operation("RevokeGrant", mode=Mode.WRITE, permissions=on_key("RevokeGrant", across=True))
def revoke_grant(context: Context, request: Request) -> None:
    """End a grant, as the owner of its key: from the next request on its grantee may do nothing by it."""
    key = existing(context, request)
    grant = store.grant(context.tx, request["GrantId"])
    if grant is None or grant.key_id != key.key_id:
        raise failure("NotFoundException", f"Grant ID {request['GrantId']} not found")
    if request.get("DryRun"):
        raise dry_run()
    store.remove_grant(context.tx, grant)


def _named_grant(context: Context, request: Request) -> tuple[Found, KeyGrant | None]:
    """The grant that is to be retired, by its token or by key and id."""
    if "GrantToken" in request:
        if "KeyId" in request or "GrantId" in request:
            raise failure("ValidationException", "Specify either a grant token, or a key and a grant id.")
        grant = store.grant(context.tx, grant_id_of(context, request["GrantToken"]))
        if grant is None:
            raise failure("NotFoundException", "The grant of this token was retired or revoked.")
        account = store.account_of_key(context.tx, grant.key_id)
        return find(context, key_arn(context.region, account, grant.key_id)), grant
    if "KeyId" not in request or "GrantId" not in request:
        raise failure("ValidationException", "Specify either a grant token, or a key and a grant id.")
    found = find(context, request["KeyId"])
    grant = store.grant(context.tx, request["GrantId"])
    return found, grant if grant is not None and found.key is not None and grant.key_id == found.key.key_id else None


def _retiring(context: Context, request: Request) -> Iterable[Permission]:
    """Retiring is up to the grant: its retiring principal may, its grantee if the grant says so, and whom the policies allow."""
    found, grant = _named_grant(context, request)
    if found.key is None or grant is None:
        yield permission(context, "RetireGrant", found)
        return
    allowed = [] if grant.retiring is None else [Grant(grant.grant_id, grant.retiring)]
    if "RetireGrant" in grant.operations:
        allowed.append(Grant(grant.grant_id, grant.grantee))
    resource = Resource(found.key.arn, found.key.account, policy=found.key.policy, grants=lambda: allowed)
    yield Permission("kms:RetireGrant", resource, KeyConditions(context, found.key, "", {}))


@operation("RetireGrant", mode=Mode.WRITE, permissions=_retiring)
def retire_grant(context: Context, request: Request) -> None:
    """End a grant that is no longer needed."""
    found, grant = _named_grant(context, request)
    found.existing()
    if grant is None:
        raise failure("NotFoundException", f"Grant ID {request['GrantId']} not found")
    if request.get("DryRun"):
        raise dry_run()
    store.remove_grant(context.tx, grant)
