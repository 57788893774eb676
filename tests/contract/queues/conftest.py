"""A house on each database, for what SQS's operations promise on both."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from tests.harness import START, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.principal import Principal
from modelyard.aws.errors import AwsError

Sqs = Callable[..., Any]
TABLES = ("queue_message", "queue_deduplication", "queue", "queue_space", "resource_tag")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yield stack.enter_context(house(tmp_path_factory.mktemp("queues"), **settings))


@pytest.fixture
def yard_in_process(shared_house: Yard) -> Iterator[Yard]:
    """A house without queues, without HTTP."""
    yield shared_house
    for table in TABLES:
        shared_house.house.storage.write(lambda tx, table=table: tx.execute(f"DELETE FROM {table}"))  # type: ignore[misc]
    shared_house.clock.advance(START - shared_house.clock.now())


@pytest.fixture
def sqs(yard_in_process: Yard) -> Sqs:
    """The operations of SQS: `sqs("CreateQueue", by=somebody, QueueName=…)`."""

    def call(operation: str, *, by: Principal | None = None, region: str = "us-east-1", **request: Any) -> Any:
        return yard_in_process.call("sqs", operation, principal=by, region=region, **request)

    return call


@pytest.fixture
def queue(sqs: Sqs) -> str:
    """The URL of a standard queue."""
    url: str = sqs("CreateQueue", QueueName="standard")["QueueUrl"]
    return url


@pytest.fixture
def fifo(sqs: Sqs) -> str:
    """The URL of a FIFO queue that makes its deduplication ids from the content."""
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url: str = sqs("CreateQueue", QueueName="ordered.fifo", Attributes=attributes)["QueueUrl"]
    return url


@contextmanager
def refused(code: str, match: str = "") -> Iterator[None]:
    """The block ends in this error."""
    with pytest.raises(AwsError, match=match or None) as caught:
        yield
    assert caught.value.code == code


def bodies(answer: dict[str, Any]) -> list[str]:
    """What was received."""
    return [message["Body"] for message in answer.get("Messages", [])]
