"""How a group of the runbook and its role are to be: names, tags and policies, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MANAGED_BY = "ManagedBy"
MARK = "modelyard-groups"
"""The value of the tag ManagedBy on everything that `modelyard groups setup` makes, and on nothing else."""
ROLE_SUFFIX = "-registry"
LONGEST_GROUP = 64 - len(ROLE_SUFFIX)
"""Names of roles have at most 64 characters."""

ON_GROUP = ("CreateModelPackageGroup", "DescribeModelPackageGroup", "ListModelPackageGroups")
ON_VERSIONS = ("CreateModelPackage", "DescribeModelPackage", "ListModelPackages", "UpdateModelPackage")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WantedGroup:
    """The group of a team's project, and the role of those who work on it."""

    team: str
    project: str

    @property
    def name(self) -> str:
        """`{team}-{project}`."""
        return f"{self.team}-{self.project}"

    @property
    def role(self) -> str:
        """The name of the role."""
        return self.name + ROLE_SUFFIX

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of group and role. MLProject is what AWS's examples of access by tags go by."""
        return {"Team": self.team, "Project": self.project, "MLProject": self.project, MANAGED_BY: MARK}

    def group_arn(self, region: str, account: str) -> str:
        """The group."""
        return f"arn:aws:sagemaker:{region}:{account}:model-package-group/{self.name}"

    def permissions(self, region: str, account: str) -> Document:
        """What the role may do: create, describe, list and update this group's packages, and the group itself."""
        versions = f"arn:aws:sagemaker:{region}:{account}:model-package/{self.name}/*"
        return _document(
            _allow("Group", ON_GROUP, Resource=self.group_arn(region, account)),
            _allow("Versions", ON_VERSIONS, Resource=versions),
        )


def policy_name(region: str) -> str:
    """The role's policy for the group in one region: roles are of all regions, groups of one."""
    return f"registry-{region}"


def trust(account: str) -> Document:
    """Who may assume the role: whom the policies of the account let, and SageMaker for the jobs that run under it."""
    return _document(
        {
            "Sid": "Account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": ["sts:AssumeRole"],
        },
        {
            "Sid": "Jobs",
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": ["sts:AssumeRole"],
        },
    )


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS's list."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _allow(sid: str, actions: tuple[str, ...], **elements: object) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": [f"sagemaker:{action}" for action in actions], **elements}


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}
