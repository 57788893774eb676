"""Multipart uploads: begun, filled with parts, completed or aborted."""

import string
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import checksum as checksums
from modelyard.object_store import etag, events, store_objects, store_uploads, wanted
from modelyard.object_store import sealing as sealings
from modelyard.object_store.bucket import Bucket
from modelyard.object_store.checksum import ALGORITHMS, COMPOSITE, FULL_OBJECT, Checksum
from modelyard.object_store.encryption import Encryptor
from modelyard.object_store.errors import invalid_argument, s3_error
from modelyard.object_store.object_version import ENCRYPTION, LARGEST, ObjectVersion, Part
from modelyard.object_store.permissions import bucket_at, bucket_of, on_object, writing
from modelyard.object_store.placing import check_write, defaults_of, new_version_id, placed
from modelyard.object_store.receiving import Received, declaration, receive
from modelyard.object_store.retention import Lock
from modelyard.object_store.upload import (
    MOST_PARTS,
    UPLOAD_ID_LENGTH,
    NamedPart,
    PartsDoNotFit,
    Upload,
    UploadedPart,
    chosen,
)
from modelyard.storage.interface import Transaction

operation = operations_of("s3")

_UPLOAD_ID_ALPHABET = string.ascii_letters + string.digits + "._-"
_may_write = on_object("s3:PutObject")


@operation("CreateMultipartUpload", mode=Mode.WRITE, permissions=writing)
def create_multipart_upload(context: Context, request: Request) -> dict[str, Any]:
    """Begin an upload: what the object will carry is said now."""
    wanted.refuse_unavailable(request)
    bucket = bucket_of(context, request)
    defaults = defaults_of(context.tx, bucket)
    lock = wanted.lock_of(request, defaults, context.now)
    sealing = sealings.new(context, bucket, request["Key"], wanted.encryption_of(request, defaults), request, later=True)
    headers = {**wanted.headers_of(request), **sealing.headers}
    algorithm, checksum_type = _checksum(request)
    upload = Upload(
        upload_id=context.ids.text(_UPLOAD_ID_ALPHABET, UPLOAD_ID_LENGTH),
        key=request["Key"],
        initiated=context.now,
        initiator=context.principal.arn,
        storage_class=wanted.storage_class_of(request),
        checksum_algorithm=algorithm,
        checksum_type=checksum_type,
        wanted={
            "headers": headers,
            "tags": wanted.tags_of(request.get("Tagging")),
            "lock": {"mode": lock.mode, "until": lock.until, "legal_hold": lock.legal_hold},
            "sealed": sealing.sealed,
        },
    )
    store_uploads.add(context.tx, bucket, upload)
    answer = {"Bucket": bucket.name, "Key": upload.key, "UploadId": upload.upload_id}
    answer |= {name: headers[name] for name in ENCRYPTION if name in headers}
    if algorithm:
        answer |= {"ChecksumAlgorithm": algorithm, "ChecksumType": checksum_type}
    return answer


def _checksum(request: Request) -> tuple[str, str]:
    """Algorithm and type of an upload's checksum; no algorithm when its creator names none."""
    algorithm, checksum_type = request.get("ChecksumAlgorithm", ""), request.get("ChecksumType")
    if not algorithm:
        if checksum_type is not None:
            raise s3_error(
                "InvalidRequest", "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            )
        return "", FULL_OBJECT
    types = ALGORITHMS[algorithm].types()
    if checksum_type is not None and checksum_type not in types:
        raise s3_error(
            "InvalidRequest", f"The {checksum_type} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        )
    return algorithm, checksum_type or types[0]


@operation("UploadPart", mode=Mode.STREAM, permissions=_may_write, writes=True)
def upload_part(context: Context, request: Request) -> dict[str, Any]:
    """Take in a part, in place of one with the same number."""
    if "SSECustomerAlgorithm" in request:
        wanted.refuse_unavailable(request)
    with context.read() as tx:
        upload = part_target(tx, request)
    declared = declaration(context, request).algorithm
    if upload.checksum_algorithm and declared is not None and declared.name != upload.checksum_algorithm:
        raise s3_error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.checksum_algorithm.lower()}, "
            f"actual checksum Type: {declared.name.lower()}",
        )
    received = receive(
        context,
        request,
        request["Body"],
        kept=upload.checksum_algorithm or checksums.DEFAULT,
        encryptor=part_encryptor(context, upload, request["PartNumber"]),
    )
    place_part(context, request, received)
    answer = {"ETag": etag.quoted(received.etag), **received.checksum.members(with_type=False)}
    return answer | {name: upload.wanted["headers"][name] for name in ENCRYPTION if name in upload.wanted["headers"]}


def part_encryptor(context: Context, upload: Upload, part: int) -> Encryptor | None:
    """What encrypts a part with the key of its upload, got as the caller; None when the upload is not encrypted."""
    data_key = sealings.open_key(context, upload.sealed)
    return None if data_key is None else Encryptor(data_key, part)


def part_target(tx: Transaction, request: Request) -> Upload:
    """The upload that a part is meant for. Raises AwsError."""
    if not 1 <= request["PartNumber"] <= MOST_PARTS:
        raise invalid_argument(
            f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive", "partNumber", request["PartNumber"]
        )
    return upload_at(tx, bucket_at(tx, request["Bucket"], request.get("ExpectedBucketOwner")), request)


def upload_at(tx: Transaction, bucket: Bucket, request: Request) -> Upload:
    """The upload that a request names. Raises NoSuchUpload."""
    upload = store_uploads.upload(tx, bucket, request["Key"], request["UploadId"])
    if upload is None:
        raise s3_error("NoSuchUpload", UploadId=request["UploadId"])
    return upload


def place_part(context: Context, request: Request, received: Received) -> UploadedPart:
    """Write the row of a part whose bytes are here; the upload may have ended meanwhile."""
    part = UploadedPart(
        number=request["PartNumber"],
        size=received.size,
        etag=received.etag,
        digest=received.digest,
        checksum_value=received.checksum.value,
        modified=context.now,
    )

    def work(tx: Transaction) -> None:
        upload = part_target(tx, request)
        received.refer(tx, context.blobs)
        store_uploads.put_part(tx, upload.upload_id, part)

    context.write(work)
    return part


@operation("CompleteMultipartUpload", mode=Mode.WRITE, permissions=_may_write)
def complete_multipart_upload(context: Context, request: Request) -> dict[str, Any]:
    """Make the object of the parts that the caller lists. Repeated, it answers the same."""
    bucket = bucket_of(context, request)
    upload = store_uploads.upload(context.tx, bucket, request["Key"], request["UploadId"])
    if upload is None:
        done = store_objects.of_upload(context.tx, bucket, request["Key"], request["UploadId"])
        if done is None:
            raise s3_error("NoSuchUpload", UploadId=request["UploadId"])
        return _completed(context, bucket, done)
    check_write(context.tx, bucket, request)
    parts = _chosen_parts(context, upload, request)
    version = _assembled(context, bucket, upload, parts)
    _check_whole(request, version)
    stretches = [Part(part.number, part.size, part.digest, part.checksum_value) for part in parts]
    store_objects.add(context.tx, bucket, version, stretches)
    store_uploads.remove(context.tx, upload.upload_id, context.now)
    events.created(context, context.tx, bucket, version, "CompleteMultipartUpload")
    return _completed(context, bucket, version)


def _chosen_parts(context: Context, upload: Upload, request: Request) -> list[UploadedPart]:
    named = request.get("MultipartUpload", {}).get("Parts", [])
    if not named:
        raise s3_error("MalformedXML")
    member = f"Checksum{upload.checksum_algorithm or checksums.DEFAULT}"
    wanted_parts = [NamedPart(part.get("PartNumber", 0), etag.unquoted(part.get("ETag", "")), part.get(member)) for part in named]
    uploaded = {part.number: part for part in store_uploads.parts(context.tx, upload.upload_id)}
    try:
        return chosen(wanted_parts, uploaded)
    except PartsDoNotFit as error:
        refusal = s3_error(error.code, UploadId=upload.upload_id)
        refusal.members.update(error.members)
        raise refusal from None


def _assembled(context: Context, bucket: Bucket, upload: Upload, parts: Sequence[UploadedPart]) -> ObjectVersion:
    size = sum(part.size for part in parts)
    if size > LARGEST:
        raise s3_error("EntityTooLarge", ProposedSize=size, MaxSizeAllowed=LARGEST)
    algorithm = upload.checksum_algorithm or checksums.DEFAULT
    return ObjectVersion(
        key=upload.key,
        version_id=new_version_id(context, bucket),
        modified=context.now,
        size=size,
        etag=etag.of_parts([part.etag for part in parts]),
        part_count=len(parts),
        storage_class=upload.storage_class,
        checksum=checksums.of_parts(algorithm, upload.checksum_type, [(part.checksum_value, part.size) for part in parts]),
        headers=upload.wanted["headers"],
        tags=upload.wanted["tags"],
        lock=Lock(**upload.wanted["lock"]),
        upload_id=upload.upload_id,
        sealed=upload.sealed,
    )


def _check_whole(request: Request, version: ObjectVersion) -> None:
    """Hold the object against what the caller says of it as a whole. Raises AwsError."""
    if request.get("MpuObjectSize", version.size) != version.size:
        raise s3_error(
            "InvalidRequest",
            f"The provided 'x-amz-mp-object-size' header value {request['MpuObjectSize']} does not match what was computed: "
            f"{version.size}",
        )
    computed = version.checksum
    assert computed is not None
    asked: str = request.get("ChecksumType", computed.type)
    if asked != computed.type:
        raise s3_error(
            "InvalidRequest",
            f"The upload was created using the {computed.type} checksum mode. "
            "The complete request must use the same checksum mode.",
        )
    expected: Checksum | None = next(
        (Checksum(name, request[known.member]) for name, known in ALGORITHMS.items() if known.member in request), None
    )
    if expected is None:
        return
    if expected.algorithm != computed.algorithm:
        raise s3_error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {computed.algorithm.lower()}, "
            f"actual checksum Type: {expected.algorithm.lower()}",
        )
    value = expected.value
    if computed.type == COMPOSITE and "-" not in value:
        value = f"{value}-{version.part_count}"
    if value != computed.value:
        raise s3_error("BadDigest", f"The {computed.algorithm} you specified did not match the calculated checksum.")


def _completed(context: Context, bucket: Bucket, version: ObjectVersion) -> dict[str, Any]:
    host = ""
    if context.http is not None and "host" in context.http.headers:
        host = f"{context.http.scheme}://{context.http.headers['host']}"
    location = f"{host}/{bucket.name}/{quote(version.key, safe='/~')}"
    return {"Location": location, "Bucket": bucket.name, "Key": version.key} | placed(bucket, version)


@operation("AbortMultipartUpload", mode=Mode.WRITE, permissions=on_object("s3:AbortMultipartUpload"))
def abort_multipart_upload(context: Context, request: Request) -> None:
    """End an upload without an object; its parts go."""
    upload = upload_at(context.tx, bucket_of(context, request), request)
    store_uploads.remove(context.tx, upload.upload_id, context.now)
