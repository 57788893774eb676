"""What is known of unfinished uploads, and parts that are copied from objects."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import byte_range, etag, sealing, store_pins, store_uploads
from modelyard.object_store import checksum as checksums
from modelyard.object_store.bucket import Bucket, Versioning, owner
from modelyard.object_store.errors import invalid_argument, s3_error
from modelyard.object_store.listing import Page, Query, Start, page
from modelyard.object_store.object_version import ENCRYPTION, LARGEST_PUT, ObjectVersion
from modelyard.object_store.operations.copies import source_version
from modelyard.object_store.operations.listings import asked, open_marker, seal_marker
from modelyard.object_store.operations.reads import read_bytes
from modelyard.object_store.operations.uploads import part_encryptor, part_target, place_part, upload_at
from modelyard.object_store.permissions import bucket_of, copying_part, on_bucket, on_object
from modelyard.object_store.receiving import Pieces, receive
from modelyard.object_store.upload import Upload, UploadedPart

operation = operations_of("s3")

MOST_PARTS_LISTED = 1000
_may_list_parts = on_object("s3:ListMultipartUploadParts")


@operation("UploadPartCopy", mode=Mode.STREAM, permissions=copying_part, writes=True)
def upload_part_copy(context: Context, request: Request) -> dict[str, Any]:
    """Take a part from an object that is here, or from a range of one."""
    with context.read() as tx:
        upload = part_target(tx, request)
        bucket, source, _ = source_version(context, tx, request)
        parts = store_pins.parts_of(tx, source)
    start, length = _copied_range(source, request.get("CopySourceRange"))
    data_key = sealing.open_key(context, source.sealed)
    encryptor = part_encryptor(context, upload, request["PartNumber"])
    body = Pieces(iter(read_bytes(context.blobs, source, parts, start, length, data_key)))
    received = receive(context, {}, body, kept=upload.checksum_algorithm or checksums.DEFAULT, encryptor=encryptor)
    part = place_part(context, request, received)
    result = {"ETag": etag.quoted(part.etag), "LastModified": part.modified}
    if upload.checksum_algorithm:
        result |= received.checksum.members(with_type=False)
    answer: dict[str, Any] = {"CopyPartResult": result}
    answer |= {name: upload.wanted["headers"][name] for name in ENCRYPTION if name in upload.wanted["headers"]}
    if bucket.versioning is not Versioning.NEVER:
        answer["CopySourceVersionId"] = source.version_id
    return answer


def _copied_range(source: ObjectVersion, header: str | None) -> tuple[int, int]:
    """Which bytes of the source become the part. Raises AwsError: unlike a read's, this range has to be exact."""
    if header is None:
        return 0, source.size
    try:
        wanted = byte_range.parse(header, source.size)
    except byte_range.NotSatisfiable:
        wanted = None
    if wanted is None or header != f"bytes={wanted.start}-{wanted.start + wanted.length - 1}":
        raise invalid_argument(
            f"Range specified is not valid for source object of size: {source.size}", "x-amz-copy-source-range", header
        )
    if wanted.length > LARGEST_PUT:
        raise s3_error("EntityTooLarge", ProposedSize=wanted.length, MaxSizeAllowed=LARGEST_PUT)
    return wanted.start, wanted.length


@operation("ListParts", mode=Mode.SLOW_READ, permissions=_may_list_parts)
def list_parts(context: Context, request: Request) -> dict[str, Any]:
    """The parts that an upload has so far."""
    bucket = bucket_of(context, request)
    upload = upload_at(context.tx, bucket, request)
    marker, most = _number(request, "PartNumberMarker", 0), min(_number(request, "MaxParts", 1000), MOST_PARTS_LISTED)
    parts = store_uploads.parts(context.tx, upload.upload_id, marker, most + 1)
    answer: dict[str, Any] = {
        "Bucket": bucket.name,
        "Key": upload.key,
        "PartNumberMarker": marker,
        "MaxParts": most,
        "IsTruncated": len(parts) > most,
        **_upload_members(bucket, upload),
    }
    if parts[:most]:
        answer["NextPartNumberMarker"] = parts[:most][-1].number
        answer["Parts"] = [_part_members(upload, part) for part in parts[:most]]
    return answer


@operation("ListMultipartUploads", mode=Mode.SLOW_READ, permissions=on_bucket("s3:ListBucketMultipartUploads"))
def list_multipart_uploads(context: Context, request: Request) -> dict[str, Any]:
    """Uploads that are neither completed nor aborted, in order of their keys."""
    wanted = asked(request, "MaxUploads")
    bucket = bucket_of(context, request)
    key_marker, id_marker = request.get("KeyMarker", ""), request.get("UploadIdMarker", "")
    found = _uploads(context, bucket, request, wanted.most)
    answer = {"Bucket": bucket.name, **wanted.shown, "IsTruncated": found.truncated, "KeyMarker": wanted.encode(key_marker)}
    answer["UploadIdMarker"] = id_marker if key_marker else ""
    if found.entries:
        answer["Uploads"] = [
            {"Key": wanted.encode(upload.key), "Initiated": upload.initiated, **_upload_members(bucket, upload)}
            for upload in found.entries
        ]
    if found.common_prefixes:
        answer["CommonPrefixes"] = [{"Prefix": wanted.encode(prefix)} for prefix in found.common_prefixes]
    if found.truncated:
        answer["NextKeyMarker"] = wanted.encode(found.last)
        at_key = bool(found.entries) and found.entries[-1].key == found.last
        answer["NextUploadIdMarker"] = seal_marker(found.entries[-1].upload_id, found.entries[-1].id) if at_key else ""
    return answer


def _uploads(context: Context, bucket: Bucket, request: Request, most: int) -> Page[Upload]:
    key, marker = request.get("KeyMarker", ""), request.get("UploadIdMarker", "")
    if most == 0:
        return Page()
    query = Query(request.get("Prefix", ""), request.get("Delimiter", ""), key, most)
    start = None
    if key and marker and query.group(key) is None:
        start = Start(key, inclusive=False, within=_marked_row(context, bucket, key, marker))
    return page(query, lambda start, size: store_uploads.uploads(context.tx, bucket, start, size), start)


def _marked_row(context: Context, bucket: Bucket, key: str, marker: str) -> int:
    """The row that an upload-id marker stands for."""
    row = open_marker(marker)
    if row:
        return row
    upload = store_uploads.upload(context.tx, bucket, key, marker)
    if upload is None:
        raise invalid_argument("Invalid uploadId marker", "upload-id-marker", marker)
    return upload.id


def _upload_members(bucket: Bucket, upload: Upload) -> dict[str, Any]:
    members: dict[str, Any] = {
        "UploadId": upload.upload_id,
        "StorageClass": upload.storage_class,
        "Owner": bucket.owner,
        "Initiator": {"ID": upload.initiator, "DisplayName": owner(bucket.account)["DisplayName"]},
    }
    if upload.checksum_algorithm:
        members |= {"ChecksumAlgorithm": upload.checksum_algorithm, "ChecksumType": upload.checksum_type}
    return members


def _part_members(upload: Upload, part: UploadedPart) -> dict[str, Any]:
    members = {
        "PartNumber": part.number,
        "LastModified": part.modified,
        "ETag": etag.quoted(part.etag),
        "Size": part.size,
    }
    if upload.checksum_algorithm:
        members[f"Checksum{upload.checksum_algorithm}"] = part.checksum_value
    return members


def _number(request: Request, member: str, default: int) -> int:
    """A count or marker that a request may give, which the wire has as a number or as text. Raises InvalidArgument."""
    value = request.get(member, default)
    text = str(value)
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise invalid_argument(f"Provided {member} not an integer or within integer range", member, value)
    return int(text)
