"""Model package groups, called as any part is called: validated, authorised, in a transaction."""

import pytest
from tests.harness import OTHER_ACCOUNT, Yard, user

from modelyard.aws.errors import AwsError, ConflictException, ValidationException

ARN = "arn:aws:sagemaker:us-east-1:111122223333:model-package-group/Weather"


@pytest.mark.documented
def test_group_arn_keeps_the_callers_case(yard_in_process: Yard) -> None:
    """Creating a group answers its ARN with the name as it was given."""
    answer = yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="Weather")
    assert answer == {"ModelPackageGroupArn": ARN}


@pytest.mark.seen
def test_a_name_is_taken_once(yard_in_process: Yard) -> None:
    """A second group of that name, in any case, is refused with AWS's code and text."""
    yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="Weather")
    with pytest.raises(ValidationException, match=f"^Model Package Group already exists: {ARN}$"):
        yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="weather")


@pytest.mark.documented
@pytest.mark.parametrize("name", ["Weather", "WEATHER", ARN, ARN.lower()])
def test_describe_takes_name_or_arn(yard_in_process: Yard, name: str) -> None:
    """A group is described by its name or ARN, and shows who made it and when."""
    yard_in_process.call(
        "sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="Weather", ModelPackageGroupDescription="Rain"
    )
    assert yard_in_process.call("sagemaker", "DescribeModelPackageGroup", ModelPackageGroupName=name) == {
        "ModelPackageGroupName": "Weather",
        "ModelPackageGroupArn": ARN,
        "ModelPackageGroupDescription": "Rain",
        "CreationTime": yard_in_process.clock.now(),
        "CreatedBy": {"IamIdentity": {"Arn": "arn:aws:iam::111122223333:user/admin", "PrincipalId": user().unique_id}},
        "ModelPackageGroupStatus": "Completed",
    }


@pytest.mark.seen
@pytest.mark.parametrize("operation", ["DescribeModelPackageGroup", "DeleteModelPackageGroup"])
def test_a_missing_group_is_a_validation_exception(yard_in_process: Yard, operation: str) -> None:
    """What is not there is told in the words that clients match on."""
    with pytest.raises(ValidationException, match=r"^ModelPackageGroup arn:.*:model-package-group/none does not exist\.$"):
        yard_in_process.call("sagemaker", operation, ModelPackageGroupName="none")


@pytest.mark.documented
def test_a_group_with_versions_cannot_be_deleted(yard_in_process: Yard) -> None:
    """Deleting a group is refused while a version is left, and afterwards its name and its numbers are free again."""
    call = yard_in_process.call
    call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="g")
    arn = call("sagemaker", "CreateModelPackage", ModelPackageGroupName="g")["ModelPackageArn"]
    with pytest.raises(ConflictException, match="cannot be deleted because it still contains Model Packages"):
        call("sagemaker", "DeleteModelPackageGroup", ModelPackageGroupName="g")
    call("sagemaker", "DeleteModelPackage", ModelPackageName=arn)
    call("sagemaker", "DeleteModelPackageGroup", ModelPackageGroupName="g")
    call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="g")
    assert call("sagemaker", "CreateModelPackage", ModelPackageGroupName="g")["ModelPackageArn"].endswith("/g/1")


@pytest.mark.documented
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({}, ["beta", "Alpha", "gamma"]),
        ({"SortOrder": "Descending"}, ["gamma", "Alpha", "beta"]),
        ({"SortBy": "Name"}, ["Alpha", "beta", "gamma"]),
        ({"SortBy": "Name", "SortOrder": "Descending"}, ["gamma", "beta", "Alpha"]),
        ({"NameContains": "ALPH"}, ["Alpha"]),
        ({"CreationTimeAfter": 1_700_000_000.0}, ["Alpha", "gamma"]),
        ({"CreationTimeBefore": 1_700_000_001.0}, ["beta"]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_list_filters_sorts_and_pages(yard_in_process: Yard, order: dict[str, object], expected: list[str], size: int) -> None:
    """Lists come in the order asked for, whatever the size of a page."""
    for name in ("beta", "Alpha", "gamma"):
        yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=name)
        yard_in_process.clock.advance(1)
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = yard_in_process.call("sagemaker", "ListModelPackageGroups", MaxResults=size, **order, **token)
        names += [group["ModelPackageGroupName"] for group in answer["ModelPackageGroupSummaryList"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert names == expected


@pytest.mark.ours
def test_a_token_of_another_query_is_refused(yard_in_process: Yard) -> None:
    """A page token serves the query that it was given for, and no other."""
    for name in ("a", "b"):
        yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=name)
    token = yard_in_process.call("sagemaker", "ListModelPackageGroups", MaxResults=1)["NextToken"]
    for wrong in ({"SortBy": "Name", "NextToken": token}, {"NextToken": "made-up"}, {"NextToken": token[:-1] + "x" + token[-1]}):
        with pytest.raises(ValidationException):
            yard_in_process.call("sagemaker", "ListModelPackageGroups", **wrong)


@pytest.mark.documented
def test_accounts_and_regions_do_not_see_each_other(yard_in_process: Yard) -> None:
    """A name means the caller's own account and the region of the request."""
    yard_in_process.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="g")
    for principal, region in ((user(OTHER_ACCOUNT), "us-east-1"), (user(), "eu-west-1")):
        with pytest.raises(AwsError, match="does not exist"):
            yard_in_process.call("sagemaker", "DescribeModelPackageGroup", principal, region, ModelPackageGroupName="g")
        listed = yard_in_process.call("sagemaker", "ListModelPackageGroups", principal, region)
        assert listed == {"ModelPackageGroupSummaryList": []}


@pytest.mark.documented
def test_shared_groups_are_listed_when_asked_for(yard_in_process: Yard) -> None:
    """CrossAccount lists the groups of other accounts whose policy lets the caller describe them, and no others."""
    call = yard_in_process.call
    for name in ("shared", "private"):
        call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=name)
    arn = "arn:aws:sagemaker:us-east-1:111122223333:model-package-group/shared"
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},'
        f'"Action":"sagemaker:DescribeModelPackageGroup","Resource":"{arn}"}}]}}'
    )
    call("sagemaker", "PutModelPackageGroupPolicy", ModelPackageGroupName="shared", ResourcePolicy=policy)
    other = user(OTHER_ACCOUNT)
    listed = call("sagemaker", "ListModelPackageGroups", other, CrossAccountFilterOption="CrossAccount")
    assert [group["ModelPackageGroupArn"] for group in listed["ModelPackageGroupSummaryList"]] == [arn]
    assert call("sagemaker", "ListModelPackageGroups", other)["ModelPackageGroupSummaryList"] == []
    assert call("sagemaker", "DescribeModelPackageGroup", other, ModelPackageGroupName=arn)["ModelPackageGroupName"] == "shared"
