"""Services that act for somebody, and grants on keys: decisions that look at more than policies of the caller."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.unit.access.policy_cases import (
    ANN,
    FACTS,
    HERE,
    KEY,
    LIST_SESSION,
    LISTS,
    ROLE,
    ROOT,
    SESSION,
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

from modelyard.access.evaluation import Reason, decide
from modelyard.access.permission import Grant, Permission, RequestFacts
from modelyard.access.principal import Principal

QUEUE = f"arn:aws:sqs:us-east-1:{HERE}:approvals"
RULE = f"arn:aws:events:us-east-1:{HERE}:rule/approved"
EVENTS = service("events.amazonaws.com")
FOR_RULE = replace(FACTS, source_arn=RULE, source_account=HERE)
FOR_OTHERS = replace(FACTS, source_arn=RULE.replace(HERE, THERE), source_account=THERE)
NO_RESOURCE = Reason.NO_RESOURCE_ALLOW


def queue(principal: object, effect: Callable[..., dict[str, object]] = allow, **condition: dict[str, object]) -> Permission:
    """Sending to a queue under a policy of one statement."""
    elements = {"Condition": condition} if condition else {}
    return asks("sqs:SendMessage", QUEUE, policy=document(effect("sqs:SendMessage", QUEUE, Principal=principal, **elements)))


NAMED = {"Service": "events.amazonaws.com"}
SERVICES: list[tuple[str, Principal, Permission, RequestFacts, Reason]] = [
    ("A service that is named acts for anybody", EVENTS, queue(NAMED), FOR_OTHERS, Reason.RESOURCE_ALLOW),
    (
        "For the rule that the policy names",
        EVENTS,
        queue(NAMED, ArnEquals={"aws:SourceArn": RULE}),
        FOR_RULE,
        Reason.RESOURCE_ALLOW,
    ),
    ("Not for the rule of another account", EVENTS, queue(NAMED, ArnEquals={"aws:SourceArn": RULE}), FOR_OTHERS, NO_RESOURCE),
    (
        "For rules of a pattern",
        EVENTS,
        queue(NAMED, ArnLike={"aws:SourceArn": f"arn:aws:events:*:{HERE}:rule/*"}),
        FOR_RULE,
        Reason.RESOURCE_ALLOW,
    ),
    (
        "A star in the account does not reach over colons",
        EVENTS,
        queue(NAMED, ArnLike={"aws:SourceArn": "arn:aws:events:*:rule/*"}),
        FOR_RULE,
        NO_RESOURCE,
    ),
    (
        "For the account that the policy names",
        EVENTS,
        queue(NAMED, StringEquals={"aws:SourceAccount": HERE}),
        FOR_RULE,
        Reason.RESOURCE_ALLOW,
    ),
    ("Not for another account", EVENTS, queue(NAMED, StringEquals={"aws:SourceAccount": HERE}), FOR_OTHERS, NO_RESOURCE),
    ("Not when it acts for nobody known", EVENTS, queue(NAMED, StringEquals={"aws:SourceAccount": HERE}), FACTS, NO_RESOURCE),
    (
        "IfExists lets a service act for nobody known",
        EVENTS,
        queue(NAMED, StringEqualsIfExists={"aws:SourceAccount": HERE}),
        FACTS,
        Reason.RESOURCE_ALLOW,
    ),
    (
        "IfExists does not let it act for others",
        EVENTS,
        queue(NAMED, StringEqualsIfExists={"aws:SourceAccount": HERE}),
        FOR_OTHERS,
        NO_RESOURCE,
    ),
    (
        "Everyone, as long as it is for the account",
        EVENTS,
        queue("*", StringEquals={"aws:SourceAccount": HERE}),
        FOR_RULE,
        Reason.RESOURCE_ALLOW,
    ),
    (
        "A user brings no source account",
        user(),
        queue("*", StringEquals={"aws:SourceAccount": HERE}),
        FACTS,
        Reason.NO_IDENTITY_ALLOW,
    ),
    ("Another service", service("s3.amazonaws.com"), queue(NAMED), FOR_RULE, NO_RESOURCE),
    ("Naming the account names no service", EVENTS, queue(aws(ROOT)), FOR_RULE, NO_RESOURCE),
    (
        "A deny of what is not by a service spares services",
        EVENTS,
        asks(
            "sqs:SendMessage",
            QUEUE,
            policy=document(
                allow(Principal=NAMED), deny(Principal="*", Condition={"Bool": {"aws:PrincipalIsAWSService": "false"}})
            ),
        ),
        FOR_RULE,
        Reason.RESOURCE_ALLOW,
    ),
    (
        "And denies users",
        user(allow()),
        queue("*", deny, Bool={"aws:PrincipalIsAWSService": "false"}),
        FACTS,
        Reason.RESOURCE_DENY,
    ),
    (
        "A deny of other sources denies what has none",
        EVENTS,
        asks(
            "sqs:SendMessage",
            QUEUE,
            policy=document(
                allow(Principal=NAMED), deny(Principal="*", Condition={"StringNotEquals": {"aws:SourceAccount": HERE}})
            ),
        ),
        FACTS,
        Reason.RESOURCE_DENY,
    ),
    (
        "A service that makes a call for a user says so",
        user(allow(Condition={"Bool": {"aws:ViaAWSService": "true"}})),
        asks(),
        replace(FACTS, via_service="s3.us-east-1.amazonaws.com"),
        Reason.IDENTITY_ALLOW,
    ),
]


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "caller", "permission", "facts", "reason"), SERVICES, ids=[row[0] for row in SERVICES])
def test_service(claim: str, caller: Principal, permission: Permission, facts: RequestFacts, reason: Reason) -> None:
    """Each row: services, and whom they act for."""
    assert decide(caller, permission, facts).reason is reason, claim


GRANTED_ELSEWHERE = document(allow("kms:*", Principal=aws(f"arn:aws:iam::{HERE}:role/Keeper")))


def decrypting(*grantees: str, policy: str = GRANTED_ELSEWHERE, owner: str = HERE) -> Permission:
    """Decrypting under a key with grants to these principals."""
    permission = asks("kms:Decrypt", KEY.replace(HERE, owner), owner=owner, policy=policy)
    grants = tuple(Grant(f"grant-{number}", ("AWS", name)) for number, name in enumerate(grantees))
    return replace(permission, resource=replace(permission.resource, grants=lambda: grants))


FAR = user(account=THERE, arn=ANN.replace(HERE, THERE))
GRANTS: list[tuple[str, Principal, Permission, Reason]] = [
    ("Without a grant the key policy decides", user(allow()), decrypting(), NO_RESOURCE),
    ("A grant to the user is enough", user(), decrypting(ANN), Reason.GRANT_ALLOW),
    ("A grant to another user is none", user(allow()), decrypting(ANN + "2"), NO_RESOURCE),
    ("A grant to the role reaches its sessions", session(), decrypting(ROLE), Reason.GRANT_ALLOW),
    ("A grant to the session", session(), decrypting(SESSION), Reason.GRANT_ALLOW),
    ("A grant to the account leaves it to identity policies: none", user(), decrypting(ROOT), Reason.NO_IDENTITY_ALLOW),
    ("A grant to the account leaves it to identity policies: one", user(allow("kms:*")), decrypting(ROOT), Reason.GRANT_ALLOW),
    ("One of several", user(), decrypting(ANN + "2", ANN), Reason.GRANT_ALLOW),
    ("Across accounts", FAR, decrypting(FAR.arn), Reason.GRANT_ALLOW),
    ("Across accounts, to the account alone", FAR, decrypting(f"arn:aws:iam::{THERE}:root"), Reason.NO_IDENTITY_ALLOW),
    ("A deny in the key policy wins", user(), decrypting(ANN, policy=document(deny(Principal="*"))), Reason.RESOURCE_DENY),
    ("A deny of the caller wins", user(deny("kms:*")), decrypting(ANN), Reason.IDENTITY_DENY),
    ("A boundary does not limit a grant to the user", user(boundary=LISTS), decrypting(ANN), Reason.GRANT_ALLOW),
    ("A deny in a boundary does", user(boundary=boundary(deny())), decrypting(ANN), Reason.BOUNDARY_DENY),
    (
        "A boundary limits a grant to the role",
        session(boundary=LISTS),
        decrypting(ROLE),
        Reason.NO_BOUNDARY_ALLOW,
    ),
    (
        "Session policies limit a grant to the role",
        session(session_policies=LIST_SESSION),
        decrypting(ROLE),
        Reason.NO_SESSION_ALLOW,
    ),
    ("But not one to the session", session(session_policies=LIST_SESSION), decrypting(SESSION), Reason.GRANT_ALLOW),
    ("The root user with a grant to the account", root(), decrypting(ROOT), Reason.GRANT_ALLOW),
    ("A service", EVENTS, decrypting(ANN), NO_RESOURCE),
    (
        "A broken policy of the caller denies, whatever was granted",
        user(policies=policies(deny(Condition={"Nonsense": {"a:b": "c"}}))),
        decrypting(ANN),
        Reason.IDENTITY_DENY,
    ),
]


@pytest.mark.ours
@pytest.mark.parametrize(("claim", "caller", "permission", "reason"), GRANTS, ids=[row[0] for row in GRANTS])
def test_grant(claim: str, caller: Principal, permission: Permission, reason: Reason) -> None:
    """Each row: what grants on a key add to its policy."""
    assert decide(caller, permission, FACTS).reason is reason, claim
