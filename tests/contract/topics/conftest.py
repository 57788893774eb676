"""A house on each database, for what SNS's operations promise on both. Each test has a region of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.harness import Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.principal import Principal

Call = Callable[..., Any]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yield stack.enter_context(house(tmp_path_factory.mktemp("topics"), **settings))


@pytest.fixture
def region(request: pytest.FixtureRequest) -> str:
    """One that no other test uses."""
    return f"us-test-{abs(hash(request.node.name)) % 10**9}"


@pytest.fixture
def sns(shared_house: Yard, region: str) -> Call:
    """The operations of SNS: `sns("CreateTopic", by=somebody, Name=…)`."""

    def call(operation: str, *, by: Principal | None = None, **request: Any) -> Any:
        return shared_house.call("sns", operation, principal=by, region=region, **request)

    return call


@pytest.fixture
def sqs(shared_house: Yard, region: str) -> Call:
    """The operations of SQS."""

    def call(operation: str, **request: Any) -> Any:
        return shared_house.call("sqs", operation, region=region, **request)

    return call
