"""Policy variables in resources and conditions."""

import pytest
from tests.unit.access.policy_cases import (
    HERE,
    OBJECT,
    ROLE,
    Row,
    allow,
    asks,
    decided,
    deny,
    distinct,
    session,
    user,
)

from modelyard.access.evaluation import Reason
from modelyard.access.permission import Permission
from modelyard.access.principal import Principal

IDENTITY_ALLOW, NO_IDENTITY = Reason.IDENTITY_ALLOW, Reason.NO_IDENTITY_ALLOW
RESOURCE_ALLOW = Reason.RESOURCE_ALLOW

TAGGED = {"tags": {"team": "weather", "Odd": "a*", "colon": "x:y/z"}}
MINE = f"arn:aws:sagemaker:us-east-1:{HERE}:model-package/${{aws:PrincipalTag/team}}/*"
HOME = "arn:aws:s3:::home/${aws:username}/*"

VARIABLES: list[Row] = [
    (
        "A variable in a resource stands for the caller's name",
        user(allow(resource=HOME)),
        asks("s3:GetObject", "arn:aws:s3:::home/ann/x"),
        IDENTITY_ALLOW,
    ),
    ("And for nobody else's", user(allow(resource=HOME)), asks("s3:GetObject", "arn:aws:s3:::home/bob/x"), NO_IDENTITY),
    (
        "A variable without a value matches nothing",
        session(allow(resource=HOME)),
        asks("s3:GetObject", "arn:aws:s3:::home/ann/x"),
        NO_IDENTITY,
    ),
    (
        "Not even the variable's own text",
        session(allow(resource=HOME)),
        asks("s3:GetObject", "arn:aws:s3:::home/${aws:username}/x"),
        NO_IDENTITY,
    ),
    (
        "Other resources of the statement still match",
        session(allow(resource=[HOME, OBJECT])),
        asks("s3:GetObject", OBJECT),
        IDENTITY_ALLOW,
    ),
    ("A tag as a variable", user(allow(resource=MINE), **TAGGED), asks(), IDENTITY_ALLOW),
    ("A tag as a variable of another value", user(allow(resource=MINE), tags={"team": "ocean"}), asks(), NO_IDENTITY),
    (
        "In SageMaker's ARNs the value's case does not matter",
        user(allow(resource=MINE), tags={"team": "Weather"}),
        asks(),
        IDENTITY_ALLOW,
    ),
    ("A tag that is not there", user(allow(resource=MINE)), asks(), NO_IDENTITY),
    (
        "A default stands in for a missing value",
        user(allow(resource="arn:aws:s3:::b-${aws:PrincipalTag/team, 'company-wide'}")),
        asks("s3:ListBucket", "arn:aws:s3:::b-company-wide"),
        IDENTITY_ALLOW,
    ),
    (
        "A default does not stand in for a value that is there",
        user(allow(resource="arn:aws:s3:::b-${aws:PrincipalTag/team, 'company-wide'}"), **TAGGED),
        asks("s3:ListBucket", "arn:aws:s3:::b-company-wide"),
        NO_IDENTITY,
    ),
    (
        "A star in a value is no wildcard",
        user(allow(resource="arn:aws:s3:::b/${aws:PrincipalTag/Odd}"), **TAGGED),
        asks("s3:GetObject", "arn:aws:s3:::b/abc"),
        NO_IDENTITY,
    ),
    (
        "A star in a value is a star",
        user(allow(resource="arn:aws:s3:::b/${aws:PrincipalTag/Odd}"), **TAGGED),
        asks("s3:GetObject", "arn:aws:s3:::b/a*"),
        IDENTITY_ALLOW,
    ),
    (
        "Wildcards beside a variable still are",
        user(allow(resource="arn:aws:s3:::b/*/${aws:PrincipalTag/Odd}/?"), **TAGGED),
        asks("s3:GetObject", "arn:aws:s3:::b/x/y/a*/z"),
        IDENTITY_ALLOW,
    ),
    (
        "Colons and slashes in a value stay in the resource",
        user(allow(resource="arn:aws:s3:::b/${aws:PrincipalTag/colon}"), **TAGGED),
        asks("s3:GetObject", "arn:aws:s3:::b/x:y/z"),
        IDENTITY_ALLOW,
    ),
    ("${*} is a star", user(allow(resource="arn:aws:s3:::b/${*}")), asks("s3:GetObject", "arn:aws:s3:::b/*"), IDENTITY_ALLOW),
    ("${*} is no wildcard", user(allow(resource="arn:aws:s3:::b/${*}")), asks("s3:GetObject", "arn:aws:s3:::b/x"), NO_IDENTITY),
    (
        "${?} is a question mark",
        user(allow(resource="arn:aws:s3:::b/${?}")),
        asks("s3:GetObject", "arn:aws:s3:::b/?"),
        IDENTITY_ALLOW,
    ),
    (
        "${$} is a dollar sign",
        user(allow(resource="arn:aws:s3:::b/${$}{x}")),
        asks("s3:GetObject", "arn:aws:s3:::b/${x}"),
        IDENTITY_ALLOW,
    ),
    (
        "A dollar sign alone is itself",
        user(allow(resource="arn:aws:s3:::b/$x")),
        asks("s3:GetObject", "arn:aws:s3:::b/$x"),
        IDENTITY_ALLOW,
    ),
    (
        "Before 2012-10-17 a variable is its text",
        user(allow(resource="arn:aws:s3:::home/${aws:username}"), version="2008-10-17"),
        asks("s3:GetObject", "arn:aws:s3:::home/${aws:username}"),
        IDENTITY_ALLOW,
    ),
    (
        "Also beside a wildcard",
        user(allow(resource="arn:aws:s3:::home/${aws:username}/*"), version="2008-10-17"),
        asks("s3:GetObject", "arn:aws:s3:::home/ann/x"),
        NO_IDENTITY,
    ),
    (
        "And stands for nothing",
        user(allow(resource="arn:aws:s3:::home/${aws:username}"), version="2008-10-17"),
        asks("s3:GetObject", "arn:aws:s3:::home/ann"),
        NO_IDENTITY,
    ),
    (
        "So it is without a version",
        user(allow(resource="arn:aws:s3:::home/${aws:username}"), version=None),
        asks("s3:GetObject", "arn:aws:s3:::home/ann"),
        NO_IDENTITY,
    ),
    (
        "A key with several values is no variable",
        user(allow(resource="arn:aws:s3:::b/${aws:TagKeys}")),
        asks("s3:PutObject", "arn:aws:s3:::b/a", conditions={"aws:TagKeys": ("a", "b")}),
        NO_IDENTITY,
    ),
    (
        "Allow with NotResource and a variable without a value does not apply",
        session(allow(NotResource=HOME)),
        asks(),
        NO_IDENTITY,
    ),
    (
        "Deny with NotResource and a variable without a value applies",
        session(allow(), deny(NotResource=HOME)),
        asks(),
        Reason.IDENTITY_DENY,
    ),
    ("Allow with NotResource and a variable spares the others", user(allow(NotResource=HOME)), asks(), IDENTITY_ALLOW),
    (
        "Deny of a variable without a value denies nothing",
        session(allow(), deny(resource=HOME)),
        asks("s3:GetObject", OBJECT),
        IDENTITY_ALLOW,
    ),
    (
        "A variable in a condition value",
        user(allow(Condition={"StringEquals": {"aws:ResourceTag/owner": "${aws:username}"}})),
        asks(tags={"owner": "ann"}),
        IDENTITY_ALLOW,
    ),
    (
        "A variable in a condition value that differs",
        user(allow(Condition={"StringEquals": {"aws:ResourceTag/owner": "${aws:username}"}})),
        asks(tags={"owner": "bob"}),
        NO_IDENTITY,
    ),
    (
        "A variable beside a pattern",
        user(allow(Condition={"StringLike": {"s3:prefix": ["", "home/${aws:username}/*"]}})),
        asks("s3:ListBucket", "arn:aws:s3:::b", conditions={"s3:prefix": "home/ann/a"}),
        IDENTITY_ALLOW,
    ),
    (
        "Team tags that are equal on both sides",
        user(allow(Condition={"StringEquals": {"aws:ResourceTag/MLProject": "${aws:PrincipalTag/team}"}}), **TAGGED),
        asks(tags={"MLProject": "weather"}),
        IDENTITY_ALLOW,
    ),
    (
        "A missing tag on both sides is not equal",
        user(allow(Condition={"StringEquals": {"aws:ResourceTag/MLProject": "${aws:PrincipalTag/team}"}})),
        asks(),
        NO_IDENTITY,
    ),
    (
        "A negated operator is met against a variable without a value",
        session(allow(), deny(Condition={"StringNotEquals": {"aws:ResourceTag/Team": "${aws:PrincipalTag/Team}"}})),
        asks(tags={"Team": "weather"}),
        Reason.IDENTITY_DENY,
    ),
    (
        "A variable in a condition without case",
        user(allow(Condition={"StringEqualsIgnoreCase": {"aws:ResourceTag/owner": "x-${aws:username}"}})),
        asks(tags={"owner": "X-ANN"}),
        IDENTITY_ALLOW,
    ),
    (
        "A variable in the pattern of an ARN",
        session(allow(Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:role/*"}})),
        asks(),
        IDENTITY_ALLOW,
    ),
    (
        "A variable that is a whole ARN",
        session(allow(Condition={"ArnEquals": {"s:owner": "${aws:PrincipalArn}"}})),
        asks(conditions={"s:owner": ROLE}),
        IDENTITY_ALLOW,
    ),
]


ROWS = distinct(VARIABLES)


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "caller", "permission", "reason"), ROWS, ids=[row[0] for row in ROWS])
def test_decision(claim: str, caller: Principal, permission: Permission, reason: Reason) -> None:
    """Each row: the decision and its reason."""
    assert decided(caller, permission).reason is reason, claim
