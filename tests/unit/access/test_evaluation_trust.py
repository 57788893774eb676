"""Trust policies of roles, and documents too broken to read."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.access.policy_cases import (
    ANN,
    ANONYMOUS,
    FAR_ROLE,
    HERE,
    LISTS,
    ROLE,
    ROOT,
    THERE,
    Row,
    allow,
    asks,
    aws,
    decided,
    deny,
    distinct,
    document,
    on,
    policies,
    root,
    service,
    session,
    user,
)

from modelyard.access.evaluation import Reason
from modelyard.access.permission import Permission
from modelyard.access.policy import PolicyKind, load_policy
from modelyard.access.principal import Principal

IDENTITY_ALLOW, NO_IDENTITY = Reason.IDENTITY_ALLOW, Reason.NO_IDENTITY_ALLOW
RESOURCE_ALLOW = Reason.RESOURCE_ALLOW


def assuming(*statements: dict[str, Any], arn: str = ROLE, owner: str = HERE, action: str = "sts:AssumeRole") -> Permission:
    """Ask to assume a role under a trust policy of these statements."""
    return asks(action, arn, owner=owner, policy=document(*statements))


def trust(principal: object, effect: str = "Allow", **elements: object) -> dict[str, Any]:
    """A statement of a trust policy."""
    return {"Effect": effect, "Action": "sts:AssumeRole", "Principal": principal, **elements}


NO_TRUST = Reason.NO_TRUST_ALLOW
TRUST: list[Row] = [
    ("A trust policy that names the user is enough in one account", user(), assuming(trust(aws(ANN))), RESOURCE_ALLOW),
    ("One that names the account needs the identity side: none", user(), assuming(trust(aws(ROOT))), NO_IDENTITY),
    (
        "One that names the account needs the identity side: one",
        user(allow("sts:AssumeRole", ROLE)),
        assuming(trust(aws(ROOT))),
        Reason.BOTH_ALLOW,
    ),
    ("An identity policy is not enough without trust", user(allow()), assuming(trust(aws(ANN + "x"))), NO_TRUST),
    ("The root user needs trust, too", root(), assuming(trust(aws(ANN))), NO_TRUST),
    ("Role chaining by the role", session(), assuming(trust(aws(ROLE))), RESOURCE_ALLOW),
    (
        "Across accounts both sides allow",
        user(allow("sts:AssumeRole", FAR_ROLE)),
        assuming(trust(aws(ROOT)), arn=FAR_ROLE, owner=THERE),
        Reason.BOTH_ALLOW,
    ),
    ("Across accounts trust is not enough", user(), assuming(trust(aws(ANN)), arn=FAR_ROLE, owner=THERE), NO_IDENTITY),
    (
        "Across accounts an identity policy is not enough",
        user(allow()),
        assuming(trust(aws("333333333333")), arn=FAR_ROLE, owner=THERE),
        NO_TRUST,
    ),
    ("A role without trust is assumed by nobody", user(allow()), asks("sts:AssumeRole", ROLE), NO_TRUST),
    ("A service that is trusted", service(), assuming(trust({"Service": "sagemaker.amazonaws.com"})), RESOURCE_ALLOW),
    (
        "A service that is not trusted",
        service("ec2.amazonaws.com"),
        assuming(trust({"Service": "sagemaker.amazonaws.com"})),
        NO_TRUST,
    ),
    ("A service's trust does not let users in", user(allow()), assuming(trust({"Service": "sagemaker.amazonaws.com"})), NO_TRUST),
    ("A deny in the trust policy wins", user(allow()), assuming(trust(aws(ROOT)), trust(aws(ANN), "Deny")), Reason.TRUST_DENY),
    ("A deny in the identity policy wins over trust", user(deny("sts:*")), assuming(trust(aws(ANN))), Reason.IDENTITY_DENY),
    (
        "A condition on the external id that is met",
        user(allow()),
        replace(
            assuming(trust(aws(ROOT), Condition={"StringEquals": {"sts:ExternalId": "12"}})), conditions={"sts:ExternalId": "12"}
        ),
        Reason.BOTH_ALLOW,
    ),
    (
        "A condition on the external id that is not met",
        user(allow()),
        assuming(trust(aws(ROOT), Condition={"StringEquals": {"sts:ExternalId": "12"}})),
        NO_TRUST,
    ),
    ("Tagging the session is an action of its own", user(allow()), assuming(trust(aws(ROOT)), action="sts:TagSession"), NO_TRUST),
    (
        "A boundary limits what trust of the account leaves to identity",
        user(allow(), boundary=LISTS),
        assuming(trust(aws(ROOT))),
        Reason.NO_BOUNDARY_ALLOW,
    ),
    (
        "A trust policy with a Resource is broken and trusts nobody",
        user(allow()),
        assuming(trust(aws(ANN), Resource="*")),
        Reason.TRUST_DENY,
    ),
]


BROKEN = "{"
BROKEN_DOCUMENTS: list[Row] = [
    (
        "A broken identity policy denies everything",
        user(policies=(load_policy(BROKEN), *policies(allow()))),
        asks(),
        Reason.IDENTITY_DENY,
    ),
    ("A broken resource policy denies", user(allow()), asks(policy=BROKEN), Reason.RESOURCE_DENY),
    ("A broken resource policy denies unsigned callers", ANONYMOUS, asks(policy=BROKEN), Reason.RESOURCE_DENY),
    ("A broken resource policy denies even the root user", root(), asks(policy=BROKEN), Reason.RESOURCE_DENY),
    ("Who can still put a right one", root(), asks("sagemaker:PutModelPackageGroupPolicy", policy=BROKEN), Reason.ROOT),
    ("A broken boundary denies", user(allow(), boundary=load_policy(BROKEN, PolicyKind.BOUNDARY)), asks(), Reason.BOUNDARY_DENY),
    ("A broken session policy denies", session(allow(), session_policies=(load_policy("[]"),)), asks(), Reason.SESSION_DENY),
    ("A broken trust policy denies", user(allow()), asks("sts:AssumeRole", ROLE, policy=BROKEN), Reason.TRUST_DENY),
    (
        "An Allow with NotPrincipal never allows",
        user(allow()),
        on(allow(Principal=None, NotPrincipal=aws(ROLE))),
        Reason.RESOURCE_DENY,
    ),
]


ROWS = distinct(TRUST, BROKEN_DOCUMENTS)


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "caller", "permission", "reason"), ROWS, ids=[row[0] for row in ROWS])
def test_decision(claim: str, caller: Principal, permission: Permission, reason: Reason) -> None:
    """Each row: the decision and its reason."""
    assert decided(caller, permission).reason is reason, claim
