"""A key: what is known of it besides its material."""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ALGORITHM = "SYMMETRIC_DEFAULT"
USAGE = "ENCRYPT_DECRYPT"
ORIGIN = "AWS_KMS"
CUSTOMER = "CUSTOMER"
AWS = "AWS"
MATERIAL_BYTES = 32
ALIAS_PREFIX = "alias/"
RESERVED_PREFIX = "alias/aws/"
SHORTEST_WINDOW, LONGEST_WINDOW = 7, 30
"""Days between ScheduleKeyDeletion and the end of a key; the longest is the default."""
DAY_SECONDS = 86_400.0
_KEY_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_ARN = re.compile(r"arn:aws:kms:([a-z0-9-]+):([0-9]{12}):(key/(.+)|alias/.+)", re.ASCII)


class KeyState(StrEnum):
    """What a key may be used for."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"


@dataclass(frozen=True, slots=True)
class Key:
    """A symmetric encryption key."""

    account: str
    region: str
    key_id: str
    created: float | None
    """None for a key that AWS manages: it has been there as long as its account."""
    state: KeyState
    description: str
    policy: str
    sealed_material: bytes = b""
    """Sealed under the master key; empty for a key that AWS manages, whose material is derived from the master key."""
    deletion_date: float | None = None
    manager: str = CUSTOMER

    @property
    def arn(self) -> str:
        """The ARN."""
        return key_arn(self.region, self.account, self.key_id)

    def metadata(self) -> dict[str, Any]:
        """KeyMetadata, as DescribeKey answers it."""
        answer: dict[str, Any] = {
            "AWSAccountId": self.account,
            "KeyId": self.key_id,
            "Arn": self.arn,
            "Enabled": self.state is KeyState.ENABLED,
            "Description": self.description,
            "KeyUsage": USAGE,
            "KeyState": self.state.value,
            "Origin": ORIGIN,
            "KeyManager": self.manager,
            "CustomerMasterKeySpec": ALGORITHM,
            "KeySpec": ALGORITHM,
            "EncryptionAlgorithms": [ALGORITHM],
            "MultiRegion": False,
        }
        if self.created is not None:
            answer["CreationDate"] = self.created
        if self.deletion_date is not None:
            answer["DeletionDate"] = self.deletion_date
        return answer


@dataclass(frozen=True, slots=True)
class KeyName:
    """How a request names a key: by its id or by an alias, with or without account and region."""

    account: str
    region: str
    key_id: str = ""
    alias: str = ""
    """With its prefix; empty when the key is named by its id."""

    @property
    def arn(self) -> str:
        """The ARN of the key, or of the alias."""
        return alias_arn(self.region, self.account, self.alias) if self.alias else key_arn(self.region, self.account, self.key_id)


class NotAnArn(ValueError):
    """It begins like an ARN and is not one of a key or alias."""


class NotAKey(ValueError):
    """Neither the id nor the alias of a key."""


def key_name(text: str, account: str, region: str) -> KeyName:
    """Read a KeyId; a bare id or alias is of `account` and `region`. Raises NotAnArn, NotAKey."""
    if text.startswith("arn:"):
        match = _ARN.fullmatch(text)
        if match is None:
            raise NotAnArn(text)
        region, account, resource, key_id = match.groups()
        text = key_id or resource
    if text.startswith(ALIAS_PREFIX):
        return KeyName(account, region, alias=text)
    if _KEY_ID.fullmatch(text) is None:
        raise NotAKey(text)
    return KeyName(account, region, key_id=text)


def key_arn(region: str, account: str, key_id: str) -> str:
    """The ARN of a key."""
    return f"arn:aws:kms:{region}:{account}:key/{key_id}"


def alias_arn(region: str, account: str, alias: str) -> str:
    """The ARN of an alias, which is given with its prefix."""
    return f"arn:aws:kms:{region}:{account}:{alias}"


def default_policy(account: str) -> str:
    """The policy of a key whose maker gives none: it leaves the key to the identity policies of its account."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}, indent=2)
