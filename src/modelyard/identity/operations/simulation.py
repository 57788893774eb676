"""SimulatePrincipalPolicy: what a user or role could do, decided by the code that decides real requests."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from modelyard.access import store, store_policies
from modelyard.access.credentials import boundary_of
from modelyard.access.evaluation import EXPLICIT_DENIES, Decision, Reason, decide
from modelyard.access.identities import AWS_POLICY_PREFIX, Identity, IdentityKind
from modelyard.access.managed import find_document
from modelyard.access.permission import Permission, RequestFacts, Resource
from modelyard.access.policy import Policy, PolicyKind, load_policy
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.identity.failures import invalid_input, no_such_entity
from modelyard.identity.holders import checked_policy
from modelyard.identity.pages import page

operation = operations_of("iam")
MOST_PAIRS = 10_000
"""Actions times resources in one simulation."""
Source = tuple[str, str]
"""SourcePolicyId and SourcePolicyType."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """Who is simulated, under which circumstances."""

    principal: Principal
    sources: Mapping[Policy, Source]
    facts: RequestFacts
    conditions: Mapping[str, tuple[str, ...]]
    resource_tags: Mapping[str, str]
    resource_policy: str | None
    owner: str
    """The account of resources whose ARN names none."""

    def decide(self, action: str, arn: str) -> Decision:
        """The decision on one action and resource."""
        parts = arn.split(":", 5)
        account = parts[4] if len(parts) == 6 and parts[4].isdigit() else self.owner
        resource = Resource(arn, account, self.resource_tags, self.resource_policy)
        return decide(self.principal, Permission(action, resource, self.conditions), self.facts)


def _on_source(context: Context, request: dict[str, Any]) -> Iterable[Permission]:
    found = store.identity_by_arn(context.tx, request["PolicySourceArn"])
    tags = found.tags if found is not None and found.account == context.account else {}
    return (Permission("iam:SimulatePrincipalPolicy", Resource(request["PolicySourceArn"], context.account, tags)),)


@operation("SimulatePrincipalPolicy", mode=Mode.SLOW_READ, permissions=_on_source)
def simulate_principal_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Decide every action on every resource."""
    actions, resources = request["ActionNames"], request.get("ResourceArns") or ["*"]
    total = len(actions) * len(resources)
    if total > MOST_PAIRS:
        raise invalid_input(f"A simulation has at most {MOST_PAIRS} pairs of an action and a resource.")
    if request.get("PolicyExclusionList"):
        raise invalid_input("PolicyExclusionList is not available in Modelyard.")
    simulation = _simulation(context, request)

    def load(cursor: list[Any], limit: int) -> list[int]:
        first = cursor[0] + 1 if cursor else 0
        return list(range(first, min(total, first + limit)))

    def shape(number: int) -> dict[str, Any]:
        action, resource = actions[number // len(resources)], resources[number % len(resources)]
        return _result(simulation, action, resource)

    return page(context, "SimulatePrincipalPolicy", request, "EvaluationResults", load, lambda number: [number], shape)


def _given(request: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The condition keys that a request sets. The service model requires none of an entry's members."""
    given: dict[str, tuple[str, ...]] = {}
    for entry in request.get("ContextEntries", ()):
        if "ContextKeyName" not in entry:
            raise invalid_input("Every entry of ContextEntries needs a ContextKeyName.")
        given[entry["ContextKeyName"]] = tuple(entry.get("ContextKeyValues", ()))
    return given


def _simulation(context: Context, request: dict[str, Any]) -> Simulation:
    source = store.identity_by_arn(context.tx, request["PolicySourceArn"])
    if source is None or source.account != context.account:
        raise no_such_entity(f"The entity {request['PolicySourceArn']} cannot be found.")
    sources = _policies(context, source, request.get("PolicyInputList", []))
    boundaries = request.get("PermissionsBoundaryPolicyInputList")
    boundary = checked_policy(boundaries[0], PolicyKind.BOUNDARY) if boundaries else boundary_of(context.tx, source)
    given = _given(request)
    resource_policy = request.get("ResourcePolicy")
    if resource_policy is not None:
        sources[checked_policy(resource_policy, PolicyKind.RESOURCE)] = ("ResourcePolicy", "resource")
    principal = _principal(
        source, request.get("CallerArn"), tuple(policy for policy, (_, kind) in sources.items() if kind != "resource")
    )
    return Simulation(
        principal=replace(principal, boundary=boundary, tags={**source.tags, **_tags(given, "aws:principaltag/")}),
        sources=sources,
        facts=_facts(context, given),
        conditions=given,
        resource_tags=_tags(given, "aws:resourcetag/"),
        resource_policy=resource_policy,
        owner=_account(request.get("ResourceOwner")) or context.account,
    )


def _policies(context: Context, source: Identity, further: list[str]) -> dict[Policy, Source]:
    """The identity policies that count, and what to call each of them."""
    sources: dict[Policy, Source] = {}
    for name, text in store_policies.inline_policies(context.tx, source.id):
        sources.setdefault(load_policy(text), (f"{source.kind}_{source.name}_{name}", source.kind.value))
    for arn, name in store_policies.attached_policies(context.tx, source.id):
        document = find_document(context.tx, arn)
        if document is not None:
            kind = "aws-managed" if arn.startswith(AWS_POLICY_PREFIX) else "user-managed"
            sources.setdefault(load_policy(document), (name, kind))
    for number, text in enumerate(further, start=1):
        sources.setdefault(checked_policy(text, PolicyKind.IDENTITY), (f"PolicyInputList.{number}", "none"))
    return sources


def _principal(source: Identity, caller_arn: str | None, policies: tuple[Policy, ...]) -> Principal:
    """The simulated caller; a role is simulated as a session of it."""
    if source.kind is IdentityKind.USER:
        return Principal(caller_arn or source.arn, source.account, PrincipalKind.USER, source.id, source.name, policies=policies)
    return Principal(
        arn=caller_arn or f"arn:aws:sts::{source.account}:assumed-role/{source.name}/simulation",
        account=source.account,
        kind=PrincipalKind.ASSUMED_ROLE,
        unique_id=f"{source.id}:simulation",
        name=f"{source.name}/simulation",
        role_arn=source.arn,
        policies=policies,
    )


def _facts(context: Context, given: Mapping[str, tuple[str, ...]]) -> RequestFacts:
    """The facts of the simulated request: what the entries say, and nothing of the request that asks."""
    folded = {name.lower(): values[0] for name, values in given.items() if values}
    return RequestFacts(
        now=context.now,
        region=folded.get("aws:requestedregion", context.region),
        source_ip=folded.get("aws:sourceip", ""),
        secure_transport=folded.get("aws:securetransport", "true").lower() == "true",
        user_agent=folded.get("aws:useragent", ""),
    )


def _tags(given: Mapping[str, tuple[str, ...]], prefix: str) -> dict[str, str]:
    return {name[len(prefix) :]: values[0] for name, values in given.items() if name.lower().startswith(prefix) and values}


def _account(owner: str | None) -> str | None:
    """The account in an ARN, or a bare account number."""
    if owner is None:
        return None
    return owner.split(":", 5)[4] if owner.count(":") >= 5 else owner


def _result(simulation: Simulation, action: str, resource: str) -> dict[str, Any]:
    if ":" not in action.strip(":"):
        raise invalid_input(f"Invalid Action Name: {action}")
    decision = simulation.decide(action, resource)
    answer: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": _word(decision),
        "MatchedStatements": [_statement(simulation, each.policy) for each in decision.statements],
        "MissingContextValues": [],
    }
    if simulation.principal.boundary is not None:
        allowed = decision.reason not in {Reason.NO_BOUNDARY_ALLOW, Reason.BOUNDARY_DENY}
        answer["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    return answer


def _word(decision: Decision) -> str:
    if decision.allowed:
        return "allowed"
    return "explicitDeny" if decision.reason in EXPLICIT_DENIES else "implicitDeny"


def _statement(simulation: Simulation, policy: Policy) -> dict[str, str]:
    name, kind = simulation.sources.get(policy, ("PermissionsBoundary", "none"))
    return {"SourcePolicyId": name, "SourcePolicyType": kind}
