"""Buckets, and what is set on them."""

import json

import pytest
from tests.contract.objects.calls import S3, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, START, user

OTHER = user(OTHER_ACCOUNT, "other")


@pytest.mark.documented
def test_creating_again(s3: S3, bucket: str) -> None:
    """In us-east-1 an owner may create a bucket again; nobody else may; elsewhere the owner is told."""
    assert s3("CreateBucket", Bucket=bucket)["Location"] == "/bucket"
    with refused("BucketAlreadyExists", 409):
        s3("CreateBucket", Bucket=bucket, by=OTHER)
    there = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    s3("CreateBucket", Bucket="bucket-in-europe", region="eu-west-1", **there)
    with refused("BucketAlreadyOwnedByYou", 409):
        s3("CreateBucket", Bucket="bucket-in-europe", region="eu-west-1", **there)


@pytest.mark.documented
def test_where_a_bucket_is(s3: S3, bucket: str) -> None:
    """A bucket is where its constraint says, which a regional endpoint wants to hear; us-east-1 shows as none."""
    with refused("IllegalLocationConstraintException", 400):
        s3("CreateBucket", Bucket="other-bucket", region="eu-west-1")
    with refused("IllegalLocationConstraintException", 400):
        s3(
            "CreateBucket",
            Bucket="other-bucket",
            region="eu-west-1",
            CreateBucketConfiguration={"LocationConstraint": "us-west-2"},
        )
    s3("CreateBucket", Bucket="other-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3("GetBucketLocation", Bucket="other-bucket") == {"LocationConstraint": "eu-west-1"}
    assert s3("GetBucketLocation", Bucket=bucket) == {}
    assert s3("HeadBucket", Bucket="other-bucket")["BucketRegion"] == "eu-west-1"


@pytest.mark.documented
def test_names(s3: S3) -> None:
    """A name that breaks S3's rules is refused, and a bucket that is not there is not found."""
    with refused("InvalidBucketName", 400):
        s3("CreateBucket", Bucket="Not_A_Bucket")
    with refused("NoSuchBucket", 404, "The specified bucket does not exist"):
        s3("HeadBucket", Bucket="never-made")


@pytest.mark.documented
def test_listing(s3: S3) -> None:
    """ListBuckets shows the caller's buckets only, in order, in pages, with their dates."""
    for name in ("bbb", "aaa", "aab"):
        s3("CreateBucket", Bucket=name)
    s3("CreateBucket", Bucket="other", by=OTHER)
    assert [found["Name"] for found in s3("ListBuckets")["Buckets"]] == ["aaa", "aab", "bbb"]
    assert [found["Name"] for found in s3("ListBuckets", Prefix="aa")["Buckets"]] == ["aaa", "aab"]
    first = s3("ListBuckets", MaxBuckets=2)
    assert first["Buckets"][0]["CreationDate"] == START
    rest = s3("ListBuckets", MaxBuckets=2, ContinuationToken=first["ContinuationToken"])
    assert [found["Name"] for found in rest["Buckets"]] == ["bbb"]
    assert "ContinuationToken" not in rest
    with refused("InvalidArgument", 400):
        s3("ListBuckets", ContinuationToken="nonsense")


@pytest.mark.documented
def test_deleting(s3: S3, bucket: str) -> None:
    """A bucket goes only when nothing is in it, not even a delete marker; unfinished uploads go with it."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"")
    with refused("BucketNotEmpty", 409):
        s3("DeleteBucket", Bucket=bucket)
    s3("PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    marker = s3("DeleteObject", Bucket=bucket, Key="k")["VersionId"]
    s3("DeleteObject", Bucket=bucket, Key="k", VersionId="null")
    with refused("BucketNotEmpty", 409, "all versions"):
        s3("DeleteBucket", Bucket=bucket)
    s3("DeleteObject", Bucket=bucket, Key="k", VersionId=marker)
    s3("CreateMultipartUpload", Bucket=bucket, Key="k")
    s3("DeleteBucket", Bucket=bucket)
    with refused("NoSuchBucket"):
        s3("ListObjectsV2", Bucket=bucket)


@pytest.mark.documented
def test_expected_owner(s3: S3, bucket: str) -> None:
    """ExpectedBucketOwner that is not the owner is refused with 403."""
    s3("HeadBucket", Bucket=bucket, ExpectedBucketOwner=ACCOUNT)
    with refused("AccessDenied", 403):
        s3("HeadBucket", Bucket=bucket, ExpectedBucketOwner=OTHER_ACCOUNT)
    with refused("AccessDenied", 403):
        s3("PutObject", Bucket=bucket, Key="k", Body=b"", ExpectedBucketOwner=OTHER_ACCOUNT)


@pytest.mark.documented
def test_policy(s3: S3, bucket: str) -> None:
    """A policy comes back as it was put; deleting it twice is harmless; without one there is NoSuchBucketPolicy."""
    with refused("NoSuchBucketPolicy", 404, "The bucket policy does not exist"):
        s3("GetBucketPolicy", Bucket=bucket)
    text = json.dumps(policy(f"arn:aws:s3:::{bucket}/*"), indent=3)
    s3("PutBucketPolicy", Bucket=bucket, Policy=text)
    assert s3("GetBucketPolicy", Bucket=bucket) == {"Policy": text}
    s3("DeleteBucketPolicy", Bucket=bucket)
    s3("DeleteBucketPolicy", Bucket=bucket)
    with refused("NoSuchBucketPolicy"):
        s3("GetBucketPolicy", Bucket=bucket)


def policy(resource: str, action: str = "s3:GetObject") -> dict[str, object]:
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", "JSON"),
        ("{", "Syntax"),
        (json.dumps(policy("arn:aws:s3:::another/*")), "invalid resource"),
        (json.dumps(policy("arn:aws:s3:::bucket2")), "invalid resource"),
        (json.dumps(policy("*")), "invalid resource"),
        (json.dumps(policy("arn:aws:s3:::bucket/*", "sagemaker:CreateModel")), "invalid action"),
        ('{"Version": "2012-10-17", "Statement": []}', ""),
        (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket"}]}',
            "",
        ),
    ],
)
def test_malformed_policies(s3: S3, bucket: str, text: str, sentence: str) -> None:
    """What is no policy about this bucket is MalformedPolicy."""
    with refused("MalformedPolicy", 400, sentence):
        s3("PutBucketPolicy", Bucket=bucket, Policy=text)


@pytest.mark.documented
def test_versioning(s3: S3, bucket: str) -> None:
    """Versioning shows nothing until it was set, and is either Enabled or Suspended then."""
    assert s3("GetBucketVersioning", Bucket=bucket) == {}
    s3("PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3("GetBucketVersioning", Bucket=bucket) == {"Status": "Suspended"}
    with refused("IllegalVersioningConfigurationException"):
        s3("PutBucketVersioning", Bucket=bucket, VersioningConfiguration={})


@pytest.mark.documented
def test_encryption(s3: S3, bucket: str) -> None:
    """AES256 is what S3 says by default; a bucket's own default goes to objects whose uploader says nothing."""
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/aws/s3"},
        "BucketKeyEnabled": True,
    }
    default = s3("GetBucketEncryption", Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert default["Rules"][0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert s3("PutObject", Bucket=bucket, Key="a", Body=b"")["ServerSideEncryption"] == "AES256"
    s3("PutBucketEncryption", Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert s3("GetBucketEncryption", Bucket=bucket) == {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}
    put = s3("PutObject", Bucket=bucket, Key="b", Body=b"")
    assert (put["ServerSideEncryption"], put["BucketKeyEnabled"]) == ("aws:kms", True)
    assert put["SSEKMSKeyId"].startswith("arn:aws:kms:us-east-1:111122223333:key/")
    assert s3("PutObject", Bucket=bucket, Key="b", Body=b"", ServerSideEncryption="AES256")["ServerSideEncryption"] == "AES256"


@pytest.mark.documented
def test_tags(s3: S3, bucket: str) -> None:
    """Tags of a bucket are replaced as a whole; without any there is NoSuchTagSet."""
    with refused("NoSuchTagSet", 404):
        s3("GetBucketTagging", Bucket=bucket)
    s3("PutBucketTagging", Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    s3("PutBucketTagging", Bucket=bucket, Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
    assert s3("GetBucketTagging", Bucket=bucket) == {"TagSet": [{"Key": "b", "Value": "2"}]}
    s3("DeleteBucketTagging", Bucket=bucket)
    with refused("NoSuchTagSet"):
        s3("GetBucketTagging", Bucket=bucket)


@pytest.mark.documented
def test_access_control_lists(s3: S3, bucket: str) -> None:
    """The owner has full control; other lists cannot be had, since access is what policies say."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"", ACL="bucket-owner-full-control")
    assert s3("GetBucketAcl", Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert s3("GetObjectAcl", Bucket=bucket, Key="k") == s3("GetBucketAcl", Bucket=bucket)
    with refused("AccessControlListNotSupported", 400):
        s3("PutObject", Bucket=bucket, Key="k", Body=b"", ACL="public-read")
    with refused("InvalidBucketAclWithObjectOwnership", 400):
        s3("CreateBucket", Bucket="public", ACL="public-read")


@pytest.mark.ours
def test_notifications_go_to_eventbridge_alone(s3: S3, bucket: str) -> None:
    """That events go to EventBridge is kept and told; queues and functions are refused with what to do instead."""
    assert s3("GetBucketNotificationConfiguration", Bucket=bucket) == {}
    wanted = {"EventBridgeConfiguration": {}}
    s3("PutBucketNotificationConfiguration", Bucket=bucket, NotificationConfiguration=wanted)
    assert s3("GetBucketNotificationConfiguration", Bucket=bucket) == wanted
    queue = {"QueueArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", "Events": ["s3:ObjectCreated:*"]}
    with refused("NotImplemented", 400):
        s3("PutBucketNotificationConfiguration", Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [queue]})
