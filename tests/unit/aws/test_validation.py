"""What is said of requests that break the service model: every constraint, all at once, in AWS's words."""

import pytest

from modelyard.aws.catalogue import Catalogue
from modelyard.aws.errors import AwsError
from modelyard.aws.models import ServiceModel
from modelyard.aws.services import Service
from modelyard.aws.validation import Validators
from modelyard.aws.violations import LONGEST_VALUE, MOST_REPORTED, Violations

CATALOGUE = Catalogue()
CONSTRAINT = r"Member must satisfy regular expression pattern: .*(?:[ \r\n\t].*)*"
NAME_PATTERN = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"


def complaint(service: str, operation: str, request: dict) -> str:
    with pytest.raises(AwsError) as raised:
        CATALOGUE.operation(service, operation).validate(request)
    return raised.value.message


def of_shape(shapes: dict, request: dict, service: str = "case") -> str:
    """The complaint about a request of the shape `Input` of a made-up model."""
    model = ServiceModel(
        Service(service, ("json",), service, service, "2026-01-01"), {"metadata": {}, "operations": {}, "shapes": shapes}
    )
    with pytest.raises(AwsError) as raised:
        Validators(model).validator(model.shape({"shape": "Input"}))(request)
    return raised.value.message


@pytest.mark.documented
def test_missing_member():
    """A required member that is absent is null."""
    assert complaint("sagemaker", "CreateModelPackageGroup", {}) == (
        "1 validation error detected: Value null at 'modelPackageGroupName' failed to satisfy constraint: Member must not be null"
    )


@pytest.mark.seen
def test_pattern():
    """A string that does not match its pattern is shown with the pattern as the model has it."""
    assert complaint("sagemaker", "CreateModelPackageGroup", {"ModelPackageGroupName": "my_group"}) == (
        "1 validation error detected: Value 'my_group' at 'modelPackageGroupName' failed to satisfy constraint: "
        f"Member must satisfy regular expression pattern: {NAME_PATTERN}"
    )


@pytest.mark.documented
def test_length_and_pattern_together():
    """One value may break several constraints, each of which is told."""
    name = "a" * 63 + "-"
    assert complaint("sagemaker", "CreateModelPackageGroup", {"ModelPackageGroupName": name}) == (
        f"2 validation errors detected: Value '{name}' at 'modelPackageGroupName' failed to satisfy constraint: "
        f"Member must have length less than or equal to 63; Value '{name}' at 'modelPackageGroupName' failed to satisfy "
        f"constraint: Member must satisfy regular expression pattern: {NAME_PATTERN}"
    )


@pytest.mark.documented
def test_enumeration():
    """A value that is not of its enumeration is answered with the values that are."""
    assert complaint("sagemaker", "ListModelPackageGroups", {"SortOrder": "Up"}) == (
        "1 validation error detected: Value 'Up' at 'sortOrder' failed to satisfy constraint: "
        "Member must satisfy enum value set: [Ascending, Descending]"
    )


@pytest.mark.documented
@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "Member must have value greater than or equal to 1"), (101, "Member must have value less than or equal to 100")],
)
def test_range(value, words):
    """A number outside its range is told the bound it breaks."""
    assert complaint("sagemaker", "ListModelPackageGroups", {"MaxResults": value}) == (
        f"1 validation error detected: Value '{value}' at 'maxResults' failed to satisfy constraint: {words}"
    )


@pytest.mark.documented
def test_nested_path():
    """The path to a member of a list of structures counts from 1."""
    request = {
        "ModelPackageGroupName": "g",
        "InferenceSpecification": {
            "Containers": [{"Image": "a/b:1"}, {"ModelDataUrl": "ftp://b/k", "Image": "a b"}],
            "SupportedContentTypes": ["text/csv"],
        },
    }
    assert complaint("sagemaker", "CreateModelPackage", request) == (
        "2 validation errors detected: Value 'ftp://b/k' at 'inferenceSpecification.containers.2.member.modelDataUrl' failed to "
        "satisfy constraint: Member must satisfy regular expression pattern: (https|s3)://([^/]+)/?(.*); Value 'a b' at "
        "'inferenceSpecification.containers.2.member.image' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [\\S]+"
    )


@pytest.mark.seen
def test_scalars_of_a_list():
    """A list of scalars is shown whole, with all constraints of what it holds."""
    request = {"ModelPackageGroupName": "g", "InferenceSpecification": {"Containers": [{"Image": "i"}]}}
    request["InferenceSpecification"]["SupportedResponseMIMETypes"] = ["text/csv", "x"]
    assert complaint("sagemaker", "CreateModelPackage", request) == (
        "1 validation error detected: Value '[text/csv, x]' at 'inferenceSpecification.supportedResponseMIMETypes' failed to "
        "satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 1024, "
        "Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: [-\\w]+\\/.+]"
    )


@pytest.mark.seen
def test_keys_and_values_of_a_map():
    """A map of scalars is shown whole; its keys and its values are told apart."""
    request = {"ModelPackageGroupName": "g", "CustomerMetadataProperties": {"#": "x" * 257}}
    value = "{#=" + "x" * 257 + "}"
    assert complaint("sagemaker", "CreateModelPackage", request) == (
        f"2 validation errors detected: Value '{value}' at 'customerMetadataProperties' failed to satisfy constraint: "
        "Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater "
        "than or equal to 1, Member must satisfy regular expression pattern: ([\\p{L}\\p{Z}\\p{N}_.:\\/=+\\-@]*)${1,128}]; "
        f"Value '{value}' at 'customerMetadataProperties' failed to satisfy constraint: Map value must satisfy constraint: "
        "[Member must have length less than or equal to 256, Member must have length greater than or equal to 1, "
        "Member must satisfy regular expression pattern: ([\\p{L}\\p{Z}\\p{N}_.:\\/=+\\-@]*)${1,256}]"
    )


@pytest.mark.documented
def test_size_of_a_list():
    """A list that is too long is shown as Java prints it."""
    containers = [{"Image": f"i{number}"} for number in range(16)]
    request = {"ModelPackageGroupName": "g", "InferenceSpecification": {"Containers": containers}}
    shown = ", ".join(f"{{Image=i{number}}}" for number in range(16))
    assert complaint("sagemaker", "CreateModelPackage", request) == (
        f"1 validation error detected: Value '[{shown}]' at 'inferenceSpecification.containers' failed to satisfy constraint: "
        "Member must have length less than or equal to 15"
    )


@pytest.mark.documented
def test_recursive_shape():
    """A shape that holds itself is checked all the way down."""
    bad = {"Filters": [{"Name": "", "Operator": "Equals"}]}
    request = {"Resource": "ModelPackage", "SearchExpression": {"SubExpressions": [{"SubExpressions": [bad]}]}}
    path = "searchExpression.subExpressions.1.member.subExpressions.1.member.filters.1.member.name"
    value = f"Value '' at '{path}' failed to satisfy constraint:"
    assert complaint("sagemaker", "Search", request) == (
        f"2 validation errors detected: {value} Member must have length greater than or equal to 1; "
        f"{value} Member must satisfy regular expression pattern: .+"
    )


@pytest.mark.seen
def test_map_of_lists_of_structures():
    """Below a map, the path goes on with the key."""
    shapes = {
        "Input": {"type": "structure", "members": {"RequestItems": {"shape": "Tables"}}},
        "Tables": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Writes"}},
        "Writes": {"type": "list", "member": {"shape": "Write"}, "max": 25, "min": 1},
        "Write": {"type": "structure", "required": ["Item"], "members": {"Item": {"shape": "Text"}}},
        "Text": {"type": "string"},
    }
    assert of_shape(shapes, {"RequestItems": {"aa": [{}]}}) == (
        "1 validation error detected: Value null at 'requestItems.aa.member.1.member.item' failed to satisfy constraint: "
        "Member must not be null"
    )


@pytest.mark.ours
@pytest.mark.parametrize("value", [{}, {"A": "x", "B": "y"}])
def test_union(value):
    """A union has exactly one of its members."""
    shapes = {
        "Input": {"type": "structure", "members": {"Choice": {"shape": "Choice"}}},
        "Choice": {"type": "structure", "union": True, "members": {"A": {"shape": "Text"}, "B": {"shape": "Text"}}},
        "Text": {"type": "string"},
    }
    assert of_shape(shapes, {"Choice": value}).endswith(
        "at 'choice' failed to satisfy constraint: Member must have exactly one of the members: [a, b]"
    )


@pytest.mark.documented
def test_secrets_are_not_repeated():
    """The value of a sensitive member is left out of the message."""
    shapes = {
        "Input": {"type": "structure", "members": {"Password": {"shape": "Secret"}}},
        "Secret": {"type": "string", "sensitive": True, "min": 8},
    }
    assert of_shape(shapes, {"Password": "short"}) == (
        "1 validation error detected: Value at 'password' failed to satisfy constraint: "
        "Member must have length greater than or equal to 8"
    )


@pytest.mark.ours
def test_documents_are_not_looked_into():
    """A document may be any JSON value."""
    shapes = {
        "Input": {"type": "structure", "members": {"Any": {"shape": "Document"}, "Text": {"shape": "Text"}}},
        "Document": {"type": "structure", "members": {}, "document": True},
        "Text": {"type": "string", "max": 1},
    }
    assert "'text'" in of_shape(shapes, {"Any": [1, {"a": None}], "Text": "ab"})


@pytest.mark.ours
def test_null_is_absent():
    """A member that is None counts as absent, as in a call from one part to another."""
    assert "Value null at 'modelPackageGroupName'" in complaint(
        "sagemaker", "CreateModelPackageGroup", {"ModelPackageGroupName": None, "ModelPackageGroupDescription": None}
    )


@pytest.mark.ours
def test_long_values_are_cut():
    """A message does not carry a megabyte back."""
    message = complaint("sagemaker", "CreateModelPackageGroup", {"ModelPackageGroupName": "a" * 1_000_000})
    assert len(message) < LONGEST_VALUE + 300
    assert "aaa...' at" in message


@pytest.mark.ours
def test_many_violations_are_counted_but_not_all_told():
    """A request with thousands of faults gets a message of bounded length."""
    violations = Violations()
    for number in range(5000):
        violations.add(f"tags.{number}.member.key", [{"a": "x" * 100}] * 1000, "Member must not be null")
    assert violations.message().startswith("5000 validation errors detected: ")
    assert violations.message().count("failed to satisfy") == MOST_REPORTED
    assert len(violations.message()) < MOST_REPORTED * (LONGEST_VALUE + 200)


@pytest.mark.ours
def test_one_slow_string_ends_the_validation():
    """A string that keeps its pattern busy is reported with its path, and the rest of the request is not looked at."""
    slow = {"PipelineDefinition": "a b " * 5000 + "\u2028"}
    message = complaint("sagemaker", "CreatePipeline", {"PipelineName": "p", **slow, "ClientRequestToken": "t", "RoleArn": "r"})
    assert message.count("Value 'a b a b") == 1
    assert message.endswith("' at 'pipelineDefinition' failed to satisfy constraint: " + CONSTRAINT)


@pytest.mark.ours
def test_deep_value_is_shown_without_recursion_trouble():
    """A value nested as deep as the parser allows can be shown."""
    value: object = "x"
    for _ in range(64):
        value = [value]
    violations = Violations()
    violations.add("any", value, "Member must not be null")
    assert "[[[[x" in violations.message().replace("[" * 60, "")


@pytest.mark.documented
@pytest.mark.parametrize(
    ("service", "operation", "request_", "code"),
    [
        ("sts", "AssumeRole", {}, "ValidationException"),
        ("s3", "PutObject", {"Bucket": "b"}, "InvalidArgument"),
        ("s3", "PutObject", {"Bucket": "b", "Key": ""}, "InvalidArgument"),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k", "StorageClass": "WARM"}, "InvalidStorageClass"),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k", "ACL": "everybody"}, "InvalidArgument"),
        ("s3", "PutBucketVersioning", {"Bucket": "b"}, "MalformedXML"),
        ("s3", "PutBucketVersioning", {"Bucket": "b", "VersioningConfiguration": {"Status": "On"}}, "MalformedXML"),
        ("s3", "DeleteObjects", {"Bucket": "b", "Delete": {"Objects": [{}]}}, "MalformedXML"),
    ],
)
def test_errors_of_services(service, operation, request_, code):
    """S3 tells a malformed document from a bad argument; every other service has one error for all."""
    with pytest.raises(AwsError) as raised:
        CATALOGUE.operation(service, operation).validate(request_)
    assert (raised.value.code, raised.value.status) == (code, 400)


@pytest.mark.documented
def test_valid_request_passes():
    """A request that breaks nothing raises nothing; unconstrained operations take anything."""
    CATALOGUE.operation("sagemaker", "CreateModelPackageGroup").validate({"ModelPackageGroupName": "g", "Tags": []})
    CATALOGUE.operation("sts", "GetCallerIdentity").validate({})
    CATALOGUE.operation("sqs", "ListQueues").validate({"MaxResults": 3})


@pytest.mark.documented
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none(value):
    """NaN and infinity are in no range."""
    shapes = {
        "Input": {"type": "structure", "members": {"Weight": {"shape": "Weight"}}},
        "Weight": {"type": "float", "min": 0, "max": 1},
    }
    assert "at 'weight'" in of_shape(shapes, {"Weight": value})
