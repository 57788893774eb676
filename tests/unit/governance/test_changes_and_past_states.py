"""ListChanges and GetStateAsOf."""

import json
from typing import Any

import pytest
from tests.harness import ACCOUNT, OTHER_ACCOUNT, START, Yard, user

from modelyard.aws.errors import AccessDeniedException, AwsError, ValidationException
from modelyard.events import outbox
from modelyard.governance.operations import changes
from modelyard.storage.interface import Transaction

pytestmark = pytest.mark.ours


def group(yard: Yard, name: str, versions: int = 0) -> None:
    yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=name)
    for _ in range(versions):
        yard.call("sagemaker", "CreateModelPackage", ModelPackageGroupName=name)


def arn(version: int) -> str:
    return f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/fraud/{version}"


def approve(yard: Yard, version: int, status: str = "Approved") -> None:
    yard.call("sagemaker", "UpdateModelPackage", ModelPackageArn=arn(version), ModelApprovalStatus=status)


def test_the_feed_of_a_group_is_in_order_and_resumable(yard_in_process: Yard) -> None:
    """Each change once, also when the reader stops and goes on from the last position it saw."""
    group(yard_in_process, "Fraud", 3)
    group(yard_in_process, "Other", 1)
    seen: list[Any] = []
    position = 0
    for _ in range(10):
        answer = yard_in_process.call(
            "modelyard", "ListChanges", ModelPackageGroupName="fraud", StartAfter=position, MaxResults=2
        )
        seen += answer["Changes"]
        position = answer["LastPosition"]
        if "NextToken" not in answer:
            break
    approve(yard_in_process, 2)
    seen += yard_in_process.call("modelyard", "ListChanges", ModelPackageGroupName="Fraud", StartAfter=position)["Changes"]
    told = [(json.loads(change["Detail"]).get("ModelPackageVersion"), change["Resources"]) for change in seen]
    assert [version for version, _ in told] == [None, 1, 2, 3, 2]
    assert [change["Position"] for change in seen] == sorted({change["Position"] for change in seen})


def test_the_feed_of_an_account_has_everything_of_its_region_and_nothing_else(
    yard_in_process: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes of other accounts and regions do not show, also when they are most of what there is."""
    monkeypatch.setattr(changes, "STRETCH", 2)
    group(yard_in_process, "Fraud", 2)
    for number in range(5):
        yard_in_process.call("sagemaker", "CreateModelPackageGroup", user(OTHER_ACCOUNT), ModelPackageGroupName=f"o-{number}")
        yard_in_process.call("sagemaker", "CreateModelPackageGroup", region="eu-west-1", ModelPackageGroupName=f"e-{number}")
    yard_in_process.call("s3", "CreateBucket", Bucket="bucket")
    yard_in_process.call("s3", "PutObject", Bucket="bucket", Key="k", Body=b"")
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = yard_in_process.call("modelyard", "ListChanges", **token)
        seen += [change["DetailType"] for change in answer["Changes"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    versions = ["SageMaker Model Package State Change"] * 2
    assert seen == ["Model Package Group State Change", *versions, "Object Created"]


def _catch_up(tx: Transaction) -> None:
    """What the readers of this house have not read yet may not be trimmed: say that they have."""
    for (reader,) in tx.all("SELECT name FROM event_reader WHERE name <> ''"):
        outbox.done(tx, reader, outbox.last_position(tx))


def test_a_reader_who_comes_too_late_is_told(yard_in_process: Yard) -> None:
    """A position before what is kept is an error of its own; without a position one begins at the oldest that is kept."""
    group(yard_in_process, "Fraud", 3)
    yard_in_process.house.storage.write(_catch_up)
    assert yard_in_process.house.storage.write(lambda tx: outbox.trim(tx, START + 1, 2, 2)) == 2
    with pytest.raises(AwsError) as told:
        yard_in_process.call("modelyard", "ListChanges", StartAfter=0)
    assert told.value.code == "ChangesTrimmedException"
    assert len(yard_in_process.call("modelyard", "ListChanges")["Changes"]) == 2


def test_a_reader_who_is_ahead_is_told(yard_in_process: Yard) -> None:
    """A position that no change has had, as after a restore from a backup, is an error; the newest one is none."""
    group(yard_in_process, "Fraud", 1)
    newest = yard_in_process.call("modelyard", "ListChanges")["LastPosition"]
    assert yard_in_process.call("modelyard", "ListChanges", StartAfter=newest) == {"Changes": [], "LastPosition": newest}
    for named in ({}, {"ModelPackageGroupName": "Fraud"}):
        with pytest.raises(ValidationException, match=f"There is no position {newest + 1} yet: the newest is {newest}"):
            yard_in_process.call("modelyard", "ListChanges", StartAfter=newest + 1, **named)


def test_another_account_reads_the_feed_where_the_groups_policy_lets_it(yard_in_process: Yard) -> None:
    """Without the policy it is refused."""
    group(yard_in_process, "Fraud", 1)
    stranger = user(OTHER_ACCOUNT, "stranger")
    name = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/Fraud"
    with pytest.raises(AccessDeniedException):
        yard_in_process.call("modelyard", "ListChanges", stranger, ModelPackageGroupName=name)


def test_versions_are_as_they_were(yard_in_process: Yard) -> None:
    """Approval, stage and metadata of a past moment, with versions that are gone by now and without later ones."""
    yard = yard_in_process
    group(yard, "Fraud", 2)
    yard.clock.advance(10)
    approve(yard, 1)
    yard.call(
        "sagemaker",
        "UpdateModelPackage",
        ModelPackageArn=arn(2),
        CustomerMetadataProperties={"ticket": "1"},
        ModelLifeCycle={"Stage": "Staging", "StageStatus": "PendingApproval"},
    )
    yard.clock.advance(10)
    approve(yard, 1, "Rejected")
    yard.call("sagemaker", "DeleteModelPackage", ModelPackageName=arn(2))
    yard.call("sagemaker", "CreateModelPackage", ModelPackageGroupName="Fraud")

    def at(seconds: float) -> list[Any]:
        versions = yard.call("modelyard", "GetStateAsOf", ModelPackageGroupName="FRAUD", Time=START + seconds)["Versions"]
        return [(one["ModelPackageVersion"], one["ModelApprovalStatus"]) for one in versions]

    assert at(-1) == []
    assert at(5) == [(1, "PendingManualApproval"), (2, "PendingManualApproval")]
    assert at(15) == [(1, "Approved"), (2, "PendingManualApproval")]
    assert at(25) == [(1, "Rejected"), (3, "PendingManualApproval")]
    then = yard.call("modelyard", "GetStateAsOf", ModelPackageGroupName="Fraud", Time=START + 15)["Versions"][1]
    assert (then["ModelPackageArn"], then["CustomerMetadataProperties"], then["ModelLifeCycle"]["Stage"]) == (
        arn(2),
        {"ticket": "1"},
        "Staging",
    )
    assert (then["Since"], then["ChangedBy"]) == (START + 10, f"arn:aws:iam::{ACCOUNT}:user/admin")


def test_past_states_come_in_pages(yard_in_process: Yard) -> None:
    """By number, each version once."""
    group(yard_in_process, "Fraud", 5)
    seen: list[int] = []
    token: dict[str, str] = {}
    while True:
        answer = yard_in_process.call(
            "modelyard", "GetStateAsOf", ModelPackageGroupName="Fraud", Time=START, MaxResults=2, **token
        )
        seen += [one["ModelPackageVersion"] for one in answer["Versions"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert seen == [1, 2, 3, 4, 5]
