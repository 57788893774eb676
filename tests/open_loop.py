"""Requests to an endpoint at a steady pace, whether those before are answered or not (an open loop), from a process of its own.

    with OpenLoop(yard, "endpoint", per_second=200) as load:
        …
    assert not load.told.failed

Each request has a body of its own, is signed when it is due, and has to be answered with just that body behind a word, as the
models of `echoes` do: an answer that belongs to another request is a failure like any other.
"""

import asyncio
import json
import math
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import uvloop
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.endpoints import program
from tests.running import PROJECT, RunningYard

ANSWER_SECONDS = 90.0
"""A request that is answered later has failed. Modelyard itself gives up after 75."""
LATE_SECONDS = 1.0
"""A request that is sent so long after it was due says that the client's machine is too slow for its pace."""
IDLE_SECONDS = 2.0
"""A connection that was idle for so long is not used again: the server may be about to close it."""
ECHO = """
class Quick(Handler):
    wbufsize = 65536
    disable_nagle_algorithm = True
Handler = Quick

def invoke(body, headers):
    time.sleep(0.01)
    return 200, WORD + b" " + body, {"Content-Type": "text/plain"}
"""


def echoes(word: str) -> str:
    """A model server that answers with its word and what it was asked. It takes a moment, so that there is always something under
    way when it is killed."""
    return program(f"WORD = {word.encode()!r}\n{ECHO}")


@dataclass
class Told:
    """What became of the requests."""

    sent: int = 0
    late: int = 0
    """Sent more than LATE_SECONDS after they were due."""
    answers: dict[str, int] = field(default_factory=dict)
    """By the word of the model that answered."""
    failures: int = 0
    failed: list[str] = field(default_factory=list)
    """What the first of them were told."""
    milliseconds: dict[str, float] = field(default_factory=dict)
    """From the moment that a request was due until it was answered: p50, p99, p99.9 and the longest."""


def invocation(address: str, keys: Credentials, endpoint: str, body: bytes, content_type: str = "text/csv") -> bytes:
    """A signed InvokeEndpoint, as bytes to be sent to `host:port`."""
    path = f"/endpoints/{endpoint}/invocations"
    request = AWSRequest("POST", f"http://{address}{path}", headers={"content-type": content_type}, data=body)
    SigV4Auth(keys, "sagemaker", "us-east-1").add_auth(request)
    lines = [f"POST {path} HTTP/1.1", f"host: {address}", *(f"{name}: {value}" for name, value in request.headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


class OpenLoop:
    """The requests, as whoever has them sent sees them."""

    def __init__(self, yard: RunningYard, endpoint: str, per_second: float) -> None:
        admin = yard.admin()
        self.told = Told()
        self._order = {
            "port": yard.port,
            "keys": [admin.access_key_id, admin.secret_access_key],
            "endpoint": endpoint,
            "per_second": per_second,
        }

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.open_loop"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(self._order), file=self._process.stdin, flush=True)
        assert self._process.stdout.readline() == "sending\n"
        return self

    def __exit__(self, *_: object) -> None:
        told, _ = self._process.communicate(timeout=ANSWER_SECONDS + 60)
        assert self._process.returncode == 0
        self.told = Told(**json.loads(told))


# --- in the process of its own --------------------------------------------------------------------


class Peer(asyncio.Protocol):
    """A connection to the server, with at most one request on its way."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.gone = False
        self._read = b""
        self._waiter: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def ask(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """Status and body of what is answered."""
        self._read = b""
        self._waiter = asyncio.get_running_loop().create_future()
        if self.gone:
            self._waiter.set_exception(ConnectionResetError("the connection was closed"))
        self._transport.write(request)
        return self._waiter

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end or self._waiter is None or self._waiter.done():
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= length:
            self._waiter.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(exc or ConnectionResetError("the connection was closed"))

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


class Sender:
    """Sends the requests, and counts."""

    def __init__(self, port: int, keys: list[str], endpoint: str, per_second: float) -> None:
        self._address = f"127.0.0.1:{port}"
        self._port = port
        self._keys = Credentials(*keys)
        self._endpoint = endpoint
        self._pause = 1 / per_second
        self._idle: list[Peer] = []
        self._seconds: list[float] = []
        self.told = Told()

    async def send_until(self, stopping: asyncio.Event) -> None:
        """Send requests when they are due; returns once all of them are answered."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as under_way:
            while not stopping.is_set():
                due = began + self.told.sent * self._pause
                if due > time.monotonic():
                    await asyncio.sleep(due - time.monotonic())
                self.told.sent += 1
                under_way.create_task(self._one(self.told.sent, due))
        self.told.milliseconds = self._quantiles()

    async def _one(self, number: int, due: float) -> None:
        body = b"%d" % number
        self.told.late += time.monotonic() - due > LATE_SECONDS
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, answer = await self._ask(invocation(self._address, self._keys, self._endpoint, body))
        except Exception as error:
            self._fail(f"{number}: {error!r}")
            return
        self._seconds.append(time.monotonic() - due)
        word, _, returned = answer.partition(b" ")
        if status == 200 and returned == body:
            self.told.answers[word.decode()] = self.told.answers.get(word.decode(), 0) + 1
        else:
            self._fail(f"{number}: {status} {answer[:500]!r}")

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        peer = await self._connected()
        answer = await peer.ask(request)
        peer.idle_since = time.monotonic()
        self._idle.append(peer)
        return answer

    async def _connected(self) -> Peer:
        while self._idle:
            peer = self._idle.pop()
            if not peer.gone and time.monotonic() - peer.idle_since < IDLE_SECONDS:
                return peer
            peer.close()
        _, peer = await asyncio.get_running_loop().create_connection(Peer, "127.0.0.1", self._port)
        return peer

    def _fail(self, text: str) -> None:
        self.told.failures += 1
        if len(self.told.failed) < 10:
            self.told.failed.append(f"{time.strftime('%H:%M:%S')} {text}")

    def _quantiles(self) -> dict[str, float]:
        spent = sorted(self._seconds) or [math.nan]
        places = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "longest": 1.0}
        return {name: round(spent[min(len(spent) - 1, int(len(spent) * place))] * 1000, 2) for name, place in places.items()}


async def _send(order: dict[str, Any]) -> Told:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stopping.set)  # it is closed when it is enough
    sender = Sender(**order)
    print("sending", flush=True)
    await sender.send_until(stopping)
    return sender.told


def main() -> None:
    """Send until standard input ends, then tell what came of it."""
    order = json.loads(sys.stdin.readline())
    print(json.dumps(asdict(uvloop.run(_send(order)))), flush=True)


if __name__ == "__main__":
    main()
