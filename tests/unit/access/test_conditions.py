"""Every condition operator, decided once in an Allow and once in a Deny statement."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.access.policy_cases import ANONYMOUS, FACTS, HERE, ROLE, allow, asks, deny, document, root, service, session, user

from modelyard.access.evaluation import decide
from modelyard.access.permission import RequestFacts
from modelyard.access.principal import Principal

CLOSED = "closed"
"""The condition fails closed: it is not met in an Allow statement and is met in a Deny statement."""

TEAM = "arn:aws:sagemaker:us-east-1:111111111111:model-package/team"

# What it claims, operator, values in the policy, value(s) in the request (None: no such key), whether the condition is met.
OPERATORS: list[tuple[str, str, Any, Any, Any]] = [
    ("StringEquals matches the same text", "StringEquals", "blue", "blue", True),
    ("StringEquals looks at the case", "StringEquals", "blue", "Blue", False),
    ("StringEquals takes a star literally", "StringEquals", "bl*", "blue", False),
    ("StringEquals matches a literal star", "StringEquals", "bl*", "bl*", True),
    ("StringEquals with several values needs one of them", "StringEquals", ["red", "blue"], "blue", True),
    ("StringEquals with several values fails when none matches", "StringEquals", ["red", "green"], "blue", False),
    ("StringEquals fails without the key", "StringEquals", "blue", None, False),
    ("StringEquals fails for a prefix", "StringEquals", "blu", "blue", False),
    ("StringEquals matches the empty text", "StringEquals", "", "", True),
    ("StringNotEquals matches another text", "StringNotEquals", "blue", "red", True),
    ("StringNotEquals fails for the same text", "StringNotEquals", "blue", "blue", False),
    ("StringNotEquals with several values is NOR: one match fails it", "StringNotEquals", ["red", "blue"], "blue", False),
    ("StringNotEquals with several values matches when none does", "StringNotEquals", ["red", "blue"], "green", True),
    ("StringNotEquals is met without the key", "StringNotEquals", "blue", None, True),
    ("StringEqualsIgnoreCase ignores the case", "StringEqualsIgnoreCase", "BLUE", "blue", True),
    ("StringEqualsIgnoreCase fails for another text", "StringEqualsIgnoreCase", "BLUE", "blues", False),
    ("StringNotEqualsIgnoreCase ignores the case", "StringNotEqualsIgnoreCase", "BLUE", "blue", False),
    ("StringNotEqualsIgnoreCase matches another text", "StringNotEqualsIgnoreCase", "BLUE", "red", True),
    ("StringNotEqualsIgnoreCase is met without the key", "StringNotEqualsIgnoreCase", "BLUE", None, True),
    ("StringLike takes a star for any text", "StringLike", "bl*", "blue", True),
    ("StringLike takes a star for no text", "StringLike", "blue*", "blue", True),
    ("StringLike looks at the case", "StringLike", "BL*", "blue", False),
    ("StringLike takes a question mark for one character", "StringLike", "bl?e", "blue", True),
    ("StringLike's question mark needs a character", "StringLike", "blue?", "blue", False),
    ("StringLike matches the whole text", "StringLike", "lu", "blue", False),
    ("StringLike finds stars in the middle", "StringLike", "a*b*c", "a-b-b-c", True),
    ("StringLike goes back for the last part", "StringLike", "*ab", "aabab", True),
    ("StringLike's star crosses slashes, colons and lines", "StringLike", "a*z", "a/b:c\nz", True),
    ("StringLike takes a dot literally", "StringLike", "a.c*", "abc", False),
    ("StringLike fails without the key", "StringLike", "*", None, False),
    ("StringLike star matches the empty text", "StringLike", "*", "", True),
    ("StringNotLike fails for a match", "StringNotLike", "bl*", "blue", False),
    ("StringNotLike matches another text", "StringNotLike", "bl*", "red", True),
    ("StringNotLike is met without the key", "StringNotLike", "bl*", None, True),
    ("NumericEquals compares numbers and not texts", "NumericEquals", "10", "10.0", True),
    ("NumericEquals takes unquoted numbers", "NumericEquals", 10, "10", True),
    ("NumericEquals is exact for large numbers", "NumericEquals", "9007199254740993", "9007199254740992", False),
    ("NumericEquals fails for another number", "NumericEquals", "10", "11", False),
    ("NumericEquals fails without the key", "NumericEquals", "10", None, False),
    ("NumericEquals fails closed for what is no number", "NumericEquals", "10", "ten", CLOSED),
    ("NumericNotEquals matches another number", "NumericNotEquals", "10", "11", True),
    ("NumericNotEquals fails for the same number", "NumericNotEquals", "10", "1e1", False),
    ("NumericNotEquals is met without the key", "NumericNotEquals", "10", None, True),
    ("NumericNotEquals fails closed for what is no number", "NumericNotEquals", "10", "ten", CLOSED),
    ("NumericLessThan matches less", "NumericLessThan", "10", "9.99", True),
    ("NumericLessThan fails for the same", "NumericLessThan", "10", "10", False),
    ("NumericLessThan fails closed for infinity", "NumericLessThan", "10", "-Infinity", CLOSED),
    ("NumericLessThanEquals matches the same", "NumericLessThanEquals", "10", "10", True),
    ("NumericLessThanEquals fails for more", "NumericLessThanEquals", "10", "10.01", False),
    ("NumericGreaterThan matches more", "NumericGreaterThan", "10", "10.5", True),
    ("NumericGreaterThan fails for the same", "NumericGreaterThan", "10", "10", False),
    ("NumericGreaterThan compares negative numbers", "NumericGreaterThan", "-2", "-1", True),
    ("NumericGreaterThanEquals matches the same", "NumericGreaterThanEquals", "10", "10", True),
    ("NumericGreaterThanEquals fails for less", "NumericGreaterThanEquals", "10", "9", False),
    ("NumericGreaterThan with several values needs one", "NumericGreaterThan", ["100", "5"], "10", True),
    ("DateEquals compares instants across zones", "DateEquals", "2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20Z", True),
    ("DateEquals takes epoch seconds", "DateEquals", "1700000000", "2023-11-14T22:13:20Z", True),
    ("DateEquals fails a second later", "DateEquals", "2023-11-14T22:13:21Z", "2023-11-14T22:13:20Z", False),
    ("DateNotEquals matches another instant", "DateNotEquals", "2023-11-14T22:13:21Z", "2023-11-14T22:13:20Z", True),
    ("DateNotEquals is met without the key", "DateNotEquals", "2023-11-14T22:13:21Z", None, True),
    ("DateLessThan matches before", "DateLessThan", "2023-11-15", "2023-11-14T22:13:20Z", True),
    ("DateLessThan fails after", "DateLessThan", "2023-11", "2023-11-14T22:13:20Z", False),
    ("DateLessThanEquals matches the same", "DateLessThanEquals", "2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z", True),
    ("DateGreaterThan takes a year alone", "DateGreaterThan", "2023", "2023-11-14T22:13:20Z", True),
    ("DateGreaterThan fails at the same instant", "DateGreaterThan", "2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z", False),
    ("DateGreaterThan sees fractions of seconds", "DateGreaterThan", "2023-11-14T22:13:20Z", "2023-11-14T22:13:20.5Z", True),
    ("DateGreaterThanEquals matches the same", "DateGreaterThanEquals", "2023-11-14T22:13Z", "2023-11-14T22:13:00Z", True),
    ("DateGreaterThan fails without the key", "DateGreaterThan", "2020-01-01T00:00:01Z", None, False),
    ("Dates fail closed for what is no date", "DateGreaterThan", "2020-01-01T00:00:01Z", "yesterday", CLOSED),
    ("Bool matches true", "Bool", "true", "true", True),
    ("Bool takes unquoted values", "Bool", False, "false", True),
    ("Bool ignores the case", "Bool", "True", "TRUE", True),
    ("Bool fails for the other value", "Bool", "true", "false", False),
    ("Bool fails without the key", "Bool", "false", None, False),
    ("BoolIfExists is met without the key", "BoolIfExists", "false", None, True),
    ("Bool fails closed for what is neither", "Bool", "false", "no", CLOSED),
    ("BinaryEquals compares bytes", "BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
    ("BinaryEquals fails for other bytes", "BinaryEquals", "QmluYXJ5", "QmluYXJ6", False),
    ("BinaryEquals fails closed for what is not base64", "BinaryEquals", "QmluYXJ5", "*", CLOSED),
    ("IpAddress matches within a range", "IpAddress", "203.0.113.0/24", "203.0.113.7", True),
    ("IpAddress fails outside", "IpAddress", "203.0.113.0/24", "203.0.114.7", False),
    ("IpAddress without a prefix is one address", "IpAddress", "203.0.113.7", "203.0.113.7", True),
    ("IpAddress without a prefix is not its neighbour", "IpAddress", "203.0.113.7", "203.0.113.8", False),
    ("IpAddress reads a range that has host bits", "IpAddress", "203.0.113.9/24", "203.0.113.7", True),
    ("IpAddress takes all of IPv4", "IpAddress", "0.0.0.0/0", "203.0.113.7", True),
    ("IpAddress of IPv4 is not IPv6", "IpAddress", "0.0.0.0/0", "2001:db8::1", False),
    ("IpAddress matches a range of IPv6", "IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::9", True),
    ("IpAddress fails outside a range of IPv6", "IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5679::9", False),
    ("IpAddress mixes both", "IpAddress", ["203.0.113.0/24", "2001:db8::/32"], "2001:db8::9", True),
    ("IpAddress sees IPv4 within IPv6", "IpAddress", "203.0.113.0/24", "::ffff:203.0.113.7", True),
    ("IpAddress fails without the key", "IpAddress", "203.0.113.0/24", None, False),
    ("IpAddress fails closed for what is no address", "IpAddress", "203.0.113.0/24", "testclient", CLOSED),
    ("NotIpAddress fails within", "NotIpAddress", "203.0.113.0/24", "203.0.113.7", False),
    ("NotIpAddress matches outside", "NotIpAddress", "203.0.113.0/24", "198.51.100.1", True),
    ("NotIpAddress with several ranges is NOR", "NotIpAddress", ["198.51.100.0/24", "203.0.113.0/24"], "203.0.113.7", False),
    ("NotIpAddress is met without the key", "NotIpAddress", "203.0.113.0/24", None, True),
    ("NotIpAddress fails closed for what is no address", "NotIpAddress", "203.0.113.0/24", "testclient", CLOSED),
    ("ArnEquals matches the same", "ArnEquals", ROLE, ROLE, True),
    ("ArnEquals takes wildcards as ArnLike does", "ArnEquals", f"arn:aws:iam::{HERE}:role/*", ROLE, True),
    ("ArnLike's star stays within its segment", "ArnLike", "arn:aws:x:*:1:f/*", "arn:aws:x:r:9:s/abc:1:f/d", False),
    ("StringLike's star does not", "StringLike", "arn:aws:x:*:1:f/*", "arn:aws:x:r:9:s/abc:1:f/d", True),
    ("ArnLike's star in the resource crosses colons and slashes", "ArnLike", "arn:aws:x:*:1:*", "arn:aws:x:r:1:f/d:e", True),
    ("ArnLike looks at the case", "ArnLike", "arn:aws:x:::Name", "arn:aws:x:::name", False),
    ("ArnLike's star matches an empty segment", "ArnLike", "arn:aws:iam:*:*:role/*", ROLE, True),
    ("ArnLike's question mark is one character", "ArnLike", "arn:aws:x:::nam?", "arn:aws:x:::name", True),
    ("ArnLike fails for what is no ARN", "ArnLike", "arn:aws:x:::*", "name", False),
    ("ArnLike fails without the key", "ArnLike", "arn:aws:x:::*", None, False),
    ("ArnNotEquals fails for a match", "ArnNotEquals", ROLE, ROLE, False),
    ("ArnNotLike fails for a match", "ArnNotLike", "arn:aws:iam::*:role/*", ROLE, False),
    ("ArnNotLike matches another", "ArnNotLike", "arn:aws:iam::*:user/*", ROLE, True),
    ("ArnNotLike is met without the key", "ArnNotLike", "arn:aws:iam::*:user/*", None, True),
    ("Null true is met without the key", "Null", "true", None, True),
    ("Null true fails with the key", "Null", "true", "x", False),
    ("Null false is met with the key", "Null", "false", "x", True),
    ("Null false fails without the key", "Null", False, None, False),
    ("Null counts an empty set as no key", "Null", "true", (), True),
    ("Null false is met by several values", "Null", "false", ("a", "b"), True),
    ("StringEqualsIfExists is met without the key", "StringEqualsIfExists", "blue", None, True),
    ("StringEqualsIfExists compares when the key is there", "StringEqualsIfExists", "blue", "red", False),
    ("StringNotEqualsIfExists is met without the key", "StringNotEqualsIfExists", "blue", None, True),
    ("StringLikeIfExists compares when the key is there", "StringLikeIfExists", "t1.*", "t2.small", False),
    ("StringLikeIfExists is met without the key", "StringLikeIfExists", "t1.*", None, True),
    ("NumericLessThanIfExists is met without the key", "NumericLessThanIfExists", "10", None, True),
    ("DateLessThanIfExists is met without the key", "DateLessThanIfExists", "2020-01-01", None, True),
    ("IpAddressIfExists is met without the key", "IpAddressIfExists", "10.0.0.0/8", None, True),
    ("ArnLikeIfExists is met without the key", "ArnLikeIfExists", "arn:aws:x:::*", None, True),
    ("ForAnyValue needs one value that matches", "ForAnyValue:StringEquals", ["a", "b"], ("b", "z"), True),
    ("ForAnyValue fails when none matches", "ForAnyValue:StringEquals", ["a", "b"], ("y", "z"), False),
    ("ForAnyValue fails without the key", "ForAnyValue:StringEquals", ["a", "b"], None, False),
    ("ForAnyValue fails for an empty set", "ForAnyValue:StringEquals", ["a", "b"], (), False),
    ("ForAnyValue fails for an empty text", "ForAnyValue:StringLike", "*", "", False),
    ("ForAnyValue takes a single value", "ForAnyValue:StringEquals", ["a", "b"], "b", True),
    ("ForAnyValue negated needs one value that matches none", "ForAnyValue:StringNotEquals", ["a", "b"], ("b", "z"), True),
    ("ForAnyValue negated fails when all match", "ForAnyValue:StringNotEquals", ["a", "b"], ("a", "b"), False),
    ("ForAnyValue negated fails without the key", "ForAnyValue:StringNotEquals", ["a", "b"], None, False),
    ("ForAnyValue IfExists without the key fails closed", "ForAnyValue:StringEqualsIfExists", "a", None, CLOSED),
    ("ForAnyValue:StringLike takes wildcards", "ForAnyValue:StringLike", "team-*", ("team-a", "other"), True),
    ("ForAnyValue:NumericLessThan compares each", "ForAnyValue:NumericLessThan", "5", ("9", "4"), True),
    ("ForAnyValue:ArnLike compares each", "ForAnyValue:ArnLike", "arn:aws:iam::*:role/*", ("x", ROLE), True),
    ("ForAllValues needs every value to match", "ForAllValues:StringEquals", ["a", "b", "c"], ("a", "b"), True),
    ("ForAllValues fails for one that does not", "ForAllValues:StringEquals", ["a", "b", "c"], ("a", "z"), False),
    ("ForAllValues is met without the key", "ForAllValues:StringEquals", ["a", "b"], None, True),
    ("ForAllValues is met by an empty set", "ForAllValues:StringEquals", ["a", "b"], (), True),
    ("ForAllValues is met by an empty text", "ForAllValues:StringEquals", ["a", "b"], "", True),
    ("ForAllValues negated needs every value to match none", "ForAllValues:StringNotEquals", ["a", "b"], ("y", "z"), True),
    ("ForAllValues negated fails for one that matches", "ForAllValues:StringNotEquals", ["a", "b"], ("a", "z"), False),
    ("ForAllValues negated is met without the key", "ForAllValues:StringNotEquals", ["a", "b"], None, True),
    ("ForAllValues:StringLike takes wildcards", "ForAllValues:StringLike", ["team-*"], ("team-a", "team-b"), True),
    ("ForAllValues IfExists is met without the key", "ForAllValues:StringEqualsIfExists", "a", None, True),
    ("Several values and no set operator: all have to satisfy an Allow, one a Deny", "StringEquals", "a", ("a", "b"), CLOSED),
    ("Several values that all match", "StringEquals", ["a", "b"], ("a", "b"), True),
    ("Several values of which none matches", "StringEquals", "c", ("a", "b"), False),
    ("Several values and a negated operator fail closed", "StringNotEquals", "a", ("a", "b"), CLOSED),
]


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "operator", "values", "given", "met"), OPERATORS, ids=[row[0] for row in OPERATORS])
def test_operator(claim: str, operator: str, values: Any, given: Any, met: Any) -> None:
    """Each row: a condition that is met lets an Allow statement allow and a Deny statement deny."""
    condition = {operator: {"svc:Key": values}}
    asked = asks(conditions={} if given is None else {"svc:Key": given})
    in_allow, in_deny = (False, True) if met is CLOSED else (met, met)
    assert decide(user(allow(Condition=condition)), asked, FACTS).allowed is in_allow, claim
    assert decide(user(allow(), deny(Condition=condition)), asked, FACTS).allowed is not in_deny, claim


BLOCKS: list[tuple[str, Any, dict[str, Any], bool]] = [
    ("An empty block is always met", {}, {}, True),
    ("Several keys of an operator must all match", {"StringEquals": {"s:a": "1", "s:b": "2"}}, {"s:a": "1", "s:b": "2"}, True),
    ("One key of several that fails, fails the block", {"StringEquals": {"s:a": "1", "s:b": "2"}}, {"s:a": "1"}, False),
    (
        "Several operators must all match",
        {"StringEquals": {"s:a": "1"}, "NumericLessThan": {"s:b": "5"}},
        {"s:a": "1", "s:b": "4"},
        True,
    ),
    (
        "One operator that fails, fails the block",
        {"StringEquals": {"s:a": "1"}, "NumericLessThan": {"s:b": "5"}},
        {"s:a": "1", "s:b": "6"},
        False,
    ),
    ("Names of keys are compared without case", {"StringEquals": {"S:A": "1"}}, {"s:a": "1"}, True),
    ("Names of keys in the request, too", {"StringEquals": {"s:a": "1"}}, {"S:A": "1"}, True),
    (
        "Request tags are found by their keys without case",
        {"StringEquals": {"aws:RequestTag/Team": "x"}},
        {"aws:RequestTag/team": "x"},
        True,
    ),
    (
        "A tag with other case cannot hide the one that a policy means",
        {"StringEquals": {"aws:RequestTag/Team": "x"}},
        {"aws:RequestTag/team": "x", "aws:RequestTag/TEAM": "y"},
        False,
    ),
    (
        "Nor can it stand in for it, in whatever order they come",
        {"StringEquals": {"aws:RequestTag/Team": "x"}},
        {"aws:RequestTag/TEAM": "y", "aws:RequestTag/team": "x"},
        False,
    ),
    ("Tag keys are a set", {"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}, {"aws:TagKeys": ("Team",)}, True),
    (
        "Tag keys outside the set fail",
        {"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}},
        {"aws:TagKeys": ("Team", "Cost")},
        False,
    ),
    (
        "Approval is its own permission",
        {"StringEquals": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}},
        {"sagemaker:ModelApprovalStatus": "Approved"},
        False,
    ),
    (
        "A request that says nothing of approval meets the negated condition",
        {"StringNotEqualsIfExists": {"sagemaker:ModelApprovalStatus": "Approved"}},
        {},
        True,
    ),
    (
        "Null and a comparison together: the key is there and has the value",
        {"Null": {"s:a": "false"}, "ForAllValues:StringEquals": {"s:a": ["1"]}},
        {},
        False,
    ),
]


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "condition", "given", "met"), BLOCKS, ids=[row[0] for row in BLOCKS])
def test_block(claim: str, condition: Any, given: dict[str, Any], met: bool) -> None:
    """Each row: how the conditions of a block go together."""
    assert decide(user(allow(Condition=condition)), asks(conditions=given), FACTS).allowed is met, claim


HTTP = replace(FACTS, secure_transport=False)
V2 = replace(FACTS, signature_version="AWS")
TAGGED = user(tags={"Team": "weather"})

KEYS: list[tuple[str, Principal, RequestFacts, Any, bool]] = [
    ("aws:SourceIp is the peer's address", user(), FACTS, {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, True),
    ("aws:SecureTransport is true over TLS", user(), FACTS, {"Bool": {"aws:SecureTransport": "true"}}, True),
    ("aws:SecureTransport is false over HTTP", user(), HTTP, {"Bool": {"aws:SecureTransport": "false"}}, True),
    ("aws:CurrentTime is now", user(), FACTS, {"DateEquals": {"aws:CurrentTime": "2023-11-14T22:13:20Z"}}, True),
    ("aws:CurrentTime lies in a window", user(), FACTS, {"DateGreaterThan": {"aws:CurrentTime": "2023-01-01"}}, True),
    ("aws:CurrentTime lies after a window", user(), FACTS, {"DateLessThan": {"aws:CurrentTime": "2023-01-01"}}, False),
    ("aws:EpochTime is a number", user(), FACTS, {"NumericEquals": {"aws:EpochTime": "1700000000"}}, True),
    ("aws:EpochTime is a date", user(), FACTS, {"DateEquals": {"aws:EpochTime": "2023-11-14T22:13:20Z"}}, True),
    ("aws:RequestedRegion is that of the signature", user(), FACTS, {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, True),
    ("aws:UserAgent is the header", user(), FACTS, {"StringLike": {"aws:UserAgent": "Boto3/*"}}, True),
    ("aws:PrincipalArn of a user", user(), FACTS, {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{HERE}:user/ann"}}, True),
    ("aws:PrincipalArn of a session is the role", session(), FACTS, {"ArnEquals": {"aws:PrincipalArn": ROLE}}, True),
    (
        "aws:PrincipalArn of a session is not the session",
        session(),
        FACTS,
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:sts::*:assumed-role/*"}},
        False,
    ),
    ("aws:PrincipalAccount is the caller's account", user(), FACTS, {"StringEquals": {"aws:PrincipalAccount": HERE}}, True),
    ("aws:PrincipalType of a user", user(), FACTS, {"StringEquals": {"aws:PrincipalType": "User"}}, True),
    ("aws:PrincipalType of a session", session(), FACTS, {"StringEquals": {"aws:PrincipalType": "AssumedRole"}}, True),
    ("aws:userid of a user", user(), FACTS, {"StringEquals": {"aws:userid": "AIDAANNANNANN"}}, True),
    ("aws:userid of a session has its name", session(), FACTS, {"StringLike": {"aws:userid": "AROABUILDERXX:*"}}, True),
    ("aws:username of a user", user(), FACTS, {"StringEquals": {"aws:username": "ann"}}, True),
    ("aws:username is not there for a session", session(), FACTS, {"Null": {"aws:username": "true"}}, True),
    ("aws:PrincipalTag of a user", TAGGED, FACTS, {"StringEquals": {"aws:PrincipalTag/Team": "weather"}}, True),
    ("aws:PrincipalTag by a key of other case", TAGGED, FACTS, {"StringEquals": {"aws:principaltag/team": "weather"}}, True),
    (
        "aws:PrincipalTag looks at the case of the value",
        TAGGED,
        FACTS,
        {"StringEquals": {"aws:PrincipalTag/Team": "Weather"}},
        False,
    ),
    ("aws:PrincipalTag without the tag", user(), FACTS, {"Null": {"aws:PrincipalTag/Team": "true"}}, True),
    ("aws:ResourceTag of the resource", user(), FACTS, {"StringEquals": {"aws:ResourceTag/MLProject": "weather"}}, True),
    ("aws:ResourceTag by a key of other case", user(), FACTS, {"StringEquals": {"aws:ResourceTag/mlproject": "weather"}}, True),
    (
        "sagemaker:ResourceTag says the same",
        user(),
        FACTS,
        {"StringEquals": {"sagemaker:ResourceTag/MLProject": "weather"}},
        True,
    ),
    ("aws:ResourceTag without the tag", user(), FACTS, {"StringEquals": {"aws:ResourceTag/Other": "weather"}}, False),
    ("aws:ResourceAccount owns the resource", user(), FACTS, {"StringEquals": {"aws:ResourceAccount": HERE}}, True),
    (
        "aws:SourceIdentity of a session",
        session(source_identity="eve"),
        FACTS,
        {"StringEquals": {"aws:SourceIdentity": "eve"}},
        True,
    ),
    ("aws:SourceIdentity is not there by itself", session(), FACTS, {"Null": {"aws:SourceIdentity": "true"}}, True),
    ("aws:TokenIssueTime of a session", session(issued_at=1.6e9), FACTS, {"DateLessThan": {"aws:TokenIssueTime": "2023"}}, True),
    ("aws:TokenIssueTime is not there for access keys", user(), FACTS, {"Null": {"aws:TokenIssueTime": "true"}}, True),
    (
        "aws:MultiFactorAuthPresent of a session",
        session(issued_at=1.6e9),
        FACTS,
        {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
        True,
    ),
    (
        "aws:MultiFactorAuthPresent is not there for access keys",
        user(),
        FACTS,
        {"Null": {"aws:MultiFactorAuthPresent": "true"}},
        True,
    ),
    ("aws:ViaAWSService is false", user(), FACTS, {"Bool": {"aws:ViaAWSService": "false"}}, True),
    ("aws:PrincipalIsAWSService is false for a user", user(), FACTS, {"Bool": {"aws:PrincipalIsAWSService": "false"}}, True),
    ("s3:signatureversion of version 4", user(), FACTS, {"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}, True),
    ("s3:signatureversion of version 2", user(), V2, {"StringEquals": {"s3:signatureversion": "AWS"}}, True),
]


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "caller", "facts", "condition", "met"), KEYS, ids=[row[0] for row in KEYS])
def test_key(claim: str, caller: Principal, facts: RequestFacts, condition: Any, met: bool) -> None:
    """Each row: what a global condition key stands for."""
    caller = replace(caller, policies=user(allow(Condition=condition)).policies)
    assert decide(caller, asks(tags={"MLProject": "weather"}), facts).allowed is met, claim


OTHER_CALLERS: list[tuple[str, Principal, Any]] = [
    ("Unsigned callers have no PrincipalArn", ANONYMOUS, {"Null": {"aws:PrincipalArn": "true"}}),
    ("Unsigned callers are of the account anonymous", ANONYMOUS, {"StringEquals": {"aws:PrincipalAccount": "anonymous"}}),
    ("Unsigned callers are of the type Anonymous", ANONYMOUS, {"StringEquals": {"aws:PrincipalType": "Anonymous"}}),
    ("Unsigned callers have the user id anonymous", ANONYMOUS, {"StringEquals": {"aws:userid": "anonymous"}}),
    ("Services say so", service(), {"Bool": {"aws:PrincipalIsAWSService": "true"}}),
    ("Services have a name", service(), {"StringEquals": {"aws:PrincipalServiceName": "sagemaker.amazonaws.com"}}),
    ("Root users are of the type Account", root("222222222222"), {"StringEquals": {"aws:PrincipalType": "Account"}}),
]


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "caller", "condition"), OTHER_CALLERS, ids=[row[0] for row in OTHER_CALLERS])
def test_key_of_other_callers(claim: str, caller: Principal, condition: Any) -> None:
    """Each row: what the keys say of callers that only a resource policy can let in."""
    policy = document(allow("s3:GetObject", Principal="*", Condition=condition))
    asked = asks("s3:GetObject", "arn:aws:s3:::models/x", policy=policy)
    assert decide(caller, asked, FACTS).allowed, claim


@pytest.mark.ours
def test_operation_cannot_override_global_keys() -> None:
    """What an operation passes as conditions never changes who the caller is said to be."""
    condition = {"StringEquals": {"aws:PrincipalAccount": "999999999999"}}
    asked = asks(conditions={"aws:PrincipalAccount": "999999999999"})
    assert not decide(user(allow(Condition=condition)), asked, FACTS).allowed
