"""S3's bodies: what the caller signed as their hash, and how the bytes are held against it."""

import re
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from typing import Final
from urllib.parse import unquote

from modelyard.access.refusals import Family, invalid_request, mismatch
from modelyard.access.signatures import UNSIGNED_PAYLOAD
from modelyard.access.signatures_chunked import ChunkedBody, ChunkSignatures
from modelyard.access.signatures_v4 import Verified
from modelyard.aws.errors import AwsError
from modelyard.aws.http import BodyStream, HttpRequest

SIGNED_CHUNKS: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_AND_TRAILER: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_AND_TRAILER: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CHUNKED: Final = frozenset({SIGNED_CHUNKS, SIGNED_CHUNKS_AND_TRAILER, UNSIGNED_CHUNKS_AND_TRAILER})
_OF_SIGNATURES: Final = frozenset(
    f"x-amz-{name}"
    for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token", "content-sha256")
)
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")


class HashedBody:
    """A stream that is hashed as it is read.

    When the length is known the last bytes are handed out only if the hash is right; otherwise the end is an error.
    """

    def __init__(self, source: BodyStream, expected: str, length: int | None) -> None:
        self._source = source
        self._expected = expected
        self._length = length
        self._hash = sha256()
        self._given = 0

    def read(self, size: int = -1) -> bytes:
        """As BodyStream. Raises XAmzContentSHA256Mismatch."""
        piece = self._source.read(size)
        self._hash.update(piece)
        self._given += len(piece)
        if not piece or self._given == self._length:
            check_hash(self._expected, self._hash.hexdigest())
        return piece


def check_hash(expected: str, calculated: str) -> None:
    """Raise XAmzContentSHA256Mismatch unless the body has the hash that was signed."""
    if expected.lower() != calculated:
        raise invalid_request(
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            code="XAmzContentSHA256Mismatch",
            ClientComputedContentSHA256=expected,
            S3ComputedContentSHA256=calculated,
        )


def open_body(http: HttpRequest, verified: Verified | None) -> HttpRequest:
    """The request with its body as the operation wants it: decoded, and checked as it is read. Raises AwsError.

    `verified` is None for a request that is not signed.
    """
    declared = verified.payload_hash if verified else UNSIGNED_PAYLOAD
    if declared == UNSIGNED_PAYLOAD:
        # Only what was not signed may be said by a header: of a presigned request, whoever holds the URL adds it.
        declared = http.headers.get("x-amz-content-sha256") or declared
    if declared == UNSIGNED_PAYLOAD:
        return http
    if declared in CHUNKED:
        return _open_chunked(http, declared, verified)
    if not _HASH.fullmatch(declared):
        raise invalid_request(
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid sha256 value.",
            code="InvalidArgument",
            ArgumentName="x-amz-content-sha256",
            ArgumentValue=declared,
        )
    if http.stream is None:
        check_hash(declared, sha256(http.body).hexdigest())
        return http
    return replace(http, stream=HashedBody(http.stream, declared, _number(http.headers.get("content-length"))))


def with_headers_of_query(http: HttpRequest) -> HttpRequest:
    """A presigned request with the `x-amz-` headers that its URL carries as parameters, where they are signed all the same."""
    carried = {}
    for pair in http.query.split("&"):
        name, _, value = pair.partition("=")
        name = unquote(name).lower()
        if name.startswith("x-amz-") and name not in _OF_SIGNATURES:
            carried[name] = unquote(value)
    return replace(http, headers={**carried, **http.headers}) if carried else http


def _open_chunked(http: HttpRequest, declared: str, verified: Verified | None) -> HttpRequest:
    length = _number(http.headers.get("x-amz-decoded-content-length"))
    if length is None:
        raise invalid_request("You must provide the Content-Length HTTP header.", code="MissingContentLength", status=411)
    signatures = None
    if declared != UNSIGNED_CHUNKS_AND_TRAILER:
        if verified is None or verified.payload_hash != declared:
            raise mismatch(Family.S3)
        signatures = ChunkSignatures(verified.key, verified.timestamp, verified.scope, verified.signature)
    announced: frozenset[str] = frozenset()
    if declared != SIGNED_CHUNKS:
        names = http.headers.get("x-amz-trailer", "").lower().split(",")
        announced = frozenset(name.strip() for name in names if name.strip())
    trailers: dict[str, str] = {}
    source = http.stream if http.stream is not None else BytesIO(http.body)
    body = ChunkedBody(source, length, signatures, announced, trailers)
    opened = replace(http, headers=_decoded_headers(http, length), trailers=trailers)
    if http.stream is None:
        opened.body = body.read()
    else:
        opened.stream = body
    return opened


def _decoded_headers(http: HttpRequest, length: int) -> dict[str, str]:
    """The headers as they would be of the plain body."""
    headers = dict(http.headers)
    headers["content-length"] = str(length)
    encodings = [name.strip() for name in headers.pop("content-encoding", "").split(",")]
    kept = ",".join([name for name in encodings if name and name.lower() != "aws-chunked"])
    if kept:
        headers["content-encoding"] = kept
    return headers


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise _not_a_length()
    return int(text)


def _not_a_length() -> AwsError:
    return invalid_request("A content length has to be a whole number.", code="InvalidArgument")
