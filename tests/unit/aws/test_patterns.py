"""Every pattern of every service model: understood, matched as Java would, and never slow."""

import logging
import time
from contextlib import suppress

import pytest
from tests.unit.aws.samples import from_pattern

from modelyard.aws.backtracking import is_tame
from modelyard.aws.java_pattern import parse
from modelyard.aws.models import installed_models, read_model
from modelyard.aws.patterns import LONGEST_UNLIMITED, SECONDS, SECONDS_PER_CHARACTER, TooSlow, matcher
from modelyard.aws.services import KNOWN


def _patterns() -> dict[str, int]:
    """Every pattern, with the greatest length of the strings it is for."""
    patterns: dict[str, int] = {}
    for service in KNOWN:
        for definition in read_model(installed_models(), service).shapes.values():
            if "pattern" in definition:
                longest = min(definition.get("max", 4096), 16384)
                patterns[definition["pattern"]] = max(longest, patterns.get(definition["pattern"], 0))
    return patterns


PATTERNS = _patterns()
NO_SAMPLE = {
    "ip-((25[0-5]|(2[0-4]|1\\d|[1-9]|)\\d)-?\\b){4}\\..*": "ip-10-1-2-3.x",
    "((25[0-5]|(2[0-4]|1\\d|[1-9]|)\\d)\\.?\\b){4}": "10.1.2.3",
    "(?!^[0-9]+$)([a-zA-Z0-9-_]+)": "live",
    "^(?!.*\\..*\\.)[a-zA-Z0-9][a-zA-Z0-9-_\\.]*$": "file.txt",
    "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\\d+$)[0-9a-zA-Z-_]+))?": "f",  # noqa: E501
    "(?=[/\\.\\-_A-Za-z0-9]+)((?!aws\\.).*)|(\\$(\\.[\\w_-]+(\\[(\\d+|\\*)\\])*)*)": "my.source",
}
"""Strings for patterns whose assertions the generator of samples does not see."""


def sample_of(pattern: str) -> str:
    return NO_SAMPLE.get(pattern) or from_pattern(pattern)


@pytest.mark.documented
@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_pattern_is_understood(pattern, caplog):
    """The pattern is translated, not taken as it is, and a string made up from its parts matches."""
    with caplog.at_level(logging.WARNING):
        matches = matcher(pattern)
    assert not caplog.records
    assert matches is None or matches(sample_of(pattern))


def attacks(pattern: str, longest: int) -> list[str]:
    """Strings that nearly match: what makes expressions go back and forth."""
    start = sample_of(pattern)[:200]
    pieces = ["a", "-", "a-", "a.", "/", "a/", ".", "0", " ", "a ", ":", "\t ", "ab_", "-a", "\u2028", "A1"]
    ends = ["!", "\n", "\x00", "\u2029", "-"]
    texts = []
    for number, piece in enumerate(pieces):
        for prefix in ("", start, start[: len(start) // 2]):
            repeated = piece * ((longest - len(prefix)) // len(piece))
            texts.append(prefix + repeated[: longest - len(prefix) - 1] + ends[number % len(ends)])
    return texts


@pytest.mark.ours
@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_no_string_holds_the_server(pattern):
    """Strings made to make a backtracking matcher explode are answered within the limit, at the greatest length allowed."""
    matches = matcher(pattern)
    if matches is None:
        return
    longest = max(PATTERNS[pattern], LONGEST_UNLIMITED)
    for text in attacks(pattern, longest):
        start = time.process_time()
        with suppress(TooSlow):
            matches(text)
        assert time.process_time() - start < 2 * SECONDS + 2 * len(text) * SECONDS_PER_CHARACTER, text[:100]


@pytest.mark.ours
def test_most_patterns_need_no_limit():
    """Only a few patterns are suspected of backtracking, so that hardly any request pays for the limit."""
    wild = [pattern for pattern in PATTERNS if not is_tame(parse(pattern))]
    assert len(wild) < 40


@pytest.mark.ours
@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a*)*", "(a|ab|b)*c", ".*.*.*x", "([a-z]+-?)+!", "(a+b?)*c"])
def test_dangerous_pattern_is_recognised(pattern):
    """Expressions known to take exponential or cubic time are not run without a limit."""
    assert not is_tame(parse(pattern))


@pytest.mark.ours
@pytest.mark.parametrize(
    "pattern", ["[a-z](-*[a-z]){0,62}", "(https|s3)://([^/]+)/?(.*)", "a+b", "(?:-\\w+)+", "arn:[a-z]*:x:.*"]
)
def test_harmless_pattern_is_recognised(pattern):
    """Expressions whose repetitions end where something else begins run on the fast matcher."""
    assert is_tame(parse(pattern))


@pytest.mark.ours
def test_a_string_that_takes_too_long_is_given_up():
    """Where the limit strikes, the matcher gives up in time."""
    matches = matcher(r".*(?:[ \r\n\t].*)*.*")
    start = time.monotonic()
    assert matches is not None
    with pytest.raises(TooSlow):
        matches("a b " * 5000 + "\u2028")
    assert time.monotonic() - start < 2


@pytest.mark.ours
@pytest.mark.parametrize("piece", ["\n", " ", '{"Name": "step", "Type": "Training"},\n  '])
def test_longest_pipeline_definition_matches(piece):
    """A definition of a million characters is matched within the limit, whatever its white space."""
    matches = matcher(r".*(?:[ \r\n\t].*)*")
    assert matches is not None and matches((piece * 1_048_576)[:1_048_576])


@pytest.mark.ours
def test_unknown_syntax_is_taken_as_it_is(caplog):
    """A pattern of a future model that is not understood still works where Python's syntax agrees, and is logged once."""
    matches = matcher("a++b")
    assert "possessive" in caplog.text
    assert matches is not None and matches("aab") and not matches("b")


@pytest.mark.documented
@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (
            r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
            ["a", "Fraud-Detection", "a--b", "9" * 63],
            ["", "-a", "a-", "a_b", "ä", "9" * 64, "a\n"],
        ),
        (r"(https|s3)://([^/]+)/?(.*)", ["s3://b/k", "s3://b", "https://x/y z"], ["s3:///k", "http://b/k", "s3://b/\n"]),
        (r"[\S]+", ["x", "é"], ["", "a b", "a\t"]),
        (r"\d+", ["0", "12"], ["", "١٢", "1a"]),
        (r"[\w-_]*", ["", "a-_9"], ["a b", "é"]),
        (r"[\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}]*", ["", "Größe 1 €", "日本"], ["a\n", "\t", "\x00"]),
        (r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,256}", ["", "team/fraud@1"], ["a#", "a\n"]),
        (r"\p{ASCII}*", ["", "abc\x7f"], ["é"]),
        (r"\p{Print}+", ["a b~"], ["", "\t", "é"]),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", ["", "a\t\U0001f600é"], ["\x01", "\n"]),
        (r"\A\S[\p{Print}]*\z", ["model.tar.gz", "a b"], ["", " a", "é\t"]),
        (r"^(?!\s*$).+", ["a", " a "], ["", "  ", "\n"]),
        (r"(?s).*", ["", "a\nb"], []),
        (r".*", ["", "a b"], ["a\nb", "a\u2028b", "\x85"]),
        (r"^[a-z]+$", ["abc"], ["abc\n", "ABC"]),
        (r"[0-9A-Za-z\.\-_]*(?<!\.)", ["bucket", "a.b"], ["a."]),
    ],
)
def test_pattern_matches_as_in_java(pattern, good, bad):
    """Whole strings match as Java's Pattern.matches would have them: ASCII classes, line terminators, properties."""
    matches = matcher(pattern)
    assert [text for text in good if matches is not None and not matches(text)] == []
    assert [text for text in bad if matches is None or matches(text)] == []


@pytest.mark.ours
@pytest.mark.parametrize("pattern", ["(", "a)", "[a", "[", "*a", "[a&&b]", "[a[b]]", "(?i)a", "\\q", "[b-a]", "(?<name>a)"])
def test_what_is_not_understood_is_refused(pattern):
    """The translator raises ValueError rather than guess."""
    with pytest.raises(ValueError, match=r".+"):
        parse(pattern)
