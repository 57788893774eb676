"""What a version relies on is known and kept, on every database."""

import hashlib
from typing import Any

import pytest
from tests.contract.registry.governed import ALICE, Governed, refused, specification
from tests.harness import ACCOUNT, user

from modelyard.registry.operations import preparation
from modelyard.registry.worker import hash_registered

pytestmark = pytest.mark.ours

BYTES = b"the weights of a model"
SHA256 = hashlib.sha256(BYTES).hexdigest()
MD5 = hashlib.md5(BYTES).hexdigest()
FIVE = 5 * 1024 * 1024
MISSING, INVALID = "ResourceNotFound", "ValidationException"


def upload(registry: Governed, key: str, *parts: bytes) -> str:
    """An object that comes in parts."""
    where = {"Bucket": registry.bucket, "Key": key}
    upload_id = registry.call("s3", "CreateMultipartUpload", **where)["UploadId"]
    done = [
        {"PartNumber": n, "ETag": registry.call("s3", "UploadPart", **where, UploadId=upload_id, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate(parts, 1)
    ]
    registry.call("s3", "CompleteMultipartUpload", **where, UploadId=upload_id, MultipartUpload={"Parts": done})
    return f"s3://{registry.bucket}/{key}"


def delete_everything(registry: Governed) -> None:
    """What an administrator may do: delete every version of every key, and the bucket."""
    listed = registry.call("s3", "ListObjectVersions", Bucket=registry.bucket)
    for one in [*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())]:
        registry.call("s3", "DeleteObject", Bucket=registry.bucket, Key=one["Key"], VersionId=one["VersionId"])


def test_an_artifact_is_looked_up(registry: Governed) -> None:
    """SHA-256, size, ETag are taken down, and the ETag is in the answer of Describe."""
    arn = registry.register_model(registry.put("model.tar.gz", BYTES))
    assert registry.described(arn)["InferenceSpecification"]["Containers"][0]["ModelDataETag"] == MD5
    artifact = registry.artifact(arn)
    assert artifact["Status"] == "Verified" and artifact["Kind"] == "Object"
    assert artifact["Objects"] == [
        {"Bucket": registry.bucket, "Key": "model.tar.gz", "Size": len(BYTES), "ETag": MD5, "Sha256": SHA256}
    ]


def test_registered_bytes_outlive_the_object(registry: Governed) -> None:
    """Overwritten, deleted, its bucket deleted: the registered bytes are there, until the version goes."""
    weights = f"known to {registry.bucket} alone".encode()
    arn = registry.register_model(registry.put("model.tar.gz", weights))
    registry.put("model.tar.gz", b"tampered")
    registry.clear_up()
    assert registry.registered_bytes(arn) == weights
    delete_everything(registry)
    registry.call("s3", "DeleteBucket", Bucket=registry.bucket)
    registry.clear_up()
    assert registry.registered_bytes(arn) == weights
    registry.call("sagemaker", "DeleteModelPackage", ModelPackageName=arn)
    assert registry.clear_up() == 1
    with refused(MISSING, "does not exist"):
        registry.registered_bytes(arn)


def test_registered_bytes_stay_at_their_version(registry: Governed) -> None:
    """Where versions are kept, a registered one is read by its id though it was deleted; it is listed no more."""
    registry.keep_versions()
    arn = registry.register_model(registry.put("model.tar.gz", BYTES))
    version = registry.artifact(arn)["Objects"][0]["VersionId"]
    at = {"Bucket": registry.bucket, "Key": "model.tar.gz", "VersionId": version}
    delete_everything(registry)
    registry.clear_up()
    answer = registry.call("s3", "GetObject", **at)
    assert answer["Body"] == BYTES and answer["VersionId"] == version and answer["ETag"] == f'"{MD5}"'
    assert registry.call("s3", "HeadObject", **at)["ContentLength"] == len(BYTES)
    assert registry.call("s3", "GetObject", **at, Range="bytes=4-10")["Body"] == BYTES[4:11]
    copy = f"{registry.bucket}/model.tar.gz?versionId={version}"
    registry.call("s3", "CopyObject", Bucket=registry.bucket, Key="copy", CopySource=copy)
    assert registry.call("s3", "GetObject", Bucket=registry.bucket, Key="copy")["Body"] == BYTES
    assert "Versions" not in registry.call("s3", "ListObjectVersions", Bucket=registry.bucket, Prefix="model")
    with refused("NoSuchKey", "does not exist"):
        registry.call("s3", "GetObject", Bucket=registry.bucket, Key="model.tar.gz")
    registry.call("sagemaker", "DeleteModelPackage", ModelPackageName=arn)
    with refused("NoSuchVersion", "does not exist"):
        registry.call("s3", "GetObject", **at)


def test_versions_that_share_bytes_keep_them_each(registry: Governed) -> None:
    """Two versions of one artifact: the bytes stay until both are gone."""
    uri = registry.put("model.tar.gz", BYTES)
    first, second = registry.register_model(uri), registry.register_model(uri)
    delete_everything(registry)
    registry.call("sagemaker", "DeleteModelPackage", ModelPackageName=first)
    registry.clear_up()
    assert registry.registered_bytes(second) == BYTES


def test_objects_in_parts_are_hashed_and_kept_whole(registry: Governed) -> None:
    """An object of a multipart upload has the SHA-256 of all its bytes, and all of them stay."""
    parts = [b"a" * FIVE, b"b" * 1000]
    arn = registry.register_model(upload(registry, "large.tar.gz", *parts))
    assert registry.artifact(arn)["Objects"][0]["Sha256"] == hashlib.sha256(b"".join(parts)).hexdigest()
    delete_everything(registry)
    registry.clear_up()
    assert registry.registered_bytes(arn) == b"".join(parts)


def test_what_is_too_large_to_wait_for_is_hashed_later(registry: Governed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registration does not wait for very large objects; the worker hashes what is pinned."""
    monkeypatch.setattr(preparation, "HASHED_AT_ONCE", 1000)
    parts = [b"a" * FIVE, b"b"]
    arn = registry.register_model(upload(registry, "huge.tar.gz", *parts))
    assert "Sha256" not in registry.artifact(arn)["Objects"][0] and registry.artifact(arn)["Status"] == "Verified"
    delete_everything(registry)
    house = registry.yard.house
    assert hash_registered(house.storage, house.blobs) >= 1
    assert registry.artifact(arn)["Objects"][0]["Sha256"] == hashlib.sha256(b"".join(parts)).hexdigest()
    assert hash_registered(house.storage, house.blobs) == 0


def test_prefixes_are_kept_object_by_object(registry: Governed) -> None:
    """Everything below a prefix is looked up, but for folder markers; each object is read by its key."""
    for key, body in {"m/": b"", "m/config.json": b"{}", "m/weights": BYTES, "mother": b"no"}.items():
        registry.put(key, body)
    source = {"S3Uri": f"s3://{registry.bucket}/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    arn = registry.register(InferenceSpecification=specification({"ModelDataSource": {"S3DataSource": source}}))
    artifact = registry.artifact(arn, "ModelDataSource")
    assert artifact["Kind"] == "Prefix" and [one["Key"] for one in artifact["Objects"]] == ["m/config.json", "m/weights"]
    delete_everything(registry)
    registry.clear_up()
    assert registry.registered_bytes(arn, Key="m/weights") == BYTES
    with refused(INVALID, "Several objects"):
        registry.registered_bytes(arn)
    with refused(MISSING, "No registered bytes"):
        registry.registered_bytes(arn, Key="m/none")


def test_a_single_object_as_data_source(registry: Governed) -> None:
    """A data source that is one object gets its ETag filled in; one that the caller gave stays as it was."""
    uri = registry.put("weights", BYTES)
    source = {"S3Uri": uri, "S3DataType": "S3Object", "CompressionType": "None"}
    arn = registry.register(
        InferenceSpecification=specification(
            {"ModelDataSource": {"S3DataSource": source}}, {"ModelDataUrl": uri, "ModelDataETag": f'"{MD5}"'}
        )
    )
    first, second = registry.described(arn)["InferenceSpecification"]["Containers"]
    assert first["ModelDataSource"]["S3DataSource"]["ETag"] == MD5
    assert second["ModelDataETag"] == f'"{MD5}"'
    assert registry.registered_bytes(arn, Location="InferenceSpecification.Containers[1].ModelDataUrl") == BYTES


def test_every_container_is_looked_at(registry: Governed) -> None:
    """Additional specifications and source algorithms name artifacts too."""
    one, two = registry.put("one", b"1"), registry.put("two", b"2")
    arn = registry.register(
        AdditionalInferenceSpecifications=[{"Name": "fast", **specification({"ModelDataUrl": one})}],
        SourceAlgorithmSpecification={"SourceAlgorithms": [{"AlgorithmName": "algorithm", "ModelDataUrl": two}]},
    )
    assert registry.registered_bytes(arn, Location="AdditionalInferenceSpecifications[0].Containers[0].ModelDataUrl") == b"1"
    assert registry.registered_bytes(arn, Location="SourceAlgorithmSpecification.SourceAlgorithms[0].ModelDataUrl") == b"2"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://no-such-bucket-anywhere/model.tar.gz", "There is no bucket no-such-bucket-anywhere here."),
        ("s3://{bucket}/none.tar.gz", "There is no object s3://{bucket}/none.tar.gz."),
        ("https://example.com/model.tar.gz", "Only addresses that begin with s3:// are looked up"),
        ("s3://{bucket}/", "names no object"),
    ],
)
def test_what_cannot_be_looked_up_is_registered_and_unverified(registry: Governed, uri: str, reason: str) -> None:
    """As on AWS the artifact need not be there; DescribeIntegrity says why nothing is known of it."""
    arn = registry.register_model(uri.format(bucket=registry.bucket))
    artifact = registry.artifact(arn)
    assert artifact["Status"] == "Unverified"
    if "https" not in uri:
        assert reason.format(bucket=registry.bucket) in artifact["Reason"]
    assert registry.integrity(arn)["Status"] == "Unverified"
    assert "ModelDataETag" not in registry.described(arn)["InferenceSpecification"]["Containers"][0]


def test_a_registration_that_names_another_etag_is_unverified(registry: Governed) -> None:
    """What is there now is not what the registration means: it is not pinned for it."""
    arn = registry.register_model(registry.put("model.tar.gz", BYTES), ModelDataETag="another")
    assert "its ETag is another, and it is " + MD5 in registry.artifact(arn)["Reason"]


def test_artifacts_are_looked_up_as_the_caller(registry: Governed) -> None:
    """What the caller may not read is not read for them: neither known nor kept."""
    uri = registry.put("model.tar.gz", BYTES)
    registers = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sagemaker:*","Resource":"*"}]}'
    arn = registry.register_model(uri, by=user(ACCOUNT, "registers", registers))
    assert registry.artifact(arn)["Reason"] == f"The caller may not read {uri}."


def test_reading_registered_bytes_needs_a_permission_of_its_own(registry: Governed) -> None:
    """Who may describe a version may not thereby read its bytes; who may read them need not reach the bucket."""
    arn = registry.register_model(registry.put("model.tar.gz", BYTES))
    describes = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sagemaker:*","Resource":"*"}]}'
    with refused("AccessDeniedException", "modelyard:GetRegisteredArtifact"):
        registry.registered_bytes(arn, user(ACCOUNT, "describes", describes))
    reads = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"modelyard:Get*","Resource":"*"}]}'
    assert registry.registered_bytes(arn, user(ACCOUNT, "reads", reads)) == BYTES


def test_an_update_pins_what_is_new_and_lets_go_of_the_old(registry: Governed) -> None:
    """A new specification is looked up anew; what the version no longer names is not kept for it; the rest stays."""
    old, extra, new = registry.put("old", b"old"), registry.put("extra", b"extra"), registry.put("new", b"new")
    additional = [{"Name": "extra", **specification({"ModelDataUrl": extra})}]
    arn = registry.register(
        InferenceSpecification=specification({"ModelDataUrl": old}), AdditionalInferenceSpecifications=additional
    )
    registry.clear_up()
    delete_everything(registry)
    registry.put("new", b"new")
    registry.update(arn, ALICE, InferenceSpecification=specification({"ModelDataUrl": new}))
    assert registry.clear_up() == 1
    assert registry.artifact(arn)["Objects"][0]["Key"] == "new"
    assert registry.registered_bytes(arn, Key="extra") == b"extra"
    more = [{"Name": "more", **specification({"ModelDataUrl": registry.put("more", b"more")})}]
    registry.update(arn, ALICE, AdditionalInferenceSpecificationsToAdd=more)
    assert registry.registered_bytes(arn, Key="more") == b"more"
    subjects: list[Any] = [one["Subject"] for one in registry.decisions(arn)]
    assert subjects == ["InferenceSpecification", "InferenceSpecification"]


def test_a_version_made_from_another_pins_for_itself(registry: Governed) -> None:
    """SourceUri brings in the artifacts of another version; they are looked up as the caller and kept for the new one."""
    source = registry.register_model(registry.put("model.tar.gz", BYTES))
    arn = registry.register(SourceUri=source)
    registry.call("sagemaker", "DeleteModelPackage", ModelPackageName=source)
    delete_everything(registry)
    registry.clear_up()
    assert registry.registered_bytes(arn) == BYTES
    registry.put("model.tar.gz", b"another")
    copied = registry.register(SourceUri=arn)
    assert "ETag" in registry.artifact(copied)["Reason"], "the object is not what was registered any more"


def test_a_version_without_artifacts(registry: Governed) -> None:
    """There is nothing to verify, and nothing to read."""
    arn = registry.register(SourceUri="somewhere")
    assert registry.integrity(arn) == {"ModelPackageArn": arn, "Status": "Unverified", "Containers": []}
    with refused(MISSING, "No registered bytes"):
        registry.registered_bytes(arn)


def test_the_digest_of_an_image_is_looked_up(registry: Governed) -> None:
    """An image of a repository here has its digest in the answer; another digest, or another reader, leaves it unverified."""
    uri, digest = registry.push_image(registry.bucket)
    arn = registry.register_model(registry.put("model.tar.gz", BYTES), Image=uri)
    assert registry.described(arn)["InferenceSpecification"]["Containers"][0]["ImageDigest"] == digest
    assert registry.integrity(arn)["Status"] == "Verified"
    assert registry.artifact(arn, "Image")["ImageDigest"] == digest
    alone = registry.register(InferenceSpecification=specification({"Image": uri}))
    assert registry.integrity(alone)["Status"] == "Verified"
    by_digest = uri.removesuffix(":1") + f"@{digest}"
    exact = registry.register(InferenceSpecification=specification({"Image": by_digest, "ImageDigest": digest}))
    assert registry.integrity(exact)["Status"] == "Verified"
    wrong = registry.register(InferenceSpecification=specification({"Image": uri, "ImageDigest": "sha256:" + "0" * 64}))
    assert f"and it is {digest}" in registry.artifact(wrong, "Image")["Reason"]
    registers = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sagemaker:*","Resource":"*"}]}'
    hidden = registry.register(user(ACCOUNT, "registers", registers), InferenceSpecification=specification({"Image": uri}))
    assert "may not look at it" in registry.artifact(hidden, "Image")["Reason"]


def overwrite_in_parts(registry: Governed) -> None:
    upload(registry, "model.tar.gz", b"x" * FIVE, b"y")


def delete_many(registry: Governed) -> None:
    listed = registry.call("s3", "ListObjectVersions", Bucket=registry.bucket)
    objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in listed["Versions"]]
    assert registry.call("s3", "DeleteObjects", Bucket=registry.bucket, Delete={"Objects": objects})["Deleted"]


def delete_bucket(registry: Governed) -> None:
    delete_everything(registry)
    registry.call("s3", "DeleteBucket", Bucket=registry.bucket)


def suspend_and_overwrite(registry: Governed) -> None:
    registry.call("s3", "PutBucketVersioning", Bucket=registry.bucket, VersioningConfiguration={"Status": "Suspended"})
    registry.put("model.tar.gz", b"tampered")
    delete_everything(registry)


def replace_bucket(registry: Governed) -> None:
    delete_bucket(registry)
    registry.call("s3", "CreateBucket", Bucket=registry.bucket)
    registry.put("model.tar.gz", b"tampered")


ATTACKS = {
    "PutObject": lambda registry: registry.put("model.tar.gz", b"tampered"),
    "CopyObject": lambda registry: registry.call(
        "s3", "CopyObject", Bucket=registry.bucket, Key="model.tar.gz", CopySource=registry.put("other", b"tampered")[5:]
    ),
    "CompleteMultipartUpload": overwrite_in_parts,
    "DeleteObject": lambda registry: registry.call("s3", "DeleteObject", Bucket=registry.bucket, Key="model.tar.gz"),
    "DeleteObject of every version": delete_everything,
    "DeleteObjects": delete_many,
    "PutBucketVersioning": suspend_and_overwrite,
    "DeleteBucket": delete_bucket,
    "CreateBucket": replace_bucket,
}


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_no_operation_of_s3_takes_registered_bytes_away(registry: Governed, attack: Any, versioned: bool) -> None:
    """Whatever an administrator does to an object or its bucket, the registry reads out the registered bytes as they were."""
    if versioned:
        registry.keep_versions()
    weights = f"known to {registry.bucket} alone".encode()
    arn = registry.register_model(registry.put("model.tar.gz", weights))
    known = registry.artifact(arn)
    attack(registry)
    registry.clear_up()
    assert registry.registered_bytes(arn) == weights
    assert registry.artifact(arn) == known
    bucket_is_there = attack not in (delete_bucket, replace_bucket)
    if versioned and bucket_is_there:
        at = {"Bucket": registry.bucket, "Key": "model.tar.gz", "VersionId": known["Objects"][0]["VersionId"]}
        assert registry.call("s3", "GetObject", **at)["Body"] == weights
