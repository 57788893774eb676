"""Who asks: the values that the rest of the server knows a caller by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.access.policy import Policy


class PrincipalKind(StrEnum):
    """What a set of credentials stands for."""

    ROOT = "root"
    USER = "user"
    ASSUMED_ROLE = "assumed-role"
    SERVICE = "service"
    ANONYMOUS = "anonymous"
    """Nobody in particular: an unsigned request to an operation that may be public."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose signature was checked, with everything that policies say of it."""

    arn: str
    """`arn:aws:iam::ACCOUNT:user/NAME`, `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, `arn:aws:iam::ACCOUNT:root`."""
    account: str
    kind: PrincipalKind
    unique_id: str
    """`AIDA…`, `AROA…:SESSION` or the account: what GetCallerIdentity calls UserId."""
    name: str
    """The user's name, or `ROLE/SESSION`."""
    role_arn: str | None = None
    """For an assumed role: the ARN of the role itself, which resource policies may name."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """`aws:PrincipalTag/<key>`: those of the user or role, and of the session over them."""
    policies: tuple["Policy", ...] = ()
    """Identity policies, inline and attached."""
    boundary: "Policy | None" = None
    """Permissions boundary."""
    session_policies: "tuple[Policy, ...] | None" = None
    """Policies passed to AssumeRole; None when there were none, which limits nothing."""
    source_identity: str | None = None
    transitive_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the session that go on to every role it assumes."""
    issued_at: float | None = None
    """When the temporary credentials were issued, in epoch seconds (`aws:TokenIssueTime`); None for an access key of a user."""
