"""What clean-up takes away: groups and roles that `setup` made, with the versions in them."""

from collections.abc import Iterator
from dataclasses import dataclass

from modelyard.cli.calling import Call
from modelyard.cli.copies import Progress
from modelyard.cli.failure import CommandFailure
from modelyard.cli.runbook.finding import Step
from modelyard.cli.runbook.inspection import group_tags, is_of_another_region, role
from modelyard.cli.runbook.wanted import MANAGED_BY, MARK, WantedGroup, policy_name

APPROVED = "Approved"


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes of one group and its role, and what stays."""

    wanted: WantedGroup
    group: str | None
    """Its ARN; None when there is none, or it is of others."""
    versions: tuple[str, ...]
    approved: tuple[str, ...]
    """Those of the versions that are approved: somebody may rely on them."""
    role: str | None
    role_steps: tuple[Step, ...]
    """The calls that take the role away, or what it has for this region."""
    stays: tuple[str, ...]
    """Sentences on what is left alone."""

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to take away."""
        return self.group is None and self.role is None


def removal(call: Call, wanted: WantedGroup) -> Removal:
    """What there is to take away."""
    stays: list[str] = []
    arn, versions = None, {}
    tags = group_tags(call, wanted)
    if tags is not None and tags.get(MANAGED_BY) != MARK:
        stays.append(f"The group {wanted.name} stays: `modelyard groups setup` did not make it.")
    elif tags is not None:
        arn = wanted.group_arn(call.region, call.account)
        versions = dict(_versions(call, wanted))
    role_arn, steps = _of_role(call, wanted, stays)
    approved = tuple(version for version, status in versions.items() if status == APPROVED)
    return Removal(wanted, arn, tuple(versions), approved, role_arn, steps, tuple(stays))


def remove(call: Call, planned: Removal, progress: Progress) -> None:
    """Take it away. Raises CommandFailure for what has been registered or approved since it was planned, AwsError."""
    name = planned.wanted.name
    if planned.group is not None:
        since = {version for version, _ in _versions(call, planned.wanted, approval=APPROVED)} - set(planned.approved)
        if since:
            raise CommandFailure(f"{name} was left as it is: {', '.join(sorted(since))} was approved meanwhile.")
        for done, version in enumerate(planned.versions):
            progress(f"versions of {name}", done, len(planned.versions))
            call("sagemaker", "DeleteModelPackage", ModelPackageName=version)
        progress(f"versions of {name}", len(planned.versions), len(planned.versions))
        call("sagemaker", "DeleteModelPackageGroup", ModelPackageGroupName=name)
    for step in planned.role_steps:
        step.take(call)


def _versions(call: Call, wanted: WantedGroup, approval: str | None = None) -> Iterator[tuple[str, str]]:
    """ARN and approval status of every version, oldest first."""
    request = {"ModelPackageGroupName": wanted.name, **({} if approval is None else {"ModelApprovalStatus": approval})}
    while True:
        page = call("sagemaker", "ListModelPackages", **request)
        for version in page["ModelPackageSummaryList"]:
            yield version["ModelPackageArn"], version.get("ModelApprovalStatus", "")
        if "NextToken" not in page:
            return
        request["NextToken"] = page["NextToken"]


def _of_role(call: Call, wanted: WantedGroup, stays: list[str]) -> tuple[str | None, tuple[Step, ...]]:
    found = role(call, wanted)
    if found is None:
        return None, ()
    if not found.is_ours:
        stays.append(f"The role {wanted.role} stays: `modelyard groups setup` did not make it.")
        return None, ()
    mine, named = policy_name(call.region), {"RoleName": wanted.role}
    elsewhere = [policy for policy in found.inline if policy != mine and is_of_another_region(call, wanted, policy)]
    if elsewhere:
        stays.append(f"The role {wanted.role} stays for other regions: it has {', '.join(elsewhere)}.")
        if mine not in found.inline:
            return None, ()
        return found.arn, (Step("iam", "DeleteRolePolicy", {**named, "PolicyName": mine}),)
    detach = [Step("iam", "DetachRolePolicy", {**named, "PolicyArn": policy}) for policy in found.attached]
    delete = [Step("iam", "DeleteRolePolicy", {**named, "PolicyName": policy}) for policy in found.inline]
    return found.arn, (*detach, *delete, Step("iam", "DeleteRole", named))
