"""How long an expression may take to match: whether backtracking can only ever cost little.

A repetition is harmless when what follows tells where it ends: their sets share no character. Every one that is not
multiplies the time by the length of the string; a repetition of repetitions must be harmless all the way round, or the
time grows exponentially.
"""

from functools import lru_cache

import regex

from modelyard.aws.java_pattern import UNBOUNDED, Assertion, Atom, Group, Node

_FEW = 8
"""A repetition up to so many times is as good as written out."""
_PROBES = [chr(code) for code in range(128)] + ["\x85", "é", "Ж", "\u2028", "漢", "\U0001f600"]

Characters = frozenset[str]
"""A set of characters, by those of the probes that are in it."""


def is_tame(tree: Group) -> bool:
    """Whether matching takes time in the square of the length of the string, at worst."""
    return _ambiguities(tree, []) <= 1


def _ambiguities(group: Group, after: list[Node]) -> int:
    """How many repetitions have no clear end, `after` being what follows; beyond any limit for exponential ones."""
    most = 0
    for sequence in group.alternatives:
        count = 0
        for position, node in enumerate(sequence):
            following = sequence[position + 1 :] + after
            if isinstance(node, Group):
                count += _repeated(node, following) if node.most > 1 else _ambiguities(node, _beyond(node, following))
            elif isinstance(node, Atom) and node.most > _FEW:
                count += not _ends(_characters(node.source), following)
        most = max(most, count)
    return most


def _beyond(group: Group, following: list[Node]) -> list[Node]:
    """What comes after the inside of a group: nothing, for one that only looks ahead."""
    return [] if _looks(group) else following


def _looks(group: Group) -> bool:
    return group.opening[:3] in ("(?=", "(?!", "(?<")


def _repeated(group: Group, following: list[Node]) -> int:
    """The ambiguities of a group that is itself repeated."""
    starts: list[Characters] = []
    for sequence in group.alternatives:
        start, nullable = _start(sequence)
        if nullable or any(start & other for other in starts):
            return UNBOUNDED
        starts.append(start)
        for position, node in enumerate(sequence):
            round_again = [*sequence[position + 1 :], group]
            if isinstance(node, Group) and _varies(node):
                return UNBOUNDED
            if isinstance(node, Atom) and node.least != node.most and not _ends(_characters(node.source), round_again):
                return UNBOUNDED
    return int(not _ends(frozenset().union(*starts), following))


def _varies(group: Group) -> bool:
    """Whether the inside of a repeated group can match in more than one way."""
    return (
        group.least != group.most
        or len(group.alternatives) > 1
        or any(
            isinstance(node, Group) or node.least != node.most
            for sequence in group.alternatives
            for node in sequence
            if not isinstance(node, Assertion)
        )
    )


def _ends(repeated: Characters, after: list[Node]) -> bool:
    """Whether what follows a repetition of these characters tells where it ends; so does the end of the string."""
    for node in after:
        start, nullable = _start([node])
        if repeated & start:
            return False
        if not nullable:
            return True
    return True


def _start(sequence: list[Node]) -> tuple[Characters, bool]:
    """The characters a sequence can start with, and whether it can be empty."""
    characters: Characters = frozenset()
    for node in sequence:
        if isinstance(node, Assertion) or (isinstance(node, Group) and _looks(node)):
            continue
        if isinstance(node, Atom):
            start, nullable = _characters(node.source), False
        else:
            parts = [_start(alternative) for alternative in node.alternatives]
            start = frozenset().union(*(part for part, _ in parts))
            nullable = any(empty for _, empty in parts)
        characters |= start
        if node.least and not nullable:
            return characters, False
    return characters, True


@lru_cache(maxsize=4096)
def _characters(source: str) -> Characters:
    one = regex.compile(source)
    return frozenset(character for character in _PROBES if one.fullmatch(character))
