"""Objects that are encrypted with a key of KMS: really, and as the one who writes and the one who reads."""

import base64
import hashlib
import json
from typing import Any

import pytest
from tests.contract.objects.calls import S3, body, read, refused, upload
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, user

from modelyard.access.principal import Principal, PrincipalKind
from modelyard.object_store.encryption import Tampered, sealed_size

FIVE = 5 * 1024 * 1024
KMS = {"ServerSideEncryption": "aws:kms"}


class Kms:
    """The operations of KMS, and a key."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self.key: str = self("CreateKey")["KeyMetadata"]["Arn"]

    def __call__(self, operation: str, by: Principal | None = None, **request: Any) -> Any:
        return self._yard.call("kms", operation, by, **request)


@pytest.fixture
def kms(yard_in_process: Yard) -> Kms:
    return Kms(yard_in_process)


def kept(yard: Yard) -> bytes:
    """Everything that is kept on disk."""
    blobs = yard.house.blobs
    return b"".join(b"".join(blobs.read(digest)) for digest in blobs.digests())


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **each} for each in statements]}
    )


def reader(*actions: str, account: str = ACCOUNT, name: str = "reader") -> Principal:
    return user(account, name, policy({"Action": list(actions)}))


@pytest.mark.documented
def test_an_encrypted_object(s3: S3, bucket: str, kms: Kms, yard_in_process: Yard) -> None:
    """It is read as it was written, its key is named by ARN, its ETag is no MD5, and nothing of it is on disk in clear."""
    secret = b"a model that nobody may see" * 10_000
    put = s3("PutObject", Bucket=bucket, Key="k", Body=secret, SSEKMSKeyId=kms.key.rpartition("/")[2], **KMS)
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", kms.key)
    assert put["ETag"].strip('"') != hashlib.md5(secret).hexdigest()
    got = s3("GetObject", Bucket=bucket, Key="k")
    assert body(got) == secret
    assert (got["ServerSideEncryption"], got["SSEKMSKeyId"], got["ContentLength"]) == ("aws:kms", kms.key, len(secret))
    head = s3("HeadObject", Bucket=bucket, Key="k")
    assert (head["SSEKMSKeyId"], head["ETag"]) == (kms.key, put["ETag"])
    assert read(s3, "k", Range="bytes=100000-100009") == secret[100_000:100_010]
    assert read(s3, "k", Range="bytes=-3") == secret[-3:]
    on_disk = kept(yard_in_process)
    assert len(on_disk) == sealed_size(len(secret)) and b"nobody may see" not in on_disk


@pytest.mark.documented
def test_without_a_key_s3s_own_is_used(s3: S3, bucket: str, kms: Kms) -> None:
    """aws:kms alone means the key that AWS manages for S3, which everybody of the account may use, and nobody else."""
    managed = kms("DescribeKey", KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    assert s3("PutObject", Bucket=bucket, Key="k", Body=b"secret", **KMS)["SSEKMSKeyId"] == managed
    assert read(s3, "k", by=reader("s3:GetObject")) == b"secret"
    everyone = {"Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    s3("PutBucketPolicy", Bucket=bucket, Policy=policy(everyone))
    with refused("AccessDenied", 403, match="kms:Decrypt"):
        s3("GetObject", Bucket=bucket, Key="k", by=user(OTHER_ACCOUNT))


@pytest.mark.documented
def test_who_may_not_use_the_key(s3: S3, bucket: str, kms: Kms) -> None:
    """Reading asks for kms:Decrypt and writing for kms:GenerateDataKey besides S3's own permissions; heads ask for neither."""
    own = {"Bucket": bucket, "Key": "k"}
    s3("PutObject", **own, Body=b"secret", SSEKMSKeyId=kms.key, **KMS)
    poor = reader("s3:*")
    with refused("AccessDenied", 403, match=f"not authorized to perform: kms:Decrypt on resource: {kms.key}"):
        s3("GetObject", **own, by=poor)
    with refused("AccessDenied", 403, match="kms:GenerateDataKey"):
        s3("PutObject", **own, Body=b"x", SSEKMSKeyId=kms.key, by=poor, **KMS)
    assert s3("HeadObject", **own, by=poor)["ContentLength"] == 6
    for operation, more in (
        ("HeadObject", {"ChecksumMode": "ENABLED"}),
        ("GetObjectAttributes", {"ObjectAttributes": ["Checksum"]}),
    ):
        with refused("AccessDenied", 403, match="kms:Decrypt"):
            s3(operation, **own, by=poor, **more)
    with refused("AccessDenied", 403, match="kms:Decrypt"):
        s3("CopyObject", Bucket=bucket, Key="copy", CopySource=f"{bucket}/k", by=poor)
    assert body(s3("GetObject", **own, by=reader("s3:*", "kms:Decrypt"))) == b"secret"
    nobody = Principal("*", "anonymous", PrincipalKind.ANONYMOUS, "anonymous", "anonymous")
    s3(
        "PutBucketPolicy",
        Bucket=bucket,
        Policy=policy({"Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}),
    )
    with refused("InvalidArgument", 400, match="require AWS Signature Version 4"):
        s3("GetObject", **own, by=nobody)


@pytest.mark.documented
def test_a_grant_opens_an_object_to_another_account(s3: S3, bucket: str, kms: Kms) -> None:
    """Bucket policy, grant and identity policy together let another account read; revoking the grant ends it."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"secret", SSEKMSKeyId=kms.key, **KMS)
    far = reader("s3:GetObject", "kms:Decrypt", account=OTHER_ACCOUNT)
    resource = f"arn:aws:s3:::{bucket}/*"
    s3(
        "PutBucketPolicy",
        Bucket=bucket,
        Policy=policy({"Principal": {"AWS": OTHER_ACCOUNT}, "Action": "s3:GetObject", "Resource": resource}),
    )
    with refused("AccessDenied", 403, match="no resource-based policy allows the kms:Decrypt action"):
        s3("GetObject", Bucket=bucket, Key="k", by=far)
    grant = kms("CreateGrant", KeyId=kms.key, GranteePrincipal=OTHER_ACCOUNT, Operations=["Decrypt"])
    assert read(s3, "k", by=far) == b"secret"
    kms("RevokeGrant", KeyId=kms.key, GrantId=grant["GrantId"])
    with refused("AccessDenied", 403):
        s3("GetObject", Bucket=bucket, Key="k", by=far)


@pytest.mark.documented
def test_policies_see_s3_and_the_object(s3: S3, bucket: str, kms: Kms) -> None:
    """kms:ViaService is S3, the encryption context names the object, and the uploader may add to it."""
    condition = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com", "kms:EncryptionContext:team": "weather"}}
    condition["StringLike"] = {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}/a/*"}
    own = policy({"Action": "s3:*"}, {"Action": "kms:*", "Condition": condition})
    limited = user(ACCOUNT, "limited", own)
    team = base64.b64encode(b'{"team": "weather"}').decode()
    request = {"Bucket": bucket, "Body": b"x", "SSEKMSKeyId": kms.key, "SSEKMSEncryptionContext": team, **KMS}
    s3("PutObject", **request, Key="a/k", by=limited)
    assert read(s3, "a/k", by=limited) == b"x"
    for other in ({"Key": "b/k"}, {"Key": "a/k", "SSEKMSEncryptionContext": base64.b64encode(b"{}").decode()}):
        with refused("AccessDenied", 403):
            s3("PutObject", **{**request, **other}, by=limited)
    with refused("AccessDeniedException"):
        kms("Encrypt", limited, KeyId=kms.key, Plaintext=b"x", EncryptionContext={"team": "weather"})


@pytest.mark.documented
def test_bucket_defaults(s3: S3, bucket: str, kms: Kms) -> None:
    """A bucket's default key encrypts what comes without a word of it; with a bucket key the context is the bucket."""
    kms("CreateAlias", AliasName="alias/models", TargetKeyId=kms.key)
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/models"},
        "BucketKeyEnabled": True,
    }
    s3("PutBucketEncryption", Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    put = s3("PutObject", Bucket=bucket, Key="k", Body=b"secret")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"]) == ("aws:kms", kms.key, True)
    condition = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}"}}
    limited = user(ACCOUNT, "limited", policy({"Action": "s3:*"}, {"Action": "kms:*", "Condition": condition}))
    assert read(s3, "k", by=limited) == b"secret"
    assert "SSEKMSKeyId" not in s3("PutObject", Bucket=bucket, Key="plain", Body=b"x", ServerSideEncryption="AES256")


@pytest.mark.documented
def test_multipart_uploads(s3: S3, bucket: str, kms: Kms, yard_in_process: Yard) -> None:
    """Every part is encrypted; ranges go across parts; who may not use the key cannot add any."""
    parts = [b"a" * FIVE, b"b" * FIVE, b"end"]
    done = upload(s3, "m", parts, SSEKMSKeyId=kms.key, **KMS)
    assert (done["SSEKMSKeyId"], done["ETag"][-3:]) == (kms.key, '-3"')
    assert read(s3, "m") == b"".join(parts)
    assert read(s3, "m", Range=f"bytes={FIVE - 2}-{FIVE + 1}") == b"aabb"
    assert read(s3, "m", PartNumber=3) == b"end"
    assert b"aaaa" not in kept(yard_in_process)
    begun = s3("CreateMultipartUpload", Bucket=bucket, Key="n", SSEKMSKeyId=kms.key, **KMS)["UploadId"]
    where = {"Bucket": bucket, "Key": "n", "UploadId": begun, "PartNumber": 1}
    with refused("AccessDenied", 403, match="kms:Decrypt"):
        s3("UploadPart", **where, Body=b"x", by=reader("s3:*"))
    with refused("AccessDenied", 403, match="kms:GenerateDataKey"):
        s3("CreateMultipartUpload", Bucket=bucket, Key="n", SSEKMSKeyId=kms.key, by=reader("s3:*"), **KMS)
    copied = s3("UploadPartCopy", **where, CopySource=f"{bucket}/m", CopySourceRange=f"bytes=0-{FIVE}")["CopyPartResult"]
    s3(
        "CompleteMultipartUpload",
        Bucket=bucket,
        Key="n",
        UploadId=begun,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": copied["ETag"]}]},
    )
    assert read(s3, "n") == b"a" * FIVE + b"b"


@pytest.mark.documented
def test_copies_are_encrypted_anew(s3: S3, bucket: str, kms: Kms, yard_in_process: Yard) -> None:
    """A copy has a data key of its own, or none, and can be told to have either; it is one piece, with the checksum of all."""
    parts = [b"a" * FIVE, b"end"]
    upload(s3, "m", parts, SSEKMSKeyId=kms.key, ChecksumAlgorithm="SHA256", **KMS)
    plain = s3("CopyObject", Bucket=bucket, Key="plain", CopySource=f"{bucket}/m")
    assert plain["CopyObjectResult"]["ETag"].strip('"') == hashlib.md5(b"".join(parts)).hexdigest()
    digest = base64.b64encode(hashlib.sha256(b"".join(parts)).digest()).decode()
    assert plain["CopyObjectResult"]["ChecksumSHA256"] == digest
    again = s3("CopyObject", Bucket=bucket, Key="again", CopySource=f"{bucket}/plain", SSEKMSKeyId=kms.key, **KMS)
    assert again["SSEKMSKeyId"] == kms.key
    s3("CopyObject", Bucket=bucket, Key="third", CopySource=f"{bucket}/again", SSEKMSKeyId=kms.key, **KMS)
    for key in ("plain", "again", "third"):
        assert read(s3, key) == b"".join(parts)
    s3("PutObject", Bucket=bucket, Key="k", Body=b"x", **KMS)
    with refused("InvalidRequest", 400, match="without changing"):
        s3("CopyObject", Bucket=bucket, Key="k", CopySource=f"{bucket}/k")
    s3("CopyObject", Bucket=bucket, Key="k", CopySource=f"{bucket}/k", ServerSideEncryption="AES256")
    assert kept(yard_in_process).count(b"x") >= 1 and read(s3, "k") == b"x"


@pytest.mark.documented
def test_keys_that_cannot_be_used(s3: S3, bucket: str, kms: Kms) -> None:
    """KMS's own errors come with S3's prefix; without its key an object cannot be read, and with it again."""
    with refused("KMS.NotFoundException", 400):
        s3("PutObject", Bucket=bucket, Key="k", Body=b"x", SSEKMSKeyId="alias/none", **KMS)
    s3("PutObject", Bucket=bucket, Key="k", Body=b"x", SSEKMSKeyId=kms.key, **KMS)
    kms("DisableKey", KeyId=kms.key)
    with refused("KMS.DisabledException", 400, match="is disabled"):
        s3("GetObject", Bucket=bucket, Key="k")
    kms("ScheduleKeyDeletion", KeyId=kms.key)
    with refused("KMS.KMSInvalidStateException", 400):
        s3("GetObject", Bucket=bucket, Key="k")
    kms("CancelKeyDeletion", KeyId=kms.key)
    kms("EnableKey", KeyId=kms.key)
    assert read(s3, "k") == b"x"


@pytest.mark.documented
def test_requests_that_make_no_sense(s3: S3, bucket: str, kms: Kms) -> None:
    """Encryption contexts that are none or name another object, and double encryption, are refused."""
    for context in ("no base64!", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"aws:s3:arn": "other"}').decode()):
        with refused("InvalidArgument", 400):
            s3("PutObject", Bucket=bucket, Key="k", Body=b"x", SSEKMSEncryptionContext=context, **KMS)
    with refused("NotImplemented"):
        s3("PutObject", Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms:dsse")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms:dsse"}}
    with refused("NotImplemented"):
        s3("PutBucketEncryption", Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


@pytest.mark.documented
def test_what_the_client_says_of_its_bytes_is_checked(s3: S3, bucket: str, kms: Kms) -> None:
    """Content-MD5 and checksums are of the bytes as they were sent, and are answered so."""
    md5 = base64.b64encode(hashlib.md5(b"secret").digest()).decode()
    sha = base64.b64encode(hashlib.sha256(b"secret").digest()).decode()
    s3("PutObject", Bucket=bucket, Key="k", Body=b"secret", ContentMD5=md5, ChecksumSHA256=sha, **KMS)
    assert s3("HeadObject", Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha
    with refused("BadDigest", 400):
        s3("PutObject", Bucket=bucket, Key="k", Body=b"other", ContentMD5=md5, **KMS)


@pytest.mark.ours
def test_bytes_that_were_changed_are_not_served(s3: S3, bucket: str, kms: Kms, yard_in_process: Yard) -> None:
    """What is on disk in place of an object's bytes is noticed before any of it is given out."""
    s3("PutObject", Bucket=bucket, Key="one", Body=b"first", **KMS)
    s3("PutObject", Bucket=bucket, Key="two", Body=b"other", **KMS)
    swap = (
        "UPDATE object_version SET digest = (SELECT digest FROM object_version WHERE object_key = 'two') WHERE object_key = 'one'"
    )
    yard_in_process.house.storage.write(lambda tx: tx.execute(swap))
    with pytest.raises(Tampered):
        read(s3, "one")


@pytest.mark.ours
def test_versions_and_pins_keep_their_keys(s3: S3, versioned: str, kms: Kms, yard_in_process: Yard) -> None:
    """Every version has a data key of its own, and every one of them is read with it."""
    ids = [
        s3("PutObject", Bucket=versioned, Key="k", Body=data, SSEKMSKeyId=kms.key, **KMS)["VersionId"] for data in (b"1", b"2")
    ]
    assert [read(s3, "k", versioned, VersionId=version) for version in ids] == [b"1", b"2"]
