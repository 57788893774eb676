"""A house on each database, for what hosting promises on both. Each test has a bucket, a group and names of its own."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.contract.endpoints.hosting import Hosting
from tests.harness import ACCOUNT, OTHER_ACCOUNT, START, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.store import add_account


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests: making one takes longer than most tests do."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yard = stack.enter_context(house(tmp_path_factory.mktemp("endpoints"), **settings))
        for account in (ACCOUNT, OTHER_ACCOUNT):
            yard.house.storage.write(lambda tx, account=account: add_account(tx, account, START))  # type: ignore[misc]
        yield yard


@pytest.fixture
def hosting(shared_house: Yard, request: pytest.FixtureRequest) -> Hosting:
    """A group, a bucket with a model in it, and an execution role that may do everything."""
    return Hosting(shared_house, abs(hash(request.node.nodeid)) % 10**12)
