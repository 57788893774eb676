"""The material of keys: made, kept sealed, and opened for one use."""

import os

from modelyard.access.keyring import KeyRing
from modelyard.keys import managed
from modelyard.keys.key import MATERIAL_BYTES, Key


def new_material(key_ring: KeyRing, arn: str) -> bytes:
    """Fresh material for the key of this ARN, sealed so that it opens for no other."""
    return key_ring.seal(os.urandom(MATERIAL_BYTES), _purpose(arn))


def material_of(key_ring: KeyRing, key: Key) -> bytes:
    """The key itself."""
    if not key.sealed_material:
        return managed.material(key_ring, key)
    return key_ring.open_sealed(key.sealed_material, _purpose(key.arn))


def _purpose(arn: str) -> str:
    return f"material of kms key {arn}"
