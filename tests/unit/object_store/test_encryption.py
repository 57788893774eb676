"""How bytes of objects are encrypted."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.object_store.encryption import SALT_BYTES, SEGMENT, TAG_BYTES, Encryptor, Tampered, decrypt, sealed_size

pytestmark = pytest.mark.ours

KEY = bytes(range(32))
SIZES = [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 3 * SEGMENT + 5]


def pattern(size: int) -> bytes:
    """Bytes of which no two segments are alike."""
    return b"".join(number.to_bytes(8, "big") for number in range(size // 8 + 1))[:size]


def encrypted(data: bytes, piece: int = 100_000, part: int = 0) -> bytes:
    encryptor = Encryptor(KEY, part)
    return b"".join(encryptor.update(data[at : at + piece]) for at in range(0, len(data), piece)) + encryptor.finish()


def decrypted(
    sealed: bytes, size: int, start: int = 0, length: int | None = None, part: int = 0, key: bytes = KEY, piece: int = 50_000
) -> bytes:
    def read(begin: int, count: int) -> Iterator[bytes]:
        stretch = sealed[begin : begin + count]
        return (stretch[at : at + piece] for at in range(0, len(stretch), piece))

    return b"".join(decrypt(key, part, size, read, start, size - start if length is None else length))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [7 * SEGMENT, SEGMENT, 60_001])
def test_there_and_back(size: int, piece: int) -> None:
    """Bytes of any size, in whatever pieces they come and go, are the same again, and as long as foretold in between."""
    sealed = encrypted(pattern(size), piece)
    assert len(sealed) == sealed_size(size)
    assert decrypted(sealed, size, piece=piece) == pattern(size)


@given(st.sampled_from(SIZES[1:]), st.data())
def test_any_range(size: int, data: st.DataObject) -> None:
    """A range is what it is of the whole."""
    start = data.draw(st.integers(0, size - 1))
    length = data.draw(st.integers(0, size - start))
    assert decrypted(encrypted(pattern(size)), size, start, length) == pattern(size)[start : start + length]


def test_a_range_reads_only_its_segments() -> None:
    """One byte in the middle costs one segment and the salt."""
    size = 100 * SEGMENT
    sealed, asked = encrypted(pattern(size)), []

    def read(begin: int, count: int) -> Iterator[bytes]:
        asked.append(count)
        return iter([sealed[begin : begin + count]])

    assert b"".join(decrypt(KEY, 0, size, read, 50 * SEGMENT + 3, 1)) == pattern(size)[50 * SEGMENT + 3 :][:1]
    assert asked == [SALT_BYTES, SEGMENT + TAG_BYTES]


def test_what_was_meddled_with_is_noticed() -> None:
    """Bits changed, segments swapped, left out or repeated, ends cut off: nothing of such a segment is given out."""
    size = 3 * SEGMENT + 5
    sealed, one = encrypted(pattern(size)), SEGMENT + TAG_BYTES
    segments = [sealed[SALT_BYTES + at : SALT_BYTES + at + one] for at in range(0, 4 * one, one)]
    salt = sealed[:SALT_BYTES]
    for bad in (
        salt + b"".join([segments[1], segments[0], *segments[2:]]),
        salt + b"".join([segments[0], segments[0], *segments[2:]]),
        salt + b"".join([segments[0], *segments[2:]]),
        sealed[:-1],
        bytes([salt[0] ^ 1]) + sealed[1:],
        sealed[:-1] + bytes([sealed[-1] ^ 1]),
    ):
        with pytest.raises(Tampered):
            decrypted(bad, size)


def test_an_object_cannot_be_made_shorter() -> None:
    """Whoever changes the row of an object, too, cannot pass its beginning off as all of it."""
    sealed = encrypted(pattern(3 * SEGMENT))
    for shorter in (SEGMENT, 2 * SEGMENT):
        with pytest.raises(Tampered):
            decrypted(sealed[: sealed_size(shorter)], shorter)


def test_another_key_or_part_opens_nothing() -> None:
    """Bytes are bound to the data key and to the part that they were written as."""
    sealed = encrypted(b"secret", part=2)
    assert decrypted(sealed, 6, part=2) == b"secret"
    for wrong in ({"part": 1}, {"part": 2, "key": KEY[::-1]}):
        with pytest.raises(Tampered):
            decrypted(sealed, 6, **wrong)  # type: ignore[arg-type]


def test_the_same_bytes_are_never_encrypted_alike() -> None:
    """So nobody sees from what is kept that two objects are the same."""
    assert len({encrypted(b"same") for _ in range(20)}) == 20
