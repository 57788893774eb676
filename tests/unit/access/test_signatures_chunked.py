"""Streamed bodies: hashed as they are read, or in aws-chunked encoding with and without signatures."""

import base64
import hmac
import zlib
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.access.signing import NOW, S3, Guard, signed

from modelyard.access.signatures import signing_key
from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest

ENDPOINT = "http://127.0.0.1:9100/bucket/key"
CONTENT = bytes(range(256)) * 1000
EMPTY = sha256(b"").hexdigest()


def chunked_request(guard: Guard, mode: str, content: bytes = CONTENT, **headers: str) -> HttpRequest:
    """A signed PUT that announces an aws-chunked body of this kind; the body is still to come."""
    fields = {
        "X-Amz-Content-SHA256": mode,
        "X-Amz-Decoded-Content-Length": str(len(content)),
        "Content-Encoding": "aws-chunked",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return signed(SigV4Auth(guard.credentials, "s3", "us-east-1"), "PUT", ENDPOINT, fields)


def signed_body(guard: Guard, http: HttpRequest, content: bytes, size: int, trailers: dict[str, str] | None = None) -> bytes:
    """The body as AWS's SDKs write it: each chunk signed together with the signature before it."""
    key = signing_key(guard.administrator.secret_access_key, "20231114", "us-east-1", "s3")
    previous = http.headers["authorization"].rpartition("=")[2]
    scope = "20231114T221320Z\n20231114/us-east-1/s3/aws4_request"
    body = b""

    def sign(kind: str, *parts: str) -> str:
        text = "\n".join([f"AWS4-HMAC-SHA256-{kind}", scope, previous, *parts])
        return hmac.new(key, text.encode(), "sha256").hexdigest()

    for start in [*range(0, len(content), size), len(content)]:
        chunk = content[start : start + size]
        previous = sign("PAYLOAD", EMPTY, sha256(chunk).hexdigest())
        body += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
    if trailers:
        lines = "".join(f"{name}:{value}\n" for name, value in trailers.items())
        body += lines.replace("\n", "\r\n").encode()
        body += f"x-amz-trailer-signature:{sign('TRAILER', sha256(lines.encode()).hexdigest())}\r\n".encode()
    return body + b"\r\n"


def content_of(guard: Guard, http: HttpRequest, body: bytes, size: int = 65536) -> tuple[bytes, HttpRequest]:
    """What an operation reads, in pieces of `size`."""
    admitted = guard.admit(replace(http, stream=BytesIO(body)), S3).http
    assert admitted.stream is not None
    pieces = []
    while piece := admitted.stream.read(size):
        assert len(piece) <= size
        pieces.append(piece)
    return b"".join(pieces), admitted


SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CHECKSUM = {"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()}


def request_and_body(guard: Guard, mode: str, size: int = 65536) -> tuple[HttpRequest, bytes]:
    """A whole upload of CONTENT in one of the three kinds."""
    if mode == SIGNED:
        http = chunked_request(guard, mode)
        return http, signed_body(guard, http, CONTENT, size)
    http = chunked_request(guard, mode, x_amz_trailer="x-amz-checksum-crc32")
    if mode == SIGNED_TRAILER:
        return http, signed_body(guard, http, CONTENT, size, CHECKSUM)
    wrapper = AwsChunkedWrapper(
        BytesIO(CONTENT), checksum_cls=Crc32Checksum, checksum_name="x-amz-checksum-crc32", chunk_size=size
    )
    return http, wrapper.read()


@pytest.mark.documented
@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize(("chunk", "piece"), [(65536, 65536), (8192, 100_000), (300_000, 1000), (7, 13)])
def test_all_three_kinds(guard: Guard, mode: str, chunk: int, piece: int) -> None:
    """However the chunks fall, the operation reads the plain content, its length and the headers that follow."""
    http, body = request_and_body(guard, mode, chunk)
    content, admitted = content_of(guard, http, body, piece)
    assert content == CONTENT
    assert admitted.trailers == ({} if mode == SIGNED else CHECKSUM)
    assert admitted.headers["content-length"] == str(len(CONTENT))
    assert "content-encoding" not in admitted.headers


@pytest.mark.documented
def test_other_encodings_stay(guard: Guard) -> None:
    """Of several content encodings only aws-chunked is undone."""
    http = chunked_request(guard, SIGNED, b"x", Content_Encoding="aws-chunked, gzip")
    _, admitted = content_of(guard, http, signed_body(guard, http, b"x", 10))
    assert admitted.headers["content-encoding"] == "gzip"


@pytest.mark.ours
def test_an_end_that_is_wrong_is_known_before_the_last_bytes(guard: Guard) -> None:
    """A reader that stops after the announced length has seen a whole, checked body."""
    http, body = request_and_body(guard, SIGNED_TRAILER)
    admitted = guard.admit(replace(http, stream=BytesIO(body)), S3).http
    assert admitted.stream is not None
    assert len(admitted.stream.read(len(CONTENT) - 1)) < len(CONTENT)
    while not admitted.trailers:
        assert admitted.stream.read(1000)
    broken = guard.admit(replace(http, stream=BytesIO(body[:-3])), S3).http
    assert broken.stream is not None
    with pytest.raises(AwsError, match="number of bytes"):
        for _ in range(len(CONTENT)):
            broken.stream.read(65536)


@pytest.mark.documented
def test_empty_body(guard: Guard) -> None:
    """Nothing at all can be uploaded in chunks, too."""
    http = chunked_request(guard, SIGNED, b"")
    assert content_of(guard, http, signed_body(guard, http, b"", 10))[0] == b""


@pytest.mark.documented
def test_buffered_chunked_body(guard: Guard) -> None:
    """A chunked body of an operation that does not stream is decoded as a whole."""
    http, body = request_and_body(guard, SIGNED_TRAILER)
    assert guard.admit(replace(http, body=body), S3).http.body == CONTENT


@pytest.mark.documented
@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER])
def test_signed_mutations(guard: Guard, mode: str) -> None:
    """One changed byte anywhere in a signed chunked body, and the upload fails."""
    http, body = request_and_body(guard, mode, 100_000)
    positions = [*range(0, 120), *range(120, len(body), 20_011), *range(len(body) - 200, len(body) - 2)]
    for position in positions:
        changed = bytearray(body)
        changed[position] ^= 0x01
        with pytest.raises(AwsError) as caught:
            content_of(guard, http, bytes(changed))
        assert caught.value.status in {400, 403}, position


@pytest.mark.documented
@pytest.mark.parametrize(
    "mangle",
    [
        lambda body: body[: len(body) // 2],
        lambda body: b"",
        lambda body: body + b"x",
        lambda body: body * 2,
        lambda body: body.replace(b"x-amz-checksum-crc32:", b"x-amz-checksum-sha256:"),
        lambda body: body.replace(b"x-amz-checksum-crc32:", b"x-amz-checksum-crc32 "),
        lambda body: body[:-2] + b"x-amz-meta-evil:1\r\n\r\n",
        lambda body: body[:-2] + b"x-amz-checksum-crc32:AAAA\r\n\r\n",
        lambda body: b"0\r\n\r\n",
        lambda body: b"-1\r\n" + body,
        lambda body: b"ffffffffffffffff\r\n" + body,
        lambda body: b"fffffffffffffffff\r\n" + body,
        lambda body: b"1" * 100_000,
        lambda body: b"zz\r\n" + body,
        lambda body: b"4;name=value\r\nabcd\r\n" + body,
        lambda body: body.replace(b"\r\n", b"\n"),
    ],
)
def test_broken_framing(guard: Guard, mangle: Callable[[bytes], bytes]) -> None:
    """A body that is not what its headers say is refused with a 400."""
    http, body = request_and_body(guard, UNSIGNED_TRAILER)
    with pytest.raises(AwsError) as caught:
        content_of(guard, http, mangle(body))
    assert caught.value.status == 400


@pytest.mark.documented
@pytest.mark.parametrize("length", ["255999", "256001", "0"])
def test_decoded_length_is_enforced(guard: Guard, length: str) -> None:
    """The plain content has exactly the announced length."""
    http = chunked_request(guard, SIGNED, X_Amz_Decoded_Content_Length=length)
    with pytest.raises(AwsError) as caught:
        content_of(guard, http, signed_body(guard, http, CONTENT, 65536))
    assert caught.value.code == "IncompleteBody"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("length", "code"), [(None, "MissingContentLength"), ("x", "InvalidArgument"), ("-1", "InvalidArgument")]
)
def test_decoded_length_is_needed(guard: Guard, length: str | None, code: str) -> None:
    """A chunked upload without a proper length is refused before it is read."""
    fields = {"X-Amz-Content-SHA256": SIGNED, **({"X-Amz-Decoded-Content-Length": length} if length else {})}
    http = signed(SigV4Auth(guard.credentials, "s3", "us-east-1"), "PUT", ENDPOINT, fields)
    with pytest.raises(AwsError) as caught:
        guard.admit(replace(http, stream=BytesIO(b"")), S3)
    assert caught.value.code == code


@pytest.mark.ours
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200)
    | st.lists(st.sampled_from([b"5\r\n", b"hello", b"\r\n", b"0", b";", b"x:y", b"\r"])).map(b"".join)
)
def test_any_bytes(guard: Guard, body: bytes) -> None:
    """No body whatever makes the decoder fail in a way of its own, or hang."""
    http = chunked_request(guard, UNSIGNED_TRAILER, b"hello")
    try:
        content, _ = content_of(guard, http, body, 3)
    except AwsError as error:
        assert error.status in {400, 403}
    else:
        assert content == b"hello"


@pytest.mark.documented
@pytest.mark.parametrize("length", [None, str(len(CONTENT))])
def test_hashed_stream(guard: Guard, length: str | None) -> None:
    """A stream whose hash was signed is checked as it is read, before its last bytes when its length is known."""
    http = signed(S3SigV4Auth(guard.credentials, "s3", "us-east-1"), "PUT", ENDPOINT, {}, CONTENT)
    headers = {name: value for name, value in http.headers.items() if name != "content-length"}
    if length is not None:
        headers["content-length"] = length
    http = replace(http, headers=headers, body=b"")
    assert content_of(guard, http, CONTENT)[0] == CONTENT
    taken: list[Any] = []
    with pytest.raises(AwsError) as caught:
        admitted = guard.admit(replace(http, stream=BytesIO(CONTENT[:-1] + b"!")), S3).http
        assert admitted.stream is not None
        while piece := admitted.stream.read(65536):
            taken.append(piece)
    assert (caught.value.code, caught.value.status) == ("XAmzContentSHA256Mismatch", 400)
    assert (sum(map(len, taken)) < len(CONTENT)) == (length is not None)


@pytest.mark.documented
def test_seed_from_another_request(guard: Guard) -> None:
    """The chunks of one request do not fit another, even with the same content."""
    http, _ = request_and_body(guard, SIGNED)
    other = signed(
        SigV4Auth(guard.credentials, "s3", "us-east-1"),
        "PUT",
        ENDPOINT + "2",
        {"X-Amz-Content-SHA256": SIGNED, "X-Amz-Decoded-Content-Length": str(len(CONTENT))},
        at=NOW,
    )
    with pytest.raises(AwsError) as caught:
        content_of(guard, http, signed_body(guard, other, CONTENT, 65536))
    assert caught.value.code == "SignatureDoesNotMatch"
