"""Search: finds resources of any kind that was registered and indexed, a page at a time, in any order.

Three ways to the same answer (`search_plan` says how candidates are found):

- few candidates: look at all of them;
- many or none: walk all resources in the order of the answer and judge each, until the page is full. When many resources
  match, the walk is short; when they match too rarely for that, it goes over to the candidates after BUDGET resources;
- an order that the index does not know (texts too long to be kept): judge everything and keep the best.

What is judged is the record that the index keeps; documents are read only where that does not tell, and for the page.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import total_ordering
from typing import Any

import orjson

from modelyard.registry import search_query
from modelyard.registry.search_expression import Expression, conditions_of, decide
from modelyard.registry.search_item import Described, Item, sort_value
from modelyard.registry.search_plan import FEW, Candidates, candidates
from modelyard.registry.search_property import MODIFIED, Value, is_indexed
from modelyard.registry.search_query import Reach, Space
from modelyard.registry.search_schema import PropertyType
from modelyard.registry.search_store import find_names, find_space, given_key
from modelyard.storage.interface import Transaction

Loader = Callable[[Transaction, str, str, Sequence[str]], Mapping[str, str | bytes]]
"""(transaction, account, region, keys) -> the JSON that Describe answers, by key; what is not there is left out."""
Visible = Callable[[Item], bool]
"""Whether the caller may see a resource at all; looks at its tags."""

BUDGET = 4000
"""Resources that a walk looks at before it goes over to the candidates: about ten milliseconds."""
SMALLEST_STEP = 32
LARGEST_STEP = 1000
"""Resources read at once: it doubles from one to the other, since most searches are over after the first."""

_loaders: dict[str, Loader] = {}


def register(kind: str, loader: Loader) -> None:
    """Make a kind of resource searchable: its part calls this once, and `search_store.index` for each resource."""
    _loaders[kind] = loader


def is_searchable(kind: str) -> bool:
    """Whether resources of this kind can be searched for."""
    return kind in _loaders


@dataclass(frozen=True, slots=True)
class Query:
    """One page of one search."""

    kind: str
    account: str
    region: str
    expression: Expression | None
    sort_by: str
    sort_type: PropertyType
    descending: bool
    after: Sequence[Any] | None
    """The place of the last resource of the page before."""
    size: int
    visible: Visible


@total_ordering
@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource stands in an order: by value, then by number. Without a value: after all others, by modification."""

    descending: bool
    value: Value | None
    modified: float
    id: int

    def __lt__(self, other: "Place") -> bool:
        if (self.value is None) != (other.value is None):
            return other.value is None
        mine = (self.modified if self.value is None else self.value, self.id)
        others = (other.modified if other.value is None else other.value, other.id)
        return mine > others if self.descending else mine < others

    @property
    def cursor(self) -> list[Any]:
        """The place as it goes into a token."""
        return [self.value, self.modified, self.id]


@dataclass(frozen=True, slots=True)
class Found:
    """A page: documents with their tags, and where the next page goes on."""

    results: list[tuple[Item, dict[str, Any]]]
    next: list[Any] | None


def find(tx: Transaction, query: Query) -> Found:
    """The page that a query asks for."""
    return _Search(tx, query).page()


class _Search:
    def __init__(self, tx: Transaction, query: Query) -> None:
        self.tx = tx
        self.query = query
        names = {query.sort_by}
        if query.expression is not None:
            names.update(condition.name for condition in conditions_of(query.expression))
        space_id = find_space(tx, query.kind, query.account, query.region)
        self.space = Space(space_id, find_names(tx, space_id, names))
        self.documents: dict[int, dict[str, Any]] = {}
        self.after = None if query.after is None else Place(query.descending, *query.after)

    def page(self) -> Found:
        matched = list(self._matches())
        more = len(matched) > self.query.size
        items = [item for item, _ in matched[: self.query.size]]
        self._load([item for item in items if item.id not in self.documents])
        results = [(item, self.documents[item.id]) for item in items if item.id in self.documents]
        return Found(results, matched[self.query.size - 1][1].cursor if more else None)

    def _matches(self) -> list[tuple[Item, Place]]:
        """The resources of the page and one more, if there is one."""
        found = None
        if self.query.expression is not None:
            found = candidates(
                self.query.expression, lambda condition: search_query.count(self.tx, self.space, condition, FEW + 1)
            )
            if found is not None and found.cost == 0:
                return []
        if self.query.sort_by == MODIFIED:
            return self._take(self._walk_by_modified(found), None) or []
        if (found is not None and found.few) or not self._order_is_known():
            return self._select(found)
        taken = self._take(self._walk_by_value(), None if found is None else BUDGET)
        return self._select(found) if taken is None else taken

    def _order_is_known(self) -> bool:
        return is_indexed(self.query.sort_by) and not search_query.has_digests(self.tx, self.space, self.query.sort_by)

    def _take(self, steps: Iterator[list[tuple[Item, Place]]], budget: int | None) -> list[tuple[Item, Place]] | None:
        """The first matches of an ordered walk, enough for a page and one more; None when that is over the budget."""
        matched: list[tuple[Item, Place]] = []
        for step in steps:
            matching = {item.id for item in self._judge([item for item, _ in step])}
            matched += [(item, place) for item, place in step if item.id in matching]
            if len(matched) > self.query.size:
                return matched[: self.query.size + 1]
            if budget is not None:
                budget -= len(step)
                if budget <= 0:
                    return None
        return matched

    def _select(self, found: Candidates | None) -> list[tuple[Item, Place]]:
        """The first matches in an order that is worked out here: judges all candidates, keeps a page of them."""
        steps = (
            search_query.each(self.tx, self.space) if found is None else search_query.each_candidate(self.tx, self.space, found)
        )
        best: list[tuple[Item, Place]] = []
        for step in steps:
            placed = [(item, self._place(item)) for item in self._judge(step)]
            rest = [(item, place) for item, place in placed if self.after is None or place > self.after]
            best = heapq.nsmallest(self.query.size + 1, best + rest, key=lambda pair: pair[1])
            self.documents = {item.id: self.documents[item.id] for item, _ in best if item.id in self.documents}
        return best

    def _place(self, item: Item) -> Place:
        name, descending = self.query.sort_by, self.query.descending
        exact, value = item.sort_value(name, descending=descending)
        if not exact:
            if item.id not in self.documents:
                self._load([item])
            value = sort_value(Described(item, self.documents.get(item.id, {})).values(name), descending=descending)
        return Place(descending, value, item.modified, item.id)

    def _walk_by_modified(self, found: Candidates | None) -> Iterator[list[tuple[Item, Place]]]:
        after = None if self.after is None else (self.after.modified, self.after.id)
        walked, limit = 0, max(SMALLEST_STEP, self.query.size + 1)
        while True:
            reach = Reach(after, self.query.descending, limit)
            if found is not None and (found.few or walked >= BUDGET):
                items = search_query.candidates_by_modified(self.tx, self.space, found, reach)
            else:
                items = search_query.by_modified(self.tx, self.space, reach)
            yield [(item, Place(self.query.descending, item.modified, item.modified, item.id)) for item in items]
            if len(items) < limit:
                return
            after = (items[-1].modified, items[-1].id)
            walked += len(items)
            limit = min(2 * limit, LARGEST_STEP)

    def _walk_by_value(self) -> Iterator[list[tuple[Item, Place]]]:
        descending, texts = self.query.descending, self.query.sort_type not in (PropertyType.NUMBER, PropertyType.TIME)
        limit = max(SMALLEST_STEP, self.query.size + 1)
        after: Sequence[Any] | None = None if self.after is None else (self.after.value, self.after.id)
        while self.after is None or self.after.value is not None:
            found = search_query.by_value(self.tx, self.space, self.query.sort_by, Reach(after, descending, limit), texts=texts)
            # A resource with several values stands where its first one is, and is passed over at the others.
            yield [
                (item, Place(descending, value, item.modified, item.id))
                for value, item in found
                if item.sort_value(self.query.sort_by, descending=descending)[1] == value
            ]
            if len(found) < limit:
                break
            after = (found[-1][0], found[-1][1].id)
            limit = min(2 * limit, LARGEST_STEP)
        after = None if self.after is None or self.after.value is not None else (self.after.modified, self.after.id)
        while items := search_query.without_value(
            self.tx, self.space, self.query.sort_by, Reach(after, descending, limit), texts=texts
        ):
            yield [(item, Place(descending, None, item.modified, item.id)) for item in items]
            after = (items[-1].modified, items[-1].id)
            limit = LARGEST_STEP

    def _judge(self, items: Sequence[Item]) -> list[Item]:
        """Those of the items that match, in their order."""
        seen = [item for item in items if self.query.visible(item)]
        if self.query.expression is None:
            return seen
        verdicts = {item.id: decide(self.query.expression, item) for item in seen}
        unknown = [item for item in seen if verdicts[item.id] is None]
        self._load(unknown)
        for item in unknown:
            document = self.documents.get(item.id)
            verdicts[item.id] = document is not None and decide(self.query.expression, Described(item, document))
            if not verdicts[item.id]:
                self.documents.pop(item.id, None)
        return [item for item in seen if verdicts[item.id]]

    def _load(self, items: Sequence[Item]) -> None:
        """Read documents."""
        if not items:
            return
        account, region = self.query.account, self.query.region
        keys = {given_key(item.key, account, region): item.id for item in items}
        for key, document in _loaders[self.query.kind](self.tx, account, region, list(keys)).items():
            self.documents[keys[key]] = orjson.loads(document)
