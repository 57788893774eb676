"""Matches strings against the patterns of service models, wholly, as AWS does, and never for longer than a moment.

Python's `re` is fast but backtracks without end on some patterns. So every pattern is looked at once: what cannot take
more than quadratic time runs on `re` (or on `regex`, if `re` does not know it); the rest, and long strings, run on `regex`
with a limit, which costs more.
"""

import logging
import re
from collections.abc import Callable
from functools import lru_cache

import regex

from modelyard.aws.backtracking import is_tame
from modelyard.aws.java_pattern import parse, write

Match = Callable[[str], object]

SECONDS = 0.05
"""How long a short string may be matched."""
SECONDS_PER_CHARACTER = 1e-6
"""How much longer for every character: the definition of a pipeline has up to a million, and takes twenty times less."""
LONGEST_UNLIMITED = 1024


class TooSlow(Exception):
    """A string keeps a pattern busy beyond the limit: nothing real does, and the rest of its request is not looked at."""

    def __init__(self, text: str, pattern: str) -> None:
        super().__init__(pattern)
        self.text = text
        self.pattern = pattern
        self.path: str | None = None
        """Where the string stands, once that is known."""


log = logging.getLogger("modelyard.aws.patterns")


@lru_cache(maxsize=4096)
def matcher(pattern: str, longest: int | None = None) -> Match | None:
    """The function that tells whether a whole string matches, by its truth; None where every string does.

    It is for strings of at most `longest` characters, where that is given. It may raise TooSlow.
    """
    if pattern in (r"[\S\s]*", r"[\s\S]*", r"(?s).*"):
        return None
    try:
        tree = parse(pattern)
        source, tame = write(tree), is_tame(tree)
    except ValueError as error:
        log.warning("a pattern of a service model is taken as it is: %s", error)
        source, tame = pattern, False
    limited = _limited(source, pattern)
    if not tame:
        return limited
    unlimited = _unlimited(source)
    if longest is not None and longest <= LONGEST_UNLIMITED:
        return unlimited
    return lambda text: unlimited(text) if len(text) <= LONGEST_UNLIMITED else limited(text)


def _limited(source: str, pattern: str) -> Match:
    match = regex.compile(source).fullmatch

    def match_with_limit(text: str) -> object:
        try:
            return match(text, timeout=SECONDS + len(text) * SECONDS_PER_CHARACTER)
        except TimeoutError:
            raise TooSlow(text, pattern) from None

    return match_with_limit


def _unlimited(source: str) -> Match:
    try:
        return re.compile(source).fullmatch
    except re.error:
        match: Match = regex.compile(source).fullmatch
        return match  # it has a property such as \p{L}, which `re` does not know
