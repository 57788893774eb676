"""Conditions that cannot be evaluated: refused when put, and closed when they are stored all the same."""

import re
from typing import Any

import pytest
from tests.unit.access.policy_cases import FACTS, allow, asks, deny, document, user

from modelyard.access.evaluation import decide
from modelyard.access.policy import MalformedPolicy, parse_policy

REFUSED: list[tuple[str, Any, str]] = [
    ("an operator that IAM does not have", {"StringMatches": {"s:a": "x"}}, "Invalid Condition type : StringMatches."),
    ("an operator in other case", {"stringequals": {"s:a": "x"}}, "Invalid Condition type : stringequals."),
    ("NullIfExists", {"NullIfExists": {"s:a": "true"}}, "Invalid Condition type : NullIfExists."),
    (
        "an unknown set operator",
        {"ForSomeValues:StringEquals": {"s:a": "x"}},
        "Invalid Condition type : ForSomeValues:StringEquals.",
    ),
    ("a number that is none", {"NumericEquals": {"s:a": "ten"}}, "it is not a number"),
    ("a number that is not finite", {"NumericEquals": {"s:a": "NaN"}}, "it is not a number"),
    ("a date that is none", {"DateEquals": {"s:a": "yesterday"}}, "it is not a date"),
    ("a date that does not exist", {"DateEquals": {"s:a": "2023-02-30"}}, "there is no such date"),
    ("a date with a wildcard", {"DateEquals": {"s:a": "2023-*"}}, "it is not a date"),
    ("a truth that is none", {"Bool": {"s:a": "maybe"}}, "it is neither true nor false"),
    ("a Null that is neither true nor false", {"Null": {"s:a": "x"}}, "it is neither true nor false"),
    ("an address that is none", {"IpAddress": {"s:a": "300.1.1.1"}}, "it is not an IP address"),
    ("a prefix that is too long", {"IpAddress": {"s:a": "10.0.0.0/33"}}, "it is not an IP address"),
    ("base64 that is none", {"BinaryEquals": {"s:a": "*"}}, "it is not base64"),
    ("an ARN that is none", {"ArnLike": {"s:a": "role/x"}}, "it is not the pattern of an ARN"),
    ("an empty ARN", {"ArnLike": {"s:a": ""}}, "it is not the pattern of an ARN"),
    ("a variable in a number", {"NumericEquals": {"s:a": "${aws:EpochTime}"}}, "it is not a number"),
    ("a variable that is not closed", {"StringEquals": {"s:a": "${aws:username"}}, "a variable is malformed"),
    ("a variable without a name", {"StringLike": {"s:a": "${}"}}, "a variable is malformed"),
    ("a key without a service", {"StringEquals": {"username": "x"}}, "must be prefaced by a vendor"),
    ("no values", {"StringEquals": {"s:a": []}}, "has no values"),
]


@pytest.mark.ours
@pytest.mark.parametrize(("claim", "condition", "sentence"), REFUSED, ids=[row[0] for row in REFUSED])
def test_broken_condition(claim: str, condition: Any, sentence: str) -> None:
    """Each row: a condition that cannot be evaluated is refused when put; stored all the same, it never allows and it denies."""
    with pytest.raises(MalformedPolicy, match=re.escape(sentence)):
        parse_policy(document(allow(Condition=condition)))
    asked = asks(conditions={"s:a": "x"})
    assert not decide(user(allow(Condition=condition)), asked, FACTS).allowed, claim
    assert not decide(user(allow(), deny(Condition=condition)), asked, FACTS).allowed, claim


@pytest.mark.ours
def test_broken_condition_denies_no_more_than_its_statement() -> None:
    """A Deny with a broken condition still looks at its action, its resource and its other conditions."""
    broken = {"Nonsense": {"s:a": "x"}, "StringEquals": {"aws:username": "bob"}}
    assert decide(user(allow(), deny(Condition=broken)), asks(), FACTS).allowed
    assert decide(user(allow(), deny("s3:*", Condition={"Nonsense": {"s:a": "x"}})), asks(), FACTS).allowed
