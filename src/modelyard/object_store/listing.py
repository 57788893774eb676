"""One page of keys: those with a prefix, the ones below a delimiter rolled up into common prefixes.

Keys below a common prefix are skipped, not read: a page costs about as many rows as it has entries, however many keys there are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from modelyard.object_store.object_key import after_prefix

MOST = 1000
"""Entries on a page at most."""


class Keyed(Protocol):
    """A row of a listing."""

    @property
    def key(self) -> str:
        """The object's key."""
        ...

    @property
    def id(self) -> int:
        """The row, which tells those with the same key apart."""
        ...


K = TypeVar("K", bound=Keyed)


@dataclass(frozen=True, slots=True)
class Start:
    """Where the rows begin: at `key`, or after it."""

    key: str
    inclusive: bool
    within: int = 0
    """Not 0: those of `key` that follow this row (older versions, later uploads) come first."""


Fetch = Callable[[Start, int], Sequence[K]]
"""At most so many rows from there on, in order of their keys."""


@dataclass(slots=True)
class Page(Generic[K]):
    """What one answer lists."""

    entries: list[K] = field(default_factory=list)
    common_prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    last: str = ""
    """The key or common prefix after which the next page begins."""

    @property
    def count(self) -> int:
        """How many entries the page has, of both kinds."""
        return len(self.entries) + len(self.common_prefixes)


@dataclass(frozen=True, slots=True)
class Query:
    """What is listed."""

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    """Keys up to here, and keys below it if it is a common prefix, were listed already or are not wanted."""
    most: int = MOST

    def group(self, key: str) -> str | None:
        """The common prefix that a key is rolled up into, if any."""
        if not self.delimiter:
            return None
        end = key.find(self.delimiter, len(self.prefix))
        return None if end < 0 else key[: end + len(self.delimiter)]

    def start(self) -> Start | None:
        """Where the rows of the page begin; None when there cannot be any."""
        if self.after < self.prefix:
            return Start(self.prefix, inclusive=True)
        if self.after and self.group(self.after) == self.after:
            following = after_prefix(self.after)
            return None if following is None else Start(following, inclusive=True)
        return Start(self.after, inclusive=False)


def page(query: Query, fetch: Fetch[K], start: Start | None = None) -> Page[K]:
    """The next page. Rows that `fetch` gives from the start on may go past the prefix; they end the listing.

    `start` goes on in the midst of a key's rows.
    """
    result: Page[K] = Page()
    start = start or query.start()
    # Without common prefixes one fetch has it all; with them the size follows how many rows of the last fetch were of use.
    size = query.most + 1 if not query.delimiter else min(query.most + 1, 32)
    while start is not None:
        before = result.count
        rows = fetch(start, size)
        if not _take(query, rows, result) or len(rows) < size:
            break
        start = _onwards(query, rows[-1])
        size = min(query.most + 1, size * 2) if (result.count - before) * 2 >= size else max(2, size // 2)
    return result


def _take(query: Query, rows: Sequence[K], result: Page[K]) -> bool:
    """Add rows to the page; False once the page is full or the rows have left the prefix."""
    for row in rows:
        if not row.key.startswith(query.prefix):
            return False
        group = query.group(row.key)
        if group is not None and result.common_prefixes and result.common_prefixes[-1] == group:
            continue
        if result.count >= query.most:
            result.truncated = True
            return False
        if group is None:
            result.entries.append(row)
            result.last = row.key
        else:
            result.common_prefixes.append(group)
            result.last = group
    return True


def _onwards(query: Query, row: Keyed) -> Start | None:
    """Where to go on after this row: past everything that shares its common prefix."""
    group = query.group(row.key)
    if group is None:
        return Start(row.key, inclusive=False, within=row.id)
    following = after_prefix(group)
    return None if following is None else Start(following, inclusive=True)
