"""Keys that AWS manages: one for each service in every account and region, under an alias of its own.

They have no rows: identifier and material are derived from the master key, so they are there when first asked for, the same on
every server of a house, and nobody has to write to encrypt.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from functools import lru_cache

from modelyard.access.keyring import KeyRing
from modelyard.keys.key import AWS, RESERVED_PREFIX, Key, KeyState

SERVICES = {"s3": "Default key that protects my S3 objects when no other key is defined"}
"""Services that have one, and the key's description."""


def by_alias(key_ring: KeyRing, account: str, region: str, alias: str) -> Key | None:
    """The key under `alias/aws/<service>`."""
    service = alias.removeprefix(RESERVED_PREFIX)
    return _key(key_ring, account, region, service) if service in SERVICES else None


def by_id(key_ring: KeyRing, account: str, region: str, key_id: str) -> Key | None:
    """The key of an account with this id, if it is one that AWS manages."""
    return next((key for _, key in all_of(key_ring, account, region) if key.key_id == key_id), None)


def all_of(key_ring: KeyRing, account: str, region: str) -> Iterator[tuple[str, Key]]:
    """Every one of an account and region, with its alias."""
    return ((f"{RESERVED_PREFIX}{service}", _key(key_ring, account, region, service)) for service in SERVICES)


def material(key_ring: KeyRing, key: Key) -> bytes:
    """The key itself."""
    return key_ring.derive(f"material of managed kms key {key.arn}")


@lru_cache(maxsize=1024)
def _key(key_ring: KeyRing, account: str, region: str, service: str) -> Key:
    digest = hmac.new(key_ring.derive("ids of managed kms keys"), f"{account} {region} {service}".encode(), hashlib.sha256)
    key_id = str(uuid.UUID(bytes=digest.digest()[:16], version=4))
    policy = _policy(account, region, service)
    return Key(account, region, key_id, None, KeyState.ENABLED, SERVICES[service], policy, manager=AWS)


def _policy(account: str, region: str, service: str) -> str:
    """Everybody of the account may use the key through the service, and look at it; nobody may do more."""
    through = {"kms:CallerAccount": account, "kms:ViaService": f"{service}.{region}.amazonaws.com"}
    use = {
        "Sid": f"Allow access through {service} for all principals in the account that are authorized to use it",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        "Resource": "*",
        "Condition": {"StringEquals": through},
    }
    look = {
        "Sid": "Allow direct access to key metadata to the account",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": f"auto-{service}-1", "Statement": [use, look]})
