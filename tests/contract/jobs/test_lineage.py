"""Transform jobs in lineage."""

import pytest
from tests.contract.endpoints.hosting import Hosting
from tests.contract.jobs.test_transform_jobs import ended, model, request

from modelyard.jobs import events, store
from modelyard.jobs.transform_job import JobName
from modelyard.lineage.following import catch_up


@pytest.mark.documented
def test_an_output_is_followed_to_the_version_behind_it(hosting: Hosting) -> None:
    """A job that is Completed comes of its model and its input, and its output of it; a version is followed to its outputs."""
    package = hosting.register()
    role = hosting.role("runs")
    hosting.create("of-version", PrimaryContainer={"ModelPackageName": package}, ExecutionRoleArn=role)
    asked = request(hosting, "job", "of-version")
    arn = hosting.sagemaker("CreateTransformJob", **asked)["TransformJobArn"]
    _, _, _, region, account, resource = arn.split(":")
    ended(hosting, "job")

    def tell(tx: object) -> None:
        job = store.job(tx, JobName(account, region, resource.partition("/")[2]))  # type: ignore[arg-type]
        assert job is not None
        events.transform_changed(tx, job, hosting.yard.clock.now())  # type: ignore[arg-type]

    hosting.yard.house.storage.write(tell)
    catch_up(hosting.yard.house.storage)
    [action] = hosting.sagemaker("ListActions", SourceUri=arn)["ActionSummaries"]
    assert action["ActionType"] == "SageMakerTransformJob"
    sources = hosting.sagemaker("ListAssociations", DestinationArn=action["ActionArn"])["AssociationSummaries"]
    assert sorted((one["SourceType"], one["AssociationType"]) for one in sources) == [
        ("DataSet", "ContributedTo"),
        ("SageMakerModel", "ContributedTo"),
    ]
    [output] = hosting.sagemaker("ListArtifacts", SourceUri=asked["TransformOutput"]["S3OutputPath"])["ArtifactSummaries"]
    lineage = hosting.sagemaker("QueryLineage", StartArns=[output["ArtifactArn"]], Direction="Ascendants")
    arns = {one["Arn"] for one in lineage["Vertices"]}
    [version] = hosting.sagemaker("ListArtifacts", SourceUri=package)["ArtifactSummaries"]
    assert version["ArtifactArn"] in arns


@pytest.mark.documented
def test_a_job_that_failed_made_nothing(hosting: Hosting) -> None:
    """Of a job that is under way, or has failed, lineage says nothing."""
    arn = hosting.sagemaker("CreateTransformJob", **request(hosting, "job", model(hosting)))["TransformJobArn"]
    catch_up(hosting.yard.house.storage)
    assert hosting.sagemaker("ListActions", SourceUri=arn)["ActionSummaries"] == []
