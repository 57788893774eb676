"""What registrations, approvals and moves leave in lineage, and how a version is followed to its data and back."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from tests.harness import ACCOUNT, Yard, user

from modelyard.aws.errors import AccessDeniedException, ResourceNotFound
from modelyard.events import outbox
from modelyard.lineage.following import READER, catch_up, follow
from modelyard.storage.interface import Transaction

Call = Callable[..., Any]
Make = Callable[..., str]
HERE = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
JOB = f"{HERE}:training-job/train-7"
REQUEST: dict[str, Any] = {
    "InferenceSpecification": {"Containers": [{"Image": "fraud:1", "ModelDataUrl": "s3://b/model.tar.gz"}]},
    "MetadataProperties": {"CommitId": "abc", "Repository": "git://code", "GeneratedBy": JOB},
    "CustomerMetadataProperties": {"training_data": "s3://b/train.csv", "training_data_version": "v7"},
    "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/evaluation.json"}}},
}


@pytest.fixture
def group(sagemaker: Call) -> Iterator[str]:
    """A group without versions."""
    sagemaker("CreateModelPackageGroup", ModelPackageGroupName="Fraud")
    yield "Fraud"
    _clear(sagemaker, "Fraud")


def _clear(sagemaker: Call, name: str) -> None:
    for one in sagemaker("ListModelPackages", ModelPackageGroupName=name)["ModelPackageSummaryList"]:
        sagemaker("DeleteModelPackage", ModelPackageName=one["ModelPackageArn"])
    sagemaker("DeleteModelPackageGroup", ModelPackageGroupName=name)


@pytest.fixture
def register(sagemaker: Call, group: str) -> Make:
    """Registers a version; its ARN."""

    def make(**request: Any) -> str:
        arn: str = sagemaker("CreateModelPackage", ModelPackageGroupName=group, **{**REQUEST, **request})["ModelPackageArn"]
        return arn

    return make


def package_artifact(sagemaker: Call, arn: str) -> str:
    """The artifact of a version, as SDKs find it."""
    found: str = sagemaker("ListArtifacts", SourceUri=arn)["ArtifactSummaries"][0]["ArtifactArn"]
    return found


def around(sagemaker: Call, arn: str) -> set[tuple[str, str, str]]:
    """What is associated with an artifact: direction, type and association type."""
    above = sagemaker("ListAssociations", DestinationArn=arn, MaxResults=100)["AssociationSummaries"]
    below = sagemaker("ListAssociations", SourceArn=arn, MaxResults=100)["AssociationSummaries"]
    return {("in", one["SourceType"], one["AssociationType"]) for one in above} | {
        ("out", one["DestinationType"], one["AssociationType"]) for one in below
    }


@pytest.mark.seen
def test_a_registration_makes_what_aws_makes(sagemaker: Call, register: Make) -> None:
    """A version is an artifact of type Model in a ModelGroup context, with its creation, image and model data."""
    artifact = package_artifact(sagemaker, register())
    assert {
        ("out", "ModelGroup", "AssociatedWith"),
        ("in", "Image", "ContributedTo"),
        ("in", "Model", "ContributedTo"),
        ("in", "ModelPackageCreation", "Produced"),
    } <= around(sagemaker, artifact)
    (context,) = sagemaker("ListContexts", SourceUri=f"{HERE}:model-package-group/Fraud")["ContextSummaries"]
    assert (context["ContextName"], context["ContextType"]) == ("Fraud-aws-model-group", "ModelGroup")
    described = sagemaker("DescribeArtifact", ArtifactArn=artifact)
    assert described["ArtifactType"] == "Model"
    assert described["MetadataProperties"] == REQUEST["MetadataProperties"]
    assert described["Properties"]["ModelApprovalStatus"] == "PendingManualApproval"


@pytest.mark.ours
def test_a_registration_brings_data_code_job_and_metrics(sagemaker: Call, register: Make) -> None:
    """What the description says beyond AWS's entities is there too, found by its address."""
    artifact = package_artifact(sagemaker, register())
    more = {("in", "Code", "ContributedTo"), ("in", "SageMakerTrainingJob", "Produced")}
    more |= {("in", "DataSet", "ContributedTo"), ("in", "ModelMetrics", "ContributedTo")}
    assert more <= around(sagemaker, artifact)
    (job,) = sagemaker("ListActions", SourceUri=JOB)["ActionSummaries"]
    assert job["ActionName"] == "train-7-aws-training-job"
    for uri in ("s3://b/train.csv", "s3://b/train.csv?versionId=v7", "git://code@abc", "s3://b/evaluation.json"):
        assert sagemaker("ListArtifacts", SourceUri=uri)["ArtifactSummaries"], uri


@pytest.mark.documented
def test_existing_artifacts_are_used(sagemaker: Call, register: Make, artifact: Make, join: Call) -> None:
    """A registration takes the artifacts that there are for its sources, so what somebody said of them before is found."""
    raw, model = artifact("s3://b/raw"), artifact("s3://b/model.tar.gz", "MyModel")
    join(raw, model)
    first, second = (package_artifact(sagemaker, register()) for _ in range(2))
    for arn in (first, second):
        found = sagemaker("QueryLineage", StartArns=[arn], Direction="Ascendants")["Vertices"]
        assert {raw, model} <= {vertex["Arn"] for vertex in found}
    assert len(sagemaker("ListArtifacts", ArtifactType="Image")["ArtifactSummaries"]) == 1
    assert len(sagemaker("ListContexts", ContextType="ModelGroup")["ContextSummaries"]) == 1


@pytest.mark.seen
def test_approvals_are_actions(sagemaker: Call, register: Make, yard_in_process: Yard) -> None:
    """Each decision is an Approval whose source is the version, named by status; it says who and why; pending is no decision."""
    arn = register()
    assert sagemaker("ListActions", ActionType="Approval")["ActionSummaries"] == []
    reviewer = user(ACCOUNT, "reviewer")
    for status, reason in (("Rejected", "too slow"), ("Approved", "better"), ("Approved", "still good")):
        update = {"ModelApprovalStatus": status, "ApprovalDescription": reason}
        sagemaker("UpdateModelPackage", by=reviewer, ModelPackageArn=arn, **update)
    actions = sagemaker("ListActions", SourceUri=arn, ActionType="Approval", SortOrder="Ascending")["ActionSummaries"]
    assert [one["ActionName"].split("-")[:3] for one in actions] == [
        ["Fraud", "1", status] for status in ("Rejected", "Approved", "Approved")
    ]
    assert all(one["ActionName"].endswith("-aws-model-group") for one in actions)
    described = sagemaker("DescribeAction", ActionName=actions[0]["ActionName"])
    assert (described["Description"], described["Properties"]["ModelApprovalStatus"]) == ("too slow", "Rejected")
    assert described["CreatedBy"]["IamIdentity"]["Arn"].endswith("user/reviewer")
    artifact = package_artifact(sagemaker, arn)
    assert ("in", "Approval", "ContributedTo") in around(sagemaker, artifact)
    assert sagemaker("DescribeArtifact", ArtifactArn=artifact)["Properties"]["ModelApprovalStatus"] == "Approved"


@pytest.mark.documented
def test_life_cycle_changes_are_actions(sagemaker: Call, register: Make) -> None:
    """`list-actions --action-type ModelLifeCycle` shows every move, the first at registration too; other updates make none."""
    arn = register(ModelLifeCycle={"Stage": "Development", "StageStatus": "InProgress"})
    sagemaker("UpdateModelPackage", ModelPackageArn=arn, CustomerMetadataProperties={"note": "x"})
    moved = {"Stage": "QA", "StageStatus": "OnHold", "StageDescription": "waits for data"}
    sagemaker("UpdateModelPackage", ModelPackageArn=arn, ModelLifeCycle=moved)
    actions = sagemaker("ListActions", ActionType="ModelLifeCycle", SortOrder="Ascending")["ActionSummaries"]
    described = [sagemaker("DescribeAction", ActionName=one["ActionArn"]) for one in actions]
    stages = [(one["Properties"]["Stage"], one["Properties"]["StageStatus"], one.get("Description")) for one in described]
    assert stages == [("Development", "InProgress", None), ("QA", "OnHold", "waits for data")]


@pytest.mark.ours
def test_an_approval_at_registration_counts(sagemaker: Call, register: Make) -> None:
    """A version that is registered as approved has its decision, too."""
    arn = register(ModelApprovalStatus="Approved")
    assert len(sagemaker("ListActions", SourceUri=arn, ActionType="Approval")["ActionSummaries"]) == 1


@pytest.mark.ours
def test_from_a_version_to_everything_in_one_call(
    sagemaker: Call, modelyard: Call, register: Make, artifact: Make, join: Call
) -> None:
    """GetVersionLineage tells data, code, job, image, model data, metrics, decisions, group, and what was made of it."""
    arn = register()
    copy = register(SourceUri=arn)
    sagemaker("UpdateModelPackage", ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good")
    join(package_artifact(sagemaker, arn), artifact("s3://b/report.html", "Report"))
    found = modelyard(
        "GetVersionLineage", ModelPackageArn=arn.upper().replace("ARN:AWS:SAGEMAKER:US-EAST-1", "arn:aws:sagemaker:us-east-1")
    )

    def sources(role: str) -> list[str]:
        return [item["SourceUri"] for item in found[role]]

    assert (found["ModelPackageArn"], found["Truncated"]) == (arn, False)
    assert sources("DataSets") == ["s3://b/train.csv?versionId=v7", "s3://b/train.csv"]
    assert sources("Code") == ["git://code@abc", "git://code"]
    assert (sources("Jobs"), sources("Images")) == ([JOB], ["fraud:1"])
    assert (sources("ModelData"), sources("Metrics")) == (["s3://b/model.tar.gz"], ["s3://b/evaluation.json"])
    assert sources("Groups") == [f"{HERE}:model-package-group/Fraud"]
    assert (sources("DerivedVersions"), sources("Others")) == ([copy], ["s3://b/report.html"])
    (approval,) = found["Approvals"]
    assert (approval["Description"], approval["Depth"], approval["Direction"]) == ("good", 1, "Ascendants")
    edge = {"SourceArn": found["Images"][0]["Arn"], "DestinationArn": found["ArtifactArn"], "AssociationType": "ContributedTo"}
    assert edge in found["Edges"]
    assert sources("DerivedVersions") == [copy]
    assert [item["SourceUri"] for item in modelyard("GetVersionLineage", ModelPackageArn=copy)["DerivedFrom"]] == [arn]


@pytest.mark.ours
@pytest.mark.parametrize(
    "uri",
    ["s3://b/train.csv", "s3://b/train.csv?versionId=v7", "git://code", JOB, "fraud:1", f"{HERE}:model-package-group/fraud"],
)
def test_and_back_in_one_call(modelyard: Call, register: Make, uri: str) -> None:
    """ListVersionsBySource finds the versions of data, code, a job, an image, a group, in pages."""
    arns = [register(), register(), register()]
    first = modelyard("ListVersionsBySource", SourceUri=uri, MaxResults=2)
    rest = modelyard("ListVersionsBySource", SourceUri=uri, MaxResults=2, NextToken=first["NextToken"])
    assert [one["ModelPackageArn"] for one in (*first["Versions"], *rest["Versions"])] == arns
    assert "NextToken" not in rest
    with pytest.raises(ResourceNotFound):
        modelyard("ListVersionsBySource", SourceUri="s3://b/nothing")


@pytest.mark.ours
def test_lineage_shows_the_versions_that_one_may_see(sagemaker: Call, modelyard: Call, register: Make) -> None:
    """Versions that the caller may not describe are left out of both calls, and what lies behind them."""
    weather = {"Key": "MLProject", "Value": "weather"}
    sagemaker("CreateModelPackageGroup", ModelPackageGroupName="weather", Tags=[weather])
    secret = register()
    container = {"Containers": [{"Image": "fraud:1"}]}
    own = sagemaker("CreateModelPackage", ModelPackageGroupName="weather", SourceUri=secret, InferenceSpecification=container)
    policy = {"Effect": "Allow", "Action": ["sagemaker:Describe*", "modelyard:*"], "Resource": "*"}
    tagged = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    condition = {"StringNotEquals": {"aws:ResourceTag/MLProject": "weather"}, "ArnLike": {"aws:PrincipalArn": "*"}}
    deny = {**tagged, "Resource": f"{HERE}:model-package/*", "Condition": condition}
    member = user(ACCOUNT, "member", orjson.dumps({"Version": "2012-10-17", "Statement": [policy, deny]}).decode())
    found = modelyard("GetVersionLineage", by=member, ModelPackageArn=own["ModelPackageArn"])
    assert "DerivedFrom" not in found
    assert "DataSets" not in found
    assert found["Images"]
    listed = modelyard("ListVersionsBySource", by=member, SourceUri="fraud:1")["Versions"]
    assert [one["ModelPackageArn"] for one in listed] == [own["ModelPackageArn"]]
    with pytest.raises(AccessDeniedException):
        modelyard("GetVersionLineage", by=member, ModelPackageArn=secret)
    _clear(sagemaker, "weather")


@pytest.mark.ours
def test_packages_without_a_group_have_lineage(sagemaker: Call, modelyard: Call) -> None:
    """An unversioned package has its artifact and what it was made from, and no group."""
    request = {member: REQUEST[member] for member in ("InferenceSpecification", "MetadataProperties")}
    arn = sagemaker("CreateModelPackage", ModelPackageName="alone", **request)["ModelPackageArn"]
    found = modelyard("GetVersionLineage", ModelPackageArn=arn)
    assert [item["SourceUri"] for item in found["Images"]] == ["fraud:1"]
    assert "Groups" not in found
    (creation,) = found["Creation"]
    assert creation["Name"].startswith("alone-Created-")
    sagemaker("DeleteModelPackage", ModelPackageName=arn)


@pytest.mark.ours
def test_deleted_versions_stay_in_lineage(sagemaker: Call, modelyard: Call, register: Make) -> None:
    """What a deleted version was made from is still known, and that it is gone."""
    first = register()
    old = package_artifact(sagemaker, first)
    sagemaker("DeleteModelPackage", ModelPackageName=first)
    assert sagemaker("DescribeArtifact", ArtifactArn=old)["Properties"]["ModelPackageStatus"] == "Deleted"
    assert modelyard("GetVersionLineage", ModelPackageArn=first)["DataSets"]


@pytest.mark.ours
def test_a_group_made_again_has_other_versions(sagemaker: Call, register: Make, yard_in_process: Yard) -> None:
    """The same ARN some time later is another version: another artifact, the newest of its source."""
    old = package_artifact(sagemaker, register())
    _clear(sagemaker, "Fraud")
    yard_in_process.clock.advance(60)
    sagemaker("CreateModelPackageGroup", ModelPackageGroupName="Fraud")
    new = package_artifact(sagemaker, register(CustomerMetadataProperties={"training_data": "s3://b/other.csv"}))
    assert new != old
    found = sagemaker("QueryLineage", StartArns=[new], Direction="Ascendants", Filters={"Types": ["DataSet"]})["Vertices"]
    (data,) = [sagemaker("DescribeArtifact", ArtifactArn=one["Arn"])["Source"]["SourceUri"] for one in found]
    assert data == "s3://b/other.csv"


def rows(tx: Transaction) -> list[Any]:
    """All of lineage."""
    entities = tx.all(
        "SELECT account, region, kind, handle, type, created, modified, document FROM lineage_entity ORDER BY handle, id"
    )
    joined = tx.all("SELECT source_id, destination_id, type FROM lineage_association ORDER BY source_id, destination_id")
    return [entities, joined]


@pytest.mark.ours
def test_reading_again_changes_nothing(sagemaker: Call, register: Make, yard_in_process: Yard) -> None:
    """Events that are read a second time, as after a restore, make nothing twice."""
    arn = register(ModelLifeCycle={"Stage": "a", "StageStatus": "b"})
    sagemaker("UpdateModelPackage", ModelPackageArn=arn, ModelApprovalStatus="Approved")
    storage = yard_in_process.house.storage
    catch_up(storage)
    with storage.read() as tx:
        before = rows(tx)
    storage.write(lambda tx: outbox.done(tx, READER, 0))
    catch_up(storage)
    with storage.read() as tx:
        assert rows(tx) == before


@pytest.mark.ours
def test_position_and_lineage_go_together(register: Make, yard_in_process: Yard) -> None:
    """A transaction that does not come to its end leaves neither lineage nor the position behind: the events are read anew."""
    storage = yard_in_process.house.storage
    catch_up(storage)
    register()

    def torn(tx: Transaction) -> None:
        follow(tx)
        raise ConnectionResetError

    with storage.read() as tx:
        position, before = outbox.position_of(tx, READER), rows(tx)
    with pytest.raises(ConnectionResetError):
        storage.write(torn)
    with storage.read() as tx:
        assert (outbox.position_of(tx, READER), rows(tx)) == (position, before)
    catch_up(storage)
    with storage.read() as tx:
        assert outbox.position_of(tx, READER) == outbox.last_position(tx)
        assert rows(tx) != before


@pytest.mark.ours
def test_an_event_that_makes_no_sense_holds_nothing_up(
    sagemaker: Call, register: Make, yard_in_process: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and what comes after it is read."""
    broken = {"source": "aws.sagemaker", "detail_type": "SageMaker Model Package State Change", "detail": {"CreationTime": 7}}
    where = {"account": ACCOUNT, "region": "us-east-1", "resources": [], "group_key": "x", "now": 0.0}
    yard_in_process.house.storage.write(lambda tx: outbox.publish(tx, **broken, **where))
    assert package_artifact(sagemaker, register())
    assert "lineage cannot read the event" in caplog.text


@pytest.mark.ours
def test_a_long_backlog_is_read_in_batches(register: Make, yard_in_process: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call reads all that was published before it, a batch to a transaction."""
    monkeypatch.setattr("modelyard.lineage.following.BATCH", 2)
    for _ in range(5):
        register()
    storage = yard_in_process.house.storage
    catch_up(storage)
    with storage.read() as tx:
        assert outbox.position_of(tx, READER) == outbox.last_position(tx)
