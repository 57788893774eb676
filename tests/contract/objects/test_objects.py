"""Objects: put, read, copied, deleted."""

import hashlib
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.objects.calls import S3, body, keys, read, refused, upload
from tests.harness import START, Yard

FIVE = 5 * 1024 * 1024


@pytest.mark.documented
def test_what_is_put_is_read(s3: S3, bucket: str) -> None:
    """Bytes, metadata, content headers and tags come back as they were given."""
    headers = {
        "CacheControl": "no-cache",
        "ContentDisposition": "inline",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentType": "text/plain",
        "Expires": START,
        "Metadata": {"team": "risk", "empty": ""},
        "StorageClass": "STANDARD_IA",
    }
    put = s3("PutObject", Bucket=bucket, Key="k", Body=b"hello", Tagging="a=1&b=2", **headers)
    assert put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert "VersionId" not in put
    got = s3("GetObject", Bucket=bucket, Key="k")
    assert body(got) == b"hello"
    assert {name: got[name] for name in headers} == headers
    assert (got["ContentLength"], got["LastModified"], got["TagCount"]) == (5, START, 2)
    head = s3("HeadObject", Bucket=bucket, Key="k")
    got.pop("Body")
    assert head == got


@pytest.mark.documented
def test_defaults(s3: S3, bucket: str) -> None:
    """An object whose uploader says nothing is binary/octet-stream, AES256, and shows no storage class."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"")
    head = s3("HeadObject", Bucket=bucket, Key="k")
    assert (head["ContentType"], head["ServerSideEncryption"], head["ContentLength"]) == ("binary/octet-stream", "AES256", 0)
    assert "StorageClass" not in head and "TagCount" not in head
    assert read(s3, "k") == b""


@pytest.mark.documented
@pytest.mark.parametrize(
    "key",
    [
        "..",
        "../../etc/passwd",
        "/",
        "//",
        "/absolute",
        "a//b",
        "a/./b/../c",
        " ",
        "%2e%2e%2f",
        "ü/日本/😀",
        "a\nb",
        "a\tb",
        "con",
        "~",
        "x" * 1024,
    ],
)
def test_any_key(s3: S3, bucket: str, key: str) -> None:
    """A key is text and never a path: whatever it is, it names one object."""
    s3("PutObject", Bucket=bucket, Key=key, Body=key.encode())
    assert read(s3, key) == key.encode()
    assert keys(s3("ListObjectsV2", Bucket=bucket)) == [key]
    s3("CopyObject", Bucket=bucket, Key="copy", CopySource=quote(f"{bucket}/{key}"))
    assert read(s3, "copy") == key.encode()
    s3("DeleteObject", Bucket=bucket, Key=key)
    assert keys(s3("ListObjectsV2", Bucket=bucket)) == ["copy"]


@pytest.mark.documented
def test_a_key_has_1024_bytes_at_most(s3: S3, bucket: str) -> None:
    """The limit counts bytes of UTF-8."""
    with refused("KeyTooLongError", 400):
        s3("PutObject", Bucket=bucket, Key="ü" * 513, Body=b"")


@pytest.mark.documented
def test_what_is_not_there(s3: S3, bucket: str) -> None:
    """A missing key is NoSuchKey, a missing version NoSuchVersion, and deleting what is missing succeeds."""
    with refused("NoSuchKey", 404, "The specified key does not exist."):
        s3("GetObject", Bucket=bucket, Key="k")
    with refused("NoSuchKey", 404):
        s3("HeadObject", Bucket=bucket, Key="k")
    s3("PutObject", Bucket=bucket, Key="k", Body=b"")
    with refused("NoSuchVersion", 404):
        s3("GetObject", Bucket=bucket, Key="k", VersionId="x")
    assert s3("DeleteObject", Bucket=bucket, Key="other") == {}


@pytest.mark.documented
@pytest.mark.parametrize("size", [10, 200_000])
def test_ranges(s3: S3, bucket: str, size: int) -> None:
    """A range gives those bytes, says which they are, and shows no checksum of the whole."""
    data = hashlib.shake_256(b"x").digest(size)
    s3("PutObject", Bucket=bucket, Key="k", Body=data)
    got = s3("GetObject", Bucket=bucket, Key="k", Range="bytes=2-5", ChecksumMode="ENABLED")
    assert body(got) == data[2:6]
    assert (got["ContentRange"], got["ContentLength"]) == (f"bytes 2-5/{size}", 4)
    assert not [name for name in got if name.startswith("Checksum")]
    assert read(s3, "k", Range="bytes=-3") == data[-3:]
    assert read(s3, "k", Range="bytes=5-") == data[5:]
    assert read(s3, "k", Range="nonsense") == data
    with refused("InvalidRange", 416):
        s3("GetObject", Bucket=bucket, Key="k", Range=f"bytes={size}-")


@pytest.mark.documented
def test_conditional_reads(s3: S3, bucket: str) -> None:
    """A read whose condition fails is 412, and one that finds nothing new 304 with the tag."""
    tag = s3("PutObject", Bucket=bucket, Key="k", Body=b"x")["ETag"]
    assert read(s3, "k", IfMatch=tag) == b"x"
    with refused("PreconditionFailed", 412):
        s3("GetObject", Bucket=bucket, Key="k", IfMatch='"other"')
    with refused("NotModified", 304):
        s3("HeadObject", Bucket=bucket, Key="k", IfNoneMatch=tag)
    with refused("NotModified", 304):
        s3("GetObject", Bucket=bucket, Key="k", IfModifiedSince=START)


@pytest.mark.documented
def test_conditional_writes(s3: S3, versioned: str) -> None:
    """If-None-Match: * makes an object only where none is, also above a delete marker; If-Match replaces only what is known."""
    tag = s3("PutObject", Bucket=versioned, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with refused("PreconditionFailed", 412):
        s3("PutObject", Bucket=versioned, Key="k", Body=b"2", IfNoneMatch="*")
    s3("PutObject", Bucket=versioned, Key="k", Body=b"2", IfMatch=tag)
    with refused("PreconditionFailed", 412):
        s3("PutObject", Bucket=versioned, Key="k", Body=b"3", IfMatch=tag)
    s3("DeleteObject", Bucket=versioned, Key="k")
    with refused("NoSuchKey", 404):
        s3("PutObject", Bucket=versioned, Key="k", Body=b"3", IfMatch=tag)
    s3("PutObject", Bucket=versioned, Key="k", Body=b"3", IfNoneMatch="*")
    assert read(s3, "k") == b"3"


@pytest.mark.documented
def test_response_overrides(s3: S3, bucket: str) -> None:
    """A read may ask for other content headers than the object has."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"x", ContentType="text/plain")
    wanted = {"ResponseContentType": "text/html", "ResponseContentDisposition": "attachment", "ResponseExpires": 1_700_000_000.0}
    got = s3("GetObject", Bucket=bucket, Key="k", **wanted)
    assert (got["ContentType"], got["ContentDisposition"]) == ("text/html", "attachment")
    assert got["Expires"] == "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"ContentMD5": b64encode(hashlib.md5(b"other").digest()).decode()}, "BadDigest"),
        ({"ContentMD5": "nonsense"}, "InvalidDigest"),
        ({"ContentMD5": ""}, "InvalidDigest"),
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        ({"ChecksumSHA256": "short"}, "InvalidRequest"),
        ({"ChecksumCRC32": "NhCmhg==", "ChecksumSHA1": "qvTGHdzF6KLavt4PO0gs2a6pQ00="}, "InvalidRequest"),
        ({"ContentLength": 4}, "IncompleteBody"),
        ({"ContentLength": 6 * 1024**3}, "EntityTooLarge"),
    ],
)
def test_bytes_that_are_not_what_was_said(s3: S3, bucket: str, yard_in_process: Yard, sent: dict[str, Any], code: str) -> None:
    """Bytes that differ from their checksum or length are refused, and nothing of them stays."""
    with refused(code, 400):
        s3("PutObject", Bucket=bucket, Key="k", Body=b"hello", **sent)
    assert keys(s3("ListObjectsV2", Bucket=bucket)) == []
    assert list(yard_in_process.house.blobs.digests()) == []
    assert list((yard_in_process.house.settings.data / "blobs" / "incoming").iterdir()) == []


@pytest.mark.documented
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("ChecksumCRC32", "NhCmhg=="),
        ("ChecksumCRC32C", "mnG7TA=="),
        ("ChecksumCRC64NVME", "M3eFcAZSQlc="),
        ("ChecksumSHA1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
        ("ChecksumSHA256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
    ],
)
def test_checksums_come_back(s3: S3, bucket: str, member: str, value: str) -> None:
    """The checksum that was sent is shown at the put, and at reads that ask for it."""
    put = s3("PutObject", Bucket=bucket, Key="k", Body=b"hello", **{member: value})
    assert (put[member], put["ChecksumType"]) == (value, "FULL_OBJECT")
    assert s3("HeadObject", Bucket=bucket, Key="k", ChecksumMode="ENABLED")[member] == value
    assert member not in s3("HeadObject", Bucket=bucket, Key="k")
    listed = s3("ListObjectsV2", Bucket=bucket)["Contents"][0]
    assert listed["ChecksumAlgorithm"] == [member.removeprefix("Checksum")]
    attributes = s3("GetObjectAttributes", Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectSize"])
    assert attributes["Checksum"][member] == value
    assert (attributes["ETag"], attributes["ObjectSize"]) == ("5d41402abc4b2a76b9719d911017c592", 5)


@pytest.mark.documented
def test_without_a_checksum_there_is_s3s_own(s3: S3, bucket: str) -> None:
    """An object whose uploader sends no checksum gets CRC64NVME; one that names only the algorithm gets that."""
    assert s3("PutObject", Bucket=bucket, Key="k", Body=b"hello")["ChecksumCRC64NVME"] == "M3eFcAZSQlc="
    assert s3("PutObject", Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="CRC32")["ChecksumCRC32"] == "NhCmhg=="


@pytest.mark.documented
@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"Metadata": {"k": "x" * 2048}}, "MetadataTooLarge"),
        ({"Tagging": "a=1&a=2"}, "InvalidTag"),
        ({"SSEKMSKeyId": "key"}, "InvalidArgument"),
        ({"ServerSideEncryption": "AES256", "SSEKMSKeyId": "key"}, "InvalidArgument"),
        ({"SSECustomerAlgorithm": "AES256"}, "NotImplemented"),
        ({"WriteOffsetBytes": 3}, "NotImplemented"),
        ({"GrantRead": "id=1"}, "AccessControlListNotSupported"),
        ({"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": START + 9}, "InvalidRequest"),
    ],
)
def test_what_an_object_cannot_have(s3: S3, bucket: str, wanted: dict[str, Any], code: str) -> None:
    """What S3 refuses, and what Modelyard does not have, is told in a 4xx."""
    with refused(code, 400):
        s3("PutObject", Bucket=bucket, Key="k", Body=b"", **wanted)


@pytest.mark.documented
def test_copy(s3: S3, bucket: str) -> None:
    """A copy has the bytes, headers and tags of its source, or other headers and tags when asked."""
    s3("PutObject", Bucket=bucket, Key="a", Body=b"hello", ContentType="text/plain", Metadata={"x": "1"}, Tagging="t=1")
    s3("CreateBucket", Bucket="target")
    copied = s3("CopyObject", Bucket="target", Key="b", CopySource=f"/{bucket}/a")
    assert copied["CopyObjectResult"]["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    head = s3("HeadObject", Bucket="target", Key="b")
    assert (head["ContentType"], head["Metadata"], head["TagCount"]) == ("text/plain", {"x": "1"}, 1)
    s3(
        "CopyObject",
        Bucket=bucket,
        Key="a",
        CopySource=f"{bucket}/a",
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
        Metadata={"y": "2"},
    )
    head = s3("HeadObject", Bucket=bucket, Key="a")
    assert (head["ContentType"], head["Metadata"]) == ("binary/octet-stream", {"y": "2"})
    assert "TagCount" not in head
    assert read(s3, "a") == read(s3, "b", "target") == b"hello"


@pytest.mark.documented
def test_copies_that_are_refused(s3: S3, bucket: str) -> None:
    """A copy onto itself that changes nothing, of nothing, or against its conditions is refused."""
    tag = s3("PutObject", Bucket=bucket, Key="a", Body=b"hello")["ETag"]
    with refused("InvalidRequest", 400, "to itself without changing"):
        s3("CopyObject", Bucket=bucket, Key="a", CopySource=f"{bucket}/a")
    with refused("NoSuchKey", 404):
        s3("CopyObject", Bucket=bucket, Key="b", CopySource=f"{bucket}/other")
    with refused("NoSuchBucket", 404):
        s3("CopyObject", Bucket=bucket, Key="b", CopySource="no-bucket/other")
    with refused("PreconditionFailed", 412):
        s3("CopyObject", Bucket=bucket, Key="b", CopySource=f"{bucket}/a", CopySourceIfNoneMatch=tag)
    s3("CopyObject", Bucket=bucket, Key="b", CopySource=f"{bucket}/a", CopySourceIfMatch=tag)


@pytest.mark.documented
def test_copy_with_another_checksum(s3: S3, bucket: str) -> None:
    """A copy may get a checksum that its source does not have, also when the source came in parts."""
    upload(s3, "m", [bytes(FIVE), b"end"])
    copied = s3("CopyObject", Bucket=bucket, Key="b", CopySource=f"{bucket}/m", ChecksumAlgorithm="SHA256")
    expected = b64encode(hashlib.sha256(bytes(FIVE) + b"end").digest()).decode()
    assert copied["CopyObjectResult"]["ChecksumSHA256"] == expected
    assert read(s3, "b") == bytes(FIVE) + b"end"


@pytest.mark.documented
def test_delete_many(s3: S3, bucket: str) -> None:
    """DeleteObjects tells of each key, or with Quiet of none, and takes 1,000 at most."""
    for key in ("a", "b", "c"):
        s3("PutObject", Bucket=bucket, Key=key, Body=b"")
    answer = s3("DeleteObjects", Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "gone"}]})
    assert answer == {"Deleted": [{"Key": "a"}, {"Key": "gone"}]}
    assert s3("DeleteObjects", Bucket=bucket, Delete={"Objects": [{"Key": "b"}], "Quiet": True}) == {}
    assert keys(s3("ListObjectsV2", Bucket=bucket)) == ["c"]
    with refused("MalformedXML", 400):
        s3("DeleteObjects", Bucket=bucket, Delete={"Objects": [{"Key": str(number)} for number in range(1001)]})


@pytest.mark.documented
def test_tags_of_objects(s3: S3, bucket: str) -> None:
    """Tags are replaced as a whole and taken away as a whole."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"", Tagging="a=1")
    assert s3("GetObjectTagging", Bucket=bucket, Key="k") == {"TagSet": [{"Key": "a", "Value": "1"}]}
    s3("PutObjectTagging", Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
    assert s3("GetObjectTagging", Bucket=bucket, Key="k") == {"TagSet": [{"Key": "b", "Value": "2"}]}
    s3("DeleteObjectTagging", Bucket=bucket, Key="k")
    assert s3("GetObjectTagging", Bucket=bucket, Key="k") == {"TagSet": []}
    with refused("InvalidTag", 400):
        s3("PutObjectTagging", Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "aws:x", "Value": ""}]})


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200))
def test_keys_are_found_again(s3: S3, bucket: str, key: str) -> None:
    """Any text of up to 1,024 bytes is a key."""
    s3("PutObject", Bucket=bucket, Key=key, Body=b"x")
    assert read(s3, key) == b"x"
    assert keys(s3("ListObjectsV2", Bucket=bucket, Prefix=key))[0] == key
    s3("DeleteObject", Bucket=bucket, Key=key)


@pytest.mark.ours
def test_no_null_characters(s3: S3, bucket: str) -> None:
    """A key with a null character, which XML cannot show, is refused."""
    with refused("ValidationException", 400):
        s3("PutObject", Bucket=bucket, Key="a\0b", Body=b"")
