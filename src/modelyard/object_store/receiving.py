"""Bytes that a client sends, on their way to a blob: hashed as they come, and held against every checksum it sent."""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.aws.http import BodyStream
from modelyard.blobs.interface import BlobStore, BlobWriter
from modelyard.dispatch import kept_blobs
from modelyard.dispatch.context import Context
from modelyard.dispatch.kept_blobs import Kept
from modelyard.object_store import checksum as checksums
from modelyard.object_store.checksum import ALGORITHMS, BY_HEADER, Algorithm, Checksum
from modelyard.object_store.encryption import Encryptor
from modelyard.object_store.errors import s3_error
from modelyard.object_store.object_version import LARGEST_PUT
from modelyard.storage.interface import Transaction

PIECE = 256 * 1024
"""The most that is read from the client at once, in bytes."""


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes that are durable, and that no row names yet."""

    kept: Kept
    size: int
    """Bytes as they came, before they were encrypted."""
    etag: str
    checksum: Checksum

    @property
    def digest(self) -> str:
        """Of the bytes as they are kept."""
        return self.kept.blob.digest

    def refer(self, tx: Transaction, blobs: BlobStore) -> None:
        """Note that a row of this transaction names them; see `kept_blobs.refer`."""
        self.kept.refer(tx, blobs)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the client says of the bytes that it sends."""

    md5: bytes | None
    length: int | None
    algorithm: Algorithm | None
    """The one checksum that it sends; None for none."""
    value: str | None
    """Of that checksum; None while it is to follow in a trailer, or when the server is to compute it."""
    trailer: str | None
    """The trailer that will hold it."""


class Pieces:
    """Bytes that are here already, in the form of a request's body."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, size: int = -1) -> bytes:
        """The next piece, whatever its size."""
        return next(self._pieces, b"")


def receive(
    context: Context, request: Mapping[str, Any], body: BodyStream, *, kept: str = "", encryptor: Encryptor | None = None
) -> Received:
    """Take a body in. `kept` is the checksum algorithm to keep; otherwise the one that the client sends, or S3's default.

    With an encryptor the bytes are encrypted as they come, and the ETag is the MD5 of what is kept, which tells nothing of them.
    Raises AwsError when the bytes are not what the client said that they would be: then nothing is kept.
    """
    declared = declaration(context, request)
    if declared.length is not None and declared.length > LARGEST_PUT:
        raise _too_large(declared.length)
    sent = declared.algorithm.name if declared.algorithm else None
    kept = kept or sent or checksums.DEFAULT
    running = {name: ALGORITHMS[name].start() for name in {kept, sent or kept}}
    md5 = hashlib.md5(usedforsecurity=False)
    sink = _Sink(context.blobs.writer(), encryptor)
    try:
        size = 0
        while piece := body.read(PIECE):
            size += len(piece)
            if size > LARGEST_PUT:
                raise _too_large(size)
            sink.write(piece)
            md5.update(piece)
            for one in running.values():
                one.update(piece)
        if declared.length is not None and size != declared.length:
            raise s3_error("IncompleteBody")
        values = {name: checksums.encoded(one) for name, one in running.items()}
        _check_md5(declared, md5.digest())
        if declared.algorithm is not None:
            _check_value(context, declared, values[declared.algorithm.name])
        etag = sink.finish() or md5.hexdigest()
        return Received(kept_blobs.commit(context.storage, sink.writer), size, etag, Checksum(kept, values[kept]))
    finally:
        sink.writer.discard()


class _Sink:
    """Writes bytes as they are to be kept."""

    def __init__(self, writer: BlobWriter, encryptor: Encryptor | None) -> None:
        self.writer = writer
        self._encryptor = encryptor
        self._md5 = hashlib.md5(usedforsecurity=False)

    def write(self, piece: bytes) -> None:
        """Add bytes."""
        if self._encryptor is None:
            self.writer.write(piece)
        else:
            self._add(self._encryptor.update(piece))

    def finish(self) -> str | None:
        """Add what is left; the MD5 of what was written, if that is not what came."""
        if self._encryptor is None:
            return None
        self._add(self._encryptor.finish())
        return self._md5.hexdigest()

    def _add(self, sealed: bytes) -> None:
        self._md5.update(sealed)
        self.writer.write(sealed)


def declaration(context: Context, request: Mapping[str, Any]) -> Declared:
    """What a request says of its body. Raises AwsError for what contradicts itself."""
    given = _given(context, request)
    trailers = [header for header in _trailers(context) if header in BY_HEADER]
    if len(given) + len(trailers) > 1:
        raise s3_error("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    md5 = _md5(request.get("ContentMD5", _header(context, "content-md5")))
    length = request.get("ContentLength")
    if trailers:
        return Declared(md5, length, BY_HEADER[trailers[0]], None, trailers[0])
    for algorithm, value in given.items():
        if not algorithm.is_value(value):
            raise s3_error("InvalidRequest", f"Value for {algorithm.header} header is invalid.")
        return Declared(md5, length, algorithm, value, None)
    if _header(context, "x-amz-sdk-checksum-algorithm"):
        raise s3_error(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
        )
    return Declared(md5, length, ALGORITHMS.get(request.get("ChecksumAlgorithm", "")), None, None)


def _given(context: Context, request: Mapping[str, Any]) -> dict[Algorithm, str]:
    """The checksums in the request. Not every operation has members for them, so the headers are looked at too."""
    sent = {algorithm: request.get(algorithm.member) or _header(context, algorithm.header) for algorithm in BY_HEADER.values()}
    return {algorithm: value for algorithm, value in sent.items() if value is not None}


def _header(context: Context, name: str) -> str | None:
    return None if context.http is None else context.http.headers.get(name)


def check_small_body(context: Context, request: Mapping[str, Any]) -> None:
    """Hold a body that is here whole (a list of keys, a policy) against the checksums that came with it. Raises AwsError."""
    if context.http is None:
        return
    body = context.http.body
    declared = declaration(context, request)
    _check_md5(declared, hashlib.md5(body, usedforsecurity=False).digest())
    if declared.algorithm is not None:
        _check_value(context, declared, checksums.of_pieces(declared.algorithm.name, [body]))


def _trailers(context: Context) -> list[str]:
    """The trailers that the request announces."""
    announced = _header(context, "x-amz-trailer") or ""
    return [name.strip().lower() for name in announced.split(",") if name.strip()]


def _md5(header: str | None) -> bytes | None:
    if header is None:
        return None
    try:
        md5 = base64.b64decode(header, validate=True)
    except (binascii.Error, ValueError):
        raise s3_error("InvalidDigest") from None
    if len(md5) != 16:
        raise s3_error("InvalidDigest")
    return md5


def _check_md5(declared: Declared, calculated: bytes) -> None:
    if declared.md5 is not None and declared.md5 != calculated:
        raise s3_error(
            "BadDigest",
            ExpectedDigest=base64.b64encode(declared.md5).decode(),
            CalculatedDigest=base64.b64encode(calculated).decode(),
        )


def _check_value(context: Context, declared: Declared, calculated: str) -> None:
    algorithm, expected = declared.algorithm, declared.value
    assert algorithm is not None
    if declared.trailer is not None:
        trailers = context.http.trailers if context.http is not None else {}
        expected = trailers.get(declared.trailer, "")
        if not algorithm.is_value(expected):
            raise s3_error("InvalidRequest", f"Value for {algorithm.header} trailing header is invalid.")
    if expected is not None and expected != calculated:
        raise s3_error("BadDigest", f"The {algorithm.name} you specified did not match the calculated checksum.")


def _too_large(size: int) -> Exception:
    return s3_error("EntityTooLarge", ProposedSize=size, MaxSizeAllowed=LARGEST_PUT)
