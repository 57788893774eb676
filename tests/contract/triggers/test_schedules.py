"""Schedules, those of EventBridge's Scheduler and of rules: their operations, and when their targets are called."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.triggers.conftest import Call, queue_arn, refused
from tests.harness import ACCOUNT, START, Yard

pytestmark = pytest.mark.documented

ROLE = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
OFF = {"Mode": "OFF"}


@pytest.fixture
def role(iam: Call) -> Iterator[str]:
    """A role that the Scheduler may take up, and that may send to queues."""
    trust = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust["Condition"] = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}  # type: ignore[assignment]
    send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}

    def document(statement: object) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    iam("CreateRole", RoleName="scheduler", AssumeRolePolicyDocument=document(trust))
    iam("PutRolePolicy", RoleName="scheduler", PolicyName="send", PolicyDocument=document(send))
    yield ROLE
    iam("DeleteRolePolicy", RoleName="scheduler", PolicyName="send")
    iam("DeleteRole", RoleName="scheduler")


@pytest.fixture
def create(scheduler: Call, sqs: Call, role: str) -> Call:
    """Make a schedule whose target is the queue `times`."""
    sqs("CreateQueue", QueueName="times")

    def make(expression: str, name: str = "nightly", **more: Any) -> Any:
        target = {"Arn": queue_arn("times"), "RoleArn": role, **more.pop("target", {})}
        request = {"Name": name, "ScheduleExpression": expression, "Target": target, "FlexibleTimeWindow": OFF}
        return scheduler("CreateSchedule", **(request | more))

    return make


def at(seconds: float) -> str:
    """How a message tells the time so many seconds after the start."""
    from modelyard.triggers.envelope import moment

    return moment(START + seconds)


def times_of(messages: list[dict[str, Any]]) -> list[str]:
    return [json.loads(message["Body"])["time"] for message in messages]


@pytest.mark.seen
def test_a_role_that_the_scheduler_may_not_take_up_is_refused(scheduler: Call, create: Call, iam: Call) -> None:
    """No schedule is made or changed that could never call its target: the role is not there, or trusts somebody else."""
    create("rate(1 day)")
    trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam("CreateRole", RoleName="other", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    for name in ("other", "missing"):
        target = {"Arn": queue_arn("times"), "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{name}"}
        with refused("ValidationException", "must allow AWS EventBridge Scheduler to assume the role"):
            create("rate(1 day)", "second", target=target)
        request = {"Name": "nightly", "ScheduleExpression": "rate(1 day)", "Target": target, "FlexibleTimeWindow": OFF}
        with refused("ValidationException", "must allow AWS EventBridge Scheduler to assume the role"):
            scheduler("UpdateSchedule", **request)
    iam("DeleteRole", RoleName="other")


def test_the_life_of_a_schedule(scheduler: Call, create: Call, yard_in_process: Yard) -> None:
    """Made, read, changed, listed and deleted, with the answers of the Scheduler."""
    arn = f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/default/nightly"
    assert create("cron(0 0 * * ? *)", Description="d", ScheduleExpressionTimezone="Europe/Berlin") == {"ScheduleArn": arn}
    found = scheduler("GetSchedule", Name="nightly")
    assert found == {
        "Arn": arn,
        "Name": "nightly",
        "GroupName": "default",
        "ScheduleExpression": "cron(0 0 * * ? *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "State": "ENABLED",
        "Description": "d",
        "Target": {"Arn": queue_arn("times"), "RoleArn": ROLE},
        "FlexibleTimeWindow": OFF,
        "ActionAfterCompletion": "NONE",
        "CreationDate": START,
        "LastModificationDate": START,
    }
    yard_in_process.clock.advance(5)
    flexible = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    changed = {"Target": found["Target"], "ScheduleExpression": "rate(1 day)", "State": "DISABLED"}
    scheduler("UpdateSchedule", Name="nightly", FlexibleTimeWindow=flexible, **changed)
    again = scheduler("GetSchedule", Name="nightly", GroupName="default")
    assert (again["CreationDate"], again["LastModificationDate"]) == (START, START + 5)
    assert (again["ScheduleExpressionTimezone"], "Description" in again) == ("UTC", False)
    create("rate(1 hour)", "other")
    assert [each["Name"] for each in scheduler("ListSchedules")["Schedules"]] == ["nightly", "other"]
    assert [each["Name"] for each in scheduler("ListSchedules", State="DISABLED")["Schedules"]] == ["nightly"]
    first = scheduler("ListSchedules", MaxResults=1)
    assert scheduler("ListSchedules", MaxResults=1, NextToken=first["NextToken"])["Schedules"][0]["Name"] == "other"
    assert scheduler("ListSchedules", NamePrefix="o")["Schedules"][0]["Target"] == {"Arn": queue_arn("times")}
    scheduler("DeleteSchedule", Name="nightly")
    with refused("ResourceNotFoundException", "Schedule nightly does not exist."):
        scheduler("GetSchedule", Name="nightly")


def test_errors_of_schedules(scheduler: Call, create: Call) -> None:
    """In the words of the Scheduler."""
    create("rate(1 hour)")
    with refused("ConflictException", "Schedule nightly already exists."):
        create("rate(1 hour)")
    with refused("ResourceNotFoundException", "Schedule none does not exist."):
        create_like = {"Target": {"Arn": queue_arn("times"), "RoleArn": ROLE}, "FlexibleTimeWindow": OFF}
        scheduler("UpdateSchedule", Name="none", ScheduleExpression="rate(1 hour)", **create_like)
    with refused("ResourceNotFoundException", "Schedule group others does not exist."):
        create("rate(1 hour)", "a", GroupName="others")
    with refused("ValidationException", r"Invalid Schedule Expression rate\(1 week\)"):
        create("rate(1 week)", "a")
    with refused("ValidationException", "Invalid ScheduleExpressionTimezone Mars/Olympus"):
        create("rate(1 hour)", "a", ScheduleExpressionTimezone="Mars/Olympus")
    with refused("ValidationException", "MaximumWindowInMinutes"):
        create("rate(1 hour)", "a", FlexibleTimeWindow={"Mode": "FLEXIBLE"})
    with refused("ValidationException", "EndDate"):
        create("rate(1 hour)", "a", StartDate=START + 60, EndDate=START + 30)
    with refused("ValidationException", "not to this resource of ecs"):
        create("rate(1 hour)", "a", target={"Arn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/c"})


def test_a_rate(create: Call, yard_in_process: Yard, deliver: Call, received: Call) -> None:
    """Called at once and then after every interval."""
    create("rate(10 minutes)")
    found = []
    for _ in range(5):
        deliver()
        found += times_of(received("times"))
        yard_in_process.clock.advance(300)
    assert found == [at(0), at(600), at(1200)]


def test_what_was_missed_is_made_up_for_once(create: Call, yard_in_process: Yard, deliver: Call, received: Call) -> None:
    """After hours without a server a schedule calls its target once, and goes on in its rhythm."""
    create("rate(10 minutes)")
    deliver()
    assert times_of(received("times")) == [at(0)]
    yard_in_process.clock.advance(3 * 3600 + 60)
    deliver()
    assert times_of(received("times")) == [at(600)]
    yard_in_process.clock.advance(540)
    deliver()
    assert times_of(received("times")) == [at(3 * 3600 + 600)]


def test_a_time_that_comes_once(create: Call, scheduler: Call, yard_in_process: Yard, deliver: Call, received: Call) -> None:
    """It is called then, and deleted afterwards where that is wanted; its delivery does not need it any more."""
    create("at(2023-11-15T00:00:00)", "kept")
    create("at(2023-11-15T01:00:00)", "gone", ScheduleExpressionTimezone="Europe/Berlin", ActionAfterCompletion="DELETE")
    deliver()
    assert received("times") == []
    yard_in_process.clock.advance(2 * 3600)
    deliver()
    assert times_of(received("times")) == ["2023-11-15T00:00:00Z", "2023-11-15T00:00:00Z"]
    assert [each["Name"] for each in scheduler("ListSchedules")["Schedules"]] == ["kept"]
    yard_in_process.clock.advance(86400)
    deliver()
    assert received("times") == []


def test_inputs_of_schedules(create: Call, deliver: Call, received: Call) -> None:
    """The input is sent as it is, with the Scheduler's own attributes filled in."""
    text = '{"arn": "<aws.scheduler.schedule-arn>", "at": "<aws.scheduler.scheduled-time>", "n": <aws.scheduler.attempt-number>}'
    create("rate(1 hour)", target={"Input": text})
    deliver()
    (message,) = received("times")
    arn = f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/default/nightly"
    assert json.loads(message["Body"]) == {"arn": arn, "at": at(0), "n": 1}


def test_a_role_that_may_not_is_dead_lettered(
    create: Call, iam: Call, sqs: Call, scheduler: Call, deliver: Call, received: Call
) -> None:
    """A schedule acts as its role and nothing else; what fails can be seen in its dead-letter queue."""
    sqs("CreateQueue", QueueName="dead")
    create("rate(1 hour)", target={"DeadLetterConfig": {"Arn": queue_arn("dead")}})
    only = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue_arn("dead")}
    document = json.dumps({"Version": "2012-10-17", "Statement": [only]})
    iam("PutRolePolicy", RoleName="scheduler", PolicyName="send", PolicyDocument=document)
    deliver()
    assert received("times") == []
    (message,) = received("dead")
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    assert attributes["SCHEDULE_ARN"].endswith("schedule/default/nightly")


def test_a_rule_with_a_schedule(events: Call, make_queue: Call, yard_in_process: Yard, deliver: Call, received: Call) -> None:
    """A rate begins when it is set, and is not begun anew by putting the same rule again; disabled it does not run."""
    arn = make_queue("times")
    events("PutRule", Name="often", ScheduleExpression="rate(5 minutes)")
    events("PutTargets", Rule="often", Targets=[{"Id": "1", "Arn": arn}])
    yard_in_process.clock.advance(200)
    events("PutRule", Name="often", ScheduleExpression="rate(5 minutes)", Description="the same")
    deliver()
    assert received("times") == []
    yard_in_process.clock.advance(100)
    deliver()
    (message,) = received("times")
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"], event["time"]) == ("aws.events", "Scheduled Event", at(300))
    assert (event["resources"], event["detail"]) == ([f"arn:aws:events:us-east-1:{ACCOUNT}:rule/often"], {})
    events("DisableRule", Name="often")
    yard_in_process.clock.advance(1000)
    deliver()
    assert received("times") == []
    events("EnableRule", Name="often")
    deliver()
    assert received("times") == []
    yard_in_process.clock.advance(200)
    deliver()
    assert times_of(received("times")) == [at(1500)]
