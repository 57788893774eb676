"""What keeps teams, regions and accounts apart, against callers who try to get round it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, user

from modelyard.access.principal import Principal
from modelyard.aws.errors import AccessDeniedException, AwsError, ValidationException

GROUP = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/Weather"
VERSION = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/weather/1"
CARD = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-card/card"


def allowed(*statements: dict[str, Any]) -> Principal:
    """A user with just these statements, on everything."""
    granted = [{"Effect": "Allow", "Resource": "*", **statement} for statement in statements]
    return user(ACCOUNT, "somebody", json.dumps({"Version": "2012-10-17", "Statement": granted}))


@pytest.fixture
def yard(yard_in_process: Yard) -> Yard:
    """A registry with the group Weather, tagged, and one version in it."""
    tags = [{"Key": "MLProject", "Value": "weather"}]
    yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="Weather", Tags=tags)
    yard_in_process.call("sagemaker", "CreateModelPackage", ModelPackageGroupName="Weather")
    return yard_in_process


def calls_by_arn() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation that takes an ARN, with one of us-east-1."""
    yield "DescribeModelPackageGroup", {"ModelPackageGroupName": GROUP}
    yield "DeleteModelPackageGroup", {"ModelPackageGroupName": GROUP}
    yield "ListModelPackages", {"ModelPackageGroupName": GROUP}
    yield "CreateModelPackage", {"ModelPackageGroupName": GROUP}
    yield "DescribeModelPackage", {"ModelPackageName": VERSION}
    yield "UpdateModelPackage", {"ModelPackageArn": VERSION, "ModelApprovalStatus": "Approved"}
    yield "DeleteModelPackage", {"ModelPackageName": VERSION}
    yield "AddTags", {"ResourceArn": VERSION, "Tags": [{"Key": "a", "Value": "b"}]}
    yield "ListTags", {"ResourceArn": GROUP}
    yield "DeleteTags", {"ResourceArn": GROUP, "TagKeys": ["MLProject"]}
    yield "DescribeModelCard", {"ModelCardName": CARD}
    yield "ListModelCardVersions", {"ModelCardName": CARD}
    yield "DescribeModelCardExportJob", {"ModelCardExportJobArn": f"{CARD}/export-job/job"}


@pytest.mark.ours
@pytest.mark.parametrize(("operation", "request_"), list(calls_by_arn()))
def test_a_request_does_nothing_in_another_region(yard: Yard, operation: str, request_: dict[str, Any]) -> None:
    """An ARN leads out of the account, where policies allow it, but not out of the region that the request was signed for."""
    with pytest.raises(ValidationException, match=r"is not in eu-west-1, the region of this request\.|does not exist\."):
        yard.call("sagemaker", operation, region="eu-west-1", **request_)


@pytest.mark.ours
@pytest.mark.parametrize(("operation", "request_"), list(calls_by_arn()))
def test_a_refusal_tells_other_accounts_nothing(yard: Yard, operation: str, request_: dict[str, Any]) -> None:
    """What is there is refused in the words of what is not there: no spelling, no number of versions."""

    def refusal(name: str) -> str:
        asked = json.loads(json.dumps(request_).replace("Weather", name).replace("weather", name).replace("/card", f"/{name}"))
        with pytest.raises(AccessDeniedException) as caught:
            yard.call("sagemaker", operation, user(OTHER_ACCOUNT), **asked)
        return str(caught.value)

    assert refusal("weather") == refusal("nothing").replace("nothing", "weather")


@pytest.mark.ours
def test_a_batch_stays_in_its_region(yard: Yard) -> None:
    """BatchDescribeModelPackage tells of versions in other regions nothing but that."""
    answer = yard.call("sagemaker", "BatchDescribeModelPackage", region="eu-west-1", ModelPackageArnList=[VERSION])
    assert answer["ModelPackageSummaries"] == {}
    assert answer["BatchDescribeModelPackageErrorMap"][VERSION]["ErrorCode"] == "ValidationException"


@pytest.mark.ours
def test_tagging_a_version_does_not_move_it_into_another_team(yard: Yard) -> None:
    """The tags of the group decide: whoever may tag versions gets no more than that."""
    other_team = allowed(
        {"Action": "sagemaker:DescribeModelPackage", "Condition": {"StringEquals": {"aws:ResourceTag/MLProject": "fraud"}}},
        {"Action": "sagemaker:AddTags"},
    )
    for key in ("MLProject", "mlproject"):
        yard.call("sagemaker", "AddTags", other_team, ResourceArn=VERSION, Tags=[{"Key": key, "Value": "fraud"}])
        with pytest.raises(AccessDeniedException):
            yard.call("sagemaker", "DescribeModelPackage", other_team, ModelPackageName=VERSION)


@pytest.mark.documented
def test_a_role_is_handed_over_only_by_who_may_pass_it(yard: Yard) -> None:
    """The role that validation runs under is passed to SageMaker, which takes iam:PassRole on it."""
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}}
    job = {
        "TransformInput": {"DataSource": source},
        "TransformOutput": {"S3OutputPath": "s3://b/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    role = f"arn:aws:iam::{ACCOUNT}:role/validation"
    profiles = [{"ProfileName": "p", "TransformJobDefinition": job}]
    given = {
        "ModelPackageGroupName": "Weather",
        "SkipModelValidation": "All",
        "ValidationSpecification": {"ValidationRole": role, "ValidationProfiles": profiles},
    }
    registering = {"Action": "sagemaker:CreateModelPackage"}
    to_others = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    for more in ([], [{"Action": "iam:PassRole", "Resource": role + "2"}], [{"Action": "iam:PassRole", "Condition": to_others}]):
        with pytest.raises(AccessDeniedException, match=f"iam:PassRole on resource: {role} "):
            yard.call("sagemaker", "CreateModelPackage", allowed(registering, *more), **given)
    passing = {"Action": "iam:PassRole", "Resource": role}
    assert yard.call("sagemaker", "CreateModelPackage", allowed(registering, passing), **given)
    foreign = json.loads(json.dumps(given).replace(f"iam::{ACCOUNT}", f"iam::{OTHER_ACCOUNT}"))
    with pytest.raises(AccessDeniedException, match="iam:PassRole"):
        yard.call("sagemaker", "CreateModelPackage", **foreign)


@pytest.mark.ours
def test_a_clone_takes_over_no_approval(yard: Yard) -> None:
    """Who may not approve does not get an approved version by cloning one."""
    container = {"Image": "image:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}
    given = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    arn = yard.call(
        "sagemaker",
        "CreateModelPackage",
        ModelPackageGroupName="Weather",
        ModelApprovalStatus="Approved",
        InferenceSpecification=given,
    )["ModelPackageArn"]
    condition = {"Null": {"sagemaker:ModelApprovalStatus": "true"}}
    registrar = allowed({"Action": ["sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"], "Condition": condition})
    clone = yard.call("sagemaker", "CreateModelPackage", registrar, ModelPackageGroupName="Weather", SourceUri=arn)
    described = yard.call("sagemaker", "DescribeModelPackage", registrar, ModelPackageName=clone["ModelPackageArn"])
    assert described["InferenceSpecification"] == given
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    with pytest.raises(AwsError, match="not authorized to perform: sagemaker:DescribeModelPackage"):
        only_create = allowed({"Action": "sagemaker:CreateModelPackage"})
        yard.call("sagemaker", "CreateModelPackage", only_create, ModelPackageGroupName="Weather", SourceUri=arn)
