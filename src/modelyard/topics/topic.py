"""A topic: its name in all its forms, its subscriptions, and what a subscriber gets. Functions of values.

Sources: the service model of SNS, and "Amazon SNS message and JSON formats" of its developer guide. A notification here has no
signature: it does not leave this server, and the certificate that AWS signs with is AWS's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_ACCOUNT = re.compile(r"[0-9]{12}")
QUEUE = "sqs"
LARGEST_MESSAGE = 262_144
"""Bytes of a message and its attributes."""
SETTABLE = {"DisplayName": 100, "Policy": 30 * 1024}
"""Attributes of topics, and the bytes that they may have."""
RAW = "RawMessageDelivery"


@dataclass(frozen=True, slots=True)
class TopicName:
    """Which topic."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The ARN."""
        return f"arn:aws:sns:{self.region}:{self.account}:{self.name}"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is kept."""

    id: int
    at: TopicName
    attributes: Mapping[str, str]

    @property
    def policy(self) -> str | None:
        """The topic's own policy."""
        return self.attributes.get("Policy")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A queue that is subscribed to a topic."""

    arn: str
    endpoint: str
    raw: bool


def is_name(text: str) -> bool:
    """Whether a topic may be called so."""
    return _NAME.fullmatch(text) is not None


def at_arn(text: str) -> TopicName | None:
    """The topic of an ARN; None for what is no topic's ARN."""
    pieces = text.split(":")
    if len(pieces) != 6 or pieces[:3] != ["arn", "aws", "sns"] or not _ACCOUNT.fullmatch(pieces[4]) or not is_name(pieces[5]):
        return None
    return TopicName(pieces[4], pieces[3], pieces[5])


def size(message: str, attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """Bytes of a message with its attributes."""
    total = len(message.encode())
    for name, value in attributes.items():
        content = value.get("BinaryValue", value.get("StringValue", ""))
        total += len(name.encode()) + len(value["DataType"]) + len(content if isinstance(content, bytes) else content.encode())
    return total


def for_queues(message: str, structure: str | None) -> str | None:
    """The message that queues get: of one that is different for each protocol, theirs; None where it is none of those."""
    if structure is None:
        return message
    try:
        said = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict) or not isinstance(said.get("default"), str):
        return None
    chosen = said.get(QUEUE, said["default"])
    return chosen if isinstance(chosen, str) else None


def notification(at: TopicName, message_id: str, message: str, request: Mapping[str, Any], now: float) -> str:
    """The JSON that a subscriber gets."""
    shown: dict[str, Any] = {"Type": "Notification", "MessageId": message_id, "TopicArn": at.arn}
    if "Subject" in request:
        shown["Subject"] = request["Subject"]
    moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown |= {"Message": message, "Timestamp": moment}
    given = request.get("MessageAttributes", {})
    strings = {name: value for name, value in given.items() if "StringValue" in value}
    if strings:
        shown["MessageAttributes"] = {
            name: {"Type": value["DataType"], "Value": value["StringValue"]} for name, value in strings.items()
        }
    return orjson.dumps(shown).decode()
