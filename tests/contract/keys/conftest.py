"""A house on each database, for what KMS's operations promise on both."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.harness import START, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.principal import Principal

Kms = Callable[..., Any]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yield stack.enter_context(house(tmp_path_factory.mktemp("keys"), **settings))


@pytest.fixture
def yard_in_process(shared_house: Yard) -> Iterator[Yard]:
    """A house without keys, without HTTP."""
    yield shared_house
    for table in ("kms_grant", "kms_alias", "kms_key", "resource_tag"):
        shared_house.house.storage.write(lambda tx, table=table: tx.execute(f"DELETE FROM {table}"))  # type: ignore[misc]
    shared_house.clock.advance(START - shared_house.clock.now())


@pytest.fixture
def kms(yard_in_process: Yard) -> Kms:
    """The operations of KMS: `kms("CreateKey", by=somebody, Description=…)`."""

    def call(operation: str, *, by: Principal | None = None, region: str = "us-east-1", **request: Any) -> Any:
        return yard_in_process.call("kms", operation, principal=by, region=region, **request)

    return call


@pytest.fixture
def key(kms: Kms) -> str:
    """The ARN of a key with the default policy."""
    arn: str = kms("CreateKey", Description="a key")["KeyMetadata"]["Arn"]
    return arn
