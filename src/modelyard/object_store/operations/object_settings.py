"""What is set on an object after it was put: its tags; and its access control list."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import store_objects, tagging
from modelyard.object_store.bucket import Bucket, Versioning
from modelyard.object_store.errors import s3_error
from modelyard.object_store.object_version import ObjectVersion
from modelyard.object_store.operations.bucket_settings import owner_has_all
from modelyard.object_store.operations.reads import readable
from modelyard.object_store.permissions import bucket_of, on_object, tag_conditions, version_at
from modelyard.object_store.receiving import check_small_body

operation = operations_of("s3")

_may_read_tags = on_object("s3:GetObjectTagging", of_version="s3:GetObjectVersionTagging", existing_tags=True)
_may_delete_tags = on_object("s3:DeleteObjectTagging", of_version="s3:DeleteObjectVersionTagging", existing_tags=True)
_may_put_tags = on_object("s3:PutObjectTagging", of_version="s3:PutObjectVersionTagging", existing_tags=True)
_may_read_acl = on_object("s3:GetObjectAcl", of_version="s3:GetObjectVersionAcl", existing_tags=True)


def target(context: Context, request: Request) -> tuple[Bucket, ObjectVersion]:
    """The version that a request names, with its bucket. Raises AwsError for what has no bytes."""
    bucket = bucket_of(context, request)
    key, version_id = request["Key"], request.get("VersionId")
    return bucket, readable(context, bucket, version_at(context.tx, bucket, key, version_id), key, version_id)


def shown_version(bucket: Bucket, version: ObjectVersion) -> dict[str, Any]:
    """The version id, as answers of versioned buckets carry it."""
    return {} if bucket.versioning is Versioning.NEVER else {"VersionId": version.version_id}


def _putting_tags(context: Context, request: Request) -> Iterable[Permission]:
    for permission in _may_put_tags(context, request):
        yield Permission(permission.action, permission.resource, {**permission.conditions, **tag_conditions(request)})


@operation("PutObjectTagging", mode=Mode.WRITE, permissions=_putting_tags)
def put_object_tagging(context: Context, request: Request) -> dict[str, Any]:
    """Give an object these tags in place of its own."""
    check_small_body(context, request)
    bucket, version = target(context, request)
    try:
        tags = tagging.from_list(request["Tagging"]["TagSet"], tagging.MOST_OF_OBJECT)
    except tagging.InvalidTags as error:
        raise s3_error("InvalidTag", str(error)) from None
    store_objects.set_tags(context.tx, version, tags)
    return shown_version(bucket, version)


@operation("GetObjectTagging", mode=Mode.READ, permissions=_may_read_tags)
def get_object_tagging(context: Context, request: Request) -> dict[str, Any]:
    """The tags of an object."""
    bucket, version = target(context, request)
    return {"TagSet": tagging.to_list(version.tags), **shown_version(bucket, version)}


@operation("DeleteObjectTagging", mode=Mode.WRITE, permissions=_may_delete_tags)
def delete_object_tagging(context: Context, request: Request) -> dict[str, Any]:
    """Take an object's tags away."""
    bucket, version = target(context, request)
    store_objects.set_tags(context.tx, version, {})
    return shown_version(bucket, version)


@operation("GetObjectAcl", mode=Mode.READ, permissions=_may_read_acl)
def get_object_acl(context: Context, request: Request) -> dict[str, Any]:
    """The bucket's owner has full control and nobody else has any: access is what policies say."""
    bucket, _ = target(context, request)
    return owner_has_all(bucket)
