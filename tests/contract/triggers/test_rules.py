"""Rules, targets, events and tags: EventBridge's operations and their errors."""

import json
from typing import Any

import pytest
from tests.contract.triggers.conftest import PATTERN, Call, queue_arn, refused
from tests.harness import ACCOUNT, START, Yard, user

pytestmark = pytest.mark.documented

ROLE = f"arn:aws:iam::{ACCOUNT}:role/events"


def test_the_life_of_a_rule(events: Call) -> None:
    """Put, described, listed, disabled, changed and deleted, with the answers of EventBridge."""
    arn = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/sales"
    assert events("PutRule", Name="sales", EventPattern=PATTERN, Description="d", RoleArn=ROLE) == {"RuleArn": arn}
    expected = {
        "Name": "sales",
        "Arn": arn,
        "EventPattern": PATTERN,
        "State": "ENABLED",
        "Description": "d",
        "RoleArn": ROLE,
        "EventBusName": "default",
    }
    assert events("DescribeRule", Name="sales") == {**expected, "CreatedBy": ACCOUNT}
    assert events("ListRules", NamePrefix="sal") == {"Rules": [expected]}
    events("DisableRule", Name="sales")
    assert events("DescribeRule", Name="sales")["State"] == "DISABLED"
    events("EnableRule", Name="sales", EventBusName=f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default")
    events("PutRule", Name="sales", ScheduleExpression="rate(5 minutes)")
    changed = events("DescribeRule", Name="sales")
    assert changed["ScheduleExpression"] == "rate(5 minutes)"
    assert not {"EventPattern", "Description", "RoleArn"} & changed.keys()
    events("DeleteRule", Name="sales")
    events("DeleteRule", Name="sales")
    assert events("ListRules") == {"Rules": []}


def test_errors_of_rules(events: Call) -> None:
    """In EventBridge's words."""
    with refused("ResourceNotFoundException", "Rule none does not exist on EventBus default."):
        events("DescribeRule", Name="none")
    for operation in ("EnableRule", "DisableRule"):
        with refused("ResourceNotFoundException"):
            events(operation, Name="none")
    with refused("ResourceNotFoundException", "Event bus other does not exist."):
        events("PutRule", Name="r", EventPattern=PATTERN, EventBusName="other")
    with refused("ValidationException", "EventPattern or ScheduleExpression must be specified."):
        events("PutRule", Name="r")
    with refused("InvalidEventPatternException", r"Event pattern is not valid. Reason: \"source\" must be an object or an array"):
        events("PutRule", Name="r", EventPattern='{"source": "x"}')
    for expression in ("at(2030-01-01T00:00:00)", "rate(1 minutes)", "cron(0 0 * * * *)"):
        with refused("ValidationException", "Parameter ScheduleExpression is not valid."):
            events("PutRule", Name="r", ScheduleExpression=expression)
    with refused("ValidationException"):
        events("PutRule", Name="no spaces", EventPattern=PATTERN)


def test_rules_are_limited(events: Call, yard_in_process: Yard) -> None:
    """The 301st rule is one too many; changing one of the 300 is not."""
    for number in range(300):
        events("PutRule", Name=f"r{number:03}", EventPattern=PATTERN)
    with refused("LimitExceededException", "The requested resource exceeds the maximum number allowed."):
        events("PutRule", Name="one-more", EventPattern=PATTERN)
    events("PutRule", Name="r000", EventPattern=PATTERN, Description="changed")
    first = events("ListRules", Limit=100)
    names, token = [rule["Name"] for rule in first["Rules"]], first["NextToken"]
    while token:
        page = events("ListRules", Limit=100, NextToken=token)
        names, token = [*names, *(rule["Name"] for rule in page["Rules"])], page.get("NextToken")
    assert names == [f"r{number:03}" for number in range(300)]
    with refused("ValidationException", "NextToken"):
        events("ListRules", Limit=100, NextToken="forged")


def test_targets(events: Call) -> None:
    """Put, listed in pages, changed, looked up by ARN, removed; a rule with targets is not deleted."""
    events("PutRule", Name="sales", EventPattern=PATTERN)
    targets = [{"Id": str(number), "Arn": queue_arn("sales")} for number in range(5)]
    assert events("PutTargets", Rule="sales", Targets=targets) == {"FailedEntryCount": 0, "FailedEntries": []}
    with refused("LimitExceededException"):
        events("PutTargets", Rule="sales", Targets=[{"Id": "6", "Arn": queue_arn("sales")}])
    first = events("ListTargetsByRule", Rule="sales", Limit=3)
    rest = events("ListTargetsByRule", Rule="sales", Limit=3, NextToken=first["NextToken"])
    assert [*first["Targets"], *rest["Targets"]] == targets
    events("PutTargets", Rule="sales", Targets=[{"Id": "4", "Arn": queue_arn("other"), "Input": "{}"}])
    assert events("ListRuleNamesByTarget", TargetArn=queue_arn("other")) == {"RuleNames": ["sales"]}
    assert events("ListRuleNamesByTarget", TargetArn=queue_arn("none")) == {"RuleNames": []}
    with refused("ValidationException", "Rule can't be deleted since it has targets."):
        events("DeleteRule", Name="sales")
    answer = events("RemoveTargets", Rule="sales", Ids=["0", "1", "2", "3", "4", "5"])
    assert answer["FailedEntryCount"] == 1
    assert answer["FailedEntries"][0]["ErrorCode"] == "ResourceNotFoundException"
    events("DeleteRule", Name="sales")
    with refused("ResourceNotFoundException"):
        events("PutTargets", Rule="sales", Targets=targets)


def test_passing_a_role_needs_leave(events: Call) -> None:
    """Who may put targets, but not pass the role, is refused."""
    events("PutRule", Name="sales", EventPattern=PATTERN)
    allow = {"Effect": "Allow", "Action": "events:*", "Resource": "*"}
    by = user(ACCOUNT, "limited", json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    events("PutTargets", by=by, Rule="sales", Targets=[{"Id": "1", "Arn": queue_arn("sales")}])
    with refused("AccessDeniedException", "iam:PassRole"):
        events("PutTargets", by=by, Rule="sales", Targets=[{"Id": "1", "Arn": queue_arn("sales"), "RoleArn": ROLE}])
    with refused("AccessDeniedException", "iam:PassRole"):
        events("PutRule", by=by, Name="sales", EventPattern=PATTERN, RoleArn=ROLE)


def test_tags(events: Call) -> None:
    """Given with the rule, added, listed, removed."""
    arn = events("PutRule", Name="sales", EventPattern=PATTERN, Tags=[{"Key": "team", "Value": "a"}])["RuleArn"]
    events("TagResource", ResourceARN=arn, Tags=[{"Key": "stage", "Value": "b"}])
    assert events("ListTagsForResource", ResourceARN=arn)["Tags"] == [
        {"Key": "stage", "Value": "b"},
        {"Key": "team", "Value": "a"},
    ]
    events("UntagResource", ResourceARN=arn, TagKeys=["team", "none"])
    assert events("ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "stage", "Value": "b"}]
    with refused("ResourceNotFoundException"):
        events("TagResource", ResourceARN=arn + "x", Tags=[])
    with refused("ResourceNotFoundException"):
        events("ListTagsForResource", ResourceARN="arn:aws:events:us-east-1:999999999999:rule/sales")
    events("DeleteRule", Name="sales")
    with refused("ResourceNotFoundException"):
        events("ListTagsForResource", ResourceARN=arn)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({}, "InvalidArgument"),
        ({"Source": "shop", "Detail": "{}"}, "InvalidArgument"),
        ({"Source": "shop", "DetailType": "Sold"}, "InvalidArgument"),
        ({"Source": "shop", "DetailType": "Sold", "Detail": "no"}, "MalformedDetail"),
        ({"Source": "shop", "DetailType": "Sold", "Detail": "[]"}, "MalformedDetail"),
        ({"Source": "shop", "DetailType": "Sold", "Detail": '{"a":' * 200 + "1" + "}" * 200}, "MalformedDetail"),
        ({"Source": "aws.sagemaker", "DetailType": "x", "Detail": "{}"}, "NotAuthorizedForSourceException"),
        ({"Source": "modelyard", "DetailType": "x", "Detail": "{}"}, "NotAuthorizedForSourceException"),
        ({"Source": "shop", "DetailType": "x", "Detail": "{}", "EventBusName": "other"}, "ResourceNotFoundException"),
    ],
)
def test_entries_fail_one_by_one(events: Call, entry: dict[str, Any], code: str) -> None:
    """A bad entry is refused by itself; the good one beside it is taken."""
    good = {"Source": "shop", "DetailType": "Sold", "Detail": "{}"}
    answer = events("PutEvents", Entries=[entry, good])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == code
    assert "EventId" in answer["Entries"][1]


def test_entries_are_bounded(events: Call) -> None:
    """Ten entries at most, of a mebibyte together."""
    entry = {"Source": "shop", "DetailType": "Sold", "Detail": json.dumps({"x": "y" * 600_000})}
    with refused("ValidationException", "Total size of the entries in the request is over the limit."):
        events("PutEvents", Entries=[entry, entry])
    with refused("ValidationException"):
        events("PutEvents", Entries=[{"Source": "shop", "DetailType": "Sold", "Detail": "{}"}] * 11)


def test_putting_events_may_be_narrowed(events: Call) -> None:
    """A policy may say which sources somebody may put events of."""
    allow = {
        "Effect": "Allow",
        "Action": "events:PutEvents",
        "Resource": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default",
        "Condition": {"StringEquals": {"events:source": "shop"}},
    }
    by = user(ACCOUNT, "shopkeeper", json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    entry = {"Source": "shop", "DetailType": "Sold", "Detail": "{}"}
    assert events("PutEvents", by=by, Entries=[entry])["FailedEntryCount"] == 0
    with refused("AccessDeniedException"):
        events("PutEvents", by=by, Entries=[entry, {**entry, "Source": "bank"}])


def test_a_time_of_ones_own(events: Call, make_queue: Call, make_rule: Call, put: Call, deliver: Call, received: Call) -> None:
    """The event has the time it was put with, but none in the future."""
    make_rule(make_queue("sales"))
    put(1, Time=START - 86400.0)
    put(2, Time=START + 86400.0)
    deliver()
    assert [json.loads(message["Body"])["time"] for message in received("sales")] == [
        "2023-11-13T22:13:20Z",
        "2023-11-14T22:13:20Z",
    ]


def test_test_event_pattern(events: Call) -> None:
    """Answers whether a pattern matches, and refuses what is no pattern or no event."""
    event = {
        "id": "1",
        "account": ACCOUNT,
        "source": "shop",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail-type": "Sold",
    }
    assert events("TestEventPattern", EventPattern=PATTERN, Event=json.dumps(event)) == {"Result": True}
    assert events("TestEventPattern", EventPattern='{"source": ["x"]}', Event=json.dumps(event)) == {"Result": False}
    with refused("InvalidEventPatternException"):
        events("TestEventPattern", EventPattern="{}", Event=json.dumps(event))
    for wrong in ("no", "[]", '{"id": "1"}'):
        with refused("ValidationException", "Parameter Event is not valid."):
            events("TestEventPattern", EventPattern=PATTERN, Event=wrong)
