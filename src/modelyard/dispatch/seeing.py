"""Which rows of a list the caller may see, and how a page is filled with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission, Resource
from modelyard.access.sight import Sight, sight
from modelyard.dispatch.context import Context
from modelyard.dispatch.tags import TagsTogether

T = TypeVar("T")

MOST_LOOKED_AT = 2000
"""Rows that one request decides on; then it answers with what it has, and a token to go on from there."""
STEP = 250
"""Rows that are read at once for a caller who may see some of them."""


class Seeing:
    """Which rows of one list the caller may see. Each is decided as the list's own action on it."""

    def __init__(self, context: Context, permission: Permission) -> None:
        self._context = context
        self._permission = permission
        self.all = sight(context.principal, permission, context.facts) is Sight.ALL
        """Whether there is nothing to decide."""

    def among(self, rows: Sequence[T], names: Callable[[T], tuple[str, ...]]) -> list[T]:
        """Those of the rows that may be seen. `names` gives a row's ARN, and after it others whose tags count for it, too.

        Of a tag that several have, that of the one named last counts.
        """
        if self.all:
            return list(rows)
        named = [(row, names(row)) for row in rows]
        tags = TagsTogether(self._context.tx, (arn for _, arns in named for arn in arns))
        return [row for row, arns in named if self._sees(arns[0], tags.of(*arns))]

    def _sees(self, arn: str, tags: Mapping[str, str]) -> bool:
        listed = self._permission
        whole = listed.resource
        asked = Permission(listed.action, Resource(arn, whole.account, tags, whole.policy), listed.conditions)
        return decide(self._context.principal, asked, self._context.facts).allowed


class Page(Protocol):
    """One page of a list, as every part has it."""

    @property
    def after(self) -> Any:
        """The place of the last row before; None at the beginning."""

    @property
    def size(self) -> int:
        """How many rows are wanted."""


P = TypeVar("P", bound=Page)


def filled(
    page: P, seeing: Seeing, read: Callable[[P], list[T]], names: Callable[[T], tuple[str, ...]], place: Callable[[T], list[Any]]
) -> tuple[list[T], list[Any] | None]:
    """The rows of a page that the caller may see, and the place to go on from; None after the last.

    `read` finds the rows of a page, and one more when more follow. A page may come out short, or empty, and go on all the same.
    """
    if seeing.all:
        found = read(page)
        return found[: page.size], place(found[page.size - 1]) if len(found) > page.size else None
    shown: list[T] = []
    looked_at = 0
    while True:
        step = replace(page, size=max(page.size, STEP))  # type: ignore[type-var]
        found = read(step)
        for row in seeing.among(found[: step.size], names):
            if len(shown) == page.size:
                return shown, place(shown[-1])
            shown.append(row)
        if len(found) <= step.size:
            return shown, None
        page = replace(page, after=place(found[step.size - 1]))  # type: ignore[type-var]
        looked_at += step.size
        if looked_at >= MOST_LOOKED_AT:
            return shown, page.after
