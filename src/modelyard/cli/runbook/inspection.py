"""Compares groups and roles that are there with those that are wanted."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from modelyard.aws.errors import AwsError
from modelyard.cli.calling import Call
from modelyard.cli.runbook.finding import Finding, Kind, Step
from modelyard.cli.runbook.wanted import MANAGED_BY, MARK, Document, WantedGroup, policy_name, tag_list, trust

_OF_REGION = re.compile(re.escape(policy_name("")) + "([a-z]{2}(?:-[a-z]+)+-[0-9])")
HAND_OVER = "`setup --adopt` takes it over."


@dataclass(frozen=True, slots=True)
class Role:
    """A role as it is."""

    arn: str
    tags: Mapping[str, str]
    trust: Document
    inline: tuple[str, ...]
    attached: tuple[str, ...]
    """ARNs of managed policies."""

    @property
    def is_ours(self) -> bool:
        """Whether `setup` made it."""
        return self.tags.get(MANAGED_BY) == MARK


def inspect(call: Call, wanted: WantedGroup, *, adopt: bool = False, prune: bool = False) -> list[Finding]:
    """All that is not as it is wanted, in the order in which `setup` puts it right.

    `adopt` has it take over a group or role that it did not make, `prune` take away policies that others gave the role.
    """
    return [*_on_group(call, wanted, adopt=adopt), *_on_role(call, wanted, adopt=adopt, prune=prune)]


def group_tags(call: Call, wanted: WantedGroup) -> Mapping[str, str] | None:
    """The tags of the group; None when there is no group of that name."""
    try:
        described = call("sagemaker", "DescribeModelPackageGroup", ModelPackageGroupName=wanted.name)
    except AwsError as error:
        if error.code == "ValidationException" and "does not exist" in error.message:
            return None
        raise
    return tags_of(call("sagemaker", "ListTags", ResourceArn=described["ModelPackageGroupArn"])["Tags"])


def role(call: Call, wanted: WantedGroup) -> Role | None:
    """The role as it is; None when there is none of that name."""
    try:
        found = call("iam", "GetRole", RoleName=wanted.role)["Role"]
    except AwsError as error:
        if error.code.startswith("NoSuchEntity"):
            return None
        raise
    attached = every(call, "ListAttachedRolePolicies", "AttachedPolicies", RoleName=wanted.role)
    return Role(
        arn=found["Arn"],
        tags=tags_of(found.get("Tags", [])),
        trust=_document(found["AssumeRolePolicyDocument"]),
        inline=tuple(every(call, "ListRolePolicies", "PolicyNames", RoleName=wanted.role)),
        attached=tuple(policy["PolicyArn"] for policy in attached),
    )


def every(call: Call, operation: str, member: str, **request: Any) -> Iterator[Any]:
    """What a list of IAM's holds, page by page."""
    marker: dict[str, str] = {}
    while True:
        page = call("iam", operation, **request, **marker)
        yield from page[member]
        if not page.get("IsTruncated"):
            return
        marker = {"Marker": page["Marker"]}


def tags_of(tags: list[dict[str, str]]) -> dict[str, str]:
    """AWS's list of tags as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def _on_group(call: Call, wanted: WantedGroup, *, adopt: bool) -> Iterator[Finding]:
    arn = wanted.group_arn(call.region, call.account)
    tags = group_tags(call, wanted)
    if tags is None:
        made = {
            "ModelPackageGroupName": wanted.name,
            "ModelPackageGroupDescription": f"Project {wanted.project} of team {wanted.team}",
            "Tags": tag_list(wanted.tags),
        }
        step = Step("sagemaker", "CreateModelPackageGroup", made)
        yield Finding(Kind.GROUP_MISSING, wanted.name, arn, f"There is no group {wanted.name}.", (step,))
        return
    repair = Step("sagemaker", "AddTags", {"ResourceArn": arn, "Tags": tag_list(wanted.tags)})
    if tags.get(MANAGED_BY) != MARK:
        sentence = f"The group {wanted.name} was not made by `modelyard groups setup`: {HAND_OVER}"
        yield Finding(Kind.GROUP_OF_OTHERS, wanted.name, arn, sentence, (repair,) if adopt else ())
    elif changed := _changed(tags, wanted.tags):
        yield Finding(Kind.TAGS_CHANGED, wanted.name, arn, f"The group {wanted.name} {changed}.", (repair,))


def _on_role(call: Call, wanted: WantedGroup, *, adopt: bool, prune: bool) -> Iterator[Finding]:
    found = role(call, wanted)
    name = f"The role {wanted.role}"
    if found is None:
        arn = f"arn:aws:iam::{call.account}:role/{wanted.role}"
        steps = (_creation(call, wanted), _put_policy(call, wanted))
        yield Finding(Kind.ROLE_MISSING, wanted.name, arn, f"There is no role {wanted.role}.", steps)
        return
    tagging = Step("iam", "TagRole", {"RoleName": wanted.role, "Tags": tag_list(wanted.tags)})
    if not found.is_ours:
        sentence = f"{name} was not made by `modelyard groups setup`: {HAND_OVER}"
        yield Finding(Kind.ROLE_OF_OTHERS, wanted.name, found.arn, sentence, (tagging,) if adopt else ())
        if not adopt:
            return
    elif changed := _changed(found.tags, wanted.tags):
        yield Finding(Kind.ROLE_TAGS_CHANGED, wanted.name, found.arn, f"{name} {changed}.", (tagging,))
    yield from _on_policies(call, wanted, found, prune=prune)


def _on_policies(call: Call, wanted: WantedGroup, found: Role, *, prune: bool) -> Iterator[Finding]:
    name, mine = f"The role {wanted.role}", policy_name(call.region)
    if found.trust != trust(call.account):
        document = json.dumps(trust(call.account))
        step = Step("iam", "UpdateAssumeRolePolicy", {"RoleName": wanted.role, "PolicyDocument": document})
        yield Finding(Kind.TRUST_CHANGED, wanted.name, found.arn, f"{name} has another trust policy.", (step,))
    put = _put_policy(call, wanted)
    if mine not in found.inline:
        yield Finding(Kind.POLICY_MISSING, wanted.name, found.arn, f"{name} has no policy {mine}.", (put,))
    elif _inline(call, wanted, mine) != wanted.permissions(call.region, call.account):
        yield Finding(Kind.POLICY_CHANGED, wanted.name, found.arn, f"{name} has another policy {mine}.", (put,))
    for policy in found.inline:
        if policy != mine and not is_of_another_region(call, wanted, policy):
            step = Step("iam", "DeleteRolePolicy", {"RoleName": wanted.role, "PolicyName": policy})
            yield _added(wanted, found, policy, step, prune=prune)
    for policy in found.attached:
        step = Step("iam", "DetachRolePolicy", {"RoleName": wanted.role, "PolicyArn": policy})
        yield _added(wanted, found, policy, step, prune=prune)


def _added(wanted: WantedGroup, found: Role, policy: str, step: Step, *, prune: bool) -> Finding:
    sentence = f"The role {wanted.role} has a policy more, {policy}: `setup --prune` takes it away."
    return Finding(Kind.POLICY_ADDED, wanted.name, found.arn, sentence, (step,) if prune else ())


def is_of_another_region(call: Call, wanted: WantedGroup, policy: str) -> bool:
    """Whether a policy is what `setup` in another region gives the role, and no more than that."""
    found = _OF_REGION.fullmatch(policy)
    return found is not None and _inline(call, wanted, policy) == wanted.permissions(found[1], call.account)


def _creation(call: Call, wanted: WantedGroup) -> Step:
    request = {
        "RoleName": wanted.role,
        "Description": f"Registers and reviews the versions of {wanted.name}",
        "AssumeRolePolicyDocument": json.dumps(trust(call.account)),
        "Tags": tag_list(wanted.tags),
    }
    return Step("iam", "CreateRole", request)


def _put_policy(call: Call, wanted: WantedGroup) -> Step:
    document = json.dumps(wanted.permissions(call.region, call.account))
    request = {"RoleName": wanted.role, "PolicyName": policy_name(call.region), "PolicyDocument": document}
    return Step("iam", "PutRolePolicy", request)


def _inline(call: Call, wanted: WantedGroup, policy: str) -> Document:
    return _document(call("iam", "GetRolePolicy", RoleName=wanted.role, PolicyName=policy)["PolicyDocument"])


def _document(value: str | Document) -> Document:
    """A policy document as IAM answers it, percent-encoded, or as botocore has decoded it."""
    return value if isinstance(value, dict) else dict(json.loads(unquote(value)))


def _changed(tags: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """What is wrong with tags, as the rest of a sentence; nothing when they are all there. Further tags are no matter."""
    lacking = [key for key in wanted if key not in tags]
    other = [f"{key}={tags[key]} instead of {value}" for key, value in wanted.items() if key in tags and tags[key] != value]
    parts = [f"lacks the tag {', '.join(lacking)}"] if lacking else []
    return " and ".join([*parts, *([f"has the tag {', '.join(other)}"] if other else [])])
