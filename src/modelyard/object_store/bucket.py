"""Buckets: their names, and what is known of one."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


class Versioning(StrEnum):
    """What becomes of the object that a new one replaces."""

    NEVER = ""
    """It is gone; versioning was never enabled, and the state is not shown."""
    ENABLED = "Enabled"
    """It stays as an older version."""
    SUSPENDED = "Suspended"
    """It stays, unless it is the `null` version."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket."""

    id: int
    name: str
    account: str
    """The account that owns it, and every object in it."""
    region: str
    created: float
    versioning: Versioning
    object_lock: bool
    policy: str | None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """`arn:aws:s3:::NAME`."""
        return f"arn:aws:s3:::{self.name}"

    @property
    def owner(self) -> dict[str, str]:
        """The owner as listings show it."""
        return owner(self.account)


def owner(account: str) -> dict[str, str]:
    """An account as S3 shows it: a canonical user id, always the same for the same account."""
    return {"ID": hashlib.sha256(f"canonical user of {account}".encode()).hexdigest(), "DisplayName": account}


def is_valid_name(name: str) -> bool:
    """Whether S3 takes this name for a new bucket.

    Source: the "Bucket naming rules" of the S3 user guide.
    """
    return (
        _NAME.fullmatch(name) is not None
        and ".." not in name
        and not _ADDRESS.fullmatch(name)
        and not name.startswith(_RESERVED_STARTS)
        and not name.endswith(_RESERVED_ENDS)
    )
