"""What the attributes of a queue may be."""

from collections.abc import Callable, Mapping

import orjson

from modelyard.access.policy import MalformedPolicy, PolicyKind, parse_policy
from modelyard.aws.errors import AwsError
from modelyard.queues.errors import sqs_error, unknown_attribute
from modelyard.queues.queue import Redrive, at_arn

_NUMBERS = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
_WORDS = {
    "FifoQueue": ("true", "false"),
    "ContentBasedDeduplication": ("true", "false"),
    "SqsManagedSseEnabled": ("true", "false"),
    "DeduplicationScope": ("messageGroup", "queue"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
_TEXTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId")
FIFO_ONLY = ("FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
SETTABLE = frozenset((*_NUMBERS, *_WORDS, *_TEXTS))
COUNTED = frozenset(
    {
        "QueueArn",
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
        "CreatedTimestamp",
        "LastModifiedTimestamp",
    }
)
"""What can be asked for and not set."""
REMOVED_BY_EMPTY = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId")
"""An empty text takes these away."""


def checked(given: Mapping[str, str], *, fifo: bool, creating: bool) -> dict[str, str]:
    """The attributes of a request as they are kept. Raises InvalidAttributeName and InvalidAttributeValue."""
    kept: dict[str, str] = {}
    for name, value in given.items():
        if name not in SETTABLE or (name in FIFO_ONLY and not fifo) or (name == "FifoQueue" and not creating):
            raise unknown_attribute(name)
        kept[name] = value if value == "" and name in REMOVED_BY_EMPTY else _CHECKS[name](name, value)
    if kept.get("FifoQueue", "true") == "false":
        raise _invalid("FifoQueue", "false")
    return kept


def _invalid(name: str, value: str, reason: str = "") -> AwsError:
    shown = value if len(value) <= 1024 else value[:1024] + "..."
    sentence = f"Invalid value for the parameter {name}." if not reason else f"Value {shown} for parameter {name} is invalid."
    return sqs_error("InvalidAttributeValue", f"{sentence} Reason: {reason}" if reason else sentence)


def _number(name: str, value: str) -> str:
    low, high = _NUMBERS[name]
    if not (value.isascii() and value.isdigit() and len(value) < 12 and low <= int(value) <= high):
        raise _invalid(name, value)
    return str(int(value))


def _word(name: str, value: str) -> str:
    for word in _WORDS[name]:
        if value.lower() == word.lower():
            return word
    raise _invalid(name, value)


def _policy(name: str, value: str) -> str:
    try:
        parse_policy(value, PolicyKind.RESOURCE)
    except MalformedPolicy as error:
        raise _invalid(name, value, str(error)) from None
    return value


def _redrive(name: str, value: str) -> str:
    try:
        Redrive.read(value)
    except ValueError:
        raise _invalid(name, value, "Redrive policy is not a valid JSON map.") from None
    return value


def _redrive_allow(name: str, value: str) -> str:
    try:
        permission, sources = _read_allow(value)
    except ValueError:
        raise _invalid(name, value, "It is not a valid redrive allow policy.") from None
    if (permission == "byQueue") != bool(sources) or len(sources) > 10 or any(at_arn(source) is None for source in sources):
        raise _invalid(name, value, "sourceQueueArns has 1 to 10 queues with byQueue, and is absent otherwise.")
    return value


def _read_allow(text: str) -> tuple[str, list[str]]:
    document = orjson.loads(text)
    if not isinstance(document, dict):
        raise ValueError("no map")
    permission, sources = document.get("redrivePermission"), document.get("sourceQueueArns", [])
    if permission not in ("allowAll", "denyAll", "byQueue"):
        raise ValueError("no redrivePermission")
    if not isinstance(sources, list) or not all(isinstance(source, str) for source in sources):
        raise ValueError("no list of sources")
    return permission, sources


def allows_source(text: str | None, source_arn: str) -> bool:
    """Whether a dead-letter queue with this RedriveAllowPolicy takes messages of that queue."""
    if text is None:
        return True
    permission, sources = _read_allow(text)
    return permission == "allowAll" or source_arn in sources


def _own_key(name: str, value: str) -> str:
    raise _invalid(name, value, "Modelyard does not encrypt the messages of a queue under a key of its own.")


_CHECKS: Mapping[str, Callable[[str, str], str]] = {
    **dict.fromkeys(_NUMBERS, _number),
    **dict.fromkeys(_WORDS, _word),
    "Policy": _policy,
    "RedrivePolicy": _redrive,
    "RedriveAllowPolicy": _redrive_allow,
    "KmsMasterKeyId": _own_key,
}
