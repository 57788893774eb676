"""How much of a list a caller sees, told before any row is read."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.access.policy_cases import (
    ANN,
    ANONYMOUS,
    FACTS,
    HERE,
    THERE,
    allow,
    asks,
    aws,
    boundary,
    deny,
    document,
    policies,
    root,
    service,
    session,
    user,
)

from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission, Resource
from modelyard.access.principal import Principal
from modelyard.access.sight import Sight, sight

LIST = "sagemaker:ListModelPackageGroups"
GROUPS = f"arn:aws:sagemaker:us-east-1:{HERE}:model-package-group/"
WEATHER = {"StringEquals": {"aws:ResourceTag/MLProject": "weather"}}
NOT_WEATHER = {"StringNotEquals": {"aws:ResourceTag/MLProject": "weather"}}
SECURE, INSECURE = ({"Bool": {"aws:SecureTransport": word}} for word in ("true", "false"))
NOTHING, SOME, ALL = Sight.NOTHING, Sight.SOME, Sight.ALL


def listing(owner: str = HERE, policy: str | None = None) -> Permission:
    """Listing the groups of an account."""
    arn = GROUPS.replace(HERE, owner)
    return Permission(LIST, Resource(f"{arn}*", owner, {}, policy), listing=arn)


ROWS: list[tuple[str, Principal, Sight]] = [
    ("Nothing is allowed by default", user(), NOTHING),
    ("Everything", user(allow()), ALL),
    ("The action on everything", user(allow(LIST)), ALL),
    ("Another action", user(allow("sagemaker:ListModelPackages")), NOTHING),
    ("All groups", user(allow(LIST, f"{GROUPS}*")), ALL),
    ("All groups, in the case that people write", user(allow(LIST, GROUPS.replace("model-", "Model-") + "*")), ALL),
    ("All groups of all accounts", user(allow(LIST, "arn:aws:sagemaker:*:*:model-package-group/*")), ALL),
    ("Everything of the service", user(allow(LIST, "arn:aws:sagemaker:*")), ALL),
    ("Groups and versions by one pattern", user(allow(LIST, f"arn:aws:sagemaker:*:{HERE}:model-package*")), ALL),
    ("Groups that are named so", user(allow(LIST, f"{GROUPS}rc-*")), SOME),
    ("One group", user(allow(LIST, f"{GROUPS}rc")), SOME),
    ("Names of one character, which the star itself is", user(allow(LIST, f"{GROUPS}?")), SOME),
    ("Names that end so", user(allow(LIST, "arn:aws:sagemaker:*:*:*/x")), SOME),
    ("Groups named after the caller's tag", user(allow(LIST, GROUPS + "${aws:PrincipalTag/team}-*")), SOME),
    ("Versions are no groups", user(allow(LIST, f"arn:aws:sagemaker:us-east-1:{HERE}:model-package/*")), NOTHING),
    ("Groups of another region", user(allow(LIST, f"{GROUPS}*".replace("us-east-1", "eu-west-1"))), NOTHING),
    ("Groups of another account", user(allow(LIST, f"{GROUPS}*".replace(HERE, THERE))), NOTHING),
    ("Groups that are tagged so", user(allow(LIST, Condition=WEATHER)), SOME),
    (
        "By SageMaker's own key",
        user(allow(LIST, Condition={"StringEquals": {"sagemaker:ResourceTag/MLProject": "weather"}})),
        SOME,
    ),
    (
        "By a variable",
        user(allow(LIST, Condition={"StringEquals": {"aws:PrincipalTag/t": "${aws:ResourceTag/t}"}}), tags={"t": "1"}),
        SOME,
    ),
    ("By the absence of a tag", user(allow(LIST, Condition={"Null": {"aws:ResourceTag/MLProject": "true"}})), SOME),
    ("A condition that has nothing to do with rows and holds", user(allow(LIST, Condition=SECURE)), ALL),
    ("Or does not", user(allow(LIST, Condition=INSECURE)), NOTHING),
    ("Tagged so, over a connection that is not there", user(allow(LIST, Condition=WEATHER | INSECURE)), NOTHING),
    ("Everything, besides some", user(allow(LIST, Condition=WEATHER), allow()), ALL),
    ("All but some by NotResource", user(allow(LIST, NotResource=f"{GROUPS}rc-*")), SOME),
    ("All, by NotResource of something else", user(allow(LIST, NotResource="arn:aws:s3:::*")), ALL),
    ("Nothing, by NotResource of everything", user(allow(LIST, NotResource="*")), NOTHING),
    ("A deny of everything", user(allow(), deny(LIST)), NOTHING),
    ("A deny of all groups", user(allow(), deny(LIST, f"{GROUPS}*")), NOTHING),
    ("A deny of some", user(allow(), deny(LIST, f"{GROUPS}secret-*")), SOME),
    ("A deny of what is not tagged so", user(allow(), deny(LIST, Condition=NOT_WEATHER)), SOME),
    ("A deny of other things", user(allow(), deny(LIST, "arn:aws:s3:::*")), ALL),
    ("A deny whose condition does not hold", user(allow(), deny(LIST, Condition=INSECURE)), ALL),
    ("A deny of everything but some", user(allow(), deny(LIST, NotResource=f"{GROUPS}rc-*")), SOME),
    ("A boundary that allows all", user(allow(), boundary=boundary(allow())), ALL),
    ("A boundary that allows some", user(allow(), boundary=boundary(allow(LIST, Condition=WEATHER))), SOME),
    ("A boundary that allows nothing", user(allow(), boundary=boundary(allow("s3:*"))), NOTHING),
    ("A boundary that denies some", user(allow(), boundary=boundary(allow(), deny(LIST, f"{GROUPS}x*"))), SOME),
    ("A session policy that allows some", session(allow(), session_policies=policies(allow(LIST, f"{GROUPS}x*"))), SOME),
    ("A session policy that allows nothing", session(allow(), session_policies=policies(allow("s3:*"))), NOTHING),
    (
        "A session policy that allows all of what is some",
        session(allow(LIST, Condition=WEATHER), session_policies=policies(allow())),
        SOME,
    ),
    ("The root user", root(), ALL),
    ("The root user of another account", root(THERE), NOTHING),
    ("A service", service(), NOTHING),
    ("Nobody", ANONYMOUS, NOTHING),
    ("A user of another account", user(allow(), account=THERE, arn=ANN.replace(HERE, THERE)), NOTHING),
    ("A policy that cannot be read", user(policies=policies(allow(Condition={"Nonsense": {"a:b": "c"}}))), NOTHING),
]


@pytest.mark.ours
@pytest.mark.parametrize(("claim", "caller", "seen"), ROWS, ids=[row[0] for row in ROWS])
def test_sight(claim: str, caller: Principal, seen: Sight) -> None:
    """Each row: how much of the list of groups the caller sees."""
    assert sight(caller, listing(), FACTS) is seen, claim


@pytest.mark.ours
def test_a_resource_policy_counts_for_a_list_that_has_one() -> None:
    """Across accounts it has to allow; a deny of some of the rows leaves some."""
    far = user(allow(), account=THERE, arn=ANN.replace(HERE, THERE))
    shared = allow(LIST, Principal=aws(f"arn:aws:iam::{THERE}:root"))
    assert sight(far, listing(policy=document(shared)), FACTS) is ALL
    denied = deny(LIST, f"{GROUPS}x*", Principal="*")
    assert sight(far, listing(policy=document(shared, denied)), FACTS) is SOME
    assert sight(user(allow()), listing(policy=document(denied)), FACTS) is SOME
    assert sight(user(allow()), listing(policy=document(deny(LIST, Principal="*"))), FACTS) is NOTHING
    others = deny(LIST, f"{GROUPS}x*", Principal=aws(f"arn:aws:iam::{THERE}:root"))
    assert sight(user(allow()), listing(policy=document(others)), FACTS) is ALL


RESOURCES = st.sampled_from(
    [
        "*",
        f"{GROUPS}*",
        f"{GROUPS}rc-*",
        f"{GROUPS}?",
        f"{GROUPS}*x",
        "arn:aws:sagemaker:*:*:*/rc-x",
        "arn:aws:s3:::*",
        GROUPS + "${aws:PrincipalTag/team}*",
        f"arn:aws:sagemaker:us-*:{HERE}:model-package*",
        f"{GROUPS}RC-*",
    ]
)
CONDITIONS = st.sampled_from(
    [
        None,
        None,
        WEATHER,
        NOT_WEATHER,
        {"StringEqualsIfExists": {"aws:ResourceTag/MLProject": "weather"}},
        {"StringEquals": {"aws:ResourceTag/MLProject": "${aws:PrincipalTag/team}"}},
        {"StringLike": {"aws:PrincipalTag/team": "${aws:ResourceTag/MLProject, 'no'}"}},
        {"ForAllValues:StringEquals": {"aws:ResourceTag/MLProject": "weather"}},
        {"Bool": {"aws:SecureTransport": "true"}},
        {"Bool": {"aws:SecureTransport": "false"}},
        {"Null": {"aws:ResourceTag/MLProject": "true"}},
        {"Nonsense": {"aws:username": "ann"}},
    ]
)


@st.composite
def statement(draw: st.DrawFn) -> dict[str, Any]:
    """A statement on lists."""
    made: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])), "Action": "sagemaker:List*"}
    made[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(st.lists(RESOURCES, min_size=1, max_size=2))
    condition = draw(CONDITIONS)
    return made if condition is None else {**made, "Condition": condition}


statements = st.lists(statement(), min_size=1, max_size=3)
NAMES = ("rc-x", "x", "weather", "RC-1", "-")
TAGS: tuple[dict[str, str], ...] = ({}, {"MLProject": "weather"}, {"MLProject": "no"}, {"mlproject": "weather"})


@pytest.mark.ours
@settings(max_examples=400, deadline=None)
@given(identity=statements, bound=st.none() | statements, passed=st.none() | statements)
def test_what_is_told_of_the_list_holds_of_every_row(
    identity: list[dict[str, Any]], bound: list[dict[str, Any]] | None, passed: list[dict[str, Any]] | None
) -> None:
    """ALL: each row is allowed when it is decided by itself. NOTHING: none is. Whatever the policies."""
    caller = session(
        *identity,
        tags={"team": "weather"},
        boundary=None if bound is None else boundary(*bound),
        session_policies=None if passed is None else policies(*passed),
    )
    seen = sight(caller, listing(), FACTS)
    rows = {decide(caller, asks(LIST, GROUPS + name, tags=tags), FACTS).allowed for name in NAMES for tags in TAGS}
    assert seen is SOME or rows == {seen is ALL}
