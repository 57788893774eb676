"""What a decision says: its message, its statements, and nothing of another request."""

import json
from typing import Any

import pytest
from tests.unit.access.policy_cases import (
    ANN,
    ANONYMOUS,
    DESCRIBE,
    FAR_PACKAGE,
    HERE,
    LISTS,
    OBJECT,
    PACKAGE,
    ROLE,
    ROOT,
    SESSION,
    THERE,
    allow,
    asks,
    aws,
    boundary,
    decided,
    deny,
    document,
    on,
    policies,
    session,
    user,
)

from modelyard.access.evaluation import Reason
from modelyard.access.permission import Permission
from modelyard.access.principal import Principal

IDENTITY_ALLOW, NO_IDENTITY = Reason.IDENTITY_ALLOW, Reason.NO_IDENTITY_ALLOW
RESOURCE_ALLOW = Reason.RESOURCE_ALLOW


def assuming(*statements: dict[str, Any], arn: str = ROLE, owner: str = HERE, action: str = "sts:AssumeRole") -> Permission:
    """Ask to assume a role under a trust policy of these statements."""
    return asks(action, arn, owner=owner, policy=document(*statements))


def trust(principal: object, effect: str = "Allow", **elements: object) -> dict[str, Any]:
    """A statement of a trust policy."""
    return {"Effect": effect, "Action": "sts:AssumeRole", "Principal": principal, **elements}


HOME = "arn:aws:s3:::home/${aws:username}/*"
MESSAGES: list[tuple[str, Principal, Permission, str]] = [
    (
        "no identity policy",
        user(),
        asks(),
        f"User: {ANN} is not authorized to perform: {DESCRIBE} on resource: {PACKAGE} "
        f"because no identity-based policy allows the {DESCRIBE} action",
    ),
    (
        "a session is shown as it is",
        session(),
        asks(),
        f"User: {SESSION} is not authorized to perform: {DESCRIBE} on resource: {PACKAGE} "
        f"because no identity-based policy allows the {DESCRIBE} action",
    ),
    (
        "identity deny",
        user(deny()),
        asks(),
        f"on resource: {PACKAGE} with an explicit deny in an identity-based policy",
    ),
    (
        "no resource policy",
        user(allow()),
        asks(arn=FAR_PACKAGE, owner=THERE),
        f"because no resource-based policy allows the {DESCRIBE} action",
    ),
    ("resource deny", user(allow()), on(deny(Principal="*")), "with an explicit deny in a resource-based policy"),
    ("no boundary", user(allow(), boundary=LISTS), asks(), f"because no permissions boundary allows the {DESCRIBE} action"),
    ("boundary deny", user(allow(), boundary=boundary(deny())), asks(), "with an explicit deny in a permissions boundary"),
    (
        "no session policy",
        session(allow(), session_policies=()),
        asks(),
        f"because no session policy allows the {DESCRIBE} action",
    ),
    ("session deny", session(allow(), session_policies=policies(deny())), asks(), "with an explicit deny in a session policy"),
    ("no trust", user(allow()), asks("sts:AssumeRole", ROLE), "because no role trust policy allows the sts:AssumeRole action"),
    ("trust deny", user(allow()), assuming(trust(aws(ANN), "Deny")), "with an explicit deny in the role trust policy"),
    ("unsigned", ANONYMOUS, asks("s3:GetObject", OBJECT), "User: anonymous is not authorized to perform: s3:GetObject"),
]


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "caller", "permission", "text"), MESSAGES, ids=[row[0] for row in MESSAGES])
def test_message(claim: str, caller: Principal, permission: Permission, text: str) -> None:
    """Each row: what the caller is told is in AWS's words."""
    assert text in decided(caller, permission).message, claim


@pytest.mark.ours
def test_decision_shows_its_statements() -> None:
    """A decision names the statements that made it, and the documents they stand in."""
    caller = user(allow("s3:*", Sid="Objects"), allow(DESCRIBE, Sid="Read"))
    decision = decided(caller, on(allow(Sid="for here", Principal=aws(ROOT))))
    assert [(each.statement.sid, each.statement.index) for each in decision.statements] == [("Read", 1), ("for here", 0)]
    assert decision.statements[0].policy is caller.policies[0]
    denied = decided(user(allow(), deny(DESCRIBE, Sid="Never")), asks())
    assert [each.statement.sid for each in denied.statements] == ["Never"]
    assert decided(user(), asks()).statements == ()


@pytest.mark.ours
def test_decisions_do_not_leak_between_callers() -> None:
    """Callers that share policies are decided by themselves: nothing of one request is kept for another."""
    shared = policies(allow(resource=HOME))
    asked = asks("s3:GetObject", "arn:aws:s3:::home/ann/x")
    bob = user(policies=shared, name="bob", arn=ANN.replace("ann", "bob"))
    assert [decided(caller, asked).allowed for caller in (user(policies=shared), bob, user(policies=shared))] == [
        True,
        False,
        True,
    ]
    assert decided(bob, asks("s3:GetObject", "arn:aws:s3:::home/bob/x")).allowed


@pytest.mark.ours
def test_same_policy_text_on_two_resources() -> None:
    """Two resources with the same policy text are decided by themselves."""
    text = json.dumps({"Statement": {"Effect": "Allow", "Principal": {"AWS": ANN}, "Action": "*", "Resource": PACKAGE}})
    assert decided(user(), asks(policy=text)).allowed
    assert not decided(user(), asks(arn=PACKAGE + "1", policy=text)).allowed
