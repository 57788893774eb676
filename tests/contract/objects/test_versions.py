"""Versions, delete markers, object lock."""

import pytest
from tests.contract.objects.calls import S3, keys, read, refused
from tests.harness import START, Yard, user


def put(s3: S3, key: str, data: bytes, **more: object) -> str:
    version_id: str = s3("PutObject", Bucket="bucket", Key=key, Body=data, **more)["VersionId"]
    return version_id


def versions(s3: S3, **more: object) -> list[tuple[str, str, bool]]:
    """Key, version id and whether it is the newest, of every version and delete marker."""
    answer = s3("ListObjectVersions", Bucket="bucket", **more)
    found = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
    return sorted((one["Key"], one["VersionId"], one["IsLatest"]) for one in found)


@pytest.mark.documented
def test_every_version_stays(s3: S3, versioned: str) -> None:
    """A put makes a new version; older ones are read by their id, which every answer shows."""
    first, second = put(s3, "k", b"1"), put(s3, "k", b"2")
    assert read(s3, "k") == b"2"
    assert read(s3, "k", VersionId=first) == b"1"
    assert s3("HeadObject", Bucket=versioned, Key="k")["VersionId"] == second
    assert versions(s3) == sorted([("k", first, False), ("k", second, True)])
    assert len(keys(s3("ListObjectsV2", Bucket=versioned))) == 1


@pytest.mark.documented
def test_delete_markers(s3: S3, versioned: str) -> None:
    """A delete hides the object; its versions stay; deleting the marker brings the object back."""
    first = put(s3, "k", b"1")
    gone = s3("DeleteObject", Bucket=versioned, Key="k")
    assert gone["DeleteMarker"] is True
    with refused("NoSuchKey", 404):
        read(s3, "k")
    with refused("MethodNotAllowed", 405):
        read(s3, "k", VersionId=gone["VersionId"])
    assert keys(s3("ListObjectsV2", Bucket=versioned)) == []
    assert read(s3, "k", VersionId=first) == b"1"
    assert versions(s3) == sorted([("k", first, False), ("k", gone["VersionId"], True)])
    back = s3("DeleteObject", Bucket=versioned, Key="k", VersionId=gone["VersionId"])
    assert back == {"VersionId": gone["VersionId"], "DeleteMarker": True}
    assert read(s3, "k") == b"1"


@pytest.mark.documented
def test_a_delete_marker_says_so(s3: S3, versioned: str) -> None:
    """The answer to a read of a delete marker carries headers that tell what it is."""
    gone = s3("DeleteObject", Bucket=versioned, Key="never-there")
    with pytest.raises(Exception, match="does not exist") as caught:
        read(s3, "never-there")
    assert caught.value.headers == {"x-amz-delete-marker": "true", "x-amz-version-id": gone["VersionId"]}  # type: ignore[attr-defined]


@pytest.mark.documented
def test_deleting_versions(s3: S3, versioned: str) -> None:
    """The version before becomes the newest; a version that is gone stays gone; deleting it twice is harmless."""
    first, second = put(s3, "k", b"1"), put(s3, "k", b"2")
    assert s3("DeleteObject", Bucket=versioned, Key="k", VersionId=second) == {"VersionId": second}
    assert s3("DeleteObject", Bucket=versioned, Key="k", VersionId=second) == {"VersionId": second}
    assert read(s3, "k") == b"1"
    assert keys(s3("ListObjectsV2", Bucket=versioned)) == ["k"]
    s3("DeleteObject", Bucket=versioned, Key="k", VersionId=first)
    assert versions(s3) == []


@pytest.mark.documented
def test_before_and_after_versioning(s3: S3, bucket: str) -> None:
    """What was put before versioning is the null version; when it is suspended, puts and deletes replace that one only."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"before")
    s3("PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    kept = put(s3, "k", b"kept")
    assert read(s3, "k", VersionId="null") == b"before"
    s3("PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert "VersionId" not in s3("PutObject", Bucket=bucket, Key="k", Body=b"after")
    assert read(s3, "k") == read(s3, "k", VersionId="null") == b"after"
    assert versions(s3) == sorted([("k", kept, False), ("k", "null", True)])
    assert s3("DeleteObject", Bucket=bucket, Key="k") == {"DeleteMarker": True, "VersionId": "null"}
    assert versions(s3) == sorted([("k", kept, False), ("k", "null", True)])
    with refused("NoSuchKey"):
        read(s3, "k")
    assert read(s3, "k", VersionId=kept) == b"kept"


@pytest.mark.documented
def test_copies_of_versions(s3: S3, versioned: str) -> None:
    """A copy may be of an older version, also onto its own key, which restores it; a delete marker cannot be copied."""
    first = put(s3, "k", b"1")
    put(s3, "k", b"2")
    copied = s3("CopyObject", Bucket=versioned, Key="k", CopySource=f"{versioned}/k?versionId={first}")
    assert copied["CopySourceVersionId"] == first
    assert read(s3, "k") == b"1"
    marker = s3("DeleteObject", Bucket=versioned, Key="k")["VersionId"]
    with refused("InvalidRequest", 400):
        s3("CopyObject", Bucket=versioned, Key="x", CopySource=f"{versioned}/k?versionId={marker}")
    with refused("NoSuchKey", 404):
        s3("CopyObject", Bucket=versioned, Key="x", CopySource=f"{versioned}/k")


@pytest.mark.documented
def test_deleting_many_versions(s3: S3, versioned: str) -> None:
    """DeleteObjects tells of the markers that it makes and removes."""
    first = put(s3, "k", b"1")
    made = s3("DeleteObjects", Bucket=versioned, Delete={"Objects": [{"Key": "k"}]})["Deleted"][0]
    assert made["DeleteMarker"] is True
    targets = [{"Key": "k", "VersionId": made["DeleteMarkerVersionId"]}, {"Key": "k", "VersionId": first}]
    removed = s3("DeleteObjects", Bucket=versioned, Delete={"Objects": targets})["Deleted"]
    assert removed[0]["DeleteMarkerVersionId"] == made["DeleteMarkerVersionId"]
    assert removed[1] == {"Key": "k", "VersionId": first}
    assert versions(s3) == []


@pytest.mark.documented
def test_listing_versions_in_pages(s3: S3, versioned: str) -> None:
    """Pages of versions neither skip nor repeat, cross keys and versions, and go on after what was deleted meanwhile."""
    made = [(key, put(s3, key, b"x")) for key in ("a", "b", "a", "a", "c/1", "c/2", "b")]
    made.append(("b", s3("DeleteObject", Bucket=versioned, Key="b")["VersionId"]))
    in_order = [one for key in ("a", "b", "c/1", "c/2") for one in reversed(made) if one[0] == key]
    for delete in (False, True):
        found: list[tuple[str, str]] = []
        newest: list[tuple[str, str]] = []
        markers: dict[str, str] = {}
        while True:
            answer = s3("ListObjectVersions", Bucket=versioned, MaxKeys=2, **markers)
            page = sorted(
                [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])],
                key=lambda one: in_order.index((one["Key"], one["VersionId"])),
            )
            found += [(one["Key"], one["VersionId"]) for one in page]
            newest += [(one["Key"], one["VersionId"]) for one in page if one["IsLatest"]]
            if delete:
                s3(
                    "DeleteObjects",
                    Bucket=versioned,
                    Delete={"Objects": [{"Key": k, "VersionId": v} for k, v in found[-len(page) :]]},
                )
            if not answer["IsTruncated"]:
                break
            markers = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}
        assert found == in_order
        assert [key for key, _ in newest] == ["a", "b", "c/1", "c/2"]
    assert versions(s3) == []


@pytest.mark.documented
def test_common_prefixes_of_versions(s3: S3, versioned: str) -> None:
    """A delimiter rolls versions up too."""
    for key in ("dir/a", "dir/a", "top"):
        put(s3, key, b"x")
    answer = s3("ListObjectVersions", Bucket=versioned, Delimiter="/")
    assert answer["CommonPrefixes"] == [{"Prefix": "dir/"}]
    assert [one["Key"] for one in answer["Versions"]] == ["top"]
    assert len(s3("ListObjectVersions", Bucket=versioned, Prefix="dir/")["Versions"]) == 2


@pytest.mark.documented
def test_tags_belong_to_versions(s3: S3, versioned: str) -> None:
    """Tags are of one version; the newest unless one is named."""
    first = put(s3, "k", b"1", Tagging="v=1")
    put(s3, "k", b"2", Tagging="v=2")
    assert s3("GetObjectTagging", Bucket=versioned, Key="k", VersionId=first)["TagSet"] == [{"Key": "v", "Value": "1"}]
    s3("PutObjectTagging", Bucket=versioned, Key="k", VersionId=first, Tagging={"TagSet": []})
    assert s3("GetObjectTagging", Bucket=versioned, Key="k")["TagSet"] == [{"Key": "v", "Value": "2"}]


@pytest.mark.documented
def test_locked_versions_stay(s3: S3, yard_in_process: Yard) -> None:
    """Retention and legal hold keep a version from being deleted, not from being hidden; governance may be bypassed."""
    s3("CreateBucket", Bucket="bucket", ObjectLockEnabledForBucket=True)
    held = put(s3, "k", b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=START + 100, ObjectLockLegalHoldStatus="ON")
    where = {"Bucket": "bucket", "Key": "k", "VersionId": held}
    assert s3("HeadObject", **where)["ObjectLockMode"] == "GOVERNANCE"
    assert s3("DeleteObject", Bucket="bucket", Key="k")["DeleteMarker"] is True
    with refused("AccessDenied", 403, "object lock"):
        s3("DeleteObject", **where, BypassGovernanceRetention=True)
    s3("PutObjectLegalHold", **where, LegalHold={"Status": "OFF"})
    assert s3("GetObjectLegalHold", **where) == {"LegalHold": {"Status": "OFF"}}
    with refused("AccessDenied", 403):
        s3("DeleteObject", **where)
    errors = s3("DeleteObjects", Bucket="bucket", Delete={"Objects": [{"Key": "k", "VersionId": held}]})["Errors"]
    assert errors[0]["Code"] == "AccessDenied"
    with refused("AccessDenied", 403):
        s3("PutObjectRetention", **where, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": START + 50})
    s3("PutObjectRetention", **where, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": START + 200})
    assert s3("GetObjectRetention", **where)["Retention"] == {"Mode": "COMPLIANCE", "RetainUntilDate": START + 200}
    with refused("AccessDenied", 403):
        s3("DeleteObject", **where, BypassGovernanceRetention=True)
    yard_in_process.clock.advance(201)
    s3("DeleteObject", **where)


@pytest.mark.documented
def test_lock_configuration(s3: S3, bucket: str) -> None:
    """A default retention needs versions, goes to what is put without one, and keeps versioning from being suspended."""
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    with refused("ObjectLockConfigurationNotFoundError", 404):
        s3("GetObjectLockConfiguration", Bucket=bucket)
    with refused("InvalidBucketState", 409):
        s3("PutObjectLockConfiguration", Bucket=bucket, ObjectLockConfiguration=rule)
    s3("PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3("PutObjectLockConfiguration", Bucket=bucket, ObjectLockConfiguration=rule)
    assert s3("GetObjectLockConfiguration", Bucket=bucket) == {"ObjectLockConfiguration": rule}
    put(s3, "k", b"x")
    assert s3("GetObjectRetention", Bucket=bucket, Key="k")["Retention"]["RetainUntilDate"] == START + 86_400
    with refused("InvalidBucketState", 409):
        s3("PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


@pytest.mark.documented
def test_bypassing_needs_its_permission(s3: S3) -> None:
    """Governance is bypassed only by who may."""
    s3("CreateBucket", Bucket="bucket", ObjectLockEnabledForBucket=True)
    held = put(s3, "k", b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=START + 100)
    deleter = user(
        user().account,
        "deleter",
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:DeleteObject*", "Resource": "*"}]}',
    )
    where = {"Bucket": "bucket", "Key": "k", "VersionId": held, "BypassGovernanceRetention": True}
    with refused("AccessDeniedException", match="BypassGovernanceRetention"):
        s3("DeleteObject", **where, by=deleter)
    s3("DeleteObject", **where)
