"""ExplainAccess as an auditor uses it: what is refused across accounts, and which policy of which account lacks what."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, user

pytestmark = pytest.mark.ours

TRAINING, REGISTRY = ACCOUNT, OTHER_ACCOUNT
ROLE = f"arn:aws:iam::{TRAINING}:role/trainer"
PULLER = f"arn:aws:iam::{REGISTRY}:role/deployer"
GROUP = f"arn:aws:sagemaker:us-east-1:{REGISTRY}:model-package-group/fraud"
VERSIONS = f"arn:aws:sagemaker:us-east-1:{REGISTRY}:model-package/fraud/*"
REPOSITORY = f"arn:aws:ecr:us-east-1:{TRAINING}:repository/model"


def policy(*statements: dict[str, Any]) -> str:
    """A document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: object, resource: object = "*", **more: Any) -> dict[str, Any]:
    """A statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


class Accounts:
    """A training account whose role registers, and a registry account whose role deploys; neither may do anything yet."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        for arn, account in ((ROLE, TRAINING), (PULLER, REGISTRY)):
            trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
            self(account, "iam", "CreateRole", RoleName=arn.rpartition("/")[2], AssumeRolePolicyDocument=policy(trust))
        self(REGISTRY, "sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="fraud")
        self(TRAINING, "s3", "CreateBucket", Bucket="models")
        self(TRAINING, "ecr", "CreateRepository", repositoryName="model")
        self.key = self(TRAINING, "kms", "CreateKey")["KeyMetadata"]["Arn"]

    def __call__(self, account: str, service: str, operation: str, **request: Any) -> Any:
        """A call of the account's administrator."""
        return self._yard.call(service, operation, user(account), **request)

    def may(self, role: str, *statements: dict[str, Any]) -> None:
        """Give a role a policy."""
        account, name = role.split(":")[4], role.rpartition("/")[2]
        self(account, "iam", "PutRolePolicy", RoleName=name, PolicyName="work", PolicyDocument=policy(*statements))

    def explain(self, role: str, action: str, resource: str, **keys: str) -> Any:
        """Ask in the role's account."""
        given = [{"Name": name.replace("_", ":", 1), "Values": [value]} for name, value in keys.items()]
        request = {"PrincipalArn": role, "Action": action, "ResourceArn": resource, "ContextKeys": given}
        return self(role.split(":")[4], "modelyard", "ExplainAccess", **request)

    def lacking(self, role: str, action: str, resource: str) -> tuple[str, str, str]:
        """Account and kind of the policy that is missing, and what it belongs to."""
        told = self.explain(role, action, resource)
        assert not told["Allowed"], told
        return told["Missing"]["Account"], told["Missing"]["PolicyType"], told["Missing"]["AttachedTo"]


@pytest.fixture
def accounts(yard_in_process: Yard) -> Accounts:
    """Two accounts."""
    return Accounts(yard_in_process)


def shared(accounts: Accounts, action: str, resource: str) -> Callable[[], None]:
    """How the owner of a resource lets the other account in."""
    statement = {**allow(action), "Principal": {"AWS": f"arn:aws:iam::{REGISTRY}:root"}}
    if action.startswith("s3"):
        text = policy({**statement, "Resource": resource})
        return lambda: accounts(TRAINING, "s3", "PutBucketPolicy", Bucket="models", Policy=text)
    if action.startswith("ecr"):
        text = policy({name: value for name, value in statement.items() if name != "Resource"})
        return lambda: accounts(TRAINING, "ecr", "SetRepositoryPolicy", repositoryName="model", policyText=text)
    own = {**allow("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{TRAINING}:root"}}
    text = policy(own, statement)
    return lambda: accounts(TRAINING, "kms", "PutKeyPolicy", KeyId=resource, PolicyName="default", Policy=text)


def test_registering_into_the_group_of_another_account(accounts: Accounts) -> None:
    """First the role's own policies lack it, then the policy of the group; with both it is allowed, and both are shown."""
    asked = (ROLE, "sagemaker:CreateModelPackage", VERSIONS)
    assert accounts.lacking(*asked) == (TRAINING, "identity", ROLE)
    accounts.may(ROLE, allow("sagemaker:CreateModelPackage", VERSIONS))
    assert accounts.lacking(*asked) == (REGISTRY, "resource", GROUP)
    text = policy({**allow("sagemaker:CreateModelPackage", VERSIONS), "Principal": {"AWS": f"arn:aws:iam::{TRAINING}:root"}})
    accounts(REGISTRY, "sagemaker", "PutModelPackageGroupPolicy", ModelPackageGroupName="fraud", ResourcePolicy=text)
    told = accounts.explain(*asked)
    assert told["Allowed"] and [one["PolicyType"] for one in told["Statements"]] == ["identity", "resource"]


@pytest.mark.parametrize(
    ("action", "resource"),
    [("s3:GetObject", "arn:aws:s3:::models/model.tar.gz"), ("ecr:BatchGetImage", REPOSITORY), ("kms:Decrypt", "the key")],
)
def test_fetching_what_the_training_account_has(accounts: Accounts, action: str, resource: str) -> None:
    """Bucket, repository and key: the deployer's policies, then the owner's policy, whose words stay the owner's."""
    resource = accounts.key if resource == "the key" else resource
    asked = (PULLER, action, resource)
    assert accounts.lacking(*asked) == (REGISTRY, "identity", PULLER)
    accounts.may(PULLER, allow(action))
    assert accounts.lacking(*asked) == (TRAINING, "resource", "arn:aws:s3:::models" if action.startswith("s3") else resource)
    shared(accounts, action, resource)()
    told = accounts.explain(*asked)
    assert told["Allowed"] and told["ResourceAccount"] == TRAINING
    assert ["Statement" in one for one in told["Statements"]] == [True, False]


def test_a_boundary_and_a_deny_are_named(accounts: Accounts) -> None:
    """A permissions boundary that does not allow is missing something; a deny is shown with its policy."""
    accounts.may(PULLER, allow("s3:GetObject"))
    shared(accounts, "s3:GetObject", "arn:aws:s3:::models/*")()
    arn = accounts(REGISTRY, "iam", "CreatePolicy", PolicyName="bound", PolicyDocument=policy(allow("ecr:*")))["Policy"]["Arn"]
    accounts(REGISTRY, "iam", "PutRolePermissionsBoundary", RoleName="deployer", PermissionsBoundary=arn)
    asked = (PULLER, "s3:GetObject", "arn:aws:s3:::models/x")
    assert accounts.lacking(*asked) == (REGISTRY, "boundary", PULLER)
    accounts(REGISTRY, "iam", "DeleteRolePermissionsBoundary", RoleName="deployer")
    accounts.may(PULLER, allow("s3:GetObject"), {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Sid": "Never"})
    told = accounts.explain(*asked)
    assert (told["Decision"], told["Statements"][0]["PolicyName"], told["Statements"][0]["Sid"]) == (
        "explicitDeny",
        "work",
        "Never",
    )


def test_the_key_of_ones_own_account_is_not_opened_by_identity_policies_alone(accounts: Accounts) -> None:
    """A key policy that names somebody else: the key's policy is what is missing. By its alias it is the same key."""
    accounts.may(ROLE, allow("kms:*"))
    assert accounts.explain(ROLE, "kms:Decrypt", accounts.key)["Allowed"]
    keeper = {**allow("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{TRAINING}:user/admin"}}
    accounts(
        TRAINING,
        "kms",
        "PutKeyPolicy",
        KeyId=accounts.key,
        PolicyName="default",
        Policy=policy(keeper),
        BypassPolicyLockoutSafetyCheck=True,
    )
    accounts(TRAINING, "kms", "CreateAlias", AliasName="alias/models", TargetKeyId=accounts.key)
    for name in (accounts.key, f"arn:aws:kms:us-east-1:{TRAINING}:alias/models"):
        assert accounts.lacking(ROLE, "kms:Decrypt", name) == (TRAINING, "resource", accounts.key)


def test_a_grant_is_told_of(accounts: Accounts) -> None:
    """A grant to the role lets it decrypt and no more; the auditor who asks needs none."""
    made = accounts(TRAINING, "kms", "CreateGrant", KeyId=accounts.key, GranteePrincipal=PULLER, Operations=["Decrypt"])
    told = accounts.explain(PULLER, "kms:Decrypt", accounts.key)
    assert (told["Allowed"], told["GrantId"]) == (True, made["GrantId"])
    assert not accounts.explain(PULLER, "kms:Encrypt", accounts.key)["Allowed"]


def test_conditions_of_a_key_on_the_calling_account_are_known(accounts: Accounts) -> None:
    """kms:CallerAccount follows from who asks."""
    condition = {"StringEquals": {"kms:CallerAccount": REGISTRY}}
    own = {**allow("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{TRAINING}:root"}}
    text = policy(own, {**allow("kms:Decrypt"), "Principal": "*", "Condition": condition})
    accounts(TRAINING, "kms", "PutKeyPolicy", KeyId=accounts.key, PolicyName="default", Policy=text)
    accounts.may(PULLER, allow("kms:Decrypt"))
    assert accounts.explain(PULLER, "kms:Decrypt", accounts.key)["Allowed"]


def test_resources_of_every_part_are_found(accounts: Accounts) -> None:
    """With their tags, which conditions look at: queues, log groups and their streams, rules, repositories, keys."""
    accounts(TRAINING, "sqs", "CreateQueue", QueueName="jobs", tags={"team": "rc"})
    accounts(TRAINING, "logs", "CreateLogGroup", logGroupName="/jobs", tags={"team": "rc"})
    pattern = json.dumps({"source": ["aws.sagemaker"]})
    accounts(TRAINING, "events", "PutRule", Name="approved", EventPattern=pattern, Tags=[{"Key": "team", "Value": "rc"}])
    accounts(TRAINING, "ecr", "TagResource", resourceArn=REPOSITORY, tags=[{"Key": "team", "Value": "rc"}])
    accounts(TRAINING, "kms", "TagResource", KeyId=accounts.key, Tags=[{"TagKey": "team", "TagValue": "rc"}])
    accounts.may(ROLE, allow("*", Condition={"StringEquals": {"aws:ResourceTag/team": "rc"}}))
    here = f"us-east-1:{TRAINING}"
    for action, resource in (
        ("sqs:SendMessage", f"arn:aws:sqs:{here}:jobs"),
        ("logs:PutLogEvents", f"arn:aws:logs:{here}:log-group:/jobs:log-stream:one"),
        ("logs:TagResource", f"arn:aws:logs:{here}:log-group:/jobs"),
        ("events:PutTargets", f"arn:aws:events:{here}:rule/approved"),
        ("ecr:BatchGetImage", REPOSITORY),
        ("kms:Decrypt", accounts.key),
    ):
        told = accounts.explain(ROLE, action, resource)
        assert told["ResourceFound"] and told["Allowed"], (action, told)
        gone = resource[:-2] + "x"
        assert gone.endswith(":x") or action == "logs:PutLogEvents" or not accounts.explain(ROLE, action, gone)["ResourceFound"]


def test_a_function_is_found_with_its_policy(accounts: Accounts) -> None:
    """The registry's deployer may invoke the training account's function once both sides say so."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = accounts(TRAINING, "iam", "CreateRole", RoleName="runs", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): ...")
    made = accounts(
        TRAINING,
        "lambda",
        "CreateFunction",
        FunctionName="deploy",
        Runtime="python3.12",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": bundle.getvalue()},
    )["FunctionArn"]
    accounts.may(PULLER, allow("lambda:InvokeFunction"))
    assert accounts.lacking(PULLER, "lambda:InvokeFunction", made) == (TRAINING, "resource", made)
    invoke = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": REGISTRY}
    accounts(TRAINING, "lambda", "AddPermission", FunctionName="deploy", **invoke)
    assert accounts.explain(PULLER, "lambda:InvokeFunction", made)["Allowed"]
