"""The weather team with boto3: it sees, lists, finds and registers into groups tagged MLProject=weather, and no others."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.running import ACCOUNT, Credentials, RunningYard, both_databases

pytestmark = [pytest.mark.slow, pytest.mark.ours]

GROUP = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group"
BY_KEYS = ("aws:ResourceTag/MLProject", "sagemaker:ResourceTag/MLProject")
"""What policies call the tag: AWS's key for all services, and SageMaker's own."""


def tagged(value: str) -> list[dict[str, str]]:
    """The tag, as requests have it."""
    return [{"Key": "MLProject", "Value": value}]


def team_policy(key: str) -> dict[str, Any]:
    """What the team may do, its groups told by `key`."""
    own = {"StringEquals": {key: "weather"}}
    work = ["Describe*", "List*", "Search", "CreateModelPackage", "UpdateModelPackage"]
    made = {"aws:RequestTag/MLProject": "weather"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": [f"sagemaker:{name}" for name in work], "Resource": "*", "Condition": own},
            {
                "Effect": "Allow",
                "Action": "sagemaker:CreateModelPackageGroup",
                "Resource": "*",
                "Condition": {"StringEquals": made},
            },
            {
                "Effect": "Allow",
                "Action": "sagemaker:AddTags",
                "Resource": "*",
                "Condition": {"StringEquals": {**made, "sagemaker:TaggingAction": "CreateModelPackageGroup"}},
            },
        ],
    }


def refused(work: Any, **request: Any) -> None:
    """A call has to be refused for want of permission."""
    with pytest.raises(ClientError) as told:
        work(**request)
    assert told.value.response["Error"]["Code"] == "AccessDeniedException", told.value


@both_databases
@pytest.mark.parametrize("key", BY_KEYS)
def test_a_team_has_its_tagged_groups(yard: RunningYard, key: str) -> None:
    """Through paginators too; the tag that decides is not the team's to give or take."""
    suffix = "aws" if key.startswith("aws") else "own"
    admin, iam = yard.client("sagemaker"), yard.client("iam")
    name = f"tags-{suffix}"
    for team in ("weather", "fraud"):
        for number in range(3):
            admin.create_model_package_group(ModelPackageGroupName=f"{name}-{team}-{number}", Tags=tagged(team))
            admin.create_model_package(ModelPackageGroupName=f"{name}-{team}-{number}")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="team", PolicyDocument=json.dumps(team_policy(key)))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    team_client = yard.client("sagemaker", credentials=Credentials(made["AccessKeyId"], made["SecretAccessKey"]))
    mine, theirs = [f"{name}-weather-{number}" for number in range(3)], f"{name}-fraud-0"

    pages = team_client.get_paginator("list_model_package_groups").paginate(NameContains=name, PaginationConfig={"PageSize": 2})
    assert [one["ModelPackageGroupName"] for page in pages for one in page["ModelPackageGroupSummaryList"]] == mine
    pages = team_client.get_paginator("list_model_packages").paginate(ModelPackageType="Versioned", NameContains=name)
    listed = [one["ModelPackageGroupName"] for page in pages for one in page["ModelPackageSummaryList"]]
    assert listed == mine
    contains = {"Filters": [{"Name": "ModelPackageGroupName", "Operator": "Contains", "Value": name}]}
    for kind in ("ModelPackageGroup", "ModelPackage"):
        pages = team_client.get_paginator("search").paginate(Resource=kind, SearchExpression=contains, SortOrder="Ascending")
        assert [one[kind]["ModelPackageGroupName"] for page in pages for one in page["Results"]] == mine

    arn = team_client.create_model_package(ModelPackageGroupName=mine[0])["ModelPackageArn"]
    team_client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    assert team_client.list_tags(ResourceArn=f"{GROUP}/{mine[0]}")["Tags"] == tagged("weather")
    refused(team_client.list_tags, ResourceArn=f"{GROUP}/{theirs}")
    refused(team_client.describe_model_package_group, ModelPackageGroupName=theirs)
    refused(team_client.list_model_packages, ModelPackageGroupName=theirs)
    refused(team_client.create_model_package, ModelPackageGroupName=theirs)
    refused(team_client.describe_model_package, ModelPackageName=arn.replace("weather", "fraud"))

    team_client.create_model_package_group(ModelPackageGroupName=f"{name}-weather-3", Tags=tagged("weather"))
    refused(team_client.create_model_package_group, ModelPackageGroupName=f"{name}-free")
    refused(team_client.create_model_package_group, ModelPackageGroupName=f"{name}-free", Tags=tagged("fraud"))
    refused(team_client.add_tags, ResourceArn=f"{GROUP}/{theirs}", Tags=tagged("weather"))
    refused(team_client.add_tags, ResourceArn=f"{GROUP}/{mine[0]}", Tags=tagged("fraud"))
    refused(team_client.delete_tags, ResourceArn=f"{GROUP}/{mine[0]}", TagKeys=["MLProject"])

    admin.add_tags(ResourceArn=f"{GROUP}/{theirs}", Tags=tagged("weather"))
    found = team_client.list_model_package_groups(NameContains=name)["ModelPackageGroupSummaryList"]
    assert theirs in [one["ModelPackageGroupName"] for one in found]
