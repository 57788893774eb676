"""Copying objects inside the store: a copy shares the bytes of its source."""

from dataclasses import dataclass
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import checksum, etag, events, preconditions, store_objects, store_pins, wanted
from modelyard.object_store.bucket import Bucket, Versioning
from modelyard.object_store.checksum import Checksum
from modelyard.object_store.errors import precondition_failed, s3_error
from modelyard.object_store.object_version import ENCRYPTION, LARGEST_PUT, ObjectVersion
from modelyard.object_store.operations.reads import read_bytes, readable
from modelyard.object_store.permissions import bucket_of, copy_source, copying, kept_version_at
from modelyard.object_store.placing import check_write, defaults_of, new_version_id, placed
from modelyard.object_store.preconditions import Verdict
from modelyard.storage.interface import Transaction

operation = operations_of("s3")

REPLACE = "REPLACE"


@dataclass(frozen=True, slots=True)
class Summed:
    """The checksum that a caller asked for, worked out from the bytes of one version."""

    row: int
    checksum: Checksum


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


def _sum(context: Context, request: Request) -> Summed:
    """Work out a checksum that the source does not have."""
    with context.read() as tx:
        _, source, _ = source_version(context, tx, request)
        parts = store_pins.parts_of(tx, source)
    algorithm = request["ChecksumAlgorithm"]
    if source.checksum is not None and source.checksum.algorithm == algorithm:
        return Summed(source.id, source.checksum)
    value = checksum.of_pieces(algorithm, read_bytes(context.blobs, source, parts, 0, source.size))
    return Summed(source.id, Checksum(algorithm, value))


@operation(
    "CopyObject",
    mode=Mode.WRITE,
    permissions=copying,
    prepare=_sum,
    prepares=lambda request: "ChecksumAlgorithm" in request,
)
def copy_object(context: Context, request: Request) -> dict[str, Any]:
    """Put an object that has the bytes of another."""
    wanted.refuse_unavailable(request)
    bucket = bucket_of(context, request)
    source_bucket, source, by_version = source_version(context, context.tx, request)
    check_write(context.tx, bucket, request)
    if (source_bucket.id, source.key) == (bucket.id, request["Key"]) and not by_version:
        _refuse_no_change(request)
    summed = context.prepared
    if isinstance(summed, Summed) and summed.row != source.id:
        raise s3_error("PreconditionFailed", "The source of the copy was replaced while it was read. Please try again.")
    copy = _copy(context, bucket, source, request, summed.checksum if isinstance(summed, Summed) else source.checksum)
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


def _copy(context: Context, bucket: Bucket, source: ObjectVersion, request: Request, summed: Checksum | None) -> ObjectVersion:
    """The new version: the source's bytes with its own or other headers and tags."""
    defaults = defaults_of(context.tx, bucket)
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
        checksum=summed,
        headers=headers | wanted.encryption_of(request, defaults),
        tags=wanted.tags_of(request.get("Tagging")) if replaces_tags else source.tags,
        lock=wanted.lock_of(request, defaults, context.now),
    )


def _refuse_no_change(request: Request) -> None:
    changes = ("StorageClass", "WebsiteRedirectLocation", *ENCRYPTION)
    if request.get("MetadataDirective") != REPLACE and not any(name in request for name in changes):
        raise s3_error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
            "metadata, storage class, website redirect location or encryption attributes.",
        )
