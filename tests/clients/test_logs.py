"""Logs as real clients use them: boto3 with its paginators, `aws logs tail`, and after kill -9."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.postgresql import postgresql_address, postgresql_server  # noqa: F401
from tests.running import RunningYard, both_databases

pytestmark = pytest.mark.slow

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture(params=["sqlite", "postgresql"])
def mortal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningYard]:
    """A server that only this test uses, so that it may be killed."""
    settings = {} if request.param == "sqlite" else {"database": request.getfixturevalue("postgresql_address")}
    running = RunningYard(tmp_path / "data", **settings)
    running.start()
    yield running
    assert running.stop() == 0
    assert not running.defects()


def now() -> int:
    return round(time.time() * 1000)


def put(logs: Any, group: str, stream: str, *texts: str) -> None:
    events = [{"timestamp": now(), "message": text} for text in texts]
    assert "rejectedLogEventsInfo" not in logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def printed(yard: RunningYard, *arguments: str) -> str:
    command = [AWS, "logs", *arguments]
    done = subprocess.run(command, env=yard.environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@both_databases
@pytest.mark.documented
def test_boto3(yard: RunningYard) -> None:
    """The life of a log group with boto3: put, page through a stream, search with a paginator, errors by name."""
    logs = yard.client("logs")
    logs.create_log_group(logGroupName="/boto", tags={"team": "weather"})
    logs.create_log_stream(logGroupName="/boto", logStreamName="algo-1")
    put(logs, "/boto", "algo-1", *[f"line {number}" for number in range(25)])
    read, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = logs.get_log_events(logGroupName="/boto", logStreamName="algo-1", startFromHead=True, limit=10, **more)
        read += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    assert read == [f"line {number}" for number in range(25)]
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/boto", filterPattern='"line 1"', PaginationConfig={"PageSize": 3}
    )
    found = [event["message"] for page in pages for event in page["events"]]
    assert found == ["line 1", *[f"line {number}" for number in range(10, 20)]]
    logs.put_retention_policy(logGroupName="/boto", retentionInDays=7)
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/boto")["logGroups"]
    assert group["retentionInDays"] == 7
    (stream,) = logs.describe_log_streams(logGroupName="/boto")["logStreams"]
    assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {"team": "weather"}
    assert stream["lastEventTimestamp"] >= stream["firstEventTimestamp"]
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName="/boto")
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.filter_log_events(logGroupName="/boto", filterPattern="a:b")
    logs.delete_log_group(logGroupName="/boto")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName="/boto", logStreamName="algo-1")


@both_databases
@pytest.mark.documented
def test_the_command_line(yard: RunningYard) -> None:
    """`aws logs` puts events, prints a stream, and searches a group in pages that it goes through by itself."""
    printed(yard, "create-log-group", "--log-group-name", "/cli")
    named = ("--log-group-name", "/cli", "--log-stream-name", "s")
    printed(yard, "create-log-stream", *named)
    events = [{"timestamp": now(), "message": text} for text in ("INFO started", "ERROR out of memory", "ERROR gone")]
    printed(yard, "put-log-events", *named, "--log-events", json.dumps(events))
    got = json.loads(printed(yard, "get-log-events", *named, "--start-from-head"))
    assert [event["message"] for event in got["events"]] == ["INFO started", "ERROR out of memory", "ERROR gone"]
    search = ("filter-log-events", "--log-group-name", "/cli", "--filter-pattern", "ERROR", "--page-size", "1")
    found = json.loads(printed(yard, *search))
    assert [event["message"] for event in found["events"]] == ["ERROR out of memory", "ERROR gone"]


@both_databases
@pytest.mark.documented
def test_following_a_group(yard: RunningYard) -> None:
    """What `aws logs tail --follow` of the second CLI does: search from the newest time, skip the ids it has seen."""
    logs = yard.client("logs")
    logs.create_log_group(logGroupName="/tail")
    for stream in ("a", "b"):
        logs.create_log_stream(logGroupName="/tail", logStreamName=stream)
    seen: set[str] = set()
    shown: list[str] = []
    newest = now() - 1000

    def look() -> None:
        nonlocal newest
        paginator = logs.get_paginator("filter_log_events")
        for page in paginator.paginate(
            logGroupName="/tail", interleaved=True, startTime=newest, PaginationConfig={"PageSize": 2}
        ):
            for event in page["events"]:
                if event["eventId"] not in seen:
                    seen.add(event["eventId"])
                    shown.append(event["message"])
                newest = max(newest, event["timestamp"])

    expected: list[str] = []
    for round_ in range(5):
        for stream in ("a", "b"):
            put(logs, "/tail", stream, f"{round_} {stream}")
            expected.append(f"{round_} {stream}")
        look()
    look()
    assert shown == expected


@pytest.mark.ours
def test_nothing_acknowledged_is_lost_by_kill_9(mortal: RunningYard) -> None:
    """Every batch of events whose put was answered is there after kill -9, whole and in order."""
    logs = mortal.client("logs")
    logs.create_log_group(logGroupName="/durable")
    logs.create_log_stream(logGroupName="/durable", logStreamName="s")
    acknowledged: list[str] = []

    def write() -> None:
        own = mortal.client("logs")
        for number in range(100_000):
            batch = [f"{number} {part}" for part in "abc"]
            try:
                put(own, "/durable", "s", *batch)
            except (BotoCoreError, ClientError):  # the server is gone
                return
            acknowledged.extend(batch)

    writer = threading.Thread(target=write)
    writer.start()
    while len(acknowledged) < 150:
        time.sleep(0.01)
    mortal.kill()
    writer.join(30)
    mortal.start()
    pages = mortal.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/durable")
    found = [event["message"] for page in pages for event in page["events"]]
    assert found[: len(acknowledged)] == acknowledged
    # The batch that was put and not answered is there whole or not at all.
    assert len(found) - len(acknowledged) in (0, 3)
