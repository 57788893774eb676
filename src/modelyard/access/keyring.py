"""The master key, and what is made from it: sealed secrets and derived keys.

One file, `<data>/keys/master.key`, holds 32 random bytes. Every purpose has a key of its own (HKDF-SHA256), so what was sealed
for one purpose cannot be opened for another; the purpose is also the associated data of the seal (AES-256-GCM).
"""

import base64
import binascii
import os
import secrets
import stat
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORMAT = "modelyard-master-key-1 "
KEY_BYTES = 32
NONCE_BYTES = 12
SEAL_VERSION = b"\x01"


class KeyRingError(Exception):
    """The master key cannot be had, or sealed bytes cannot be opened; the sentence says why."""


class KeyRing:
    """Seals secrets that are kept at rest, and derives the keys that tokens are made with."""

    def __init__(self, master: bytes) -> None:
        if len(master) != KEY_BYTES:
            raise KeyRingError(f"A master key has {KEY_BYTES} bytes, not {len(master)}.")
        self._master = master
        self._cipher = lru_cache(maxsize=64)(self._make_cipher)

    @classmethod
    def create(cls, data: Path) -> "KeyRing":
        """Make the master key of a new data directory. Raises KeyRingError when there is one already."""
        folder = data / "keys"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        path = folder / "master.key"
        master = secrets.token_bytes(KEY_BYTES)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise KeyRingError(f"{path} exists already: a new master key would make every stored secret unreadable.") from None
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(FORMAT + base64.b64encode(master).decode("ascii") + "\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(folder)
        return cls(master)

    @classmethod
    def open(cls, data: Path) -> "KeyRing":
        """The key ring of a data directory. Raises KeyRingError when it is missing, damaged or readable by others."""
        path = data / "keys" / "master.key"
        try:
            _refuse_access_of_others(path.parent)
            _refuse_access_of_others(path)
            text = path.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            raise KeyRingError(f"There is no master key at {path}: run `modelyard init` first, or restore it.") from None
        except PermissionError:
            raise KeyRingError(f"The master key {path} belongs to another user: it cannot be read.") from None
        if not text.startswith(FORMAT):
            raise KeyRingError(f"{path} is not a Modelyard master key.")
        try:
            return cls(base64.b64decode(text[len(FORMAT) :], validate=True))
        except binascii.Error:
            raise KeyRingError(f"The master key {path} is damaged.") from None

    def seal(self, secret: bytes, purpose: str) -> bytes:
        """Encrypt `secret` so that only this key ring, asked for the same purpose, opens it."""
        nonce = os.urandom(NONCE_BYTES)
        return SEAL_VERSION + nonce + self._cipher(purpose).encrypt(nonce, secret, purpose.encode())

    def open_sealed(self, sealed: bytes, purpose: str) -> bytes:
        """What was sealed. Raises KeyRingError when the bytes were changed, or sealed by another key or for another purpose."""
        if sealed[:1] != SEAL_VERSION:
            raise KeyRingError("These bytes were not sealed here.")
        nonce, text = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return self._cipher(purpose).decrypt(nonce, text, purpose.encode())
        except (InvalidTag, ValueError):
            raise KeyRingError("These bytes were not sealed with this master key for this purpose.") from None

    def derive(self, purpose: str) -> bytes:
        """32 bytes for `purpose`, the same every time."""
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"derive:" + purpose.encode()).derive(self._master)

    def _make_cipher(self, purpose: str) -> AESGCM:
        info = b"seal:" + purpose.encode()
        return AESGCM(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._master))


def _refuse_access_of_others(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        wanted = "700" if path.is_dir() else "600"
        raise KeyRingError(f"{path} may be used by other users (mode {mode:o}): run `chmod {wanted} {path}`.")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
