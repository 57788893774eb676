"""Multipart uploads."""

import hashlib
from base64 import b64encode

import pytest
from tests.contract.objects.calls import S3, body, keys, read, refused, upload

from modelyard.object_store import checksum

FIVE = 5 * 1024 * 1024
PARTS = [hashlib.shake_256(b"1").digest(FIVE), hashlib.shake_256(b"2").digest(FIVE), b"the end"]
WHOLE = b"".join(PARTS)


@pytest.mark.documented
def test_an_object_of_parts(s3: S3, bucket: str) -> None:
    """The object is its parts one after the other, with their tag, and what its creator wanted it to carry."""
    done = upload(s3, "m", PARTS, ContentType="text/plain", Metadata={"x": "1"}, Tagging="t=1", ServerSideEncryption="AES256")
    digests = b"".join(hashlib.md5(part).digest() for part in PARTS)
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    assert done["ServerSideEncryption"] == "AES256"
    assert read(s3, "m") == WHOLE
    head = s3("HeadObject", Bucket=bucket, Key="m")
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (len(WHOLE), "text/plain", {"x": "1"})
    assert s3("ListMultipartUploads", Bucket=bucket).get("Uploads") is None


@pytest.mark.documented
@pytest.mark.parametrize(
    ("first", "last"), [(0, 0), (FIVE - 1, FIVE), (FIVE, FIVE), (3, 2 * FIVE + 2), (2 * FIVE, 2 * FIVE + 6), (0, 2 * FIVE + 6)]
)
def test_ranges_cross_parts(s3: S3, bucket: str, first: int, last: int) -> None:
    """A range of an object that came in parts gives the same bytes as of one that came whole."""
    upload(s3, "m", PARTS)
    assert read(s3, "m", Range=f"bytes={first}-{last}") == WHOLE[first : last + 1]


@pytest.mark.documented
def test_one_part_of_an_object(s3: S3, bucket: str) -> None:
    """PartNumber gives that part, its place and the number of parts; an object that came whole is its own part 1."""
    upload(s3, "m", PARTS)
    got = s3("GetObject", Bucket=bucket, Key="m", PartNumber=3)
    assert body(got) == PARTS[2]
    assert (got["PartsCount"], got["ContentRange"]) == (3, f"bytes {2 * FIVE}-{len(WHOLE) - 1}/{len(WHOLE)}")
    with refused("InvalidPartNumber", 416):
        s3("GetObject", Bucket=bucket, Key="m", PartNumber=4)
    s3("PutObject", Bucket=bucket, Key="k", Body=b"whole")
    assert read(s3, "k", PartNumber=1) == b"whole"
    attributes = s3("GetObjectAttributes", Bucket=bucket, Key="m", ObjectAttributes=["ObjectParts"], MaxParts=2)["ObjectParts"]
    assert (attributes["TotalPartsCount"], attributes["IsTruncated"]) == (3, True)
    assert [part["Size"] for part in attributes["Parts"]] == [FIVE, FIVE]


@pytest.mark.documented
def test_checksums_of_the_whole(s3: S3, bucket: str) -> None:
    """Without an algorithm the object gets a CRC64NVME; CRC32 may be of the whole or composite; SHA is composite."""
    crc64 = checksum.of_pieces("CRC64NVME", [WHOLE])
    assert upload(s3, "m", PARTS)["ChecksumCRC64NVME"] == crc64
    full = upload(s3, "m", PARTS, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    assert (full["ChecksumCRC32"], full["ChecksumType"]) == (checksum.of_pieces("CRC32", [WHOLE]), "FULL_OBJECT")
    composite = upload(s3, "m", PARTS, ChecksumAlgorithm="SHA256")
    parts = b"".join(hashlib.sha256(part).digest() for part in PARTS)
    expected = b64encode(hashlib.sha256(parts).digest()).decode()
    assert (composite["ChecksumSHA256"], composite["ChecksumType"]) == (f"{expected}-3", "COMPOSITE")
    with refused("InvalidRequest", 400):
        s3("CreateMultipartUpload", Bucket=bucket, Key="m", ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT")


@pytest.mark.documented
def test_the_whole_is_held_against_what_the_caller_says(s3: S3, bucket: str) -> None:
    """A wrong checksum, type or size of the whole refuses the completion, and leaves the upload as it was."""
    crc64 = checksum.of_pieces("CRC64NVME", [WHOLE])
    for complete, code in (
        ({"ChecksumCRC64NVME": "AAAAAAAAAAA="}, "BadDigest"),
        ({"ChecksumCRC32": "AAAAAA=="}, "InvalidRequest"),
        ({"ChecksumType": "COMPOSITE"}, "InvalidRequest"),
        ({"MpuObjectSize": 3}, "InvalidRequest"),
    ):
        with refused(code, 400):
            upload(s3, "m", PARTS, complete=complete)
    assert keys(s3("ListObjectsV2", Bucket=bucket)) == []
    assert len(s3("ListMultipartUploads", Bucket=bucket)["Uploads"]) == 4
    upload(s3, "m", PARTS, complete={"ChecksumCRC64NVME": crc64, "MpuObjectSize": len(WHOLE)})
    with refused("PreconditionFailed", 412):
        upload(s3, "m", PARTS, complete={"IfNoneMatch": "*"})


@pytest.mark.documented
def test_parts_are_replaced_and_checked(s3: S3, bucket: str) -> None:
    """The last part with a number counts; wrong lists of parts and wrong checksums are refused."""
    where = {"Bucket": bucket, "Key": "m", "UploadId": s3("CreateMultipartUpload", Bucket=bucket, Key="m")["UploadId"]}
    old = s3("UploadPart", **where, PartNumber=1, Body=b"old")["ETag"]
    new = s3("UploadPart", **where, PartNumber=1, Body=b"new")["ETag"]
    for parts, code in (
        ([], "MalformedXML"),
        ([{"PartNumber": 1, "ETag": old}], "InvalidPart"),
        ([{"PartNumber": 2, "ETag": new}], "InvalidPart"),
        ([{"PartNumber": 1, "ETag": new}, {"PartNumber": 1, "ETag": new}], "InvalidPartOrder"),
    ):
        with refused(code, 400):
            s3("CompleteMultipartUpload", **where, MultipartUpload={"Parts": parts})
    with refused("InvalidArgument", 400):
        s3("UploadPart", **where, PartNumber=10_001, Body=b"")
    with refused("BadDigest", 400):
        s3("UploadPart", **where, PartNumber=2, Body=b"x", ChecksumCRC32="AAAAAA==")
    listed = s3("ListParts", **where)
    assert [(part["PartNumber"], part["ETag"], part["Size"]) for part in listed["Parts"]] == [(1, new, 3)]
    s3("CompleteMultipartUpload", **where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": new}]})
    assert read(s3, "m") == b"new"


@pytest.mark.documented
def test_parts_have_the_checksum_of_their_upload(s3: S3, bucket: str) -> None:
    """A part may not bring another kind of checksum than its upload was created with; each part shows its own."""
    made = s3("CreateMultipartUpload", Bucket=bucket, Key="m", ChecksumAlgorithm="CRC32")
    assert (made["ChecksumAlgorithm"], made["ChecksumType"]) == ("CRC32", "COMPOSITE")
    where = {"Bucket": bucket, "Key": "m", "UploadId": made["UploadId"]}
    with refused("InvalidRequest", 400, "Checksum Type mismatch"):
        s3("UploadPart", **where, PartNumber=1, Body=b"hello", ChecksumSHA1="qvTGHdzF6KLavt4PO0gs2a6pQ00=")
    assert s3("UploadPart", **where, PartNumber=1, Body=b"hello")["ChecksumCRC32"] == "NhCmhg=="
    assert s3("ListParts", **where)["Parts"][0]["ChecksumCRC32"] == "NhCmhg=="


@pytest.mark.documented
def test_the_first_parts_are_not_small(s3: S3, bucket: str) -> None:
    """Every part but the last has 5 MiB at least."""
    with refused("EntityTooSmall", 400):
        upload(s3, "m", [b"small", b"last"])


@pytest.mark.documented
def test_the_end_of_an_upload(s3: S3, bucket: str) -> None:
    """An aborted upload is gone; completing a completed one again answers the same."""
    where = {"Bucket": bucket, "Key": "m", "UploadId": s3("CreateMultipartUpload", Bucket=bucket, Key="m")["UploadId"]}
    tag = s3("UploadPart", **where, PartNumber=1, Body=b"x")["ETag"]
    s3("AbortMultipartUpload", **where)
    for operation, more in (
        ("AbortMultipartUpload", {}),
        ("ListParts", {}),
        ("UploadPart", {"PartNumber": 1, "Body": b"x"}),
        ("CompleteMultipartUpload", {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": tag}]}}),
    ):
        with refused("NoSuchUpload", 404):
            s3(operation, **where, **more)
    again = {"Bucket": bucket, "Key": "m", "UploadId": s3("CreateMultipartUpload", Bucket=bucket, Key="m")["UploadId"]}
    listed = {"Parts": [{"PartNumber": 1, "ETag": s3("UploadPart", **again, PartNumber=1, Body=b"x")["ETag"]}]}
    first = s3("CompleteMultipartUpload", **again, MultipartUpload=listed)
    assert s3("CompleteMultipartUpload", **again, MultipartUpload=listed) == first


@pytest.mark.documented
def test_parts_from_objects(s3: S3, bucket: str) -> None:
    """A part may be an object, or a range of one, also of one that came in parts."""
    upload(s3, "source", PARTS)
    where = {"Bucket": bucket, "Key": "m", "UploadId": s3("CreateMultipartUpload", Bucket=bucket, Key="m")["UploadId"]}
    one = s3("UploadPartCopy", **where, PartNumber=1, CopySource=f"{bucket}/source")["CopyPartResult"]["ETag"]
    two = s3(
        "UploadPartCopy", **where, PartNumber=2, CopySource=f"{bucket}/source", CopySourceRange=f"bytes={FIVE - 2}-{FIVE + 1}"
    )
    for wrong in ("bytes=0-", f"bytes=0-{len(WHOLE)}", "nonsense"):
        with refused("InvalidArgument", 400):
            s3("UploadPartCopy", **where, PartNumber=3, CopySource=f"{bucket}/source", CopySourceRange=wrong)
    listed = [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two["CopyPartResult"]["ETag"]}]
    s3("CompleteMultipartUpload", **where, MultipartUpload={"Parts": listed})
    assert read(s3, "m") == WHOLE + WHOLE[FIVE - 2 : FIVE + 2]


@pytest.mark.documented
def test_listing_uploads(s3: S3, bucket: str) -> None:
    """Uploads come in order of their keys, the oldest of a key first, in pages that neither skip nor repeat."""
    made = [
        (key, s3("CreateMultipartUpload", Bucket=bucket, Key=key)["UploadId"]) for key in ("b", "a", "b", "dir/x", "b", "dir/y")
    ]
    in_order = sorted(made, key=lambda one: one[0])
    found: list[tuple[str, str]] = []
    markers: dict[str, str] = {}
    while True:
        answer = s3("ListMultipartUploads", Bucket=bucket, MaxUploads=2, **markers)
        found += [(one["Key"], one["UploadId"]) for one in answer["Uploads"]]
        if not answer["IsTruncated"]:
            break
        markers = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}
    assert found == in_order
    grouped = s3("ListMultipartUploads", Bucket=bucket, Delimiter="/")
    assert grouped["CommonPrefixes"] == [{"Prefix": "dir/"}]
    assert len(grouped["Uploads"]) == 4
    assert len(s3("ListMultipartUploads", Bucket=bucket, Prefix="dir/")["Uploads"]) == 2


@pytest.mark.documented
def test_listing_parts_in_pages(s3: S3, bucket: str) -> None:
    """Parts come in order of their numbers, page by page."""
    where = {"Bucket": bucket, "Key": "m", "UploadId": s3("CreateMultipartUpload", Bucket=bucket, Key="m")["UploadId"]}
    for number in (3, 1, 7):
        s3("UploadPart", **where, PartNumber=number, Body=b"x")
    first = s3("ListParts", **where, MaxParts=2)
    assert [part["PartNumber"] for part in first["Parts"]] == [1, 3]
    assert first["IsTruncated"]
    rest = s3("ListParts", **where, MaxParts=2, PartNumberMarker=first["NextPartNumberMarker"])
    assert [part["PartNumber"] for part in rest["Parts"]] == [7]
    assert not rest["IsTruncated"]
