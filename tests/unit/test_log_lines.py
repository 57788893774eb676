"""How much of what workloads print is kept."""

from typing import Any

import pytest

from modelyard.dispatch import log_lines
from modelyard.dispatch.log_lines import LogLines, LogStream

pytestmark = pytest.mark.ours


class Kept:
    """A context that keeps what is put, as CloudWatch Logs would."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def call(self, _service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "PutLogEvents":
            self.lines += [event["message"] for event in request["logEvents"]]
        return {}


def test_one_that_prints_without_an_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream has its burst, and later what time has brought; what was left out in between is counted in a line of its own."""
    monkeypatch.setattr(log_lines, "FLUSH_SECONDS", 3600)
    monkeypatch.setattr(log_lines, "BURST_BYTES", 4000)
    monkeypatch.setattr(log_lines, "BYTES_A_SECOND", 0)
    kept = Kept()
    stream = LogStream(lambda: kept, "group", "stream", allowance=4000)  # type: ignore[arg-type, return-value]
    lines = LogLines("test")
    try:
        line = "x" * (1000 - log_lines.OVERHEAD)
        for _ in range(10):
            lines.write(stream, line)
        lines.flush()
        assert kept.lines == [*[line] * 4, "[6 lines were left out: they come faster than they can be kept]"]
        lines.write(stream, "none yet")
        monkeypatch.setattr(log_lines, "BYTES_A_SECOND", 1e12)
        lines.write(stream, "a little")
        lines.flush()
        assert kept.lines[5:] == ["a little", "[1 lines were left out: they come faster than they can be kept]"]
    finally:
        lines.close()
