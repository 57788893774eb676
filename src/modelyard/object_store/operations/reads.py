"""Reading objects: their bytes, or only what is known of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from itertools import accumulate, chain
from typing import Any

from modelyard.access.principal import PrincipalKind
from modelyard.blobs.interface import BlobStore
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import byte_range, encryption, etag, preconditions, sealing, store_pins
from modelyard.object_store.bucket import Bucket, Versioning
from modelyard.object_store.byte_range import ByteRange
from modelyard.object_store.encryption import WHOLE
from modelyard.object_store.errors import not_modified, precondition_failed, s3_error
from modelyard.object_store.object_version import DEFAULT_CONTENT_TYPE, STANDARD, ObjectVersion, Part
from modelyard.object_store.permissions import bucket_at, kept_version_at, missing, on_object
from modelyard.object_store.preconditions import Verdict
from modelyard.storage.interface import Transaction

operation = operations_of("s3")

SMALL = 64 * 1024
"""Bytes up to which a body is handed over whole."""
OVERRIDES = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
}
OVERRIDES_OF_ANSWER = frozenset({*OVERRIDES, "ResponseExpires"})

_may_read = on_object("s3:GetObject", of_version="s3:GetObjectVersion", existing_tags=True)


@dataclass(frozen=True, slots=True)
class Found:
    """An object that may be read, and how much of it is wanted."""

    bucket: Bucket
    version: ObjectVersion
    parts: list[Part]
    part: ByteRange | None
    """None for all of it."""


@operation("GetObject", mode=Mode.STREAM, permissions=_may_read, anonymous=True)
def get_object(context: Context, request: Request) -> dict[str, Any]:
    """The bytes of an object, or a range or part of them."""
    if context.principal.kind is PrincipalKind.ANONYMOUS and not OVERRIDES_OF_ANSWER.isdisjoint(request):
        # Else anybody could make a link under which an object that is public is a page of this host.
        raise s3_error("InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.")
    with context.read() as tx:
        found = _find(tx, context, request)
    answer = _members(request, found)
    for member, header in OVERRIDES.items():
        if member in request:
            answer[header] = request[member]
    if "ResponseExpires" in request:
        # The model has a time in the query and a text in the answer, since objects may carry any text as Expires.
        answer["Expires"] = formatdate(request["ResponseExpires"], usegmt=True)
    start, length = (found.part.start, found.part.length) if found.part else (0, found.version.size)
    data_key = sealing.open_key(context, found.version.sealed)
    body = read_bytes(context.blobs, found.version, found.parts, start, length, data_key)
    answer["Body"] = b"".join(body) if length <= SMALL else body
    return answer


@operation("HeadObject", mode=Mode.READ, permissions=_may_read, anonymous=True)
def head_object(context: Context, request: Request) -> dict[str, Any]:
    """What GetObject answers, without the bytes. Checksums tell of the bytes: of encrypted ones, to who may decrypt them."""
    found = _find(context.tx, context, request)
    if request.get("ChecksumMode") == "ENABLED":
        sealing.open_key(context, found.version.sealed)
    return _members(request, found)


@operation("GetObjectAttributes", mode=Mode.READ, permissions=_may_read, anonymous=True)
def get_object_attributes(context: Context, request: Request) -> dict[str, Any]:
    """Chosen facts of an object, among them its parts."""
    found = _find(context.tx, context, request)
    version, wanted = found.version, request["ObjectAttributes"]
    if "Checksum" in wanted or "ObjectParts" in wanted:
        sealing.open_key(context, version.sealed)
    answer: dict[str, Any] = {"LastModified": float(int(version.modified))} | _version_id(found.bucket, version)
    facts: dict[str, Any] = {"ETag": version.etag, "StorageClass": version.storage_class, "ObjectSize": version.size}
    answer |= {name: fact for name, fact in facts.items() if name in wanted}
    if "Checksum" in wanted and version.checksum is not None:
        answer["Checksum"] = version.checksum.members()
    if "ObjectParts" in wanted and version.part_count:
        answer["ObjectParts"] = _parts_page(version, found.parts, request)
    return answer


def read_bytes(
    blobs: BlobStore, version: ObjectVersion, parts: list[Part], start: int, length: int, data_key: bytes | None = None
) -> Iterator[bytes]:
    """`length` bytes of an object from `start`, in pieces. Raises FileNotFoundError at once if the first of them are gone.

    An encrypted object needs its data key.
    """
    if (version.sealed is None) is not (data_key is None):
        raise ValueError("an object is read with its data key when it is encrypted, and only then")
    if version.digest is not None:
        whole = Part(WHOLE, version.size, version.digest, "")
        return _read_part(blobs, data_key, whole, start, length)
    pieces: list[tuple[Part, int, int]] = []
    for part, end in zip(parts, accumulate(part.size for part in parts), strict=True):
        begin = end - part.size
        first, last = max(start, begin), min(start + length, end)
        if first < last:
            pieces.append((part, first - begin, last - first))
    if not pieces:
        return iter(())
    # Only one part is open at a time: an object may have 10,000.
    first_piece = _read_part(blobs, data_key, *pieces[0])
    return chain(first_piece, chain.from_iterable(_read_part(blobs, data_key, *piece) for piece in pieces[1:]))


def _read_part(blobs: BlobStore, data_key: bytes | None, part: Part, start: int, length: int) -> Iterator[bytes]:
    if data_key is None:
        return blobs.read(part.digest, start, length)

    def read(begin: int, size: int) -> Iterator[bytes]:
        return blobs.read(part.digest, begin, size)

    return encryption.decrypt(data_key, part.number, part.size, read, start, length)


def readable(context: Context, bucket: Bucket, version: ObjectVersion | None, key: str, version_id: str | None) -> ObjectVersion:
    """The version, if it is one that has bytes. Raises AwsError for what is missing or is a delete marker."""
    if version is None:
        raise missing(context, bucket, key, version_id)
    if not version.delete_marker:
        return version
    headers = {"x-amz-delete-marker": "true", "x-amz-version-id": version.version_id}
    if version_id is None:
        raise missing(context, bucket, key, headers=headers)
    raise s3_error(
        "MethodNotAllowed",
        headers={**headers, "Allow": "DELETE", "Last-Modified": formatdate(version.modified, usegmt=True)},
        Method="GET",
        ResourceType="DeleteMarker",
    )


def _find(tx: Transaction, context: Context, request: Request) -> Found:
    """The object that a read asks for, once its conditions hold. Raises AwsError."""
    bucket = bucket_at(tx, request["Bucket"], request.get("ExpectedBucketOwner"))
    key, version_id = request["Key"], request.get("VersionId")
    version = readable(context, bucket, kept_version_at(tx, bucket, key, version_id), key, version_id)
    _check_conditions(bucket, version, request)
    parts = store_pins.parts_of(tx, version)
    return Found(bucket, version, parts, _wanted(version, parts, request))


def _check_conditions(bucket: Bucket, version: ObjectVersion, request: Request) -> None:
    outcome = preconditions.of_read(request, version.etag, version.modified)
    if outcome.verdict is Verdict.FAILED:
        raise precondition_failed(outcome.header)
    if outcome.verdict is Verdict.NOT_MODIFIED:
        headers = {"ETag": etag.quoted(version.etag), "Last-Modified": formatdate(int(version.modified), usegmt=True)}
        if bucket.versioning is not Versioning.NEVER:
            headers["x-amz-version-id"] = version.version_id
        raise not_modified(headers)


def _wanted(version: ObjectVersion, parts: list[Part], request: Request) -> ByteRange | None:
    """The range or part that a read asks for; None for all of the object."""
    header, number = request.get("Range"), request.get("PartNumber")
    if header is not None and number is not None:
        raise s3_error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    if number is not None:
        return _numbered_part(version, parts, number)
    if header is None:
        return None
    try:
        return byte_range.parse(header, version.size)
    except byte_range.NotSatisfiable:
        headers = {"Content-Range": f"bytes */{version.size}"}
        raise s3_error("InvalidRange", headers=headers, RangeRequested=header, ActualObjectSize=version.size) from None


def _numbered_part(version: ObjectVersion, parts: list[Part], number: int) -> ByteRange | None:
    start = 0
    for index, part in enumerate(parts, 1):
        if index == number:
            return ByteRange(start, part.size, version.size)
        start += part.size
    if parts or number != 1:
        raise s3_error("InvalidPartNumber", PartNumberRequested=number, ActualPartCount=len(parts) or 1)
    return ByteRange(0, version.size, version.size) if version.size else None


def _members(request: Request, found: Found) -> dict[str, Any]:
    """The headers of an answer to a read."""
    version = found.version
    answer: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "ETag": etag.quoted(version.etag),
        "LastModified": float(int(version.modified)),
        "ContentLength": found.part.length if found.part else version.size,
        "ContentType": DEFAULT_CONTENT_TYPE,
        **version.headers,
        **version.lock.members(),
        **_version_id(found.bucket, version),
    }
    if version.tags:
        answer["TagCount"] = len(version.tags)
    if version.storage_class != STANDARD:
        answer["StorageClass"] = version.storage_class
    if "PartNumber" in request and version.part_count:
        answer["PartsCount"] = version.part_count
    if found.part is not None:
        answer["ContentRange"] = found.part.content_range
    elif version.checksum is not None and request.get("ChecksumMode") == "ENABLED":
        answer |= version.checksum.members()
    return answer


def _version_id(bucket: Bucket, version: ObjectVersion) -> dict[str, str]:
    return {} if bucket.versioning is Versioning.NEVER else {"VersionId": version.version_id}


def _parts_page(version: ObjectVersion, parts: list[Part], request: Mapping[str, Any]) -> dict[str, Any]:
    marker, most = int(request.get("PartNumberMarker", 0)), min(int(request.get("MaxParts", 1000)), 1000)
    numbered = [(number, part) for number, part in enumerate(parts, 1) if number > marker]
    page: dict[str, Any] = {
        "TotalPartsCount": version.part_count,
        "PartNumberMarker": marker,
        "MaxParts": most,
        "IsTruncated": len(numbered) > most,
    }
    algorithm = version.checksum.algorithm if version.checksum else ""
    page["Parts"] = [
        {"PartNumber": number, "Size": part.size} | ({f"Checksum{algorithm}": part.checksum_value} if algorithm else {})
        for number, part in numbered[:most]
    ]
    if numbered[:most]:
        page["NextPartNumberMarker"] = numbered[:most][-1][0]
    return page
