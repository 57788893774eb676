"""Putting objects."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import events, store_objects, wanted
from modelyard.object_store import sealing as sealings
from modelyard.object_store.encryption import WHOLE
from modelyard.object_store.object_version import ObjectVersion
from modelyard.object_store.permissions import bucket_at, writing
from modelyard.object_store.placing import check_write, defaults_of, new_version_id, placed
from modelyard.object_store.receiving import Received, receive
from modelyard.object_store.sealing import Sealing
from modelyard.storage.interface import Transaction

operation = operations_of("s3")


@operation("PutObject", mode=Mode.STREAM, permissions=writing, anonymous=True, writes=True)
def put_object(context: Context, request: Request) -> dict[str, Any]:
    """Take in an object. Its bytes and its row are on disk before the answer leaves."""
    wanted.refuse_unavailable(request)
    with context.read() as tx:
        bucket = bucket_at(tx, request["Bucket"], request.get("ExpectedBucketOwner"))
        check_write(tx, bucket, request)
        # Whatever is wrong with the request is said before the bytes are read.
        defaults = defaults_of(tx, bucket)
        wanted.lock_of(request, defaults, context.now)
    wanted.headers_of(request)
    sealing = sealings.new(context, bucket, request["Key"], wanted.encryption_of(request, defaults), request)
    received = receive(context, request, request["Body"], encryptor=sealing.encryptor(WHOLE))
    return context.write(lambda tx: _place(context, tx, request, received, sealing))


def _place(context: Context, tx: Transaction, request: Request, received: Received, sealing: Sealing) -> dict[str, Any]:
    bucket = bucket_at(tx, request["Bucket"], request.get("ExpectedBucketOwner"))
    check_write(tx, bucket, request)
    received.refer(tx, context.blobs)
    version = ObjectVersion(
        key=request["Key"],
        version_id=new_version_id(context, bucket),
        modified=context.now,
        size=received.size,
        etag=received.etag,
        digest=received.digest,
        storage_class=wanted.storage_class_of(request),
        checksum=received.checksum,
        headers={**wanted.headers_of(request), **sealing.headers},
        tags=wanted.tags_of(request.get("Tagging")),
        lock=wanted.lock_of(request, defaults_of(tx, bucket), context.now),
        sealed=sealing.sealed,
    )
    store_objects.add(tx, bucket, version)
    events.created(context, tx, bucket, version, "PutObject")
    return placed(bucket, version)
