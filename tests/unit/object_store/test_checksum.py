"""Checksums and entity tags."""

import base64
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.object_store import checksum, etag
from modelyard.object_store.checksum import ALGORITHMS, COMPOSITE, FULL_OBJECT

CHECK = b"123456789"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("CRC32", (0xCBF43926).to_bytes(4, "big")),
        ("CRC32C", (0xE3069283).to_bytes(4, "big")),
        ("CRC64NVME", (0xAE8B14860A799888).to_bytes(8, "big")),
        ("SHA1", hashlib.sha1(CHECK).digest()),
        ("SHA256", hashlib.sha256(CHECK).digest()),
        ("SHA512", hashlib.sha512(CHECK).digest()),
        ("MD5", hashlib.md5(CHECK).digest()),
        ("XXHASH64", bytes.fromhex("8cb841db40e6ae83")),
    ],
)
def test_values(algorithm: str, expected: bytes) -> None:
    """Each algorithm gives its published check value for "123456789", in whatever pieces the bytes come."""
    assert checksum.of_pieces(algorithm, [CHECK]) == base64.b64encode(expected).decode()
    assert checksum.of_pieces(algorithm, [CHECK[:4], b"", CHECK[4:]]) == base64.b64encode(expected).decode()


@pytest.mark.documented
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6), st.sampled_from(["CRC32", "CRC32C", "CRC64NVME"]))
def test_the_whole_follows_from_the_parts(pieces: list[bytes], algorithm: str) -> None:
    """FULL_OBJECT of parts is the checksum of all their bytes."""
    parts = [(checksum.of_pieces(algorithm, [piece]), len(piece)) for piece in pieces]
    whole = checksum.of_parts(algorithm, FULL_OBJECT, parts)
    assert whole.value == checksum.of_pieces(algorithm, pieces)
    assert whole.members() == {f"Checksum{algorithm}": whole.value, "ChecksumType": FULL_OBJECT}


@pytest.mark.documented
def test_composite() -> None:
    """COMPOSITE is the checksum of the parts' checksums, with their number."""
    crcs = [zlib.crc32(b"a").to_bytes(4, "big"), zlib.crc32(b"b").to_bytes(4, "big")]
    parts = [(base64.b64encode(crc).decode(), 1) for crc in crcs]
    expected = base64.b64encode(zlib.crc32(b"".join(crcs)).to_bytes(4, "big")).decode()
    assert checksum.of_parts("CRC32", COMPOSITE, parts).value == f"{expected}-2"


@pytest.mark.documented
def test_types_of_uploads() -> None:
    """CRC64NVME is always of the whole, SHA never, and CRC32 by default composite."""
    assert ALGORITHMS["CRC64NVME"].types() == (FULL_OBJECT,)
    assert ALGORITHMS["SHA256"].types() == (COMPOSITE,)
    assert ALGORITHMS["CRC32"].types() == (COMPOSITE, FULL_OBJECT)


@pytest.mark.documented
@pytest.mark.parametrize("text", ["", "x", "AAAA", "AAAAAAA=", "NhCmhg", "Nh*mhg=="])
def test_what_is_no_checksum(text: str) -> None:
    """A value has to be base64 of as many bytes as the algorithm gives."""
    assert not ALGORITHMS["CRC32"].is_value(text)
    assert ALGORITHMS["CRC32"].is_value("NhCmhg==")


@pytest.mark.documented
def test_entity_tag_of_parts() -> None:
    """The tag of a multipart object is the MD5 of its parts' MD5s, with their number."""
    tags = [hashlib.md5(b"a").hexdigest(), hashlib.md5(b"b").hexdigest()]
    expected = hashlib.md5(hashlib.md5(b"a").digest() + hashlib.md5(b"b").digest()).hexdigest()
    assert etag.of_parts(tags) == f"{expected}-2"
    assert etag.unquoted('W/"x"') == "x"
