"""What identity policies allow and deny: actions, resources, and what limits them."""

import pytest
from tests.unit.access.policy_cases import (
    ALL,
    ALL_SESSION,
    DESCRIBE,
    FAR_PACKAGE,
    HERE,
    LIST_SESSION,
    LISTS,
    OBJECT,
    PACKAGE,
    THERE,
    Row,
    allow,
    asks,
    boundary,
    decided,
    deny,
    distinct,
    policies,
    session,
    user,
)

from modelyard.access.evaluation import Reason
from modelyard.access.permission import Permission
from modelyard.access.principal import Principal

IDENTITY_ALLOW, NO_IDENTITY = Reason.IDENTITY_ALLOW, Reason.NO_IDENTITY_ALLOW
RESOURCE_ALLOW = Reason.RESOURCE_ALLOW

IDENTITY: list[Row] = [
    ("Nothing is allowed by default", user(), asks(), NO_IDENTITY),
    ("Allow of everything allows", user(allow()), asks(), IDENTITY_ALLOW),
    ("An explicit deny wins over an allow", user(allow(), deny()), asks(), Reason.IDENTITY_DENY),
    ("It wins in whatever order they stand", user(deny(), allow()), asks(), Reason.IDENTITY_DENY),
    ("A deny of another action does not matter", user(allow(), deny("s3:*")), asks(), IDENTITY_ALLOW),
    ("A deny alone allows nothing else", user(deny("s3:*")), asks(), NO_IDENTITY),
    ("An action is matched by its name", user(allow(DESCRIBE)), asks(), IDENTITY_ALLOW),
    ("An action of the same service is another", user(allow("sagemaker:CreateModelPackage")), asks(), NO_IDENTITY),
    ("An action of another service is another", user(allow("s3:DescribeModelPackage")), asks(), NO_IDENTITY),
    ("Actions are compared without case", user(allow("SageMaker:describemodelPACKAGE")), asks(), IDENTITY_ALLOW),
    ("All actions of a service", user(allow("sagemaker:*")), asks(), IDENTITY_ALLOW),
    ("A star within an action", user(allow("sagemaker:Describe*")), asks(), IDENTITY_ALLOW),
    ("A star in front", user(allow("sagemaker:*Package")), asks(), IDENTITY_ALLOW),
    (
        "A star in front does not reach over the end",
        user(allow("sagemaker:*Package")),
        asks("sagemaker:ListModelPackages"),
        NO_IDENTITY,
    ),
    ("A question mark within an action", user(allow("sagemaker:DescribeModelPackag?")), asks(), IDENTITY_ALLOW),
    ("A question mark is one character", user(allow("sagemaker:DescribeModelPackage?")), asks(), NO_IDENTITY),
    ("A prefix of an action is not the action", user(allow("sagemaker:DescribeModel")), asks(), NO_IDENTITY),
    ("Any of several actions", user(allow(["s3:GetObject", DESCRIBE])), asks(), IDENTITY_ALLOW),
    ("NotAction allows what it does not name", user(allow(NotAction="s3:*")), asks(), IDENTITY_ALLOW),
    ("NotAction does not allow what it names", user(allow(NotAction="sagemaker:*")), asks(), NO_IDENTITY),
    ("NotAction of several names", user(allow(NotAction=["s3:*", "sagemaker:Desc*"])), asks(), NO_IDENTITY),
    ("Deny with NotAction denies what it does not name", user(allow(), deny(NotAction="s3:*")), asks(), Reason.IDENTITY_DENY),
    ("Deny with NotAction spares what it names", user(allow(), deny(NotAction="sagemaker:*")), asks(), IDENTITY_ALLOW),
    ("A resource is matched by its ARN", user(allow(resource=PACKAGE)), asks(), IDENTITY_ALLOW),
    ("Another resource does not match", user(allow(resource=PACKAGE + "0")), asks(), NO_IDENTITY),
    ("A prefix of a resource does not match", user(allow(resource=PACKAGE[:-1])), asks(), NO_IDENTITY),
    ("Any of several resources", user(allow(resource=[OBJECT, PACKAGE])), asks(), IDENTITY_ALLOW),
    (
        "A star in the resource crosses slashes",
        user(allow(resource=f"arn:aws:sagemaker:us-east-1:{HERE}:model-package/*")),
        asks(),
        IDENTITY_ALLOW,
    ),
    (
        "A star for region and account",
        user(allow(resource="arn:aws:sagemaker:*:*:model-package/weather/*")),
        asks(),
        IDENTITY_ALLOW,
    ),
    (
        "A star for the account does not reach into the resource",
        user(allow(resource="arn:aws:sagemaker:us-east-1:*:weather/3")),
        asks(),
        NO_IDENTITY,
    ),
    (
        "A star for the region alone",
        user(allow(resource=f"arn:aws:sagemaker:us-*:{HERE}:model-package/weather/3")),
        asks(),
        IDENTITY_ALLOW,
    ),
    ("A question mark in the version", user(allow(resource=PACKAGE[:-1] + "?")), asks(), IDENTITY_ALLOW),
    ("Another account's resource does not match", user(allow(resource=FAR_PACKAGE)), asks(), NO_IDENTITY),
    ("All of a service by an ARN cut short", user(allow(resource="arn:aws:sagemaker:*")), asks(), IDENTITY_ALLOW),
    ("A pattern of another service does not match", user(allow(resource="arn:aws:s3:::*")), asks(), NO_IDENTITY),
    (
        "SageMaker's resources match in the case people write",
        user(allow(resource=f"arn:aws:sagemaker:us-east-1:{HERE}:model-package/Weather/*")),
        asks(),
        IDENTITY_ALLOW,
    ),
    (
        "And in the case that the ARN has",
        user(allow(resource=f"arn:aws:sagemaker:us-east-1:{HERE}:model-package-group/weather")),
        asks(arn=f"arn:aws:sagemaker:us-east-1:{HERE}:model-package-group/Weather"),
        IDENTITY_ALLOW,
    ),
    (
        "A deny matches SageMaker's resources in any case, too",
        user(allow(), deny(resource=PACKAGE.replace("weather", "Weather"))),
        asks(),
        Reason.IDENTITY_DENY,
    ),
    (
        "Resources of S3 are compared with case",
        user(allow(resource=OBJECT.replace("weather", "Weather"))),
        asks("s3:GetObject", OBJECT),
        NO_IDENTITY,
    ),
    ("A bucket is not its objects", user(allow(resource="arn:aws:s3:::models")), asks("s3:GetObject", OBJECT), NO_IDENTITY),
    ("Objects of a bucket", user(allow(resource="arn:aws:s3:::models/*")), asks("s3:GetObject", OBJECT), IDENTITY_ALLOW),
    (
        "Stars between slashes take any number of folders",
        user(allow(resource="arn:aws:s3:::b/*/test/*")),
        asks("s3:GetObject", "arn:aws:s3:::b/1/2/3/test/4/object.jpg"),
        IDENTITY_ALLOW,
    ),
    (
        "Stars between slashes take no text, too",
        user(allow(resource="arn:aws:s3:::b/*/test/*")),
        asks("s3:GetObject", "arn:aws:s3:::b//test/object.jpg"),
        IDENTITY_ALLOW,
    ),
    (
        "Stars between slashes need the slashes",
        user(allow(resource="arn:aws:s3:::b/*/test/*")),
        asks("s3:GetObject", "arn:aws:s3:::b/1-test/object.jpg"),
        NO_IDENTITY,
    ),
    (
        "And all of the name between them",
        user(allow(resource="arn:aws:s3:::b/*/test/*")),
        asks("s3:GetObject", "arn:aws:s3:::b/1/2/test.jpg"),
        NO_IDENTITY,
    ),
    ("An action without a resource needs a star", user(allow(resource="*")), asks("s3:ListAllMyBuckets", "*"), IDENTITY_ALLOW),
    (
        "A pattern of ARNs does not match a star",
        user(allow(resource="arn:aws:s3:::*")),
        asks("s3:ListAllMyBuckets", "*"),
        NO_IDENTITY,
    ),
    ("NotResource allows what it does not name", user(allow(NotResource=OBJECT)), asks(), IDENTITY_ALLOW),
    ("NotResource does not allow what it names", user(allow(NotResource=PACKAGE)), asks(), NO_IDENTITY),
    ("NotResource of several", user(allow(NotResource=[OBJECT, "arn:aws:sagemaker:*:*:*"])), asks(), NO_IDENTITY),
    ("NotResource of a star names everything", user(allow(NotResource="*")), asks(), NO_IDENTITY),
    ("Deny with NotResource denies what it does not name", user(allow(), deny(NotResource=OBJECT)), asks(), Reason.IDENTITY_DENY),
    ("Deny with NotResource spares what it names", user(allow(), deny(NotResource=PACKAGE)), asks(), IDENTITY_ALLOW),
    ("A statement needs action and resource both", user(allow(DESCRIBE, OBJECT), allow("s3:*", PACKAGE)), asks(), NO_IDENTITY),
    ("Allows add up over policies", user(policies=policies(allow("s3:*")) + policies(allow(DESCRIBE))), asks(), IDENTITY_ALLOW),
    ("A deny in any policy wins", user(policies=policies(allow()) + policies(deny(DESCRIBE))), asks(), Reason.IDENTITY_DENY),
    ("A session has its role's policies", session(allow()), asks(), IDENTITY_ALLOW),
    ("A session without policies may nothing", session(), asks(), NO_IDENTITY),
    (
        "Without a resource policy, the policy of the owner's account is missing",
        user(allow()),
        asks(arn=FAR_PACKAGE, owner=THERE),
        Reason.NO_RESOURCE_ALLOW,
    ),
    ("Documents without a version are read as the old one", user(allow(), version=None), asks(), IDENTITY_ALLOW),
]


LIMITS: list[Row] = [
    ("A boundary that allows changes nothing", user(allow(), boundary=ALL), asks(), IDENTITY_ALLOW),
    ("A boundary that does not allow limits", user(allow(), boundary=LISTS), asks(), Reason.NO_BOUNDARY_ALLOW),
    ("A boundary grants nothing by itself", user(boundary=ALL), asks(), NO_IDENTITY),
    ("A deny in a boundary wins", user(allow(), boundary=boundary(allow(), deny(DESCRIBE))), asks(), Reason.BOUNDARY_DENY),
    (
        "A boundary is matched by resource, too",
        user(allow(), boundary=boundary(allow(resource=OBJECT))),
        asks(),
        Reason.NO_BOUNDARY_ALLOW,
    ),
    (
        "A boundary is matched by condition, too",
        user(allow(), boundary=boundary(allow(Condition={"Bool": {"aws:SecureTransport": "false"}}))),
        asks(),
        Reason.NO_BOUNDARY_ALLOW,
    ),
    (
        "A boundary has variables",
        user(
            allow(),
            boundary=boundary(allow(resource="arn:aws:sagemaker:*:*:*/${aws:PrincipalTag/team}/*")),
            tags={"team": "weather"},
        ),
        asks(),
        IDENTITY_ALLOW,
    ),
    ("A session policy that allows changes nothing", session(allow(), session_policies=ALL_SESSION), asks(), IDENTITY_ALLOW),
    (
        "A session policy that does not allow limits",
        session(allow(), session_policies=LIST_SESSION),
        asks(),
        Reason.NO_SESSION_ALLOW,
    ),
    ("A session policy grants nothing by itself", session(session_policies=ALL_SESSION), asks(), NO_IDENTITY),
    (
        "A deny in a session policy wins",
        session(allow(), session_policies=policies(allow(), deny(DESCRIBE))),
        asks(),
        Reason.SESSION_DENY,
    ),
    ("Several session policies add up", session(allow(), session_policies=LIST_SESSION + ALL_SESSION), asks(), IDENTITY_ALLOW),
    (
        "A deny in one of them wins",
        session(allow(), session_policies=ALL_SESSION + policies(deny())),
        asks(),
        Reason.SESSION_DENY,
    ),
    ("An empty list of session policies allows nothing", session(allow(), session_policies=()), asks(), Reason.NO_SESSION_ALLOW),
    (
        "Identity, boundary and session all allow",
        session(allow(), boundary=ALL, session_policies=ALL_SESSION),
        asks(),
        IDENTITY_ALLOW,
    ),
    ("The boundary is missing", session(allow(), boundary=LISTS, session_policies=ALL_SESSION), asks(), Reason.NO_BOUNDARY_ALLOW),
    (
        "The session policy is missing",
        session(allow(), boundary=ALL, session_policies=LIST_SESSION),
        asks(),
        Reason.NO_SESSION_ALLOW,
    ),
    ("The identity policy is missing", session(boundary=ALL, session_policies=ALL_SESSION), asks(), NO_IDENTITY),
    ("A boundary's deny is told before a missing allow", user(boundary=boundary(deny())), asks(), Reason.BOUNDARY_DENY),
]


ROWS = distinct(IDENTITY, LIMITS)


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "caller", "permission", "reason"), ROWS, ids=[row[0] for row in ROWS])
def test_decision(claim: str, caller: Principal, permission: Permission, reason: Reason) -> None:
    """Each row: the decision and its reason."""
    assert decided(caller, permission).reason is reason, claim
