"""Serverless variants through boto3: workers that come when they are asked for, and go when they are not."""

import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.endpoints import Deployer, Load, eventually, program, says
from tests.running import RunningYard

pytestmark = [pytest.mark.slow]

PID = """
def invoke(body, headers):
    if body.startswith(b"sleep"):
        time.sleep(float(body.split()[1]))
    if body.startswith(b"take"):
        taken = bytearray(int(body.split()[1]) * 1024 * 1024)
    return 200, str(os.getpid()).encode() + b" " + ID.encode(), {}

import uuid
ID = uuid.uuid4().hex
"""


class Serverless(Deployer):
    """Somebody who deploys serverless endpoints."""

    def serverless(self, name: str, serve: str | None, wait: bool = True, **config: int) -> str:
        """A serverless endpoint of a program, or only its configuration where there is no program; its name."""
        if serve is not None:
            self.model(name, serve)
        self.serverless_config(name, **config)
        self.sagemaker.create_endpoint(EndpointName=self.named(name), EndpointConfigName=self.named(name))
        if wait:
            self.settled(self.named(name))
        return self.named(name)

    def serverless_config(self, name: str, **config: int) -> str:
        """A configuration with a serverless variant; its name."""
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": self.named(name),
            "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 2, **config},
        }
        self.sagemaker.create_endpoint_config(EndpointConfigName=self.named(name), ProductionVariants=[variant])
        return self.named(name)

    def variant(self, endpoint: str) -> dict[str, Any]:
        """The variant as it is described."""
        [found] = self.described(endpoint)["ProductionVariants"]
        return dict(found)

    def asleep(self, endpoint: str) -> bool:
        """Whether it has no worker."""
        return bool(self.variant(endpoint)["CurrentInstanceCount"] == 0)

    def worker(self, endpoint: str, body: bytes = b"{}") -> str:
        """The worker that answers."""
        return self.invoke(endpoint, body).decode().split()[1]


@pytest.fixture(scope="module")
def idle_yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningYard]:
    """A server whose serverless variants sleep soon."""
    yard = RunningYard(tmp_path_factory.mktemp("serverless") / "data", serverless_idle_seconds=1)
    yard.start()
    yield yard
    yard.stop()
    assert not yard.defects(), "\n".join(yard.defects())


@pytest.fixture
def deployer(idle_yard: RunningYard, request: pytest.FixtureRequest) -> Serverless:
    """Somebody who deploys, with names of the test's own."""
    return Serverless(idle_yard, f"t{zlib.crc32(request.node.name.encode()):x}")


@pytest.mark.documented
def test_it_sleeps_until_it_is_asked(deployer: Serverless):
    """It is in service once a worker has come up; with nothing to do it has none, and a request starts one and is answered."""
    name = deployer.serverless("pid", program(PID))
    shown = deployer.variant(name)
    config = {"MemorySizeInMB": 1024, "MaxConcurrency": 2}
    assert (shown["CurrentServerlessConfig"], shown["DesiredServerlessConfig"]) == (config, config)
    assert "DesiredInstanceCount" not in shown
    first = deployer.worker(name)
    assert deployer.worker(name) == first
    eventually(lambda: deployer.asleep(name))
    assert deployer.described(name)["EndpointStatus"] == "InService"
    assert deployer.worker(name) != first
    deployer.delete(name)


@pytest.mark.documented
def test_a_model_that_does_not_come_up_is_not_in_service(deployer: Serverless):
    """A serverless endpoint fails to be made of a broken model, though nothing has asked it yet."""
    name = deployer.serverless("broken", program("raise SystemExit(3)"), wait=False)
    assert "exited with code 3" in deployer.settled(name, "Failed")["FailureReason"]


@pytest.mark.documented
def test_each_worker_answers_one_request_at_a_time(deployer: Serverless):
    """Requests at the same time have a worker each, and more than MaxConcurrency are throttled."""
    name = deployer.serverless("pid", program(PID))

    def ask(_: int) -> str:
        try:
            return deployer.worker(name, b"sleep 3")
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            return str(error.response["Error"]["Code"])

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(ask, range(5)))
    assert answers.count("ThrottlingException") == 3, answers
    assert len(set(answers)) == 3
    eventually(lambda: deployer.asleep(name))


@pytest.mark.documented
def test_provisioned_workers_stay(deployer: Serverless):
    """ProvisionedConcurrency keeps so many workers while there is nothing to do, and is changed without a new configuration."""
    name = deployer.serverless("pid", program(PID), ProvisionedConcurrency=1)
    first = deployer.worker(name)
    change = {"VariantName": "AllTraffic", "ServerlessUpdateConfig": {"MaxConcurrency": 3, "ProvisionedConcurrency": 2}}
    deployer.sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=[change])
    deployer.settled(name)
    shown = deployer.variant(name)
    assert shown["CurrentServerlessConfig"] == {"MemorySizeInMB": 1024, "MaxConcurrency": 3, "ProvisionedConcurrency": 2}
    assert shown["CurrentInstanceCount"] == 2
    assert deployer.worker(name) == first
    for wrong, match in (
        ({"ServerlessUpdateConfig": {"ProvisionedConcurrency": 4}}, "is greater than its MaxConcurrency"),
        ({"DesiredInstanceCount": 1}, "is a serverless one"),
    ):
        with pytest.raises(ClientError, match=match):
            deployer.sagemaker.update_endpoint_weights_and_capacities(
                EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", **wrong}]
            )


@pytest.mark.documented
def test_memory_is_what_was_asked_for(deployer: Serverless):
    """A request that takes more than MemorySizeInMB ends its worker, and not the endpoint."""
    name = deployer.serverless("pid", program(PID))
    first = deployer.worker(name, b"take 100")
    with pytest.raises(ClientError, match="ModelError"):
        deployer.worker(name, b"take 1500")
    assert deployer.worker(name, b"take 100") != first


@pytest.mark.ours
def test_it_moves_between_kinds_with_no_downtime(deployer: Serverless):
    """From instances to serverless and back, rolled back and restored while requests keep coming: each of them is answered."""
    name = deployer.deploy("one", says("one"))
    deployer.model("two", says("two"))
    deployer.serverless_config("two", MaxConcurrency=16)
    client = deployer.yard.client("modelyard")
    with Load(deployer, name, per_second=20) as load:
        deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named("two"))
        deployer.settled(name)
        assert deployer.invoke(name) == b"two"
        client.rollback_endpoint(EndpointName=name)
        deployer.settled(name)
        assert deployer.invoke(name) == b"one"
        client.rollback_endpoint(EndpointName=name)
        deployer.settled(name)
        assert deployer.invoke(name) == b"two"
    assert not load.failed, load.failed[:3]
    assert load.answers.keys() == {b"one", b"two"}
    eventually(lambda: deployer.asleep(name))
    deployer.model("bad", program("raise SystemExit(3)"))
    deployer.serverless_config("bad")
    deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named("bad"))
    assert "exited with code 3" in deployer.settled(name)["FailureReason"]
    deployer.delete(name)
    client.restore_endpoint(EndpointName=name)
    deployer.settled(name)
    assert deployer.invoke(name) == b"two"


@pytest.mark.documented
def test_what_serverless_variants_cannot_have(deployer: Serverless):
    """Pipelines, networks of one's own and isolation are refused, and so are more workers than this server runs."""
    uri = deployer.upload("m", b"")
    container = {"Image": "modelyard/program:1", "ModelDataUrl": uri}
    refused: tuple[tuple[dict[str, Any], dict[str, int], str], ...] = (
        ({"Containers": [container, container]}, {}, "has several containers"),
        ({"PrimaryContainer": container, "EnableNetworkIsolation": True}, {}, "is isolated from the network"),
        ({"PrimaryContainer": container}, {"MaxConcurrency": 65}, "at most 64 instances, or workers"),
    )
    for number, (model, config, match) in enumerate(refused):
        deployer.sagemaker.create_model(ModelName=deployer.named(f"m{number}"), **model)
        with pytest.raises(ClientError, match=f"ValidationException.*{match}"):
            deployer.serverless(f"m{number}", None, **config)
    assert json.dumps(deployer.sagemaker.list_endpoints(NameContains=deployer.prefix)["Endpoints"]) == "[]"
