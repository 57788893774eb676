"""Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, `${*}` in resources and condition values.

A text of a policy is read into tokens once; what a variable stands for is looked up in the request each time. What a
variable stands for is always taken literally: a star in a user's tag is a star, not a wildcard.
"""

import re
from dataclasses import dataclass
from enum import Enum

_VARIABLE = re.compile(r"\s*([^\s,{}'*?$][^\s,{}']*)\s*(?:,\s*'([^'{}]*)'\s*)?")
_SPECIAL = frozenset("*?$")


class Wildcard(Enum):
    """What stands for other characters in a pattern."""

    MANY = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Variable:
    """A place to fill in from the request."""

    key: str
    """The condition key, as it is written."""
    default: str | None = None
    """What stands here when the request has no such key; None makes the text match nothing."""


Token = str | Wildcard | Variable
Tokens = tuple[Token, ...]


class MalformedVariable(ValueError):
    """A `${` that is not closed, or holds no name."""


def tokens_of(text: str, *, variables: bool, wildcards: bool) -> Tokens:
    """Split a text of a policy into literal strings, wildcards and variables.

    `variables` is true for documents of Version 2012-10-17; before that `${` is a literal. Raises MalformedVariable.
    """
    if not (wildcards and ("*" in text or "?" in text)) and not (variables and "${" in text):
        return (text,) if text else ()
    found: list[Token] = []
    literal: list[str] = []

    def close_literal() -> None:
        if literal:
            found.append("".join(literal))
            literal.clear()

    position, end = 0, len(text)
    while position < end:
        character = text[position]
        if variables and character == "$" and text.startswith("{", position + 1):
            closing = text.find("}", position)
            if closing < 0:
                raise MalformedVariable(text)
            inside = text[position + 2 : closing]
            position = closing + 1
            if inside.strip() in _SPECIAL:
                literal.append(inside.strip())
                continue
            close_literal()
            found.append(_variable(inside, text))
            continue
        position += 1
        if wildcards and character in "*?":
            close_literal()
            if character == "?" or found[-1:] != [Wildcard.MANY]:
                found.append(Wildcard(character))
            continue
        literal.append(character)
    close_literal()
    return tuple(found)


def _variable(inside: str, text: str) -> Variable:
    match = _VARIABLE.fullmatch(inside)
    if match is None:
        raise MalformedVariable(text)
    return Variable(match[1], match[2])


def has_variables(tokens: Tokens) -> bool:
    """Whether a request is needed to know what the text says."""
    return any(token.__class__ is Variable for token in tokens)
