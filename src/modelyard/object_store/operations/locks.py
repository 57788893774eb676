"""Retention and legal hold of single versions."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import store_objects, wanted
from modelyard.object_store.bucket import Bucket
from modelyard.object_store.errors import s3_error
from modelyard.object_store.object_version import ObjectVersion
from modelyard.object_store.operations.object_settings import target
from modelyard.object_store.permissions import bucket_of, object_permission, on_object
from modelyard.object_store.receiving import check_small_body
from modelyard.object_store.retention import Lock

operation = operations_of("s3")


def _lockable(context: Context, request: Request) -> tuple[Bucket, ObjectVersion]:
    bucket, version = target(context, request)
    if not bucket.object_lock:
        raise s3_error("InvalidRequest", "Bucket is missing Object Lock Configuration")
    return bucket, version


def _retaining(context: Context, request: Request) -> Iterable[Permission]:
    bucket = bucket_of(context, request)
    yield object_permission(context, bucket, "s3:PutObjectRetention", request["Key"], request)
    if request.get("BypassGovernanceRetention"):
        yield object_permission(context, bucket, "s3:BypassGovernanceRetention", request["Key"], request)


@operation("PutObjectRetention", mode=Mode.WRITE, permissions=_retaining)
def put_object_retention(context: Context, request: Request) -> None:
    """Retain a version until a date; a retention in force may only become longer or stricter."""
    check_small_body(context, request)
    _, version = _lockable(context, request)
    retention = request.get("Retention", {})
    mode, until = retention.get("Mode", ""), retention.get("RetainUntilDate", 0.0)
    if bool(mode) != bool(until):
        raise s3_error("MalformedXML")
    if mode:
        wanted.check_future(until, context.now)
    lock = Lock(mode, until, version.lock.legal_hold)
    if version.lock.forbids(lock, context.now, bypass=bool(request.get("BypassGovernanceRetention"))):
        raise s3_error("AccessDenied", "Access Denied because object protected by object lock.")
    store_objects.set_lock(context.tx, version, lock)


@operation("GetObjectRetention", mode=Mode.READ, permissions=on_object("s3:GetObjectRetention"))
def get_object_retention(context: Context, request: Request) -> dict[str, Any]:
    """Until when a version is retained."""
    _, version = _lockable(context, request)
    if not version.lock.mode:
        raise s3_error("NoSuchObjectLockConfiguration", Key=version.key)
    return {"Retention": {"Mode": version.lock.mode, "RetainUntilDate": version.lock.until}}


@operation("PutObjectLegalHold", mode=Mode.WRITE, permissions=on_object("s3:PutObjectLegalHold"))
def put_object_legal_hold(context: Context, request: Request) -> None:
    """Keep a version from being deleted, or stop to."""
    check_small_body(context, request)
    _, version = _lockable(context, request)
    status = request.get("LegalHold", {}).get("Status")
    if status not in ("ON", "OFF"):
        raise s3_error("MalformedXML")
    store_objects.set_lock(context.tx, version, Lock(version.lock.mode, version.lock.until, status == "ON"))


@operation("GetObjectLegalHold", mode=Mode.READ, permissions=on_object("s3:GetObjectLegalHold"))
def get_object_legal_hold(context: Context, request: Request) -> dict[str, Any]:
    """Whether a version is kept by a legal hold."""
    _, version = _lockable(context, request)
    return {"LegalHold": {"Status": "ON" if version.lock.legal_hold else "OFF"}}
