"""Event patterns: which events match, which patterns are refused, and how long matching takes."""

import json
import time
from typing import Any

import pytest
from tests.unit.triggers import pattern_cases as cases

from modelyard.triggers.pattern import Pattern
from modelyard.triggers.pattern_values import PatternError

TABLE = [*cases.EXACT, *cases.ARRAYS, *cases.OPERATORS, *cases.ANYTHING_BUT, *cases.EXISTS, *cases.WILDCARD, *cases.OR]


@pytest.mark.documented
@pytest.mark.parametrize(("pattern", "event", "expected"), TABLE, ids=lambda value: json.dumps(value)[:80])
def test_matching(pattern: Any, event: Any, expected: bool) -> None:
    """Every row of the tables holds."""
    assert Pattern(json.dumps(pattern)).matches(event) is expected


@pytest.mark.documented
@pytest.mark.parametrize(("text", "reason"), cases.INVALID)
def test_what_is_no_pattern(text: str, reason: str) -> None:
    """A pattern that is not valid is refused with the reason."""
    with pytest.raises(PatternError) as caught:
        Pattern(text)
    assert reason in str(caught.value)


@pytest.mark.documented
def test_combinations_are_bounded() -> None:
    """A pattern whose alternatives multiply to more than a thousand is refused; exactly a thousand are not."""
    ten = [{"x": [number]} for number in range(10)]
    Pattern(json.dumps({"a": {"$or": ten}, "b": {"$or": ten}, "c": {"$or": ten}}))
    with pytest.raises(PatternError, match="at most 1000"):
        Pattern(json.dumps({"a": {"$or": ten}, "b": {"$or": ten}, "c": {"$or": ten}, "d": {"$or": ten[:2]}}))


@pytest.mark.ours
def test_depth_is_bounded() -> None:
    """A pattern nested without end is refused, not an exhausted stack."""
    with pytest.raises(PatternError, match="nested deeper"):
        Pattern('{"a":' * 200 + '["x"]' + "}" * 200)


@pytest.mark.ours
def test_events_may_be_deep() -> None:
    """Lists in lists, however deep, are looked through."""
    value: Any = "x"
    for _ in range(5000):
        value = [value]
    assert Pattern('{"a": ["x"]}').matches({"a": value})


@pytest.mark.ours
@pytest.mark.parametrize("text", ["*a" * 60 + "*b", "*ab" * 40, "a*" * 60 + "c"])
def test_wildcards_take_linear_time(text: str) -> None:
    """A value of 200,000 characters made to mislead is decided in well under a second."""
    pattern = Pattern(json.dumps({"a": [{"wildcard": text}]}))
    event = {"a": "a" * 200_000}
    began = time.perf_counter()
    assert not pattern.matches(event)
    assert time.perf_counter() - began < 0.5
