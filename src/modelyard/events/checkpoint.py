"""Checkpoints: signed statements of how far the audit trail had come, and what its last record was.

Whoever keeps a checkpoint elsewhere can tell later that nothing up to it was changed or removed. The signature is Ed25519
(RFC 8032) over the canonical JSON of the checkpoint, under a key that is derived from the master key and so is nowhere stored.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

FORMAT = "modelyard-audit-checkpoint-1"


class Keys(Protocol):
    """Where the keys of the trail come from: the key ring."""

    def derive(self, purpose: str) -> bytes:
        """32 bytes for `purpose`, the same every time."""
        ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A statement about the chain, and its signature."""

    document: bytes
    """Canonical JSON: format, key, sequence, hash, time."""
    signature: bytes

    @property
    def content(self) -> dict[str, Any]:
        """What it states."""
        content: dict[str, Any] = orjson.loads(self.document)
        return content

    def line(self) -> dict[str, str]:
        """The checkpoint as a line of an export."""
        return {"checkpoint": self.document.decode(), "signature": base64.b64encode(self.signature).decode("ascii")}


class NotACheckpoint(Exception):
    """A text that is no checkpoint; the message is a sentence."""


def from_line(line: dict[str, Any]) -> Checkpoint:
    """The checkpoint that `Checkpoint.line` wrote. Raises NotACheckpoint."""
    try:
        checkpoint = Checkpoint(line["checkpoint"].encode(), base64.b64decode(line["signature"], validate=True))
        content = checkpoint.content
        known = content["format"] == FORMAT and type(content["sequence"]) is int and type(content["hash"]) is str
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error):
        known = False
    if not known:
        raise NotACheckpoint("This is not a checkpoint of an audit trail.")
    return checkpoint


class PublicKey:
    """Checks signatures of checkpoints."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(raw).hexdigest()[:16]
        """A short name of the key, which its checkpoints carry."""

    @classmethod
    def from_pem(cls, text: bytes) -> "PublicKey":
        """The key that `pem` wrote. Raises ValueError for anything else."""
        key = load_pem_public_key(text)
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("the key is not an Ed25519 public key")
        return cls(key)

    def pem(self) -> str:
        """The key as PEM (SubjectPublicKeyInfo), which OpenSSL reads."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    def signed(self, checkpoint: Checkpoint) -> bool:
        """Whether the checkpoint was signed with this key."""
        try:
            self._key.verify(checkpoint.signature, checkpoint.document)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """Signs checkpoints."""

    def __init__(self, keys: Keys) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(keys.derive("audit-checkpoint-signature"))
        self.public = PublicKey(self._key.public_key())

    def checkpoint(self, sequence: int, record_hash: bytes, time: float) -> Checkpoint:
        """State that the chain had come to this record, whose hash commits to all before it."""
        content = {"format": FORMAT, "key": self.public.id, "sequence": sequence, "hash": record_hash.hex(), "time": time}
        document = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        return Checkpoint(document, self._key.sign(document))
