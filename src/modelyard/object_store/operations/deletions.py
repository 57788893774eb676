"""Deleting objects: their newest version gives way to a delete marker, or a version goes for good."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import etag, events, store_objects
from modelyard.object_store.bucket import Bucket, Versioning
from modelyard.object_store.errors import precondition_failed, s3_error
from modelyard.object_store.object_version import NULL, ObjectVersion
from modelyard.object_store.permissions import bucket_of, check_key, object_permission
from modelyard.object_store.placing import new_version_id
from modelyard.object_store.receiving import check_small_body

operation = operations_of("s3")

MOST_KEYS = 1000


def _deleting(context: Context, request: Request) -> Iterable[Permission]:
    yield from _permissions(context, bucket_of(context, request), request, request)


def _permissions(context: Context, bucket: Bucket, target: Request, request: Request) -> Iterable[Permission]:
    """What deleting one key or version needs; `request` says whether retention is to be overridden."""
    key = target["Key"]
    check_key(key)
    action = "s3:DeleteObjectVersion" if "VersionId" in target else "s3:DeleteObject"
    yield object_permission(context, bucket, action, key, target)
    if "VersionId" in target and request.get("BypassGovernanceRetention"):
        yield object_permission(context, bucket, "s3:BypassGovernanceRetention", key, target)


@operation("DeleteObject", mode=Mode.WRITE, permissions=_deleting, anonymous=True)
def delete_object(context: Context, request: Request) -> dict[str, Any]:
    """Delete an object, or one version of it. What is not there counts as deleted."""
    return _delete(context, bucket_of(context, request), request, bypass=bool(request.get("BypassGovernanceRetention")))


def _nothing_beforehand(_context: Context, _request: Request) -> Iterable[Permission]:
    """Each key is decided by itself, and what is refused is told in the answer."""
    return ()


@operation("DeleteObjects", mode=Mode.WRITE, permissions=_nothing_beforehand)
def delete_objects(context: Context, request: Request) -> dict[str, Any]:
    """Delete up to 1,000 keys or versions; one that may not be deleted does not keep the others."""
    check_small_body(context, request)
    bucket = bucket_of(context, request)
    targets = request["Delete"]["Objects"]
    if not 1 <= len(targets) <= MOST_KEYS:
        raise s3_error("MalformedXML")
    deleted: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for target in targets:
        named = {name: target[name] for name in ("Key", "VersionId") if name in target}
        try:
            gone = _delete_permitted(context, bucket, request, target)
        except AwsError as error:
            code = "AccessDenied" if error.code == "AccessDeniedException" else error.code
            errors.append({**named, "Code": code, "Message": error.message})
            continue
        if not request["Delete"].get("Quiet"):
            deleted.append(named | _deleted(gone, named))
    answer: dict[str, Any] = {}
    if deleted:
        answer["Deleted"] = deleted
    if errors:
        answer["Errors"] = errors
    return answer


def _delete_permitted(context: Context, bucket: Bucket, request: Request, target: Request) -> dict[str, Any]:
    for permission in _permissions(context, bucket, target, request):
        decision = decide(context.principal, permission, context.facts)
        if not decision.allowed:
            raise s3_error("AccessDenied", decision.message)
    conditions = {"IfMatch": target["ETag"]} if "ETag" in target else {}
    return _delete(context, bucket, {**target, **conditions}, bypass=bool(request.get("BypassGovernanceRetention")))


def _deleted(gone: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """How an entry of DeleteObjects tells what happened."""
    if not gone.get("DeleteMarker"):
        return {}
    if "VersionId" in named:
        return {"DeleteMarker": True, "DeleteMarkerVersionId": named["VersionId"]}
    return {"DeleteMarker": True, "DeleteMarkerVersionId": gone["VersionId"]}


def _delete(context: Context, bucket: Bucket, request: Request, *, bypass: bool) -> dict[str, Any]:
    key, version_id = request["Key"], request.get("VersionId")
    if "IfMatch" in request:
        _check_tag(context, bucket, request)
    if version_id is not None:
        version = store_objects.version(context.tx, bucket, key, version_id)
        if version is None:
            return {"VersionId": version_id}
        return _remove(context, bucket, version, bypass=bypass)
    if bucket.versioning is Versioning.NEVER:
        version = store_objects.version(context.tx, bucket, key, NULL)
        if version is not None:
            store_objects.remove(context.tx, bucket, version, context.now)
            events.deleted(context, bucket, version, events.PERMANENTLY)
        return {}
    marker = ObjectVersion(key=key, version_id=new_version_id(context, bucket), modified=context.now, delete_marker=True)
    store_objects.add(context.tx, bucket, marker)
    events.deleted(context, bucket, marker, events.MARKED)
    return {"DeleteMarker": True, "VersionId": marker.version_id}


def _remove(context: Context, bucket: Bucket, version: ObjectVersion, *, bypass: bool) -> dict[str, Any]:
    if version.lock.forbids_deletion(context.now, bypass=bypass):
        raise s3_error("AccessDenied", "Access Denied because object protected by object lock.")
    store_objects.remove(context.tx, bucket, version, context.now)
    events.deleted(context, bucket, version, events.PERMANENTLY)
    return {"VersionId": version.version_id} | ({"DeleteMarker": True} if version.delete_marker else {})


def _check_tag(context: Context, bucket: Bucket, request: Request) -> None:
    newest = store_objects.newest(context.tx, bucket, request["Key"])
    if newest is None or newest.delete_marker or not etag.matches(request["IfMatch"], newest.etag):
        raise precondition_failed("If-Match")
