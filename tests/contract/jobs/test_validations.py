"""Validations of packages as rows: begun, noted, and over, also when a server ended in between."""

import json
from typing import Any

import pytest
from tests.contract.endpoints.hosting import ARN, Hosting, refused
from tests.contract.jobs.test_transform_jobs import request

from modelyard.endpoints import store as models
from modelyard.endpoints.model import Name
from modelyard.jobs import store
from modelyard.jobs.transform_job import JobName, Status
from modelyard.registry.operations import validations


def register(hosting: Hosting, role: str, approval: str = "Approved", **more: Any) -> str:
    """A version with a validation profile; its ARN."""
    job = {
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{hosting.bucket}/in/"}}},
        "TransformOutput": {"S3OutputPath": f"s3://{hosting.bucket}/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    }
    profiles = [{"ProfileName": "smoke", "TransformJobDefinition": job}]
    return hosting.register(approval=approval, ValidationSpecification={"ValidationRole": role, "ValidationProfiles": profiles})


def look(hosting: Hosting) -> None:
    validations.look(hosting.yard.house.dispatcher)


def shown(hosting: Hosting, arn: str) -> tuple[str, dict[str, Any]]:
    found = hosting.sagemaker("DescribeModelPackage", ModelPackageName=arn)
    [said] = found["ModelPackageStatusDetails"]["ValidationStatuses"]
    return found["ModelPackageStatus"], said


def row(hosting: Hosting, arn: str) -> tuple[str, str] | None:
    with hosting.yard.house.storage.read() as tx:
        found = tx.one("SELECT name, state FROM package_validation WHERE arn = :arn", {"arn": arn})
    return None if found is None else (found[0], found[1])


def rows(hosting: Hosting, sql: str) -> list[Any]:
    """What there is of the versions of this test."""
    with hosting.yard.house.storage.read() as tx:
        return list(tx.all(sql, {"group": f"%/{hosting.group.lower()}/%"}))


def end(hosting: Hosting, name: str, status: Status, reason: str | None = None) -> None:
    """End a job as the server that runs it does."""

    def act(tx: Any) -> None:
        job = store.job(tx, JobName(ARN.split(":")[4], "us-east-1", name))
        assert job is not None
        store.take(tx, job.id, "server", 1.0, 2.0)
        assert store.end(tx, job.id, "server", status, reason, 3.0)

    hosting.yard.house.storage.write(act)


@pytest.mark.documented
def test_a_validation_goes_its_way(hosting: Hosting) -> None:
    """Not started, in progress, Completed: each is an event. The job runs the registered bytes under the role, without a name
    of the customer's, and the model goes with the end."""
    role = hosting.role("validates")
    arn = register(hosting, role, Environment={"A": "b"})
    assert shown(hosting, arn) == ("InProgress", {"Name": "smoke", "Status": "NotStarted"})
    hosting.put("model.tar.gz", b"other bytes than those that were registered")
    look(hosting)
    assert shown(hosting, arn) == ("InProgress", {"Name": "smoke", "Status": "InProgress"})
    name, _ = row(hosting, arn) or ("", "")
    described = hosting.sagemaker("DescribeModel", ModelName=name)
    assert described["ExecutionRoleArn"] == role
    assert described["PrimaryContainer"] == {"ModelPackageName": arn}
    with hosting.yard.house.storage.read() as tx:
        job = store.job(tx, JobName(ARN.split(":")[4], "us-east-1", name))
    assert job is not None
    container = job.plan["Hosted"]["containers"][0]
    assert [one["Size"] for artifact in container["artifacts"] for one in artifact["objects"]] == [len(hosting.weights)]
    assert container["definition"]["Environment"]["A"] == "b"
    look(hosting)
    assert shown(hosting, arn)[1]["Status"] == "InProgress"
    end(hosting, name, Status.COMPLETED)
    look(hosting)
    assert shown(hosting, arn) == ("Completed", {"Name": "smoke", "Status": "Completed"})
    with refused("ValidationException", "Could not find model"):
        hosting.sagemaker("DescribeModel", ModelName=name)
    assert row(hosting, arn) is None
    with hosting.yard.house.storage.read() as tx:
        told = tx.all(
            "SELECT detail FROM event WHERE detail LIKE :arn AND detail_type LIKE '%Package State%' ORDER BY place",
            {"arn": f'%"{arn}"%'},
        )
    statuses = [
        (one["ModelPackageStatus"], one["ModelPackageStatusDetails"]["ValidationStatuses"][0]["Status"])
        for one in (json.loads(each[0]) for each in told)
    ]
    assert statuses == [("InProgress", "NotStarted"), ("InProgress", "InProgress"), ("Completed", "Completed")]


@pytest.mark.ours
@pytest.mark.parametrize("approval", ["Approved", "PendingManualApproval"])
def test_nobody_else_runs_what_is_validated(hosting: Hosting, approval: str) -> None:
    """The model of a validation is of a version that is not Completed and may never be approved: while it is there, no endpoint
    serves it and no other job runs it, whatever its name is written like and whoever asks."""
    register(hosting, hosting.role("validates"), approval, Environment={"A": "b"})
    look(hosting)
    [name] = [row[0] for row in rows(hosting, "SELECT name FROM package_validation WHERE arn LIKE :group")]
    words = "is there for the validation of its model package.*nothing but the transform job of that validation can run it"
    variant = {"VariantName": "v", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    for written in (name, name.upper()):
        config: dict[str, Any] = {"ProductionVariants": [{**variant, "ModelName": written}]}
        with refused("ValidationException", words):
            hosting.sagemaker("CreateEndpointConfig", EndpointConfigName=hosting.named("c"), **config)
        with refused("ValidationException", words):
            hosting.sagemaker("CreateTransformJob", **{**request(hosting, "other", "any"), "ModelName": written})
        # One that was made by a server that did not know better.
        at = Name(ARN.split(":")[4], "us-east-1", "endpoint-config", hosting.named(written))
        document = {"EndpointConfigName": at.name, "EndpointConfigArn": at.arn, "CreationTime": 1.0, **config}
        hosting.yard.house.storage.write(lambda tx, at=at, document=document: models.add_config(tx, at, document))  # type: ignore[misc]
        with refused("ValidationException", words):
            hosting.sagemaker("CreateEndpoint", EndpointName=hosting.named("e"), EndpointConfigName=at.name)
        hosting.sagemaker("DeleteEndpointConfig", EndpointConfigName=at.name)


@pytest.mark.ours
def test_nobody_else_takes_names_of_validations(hosting: Hosting) -> None:
    """A customer's model or job in the place of those of a validation would decide about the version, so there is none."""
    for name in ("package-validation-mine", "Package-Validation-Mine"):
        with refused("ValidationException", f'^A model cannot be called "{name}"'):
            hosting.sagemaker("CreateModel", ModelName=name, PrimaryContainer={"Image": "image"})
        with refused("ValidationException", f'^A transform job cannot be called "{name}"'):
            hosting.sagemaker("CreateTransformJob", **{**request(hosting, "j", "any"), "TransformJobName": name})


@pytest.mark.ours
def test_what_a_server_had_not_noted_is_noted_by_the_next(hosting: Hosting) -> None:
    """A server that ended after it made the model and the job, and before it said so, costs nothing: there is one of each."""
    arn = register(hosting, hosting.role("validates"))
    look(hosting)
    hosting.yard.house.storage.write(
        lambda tx: tx.execute("UPDATE package_validation SET state = 'NotStarted' WHERE arn = :arn", {"arn": arn})
    )
    look(hosting)
    name, state = row(hosting, arn) or ("", "")
    assert state == "InProgress"
    end(hosting, name, Status.FAILED, "AlgorithmError: boom")
    hosting.sagemaker("DeleteModel", ModelName=name)
    look(hosting)
    assert shown(hosting, arn) == ("Failed", {"Name": "smoke", "Status": "Failed", "FailureReason": "AlgorithmError: boom"})


@pytest.mark.documented
def test_a_validation_that_cannot_begin_has_failed(hosting: Hosting) -> None:
    """A role that SageMaker may not assume, and a job that is not to be had, fail the version with what is wrong."""
    stranger = f"arn:aws:iam::{ARN.split(':')[4]}:role/nobody-{hosting.number}"
    refusing = register(
        hosting,
        hosting.role("validates"),
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}},
            "SplitType": "TFRecord",
        },
    )
    nobody = register(hosting, stranger)
    look(hosting)
    for arn, words in ((nobody, "cannot be assumed|could not assume|not assume"), (refusing, "TFRecord is not available")):
        status, said = shown(hosting, arn)
        assert (status, said["Status"]) == ("Failed", "Failed")
        assert any(word in said["FailureReason"] for word in words.split("|")), said
    with refused("ValidationException", "has the ModelPackageStatus Failed"):
        hosting.of_package("m", nobody)


@pytest.mark.ours
def test_a_version_that_goes_takes_its_validation_along(hosting: Hosting) -> None:
    """Deleting a version that is validated stops the job; no model and no row stay."""
    arn = register(hosting, hosting.role("validates"))
    look(hosting)
    name, _ = row(hosting, arn) or ("", "")
    hosting.sagemaker("DeleteModelPackage", ModelPackageName=arn)
    look(hosting)
    assert hosting.sagemaker("DescribeTransformJob", TransformJobName=name)["TransformJobStatus"] == "Stopping"
    with refused("ValidationException", "Could not find model"):
        hosting.sagemaker("DescribeModel", ModelName=name)
    assert row(hosting, arn) is None
