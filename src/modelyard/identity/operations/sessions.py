"""STS: who am I, and temporary credentials.

Credentials are in their own tokens and change no row. They are made in a write all the same, for the record of it: who became
which session of a role is what tells the person behind what the session did.
"""

from collections.abc import Iterable
from typing import Any

from modelyard.access import store
from modelyard.access.identities import DEFAULT_SESSION_SECONDS, Identity
from modelyard.access.managed import find_policy
from modelyard.access.permission import Permission, Resource
from modelyard.access.policy import PolicyKind
from modelyard.access.principal import PrincipalKind
from modelyard.access.sessions import Session, SessionCredentials, issue, new_session
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.identity.failures import denied, invalid, invalid_input
from modelyard.identity.holders import checked_policy
from modelyard.identity.shapes import merged_tags

operation = operations_of("sts")
LONGEST_CHAINED_SESSION = 3600
LONGEST_SESSION_POLICY = 2048
MOST_POLICY_ARNS = 10
SESSION_TOKEN_SECONDS = 43_200
PACKED_LIMIT = 8192


def _nothing(_context: Context, _request: dict[str, Any]) -> Iterable[Permission]:
    """What every signed caller may do."""
    return ()


@operation("GetCallerIdentity", mode=Mode.READ, permissions=_nothing)
def get_caller_identity(context: Context, _request: dict[str, Any]) -> dict[str, Any]:
    """Who signed this request; needs no permission, and none can be denied."""
    principal = context.principal
    return {"UserId": principal.unique_id, "Account": principal.account, "Arn": principal.arn}


def _assumption(context: Context, request: dict[str, Any]) -> Iterable[Permission]:
    """What the role's trust policy, and across accounts the caller's policies too, have to allow.

    A role that does not exist has no trust policy, so it is denied like one that does not trust the caller.
    """
    role = store.identity_by_arn(context.tx, request["RoleArn"])
    parts = request["RoleArn"].split(":", 5)
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        raise invalid(f"{request['RoleArn']} is invalid")
    resource = Resource(request["RoleArn"], parts[4], role.tags if role else {}, role.trust_policy if role else None)
    conditions = _conditions(context, request)
    actions = ["sts:AssumeRole"]
    actions += ["sts:TagSession"] if request.get("Tags") else []
    actions += ["sts:SetSourceIdentity"] if _source_identity(context, request) else []
    return [Permission(action, resource, conditions) for action in actions]


@operation("AssumeRole", mode=Mode.WRITE, permissions=_assumption)
def assume_role(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Temporary credentials of a role."""
    if context.principal.kind is PrincipalKind.ROOT:
        raise denied("Roles may not be assumed by root accounts.")
    role = store.identity_by_arn(context.tx, request["RoleArn"])
    if role is None:
        raise invalid(f"{request['RoleArn']} is invalid")
    _check_session_policies(context, request, role.account)
    session = new_session(
        context.ids,
        account=role.account,
        identity=role.id,
        issued_at=context.now,
        expires_at=context.now + _seconds(context, request, role),
        session_name=request["RoleSessionName"],
        source_identity=_source_identity(context, request),
        tags=_tags(context, request),
        transitive_tag_keys=(*context.principal.transitive_tags, *request.get("TransitiveTagKeys", ())),
        policy=request.get("Policy"),
        policy_arns=_policy_arns(request),
    )
    answer: dict[str, Any] = {
        "Credentials": _shape(issue(context.dispatcher.authenticator.key_ring, session)),
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role.id}:{session.session_name}",
            "Arn": f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{session.session_name}",
        },
    }
    if session.source_identity is not None:
        answer["SourceIdentity"] = session.source_identity
    if session.policy is not None or session.policy_arns or session.tags:
        answer["PackedPolicySize"] = _packed_size(session)
    return answer


@operation("GetSessionToken", mode=Mode.WRITE, permissions=_nothing)
def get_session_token(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Temporary credentials of the user who calls."""
    principal = context.principal
    if principal.issued_at is not None:
        raise denied("Cannot call GetSessionToken with session credentials")
    root = principal.kind is PrincipalKind.ROOT
    seconds = request.get("DurationSeconds", DEFAULT_SESSION_SECONDS if root else SESSION_TOKEN_SECONDS)
    if root:
        seconds = min(seconds, DEFAULT_SESSION_SECONDS)
    session = new_session(
        context.ids,
        account=principal.account,
        identity=principal.unique_id,
        issued_at=context.now,
        expires_at=context.now + seconds,
    )
    return {"Credentials": _shape(issue(context.dispatcher.authenticator.key_ring, session))}


def _seconds(context: Context, request: dict[str, Any], role: Identity) -> int:
    """How long the session lasts. Raises ValidationError past what the role, or a chain of roles, allows."""
    seconds: int = request.get("DurationSeconds", DEFAULT_SESSION_SECONDS)
    if seconds > (role.max_session_seconds or DEFAULT_SESSION_SECONDS):
        raise invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if context.principal.kind is PrincipalKind.ASSUMED_ROLE and seconds > LONGEST_CHAINED_SESSION:
        raise invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
    return seconds


def _tags(context: Context, request: dict[str, Any]) -> dict[str, str]:
    """The tags of the new session. Raises InvalidInput for one that would replace what a chain of roles hands on."""
    carried, asked = context.principal.transitive_tags, merged_tags({}, request.get("Tags", []))
    taken = {key.lower() for key in carried}.intersection(key.lower() for key in asked)
    if taken:
        raise invalid_input(f"One of the specified tag keys is a transitive session tag already: {min(taken)}")
    return {**carried, **asked}


def _source_identity(context: Context, request: dict[str, Any]) -> str | None:
    """The source identity stays the same through a chain of roles."""
    carried, asked = context.principal.source_identity, request.get("SourceIdentity")
    if carried is not None and asked is not None and asked != carried:
        raise denied("The source identity of a session cannot be changed.")
    return carried or asked


def _conditions(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    keys: dict[str, Any] = {"sts:RoleSessionName": request["RoleSessionName"]}
    if "ExternalId" in request:
        keys["sts:ExternalId"] = request["ExternalId"]
    source = _source_identity(context, request)
    if source is not None:
        keys["sts:SourceIdentity"] = source
    if request.get("TransitiveTagKeys"):
        keys["sts:TransitiveTagKeys"] = tuple(request["TransitiveTagKeys"])
    for tag in request.get("Tags", ()):
        keys[f"aws:RequestTag/{tag['Key']}"] = tag["Value"]
    if request.get("Tags"):
        keys["aws:TagKeys"] = tuple(tag["Key"] for tag in request["Tags"])
    return keys


def _check_session_policies(context: Context, request: dict[str, Any], account: str) -> None:
    text = request.get("Policy")
    if text is not None:
        if len(text) > LONGEST_SESSION_POLICY:
            raise AwsError(
                f"The session policy has {len(text)} characters; at most {LONGEST_SESSION_POLICY} are allowed.",
                code="PackedPolicyTooLarge",
                status=400,
            )
        checked_policy(text, PolicyKind.IDENTITY)
    arns = _policy_arns(request)
    if len(arns) > MOST_POLICY_ARNS:
        raise invalid(f"At most {MOST_POLICY_ARNS} managed policies can be session policies.")
    for arn in arns:
        policy = find_policy(context.tx, arn)
        if policy is None or policy.account not in {"aws", account}:
            raise invalid(f"The managed policy {arn} does not exist in the account of the role.")
    missing = [key for key in request.get("TransitiveTagKeys", ()) if key not in {tag["Key"] for tag in request.get("Tags", ())}]
    if missing:
        raise invalid(f"The specified transitive tag key must be included in the requested tags: {missing[0]}")


def _policy_arns(request: dict[str, Any]) -> tuple[str, ...]:
    return tuple(each["arn"] for each in request.get("PolicyArns", ()) if "arn" in each)


def _packed_size(session: Session) -> int:
    """How much of what a token may carry is used, in percent."""
    characters = len(session.policy or "") + sum(map(len, session.policy_arns))
    characters += sum(len(key) + len(value) for key, value in session.tags.items())
    return max(1, min(100, 100 * characters // PACKED_LIMIT))


def _shape(credentials: SessionCredentials) -> dict[str, Any]:
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expires_at,
    }
