"""What the object store tells the world: the events that S3 sends through EventBridge.

Source: "Event message structure" for EventBridge in the S3 user guide. S3 sends them for buckets that ask for
it; here every bucket does.
"""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.events import outbox
from modelyard.object_store.bucket import Bucket
from modelyard.object_store.object_version import ObjectVersion
from modelyard.storage.interface import Transaction

SOURCE = "aws.s3"
PERMANENTLY = "Permanently Deleted"
MARKED = "Delete Marker Created"


def created(context: Context, tx: Transaction, bucket: Bucket, version: ObjectVersion, reason: str) -> None:
    """An object was made by the operation `reason`."""
    about = {"size": version.size, "etag": version.etag}
    _publish(context, tx, bucket, version, "Object Created", about, {"reason": reason})


def deleted(context: Context, bucket: Bucket, version: ObjectVersion, deletion_type: str) -> None:
    """A version is gone, or a delete marker hides the object."""
    more = {"reason": "DeleteObject", "deletion-type": deletion_type}
    _publish(context, context.tx, bucket, version, "Object Deleted", {"etag": version.etag} if version.etag else {}, more)


def _publish(
    context: Context,
    tx: Transaction,
    bucket: Bucket,
    version: ObjectVersion,
    detail_type: str,
    about: dict[str, Any],
    more: dict[str, Any],
) -> None:
    thing = {"key": version.key, **about, "sequencer": f"{int(context.now * 1000):016X}"}
    if not version.is_null:
        thing["version-id"] = version.version_id
    outbox.publish(
        tx,
        source=SOURCE,
        detail_type=detail_type,
        account=bucket.account,
        region=bucket.region,
        resources=[bucket.arn],
        detail={
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": thing,
            "request-id": context.request_id,
            "requester": context.principal.account,
            "source-ip-address": context.facts.source_ip,
            **more,
        },
        group_key=bucket.arn,
        now=context.now,
    )
