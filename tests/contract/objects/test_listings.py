"""Listings of objects."""

import time

import pytest
from tests.contract.objects.calls import S3, keys, refused
from tests.harness import Yard

from modelyard.object_store import store

KEYS = ["a", "a/b", "a/b/c", "a/d", "b", "dir one/x", "dir one/y", "ü/x", "\U0001f600"]


@pytest.fixture
def filled(s3: S3, bucket: str) -> str:
    """A bucket with KEYS in it."""
    for key in KEYS:
        s3("PutObject", Bucket=bucket, Key=key, Body=key.encode())
    return bucket


@pytest.mark.documented
def test_order_and_prefix(s3: S3, filled: str) -> None:
    """Keys come in the order of their UTF-8 bytes, those with the prefix only."""
    assert keys(s3("ListObjectsV2", Bucket=filled)) == sorted(KEYS, key=str.encode)
    assert keys(s3("ListObjectsV2", Bucket=filled, Prefix="a/")) == ["a/b", "a/b/c", "a/d"]
    assert s3("ListObjectsV2", Bucket=filled, Prefix="none")["KeyCount"] == 0
    assert keys(s3("ListObjectsV2", Bucket=filled, StartAfter="a/d")) == sorted(KEYS, key=str.encode)[4:]


@pytest.mark.documented
def test_delimiter(s3: S3, filled: str) -> None:
    """Keys below the delimiter are one common prefix, which counts as one entry."""
    answer = s3("ListObjectsV2", Bucket=filled, Delimiter="/")
    assert keys(answer) == ["a", "b", "\U0001f600"]
    assert [one["Prefix"] for one in answer["CommonPrefixes"]] == ["a/", "dir one/", "ü/"]
    assert answer["KeyCount"] == 6
    below = s3("ListObjectsV2", Bucket=filled, Delimiter="/", Prefix="a/")
    assert (keys(below), below["CommonPrefixes"]) == (["a/b", "a/d"], [{"Prefix": "a/b/"}])


@pytest.mark.documented
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages(s3: S3, filled: str, delimiter: str) -> None:
    """Pages neither skip nor repeat, by token and by marker, also while keys are added behind them."""
    more = {"Delimiter": delimiter} if delimiter else {}
    whole = s3("ListObjectsV2", Bucket=filled, **more)
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = s3("ListObjectsV2", Bucket=filled, MaxKeys=2, **more, **token)
        found += keys(answer) + [one["Prefix"] for one in answer.get("CommonPrefixes", [])]
        s3("PutObject", Bucket=filled, Key="0" + str(len(found)), Body=b"")
        if not answer["IsTruncated"]:
            break
        token = {"ContinuationToken": answer["NextContinuationToken"]}
    assert sorted(found) == sorted(keys(whole) + [one["Prefix"] for one in whole.get("CommonPrefixes", [])])
    by_marker: list[str] = []
    marker = "0z"
    while True:
        answer = s3("ListObjects", Bucket=filled, MaxKeys=2, Marker=marker, **more)
        by_marker += keys(answer) + [one["Prefix"] for one in answer.get("CommonPrefixes", [])]
        if not answer["IsTruncated"]:
            break
        marker = answer.get("NextMarker") or keys(answer)[-1]
    assert sorted(by_marker) == sorted(found)


@pytest.mark.documented
def test_what_an_entry_shows(s3: S3, filled: str) -> None:
    """Size, tag, date and class of each object; its owner when asked, and always in the old listing."""
    entry = s3("ListObjectsV2", Bucket=filled, Prefix="b", FetchOwner=True)["Contents"][0]
    assert (entry["Size"], entry["StorageClass"]) == (1, "STANDARD")
    assert len(entry["Owner"]["ID"]) == 64
    assert "Owner" in s3("ListObjects", Bucket=filled)["Contents"][0]
    assert "Owner" not in s3("ListObjectsV2", Bucket=filled)["Contents"][0]


@pytest.mark.documented
def test_encoded_keys(s3: S3, filled: str) -> None:
    """encoding-type=url percent-encodes keys, prefixes, delimiter and markers."""
    answer = s3("ListObjectsV2", Bucket=filled, EncodingType="url", Delimiter="/", Prefix="dir ", StartAfter="a b")
    assert answer["CommonPrefixes"] == [{"Prefix": "dir%20one/"}]
    assert (answer["Prefix"], answer["StartAfter"], answer["EncodingType"]) == ("dir%20", "a%20b", "url")


@pytest.mark.documented
def test_how_many(s3: S3, filled: str) -> None:
    """MaxKeys may be 0, is 1,000 at most, and is no negative number."""
    none = s3("ListObjectsV2", Bucket=filled, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"], none["MaxKeys"]) == (0, False, 0)
    assert s3("ListObjectsV2", Bucket=filled, MaxKeys=5000)["MaxKeys"] == 1000
    with refused("InvalidArgument", 400):
        s3("ListObjectsV2", Bucket=filled, MaxKeys=-1)


@pytest.mark.ours
def test_tokens_that_are_none(s3: S3, filled: str) -> None:
    """A continuation token that was not given out is refused."""
    for token in ("", "x", "AAAA", "ü"):
        with refused("InvalidArgument", 400):
            s3("ListObjectsV2", Bucket=filled, ContinuationToken=token)


@pytest.mark.ours
def test_a_hundred_thousand_keys(s3: S3, bucket: str, yard_in_process: Yard) -> None:
    """A page in the middle of 100,000 keys costs no more than the first one, also when folders of thousands are rolled up."""
    storage = yard_in_process.house.storage
    with storage.read() as tx:
        found = store.bucket(tx, bucket)
    assert found is not None
    rows = [
        {"bucket": found.id, "key": f"folder{folder:02}/{number:05}", "then": 1.0}
        for folder in range(20)
        for number in range(5000)
    ]
    columns = "bucket_id, object_key, version_id, listed, modified"
    insert = f"INSERT INTO object_version ({columns}) VALUES (:bucket, :key, 'null', 1, :then)"
    storage.write(lambda tx: tx.execute_many(insert, rows))
    first, middle = _seconds(s3, StartAfter=""), _seconds(s3, StartAfter="folder10/02500")
    assert middle < 3 * first + 0.05
    answer = s3("ListObjectsV2", Bucket=bucket, Delimiter="/")
    assert len(answer["CommonPrefixes"]) == 20
    assert _seconds(s3, Delimiter="/") < first + 0.05


def _seconds(s3: S3, **more: str) -> float:
    """The best of three."""

    def once() -> float:
        started = time.perf_counter()
        s3("ListObjectsV2", Bucket="bucket", **more)
        return time.perf_counter() - started

    return min(once() for _ in range(3))
