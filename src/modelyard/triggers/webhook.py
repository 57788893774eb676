"""Sends one signed HTTP request, and reads no more of the answer than whether it was accepted.

Nothing is followed: not a redirect, not a proxy. A request has one deadline for everything but resolving the name. The receiver
can tell that a request is genuine by its signature, an HMAC-SHA256 over the timestamp, a dot and the body.
"""

import hashlib
import hmac
import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from modelyard.triggers import addresses
from modelyard.triggers.addresses import NotAllowed
from modelyard.triggers.connection import SIGNATURE_HEADER

TIMEOUT = 5.0
"""Seconds for a request, as EventBridge gives API destinations."""
LONGEST_HEAD = 64 * 1024
TIMESTAMP_HEADER = "X-Modelyard-Timestamp"
DELIVERY_HEADER = "X-Modelyard-Delivery"
_STATUS_LINE = re.compile(r"HTTP/1\.[01] ([1-9][0-9][0-9])(?: |$)")


class WebhookError(Exception):
    """No answer came; `timed_out` says whether for want of time, `refused` that the address is not allowed."""

    def __init__(self, message: str, *, timed_out: bool = False, refused: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered."""

    status: int
    retry_after: float | None
    """Seconds to wait before the next attempt, if it said so."""


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of the signature header."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def signed(headers: Mapping[str, str], secret: str, now: float, body: bytes) -> dict[str, str]:
    """Headers with timestamp and signature."""
    timestamp = str(int(now))
    return {**headers, TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature(secret, timestamp, body)}


def send(method: str, url: str, headers: Mapping[str, str], body: bytes, allowed: str) -> Answer:
    """Send a request and wait for the status of the answer. Raises WebhookError."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        places = addresses.resolve(host, port, allowed)
    except NotAllowed as error:
        raise WebhookError(str(error), refused=True) from None
    except (OSError, UnicodeError) as error:
        raise WebhookError(f"{host} cannot be resolved: {error}") from None
    deadline = time.monotonic() + TIMEOUT
    try:
        with _connected(places, port, host if parts.scheme == "https" else None, deadline) as connection:
            connection.settimeout(_left(deadline))
            connection.sendall(_head(method, parts.netloc, _path(url), headers, body) + body)
            return _answer(connection, deadline)
    except TimeoutError:
        raise WebhookError(f"{host} did not answer within {TIMEOUT:g} seconds.", timed_out=True) from None
    except OSError as error:
        raise WebhookError(f"The request to {host} failed: {error}") from None


def _connected(
    places: Sequence[tuple[socket.AddressFamily, str]], port: int, server_name: str | None, deadline: float
) -> socket.socket:
    """A connection to the first address that takes it, with TLS when there is a name to verify."""
    failure: OSError | None = None
    for _family, address in places:
        try:
            connection = socket.create_connection((address, port), timeout=_left(deadline))
        except OSError as error:
            failure = error
            continue
        if server_name is None:
            return connection
        try:
            connection.settimeout(_left(deadline))
            return _tls().wrap_socket(connection, server_hostname=server_name)
        except OSError:
            connection.close()
            raise
    raise failure or OSError("it has no address")


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _head(method: str, host: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    own = {"Host": host, "Content-Length": str(len(body)), "Connection": "close"}
    given = {name: value for name, value in headers.items() if name.title() not in own}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {_line(value)}" for name, value in {**own, **given}.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _line(value: str) -> str:
    """A header's value with nothing in it that would begin another header."""
    return "".join(character if character >= " " or character == "\t" else " " for character in value)


def _answer(connection: socket.socket, deadline: float) -> Answer:
    """The first head that is no interim answer."""
    received = b""
    while True:
        head, end, rest = received.partition(b"\r\n\r\n")
        if end:
            answer = _read(head)
            if answer.status >= 200:
                return answer
            received = rest
            continue
        if len(received) > LONGEST_HEAD:
            raise OSError("the head of the answer is too long")
        connection.settimeout(_left(deadline))
        more = connection.recv(16384)
        if not more:
            raise OSError("it closed the connection before it answered")
        received += more


def _read(head: bytes) -> Answer:
    first, *lines = head.decode("latin-1").split("\r\n")
    match = _STATUS_LINE.match(first)
    if match is None:
        raise OSError("the answer is not HTTP")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    wait = headers.get("retry-after", "")
    return Answer(int(match[1]), float(wait) if wait.isascii() and wait.isdecimal() and len(wait) < 6 else None)
