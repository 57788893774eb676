"""Wildcards: what they match, and that no pattern makes matching slow."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.access.policy_patterns import MalformedArn, arn_matcher, glob_matcher
from modelyard.access.variables import MalformedVariable, Tokens, Variable, Wildcard, tokens_of


def wild(text: str) -> Tokens:
    """A text with wildcards alone."""
    return tokens_of(text, variables=False, wildcards=True)


@pytest.mark.documented
def test_tokens() -> None:
    """A text falls into literals, wildcards and variables."""
    tokens = tokens_of("a*${aws:username}?${*}b${k:x, 'd e'}", variables=True, wildcards=True)
    assert tokens == ("a", Wildcard.MANY, Variable("aws:username"), Wildcard.ONE, "*b", Variable("k:x", "d e"))


@pytest.mark.documented
def test_tokens_without_variables() -> None:
    """Before 2012-10-17 and where wildcards mean nothing, every character is itself."""
    assert tokens_of("a*${b}", variables=False, wildcards=False) == ("a*${b}",)


@pytest.mark.documented
@pytest.mark.parametrize("text", ["${ aws:username , 'none' }", "${aws:username,'none'}"])
def test_spaces_in_variables(text: str) -> None:
    """Spaces around the parts of a variable mean nothing."""
    assert tokens_of(text, variables=True, wildcards=True) == (Variable("aws:username", "none"),)


@pytest.mark.ours
@pytest.mark.parametrize(
    "text", ["${", "${}", "${ }", "${a", "${a b}", "${a,}", "${a, b}", "${a, 'b}", "${a, 'b'c}", "${${a}}", "${**}"]
)
def test_malformed_variables(text: str) -> None:
    """What is no variable is refused rather than guessed at."""
    with pytest.raises(MalformedVariable):
        tokens_of(text, variables=True, wildcards=True)


def reference(pattern: str, text: str) -> bool:
    """Globs by the textbook's table."""
    row = [True] + [False] * len(text)
    for character in pattern:
        above, row = row, [row[0] and character == "*"]
        for index, given_character in enumerate(text):
            matches = above[index] and character in ("?", given_character) and character != "*"
            row.append(matches or (character == "*" and (above[index + 1] or row[index] or above[index])))
    return row[-1]


@pytest.mark.ours
@given(pattern=st.text(alphabet="ab:*?", max_size=12), text=st.text(alphabet="ab:", max_size=14))
def test_globs_match_the_reference(pattern: str, text: str) -> None:
    """Patterns match what the textbook's algorithm matches."""
    assert glob_matcher(wild(pattern))(text) is reference(pattern, text)


@pytest.mark.ours
@given(
    segments=st.lists(st.text(alphabet="ab*?", max_size=5), min_size=4, max_size=4),
    resource=st.text(alphabet="ab:/*?", max_size=8),
    given_segments=st.lists(st.text(alphabet="ab", max_size=4), min_size=4, max_size=4),
    given_resource=st.text(alphabet="ab:/", max_size=8),
)
def test_arns_match_segment_by_segment(
    segments: list[str], resource: str, given_segments: list[str], given_resource: str
) -> None:
    """An ARN matches when each of the first five segments does, and then all the rest as one."""
    expected = all(reference(one, other) for one, other in zip(segments, given_segments, strict=True))
    expected = expected and reference(resource, given_resource)
    pattern = ":".join(["arn", *segments, resource])
    assert arn_matcher(wild(pattern))(":".join(["arn", *given_segments, given_resource])) is expected


@pytest.mark.ours
@pytest.mark.parametrize(
    "pattern", ["", "arn", "arn:aws", "a*", "*:x", "arn:aws:s3", "arn:aws:s3:a*b", "ARN:aws:s3:::x", "x:y:z:a:b:c"]
)
def test_patterns_that_are_no_arns(pattern: str) -> None:
    """What cannot match an ARN is refused rather than matching nothing."""
    with pytest.raises(MalformedArn):
        arn_matcher(wild(pattern))


@pytest.mark.ours
@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*a" * 500 + "b", "a" * 2000),
        ("*" + "?*" * 500 + "b", "a" * 2000),
        ("*a?" * 300 + "*b", "a" * 2000),
        ("a*" * 2000, "a" * 1999),
    ],
)
def test_no_pattern_is_slow(pattern: str, text: str) -> None:
    """Patterns that make backtracking explode are matched at once."""
    matches = glob_matcher(wild(pattern))
    started = time.perf_counter()
    assert not matches(text)
    assert time.perf_counter() - started < 0.25


@pytest.mark.ours
def test_no_arn_pattern_is_slow() -> None:
    """Neither in the segments of an ARN nor in its resource."""
    matches = arn_matcher(wild("arn:aws:s3:" + "*a" * 200 + ":" + "*1" * 200 + ":" + "*x" * 200 + "y"))
    started = time.perf_counter()
    assert not matches("arn:aws:s3:" + "a" * 400 + ":" + "1" * 400 + ":" + "x" * 1000)
    assert time.perf_counter() - started < 0.25


@pytest.mark.ours
@given(text=st.text(max_size=20))
def test_literals_are_literal(text: str) -> None:
    """A text without wildcards matches itself, whatever characters it has."""
    escaped = re.sub(r"[*?$]", lambda match: "${" + match[0] + "}", text)
    tokens = tokens_of(escaped, variables=True, wildcards=True)
    assert glob_matcher(tokens)(text)
    assert not glob_matcher(tokens)(text + "x")
