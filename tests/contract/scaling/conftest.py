"""A house on each database whose endpoints really run, and whose clock is the test's."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import orjson
import pytest
from tests.endpoints import IMAGE, packed, program
from tests.harness import ACCOUNT, START, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.principal import Principal
from modelyard.access.store import add_account
from modelyard.aws.errors import AwsError
from modelyard.endpoints import worker as endpoints
from modelyard.metrics.worker import evaluate
from modelyard.scaling.engine import Engine

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
MINUTE = 60.0


class Scaled:
    """An endpoint, and what is done to have it scaled."""

    def __init__(self, yard: Yard, number: int) -> None:
        self.yard = yard
        self.endpoint = f"Scaled-{number}"
        self.resource = f"endpoint/{self.endpoint}/variant/A"
        self.engine = Engine(yard.house)

    def call(self, service: str, operation: str, by: Principal | None = None, **request: Any) -> Any:
        answer = self.yard.call(service, operation, by, **request)
        return orjson.loads(answer) if isinstance(answer, bytes) else answer

    def scaling(self, operation: str, by: Principal | None = None, **request: Any) -> Any:
        """An operation of scaling on this endpoint."""
        target = {"ServiceNamespace": "sagemaker", "ResourceId": self.resource, "ScalableDimension": DIMENSION}
        return self.call("application-autoscaling", operation, by, **{**target, **request})

    def register(self, least: int, most: int, **more: Any) -> str:
        """Have it scaled between bounds; the ARN of the target."""
        answer = self.scaling("RegisterScalableTarget", MinCapacity=least, MaxCapacity=most, **more)
        return str(answer["ScalableTargetARN"])

    @property
    def bucket(self) -> str:
        """Where its model is."""
        return f"bucket-{self.endpoint.lower()}"

    def deploy(self, part: str = "", instances: int = 1, role: str | None = None, **config: Any) -> None:
        """Make the endpoint, of a program that answers what it is asked unless a part says otherwise."""
        bucket, key, runs_as = self.bucket, "model.tar.gz", {} if role is None else {"ExecutionRoleArn": role}
        self.call("s3", "CreateBucket", Bucket=bucket)
        self.call("s3", "PutObject", Bucket=bucket, Key=key, Body=packed(serve=program(part)))
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/{key}"}
        self.call("sagemaker", "CreateModel", ModelName=self.endpoint, PrimaryContainer=container, **runs_as)
        variant = {
            "VariantName": "A",
            "ModelName": self.endpoint,
            "InitialInstanceCount": instances,
            "InstanceType": "ml.m5.large",
        }
        self.call("sagemaker", "CreateEndpointConfig", EndpointConfigName=self.endpoint, ProductionVariants=[variant], **config)
        self.call("sagemaker", "CreateEndpoint", EndpointName=self.endpoint, EndpointConfigName=self.endpoint)
        self.settle()

    @property
    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("sagemaker", "DescribeEndpoint", EndpointName=self.endpoint)
        return found

    @property
    def counts(self) -> tuple[int, int]:
        """Instances that are wanted, and that run."""
        [variant] = self.described["ProductionVariants"]
        return variant["DesiredInstanceCount"], variant["CurrentInstanceCount"]

    def settle(self) -> None:
        """Let the endpoint become what it is wanted to be."""

        def done() -> bool:
            shown = self.described
            if shown["EndpointStatus"] != "InService":
                return False
            wanted, running = self.counts
            return wanted == running

        assert endpoints.turn_until(self.yard.house, done, 60), self.described

    def turn(self, seconds: float = 0) -> None:
        """Let time go by, and what is done by itself with it."""
        self.yard.clock.advance(seconds)
        evaluate(self.yard.house.storage, self.yard.clock)
        self.engine.turn()

    def put(self, value: float, name: str = "Depth") -> None:
        """A value of a metric of the test's own."""
        self.call("cloudwatch", "PutMetricData", Namespace=self.endpoint, MetricData=[{"MetricName": name, "Value": value}])

    def alarm(self, name: str, action: str, threshold: float, comparison: str = "GreaterThanThreshold", **more: Any) -> None:
        """An alarm on that metric which invokes a policy."""
        metric = {"Namespace": self.endpoint, "MetricName": "Depth", "Statistic": "Average", "Period": 60}
        rule = {"EvaluationPeriods": 1, "Threshold": threshold, "ComparisonOperator": comparison}
        named = f"{self.endpoint}-{name}"
        self.call("cloudwatch", "PutMetricAlarm", AlarmName=named, AlarmActions=[action], **{**metric, **rule, **more})

    def ring(self, name: str, value: str = "ALARM") -> None:
        """Put an alarm into a state by hand."""
        self.call("cloudwatch", "SetAlarmState", AlarmName=name, StateValue=value, StateReason="a test")

    def steps(self, name: str, *steps: dict[str, Any], **more: Any) -> str:
        """A policy of steps; its ARN."""
        config = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": list(steps), "Cooldown": 60, **more}
        answer = self.scaling(
            "PutScalingPolicy", PolicyName=name, PolicyType="StepScaling", StepScalingPolicyConfiguration=config
        )
        return str(answer["PolicyARN"])

    def track(self, name: str, target: float, by: Principal | None = None, **more: Any) -> dict[str, Any]:
        """A policy that keeps the metric of this test at a target; what was answered."""
        metric = {"MetricName": "Depth", "Namespace": self.endpoint, "Statistic": "Average"}
        config = {"TargetValue": target, "CustomizedMetricSpecification": metric, **more}
        answer: dict[str, Any] = self.scaling(
            "PutScalingPolicy",
            by,
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=config,
        )
        return answer

    def leave_alone(self) -> None:
        """Scale nothing of this account any more."""
        found = self.call("application-autoscaling", "DescribeScalableTargets", ServiceNamespace="sagemaker")
        for target in found["ScalableTargets"]:
            self.scaling("DeregisterScalableTarget", ResourceId=target["ResourceId"])

    @property
    def activities(self) -> list[tuple[str, str, str]]:
        """What was done, newest first: description, cause and status."""
        found = self.scaling("DescribeScalingActivities")["ScalingActivities"]
        return [(one["Description"], one["Cause"], one["StatusCode"]) for one in found]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yard = stack.enter_context(house(tmp_path_factory.mktemp("scaling"), **settings))
        yard.house.storage.write(lambda tx: add_account(tx, ACCOUNT, START))
        yield yard


@pytest.fixture
def scaled(shared_house: Yard, request: pytest.FixtureRequest) -> Iterator[Scaled]:
    """An endpoint of the test's own with one instance; nothing is left that scales it."""
    found = Scaled(shared_house, abs(hash(request.node.nodeid)) % 10**12)
    found.deploy()
    yield found
    found.leave_alone()
    with suppress(AwsError):  # deleted by the test
        found.call("sagemaker", "DeleteEndpoint", EndpointName=found.endpoint)


@pytest.fixture(scope="session")
def shared_endpoint(shared_house: Yard) -> Scaled:
    """An endpoint that no test changes."""
    found = Scaled(shared_house, 0)
    found.deploy()
    return found


@pytest.fixture
def resting(shared_endpoint: Scaled) -> Iterator[Scaled]:
    """An endpoint whose capacity the test leaves as it is: making one of its own takes longer than the test."""
    yield shared_endpoint
    shared_endpoint.leave_alone()


@contextmanager
def refused(code: str, match: str = "") -> Iterator[None]:
    """The block ends in this error."""
    with pytest.raises(AwsError, match=match or None) as caught:
        yield
    assert caught.value.code == code
