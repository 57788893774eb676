"""One request and its answer while the server works on them."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.aws.http import HttpRequest
from modelyard.dispatch.dispatcher import Call
from modelyard.server.body import BodyPipe, Receive

Scope = Mapping[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Exchange:
    """What the stages of a request's life hand to each other."""

    scope: Scope
    receive: Receive
    send: Send
    request_id: str
    http: HttpRequest
    started: float = field(default_factory=time.perf_counter)
    call: Call | None = None
    """Set once the operation is known."""
    pipe: BodyPipe | None = None
    """Set when the body streams to the operation."""
    body_read: bool = False
    """Whether the body was received whole."""
    reserved: int = 0
    """Bytes that its body may take up, when it is a large one."""
    status: int = 0
    """Of the answer, once there is one."""

    @property
    def name(self) -> tuple[str, str]:
        """The service and the operation, for logs and metrics."""
        return ("none", "none") if self.call is None else (self.call.model.service, self.call.model.name)

    @property
    def length(self) -> int | None:
        """How long the body is, None when only its end will tell."""
        headers = self.http.headers
        if "transfer-encoding" in headers:
            return None
        # The parser let through digits only.
        return int(headers.get("content-length") or 0)

    def body_withheld(self) -> bool:
        """Whether the client still waits to be asked for its body (`Expect: 100-continue`).

        After an answer it may send the body or the next request, and nobody can tell which: the connection has to end.
        """
        asked = self.body_read or (self.pipe is not None and self.pipe.asked)
        return not asked and "expect" in self.http.headers and self.length != 0

    def disconnected(self) -> bool:
        """Whether the client has left."""
        told = self.scope.get("state", {}).get("disconnected")
        return told is not None and bool(told())


def request_from(scope: Scope) -> HttpRequest:
    """The head of a request in the form that every layer below uses."""
    # Spaces and tabs alone are taken off: 0xA0 and 0x85 are white space as Latin-1, and parts of letters as UTF-8.
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1").strip(" \t")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    client, server = scope["client"], scope.get("server")
    return HttpRequest(
        method=scope["method"],
        raw_path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        scheme=scope["scheme"],
        client=client[0] if client else "127.0.0.1",
        server=(server[0], server[1]) if server and server[1] else None,
    )
