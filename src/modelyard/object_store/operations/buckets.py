"""Buckets: made, found, listed, removed."""

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import bucket as buckets
from modelyard.object_store import store, store_uploads, tagging
from modelyard.object_store.errors import invalid_argument, s3_error
from modelyard.object_store.permissions import bucket_of, on_bucket

operation = operations_of("s3")

GLOBAL_REGION = "us-east-1"
"""Requests signed for it may make buckets in any region, and repeat themselves."""
MOST_BUCKETS = 10_000
_OLD_NAMES = {"EU": "eu-west-1"}


def _creating(context: Context, request: Request) -> Iterable[Permission]:
    name = request["Bucket"]
    if not buckets.is_valid_name(name):
        raise s3_error("InvalidBucketName", BucketName=name)
    conditions: dict[str, str | tuple[str, ...]] = {}
    constraint = request.get("CreateBucketConfiguration", {}).get("LocationConstraint")
    if constraint:
        conditions["s3:LocationConstraint"] = constraint
    resource = Resource(f"arn:aws:s3:::{name}", context.account)
    yield Permission("s3:CreateBucket", resource, conditions)
    tags = request.get("CreateBucketConfiguration", {}).get("Tags")
    if tags:
        conditions |= {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
        conditions["aws:TagKeys"] = tuple(tag["Key"] for tag in tags)
        yield Permission("s3:TagResource", resource, conditions)


@operation("CreateBucket", mode=Mode.WRITE, permissions=_creating)
def create_bucket(context: Context, request: Request) -> dict[str, Any]:
    """Make a bucket of the caller's account. Names are one space for all accounts."""
    name, region = request["Bucket"], _region(context, request)
    if request.get("ACL", "private") != "private":
        raise s3_error("InvalidBucketAclWithObjectOwnership")
    if request.get("ObjectOwnership", "BucketOwnerEnforced") != "BucketOwnerEnforced":
        raise s3_error("AccessControlListNotSupported")
    existing = store.bucket(context.tx, name)
    if existing is not None:
        if existing.account != context.account:
            raise s3_error("BucketAlreadyExists", BucketName=name)
        if not context.region == existing.region == region == GLOBAL_REGION:
            raise s3_error("BucketAlreadyOwnedByYou", BucketName=name)
        return {"Location": f"/{name}", "BucketArn": existing.arn}
    locks = bool(request.get("ObjectLockEnabledForBucket"))
    store.add_bucket(context.tx, name, context.account, region, context.now, object_lock=locks)
    tags = request.get("CreateBucketConfiguration", {}).get("Tags")
    if tags:
        made = bucket_of(context, request)
        store.put_setting(context.tx, made, "tagging", bucket_tags(tags))
    return {"Location": f"/{name}", "BucketArn": f"arn:aws:s3:::{name}"}


def _region(context: Context, request: Request) -> str:
    """Where a new bucket belongs: it has to say so, unless that is where the request was sent to."""
    constraint: str | None = request.get("CreateBucketConfiguration", {}).get("LocationConstraint")
    if constraint is None or not constraint:
        if context.region != GLOBAL_REGION:
            raise s3_error("IllegalLocationConstraintException")
        return GLOBAL_REGION
    if constraint == GLOBAL_REGION:
        raise s3_error("InvalidLocationConstraint", LocationConstraint=constraint)
    region = _OLD_NAMES.get(constraint, constraint)
    if context.region not in (GLOBAL_REGION, region):
        raise s3_error(
            "IllegalLocationConstraintException",
            f"The {constraint} location constraint is incompatible for the region specific endpoint this request was sent to.",
        )
    return region


def bucket_tags(tag_set: Iterable[dict[str, str]]) -> dict[str, str]:
    """Tags of a bucket from a TagSet. Raises InvalidTag."""
    try:
        return tagging.from_list(tag_set, tagging.MOST_OF_BUCKET)
    except tagging.InvalidTags as error:
        raise s3_error("InvalidTag", str(error)) from None


@operation("HeadBucket", mode=Mode.READ, permissions=on_bucket("s3:ListBucket"))
def head_bucket(context: Context, request: Request) -> dict[str, Any]:
    """Whether a bucket is there and the caller may list it."""
    bucket = bucket_of(context, request)
    return {"BucketRegion": bucket.region, "BucketArn": bucket.arn, "AccessPointAlias": False}


@operation("GetBucketLocation", mode=Mode.READ, permissions=on_bucket("s3:GetBucketLocation"))
def get_bucket_location(context: Context, request: Request) -> dict[str, Any]:
    """The region of a bucket; nothing for us-east-1."""
    region = bucket_of(context, request).region
    return {} if region == GLOBAL_REGION else {"LocationConstraint": region}


@operation("DeleteBucket", mode=Mode.WRITE, permissions=on_bucket("s3:DeleteBucket"))
def delete_bucket(context: Context, request: Request) -> None:
    """Remove an empty bucket; unfinished uploads go with it."""
    bucket = bucket_of(context, request)
    if not store.is_empty(context.tx, bucket):
        versioned = bucket.versioning is not buckets.Versioning.NEVER
        more = ". You must delete all versions in the bucket." if versioned else ""
        raise s3_error("BucketNotEmpty", f"The bucket you tried to delete is not empty{more}", BucketName=bucket.name)
    store_uploads.remove_all(context.tx, bucket, context.now)
    store.remove_bucket(context.tx, bucket)


def _listing_all(context: Context, _request: Request) -> Iterable[Permission]:
    yield Permission("s3:ListAllMyBuckets", Resource("arn:aws:s3:::*", context.account))


@operation("ListBuckets", mode=Mode.READ, permissions=_listing_all)
def list_buckets(context: Context, request: Request) -> dict[str, Any]:
    """The buckets of the caller's account, in order of their names."""
    most = request.get("MaxBuckets", MOST_BUCKETS)
    if not 1 <= most <= MOST_BUCKETS:
        raise invalid_argument(f"MaxBuckets must be between 1 and {MOST_BUCKETS}", "max-buckets", most)
    token, prefix = request.get("ContinuationToken"), request.get("Prefix", "")
    rows = store.buckets(
        context.tx,
        context.account,
        prefix=prefix,
        after=open_token(token) if token else "",
        region=request.get("BucketRegion", ""),
        most=most + 1,
    )
    answer: dict[str, Any] = {
        "Owner": buckets.owner(context.account),
        "Buckets": [
            {"Name": row.name, "CreationDate": row.created, "BucketRegion": row.region, "BucketArn": row.arn}
            for row in rows[:most]
        ],
    }
    if len(rows) > most:
        answer["ContinuationToken"] = seal_token(rows[most - 1].name)
    if prefix:
        answer["Prefix"] = prefix
    return answer


def seal_token(after: str) -> str:
    """A continuation token: where a listing goes on. It gives no access, so it is merely opaque."""
    return base64.urlsafe_b64encode(b"1" + after.encode()).decode()


def open_token(token: str) -> str:
    """Where a listing goes on. Raises InvalidArgument for what is no token of ours."""
    try:
        decoded = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    if not decoded.startswith("1"):
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
    return decoded[1:]
