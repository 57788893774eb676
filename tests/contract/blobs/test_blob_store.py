"""What every BlobStore promises, asked of each of them."""

import hashlib
from pathlib import Path

import pytest

from modelyard.blobs.directory import DirectoryBlobs
from modelyard.blobs.interface import Blob, BlobStore

pytestmark = pytest.mark.ours

EMPTY = "sha256:" + hashlib.sha256(b"").hexdigest()
ABSENT = "sha256:" + "0" * 64


def kept(blobs: BlobStore, data: bytes) -> Blob:
    writer = blobs.writer()
    for start in range(0, len(data), 1000):
        writer.write(data[start : start + 1000])
    return writer.commit()


def test_bytes_come_back_under_their_digest(blobs: BlobStore) -> None:
    """What was committed is read back whole, and its digest is the SHA-256 of its bytes."""
    data = bytes(range(256)) * 50
    blob = kept(blobs, data)
    assert blob == Blob("sha256:" + hashlib.sha256(data).hexdigest(), len(data))
    assert b"".join(blobs.read(blob.digest)) == data
    assert blobs.size(blob.digest) == len(data)


@pytest.mark.parametrize(("start", "length"), [(0, 1), (5, 10), (9_990, 10), (9_999, 1), (100, None), (0, 0), (300, 0)])
def test_a_part_of_the_bytes(blobs: BlobStore, start: int, length: int | None) -> None:
    """A read may begin anywhere and stop anywhere."""
    data = hashlib.shake_256(b"seed").digest(10_000)
    digest = kept(blobs, data).digest
    wanted = data[start:] if length is None else data[start : start + length]
    assert b"".join(blobs.read(digest, start, length)) == wanted


def test_pieces_are_small(blobs: BlobStore) -> None:
    """Bytes come in pieces of at most 1 MiB, however large the whole is."""
    digest = kept(blobs, bytes(5_000_000)).digest
    pieces = [len(piece) for piece in blobs.read(digest)]
    assert sum(pieces) == 5_000_000
    assert max(pieces) <= 1024 * 1024


def test_no_bytes_at_all(blobs: BlobStore) -> None:
    """Nothing is a blob too."""
    assert kept(blobs, b"") == Blob(EMPTY, 0)
    assert b"".join(blobs.read(EMPTY)) == b""
    assert blobs.size(EMPTY) == 0


def test_absent_bytes(blobs: BlobStore) -> None:
    """Bytes that are not here are reported at the call of read, not at the first piece."""
    with pytest.raises(FileNotFoundError):
        blobs.read(ABSENT)
    with pytest.raises(FileNotFoundError):
        blobs.read(ABSENT, 0, 0)
    assert blobs.size(ABSENT) is None


def test_identical_bytes_are_kept_once(blobs: BlobStore) -> None:
    """Two commits of the same bytes leave one blob."""
    assert kept(blobs, b"twice") == kept(blobs, b"twice")
    assert list(blobs.digests()) == ["sha256:" + hashlib.sha256(b"twice").hexdigest()]


def test_delete(blobs: BlobStore) -> None:
    """Deleted bytes are gone, and deleting them again is harmless."""
    digest = kept(blobs, b"short-lived").digest
    blobs.delete(digest)
    blobs.delete(digest)
    assert blobs.size(digest) is None
    assert list(blobs.digests()) == []


def test_discarded_bytes_are_never_seen(blobs: BlobStore) -> None:
    """What was written and discarded leaves nothing; discarding after a commit is harmless."""
    writer = blobs.writer()
    writer.write(b"never mind")
    digest = writer.digest()
    assert blobs.size(digest) is None
    writer.discard()
    writer.discard()
    assert list(blobs.digests()) == []
    done = blobs.writer()
    done.write(b"done")
    blob = done.commit()
    done.discard()
    assert blobs.size(blob.digest) == 4


def test_nothing_under_a_name_that_is_no_digest(blobs: BlobStore) -> None:
    """A digest is checked before it becomes a name, so that no path can be smuggled in."""
    for text in ("", "sha256:../../etc/passwd", "md5:" + "0" * 64, "sha256:" + "0" * 63):
        with pytest.raises(ValueError, match="is not a digest"):
            blobs.size(text)


def test_left_over_files_are_cleared_at_start(tmp_path: Path) -> None:
    """Temporary files of a killed process go when a store is opened; those of a living writer stay."""
    blobs = DirectoryBlobs(tmp_path)
    orphan = tmp_path / "incoming" / "1-dead"
    orphan.write_bytes(b"half")
    writer = blobs.writer()
    writer.write(b"alive")
    again = DirectoryBlobs(tmp_path)
    assert not orphan.exists()
    assert again.size(writer.commit().digest) == 5
