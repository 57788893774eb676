"""ExplainAccess: whether somebody may do something, and what decides it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from modelyard.access import store, store_policies
from modelyard.access.credentials import boundary_of, policies_of, root_principal, user_principal
from modelyard.access.evaluation import EXPLICIT_DENIES, TRUST_ACTIONS, Decision, decide
from modelyard.access.explanations import holder, lacking
from modelyard.access.identities import Identity, IdentityKind, root_arn
from modelyard.access.managed import find_document
from modelyard.access.permission import Permission, RequestFacts, Resource
from modelyard.access.policy import MatchedStatement, Policy, PolicyKind, load_policy
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ResourceNotFound
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.resources import find
from modelyard.storage.interface import Transaction

operation = operations_of("modelyard")
Request = dict[str, Any]
Values = Mapping[str, tuple[str, ...]]

_SESSION = re.compile(r"arn:aws:sts::(\d{12}):assumed-role/([\w+=,.@-]+)/([\w+=,.@-]+)")
_VERSION = re.compile(r"model-package/([^/]+)/([^/]+)")
ANY_VERSION = "*"
_EXPLAINING = "explanation"
"""The name of the session as which a role is asked about."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is asked about, and where its policies come from."""

    principal: Principal
    sources: Mapping[Policy, tuple[str, str]]
    """PolicyType and PolicyName of each."""


def _on_principal(context: Context, request: Request) -> Iterable[Permission]:
    yield Permission("modelyard:ExplainAccess", Resource(request["PrincipalArn"], context.account))


@operation("ExplainAccess", mode=Mode.SLOW_READ, permissions=_on_principal)
def explain_access(context: Context, request: Request) -> Request:
    """Decide as the server would, and show what made the decision."""
    given = {each["Name"]: tuple(each["Values"]) for each in request.get("ContextKeys", ())}
    subject = _subject(context, request["PrincipalArn"])
    principal = replace(subject.principal, tags={**subject.principal.tags, **_tags(given, "aws:principaltag/")})
    action = request["Action"]
    # The resource as it is when the principal asks for it: grants are to somebody, and for something.
    found = _resource(replace(context, principal=principal, operation=action), action, request["ResourceArn"])
    resource = found or Resource(request["ResourceArn"], _owner(context, request["ResourceArn"]))
    resource = replace(resource, tags={**resource.tags, **_tags(given, "aws:resourcetag/")})
    permission = Permission(action, resource, {**_own_conditions(action, principal), **given})
    decision = decide(principal, permission, _facts(context, given))
    answer: Request = {
        "Allowed": decision.allowed,
        "Decision": _word(decision),
        "Reason": decision.reason.value,
        "Statements": [_statement(context, subject, resource, each) for each in decision.statements],
        "ResourceAccount": resource.account,
    }
    if decision.grant:
        answer["GrantId"] = decision.grant
    if decision.message:
        answer["Message"] = decision.message
    if resource.account == context.account:
        # Whether another account has something is that account's to tell.
        answer["ResourceFound"] = found is not None
    missing = _missing(decision, subject.principal, permission)
    return answer if missing is None else {**answer, "Missing": missing}


def _subject(context: Context, arn: str) -> Subject:
    """The principal behind an ARN of the caller's account. Raises ResourceNotFound."""
    if arn == root_arn(context.account):
        return Subject(root_principal(context.account), {})
    session = _SESSION.fullmatch(arn)
    identity = (
        store.identity_by_arn(context.tx, arn)
        if session is None
        else store.identity(context.tx, session[1], IdentityKind.ROLE, session[2])
    )
    if identity is None or identity.account != context.account:
        raise ResourceNotFound(f"There is no user or role {arn} in account {context.account}.")
    sources = _sources(context.tx, identity)
    if identity.kind is IdentityKind.USER:
        return Subject(user_principal(context.tx, identity), sources)
    return Subject(_role(context.tx, identity, _EXPLAINING if session is None else session[3]), sources)


def _role(tx: Transaction, role: Identity, session: str) -> Principal:
    """A role as a session of it that has no policies and tags of its own."""
    return Principal(
        arn=f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{session}",
        account=role.account,
        kind=PrincipalKind.ASSUMED_ROLE,
        unique_id=f"{role.id}:{session}",
        name=f"{role.name}/{session}",
        role_arn=role.arn,
        tags=role.tags,
        policies=policies_of(tx, role),
        boundary=boundary_of(tx, role),
    )


def _sources(tx: Transaction, identity: Identity) -> dict[Policy, tuple[str, str]]:
    """What to call each policy of a user or role. A policy with the same text as another is called like the first."""
    sources: dict[Policy, tuple[str, str]] = {}
    for name, text in store_policies.inline_policies(tx, identity.id):
        sources.setdefault(load_policy(text), ("identity", name))
    for arn, _ in store_policies.attached_policies(tx, identity.id):
        document = find_document(tx, arn)
        if document is not None:
            sources.setdefault(load_policy(document), ("identity", arn))
    if identity.boundary_arn is not None:
        boundary = boundary_of(tx, identity)
        assert boundary is not None
        sources.setdefault(boundary, ("boundary", identity.boundary_arn))
    return sources


def _resource(context: Context, action: str, text: str) -> Resource | None:
    """The resource with its policy and tags, as the operations see it."""
    if not text.startswith("arn:"):
        return None
    arn = Arn.parse(text)
    if arn.service == "iam":
        return _identity_resource(context, action, text)
    version = _VERSION.fullmatch(arn.resource) if arn.service == "sagemaker" else None
    found = None if version is not None and version[2] == ANY_VERSION else find(context, arn)
    if found is None and version is not None:
        # One that is yet to be registered stands under the policy and the tags of its group; so do all, as refusals name them.
        group = find(context, replace(arn, resource=f"model-package-group/{version[1]}"))
        return None if group is None else replace(group, arn=text)
    return found


def _identity_resource(context: Context, action: str, arn: str) -> Resource | None:
    """A user or role; the trust policy of a role speaks of assuming it alone."""
    identity = store.identity_by_arn(context.tx, arn)
    if identity is None:
        return None
    trust = identity.trust_policy if action.lower() in TRUST_ACTIONS else None
    return Resource(arn, identity.account, identity.tags, trust)


def _own_conditions(action: str, principal: Principal) -> Values:
    """Condition keys of a service that follow from who asks."""
    return {"kms:CallerAccount": (principal.account,)} if action.lower().startswith("kms:") else {}


def _owner(context: Context, arn: str) -> str:
    """The account in an ARN; the caller's when there is none in it."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[4].isdigit() else context.account


def _facts(context: Context, given: Values) -> RequestFacts:
    """The facts of the request that is asked about: what the context keys say, and nothing of this request."""
    folded = {name.lower(): values[0] for name, values in given.items()}
    return RequestFacts(
        now=context.now,
        region=folded.get("aws:requestedregion", context.region),
        source_ip=folded.get("aws:sourceip", ""),
        secure_transport=folded.get("aws:securetransport", "true").lower() == "true",
        user_agent=folded.get("aws:useragent", ""),
    )


def _tags(given: Values, prefix: str) -> dict[str, str]:
    return {name[len(prefix) :]: values[0] for name, values in given.items() if name.lower().startswith(prefix)}


def _word(decision: Decision) -> str:
    if decision.allowed:
        return "allowed"
    return "explicitDeny" if decision.reason in EXPLICIT_DENIES else "implicitDeny"


def _statement(context: Context, subject: Subject, resource: Resource, matched: MatchedStatement) -> Request:
    policy, statement = matched.policy, matched.statement
    trust = policy.kind is PolicyKind.TRUST
    kind, name = subject.sources.get(policy, ("trust" if trust else "resource", holder(resource.arn)))
    shown: Request = {
        "PolicyType": kind,
        "PolicyName": name,
        "Index": statement.index,
        "Effect": "Allow" if statement.allows else "Deny",
    }
    if statement.sid:
        shown["Sid"] = statement.sid
    if kind not in ("trust", "resource") or resource.account == context.account:
        # The words of a policy of another account are that account's to show.
        shown["Statement"] = _text(policy, statement.index)
    return shown


def _text(policy: Policy, index: int) -> str:
    if policy.broken is not None:
        return orjson.dumps(policy.broken).decode()
    statements = orjson.loads(policy.text)["Statement"]
    return orjson.dumps(statements[index] if isinstance(statements, list) else statements).decode()


def _missing(decision: Decision, principal: Principal, permission: Permission) -> Request | None:
    """Which policy would have to allow it, where none does."""
    found = lacking(principal, permission, decision)
    if found is None:
        return None
    return {
        "Account": found.account,
        "PolicyType": found.kind,
        "AttachedTo": found.attached_to,
        "Message": found.sentence,
    }
