"""A model package group: names, ARNs, and what Describe and List answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GroupName:
    """Where a group is, from a name or an ARN as a client wrote it."""

    account: str
    region: str
    name: str

    @property
    def folded(self) -> str:
        """The name as groups are looked up by: ARNs of versions are lower-cased, and people write either."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """`arn:aws:sagemaker:REGION:ACCOUNT:model-package-group/NAME`."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:model-package-group/{self.name}"

    def package_arn(self, version: int | str) -> str:
        """The ARN of a version, its group in lower case, as AWS answers it."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:model-package/{self.folded}/{version}"


@dataclass(frozen=True, slots=True)
class Group:
    """A group as it is stored."""

    id: int
    at: GroupName
    created: float
    next_version: int
    policy: str | None
    document: Document
    """What DescribeModelPackageGroup answers."""
    governed: bool = False
    """Whether it has rules or a contract."""

    @property
    def arn(self) -> str:
        """The ARN, in the case that the group was created with."""
        return self.at.arn


def new_document(at: GroupName, request: Mapping[str, Any], created_by: Document, now: float) -> Document:
    """What DescribeModelPackageGroup will answer for a group made by `request`."""
    document: Document = {
        "ModelPackageGroupName": at.name,
        "ModelPackageGroupArn": at.arn,
        "CreationTime": now,
        "CreatedBy": created_by,
        "ModelPackageGroupStatus": "Completed",
    }
    for member in ("ModelPackageGroupDescription", "ManagedConfiguration"):
        if request.get(member):
            document[member] = request[member]
    return document


SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupDescription",
    "CreationTime",
    "ModelPackageGroupStatus",
    "ManagedConfiguration",
)


def summary(document: Mapping[str, Any]) -> Document:
    """The entry of ListModelPackageGroups."""
    return {member: document[member] for member in SUMMARY if member in document}
