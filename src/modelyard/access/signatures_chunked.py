"""The aws-chunked encoding: a body in chunks, each with a signature of its own or none, and headers that follow.

    10000;chunk-signature=<64 hexadecimal digits>\\r\\n <65536 bytes> \\r\\n
    0;chunk-signature=…\\r\\n x-amz-checksum-crc32:…\\r\\n x-amz-trailer-signature:…\\r\\n \\r\\n

docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html.
"""

import re
from hashlib import sha256
from typing import Final

from modelyard.access.refusals import Family, invalid_request, mismatch
from modelyard.access.signatures import same, sign
from modelyard.aws.errors import AwsError
from modelyard.aws.http import BodyStream

EMPTY_HASH: Final = sha256(b"").hexdigest()
TRAILER_SIGNATURE: Final = "x-amz-trailer-signature"
LONGEST_LINE: Final = 4096
MOST_TRAILERS: Final = 16
FILL_BYTES: Final = 64 * 1024
_CHUNK: Final = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")


class ChunkSignatures:
    """The chain of signatures: each chunk is signed together with the signature before it."""

    def __init__(self, key: bytes, timestamp: str, scope: str, seed: str) -> None:
        self._key = key
        self._head = f"{timestamp}\n{scope}\n"
        self._previous = seed
        self._hash = sha256()

    def update(self, piece: bytes) -> None:
        """Take in bytes of the chunk that is read."""
        self._hash.update(piece)

    def end_chunk(self, given: str) -> None:
        """Check the signature of the chunk that ends. Raises AwsError."""
        self._check("PAYLOAD", f"{EMPTY_HASH}\n{self._hash.hexdigest()}", given)
        self._hash = sha256()

    def end_trailers(self, lines: bytes, given: str) -> None:
        """Check the signature of the headers that follow. Raises AwsError."""
        self._check("TRAILER", sha256(lines).hexdigest(), given)

    def _check(self, kind: str, rest: str, given: str) -> None:
        calculated = sign(self._key, f"AWS4-HMAC-SHA256-{kind}\n{self._head}{self._previous}\n{rest}")
        if not same(given, calculated):
            raise mismatch(Family.S3)
        self._previous = calculated


class ChunkedBody:
    """What a chunked body holds, as a plain one.

    The last bytes are handed out only after the end of the body was read and found right; `trailers` is filled then.
    """

    def __init__(
        self,
        source: BodyStream,
        length: int,
        signatures: ChunkSignatures | None,
        announced: frozenset[str],
        trailers: dict[str, str],
    ) -> None:
        self._source = source
        self._length = length
        self._signatures = signatures
        self._announced = announced
        self.trailers = trailers
        self._buffer = bytearray()
        self._given = 0
        self._left = 0
        self._signature = ""
        self._finished = False

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, all there are when it is negative; b"" at the end. Raises AwsError."""
        if size < 0:
            return b"".join(iter(lambda: self.read(FILL_BYTES), b""))
        if size == 0:
            return b""
        if self._left == 0 and not self._finished:
            self._begin_chunk()
        if self._finished:
            return b""
        piece = self._take(min(size, self._left))
        self._left -= len(piece)
        self._given += len(piece)
        if self._signatures is not None:
            self._signatures.update(piece)
        if self._left == 0:
            self._end_chunk()
            if self._given == self._length:
                self._begin_chunk()
        return piece

    def _begin_chunk(self) -> None:
        line = self._line()
        match = _CHUNK.fullmatch(line)
        if match is None or (self._signatures is None and match[2] is not None):
            raise invalid_request("The aws-chunked body is malformed: a chunk does not begin with its size.")
        self._signature = (match[2] or b"").decode()
        self._left = int(match[1], 16)
        if self._given + self._left > self._length:
            raise invalid_request(
                "The body has more bytes than its x-amz-decoded-content-length says.", code="IncompleteBody", status=400
            )
        if self._left == 0:
            self._finish()

    def _end_chunk(self) -> None:
        if self._line() != b"":
            raise invalid_request("The aws-chunked body is malformed: a chunk is longer than its size says.")
        if self._signatures is not None:
            self._signatures.end_chunk(self._signature)

    def _finish(self) -> None:
        if self._given != self._length:
            raise _incomplete()
        if self._signatures is not None:
            self._signatures.end_chunk(self._signature)
        trailers, lines, signature = self._read_trailers()
        if trailers.keys() != self._announced:
            raise _malformed_trailer()
        if self._signatures is not None and self._announced:
            self._signatures.end_trailers(lines, signature)
        if self._buffer or self._source.read(1):
            raise invalid_request("The aws-chunked body goes on after its end.")
        self.trailers.update(trailers)
        self._finished = True

    def _read_trailers(self) -> tuple[dict[str, str], bytes, str]:
        """The headers after the last chunk, the lines their signature is made of, and that signature."""
        trailers: dict[str, str] = {}
        lines = b""
        signature = ""
        while line := self._line().strip():
            name, found, value = line.decode("latin-1").partition(":")
            name, value = name.strip().lower(), value.strip()
            if not found or name in trailers or len(trailers) >= MOST_TRAILERS:
                raise _malformed_trailer()
            if name == TRAILER_SIGNATURE:
                signature = value
                continue
            trailers[name] = value
            lines += f"{name}:{value}\n".encode("latin-1")
        return trailers, lines, signature

    def _take(self, size: int) -> bytes:
        if self._buffer:
            piece = bytes(self._buffer[:size])
            del self._buffer[:size]
            return piece
        piece = self._source.read(size)
        if not piece:
            raise _incomplete()
        return piece

    def _line(self) -> bytes:
        """The next line without its end."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise invalid_request("The aws-chunked body is malformed: a line is too long.")
            more = self._source.read(FILL_BYTES)
            if not more:
                raise _incomplete()
            self._buffer += more
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _incomplete() -> AwsError:
    return invalid_request(
        "You did not provide the number of bytes specified by the Content-Length HTTP header", code="IncompleteBody", status=400
    )


def _malformed_trailer() -> AwsError:
    return invalid_request(
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        code="MalformedTrailerError",
    )
