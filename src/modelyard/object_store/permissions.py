"""What S3's operations ask for: actions as IAM knows them, on buckets and objects with their owners, policies and tags.

A bucket that is not there is reported before anything else, as S3 does: its name is nobody's secret.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import ANY_TYPE, finds
from modelyard.object_store import store, store_objects, store_pins, tagging
from modelyard.object_store.bucket import Bucket
from modelyard.object_store.errors import invalid_argument, no_such_bucket, no_such_key, s3_error
from modelyard.object_store.object_key import MOST_BYTES, byte_length
from modelyard.object_store.object_version import ObjectVersion
from modelyard.storage.interface import Transaction

Request = Mapping[str, Any]
Conditions = dict[str, str | tuple[str, ...]]

_REQUEST_KEYS = {
    "ACL": "s3:x-amz-acl",
    "CopySource": "s3:x-amz-copy-source",
    "Delimiter": "s3:delimiter",
    "MaxKeys": "s3:max-keys",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "ObjectLockLegalHoldStatus": "s3:object-lock-legal-hold",
    "ObjectLockMode": "s3:object-lock-mode",
    "Prefix": "s3:prefix",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "StorageClass": "s3:x-amz-storage-class",
    "VersionId": "s3:VersionId",
    "WebsiteRedirectLocation": "s3:x-amz-website-redirect-location",
}
"""Members of requests that conditions may look at (service authorization reference of S3)."""


def bucket_at(tx: Transaction, name: str, expected_owner: str | None = None) -> Bucket:
    """The bucket of this name. Raises NoSuchBucket, and AccessDenied when it is not owned by whom the caller expects."""
    bucket = store.bucket(tx, name)
    if bucket is None:
        raise no_such_bucket(name)
    if expected_owner is not None and expected_owner != bucket.account:
        raise s3_error("AccessDenied")
    return bucket


def bucket_of(context: Context, request: Request) -> Bucket:
    """The bucket that a request names, in this transaction."""
    return bucket_at(context.tx, request["Bucket"], request.get("ExpectedBucketOwner"))


def on_bucket(action: str) -> Permissions:
    """One action on the bucket that the request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield bucket_permission(context, bucket_of(context, request), action, request)

    return permissions


def on_object(action: str, *, of_version: str | None = None, existing_tags: bool = False) -> Permissions:
    """One action on the object that the request names; `of_version` when it names a version of it."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        bucket = bucket_of(context, request)
        check_key(request["Key"])
        asked = of_version if of_version and "VersionId" in request else action
        found = kept_version_at(context.tx, bucket, request["Key"], request.get("VersionId")) if existing_tags else None
        yield object_permission(context, bucket, asked, request["Key"], request, found)

    return permissions


def writing(context: Context, request: Request) -> Iterable[Permission]:
    """Putting an object: the action itself, and one more for tags, retention and legal hold that come with it."""
    bucket = bucket_of(context, request)
    key = request["Key"]
    check_key(key)
    conditions = request_conditions(context, request) | tag_conditions(request)
    resource = object_resource(bucket, key)
    yield Permission("s3:PutObject", resource, conditions)
    if request.get("Tagging"):
        yield Permission("s3:PutObjectTagging", resource, conditions)
    if "ObjectLockMode" in request:
        yield Permission("s3:PutObjectRetention", resource, conditions)
    if "ObjectLockLegalHoldStatus" in request:
        yield Permission("s3:PutObjectLegalHold", resource, conditions)


def copying(context: Context, request: Request) -> Iterable[Permission]:
    """Reading the source of a copy, and putting its target; and the same of the tags that go with it."""
    yield from copying_part(context, request)
    bucket, key, version_id = copy_source(context.tx, request)
    found = kept_version_at(context.tx, bucket, key, version_id)
    if found is None or not found.tags or request.get("TaggingDirective") == "REPLACE":
        return
    yield _reading(context, bucket, key, version_id, found, "Tagging")
    conditions = request_conditions(context, request) | _conditions_of_tags(found.tags)
    yield Permission("s3:PutObjectTagging", object_resource(bucket_of(context, request), request["Key"]), conditions)


def copying_part(context: Context, request: Request) -> Iterable[Permission]:
    """Reading the source of a copy, and putting its target: all that a part of an upload takes over are bytes."""
    bucket, key, version_id = copy_source(context.tx, request)
    yield _reading(context, bucket, key, version_id, kept_version_at(context.tx, bucket, key, version_id))
    yield from writing(context, request)


def _reading(
    context: Context, bucket: Bucket, key: str, version_id: str | None, found: ObjectVersion | None, what: str = ""
) -> Permission:
    """Reading an object, or a version of it when one is named; with `Tagging`, reading its tags."""
    if version_id is None:
        return object_permission(context, bucket, f"s3:GetObject{what}", key, {}, found)
    return object_permission(context, bucket, f"s3:GetObjectVersion{what}", key, {"VersionId": version_id}, found)


def copy_source(tx: Transaction, request: Request) -> tuple[Bucket, str, str | None]:
    """Bucket, key and version id of `CopySource`: `/bucket/key?versionId=…`, percent-encoded."""
    path, _, query = request["CopySource"].partition("?versionId=")
    name, slash, key = unquote(path).removeprefix("/").partition("/")
    if not slash or not key:
        raise invalid_argument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            "x-amz-copy-source",
            request["CopySource"],
        )
    check_key(key)
    return bucket_at(tx, name, request.get("ExpectedSourceBucketOwner")), key, unquote(query) or None


def bucket_permission(context: Context, bucket: Bucket, action: str, request: Request) -> Permission:
    """An action on a bucket, with the condition keys of the request."""
    resource = Resource(bucket.arn, bucket.account, bucket.tags, bucket.policy)
    return Permission(action, resource, request_conditions(context, request))


def object_permission(
    context: Context, bucket: Bucket, action: str, key: str, request: Request, existing: ObjectVersion | None = None
) -> Permission:
    """An action on an object, with the condition keys of the request and of the object as it is."""
    conditions = request_conditions(context, request)
    if existing is not None:
        conditions.update({f"s3:ExistingObjectTag/{key}": value for key, value in existing.tags.items()})
    return Permission(action, object_resource(bucket, key), conditions)


def object_resource(bucket: Bucket, key: str) -> Resource:
    """An object: it belongs to the owner of its bucket, whose policy speaks for it."""
    return Resource(f"{bucket.arn}/{key}", bucket.account, policy=bucket.policy)


def request_conditions(context: Context, request: Request) -> Conditions:
    """S3's condition keys as the request has them."""
    conditions: Conditions = {key: str(request[member]) for member, key in _REQUEST_KEYS.items() if member in request}
    conditions["s3:signatureversion"] = context.facts.signature_version
    return conditions


def tag_conditions(request: Request) -> Conditions:
    """`s3:RequestObjectTag/<key>` and `s3:RequestObjectTagKeys` of a request that brings tags."""
    try:
        if isinstance(request.get("Tagging"), str):
            tags = tagging.from_header(request["Tagging"])
        else:
            tags = tagging.from_list(request.get("Tagging", {}).get("TagSet", ()), tagging.MOST_OF_OBJECT)
    except tagging.InvalidTags as error:
        raise s3_error("InvalidTag", str(error)) from None
    return _conditions_of_tags(tags)


def _conditions_of_tags(tags: Mapping[str, str]) -> Conditions:
    conditions: Conditions = {f"s3:RequestObjectTag/{key}": value for key, value in tags.items()}
    if tags:
        conditions["s3:RequestObjectTagKeys"] = tuple(tags)
    return conditions


def version_at(tx: Transaction, bucket: Bucket, key: str, version_id: str | None) -> ObjectVersion | None:
    """A version of an object: the newest unless one is named; it may be a delete marker."""
    if version_id is None:
        return store_objects.newest(tx, bucket, key)
    return store_objects.version(tx, bucket, key, version_id)


def kept_version_at(tx: Transaction, bucket: Bucket, key: str, version_id: str | None) -> ObjectVersion | None:
    """The same for whoever only reads: a version that was removed is there as long as its bytes are pinned."""
    found = version_at(tx, bucket, key, version_id)
    return store_pins.version(tx, bucket, key, version_id) if found is None and version_id is not None else found


def missing(
    context: Context, bucket: Bucket, key: str, version_id: str | None = None, headers: dict[str, str] | None = None
) -> AwsError:
    """The answer to a read of what is not there: whoever may not list the bucket is not told so."""
    permission = bucket_permission(context, bucket, "s3:ListBucket", {})
    if not decide(context.principal, permission, context.facts).allowed:
        return s3_error("AccessDenied")
    if version_id is not None:
        return s3_error("NoSuchVersion", Key=key, VersionId=version_id)
    error = no_such_key(key)
    error.headers.update(headers or {})
    return error


def check_key(key: str) -> None:
    """Raise KeyTooLongError for a key of more than 1,024 bytes."""
    size = byte_length(key)
    if size > MOST_BYTES:
        raise s3_error("KeyTooLongError", Size=size, MaxSizeAllowed=MOST_BYTES)


@finds("s3", ANY_TYPE)
def find_bucket_or_object(context: Context, arn: Arn) -> Resource | None:
    """A bucket, or whatever object in it an ARN names, for those who ask what may be done with it."""
    name, slash, key = arn.resource.partition("/")
    bucket = store.bucket(context.tx, name)
    if bucket is None:
        return None
    return object_resource(bucket, key) if slash else Resource(bucket.arn, bucket.account, bucket.tags, bucket.policy)
