"""boto3's S3, unmodified, against a running server."""

import hashlib
import io
import json
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.running import OTHER_ACCOUNT, RunningYard, both_databases

pytestmark = [pytest.mark.slow, both_databases]

SMALL_PARTS = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
KEYS = [
    "plain",
    "dir/file.txt",
    "..",
    "../../etc/passwd",
    "//double",
    "/leading",
    "a b+c%20&d=e?f#g",
    "ü/日本/😀",
    "x" * 1024,
    "\x01",
    "~*'()!",
]


@pytest.fixture
def s3(yard: RunningYard) -> Any:
    """A client of the administrator."""
    return yard.client("s3")


@pytest.fixture
def secure(yard: RunningYard) -> Any:
    """The same over TLS, where boto3 sends its checksum in a trailer."""
    keys = yard.admin()
    return boto3.client(
        "s3",
        endpoint_url=f"https://127.0.0.1:{yard.port}",
        region_name="us-east-1",
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        verify=yard.environment()["AWS_CA_BUNDLE"],
    )


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket of a name of its own."""
    name = f"boto3-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of three parts."""
    path = tmp_path / "large"
    path.write_bytes(secrets.token_bytes(11 << 20))
    return path


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.seen
@pytest.mark.parametrize("transport", ["s3", "secure"])
def test_files(transport: str, bucket: str, large: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """upload_file and download_file move a file in parts, over HTTP and over TLS."""
    client = request.getfixturevalue(transport)
    client.upload_file(str(large), bucket, "large", Config=SMALL_PARTS, ExtraArgs={"Metadata": {"team": "risk"}})
    head = client.head_object(Bucket=bucket, Key="large", ChecksumMode="ENABLED")
    assert head["Metadata"] == {"team": "risk"}
    assert head["ETag"].endswith('-3"')
    assert head["ChecksumCRC32"].endswith("-3")
    client.download_file(bucket, "large", str(tmp_path / "back"), Config=SMALL_PARTS)
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    client.upload_fileobj(io.BytesIO(b"small"), bucket, "small")
    back = io.BytesIO()
    client.download_fileobj(bucket, "small", back)
    assert back.getvalue() == b"small"


@pytest.mark.seen
@pytest.mark.parametrize("key", KEYS)
def test_keys(s3: Any, bucket: str, key: str) -> None:
    """Any key goes there and back: it is text, never a path."""
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copied", CopySource={"Bucket": bucket, "Key": key})
    s3.delete_object(Bucket=bucket, Key=key)
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copied"]


@pytest.mark.documented
@pytest.mark.parametrize("transport", ["s3", "secure"])
@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums(transport: str, bucket: str, algorithm: str, request: pytest.FixtureRequest) -> None:
    """Every checksum algorithm is verified on the way in, in header or trailer, and given back on the way out."""
    client = request.getfixturevalue(transport)
    put = client.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm=algorithm)
    got = client.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"hello"
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    with pytest.raises(ClientError) as refused:
        client.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumSHA256="LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCA=")
    assert code_of(refused) == ("BadDigest", 400)


@pytest.mark.documented
def test_ranges_and_conditions(s3: Any, bucket: str) -> None:
    """Ranges answer 206, what is unsatisfiable 416, what failed 412, what is not modified 304, with their headers."""
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")["ETag"]
    got = s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert (got["Body"].read(), got["ContentRange"]) == (b"234", "bytes 2-4/10")
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    for wanted, expected in (
        ({"Range": "bytes=10-"}, ("InvalidRange", 416)),
        ({"IfMatch": '"other"'}, ("PreconditionFailed", 412)),
        ({"IfNoneMatch": tag}, ("304", 304)),
    ):
        with pytest.raises(ClientError) as refused:
            s3.get_object(Bucket=bucket, Key="k", **wanted)
        assert code_of(refused) == expected
    assert refused.value.response["ResponseMetadata"]["HTTPHeaders"]["etag"] == tag
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="k", Body=b"", IfNoneMatch="*")
    assert code_of(refused) == ("PreconditionFailed", 412)


@pytest.mark.documented
def test_errors_as_boto3_knows_them(s3: Any, bucket: str) -> None:
    """What is missing raises boto3's own exceptions, and a delete marker shows in the headers."""
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="k")
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket="never-made-before")
    with pytest.raises(ClientError) as refused:
        s3.head_object(Bucket=bucket, Key="k")
    assert code_of(refused) == ("404", 404)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="k")
    headers = refused.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="k", VersionId=marker)
    assert code_of(refused) == ("MethodNotAllowed", 405)


@pytest.mark.documented
@pytest.mark.parametrize("signature", ["s3", "s3v4"])
def test_presigned_addresses(yard: RunningYard, bucket: str, signature: str) -> None:
    """Presigned URLs of both signature versions put and get with no credentials, and nothing else."""
    client = yard.client("s3", config=Config(signature_version=signature))
    put = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b/ü"}, ExpiresIn=60)
    get = client.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "a b/ü", "ResponseContentType": "text/x"}, ExpiresIn=60
    )
    assert httpx.put(put, content=b"hello").status_code == 200
    answer = httpx.get(get)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"hello", "text/x")
    assert httpx.put(get, content=b"x").status_code == 403
    assert httpx.get(get.replace("text", "test")).status_code == 403


@pytest.mark.documented
def test_public_objects(yard: RunningYard, s3: Any, bucket: str) -> None:
    """An unsigned request reads what a bucket policy makes public; without one it is refused."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    address = f"{yard.endpoint}/{bucket}/k"
    assert httpx.get(address).status_code == 403
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert httpx.get(address).content == b"hello"
    assert httpx.delete(address).status_code == 403
    unsigned = yard.client("s3", config=Config(signature_version=UNSIGNED))
    assert unsigned.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


@pytest.mark.documented
def test_another_account(yard: RunningYard, s3: Any, bucket: str) -> None:
    """The bucket of an account is closed to another until its policy opens it; the name is taken for all."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    other = yard.client("s3", account=OTHER_ACCOUNT)
    with pytest.raises(ClientError) as refused:
        other.get_object(Bucket=bucket, Key="k")
    assert code_of(refused) == ("AccessDenied", 403)
    with pytest.raises(ClientError) as refused:
        other.create_bucket(Bucket=bucket)
    assert code_of(refused) == ("BucketAlreadyExists", 409)
    principal = {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert other.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"
    assert bucket not in [found["Name"] for found in other.list_buckets()["Buckets"]]


@pytest.mark.documented
def test_everything_else_round(s3: Any, bucket: str) -> None:
    """Versions, tags, encryption, lock, lists and attributes are read back as they were set, through boto3's parsers."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="a=1", ServerSideEncryption="aws:kms")
    assert first["ServerSideEncryption"] == "aws:kms"
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    found = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [one["IsLatest"] for one in found] == [True, False]
    assert s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=first["VersionId"])["TagSet"] == [{"Key": "a", "Value": "1"}]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "b", "Value": "2"}]
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"] == rules
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "risk"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "team", "Value": "risk"}]
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == lock
    locked = s3.put_object(Bucket=bucket, Key="k", Body=b"3")["VersionId"]
    assert s3.get_object_retention(Bucket=bucket, Key="k")["Retention"]["Mode"] == "GOVERNANCE"
    with pytest.raises(ClientError) as refused:
        s3.delete_object(Bucket=bucket, Key="k", VersionId=locked)
    assert code_of(refused) == ("AccessDenied", 403)
    attributes = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"]
    )
    assert (attributes["ObjectSize"], attributes["StorageClass"]) == (1, "STANDARD")
    assert s3.get_object_acl(Bucket=bucket, Key="k")["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None


@pytest.mark.seen
def test_resource_objects(yard: RunningYard, bucket: str) -> None:
    """boto3's resources, which page and delete in batches, empty a versioned bucket of more than one page."""
    client = yard.client("s3")
    resource = boto3.resource(
        "s3",
        endpoint_url=yard.endpoint,
        region_name="us-east-1",
        aws_access_key_id=yard.admin().access_key_id,
        aws_secret_access_key=yard.admin().secret_access_key,
    ).Bucket(bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(30):
        client.put_object(Bucket=bucket, Key=f"{number % 7}", Body=b"")
    assert len(list(resource.objects.page_size(3))) == 7
    assert len(list(resource.object_versions.page_size(4))) == 30
    resource.object_versions.page_size(4).delete()
    resource.delete()


@pytest.mark.documented
def test_uploads_that_the_client_copies(s3: Any, bucket: str, large: Path) -> None:
    """boto3's managed copy moves a large object part by part."""
    s3.upload_file(str(large), bucket, "large", Config=SMALL_PARTS)
    s3.copy({"Bucket": bucket, "Key": "large"}, bucket, "copy", Config=SMALL_PARTS)
    back = s3.get_object(Bucket=bucket, Key="copy")["Body"].read()
    assert hashlib.sha256(back).digest() == hashlib.sha256(large.read_bytes()).digest()


@pytest.mark.ours
def test_many_writers_of_one_key(yard: RunningYard, s3: Any, bucket: str) -> None:
    """Of many that make an object only where none is, one succeeds; a reader sees one whole object at any time."""
    outcomes: list[str] = []

    def write(number: int) -> None:
        try:
            yard.client("s3").put_object(Bucket=bucket, Key="k", Body=bytes([number]) * 100_000, IfNoneMatch="*")
            outcomes.append("made")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["PreconditionFailed"] * 7 + ["made"]
    assert len(set(s3.get_object(Bucket=bucket, Key="k")["Body"].read())) == 1


@pytest.mark.ours
def test_a_body_that_breaks_off(yard: RunningYard, s3: Any, bucket: str) -> None:
    """An upload whose sender stops in the middle leaves no object."""
    address = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60)

    def half() -> Iterator[bytes]:
        yield bytes(100_000)
        raise RuntimeError("the sender stops")

    with pytest.raises(RuntimeError, match="stops"):
        httpx.put(address, content=half(), headers={"content-length": "200000"})
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
