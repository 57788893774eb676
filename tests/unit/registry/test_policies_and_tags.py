"""Group policies and tags: what is kept, what is refused, and what they decide."""

import json

import pytest
from tests.harness import OTHER_ACCOUNT, Yard, user

from modelyard.aws.errors import AccessDeniedException, ValidationException

GROUP = "arn:aws:sagemaker:us-east-1:111122223333:model-package-group/Weather"
VERSIONS = "arn:aws:sagemaker:us-east-1:111122223333:model-package/Weather/*"


@pytest.fixture
def yard(yard_in_process: Yard) -> Yard:
    """A registry with the group Weather, tagged, and one version in it."""
    tags = [{"Key": "MLProject", "Value": "weather"}]
    yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="Weather", Tags=tags)
    yard_in_process.call("sagemaker", "CreateModelPackage", ModelPackageGroupName="Weather")
    return yard_in_process


def policy(principal: object = f"arn:aws:iam::{OTHER_ACCOUNT}:root", resource: object = VERSIONS) -> str:
    statement = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": ["sagemaker:DescribeModelPackage", "sagemaker:CreateModelPackage"],
        "Resource": resource,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.documented
def test_a_policy_is_kept_as_it_was_given(yard: Yard) -> None:
    """Put answers the group's ARN, Get the text, and a second Put replaces the first."""
    text = policy(resource=[GROUP, VERSIONS])
    answer = yard.call("sagemaker", "PutModelPackageGroupPolicy", ModelPackageGroupName="Weather", ResourcePolicy=text)
    assert answer == {"ModelPackageGroupArn": GROUP}
    assert yard.call("sagemaker", "GetModelPackageGroupPolicy", ModelPackageGroupName="Weather") == {"ResourcePolicy": text}
    yard.call("sagemaker", "PutModelPackageGroupPolicy", ModelPackageGroupName="Weather", ResourcePolicy=policy())
    assert yard.call("sagemaker", "GetModelPackageGroupPolicy", ModelPackageGroupName="Weather") == {"ResourcePolicy": policy()}


@pytest.mark.seen
@pytest.mark.parametrize("operation", ["GetModelPackageGroupPolicy", "DeleteModelPackageGroupPolicy"])
def test_a_missing_policy_and_a_missing_group_are_told_apart(yard: Yard, operation: str) -> None:
    """A group without a policy and a group that is not there have texts of their own."""
    with pytest.raises(ValidationException, match=f"^Cannot find resource policy for: {GROUP}$"):
        yard.call("sagemaker", operation, ModelPackageGroupName="Weather")
    with pytest.raises(ValidationException, match=r"^Cannot find Model Package Group: arn:.*/none$"):
        yard.call("sagemaker", operation, ModelPackageGroupName="none")


@pytest.mark.seen
def test_deleting_a_policy_twice_fails_the_second_time(yard: Yard) -> None:
    """After Delete the policy is gone, for the decision too."""
    yard.call("sagemaker", "PutModelPackageGroupPolicy", ModelPackageGroupName="Weather", ResourcePolicy=policy())
    arn = VERSIONS.lower().replace("*", "1")
    assert yard.call("sagemaker", "DescribeModelPackage", user(OTHER_ACCOUNT), ModelPackageName=arn)
    yard.call("sagemaker", "DeleteModelPackageGroupPolicy", ModelPackageGroupName="Weather")
    with pytest.raises(AccessDeniedException):
        yard.call("sagemaker", "DescribeModelPackage", user(OTHER_ACCOUNT), ModelPackageName=arn)
    with pytest.raises(ValidationException, match="Cannot find resource policy"):
        yard.call("sagemaker", "DeleteModelPackageGroupPolicy", ModelPackageGroupName="Weather")


@pytest.mark.seen
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", ""),
        ("{}", ""),
        (
            json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": VERSIONS}]}),
            "rincipal",
        ),
        (policy([f"arn:aws:iam::{OTHER_ACCOUNT}:root", OTHER_ACCOUNT]), "Duplicate principal"),
        (policy(resource=VERSIONS.replace("Weather", "Other")), "Other"),
        (policy(resource="arn:aws:s3:::bucket"), "arn:aws:s3:::bucket"),
        (policy(resource="*"), r"\*"),
    ],
)
def test_what_is_no_policy_of_this_group_is_refused(yard: Yard, text: str, reason: str) -> None:
    """Broken text, no principal, a principal named twice and resources outside the group are refused, and nothing is kept."""
    with pytest.raises(ValidationException, match=f"^Invalid policy provided: .*{reason}"):
        yard.call("sagemaker", "PutModelPackageGroupPolicy", ModelPackageGroupName="Weather", ResourcePolicy=text)
    with pytest.raises(ValidationException, match="Cannot find resource policy"):
        yard.call("sagemaker", "GetModelPackageGroupPolicy", ModelPackageGroupName="Weather")


@pytest.mark.documented
def test_tags_are_added_overwritten_and_removed(yard: Yard) -> None:
    """AddTags answers the tags it was given, the same key overwrites, and removing an unknown key is no error."""
    assert yard.call("sagemaker", "AddTags", ResourceArn=GROUP, Tags=[{"Key": "a", "Value": "1"}])["Tags"] == [
        {"Key": "a", "Value": "1"}
    ]
    yard.call("sagemaker", "AddTags", ResourceArn=GROUP, Tags=[{"Key": "a", "Value": "2"}])
    expected = [{"Key": "MLProject", "Value": "weather"}, {"Key": "a", "Value": "2"}]
    assert yard.call("sagemaker", "ListTags", ResourceArn=GROUP) == {"Tags": expected}
    yard.call("sagemaker", "DeleteTags", ResourceArn=GROUP, TagKeys=["MLProject", "unknown"])
    assert yard.call("sagemaker", "ListTags", ResourceArn=GROUP.lower()) == {"Tags": expected[1:]}


@pytest.mark.documented
def test_a_version_takes_tags_of_its_own(yard: Yard) -> None:
    """AddTags on a version's ARN keeps extra metadata there, as the mission recommends; they go with the version."""
    arn = "arn:aws:sagemaker:us-east-1:111122223333:model-package/weather/1"
    yard.call("sagemaker", "AddTags", ResourceArn=arn, Tags=[{"Key": "ArtifactVersion", "Value": "v7"}])
    assert yard.call("sagemaker", "ListTags", ResourceArn=arn) == {"Tags": [{"Key": "ArtifactVersion", "Value": "v7"}]}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ([{"Key": "aws:x", "Value": "1"}], "reserved"),
        ([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], "Duplicate tag key"),
        ([{"Key": f"k{number}", "Value": ""} for number in range(50)], "exceeds the limit of 50"),
    ],
)
def test_tags_have_limits(yard: Yard, tags: list[dict[str, str]], reason: str) -> None:
    """Reserved keys, a key given twice and a fifty-first tag are refused, and none of the request is kept."""
    with pytest.raises(ValidationException, match=reason):
        yard.call("sagemaker", "AddTags", ResourceArn=GROUP, Tags=tags)
    assert len(yard.call("sagemaker", "ListTags", ResourceArn=GROUP)["Tags"]) == 1


@pytest.mark.ours
@pytest.mark.parametrize("operation", ["ListTags", "AddTags", "DeleteTags"])
def test_tags_need_a_resource(yard: Yard, operation: str) -> None:
    """An ARN that names nothing here is refused."""
    members = {"AddTags": {"Tags": []}, "DeleteTags": {"TagKeys": ["a"]}, "ListTags": {}}[operation]
    for missing in ("model-package-group/none", "model-package/weather/9", "endpoint/e"):
        with pytest.raises(ValidationException, match="does not exist"):
            yard.call("sagemaker", operation, ResourceArn=f"arn:aws:sagemaker:us-east-1:111122223333:{missing}", **members)


WEATHER_ONLY = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*",
    "Condition": {"StringEquals": {"aws:ResourceTag/MLProject": "weather"}}}]}"""


@pytest.mark.documented
def test_tags_of_a_group_decide_about_its_versions(yard: Yard) -> None:
    """Who is allowed by a condition on resource tags sees and registers in the groups that carry the tag alone."""
    yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="Fraud")
    team = user("111122223333", "meteorologist", WEATHER_ONLY)
    assert yard.call("sagemaker", "CreateModelPackage", team, ModelPackageGroupName="Weather")["ModelPackageArn"].endswith("/2")
    assert yard.call("sagemaker", "DescribeModelPackage", team, ModelPackageName="Weather/1")
    assert yard.call("sagemaker", "ListModelPackages", team, ModelPackageGroupName="Weather")
    for operation in ("CreateModelPackage", "ListModelPackages", "DescribeModelPackageGroup"):
        with pytest.raises(AccessDeniedException, match="because no identity-based policy allows"):
            yard.call("sagemaker", operation, team, ModelPackageGroupName="Fraud")


TAGGED_ONLY = """{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["sagemaker:CreateModelPackageGroup", "sagemaker:AddTags"], "Resource": "*",
     "Condition": {"StringEquals": {"aws:RequestTag/team": "weather"},
                   "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost"]}}}]}"""


@pytest.mark.documented
def test_creation_is_decided_by_the_tags_of_the_request(yard: Yard) -> None:
    """aws:RequestTag and aws:TagKeys speak of the tags that a creation brings."""
    team = user("111122223333", "lead", TAGGED_ONLY)
    weather, cost, other = ({"Key": "team", "Value": "weather"}, {"Key": "cost", "Value": "1"}, {"Key": "other", "Value": "1"})
    yard.call("sagemaker", "CreateModelPackageGroup", team, ModelPackageGroupName="one", Tags=[weather, cost])
    for number, tags in enumerate(([], [cost], [weather, other])):
        with pytest.raises(AccessDeniedException):
            yard.call("sagemaker", "CreateModelPackageGroup", team, ModelPackageGroupName=f"no{number}", Tags=tags)
    without = user("111122223333", "plain", TAGGED_ONLY.replace('"sagemaker:AddTags"', '"sagemaker:ListTags"'))
    with pytest.raises(AccessDeniedException, match="sagemaker:AddTags"):
        yard.call("sagemaker", "CreateModelPackageGroup", without, ModelPackageGroupName="two", Tags=[weather])
