"""How long bytes stay: as long as a row names them, and not much longer."""

from typing import Any

import pytest
from tests.contract.objects.calls import S3, read, refused, upload
from tests.harness import Yard

from modelyard.blobs.interface import Blob
from modelyard.dispatch import kept_blobs
from modelyard.object_store.worker import GRACE_SECONDS, adopt_orphans, periodic, sweep

FIVE = 5 * 1024 * 1024


class Keeper:
    """The bytes of a house, and the worker that clears them up."""

    def __init__(self, yard: Yard) -> None:
        self.house = yard.house
        self.clock = yard.clock

    def count(self) -> int:
        return len(list(self.house.blobs.digests()))

    def sweep(self, after: float = GRACE_SECONDS + 1) -> int:
        self.clock.advance(after)
        return sweep(self.house.storage, self.house.blobs, self.clock)

    def keep(self, data: bytes) -> Blob:
        writer = self.house.blobs.writer()
        writer.write(data)
        return writer.commit()


@pytest.fixture
def keeper(yard_in_process: Yard) -> Keeper:
    return Keeper(yard_in_process)


@pytest.mark.ours
def test_identical_bytes_are_kept_once(s3: S3, bucket: str, keeper: Keeper) -> None:
    """Objects with the same bytes, and copies, share one blob, which stays until the last of them is gone."""
    for key in ("a", "b"):
        s3("PutObject", Bucket=bucket, Key=key, Body=b"same")
    s3("CopyObject", Bucket=bucket, Key="c", CopySource=f"{bucket}/a")
    assert keeper.count() == 1
    for key, left in (("a", 1), ("b", 1), ("c", 0)):
        s3("DeleteObject", Bucket=bucket, Key=key)
        keeper.sweep()
        assert keeper.count() == left


@pytest.mark.ours
def test_bytes_stay_for_their_readers(s3: S3, bucket: str, keeper: Keeper) -> None:
    """Bytes of a deleted object stay for a while, so that whoever reads them may finish."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"x")
    s3("DeleteObject", Bucket=bucket, Key="k")
    assert keeper.sweep(after=GRACE_SECONDS - 1) == 0
    assert keeper.count() == 1
    assert keeper.sweep(after=2) == 1
    assert keeper.count() == 0


@pytest.mark.ours
def test_overwriting_and_versions(s3: S3, bucket: str, keeper: Keeper) -> None:
    """What is overwritten goes; what is kept as a version stays, below a delete marker too."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"1")
    s3("PutObject", Bucket=bucket, Key="k", Body=b"2")
    assert keeper.sweep() == 1
    s3("PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3("PutObject", Bucket=bucket, Key="k", Body=b"3")
    s3("DeleteObject", Bucket=bucket, Key="k")
    assert keeper.sweep() == 0
    assert read(s3, "k", VersionId="null") == b"2"


@pytest.mark.ours
def test_parts(s3: S3, bucket: str, keeper: Keeper) -> None:
    """Parts stay while their upload or their object is there; parts that were left out or aborted go."""
    where = {"Bucket": bucket, "Key": "m", "UploadId": s3("CreateMultipartUpload", Bucket=bucket, Key="m")["UploadId"]}
    tag = s3("UploadPart", **where, PartNumber=1, Body=b"used")["ETag"]
    s3("UploadPart", **where, PartNumber=2, Body=b"left out")
    s3("UploadPart", **where, PartNumber=3, Body=b"replaced")
    s3("UploadPart", **where, PartNumber=3, Body=b"left out too")
    assert keeper.sweep() == 1
    s3("CompleteMultipartUpload", **where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
    assert keeper.sweep() == 2
    assert read(s3, "m") == b"used"
    s3("CopyObject", Bucket=bucket, Key="copy", CopySource=f"{bucket}/m")
    s3("DeleteObject", Bucket=bucket, Key="m")
    assert keeper.sweep() == 0
    assert read(s3, "copy") == b"used"
    s3("DeleteObject", Bucket=bucket, Key="copy")
    assert keeper.sweep() == 1
    upload(s3, "m", [bytes(FIVE), bytes(FIVE), b"x"])
    s3("DeleteObject", Bucket=bucket, Key="m")
    assert keeper.sweep() == 2
    assert keeper.count() == 0


@pytest.mark.ours
def test_bytes_that_a_crash_left(s3: S3, bucket: str, keeper: Keeper) -> None:
    """Bytes without a row are noticed and go after a while; those of rows are left alone."""
    s3("PutObject", Bucket=bucket, Key="k", Body=b"kept")
    keeper.keep(b"orphan")
    house = keeper.house
    assert adopt_orphans(house.storage, house.blobs, keeper.clock) == 1
    assert adopt_orphans(house.storage, house.blobs, keeper.clock) == 0
    assert keeper.sweep() == 1
    assert read(s3, "k") == b"kept"
    assert keeper.count() == 1


@pytest.mark.ours
def test_an_upload_that_is_about_to_write_its_row(s3: S3, bucket: str, keeper: Keeper) -> None:
    """Orphans that get a row before the sweep comes are kept."""
    keeper.keep(b"x")
    adopt_orphans(keeper.house.storage, keeper.house.blobs, keeper.clock)
    s3("PutObject", Bucket=bucket, Key="k", Body=b"x")
    assert keeper.sweep() == 0
    assert read(s3, "k") == b"x"


@pytest.mark.ours
def test_an_upload_that_the_sweep_overtakes(yard_in_process: Yard, keeper: Keeper) -> None:
    """Bytes that the sweep took between their commit and their row are missed: the upload is told to try again."""
    house, blob = keeper.house, keeper.keep(b"x")
    adopt_orphans(house.storage, house.blobs, keeper.clock)
    with house.storage.read() as tx:
        seen = kept_blobs.look(tx, blob.digest)
    assert keeper.sweep() == 1
    with refused("ThrottlingException"):
        house.storage.write(lambda tx: kept_blobs.refer(tx, blob, seen, house.blobs))
    keeper.keep(b"x")
    house.storage.write(lambda tx: kept_blobs.refer(tx, blob, seen, house.blobs))


@pytest.mark.ours
def test_bytes_that_are_being_removed(yard_in_process: Yard, keeper: Keeper) -> None:
    """While bytes are on their way out no row may name them, also when the sweep was killed; the next one ends it."""
    house, blob = keeper.house, keeper.keep(b"x")
    adopt_orphans(house.storage, house.blobs, keeper.clock)
    condemned = house.storage.write(lambda tx: kept_blobs.condemn(tx, keeper.clock.now() + 1, 10))
    assert condemned == [blob.digest]
    with house.storage.read() as tx:
        seen = kept_blobs.look(tx, blob.digest)
    assert seen.removing
    with refused("ThrottlingException"):
        house.storage.write(lambda tx: kept_blobs.refer(tx, blob, seen, house.blobs))
    assert keeper.sweep() == 1
    with refused("ThrottlingException"):
        house.storage.write(lambda tx: kept_blobs.refer(tx, blob, seen, house.blobs))


@pytest.mark.ours
def test_the_server_runs_the_worker(s3: S3, bucket: str, keeper: Keeper) -> None:
    """The function that the server calls from time to time clears up both kinds."""
    seconds, clear_up = periodic(keeper.house)
    assert seconds > 0
    keeper.keep(b"orphan")
    s3("PutObject", Bucket=bucket, Key="k", Body=b"x")
    s3("DeleteObject", Bucket=bucket, Key="k")
    clear_up()
    keeper.clock.advance(GRACE_SECONDS + 1)
    clear_up()
    assert keeper.count() == 0


@pytest.mark.ours
def test_what_verify_looks_at(s3: S3, bucket: str, keeper: Keeper) -> None:
    """Every blob that rows may name can be gone through in order."""
    for data in (b"1", b"2", b"3"):
        s3("PutObject", Bucket=bucket, Key=data.decode(), Body=data)
    found: list[Any] = []
    with keeper.house.storage.read() as tx:
        while page := kept_blobs.blobs_after(tx, found[-1].digest if found else "", 2):
            found += page
    assert sorted(blob.digest for blob in found) == sorted(keeper.house.blobs.digests())
