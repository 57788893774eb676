"""Grants: what lets a principal use a key beside the policies, for some operations and under some encryption contexts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

EncryptionContext = Mapping[str, str]

CONSTRAINED = frozenset(
    {
        "Encrypt",
        "Decrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
    }
)
"""The operations that have an encryption context, to which alone constraints apply."""
OPERATIONS = CONSTRAINED | {"CreateGrant", "RetireGrant", "DescribeKey"}
"""What a grant on a symmetric encryption key may allow."""
AWS_PRINCIPAL, SERVICE_PRINCIPAL = "AWS", "Service"


@dataclass(frozen=True, slots=True)
class Constraints:
    """Which encryption contexts a grant is for; None for any."""

    subset: EncryptionContext | None = None
    """The context has at least these pairs."""
    equals: EncryptionContext | None = None
    """The context is exactly this."""

    def hold(self, context: EncryptionContext) -> bool:
        """Whether an operation under this context is covered."""
        if self.equals is not None and dict(context) != dict(self.equals):
            return False
        return self.subset is None or self.subset.items() <= context.items()

    def include(self, narrower: "Constraints") -> bool:
        """Whether whatever satisfies the other satisfies these, too."""
        if self.equals is not None and (narrower.equals is None or dict(narrower.equals) != dict(self.equals)):
            return False
        if self.subset is None:
            return True
        return any(given is not None and self.subset.items() <= given.items() for given in (narrower.subset, narrower.equals))

    def members(self) -> dict[str, Any]:
        """By botocore's names."""
        given = {"EncryptionContextSubset": self.subset, "EncryptionContextEquals": self.equals}
        return {name: dict(context) for name, context in given.items() if context is not None}

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> "Constraints":
        """From botocore's names."""
        return cls(members.get("EncryptionContextSubset"), members.get("EncryptionContextEquals"))


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """A grant on a key."""

    grant_id: str
    key_id: str
    grantee: tuple[str, str]
    """Kind (`AWS` or `Service`) and name as given."""
    operations: tuple[str, ...]
    issuing_account: str
    created: float
    retiring: tuple[str, str] | None = None
    name: str = ""
    constraints: Constraints = field(default_factory=Constraints)
    id: int = 0
    """The row."""

    def covers(self, operation: str, context: EncryptionContext) -> bool:
        """Whether it is for this operation, under this encryption context."""
        return operation in self.operations and (operation not in CONSTRAINED or self.constraints.hold(context))

    def covers_creation(self, operations: Iterable[str], constraints: Constraints) -> bool:
        """Whether its grantee may make a grant like this: one that allows no more than itself."""
        return (
            "CreateGrant" in self.operations and set(operations) <= set(self.operations) and self.constraints.include(constraints)
        )

    def is_like(self, other: "KeyGrant") -> bool:
        """Whether making the other under the same name would make nothing new."""
        return (self.name, self.grantee, self.retiring, self.constraints) == (
            other.name,
            other.grantee,
            other.retiring,
            other.constraints,
        ) and set(self.operations) == set(other.operations)

    def shape(self, key_arn: str) -> dict[str, Any]:
        """GrantListEntry."""
        answer: dict[str, Any] = {
            "KeyId": key_arn,
            "GrantId": self.grant_id,
            "Name": self.name,
            "CreationDate": self.created,
            "IssuingAccount": f"arn:aws:iam::{self.issuing_account}:root",
            "Operations": list(self.operations),
            _member("Grantee", self.grantee[0]): self.grantee[1],
        }
        if self.retiring is not None:
            answer[_member("Retiring", self.retiring[0])] = self.retiring[1]
        constraints = self.constraints.members()
        if constraints:
            answer["Constraints"] = constraints
        return answer


def _member(role: str, kind: str) -> str:
    return f"{role}ServicePrincipal" if kind == SERVICE_PRINCIPAL else f"{role}Principal"
