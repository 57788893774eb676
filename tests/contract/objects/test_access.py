"""Who may do what with buckets and objects."""

import json
from typing import Any

import pytest
from tests.contract.objects.calls import S3, read, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, user

from modelyard.access.principal import Principal, PrincipalKind

NOBODY = Principal(arn="", account="", kind=PrincipalKind.ANONYMOUS, unique_id="", name="")


def statement(action: Any, resource: Any, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def somebody(*statements: dict[str, Any], account: str = ACCOUNT) -> Principal:
    """A user with just these statements."""
    return user(account, "somebody", document(*statements))


def let(s3: S3, *statements: dict[str, Any]) -> None:
    """Give the bucket a policy."""
    s3("PutBucketPolicy", Bucket="bucket", Policy=document(*statements))


@pytest.mark.documented
@pytest.mark.parametrize(
    ("operation", "request_", "action", "resource"),
    [
        ("HeadBucket", {}, "s3:ListBucket", "bucket"),
        ("ListObjectsV2", {}, "s3:ListBucket", "bucket"),
        ("ListObjects", {}, "s3:ListBucket", "bucket"),
        ("ListObjectVersions", {}, "s3:ListBucketVersions", "bucket"),
        ("ListMultipartUploads", {}, "s3:ListBucketMultipartUploads", "bucket"),
        ("GetBucketEncryption", {}, "s3:GetEncryptionConfiguration", "bucket"),
        ("GetObject", {"Key": "k"}, "s3:GetObject", "bucket/k"),
        ("HeadObject", {"Key": "k"}, "s3:GetObject", "bucket/k"),
        ("GetObject", {"Key": "k", "VersionId": "null"}, "s3:GetObjectVersion", "bucket/k"),
        ("PutObject", {"Key": "k", "Body": b""}, "s3:PutObject", "bucket/k"),
        ("CreateMultipartUpload", {"Key": "k"}, "s3:PutObject", "bucket/k"),
        ("DeleteObject", {"Key": "k"}, "s3:DeleteObject", "bucket/k"),
        ("DeleteObject", {"Key": "k", "VersionId": "null"}, "s3:DeleteObjectVersion", "bucket/k"),
        ("GetObjectTagging", {"Key": "k"}, "s3:GetObjectTagging", "bucket/k"),
    ],
)
def test_actions(s3: S3, bucket: str, operation: str, request_: dict[str, Any], action: str, resource: str) -> None:
    """Each operation needs the action that IAM documents for it, on its bucket or object, and no other."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"x")
    s3(operation, Bucket=bucket, **request_, by=somebody(statement(action, f"arn:aws:s3:::{resource}")))
    s3("PutObject", Bucket=bucket, Key="k", Body=b"x")
    with refused("AccessDeniedException", match=action):
        s3(operation, Bucket=bucket, **request_, by=somebody(statement(action, f"arn:aws:s3:::{resource}x")))
    others = somebody(statement("s3:*", "*"), statement(action, "*", effect="Deny"))
    with refused("AccessDeniedException", match="explicit deny"):
        s3(operation, Bucket=bucket, **request_, by=others)


@pytest.mark.documented
def test_tags_need_their_own_permission(s3: S3, bucket: str) -> None:
    """Putting an object with tags also needs s3:PutObjectTagging; a condition may look at the tags."""
    writer = somebody(statement("s3:PutObject", "*"))
    s3("PutObject", Bucket=bucket, Key="k", Body=b"", by=writer)
    with refused("AccessDeniedException", match="s3:PutObjectTagging"):
        s3("PutObject", Bucket=bucket, Key="k", Body=b"", Tagging="team=risk", by=writer)
    only_risk = {"StringEquals": {"s3:RequestObjectTag/team": "risk"}}
    risk = somebody(statement(["s3:PutObject", "s3:PutObjectTagging"], "*", Condition=only_risk))
    s3("PutObject", Bucket=bucket, Key="k", Body=b"", Tagging="team=risk", by=risk)
    with refused("AccessDeniedException"):
        s3("PutObject", Bucket=bucket, Key="k", Body=b"", Tagging="team=ads", by=risk)
    reader = somebody(statement("s3:GetObject", "*", Condition={"StringEquals": {"s3:ExistingObjectTag/team": "risk"}}))
    assert read(s3, "k", by=reader) == b""
    s3("PutObject", Bucket=bucket, Key="other", Body=b"", Tagging="team=ads")
    with refused("AccessDeniedException"):
        read(s3, "other", by=reader)


@pytest.mark.documented
def test_listing_below_a_prefix(s3: S3, bucket: str) -> None:
    """A condition on s3:prefix lets a caller list its own folder only."""
    caller = somebody(statement("s3:ListBucket", "*", Condition={"StringLike": {"s3:prefix": "team-a/*"}}))
    s3("ListObjectsV2", Bucket=bucket, Prefix="team-a/x", by=caller)
    with refused("AccessDeniedException"):
        s3("ListObjectsV2", Bucket=bucket, Prefix="team-b/", by=caller)
    with refused("AccessDeniedException"):
        s3("ListObjectsV2", Bucket=bucket, by=caller)


@pytest.mark.documented
def test_copying_needs_both_sides(s3: S3, bucket: str) -> None:
    """A copy is a read of its source and a write of its target."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"x")
    both = statement("s3:GetObject", f"arn:aws:s3:::{bucket}/k"), statement("s3:PutObject", f"arn:aws:s3:::{bucket}/copy")
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/k"}
    s3("CopyObject", **copy, by=somebody(*both))
    for alone in both:
        with refused("AccessDeniedException"):
            s3("CopyObject", **copy, by=somebody(alone))


@pytest.mark.documented
def test_deleting_many_is_decided_key_by_key(s3: S3, bucket: str) -> None:
    """Of many keys those that the caller may delete go, and the others are told."""
    for key in ("mine/1", "yours/1"):
        s3("PutObject", Bucket=bucket, Key=key, Body=b"")
    caller = somebody(statement("s3:DeleteObject", f"arn:aws:s3:::{bucket}/mine/*"))
    answer = s3("DeleteObjects", Bucket=bucket, Delete={"Objects": [{"Key": "mine/1"}, {"Key": "yours/1"}]}, by=caller)
    assert answer["Deleted"] == [{"Key": "mine/1"}]
    assert (answer["Errors"][0]["Key"], answer["Errors"][0]["Code"]) == ("yours/1", "AccessDenied")
    assert read(s3, "yours/1") == b""


@pytest.mark.documented
def test_whoever_may_not_list_is_not_told_what_is_missing(s3: S3, bucket: str) -> None:
    """A missing key is 404 for those who may list the bucket and 403 for others."""
    with refused("AccessDenied", 403):
        read(s3, "missing", by=somebody(statement("s3:GetObject", "*")))
    with refused("NoSuchKey", 404):
        read(s3, "missing", by=somebody(statement(["s3:GetObject", "s3:ListBucket"], "*")))


@pytest.mark.documented
def test_across_accounts(s3: S3, bucket: str) -> None:
    """Another account needs the bucket's policy and its own; what it puts belongs to the bucket's owner."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"x")
    other = somebody(statement("s3:*", "*"), account=OTHER_ACCOUNT)
    with refused("AccessDeniedException", match="resource-based"):
        read(s3, "k", by=other)
    principal = {"Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}}
    let(
        s3,
        statement(
            ["s3:GetObject", "s3:PutObject", "s3:PutBucketPolicy"], ["arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket"], **principal
        ),
    )
    assert read(s3, "k", by=other) == b"x"
    s3("PutObject", Bucket=bucket, Key="theirs", Body=b"y", by=other)
    assert read(s3, "theirs") == b"y"
    with refused("AccessDeniedException"):
        read(s3, "k", by=somebody(statement("s3:ListBucket", "*"), account=OTHER_ACCOUNT))
    with refused("MethodNotAllowed", 405):
        s3("PutBucketPolicy", Bucket=bucket, Policy=document(statement("s3:*", "arn:aws:s3:::bucket", **principal)), by=other)


@pytest.mark.documented
def test_public_objects(s3: S3, bucket: str) -> None:
    """Nobody in particular reads what the bucket's policy makes public, and nothing else."""
    s3("PutObject", Bucket=bucket, Key="public/k", Body=b"x")
    s3("PutObject", Bucket=bucket, Key="k", Body=b"x")
    with refused("AccessDeniedException"):
        read(s3, "public/k", by=NOBODY)
    let(s3, statement("s3:GetObject", "arn:aws:s3:::bucket/public/*", Principal="*"))
    assert read(s3, "public/k", by=NOBODY) == b"x"
    with refused("AccessDeniedException"):
        read(s3, "k", by=NOBODY)
    with refused("AccessDenied", 403):
        read(s3, "public/missing", by=NOBODY)


@pytest.mark.documented
def test_a_deny_in_the_bucket_policy_wins(s3: S3, bucket: str) -> None:
    """The owner's administrators are bound by a Deny in the bucket's policy."""
    let(s3, statement("s3:DeleteObject", "arn:aws:s3:::bucket/kept/*", effect="Deny", Principal="*"))
    s3("PutObject", Bucket=bucket, Key="kept/k", Body=b"x")
    with refused("AccessDeniedException", match="explicit deny in a resource-based policy"):
        s3("DeleteObject", Bucket=bucket, Key="kept/k")


@pytest.mark.documented
def test_a_bucket_with_tags_needs_the_permission_to_tag(s3: S3) -> None:
    """Tags grant access, so giving a new bucket some is a permission of its own."""
    tagged = {"Bucket": "tagged", "CreateBucketConfiguration": {"Tags": [{"Key": "team", "Value": "fraud"}]}}
    creating = statement("s3:CreateBucket", "*")
    with refused("AccessDeniedException", match="s3:TagResource"):
        s3("CreateBucket", **tagged, by=somebody(creating))
    of_weather = statement("s3:TagResource", "*", Condition={"StringEquals": {"aws:RequestTag/team": "weather"}})
    with refused("AccessDeniedException", match="s3:TagResource"):
        s3("CreateBucket", **tagged, by=somebody(creating, of_weather))
    s3("CreateBucket", **tagged, by=somebody(creating, statement("s3:TagResource", "arn:aws:s3:::tagged")))


@pytest.mark.documented
def test_a_copy_brings_tags_only_where_they_may_be_read_and_put(s3: S3, bucket: str) -> None:
    """Copying is no way to tag an object, or to learn tags, without the permissions for that."""
    s3("PutObject", Bucket=bucket, Key="tagged", Body=b"x", Tagging="public=yes")
    s3("PutObject", Bucket=bucket, Key="plain", Body=b"x")
    bytes_alone = [statement(["s3:GetObject", "s3:PutObject"], "*")]
    copy = {"Bucket": bucket, "Key": "copy"}
    s3("CopyObject", **copy, CopySource=f"{bucket}/plain", by=somebody(*bytes_alone))
    with refused("AccessDeniedException", match="s3:GetObjectTagging"):
        s3("CopyObject", **copy, CopySource=f"{bucket}/tagged", by=somebody(*bytes_alone))
    reading = [*bytes_alone, statement("s3:GetObjectTagging", "*")]
    with refused("AccessDeniedException", match="s3:PutObjectTagging"):
        s3("CopyObject", **copy, CopySource=f"{bucket}/tagged", by=somebody(*reading))
    no_public_tags = {"StringNotEquals": {"s3:RequestObjectTag/public": "yes"}}
    with refused("AccessDeniedException", match="s3:PutObjectTagging"):
        conditional = statement("s3:PutObjectTagging", "*", Condition=no_public_tags)
        s3("CopyObject", **copy, CopySource=f"{bucket}/tagged", by=somebody(*reading, conditional))
    s3("CopyObject", **copy, CopySource=f"{bucket}/tagged", by=somebody(*reading, statement("s3:PutObjectTagging", "*")))
    assert s3("GetObjectTagging", **copy)["TagSet"] == [{"Key": "public", "Value": "yes"}]
    untagged = somebody(*bytes_alone)
    with refused("AccessDeniedException", match="s3:PutObjectTagging"):
        s3("CopyObject", **copy, CopySource=f"{bucket}/tagged", TaggingDirective="REPLACE", Tagging="a=b", by=untagged)
    s3("CopyObject", **copy, CopySource=f"{bucket}/tagged", TaggingDirective="REPLACE", by=untagged)
    assert s3("GetObjectTagging", **copy)["TagSet"] == []


@pytest.mark.documented
@pytest.mark.parametrize("member", ["ResponseContentType", "ResponseContentDisposition", "ResponseCacheControl"])
def test_nobody_chooses_the_headers_of_a_public_object(s3: S3, bucket: str, member: str) -> None:
    """Who is not signed in reads a public object as its owner put it, and not as a page of this host."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"<script>", ContentType="text/plain")
    let(s3, statement("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal="*"))
    assert s3("GetObject", Bucket=bucket, Key="k", by=NOBODY)["ContentType"] == "text/plain"
    with refused("InvalidRequest", 400, match="cannot be used for anonymous GET requests"):
        s3("GetObject", Bucket=bucket, Key="k", by=NOBODY, **{member: "text/html"})
    assert s3("GetObject", Bucket=bucket, Key="k", **{member: "text/html"})
