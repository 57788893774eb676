"""SimulatePrincipalPolicy decides as real requests are decided."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.unit.identity.town import ACCOUNT, Town, allow, document

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
BUCKET = "arn:aws:s3:::bucket"


def simulate(town: Town, *actions: str, source: str = ANN, **more: Any) -> list[dict[str, Any]]:
    return town.admin.simulate_principal_policy(PolicySourceArn=source, ActionNames=list(actions), **more)["EvaluationResults"]


def decisions(town: Town, *actions: str, **more: Any) -> list[str]:
    return [result["EvalDecision"] for result in simulate(town, *actions, **more)]


@pytest.mark.documented
def test_decisions_and_their_statements(town: Town) -> None:
    """Each action on each resource is allowed, denied explicitly or by default, by the policies that are named."""
    town.user("ann", allow("s3:GetObject", on=f"{BUCKET}/*"), {"Effect": "Deny", "Action": "iam:*", "Resource": "*"})
    town.admin.attach_user_policy(UserName="ann", PolicyArn=READ_ONLY)
    resources = [f"{BUCKET}/key", "arn:aws:s3:::other/key"]
    results = simulate(town, "s3:PutObject", "iam:GetUser", "s3:GetObject", ResourceArns=resources)
    assert [(result["EvalActionName"], result["EvalResourceName"]) for result in results] == [
        (action, resource) for action in ("s3:PutObject", "iam:GetUser", "s3:GetObject") for resource in resources
    ]
    assert [result["EvalDecision"] for result in results] == ["implicitDeny"] * 2 + ["explicitDeny"] * 2 + ["allowed"] * 2
    assert results[0]["MatchedStatements"] == []
    assert results[2]["MatchedStatements"] == [{"SourcePolicyId": "user_ann_inline", "SourcePolicyType": "user"}]
    assert {each["SourcePolicyType"] for each in results[5]["MatchedStatements"]} == {"aws-managed"}


@pytest.mark.documented
def test_what_the_sagemaker_sdk_asks(town: Town) -> None:
    """The execution role is allowed what the SDK's version 3 checks of a role."""
    role = town.administrators[ACCOUNT].role_arn
    actions = [
        "sagemaker:CreateModelPackage",
        "s3:GetObject",
        "ecr:BatchGetImage",
        "logs:PutLogEvents",
        "cloudwatch:PutMetricData",
    ]
    assert decisions(town, *actions, source=role) == ["allowed"] * 5
    assert decisions(town, "iam:PassRole", source=role, ResourceArns=[role]) == ["allowed"]
    assert decisions(town, "iam:CreateUser", source=role) == ["implicitDeny"]


@pytest.mark.documented
def test_context_entries(town: Town) -> None:
    """Conditions see what the entries say, and nothing of the request that asks."""
    conditions = {
        "StringEquals": {
            "aws:ResourceTag/team": "a",
            "aws:PrincipalTag/stage": "prod",
            "sagemaker:ModelApprovalStatus": "Approved",
        },
        "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
    }
    town.user("ann", allow("sagemaker:UpdateModelPackage", Condition=conditions))
    entries = [
        {"ContextKeyName": name, "ContextKeyType": "string", "ContextKeyValues": [value]}
        for name, value in {
            "aws:ResourceTag/team": "a",
            "aws:PrincipalTag/stage": "prod",
            "sagemaker:ModelApprovalStatus": "Approved",
            "aws:SourceIp": "10.1.2.3",
        }.items()
    ]
    action = "sagemaker:UpdateModelPackage"
    assert decisions(town, action, ContextEntries=entries) == ["allowed"]
    for index in range(len(entries)):
        assert decisions(town, action, ContextEntries=entries[:index] + entries[index + 1 :]) == ["implicitDeny"]


@pytest.mark.documented
def test_policies_of_the_request(town: Town) -> None:
    """Further policies, another boundary and a resource policy can be tried out before they are put."""
    town.user("ann")
    grant = document(allow("s3:*"))
    result = simulate(town, "s3:GetObject", PolicyInputList=[grant])[0]
    assert result["EvalDecision"] == "allowed" and result["MatchedStatements"][0]["SourcePolicyId"] == "PolicyInputList.1"
    bounded = simulate(
        town, "s3:PutObject", PolicyInputList=[grant], PermissionsBoundaryPolicyInputList=[document(allow("s3:Get*"))]
    )[0]
    assert bounded["EvalDecision"] == "implicitDeny"
    assert bounded["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    owned = document({"Effect": "Allow", "Principal": {"AWS": ANN}, "Action": "s3:*", "Resource": f"{BUCKET}/*"})
    result = simulate(town, "s3:GetObject", ResourcePolicy=owned, ResourceArns=[f"{BUCKET}/k"], CallerArn=ANN)[0]
    assert result["EvalDecision"] == "allowed" and result["MatchedStatements"][0]["SourcePolicyType"] == "resource"
    foreign = f"arn:aws:iam::{'9' * 12}:root"
    request = {"ResourcePolicy": owned, "ResourceArns": [f"{BUCKET}/k"], "CallerArn": ANN, "ResourceOwner": foreign}
    assert decisions(town, "s3:GetObject", **request) == ["implicitDeny"]
    assert decisions(town, "s3:GetObject", **request, PolicyInputList=[grant]) == ["allowed"]


@pytest.mark.documented
def test_pages(town: Town) -> None:
    """Results come in pages that neither skip nor repeat."""
    town.user("ann")
    actions = [f"s3:Action{number}" for number in range(7)]
    paginator = town.admin.get_paginator("simulate_principal_policy")
    pages = list(paginator.paginate(PolicySourceArn=ANN, ActionNames=actions, PaginationConfig={"PageSize": 3}))
    assert [len(page["EvaluationResults"]) for page in pages] == [3, 3, 1]
    assert [result["EvalActionName"] for page in pages for result in page["EvaluationResults"]] == actions


@pytest.mark.documented
@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"PolicySourceArn": ANN[:-1]}, "NoSuchEntity"),
        ({"PolicySourceArn": "arn:aws:iam::444455556666:user/administrator"}, "NoSuchEntity"),
        ({"ActionNames": ["nothing"]}, "InvalidInput"),
        ({"ActionNames": ["s3:x"] * 200, "ResourceArns": ["*"] * 200}, "InvalidInput"),
        ({"PolicyInputList": ["{"]}, "MalformedPolicyDocument"),
        ({"PermissionsBoundaryPolicyInputList": ["{"]}, "MalformedPolicyDocument"),
        ({"ResourcePolicy": "{"}, "MalformedPolicyDocument"),
    ],
)
def test_refused(town: Town, more: dict[str, Any], code: str) -> None:
    """Sources of nobody or of another account, actions that are none, broken policies and huge questions are refused."""
    town.user("ann")
    with pytest.raises(ClientError) as caught:
        town.admin.simulate_principal_policy(**{"PolicySourceArn": ANN, "ActionNames": ["s3:GetObject"], **more})
    assert caught.value.response["Error"]["Code"] == code
