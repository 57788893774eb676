"""Claim: 10,000 events reach a queue in the order of their groups, at 500 a second or more, from one group as from a thousand.

The whole way: events are put (ten to a call, as PutEvents takes them), the courier compares them with rules and sends them to
an SQS queue of the same server, from which they are received. Everything waits for the disk as a server does. Beside the rule
that matches stand 50 that do not.

    python -m benchmarks.event_delivery [--events 10000] [--postgresql] [--output FILE]
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import machine
from tests.harness import ACCOUNT, user
from tests.postgresql import PostgresqlServer, fresh_database

from modelyard.access.keyring import KeyRing
from modelyard.access.permission import RequestFacts
from modelyard.dispatch.context import Context
from modelyard.server.composition import House, build
from modelyard.settings import Settings
from modelyard.triggers.worker import SECONDS, Courier

RESULTS = Path(__file__).parent / "results" / "event_delivery.json"
GROUPS = (1, 10, 1000)
AIM = 500.0
URL = f"http://localhost/{ACCOUNT}/sales"
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:sales"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": ARN}
    ],
}


class Yard:
    """A house, and calls of its operations."""

    def __init__(self, house: House) -> None:
        self.house = house

    def call(self, service: str, operation: str, **request: Any) -> Any:
        """One call, as the administrator."""
        facts = RequestFacts(now=self.house.clock.now(), region="us-east-1", source_ip="127.0.0.1", secure_transport=False)
        context = Context(
            principal=user(),
            facts=facts,
            request_id=self.house.ids.request_id(),
            ids=self.house.ids,
            storage=self.house.storage,
            blobs=self.house.blobs,
            settings=self.house.settings,
            tokens=self.house.dispatcher.tokens,
            dispatcher=self.house.dispatcher,
        )
        return self.house.dispatcher.call(context, service, operation, request, context.principal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"events": arguments.events, "machine": machine.facts(), "sqlite": _all({}, arguments.events)}
    if arguments.postgresql:
        server = PostgresqlServer.start(durable=True)
        try:
            with fresh_database(server.address) as address:
                result["postgresql"] = _all({"database": address}, arguments.events)
        finally:
            server.stop()
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    arguments.output.write_text(text + "\n")
    rates = [row["delivered_per_second"] for name in ("sqlite", "postgresql") for row in result.get(name, ())]
    if min(rates) < AIM:
        print(f"below the aim of {AIM:g} events a second: {min(rates)}", file=sys.stderr)


def _all(settings: dict[str, Any], events: int) -> list[dict[str, Any]]:
    with _yard(settings) as yard:
        return [_measure(yard, groups, events) for groups in GROUPS]


@contextmanager
def _yard(settings: dict[str, Any]) -> Iterator[Yard]:
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
        KeyRing.create(Path(folder))
        house = build(Settings(data=Path(folder), **settings))
        try:
            yard = Yard(house)
            yard.call("sqs", "CreateQueue", QueueName="sales", Attributes={"Policy": json.dumps(POLICY)})
            for number in range(50):
                yard.call(
                    "events", "PutRule", Name=f"other-{number}", EventPattern=json.dumps({"detail": {"group": [f"x{number}"]}})
                )
            yard.call("events", "PutRule", Name="sales", EventPattern='{"source": ["shop"]}')
            yard.call("events", "PutTargets", Rule="sales", Targets=[{"Id": "queue", "Arn": ARN}])
            yield yard
        finally:
            house.close()


def _measure(yard: Yard, groups: int, events: int) -> dict[str, Any]:
    began = time.perf_counter()
    for first in range(0, events, 10):
        entries = [_entry(number, groups) for number in range(first, first + 10)]
        assert yard.call("events", "PutEvents", Entries=entries)["FailedEntryCount"] == 0
    put = time.perf_counter() - began
    courier = Courier(yard.house)
    began = time.perf_counter()
    try:
        courier.turn()
        while not _delivered(yard, events):
            time.sleep(SECONDS / 5)
            courier.turn()
        delivered = time.perf_counter() - began
    finally:
        courier.close()
    _check_order(_received(yard), groups, events)
    return {
        "groups": groups,
        "put_per_second": round(events / put),
        "delivered_per_second": round(events / delivered),
        "seconds": round(delivered, 2),
    }


def _entry(number: int, groups: int) -> dict[str, Any]:
    group = f"group-{number % groups}"
    detail = json.dumps({"group": group, "number": number})
    return {"Source": "shop", "DetailType": "Sold", "Detail": detail, "Resources": [group]}


def _delivered(yard: Yard, events: int) -> bool:
    attributes = yard.call("sqs", "GetQueueAttributes", QueueUrl=URL, AttributeNames=["ApproximateNumberOfMessages"])
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"]) >= events


def _received(yard: Yard) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while messages := yard.call("sqs", "ReceiveMessage", QueueUrl=URL, MaxNumberOfMessages=10).get("Messages"):
        entries = [{"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]} for number, each in enumerate(messages)]
        yard.call("sqs", "DeleteMessageBatch", QueueUrl=URL, Entries=entries)
        found += [json.loads(message["Body"])["detail"] for message in messages]
    return found


def _check_order(details: list[dict[str, Any]], groups: int, events: int) -> None:
    """Every event once, and those of each group in the order in which they were put."""
    assert sorted(detail["number"] for detail in details) == list(range(events))
    last: dict[str, int] = {}
    for detail in details:
        assert detail["number"] > last.get(detail["group"], -1), f"out of order: {detail}"
        last[detail["group"]] = detail["number"]
    assert len(last) == groups


if __name__ == "__main__":
    main()
