"""ExplainAccess: the decision, its reason, and the statements that made it."""

import json
from typing import Any

import pytest
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, user

from modelyard.aws.errors import AccessDeniedException, AwsError, ResourceNotFound

pytestmark = pytest.mark.ours

BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
GROUP = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/fraud"
VERSION = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/fraud/1"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def bob(yard: Yard, *statements: dict[str, Any]) -> None:
    yard.call("iam", "CreateUser", UserName="bob")
    if statements:
        yard.call("iam", "PutUserPolicy", UserName="bob", PolicyName="own", PolicyDocument=policy(*statements))


def explain(yard: Yard, action: str, resource: str, principal: str = BOB, **keys: str) -> Any:
    given = [{"Name": name.replace("_", ":", 1), "Values": [value]} for name, value in keys.items()]
    return yard.call("modelyard", "ExplainAccess", PrincipalArn=principal, Action=action, ResourceArn=resource, ContextKeys=given)


def test_a_grant_names_the_statement_that_grants(yard_in_process: Yard) -> None:
    """Policy, place, Sid and text of the statement."""
    bob(yard_in_process, allow("s3:*"), allow("sagemaker:Describe*", Sid="describing"))
    yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="fraud")
    told = explain(yard_in_process, "sagemaker:DescribeModelPackageGroup", GROUP)
    assert (told["Allowed"], told["Decision"], told["ResourceFound"]) == (True, "allowed", True)
    (statement,) = told["Statements"]
    assert (statement["PolicyType"], statement["PolicyName"], statement["Index"], statement["Sid"], statement["Effect"]) == (
        "identity",
        "own",
        1,
        "describing",
        "Allow",
    )
    assert json.loads(statement["Statement"]) == allow("sagemaker:Describe*", Sid="describing")


def test_a_refusal_says_which_policy_of_which_account_lacks_what(yard_in_process: Yard) -> None:
    """Nothing allows: the policies of the user are missing something. An explicit deny is a statement."""
    bob(yard_in_process, {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*", "Sid": "never"})
    told = explain(yard_in_process, "s3:GetObject", "arn:aws:s3:::bucket/key")
    assert (told["Allowed"], told["Decision"]) == (False, "implicitDeny")
    assert (told["Missing"]["Account"], told["Missing"]["PolicyType"], told["Missing"]["AttachedTo"]) == (
        ACCOUNT,
        "identity",
        BOB,
    )
    denied = explain(yard_in_process, "s3:DeleteObject", "arn:aws:s3:::bucket/key")
    assert (denied["Decision"], denied["Statements"][0]["Sid"]) == ("explicitDeny", "never")
    assert "Missing" not in denied


def test_policies_and_tags_of_the_resource_count(yard_in_process: Yard) -> None:
    """A bucket's policy grants; a version that is yet to be registered stands under the tags of its group."""
    yard = yard_in_process
    bob(yard, allow("sagemaker:CreateModelPackage", Condition={"StringEquals": {"aws:ResourceTag/team": "risk"}}))
    yard.call("s3", "CreateBucket", Bucket="bucket")
    granted = {**allow("s3:GetObject", "arn:aws:s3:::bucket/*"), "Principal": {"AWS": BOB}}
    yard.call("s3", "PutBucketPolicy", Bucket="bucket", Policy=policy(granted))
    told = explain(yard, "s3:GetObject", "arn:aws:s3:::bucket/key")
    assert (told["Allowed"], told["Statements"][0]["PolicyType"]) == (True, "resource")
    tags = [{"Key": "team", "Value": "risk"}]
    yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="fraud", Tags=tags)
    yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="other")
    assert explain(yard, "sagemaker:CreateModelPackage", VERSION)["Allowed"]
    assert not explain(yard, "sagemaker:CreateModelPackage", VERSION.replace("fraud", "other"))["Allowed"]


def test_context_keys_stand_for_the_request(yard_in_process: Yard) -> None:
    """Conditions see what is given, and nothing of the request that asks."""
    condition = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "StringEquals": {"sagemaker:ModelApprovalStatus": "Rejected"}}
    bob(yard_in_process, allow("sagemaker:UpdateModelPackage", Condition=condition))
    assert not explain(yard_in_process, "sagemaker:UpdateModelPackage", VERSION)["Allowed"]
    keys = {"aws_SourceIp": "10.1.2.3", "sagemaker_ModelApprovalStatus": "Rejected"}
    assert explain(yard_in_process, "sagemaker:UpdateModelPackage", VERSION, **keys)["Allowed"]
    assert not explain(yard_in_process, "sagemaker:UpdateModelPackage", VERSION, **keys | {"aws_SourceIp": "192.0.2.1"})[
        "Allowed"
    ]


def test_a_role_is_asked_about_as_a_session_and_its_trust_decides_who_assumes_it(yard_in_process: Yard) -> None:
    """By the ARN of the role or of a session; sts:AssumeRole on a role is decided by its trust policy."""
    yard = yard_in_process
    bob(yard, allow("sts:AssumeRole"))
    trusted = {"Effect": "Allow", "Principal": {"AWS": BOB}, "Action": "sts:AssumeRole"}
    role = yard.call("iam", "CreateRole", RoleName="deployer", AssumeRolePolicyDocument=policy(trusted))["Role"]["Arn"]
    yard.call("iam", "PutRolePolicy", RoleName="deployer", PolicyName="p", PolicyDocument=policy(allow("sagemaker:CreateModel")))
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/monday"
    for principal in (role, session):
        assert explain(yard, "sagemaker:CreateModel", "*", principal)["Allowed"]
        assert not explain(yard, "sagemaker:CreateEndpoint", "*", principal)["Allowed"]
    told = explain(yard, "sts:AssumeRole", role)
    assert (told["Allowed"], told["Statements"][-1]["PolicyType"]) == (True, "trust")
    yard.call("iam", "CreateUser", UserName="eve")
    eve = explain(yard, "sts:AssumeRole", role, f"arn:aws:iam::{ACCOUNT}:user/eve")
    assert not eve["Allowed"]


def test_across_accounts_the_other_accounts_policy_keeps_its_words(yard_in_process: Yard) -> None:
    """Which side lacks what is told; whether something is there, and how a policy is worded, is the owner's to tell."""
    yard = yard_in_process
    bob(yard, allow("s3:GetObject"))
    theirs = user(OTHER_ACCOUNT)
    yard.call("s3", "CreateBucket", theirs, Bucket="theirs")
    told = explain(yard, "s3:GetObject", "arn:aws:s3:::theirs/key")
    assert (told["Allowed"], told["Missing"]["Account"], told["Missing"]["PolicyType"]) == (False, OTHER_ACCOUNT, "resource")
    assert "ResourceFound" not in told
    granted = {**allow("s3:GetObject", "arn:aws:s3:::theirs/*"), "Principal": {"AWS": BOB}, "Sid": "shared"}
    yard.call("s3", "PutBucketPolicy", theirs, Bucket="theirs", Policy=policy(granted))
    told = explain(yard, "s3:GetObject", "arn:aws:s3:::theirs/key")
    assert told["Allowed"]
    shown = {statement["PolicyType"]: "Statement" in statement for statement in told["Statements"]}
    assert shown == {"identity": True, "resource": False}


def test_principals_of_other_accounts_are_not_explained(yard_in_process: Yard) -> None:
    """Neither they nor users that are not there."""
    for principal in (f"arn:aws:iam::{OTHER_ACCOUNT}:root", f"arn:aws:iam::{OTHER_ACCOUNT}:user/x", BOB, "arn:aws:iam::nonsense"):
        with pytest.raises(ResourceNotFound):
            explain(yard_in_process, "s3:GetObject", "*", principal)


def test_the_explanation_and_the_server_decide_alike(yard_in_process: Yard) -> None:
    """What ExplainAccess says is what happens, word for word."""
    yard = yard_in_process
    bob(yard)
    yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="fraud")
    told = explain(yard, "sagemaker:DescribeModelPackageGroup", GROUP)
    nobody = user(ACCOUNT, "bob", policy({"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}))
    with pytest.raises(AccessDeniedException) as refused:
        yard.call("sagemaker", "DescribeModelPackageGroup", nobody, ModelPackageGroupName="fraud")
    assert told["Message"] == refused.value.message


@pytest.mark.parametrize("resource", ["", "arn:", "arn:aws:s3", "arn:aws:sagemaker:us-east-1:x:y", "nonsense", "arn:aws:s3:::"])
def test_odd_resources_are_decided_or_refused(yard_in_process: Yard, resource: str) -> None:
    """Never a defect."""
    bob(yard_in_process)
    try:
        assert not explain(yard_in_process, "s3:GetObject", resource)["Allowed"]
    except AwsError as error:
        assert error.code == "ValidationException"
