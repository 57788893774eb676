"""Scalars as text: numbers, booleans, timestamps and blobs in headers, query strings, XML and form fields."""

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.aws.models import Shape

FromText = Callable[[str], Any]
ToText = Callable[[Any], str]

INTEGER_LIMITS = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
_EARLIEST, _LATEST = -62135596800.0, 253402300799.999
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class SerializationException(AwsError):
    """The request cannot be read out of its wire format."""

    code = "SerializationException"


def integer_reader(kind: str) -> FromText:
    """Reads an `integer` (32 bits) or a `long` (64 bits)."""
    low, high = INTEGER_LIMITS[kind]

    def read(text: str) -> int:
        text = text.strip()
        if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
            raise SerializationException(f"'{text[:64]}' can not be converted to {kind.capitalize()}")
        return int(text)

    return read


def float_from_text(text: str) -> float:
    """Read a number; NaN and the infinities have names."""
    text = text.strip()
    if text in _SPECIAL:
        return _SPECIAL[text]
    number = float(text) if len(text) <= 400 and _NUMBER.fullmatch(text) else math.inf
    if not math.isfinite(number):
        raise SerializationException(f"'{text[:64]}' can not be converted to Double")
    return number


def float_to_text(value: float) -> str:
    """Write a number as AWS does."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def boolean_from_text(text: str) -> bool:
    """Read `true` or `false`, in any case."""
    lowered = text.strip().lower()
    if lowered not in ("true", "false"):
        raise SerializationException(f"'{text[:64]}' can not be converted to Boolean")
    return lowered == "true"


def boolean_to_text(value: bool) -> str:
    """`true` or `false`."""
    return "true" if value else "false"


def blob_from_text(text: str | bytes) -> bytes:
    """Read base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SerializationException("only base-64-encoded strings are convertible to bytes") from None


def blob_to_text(value: bytes | str) -> str:
    """Write base64."""
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode("ascii")


def timestamp_from_number(value: float) -> float:
    """Epoch seconds to the millisecond, if they lie in the years 1 to 9999."""
    if not _EARLIEST <= value <= _LATEST:
        raise SerializationException("The timestamp is out of range")
    return round(float(value), 3)


def timestamp_from_text(text: str) -> float:
    """Epoch seconds from ISO 8601, an HTTP date or a number, whichever a client chose to send."""
    text = text.strip()
    if len(text) <= 64:
        if _NUMBER.fullmatch(text):
            return timestamp_from_number(float(text))
        try:
            moment = parsedate_to_datetime(text) if text[:1].isalpha() else datetime.fromisoformat(text)
            return timestamp_from_number((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError, TypeError, IndexError):
            pass  # said below, for every way in which a text is no timestamp
    raise SerializationException(f"'{text[:64]}' is not a timestamp")


def timestamp_to_iso8601(value: float) -> str:
    """`2026-01-31T12:00:00Z`, with milliseconds where there are any."""
    moment = datetime.fromtimestamp(value, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S") if moment.year >= 1000 else moment.isoformat()[:19]
    milliseconds = moment.microsecond // 1000
    return f"{text}.{milliseconds:03d}Z" if milliseconds else f"{text}Z"


def timestamp_to_precise_iso8601(value: float) -> str:
    """`2026-01-31T12:00:00.000Z`: S3 always writes the milliseconds."""
    text = timestamp_to_iso8601(value)
    return text if "." in text else f"{text[:-1]}.000Z"


def timestamp_to_http_date(value: float) -> str:
    """`Sat, 31 Jan 2026 12:00:00 GMT`."""
    return formatdate(int(value), usegmt=True)


def timestamp_to_number(value: float) -> float | int:
    """Epoch seconds, without a fraction where there is none."""
    return int(value) if value == int(value) else value


def scalar_reader(shape: Shape) -> FromText:
    """Reads a scalar of this shape from text."""
    match shape.type:
        case "integer" | "long":
            return integer_reader(shape.type)
        case "float" | "double":
            return float_from_text
        case "boolean":
            return boolean_from_text
        case "blob":
            return blob_from_text
        case "timestamp":
            return timestamp_from_text
        case _:
            return str


def scalar_writer(shape: Shape, timestamp_format: str) -> ToText:
    """Writes a scalar of this shape as text; `timestamp_format` is the protocol's default at this place."""
    match shape.type:
        case "integer" | "long":
            return str
        case "float" | "double":
            return float_to_text
        case "boolean":
            return boolean_to_text
        case "blob":
            return blob_to_text
        case "timestamp":
            return timestamp_writer(shape.traits.get("timestampFormat", timestamp_format))
        case _:
            return str


def timestamp_writer(timestamp_format: str) -> ToText:
    """Writes timestamps in one of the model's formats."""
    match timestamp_format:
        case "rfc822":
            return timestamp_to_http_date
        case "unixTimestamp":
            return lambda value: str(timestamp_to_number(value))
        case "preciseIso8601":
            return timestamp_to_precise_iso8601
        case _:
            return timestamp_to_iso8601
