"""Asynchronous invocations on both databases: when they are tried again, when they are given up, who may take them over."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.functions.conftest import Create
from tests.harness import ACCOUNT, Yard

from modelyard.aws.errors import AwsError
from modelyard.functions import store_events
from modelyard.functions.asynchronous import CLAIM_SECONDS, Asynchronous
from modelyard.functions.environments import Environments
from modelyard.functions.worker import run_due
from modelyard.triggers.worker import deliver_all

pytestmark = pytest.mark.documented

FAILS = "def handler(event, context):\n    raise RuntimeError('again')\n"


def waiting(yard: Yard) -> list[tuple[int, int]]:
    """Attempts and tries of the invocations that are not over."""
    with yard.house.storage.read() as tx:
        return [tuple(row) for row in tx.all("SELECT attempts, tries FROM lambda_event ORDER BY id")]  # type: ignore[misc]


def messages(yard: Yard, name: str) -> list[dict[str, Any]]:
    url = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{name}"
    found = yard.call("sqs", "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    return list(found.get("Messages", []))


def test_failure_is_tried_again_after_one_and_two_minutes_then_dead_lettered(shared_house: Yard, create: Create):
    """A function that keeps failing is invoked three times, a minute and then two apart, and the event goes to the dead-letter
    queue with the reason."""
    shared_house.call("sqs", "CreateQueue", QueueName="letters")
    create("fails", FAILS, DeadLetterConfig={"TargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:letters"})
    shared_house.call("lambda", "Invoke", FunctionName="fails", InvocationType="Event", Payload=b'{"n": 1}')
    run_due(shared_house.house)
    assert waiting(shared_house) == [(1, 1)]
    shared_house.clock.advance(59)
    run_due(shared_house.house)
    assert waiting(shared_house) == [(1, 1)]
    shared_house.clock.advance(1)
    run_due(shared_house.house)
    assert waiting(shared_house) == [(2, 2)]
    shared_house.clock.advance(120)
    assert messages(shared_house, "letters") == []
    run_due(shared_house.house)
    assert waiting(shared_house) == []
    (letter,) = messages(shared_house, "letters")
    assert json.loads(letter["Body"]) == {"n": 1}
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == "again"


def test_too_many_at_once_is_no_failure_of_the_function(shared_house: Yard, create: Create, monkeypatch: pytest.MonkeyPatch):
    """An event that finds no room waits and is tried again, without its attempts being used up."""
    create("crowded", "def handler(event, context):\n    return event\n")
    shared_house.call("lambda", "Invoke", FunctionName="crowded", InvocationType="Event", Payload=b"1")
    environments = Environments.of(shared_house.house.dispatcher)
    with monkeypatch.context() as crowded:
        crowded.setattr(environments, "_most", 0)
        crowded.setattr(environments, "_make_room", lambda: False)
        crowded.setattr(Environments, "room", property(lambda _: 1))
        for pause in (1, 2):
            run_due(shared_house.house)
            assert waiting(shared_house) == [(0, pause)]
            shared_house.clock.advance(10)
    run_due(shared_house.house)
    assert waiting(shared_house) == []


def test_event_that_a_dead_server_was_at_is_taken_over(shared_house: Yard, create: Create):
    """What another server took and does not keep is begun again when its claim is over, and not before."""
    shared_house.call("sqs", "CreateQueue", QueueName="taken")
    create("taken-over", "def handler(event, context):\n    return 'done'\n")
    destination = {"OnSuccess": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:taken"}}
    shared_house.call("lambda", "PutFunctionEventInvokeConfig", FunctionName="taken-over", DestinationConfig=destination)
    shared_house.call("lambda", "Invoke", FunctionName="taken-over", InvocationType="Event", Payload=b"{}")
    storage, now = shared_house.house.storage, shared_house.clock.now()
    assert len(storage.write(lambda tx: store_events.claim(tx, now, now + CLAIM_SECONDS, "the dead", 5))) == 1
    run_due(shared_house.house)
    assert messages(shared_house, "taken") == []
    shared_house.clock.advance(CLAIM_SECONDS + 1)
    run_due(shared_house.house)
    assert [json.loads(message["Body"])["responsePayload"] for message in messages(shared_house, "taken")] == ["done"]


def test_event_that_is_too_old_is_given_up(shared_house: Yard, create: Create):
    """An event older than the configuration allows is not run any more."""
    shared_house.call("sqs", "CreateQueue", QueueName="aged")
    create("ages", FAILS)
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:aged"}}
    shared_house.call(
        "lambda",
        "PutFunctionEventInvokeConfig",
        FunctionName="ages",
        MaximumEventAgeInSeconds=60,
        DestinationConfig=destination,
    )
    shared_house.call("lambda", "Invoke", FunctionName="ages", InvocationType="Event", Payload=b"{}")
    shared_house.clock.advance(61)
    run_due(shared_house.house)
    assert [json.loads(one["Body"])["requestContext"]["condition"] for one in messages(shared_house, "aged")] == [
        "EventAgeExceeded"
    ]


def test_event_of_a_function_that_is_deleted_is_forgotten(shared_house: Yard, create: Create):
    """Deleting a function takes what waits for it away."""
    create("deleted", FAILS)
    shared_house.call("lambda", "Invoke", FunctionName="deleted", InvocationType="Event", Payload=b"{}")
    shared_house.call("lambda", "DeleteFunction", FunctionName="deleted")
    assert waiting(shared_house) == []


def test_rule_invokes_a_function_only_with_its_permission(shared_house: Yard, create: Create):
    """A rule's event reaches a function when the function's policy names the rule, neither without a policy nor with that of
    another rule."""
    call: Callable[..., Any] = shared_house.call
    arn = create("ruled", "def handler(event, context):\n    return event['detail']\n")
    rule = call("events", "PutRule", Name="ruled", EventPattern=json.dumps({"source": ["shop"]}))["RuleArn"]
    call("events", "PutTargets", Rule="ruled", Targets=[{"Id": "f", "Arn": arn, "RetryPolicy": {"MaximumRetryAttempts": 0}}])

    def put() -> list[tuple[int, int]]:
        entry = {"Source": "shop", "DetailType": "sold", "Detail": json.dumps({"n": 1})}
        assert call("events", "PutEvents", Entries=[entry])["FailedEntryCount"] == 0
        deliver_all(shared_house.house)
        found = waiting(shared_house)
        run_due(shared_house.house)
        return found

    assert put() == []
    grant = {"FunctionName": "ruled", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    call("lambda", "AddPermission", StatementId="other", SourceArn=f"{rule}-other", **grant)
    assert put() == []
    call("lambda", "AddPermission", StatementId="account", SourceAccount="999999999999", **grant)
    assert put() == []
    call("lambda", "AddPermission", StatementId="this", SourceArn=rule, SourceAccount=ACCOUNT, **grant)
    assert put() == [(0, 0)]
    assert waiting(shared_house) == []


def test_another_part_waits_for_a_function_outside_a_transaction_only(shared_house: Yard, create: Create):
    """A call from within the server gets the function's answer; in a transaction, which would be held, it is refused."""
    create("inner", "def handler(event, context):\n    return event + 1\n")
    assert shared_house.call("lambda", "Invoke", FunctionName="inner", Payload=b"41")["Payload"] == b"42"
    context = shared_house.context()

    def within(tx: Any) -> Any:
        inside = replace(context, transaction=tx)
        return inside.call("lambda", "Invoke", {"FunctionName": "inner", "Payload": b"41"})

    with pytest.raises(AwsError, match="not invoked in a transaction"):
        shared_house.house.storage.write(within)


def test_running_is_counted_down(shared_house: Yard):
    """When all is over, nothing counts as running."""
    assert Asynchronous.of(shared_house.house.dispatcher).running == 0
