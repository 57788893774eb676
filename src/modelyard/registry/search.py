"""Search: finds resources of any kind that was registered and indexed, a page at a time, in any order.

Three ways to the same answer (`search_plan` says how candidates are found):

- few candidates: look at all of them;
- many or none: walk all resources in the order of the answer and judge each, until the page is full. When many resources
  match, the walk is short; when they match too rarely for that, after BUDGET resources it counts the candidates again, further
  and more patiently, and goes over to them unless they are very many;
- an order that the index does not know (texts too long to be kept): judge everything and keep the best.

What is judged is the record that the index keeps; documents are read only where that does not tell, and for the page.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import total_ordering
from typing import Any

import orjson

from modelyard.registry import search_plan, search_query
from modelyard.registry.search_condition import Condition
from modelyard.registry.search_expression import Expression, conditions_of, decide
from modelyard.registry.search_item import Described, Item, sort_value
from modelyard.registry.search_plan import Candidates, candidates, is_slow_to_count, lookups
from modelyard.registry.search_property import MODIFIED, Value, is_indexed
from modelyard.registry.search_query import Reach, Space
from modelyard.registry.search_schema import PropertyType
from modelyard.registry.search_store import find_names, find_space, given_key
from modelyard.storage.interface import Transaction

Loader = Callable[[Transaction, str, str, Sequence[str]], Mapping[str, str | bytes]]
"""(transaction, account, region, keys) -> the JSON that Describe answers, by key; what is not there is left out."""
Visible = Callable[[Item], bool]
"""Whether a resource passes the request's conditions of visibility; looks at its tags."""
Permitted = Callable[[Sequence[Item]], Sequence[Item]]
"""Those of the resources that policies let the caller find."""

BUDGET = 4000
"""Resources that a walk looks at before it goes over to the candidates: about ten milliseconds."""
LONGEST_WALK = 1_000_000
"""Resources that one request looks at, some seconds: then it answers with what it has, and a token to go on from there."""
DECISION = 50
"""Resources that can be looked at in the time it takes to decide whether the caller may find one."""
DECIDED_AT_ONCE = 2000
"""Resources that are decided on before a page is answered that came out short."""
DOCUMENT = 5
"""Resources that can be looked at in the time it takes to read one document."""
SMALLEST_STEP = 32
LARGEST_STEP = 1000
LARGEST_CANDIDATE_STEP = 20_000
"""Resources read at once: it grows from the first on, since most searches are over after one step. A step through
candidates costs as much as reading all of them, so those may grow further."""

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
    permitted: Permitted | None = None
    """None for a caller who may find all resources of the kind."""


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
    """A page: resources with their documents, and where the next page goes on; None after the last."""

    results: list[tuple[Item, dict[str, Any]]]
    next: list[Any] | None


def find(tx: Transaction, query: Query) -> Found:
    """The page that a query asks for."""
    return _Search(tx, query).page()


@dataclass(frozen=True, slots=True)
class _Step:
    """Resources in the order of the query, and the place that has been read up to; None at the end."""

    items: list[Item]
    end: list[Any] | None
    walked: int
    """Resources that were looked at up to here, counting those that the database passed over."""


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
        self.read = 0
        self.decided = 0
        self.first_step = max(SMALLEST_STEP, query.size + 1)

    def page(self) -> Found:
        """Find, and read the documents of what was found."""
        matched, then = self._matches()
        if len(matched) > self.query.size:
            matched = matched[: self.query.size]
            then = self._place(matched[-1]).cursor
        self._load([item for item in matched if item.id not in self.documents])
        return Found([(item, self.documents[item.id]) for item in matched if item.id in self.documents], then)

    def _matches(self) -> tuple[list[Item], list[Any] | None]:
        """The resources of the page and one more, if there is one; or fewer, and the place to go on looking from."""
        found = self._candidates(patient=False)
        if found is not None and found.cost == 0:
            return [], None
        few = found is not None and found.cost <= search_plan.FEW
        if self.query.sort_by == MODIFIED:
            return self._take(self._walk_by_modified(found if few else None), LONGEST_WALK)
        if few:
            return self._select(found)
        if not self._order_is_known():
            return self._select(self._candidates(patient=True))
        matched, then = self._take(self._walk_by_value(), BUDGET)
        if then is None:
            return matched, None
        found = self._candidates(patient=True)
        return self._take(self._walk_by_value(), LONGEST_WALK) if found is None else self._select(found)

    def _candidates(self, *, patient: bool) -> Candidates | None:
        """The candidates by a quick count, in full when they are few; or, with patience, unless there are very many."""
        if self.query.expression is None:
            return None
        limit = search_plan.MANY if patient else search_plan.FEW

        def estimate(condition: Condition) -> int | None:
            if not patient and is_slow_to_count(condition):
                return None
            return search_query.count(self.tx, self.space, condition, limit + 1)

        found = candidates(self.query.expression, estimate)
        return None if patient and found is not None and found.cost > limit else found

    def _order_is_known(self) -> bool:
        return is_indexed(self.query.sort_by) and not search_query.has_digests(self.tx, self.space, self.query.sort_by)

    def _take(self, steps: Iterator[_Step], budget: int) -> tuple[list[Item], list[Any] | None]:
        """The first matches of a walk, enough for a page and one more; or those within the budget, and the place it ends at."""
        matched: list[Item] = []
        for step in steps:
            matched += self._permitted(self._judge(step.items))
            if len(matched) > self.query.size:
                break
            if step.walked + DOCUMENT * self.read + DECISION * self.decided >= budget:
                return matched, step.end
        return matched, None

    def _select(self, found: Candidates | None) -> tuple[list[Item], list[Any] | None]:
        """The first matches in an order that is worked out here: judges all candidates, keeps a page of them and one more.

        For a caller who may not find all it keeps more, decides on those, and tells where to go on from.
        """
        most = self.query.size + 1 if self.query.permitted is None else max(self.query.size + 1, DECIDED_AT_ONCE)
        steps = (
            search_query.each(self.tx, self.space) if found is None else search_query.each_candidate(self.tx, self.space, found)
        )
        after = None if self.query.after is None else Place(self.query.descending, *self.query.after)
        best: list[tuple[Place, Item]] = []
        for step in steps:
            placed = [(self._place(item), item) for item in self._judge(step)]
            best += [pair for pair in placed if after is None or pair[0] > after]
            best = heapq.nsmallest(most, best, key=lambda pair: pair[0])
            self.documents = {item.id: self.documents[item.id] for _, item in best if item.id in self.documents}
        then = best[-1][0].cursor if self.query.permitted is not None and len(best) == most else None
        return self._permitted([item for _, item in best]), then

    def _place(self, item: Item) -> Place:
        name, descending = self.query.sort_by, self.query.descending
        exact, value = item.sort_value(name, descending=descending)
        if not exact:
            if item.id not in self.documents:
                self._load([item])
            value = sort_value(Described(item, self.documents.get(item.id, {})).values(name), descending=descending)
        return Place(descending, value, item.modified, item.id)

    def _walk_by_modified(self, found: Candidates | None) -> Iterator[_Step]:
        """All resources, or those candidates, in order of modification; when it gets long, the candidates of the rest."""
        after = None if self.query.after is None else self.query.after[1:]
        walked, limit, hopeful = 0, self.first_step, found is None
        while True:
            if hopeful and walked >= BUDGET:
                found, hopeful = self._candidates(patient=True), False
            reach = Reach(after, self.query.descending, limit)
            if found is not None:
                items, after = self._step_of_candidates(found, reach)
                most = LARGEST_CANDIDATE_STEP
            else:
                items, after = self._step_of_all(reach)
                most = LARGEST_STEP
            if after is None:
                yield _Step(items, None, walked)
                return
            walked += limit
            yield _Step(items, [after[0], *after], walked)
            limit = min(4 * limit, most)

    def _step_of_candidates(self, found: Candidates, reach: Reach) -> tuple[list[Item], Sequence[Any] | None]:
        """The next candidates, and the place after them; None when they are the last."""
        items = search_query.candidates_by_modified(self.tx, self.space, found, reach)
        return items, None if len(items) < reach.limit else (items[-1].modified, items[-1].id)

    def _step_of_all(self, reach: Reach) -> tuple[list[Item], Sequence[Any] | None]:
        """Those of the next resources that may match, and the place after them; None when they are the last."""
        conditions = lookups(self.query.expression)
        if not conditions:
            items = search_query.by_modified(self.tx, self.space, reach)
            return items, None if len(items) < reach.limit else (items[-1].modified, items[-1].id)
        end = search_query.window(self.tx, self.space, reach)
        return search_query.in_window(self.tx, self.space, conditions, reach, end), end

    def _walk_by_value(self) -> Iterator[_Step]:
        """All resources in order of the property sorted by."""
        after, walked = self.query.after, 0
        if after is None or after[0] is not None:
            for step in self._walk_having(None if after is None else (after[0], after[2])):
                walked = step.walked
                yield step
            after = None
        yield from self._walk_lacking(None if after is None else after[1:], walked)

    def _walk_having(self, after: Sequence[Any] | None) -> Iterator[_Step]:
        """Resources that have the property sorted by."""
        walked, limit = 0, self.first_step
        while True:
            reach = Reach(after, self.query.descending, limit)
            found = search_query.by_value(self.tx, self.space, self.query.sort_by, reach, texts=self._sorts_texts())
            if found:
                value, last = found[-1]
                after = (value, last.id)
                walked += len(found)
                yield _Step([item for one, item in found if self._stands_at(item, one)], [value, last.modified, last.id], walked)
            if len(found) < limit:
                return
            limit = min(4 * limit, LARGEST_STEP)

    def _stands_at(self, item: Item, value: Value) -> bool:
        """Whether this is the value that a resource is sorted by; at the others it is passed over."""
        return item.sort_value(self.query.sort_by, descending=self.query.descending)[1] == value

    def _walk_lacking(self, after: Sequence[Any] | None, walked: int) -> Iterator[_Step]:
        """Resources that do not have the property sorted by."""
        while True:
            reach = Reach(after, self.query.descending, LARGEST_STEP)
            items = search_query.without_value(self.tx, self.space, self.query.sort_by, reach, texts=self._sorts_texts())
            if not items:
                return
            after = (items[-1].modified, items[-1].id)
            walked += len(items)
            yield _Step(items, [None, *after], walked)

    def _sorts_texts(self) -> bool:
        return self.query.sort_type not in (PropertyType.NUMBER, PropertyType.TIME)

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

    def _permitted(self, items: Sequence[Item]) -> list[Item]:
        """Those of the items that the caller may find."""
        if self.query.permitted is None or not items:
            return list(items)
        self.decided += len(items)
        return list(self.query.permitted(items))

    def _load(self, items: Sequence[Item]) -> None:
        """Read documents."""
        if not items:
            return
        self.read += len(items)
        account, region = self.query.account, self.query.region
        keys = {given_key(item.key, account, region): item.id for item in items}
        for key, document in _loaders[self.query.kind](self.tx, account, region, list(keys)).items():
            self.documents[keys[key]] = orjson.loads(document)
