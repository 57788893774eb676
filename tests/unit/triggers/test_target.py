"""Targets: what can be one, and how often delivery is tried."""

from typing import Any

import pytest

from modelyard.aws.errors import AwsError
from modelyard.triggers.failure import of_error, of_status
from modelyard.triggers.target import Kind, RetryPolicy, TargetError, check_target, kind_of, pause

QUEUE = "arn:aws:sqs:us-east-1:111122223333:sales"
ROLE = "arn:aws:iam::111122223333:role/r"
PIPELINE = "arn:aws:sagemaker:us-east-1:111122223333:pipeline/train"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        (QUEUE, Kind.QUEUE),
        ("arn:aws:lambda:us-east-1:111122223333:function:deploy", Kind.FUNCTION),
        ("arn:aws:lambda:us-east-1:111122223333:function:deploy:live", Kind.FUNCTION),
        (PIPELINE, Kind.PIPELINE),
        ("arn:aws:events:us-east-1:111122223333:api-destination/hook/0a1b", Kind.DESTINATION),
        ("arn:aws:sns:us-east-1:111122223333:topic", None),
        ("queue", None),
    ],
)
def test_kinds(arn: str, kind: Kind | None) -> None:
    """The ARN says what a target is."""
    assert kind_of(arn) is kind


@pytest.mark.documented
@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"Arn": "queue"}, "Provided Arn is not in correct format"),
        ({"Arn": "arn:aws:sns:us-east-1:111122223333:topic"}, "not to this resource of sns"),
        ({"Input": "{}", "InputPath": "$.a"}, "Only one of Input, InputPath, or InputTransformer"),
        ({"Arn": f"{QUEUE}.fifo"}, "SqsParameters must be specified for target: one"),
        ({"Arn": PIPELINE}, "RoleArn is required for target"),
        ({"InputPath": "detail"}, "Invalid JSONPath detail"),
        ({"InputTransformer": {"InputPathsMap": {"a": "x"}, "InputTemplate": "<a>"}}, "Invalid JSONPath x"),
        ({"InputTransformer": {"InputPathsMap": {"aws.a": "$.x"}, "InputTemplate": "<a>"}}, "reserved name"),
        ({"DeadLetterConfig": {"Arn": f"{QUEUE}.fifo"}}, "a dead-letter queue is a standard SQS queue"),
    ],
)
def test_what_is_no_target(more: dict[str, Any], reason: str) -> None:
    """What could never be delivered to is refused when it is put."""
    check_target({"Id": "one", "Arn": QUEUE})
    with pytest.raises(TargetError, match=reason):
        check_target({"Id": "one", "Arn": QUEUE, **more})


@pytest.mark.documented
def test_retry_policies() -> None:
    """AWS's defaults are 185 attempts in a day; either limit ends them."""
    usual = RetryPolicy.of({})
    assert (usual.exhausted(185, 86399), usual.exhausted(186, 0)) == ("", "MaximumRetryAttempts")
    assert usual.exhausted(1, 86400) == "MaximumEventAgeInSeconds"
    none = RetryPolicy.of({"RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}})
    assert none.exhausted(1, 0) == "MaximumRetryAttempts"


@pytest.mark.ours
def test_pauses_grow_with_jitter() -> None:
    """Each pause lies between half its length and all of it, doubling up to eight minutes; 185 of them fit into a day."""
    for attempts in range(1, 12):
        longest = min(480.0, 2.0 ** (attempts - 1))
        pauses = {pause(attempts, delivery) for delivery in range(200)}
        assert len(pauses) > 190
        assert longest / 2 <= min(pauses) < 0.6 * longest < 0.9 * longest < max(pauses) <= longest
    assert sum(pause(attempts, 1) for attempts in range(1, 186)) < 86400


@pytest.mark.documented
@pytest.mark.parametrize(
    ("code", "status", "permanent"),
    [
        ("AccessDeniedException", 400, True),
        ("QueueDoesNotExist", 400, True),
        ("UnknownOperationException", 400, True),
        ("ThrottlingException", 400, False),
        ("TooManyRequestsException", 429, False),
        ("ServiceException", 500, False),
    ],
)
def test_which_errors_are_permanent(code: str, status: int, permanent: bool) -> None:
    """Missing permissions and resources are not tried again where there is a dead-letter queue; what passes is."""
    assert of_error(AwsError("no", code=code, status=status)).permanent is permanent


@pytest.mark.documented
@pytest.mark.parametrize(
    ("status", "permanent"), [(400, True), (302, True), (404, True), (409, False), (429, False), (500, False)]
)
def test_which_answers_are_permanent(status: int, permanent: bool) -> None:
    """EventBridge tries 409, 429 and 5xx again."""
    assert of_status(status, None).permanent is permanent
