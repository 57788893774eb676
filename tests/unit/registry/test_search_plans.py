"""Every way in which a search can be carried out gives the answer that the expression means, on both databases."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.postgresql import PostgresqlServer, fresh_database
from tests.unit.registry.search_cases import (
    NAMES,
    SAMPLES,
    SCHEMA,
    Resource,
    contains_used,
    every_filter,
    expected,
    expressions,
    parts_used,
    resources,
)

from modelyard.registry import search, search_plan, search_query, search_store
from modelyard.registry.search_expression import parse
from modelyard.storage import Storage, Transaction, migrate, open_storage

KIND, REGION = "Sample", "us-east-1"
_accounts = count(1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield from _opened(tmp_path_factory.mktemp("search") / "modelyard.db")
        return
    server = PostgresqlServer.start()
    try:
        with fresh_database(server.address) as address:
            yield from _opened(address)
    finally:
        server.stop()


def _opened(place: str | Path) -> Iterator[Storage]:
    with closing(open_storage(place)) as storage:
        migrate(storage, ["registry"])
        yield storage


SMALL = {"SMALLEST_STEP": 2, "LARGEST_STEP": 4, "LARGEST_CANDIDATE_STEP": 4}
PLANS: Mapping[str, Mapping[Any, Mapping[str, int]]] = {
    "look at few candidates": {},
    "walk": {search_plan: {"FEW": 0}, search: SMALL},
    "walk, then look at many candidates": {
        search_plan: {"FEW": 0, "CHEAP": 0},
        search: {**SMALL, "BUDGET": 3},
        search_query: {"CHUNK": 3},
    },
    "walk on past very many candidates": {search_plan: {"FEW": 0, "MANY": 4}, search: {**SMALL, "BUDGET": 3}},
    "stop early and go on": {search_plan: {"FEW": 0}, search: {**SMALL, "BUDGET": 2, "LONGEST_WALK": 4}},
}


@contextmanager
def planned(plan: str) -> Iterator[None]:
    """Searches are carried out this way."""
    with pytest.MonkeyPatch.context() as patch:
        for module, values in PLANS[plan].items():
            for name, value in values.items():
                patch.setattr(module, name, value)
        yield


class Shelf:
    """Resources of one test case, in an account of their own."""

    def __init__(self, storage: Storage, held: Sequence[Resource], earlier: Sequence[Resource]) -> None:
        self.storage = storage
        self.account = f"{next(_accounts):012d}"
        self.documents: dict[tuple[str, str], bytes] = _documents
        storage.write(lambda tx: self._fill(tx, held, earlier))

    def _fill(self, tx: Transaction, held: Sequence[Resource], earlier: Sequence[Resource]) -> None:
        for position, one in enumerate(held):
            # Some were something else before, so that what they were has to be gone from the index.
            if position < len(earlier):
                self._index(tx, position, earlier[position])
            self._index(tx, position, one)
        for position, one in enumerate(held):
            if one.gone:
                search_store.forget(tx, KIND, self.account, REGION, str(position))

    def _index(self, tx: Transaction, position: int, one: Resource) -> None:
        self.documents[self.account, str(position)] = orjson.dumps(one.document)
        search_store.index(
            tx,
            KIND,
            self.account,
            REGION,
            str(position),
            one.document,
            one.tags,
            created=one.created,
            modified=one.modified,
            metrics=one.metrics,
        )

    def find(self, expression: dict[str, Any] | None, sort_by: str, descending: bool, size: int) -> list[int]:
        """The positions of all results, read page by page."""
        found: list[int] = []
        after: list[Any] | None = None
        sort_type = SCHEMA.type_of(sort_by)
        assert sort_type is not None
        while True:
            query = search.Query(
                kind=KIND,
                account=self.account,
                region=REGION,
                expression=None if expression is None else parse(expression, SCHEMA),
                sort_by=sort_by,
                sort_type=sort_type,
                descending=descending,
                after=after,
                size=size,
                visible=lambda item: True,
            )
            with self.storage.read() as tx:
                page = search.find(tx, query)
            found += [int(item.key) for item, _ in page.results]
            assert len(page.results) <= size
            if page.next is None:
                return found
            # As a token carries it.
            after = orjson.loads(orjson.dumps(page.next))


_documents: dict[tuple[str, str], bytes] = {}


def _load(tx: Transaction, account: str, region: str, keys: Sequence[str]) -> dict[str, bytes]:
    return {key: _documents[account, key] for key in keys}


search.register(KIND, _load)


@pytest.mark.ours
@pytest.mark.parametrize("plan", PLANS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    held=st.lists(resources, max_size=12),
    earlier=st.lists(resources, max_size=3),
    expression=st.none() | expressions,
    sort_by=st.sampled_from(["LastModifiedTime", *NAMES]),
    descending=st.booleans(),
    size=st.integers(1, 5),
)
def test_every_plan_gives_the_same_answer(
    storage: Storage,
    plan: str,
    held: list[Resource],
    earlier: list[Resource],
    expression: dict[str, Any] | None,
    sort_by: str,
    descending: bool,
    size: int,
) -> None:
    """Random expressions over random resources, in any order, find page by page what an evaluation in memory finds."""
    assume(expression is None or (contains_used(expression) <= 1 and parts_used(expression) <= 50))
    shelf = Shelf(storage, held, earlier)
    with planned(plan):
        assert shelf.find(expression, sort_by, descending, size) == expected(held, expression, sort_by, descending)


@pytest.mark.ours
@pytest.mark.parametrize("plan", PLANS)
def test_every_filter_by_itself(storage: Storage, plan: str) -> None:
    """Each operator with each value on each property finds what it means."""
    shelf = Shelf(storage, SAMPLES, [])
    wrong = []
    with planned(plan):
        for one in every_filter():
            expression = {"Filters": [one]}
            if shelf.find(expression, "LastModifiedTime", True, 7) != expected(SAMPLES, expression, "LastModifiedTime", True):
                wrong.append(one)
    assert wrong == []


@pytest.mark.ours
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("descending", [True, False])
def test_every_order(storage: Storage, plan: str, descending: bool) -> None:
    """Results come in the order of any property, those without it last."""
    shelf = Shelf(storage, SAMPLES, [])
    expression = {"Filters": [{"Name": "Name", "Operator": "Exists"}]}
    with planned(plan):
        for sort_by in NAMES:
            for one in (expression, None):
                assert shelf.find(one, sort_by, descending, 4) == expected(SAMPLES, one, sort_by, descending), sort_by


@pytest.mark.ours
def test_nothing_is_left_of_what_was_forgotten(storage: Storage) -> None:
    """Changing and forgetting resources leaves no entry behind in the index."""
    one = Resource({"Name": "a", "Parts": [{"Kind": "b"}, {"Kind": "c"}]}, {"team": "x"}, {"accuracy": 0.5}, 1.0, 2.0)
    other = Resource({"Name": "b"}, {}, {}, 1.0, 3.0, gone=True)
    with storage.read() as tx:
        before = [tx.one(f"SELECT count(*) FROM {table}") for table in ("search_item", "search_text", "search_number")]
    Shelf(storage, [other], [one])
    with storage.read() as tx:
        after = [tx.one(f"SELECT count(*) FROM {table}") for table in ("search_item", "search_text", "search_number")]
    assert after == before
