"""Callers, resources and policies that the tests of decisions are written with."""

import json
from typing import Any

from modelyard.access.evaluation import Decision, Reason, decide
from modelyard.access.permission import ConditionValues, Permission, RequestFacts, Resource
from modelyard.access.policy import Policy, PolicyKind, load_policy
from modelyard.access.principal import Principal, PrincipalKind

HERE, THERE = "111111111111", "222222222222"
ANN = f"arn:aws:iam::{HERE}:user/ann"
ROLE = f"arn:aws:iam::{HERE}:role/Builder"
SESSION = f"arn:aws:sts::{HERE}:assumed-role/Builder/run-7"
ROOT = f"arn:aws:iam::{HERE}:root"
PACKAGE = f"arn:aws:sagemaker:us-east-1:{HERE}:model-package/weather/3"
FAR_PACKAGE = f"arn:aws:sagemaker:us-east-1:{THERE}:model-package/weather/3"
FAR_ROLE = f"arn:aws:iam::{THERE}:role/Registrar"
OBJECT = "arn:aws:s3:::models/weather/model.tar.gz"
KEY = f"arn:aws:kms:us-east-1:{HERE}:key/0a"
DESCRIBE = "sagemaker:DescribeModelPackage"

FACTS = RequestFacts(
    now=1_700_000_000.0,  # 2023-11-14T22:13:20Z
    region="eu-west-1",
    source_ip="203.0.113.7",
    secure_transport=True,
    user_agent="Boto3/1.44.5",
)

Json = dict[str, Any]


def allow(action: object = "*", resource: object = "*", **elements: object) -> Json:
    """An Allow statement; an element given as None is left out."""
    return _statement("Allow", action, resource, elements)


def deny(action: object = "*", resource: object = "*", **elements: object) -> Json:
    """A Deny statement; an element given as None is left out."""
    return _statement("Deny", action, resource, elements)


def _statement(effect: str, action: object, resource: object, elements: Json) -> Json:
    given = {"Effect": effect, "Action": action, "Resource": resource, **elements}
    if "NotAction" in elements:
        del given["Action"]
    if "NotResource" in elements:
        del given["Resource"]
    return {name: value for name, value in given.items() if value is not None}


def document(*statements: Json, version: str | None = "2012-10-17") -> str:
    """The text of a policy."""
    return json.dumps(({"Version": version} if version else {}) | {"Statement": list(statements)})


def policies(*statements: Json, version: str | None = "2012-10-17") -> tuple[Policy, ...]:
    """The identity policies of a caller: one that has these statements, or none."""
    return (load_policy(document(*statements, version=version)),) if statements else ()


def boundary(*statements: Json) -> Policy:
    """A permissions boundary."""
    return load_policy(document(*statements), PolicyKind.BOUNDARY)


def user(*statements: Json, version: str | None = "2012-10-17", **fields: Any) -> Principal:
    """The user ann of this account."""
    given: Json = {"arn": ANN, "account": HERE, "kind": PrincipalKind.USER, "unique_id": "AIDAANNANNANN", "name": "ann"}
    return Principal(**(given | {"policies": policies(*statements, version=version)} | fields))


def session(*statements: Json, **fields: Any) -> Principal:
    """A session of the role Builder of this account."""
    given: Json = {
        "arn": SESSION,
        "account": HERE,
        "kind": PrincipalKind.ASSUMED_ROLE,
        "unique_id": "AROABUILDERXX:run-7",
        "name": "Builder/run-7",
        "role_arn": ROLE,
    }
    return Principal(**(given | {"policies": policies(*statements)} | fields))


def root(account: str = HERE, *statements: Json) -> Principal:
    """The root user of an account."""
    return Principal(f"arn:aws:iam::{account}:root", account, PrincipalKind.ROOT, account, "root", policies=policies(*statements))


def service(name: str = "sagemaker.amazonaws.com") -> Principal:
    """A service that acts by itself."""
    return Principal(name, "", PrincipalKind.SERVICE, name, name)


ANONYMOUS = Principal("*", "anonymous", PrincipalKind.ANONYMOUS, "anonymous", "anonymous")


def asks(
    action: str = DESCRIBE,
    arn: str = PACKAGE,
    *,
    owner: str = HERE,
    policy: str | None = None,
    tags: dict[str, str] | None = None,
    conditions: ConditionValues | None = None,
) -> Permission:
    """What is asked for."""
    return Permission(action, Resource(arn, owner, tags or {}, policy), conditions or {})


LISTS = boundary(allow("sagemaker:List*"))
ALL = boundary(allow())
ALL_SESSION = policies(allow())
LIST_SESSION = policies(allow("sagemaker:List*"))

Row = tuple[str, Principal, Permission, Reason]
"""A sentence that claims something, who asks, for what, and why the answer is what it is."""

ALLOWING = {Reason.ROOT, Reason.IDENTITY_ALLOW, Reason.RESOURCE_ALLOW, Reason.BOTH_ALLOW}


def decided(caller: Principal, permission: Permission) -> Decision:
    """The decision; it has a reason to allow, or a message for the caller."""
    decision = decide(caller, permission, FACTS)
    assert decision.allowed is (decision.reason in ALLOWING)
    assert decision.allowed is not bool(decision.message)
    return decision


def distinct(*tables: list[Row]) -> list[Row]:
    """The rows of several tables, whose claims all differ."""
    rows = [row for table in tables for row in table]
    assert len({row[0] for row in rows}) == len(rows)
    return rows


def on(*statements: Json, action: str = DESCRIBE, arn: str = PACKAGE, owner: str = HERE) -> Permission:
    """Ask for a resource that has a policy of these statements."""
    return asks(action, arn, owner=owner, policy=document(*statements))


def aws(*names: str) -> dict[str, list[str]]:
    """A Principal element of AWS principals."""
    return {"AWS": list(names)}
