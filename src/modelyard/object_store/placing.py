"""Making an object the newest of its key: what a put, a copy and a completed upload have in common."""

import string
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Request
from modelyard.object_store import etag, preconditions, store, store_objects
from modelyard.object_store.bucket import Bucket, Versioning
from modelyard.object_store.errors import no_such_key, precondition_failed
from modelyard.object_store.object_version import ENCRYPTION, NULL, VERSION_ID_LENGTH, ObjectVersion
from modelyard.object_store.preconditions import Verdict
from modelyard.object_store.wanted import BucketDefaults
from modelyard.storage.interface import Transaction

_VERSION_ID_ALPHABET = string.ascii_letters + string.digits + "._"


def new_version_id(context: Context, bucket: Bucket) -> str:
    """The id of the next version of any key; `null` unless the bucket keeps versions."""
    if bucket.versioning is not Versioning.ENABLED:
        return NULL
    return context.ids.text(_VERSION_ID_ALPHABET, VERSION_ID_LENGTH)


def check_write(tx: Transaction, bucket: Bucket, request: Request) -> None:
    """Raise AwsError unless the If-Match and If-None-Match of a write hold."""
    if "IfMatch" not in request and "IfNoneMatch" not in request:
        return
    newest = store_objects.newest(tx, bucket, request["Key"])
    current = None if newest is None or newest.delete_marker else newest.etag
    outcome = preconditions.of_write(request, current)
    if outcome.verdict is Verdict.MISSING:
        raise no_such_key(request["Key"])
    if outcome.verdict is Verdict.FAILED:
        raise precondition_failed(outcome.header)


def defaults_of(tx: Transaction, bucket: Bucket) -> BucketDefaults:
    """What the bucket gives to objects whose uploader does not say."""
    encryption: dict[str, Any] = {}
    configuration = store.setting(tx, bucket, "encryption")
    if configuration:
        rule = configuration["Rules"][0]
        by_default = rule.get("ApplyServerSideEncryptionByDefault", {})
        encryption = {"ServerSideEncryption": by_default.get("SSEAlgorithm", "AES256")}
        if "KMSMasterKeyID" in by_default:
            encryption["SSEKMSKeyId"] = by_default["KMSMasterKeyID"]
        if rule.get("BucketKeyEnabled"):
            encryption["BucketKeyEnabled"] = True
    lock = store.setting(tx, bucket, "object_lock") if bucket.object_lock else None
    return BucketDefaults(encryption, bucket.object_lock, lock and lock.get("Rule", {}).get("DefaultRetention"))


def placed(bucket: Bucket, version: ObjectVersion) -> dict[str, Any]:
    """What every answer says of an object that was just made."""
    answer: dict[str, Any] = {"ETag": etag.quoted(version.etag)}
    answer |= {name: version.headers[name] for name in ENCRYPTION if name in version.headers}
    if version.checksum is not None:
        answer |= version.checksum.members()
    if bucket.versioning is Versioning.ENABLED:
        answer["VersionId"] = version.version_id
    return answer
