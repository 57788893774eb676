"""Filter patterns: which log events FilterLogEvents shows.

    ERROR timeout            both terms are in the message, in this case
    "out of memory"          so is this phrase
    -DEBUG                   this term is not
    ?ERROR ?WARN             at least one of these is; beside other terms they do not count, as on AWS
    { $.level = "ERROR" && $.latency > 200 }      the message is JSON and meets the condition (json_condition.py)

A term matches anywhere in the message. Patterns for space-delimited fields (`[ip, user, ...]`) and regular expressions (`%…%`)
are refused.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from modelyard.logs.json_condition import InvalidPattern, compile_condition

__all__ = ["InvalidPattern", "Matches", "compile_pattern"]

Matches = Callable[[str], bool]
_TERM = re.compile(r'\s*(?P<sign>[-?]?)(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s"]+))')
_PLAIN = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class _Terms:
    required: Sequence[str]
    excluded: Sequence[str]
    optional: Sequence[str]

    def matches(self, message: str) -> bool:
        if self.required or self.excluded:
            return all(term in message for term in self.required) and not any(term in message for term in self.excluded)
        return not self.optional or any(term in message for term in self.optional)


@lru_cache(256)
def compile_pattern(text: str) -> Matches:
    """The test that a pattern stands for. Raises InvalidPattern with a sentence."""
    stripped = text.strip()
    if stripped.startswith("{"):
        return compile_condition(stripped)
    if stripped.startswith("["):
        raise InvalidPattern("patterns for space-delimited fields are not available in Modelyard.")
    return _terms(stripped).matches


def _terms(text: str) -> _Terms:
    kinds: dict[str, list[str]] = {"": [], "-": [], "?": []}
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise InvalidPattern("a quotation mark is not closed.")
        position = match.end()
        kinds[match["sign"]].append(_term(match))
    return _Terms(kinds[""], kinds["-"], kinds["?"])


def _term(match: re.Match[str]) -> str:
    if match["plain"] is None:
        return re.sub(r"\\(.)", r"\1", match["quoted"])
    term = match["plain"]
    if term.startswith("%"):
        raise InvalidPattern("regular expressions are not available in Modelyard.")
    if not _PLAIN.fullmatch(term):
        raise InvalidPattern(f"Invalid character(s) in term '{term}': quote what has other than letters, digits and underscores.")
    return term
