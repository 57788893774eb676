"""What is particular to bytes in a bucket of an S3."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.harness import house
from tests.running import RunningYard

from modelyard.blobs import open_blobs, s3
from modelyard.blobs.directory import DirectoryBlobs
from modelyard.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.ours]


def test_large_blobs_go_in_parts(s3_settings: Settings, yard: RunningYard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes above the size of a part are sent in parts, and come back whole and in ranges."""
    monkeypatch.setattr(s3, "PART", 5 << 20)
    blobs = open_blobs(s3_settings)
    data = hashlib.shake_256(b"x").digest(12 << 20)
    writer = blobs.writer()
    writer.write(data)
    blob = writer.commit()
    assert b"".join(blobs.read(blob.digest)) == data
    assert b"".join(blobs.read(blob.digest, (5 << 20) - 1, 3)) == data[(5 << 20) - 1 :][:3]
    head = yard.client("s3").head_object(Bucket=s3_settings.blobs.split("/")[2], Key=f"some/prefix/sha256/{blob.digest[7:]}")
    assert head["ETag"].endswith('-3"')


def test_bytes_that_are_there_are_not_sent_again(s3_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second commit of the same bytes asks, and does not send."""
    blobs = open_blobs(s3_settings)
    assert isinstance(blobs, s3.S3Blobs)
    for sent in (True, False):
        calls: list[str] = []
        monkeypatch.setattr(blobs.client, "put_object", _noting(blobs.client.put_object, calls))
        writer = blobs.writer()
        writer.write(b"x")
        writer.commit()
        assert bool(calls) is sent


def _noting(function: Any, calls: list[str]) -> Any:
    def call(**request: Any) -> Any:
        calls.append(request["Key"])
        return function(**request)

    return call


def test_nothing_stays_in_the_spool(s3_settings: Settings) -> None:
    """Once bytes are sent, discarded or left by a killed process, the spool is empty."""
    left_over = s3_settings.data / "spool" / "1-dead"
    left_over.parent.mkdir()
    left_over.write_bytes(b"half")
    blobs = open_blobs(s3_settings)
    for finish in ("commit", "discard"):
        writer = blobs.writer()
        writer.write(b"x")
        getattr(writer, finish)()
    assert list((s3_settings.data / "spool").iterdir()) == []


def test_one_setting_moves_the_bytes(s3_settings: Settings, tmp_path: Path) -> None:
    """A house whose bytes are in another S3 answers reads, ranges and sweeps as one with a directory."""
    with house(tmp_path / "house", blobs=s3_settings.blobs, blobs_endpoint=s3_settings.blobs_endpoint) as yard:
        yard.call("s3", "CreateBucket", Bucket="bucket")
        yard.call("s3", "PutObject", Bucket="bucket", Key="k", Body=bytes(300_000) + b"end")
        got = yard.call("s3", "GetObject", Bucket="bucket", Key="k", Range="bytes=-4")
        assert got["Body"] == b"\0end"
        assert len(list(yard.house.blobs.digests())) == 1
        assert not (tmp_path / "house" / "blobs").exists()


def test_which_store_a_setting_means(tmp_path: Path) -> None:
    """Nothing is a directory beside the data, a path is that directory."""
    open_blobs(Settings(data=tmp_path))
    assert (tmp_path / "blobs").is_dir()
    assert isinstance(open_blobs(Settings(data=tmp_path, blobs=str(tmp_path / "elsewhere"))), DirectoryBlobs)
    assert (tmp_path / "elsewhere").is_dir()
