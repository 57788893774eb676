"""Copying objects inside the store.

A copy shares the bytes of its source, unless one of them is encrypted with a key of KMS: then they are written anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import checksum as checksums
from modelyard.object_store import etag, events, preconditions, store_objects, store_pins, wanted
from modelyard.object_store import sealing as sealings
from modelyard.object_store.bucket import Bucket, Versioning
from modelyard.object_store.checksum import Checksum
from modelyard.object_store.encryption import WHOLE
from modelyard.object_store.errors import precondition_failed, s3_error
from modelyard.object_store.object_version import ENCRYPTION, KMS, LARGEST_PUT, ObjectVersion, Part
from modelyard.object_store.operations.reads import read_bytes, readable
from modelyard.object_store.permissions import bucket_at, bucket_of, copy_source, copying, kept_version_at
from modelyard.object_store.placing import check_write, defaults_of, new_version_id, placed
from modelyard.object_store.preconditions import Verdict
from modelyard.object_store.receiving import Pieces, Received, receive
from modelyard.object_store.sealing import Sealing
from modelyard.storage.interface import Transaction

operation = operations_of("s3")

REPLACE = "REPLACE"

Source = tuple[int, int]
"""The row of a version, and of the pin that keeps it when it is gone."""


@dataclass(frozen=True, slots=True)
class Summed:
    """The checksum that a caller asked for, worked out from the bytes of one version."""

    source: Source
    checksum: Checksum


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The bytes of one version as the copy keeps them: encrypted with another key, or no more."""

    source: Source
    received: Received
    sealing: Sealing


def source_version(context: Context, tx: Transaction, request: Request) -> tuple[Bucket, ObjectVersion, bool]:
    """The source of a copy, once its conditions hold, and whether it was named by version. Raises AwsError."""
    bucket, key, version_id = copy_source(tx, request)
    version = kept_version_at(tx, bucket, key, version_id)
    if version is not None and version.delete_marker and version_id is not None:
        raise s3_error(
            "InvalidRequest", "The source of a copy request may not specifically refer to a delete marker by version id."
        )
    version = readable(context, bucket, version, key, version_id)
    outcome = preconditions.of_copy_source(request, version.etag, version.modified)
    if outcome.verdict is Verdict.FAILED:
        raise precondition_failed(outcome.header)
    if version.size > LARGEST_PUT:
        raise s3_error(
            "InvalidRequest",
            f"The specified copy source is larger than the maximum allowable size for a copy source: {LARGEST_PUT}",
        )
    return bucket, version, version_id is not None


def _prepare(context: Context, request: Request) -> Summed | Rewritten | None:
    """Look at the bytes: to encrypt or decrypt them, or to work out a checksum that the source does not have."""
    with context.read() as tx:
        bucket = bucket_at(tx, request["Bucket"], request.get("ExpectedBucketOwner"))
        source_bucket, source, by_version = source_version(context, tx, request)
        parts = store_pins.parts_of(tx, source)
        encryption = wanted.encryption_of(request, defaults_of(tx, bucket))
    algorithm = request.get("ChecksumAlgorithm")
    if not _needs_rewriting(source, encryption):
        return None if algorithm is None else _sum(context, source, parts, algorithm)
    _check(request, bucket, source_bucket, source, by_version=by_version)
    data_key = sealings.open_key(context, source.sealed)
    sealing = sealings.new(context, bucket, request["Key"], encryption, request)
    body = Pieces(iter(read_bytes(context.blobs, source, parts, 0, source.size, data_key)))
    kept = algorithm or (source.checksum.algorithm if source.checksum else checksums.DEFAULT)
    received = receive(replace(context, http=None), {}, body, kept=kept, encryptor=sealing.encryptor(WHOLE))
    return Rewritten((source.id, source.pin), received, sealing)


def _needs_rewriting(source: ObjectVersion, encryption: Mapping[str, Any]) -> bool:
    """Whether the copy cannot share the bytes of its source: a data key is of one object alone."""
    return source.sealed is not None or encryption["ServerSideEncryption"] == KMS


def _sum(context: Context, source: ObjectVersion, parts: list[Part], algorithm: str) -> Summed:
    row = (source.id, source.pin)
    if source.checksum is not None and source.checksum.algorithm == algorithm:
        return Summed(row, source.checksum)
    value = checksums.of_pieces(algorithm, read_bytes(context.blobs, source, parts, 0, source.size))
    return Summed(row, Checksum(algorithm, value))


def _check(request: Request, bucket: Bucket, source_bucket: Bucket, source: ObjectVersion, *, by_version: bool) -> None:
    """Raise AwsError for what cannot be copied so."""
    wanted.refuse_unavailable(request)
    if (source_bucket.id, source.key) == (bucket.id, request["Key"]) and not by_version:
        _refuse_no_change(request)


@operation("CopyObject", mode=Mode.WRITE, permissions=copying, prepare=_prepare)
def copy_object(context: Context, request: Request) -> dict[str, Any]:
    """Put an object that has the bytes of another."""
    bucket = bucket_of(context, request)
    source_bucket, source, by_version = source_version(context, context.tx, request)
    check_write(context.tx, bucket, request)
    _check(request, bucket, source_bucket, source, by_version=by_version)
    prepared = context.prepared
    if isinstance(prepared, Summed | Rewritten) and prepared.source != (source.id, source.pin):
        raise s3_error("PreconditionFailed", "The source of the copy was replaced while it was read. Please try again.")
    if isinstance(prepared, Rewritten):
        copy, parts = _rewritten(context, bucket, source, request, prepared), []
    else:
        copy = _shared(context, bucket, source, request, prepared.checksum if isinstance(prepared, Summed) else source.checksum)
        parts = store_pins.parts_of(context.tx, source)
    store_objects.add(context.tx, bucket, copy, parts)
    events.created(context, context.tx, bucket, copy, "CopyObject")
    answer = placed(bucket, copy)
    result = {"ETag": etag.quoted(copy.etag), "LastModified": copy.modified}
    result |= copy.checksum.members() if copy.checksum else {}
    answer = {name: answer[name] for name in (*ENCRYPTION, "VersionId") if name in answer} | {"CopyObjectResult": result}
    if source_bucket.versioning is not Versioning.NEVER:
        answer["CopySourceVersionId"] = source.version_id
    return answer


def _rewritten(context: Context, bucket: Bucket, source: ObjectVersion, request: Request, prepared: Rewritten) -> ObjectVersion:
    """A copy with bytes of its own."""
    received = prepared.received
    received.refer(context.tx, context.blobs)
    copy = _copy(context, bucket, source, request, prepared.sealing.headers)
    return replace(
        copy,
        size=received.size,
        etag=received.etag,
        digest=received.digest,
        part_count=0,
        checksum=received.checksum,
        sealed=prepared.sealing.sealed,
    )


def _shared(
    context: Context, bucket: Bucket, source: ObjectVersion, request: Request, checksum: Checksum | None
) -> ObjectVersion:
    """A copy that shares the bytes of its source."""
    encryption = wanted.encryption_of(request, defaults_of(context.tx, bucket))
    if _needs_rewriting(source, encryption):  # what encrypts changed since the bytes were looked at, or nobody looked
        raise s3_error("SlowDown")
    return replace(_copy(context, bucket, source, request, encryption), checksum=checksum)


def _copy(
    context: Context, bucket: Bucket, source: ObjectVersion, request: Request, encryption: Mapping[str, Any]
) -> ObjectVersion:
    """The new version: the source's bytes with its own or other headers and tags."""
    headers = {name: value for name, value in source.headers.items() if name not in ENCRYPTION}
    if request.get("MetadataDirective") == REPLACE:
        headers = wanted.headers_of(request)
    elif "WebsiteRedirectLocation" in request:
        headers["WebsiteRedirectLocation"] = request["WebsiteRedirectLocation"]
    replaces_tags = request.get("TaggingDirective") == REPLACE
    return ObjectVersion(
        key=request["Key"],
        version_id=new_version_id(context, bucket),
        modified=context.now,
        size=source.size,
        etag=source.etag,
        digest=source.digest,
        part_count=source.part_count,
        storage_class=wanted.storage_class_of(request),
        headers={**headers, **encryption},
        tags=wanted.tags_of(request.get("Tagging")) if replaces_tags else source.tags,
        lock=wanted.lock_of(request, defaults_of(context.tx, bucket), context.now),
    )


def _refuse_no_change(request: Request) -> None:
    changes = ("StorageClass", "WebsiteRedirectLocation", *ENCRYPTION)
    if request.get("MetadataDirective") != REPLACE and not any(name in request for name in changes):
        raise s3_error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
            "metadata, storage class, website redirect location or encryption attributes.",
        )
