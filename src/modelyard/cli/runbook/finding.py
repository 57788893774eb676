"""What is not as the configuration has it, and the calls that would make it so."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from modelyard.cli.calling import Call


class Kind(StrEnum):
    """The ways in which things are not as they should be."""

    GROUP_MISSING = "group missing"
    GROUP_OF_OTHERS = "group of others"
    """A group of that name is there, and `setup` did not make it."""
    TAGS_CHANGED = "tags changed"
    ROLE_MISSING = "role missing"
    ROLE_OF_OTHERS = "role of others"
    ROLE_TAGS_CHANGED = "role tags changed"
    TRUST_CHANGED = "trust policy changed"
    POLICY_MISSING = "policy missing"
    POLICY_CHANGED = "policy changed"
    POLICY_ADDED = "policy added"
    """The role has a policy more than it was given, and so may do more."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of an operation."""

    service: str
    operation: str
    request: dict[str, Any]

    def take(self, call: Call) -> Any:
        """Make the call. Raises AwsError."""
        return call(self.service, self.operation, **self.request)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    kind: Kind
    group: str
    resource: str
    sentence: str
    remedy: Sequence[Step] = field(default=())
    """What `setup` does about it; empty where it has to leave that to a person."""
