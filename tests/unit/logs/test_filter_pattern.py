"""Filter patterns: which messages they match, and which patterns are none."""

import pytest

from modelyard.logs.filter_pattern import InvalidPattern, compile_pattern

MESSAGE = "[ERROR 400] BAD REQUEST of ann"
JSON = '{"level": "ERROR", "code": 500, "ok": false, "none": null, "user": {"name": "ann.b@c"}, "ids": [1, 2], "p": [{"q": "x"}]}'


@pytest.mark.documented
@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("", True),
        ("  ", True),
        ("ERROR", True),
        ("error", False),
        ("ERROR REQUEST", True),
        ("ERROR GOOD", False),
        ('"BAD REQUEST"', True),
        ('"REQUEST BAD"', False),
        ('"[ERROR 400]"', True),
        ("-ERROR", False),
        ("-DEBUG", True),
        ("ERROR -BAD", False),
        ('ERROR -"GOOD REQUEST"', True),
        ("?ERROR ?WARN", True),
        ("?WARN ?DEBUG", False),
        ("?WARN ERROR", True),
        (r'"a \"quoted\" one"', False),
    ],
)
def test_terms(pattern: str, matches: bool) -> None:
    """All terms have to be there, none with a minus, one of those with a question mark when there are no others."""
    assert compile_pattern(pattern)(MESSAGE) is matches


@pytest.mark.documented
@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ('$.level = "ERROR"', True),
        ("$.level = ERROR", True),
        ('$.level != "ERROR"', False),
        ('$.level = "ERR*"', True),
        ('$.level = "*R*O*"', True),
        ('$.level = "*X*"', False),
        ('$.level = "ERROR*ERROR"', False),
        ("$.code = 500", True),
        ("$.code = 5e2", True),
        ("$.code >= 500 && $.code < 600", True),
        ("$.code > 500", False),
        ("$.code != 500 || $.code <= 500", True),
        ('$.code = "500"', False),
        ("$.level > 1", False),
        ('$.user.name = "ann.*"', True),
        ("$['user']['name'] = ann*", True),
        ("$.ids[1] = 2", True),
        ("$.ids[2] = 2", False),
        ("$.ids[*] = 2", True),
        ('$.p[*].q = "x"', True),
        ("$.ok IS FALSE", True),
        ("$.ok IS TRUE", False),
        ("$.none IS NULL", True),
        ("$.level IS NULL", False),
        ("$.missing NOT EXISTS", True),
        ("$.level NOT EXISTS", False),
        ("$.level EXISTS", True),
        ('$.missing != "x"', False),
        ('($.level = "WARN" || $.level = "ERROR") && $.code = 500', True),
        ('$.level = "ERROR" || $.code = 1 && $.code = 2', True),
        ('($.level = "ERROR" || $.code = 1) && $.code = 2', False),
    ],
)
def test_conditions_on_json(condition: str, matches: bool) -> None:
    """Selectors, comparisons, wildcards, && before ||, parentheses, and tests for what is there."""
    assert compile_pattern(f"{{ {condition} }}")(JSON) is matches


@pytest.mark.documented
def test_what_is_no_json_object_meets_no_condition() -> None:
    """Messages that are plain text, broken JSON or a JSON array are not matched, and break nothing."""
    test = compile_pattern("{ $.a NOT EXISTS }")
    assert [test(message) for message in ("ERROR", "{", "[1]", "{}", ' {"b": 1}')] == [False, False, False, True, True]


@pytest.mark.documented
@pytest.mark.parametrize(
    "pattern",
    [
        '"open',
        "a:b",
        "%ERROR%",
        "[ip, user]",
        "{}",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a = 1",
        "{ $.a = 1 } more",
        "{ a = 1 }",
        "{ $.a ~ 1 }",
        '{ $.a > "x" }',
        "{ $.a IS GREEN }",
        "{ $.a = %x% }",
        "{ $.a = 1 && }",
        "{ " + "(" * 300 + "$.a = 1" + ")" * 300 + " }",
        "{ $.a[x] = 1 }",
    ],
)
def test_what_is_no_pattern(pattern: str) -> None:
    """What cannot be read is refused with a sentence, however deep it nests."""
    with pytest.raises(InvalidPattern, match=r".+"):
        compile_pattern(pattern)
