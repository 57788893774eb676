"""A house on each database, for what EventBridge's and its Scheduler's operations promise on both."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from tests.harness import ACCOUNT, START, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.principal import Principal
from modelyard.access.store import add_account
from modelyard.aws.errors import AwsError
from modelyard.triggers.worker import deliver_all

Call = Callable[..., Any]
TABLES = (
    "event_delivery",
    "event_line",
    "event_target",
    "event_rule",
    "event_schedule",
    "event_destination",
    "event_connection",
    "queue_message",
    "queue_deduplication",
    "queue",
    "queue_space",
    "resource_tag",
)
PATTERN = json.dumps({"source": ["shop"]})


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests."""
    with ExitStack() as stack:
        settings: dict[str, Any] = {"webhooks": "private"}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings["database"] = stack.enter_context(fresh_database(server.address))
        made = stack.enter_context(house(tmp_path_factory.mktemp("triggers"), **settings))
        made.house.storage.write(lambda tx: add_account(tx, ACCOUNT, START))
        yield made


@pytest.fixture
def yard_in_process(shared_house: Yard) -> Iterator[Yard]:
    """A house without rules and queues, without HTTP."""
    deliver_all(shared_house.house)
    yield shared_house
    for table in TABLES:
        shared_house.house.storage.write(lambda tx, table=table: tx.execute(f"DELETE FROM {table}"))  # type: ignore[misc]
    shared_house.clock.advance(START - shared_house.clock.now())


def calls_of(yard: Yard, service: str) -> Call:
    """The operations of a service: `call("PutRule", by=somebody, Name=…)`."""

    def call(operation: str, *, by: Principal | None = None, region: str = "us-east-1", **request: Any) -> Any:
        return yard.call(service, operation, principal=by, region=region, **request)

    return call


@pytest.fixture
def events(yard_in_process: Yard) -> Call:
    """The operations of EventBridge."""
    return calls_of(yard_in_process, "events")


@pytest.fixture
def scheduler(yard_in_process: Yard) -> Call:
    """The operations of its Scheduler."""
    return calls_of(yard_in_process, "scheduler")


@pytest.fixture
def sqs(yard_in_process: Yard) -> Call:
    """The operations of SQS."""
    return calls_of(yard_in_process, "sqs")


@pytest.fixture
def iam(yard_in_process: Yard) -> Call:
    """The operations of IAM."""
    return calls_of(yard_in_process, "iam")


@pytest.fixture
def deliver(yard_in_process: Yard) -> Callable[[], None]:
    """Route and deliver all that is due."""
    return lambda: deliver_all(yard_in_process.house)


@pytest.fixture
def put(events: Call) -> Callable[..., str]:
    """Put one event of the source `shop`; its id."""

    def one(number: int = 0, **entry: Any) -> str:
        wanted = {"Source": "shop", "DetailType": "Sold", "Detail": json.dumps({"number": number}), **entry}
        answer = events("PutEvents", Entries=[wanted])
        assert answer["FailedEntryCount"] == 0, answer
        event_id: str = answer["Entries"][0]["EventId"]
        return event_id

    return one


def queue_arn(name: str) -> str:
    """The ARN of a queue."""
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


def queue_policy(name: str, rule: str = "*") -> str:
    """A queue's policy that lets rules send to it."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn(name),
                    "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{rule}"}},
                }
            ],
        }
    )


@pytest.fixture
def make_queue(sqs: Call) -> Callable[..., str]:
    """Make a queue that rules may send to; its ARN."""

    def make(name: str, **attributes: str) -> str:
        sqs("CreateQueue", QueueName=name, Attributes={"Policy": queue_policy(name), **attributes})
        return queue_arn(name)

    return make


@pytest.fixture
def received(sqs: Call) -> Callable[[str], list[dict[str, Any]]]:
    """All messages of a queue, taken out of it."""

    def all_of(name: str) -> list[dict[str, Any]]:
        url, found = f"http://localhost/{ACCOUNT}/{name}", []
        while messages := sqs(
            "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found += messages
        return found

    return all_of


@pytest.fixture
def make_rule(events: Call) -> Callable[..., str]:
    """Make a rule with one target; its ARN."""

    def make(arn: str, name: str = "sales", pattern: str = PATTERN, **target: Any) -> str:
        rule: str = events("PutRule", Name=name, EventPattern=pattern)["RuleArn"]
        events("PutTargets", Rule=name, Targets=[{"Id": "one", "Arn": arn, **target}])
        return rule

    return make


@contextmanager
def refused(code: str, match: str = "") -> Iterator[None]:
    """The block ends in this error."""
    with pytest.raises(AwsError, match=match or None) as caught:
        yield
    assert caught.value.code == code
