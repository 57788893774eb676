"""Decisions: may this caller do this to that? AWS's policy evaluation logic, with the reason of every answer.

An explicit deny anywhere wins. Within one account an identity policy or the resource's policy has to allow; permissions
boundary and session policies limit what identity policies grant, and what the resource's policy grants to a role, but not
what it grants to the user or session itself. Across accounts both sides have to allow. Nothing is allowed by default, except
to the root user of the account that owns the resource, and even to that not on a KMS key whose policy does not name it. Where
policies do not allow, a grant on a KMS key may.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from modelyard.access.conditions_keys import RequestContext
from modelyard.access.permission import Permission, RequestFacts
from modelyard.access.policy import Candidates, MatchedStatement, Policy, PolicyKind, load_policy
from modelyard.access.policy_principals import Grade, Principals, principals_of
from modelyard.access.principal import Principal, PrincipalKind


class Reason(StrEnum):
    """Why a decision is what it is."""

    ROOT = "the root user of the account that owns the resource"
    IDENTITY_ALLOW = "an identity-based policy allows it"
    RESOURCE_ALLOW = "a resource-based policy allows it"
    BOTH_ALLOW = "an identity-based and a resource-based policy allow it"
    GRANT_ALLOW = "a grant allows it"
    IDENTITY_DENY = "an explicit deny in an identity-based policy"
    RESOURCE_DENY = "an explicit deny in a resource-based policy"
    TRUST_DENY = "an explicit deny in the role trust policy"
    BOUNDARY_DENY = "an explicit deny in a permissions boundary"
    SESSION_DENY = "an explicit deny in a session policy"
    NO_IDENTITY_ALLOW = "no identity-based policy allows"
    NO_RESOURCE_ALLOW = "no resource-based policy allows"
    NO_TRUST_ALLOW = "no role trust policy allows"
    NO_BOUNDARY_ALLOW = "no permissions boundary allows"
    NO_SESSION_ALLOW = "no session policy allows"


EXPLICIT_DENIES = frozenset(
    {Reason.IDENTITY_DENY, Reason.RESOURCE_DENY, Reason.TRUST_DENY, Reason.BOUNDARY_DENY, Reason.SESSION_DENY}
)


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, and why."""

    allowed: bool
    reason: Reason
    statements: tuple[MatchedStatement, ...] = ()
    """The statements that decided: those that allowed, or the one that denied."""
    message: str = ""
    """What the caller is told when the answer is no, in AWS's words."""
    grant: str = ""
    """The id of the grant that allowed."""


TRUST_ACTIONS = frozenset(
    {"sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity", "sts:tagsession", "sts:setsourceidentity"}
)
"""On a role they are granted by its trust policy, which is then the resource's policy."""

POLICY_REPAIRS = frozenset(
    {
        "s3:getbucketpolicy",
        "s3:putbucketpolicy",
        "s3:deletebucketpolicy",
        "sagemaker:getmodelpackagegrouppolicy",
        "sagemaker:putmodelpackagegrouppolicy",
        "sagemaker:deletemodelpackagegrouppolicy",
        "ecr:getrepositorypolicy",
        "ecr:setrepositorypolicy",
        "ecr:deleterepositorypolicy",
    }
)
"""What the root user of the owning account may do even against a Deny in the resource's policy, so that nobody is locked out
for good: AWS documents it for buckets."""


def decide(principal: Principal, permission: Permission, facts: RequestFacts) -> Decision:
    """Decide one permission. Pure: everything it looks at is in its arguments."""
    context = RequestContext(principal, permission, facts)
    action = permission.action.lower()
    identity = candidates_of(principal.policies, action)
    trust = action in TRUST_ACTIONS
    kind = PolicyKind.TRUST if trust else PolicyKind.RESOURCE
    text = permission.resource.policy
    resource = _NOTHING if text is None else candidates_of((load_policy(text, kind),), action)
    owner_root = principal.kind is PrincipalKind.ROOT and principal.account == permission.resource.account and not trust
    if not (owner_root and action in POLICY_REPAIRS):
        denial = _explicit_deny(context, action, identity, resource, trust=trust)
        if denial is not None:
            return denial
    if owner_root and not _resource_must_allow(context, action):
        return Decision(True, Reason.ROOT)
    decision = _by_policies(context, action, identity, resource, trust=trust)
    if decision.allowed or permission.resource.grants is None:
        return decision
    return _by_grants(context, action, identity) or decision


def _by_policies(context: RequestContext, action: str, identity: Candidates, resource: Candidates, *, trust: bool) -> Decision:
    """What policies say, once none of them denies."""
    principal = context.principal
    grade, granted = _resource_grant(context, resource)
    if principal.kind in (PrincipalKind.ANONYMOUS, PrincipalKind.SERVICE):
        return _by_resource_alone(context, granted, trust=trust)
    if principal.account == context.permission.resource.account:
        return _within_account(context, action, identity, grade, granted, trust=trust)
    return _across_accounts(context, action, identity, granted, trust=trust)


def _by_resource_alone(context: RequestContext, granted: MatchedStatement | None, *, trust: bool) -> Decision:
    """Unsigned callers and services have no identity policies."""
    if granted is None:
        return _refusal(context, Reason.NO_TRUST_ALLOW if trust else Reason.NO_RESOURCE_ALLOW)
    return Decision(True, Reason.RESOURCE_ALLOW, (granted,))


def _within_account(
    context: RequestContext, action: str, identity: Candidates, grade: Grade, granted: MatchedStatement | None, *, trust: bool
) -> Decision:
    if granted is not None and grade is Grade.DIRECT:
        return Decision(True, Reason.RESOURCE_ALLOW, (granted,))
    if granted is not None and grade is Grade.ROLE:
        return _limit(context, action) or Decision(True, Reason.RESOURCE_ALLOW, (granted,))
    if granted is None and _resource_must_allow(context, action):
        return _refusal(context, Reason.NO_TRUST_ALLOW if trust else Reason.NO_RESOURCE_ALLOW)
    return _by_identity(context, action, identity, granted)


def _across_accounts(
    context: RequestContext, action: str, identity: Candidates, granted: MatchedStatement | None, *, trust: bool
) -> Decision:
    side = (
        Decision(True, Reason.ROOT)
        if context.principal.kind is PrincipalKind.ROOT
        else _by_identity(context, action, identity, None)
    )
    if not side.allowed:
        return side
    if granted is None:
        return _refusal(context, Reason.NO_TRUST_ALLOW if trust else Reason.NO_RESOURCE_ALLOW)
    return Decision(True, Reason.BOTH_ALLOW if side.statements else Reason.RESOURCE_ALLOW, (*side.statements, granted))


def _by_identity(context: RequestContext, action: str, identity: Candidates, granted: MatchedStatement | None) -> Decision:
    allowing = _first(identity.allows, context)
    if allowing is None:
        return _refusal(context, Reason.NO_IDENTITY_ALLOW)
    limit = _limit(context, action)
    if limit is not None:
        return limit
    if granted is None:
        return Decision(True, Reason.IDENTITY_ALLOW, (allowing,))
    return Decision(True, Reason.BOTH_ALLOW, (allowing, granted))


def _by_grants(context: RequestContext, action: str, identity: Candidates) -> Decision | None:
    """What the grants on the resource say: None when none of them is the caller's.

    A grant to a user, role or session is enough by itself, also across accounts; one to an account leaves it to the identity
    policies of that account.
    """
    best, granted = Grade.NONE, ""
    for grant in context.permission.resource.grants() if context.permission.resource.grants else ():
        grade = _grantee(grant.principal).grade(context.principal)
        if grade > best:
            best, granted = grade, grant.id
    if best is Grade.NONE:
        return None
    if best is Grade.ACCOUNT:
        decision = _by_identity(context, action, identity, None)
        return replace(decision, reason=Reason.GRANT_ALLOW, grant=granted) if decision.allowed else decision
    limit = _limit(context, action) if best is Grade.ROLE else None
    return limit or Decision(True, Reason.GRANT_ALLOW, grant=granted)


@lru_cache(maxsize=1024)
def _grantee(principal: tuple[str, str]) -> Principals:
    return principals_of((principal,))


def _limit(context: RequestContext, action: str) -> Decision | None:
    """The refusal of the permissions boundary or the session policies, when one of them does not allow."""
    principal = context.principal
    if principal.boundary is not None and _first(candidates_of((principal.boundary,), action).allows, context) is None:
        return _refusal(context, Reason.NO_BOUNDARY_ALLOW)
    session = principal.session_policies
    if session is not None and _first(candidates_of(session, action).allows, context) is None:
        return _refusal(context, Reason.NO_SESSION_ALLOW)
    return None


def _resource_must_allow(context: RequestContext, action: str) -> bool:
    """Roles and KMS keys are the exceptions: an identity policy of their own account is not enough."""
    return action in TRUST_ACTIONS or (action.startswith("kms:") and context.permission.resource.policy is not None)


def _explicit_deny(
    context: RequestContext, action: str, identity: Candidates, resource: Candidates, *, trust: bool
) -> Decision | None:
    principal = context.principal
    if identity.denies and (denying := _first(identity.denies, context)) is not None:
        return _refusal(context, Reason.IDENTITY_DENY, denying)
    for denying in resource.denies:
        if denying.statement.grade(principal) is not Grade.NONE and denying.statement.applies(context):
            return _refusal(context, Reason.TRUST_DENY if trust else Reason.RESOURCE_DENY, denying)
    if principal.boundary is not None:
        found = _first(candidates_of((principal.boundary,), action).denies, context)
        if found is not None:
            return _refusal(context, Reason.BOUNDARY_DENY, found)
    if principal.session_policies:
        found = _first(candidates_of(principal.session_policies, action).denies, context)
        if found is not None:
            return _refusal(context, Reason.SESSION_DENY, found)
    return None


def _resource_grant(context: RequestContext, resource: Candidates) -> tuple[Grade, MatchedStatement | None]:
    """The statement of the resource's policy that allows and names the caller most directly."""
    best, granted = Grade.NONE, None
    for matched in resource.allows:
        grade = matched.statement.grade(context.principal)
        if grade > best and matched.statement.applies(context):
            best, granted = grade, matched
    return best, granted


def _first(statements: Iterable[MatchedStatement], context: RequestContext) -> MatchedStatement | None:
    for matched in statements:
        if matched.statement.applies(context):
            return matched
    return None


_NOTHING = Candidates((), ())


def candidates_of(policies: tuple[Policy, ...], action: str) -> Candidates:
    """What policies say of `action`, which is in lower case."""
    return policies[0].candidates(action) if len(policies) == 1 else _candidates_of_set(policies, action)


@lru_cache(maxsize=1024)
def _candidates_of_set(policies: tuple[Policy, ...], action: str) -> Candidates:
    """What several policies say of `action`: most of the work of a decision, and the same for every request of a caller."""
    found = [policy.candidates(action) for policy in policies]
    return Candidates.of(
        [each for candidates in found for each in candidates.denies], [each for candidates in found for each in candidates.allows]
    )


_EXPLAINED = {
    Reason.IDENTITY_DENY: "with an explicit deny in an identity-based policy",
    Reason.RESOURCE_DENY: "with an explicit deny in a resource-based policy",
    Reason.TRUST_DENY: "with an explicit deny in the role trust policy",
    Reason.BOUNDARY_DENY: "with an explicit deny in a permissions boundary",
    Reason.SESSION_DENY: "with an explicit deny in a session policy",
}


def _refusal(context: RequestContext, reason: Reason, *statements: MatchedStatement) -> Decision:
    action = context.permission.action
    why = _EXPLAINED.get(reason) or f"because {reason.value} the {action} action"
    caller = "anonymous" if context.principal.kind is PrincipalKind.ANONYMOUS else context.principal.arn
    message = f"User: {caller} is not authorized to perform: {action} on resource: {context.permission.resource.arn} {why}"
    return Decision(False, reason, statements, message)
