"""The things that IAM keeps: users, roles, access keys and managed policies, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from modelyard.ids import BASE32, Ids

UNIQUE_ID_LENGTH = 21
ACCESS_KEY_ID_LENGTH = 20
SECRET_LENGTH = 40
SECRET_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # noqa: S105  what secrets are made of
DEFAULT_SESSION_SECONDS = 3600
AWS_POLICY_PREFIX = "arn:aws:iam::aws:policy/"


class IdentityKind(StrEnum):
    """What can hold policies."""

    USER = "user"
    ROLE = "role"


@dataclass(frozen=True, slots=True)
class Identity:
    """A user or a role."""

    id: str
    """`AIDA…` or `AROA…`: never used again, so a role made anew under an old name is another role."""
    account: str
    kind: IdentityKind
    name: str
    path: str
    created_at: float
    boundary_arn: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    trust_policy: str | None = None
    """Of a role: who may assume it, the JSON text."""
    description: str | None = None
    max_session_seconds: int | None = None

    @property
    def arn(self) -> str:
        """`arn:aws:iam::ACCOUNT:role/PATH/NAME`."""
        return identity_arn(self.account, self.kind, self.path, self.name)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A long-lived access key; its secret stays sealed."""

    id: str
    account: str
    owner: str
    """The id of a user, or the account number for the root of the account."""
    status: str
    """`Active` or `Inactive`."""
    created_at: float


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A policy that stands by itself and is attached to users and roles."""

    arn: str
    id: str
    account: str
    """The owner, `aws` for those that AWS makes."""
    name: str
    path: str
    created_at: float
    updated_at: float
    default_version: str
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One text of a managed policy."""

    version: str
    document: str
    created_at: float


def identity_arn(account: str, kind: IdentityKind, path: str, name: str) -> str:
    """The ARN of a user or a role; `path` begins and ends with a slash."""
    return f"arn:aws:iam::{account}:{kind}{path}{name}"


def policy_arn(account: str, path: str, name: str) -> str:
    """The ARN of a managed policy."""
    return f"arn:aws:iam::{account}:policy{path}{name}"


def root_arn(account: str) -> str:
    """The ARN of the root of an account."""
    return f"arn:aws:iam::{account}:root"


def new_id(ids: Ids, prefix: str) -> str:
    """A unique id that begins with `AIDA`, `AROA` or `ANPA`."""
    return prefix + ids.text(BASE32, UNIQUE_ID_LENGTH - len(prefix))


def new_access_key_id(ids: Ids, prefix: str) -> str:
    """An access key id: `AKIA…` for keys that are kept, `ASIA…` for those of a session."""
    return prefix + ids.text(BASE32, ACCESS_KEY_ID_LENGTH - len(prefix))


def new_secret(ids: Ids) -> str:
    """A secret access key: 240 random bits."""
    return ids.text(SECRET_ALPHABET, SECRET_LENGTH)
