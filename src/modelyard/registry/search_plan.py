"""How a search finds its candidates: which conditions the index answers, and at what price.

The index gives *candidates*: every resource that matches is among them, and some may not match, since texts are kept as
digests and only one branch of a conjunction is followed. Each candidate is then judged by the expression itself. So a
plan changes how long a search takes, never what it finds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from modelyard.registry.search_condition import Condition, Containing, OneOf
from modelyard.registry.search_expression import All, Expression, Nested
from modelyard.registry.search_property import MODIFIED, is_indexed

FEW = 2000
"""Candidates that are cheap enough to look at one by one (some milliseconds); at first, conditions are counted no further."""
MANY = 50_000
"""How far conditions are counted once a walk has turned out long. With more candidates than this it goes on walking."""
CHEAP = 200
"""A conjunction with so few candidates needs no better condition to be looked for."""

Estimate = Callable[[Condition], int | None]
"""How many entries of the index pass a condition, counted up to some limit; None when it is not worth counting."""


@dataclass(frozen=True, slots=True)
class Access:
    """Read the entries of one condition; `also` are further conditions of the same conjunction that are tried on each."""

    condition: Condition
    also: tuple[Condition, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Candidates:
    """The resources found by any of the accesses."""

    accesses: tuple[Access, ...]
    cost: int
    """Entries that have to be read, as far as they were counted. Only what was counted to its end can be read."""


def candidates(expression: Expression, estimate: Estimate) -> Candidates | None:
    """The cheapest candidates for an expression; None when the index does not narrow it down."""
    if isinstance(expression, Condition):
        cost = estimate(expression) if answered_by_index(expression) else None
        return None if cost is None else Candidates((Access(expression),), cost)
    if isinstance(expression, Nested):
        return _cheapest(expression.implied, estimate)
    if isinstance(expression, All):
        return _cheapest(expression.parts, estimate)
    found = [candidates(part, estimate) for part in expression.parts]
    if any(one is None for one in found):
        return None
    return Candidates(
        tuple(access for one in found if one for access in one.accesses),
        sum(one.cost for one in found if one),
    )


def answered_by_index(condition: Condition) -> bool:
    """Whether the index can list the resources for which this condition may be true."""
    return not condition.negated and (condition.name == MODIFIED or is_indexed(condition.name))


def _cheapest(parts: tuple[Expression, ...], estimate: Estimate) -> Candidates | None:
    """The candidates of the part of a conjunction that has fewest."""
    best: Candidates | None = None
    for part in sorted(parts, key=_is_slow_to_count):
        if best is not None and best.cost <= CHEAP:
            break
        found = candidates(part, estimate)
        if found is not None and (best is None or found.cost < best.cost):
            best = found
    if best is None:
        return None
    also = lookups(All(parts))
    return Candidates(
        tuple(
            Access(access.condition, tuple(one for one in also if one != access.condition) + access.also)
            for access in best.accesses
        ),
        best.cost,
    )


def lookups(expression: Expression | None) -> tuple[Condition, ...]:
    """Conditions that are true of every match, and of which one look at the index tells whether they are true."""
    parts = expression.parts if isinstance(expression, All) else (expression,)
    return tuple(
        part
        for part in parts
        if isinstance(part, Condition) and answered_by_index(part) and isinstance(part.test, OneOf) and len(part.test.texts) == 1
    )


def is_slow_to_count(condition: Condition) -> bool:
    """Nothing orders the index by what is inside a text: to count Contains, every value of the property has to be read."""
    return isinstance(condition.test, Containing)


def _is_slow_to_count(part: Expression) -> bool:
    return isinstance(part, Condition) and is_slow_to_count(part)
