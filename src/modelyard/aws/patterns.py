"""Matches strings against the patterns of service models, wholly, as AWS does, and never for longer than a moment.

Python's `re` is fast but backtracks without end on some patterns. So every pattern is looked at once: what cannot take
more than quadratic time runs on `re`; the rest, what `re` does not know, and long strings run on `regex`, with a limit.
"""

import logging
import re
from collections.abc import Callable
from functools import lru_cache

import regex

from modelyard.aws.backtracking import is_tame
from modelyard.aws.java_pattern import parse, write

Match = Callable[[str], bool]

SECONDS = 0.05
"""How long one string may be matched. A string that takes longer is said not to match."""
LONGEST_UNLIMITED = 1024

log = logging.getLogger("modelyard.aws.patterns")


@lru_cache(maxsize=4096)
def matcher(pattern: str) -> Match | None:
    """The function that tells whether a whole string matches; None where every string does."""
    if pattern in (r"[\S\s]*", r"[\s\S]*", r"(?s).*"):
        return None
    try:
        tree = parse(pattern)
        source, tame = write(tree), is_tame(tree)
    except ValueError as error:
        log.warning("a pattern of a service model is taken as it is: %s", error)
        source, tame = pattern, False
    limited = _limited(source)
    unlimited = _unlimited(source) if tame else None
    if unlimited is None:
        return limited
    return lambda text: unlimited(text) is not None if len(text) <= LONGEST_UNLIMITED else limited(text)


def _limited(source: str) -> Match:
    match = regex.compile(source).fullmatch

    def match_with_limit(text: str) -> bool:
        try:
            return match(text, timeout=SECONDS) is not None
        except TimeoutError:
            return False

    return match_with_limit


def _unlimited(source: str) -> Callable[[str], object] | None:
    try:
        return re.compile(source).fullmatch
    except re.error:
        return None  # a property such as \p{L}, which `re` does not know
