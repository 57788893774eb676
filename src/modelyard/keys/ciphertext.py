"""What Encrypt answers and Decrypt takes.

    1 byte     format, 1
    2 bytes    length of the key's ARN, big-endian
    …          the ARN
    16 bytes   salt
    …          AES-256-GCM: the encrypted bytes and a tag of 16 bytes

Every ciphertext has a key and nonce of its own, derived (HKDF-SHA256) from the key's material and the salt, so that one key may
encrypt any number of times. Associated data are everything before the salt and the encryption context, its pairs in order.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORMAT = b"\x01"
SALT_BYTES = 16
TAG_BYTES = 16
_KEY_BYTES, _NONCE_BYTES = 32, 12


class InvalidCiphertext(ValueError):
    """Not made here, changed, or made under another key or encryption context."""


@dataclass(frozen=True, slots=True)
class Ciphertext:
    """A ciphertext, taken apart."""

    key_arn: str
    header: bytes
    salt: bytes
    sealed: bytes


def parse(blob: bytes) -> Ciphertext:
    """Take a ciphertext apart; whether it is genuine shows only when it is opened. Raises InvalidCiphertext."""
    start = 3 + int.from_bytes(blob[1:3], "big")
    if blob[:1] != FORMAT or len(blob) < start + SALT_BYTES + TAG_BYTES:
        raise InvalidCiphertext
    try:
        key_arn = blob[3:start].decode("ascii")
    except UnicodeDecodeError:
        raise InvalidCiphertext from None
    return Ciphertext(key_arn, blob[:start], blob[start : start + SALT_BYTES], blob[start + SALT_BYTES :])


def encrypt(material: bytes, key_arn: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    """The ciphertext blob."""
    arn = key_arn.encode("ascii")
    header = FORMAT + len(arn).to_bytes(2, "big") + arn
    salt = os.urandom(SALT_BYTES)
    cipher, nonce = _cipher(material, salt)
    return header + salt + cipher.encrypt(nonce, plaintext, header + encoded(context))


def decrypt(material: bytes, ciphertext: Ciphertext, context: Mapping[str, str]) -> bytes:
    """The plaintext. Raises InvalidCiphertext."""
    cipher, nonce = _cipher(material, ciphertext.salt)
    try:
        return cipher.decrypt(nonce, ciphertext.sealed, ciphertext.header + encoded(context))
    except InvalidTag:
        raise InvalidCiphertext from None


def encoded(context: Mapping[str, str]) -> bytes:
    """An encryption context as bytes that no other context has: pairs in order, each text with its length."""
    texts = [text.encode("utf-8", "surrogatepass") for pair in sorted(context.items()) for text in pair]
    return b"".join(len(text).to_bytes(4, "big") + text for text in texts)


def _cipher(material: bytes, salt: bytes) -> tuple[AESGCM, bytes]:
    derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES + _NONCE_BYTES, salt=salt, info=b"modelyard kms 1").derive(material)
    return AESGCM(derived[:_KEY_BYTES]), derived[_KEY_BYTES:]
