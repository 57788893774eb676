"""Log events: put, read forward and backward, searched."""

from typing import Any

import pytest
from tests.contract.logs.conftest import NOW, Logs, events, messages, refused
from tests.harness import Yard

from modelyard.logs.log_group import DAY
from modelyard.logs.operations import events as operations

HOUR = 3600 * 1000


@pytest.mark.documented
def test_events_are_in_order_of_time_then_arrival(logs: Logs, stream: dict[str, str]) -> None:
    """Events come back by their times, and those of the same time as they arrived, whatever batch they were in."""
    logs("PutLogEvents", **stream, logEvents=events("c", "d", start=NOW, step=0))
    logs("PutLogEvents", **stream, logEvents=events("b", "e", start=NOW - 10, step=10))
    answer = logs("GetLogEvents", **stream, startFromHead=True)
    assert messages(answer) == ["b", "c", "d", "e"]
    assert answer["events"][0] == {"timestamp": NOW - 10, "message": "b", "ingestionTime": NOW}
    ranged = logs("GetLogEvents", **stream, startTime=NOW - 10, endTime=NOW)
    assert messages(ranged) == ["b"]


@pytest.mark.documented
def test_pages_forward_and_backward(logs: Logs, stream: dict[str, str]) -> None:
    """Without a token the newest come, tokens lead both ways, and at an end the same token comes back; new events follow it."""
    logs("PutLogEvents", **stream, logEvents=events(*"abcdefg"))
    page = logs("GetLogEvents", **stream, limit=3)
    assert messages(page) == ["e", "f", "g"]
    backward = [messages(page)]
    token = page["nextBackwardToken"]
    while True:
        page = logs("GetLogEvents", **stream, limit=3, nextToken=token)
        if page["nextBackwardToken"] == token:
            break
        backward.append(messages(page))
        token = page["nextBackwardToken"]
    assert backward == [["e", "f", "g"], ["b", "c", "d"], ["a"]]
    assert messages(page) == []
    forward, token = [], page["nextForwardToken"]
    while True:
        page = logs("GetLogEvents", **stream, limit=4, nextToken=token, startFromHead=True)
        if page["nextForwardToken"] == token:
            break
        forward.append(messages(page))
        token = page["nextForwardToken"]
    assert forward == [["a", "b", "c", "d"], ["e", "f", "g"]]
    assert messages(logs("GetLogEvents", **stream, limit=2, nextToken=page["nextBackwardToken"])) == ["f", "g"]
    logs("PutLogEvents", **stream, logEvents=events("h", start=NOW + 10))
    assert messages(logs("GetLogEvents", **stream, nextToken=token)) == ["h"]
    for made_up in ("f/x", "x", "b/", f"f/{token[3:]}"):
        with refused("InvalidParameterException"):
            logs("GetLogEvents", **stream, nextToken=made_up)


@pytest.mark.documented
def test_an_empty_stream_can_be_followed(logs: Logs, stream: dict[str, str]) -> None:
    """The forward token of a stream without events leads to the first ones that come."""
    page = logs("GetLogEvents", **stream)
    assert messages(page) == []
    assert logs("GetLogEvents", **stream, nextToken=page["nextForwardToken"])["nextForwardToken"] == page["nextForwardToken"]
    logs("PutLogEvents", **stream, logEvents=events("a"))
    assert messages(logs("GetLogEvents", **stream, nextToken=page["nextForwardToken"])) == ["a"]


@pytest.mark.documented
def test_what_is_too_old_or_too_new_is_left_out_and_told(logs: Logs, stream: dict[str, str]) -> None:
    """Events older than 14 days or the retention, or two hours ahead, are rejected by their places; the others are kept."""
    logs("PutRetentionPolicy", logGroupName="/job", retentionInDays=3)
    times = [NOW - 15 * DAY, NOW - 4 * DAY, NOW - HOUR, NOW, NOW + 3 * HOUR]
    batch = [{"timestamp": time, "message": str(place)} for place, time in enumerate(times)]
    answer = logs("PutLogEvents", **stream, logEvents=batch)
    assert answer["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "expiredLogEventEndIndex": 2,
        "tooNewLogEventStartIndex": 4,
    }
    assert messages(logs("GetLogEvents", **stream)) == ["2", "3"]
    alone = logs("PutLogEvents", **stream, logEvents=batch[:1], sequenceToken=answer["nextSequenceToken"])
    assert alone["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    assert "rejectedLogEventsInfo" not in logs("PutLogEvents", **stream, logEvents=events("x"))


@pytest.mark.documented
@pytest.mark.parametrize(
    ("batch", "match"),
    [
        (events("a", "b", step=-1), "chronological order"),
        (events("a", "b", start=NOW - 2 * DAY, step=25 * HOUR), "24 hours"),
        (events("x" * 1_048_551), "exceeds limit of 1048576"),
        (events("x" * 600_000, "x" * 600_000), "exceeds limit of 1048576"),
        (events(*["x"] * 10_001), "length less than or equal to 10000"),
        (events(""), "length greater than or equal to 1"),
        ([], "length greater than or equal to 1"),
    ],
)
def test_what_no_batch_can_be(logs: Logs, stream: dict[str, str], batch: list[dict[str, Any]], match: str) -> None:
    """A batch that is out of order, too long in time, bytes or number, or empty, is refused whole."""
    with refused("InvalidParameterException", match):
        logs("PutLogEvents", **stream, logEvents=batch)
    assert messages(logs("GetLogEvents", **stream)) == []


@pytest.mark.documented
def test_a_page_holds_a_megabyte(logs: Logs, stream: dict[str, str]) -> None:
    """Pages end before a megabyte, and paging still brings every event once."""
    for number in range(5):
        logs("PutLogEvents", **stream, logEvents=events(f"{number}" + "x" * 400_000, start=NOW + number))
    first = logs("GetLogEvents", **stream, startFromHead=True)
    second = logs("GetLogEvents", **stream, startFromHead=True, nextToken=first["nextForwardToken"])
    third = logs("GetLogEvents", **stream, startFromHead=True, nextToken=second["nextForwardToken"])
    assert [text[0] for page in (first, second, third) for text in messages(page)] == ["0", "1", "2", "3", "4"]
    assert len(messages(first)) == 2
    found = logs("FilterLogEvents", logGroupName="/job")
    assert len(messages(found)) == 2 and "nextToken" in found


@pytest.fixture
def searched(logs: Logs, stream: dict[str, str]) -> dict[str, str]:
    """A group with events in three streams."""
    for name in ("two", "other"):
        logs("CreateLogStream", logGroupName="/job", logStreamName=name)
    for name, batch in (
        ("one", events("ERROR a", '{"level": "ERROR"}', start=NOW, step=10)),
        ("two", events("INFO b", "ERROR c", start=NOW + 5, step=10)),
        ("other", events("ERROR d", start=NOW + 7)),
    ):
        logs("PutLogEvents", logGroupName="/job", logStreamName=name, logEvents=batch)
    return {"logGroupName": "/job"}


@pytest.mark.documented
def test_searching_a_group(logs: Logs, searched: dict[str, str]) -> None:
    """FilterLogEvents interleaves streams by time, and takes patterns, names, a prefix, times and the reverse order."""

    def found(**query: Any) -> list[str]:
        return messages(logs("FilterLogEvents", **searched, **query))

    assert found() == ["ERROR a", "INFO b", "ERROR d", '{"level": "ERROR"}', "ERROR c"]
    assert found(startFromHead=False) == found()[::-1]
    assert found(filterPattern="ERROR -d") == ["ERROR a", '{"level": "ERROR"}', "ERROR c"]
    assert found(filterPattern='{ $.level = "ERROR" }') == ['{"level": "ERROR"}']
    assert found(logStreamNames=["two", "other"]) == ["INFO b", "ERROR d", "ERROR c"]
    assert found(logStreamNames=["two"], filterPattern="?INFO ?WARN") == ["INFO b"]
    assert found(logStreamNamePrefix="o") == ["ERROR a", "ERROR d", '{"level": "ERROR"}']
    assert found(startTime=NOW + 5, endTime=NOW + 10) == ["INFO b", "ERROR d"]
    first = logs("FilterLogEvents", **searched)["events"][0]
    assert (first["logStreamName"], first["timestamp"], first["ingestionTime"]) == ("one", NOW, NOW)
    assert first["eventId"].isdigit()
    with refused("ResourceNotFoundException"):
        found(logStreamNames=["none"])
    with refused("InvalidParameterException"):
        found(logStreamNames=["one"], logStreamNamePrefix="o")
    with refused("InvalidParameterException", "Invalid filter pattern"):
        found(filterPattern="a:b")


@pytest.mark.documented
@pytest.mark.parametrize("forward", [True, False])
def test_searching_in_pages(monkeypatch: pytest.MonkeyPatch, logs: Logs, stream: dict[str, str], forward: bool) -> None:
    """Pages bring every match once, also where a page looks at more events than it may and finds none."""
    monkeypatch.setattr(operations, "MOST_LOOKED_AT", 20)
    logs("PutLogEvents", **stream, logEvents=events(*[f"{'ERROR' if n % 50 == 0 else 'INFO'} {n}" for n in range(300)], step=0))
    query: dict[str, Any] = {"logGroupName": "/job", "filterPattern": "ERROR", "limit": 2, "startFromHead": forward}
    found, pages = [], 0
    while True:
        page = logs("FilterLogEvents", **query)
        found += messages(page)
        pages += 1
        assert len(page["events"]) <= 2
        if "nextToken" not in page:
            break
        query["nextToken"] = page["nextToken"]
    expected = [f"ERROR {n}" for n in range(0, 300, 50)]
    assert found == (expected if forward else expected[::-1])
    assert pages > 3
    with refused("InvalidParameterException"):
        logs("FilterLogEvents", **{**query, "filterPattern": "INFO"})


@pytest.mark.ours
def test_what_is_logged_leaves_the_audit_trail_alone(yard_in_process: Yard, logs: Logs, stream: dict[str, str]) -> None:
    """Log lines are not recorded a second time in the audit trail."""
    storage = yard_in_process.house.storage

    def records() -> Any:
        with storage.read() as tx:
            return tx.one("SELECT count(*) FROM audit_record")

    before = records()
    logs("PutLogEvents", **stream, logEvents=events("password: x"))
    assert records() == before
