"""Scaling through boto3 and the AWS CLI: an endpoint that gets instances and gives them back as requests come and go."""

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from tests.endpoints import Deployer, Load, eventually, says
from tests.running import RunningYard

pytestmark = [pytest.mark.slow]

AWS = Path(sys.executable).with_name("aws")
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


@pytest.fixture
def deployer(yard: RunningYard, request: pytest.FixtureRequest) -> Deployer:
    """Somebody who deploys, with names of the test's own."""
    return Deployer(yard, f"s{zlib.crc32(request.node.name.encode()):x}")


def rule(endpoint: str, metric: str, comparison: str, threshold: float) -> dict[str, Any]:
    """An alarm on ten seconds of an endpoint's metric."""
    return {
        "Namespace": "AWS/SageMaker",
        "MetricName": metric,
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}],
        "Statistic": "Sum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": threshold,
        "ComparisonOperator": comparison,
    }


@pytest.mark.documented
def test_an_endpoint_follows_its_load(deployer: Deployer) -> None:
    """With many requests a second instance comes, and with few it goes again; each of them is answered meanwhile."""
    name = deployer.deploy("follows", says("here"))
    scaling, cloudwatch = (deployer.yard.client(service) for service in ("application-autoscaling", "cloudwatch"))
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/AllTraffic",
        "ScalableDimension": DIMENSION,
    }
    arn = scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)["ScalableTargetARN"]
    rules = {
        "out": (rule(name, "InvocationsPerInstance", "GreaterThanThreshold", 150), {"MetricIntervalLowerBound": 0}, 1),
        "in": (rule(name, "Invocations", "LessThanThreshold", 90), {"MetricIntervalUpperBound": 0}, -1),
    }

    def put(which: str) -> None:
        alarm, bound, change = rules[which]
        policy = scaling.put_scaling_policy(
            **target,
            PolicyName=which,
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [{**bound, "ScalingAdjustment": change}],
                "Cooldown": 0,
            },
        )["PolicyARN"]
        cloudwatch.put_metric_alarm(AlarmName=f"{name}-{which}", AlarmActions=[policy], **alarm)

    def count() -> int:
        [variant] = deployer.described(name)["ProductionVariants"]
        return int(variant["CurrentInstanceCount"])

    put("out")
    with Load(deployer, name, per_second=40, threads=4) as many:
        eventually(lambda: count() == 2, 120)
    put("in")
    with Load(deployer, name, per_second=2, threads=2) as few:
        eventually(lambda: count() == 1, 120)
    assert not many.failed + few.failed, (many.failed + few.failed)[:3]
    done = eventually(
        lambda: (
            (found := scaling.describe_scaling_activities(**target)["ScalingActivities"])[0]["StatusCode"] == "Successful"
            and found
        )
    )
    assert [each["Description"] for each in done] == [f"Setting desired instance count to {number}." for number in (1, 2)]
    command = [AWS, "application-autoscaling", "describe-scalable-targets", "--service-namespace", "sagemaker"]
    shown = subprocess.run(
        [*command, "--resource-ids", target["ResourceId"]], env=deployer.yard.environment(), capture_output=True, check=True
    )
    [found] = json.loads(shown.stdout)["ScalableTargets"]
    assert (found["ScalableTargetARN"], found["MaxCapacity"]) == (arn, 2)
    scaling.deregister_scalable_target(**target)
