"""What a bucket's owner sets: policy, versioning, encryption, tags, object lock; and its access control list."""

from typing import Any

from modelyard.access.policy import MalformedPolicy, Policy, PolicyKind, parse_policy
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import store, tagging
from modelyard.object_store.bucket import Bucket, Versioning
from modelyard.object_store.errors import s3_error
from modelyard.object_store.operations.buckets import bucket_tags
from modelyard.object_store.permissions import bucket_of, on_bucket
from modelyard.object_store.receiving import check_small_body
from modelyard.object_store.retention import COMPLIANCE, GOVERNANCE

operation = operations_of("s3")

LARGEST_POLICY = 20 * 1024
"""Bytes."""
ENCRYPTED_BY_S3 = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}
"""What S3 says of a bucket whose owner set nothing."""


@operation("PutBucketPolicy", mode=Mode.WRITE, permissions=on_bucket("s3:PutBucketPolicy"))
def put_bucket_policy(context: Context, request: Request) -> None:
    """Keep a policy for the bucket and its objects; it counts from the next request on."""
    check_small_body(context, request)
    bucket, text = bucket_of(context, request), request["Policy"]
    if bucket.account != context.account:
        raise s3_error("MethodNotAllowed")
    if len(text.encode()) > LARGEST_POLICY:
        raise s3_error("MalformedPolicy", f"Policy exceeds the maximum allowed document size of {LARGEST_POLICY} bytes.")
    if not text.startswith("{"):
        raise s3_error("MalformedPolicy")
    try:
        policy = parse_policy(text, PolicyKind.RESOURCE)
    except MalformedPolicy as error:
        raise s3_error("MalformedPolicy", str(error)) from None
    _check_about(policy, bucket)
    store.set_policy(context.tx, bucket, text)


def _check_about(policy: Policy, bucket: Bucket) -> None:
    """Raise MalformedPolicy unless the statements are about this bucket and about S3."""
    for statement in policy.statements:
        assert statement.source is not None, "only a stored policy that is broken has statements without a source"
        for resource in (statement.source.resources or ()) + (statement.source.not_resources or ()):
            if resource != bucket.arn and not resource.startswith(f"{bucket.arn}/") and not _covers(resource, bucket):
                raise s3_error("MalformedPolicy", "Policy has invalid resource")
        for action in (statement.source.actions or ()) + (statement.source.not_actions or ()):
            if action != "*" and not action.lower().startswith("s3:"):
                raise s3_error("MalformedPolicy", "Policy has invalid action")


def _covers(resource: str, bucket: Bucket) -> bool:
    """Whether a resource with wildcards begins as the bucket's ARN does: `arn:aws:s3:::name*`."""
    stem = resource.partition("*")[0].partition("?")[0]
    return stem != resource and stem.startswith("arn:aws:s3:::") and bucket.arn.startswith(stem) and stem != "arn:aws:s3:::"


@operation("GetBucketPolicy", mode=Mode.READ, permissions=on_bucket("s3:GetBucketPolicy"))
def get_bucket_policy(context: Context, request: Request) -> dict[str, Any]:
    """The policy as it was put."""
    bucket = bucket_of(context, request)
    if bucket.account != context.account:
        raise s3_error("MethodNotAllowed")
    if bucket.policy is None:
        raise s3_error("NoSuchBucketPolicy", BucketName=bucket.name)
    return {"Policy": bucket.policy}


@operation("DeleteBucketPolicy", mode=Mode.WRITE, permissions=on_bucket("s3:DeleteBucketPolicy"))
def delete_bucket_policy(context: Context, request: Request) -> None:
    """Have no policy any more; harmless when there is none."""
    bucket = bucket_of(context, request)
    if bucket.account != context.account:
        raise s3_error("MethodNotAllowed")
    store.set_policy(context.tx, bucket, None)


@operation("PutBucketVersioning", mode=Mode.WRITE, permissions=on_bucket("s3:PutBucketVersioning"))
def put_bucket_versioning(context: Context, request: Request) -> None:
    """Keep versions from now on, or stop to."""
    check_small_body(context, request)
    bucket = bucket_of(context, request)
    configuration = request["VersioningConfiguration"]
    status = configuration.get("Status")
    if status not in (Versioning.ENABLED, Versioning.SUSPENDED):
        raise s3_error(
            "IllegalVersioningConfigurationException",
            "The Versioning element must be specified",
        )
    if configuration.get("MFADelete") == "Enabled":
        raise s3_error("NotImplemented", "MFA delete is not available in Modelyard.")
    if bucket.object_lock and status != Versioning.ENABLED:
        raise s3_error(
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
        )
    store.set_versioning(context.tx, bucket, Versioning(status))


@operation("GetBucketVersioning", mode=Mode.READ, permissions=on_bucket("s3:GetBucketVersioning"))
def get_bucket_versioning(context: Context, request: Request) -> dict[str, Any]:
    """Whether versions are kept; nothing if that was never enabled."""
    versioning = bucket_of(context, request).versioning
    return {} if versioning is Versioning.NEVER else {"Status": versioning.value}


@operation("PutBucketEncryption", mode=Mode.WRITE, permissions=on_bucket("s3:PutEncryptionConfiguration"))
def put_bucket_encryption(context: Context, request: Request) -> None:
    """Keep what is said of the encryption of objects whose uploader says nothing."""
    check_small_body(context, request)
    configuration = request["ServerSideEncryptionConfiguration"]
    rules = configuration.get("Rules", [])
    by_default = rules[0].get("ApplyServerSideEncryptionByDefault", {}) if len(rules) == 1 else {}
    algorithm = by_default.get("SSEAlgorithm")
    if algorithm not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise s3_error("MalformedXML")
    if algorithm == "aws:kms:dsse":
        raise s3_error("NotImplemented", "Encryption with aws:kms:dsse is not available in Modelyard.")
    if algorithm == "AES256" and "KMSMasterKeyID" in by_default:
        raise s3_error(
            "InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
        )
    store.put_setting(context.tx, bucket_of(context, request), "encryption", configuration)


@operation("GetBucketEncryption", mode=Mode.READ, permissions=on_bucket("s3:GetEncryptionConfiguration"))
def get_bucket_encryption(context: Context, request: Request) -> dict[str, Any]:
    """The bucket's default encryption."""
    configuration = store.setting(context.tx, bucket_of(context, request), "encryption")
    return {"ServerSideEncryptionConfiguration": configuration or ENCRYPTED_BY_S3}


@operation("DeleteBucketEncryption", mode=Mode.WRITE, permissions=on_bucket("s3:PutEncryptionConfiguration"))
def delete_bucket_encryption(context: Context, request: Request) -> None:
    """Go back to S3's own default."""
    store.remove_setting(context.tx, bucket_of(context, request), "encryption")


@operation("PutBucketTagging", mode=Mode.WRITE, permissions=on_bucket("s3:PutBucketTagging"))
def put_bucket_tagging(context: Context, request: Request) -> None:
    """Give the bucket these tags in place of its own."""
    check_small_body(context, request)
    tags = bucket_tags(request["Tagging"]["TagSet"])
    store.put_setting(context.tx, bucket_of(context, request), "tagging", tags)


@operation("GetBucketTagging", mode=Mode.READ, permissions=on_bucket("s3:GetBucketTagging"))
def get_bucket_tagging(context: Context, request: Request) -> dict[str, Any]:
    """The bucket's tags."""
    bucket = bucket_of(context, request)
    if not bucket.tags:
        raise s3_error("NoSuchTagSet", BucketName=bucket.name)
    return {"TagSet": tagging.to_list(bucket.tags)}


@operation("DeleteBucketTagging", mode=Mode.WRITE, permissions=on_bucket("s3:PutBucketTagging"))
def delete_bucket_tagging(context: Context, request: Request) -> None:
    """Take the bucket's tags away."""
    store.remove_setting(context.tx, bucket_of(context, request), "tagging")


@operation("PutObjectLockConfiguration", mode=Mode.WRITE, permissions=on_bucket("s3:PutBucketObjectLockConfiguration"))
def put_object_lock_configuration(context: Context, request: Request) -> None:
    """Allow retention on the bucket's versions, and say what new ones get by default."""
    check_small_body(context, request)
    bucket = bucket_of(context, request)
    if bucket.versioning is not Versioning.ENABLED:
        raise s3_error("InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
    configuration = request.get("ObjectLockConfiguration", {})
    if configuration.get("ObjectLockEnabled") != "Enabled":
        raise s3_error("MalformedXML")
    default = configuration.get("Rule", {}).get("DefaultRetention")
    if "Rule" in configuration:
        lengths = [default[unit] for unit in ("Days", "Years") if unit in default] if default else []
        if len(lengths) != 1 or default.get("Mode") not in (GOVERNANCE, COMPLIANCE):
            raise s3_error("MalformedXML")
        if not 1 <= lengths[0] <= (36_500 if "Days" in default else 100):
            raise s3_error("InvalidArgument", "Default retention period must be a positive integer value.")
    store.enable_object_lock(context.tx, bucket)
    store.put_setting(context.tx, bucket, "object_lock", configuration)


@operation("GetObjectLockConfiguration", mode=Mode.READ, permissions=on_bucket("s3:GetBucketObjectLockConfiguration"))
def get_object_lock_configuration(context: Context, request: Request) -> dict[str, Any]:
    """Whether versions may be retained, and the default for new ones."""
    bucket = bucket_of(context, request)
    if not bucket.object_lock:
        raise s3_error("ObjectLockConfigurationNotFoundError", BucketName=bucket.name)
    configuration = store.setting(context.tx, bucket, "object_lock")
    return {"ObjectLockConfiguration": configuration or {"ObjectLockEnabled": "Enabled"}}


@operation("GetBucketAcl", mode=Mode.READ, permissions=on_bucket("s3:GetBucketAcl"))
def get_bucket_acl(context: Context, request: Request) -> dict[str, Any]:
    """The owner has full control and nobody else has any: access is what policies say."""
    return owner_has_all(bucket_of(context, request))


def owner_has_all(bucket: Bucket) -> dict[str, Any]:
    """The access control list of a bucket, and of every object in it."""
    grantee = {"Type": "CanonicalUser", **bucket.owner}
    return {"Owner": bucket.owner, "Grants": [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]}
