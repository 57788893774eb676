"""Log groups and streams: made, listed, kept for so long, deleted; and who may."""

import json

import pytest
from tests.contract.logs.conftest import NOW, Logs, events, messages, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, user

from modelyard.logs.log_group import DAY
from modelyard.logs.worker import sweep

GROUP = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/job"


@pytest.mark.documented
def test_groups_are_made_listed_and_deleted(logs: Logs) -> None:
    """A group is described with its ARN, class, retention and size; lists filter by prefix or by a text, and come in pages."""
    for name in ("/aws/sagemaker/TrainingJobs", "/aws/lambda/b", "/aws/lambda/A", "own_1", "ownX1"):
        logs("CreateLogGroup", logGroupName=name, tags={"team": "weather"})
    with refused("ResourceAlreadyExistsException"):
        logs("CreateLogGroup", logGroupName="own_1")
    first = logs("DescribeLogGroups", logGroupNamePrefix="/aws/lambda/", limit=1)
    second = logs("DescribeLogGroups", logGroupNamePrefix="/aws/lambda/", limit=1, nextToken=first["nextToken"])
    assert [group["logGroupName"] for group in first["logGroups"] + second["logGroups"]] == ["/aws/lambda/A", "/aws/lambda/b"]
    assert "nextToken" not in second
    found = logs("DescribeLogGroups", logGroupNamePattern="trainingjobs")["logGroups"]
    assert [group["logGroupName"] for group in found] == ["/aws/sagemaker/TrainingJobs"]
    (own,) = logs("DescribeLogGroups", logGroupNamePattern="N_1")["logGroups"]
    assert own == {
        "logGroupName": "own_1",
        "creationTime": NOW,
        "metricFilterCount": 0,
        "arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:own_1:*",
        "logGroupArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:own_1",
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
    }
    assert len(logs("DescribeLogGroups", logGroupIdentifiers=["own_1", own["logGroupArn"], "none"])["logGroups"]) == 1
    assert logs("ListTagsForResource", resourceArn=own["logGroupArn"]) == {"tags": {"team": "weather"}}
    logs("DeleteLogGroup", logGroupName="own_1")
    with refused("ResourceNotFoundException", "log group does not exist"):
        logs("DeleteLogGroup", logGroupName="own_1")
    assert logs("DescribeLogGroups", region="eu-west-1") == {"logGroups": []}
    with refused("InvalidParameterException"):
        logs("DescribeLogGroups", nextToken="made up")


@pytest.mark.documented
@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("CreateLogGroup", {"logGroupName": "aws/x"}, "InvalidParameterException"),
        ("CreateLogGroup", {"logGroupName": "a b"}, "InvalidParameterException"),
        (
            "CreateLogGroup",
            {"logGroupName": "k", "kmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/x"},
            "InvalidParameterException",
        ),
        ("CreateLogStream", {"logGroupName": "/job", "logStreamName": "a:b"}, "InvalidParameterException"),
        ("CreateLogStream", {"logGroupName": "/job", "logStreamName": "one"}, "ResourceAlreadyExistsException"),
        ("CreateLogStream", {"logGroupName": "/none", "logStreamName": "one"}, "ResourceNotFoundException"),
        ("DeleteLogStream", {"logGroupName": "/job", "logStreamName": "two"}, "ResourceNotFoundException"),
        ("PutRetentionPolicy", {"logGroupName": "/job", "retentionInDays": 2}, "InvalidParameterException"),
        ("DescribeLogStreams", {}, "InvalidParameterException"),
        ("DescribeLogStreams", {"logGroupName": "/job", "logGroupIdentifier": "/job"}, "InvalidParameterException"),
        ("DescribeLogStreams", {"logGroupIdentifier": "arn:aws:s3:::x"}, "InvalidParameterException"),
        ("TagResource", {"resourceArn": f"{GROUP}x", "tags": {"a": "b"}}, "ResourceNotFoundException"),
    ],
)
def test_what_is_refused(logs: Logs, stream: dict[str, str], operation: str, request_: dict[str, object], code: str) -> None:
    """Names, days and combinations that AWS refuses are refused with its code."""
    with refused(code):
        logs(operation, **request_)


@pytest.mark.documented
def test_streams_are_listed_by_name_and_by_last_event(yard_in_process: Yard, logs: Logs, stream: dict[str, str]) -> None:
    """DescribeLogStreams orders and pages both ways, and shows the times of the events of each stream."""
    for name in ("two", "three"):
        logs("CreateLogStream", logGroupName="/job", logStreamName=name)
    logs("PutLogEvents", logGroupName="/job", logStreamName="two", logEvents=events("a", "b", start=NOW - 5, step=5))
    logs("PutLogEvents", **stream, logEvents=events("c", start=NOW - 1))

    def names(**query: object) -> list[str]:
        found: list[str] = []
        while True:
            page = logs("DescribeLogStreams", logGroupName="/job", limit=2, **query)
            found += [one["logStreamName"] for one in page["logStreams"]]
            if "nextToken" not in page:
                return found
            query["nextToken"] = page["nextToken"]

    assert names() == ["one", "three", "two"]
    assert names(descending=True) == ["two", "three", "one"]
    assert names(logStreamNamePrefix="t") == ["three", "two"]
    assert names(orderBy="LastEventTime", descending=True) == ["two", "one", "three"]
    assert names(orderBy="LastEventTime") == ["three", "one", "two"]
    with refused("InvalidParameterException"):
        names(orderBy="LastEventTime", logStreamNamePrefix="t")
    (two,) = logs("DescribeLogStreams", logGroupIdentifier=GROUP, logStreamNamePrefix="two")["logStreams"]
    times = {name: two[name] for name in ("firstEventTimestamp", "lastEventTimestamp", "lastIngestionTime")}
    assert times == {"firstEventTimestamp": NOW - 5, "lastEventTimestamp": NOW, "lastIngestionTime": NOW}
    assert two["arn"] == f"{GROUP}:log-stream:two"


@pytest.mark.documented
def test_retention_hides_at_once_and_the_worker_removes(yard_in_process: Yard, logs: Logs, stream: dict[str, str]) -> None:
    """Events past the retention are not shown from then on, and their rows and bytes are gone after the worker's turn."""
    logs("PutLogEvents", **stream, logEvents=events("old", start=NOW - 2 * DAY))
    logs("PutLogEvents", **stream, logEvents=events("new"))
    logs("PutRetentionPolicy", logGroupName="/job", retentionInDays=1)
    assert messages(logs("GetLogEvents", **stream)) == ["new"]
    (group,) = logs("DescribeLogGroups")["logGroups"]
    assert (group["retentionInDays"], group["storedBytes"]) == (1, 58)
    storage = yard_in_process.house.storage
    sweep(storage, yard_in_process.clock)
    logs("DeleteRetentionPolicy", logGroupName="/job")
    assert messages(logs("GetLogEvents", **stream)) == ["new"]
    (group,) = logs("DescribeLogGroups")["logGroups"]
    assert "retentionInDays" not in group and group["storedBytes"] == 29


@pytest.mark.ours
def test_deleting_leaves_nothing_behind(yard_in_process: Yard, logs: Logs, stream: dict[str, str]) -> None:
    """A stream and a group that were deleted are out of reach at once, also under the same name again, and their rows go."""
    logs("PutLogEvents", **stream, logEvents=events("a"))
    logs("DeleteLogStream", **stream)
    assert logs("FilterLogEvents", logGroupName="/job")["events"] == []
    logs("CreateLogStream", **stream)
    assert messages(logs("GetLogEvents", **stream)) == []
    logs("PutLogEvents", **stream, logEvents=events("b"))
    logs("DeleteLogGroup", logGroupName="/job")
    logs("CreateLogGroup", logGroupName="/job")
    with refused("ResourceNotFoundException", "log stream does not exist"):
        logs("GetLogEvents", **stream)
    assert logs("FilterLogEvents", logGroupName="/job")["events"] == []
    storage = yard_in_process.house.storage
    sweep(storage, yard_in_process.clock)
    with storage.read() as tx:
        assert [tx.one(f"SELECT count(*) FROM {table}") for table in ("log_event", "log_stream", "log_remains")] == [(0,)] * 3


@pytest.mark.seen
def test_policies_name_groups_with_a_star(logs: Logs, stream: dict[str, str]) -> None:
    """A policy on `log-group:NAME:*` covers the group and its streams; another account is not let in."""
    statement = {"Effect": "Allow", "Action": "logs:*", "Resource": f"{GROUP}:*"}
    reader = user(ACCOUNT, "ann", json.dumps({"Version": "2012-10-17", "Statement": statement}))
    logs("PutLogEvents", by=reader, **stream, logEvents=events("a"))
    assert messages(logs("FilterLogEvents", by=reader, logGroupName="/job")) == ["a"]
    for operation, request in (("DescribeLogGroups", {}), ("FilterLogEvents", {"logGroupName": "/other"})):
        with refused("AccessDeniedException"):
            logs(operation, by=reader, **request)
    with refused("AccessDeniedException"):
        logs("FilterLogEvents", by=user(OTHER_ACCOUNT, "bob"), logGroupIdentifier=GROUP)


@pytest.mark.documented
def test_tags(logs: Logs, stream: dict[str, str]) -> None:
    """Tags are added, overwritten, removed and count in conditions."""
    logs("TagResource", resourceArn=GROUP, tags={"team": "weather", "stage": "a"})
    logs("TagResource", resourceArn=GROUP, tags={"stage": "b"})
    logs("UntagResource", resourceArn=GROUP, tagKeys=["team"])
    assert logs("ListTagsForResource", resourceArn=GROUP) == {"tags": {"stage": "b"}}
    condition = {"StringEquals": {"aws:ResourceTag/stage": "b"}}
    statement = {"Effect": "Allow", "Action": "logs:*", "Resource": "*", "Condition": condition}
    reader = user(ACCOUNT, "ann", json.dumps({"Version": "2012-10-17", "Statement": statement}))
    logs("GetLogEvents", by=reader, **stream)
    logs("UntagResource", resourceArn=GROUP, tagKeys=["stage"])
    with refused("AccessDeniedException"):
        logs("GetLogEvents", by=reader, **stream)
