"""Asynchronous endpoints: no instance while nobody asks, and one for what waits in the queue."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.scaling.conftest import MINUTE, Scaled
from tests.harness import ALLOW_EVERYTHING, Yard

from modelyard.aws.errors import AwsError
from modelyard.endpoints import worker as endpoints

TRUST = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture
def later(shared_house: Yard, request: pytest.FixtureRequest) -> Iterator[Scaled]:
    """An asynchronous endpoint of the test's own with one instance; nothing is left that scales it."""
    found = Scaled(shared_house, abs(hash(request.node.nodeid)) % 10**12)
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    role = found.call("iam", "CreateRole", RoleName=found.endpoint, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    found.call("iam", "PutRolePolicy", RoleName=found.endpoint, PolicyName="p", PolicyDocument=ALLOW_EVERYTHING)
    output = {"OutputConfig": {"S3OutputPath": f"s3://{found.bucket}/out"}}
    found.deploy(role=role, AsyncInferenceConfig=output)
    yield found
    found.leave_alone()
    found.call("sagemaker", "DeleteEndpoint", EndpointName=found.endpoint)


def answer(later: Scaled, asked: dict[str, Any]) -> bytes | None:
    """What a request was answered with, if it was answered."""
    bucket, _, key = asked["OutputLocation"].removeprefix("s3://").partition("/")
    try:
        found: bytes = later.call("s3", "GetObject", Bucket=bucket, Key=key)["Body"]
    except AwsError as error:
        assert error.code == "NoSuchKey"
        return None
    return found


@pytest.mark.documented
def test_a_request_brings_the_first_instance_and_the_last_one_goes(later: Scaled) -> None:
    """With no instance the alarm on a backlog without capacity brings one, as AWS's guide has it; without a backlog it goes."""
    later.register(0, 2)
    wanted = [{"VariantName": "A", "DesiredInstanceCount": 0}]
    later.call("sagemaker", "UpdateEndpointWeightsAndCapacities", EndpointName=later.endpoint, DesiredWeightsAndCapacities=wanted)
    later.settle()
    of_endpoint = {"Namespace": "AWS/SageMaker", "Dimensions": [{"Name": "EndpointName", "Value": later.endpoint}]}
    metric = {
        **of_endpoint,
        "MetricName": "HasBacklogWithoutCapacity",
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "TreatMissingData": "missing",
    }
    first = later.steps("first", {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}, Cooldown=150)
    later.alarm("waits", first, 1, "GreaterThanOrEqualToThreshold", **metric)

    def minute() -> int:
        """Let one go by; how many instances are wanted then."""
        later.yard.clock.advance(MINUTE)
        endpoints.turn(later.yard.house)
        later.turn()
        return later.counts[0]

    assert [minute() for _ in range(3)] == [0, 0, 0]
    asked = later.call("sagemaker-runtime", "InvokeEndpointAsync", EndpointName=later.endpoint, Body=b"what is this?")
    assert 1 in (minute() for _ in range(5))
    later.settle()
    assert later.counts == (1, 1)
    assert endpoints.turn_until(later.yard.house, lambda: answer(later, asked) is not None, 60)
    assert answer(later, asked) == b"what is this?"
    assert [minute() for _ in range(4)] == [1, 1, 1, 1], "one is enough"
    cause = f"monitor alarm {later.endpoint}-waits in state ALARM triggered policy first"
    assert later.activities == [("Setting desired instance count to 1.", cause, "Successful")]
    share = {**of_endpoint, "MetricName": "ApproximateBacklogSizePerInstance", "Statistic": "Average"}
    later.track("share", 5, CustomizedMetricSpecification=share, ScaleInCooldown=60)
    assert 0 in (minute() for _ in range(20))
    later.settle()
    assert later.counts == (0, 0)
