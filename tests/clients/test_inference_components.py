"""Inference components through boto3: copies of several models that share the instances of one endpoint."""

import json
import re
import subprocess
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.clients.environments import client_environment
from tests.endpoints import IMAGE, Deployer, Load, eventually, packed, program, says
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = [pytest.mark.slow]

PROGRAMS = Path(__file__).parent / "programs"
ROLLING = {"RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "COPY_COUNT", "Value": 1}, "WaitIntervalInSeconds": 0}}


class Components(Deployer):
    """Somebody who deploys models next to each other, on an endpoint of their own."""

    def host(self, name: str = "host", count: int = 1) -> str:
        """An endpoint for components; its name."""
        role = self.role(name, "s3:*", "logs:*")
        variant = {"VariantName": "all", "InstanceType": "ml.m5.xlarge", "InitialInstanceCount": count}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=self.named(name), ProductionVariants=[variant], ExecutionRoleArn=role
        )
        self.sagemaker.create_endpoint(EndpointName=self.named(name), EndpointConfigName=self.named(name))
        self.settled(self.named(name))
        return self.named(name)

    def place(self, endpoint: str, name: str, copies: int = 1, memory: int = 512, **specification: Any) -> str:
        """A component of the model of the same name unless a specification says otherwise; its name."""
        required = {"MinMemoryRequiredInMb": memory, "NumberOfCpuCoresRequired": 0.5}
        what = specification or {"ModelName": self.named(name)}
        self.sagemaker.create_inference_component(
            InferenceComponentName=self.named(name),
            EndpointName=endpoint,
            VariantName="all",
            Specification={"ComputeResourceRequirements": required, **what},
            RuntimeConfig={"CopyCount": copies},
        )
        return self.named(name)

    def component(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_inference_component(InferenceComponentName=name)
        return found

    def ready(self, name: str, status: str = "InService") -> dict[str, Any]:
        """A component, once nothing is in progress."""
        found = eventually(
            lambda: (shown := self.component(name))["InferenceComponentStatus"] not in ("Creating", "Updating") and shown, 60
        )
        assert found["InferenceComponentStatus"] == status, found
        return dict(found)

    def described_config(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_endpoint_config(EndpointConfigName=name)
        return found

    def deployment(self, endpoint: str) -> int:
        """The deployment of an endpoint before the one that it serves."""
        listed = self.yard.client("modelyard").list_endpoint_deployments(EndpointName=endpoint)["Deployments"]
        return int(listed[1]["DeploymentNumber"])

    def counts(self, name: str, copies: int) -> None:
        """Wait until a component has so many copies."""
        self.ready(name)
        wanted = {"DesiredCopyCount": copies, "CurrentCopyCount": copies}
        eventually(lambda: self.component(name)["RuntimeConfig"] == wanted, 60)

    def ask(self, endpoint: str, component: str, body: bytes = b"{}") -> bytes:
        return self.invoke(endpoint, body, InferenceComponentName=component)

    def remove(self, name: str) -> None:
        self.sagemaker.delete_inference_component(InferenceComponentName=name)
        eventually(lambda: not self.sagemaker.list_inference_components(NameContains=name)["InferenceComponents"], 60)


class Loaded(Load):
    """Requests to a component at a steady pace."""

    def __init__(self, deployer: Components, endpoint: str, component: str) -> None:
        super().__init__(deployer, endpoint)
        self._asked = lambda: deployer.ask(endpoint, component)

    def _one(self) -> None:
        try:
            self.answers[self._asked()] += 1
        except Exception as error:
            self.failed.append(repr(error))


@pytest.fixture
def deployer(yard: RunningYard, request: pytest.FixtureRequest) -> Components:
    """Somebody who deploys, with names of the test's own."""
    return Components(yard, f"c{zlib.crc32(request.node.name.encode()):x}")


@both_databases
@pytest.mark.documented
def test_models_share_an_endpoint(deployer: Components):
    """Each component is asked by its name; as long as there is one, the endpoint is not deleted."""
    endpoint = deployer.host()
    for word in ("one", "two"):
        deployer.model(word, says(word))
        deployer.place(endpoint, word, copies=2)
    for word in ("one", "two"):
        deployer.counts(deployer.named(word), 2)
        assert deployer.ask(endpoint, deployer.named(word)) == word.encode()
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:inference-component/{deployer.named('one')}"
    shown = deployer.component(deployer.named("one"))
    assert (shown["EndpointName"], shown["VariantName"], shown["InferenceComponentArn"]) == (endpoint, "all", arn)
    answer = deployer.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x", InferenceComponentName=deployer.named("one"))
    assert answer["InvokedProductionVariant"] == "all"
    streamed = deployer.runtime.invoke_endpoint_with_response_stream(
        EndpointName=endpoint, Body=b"x", InferenceComponentName=deployer.named("two")
    )
    assert b"".join(event["PayloadPart"]["Bytes"] for event in streamed["Body"]) == b"two"
    with pytest.raises(
        ClientError, match="Inference Component Name header is required for endpoints to which you plan to deploy"
    ):
        deployer.invoke(endpoint)
    with pytest.raises(ClientError, match=r"ValidationException.*Cannot delete endpoint with inference component associated\."):
        deployer.sagemaker.delete_endpoint(EndpointName=endpoint)
    for word in ("one", "two"):
        deployer.remove(deployer.named(word))
    with pytest.raises(ClientError, match=f'Could not find inference component "{arn}".'):
        deployer.component(deployer.named("one"))
    with pytest.raises(ClientError, match=r"ValidationError.*Inference Component .* not found"):
        deployer.ask(endpoint, deployer.named("one"))
    deployer.delete(endpoint)


@pytest.mark.documented
def test_copies_come_and_go_while_it_serves(deployer: Components):
    """More copies and fewer, and other models, without a failed request; and none at all, which is told at once."""
    endpoint = deployer.host()
    deployer.model("m", says("m"))
    name = deployer.place(endpoint, "m")
    deployer.ready(name)
    with Loaded(deployer, endpoint, name) as load:
        for copies in (3, 1):
            deployer.sagemaker.update_inference_component_runtime_config(
                InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": copies}
            )
            assert deployer.component(name)["RuntimeConfig"]["DesiredCopyCount"] == copies
            deployer.counts(name, copies)
        deployer.model("other", says("other"))
        deployer.sagemaker.update_inference_component(
            InferenceComponentName=name,
            Specification={"ModelName": deployer.named("other")},
            RuntimeConfig={"CopyCount": 2},
            DeploymentConfig=ROLLING,
        )
        with pytest.raises(ClientError, match="Cannot update in-progress inference component"):
            deployer.sagemaker.delete_inference_component(InferenceComponentName=name)
        shown = deployer.ready(name)
        assert deployer.ask(endpoint, name) == b"other"
    assert not load.failed, load.failed[:3]
    assert set(load.answers) == {b"m", b"other"}
    assert shown["Specification"]["ModelName"] == deployer.named("other")
    assert shown["LastDeploymentConfig"] == ROLLING
    deployer.sagemaker.update_inference_component_runtime_config(
        InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 0}
    )
    deployer.counts(name, 0)
    with pytest.raises(ClientError, match="Inference Component has no capacity to process this request"):
        deployer.ask(endpoint, name)
    deployer.sagemaker.update_inference_component(InferenceComponentName=name, RuntimeConfig={"CopyCount": 1})
    deployer.ready(name)
    assert deployer.ask(endpoint, name) == b"other"


@pytest.mark.documented
def test_a_component_of_a_container(deployer: Components):
    """It needs no model: image, artifact and environment are its own, and it runs as the role of the endpoint's configuration."""
    endpoint = deployer.host()
    part = """
import boto3
def invoke(body, headers):
    me = boto3.client("sts").get_caller_identity()["Arn"]
    print("asked", flush=True)
    return 200, json.dumps([os.environ["MINE"], me]).encode(), {}
"""
    uri = deployer.upload("c", packed(serve=program(part)))
    container = {"Image": IMAGE, "ArtifactUrl": uri, "Environment": {"MINE": "1"}}
    name = deployer.place(endpoint, "c", Container=container)
    shown = deployer.ready(name)["Specification"]["Container"]
    assert (shown["ArtifactUrl"], shown["Environment"]) == (uri, {"MINE": "1"})
    assert shown["DeployedImage"]["SpecifiedImage"] == IMAGE
    deployer.s3.delete_object(Bucket=deployer.bucket, Key="c/model.tar.gz")
    assert re.fullmatch(rb'\["1", "arn:aws:sts::.*:assumed-role/.*-host/SageMaker"\]', deployer.ask(endpoint, name))
    logs = deployer.yard.client("logs")
    group = f"/aws/sagemaker/InferenceComponents/{name}"

    def lines() -> list[str]:
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        events = [logs.get_log_events(logGroupName=group, logStreamName=one["logStreamName"])["events"] for one in streams]
        return [event["message"] for one in events for event in one]

    assert eventually(lambda: logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] and "asked" in lines())


@pytest.mark.documented
def test_what_does_not_come_up(deployer: Components):
    """A new component fails with the reason, and can only be deleted; an update that fails leaves what there was."""
    endpoint = deployer.host()
    deployer.model("bad", program("raise SystemExit(3)"))
    deployer.model("good", says("good"))
    bad, good = deployer.place(endpoint, "bad"), deployer.place(endpoint, "good")
    assert "did not pass the ping health check" in deployer.ready(bad, "Failed")["FailureReason"]
    with pytest.raises(ClientError, match=f"Inference Component {bad} of endpoint {endpoint} .* not found"):
        deployer.ask(endpoint, bad)
    with pytest.raises(ClientError, match="it can only be deleted"):
        deployer.sagemaker.update_inference_component(InferenceComponentName=bad, RuntimeConfig={"CopyCount": 2})
    deployer.remove(bad)
    deployer.ready(good)
    deployer.sagemaker.update_inference_component(InferenceComponentName=good, Specification={"ModelName": deployer.named("bad")})
    shown = deployer.ready(good)
    assert "did not pass the ping health check" in shown["FailureReason"]
    assert shown["Specification"]["ModelName"] == deployer.named("good")
    assert deployer.ask(endpoint, good) == b"good"


@both_databases
@pytest.mark.ours
def test_a_version_in_a_component_is_deployed(deployer: Components):
    """It is found where versions are looked for, and it is not deleted as long as it serves."""
    endpoint = deployer.host()
    deployer.sagemaker.create_model_package_group(ModelPackageGroupName=deployer.named("g"))
    uri = deployer.upload("v", packed(serve=says("v")))
    specification = {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": uri}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    arn = deployer.sagemaker.create_model_package(
        ModelPackageGroupName=deployer.named("g"), ModelApprovalStatus="Approved", InferenceSpecification=specification
    )["ModelPackageArn"]
    deployer.sagemaker.create_model(ModelName=deployer.named("v"), Containers=[{"ModelPackageName": arn}])
    name = deployer.place(endpoint, "v", copies=2)
    deployer.ready(name)
    extras = deployer.yard.client("modelyard")
    [found] = extras.list_version_deployments(ModelPackageArn=arn)["Deployments"]
    assert (found["EndpointName"], found["InferenceComponentName"], found["InstanceCount"]) == (endpoint, name, 2)
    with pytest.raises(ClientError, match="ConflictException"):
        deployer.sagemaker.delete_model_package(ModelPackageName=arn)
    history = extras.list_endpoint_deployments(EndpointName=endpoint)["Deployments"]
    assert [(one["Kind"], [variant["Containers"] for variant in one["Variants"]]) for one in history] == [("Create", [[]])]
    deployer.remove(name)
    assert extras.list_version_deployments(ModelPackageArn=arn)["Deployments"] == []
    [past] = extras.list_version_deployments(ModelPackageArn=arn, IncludePast=True)["Deployments"]
    assert past["Until"] >= past["Since"]
    deployer.sagemaker.delete_model_package(ModelPackageName=arn)


@pytest.mark.ours
def test_the_instances_bound_the_copies(deployer: Components):
    """More than an instance has is refused, and more than all of them have; and an update to what is too small for what runs."""
    endpoint = deployer.host(count=2)
    deployer.model("m", says("m"))
    with pytest.raises(ClientError, match="an instance has 4 CPU cores and 4096 MB"):
        deployer.place(endpoint, "m", memory=5000)
    with pytest.raises(ClientError, match="take 3 instance"):
        deployer.place(endpoint, "m", copies=3, memory=3000)
    name = deployer.place(endpoint, "m", copies=2, memory=3000)
    deployer.ready(name)
    with pytest.raises(ClientError, match="take 3 instance"):
        deployer.sagemaker.update_inference_component_runtime_config(
            InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 3}
        )
    one = [{"VariantName": "all", "DesiredInstanceCount": 1}]
    with pytest.raises(ClientError, match="take 2 instance"):
        deployer.sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=one)
    deployer.config("m")
    with pytest.raises(ClientError, match="inference components on the variant all, which has to stay"):
        deployer.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=deployer.named("m"))
    three = [{"VariantName": "all", "DesiredInstanceCount": 3}]
    deployer.sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=three)
    deployer.settled(endpoint)
    eventually(lambda: deployer.described(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 3)
    deployer.sagemaker.update_inference_component_runtime_config(
        InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 3}
    )
    deployer.counts(name, 3)
    other = [{"VariantName": "all", "InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 4}]
    role = deployer.described_config(endpoint)["ExecutionRoleArn"]
    deployer.sagemaker.create_endpoint_config(
        EndpointConfigName=deployer.named("other"), ProductionVariants=other, ExecutionRoleArn=role
    )
    deployer.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=deployer.named("other"))
    assert deployer.settled(endpoint)["EndpointConfigName"] == deployer.named("other")
    deployer.yard.client("modelyard").rollback_endpoint(EndpointName=endpoint, DeploymentNumber=deployer.deployment(endpoint))
    assert deployer.settled(endpoint)["EndpointConfigName"] == endpoint
    assert deployer.ask(endpoint, name) == b"m"
    single = deployer.deploy("single")
    with pytest.raises(ClientError, match="Inference Component Name header is not allowed for endpoints to which you dont plan"):
        deployer.ask(single, name)


@pytest.mark.seen
def test_the_sdk_deploys_components(deployer: Components):
    """Version 2, unmodified: models deployed as components of one endpoint, asked by their predictors, scaled, deleted."""
    words = [deployer.upload(word, packed(serve=says(word))) for word in ("one", "two")]
    command = [client_environment("sdk2"), PROGRAMS / "sdk2_components.py", deployer.named("sdk"), *words]
    environment = deployer.yard.environment(profile="execution-role")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {"answers": ["one", "two"], "listed": 2, "copies": 2}


@pytest.mark.documented
def test_components_are_measured_and_scaled(deployer: Components):
    """Their metrics have their name for a dimension; registered as a scalable target a component keeps within its bounds."""
    endpoint = deployer.host()
    deployer.model("m", says("m"))
    name = deployer.place(endpoint, "m")
    deployer.ready(name)
    scaling, cloudwatch = deployer.yard.client("application-autoscaling"), deployer.yard.client("cloudwatch")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"inference-component/{name}",
        "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=2, MaxCapacity=3)
    for _ in range(4):
        deployer.ask(endpoint, name)
    begun = time.time() - 300

    def invocations() -> float:
        found = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName="InvocationsPerCopy",
            Dimensions=[{"Name": "InferenceComponentName", "Value": name}],
            StartTime=begun,
            EndTime=time.time() + 60,
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(float(one["Sum"]) for one in found)

    eventually(lambda: invocations() >= 2, 60)
    eventually(lambda: deployer.component(name)["RuntimeConfig"]["CurrentCopyCount"] == 2, 60)
