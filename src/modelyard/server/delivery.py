"""Answers on their way to the client: in one piece, or batch by batch from disk as fast as the client takes them."""

import logging
import re
from collections.abc import AsyncIterator, Iterator

from modelyard.aws.http import HttpResponse
from modelyard.server.body import ClientDisconnected
from modelyard.server.exchange import Exchange
from modelyard.server.pool import Pool

BATCH = 1024 * 1024
"""Bytes of a streaming answer that are read at a time; this much is in memory for each client that takes one."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

log = logging.getLogger("modelyard.server")


def with_first_batch(response: HttpResponse) -> HttpResponse:
    """An answer whose first batch is read already, by the thread that made it: most objects are no larger."""
    pieces = response.body
    if isinstance(pieces, bytes | AsyncIterator):
        return response
    first = next_batch(pieces)
    if len(first) < BATCH:
        response.body = first
        close(pieces)
    else:
        response.body = _resumed(first, pieces)
    return response


def _resumed(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield first
        yield from pieces
    finally:
        close(pieces)


def next_batch(pieces: Iterator[bytes]) -> bytes:
    """The next pieces, until there are BATCH bytes; less at the end."""
    batch: list[bytes] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= BATCH:
            break
    return batch[0] if len(batch) == 1 else b"".join(batch)


def close(pieces: Iterator[bytes]) -> None:
    """Let go of what the pieces were read from."""
    ended = getattr(pieces, "close", None)
    if ended is not None:
        ended()


async def deliver(exchange: Exchange, response: HttpResponse, pool: Pool) -> None:
    """Send an answer. Raises ClientDisconnected when the client leaves in the middle."""
    exchange.status = response.status
    await exchange.send({"type": "http.response.start", "status": response.status, "headers": _headers(exchange, response)})
    body = response.body
    if isinstance(body, bytes):
        await exchange.send({"type": "http.response.body", "body": body})
        return
    if isinstance(body, AsyncIterator):
        await _deliver_as_it_comes(exchange, body)
        return
    try:
        while exchange.http.method != "HEAD":
            batch = await pool.run(next_batch, body)
            if not batch:
                break
            if exchange.disconnected():
                raise ClientDisconnected
            await exchange.send({"type": "http.response.body", "body": batch, "more_body": True})
        await exchange.send({"type": "http.response.body", "body": b""})
    finally:
        close(body)


async def _deliver_as_it_comes(exchange: Exchange, body: AsyncIterator[bytes]) -> None:
    """Send pieces that come on this event loop, each at once."""
    try:
        async for piece in body:
            if exchange.disconnected():
                raise ClientDisconnected
            await exchange.send({"type": "http.response.body", "body": piece, "more_body": True})
        await exchange.send({"type": "http.response.body", "body": b""})
    finally:
        ended = getattr(body, "aclose", None)
        if ended is not None:
            await ended()


def _headers(exchange: Exchange, response: HttpResponse) -> list[tuple[bytes, bytes]]:
    """The headers as bytes, with the length of the body and the request id, which no answer lacks."""
    headers = [(name.lower().encode("latin-1"), _value(value)) for name, value in response.headers]
    names = {name for name, _ in headers}
    if isinstance(response.body, bytes) and b"content-length" not in names and response.status not in (204, 304):
        headers.append((b"content-length", str(len(response.body)).encode()))
    if b"x-amzn-requestid" not in names and b"x-amz-request-id" not in names:
        headers.append((b"x-amzn-requestid", exchange.request_id.encode()))
    if exchange.body_withheld():
        headers.append((b"connection", b"close"))
    return headers


def _value(value: str) -> bytes:
    """A header's value as bytes; control characters, which could end the header, become spaces."""
    if not value.isprintable():
        value = _CONTROL.sub(" ", value)
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")
