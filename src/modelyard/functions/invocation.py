"""One invocation of a function, and what came of it."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.functions.function import Version

LONGEST_RESPONSE = 6 * 1024 * 1024 + 1024
LONGEST_TAIL = 4096


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an invocation."""

    payload: bytes
    function_error: str | None = None
    """`Unhandled` or `Handled` when the function failed."""
    executed_version: str = "$LATEST"
    log_tail: bytes = b""
    refused: AwsError | None = None
    """Why the function was not run at all."""


@dataclass(slots=True)
class Invocation:
    """What is asked of a function."""

    request_id: str
    version: Version
    """The configuration and code that run."""
    invoked_arn: str
    payload: bytes
    done: Callable[[Outcome], None]
    """Told once, on the runtime's thread; must be quick."""
    client_context: str | None = None
    tail: bytearray = field(default_factory=bytearray)
    """The end of what it logged."""
    begun: float = 0.0
    """When the function got it, on the monotonic clock."""

    @property
    def timeout(self) -> int:
        """Seconds that the function may take."""
        return int(self.version.document["Timeout"])

    def logged(self, line: str) -> None:
        """Note a line of its log."""
        self.tail += line.encode() + b"\n"
        if len(self.tail) > 16 * LONGEST_TAIL:
            del self.tail[:-LONGEST_TAIL]

    def end(self, payload: bytes, function_error: str | None) -> None:
        """Tell what came of it."""
        tail = bytes(self.tail[-LONGEST_TAIL:])
        self.done(Outcome(payload, function_error, self.version.at.qualifier, tail))

    def refuse(self, error: AwsError) -> None:
        """Tell that it was not run."""
        self.done(Outcome(b"", refused=error))


def answer(outcome: Outcome, *, with_log: bool) -> dict[str, Any]:
    """What Invoke answers. Raises AwsError when the function was not run."""
    if outcome.refused is not None:
        raise outcome.refused
    answered: dict[str, Any] = {
        "StatusCode": 200,
        "ExecutedVersion": outcome.executed_version,
        "Payload": outcome.payload,
    }
    if outcome.function_error is not None:
        answered["FunctionError"] = outcome.function_error
    if with_log:
        answered["LogResult"] = base64.b64encode(outcome.log_tail).decode("ascii")
    return answered
