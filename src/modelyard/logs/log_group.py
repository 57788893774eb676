"""Log groups and log streams: their names in all forms."""

import re
from dataclasses import dataclass

RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""Days that a group may keep its events."""
DAY = 24 * 3600 * 1000
"""Milliseconds."""

_GROUP_ARN = re.compile(r"arn:aws:logs:([a-z0-9-]+):([0-9]{12}):log-group:([.\-_/#A-Za-z0-9]{1,512})")


@dataclass(frozen=True, slots=True)
class GroupName:
    """Which log group."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The ARN, as TagResource and `logGroupArn` have it."""
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{self.name}"

    def stream_arn(self, stream: str) -> str:
        """The ARN of a stream; decisions about the group as a whole are made on that of the stream without a name."""
        return f"{self.arn}:log-stream:{stream}"


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A log group as it is kept; times in epoch milliseconds."""

    id: int
    at: GroupName
    created: int
    retention: int | None
    """Days; None for ever."""
    log_class: str
    stored: int

    def oldest(self, now: int) -> int:
        """The earliest time of events that are not past the retention."""
        return 0 if self.retention is None else now - self.retention * DAY


@dataclass(frozen=True, slots=True)
class LogStream:
    """A log stream as it is kept; times in epoch milliseconds, 0 before there is an event."""

    id: int
    name: str
    created: int
    first_event: int
    last_event: int
    last_ingestion: int


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A log event."""

    id: int
    stream_id: int
    time: int
    ingested: int
    message: str

    @property
    def size(self) -> int:
        """Bytes, as CloudWatch counts them."""
        return len(self.message.encode()) + EVENT_OVERHEAD


EVENT_OVERHEAD = 26
"""Bytes that an event counts besides its message."""


def at_arn(text: str) -> GroupName | None:
    """The group of an ARN, which ends in its name; None for what is no log group's ARN."""
    match = _GROUP_ARN.fullmatch(text)
    return None if match is None else GroupName(match[2], match[1], match[3])
