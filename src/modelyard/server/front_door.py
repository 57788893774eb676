"""One listening port that answers plain HTTP, TLS and CONNECT.

A connection is told apart by its first bytes, which are looked at and left in the socket:

    0x16                          TLS: a handshake follows
    CONNECT host:port HTTP/1.1    a proxy is asked for: names of AWS's on port 443 end here, every other host is refused
    anything else                 HTTP

After CONNECT the tunnel's first bytes are told apart the same way. From there on uvicorn's HTTP protocol has the socket.
"""

import asyncio
import errno
import logging
import re
import socket
from collections.abc import Callable, Sequence
from email.utils import formatdate

from uvicorn.server import ServerState

from modelyard.server.certificates import Certificates, is_aws_host
from modelyard.server.connection import Connection
from modelyard.server.gate import Gate, Pass
from modelyard.settings import Settings

LARGEST_CONNECT = 8 * 1024
ACCEPTED_AT_ONCE = 64
BACKLOG = 2048
_CONNECT = b"CONNECT "
_CONNECT_LINE = re.compile(rb"CONNECT ([A-Za-z0-9._-]{1,253}):(\d{1,5}) HTTP/1\.[01]")
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = logging.getLogger("modelyard.front_door")


class Arrival:
    """A connection whose first bytes have not told yet what it speaks."""

    def __init__(self, door: "FrontDoor", peer: socket.socket, entry: Pass | None) -> None:
        self.door = door
        self.entry = entry
        """What it came in with from a sandbox."""
        self.peer = peer
        self.since = door.loop.time()
        self.head = b""
        """What was taken out of the socket because it may be a CONNECT."""
        self.tunnel = False
        self.watched = False

    def look(self) -> None:
        """Tell from the bytes that have come what this connection speaks, and hand it on."""
        try:
            first = self.peer.recv(LARGEST_CONNECT, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            self._watch()
            return
        except OSError:
            self.close()
            return
        if not first:
            self.close()
        elif not self.head and first[0] == 0x16:
            self._leave()
            self.door.hand_over(self, tls=True)
        elif self.tunnel or not _may_be_connect(self.head + first[: len(_CONNECT)]):
            self._leave()
            self.door.hand_over(self, tls=False)
        else:
            self._take_connect(first)

    def _take_connect(self, first: bytes) -> None:
        """Take the head of a CONNECT out of the socket, and not a byte more: TLS may follow at once."""
        end = (self.head + first).find(b"\r\n\r\n")
        wanted = len(first) if end < 0 else end + 4 - len(self.head)
        self.head += self.peer.recv(wanted)
        if end >= 0:
            self._answer_connect()
        elif len(self.head) > LARGEST_CONNECT:
            self._refuse("431 Request Header Fields Too Large", "The head of this request is too large.")
        else:
            self._watch()

    def _answer_connect(self) -> None:
        line = _CONNECT_LINE.fullmatch(self.head.split(b"\r\n", 1)[0])
        if line is None:
            self._refuse("400 Bad Request", "This is not a valid CONNECT request.")
            return
        host, port = line[1].decode().lower(), int(line[2])
        if port != 443 or not is_aws_host(host):
            self._refuse(
                "403 Forbidden", f"This server is a proxy for the names of AWS alone, on port 443, not for {host}:{port}."
            )
            return
        self.head, self.tunnel = b"", True
        self.since = self.door.loop.time()
        if self._send(b"HTTP/1.1 200 Connection established\r\n\r\n"):
            self.look()

    def _refuse(self, status: str, sentence: str) -> None:
        self._send(
            f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(sentence)}\r\n"
            f"connection: close\r\n\r\n{sentence}".encode()
        )
        self.close()

    def _send(self, answer: bytes) -> bool:
        """Send a short answer, which a fresh socket always has room for."""
        try:
            self.peer.sendall(answer)
        except OSError:
            self.close()
            return False
        return True

    def _watch(self) -> None:
        if not self.watched:
            self.watched = True
            self.door.arrivals.add(self)
            self.door.loop.add_reader(self.peer.fileno(), self.look)

    def _leave(self) -> None:
        if self.watched:
            self.watched = False
            self.door.arrivals.discard(self)
            self.door.loop.remove_reader(self.peer.fileno())

    def close(self) -> None:
        """Hang up."""
        self._leave()
        if self.entry is not None:
            self.entry.leave()
        self.peer.close()


def _may_be_connect(head: bytes) -> bool:
    return head.startswith(_CONNECT) or _CONNECT.startswith(head)


class FrontDoor:
    """Accepts connections, finds out what they speak, and keeps them to their limits."""

    def __init__(
        self, settings: Settings, connection: Callable[[], Connection], state: ServerState, certificates: Certificates
    ) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.state = state
        self.certificates = certificates
        self.arrivals: set[Arrival] = set()
        self._connection = connection
        self._handing_over: set[asyncio.Task[None]] = set()
        self._listening: list[socket.socket] = []
        self._admitted: dict[socket.socket, Gate] = {}
        self._tick = min(
            1.0, *(seconds / 4 for seconds in (settings.header_seconds, settings.body_seconds, settings.idle_seconds))
        )
        self._timer: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str:
        """Where it listens; on this machine, where that is everywhere."""
        if not self._listening:
            return ""
        host, port = self._listening[0].getsockname()[:2]
        host = "127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host  # noqa: S104 - said, not listened on
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def open(self, sockets: Sequence[socket.socket]) -> None:
        """Start to accept connections from `sockets`, which are listening and do not block."""
        self._listening = list(sockets)
        for listener in self._listening:
            self.loop.add_reader(listener.fileno(), self._accept, listener)
        self._look_at_the_clock()

    def admit(self, listener: socket.socket) -> Callable[[], None]:
        """Accept connections from one more socket, on any thread; what ends that (`dispatch.reception`)."""
        listener.setblocking(False)

        def begin() -> None:
            self._admitted[listener] = Gate()
            self.loop.add_reader(listener.fileno(), self._accept, listener)

        def end() -> None:
            if self._admitted.pop(listener, None) is not None:
                self.loop.remove_reader(listener.fileno())
            listener.close()

        def end_soon() -> None:
            try:
                self.loop.call_soon_threadsafe(end)
            except RuntimeError:  # the loop is closed, and listens to nothing any more
                listener.close()

        self.loop.call_soon_threadsafe(begin)
        return end_soon

    def close(self) -> None:
        """Accept nothing more; connections without a request are closed, the others after the answer they wait for."""
        for listener in self._listening:
            self.loop.remove_reader(listener.fileno())
            listener.close()
        self._listening = []
        for listener in self._admitted:
            self.loop.remove_reader(listener.fileno())
        self._admitted.clear()
        for arrival in list(self.arrivals):
            arrival.close()
        for connection in list(self.state.connections):
            connection.shutdown()

    def abort(self) -> None:
        """Hang up on everybody."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._handing_over:
            task.cancel()
        for connection in list(self.state.connections):
            connection.transport.abort()

    def hand_over(self, arrival: Arrival, *, tls: bool) -> None:
        """Give a connection to the HTTP protocol."""
        task = self.loop.create_task(self._hand_over(arrival, tls))
        self._handing_over.add(task)
        task.add_done_callback(self._handing_over.discard)

    async def _hand_over(self, arrival: Arrival, tls: bool) -> None:
        def protocol() -> Connection:
            connection = self._connection()
            connection.first_bytes = b"" if tls else arrival.head
            connection.entry = arrival.entry
            return connection

        try:
            _, connection = await self.loop.connect_accepted_socket(
                protocol,
                arrival.peer,
                ssl=self.certificates.context if tls else None,
                ssl_handshake_timeout=self.settings.header_seconds if tls else None,
            )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            log.debug("no connection came of it: %s", error)
            arrival.close()
            return
        if not self._listening:
            connection.shutdown()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                peer, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF_DESCRIPTORS:
                    raise
                log.error("cannot accept connections: %s", error.strerror)
                self.loop.remove_reader(listener.fileno())
                self.loop.call_later(1.0, self._accept_again, listener)
                return
            if not self._room():
                peer.close()
                continue
            peer.setblocking(False)
            if peer.family in (socket.AF_INET, socket.AF_INET6):
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            gate = self._admitted.get(listener)
            entry = None if gate is None else gate.enter()
            if gate is not None and entry is None:
                peer.close()
                continue
            Arrival(self, peer, entry).look()

    def _accept_again(self, listener: socket.socket) -> None:
        if listener in self._listening or listener in self._admitted:
            self.loop.add_reader(listener.fileno(), self._accept, listener)

    def _room(self) -> bool:
        """Whether one more connection may be held; to make room, the one that has idled longest is closed."""
        if len(self.arrivals) + len(self._handing_over) + len(self.state.connections) < self.settings.connections:
            return True
        idle = [c for c in self.state.connections if isinstance(c, Connection) and c.evictable and not c.transport.is_closing()]
        waiting: list[Arrival | Connection] = [*self.arrivals, *idle]
        if not waiting:
            return False
        longest = min(waiting, key=lambda one: one.since)
        if isinstance(longest, Arrival):
            longest.close()
        else:
            longest.transport.abort()
        return True

    def _look_at_the_clock(self) -> None:
        """Every second or so: hang up on whoever has used up their time, and write the date for the answers' headers."""
        now = self.loop.time()
        self.state.default_headers = [(b"date", formatdate(usegmt=True).encode()), (b"server", b"modelyard")]
        for arrival in [one for one in self.arrivals if now - one.since > self.settings.header_seconds]:
            arrival.close()
        for connection in list(self.state.connections):
            if isinstance(connection, Connection):
                connection.look_at_the_clock(now)
        self._timer = self.loop.call_later(self._tick, self._look_at_the_clock)
