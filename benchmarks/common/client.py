"""A client that costs next to nothing: requests are bytes made beforehand, sent one after the other on one connection."""

import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

Prepared = bytes


class Connection:
    """One connection to a server on this machine, kept open as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._peer: socket.socket | None = None

    def send(self, request: Prepared) -> tuple[int, bytes]:
        """Send one request; the status and the body of its answer. Connects first where the server has hung up."""
        if self._peer is None:
            self._peer = socket.create_connection(("127.0.0.1", self.port))
            self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peer.sendall(request)
        head, body = self._take(self._peer)
        if b"connection: close" in head or head.startswith(b"http/1.0"):
            self.close()
        return int(head[9:12]), body

    def close(self) -> None:
        """Hang up."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def _take(self, peer: socket.socket) -> tuple[bytes, bytes]:
        answer = peer.recv(262144)
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += _more(peer)
        head = answer[:end].lower()
        start = head.find(b"content-length: ")
        if start < 0:
            raise RuntimeError(f"an answer without a length: {head!r}")
        length = int(head[start + 16 :].partition(b"\r\n")[0])
        parts, received = [answer[end + 4 :]], len(answer) - end - 4
        while received < length:
            parts.append(_more(peer))
            received += len(parts[-1])
        return head, b"".join(parts)


def _more(peer: socket.socket) -> bytes:
    more = peer.recv(262144)
    if not more:
        raise RuntimeError("the server hung up within an answer")
    return more


def prepared(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Prepared:
    """A request as bytes."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def plain(method: str, path: str, content: Mapping[str, Any]) -> Prepared:
    """An unsigned request: `content` in the query of a GET, as JSON in the body of anything else."""
    if method == "GET":
        return prepared(method, f"{path}?{urlencode(content, doseq=True)}", {}, b"")
    return prepared(method, path, {"Content-Type": "application/json"}, json.dumps(content).encode())


def signed(key: tuple[str, str], region: str, operation: str, content: Mapping[str, Any]) -> Prepared:
    """A SageMaker request, its signature made here and now: what signing costs is no part of what is measured."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    body = json.dumps(content).encode()
    headers = {
        "Host": "127.0.0.1",
        "X-Amz-Target": f"SageMaker.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "User-Agent": "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11 md/pyimpl#CPython",
        "amz-sdk-invocation-id": f"{time.time_ns():032x}",
        "amz-sdk-request": "attempt=1",
    }
    request = AWSRequest("POST", "http://127.0.0.1/", headers=headers, data=body)
    SigV4Auth(Credentials(*key), "sagemaker", region).add_auth(request)
    return prepared("POST", "/", {name: value for name, value in request.headers.items() if name != "Host"}, body)


def milliseconds(
    connection: Connection, requests: Iterable[Prepared], seconds: float, check: Callable[[int, bytes], None], least: int = 3
) -> list[float]:
    """How long each request took: all of them, or as many as fit into `seconds`, but at least `least`."""
    spent: list[float] = []
    deadline = time.perf_counter() + seconds
    for request in requests:
        began = time.perf_counter()
        status, body = connection.send(request)
        ended = time.perf_counter()
        spent.append((ended - began) * 1000)
        check(status, body)
        if ended > deadline and len(spent) >= least:
            break
    return spent


def answered(status: int, body: bytes) -> None:
    """Raise unless the answer is a success."""
    if status != 200:
        raise RuntimeError(f"answered {status}: {body[:500]!r}")


def at_least(member: str, count: int) -> Callable[[int, bytes], None]:
    """A check that an answer is a success and lists at least so many things."""

    def check(status: int, body: bytes) -> None:
        answered(status, body)
        found: Sequence[Any] = json.loads(body).get(member, [])
        if len(found) < count:
            raise RuntimeError(f"{len(found)} instead of {count} in {member}: {body[:300]!r}")

    return check
