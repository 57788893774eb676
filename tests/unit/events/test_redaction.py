"""What of a request is recorded: everything but secrets and content, and no more than fits."""

import json
from io import BytesIO
from typing import Any

import orjson
import pytest

from modelyard.aws.catalogue import Catalogue
from modelyard.aws.models import own_models
from modelyard.events.audit_record import MOST_BYTES, canonical, subjects_of
from modelyard.events.redaction import CONTENT, SENSITIVE, Redaction, of_answer

pytestmark = pytest.mark.ours

CATALOGUE = Catalogue(own_models())
REDACTION = Redaction()


def recorded(service: str, operation: str, **request: Any) -> Any:
    return REDACTION.of(CATALOGUE.operation(service, operation), request)


@pytest.mark.parametrize(
    ("service", "operation", "request_", "expected"),
    [
        (
            "sagemaker",
            "CreateModelCard",
            {"ModelCardName": "card", "Content": "{}", "ModelCardStatus": "Draft"},
            {"ModelCardName": "card", "Content": SENSITIVE, "ModelCardStatus": "Draft"},
        ),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k", "Body": BytesIO(b"x")}, {"Bucket": "b", "Key": "k", "Body": CONTENT}),
        ("kms", "Encrypt", {"KeyId": "k", "Plaintext": b"secret"}, {"KeyId": "k", "Plaintext": SENSITIVE}),
        ("kms", "Decrypt", {"CiphertextBlob": b"123"}, {"CiphertextBlob": "(3 bytes: left out)"}),
        ("sts", "GetSessionToken", {"SerialNumber": "n", "TokenCode": "123456"}, {"SerialNumber": "n", "TokenCode": SENSITIVE}),
        ("sqs", "SendMessage", {"QueueUrl": "q", "MessageBody": "m"}, {"QueueUrl": "q", "MessageBody": CONTENT}),
        (
            "lambda",
            "CreateFunction",
            {"FunctionName": "f", "Code": {"ZipFile": b"zip"}, "Environment": {"Variables": {"A": "b"}}},
            {"FunctionName": "f", "Code": {"ZipFile": SENSITIVE}, "Environment": {"Variables": SENSITIVE}},
        ),
        (
            "sagemaker",
            "CreateModelPackage",
            {"InferenceSpecification": {"Containers": [{"Image": "i", "Environment": {"MODE": "a", "DB_PASSWORD": "p"}}]}},
            {"InferenceSpecification": {"Containers": [{"Image": "i", "Environment": {"MODE": "a", "DB_PASSWORD": SENSITIVE}}]}},
        ),
        ("iam", "CreateUser", {"UserName": "u"}, {"UserName": "u"}),
    ],
)
def test_secrets_and_content_are_left_out(service: str, operation: str, request_: dict[str, Any], expected: Any) -> None:
    """What the model marks as sensitive, bytes, one-time codes, messages and secret variables are not recorded."""
    assert recorded(service, operation, **request_) == expected


def test_the_request_itself_is_left_alone() -> None:
    """The operation still gets what was sent."""
    request = {"ModelCardName": "card", "Content": "{}", "ModelCardStatus": "Draft"}
    REDACTION.of(CATALOGUE.operation("sagemaker", "CreateModelCard"), request)
    assert request["Content"] == "{}"


def test_every_operation_of_every_model_can_be_compiled() -> None:
    """Shapes that hold themselves included."""
    for service in (
        "sagemaker",
        "s3",
        "iam",
        "sts",
        "ecr",
        "kms",
        "lambda",
        "events",
        "scheduler",
        "sqs",
        "logs",
        "cloudwatch",
        "modelyard",
    ):
        model = CATALOGUE.operation(service, next(iter(_operations(service))))
        for name in _operations(service):
            assert REDACTION.of(CATALOGUE.operation(service, name), {}) == {}
        assert model.service == service


def _operations(service: str) -> Any:
    return CATALOGUE._load(CATALOGUE._services[service]).model.operations


def test_only_identifiers_of_an_answer_are_recorded() -> None:
    """A secret that an operation answers does not get into the trail."""
    answer = {"UserArn": "arn:x", "SecretAccessKey": "s", "Credentials": {"SessionToken": "t"}, "VersionId": "v", "Count": 3}
    assert of_answer(answer) == {"UserArn": "arn:x", "VersionId": "v"}
    assert of_answer(None) == {}


def test_a_record_is_canonical() -> None:
    """Members stand in the order of their names, without white space, whatever order they came in."""
    assert canonical({"b": {"d": 1, "c": [1.5, None]}, "a": "ä"}) == '{"a":"ä","b":{"c":[1.5,null],"d":1}}'.encode()


def test_large_parameters_are_shortened_and_say_so() -> None:
    """A record stays below its limit: long texts and lists are cut off first, then whole parameters are named as left out."""
    text = canonical({"parameters": {"Long": "x" * 100_000, "Short": "y"}})
    assert len(text) < MOST_BYTES
    parameters = orjson.loads(text)["parameters"]
    assert parameters["Short"] == "y"
    assert parameters["Long"].endswith("characters more)")
    text = canonical({"parameters": {"Many": {str(number): "x" * 400 for number in range(1000)}, "Short": "y"}})
    assert len(text) < MOST_BYTES
    record = orjson.loads(text)
    assert (record["parameters"], record["left_out"]) == ({"Short": "y"}, ["Many"])


@pytest.mark.parametrize("value", ["\ud800", 2**70, object(), b"bytes"])
def test_nothing_that_a_request_may_hold_breaks_a_record(value: Any) -> None:
    """Halves of surrogate pairs, huge numbers and things that are no JSON become text."""
    assert json.loads(canonical({"parameters": {"Odd": value}}))["parameters"].keys() == {"Odd"}


def test_a_record_is_found_by_accounts_principal_and_resources() -> None:
    """Each counts once, without regard to case."""
    record = {"account": "1", "principal": "arn:p", "resources": ["arn:R", "arn:r"], "made": {"Arn": "arn:m", "Id": "i"}}
    assert len(subjects_of(record)) == 4
