"""The mission's own boto3 code, as users write it: groups, versions, pipelines of containers, review, policies of one account."""

import json
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = [pytest.mark.slow, both_databases]

REPOSITORY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/model"
SPECIFICATION = {
    "Containers": [{"Image": f"{REPOSITORY}:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


def arns(client: Any, **query: Any) -> list[str]:
    """The packages that a list answers, all pages of it."""
    pages = client.get_paginator("list_model_packages").paginate(**query)
    return [one["ModelPackageArn"] for page in pages for one in page["ModelPackageSummaryList"]]


@pytest.mark.documented
def test_groups_and_versions(yard: RunningYard) -> None:
    """[000]: a group with tags, versions pending approval, lists, descriptions, tags on a version, an unversioned package."""
    client = yard.client("sagemaker")
    tags = [{"Key": "MLProject", "Value": "weather"}]
    group = client.create_model_package_group(
        ModelPackageGroupName="Weather-Rain", ModelPackageGroupDescription="Rain tomorrow", Tags=tags
    )["ModelPackageGroupArn"]
    registered = [
        client.create_model_package(
            ModelPackageGroupName="Weather-Rain",
            ModelPackageDescription=f"try {number}",
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification=SPECIFICATION,
        )["ModelPackageArn"]
        for number in (1, 2)
    ]
    assert registered == [f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/weather-rain/{number}" for number in (1, 2)]
    assert arns(client, ModelPackageGroupName="Weather-Rain") == registered
    assert client.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupName"] == "Weather-Rain"
    listed = client.list_model_package_groups(NameContains="Weather-Rain")["ModelPackageGroupSummaryList"]
    assert [one["ModelPackageGroupArn"] for one in listed] == [group]
    assert client.list_tags(ResourceArn=group)["Tags"] == tags
    client.add_tags(ResourceArn=registered[0], Tags=[{"Key": "ArtifactVersion", "Value": "v1"}])
    assert client.list_tags(ResourceArn=registered[0])["Tags"] == [{"Key": "ArtifactVersion", "Value": "v1"}]
    solo = client.create_model_package(ModelPackageName="weather-solo", InferenceSpecification=SPECIFICATION)["ModelPackageArn"]
    assert solo in arns(client) and not set(registered) & set(arns(client))


@pytest.mark.documented
@pytest.mark.parametrize("containers", [1, 2, 15])
def test_inference_pipelines(yard: RunningYard, containers: int) -> None:
    """[001]: one and 2 to 15 containers in a row, each with its image, data and environment; sixteen are refused."""
    client = yard.client("sagemaker")
    group = f"pipeline-{containers}"
    client.create_model_package_group(ModelPackageGroupName=group)
    stages = [
        {"Image": f"{REPOSITORY}:{number}", "ModelDataUrl": f"s3://bucket/{number}.tar.gz", "Environment": {"STAGE": str(number)}}
        for number in range(containers)
    ]
    arn = client.create_model_package(ModelPackageGroupName=group, InferenceSpecification={"Containers": stages})[
        "ModelPackageArn"
    ]
    assert client.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]["Containers"] == stages
    with pytest.raises(ClientError) as caught:
        client.create_model_package(ModelPackageGroupName=group, InferenceSpecification={"Containers": stages[:1] * 16})
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "Member must have length less than or equal to 15" in caught.value.response["Error"]["Message"]


@pytest.mark.documented
def test_group_policy(yard: RunningYard) -> None:
    """[001]: the policy that lets another account register, which then works by the group's ARN and is refused without it."""
    client, other = yard.client("sagemaker"), yard.client("sagemaker", "444455556666")
    group = client.create_model_package_group(ModelPackageGroupName="Shared")["ModelPackageGroupArn"]
    with pytest.raises(ClientError) as caught:
        other.create_model_package(ModelPackageGroupName=group, InferenceSpecification=SPECIFICATION)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    statement = {
        "Sid": "AddPermModelPackageVersion",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::444455556666:root"},
        "Action": ["sagemaker:CreateModelPackage"],
        "Resource": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/Shared/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client.put_model_package_group_policy(ModelPackageGroupName="Shared", ResourcePolicy=policy)
    assert client.get_model_package_group_policy(ModelPackageGroupName="Shared")["ResourcePolicy"] == policy
    arn = other.create_model_package(ModelPackageGroupName=group, InferenceSpecification=SPECIFICATION)["ModelPackageArn"]
    assert arn == f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/shared/1"
    assert client.describe_model_package(ModelPackageName=arn)["CreatedBy"]["IamIdentity"]["Arn"].startswith("arn:aws:iam::4444")


@pytest.mark.seen
def test_search_and_review(yard: RunningYard) -> None:
    """[004]: look for the group, make it when there is none, register with metrics, approve one, reject one, find the latest."""
    client = yard.client("sagemaker")
    query = {"Filters": [{"Name": "ModelPackageGroupName", "Operator": "Equals", "Value": "rc-fraud"}]}
    assert client.search(Resource="ModelPackageGroup", SearchExpression=query)["Results"] == []
    client.create_model_package_group(ModelPackageGroupName="rc-fraud")
    assert len(client.search(Resource="ModelPackageGroup", SearchExpression=query)["Results"]) == 1
    yard.client("s3").create_bucket(Bucket="rc-fraud-metrics")
    registered = []
    for number, accuracy in enumerate((0.91, 0.85, 0.95)):
        key = f"{number}.json"
        yard.client("s3").put_object(Bucket="rc-fraud-metrics", Key=key, Body=json.dumps({"accuracy": accuracy}))
        statistics = {"ContentType": "application/json", "S3Uri": f"s3://rc-fraud-metrics/{key}"}
        registered.append(
            client.create_model_package(
                ModelPackageGroupName="rc-fraud",
                CertifyForMarketplace=False,
                SkipModelValidation="None",
                InferenceSpecification=SPECIFICATION,
                ModelMetrics={"ModelQuality": {"Statistics": statistics}, "Bias": {}, "Explainability": {}},
            )["ModelPackageArn"]
        )
    client.update_model_package(
        ModelPackageArn=registered[1], ModelApprovalStatus="Rejected", ApprovalDescription="Performance below threshold"
    )
    for arn in (registered[0], registered[2]):
        client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    latest = {"ModelApprovalStatus": "Approved", "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 1}
    newest = client.list_model_packages(ModelPackageGroupName="rc-fraud", **latest)["ModelPackageSummaryList"]
    assert [one["ModelPackageArn"] for one in newest] == [registered[2]]
    assert client.describe_model_package(ModelPackageName=registered[1])["ApprovalDescription"] == "Performance below threshold"
    good = {"Filters": [{"Name": "Metrics.accuracy", "Operator": "GreaterThanOrEqualTo", "Value": "0.9"}, query["Filters"][0]]}
    found = client.search(Resource="ModelPackage", SearchExpression=good, SortBy="Metrics.accuracy", SortOrder="Descending")[
        "Results"
    ]
    assert [one["ModelPackage"]["ModelPackageArn"] for one in found] == [registered[2], registered[0]]


def register_many(endpoint: str, keys: tuple[str, str], count: int) -> list[int]:
    """Register from four threads of a process of its own; the numbers that were given."""
    import boto3

    client = boto3.client(
        "sagemaker", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=keys[0], aws_secret_access_key=keys[1]
    )

    def one(_: int) -> int:
        answer = client.create_model_package(ModelPackageGroupName="crowd", InferenceSpecification=SPECIFICATION)
        return int(answer["ModelPackageArn"].rpartition("/")[2])

    with ThreadPoolExecutor(16) as threads:
        return list(threads.map(one, range(count)))


@pytest.mark.ours
def test_64_register_at_once(yard: RunningYard) -> None:
    """Four processes with sixteen threads each register into one group: the numbers are 1 to 400, each given once."""
    client = yard.client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName="crowd")
    keys = (yard.admin().access_key_id, yard.admin().secret_access_key)
    with get_context("spawn").Pool(4) as processes:
        given = processes.starmap(register_many, [(yard.endpoint, keys, 100)] * 4)
    assert sorted(number for numbers in given for number in numbers) == list(range(1, 401))
    assert len(arns(client, ModelPackageGroupName="crowd", MaxResults=100)) == 400
