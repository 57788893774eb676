"""A repository: a name under which an account keeps images."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)


class Mutability(StrEnum):
    """Whether a tag may be moved to another image."""

    MUTABLE = "MUTABLE"
    IMMUTABLE = "IMMUTABLE"
    MUTABLE_WITH_EXCLUSION = "MUTABLE_WITH_EXCLUSION"
    IMMUTABLE_WITH_EXCLUSION = "IMMUTABLE_WITH_EXCLUSION"


EXCLUDING = (Mutability.MUTABLE_WITH_EXCLUSION, Mutability.IMMUTABLE_WITH_EXCLUSION)


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """Where a repository is."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The ARN."""
        return f"arn:aws:ecr:{self.region}:{self.account}:repository/{self.name}"

    @property
    def uri(self) -> str:
        """What an image's address begins with."""
        return f"{registry_host(self.account, self.region)}/{self.name}"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository and its settings."""

    at: RepositoryName
    created: float
    mutability: Mutability = Mutability.MUTABLE
    exclusions: Sequence[str] = ()
    """Patterns of tags, for which the opposite of `mutability` holds."""
    scan_on_push: bool = False
    policy: str | None = None
    id: int = 0
    """The row."""

    def tag_is_fixed(self, tag: str) -> bool:
        """Whether this tag may not be moved to another image."""
        fixed = self.mutability in (Mutability.IMMUTABLE, Mutability.IMMUTABLE_WITH_EXCLUSION)
        excluded = self.mutability in EXCLUDING and any(fnmatchcase(tag, pattern) for pattern in self.exclusions)
        return fixed is not excluded

    def shape(self) -> dict[str, Any]:
        """Repository, as DescribeRepositories answers it."""
        answer: dict[str, Any] = {
            "repositoryArn": self.at.arn,
            "registryId": self.at.account,
            "repositoryName": self.at.name,
            "repositoryUri": self.at.uri,
            "createdAt": self.created,
            "imageTagMutability": self.mutability.value,
            "imageScanningConfiguration": {"scanOnPush": self.scan_on_push},
            "encryptionConfiguration": {"encryptionType": "AES256"},
        }
        return answer | exclusion_members(self.exclusions)


def exclusion_members(exclusions: Sequence[str]) -> dict[str, Any]:
    """The exceptions from a repository's mutability; nothing when there are none."""
    if not exclusions:
        return {}
    return {"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": each} for each in exclusions]}


def registry_host(account: str, region: str) -> str:
    """The host name of an account's registry."""
    return f"{account}.dkr.ecr.{region}.amazonaws.com"
