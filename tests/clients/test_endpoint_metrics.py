"""What endpoints tell CloudWatch of themselves, and what an alarm on that does to a deployment."""

import time
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.endpoints import Deployer, Load, eventually, program, says
from tests.running import RunningYard, both_databases

pytestmark = [pytest.mark.slow]

FAILING = program("def invoke(body, headers):\n    return 500, b'out of order', {}\n")
CANARY = {
    "TrafficRoutingConfiguration": {
        "Type": "CANARY",
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        "WaitIntervalInSeconds": 300,
    }
}


@pytest.fixture
def deployer(yard: RunningYard, request: pytest.FixtureRequest) -> Deployer:
    """Somebody who deploys, with names of the test's own."""
    return Deployer(yard, f"m{zlib.crc32(request.node.name.encode()):x}")


def dimensions(endpoint: str) -> list[dict[str, str]]:
    return [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}]


def total(deployer: Deployer, endpoint: str, metric: str, statistic: str = "Sum") -> float:
    """A statistic of a metric of the last minutes."""
    now = datetime.fromtimestamp(time.time(), UTC)
    found: list[dict[str, Any]] = deployer.yard.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=metric,
        Dimensions=dimensions(endpoint),
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Period=1200,
        Statistics=[statistic],
    )["Datapoints"]
    return sum(each[statistic] for each in found)


@both_databases
@pytest.mark.documented
def test_invocations_become_metrics(deployer: Deployer) -> None:
    """Requests, errors of either kind and the model's time are published under SageMaker's names a few seconds later."""
    part = "def invoke(body, headers):\n    time.sleep(0.02)\n    return int(body), b'', {}\n"
    name = deployer.deploy("codes", program(part))
    for code in (200, 200, 200, 404, 500):
        try:
            deployer.invoke(name, str(code).encode())
        except ClientError as error:
            assert error.response["OriginalStatusCode"] == code, error.response
    eventually(lambda: total(deployer, name, "Invocations") == 5)
    found = {
        metric: total(deployer, name, metric)
        for metric in ("InvocationsPerInstance", "Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")
    }
    assert found == {
        "InvocationsPerInstance": 5,
        "Invocation4XXErrors": 1,
        "Invocation5XXErrors": 1,
        "InvocationModelErrors": 2,
    }
    assert total(deployer, name, "ModelLatency", "Minimum") >= 20_000
    assert total(deployer, name, "OverheadLatency", "SampleCount") == 5
    eventually(lambda: total(deployer, name, "ConcurrentRequestsPerModel", "SampleCount") > 0)


@pytest.mark.documented
def test_an_alarm_on_errors_takes_a_canary_back(deployer: Deployer) -> None:
    """A new model that answers 500 gets half of the requests for a moment: then all are answered by the old one again."""
    name = deployer.deploy("good", says("good"))
    alarm = deployer.named("errors")
    deployer.yard.client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=dimensions(name),
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    with Load(deployer, name, per_second=10, threads=2) as load:
        deployer.model("bad", FAILING)
        deployer.config("bad", {"InitialInstanceCount": 2})
        rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]}}
        deployer.sagemaker.update_endpoint(
            EndpointName=name,
            EndpointConfigName=deployer.named("bad"),
            DeploymentConfig={"BlueGreenUpdatePolicy": CANARY, **rollback},
        )
        shown = deployer.settled(name, seconds=90)
        assert shown["EndpointConfigName"] == name
        assert alarm in shown["FailureReason"]
        assert load.failed, "nobody has met the new model"
        before = len(load.failed)
        answered = load.answers[b"good"]
        eventually(lambda: load.answers[b"good"] > answered + 20)
        assert len(load.failed) <= before + 2, "only what was under way then"
