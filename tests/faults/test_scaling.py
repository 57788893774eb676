"""Scaling while the server dies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.endpoints import Deployer, eventually, says
from tests.running import RunningYard

pytestmark = [pytest.mark.slow, pytest.mark.ours]


@pytest.fixture
def own_yard(tmp_path: Path) -> Iterator[RunningYard]:
    """A server of the test's own, which it may kill."""
    yard = RunningYard(tmp_path / "data")
    yard.start()
    yield yard
    yard.stop()
    assert not yard.defects(), "\n".join(yard.defects())


def test_an_alarm_scales_once_however_often_the_server_is_killed(own_yard: RunningYard) -> None:
    """An alarm goes off and the server is killed, at once and while the new instance starts: in the end there is one more, and
    one activity that says so."""
    deployer = Deployer(own_yard, "scaled")
    name = deployer.deploy("one", says("one"))
    scaling, cloudwatch = (own_yard.client(service) for service in ("application-autoscaling", "cloudwatch"))
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=9)
    step = {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}
    policy = scaling.put_scaling_policy(
        **target,
        PolicyName="out",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [step], "Cooldown": 0},
    )["PolicyARN"]
    metric = {"Namespace": "App", "MetricName": "None", "Statistic": "Sum", "Period": 60}
    rule = {"EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}
    cloudwatch.put_metric_alarm(AlarmName="a", AlarmActions=[policy], TreatMissingData="ignore", **metric, **rule)
    cloudwatch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="a test")
    own_yard.kill()
    own_yard.start()
    # It is rung for now, or was before; either way the next kill comes while the instance starts, or soon after.
    eventually(lambda: deployer.described(name)["ProductionVariants"][0]["DesiredInstanceCount"] == 2, 60)
    own_yard.kill()
    own_yard.start()
    deployer.settled(name, seconds=90)
    done = eventually(
        lambda: (
            (found := scaling.describe_scaling_activities(**target)["ScalingActivities"])[0]["StatusCode"] == "Successful"
            and found
        ),
        60,
    )
    assert [each["Description"] for each in done] == ["Setting desired instance count to 2."]
    [variant] = deployer.described(name)["ProductionVariants"]
    assert (variant["DesiredInstanceCount"], variant["CurrentInstanceCount"]) == (2, 2)
    assert deployer.invoke(name) == b"one"
