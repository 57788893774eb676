"""The rules by which versions of a group are approved and move through their life cycle, and what they say to a decision.

A refusal is an exception that carries the name of the rule: the name of the member of ApprovalRules that says so.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any

APPROVED = "Approved"
REJECTED = "Rejected"
PENDING = "PendingManualApproval"
ANY = "*"
STATUS = "ModelApprovalStatus"
LIFE_CYCLE = "ModelLifeCycle"
CONTENT = "InferenceSpecification"
"""Subjects of decisions. The last stands for everything that says what a version deploys."""
DEPLOYED = ("InferenceSpecification", "AdditionalInferenceSpecificationsToAdd", "SourceUri")
"""Members of UpdateModelPackage that change what an approval was given for."""

_GATE = re.compile(
    r"\s*(?P<metric>[^\s<>=!](?:[^<>=!]*[^\s<>=!])?)\s*(?P<sign>>=|<=|==|!=|>|<)"
    r"\s*(?P<bound>[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)\s*"
)
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {">=": ge, "<=": le, "==": eq, "!=": ne, ">": gt, "<": lt}
_SESSION = re.compile(r"(arn:[^:]+:sts::[0-9]{12}:assumed-role/[^/]+)/.+")


class MalformedRules(Exception):
    """Rules that make no sense; the text is for the client."""


class RuleRefuses(Exception):
    """A rule says no to a decision."""

    def __init__(self, rule: str, sentence: str, *, person: bool = False) -> None:
        super().__init__(sentence)
        self.rule = rule
        """A member of ApprovalRules, or `UnchangedOnceApproved`."""
        self.person = person
        """Whether it is because of who asks: somebody else may be allowed."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who decides."""

    arn: str
    role_arn: str | None = None
    """For an assumed role: the role itself."""

    @property
    def identity(self) -> str:
        """By what two decisions are known to be of the same one."""
        return identity_of(self.arn)

    def matches(self, patterns: Sequence[str]) -> bool:
        """Whether a pattern of principals' ARNs names this one; an assumed role is named by the role or by the session."""
        names = [self.arn] if self.role_arn is None else [self.arn, self.role_arn]
        return any(_matches(pattern, name) for pattern in patterns for name in names)


def identity_of(arn: str) -> str:
    """A principal without its session: whoever may assume a role may call a session what they like, so all are one."""
    session = _SESSION.fullmatch(arn)
    return session[1] if session else arn


def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern with `*` and `?` matches a whole text; in time proportional to both lengths at worst."""
    at = place = 0
    star = resume = -1
    while at < len(text):
        if place < len(pattern) and pattern[place] == "*":
            star, resume = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", text[at]):
            place, at = place + 1, at + 1
        elif star >= 0:
            resume += 1
            place, at = star + 1, resume
        else:
            return False
    return not pattern[place:].strip("*")


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure that a version has to reach before it is approved."""

    metric: str
    sign: str
    bound: float
    text: str

    def refusal(self, figures: Mapping[str, float]) -> str | None:
        """Why the figures do not pass, or None."""
        figure = figures.get(self.metric)
        if figure is None:
            return f"{self.text} (the version was registered without a metric {self.metric})"
        return None if _COMPARISONS[self.sign](figure, self.bound) else f"{self.text} (it is {figure:g})"


@lru_cache(maxsize=1024)
def gate(text: str) -> Gate:
    """The gate that a text such as `accuracy >= 0.9` states. Raises MalformedRules."""
    found = _GATE.fullmatch(text)
    if found is None:
        raise MalformedRules(f"A metric gate has the form `accuracy >= 0.9`, with one of >= <= > < == !=, and not: {text}")
    bound = float(found["bound"])
    if not math.isfinite(bound):
        raise MalformedRules(f"A metric gate needs a number that figures can have, and not: {text}")
    return Gate(found["metric"], found["sign"], bound, " ".join(text.split()))


def check(rules: Mapping[str, Any]) -> None:
    """Raise MalformedRules for rules that the service model admits and that make no sense."""
    for text in rules.get("MetricGates", ()):
        gate(text)
    if not rules:
        raise MalformedRules("ApprovalRules must have at least one rule.")


@dataclass(frozen=True, slots=True)
class Case:
    """A decision to approve, and all that rules look at."""

    actor: Actor
    reason: str
    registrant: str
    """The ARN of who registered the version; empty when that is not known."""
    editors: Collection[str]
    """The identities of those who changed what the version deploys."""
    approvals: Collection[str]
    """The identities of those whose approvals count so far."""
    figures: Mapping[str, float]
    signers: Collection[str] = ()
    """The fingerprints of the keys that have signed what the version deploys now."""


def required(rules: Mapping[str, Any]) -> int:
    """How many approvers a version needs."""
    return int(rules.get("RequiredApprovers", 1))


def check_approval(rules: Mapping[str, Any], case: Case) -> None:
    """Raise RuleRefuses unless this approval may be given."""
    actor = case.actor
    check_approver(rules, case)
    refusals = [refusal for text in rules.get("MetricGates", ()) if (refusal := gate(text).refusal(case.figures))]
    if refusals:
        raise RuleRefuses("MetricGates", f"the version does not reach {'; '.join(refusals)}.")
    check_signed(rules, case.signers)
    missing = required(rules) - len(case.approvals)
    if actor.identity in case.approvals and missing > 0:
        sentence = f"{actor.arn} has approved this version already; {missing} more of {required(rules)} approvers have to."
        raise RuleRefuses("RequiredApprovers", sentence, person=True)


def check_approver(rules: Mapping[str, Any], case: Case) -> None:
    """Raise RuleRefuses unless this one may approve this version, for this reason."""
    actor = case.actor
    if rules.get("ApproverIsNotRegistrant"):
        if actor.identity == identity_of(case.registrant):
            sentence = f"{actor.arn} registered this version, so someone else has to approve it."
            raise RuleRefuses("ApproverIsNotRegistrant", sentence, person=True)
        if actor.identity in case.editors:
            sentence = f"{actor.arn} changed what this version deploys, so someone else has to approve it."
            raise RuleRefuses("ApproverIsNotRegistrant", sentence, person=True)
    check_decider(rules, actor, case.reason)


def still_counts(rules: Mapping[str, Any], case: Case) -> bool:
    """Whether an approval that waits is one that these rules let be given: they may be newer than it is."""
    try:
        check_approver(rules, case)
    except RuleRefuses:
        return False
    return True


def check_decider(rules: Mapping[str, Any], actor: Actor, reason: str) -> None:
    """Raise RuleRefuses unless this one may approve or reject, for this reason."""
    if rules.get("Approvers") and not actor.matches(rules["Approvers"]):
        raise RuleRefuses("Approvers", f"{actor.arn} is none of {', '.join(rules['Approvers'])}.", person=True)
    if rules.get("ReasonRequired") and not reason.strip():
        raise RuleRefuses("ReasonRequired", "the decision needs a reason, in ApprovalDescription.")


def check_signed(rules: Mapping[str, Any], signers: Collection[str]) -> None:
    """Raise RuleRefuses unless one of the keys that the rules name has signed the version."""
    trusted: Sequence[Mapping[str, str]] = rules.get("SignedBy", ())
    if trusted and not any(key["KeyFingerprint"] in signers for key in trusted):
        names = ", ".join(key["Name"] for key in trusted)
        raise RuleRefuses("SignedBy", f"what the version deploys now has no signature by the key of {names}.")


def check_move(rules: Mapping[str, Any], actor: Actor, before: str | None, after: str) -> None:
    """Raise RuleRefuses unless this one may move a version from one state of its life cycle to another.

    A state is `Stage/StageStatus`. A move names a state, or a stage for all its states; without `From` it is the first one.
    """
    moves: Sequence[Mapping[str, Any]] = rules.get("StageMoves", ())
    if not moves or before == after or (before is not None and _stage(before) == _stage(after) and not _names_states(moves)):
        return
    fitting = [move for move in moves if _fits(move.get("From"), before) and _fits(move["To"], after)]
    said = f"from {before} to {after}" if before else f"to {after} at first"
    if not fitting:
        raise RuleRefuses("StageMoves", f"no move {said} is allowed.")
    if not any("Principals" not in move or actor.matches(move["Principals"]) for move in fitting):
        allowed = ", ".join(sorted({pattern for move in fitting for pattern in move["Principals"]}))
        raise RuleRefuses("StageMoves", f"the move {said} is not for {actor.arn}, but for {allowed}.", person=True)


def state_of(life_cycle: Mapping[str, Any] | None) -> str | None:
    """`Stage/StageStatus` of a life cycle; None where there is none."""
    return f"{life_cycle['Stage']}/{life_cycle['StageStatus']}" if life_cycle else None


def _stage(state: str) -> str:
    return state.partition("/")[0]


def _names_states(moves: Sequence[Mapping[str, Any]]) -> bool:
    return any("/" in move.get("From", "") or "/" in move["To"] for move in moves)


def _fits(named: str | None, state: str | None) -> bool:
    if named == ANY:
        return True
    if named is None or state is None:
        return named is None and state is None
    return named == (state if "/" in named else _stage(state))
