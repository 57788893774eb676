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
"""Candidates that are cheap enough to look at one by one (some milliseconds); conditions are counted no further than this."""
CHEAP = 200
"""A conjunction with so few candidates needs no better condition to be looked for."""

Estimate = Callable[[Condition], int]
"""How many entries of the index pass a condition, counted up to FEW + 1."""


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
    """Entries that have to be read, at least: counting stops at FEW + 1 for each access."""

    @property
    def few(self) -> bool:
        """Whether looking at all of them is cheap."""
        return self.cost <= FEW


def candidates(expression: Expression, estimate: Estimate) -> Candidates | None:
    """The cheapest candidates for an expression; None when the index does not narrow it down."""
    if isinstance(expression, Condition):
        if not answered_by_index(expression):
            return None
        return Candidates((Access(expression),), estimate(expression))
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
    also = tuple(part for part in parts if isinstance(part, Condition) and _is_lookup(part))
    return Candidates(
        tuple(
            Access(access.condition, tuple(one for one in also if one != access.condition) + access.also)
            for access in best.accesses
        ),
        best.cost,
    )


def _is_slow_to_count(part: Expression) -> bool:
    # Nothing orders the index by what is inside a text: counting Contains reads every value of the property.
    return isinstance(part, Condition) and isinstance(part.test, Containing)


def _is_lookup(condition: Condition) -> bool:
    """Whether one look at the index tells if a resource passes."""
    return answered_by_index(condition) and isinstance(condition.test, OneOf) and len(condition.test.texts) == 1
