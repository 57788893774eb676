"""HTTP/1.1 as a model server needs it: connections that stay open, bodies in whole or in chunks."""

import contextlib
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 1024 * 1024 * 1024
READ_BYTES = 256 * 1024


@dataclass
class Request:
    """A request, whole."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By names in small letters."""
    body: bytes


@dataclass
class Answer:
    """An answer; what comes piece by piece is sent piece by piece."""

    status: int
    body: bytes | Iterable[bytes] = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Handle = Callable[[Request], Answer]


class _Malformed(Exception):
    """What came is no HTTP; the argument is the status."""


class Connection:
    """A connection, served until it ends."""

    def __init__(self, peer: socket.socket, handle: Handle) -> None:
        self._peer = peer
        self._handle = handle
        self._read = b""

    def run(self) -> None:
        """Answer its requests, one after the other."""
        with contextlib.suppress(OSError), self._peer:
            with contextlib.suppress(OSError):
                self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                try:
                    request = self._next()
                except _Malformed as error:
                    self._send(Answer(error.args[0]), keep=False)
                    return
                if request is None:
                    return
                keep = request.headers.get("connection", "").lower() != "close"
                if not self._send(self._handle(request), keep=keep) or not keep:
                    return

    # --- in -------------------------------------------------------------------------------------

    def _next(self) -> Request | None:
        """The next request; None when there is no more."""
        end = self._read.find(b"\r\n\r\n")
        while end < 0:
            if len(self._read) > LARGEST_HEAD:
                raise _Malformed(431)
            more = self._peer.recv(READ_BYTES)
            if not more:
                return None
            self._read += more
            end = self._read.find(b"\r\n\r\n")
        method, target, headers = _parsed(self._read[:end])
        self._read = self._read[end + 4 :]
        if headers.get("expect", "").lower() == "100-continue":
            self._peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(method, target, headers, self._body(headers))

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
                raise _Malformed(400)
            return b"".join(self._chunks())
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()):
            raise _Malformed(400)
        if int(length) > LARGEST_BODY:
            raise _Malformed(413)
        return self._take(int(length))

    def _chunks(self) -> Iterable[bytes]:
        total = 0
        while True:
            size_text = self._line().partition(b";")[0].strip()
            try:
                size = int(size_text, 16)
            except ValueError:
                raise _Malformed(400) from None
            total += size
            if size < 0 or total > LARGEST_BODY:
                raise _Malformed(413)
            if size == 0:
                while self._line():
                    pass
                return
            yield self._take(size)
            if self._take(2) != b"\r\n":
                raise _Malformed(400)

    def _line(self) -> bytes:
        while b"\r\n" not in self._read:
            if len(self._read) > LARGEST_HEAD:
                raise _Malformed(400)
            self._more()
        line, _, self._read = self._read.partition(b"\r\n")
        return line

    def _take(self, size: int) -> bytes:
        if len(self._read) >= size:
            taken, self._read = self._read[:size], self._read[size:]
            return taken
        parts, have = [self._read], len(self._read)
        self._read = b""
        while have < size:
            more = self._peer.recv(min(size - have, 16 * READ_BYTES))
            if not more:
                raise ConnectionError("the client went away")
            parts.append(more)
            have += len(more)
        return b"".join(parts)

    def _more(self) -> None:
        more = self._peer.recv(READ_BYTES)
        if not more:
            raise ConnectionError("the client went away")
        self._read += more

    # --- out ------------------------------------------------------------------------------------

    def _send(self, answer: Answer, *, keep: bool) -> bool:
        """Send an answer; False when the connection cannot be used any more."""
        whole = isinstance(answer.body, (bytes, bytearray))
        head = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}", f"content-type: {answer.content_type}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        head.append(f"content-length: {len(answer.body)}" if whole else "transfer-encoding: chunked")  # type: ignore[arg-type]
        if not keep:
            head.append("connection: close")
        first = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1", "replace")
        if whole:
            self._peer.sendall(first + answer.body)  # type: ignore[operator]
            return True
        self._peer.sendall(first)
        return self._send_pieces(answer.body)  # type: ignore[arg-type]

    def _send_pieces(self, pieces: Iterable[bytes]) -> bool:
        try:
            for piece in pieces:
                if piece:
                    self._peer.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        except OSError:
            raise
        except Exception:  # the model's: the client sees the answer break off
            traceback.print_exc(file=sys.stderr)
            return False
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        self._peer.sendall(b"0\r\n\r\n")
        return True


def _parsed(head: bytes) -> "tuple[str, str, dict[str, str]]":
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise _Malformed(400)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise _Malformed(400)
        name = name.lower()
        if name == "content-length" and headers.get(name, value.strip()) != value.strip():
            raise _Malformed(400)
        headers[name] = value.strip()
    if words[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return words[0], words[1], headers


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
