"""What rules of approval say to a decision."""

from typing import Any

import pytest

from modelyard.registry.approval_rule import (
    Actor,
    Case,
    MalformedRules,
    RuleRefuses,
    check,
    check_approval,
    check_move,
    gate,
    identity_of,
    state_of,
)

pytestmark = pytest.mark.ours

ACCOUNT = "111122223333"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/Reviewer"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/Reviewer/"


def case(actor: Actor, **more: Any) -> Case:
    facts: dict[str, Any] = {"reason": "good", "registrant": BOB, "editors": (), "approvals": (), "figures": {}}
    return Case(actor, **{**facts, **more})


def refusal(rules: dict[str, Any], one: Case) -> tuple[str, bool] | None:
    try:
        check_approval(rules, one)
    except RuleRefuses as error:
        return error.rule, error.person
    return None


def moved(rules: dict[str, Any], before: str | None, after: str, by: str = ALICE) -> str | None:
    try:
        check_move(rules, Actor(by), before, after)
    except RuleRefuses as error:
        return "person" if error.person else "nobody"
    return None


def test_no_rules_refuse_nothing() -> None:
    """Without rules the registrant may approve, without a reason."""
    assert refusal({}, case(Actor(BOB), reason="")) is None


def test_the_registrant_and_editors_do_not_approve() -> None:
    """Who registered a version, or changed what it deploys, is refused; a session of the same role is the same one."""
    rules = {"ApproverIsNotRegistrant": True}
    assert refusal(rules, case(Actor(BOB))) == ("ApproverIsNotRegistrant", True)
    assert refusal(rules, case(Actor(ALICE))) is None
    assert refusal(rules, case(Actor(ALICE), editors={ALICE})) == ("ApproverIsNotRegistrant", True)
    assert refusal(rules, case(Actor(SESSION + "two", ROLE), registrant=SESSION + "one")) == ("ApproverIsNotRegistrant", True)
    assert identity_of(SESSION + "one") != identity_of("arn:aws:sts::444455556666:assumed-role/Reviewer/one")


def test_a_reason_is_more_than_blanks() -> None:
    """An approval without words is refused where a reason is required."""
    assert refusal({"ReasonRequired": True}, case(Actor(ALICE), reason=" \n")) == ("ReasonRequired", False)
    assert refusal({"ReasonRequired": True}, case(Actor(ALICE), reason="F1 is fine")) is None


def test_approvers_are_named_by_patterns() -> None:
    """A pattern names users, and roles by their own ARN or a session's; what it does not name is refused."""
    rules = {"Approvers": [f"arn:aws:iam::{ACCOUNT}:user/al?ce", f"arn:aws:iam::{ACCOUNT}:role/team/*"]}
    assert refusal(rules, case(Actor(ALICE))) is None
    assert refusal(rules, case(Actor(SESSION + "x", ROLE))) is None
    assert refusal(rules, case(Actor(BOB))) == ("Approvers", True)
    assert refusal(rules, case(Actor(ALICE + "x"))) == ("Approvers", True)


def test_patterns_with_many_stars_take_no_time() -> None:
    """A pattern that would keep a regular expression busy for ages is answered at once."""
    rules = {"Approvers": ["*a" * 120 + "b"]}
    assert refusal(rules, case(Actor("arn:" + "a" * 2000))) == ("Approvers", True)


@pytest.mark.parametrize(
    ("text", "figures", "passes"),
    [
        ("accuracy >= 0.9", {"accuracy": 0.9}, True),
        ("accuracy >= 0.9", {"accuracy": 0.8999}, False),
        ("accuracy>0.9", {"accuracy": 0.9}, False),
        ("rmse <= 1e-3", {"rmse": 0.0005}, True),
        ("rmse < 1", {"rmse": 1}, False),
        ("classes == 3", {"classes": 3.0}, True),
        ("classes != 3", {"classes": 3.0}, False),
        ("regression_metrics.mse < 5", {"regression_metrics.mse": 4}, True),
        ("bias > -0.5", {"bias": -0.1}, True),
        ("accuracy >= 0.9", {}, False),
    ],
)
def test_gates_compare_figures(text: str, figures: dict[str, float], passes: bool) -> None:
    """A gate is passed by a figure on the right side of its bound, and never by one that is missing."""
    assert (gate(text).refusal(figures) is None) is passes
    assert (refusal({"MetricGates": [text]}, case(Actor(ALICE), figures=figures)) is None) is passes


@pytest.mark.parametrize(
    "text", ["accuracy", "accuracy >=", ">= 0.9", "accuracy => 0.9", "accuracy >= high", "accuracy >= nan", "a < 1e999"]
)
def test_malformed_gates_are_refused(text: str) -> None:
    """What does not read as metric, sign and number is no gate."""
    with pytest.raises(MalformedRules):
        check({"MetricGates": [text]})


def test_nobody_counts_twice() -> None:
    """A second approval of the same one is refused."""
    rules = {"RequiredApprovers": 3}
    assert refusal(rules, case(Actor(ALICE), approvals={ALICE})) == ("RequiredApprovers", True)
    assert refusal(rules, case(Actor(ALICE), approvals={BOB})) is None
    assert refusal({"RequiredApprovers": 1}, case(Actor(ALICE), approvals={ALICE})) is None


def test_moves_go_where_they_are_allowed() -> None:
    """Stages change only along the moves, the first one without From; a change of status within a stage is free."""
    rules = {"StageMoves": [{"To": "Dev"}, {"From": "Dev", "To": "Staging"}, {"From": "*", "To": "Retired"}]}
    assert moved(rules, None, "Dev/Open") is None
    assert moved(rules, None, "Staging/Open") == "nobody"
    assert moved(rules, "Dev/Open", "Staging/Open") is None
    assert moved(rules, "Staging/Open", "Dev/Open") == "nobody"
    assert moved(rules, "Staging/Open", "Staging/Closed") is None
    assert moved(rules, "Staging/Open", "Retired/Closed") is None
    assert moved({}, "Staging/Open", "Dev/Open") is None


def test_moves_may_name_states_and_principals() -> None:
    """A move may be from and to one status of a stage, and for some principals only."""
    rules = {"StageMoves": [{"From": "Staging/Tested", "To": "Production", "Principals": ["*:user/alice"]}]}
    assert moved(rules, "Staging/Tested", "Production/Live") is None
    assert moved(rules, "Staging/Tested", "Production/Live", BOB) == "person"
    assert moved(rules, "Staging/Open", "Production/Live") == "nobody"
    assert moved(rules, "Staging/Open", "Staging/Tested") == "nobody"


def test_states_are_stage_and_status() -> None:
    """A life cycle is told by its stage and status; without one there is no state."""
    assert state_of({"Stage": "Dev", "StageStatus": "Open"}) == "Dev/Open"
    assert state_of(None) is None


def test_rules_that_say_nothing_are_refused() -> None:
    """An empty set of rules is a mistake."""
    with pytest.raises(MalformedRules):
        check({})
