"""Events on their way from the outbox to targets: what arrives, in which order, and what becomes of what does not."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.triggers.conftest import Call, queue_arn, queue_policy
from tests.harness import ACCOUNT, START, Yard

from modelyard.triggers import store_deliveries

pytestmark = pytest.mark.ours

Received = Callable[[str], list[dict[str, Any]]]


def numbers(messages: list[dict[str, Any]]) -> list[int]:
    """The numbers in the details of events."""
    return [json.loads(message["Body"])["detail"]["number"] for message in messages]


def waiting(yard: Yard) -> list[store_deliveries.Delivery]:
    """Everything that waits."""
    with yard.house.storage.read() as tx:
        rows = tx.all("SELECT id, event_id, event, created, attempts, last_error FROM event_delivery ORDER BY id")
    return [store_deliveries.Delivery(*row) for row in rows]


@pytest.mark.documented
def test_an_event_reaches_a_queue(
    make_queue: Call, make_rule: Call, put: Call, deliver: Call, received: Received, yard_in_process: Yard
) -> None:
    """The queue gets the whole envelope with the id that PutEvents answered, and nothing waits any more."""
    make_rule(make_queue("sales"))
    event_id = put(7, Resources=["arn:of:a:thing"])
    deliver()
    (message,) = received("sales")
    assert json.loads(message["Body"]) == {
        "version": "0",
        "id": event_id,
        "detail-type": "Sold",
        "source": "shop",
        "account": ACCOUNT,
        "time": "2023-11-14T22:13:20Z",
        "region": "us-east-1",
        "resources": ["arn:of:a:thing"],
        "detail": {"number": 7},
    }
    assert waiting(yard_in_process) == []
    with yard_in_process.house.storage.read() as tx:
        assert store_deliveries.due_lines(tx, START + 1e9, 10) == []


def test_events_keep_their_order(make_queue: Call, make_rule: Call, put: Call, deliver: Call, received: Received) -> None:
    """Several hundred events of one group arrive in the order in which they were put."""
    make_rule(make_queue("sales"))
    for number in range(230):
        put(number)
    deliver()
    assert numbers(received("sales")) == list(range(230))


@pytest.mark.documented
def test_a_rule_matches_only_its_account_and_region(
    make_queue: Call, make_rule: Call, events: Call, deliver: Call, received: Received
) -> None:
    """Events of another region and of another source are left alone."""
    make_rule(make_queue("sales"))
    entry = {"Source": "shop", "DetailType": "Sold", "Detail": "{}"}
    events("PutEvents", region="eu-west-1", Entries=[entry])
    events("PutEvents", Entries=[{**entry, "Source": "other"}])
    deliver()
    assert received("sales") == []


@pytest.mark.documented
def test_a_disabled_rule_matches_nothing(
    make_queue: Call, make_rule: Call, put: Call, events: Call, deliver: Call, received: Received
) -> None:
    """What comes while a rule is disabled is not made up for."""
    make_rule(make_queue("sales"))
    events("DisableRule", Name="sales")
    put(1)
    deliver()
    events("EnableRule", Name="sales")
    put(2)
    deliver()
    assert numbers(received("sales")) == [2]


@pytest.mark.documented
def test_a_queue_decides_who_sends_to_it(
    sqs: Call, make_rule: Call, put: Call, deliver: Call, received: Received, yard_in_process: Yard
) -> None:
    """A policy for another rule refuses this one; once it is repaired the event arrives."""
    attributes = {"Policy": queue_policy("sales", "another-rule")}
    url = sqs("CreateQueue", QueueName="sales", Attributes=attributes)["QueueUrl"]
    make_rule(queue_arn("sales"))
    put(1)
    deliver()
    (delivery,) = waiting(yard_in_process)
    assert delivery.attempts == 1
    assert delivery.last_error.startswith("AccessDeniedException: User: events.amazonaws.com is not authorized to perform")
    sqs("SetQueueAttributes", QueueUrl=url, Attributes={"Policy": queue_policy("sales", "sales")})
    yard_in_process.clock.advance(2)
    deliver()
    assert numbers(received("sales")) == [1]


def test_a_refused_delivery_is_on_record_once(
    sqs: Call, make_rule: Call, put: Call, deliver: Call, yard_in_process: Yard
) -> None:
    """The refusal of the first attempt is in the audit trail; those of its repetitions are not."""
    sqs("CreateQueue", QueueName="closed")
    make_rule(queue_arn("closed"))

    def refusals() -> int:
        with yard_in_process.house.storage.read() as tx:
            rows = tx.all("SELECT document FROM audit_record")
        return sum("events.amazonaws.com" in document and "sqs:SendMessage" in document for (document,) in rows)

    before = refusals()
    put(1)
    for _ in range(3):
        deliver()
        yard_in_process.clock.advance(10)
    yard_in_process.house.storage.write(lambda tx: None)
    assert refusals() == before + 1


def test_a_short_trouble_keeps_the_order(
    sqs: Call, make_queue: Call, make_rule: Call, put: Call, deliver: Call, received: Received, yard_in_process: Yard
) -> None:
    """While the first event fails for the first time the others wait behind it, and all arrive in order afterwards."""
    make_rule(queue_arn("late"))
    for number in range(5):
        put(number)
    deliver()
    assert [delivery.attempts for delivery in waiting(yard_in_process)] == [1, 0, 0, 0, 0]
    make_queue("late")
    yard_in_process.clock.advance(5)
    deliver()
    assert numbers(received("late")) == [0, 1, 2, 3, 4]


def test_a_failing_event_steps_aside(
    make_queue: Call, make_rule: Call, put: Call, deliver: Call, received: Received, yard_in_process: Yard
) -> None:
    """An event that cannot be delivered is overtaken after three attempts, and tried on by itself."""
    arn = make_queue("small", MaximumMessageSize="1024")
    make_rule(arn)
    put(1, Detail=json.dumps({"number": 1, "long": "x" * 2000}))
    put(2)
    for number in (3, 4):
        deliver()
        assert received("small") == []
        yard_in_process.clock.advance(20)
        put(number)
    deliver()
    assert numbers(received("small")) == [2, 3, 4]
    (delivery,) = waiting(yard_in_process)
    assert delivery.attempts == 3
    yard_in_process.clock.advance(20)
    put(5)
    deliver()
    assert numbers(received("small")) == [5]
    assert [delivery.attempts for delivery in waiting(yard_in_process)] == [4]


@pytest.mark.documented
def test_missing_permissions_end_in_the_dead_letter_queue(
    make_queue: Call, make_rule: Call, put: Call, deliver: Call, received: Received, yard_in_process: Yard
) -> None:
    """A queue that does not let the rule send is not tried again: the event is dead-lettered, with what AWS tells of it."""
    dead = make_queue("dead")
    rule = make_rule(queue_arn("missing"), DeadLetterConfig={"Arn": dead})
    put(1)
    deliver()
    (message,) = received("dead")
    assert numbers([message]) == [1]
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert "is not authorized to perform: sqs:SendMessage" in attributes.pop("ERROR_MESSAGE")
    assert attributes == {
        "RULE_ARN": rule,
        "TARGET_ARN": queue_arn("missing"),
        "ERROR_CODE": "NO_PERMISSIONS",
        "RETRY_ATTEMPTS": "0",
    }
    assert waiting(yard_in_process) == []


def test_a_function_that_is_not_there_is_dead_lettered(
    make_queue: Call, make_rule: Call, put: Call, deliver: Call, received: Received
) -> None:
    """The reason is in the attributes of the dead-lettered event."""
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:nowhere"
    make_rule(function, DeadLetterConfig={"Arn": make_queue("dead")})
    put(1)
    deliver()
    (message,) = received("dead")
    assert message["MessageAttributes"]["TARGET_ARN"]["StringValue"] == function
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] in ("NO_RESOURCE", "NO_PERMISSIONS")


@pytest.mark.documented
def test_attempts_end_by_number(make_rule: Call, put: Call, deliver: Call, yard_in_process: Yard) -> None:
    """Without a dead-letter queue an event is tried as often as the policy says, and then given up."""
    make_rule(queue_arn("missing"), RetryPolicy={"MaximumRetryAttempts": 4})
    put(1)
    attempts = []
    for _ in range(10):
        deliver()
        attempts.append([delivery.attempts for delivery in waiting(yard_in_process)])
        yard_in_process.clock.advance(60)
    assert attempts == [[1], [2], [3], [4], *[[]] * 6]


@pytest.mark.documented
def test_attempts_end_by_age(make_rule: Call, put: Call, deliver: Call, yard_in_process: Yard) -> None:
    """An event that is as old as the policy allows is not tried again."""
    make_rule(queue_arn("missing"), RetryPolicy={"MaximumEventAgeInSeconds": 60})
    put(1)
    deliver()
    assert len(waiting(yard_in_process)) == 1
    yard_in_process.clock.advance(61)
    deliver()
    assert waiting(yard_in_process) == []


def test_a_dead_letter_queue_that_cannot_be_reached_is_tried_again(
    make_queue: Call, make_rule: Call, put: Call, deliver: Call, received: Received, yard_in_process: Yard
) -> None:
    """The event is kept until the dead-letter queue takes it."""
    make_rule(queue_arn("missing"), DeadLetterConfig={"Arn": queue_arn("dead")})
    put(1)
    deliver()
    assert len(waiting(yard_in_process)) == 1
    make_queue("dead")
    yard_in_process.clock.advance(5)
    deliver()
    assert numbers(received("dead")) == [1]


@pytest.mark.documented
def test_a_role_may_be_used_instead_of_a_policy(
    sqs: Call, iam: Call, make_rule: Call, put: Call, deliver: Call, received: Received
) -> None:
    """A target with a role is reached as that role, when it trusts EventBridge and may send."""
    sqs("CreateQueue", QueueName="private")
    trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allow = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue_arn("private")}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    iam("CreateRole", RoleName="courier", AssumeRolePolicyDocument=json.dumps(document))
    document["Statement"] = [allow]
    iam("PutRolePolicy", RoleName="courier", PolicyName="send", PolicyDocument=json.dumps(document))
    try:
        make_rule(queue_arn("private"), RoleArn=f"arn:aws:iam::{ACCOUNT}:role/courier")
        put(1)
        deliver()
    finally:
        iam("DeleteRolePolicy", RoleName="courier", PolicyName="send")
        iam("DeleteRole", RoleName="courier")
    assert numbers(received("private")) == [1]


@pytest.mark.documented
def test_a_fifo_queue_gets_its_group(make_queue: Call, make_rule: Call, put: Call, deliver: Call, received: Received) -> None:
    """The message is in the group that the target names."""
    arn = make_queue("ordered.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    make_rule(arn, SqsParameters={"MessageGroupId": "everything"})
    put(1)
    put(2)
    deliver()
    messages = received("ordered.fifo")
    assert numbers(messages) == [1, 2]
    assert messages[0]["Attributes"]["MessageGroupId"] == "everything"


@pytest.mark.documented
def test_inputs_are_made_as_the_target_says(events: Call, make_queue: Call, put: Call, deliver: Call, received: Received) -> None:
    """A constant, a part of the event, and a template, each for one of three targets."""
    arn = make_queue("sales")
    events("PutRule", Name="sales", EventPattern='{"source": ["shop"]}')
    template = {"InputPathsMap": {"n": "$.detail.number"}, "InputTemplate": '{"sold": <n>, "by": "<aws.events.rule-name>"}'}
    targets = [
        {"Id": "1", "Arn": arn, "Input": '"constant"'},
        {"Id": "2", "Arn": arn, "InputPath": "$.detail"},
        {"Id": "3", "Arn": arn, "InputTransformer": template},
    ]
    events("PutTargets", Rule="sales", Targets=targets)
    put(4)
    deliver()
    bodies = sorted(message["Body"] for message in received("sales"))
    assert bodies == ['"constant"', '{"number":4}', '{"sold": 4, "by": "sales"}']


def test_a_removed_target_gets_nothing_more(
    make_rule: Call, put: Call, events: Call, deliver: Call, make_queue: Call, received: Received, yard_in_process: Yard
) -> None:
    """What waits for a target goes with it."""
    make_rule(queue_arn("late"))
    put(1)
    deliver()
    events("RemoveTargets", Rule="sales", Ids=["one"])
    assert waiting(yard_in_process) == []
    make_queue("late")
    yard_in_process.clock.advance(5)
    deliver()
    assert received("late") == []


def test_a_changed_target_gets_what_waits(
    make_rule: Call, put: Call, events: Call, deliver: Call, make_queue: Call, received: Received, yard_in_process: Yard
) -> None:
    """Correcting a target delivers what could not be delivered before."""
    make_rule(queue_arn("wrong"))
    put(1)
    deliver()
    events("PutTargets", Rule="sales", Targets=[{"Id": "one", "Arn": make_queue("right")}])
    yard_in_process.clock.advance(5)
    deliver()
    assert numbers(received("right")) == [1]
