"""What models tell: events to their account, and to the owner of their packages; lineage from versions to models and back."""

from typing import Any

import orjson
import pytest
from tests.contract.endpoints.hosting import ARN, Hosting, document, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, user

from modelyard.events import outbox
from modelyard.lineage.following import catch_up

STRANGER = user(OTHER_ACCOUNT, "stranger")


def events(hosting: Hosting, kind: str, resource: str) -> list[tuple[outbox.Event, dict[str, Any]]]:
    """Events of a kind that speak of a resource, with their details."""
    with hosting.yard.house.storage.read() as tx:
        found = outbox.read(tx, 0, 10_000)
    return [(one, orjson.loads(one.detail)) for one in found if one.detail_type == kind and resource in one.resources]


def shared_version(hosting: Hosting) -> str:
    """An approved version that the other account may deploy."""
    allowed = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"AWS": OTHER_ACCOUNT},
        "Action": ["sagemaker:DescribeModelPackage", "sagemaker:CreateModel"],
        "Resource": f"{ARN}:model-package/{hosting.group}/*",
    }
    hosting.sagemaker("PutModelPackageGroupPolicy", ModelPackageGroupName=hosting.group, ResourcePolicy=document(allowed))
    return hosting.register({"Image": "image"})


@pytest.mark.documented
def test_models_tell_that_they_were_made_and_deleted(hosting: Hosting) -> None:
    """SageMaker Model State Change comes when a model is made and when it is deleted, and tells no environment."""
    arn = hosting.create("m", PrimaryContainer={"Image": "i", "Environment": {"PASSWORD": "secret"}})
    hosting.sagemaker("DeleteModel", ModelName=hosting.named("m"))
    made, deleted = events(hosting, "SageMaker Model State Change", arn)
    assert (made[0].source, made[0].account, made[0].resources) == ("aws.sagemaker", ACCOUNT, [arn])
    assert [detail["Change"] for _, detail in (made, deleted)] == ["Created", "Deleted"]
    assert made[1]["PrimaryContainer"] == {"Mode": "SingleModel", "Image": "i"} and "secret" not in made[0].detail
    assert made[1]["CreationTime"].endswith("Z") and made[1]["ModelArn"] == arn


@pytest.mark.ours
def test_the_owner_of_a_version_hears_of_its_models(hosting: Hosting) -> None:
    """The change feed of a group has who made models of its versions, in whatever account."""
    package = shared_version(hosting)
    arn = hosting.of_package("m", package, STRANGER)
    hosting.sagemaker("DeleteModel", STRANGER, ModelName=hosting.named("m"))
    changes = hosting.call("modelyard", "ListChanges", ModelPackageGroupName=hosting.group)["Changes"]
    used = [orjson.loads(one["Detail"]) for one in changes if one["DetailType"] == "Model Package Use Change"]
    assert [(one["ModelArn"], one["ModelPackageArn"], one["Change"], one["ChangedBy"]) for one in used] == [
        (arn, package, "Created", STRANGER.arn),
        (arn, package, "Deleted", STRANGER.arn),
    ]


@pytest.mark.ours
def test_a_version_is_followed_to_its_models(hosting: Hosting) -> None:
    """GetVersionLineage has the models of both accounts, also after they were deleted."""
    package = shared_version(hosting)
    own, theirs = hosting.of_package("m", package), hosting.of_package("m", package, STRANGER)
    hosting.sagemaker("DeleteModel", ModelName=hosting.named("m"))
    hosting.yard.clock.advance(1)
    again = hosting.of_package("m", package)
    assert again == own
    lineage = hosting.call("modelyard", "GetVersionLineage", ModelPackageArn=package)
    found = sorted((one["SourceUri"], one["Properties"]["ModelStatus"], one["CreatedBy"]) for one in lineage["Models"])
    admin = f"arn:aws:iam::{ACCOUNT}:user/admin"
    assert found == [(own, "Created", admin), (own, "Deleted", admin), (theirs, "Created", STRANGER.arn)]
    assert {one["Direction"] for one in lineage["Models"]} == {"Descendants"}
    versions = hosting.call("modelyard", "ListVersionsBySource", SourceUri="image")["Versions"]
    assert package in [one["ModelPackageArn"] for one in versions]


@pytest.mark.ours
def test_a_model_is_followed_to_what_it_is_made_of(hosting: Hosting) -> None:
    """In its own account a model comes of the version, of images, of model data; what is registered of it comes of the model."""
    package = shared_version(hosting)
    plain = {"Image": hosting.named("plain"), "ModelDataUrl": f"s3://elsewhere/{hosting.number}"}
    arn = hosting.create("m", STRANGER, Containers=[{"ModelPackageName": package}, plain])
    catch_up(hosting.yard.house.storage)
    [artifact] = hosting.sagemaker("ListArtifacts", STRANGER, SourceUri=arn)["ArtifactSummaries"]
    assert artifact["ArtifactType"] == "SageMakerModel"
    sources = hosting.sagemaker("ListAssociations", STRANGER, DestinationArn=artifact["ArtifactArn"])["AssociationSummaries"]
    assert sorted((one["SourceType"], one["AssociationType"]) for one in sources) == [
        ("Image", "ContributedTo"),
        ("Model", "ContributedTo"),
        ("Model", "DerivedFrom"),
    ]
    name = hosting.named("theirs")
    hosting.sagemaker("CreateModelPackageGroup", STRANGER, ModelPackageGroupName=name)
    derived = hosting.sagemaker("CreateModelPackage", STRANGER, ModelPackageGroupName=name, SourceUri=arn)["ModelPackageArn"]
    lineage = hosting.call("modelyard", "GetVersionLineage", STRANGER, ModelPackageArn=derived)
    assert [one["SourceUri"] for one in lineage["Models"]] == [arn] and lineage["Models"][0]["Direction"] == "Ascendants"
    assert package in [one["SourceUri"] for one in lineage["DerivedFrom"]]


@pytest.mark.ours
def test_refusals_of_models_are_in_the_audit_trail(hosting: Hosting) -> None:
    """Who was refused what, with the sentence that they were told; the image and the artifact are asked for as the role."""
    role = hosting.role("poor", document({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}))
    with refused("ValidationException", "Could not access model data"):
        hosting.create("m", PrimaryContainer={"Image": "i", "ModelDataUrl": hosting.uri}, ExecutionRoleArn=role)
    trail = hosting.call("modelyard", "LookupEvents", Operation="CreateModel", Outcome="Failed", MaxResults=1)
    latest = orjson.loads(trail["Events"][0]["Record"])
    assert latest["outcome"] == "ValidationException" and f"No policy of {role}" in latest["message"]
