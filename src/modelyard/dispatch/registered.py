"""What a model package relies on, for whoever makes something of it: its containers, and the bytes that are kept for them.

The part that registers packages says once how, and nobody imports another part for it. Whoever asks has authorised its caller on
the package before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from modelyard.storage.interface import Transaction

Document = Mapping[str, Any]

VALIDATION = "modelyard:ValidateModelPackage"
"""What calls are part of that validate a package: they make a model of it before it is Completed, or approved."""
VALIDATIONS = "package-validation-"
"""What the names of models and jobs of validations begin with: nobody else makes any of such a name, nor runs such a model."""


def is_of_others_validation(name: str, within_operation: str) -> bool:
    """Whether a model or a job is that of a validation, by its name, and a call is part of none (`Context.within_operation`)."""
    return name.lower().startswith(VALIDATIONS) and within_operation != VALIDATION


@dataclass(frozen=True, slots=True)
class RegisteredArtifact:
    """Something that a container was registered with, or an image."""

    member: str
    """Where the container names it: `ModelDataUrl`, `ModelDataSource`, `AdditionalModelDataSources[0]`, `Image` …"""
    kind: str
    """`Object`, `Prefix` or `Image`."""
    uri: str
    objects: Sequence[Document] = ()
    """What was found, each kept by its Pin: also Bucket, Key, Size, ETag, and VersionId and Sha256 where they are known."""
    reason: str = ""
    """Why nothing is kept of it; empty when all of it is."""


@dataclass(frozen=True, slots=True)
class RegisteredContainer:
    """A container as it was registered, with the digest of its image where that is known."""

    container: Document
    artifacts: Sequence[RegisteredArtifact]


class Register(Protocol):
    """What registers model packages."""

    def containers(self, tx: Transaction, arn: str, specification: str | None) -> list[RegisteredContainer] | None:
        """Those of the InferenceSpecification of a package, or of an additional one by its name; None when it has none."""
        ...


_registers: list[Register] = []


def registers_packages(register: Register) -> None:
    """Declare what registers model packages."""
    _registers[:] = [register]


def containers_of(tx: Transaction, arn: str, specification: str | None) -> list[RegisteredContainer] | None:
    """The containers of a package, by its ARN; None when there is no such package or specification."""
    return _registers[0].containers(tx, arn, specification) if _registers else None
