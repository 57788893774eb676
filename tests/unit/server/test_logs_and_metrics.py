"""Logs and metrics: what they say, and that neither can stop the server."""

import json
import logging
import os

import pytest

from modelyard.server import logs
from modelyard.server.logs import LogHandler, LogWriter
from modelyard.server.metrics import Metrics

pytestmark = pytest.mark.ours

RECORD = {"time": 1_700_000_000.123, "level": "info", "request_id": "r", "status": 200, "principal": None}


def written(log_format: str, *records: dict[str, object]) -> list[str]:
    """The lines that a writer makes of these records."""
    reading, writing = os.pipe()
    writer = LogWriter(log_format, writing)
    for record in records:
        writer.write(record)
    writer.close()
    os.close(writing)
    with os.fdopen(reading) as lines:
        return lines.read().splitlines()


def test_json_lines() -> None:
    """A record is one line of JSON, its time as RFC 3339."""
    (line,) = written("json", RECORD)
    assert json.loads(line) == {**RECORD, "time": "2023-11-14T22:13:20.123000Z"}


def test_text_lines() -> None:
    """As text a record is one line for people, and a client cannot make it two."""
    lines = written("text", {**RECORD, "source": "x\nforged 200"})
    assert lines == ["2023-11-14T22:13:20.123+00:00 INFO request_id=r status=200 principal=None source=x\\nforged 200"]


def test_a_traceback_is_kept() -> None:
    """What Python logs with an exception carries its traceback and the request id."""
    reading, writing = os.pipe()
    writer = LogWriter("json", writing)
    logger = logging.Logger("modelyard.test")
    logger.addHandler(LogHandler(writer))
    try:
        raise KeyError("what")
    except KeyError:
        logger.exception("went wrong with %s", "that", extra={"request_id": "r-1"})
    writer.close()
    os.close(writing)
    with os.fdopen(reading) as lines:
        record = json.loads(lines.read())
    assert (record["level"], record["message"], record["request_id"]) == ("error", "went wrong with that", "r-1")
    assert "KeyError: 'what'" in record["traceback"]


def test_more_lines_than_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines beyond the limit are dropped and counted, and nobody waits for the log."""
    monkeypatch.setattr(logs, "MOST_WAITING", 10)
    lines = written("json", *[RECORD] * 10_000)
    dropped = sum(int(line.split('"message":"')[1].split()[0]) for line in lines if "were dropped" in line)
    kept = sum("were dropped" not in line for line in lines)
    assert dropped > 0
    assert dropped + kept == 10_000


def test_a_log_that_is_gone() -> None:
    """When standard error is closed the server goes on."""
    reading, writing = os.pipe()
    os.close(reading)
    writer = LogWriter("json", writing)
    writer.write(RECORD)
    writer.close()
    os.close(writing)
    assert not writer._waiting


def test_a_histogram_adds_up() -> None:
    """Buckets are cumulative, and count and sum are those of all requests."""
    metrics = Metrics({"some_gauge": ("A number.", lambda: 7)})
    for seconds in (0.0001, 0.003, 0.003, 100.0):
        metrics.requests.count(("sts", "GetCallerIdentity"), 200, seconds)
    page = metrics.render().decode()
    name = "modelyard_request_duration_seconds"
    named = 'operation="GetCallerIdentity",service="sts"'
    assert f'{name}_bucket{{le="0.0002",{named}}} 1.0' in page
    assert f'{name}_bucket{{le="0.005",{named}}} 3.0' in page
    assert f'{name}_bucket{{le="+Inf",{named}}} 4.0' in page
    assert f"{name}_sum{{{named}}} 100.0061" in page
    assert "some_gauge 7.0" in page
