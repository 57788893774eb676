"""Wildcards: how actions, resources and condition values of a policy match those of a request.

Patterns come from customers, so matching has to be linear in the pattern times the text whatever they write: the parts between
stars are found one after the other, each at its first place, and never looked for again (atomic groups).
"""

import re
from collections.abc import Callable
from functools import lru_cache

from modelyard.access.variables import Tokens, Variable, Wildcard

TextMatcher = Callable[[str], bool]

ARN_SEPARATORS = 5
"""Colons before the resource part of an ARN."""

_ANY = r"(?s:.)"
_WITHIN_SEGMENT = "[^:]"


class MalformedArn(ValueError):
    """A text that should be an ARN, or a pattern of ARNs, and is not."""


def everything(_text: str) -> bool:
    """The matcher of `*`."""
    return True


def glob_matcher(tokens: Tokens) -> TextMatcher:
    """A matcher of whole texts against literals and wildcards; variables have been filled in before."""
    if all(isinstance(token, str) for token in tokens):
        return "".join(str(token) for token in tokens).__eq__
    if tokens == (Wildcard.MANY,):
        return everything
    beginning = prefix_of(tokens)
    if beginning is not None:
        return _starts_with(beginning)
    return _compiled(_expression(tokens, _ANY), tokens)


@lru_cache(maxsize=4096)
def filled_glob_matcher(tokens: Tokens) -> TextMatcher:
    """The same for tokens that were filled in for one request: callers repeat, so their patterns are kept."""
    return glob_matcher(tokens)


def arn_matcher(tokens: Tokens) -> TextMatcher:
    """A matcher of ARNs: in the first five segments a wildcard stays within its segment, in the resource it crosses `:` and `/`.

    A pattern of fewer segments that ends in `*` (`arn:aws:s3:*`) matches all that begins like it. Raises MalformedArn.
    """
    if tokens == (Wildcard.MANY,):
        return everything
    return _arn_parts_matcher(*split_arn(tokens))


@lru_cache(maxsize=4096)
def filled_arn_matcher(head: Tokens, resource: Tokens) -> TextMatcher:
    """The same for a pattern that `split_arn` has split and whose resource part was filled in for one request."""
    return _arn_parts_matcher(head, resource)


def _arn_parts_matcher(head: Tokens, resource: Tokens) -> TextMatcher:
    if all(isinstance(token, str) for token in head):
        return glob_matcher(merged((*head, *resource)))
    return _compiled(_expression(head, _WITHIN_SEGMENT) + _expression(resource, _ANY), (*head, *resource))


def split_arn(tokens: Tokens) -> tuple[Tokens, Tokens]:
    """The tokens up to and with the fifth colon, and those of the resource. Raises MalformedArn."""
    head: list[str | Wildcard | Variable] = []
    colons = 0
    for index, token in enumerate(tokens):
        if not isinstance(token, str):
            if isinstance(token, Variable):
                raise MalformedArn("a variable stands before the fifth colon")
            head.append(token)
            continue
        colons_here = token.count(":")
        if colons + colons_here >= ARN_SEPARATORS:
            cut = _position_of_colon(token, ARN_SEPARATORS - colons) + 1
            head.append(token[:cut])
            rest = token[cut:]
            return _checked_head(tuple(head)), (*((rest,) if rest else ()), *tokens[index + 1 :])
        colons += colons_here
        head.append(token)
    if head[-1:] == [Wildcard.MANY]:
        return _checked_head(tuple(head[:-1])), (Wildcard.MANY,)
    raise MalformedArn("there are fewer than six segments")


def _checked_head(head: Tokens) -> Tokens:
    if not head or not isinstance(head[0], str) or not head[0].startswith("arn:"):
        raise MalformedArn("it does not begin with arn:")
    return head


def _position_of_colon(text: str, number: int) -> int:
    position = -1
    for _ in range(number):
        position = text.index(":", position + 1)
    return position


def merged(tokens: Tokens) -> Tokens:
    """The same tokens with neighbouring literals joined."""
    found: list[str | Wildcard | Variable] = []
    for token in tokens:
        if isinstance(token, str) and found and isinstance(found[-1], str):
            found[-1] += token
        else:
            found.append(token)
    return tuple(found)


def lowered(tokens: Tokens) -> Tokens:
    """The same tokens with their literals in lower case."""
    return tuple(token.lower() if isinstance(token, str) else token for token in tokens)


def prefix_of(tokens: Tokens) -> str | None:
    """The text that is all that a pattern asks for: it stands before a star, and there is nothing else."""
    return tokens[0] if len(tokens) == 2 and isinstance(tokens[0], str) and tokens[1] is Wildcard.MANY else None


def _starts_with(prefix: str) -> TextMatcher:
    return lambda text: text.startswith(prefix)


def _compiled(expression: str, tokens: Tokens) -> TextMatcher:
    matches = re.compile(expression).fullmatch
    longest = max((token for token in tokens if isinstance(token, str)), key=len, default="")
    # Most texts do not match, and most of those lack this.
    return lambda text: longest in text and matches(text) is not None


def _expression(tokens: Tokens, character: str) -> str:
    """A regular expression of the tokens, `character` being what one wildcard may stand for.

    All but the last star are atomic: what follows a star is found at its first place, which is enough, since
    the later stars can take up whatever lies beyond.
    """
    pieces: list[str] = [""]
    for token in tokens:
        if token is Wildcard.MANY:
            pieces.append("")
        else:
            pieces[-1] += character if token is Wildcard.ONE else re.escape(str(token))
    first, *others = pieces
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>{character}*?{piece})" for piece in middle) + f"{character}*{last}"
