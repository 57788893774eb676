"""A request and an answer, as every layer below the server sees them."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class BodyStream(Protocol):
    """A request body that is read piece by piece, blocking, never whole."""

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; b"" at the end. Raises AwsError when the client broke off."""
        ...


@dataclass(slots=True)
class HttpRequest:
    """One HTTP request."""

    method: str
    raw_path: str
    """The path as sent: percent-encoded, without the query."""
    query: str
    """The raw query string, without the question mark."""
    headers: Mapping[str, str]
    """Names in lower case; repeated headers joined by a comma; values stripped."""
    body: bytes = b""
    stream: BodyStream | None = None
    """Set instead of `body` for operations whose payload streams."""
    scheme: str = "http"
    client: str = "127.0.0.1"
    """The address of the peer (`aws:SourceIp`)."""
    server: tuple[str, int] | None = None
    """The address and the port that the connection came in by, also where the client believes to speak to AWS."""
    trailers: dict[str, str] = field(default_factory=dict)
    """Headers that follow an aws-chunked body (`x-amz-checksum-crc32` …), names in lower case: filled in once `stream` was
    read to its end."""


@dataclass(slots=True)
class HttpResponse:
    """One HTTP answer."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | Iterator[bytes] | AsyncIterator[bytes] = b""
    """Bytes, or pieces read from disk as the client takes them, or pieces that come on the event loop."""


class Document(bytes):
    """An answer that is stored as the JSON that goes on the wire: the JSON protocols send it as it is."""
