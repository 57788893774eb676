"""A house on each database, for what CloudWatch Logs' operations promise on both."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from tests.harness import START, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.principal import Principal
from modelyard.aws.errors import AwsError

Logs = Callable[..., Any]
NOW = int(START * 1000)
TABLES = ("log_event", "log_stream", "log_group", "log_remains", "resource_tag")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yield stack.enter_context(house(tmp_path_factory.mktemp("logs"), **settings))


@pytest.fixture
def yard_in_process(shared_house: Yard) -> Iterator[Yard]:
    """A house without log groups, without HTTP."""
    yield shared_house
    for table in TABLES:
        shared_house.house.storage.write(lambda tx, table=table: tx.execute(f"DELETE FROM {table}"))  # type: ignore[misc]
    shared_house.clock.advance(START - shared_house.clock.now())


@pytest.fixture
def logs(yard_in_process: Yard) -> Logs:
    """The operations of CloudWatch Logs: `logs("CreateLogGroup", by=somebody, logGroupName=…)`."""

    def call(operation: str, *, by: Principal | None = None, region: str = "us-east-1", **request: Any) -> Any:
        return yard_in_process.call("logs", operation, principal=by, region=region, **request)

    return call


@pytest.fixture
def stream(logs: Logs) -> dict[str, str]:
    """A group `/job` with the stream `one`."""
    logs("CreateLogGroup", logGroupName="/job")
    named = {"logGroupName": "/job", "logStreamName": "one"}
    logs("CreateLogStream", **named)
    return named


@contextmanager
def refused(code: str, match: str = "") -> Iterator[None]:
    """The block ends in this error."""
    with pytest.raises(AwsError, match=match or None) as caught:
        yield
    assert caught.value.code == code


def events(*messages: str, start: int = NOW, step: int = 1) -> list[dict[str, Any]]:
    """Events with these messages, `step` milliseconds apart."""
    return [{"timestamp": start + place * step, "message": message} for place, message in enumerate(messages)]


def messages(answer: dict[str, Any]) -> list[str]:
    """What was printed."""
    return [event["message"] for event in answer["events"]]
