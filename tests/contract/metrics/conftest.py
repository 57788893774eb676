"""A house on each database, for what CloudWatch's operations promise on both."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import orjson
import pytest
from tests.harness import START, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.principal import Principal
from modelyard.aws.errors import AwsError
from modelyard.metrics import acting
from modelyard.metrics.worker import evaluate

CloudWatch = Callable[..., Any]
TABLES = (
    "metric",
    "metric_value",
    "alarm",
    "alarm_metric",
    "alarm_history",
    "alarm_action",
    "resource_tag",
    "event",
    "event_reader",
)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yield stack.enter_context(house(tmp_path_factory.mktemp("metrics"), **settings))


@pytest.fixture
def yard_in_process(shared_house: Yard) -> Iterator[Yard]:
    """A house without metrics and alarms, without HTTP."""
    yield shared_house
    for table in TABLES:
        shared_house.house.storage.write(lambda tx, table=table: tx.execute(f"DELETE FROM {table}"))  # type: ignore[misc]
    shared_house.clock.advance(START - shared_house.clock.now())


@pytest.fixture
def cloudwatch(yard_in_process: Yard) -> CloudWatch:
    """The operations of CloudWatch: `cloudwatch("PutMetricData", by=somebody, Namespace=…)`."""

    def call(operation: str, *, by: Principal | None = None, region: str = "us-east-1", **request: Any) -> Any:
        return yard_in_process.call("cloudwatch", operation, principal=by, region=region, **request)

    return call


@pytest.fixture
def put(cloudwatch: CloudWatch) -> Callable[..., None]:
    """Put values of the metric `Latency` in the namespace `App`: `put(1, 2, 3, Timestamp=…)`."""

    def put_values(*values: float, name: str = "Latency", **more: Any) -> None:
        data = [{"MetricName": name, "Value": value, **more} for value in values]
        cloudwatch("PutMetricData", Namespace="App", MetricData=data)

    return put_values


@pytest.fixture
def turn(yard_in_process: Yard) -> Callable[..., None]:
    """Let time go by, then what the worker does."""

    def turned(seconds: float = 0) -> None:
        yard_in_process.clock.advance(seconds)
        evaluate(yard_in_process.house.storage, yard_in_process.clock)
        acting.act(yard_in_process.house)

    return turned


@pytest.fixture
def events(yard_in_process: Yard) -> Callable[[], list[tuple[str, dict[str, Any]]]]:
    """What was told, as detail types and details."""

    def told() -> list[tuple[str, dict[str, Any]]]:
        with yard_in_process.house.storage.read() as tx:
            rows = tx.all("SELECT detail_type, detail FROM event WHERE source = 'aws.cloudwatch' ORDER BY place")
        return [(row[0], orjson.loads(row[1])) for row in rows]

    return told


@contextmanager
def refused(code: str, match: str = "") -> Iterator[None]:
    """The block ends in this error."""
    with pytest.raises(AwsError, match=match or None) as caught:
        yield
    assert caught.value.code == code
