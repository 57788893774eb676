"""The format of ciphertexts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.keys import ciphertext
from modelyard.keys.ciphertext import InvalidCiphertext

ARN = "arn:aws:kms:us-east-1:111122223333:key/0a"
MATERIAL = bytes(range(32))
CONTEXTS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4)

pytestmark = pytest.mark.ours


@given(st.binary(min_size=1, max_size=4096), CONTEXTS)
def test_what_was_encrypted_is_decrypted(plaintext: bytes, context: dict[str, str]) -> None:
    """The same material and context give the plaintext back; the blob names the key and stays below AWS's limit."""
    blob = ciphertext.encrypt(MATERIAL, ARN, plaintext, context)
    parsed = ciphertext.parse(blob)
    assert parsed.key_arn == ARN
    assert ciphertext.decrypt(MATERIAL, parsed, dict(reversed(context.items()))) == plaintext
    assert len(blob) <= 6144


@given(CONTEXTS, CONTEXTS)
def test_contexts_that_differ_are_told_apart(one: dict[str, str], other: dict[str, str]) -> None:
    """Two contexts have the same bytes only when they are the same."""
    assert (ciphertext.encoded(one) == ciphertext.encoded(other)) == (one == other)


def test_pairs_cannot_flow_into_each_other() -> None:
    """Where one text ends and the next begins is part of what is bound."""
    assert ciphertext.encoded({"a": "bc"}) != ciphertext.encoded({"ab": "c"})
    assert ciphertext.encoded({"a": "b", "c": "d"}) != ciphertext.encoded({"a": "bcd"})


def test_every_change_is_noticed() -> None:
    """A blob with any one bit changed, cut short or made longer is refused, and so is other material."""
    blob = ciphertext.encrypt(MATERIAL, ARN, b"secret", {"a": "1"})
    changed = [blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :] for at in range(len(blob))]
    for bad in (*changed, blob[:-1], blob + b"\0", b"", b"\x01", b"\x01\xff\xff" + blob):
        with pytest.raises(InvalidCiphertext):
            ciphertext.decrypt(MATERIAL, ciphertext.parse(bad), {"a": "1"})
    with pytest.raises(InvalidCiphertext):
        ciphertext.decrypt(MATERIAL[::-1], ciphertext.parse(blob), {"a": "1"})


def test_no_two_ciphertexts_are_alike() -> None:
    """The same plaintext is encrypted otherwise each time, so that nobody sees that it is the same."""
    assert len({ciphertext.encrypt(MATERIAL, ARN, b"secret", {}) for _ in range(50)}) == 50
