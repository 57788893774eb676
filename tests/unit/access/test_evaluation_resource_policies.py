"""Resource policies within one account, and who their principals are."""

from dataclasses import replace

import pytest
from tests.unit.access.policy_cases import (
    ALL,
    ALL_SESSION,
    ANN,
    ANONYMOUS,
    HERE,
    LIST_SESSION,
    LISTS,
    OBJECT,
    ROLE,
    ROOT,
    SESSION,
    Row,
    allow,
    asks,
    aws,
    boundary,
    decided,
    deny,
    distinct,
    on,
    policies,
    root,
    service,
    session,
    user,
)

from modelyard.access.evaluation import Reason
from modelyard.access.permission import Permission
from modelyard.access.policy_principals import canonical_user_id
from modelyard.access.principal import Principal

IDENTITY_ALLOW, NO_IDENTITY = Reason.IDENTITY_ALLOW, Reason.NO_IDENTITY_ALLOW
RESOURCE_ALLOW = Reason.RESOURCE_ALLOW

LETS_ANN = on(allow(Principal=aws(ANN)))
LETS_ROLE = on(allow(Principal=aws(ROLE)))
LETS_SESSION = on(allow(Principal=aws(SESSION)))
LETS_ACCOUNT = on(allow(Principal=aws(ROOT)))
LETS_ALL = on(allow(Principal="*"))

SAME_ACCOUNT: list[Row] = [
    ("A resource policy that names the user is enough", user(), LETS_ANN, RESOURCE_ALLOW),
    ("One that names another user is not", user(), on(allow(Principal=aws(ANN + "a"))), NO_IDENTITY),
    ("Names of users are compared with case", user(), on(allow(Principal=aws(ANN.replace("ann", "Ann")))), NO_IDENTITY),
    (
        "An identity policy is enough with a resource policy that says nothing",
        user(allow()),
        on(allow("s3:*", Principal="*")),
        IDENTITY_ALLOW,
    ),
    ("A resource policy for another action is not", user(), on(allow("s3:*", Principal=aws(ANN))), NO_IDENTITY),
    ("A resource policy for another resource is not", user(), on(allow(resource=OBJECT, Principal=aws(ANN))), NO_IDENTITY),
    (
        "A resource policy without Resource is for its resource",
        user(),
        on(allow(resource=None, Principal=aws(ANN))),
        RESOURCE_ALLOW,
    ),
    (
        "A resource policy with a condition that is not met",
        user(),
        on(allow(Principal=aws(ANN), Condition={"Bool": {"aws:SecureTransport": "false"}})),
        NO_IDENTITY,
    ),
    (
        "A resource policy with a condition that is met",
        user(),
        on(allow(Principal=aws(ANN), Condition={"Bool": {"aws:SecureTransport": "true"}})),
        RESOURCE_ALLOW,
    ),
    ("A deny in a resource policy wins over identity", user(allow()), on(deny(Principal=aws(ANN))), Reason.RESOURCE_DENY),
    (
        "A deny in a resource policy wins over its own allow",
        user(allow()),
        on(allow(Principal=aws(ANN)), deny(Principal="*")),
        Reason.RESOURCE_DENY,
    ),
    ("A deny for others does not matter", user(allow()), on(deny(Principal=aws(ROLE))), IDENTITY_ALLOW),
    ("A deny in an identity policy wins over a resource policy", user(deny()), LETS_ANN, Reason.IDENTITY_DENY),
    ("Naming the account leaves it to identity policies: none", user(), LETS_ACCOUNT, NO_IDENTITY),
    ("Naming the account leaves it to identity policies: one", user(allow()), LETS_ACCOUNT, Reason.BOTH_ALLOW),
    ("The bare account number is the same", user(allow()), on(allow(Principal=aws(HERE))), Reason.BOTH_ALLOW),
    ("Denying the account denies all in it", user(allow()), on(deny(Principal=aws(HERE))), Reason.RESOURCE_DENY),
    ("Denying the account denies its sessions", session(allow()), on(deny(Principal=aws(ROOT))), Reason.RESOURCE_DENY),
    ("A star lets everyone in", user(), LETS_ALL, RESOURCE_ALLOW),
    ("A star as AWS principal, too", user(), on(allow(Principal=aws("*"))), RESOURCE_ALLOW),
    ("A resource policy that names the role lets its sessions in", session(), LETS_ROLE, RESOURCE_ALLOW),
    ("One that names the session, too", session(), LETS_SESSION, RESOURCE_ALLOW),
    ("One that names another session does not", session(), on(allow(Principal=aws(SESSION + "1"))), NO_IDENTITY),
    ("One that names another role does not", session(), on(allow(Principal=aws(ROLE + "s"))), NO_IDENTITY),
    ("Denying the role denies its sessions", session(allow()), on(deny(Principal=aws(ROLE))), Reason.RESOURCE_DENY),
    ("Denying one session", session(allow()), on(deny(Principal=aws(SESSION))), Reason.RESOURCE_DENY),
    ("Any of several principals", user(), on(allow(Principal=aws(ROLE, ANN))), RESOURCE_ALLOW),
    (
        "A service's principal does not let users in",
        user(),
        on(allow(Principal={"Service": "sagemaker.amazonaws.com"})),
        NO_IDENTITY,
    ),
    ("A federated principal lets nobody in", user(), on(allow(Principal={"Federated": "accounts.google.com"})), NO_IDENTITY),
    ("A user by unique id", user(), on(allow(Principal=aws("AIDAANNANNANN"))), RESOURCE_ALLOW),
    ("Another unique id", user(), on(allow(Principal=aws("AIDABOBBOBBOB"))), NO_IDENTITY),
    ("A role by unique id", session(boundary=LISTS), on(allow(Principal=aws("AROABUILDERXX"))), Reason.NO_BOUNDARY_ALLOW),
    (
        "A canonical user is its account",
        user(allow()),
        on(allow(Principal={"CanonicalUser": canonical_user_id(HERE)})),
        Reason.BOTH_ALLOW,
    ),
    (
        "A canonical user can be denied",
        user(allow()),
        on(deny(Principal={"CanonicalUser": canonical_user_id(HERE)})),
        Reason.RESOURCE_DENY,
    ),
    ("What is granted to the user is not limited by its boundary", user(boundary=LISTS), LETS_ANN, RESOURCE_ALLOW),
    ("What is granted to the session is not limited by a boundary", session(boundary=LISTS), LETS_SESSION, RESOURCE_ALLOW),
    (
        "What is granted to the session is not limited by a session policy",
        session(session_policies=LIST_SESSION),
        LETS_SESSION,
        RESOURCE_ALLOW,
    ),
    ("What is granted to the role is limited by a boundary", session(boundary=LISTS), LETS_ROLE, Reason.NO_BOUNDARY_ALLOW),
    (
        "What is granted to the role is limited by a session policy",
        session(session_policies=LIST_SESSION),
        LETS_ROLE,
        Reason.NO_SESSION_ALLOW,
    ),
    (
        "What is granted to the role and allowed by both",
        session(boundary=ALL, session_policies=ALL_SESSION),
        LETS_ROLE,
        RESOURCE_ALLOW,
    ),
    (
        "What is granted to the account is limited by a boundary",
        user(allow(), boundary=LISTS),
        LETS_ACCOUNT,
        Reason.NO_BOUNDARY_ALLOW,
    ),
    ("What is granted to everyone is not limited by a boundary", user(boundary=LISTS), LETS_ALL, RESOURCE_ALLOW),
    (
        "What is granted by aws:PrincipalArn to everyone is not limited by a boundary",
        session(boundary=LISTS),
        on(allow(Principal="*", Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}})),
        RESOURCE_ALLOW,
    ),
    (
        "The most direct of several grants counts",
        session(boundary=LISTS),
        on(allow(Principal=aws(ROLE)), allow(Principal=aws(SESSION))),
        RESOURCE_ALLOW,
    ),
    ("A boundary's explicit deny limits even a direct grant", user(boundary=boundary(deny())), LETS_ANN, Reason.BOUNDARY_DENY),
    ("A session policy's explicit deny, too", session(session_policies=policies(deny())), LETS_SESSION, Reason.SESSION_DENY),
    ("The root user has everything in its account", root(), asks(), Reason.ROOT),
    ("The root user is denied by a resource policy", root(), on(deny(Principal="*")), Reason.RESOURCE_DENY),
    (
        "The root user can repair a bucket policy that denies it",
        root(),
        on(deny(Principal="*"), action="s3:PutBucketPolicy", arn="arn:aws:s3:::models"),
        Reason.ROOT,
    ),
    (
        "Nobody else can",
        user(allow()),
        on(deny(Principal="*"), action="s3:PutBucketPolicy", arn="arn:aws:s3:::models"),
        Reason.RESOURCE_DENY,
    ),
    ("Denying the account's root denies the root user", root(), on(deny(Principal=aws(ROOT))), Reason.RESOURCE_DENY),
]


ANN_EXCEPT = on(deny(Principal=None, NotPrincipal=aws(ANN, ROOT)))
NOT_PRINCIPAL: list[Row] = [
    ("Deny with NotPrincipal spares the user it names", user(allow()), ANN_EXCEPT, IDENTITY_ALLOW),
    ("It denies others of the account", replace(user(allow()), arn=ANN + "2"), ANN_EXCEPT, Reason.RESOURCE_DENY),
    ("It denies sessions of the account", session(allow()), ANN_EXCEPT, Reason.RESOURCE_DENY),
    ("It denies unsigned callers", ANONYMOUS, ANN_EXCEPT, Reason.RESOURCE_DENY),
    ("It grants nothing to whom it spares", user(), ANN_EXCEPT, NO_IDENTITY),
    (
        "Naming the account alone does not spare its users",
        user(allow()),
        on(deny(Principal=None, NotPrincipal=aws(ROOT))),
        Reason.RESOURCE_DENY,
    ),
    ("Naming the account spares its root user", root(), on(deny(Principal=None, NotPrincipal=aws(ROOT))), Reason.ROOT),
    (
        "A session is spared when session, role and account are named",
        session(allow()),
        on(deny(Principal=None, NotPrincipal=aws(SESSION, ROLE, ROOT))),
        IDENTITY_ALLOW,
    ),
    (
        "Naming the role alone does not spare its sessions",
        session(allow()),
        on(deny(Principal=None, NotPrincipal=aws(ROLE, ROOT))),
        Reason.RESOURCE_DENY,
    ),
    ("Callers with a boundary are always denied", user(allow(), boundary=ALL), ANN_EXCEPT, Reason.RESOURCE_DENY),
    (
        "A service that is named is spared",
        service(),
        on(deny(Principal=None, NotPrincipal={"Service": "sagemaker.amazonaws.com"}), allow(Principal="*")),
        RESOURCE_ALLOW,
    ),
    (
        "A service that is not named is denied",
        service("s3.amazonaws.com"),
        on(deny(Principal=None, NotPrincipal={"Service": "sagemaker.amazonaws.com"}), allow(Principal="*")),
        Reason.RESOURCE_DENY,
    ),
]


ROWS = distinct(SAME_ACCOUNT, NOT_PRINCIPAL)


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "caller", "permission", "reason"), ROWS, ids=[row[0] for row in ROWS])
def test_decision(claim: str, caller: Principal, permission: Permission, reason: Reason) -> None:
    """Each row: the decision and its reason."""
    assert decided(caller, permission).reason is reason, claim
