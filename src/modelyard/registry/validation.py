"""The validation of a package: what a profile asks for, and what Describe answers of it. Functions of values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Document = dict[str, Any]

ALL = "All"
"""SkipModelValidation, when nothing is to be validated."""


class State(StrEnum):
    """How far a validation is."""

    NOT_STARTED = "NotStarted"
    IN_PROGRESS = "InProgress"
    ABANDONED = "Abandoned"


class PackageStatus(StrEnum):
    """ModelPackageStatus, as validation sets it."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Validation:
    """A validation that is not over."""

    package_id: int
    arn: str
    name: str
    """Of its model and its transform job."""
    profile: str
    role: str
    definition: Document
    """TransformJobDefinition."""
    state: State


def profile_of(document: Mapping[str, Any]) -> Document | None:
    """The profile that a package is validated by; None when it is not."""
    if document.get("SkipModelValidation") == ALL:
        return None
    profiles = document.get("ValidationSpecification", {}).get("ValidationProfiles", [])
    return profiles[0] if profiles else None


def begun(document: Mapping[str, Any], profile: str) -> Document:
    """What Describe answers of a package that is to be validated."""
    return _with(document, PackageStatus.IN_PROGRESS, {"Name": profile, "Status": State.NOT_STARTED})


def started(document: Mapping[str, Any], profile: str, now: float) -> Document:
    """The same once its transform job runs."""
    return _with(document, PackageStatus.IN_PROGRESS, {"Name": profile, "Status": State.IN_PROGRESS}, now)


def over(document: Mapping[str, Any], profile: str, failure: str | None, now: float) -> Document:
    """The same when it has passed, or has failed for a reason."""
    status = PackageStatus.COMPLETED if failure is None else PackageStatus.FAILED
    said = {"Name": profile, "Status": status, **({} if failure is None else {"FailureReason": failure})}
    return _with(document, status, said, now)


def _with(document: Mapping[str, Any], status: PackageStatus, said: Document, now: float | None = None) -> Document:
    details = {**document["ModelPackageStatusDetails"], "ValidationStatuses": [said]}
    changed = {**document, "ModelPackageStatus": status, "ModelPackageStatusDetails": details}
    return changed if now is None else {**changed, "LastModifiedTime": now}
