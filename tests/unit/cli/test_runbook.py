"""What the runbook finds and puts right, step by step, on a house in this process."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.harness import ACCOUNT, Yard, house

from modelyard.access.accounts import create_account
from modelyard.aws.errors import AwsError
from modelyard.cli.failure import CommandFailure
from modelyard.cli.runbook.finding import Kind
from modelyard.cli.runbook.inspection import inspect
from modelyard.cli.runbook.removal import removal, remove
from modelyard.cli.runbook.wanted import WantedGroup

pytestmark = pytest.mark.ours

WANTED = WantedGroup("rc", "fraud-detection")
GROUP = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/rc-fraud-detection"
ROLE = "rc-fraud-detection-registry"
ANYBODY = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}})
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})


class Calls:
    """The calls of the runbook, on a house."""

    account = ACCOUNT
    arn = f"arn:aws:iam::{ACCOUNT}:user/admin"

    def __init__(self, yard: Yard, region: str = "us-east-1") -> None:
        self._yard = yard
        self.region = region
        self.made: list[str] = []

    def __call__(self, service: str, operation: str, **request: Any) -> Any:
        self.made.append(operation)
        return self._yard.call(service, operation, None, self.region, **request)


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Calls]:
    """Calls on a fresh house."""
    with house(tmp_path / "data") as yard:
        made = {"ids": yard.house.ids, "now": yard.clock.now()}
        yard.house.storage.write(lambda tx: create_account(tx, yard.house.key_ring, ACCOUNT, **made))
        yield Calls(yard)


def set_up(call: Calls, wanted: WantedGroup = WANTED, **how: bool) -> list[Kind]:
    """What `setup` does; what it found."""
    findings = inspect(call, wanted, **how)
    for finding in findings:
        for step in finding.remedy:
            step.take(call)
    return [finding.kind for finding in findings]


def found(call: Calls, **how: bool) -> list[Kind]:
    """What `verify` reports."""
    return [finding.kind for finding in inspect(call, WANTED, **how)]


def quiet(stage: str, done: int, total: int) -> None:
    """No progress is shown."""


def register(call: Calls, **more: Any) -> str:
    """A version of the group."""
    arn: str = call("sagemaker", "CreateModelPackage", ModelPackageGroupName="rc-fraud-detection", **more)["ModelPackageArn"]
    return arn


def test_a_set_up_group_needs_nothing_more(call: Calls) -> None:
    """The second time nothing is found, and nothing is written."""
    assert set_up(call) == [Kind.GROUP_MISSING, Kind.ROLE_MISSING]
    call.made.clear()
    assert set_up(call) == []
    assert all(name.startswith(("Describe", "List", "Get")) for name in call.made)


DRIFT: list[tuple[Kind, str, str, dict[str, Any]]] = [
    (Kind.GROUP_MISSING, "sagemaker", "DeleteModelPackageGroup", {"ModelPackageGroupName": "rc-fraud-detection"}),
    (Kind.TAGS_CHANGED, "sagemaker", "DeleteTags", {"ResourceArn": GROUP, "TagKeys": ["Team"]}),
    (Kind.TAGS_CHANGED, "sagemaker", "AddTags", {"ResourceArn": GROUP, "Tags": [{"Key": "MLProject", "Value": "x"}]}),
    (Kind.ROLE_TAGS_CHANGED, "iam", "UntagRole", {"RoleName": ROLE, "TagKeys": ["Project"]}),
    (Kind.TRUST_CHANGED, "iam", "UpdateAssumeRolePolicy", {"RoleName": ROLE, "PolicyDocument": ANYBODY}),
    (Kind.POLICY_MISSING, "iam", "DeleteRolePolicy", {"RoleName": ROLE, "PolicyName": "registry-us-east-1"}),
    (
        Kind.POLICY_CHANGED,
        "iam",
        "PutRolePolicy",
        {"RoleName": ROLE, "PolicyName": "registry-us-east-1", "PolicyDocument": EVERYTHING},
    ),
]


@pytest.mark.parametrize(("kind", "service", "operation", "request_"), DRIFT, ids=[f"{row[0]}, {row[2]}" for row in DRIFT])
def test_drift_is_found_and_put_right(call: Calls, kind: Kind, service: str, operation: str, request_: dict[str, Any]) -> None:
    """Each row: what somebody changes is found under its kind, alone, and gone after another setup."""
    set_up(call)
    call(service, operation, **request_)
    assert set_up(call) == [kind]
    assert found(call) == []


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("PutRolePolicy", {"RoleName": ROLE, "PolicyName": "more", "PolicyDocument": EVERYTHING}),
        ("PutRolePolicy", {"RoleName": ROLE, "PolicyName": "registry-eu-west-1", "PolicyDocument": EVERYTHING}),
        ("AttachRolePolicy", {"RoleName": ROLE, "PolicyArn": "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"}),
    ],
)
def test_a_policy_more_is_found_and_stays_until_it_is_to_go(call: Calls, operation: str, request_: dict[str, Any]) -> None:
    """What others gave the role makes it more than it should be; taking that away is asked for by itself."""
    set_up(call)
    call("iam", operation, **request_)
    assert set_up(call) == [Kind.POLICY_ADDED] and found(call) == [Kind.POLICY_ADDED]
    set_up(call, prune=True)
    assert found(call) == []


def test_further_tags_are_no_matter(call: Calls) -> None:
    """Teams may tag their groups and roles as they like."""
    set_up(call)
    call("sagemaker", "AddTags", ResourceArn=GROUP, Tags=[{"Key": "CostCentre", "Value": "7"}])
    call("iam", "TagRole", RoleName=ROLE, Tags=[{"Key": "CostCentre", "Value": "7"}])
    assert found(call) == []


def test_what_others_made_is_left_alone_until_it_is_adopted(call: Calls) -> None:
    """A group and a role of the same names are neither changed by setup nor removed by clean-up."""
    call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="rc-fraud-detection")
    call("iam", "CreateRole", RoleName=ROLE, AssumeRolePolicyDocument=ANYBODY)
    assert set_up(call) == [Kind.GROUP_OF_OTHERS, Kind.ROLE_OF_OTHERS]
    assert call("sagemaker", "ListTags", ResourceArn=GROUP)["Tags"] == []
    planned = removal(call, WANTED)
    assert planned.is_nothing and len(planned.stays) == 2
    set_up(call, adopt=True)
    assert found(call) == []


def test_each_region_has_its_own_policy_and_the_role_goes_with_the_last(call: Calls, tmp_path: Path) -> None:
    """Groups are of a region, roles are not: clean-up in one region leaves what another needs."""
    elsewhere = Calls(call._yard, "eu-west-1")
    set_up(call)
    assert set_up(elsewhere) == [Kind.GROUP_MISSING, Kind.POLICY_MISSING]
    assert found(call) == [] and found(elsewhere) == []
    remove(call, removal(call, WANTED), quiet)
    assert found(elsewhere) == []
    assert call("iam", "ListRolePolicies", RoleName=ROLE)["PolicyNames"] == ["registry-eu-west-1"]
    remove(elsewhere, removal(elsewhere, WANTED), quiet)
    with pytest.raises(AwsError, match="cannot be found"):
        call("iam", "GetRole", RoleName=ROLE)


def test_clean_up_takes_the_versions_and_what_the_role_was_given(call: Calls) -> None:
    """All versions go, over several pages, with the group, the role and its policies."""
    set_up(call)
    for _ in range(105):
        register(call)
    call("iam", "AttachRolePolicy", RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
    call("iam", "PutRolePolicy", RoleName=ROLE, PolicyName="more", PolicyDocument=EVERYTHING)
    planned = removal(call, WANTED)
    assert len(planned.versions) == 105 and planned.approved == ()
    remove(call, planned, quiet)
    assert set_up(call) == [Kind.GROUP_MISSING, Kind.ROLE_MISSING]
    assert removal(call, WANTED).versions == ()


def test_clean_up_names_approved_versions_and_stops_for_new_ones(call: Calls) -> None:
    """What is approved between the question and the answer is not removed, nor is what is registered then."""
    set_up(call)
    approved, pending = register(call, ModelApprovalStatus="Approved"), register(call)
    planned = removal(call, WANTED)
    assert planned.approved == (approved,)
    call("sagemaker", "UpdateModelPackage", ModelPackageArn=pending, ModelApprovalStatus="Approved")
    with pytest.raises(CommandFailure, match=f"{pending} was approved meanwhile"):
        remove(call, planned, quiet)
    planned = removal(call, WANTED)
    late = register(call)
    with pytest.raises(AwsError, match="still contains Model Packages"):
        remove(call, planned, quiet)
    assert removal(call, WANTED).versions == (late,)


def test_other_groups_stay(call: Calls) -> None:
    """A group whose name begins like a wanted one is another group."""
    other = WantedGroup("rc", "fraud-detection-2")
    set_up(call)
    set_up(call, other)
    remove(call, removal(call, WANTED), quiet)
    assert [finding.kind for finding in inspect(call, other)] == []
