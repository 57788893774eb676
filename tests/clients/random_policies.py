"""Cases made at random, always the same ones: callers, policies of every kind on both sides, and requests they may speak of."""

from random import Random
from typing import Any

from tests.clients.evaluation_cases import Case
from tests.unit.access.policy_cases import (
    ANN,
    ANONYMOUS,
    DESCRIBE,
    FACTS,
    FAR_ROLE,
    HERE,
    KEY,
    OBJECT,
    PACKAGE,
    ROLE,
    ROOT,
    SESSION,
    THERE,
    asks,
    boundary,
    document,
    policies,
    service,
    session,
    user,
)

from modelyard.access.permission import Permission
from modelyard.access.principal import Principal

Json = dict[str, Any]

TAGS: list[dict[str, str]] = [{}, {"team": "weather"}, {"team": "fraud", "level": "7"}, {"level": "12"}]
REQUESTED: list[dict[str, Any]] = [
    {},
    {"aws:RequestTag/team": "weather", "aws:TagKeys": ("team",)},
    {"aws:RequestTag/team": "fraud", "aws:RequestTag/cost": "1", "aws:TagKeys": ("team", "cost")},
    {"sagemaker:ModelApprovalStatus": "Approved"},
    {"sagemaker:ModelApprovalStatus": "PendingManualApproval"},
]
ACTIONS = {
    "sagemaker": [
        "*",
        "sagemaker:*",
        DESCRIBE,
        "sagemaker:Describe*",
        "SageMaker:*ModelPackage",
        "sagemaker:Descri?eModelPackage",
    ],
    "s3": ["*", "s3:*", "s3:GetObject", "s3:Get*", "s3:Put*"],
    "kms": ["*", "kms:*", "kms:Decrypt", "kms:Encrypt"],
    "sts": ["*", "sts:*", "sts:AssumeRole"],
}
OTHER_ACTIONS = ["iam:*", "sagemaker:List*", "s3:ListBucket"]
RESOURCES = {
    "sagemaker": [
        "*",
        PACKAGE,
        "arn:aws:sagemaker:*:*:model-package/*",
        f"arn:aws:sagemaker:us-*:{HERE}:model-package/weather/*",
        "arn:aws:sagemaker:us-east-1:*:model-package/*/3",
        "arn:aws:sagemaker:*:*:model-package/${aws:PrincipalTag/team}/*",
        "arn:aws:sagemaker:*:*:model-package/${aws:PrincipalTag/team, 'weather'}/?",
        "arn:aws:sagemaker:*:*:model-package-group/*",
    ],
    "s3": [
        "*",
        OBJECT,
        "arn:aws:s3:::models/*",
        "arn:aws:s3:::models/weather/*.gz",
        "arn:aws:s3:::models/${aws:PrincipalTag/team}/*",
        "arn:aws:s3:::m?dels/*/model*",
        "arn:aws:s3:::other/*",
    ],
    "kms": ["*", KEY, f"arn:aws:kms:*:{HERE}:key/*", f"arn:aws:kms:*:{THERE}:key/*"],
    "sts": ["*", ROLE, f"arn:aws:iam::{HERE}:role/*", f"arn:aws:iam::*:role/{'Reg*'}"],
}
SETS = ("", "ForAnyValue:", "ForAllValues:")
NAMES = ["AWS", "AWS", "AWS", "*", "Service"]
WHO = [ANN, ROLE, SESSION, ROOT, HERE, THERE, f"arn:aws:iam::{THERE}:root", "*"]


class Maker:
    """Makes cases out of one seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def cases(self, number: int) -> list[Case]:
        """So many of them."""
        return [self._case(each) for each in range(number)]

    def _case(self, number: int) -> Case:
        name = self._random.choice(["sagemaker", "sagemaker", "s3", "s3", "kms", "sts"])
        return Case(f"random {number}", self._caller(name), self._permission(name), FACTS)

    def _caller(self, name: str) -> Principal:
        kind = self._random.choice(["user", "user", "session", "session", "far user", "far session", "service", "nobody"])
        if kind == "nobody":
            return ANONYMOUS
        if kind == "service":
            return service(self._random.choice(["sagemaker.amazonaws.com", "lambda.amazonaws.com"]))
        more: Json = {"tags": self._random.choice(TAGS), "policies": policies(*self._statements(name, 3))}
        if kind.startswith("far"):
            more["account"] = THERE
        if self._random.random() < 0.3:
            more["boundary"] = boundary(*self._statements(name, 2, least=1))
        if kind.endswith("user"):
            return user(**({"arn": ANN.replace(HERE, THERE)} if kind.startswith("far") else {}), **more)
        if self._random.random() < 0.3:
            more["session_policies"] = policies(*self._statements(name, 2, least=1))
        there = {"arn": SESSION.replace(HERE, THERE), "role_arn": ROLE.replace(HERE, THERE)}
        return session(**(there if kind.startswith("far") else {}), **more)

    def _permission(self, name: str) -> Permission:
        action, arns = {
            "sagemaker": (DESCRIBE, [PACKAGE, PACKAGE.replace("/3", "/12")]),
            "s3": ("s3:GetObject", [OBJECT, "arn:aws:s3:::models/fraud/x"]),
            "kms": ("kms:Decrypt", [KEY]),
            "sts": ("sts:AssumeRole", [ROLE, FAR_ROLE]),
        }[name]
        arn = self._random.choice(arns)
        owner = THERE if arn == FAR_ROLE else HERE
        held = name in ("kms", "sts") or self._random.random() < 0.5
        statements = self._statements(name, 3, least=1, principal=True, trust=name == "sts")
        return asks(
            action,
            arn,
            owner=owner,
            policy=document(*statements) if held else None,
            tags=self._random.choice(TAGS),
            conditions=self._random.choice(REQUESTED),
        )

    def _statements(self, name: str, most: int, *, least: int = 0, principal: bool = False, trust: bool = False) -> list[Json]:
        number = self._random.randint(least, most)
        return [self._statement(name, principal=principal, trust=trust) for _ in range(number)]

    def _statement(self, name: str, *, principal: bool, trust: bool) -> Json:
        choice, chance = self._random.choice, self._random.random
        made: Json = {"Effect": "Allow" if chance() < 0.75 else "Deny"}
        actions = [choice(ACTIONS[name] if chance() < 0.85 else OTHER_ACTIONS) for _ in range(self._random.randint(1, 2))]
        if trust:
            actions = [choice(["sts:AssumeRole", "sts:AssumeRole", "sts:TagSession"])]
        made["NotAction" if not trust and chance() < 0.12 else "Action"] = actions
        if not trust:
            resources = [choice(RESOURCES[name]) for _ in range(self._random.randint(1, 2))]
            made["NotResource" if chance() < 0.12 else "Resource"] = resources
        if principal:
            made["Principal"] = self._principal()
        if chance() < 0.5:
            made["Condition"] = self._condition()
        return made

    def _principal(self) -> Any:
        kind = self._random.choice(NAMES)
        if kind == "*":
            return "*"
        if kind == "Service":
            return {"Service": "sagemaker.amazonaws.com"}
        return {"AWS": [self._random.choice(WHO) for _ in range(self._random.randint(1, 2))]}

    def _condition(self) -> Json:
        block: Json = {}
        for _ in range(self._random.randint(1, 2)):
            operator, key, values = self._comparison()
            block.setdefault(operator, {})[key] = values
        return block

    def _comparison(self) -> tuple[str, str, Any]:
        choice = self._random.choice
        kind = choice(["text", "text", "text", "set", "number", "date", "bool", "address", "arn", "null"])
        exists = choice(["", "", "IfExists"])
        if kind == "text":
            key = choice(
                ["aws:ResourceTag/team", "aws:PrincipalTag/team", "aws:RequestTag/team", "sagemaker:ModelApprovalStatus"]
            )
            operator = choice(["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase"])
            texts = ["weather", "fraud", "Approved", "w*", "*", "WEATHER", "${aws:PrincipalTag/team, 'none'}"]
            return operator + exists, key, [choice(texts) for _ in range(self._random.randint(1, 2))]
        if kind == "set":
            operator = choice(["StringEquals", "StringNotEquals", "StringLike"])
            return choice(SETS[1:]) + operator, "aws:TagKeys", [choice(["team", "cost", "t*", "other"]) for _ in range(2)]
        if kind == "number":
            operator = choice(["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"])
            return (
                f"Numeric{operator}{exists}",
                choice(["aws:ResourceTag/level", "aws:PrincipalTag/level"]),
                choice(["7", "9", "12"]),
            )
        if kind == "date":
            operator = choice(["DateLessThan", "DateGreaterThan", "DateNotEquals", "DateGreaterThanEquals"])
            return (
                operator + exists,
                "aws:CurrentTime",
                choice(["2023-11-14T22:13:20Z", "2024-01-01T00:00:00Z", "2020-05-05T00:00:00Z"]),
            )
        if kind == "bool":
            return f"Bool{exists}", choice(["aws:SecureTransport", "aws:ViaAWSService"]), choice(["true", "false"])
        if kind == "address":
            ranges = ["203.0.113.0/24", "203.0.113.7/32", "10.0.0.0/8"]
            return choice(["IpAddress", "NotIpAddress"]) + exists, "aws:SourceIp", [choice(ranges)]
        if kind == "arn":
            operator = choice(["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"])
            return (
                operator + exists,
                "aws:PrincipalArn",
                choice([ANN, ROLE, f"arn:aws:iam::{HERE}:role/*", "arn:aws:iam::*:user/*"]),
            )
        key = choice(["aws:ResourceTag/team", "aws:PrincipalTag/level", "aws:TagKeys", "sagemaker:ModelApprovalStatus"])
        return "Null", key, choice(["true", "false"])
