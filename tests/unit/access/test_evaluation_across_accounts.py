"""Across accounts, for unsigned callers and for services."""

from typing import Any

import pytest
from tests.unit.access.policy_cases import (
    ANN,
    ANONYMOUS,
    DESCRIBE,
    FAR_PACKAGE,
    HERE,
    KEY,
    LIST_SESSION,
    LISTS,
    OBJECT,
    PACKAGE,
    ROLE,
    ROOT,
    SESSION,
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
    root,
    service,
    session,
    user,
)

from modelyard.access.evaluation import Reason
from modelyard.access.permission import Permission
from modelyard.access.principal import Principal

IDENTITY_ALLOW, NO_IDENTITY = Reason.IDENTITY_ALLOW, Reason.NO_IDENTITY_ALLOW
RESOURCE_ALLOW = Reason.RESOURCE_ALLOW


def far(*statements: dict[str, Any], action: str = "sagemaker:CreateModelPackage") -> Permission:
    """Ask for a package of the other account, under a policy of these statements."""
    return on(*statements, action=action, arn=FAR_PACKAGE, owner=THERE)


FAR_ACCOUNT = far(allow(Principal=aws(ROOT)))
CROSS_ACCOUNT: list[Row] = [
    ("Both sides allow", user(allow()), FAR_ACCOUNT, Reason.BOTH_ALLOW),
    ("The resource side alone is not enough", user(), FAR_ACCOUNT, NO_IDENTITY),
    ("The identity side alone is not enough", user(allow()), asks(arn=FAR_PACKAGE, owner=THERE), Reason.NO_RESOURCE_ALLOW),
    ("Naming the user directly does not replace the identity side", user(), far(allow(Principal=aws(ANN))), NO_IDENTITY),
    ("Naming the user with both sides", user(allow()), far(allow(Principal=aws(ANN))), Reason.BOTH_ALLOW),
    ("Naming another account", user(allow()), far(allow(Principal=aws("333333333333"))), Reason.NO_RESOURCE_ALLOW),
    ("A star with both sides", user(allow()), far(allow(Principal="*")), Reason.BOTH_ALLOW),
    ("A star does not replace the identity side", user(), far(allow(Principal="*")), NO_IDENTITY),
    (
        "A deny on the resource side wins",
        user(allow()),
        far(allow(Principal=aws(HERE)), deny(Principal=aws(ANN))),
        Reason.RESOURCE_DENY,
    ),
    ("A deny on the identity side wins", user(allow(), deny()), FAR_ACCOUNT, Reason.IDENTITY_DENY),
    ("The boundary limits the identity side", user(allow(), boundary=LISTS), FAR_ACCOUNT, Reason.NO_BOUNDARY_ALLOW),
    (
        "Naming the user does not lift the boundary across accounts",
        user(allow(), boundary=LISTS),
        far(allow(Principal=aws(ANN))),
        Reason.NO_BOUNDARY_ALLOW,
    ),
    (
        "Naming the session does not lift the session policy across accounts",
        session(allow(), session_policies=LIST_SESSION),
        far(allow(Principal=aws(SESSION))),
        Reason.NO_SESSION_ALLOW,
    ),
    ("A session by its role", session(allow()), far(allow(Principal=aws(ROLE))), Reason.BOTH_ALLOW),
    ("A session by its own ARN", session(allow()), far(allow(Principal=aws(SESSION))), Reason.BOTH_ALLOW),
    ("An identity policy for other resources is not enough", user(allow(resource=PACKAGE)), FAR_ACCOUNT, NO_IDENTITY),
    (
        "A resource policy for another action is not enough",
        user(allow()),
        far(allow(DESCRIBE, Principal=aws(HERE))),
        Reason.NO_RESOURCE_ALLOW,
    ),
    (
        "The group policy of the mission",
        user(allow("sagemaker:CreateModelPackage")),
        far(
            allow(
                "sagemaker:CreateModelPackage",
                f"arn:aws:sagemaker:us-east-1:{THERE}:model-package/Weather/*",
                Principal=aws(ROOT),
            )
        ),
        Reason.BOTH_ALLOW,
    ),
    ("The root user needs the resource side", root(), asks(arn=FAR_PACKAGE, owner=THERE), Reason.NO_RESOURCE_ALLOW),
    ("The root user with the resource side", root(), FAR_ACCOUNT, RESOURCE_ALLOW),
    ("The other account's root is nobody here", root(THERE), asks(), Reason.NO_RESOURCE_ALLOW),
    (
        "Tags of the resource count across accounts",
        user(allow()),
        asks(
            arn=FAR_PACKAGE,
            owner=THERE,
            tags={"p": "1"},
            policy=document(allow(Principal=aws(HERE), Condition={"StringEquals": {"aws:ResourceTag/p": "1"}})),
        ),
        Reason.BOTH_ALLOW,
    ),
    (
        "A condition on the caller's account",
        user(allow()),
        far(allow(Principal="*", Condition={"StringEquals": {"aws:PrincipalAccount": THERE}})),
        Reason.NO_RESOURCE_ALLOW,
    ),
]


PUBLIC = on(allow("s3:GetObject", "arn:aws:s3:::models/*", Principal="*"), action="s3:GetObject", arn=OBJECT)
WITHOUT_IDENTITY: list[Row] = [
    ("An unsigned caller may nothing", ANONYMOUS, asks("s3:GetObject", OBJECT), Reason.NO_RESOURCE_ALLOW),
    ("An unsigned caller under a public policy", ANONYMOUS, PUBLIC, RESOURCE_ALLOW),
    (
        "An unsigned caller is no AWS account",
        ANONYMOUS,
        on(allow(Principal=aws(ROOT)), action="s3:GetObject", arn=OBJECT),
        Reason.NO_RESOURCE_ALLOW,
    ),
    (
        "An unsigned caller is denied with everyone",
        ANONYMOUS,
        on(allow(Principal="*"), deny(Principal="*"), action="s3:GetObject", arn=OBJECT),
        Reason.RESOURCE_DENY,
    ),
    (
        "An unsigned caller within a condition",
        ANONYMOUS,
        on(allow(Principal="*", Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})),
        RESOURCE_ALLOW,
    ),
    (
        "An unsigned caller outside a condition",
        ANONYMOUS,
        on(allow(Principal="*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
        Reason.NO_RESOURCE_ALLOW,
    ),
    ("A service that is named", service(), on(allow(Principal={"Service": "sagemaker.amazonaws.com"})), RESOURCE_ALLOW),
    (
        "A service that is not named",
        service(),
        on(allow(Principal={"Service": ["lambda.amazonaws.com"]})),
        Reason.NO_RESOURCE_ALLOW,
    ),
    ("A service without a resource policy", service(), asks(), Reason.NO_RESOURCE_ALLOW),
    (
        "A service is denied with everyone",
        service(),
        on(allow(Principal={"Service": "sagemaker.amazonaws.com"}), deny(Principal="*")),
        Reason.RESOURCE_DENY,
    ),
]


KEY_POLICIES: list[Row] = [
    (
        "A key policy that enables identity policies",
        user(allow("kms:Decrypt", KEY)),
        on(allow("kms:*", Principal=aws(ROOT)), action="kms:Decrypt", arn=KEY),
        Reason.BOTH_ALLOW,
    ),
    (
        "A key policy that does not: identity policies mean nothing",
        user(allow()),
        on(allow("kms:*", Principal=aws(ROLE)), action="kms:Decrypt", arn=KEY),
        Reason.NO_RESOURCE_ALLOW,
    ),
    (
        "A key policy that names the user is enough",
        user(),
        on(allow("kms:*", Principal=aws(ANN)), action="kms:Decrypt", arn=KEY),
        RESOURCE_ALLOW,
    ),
    (
        "Another account: both",
        user(allow()),
        on(allow("kms:Decrypt", Principal=aws(ROOT)), action="kms:Decrypt", arn=KEY, owner=THERE),
        Reason.BOTH_ALLOW,
    ),
    (
        "The root user of an account has no right to a key whose policy does not name it",
        root(HERE),
        on(allow("kms:*", Principal=aws(ANN)), action="kms:Decrypt", arn=KEY),
        Reason.NO_RESOURCE_ALLOW,
    ),
    (
        "The root user that the key policy names",
        root(HERE),
        on(allow("kms:*", Principal=aws(ROOT)), action="kms:Decrypt", arn=KEY),
        RESOURCE_ALLOW,
    ),
    ("Making a key has no key policy yet", user(allow()), asks("kms:CreateKey", "*"), IDENTITY_ALLOW),
]


ROWS = distinct(CROSS_ACCOUNT, WITHOUT_IDENTITY, KEY_POLICIES)


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "caller", "permission", "reason"), ROWS, ids=[row[0] for row in ROWS])
def test_decision(claim: str, caller: Principal, permission: Permission, reason: Reason) -> None:
    """Each row: the decision and its reason."""
    assert decided(caller, permission).reason is reason, claim
