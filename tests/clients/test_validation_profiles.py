"""Validation profiles through boto3: a version is in progress until a transform job of its model has passed."""

import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.endpoints import IMAGE, eventually, packed, program
from tests.running import RunningYard, both_databases
from tests.transforms import SUM, Transforming

pytestmark = [pytest.mark.slow]


class Validating(Transforming):
    """Somebody who registers versions that are validated."""

    def register(self, group: str, uri: str, serve: str, **more: Any) -> str:
        """A version of a program, validated with what is at an address; its ARN."""
        definition = {
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            "TransformOutput": {"S3OutputPath": f"s3://{self.bucket}/out-{group}"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }
        container = {"Image": IMAGE, "ModelDataUrl": self.upload(group, packed(serve=program(serve)))}
        validation = {
            "ValidationRole": self.execution,
            "ValidationProfiles": [{"ProfileName": "smoke", "TransformJobDefinition": definition}],
        }
        arn: str = self.sagemaker.create_model_package(
            **(more or {"ModelPackageGroupName": self.named(group)}),
            InferenceSpecification={"Containers": [container], "SupportedContentTypes": ["text/csv"]},
            ValidationSpecification=validation,
        )["ModelPackageArn"]
        return arn

    def group(self, name: str) -> str:
        """A group; its name as `register` takes it."""
        self.sagemaker.create_model_package_group(ModelPackageGroupName=self.named(name))
        return name

    def package(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_model_package(ModelPackageName=arn)
        return found

    def validated(self, arn: str) -> dict[str, Any]:
        """The version, once its validation is over."""
        return dict(eventually(lambda: (found := self.package(arn))["ModelPackageStatus"] != "InProgress" and found, 60))


@pytest.fixture
def validating(yard: RunningYard, request: pytest.FixtureRequest) -> Validating:
    """Somebody who has versions validated, with names of the test's own."""
    return Validating(yard, f"t{zlib.crc32(request.node.name.encode()):x}")


@both_databases
@pytest.mark.documented
def test_a_version_that_passes(validating: Validating):
    """It is in progress, cannot be deployed though it is approved, and is Completed when its transform job is; the model that
    was made for it is gone, the job and its output are there."""
    uri = validating.put("in/a.csv", b"1,2\n3,4\n")
    arn = validating.register(validating.group("passes"), uri, SUM)
    shown = validating.package(arn)
    assert shown["ModelPackageStatus"] == "InProgress"
    assert shown["ModelPackageStatusDetails"]["ValidationStatuses"][0]["Name"] == "smoke"
    validating.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    container = {"ModelPackageName": arn}
    with pytest.raises(ClientError, match="has the ModelPackageStatus InProgress"):
        validating.sagemaker.create_model(ModelName=validating.named("early"), PrimaryContainer=container)
    shown = validating.validated(arn)
    assert shown["ModelPackageStatus"] == "Completed"
    assert shown["ModelPackageStatusDetails"]["ValidationStatuses"] == [{"Name": "smoke", "Status": "Completed"}]
    assert shown["ModelApprovalStatus"] == "Approved"
    assert validating.outputs("out-passes/") == {"a.csv.out": "3.0\n7.0"}
    validating.sagemaker.create_model(ModelName=validating.named("late"), PrimaryContainer=container)
    names = [one["ModelName"] for one in validating.sagemaker.list_models(NameContains="package-validation")["Models"]]
    assert not [name for name in names if validating.job(name)["TransformOutput"]["S3OutputPath"].endswith("out-passes")]


@pytest.mark.documented
def test_a_version_that_fails(validating: Validating):
    """A version whose model refuses what it is validated with has failed, with the reason, and is never deployed."""
    arn = validating.register(validating.group("fails"), validating.put("in/a.csv", b"bad\n"), SUM)
    shown = validating.validated(arn)
    assert shown["ModelPackageStatus"] == "Failed"
    [said] = shown["ModelPackageStatusDetails"]["ValidationStatuses"]
    assert (said["Name"], said["Status"]) == ("smoke", "Failed")
    assert 'the container primary answered 400: "what is bad?"' in said["FailureReason"]
    validating.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    with pytest.raises(ClientError, match="has the ModelPackageStatus Failed"):
        validating.sagemaker.create_model(ModelName=validating.named("m"), PrimaryContainer={"ModelPackageName": arn})
    found = validating.sagemaker.list_model_packages(ModelPackageGroupName=validating.named("fails"))["ModelPackageSummaryList"]
    assert [one["ModelPackageStatus"] for one in found] == ["Failed"]


@pytest.mark.documented
def test_unversioned_packages_are_validated_too(validating: Validating):
    """A package of no group is validated as versions are; what cannot even begin has failed with what is wrong."""
    arn = validating.register("alone", f"s3://{validating.bucket}/none/", SUM, ModelPackageName=validating.named("alone"))
    [said] = validating.validated(arn)["ModelPackageStatusDetails"]["ValidationStatuses"]
    assert "No S3 objects found" in said["FailureReason"]


@pytest.mark.ours
def test_a_version_that_is_deleted_while_it_is_validated(validating: Validating):
    """It goes at once; its transform job is stopped, and no model stays."""
    slow = "def invoke(body, headers):\n    time.sleep(600)\n    return 200, body, {}\n"
    uri = validating.put("in/a.csv", b"1\n")
    arn = validating.register(validating.group("goes"), uri, slow)

    def job() -> dict[str, Any] | None:
        jobs = validating.sagemaker.list_transform_jobs(NameContains="package-validation")["TransformJobSummaries"]
        described = [validating.job(one["TransformJobName"]) for one in jobs]
        own = [one for one in described if one["TransformOutput"]["S3OutputPath"].endswith(f"{validating.bucket}/out-goes")]
        return own[0] if own else None

    eventually(job)
    validating.sagemaker.delete_model_package(ModelPackageName=arn)
    with pytest.raises(ClientError, match=r"does not exist\."):
        validating.package(arn)
    eventually(lambda: (found := job()) and found["TransformJobStatus"] == "Stopped", 60)
