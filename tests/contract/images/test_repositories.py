"""Repositories and their policies."""

import base64
import json

import pytest
from tests.contract.images.conftest import Ecr, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, START, user

ARN = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/models"
PULL = ["ecr:BatchGetImage", "ecr:Describe*"]


def policy(
    *actions: str, effect: str = "Allow", principal: str = f"arn:aws:iam::{OTHER_ACCOUNT}:root", **elements: object
) -> str:
    statement = {"Sid": "AddPerm", "Effect": effect, "Principal": {"AWS": principal}, "Action": list(actions), **elements}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.documented
def test_a_repository(ecr: Ecr) -> None:
    """What CreateRepository answers is what DescribeRepositories does; a name is taken once in each account and region."""
    made = ecr("CreateRepository", repositoryName="team/models", tags=[{"Key": "team", "Value": "weather"}])["repository"]
    assert made == {
        "repositoryArn": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/models",
        "registryId": ACCOUNT,
        "repositoryName": "team/models",
        "repositoryUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/team/models",
        "createdAt": START,
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
    assert ecr("DescribeRepositories", repositoryNames=["team/models"])["repositories"] == [made]
    with refused("RepositoryAlreadyExistsException", match="'team/models' already exists in the registry with id '1111"):
        ecr("CreateRepository", repositoryName="team/models")
    ecr("CreateRepository", region="eu-west-1", repositoryName="team/models")
    ecr("CreateRepository", by=user(OTHER_ACCOUNT), repositoryName="team/models")
    arn = made["repositoryArn"]
    assert ecr("ListTagsForResource", resourceArn=arn)["tags"] == [{"Key": "team", "Value": "weather"}]
    ecr("TagResource", resourceArn=arn, tags=[{"Key": "a", "Value": "1"}])
    ecr("UntagResource", resourceArn=arn, tagKeys=["team"])
    assert ecr("ListTagsForResource", resourceArn=arn)["tags"] == [{"Key": "a", "Value": "1"}]


@pytest.mark.documented
def test_what_is_not_there(ecr: Ecr) -> None:
    """A missing repository is told to its own account only."""
    with refused("RepositoryNotFoundException", match="'none' does not exist in the registry with id '111122223333'"):
        ecr("DescribeRepositories", repositoryNames=["none"])
    with refused("AccessDeniedException"):
        ecr("DescribeImages", by=user(OTHER_ACCOUNT), registryId=ACCOUNT, repositoryName="none")
    with refused("InvalidParameterException", match="repositoryName"):
        ecr("CreateRepository", repositoryName="UPPER")
    with refused("InvalidParameterException"):
        ecr("CreateRepository", repositoryName="aa", encryptionConfiguration={"encryptionType": "KMS"})


@pytest.mark.documented
def test_repositories_are_listed_in_pages(ecr: Ecr) -> None:
    """Every repository of the account comes once, in order of names."""
    for name in ("cc", "bb", "aa"):
        ecr("CreateRepository", repositoryName=name)
    ecr("CreateRepository", by=user(OTHER_ACCOUNT), repositoryName="dd")
    first = ecr("DescribeRepositories", maxResults=3)
    rest = ecr("DescribeRepositories", maxResults=3, nextToken=first["nextToken"])
    names = [entry["repositoryName"] for page in (first, rest) for entry in page["repositories"]]
    assert names == ["aa", "bb", "cc", "models"] and "nextToken" not in rest
    with refused("InvalidParameterException", match="nextToken"):
        ecr("DescribeRepositories", nextToken="x")


@pytest.mark.documented
def test_a_policy_is_kept_as_it_was_set(ecr: Ecr) -> None:
    """Set and Get answer the text; after Delete there is none."""
    with refused(
        "RepositoryPolicyNotFoundException", match="Repository policy does not exist for the repository with name 'models'"
    ):
        ecr("GetRepositoryPolicy", repositoryName="models")
    answer = ecr("SetRepositoryPolicy", registryId=ACCOUNT, repositoryName="models", policyText=policy(*PULL))
    assert answer == {"registryId": ACCOUNT, "repositoryName": "models", "policyText": policy(*PULL)}
    assert ecr("GetRepositoryPolicy", repositoryName="models") == answer
    assert ecr("DeleteRepositoryPolicy", repositoryName="models") == answer
    with refused("RepositoryPolicyNotFoundException"):
        ecr("DeleteRepositoryPolicy", repositoryName="models")


@pytest.mark.documented
def test_policies_that_cannot_be_set(ecr: Ecr) -> None:
    """No policy, one with a Resource, and unless it is forced one that locks its author out."""
    for text in ("{}", "not json", policy("ecr:*", Resource="*")):
        with refused("InvalidParameterException", match="Invalid repository policy provided"):
            ecr("SetRepositoryPolicy", repositoryName="models", policyText=text)
    locking = policy("ecr:*", effect="Deny", principal="*")
    with refused("InvalidParameterException", match="force"):
        ecr("SetRepositoryPolicy", repositoryName="models", policyText=locking)
    ecr("SetRepositoryPolicy", repositoryName="models", policyText=locking, force=True)
    with refused("AccessDeniedException", match="explicit deny in a resource-based policy"):
        ecr("GetRepositoryPolicy", repositoryName="models")


@pytest.mark.documented
def test_another_account_needs_both_sides(ecr: Ecr) -> None:
    """The repository's policy and the caller's own have to allow; the refusal says which does not."""
    ecr.push("v1")
    wanted = {"registryId": ACCOUNT, "repositoryName": "models", "imageIds": [{"imageTag": "v1"}]}
    far = user(OTHER_ACCOUNT, "far", json.dumps({"Version": "2012-10-17", "Statement": [_allow("ecr:BatchGetImage")]}))
    with refused("AccessDeniedException", match=f"{ARN} because no resource-based policy allows the ecr:BatchGetImage action"):
        ecr("BatchGetImage", by=far, **wanted)
    ecr("SetRepositoryPolicy", repositoryName="models", policyText=policy(*PULL))
    assert len(ecr("BatchGetImage", by=far, **wanted)["images"]) == 1
    with refused("AccessDeniedException", match="no identity-based policy allows the ecr:DescribeImages action"):
        ecr("DescribeImages", by=far, **wanted)
    with refused("AccessDeniedException", match="no resource-based policy allows the ecr:PutImage action"):
        ecr("PutImage", by=user(OTHER_ACCOUNT), registryId=ACCOUNT, repositoryName="models", imageManifest="{}")
    with refused("AccessDeniedException"):
        ecr("DescribeRepositories", by=user(OTHER_ACCOUNT), registryId=ACCOUNT)


def _allow(action: str) -> dict[str, str]:
    return {"Effect": "Allow", "Action": action, "Resource": "*"}


@pytest.mark.documented
def test_authorization_tokens(ecr: Ecr) -> None:
    """User name and password for twelve hours, for each registry that is asked for."""
    data = ecr("GetAuthorizationToken", registryIds=[ACCOUNT, OTHER_ACCOUNT])["authorizationData"]
    assert base64.b64decode(data[0]["authorizationToken"]).startswith(b"AWS:")
    assert [entry["expiresAt"] for entry in data] == [START + 12 * 3600] * 2
    assert data[1]["proxyEndpoint"] == f"https://{OTHER_ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
