"""A message: what it may hold, how long it is, and the digests that clients compare."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5, sha256
from typing import Any

import orjson

from modelyard.queues.errors import invalid_value, missing, sqs_error

Attributes = dict[str, dict[str, Any]]
"""Attributes of a message by name: DataType, and StringValue or BinaryValue."""

MOST_ATTRIBUTES = 10
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_IDENTIFIER = re.compile("""[A-Za-z0-9!"#$%&'()*+,./:;<=>?@\\[\\\\\\]^_`{|}~-]{1,128}""")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is kept, before or while it is received."""

    id: int
    message_id: str
    body: str
    attributes: Attributes
    system: Mapping[str, str]
    group_id: str | None
    sent: float
    received: int
    received_before: int
    first_received: float | None


def body_digest(body: str) -> str:
    """MD5OfMessageBody."""
    return md5(body.encode(), usedforsecurity=False).hexdigest()


def attributes_digest(attributes: Attributes) -> str:
    """MD5OfMessageAttributes: names, types and values in the order of names, each after its length."""
    digest = md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        binary = "BinaryValue" in attribute
        value = attribute["BinaryValue"] if binary else attribute["StringValue"].encode()
        for piece in (name.encode(), attribute["DataType"].encode()):
            digest.update(len(piece).to_bytes(4, "big") + piece)
        digest.update((b"\x02" if binary else b"\x01") + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()


def content_digest(body: str) -> str:
    """The MessageDeduplicationId of a message in a queue that makes it from the content."""
    return sha256(body.encode()).hexdigest()


def size(body: str, attributes: Attributes) -> int:
    """Bytes, as the limits count them: the body with names, types and values of attributes."""
    total = len(body.encode())
    for name, attribute in attributes.items():
        value = attribute["BinaryValue"] if "BinaryValue" in attribute else attribute["StringValue"].encode()
        total += len(name.encode()) + len(attribute["DataType"].encode()) + len(value)
    return total


def check_body(body: str) -> None:
    """Raise SQS's error for a body that is empty or has characters that XML does not."""
    if not body:
        raise missing("MessageBody")
    if _FORBIDDEN.search(body):
        allowed = "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
        raise sqs_error("InvalidMessageContents", f"Invalid characters found. Valid unicode characters are {allowed}")


def check_identifier(value: str, parameter: str) -> None:
    """Raise SQS's error for what cannot be a MessageGroupId or MessageDeduplicationId."""
    if not _IDENTIFIER.fullmatch(value):
        raise invalid_value(
            value[:256], parameter, f"{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."
        )


def checked_attributes(given: Mapping[str, Mapping[str, Any]]) -> Attributes:
    """The attributes of a request, each with a type and one value. Raises InvalidParameterValue."""
    if len(given) > MOST_ATTRIBUTES:
        raise sqs_error("InvalidParameterValue", f"Number of message attributes [{len(given)}] exceeds the allowed maximum [10].")
    return {name: _checked_attribute(name, attribute) for name, attribute in given.items()}


def _checked_attribute(name: str, attribute: Mapping[str, Any]) -> dict[str, Any]:
    reserved = name.lower().startswith(("aws.", "amazon."))
    if len(name) > 256 or not _ATTRIBUTE_NAME.fullmatch(name) or reserved:
        raise _invalid(
            name[:256], "has an invalid name: letters, digits, '_', '-', single '.' inside, no prefix 'AWS.' or 'Amazon.'."
        )
    if attribute.get("StringListValues") or attribute.get("BinaryListValues"):
        raise sqs_error("UnsupportedOperation", "Message attribute list values in SendMessage operation are not supported.")
    kind = attribute["DataType"]
    base = kind.partition(".")[0]
    if base not in ("String", "Number", "Binary") or len(kind) > 256:
        raise _invalid(
            name, "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
        )
    member = "BinaryValue" if base == "Binary" else "StringValue"
    value = attribute.get(member)
    if not value:
        raise _invalid(name, f"must contain a non-empty value of type '{'Binary' if base == 'Binary' else 'String'}'.")
    if len({"BinaryValue", "StringValue"} & attribute.keys()) > 1:
        raise _invalid(name, "has multiple values.")
    if member == "StringValue" and _FORBIDDEN.search(value):
        raise _invalid(name, "has invalid characters.")
    if base == "Number" and not _NUMBER.fullmatch(value):
        raise _invalid(name, f"could not cast message (user) attribute value to number: '{value[:64]}'.")
    return {"DataType": kind, member: value}


def _invalid(name: str, fault: str) -> Exception:
    return sqs_error("InvalidParameterValue", f"The message attribute '{name}' {fault}")


def pack(attributes: Attributes) -> str | None:
    """Attributes as they are kept."""
    if not attributes:
        return None
    kept = {
        name: {key: base64.b64encode(value).decode() if key == "BinaryValue" else value for key, value in attribute.items()}
        for name, attribute in attributes.items()
    }
    return orjson.dumps(kept).decode()


def unpack(text: str | None) -> Attributes:
    """What `pack` made, as it was."""
    if text is None:
        return {}
    kept: Attributes = orjson.loads(text)
    for attribute in kept.values():
        if "BinaryValue" in attribute:
            attribute["BinaryValue"] = base64.b64decode(attribute["BinaryValue"])
    return kept


def selected(attributes: Attributes, names: list[str]) -> Attributes:
    """Those that a receiver asked for: by name, by prefix (`team.*`), or all (`All`, `.*`)."""
    if not names or not attributes:
        return {}
    if "All" in names or ".*" in names:
        return attributes
    prefixes = tuple(name[:-2] for name in names if name.endswith(".*"))
    return {name: value for name, value in attributes.items() if name in names or (prefixes and name.startswith(prefixes))}
