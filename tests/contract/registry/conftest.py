"""A house on each database, for what the registry promises on both. Each test has a bucket and a group of its own."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.contract.registry.governed import Governed
from tests.harness import Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests: making one takes longer than most tests do."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yield stack.enter_context(house(tmp_path_factory.mktemp("registry"), **settings))


@pytest.fixture
def registry(shared_house: Yard, request: pytest.FixtureRequest) -> Governed:
    """A group and a versioned bucket, both empty."""
    registry = Governed(shared_house, abs(hash(request.node.nodeid)) % 10**12)
    registry.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=registry.group)
    registry.call("s3", "CreateBucket", Bucket=registry.bucket)
    return registry
