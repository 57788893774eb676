"""What a policy document may be: what is accepted, and what is refused with which sentence."""

import json
from typing import Any

import pytest
from tests.unit.access.policy_cases import ANN, HERE, ROLE, SESSION, allow, deny, document

from modelyard.access.policy import LARGEST, MalformedPolicy, PolicyKind, load_policy, parse_policy
from modelyard.access.policy_cache import WeightedCache

ALLOW_ALL = allow()
PRINCIPAL = {"AWS": ANN}

ACCEPTED: list[tuple[str, PolicyKind, Any]] = [
    ("one statement that is no list", PolicyKind.IDENTITY, {"Statement": ALLOW_ALL}),
    ("a list of statements", PolicyKind.IDENTITY, {"Version": "2012-10-17", "Statement": [ALLOW_ALL, deny("s3:*")]}),
    ("the old version", PolicyKind.IDENTITY, {"Version": "2008-10-17", "Statement": [ALLOW_ALL]}),
    ("an Id", PolicyKind.RESOURCE, {"Id": "mine", "Statement": [allow(Principal="*")]}),
    ("a Sid", PolicyKind.IDENTITY, {"Statement": [allow(Sid="One1")]}),
    ("a Sid with spaces on a resource", PolicyKind.RESOURCE, {"Statement": [allow(Sid="for the team", Principal="*")]}),
    ("several empty Sids", PolicyKind.IDENTITY, {"Statement": [allow(Sid=""), allow(Sid="")]}),
    ("NotAction and NotResource", PolicyKind.IDENTITY, {"Statement": [deny(NotAction="iam:*", NotResource="arn:aws:s3:::x")]}),
    ("a boundary", PolicyKind.BOUNDARY, {"Statement": [ALLOW_ALL]}),
    ("a star as principal", PolicyKind.RESOURCE, {"Statement": [allow(Principal="*")]}),
    ("an account number", PolicyKind.RESOURCE, {"Statement": [allow(Principal={"AWS": HERE})]}),
    ("users, roles and sessions", PolicyKind.RESOURCE, {"Statement": [allow(Principal={"AWS": [ANN, ROLE, SESSION]})]}),
    ("a role with a path", PolicyKind.RESOURCE, {"Statement": [allow(Principal={"AWS": f"arn:aws:iam::{HERE}:role/a/b/C"})]}),
    ("a service", PolicyKind.RESOURCE, {"Statement": [allow(Principal={"Service": "sagemaker.amazonaws.com"})]}),
    (
        "several kinds of principals",
        PolicyKind.RESOURCE,
        {"Statement": [allow(Principal={"AWS": ANN, "Service": ["a.amazonaws.com"]})]},
    ),
    ("a canonical user", PolicyKind.RESOURCE, {"Statement": [allow(Principal={"CanonicalUser": "0123456789abcdef" * 4})]}),
    ("a Deny with NotPrincipal", PolicyKind.RESOURCE, {"Statement": [deny(NotPrincipal=PRINCIPAL)]}),
    ("a resource policy without Resource", PolicyKind.RESOURCE, {"Statement": [allow(resource=None, Principal=PRINCIPAL)]}),
    (
        "a trust policy",
        PolicyKind.TRUST,
        {"Statement": [allow("sts:AssumeRole", None, Principal={"Service": "a.amazonaws.com"})]},
    ),
    ("an unknown key in a condition", PolicyKind.IDENTITY, {"Statement": [allow(Condition={"StringEquals": {"x:y": "z"}})]}),
    ("an unknown variable", PolicyKind.IDENTITY, {"Statement": [allow(resource="arn:aws:s3:::${x:y}")]}),
    ("what looks like a variable in the old version", PolicyKind.IDENTITY, {"Statement": [allow(resource="arn:aws:s3:::${")]}),
]


@pytest.mark.documented
@pytest.mark.parametrize(("claim", "kind", "content"), ACCEPTED, ids=[row[0] for row in ACCEPTED])
def test_accepted(claim: str, kind: PolicyKind, content: Any) -> None:
    """Each row: a document that is a policy."""
    policy = parse_policy(json.dumps(content), kind)
    assert policy.kind is kind
    assert policy.broken is None
    assert len(policy.statements) >= 1, claim


def statement(**elements: Any) -> dict[str, Any]:
    """A document of one statement with just these elements."""
    return {"Version": "2012-10-17", "Statement": [elements]}


SYNTAX = "Syntax errors in policy."
IDENTITY, RESOURCE, TRUST = PolicyKind.IDENTITY, PolicyKind.RESOURCE, PolicyKind.TRUST

REFUSED: list[tuple[str, PolicyKind, Any, str]] = [
    ("no JSON", IDENTITY, "{", SYNTAX),
    ("nothing", IDENTITY, "", SYNTAX),
    ("a list", IDENTITY, "[]", SYNTAX),
    ("a text", IDENTITY, '"x"', SYNTAX),
    ("null", IDENTITY, "null", SYNTAX),
    ("more after the document", IDENTITY, json.dumps(statement(Effect="Allow", Action="*", Resource="*")) + "{}", SYNTAX),
    ("JSON that never ends its lists", IDENTITY, "[" * 9000, SYNTAX),
    ("deep nesting", IDENTITY, '{"Statement":' + "[" * 4000 + "]" * 4000 + "}", SYNTAX),
    ("an element twice", IDENTITY, '{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}', SYNTAX),
    ("NaN", IDENTITY, '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Sid":NaN}}', SYNTAX),
    ("no statement", IDENTITY, {"Version": "2012-10-17"}, "Missing required field Statement"),
    ("no statements in the list", IDENTITY, {"Statement": []}, "Missing required field Statement"),
    ("a statement that is a text", IDENTITY, {"Statement": ["Allow"]}, SYNTAX),
    ("statements in a list of lists", IDENTITY, {"Statement": [[ALLOW_ALL]]}, SYNTAX),
    (
        "another version",
        IDENTITY,
        {"Version": "2024-01-01", "Statement": [ALLOW_ALL]},
        "The policy must contain a valid version string",
    ),
    ("an unknown element of the document", IDENTITY, {"Statment": [ALLOW_ALL]}, "Unknown field Statment"),
    ("an element in other case", IDENTITY, statement(effect="Allow"), "Unknown field effect"),
    ("no effect", IDENTITY, statement(Action="*", Resource="*"), "Missing required field Effect"),
    ("another effect", IDENTITY, statement(Effect="allow", Action="*", Resource="*"), "Invalid effect: allow"),
    ("an effect that is a list", IDENTITY, statement(Effect=["Allow"], Action="*", Resource="*"), "Invalid effect: ['Allow']"),
    ("no actions", IDENTITY, statement(Effect="Allow", Resource="*"), "Policy statement must contain actions."),
    (
        "an empty list of actions",
        IDENTITY,
        statement(Effect="Allow", Action=[], Resource="*"),
        "Policy statement must contain actions.",
    ),
    ("Action and NotAction", IDENTITY, statement(Effect="Allow", Action="*", NotAction="s3:*", Resource="*"), SYNTAX),
    ("an action that is an object", IDENTITY, statement(Effect="Allow", Action={"a": 1}, Resource="*"), SYNTAX),
    (
        "an action without a service",
        IDENTITY,
        statement(Effect="Allow", Action="GetObject", Resource="*"),
        "must be prefaced by a vendor",
    ),
    ("an empty action", IDENTITY, statement(Effect="Allow", Action="", Resource="*"), "must be prefaced by a vendor"),
    (
        "a wildcard within the service",
        IDENTITY,
        statement(Effect="Allow", Action="s*:Get", Resource="*"),
        "Vendor s* is not valid",
    ),
    ("no resources", IDENTITY, statement(Effect="Allow", Action="*"), "Policy statement must contain resources."),
    (
        "an empty list of resources",
        IDENTITY,
        statement(Effect="Allow", Action="*", Resource=[]),
        "Policy statement must contain resources.",
    ),
    ("Resource and NotResource", IDENTITY, statement(Effect="Allow", Action="*", Resource="*", NotResource="*"), SYNTAX),
    (
        "a resource that is no ARN",
        IDENTITY,
        statement(Effect="Allow", Action="*", Resource="bucket"),
        'must be in ARN format or "*".',
    ),
    ("an ARN cut short", IDENTITY, statement(Effect="Allow", Action="*", Resource="arn:aws:s3"), 'must be in ARN format or "*".'),
    ("an empty resource", IDENTITY, statement(Effect="Allow", Action="*", Resource=""), 'must be in ARN format or "*".'),
    (
        "a variable for the account",
        IDENTITY,
        statement(
            Effect="Allow", Action="*", Resource="arn:aws:s3:::b:${aws:username}".replace("s3::", "s3:${aws:RequestedRegion}:")
        ),
        'must be in ARN format or "*".',
    ),
    (
        "a variable that is not closed",
        IDENTITY,
        statement(Effect="Allow", Action="*", Resource="arn:aws:s3:::${aws:username"),
        "has a malformed policy variable.",
    ),
    ("a Sid with spaces", IDENTITY, statement(Effect="Allow", Action="*", Resource="*", Sid="a b"), "must be alpha-numeric"),
    ("a Sid that is a list", IDENTITY, statement(Effect="Allow", Action="*", Resource="*", Sid=[]), SYNTAX),
    ("a Sid twice", IDENTITY, {"Statement": [allow(Sid="a"), allow(Sid="a")]}, "must be unique"),
    (
        "a principal of an identity policy",
        IDENTITY,
        {"Statement": [allow(Principal="*")]},
        "Policy document should not specify a principal.",
    ),
    ("no principal of a resource policy", RESOURCE, {"Statement": [ALLOW_ALL]}, "Missing required field Principal"),
    ("Principal and NotPrincipal", RESOURCE, {"Statement": [deny(Principal="*", NotPrincipal="*")]}, SYNTAX),
    (
        "an Allow with NotPrincipal",
        RESOURCE,
        {"Statement": [allow(NotPrincipal=PRINCIPAL)]},
        "Allow with NotPrincipal is not allowed.",
    ),
    ("a principal that is a text", RESOURCE, {"Statement": [allow(Principal=ANN)]}, "Invalid principal in policy"),
    ("a principal of an unknown kind", RESOURCE, {"Statement": [allow(Principal={"User": "x"})]}, "Invalid principal in policy"),
    ("no principals", RESOURCE, {"Statement": [allow(Principal={})]}, "Principal cannot be empty"),
    ("an empty list of principals", RESOURCE, {"Statement": [allow(Principal={"AWS": []})]}, "Principal cannot be empty"),
    ("part of a principal's name", RESOURCE, {"Statement": [allow(Principal={"AWS": ANN + "*"})]}, "Invalid principal in policy"),
    (
        "a wildcard account",
        RESOURCE,
        {"Statement": [allow(Principal={"AWS": "arn:aws:iam::*:root"})]},
        "Invalid principal in policy",
    ),
    ("a short account", RESOURCE, {"Statement": [allow(Principal={"AWS": "123"})]}, "Invalid principal in policy"),
    (
        "a resource as principal",
        RESOURCE,
        {"Statement": [allow(Principal={"AWS": "arn:aws:s3:::b"})]},
        "Invalid principal in policy",
    ),
    ("all services", RESOURCE, {"Statement": [allow(Principal={"Service": "*"})]}, "Invalid principal in policy"),
    (
        "a canonical user that is none",
        RESOURCE,
        {"Statement": [allow(Principal={"CanonicalUser": "x"})]},
        "Invalid principal in policy",
    ),
    ("a resource in a trust policy", TRUST, {"Statement": [allow(Principal="*")]}, "Has prohibited field Resource"),
    (
        "a NotPrincipal in a trust policy",
        TRUST,
        {"Statement": [deny("*", None, NotPrincipal="*")]},
        "Has prohibited field NotPrincipal",
    ),
    ("a trust policy without a principal", TRUST, {"Statement": [allow("*", None)]}, "Missing required field Principal"),
    ("a condition that is a list", IDENTITY, {"Statement": [allow(Condition=[])]}, SYNTAX),
    ("an operator without keys", IDENTITY, {"Statement": [allow(Condition={"StringEquals": "x"})]}, SYNTAX),
    ("a condition value that is null", IDENTITY, {"Statement": [allow(Condition={"StringEquals": {"a:b": None}})]}, SYNTAX),
    ("a condition value that is an object", IDENTITY, {"Statement": [allow(Condition={"StringEquals": {"a:b": {}}})]}, SYNTAX),
    ("too many characters", IDENTITY, {"Statement": [allow(["s3:" + "x" * 100] * 200)]}, "longer than 10240 characters"),
    ("too much white space", IDENTITY, " " * 200_000 + document(ALLOW_ALL), "longer than"),
]


@pytest.mark.ours
@pytest.mark.parametrize(("claim", "kind", "content", "sentence"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(claim: str, kind: PolicyKind, content: Any, sentence: str) -> None:
    """Each row: a document that is refused when put, and denies everything if it is stored all the same."""
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(MalformedPolicy) as refused:
        parse_policy(text, kind)
    assert sentence in str(refused.value), claim
    loaded = load_policy(text, kind)
    assert loaded.broken == str(refused.value)
    (only,) = loaded.candidates("sagemaker:describemodelpackage").denies
    assert only.statement.unconditional
    assert not loaded.candidates("sagemaker:describemodelpackage").allows


@pytest.mark.ours
def test_white_space_does_not_count() -> None:
    """AWS counts characters without white space."""
    text = document(allow([f"s3:Action{number:04}" for number in range(500)])).replace(",", ",\n" + " " * 40)
    assert len(text) > LARGEST[PolicyKind.IDENTITY]
    assert parse_policy(text).broken is None


@pytest.mark.ours
def test_sentences_can_be_shown() -> None:
    """What a policy says comes back in the sentence with nothing that a terminal or an XML document chokes on."""
    with pytest.raises(MalformedPolicy) as refused:
        parse_policy('{"Statement":{"Effect":"Allow","Action":"*","Resource":"x\\u0000\\ud800\\u001b[2J"}}')
    assert str(refused.value) == 'Resource x???[2J must be in ARN format or "*".'


@pytest.mark.ours
def test_documents_are_read_once() -> None:
    """The same text gives the same object, and another kind another."""
    text = document(ALLOW_ALL)
    assert parse_policy(text) is parse_policy(text)
    assert load_policy(text) is load_policy(text)
    assert parse_policy(text, PolicyKind.BOUNDARY) is not parse_policy(text)


@pytest.mark.ours
def test_not_strict_keeps_the_other_statements() -> None:
    """A stored document with one broken condition keeps its other statements."""
    broken = allow("s3:*", Condition={"Nonsense": {"a:b": "x"}})
    loaded = load_policy(document(broken, allow("sagemaker:*")))
    assert loaded.broken is None
    assert [statement.index for statement in loaded.statements] == [0, 1]


@pytest.mark.ours
def test_actions_do_not_pile_up() -> None:
    """Asking a policy for many actions keeps only so many answers."""
    policy = parse_policy(document(allow("s3:Get*")))
    for number in range(1000):
        policy.candidates(f"s3:getobject{number}")
    assert len(policy._by_action) <= 256


@pytest.mark.ours
def test_cache_stays_in_its_budget() -> None:
    """What was used last is kept, and never more than the budget allows."""
    cache: WeightedCache[int] = WeightedCache(10)
    for number in range(5):
        assert cache.keep(number, number, 3) == number
        cache.get(0)
    assert cache.weight <= 10
    assert [cache.get(number) for number in range(5)] == [0, None, None, 3, 4]
    assert cache.keep(0, 99, 3) == 0, "the first one stays"
    cache.keep("huge", 7, 1000)
    assert cache.get("huge") == 7, "the last one is kept whatever it weighs"
    assert cache.get(0) is None
