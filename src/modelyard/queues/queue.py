"""A queue: its name in all its forms, and what its attributes say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

import orjson

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ACCOUNT = re.compile(r"[0-9]{12}")
FIFO = ".fifo"

DEFAULTS: Mapping[str, str] = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
}
"""What a queue has that was given nothing else."""
FIFO_DEFAULTS: Mapping[str, str] = {
    **DEFAULTS,
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}


@dataclass(frozen=True, slots=True)
class QueueName:
    """Which queue."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The ARN."""
        return f"arn:aws:sqs:{self.region}:{self.account}:{self.name}"

    @property
    def path(self) -> str:
        """The path of the queue's URL."""
        return f"/{self.account}/{self.name}"


@dataclass(frozen=True)
class Queue:
    """A queue as it is kept."""

    id: int
    at: QueueName
    space: int
    created: float
    modified: float
    purged: float | None
    given: Mapping[str, str]
    """The attributes that were set."""

    @property
    def is_fifo(self) -> bool:
        """Whether it keeps the order of its groups."""
        return self.at.name.endswith(FIFO)

    @cached_property
    def attributes(self) -> Mapping[str, str]:
        """Every attribute that can be set, as it counts."""
        return {**(FIFO_DEFAULTS if self.is_fifo else DEFAULTS), **self.given}

    def number(self, attribute: str) -> int:
        """The value of an attribute that is a number."""
        return int(self.attributes[attribute])

    @property
    def policy(self) -> str | None:
        """The queue's own policy."""
        return self.given.get("Policy")

    @cached_property
    def redrive(self) -> "Redrive | None":
        """Where messages go that were received too often."""
        text = self.given.get("RedrivePolicy")
        return None if text is None else Redrive.read(text)


@dataclass(frozen=True, slots=True)
class Redrive:
    """A RedrivePolicy."""

    target: str
    """The ARN of the dead-letter queue."""
    most_receives: int

    @classmethod
    def read(cls, text: str) -> "Redrive":
        """Raises ValueError for what is no redrive policy."""
        document = orjson.loads(text)
        if not isinstance(document, dict) or not isinstance(document.get("deadLetterTargetArn"), str):
            raise ValueError("it has no deadLetterTargetArn")
        # AWS's own examples write the number as a text too.
        most = document.get("maxReceiveCount", 10)
        if isinstance(most, bool) or not isinstance(most, int | str) or not str(most).isdecimal() or not 1 <= int(most) <= 1000:
            raise ValueError("maxReceiveCount is not a whole number between 1 and 1000")
        return cls(document["deadLetterTargetArn"], int(most))


def is_name(text: str) -> bool:
    """Whether a queue may be called so: `.fifo` at the end counts towards the 80 characters."""
    return len(text) <= 80 and _NAME.fullmatch(text.removesuffix(FIFO)) is not None


def at_url(url: str, region: str) -> QueueName | None:
    """The queue of a URL, whatever its host; None for what is no queue's URL."""
    try:
        pieces = urlsplit(url).path.strip("/").split("/")
    except ValueError:
        return None
    if len(pieces) != 2 or not _ACCOUNT.fullmatch(pieces[0]) or not is_name(pieces[1]):
        return None
    return QueueName(pieces[0], region, pieces[1])


def at_arn(text: str) -> QueueName | None:
    """The queue of an ARN; None for what is no queue's ARN."""
    pieces = text.split(":")
    if len(pieces) != 6 or pieces[:3] != ["arn", "aws", "sqs"] or not _ACCOUNT.fullmatch(pieces[4]) or not is_name(pieces[5]):
        return None
    return QueueName(pieces[4], pieces[3], pieces[5])
