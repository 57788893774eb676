"""Connections between a server and a node: TLS on which either end is who has the one certificate that the other was told of.

Each connection is for one thing, which its first line says, as JSON; the node answers with a line that is empty or says why not:

    {"control": true}     one for each workload: frames, both ways, for as long as it lives
    {"parcel": DIGEST}    a folder is brought to the node, unless it is there
    {"connect": PORT}     from here on: a connection to a port inside
    {"take": NUMBER}      from here on: a connection that the workload made to a port of the server's
"""

import asyncio
import contextlib
import datetime
import json
import os
import ssl
import tempfile
from collections.abc import Callable
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "modelyard-node"
"""In every certificate; which of them is meant, the certificate itself says."""
YEARS = 20
BEAT_SECONDS = 1.0
LOST_SECONDS = 10.0
"""Whoever has heard nothing for so long is cut off: the server takes the workload for lost, the node ends it."""
HANDSHAKE_SECONDS = 10.0
LONGEST_LINE = 64 * 1024
LARGEST_FRAME = 16 * 1024 * 1024
TOLD, OUTPUT = b"J", b"O"


class Refused(Exception):
    """The other end will not do what a connection is for; the text says why."""


class Identity:
    """A key of one's own, and its certificate, for as long as the process lives."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            # The clocks of machines differ.
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=365 * YEARS))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
        self._key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii")

    def context(self, other: str, *, server: bool) -> ssl.SSLContext:
        """For connections with the one whose certificate this is, and with nobody else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=other)
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:  # of this user alone
            file.write(self.certificate + self._key)
            file.flush()
            context.load_cert_chain(file.name)
        return context


def new_loop() -> asyncio.AbstractEventLoop:
    """A loop that is quick at TLS, where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return cast(asyncio.AbstractEventLoop, uvloop.new_event_loop())


# --- frames ---------------------------------------------------------------------------------------


def frame(kind: bytes, content: bytes) -> bytes:
    """One message of a control connection."""
    return kind + len(content).to_bytes(4, "big") + content


def told(message: dict[str, Any]) -> bytes:
    """A frame that tells something."""
    return frame(TOLD, json.dumps(message).encode())


async def next_frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """What comes next: its kind and its content. Raises EOFError when nothing does, TimeoutError when nothing did for long."""
    try:
        async with asyncio.timeout(LOST_SECONDS):
            head = await reader.readexactly(5)
            size = int.from_bytes(head[1:], "big")
            if size > LARGEST_FRAME:
                raise EOFError("it says what cannot be understood")
            return head[:1], await reader.readexactly(size)
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise
        raise EOFError(str(error)) from error


# --- joined connections ---------------------------------------------------------------------------


class Half(asyncio.Protocol):
    """One of two connections that are joined: what comes in here goes out there. When one ends, so does the other."""

    def __init__(self, over: Callable[["Half"], None] | None = None) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Half | None = None
        self.rest = b""
        """What came in before there was another."""
        self.keeps: object = None
        """What would close it if it were forgotten."""
        self._over = over

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self.transport = cast(asyncio.Transport, transport)

    def join(self, other: "Half") -> None:
        """Let bytes pass to and from another connection that is open."""
        self.other, other.other = other, self
        for one in (self, other):
            assert one.transport is not None and one.other is not None
            if one.transport.is_closing():
                one.other.close()
            elif one.rest:
                one.other.write(one.rest)
            one.rest = b""

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        if self.other is None:
            self.rest += data
        else:
            self.other.write(data)

    def write(self, data: bytes) -> None:
        """Send bytes; harmless once it is closed."""
        if self.transport is not None:
            self.transport.write(data)

    def pause_writing(self) -> None:
        """More waits to be sent than should: the other one is read no further."""
        if self.other is not None and self.other.transport is not None:
            with contextlib.suppress(RuntimeError):  # it is closed
                self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """There is room again."""
        if self.other is not None and self.other.transport is not None:
            with contextlib.suppress(RuntimeError):
                self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        if self.other is not None:
            self.other.close()
        if self._over is not None:
            self._over(self)

    def close(self) -> None:
        """End it once what was written is sent."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """End it at once."""
        if self.transport is not None:
            self.transport.abort()


class Asking(Half):
    """A connection whose first line is awaited, and that can be joined then."""

    def __init__(self, over: Callable[[Half], None] | None = None) -> None:
        super().__init__(over)
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        if self.answer.done():
            super().data_received(data)
            return
        self.rest += data
        line, found, rest = self.rest.partition(b"\n")
        if found:
            self.rest = rest
            self.answer.set_result(line)
        elif len(self.rest) > LONGEST_LINE:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        if not self.answer.done():
            self.answer.set_exception(ConnectionResetError("the node has closed the connection"))
            self.answer.exception()  # whoever asked may have gone
        super().connection_lost(exc)


def short_name(folder: int, name: str) -> str:
    """A path for a socket in an open folder, however long the folder's own is."""
    return f"/proc/self/fd/{folder}/{name}"


def first_line(purpose: dict[str, Any]) -> bytes:
    """What a connection is for."""
    return json.dumps(purpose).encode() + b"\n"


def user_cache() -> str:
    """Where programs keep what they can have again."""
    return os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
