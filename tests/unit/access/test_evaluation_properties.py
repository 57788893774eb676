"""What holds of every decision, tried on policies made at random."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.access.policy_cases import (
    ANN,
    ANONYMOUS,
    DESCRIBE,
    FACTS,
    HERE,
    OBJECT,
    PACKAGE,
    ROLE,
    SESSION,
    THERE,
    asks,
    boundary,
    document,
    policies,
    root,
    service,
    session,
    user,
)

from modelyard.access.evaluation import Reason, decide
from modelyard.access.permission import Permission
from modelyard.access.policy import PolicyKind, load_policy
from modelyard.access.principal import Principal

Json = dict[str, Any]

ACTIONS = st.sampled_from(["*", DESCRIBE, "sagemaker:*", "sagemaker:Desc*", "s3:GetObject", "s3:*", "sts:AssumeRole", "kms:*"])
RESOURCES = st.sampled_from(
    ["*", PACKAGE, "arn:aws:sagemaker:*:*:model-package/*", "arn:aws:s3:::${aws:PrincipalTag/team}/*", OBJECT]
)
CONDITIONS = st.sampled_from(
    [
        None,
        None,
        None,
        {"StringEquals": {"aws:username": "ann"}},
        {"StringNotEquals": {"aws:username": "ann"}},
        {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}},
        {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}},
        {"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": ["team"]}},
        {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
        {"NumericLessThan": {"s3:max-keys": "10"}},
        {"Null": {"aws:PrincipalTag/team": "true"}},
        {"Nonsense": {"aws:username": "ann"}},
    ]
)
PRINCIPALS = st.sampled_from(
    ["*", {"AWS": ANN}, {"AWS": HERE}, {"AWS": THERE}, {"AWS": [ROLE]}, {"AWS": SESSION}, {"Service": "sagemaker.amazonaws.com"}]
)


@st.composite
def statements(draw: st.DrawFn, effect: str | None = None, principal: bool = False) -> Json:
    """A statement, with a principal for resource policies."""
    made: Json = {"Effect": effect or draw(st.sampled_from(["Allow", "Deny"]))}
    made[draw(st.sampled_from(["Action", "Action", "Action", "NotAction"]))] = draw(st.lists(ACTIONS, min_size=1, max_size=2))
    made[draw(st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]))] = draw(
        st.lists(RESOURCES, min_size=1, max_size=2)
    )
    condition = draw(CONDITIONS)
    if condition is not None:
        made["Condition"] = condition
    if principal:
        negated = made["Effect"] == "Deny" and draw(st.booleans())
        made["NotPrincipal" if negated else "Principal"] = draw(PRINCIPALS)
    return made


def lists(**given_elements: Any) -> st.SearchStrategy[list[Json]]:
    """Some statements."""
    return st.lists(statements(**given_elements), max_size=4)


CALLERS = st.sampled_from(
    [user(), user(tags={"team": "weather"}), session(), session(tags={"team": "a*"}), ANONYMOUS, service(), root(THERE)]
)
PERMISSIONS = st.builds(
    lambda action, arn, owner, tags, conditions: asks(action, arn, owner=owner, tags=tags, conditions=conditions),
    st.sampled_from([DESCRIBE, "s3:GetObject", "sts:AssumeRole", "kms:Decrypt"]),
    st.sampled_from([PACKAGE, OBJECT, "arn:aws:s3:::weather/x", ROLE, "*"]),
    st.sampled_from([HERE, THERE]),
    st.sampled_from([{}, {"team": "weather"}, {"team": "weather", "Team": "ocean"}]),
    st.sampled_from([{}, {"s3:max-keys": "5"}, {"s3:max-keys": "many"}, {"aws:TagKeys": ("team", "cost")}]),
)


def equipped(caller: Principal, identity: list[Json], limits: list[Json] | None) -> Principal:
    """The caller with identity policies and, it may be, a boundary and session policies."""
    if caller in (ANONYMOUS, service()):
        return caller
    held = replace(caller, policies=policies(*identity))
    if limits is None:
        return held
    return replace(held, boundary=boundary(*limits) if limits else None, session_policies=policies(*limits))


def under(permission: Permission, resource: list[Json]) -> Permission:
    """The permission on a resource that has a policy of these statements."""
    if permission.action == "sts:AssumeRole":
        resource = [{name: value for name, value in each.items() if name not in ("Resource", "NotResource")} for each in resource]
    text = document(*resource) if resource else None
    return replace(permission, resource=replace(permission.resource, policy=text))


def allowed(caller: Principal, permission: Permission) -> bool:
    """The decision alone."""
    return decide(caller, permission, FACTS).allowed


IDENTITY = lists()
RESOURCE = lists(principal=True)
LIMITS = st.none() | lists()


@pytest.mark.ours
@given(CALLERS, PERMISSIONS, IDENTITY, RESOURCE, LIMITS, statements(effect="Deny"))
def test_adding_a_deny_never_allows_more(
    caller: Principal, permission: Permission, identity: list[Json], resource: list[Json], limits: list[Json] | None, added: Json
) -> None:
    """A Deny that is added to an identity policy never turns a no into a yes."""
    asked = under(permission, resource)
    if allowed(equipped(caller, [*identity, added], limits), asked):
        assert allowed(equipped(caller, identity, limits), asked)


@pytest.mark.ours
@given(CALLERS, PERMISSIONS, IDENTITY, RESOURCE, LIMITS, statements(effect="Deny", principal=True))
def test_adding_a_deny_to_the_resource_never_allows_more(
    caller: Principal, permission: Permission, identity: list[Json], resource: list[Json], limits: list[Json] | None, added: Json
) -> None:
    """A Deny that is added to a resource's policy never turns a no into a yes, unless it brings a key its first policy."""
    held = equipped(caller, identity, limits)
    if allowed(held, under(permission, [*resource, added])):
        assert allowed(held, under(permission, resource))


@pytest.mark.ours
@given(CALLERS, PERMISSIONS, IDENTITY, RESOURCE, LIMITS, st.integers(0, 3))
def test_removing_an_allow_never_allows_more(
    caller: Principal, permission: Permission, identity: list[Json], resource: list[Json], limits: list[Json] | None, place: int
) -> None:
    """An Allow that is taken from an identity policy never turns a no into a yes."""
    fewer = [each for index, each in enumerate(identity) if index != place or each["Effect"] == "Deny"]
    asked = under(permission, resource)
    if allowed(equipped(caller, fewer, limits), asked):
        assert allowed(equipped(caller, identity, limits), asked)


@pytest.mark.ours
@given(CALLERS, PERMISSIONS, IDENTITY, RESOURCE, lists())
def test_limits_never_allow_more(
    caller: Principal, permission: Permission, identity: list[Json], resource: list[Json], limits: list[Json]
) -> None:
    """A boundary and session policies never turn a no into a yes."""
    asked = under(permission, resource)
    if allowed(equipped(caller, identity, limits), asked):
        assert allowed(equipped(caller, identity, None), asked)


@pytest.mark.ours
@given(CALLERS, PERMISSIONS)
def test_nothing_is_allowed_by_default(caller: Principal, permission: Permission) -> None:
    """Without any policy only the owner's root user may anything."""
    decision = decide(equipped(caller, [], None), under(permission, []), FACTS)
    assert not decision.allowed or decision.reason is Reason.ROOT


@pytest.mark.ours
@given(CALLERS, PERMISSIONS, IDENTITY, RESOURCE, LIMITS)
def test_order_of_statements_does_not_matter(
    caller: Principal, permission: Permission, identity: list[Json], resource: list[Json], limits: list[Json] | None
) -> None:
    """Statements may stand in any order."""
    forward = allowed(equipped(caller, identity, limits), under(permission, resource))
    assert allowed(equipped(caller, identity[::-1], limits), under(permission, resource[::-1])) is forward


@pytest.mark.ours
@given(CALLERS, PERMISSIONS, IDENTITY, RESOURCE, LIMITS)
def test_one_policy_or_many_is_the_same(
    caller: Principal, permission: Permission, identity: list[Json], resource: list[Json], limits: list[Json] | None
) -> None:
    """Statements of one identity policy mean the same in policies of their own."""
    asked = under(permission, resource)
    together = equipped(caller, identity, limits)
    apart = replace(together, policies=tuple(load_policy(document(each)) for each in identity) if together.policies else ())
    assert decide(apart, asked, FACTS).reason is decide(together, asked, FACTS).reason


@pytest.mark.ours
@given(CALLERS, PERMISSIONS, st.text(max_size=60), st.sampled_from(list(PolicyKind)))
def test_no_text_raises_or_allows(caller: Principal, permission: Permission, text: str, kind: PolicyKind) -> None:
    """Any text may stand where a policy should: nothing is raised, and nobody is let in."""
    assert load_policy(text, kind).broken is not None
    asked = replace(permission, resource=replace(permission.resource, policy=text))
    assert not allowed(caller, asked)
