"""Search and its suggestions, called as any part is called."""

import json
from typing import Any

import pytest
from tests.harness import OTHER_ACCOUNT, Yard, user

from modelyard.aws.errors import AccessDeniedException, ValidationException


def group(yard: Yard, name: str, **more: Any) -> None:
    yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=name, **more)


def package(yard: Yard, group_name: str = "weather", **more: Any) -> str:
    yard.clock.advance(1)
    arn = yard.call("sagemaker", "CreateModelPackage", ModelPackageGroupName=group_name, **more)["ModelPackageArn"]
    assert isinstance(arn, str)
    return arn


def containers(*images: str) -> dict[str, Any]:
    return {
        "Containers": [{"Image": image, "ModelDataUrl": f"s3://models/{image}.tar.gz"} for image in images],
        "SupportedContentTypes": ["text/csv", "application/json"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }


def condition(name: str, value: str | None = None, operator: str | None = None) -> dict[str, str]:
    given = {"Name": name, "Value": value, "Operator": operator}
    return {member: text for member, text in given.items() if text is not None}


def search(yard: Yard, *filters: dict[str, str], resource: str = "ModelPackage", **more: Any) -> Any:
    if filters:
        more.setdefault("SearchExpression", {"Filters": list(filters)})
    return yard.call("sagemaker", "Search", Resource=resource, **more)


def versions(yard: Yard, *filters: dict[str, str], **more: Any) -> list[int]:
    return [result["ModelPackage"]["ModelPackageVersion"] for result in search(yard, *filters, **more)["Results"]]


@pytest.fixture
def yard(yard_in_process: Yard) -> Yard:
    """A house with a group of four versions."""
    yard = yard_in_process
    group(yard, "weather", Tags=[{"Key": "MLProject", "Value": "weather"}])
    package(yard, InferenceSpecification=containers("a"), CustomerMetadataProperties={"season": "winter", "a.b": "dots"})
    package(yard, InferenceSpecification=containers("a", "b"), ModelApprovalStatus="Approved")
    package(
        yard,
        InferenceSpecification=containers("b"),
        ModelPackageDescription="d" * 500,
        ModelLifeCycle={"Stage": "Staging", "StageStatus": "Pending"},
    )
    package(yard, InferenceSpecification=containers("c"), CustomerMetadataProperties={"season": "summer"})
    return yard


@pytest.mark.seen
def test_the_sdk_looks_for_a_group_by_its_name(yard: Yard) -> None:
    """A group is found by its exact name, in the shape of a search record; another name finds nothing."""
    found = search(yard, condition("ModelPackageGroupName", "weather", "Equals"), resource="ModelPackageGroup")
    (record,) = found["Results"]
    assert record.keys() == {"ModelPackageGroup"}
    assert record["ModelPackageGroup"]["ModelPackageGroupName"] == "weather"
    assert record["ModelPackageGroup"]["Tags"] == [{"Key": "MLProject", "Value": "weather"}]
    assert search(yard, condition("ModelPackageGroupName", "Weather"), resource="ModelPackageGroup") == {"Results": []}


@pytest.mark.documented
def test_a_result_is_what_describe_answers(yard: Yard) -> None:
    """A version in the results has the members of DescribeModelPackage."""
    arn = "arn:aws:sagemaker:us-east-1:111122223333:model-package/weather/3"
    (record,) = search(yard, condition("ModelPackageArn", arn))["Results"]
    described = yard.call("sagemaker", "DescribeModelPackage", ModelPackageName=arn)
    if isinstance(described, bytes):
        described = json.loads(described)
    # Describe's shape requires a name; the shape of a search result does not, and a version has none.
    described.pop("ModelPackageName", None)
    assert record["ModelPackage"] == described


@pytest.mark.documented
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([condition("ModelPackageVersion", "2")], [2]),
        ([condition("ModelPackageVersion", "2", "GreaterThan")], [4, 3]),
        ([condition("ModelPackageVersion", "2.5", "LessThanOrEqualTo")], [2, 1]),
        ([condition("ModelApprovalStatus", "Approved")], [2]),
        ([condition("ModelApprovalStatus", "approved")], []),
        ([condition("ModelApprovalStatus", "Approved, Rejected", "In")], [2]),
        ([condition("ModelApprovalStatus", "Approved", "NotEquals")], [4, 3, 1]),
        ([condition("ModelLifeCycle.Stage", "Staging")], [3]),
        ([condition("ModelLifeCycle.Stage", operator="Exists")], [3]),
        ([condition("ModelLifeCycle.Stage", operator="NotExists")], [4, 2, 1]),
        ([condition("ModelLifeCycle.Stage", "Staging", "NotEquals")], [4, 2, 1]),
        ([condition("CustomerMetadataProperties.season", "winter")], [1]),
        ([condition("CustomerMetadataProperties.season", "er", "Contains")], [4, 1]),
        ([condition("CustomerMetadataProperties.a.b", "dots")], [1]),
        ([condition("InferenceSpecification.Containers.Image", "b")], [3, 2]),
        ([condition("InferenceSpecification.Containers.ModelDataUrl", "s3://models/b", "Contains")], [3, 2]),
        ([condition("InferenceSpecification.SupportedContentTypes", "application/json")], [4, 3, 2, 1]),
        ([condition("ModelPackageDescription", "d" * 500)], [3]),
        ([condition("ModelPackageDescription", "d" * 499)], []),
        ([condition("CertifyForMarketplace", "false")], [4, 3, 2, 1]),
        ([condition("CreationTime", "2023-11-14T22:13:22")], [2]),
        ([condition("CreationTime", "2023-11-14T22:13:22", "GreaterThanOrEqualTo")], [4, 3, 2]),
        ([condition("LastModifiedTime", "1700000003", "GreaterThan")], [4]),
        ([condition("ModelPackageGroupName", "weather"), condition("ModelPackageVersion", "4", "LessThan")], [3, 2, 1]),
        ([], [4, 3, 2, 1]),
    ],
)
def test_filters(yard: Yard, filters: list[dict[str, str]], expected: list[int]) -> None:
    """Versions are found by any property, newest modification first."""
    assert versions(yard, *filters) == expected


@pytest.mark.documented
def test_expressions_are_joined_and_nested(yard: Yard) -> None:
    """And, Or and sub-expressions combine; And is the default."""
    winter = condition("CustomerMetadataProperties.season", "winter")
    approved = condition("ModelApprovalStatus", "Approved")
    both = {"Filters": [winter, approved]}
    either = {**both, "Operator": "Or"}
    newer = {"Filters": [condition("ModelPackageVersion", "1", "GreaterThan")]}
    assert versions(yard, SearchExpression=both) == []
    assert versions(yard, SearchExpression=either) == [2, 1]
    assert versions(yard, SearchExpression={"SubExpressions": [either, newer]}) == [2]
    assert versions(yard, SearchExpression={"SubExpressions": [either, newer], "Operator": "Or"}) == [4, 3, 2, 1]


@pytest.mark.documented
def test_nested_filters_hold_for_one_element(yard: Yard) -> None:
    """Nested filters are true when one container satisfies all of them, by its whole path or from the container on."""
    for prefix in ("InferenceSpecification.Containers.", ""):

        def nested(image: str, data: str, prefix: str = prefix) -> list[int]:
            filters = [condition(f"{prefix}Image", image), condition(f"{prefix}ModelDataUrl", data, "Contains")]
            one = {"NestedPropertyName": "InferenceSpecification.Containers", "Filters": filters}
            return versions(yard, SearchExpression={"NestedFilters": [one]})

        assert nested("b", "/b.tar") == [3, 2]
        assert nested("a", "/b.tar") == []


@pytest.mark.documented
def test_pages_neither_skip_nor_repeat(yard: Yard) -> None:
    """Following the tokens gives every result once, although versions are registered meanwhile."""
    for order, expected in (("Ascending", [1, 2, 3, 4, 5, 6]), ("Descending", [6, 5, 4, 3, 2, 1])):
        found: list[int] = []
        token: dict[str, str] = {}
        while True:
            page = search(yard, SortOrder=order, SortBy="CreationTime", MaxResults=1, **token)
            found += [result["ModelPackage"]["ModelPackageVersion"] for result in page["Results"]]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
            if len(found) == 2 and order == "Ascending":
                package(yard)
                package(yard)
        assert found == expected


@pytest.mark.documented
def test_a_token_belongs_to_its_query(yard: Yard) -> None:
    """A token continues the search that it came from and no other."""
    token = search(yard, MaxResults=1)["NextToken"]
    assert versions(yard, MaxResults=2, NextToken=token) == [3, 2]
    with pytest.raises(ValidationException, match="NextToken"):
        search(yard, condition("ModelPackageVersion", "1"), NextToken=token)
    with pytest.raises(ValidationException, match="NextToken"):
        search(yard, NextToken="bogus")


@pytest.mark.documented
def test_results_are_sorted_by_any_property(yard: Yard) -> None:
    """SortBy takes any property; what does not have it comes last."""
    assert versions(yard, SortBy="ModelPackageVersion", SortOrder="Ascending") == [1, 2, 3, 4]
    assert versions(yard, SortBy="CustomerMetadataProperties.season") == [1, 4, 3, 2]
    assert versions(yard, SortBy="CustomerMetadataProperties.season", SortOrder="Ascending") == [4, 1, 2, 3]


@pytest.mark.documented
def test_search_sees_changes_and_deletions(yard: Yard) -> None:
    """An approved version is found as such at once and comes first; a deleted one is gone."""
    arn = "arn:aws:sagemaker:us-east-1:111122223333:model-package/weather/"
    yard.clock.advance(1)
    yard.call("sagemaker", "UpdateModelPackage", ModelPackageArn=arn + "1", ModelApprovalStatus="Approved")
    assert versions(yard, condition("ModelApprovalStatus", "Approved")) == [1, 2]
    assert versions(yard, condition("ModelApprovalStatus", "PendingManualApproval")) == [4, 3]
    yard.call("sagemaker", "DeleteModelPackage", ModelPackageName=arn + "2")
    assert versions(yard, condition("ModelApprovalStatus", "Approved")) == [1]
    yard.call("sagemaker", "AddTags", ResourceArn=arn + "4", Tags=[{"Key": "s3-version", "Value": "abc"}])
    assert versions(yard, condition("Tags.s3-version", "abc")) == [4]


@pytest.mark.documented
def test_metrics_are_read_from_the_files_and_compare_as_numbers(yard: Yard) -> None:
    """The figures of a version's statistics file are found as Metrics.<name>."""
    yard.call("s3", "CreateBucket", Bucket="evaluations")
    for number, accuracy in enumerate((0.9, 0.95, 0.1)):
        report = {"binary_classification_metrics": {"accuracy": {"value": accuracy, "standard_deviation": "NaN"}}}
        yard.call("s3", "PutObject", Bucket="evaluations", Key=f"{number}.json", Body=json.dumps(report).encode())
        uri = f"s3://evaluations/{number}.json"
        package(yard, ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": uri}}})
    assert versions(yard, condition("Metrics.accuracy", "0.5", "GreaterThan")) == [6, 5]
    assert versions(yard, condition("Metrics.accuracy", "0.90")) == [5]
    assert versions(yard, condition("Metrics.accuracy", operator="Exists"), SortBy="Metrics.accuracy") == [6, 5, 7]


@pytest.mark.documented
@pytest.mark.parametrize(
    ("filters", "complaint"),
    [
        ([condition("Nonsense", "x")], r"^Unknown property name: Nonsense$"),
        ([condition("Tags.", "x")], r"^Unknown property name: Tags\.$"),
        ([condition("ModelApprovalStatus", "a", "GreaterThan")], "not supported for text properties"),
        ([condition("ModelPackageVersion", "1", "Contains")], "not supported for number properties"),
        ([condition("ModelPackageVersion", "1,2", "In")], "not supported for number properties"),
        ([condition("CreationTime", "2023-11-14", "Contains")], "not supported for timestamp properties"),
        ([condition("CertifyForMarketplace", "true", "In")], "not supported for boolean properties"),
        ([condition("ModelPackageVersion", "one")], "must be an integer or a decimal, not one"),
        ([condition("ModelPackageVersion", "nan")], "must be an integer or a decimal, not nan"),
        ([condition("CreationTime", "yesterday")], "must be like 2024-05-31T23:59:59, not yesterday"),
        ([condition("CertifyForMarketplace", "maybe")], "must be true or false, not maybe"),
        ([condition("ModelApprovalStatus")], "needs a value"),
        (
            [condition("ModelPackageGroupName", "a", "Contains"), condition("ModelPackageDescription", "b", "Contains")],
            r"^'CONTAINS' operator usage limit of 1 exceeded\.$",
        ),
    ],
)
def test_filters_that_make_no_sense(yard: Yard, filters: list[dict[str, str]], complaint: str) -> None:
    """A filter that cannot be applied is a ValidationException that says why."""
    with pytest.raises(ValidationException, match=complaint):
        search(yard, *filters)


@pytest.mark.documented
def test_an_expression_has_at_most_fifty_parts(yard: Yard) -> None:
    """Filters, nested filters and sub-expressions are counted through all levels; an empty expression is refused."""
    one = condition("ModelPackageVersion", "1")
    for levels, fits in ((2, True), (3, False)):
        expression = {"SubExpressions": [{"Filters": [one] * 16}] * levels}
        if fits:
            assert versions(yard, SearchExpression=expression) == [1]
        else:
            with pytest.raises(ValidationException, match="at most 50"):
                search(yard, SearchExpression=expression)
    with pytest.raises(ValidationException, match="at least one filter"):
        search(yard, SearchExpression={"Operator": "Or"})


@pytest.mark.documented
def test_visibility_conditions_hide_what_is_tagged_otherwise(yard: Yard) -> None:
    """A resource with the tag and another value is left out; one without the tag is shown."""
    group(yard, "fraud", Tags=[{"Key": "MLProject", "Value": "fraud"}])
    group(yard, "open")

    def shown(*values: str) -> list[str]:
        conditions = [{"Key": "Tags.MLProject", "Value": value} for value in values]
        results = search(yard, resource="ModelPackageGroup", VisibilityConditions=conditions)["Results"]
        return sorted(result["ModelPackageGroup"]["ModelPackageGroupName"] for result in results)

    assert shown("weather") == ["open", "weather"]
    assert shown("weather", "fraud") == ["fraud", "open", "weather"]
    with pytest.raises(ValidationException, match=r"Tags\.<key>"):
        search(yard, VisibilityConditions=[{"Key": "MLProject", "Value": "weather"}])


@pytest.mark.ours
def test_other_kinds_accounts_and_regions(yard: Yard) -> None:
    """A kind that is not kept here is refused; accounts and regions see their own; nothing is shared across accounts."""
    with pytest.raises(ValidationException, match="Pipeline are not searchable"):
        search(yard, resource="Pipeline")
    assert yard.call("sagemaker", "Search", user(OTHER_ACCOUNT), Resource="ModelPackage") == {"Results": []}
    assert yard.call("sagemaker", "Search", region="eu-west-1", Resource="ModelPackage") == {"Results": []}
    assert search(yard, CrossAccountFilterOption="CrossAccount") == {"Results": []}


@pytest.mark.ours
def test_search_is_granted_on_what_it_finds(yard: Yard) -> None:
    """A policy for `*` lets find everything, one for some resources those, and one for another kind of resource nothing."""
    versions = "arn:aws:sagemaker:us-east-1:111122223333:model-package/"
    for resource, found in (
        ("*", 4),
        (f"{versions}*", 4),
        (f"{versions}*/1", 1),
        (f"{versions}none/*", 0),
        ("arn:aws:s3:::*", None),
    ):
        policy = json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sagemaker:Search", "Resource": resource}]}
        )
        caller = user("111122223333", "eve", policy)
        if found is not None:
            assert len(yard.call("sagemaker", "Search", caller, Resource="ModelPackage")["Results"]) == found, resource
        else:
            with pytest.raises(AccessDeniedException):
                yard.call("sagemaker", "Search", caller, Resource="ModelPackage")


@pytest.mark.documented
def test_suggestions_are_names_that_begin_with_the_hint(yard: Yard) -> None:
    """GetSearchSuggestions answers the properties that resources of the kind have."""

    def suggested(hint: str, resource: str = "ModelPackage") -> list[str]:
        query = {"PropertyNameQuery": {"PropertyNameHint": hint}}
        answer = yard.call("sagemaker", "GetSearchSuggestions", Resource=resource, SuggestionQuery=query)
        return [one["PropertyName"] for one in answer["PropertyNameSuggestions"]]

    assert suggested("Customer") == ["CustomerMetadataProperties.a.b", "CustomerMetadataProperties.season"]
    assert suggested("Tags", "ModelPackageGroup") == ["Tags.MLProject"]
    assert suggested("Tags") == []
    assert "ModelApprovalStatus" in suggested("")
    arn = "arn:aws:sagemaker:us-east-1:111122223333:model-package/weather/1"
    yard.call("sagemaker", "DeleteModelPackage", ModelPackageName=arn)
    assert suggested("Customer") == ["CustomerMetadataProperties.season"]
