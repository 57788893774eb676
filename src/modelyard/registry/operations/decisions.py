"""Approvals and moves through the life cycle: asks the rules of the group, and keeps who decided what, when and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from modelyard.access import store
from modelyard.access.identities import IdentityKind
from modelyard.aws.errors import AccessDeniedException, ValidationException
from modelyard.dispatch.context import Context
from modelyard.registry import approval_rule, governance_store
from modelyard.registry.approval_rule import APPROVED, CONTENT, LIFE_CYCLE, PENDING, REJECTED, STATUS, Actor, Case, RuleRefuses
from modelyard.registry.governance_store import Decision, Rule
from modelyard.registry.model_package import Package
from modelyard.registry.operations.signers import signers

Request = dict[str, Any]
Rules = Mapping[Rule, Mapping[str, Any]]

LONGEST_DESCRIPTION = 1024


@dataclass(frozen=True, slots=True)
class Settled:
    """A request as the rules let it through, and what it decides."""

    request: Request
    decisions: list[Decision] = field(default_factory=list)
    resets: bool = False
    """Whether approvals that wait for others no longer count."""
    description: str | None = None
    """ApprovalDescription of a new version."""


def of_registration(context: Context, group: str, rules: Rules, request: Request, figures: Mapping[str, float]) -> Settled:
    """What becomes of the status and the stage that a registration asks for. Raises when a rule of the group refuses them."""
    status, life_cycle = request.get("ModelApprovalStatus"), request.get("ModelLifeCycle")
    if status in (None, PENDING) and life_cycle is None:
        return Settled(request)
    approval, actor = rules.get(Rule.APPROVAL, {}).get("Rules", {}), _actor(context)
    settled = Settled(request)
    try:
        if life_cycle is not None:
            approval_rule.check_move(approval, actor, None, approval_rule.state_of(life_cycle) or "")
            settled.decisions.append(_move(context, actor, None, life_cycle))
        if status == REJECTED:
            approval_rule.check_decider(approval, actor, "")
            settled.decisions.append(_decision(context, actor, STATUS, None, REJECTED))
        elif status == APPROVED:
            case = Case(actor, "", actor.arn, (), (), figures)
            return _approved(context, settled, approval, case, None, [])
    except RuleRefuses as refusal:
        raise _refused(group, refusal) from None
    return settled


def of_update(context: Context, rules: Rules, found: Package, request: Request) -> Settled:
    """What becomes of the changes that an update asks for. Raises when a rule of the group refuses them."""
    approval, actor = rules.get(Rule.APPROVAL, {}).get("Rules", {}), _actor(context)
    try:
        return _of_update(context, approval, actor, found, request)
    except RuleRefuses as refusal:
        raise _refused(found.document["ModelPackageGroupName"], refusal) from None


def keep(context: Context, package_id: int, arn: str, settled: Settled) -> None:
    """Keep what was decided."""
    if settled.resets:
        governance_store.stop_counting(context.tx, package_id)
    for made in settled.decisions:
        governance_store.add_decision(context.tx, package_id, arn, made)


def _of_update(context: Context, approval: Mapping[str, Any], actor: Actor, found: Package, request: Request) -> Settled:
    settled = Settled(request)
    current, status = found.document.get("ModelApprovalStatus"), request.get("ModelApprovalStatus")
    if any(member in request for member in approval_rule.DEPLOYED):
        if approval and APPROVED in (current, status):
            sentence = "what an approved version deploys cannot be changed. Take the approval back first, and approve it anew."
            raise RuleRefuses("UnchangedOnceApproved", sentence)
        settled = replace(settled, decisions=[_decision(context, actor, CONTENT, None, None)], resets=True)
    if "ModelLifeCycle" in request:
        before = found.document.get("ModelLifeCycle")
        approval_rule.check_move(
            approval, actor, approval_rule.state_of(before), approval_rule.state_of(request["ModelLifeCycle"]) or ""
        )
        settled.decisions.append(_move(context, actor, before, request["ModelLifeCycle"]))
    if status is None or status == current:
        return _without_approvals(context, settled, found, f"{actor.arn} changed what the version deploys")
    reason = request.get("ApprovalDescription", "")
    if status == APPROVED:
        case, waiting = _case(context, approval, found, actor, reason)
        return _approved(context, settled, approval, case, current, waiting)
    if status == REJECTED:
        approval_rule.check_decider(approval, actor, reason)
    settled.decisions.append(_decision(context, actor, STATUS, current, status, reason))
    return _without_approvals(context, replace(settled, resets=True), found, f"{actor.arn} set the version to {status}")


def _without_approvals(context: Context, settled: Settled, found: Package, why: str) -> Settled:
    """What takes approvals away that wait says so, where the description would go on to count them."""
    if not settled.resets or "ApprovalDescription" in settled.request or not governance_store.counting(context.tx, found.id):
        return settled
    said = _shortened(f"No approval counts any more: {why}.")
    return replace(settled, request={**settled.request, "ApprovalDescription": said})


def _case(
    context: Context, approval: Mapping[str, Any], found: Package, actor: Actor, reason: str
) -> tuple[Case, list[Decision]]:
    """All that rules look at, and the approvals that wait for this one."""
    registrant = found.document["CreatedBy"].get("IamIdentity", {}).get("Arn", "")
    editors = governance_store.actors(context.tx, found.id, CONTENT)
    signed_by = signers(context, found) if "SignedBy" in approval else frozenset[str]()
    case = Case(actor, reason, registrant, editors, (), found.metrics, signed_by)
    waiting = [
        one
        for one in governance_store.counting(context.tx, found.id)
        if approval_rule.still_counts(approval, replace(case, actor=_actor_of(context, one), reason=one.reason or ""))
    ]
    return replace(case, approvals={one.actor for one in waiting}), waiting


def _actor_of(context: Context, made: Decision) -> Actor:
    """Who decided, with the role that a session was of, as long as it is there."""
    account, name = made.principal.split(":")[4], made.principal.split("/")[1:2]
    role = store.identity(context.tx, account, IdentityKind.ROLE, name[0]) if made.principal != made.actor and name else None
    return Actor(made.principal, role.arn if role else None)


def _approved(
    context: Context, settled: Settled, approval: Mapping[str, Any], case: Case, before: str | None, waiting: list[Decision]
) -> Settled:
    """An approval: it takes effect when it is the last one that is needed, and is kept until then."""
    if approval:
        approval_rule.check_approval(approval, case)
    required = approval_rule.required(approval)
    count = len({*case.approvals, case.actor.identity})
    made = replace(
        _decision(context, case.actor, STATUS, before, APPROVED, case.reason),
        approvals=count if approval else None,
        required=required if approval else None,
    )
    if count >= required:
        request = settled.request
        if waiting and not case.reason:
            names = dict.fromkeys((*(one.principal for one in waiting), case.actor.arn))
            request = {**request, "ApprovalDescription": _shortened(f"Approved by {', '.join(names)}.")}
        return replace(
            settled, request=request, decisions=[*settled.decisions, made], resets=settled.resets or bool(waiting or approval)
        )
    said = f"Approval {count} of {required}, by {case.actor.arn}"
    description = _shortened(f"{said}: {case.reason}" if case.reason else f"{said}.")
    request = {name: value for name, value in settled.request.items() if name != "ModelApprovalStatus"}
    if before is not None:
        request["ApprovalDescription"] = description
    waits = replace(made, effective=False, counts=True)
    return replace(settled, request=request, decisions=[*settled.decisions, waits], description=description)


def _actor(context: Context) -> Actor:
    return Actor(context.principal.arn, context.principal.role_arn)


def _decision(context: Context, actor: Actor, subject: str, before: str | None, after: str | None, reason: str = "") -> Decision:
    return Decision(context.now, subject, actor.arn, actor.identity, before, after, reason or None, effective=True)


def _move(context: Context, actor: Actor, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Decision:
    states = approval_rule.state_of(before), approval_rule.state_of(after)
    return _decision(context, actor, LIFE_CYCLE, *states, after.get("StageDescription", ""))


def _refused(group: str, refusal: RuleRefuses) -> AccessDeniedException | ValidationException:
    text = f"The rule {refusal.rule} of the model package group {group} refuses this: {refusal}"
    return AccessDeniedException(text) if refusal.person else ValidationException(text)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_DESCRIPTION else f"{text[: LONGEST_DESCRIPTION - 1]}…"
