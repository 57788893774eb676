"""AWS's binary framing of events (`application/vnd.amazon.eventstream`): a message has lengths, headers, payload and checksums.

Source: "Amazon Event Stream Specification" of the Smithy documentation. Headers here are texts alone, type 7.
"""

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import orjson

from modelyard.aws.errors import AwsError
from modelyard.aws.models import ServiceModel, Shape

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_TEXT = 7


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    total = 12 + len(head) + len(payload) + 4
    prelude = total.to_bytes(4, "big") + len(head).to_bytes(4, "big")
    prelude += zlib.crc32(prelude).to_bytes(4, "big")
    body = prelude + head + payload
    return body + zlib.crc32(body).to_bytes(4, "big")


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes([len(key)]) + key + bytes([_TEXT]) + len(text).to_bytes(2, "big") + text


def events(model: ServiceModel, stream: Shape, source: AsyncGenerator[Mapping[str, Any], None]) -> AsyncIterator[bytes]:
    """Events as they go on the wire; each is a mapping of its name to its members. An AwsError of the source becomes an exception
    in the stream, which ends with it."""
    payloads = {name: _payload_member(model, event) for name, event in model.members(stream)}

    async def framed() -> AsyncIterator[bytes]:
        try:
            async with aclosing(source) as given:
                async for event in given:
                    for name, members in event.items():
                        yield _event(name, members, payloads[name])
        except AwsError as error:
            said = orjson.dumps({"Message": error.message, **error.members})
            kind = {":message-type": "exception", ":exception-type": error.code, ":content-type": "application/json"}
            yield message(kind, said)

    return framed()


def _payload_member(model: ServiceModel, event: Shape) -> str | None:
    """The member of an event that is its payload as it is."""
    return next((name for name, member in model.members(event) if member.traits.get("eventpayload")), None)


def _event(name: str, members: Mapping[str, Any], payload: str | None) -> bytes:
    kind = {":message-type": "event", ":event-type": name}
    if payload is None:
        return message({**kind, ":content-type": "application/json"}, orjson.dumps(members))
    return message({**kind, ":content-type": "application/octet-stream"}, members[payload])
