"""Endpoints through boto3: models that really answer, in sandboxed processes."""

import re
import zlib

import pytest
from botocore.exceptions import ClientError
from tests.endpoints import Deployer, Load, program, says
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = [pytest.mark.slow]

HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}


def blue_green(kind: str, **more: object) -> dict[str, object]:
    routing = {"Type": kind, "WaitIntervalInSeconds": 1, **more}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 1}}


CANARY, LINEAR = blue_green("CANARY", CanarySize=HALF), blue_green("LINEAR", LinearStepSize=HALF)
ROLLING = {"RollingUpdatePolicy": {"MaximumBatchSize": HALF, "WaitIntervalInSeconds": 1}}


@pytest.fixture
def deployer(yard: RunningYard, request: pytest.FixtureRequest) -> Deployer:
    """Somebody who deploys, with names of the test's own."""
    return Deployer(yard, f"t{zlib.crc32(request.node.name.encode()):x}")


@both_databases
@pytest.mark.documented
def test_an_endpoint_is_made_answers_and_goes(deployer: Deployer):
    """Created, it is in service a moment later with a process of its own that answers; deleted, it is gone for every client."""
    name = deployer.deploy("echo")
    answer = deployer.runtime.invoke_endpoint(
        EndpointName=name, Body=b'{"x": 1}', ContentType="application/json", Accept="application/json"
    )
    assert answer["Body"].read() == b'{"x": 1}'
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("application/json", "AllTraffic")
    shown = deployer.described(name)
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/{name}"
    assert (shown["EndpointArn"], shown["EndpointConfigName"]) == (arn, name)
    [variant] = shown["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"], variant["CurrentWeight"]) == (1, 1, 1.0)
    with pytest.raises(ClientError, match=f'Cannot create already existing endpoint "{arn}".'):
        deployer.sagemaker.create_endpoint(EndpointName=name.upper(), EndpointConfigName=name)
    deployer.delete(name)
    with pytest.raises(ClientError, match=f"ValidationError.* Endpoint {name} of account {ACCOUNT} not found."):
        deployer.invoke(name)
    with pytest.raises(ClientError, match=f'Could not find endpoint "{arn}".'):
        deployer.described(name)


@pytest.mark.documented
def test_an_update_under_load_fails_no_request(deployer: Deployer):
    """While requests keep coming an endpoint moves to another model, all at once and in steps, and each of them is answered."""
    name = deployer.deploy("one", says("one"))
    with Load(deployer, name) as load:
        for number, policy in enumerate(({}, CANARY, LINEAR, ROLLING), 2):
            more = {"DeploymentConfig": policy} if policy else {}
            deployer.model(f"m{number}", says(f"m{number}"))
            deployer.config(f"m{number}", {"InitialInstanceCount": 2 if policy else 1})
            deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named(f"m{number}"), **more)
            shown = deployer.described(name)
            assert (shown["EndpointStatus"], shown["PendingDeploymentSummary"]["EndpointConfigName"]) == (
                "Updating",
                deployer.named(f"m{number}"),
            )
            assert shown["EndpointConfigName"] == deployer.named("one" if number == 2 else f"m{number - 1}")
            with pytest.raises(ClientError, match=f'Cannot update in-progress endpoint "{shown["EndpointArn"]}".'):
                deployer.sagemaker.delete_endpoint(EndpointName=name)
            shown = deployer.settled(name)
            assert shown["EndpointConfigName"] == deployer.named(f"m{number}")
            assert shown.get("LastDeploymentConfig", {}) == policy
            assert deployer.invoke(name) == f"m{number}".encode()
    assert not load.failed, load.failed[:3]
    assert load.answers.keys() == {b"one", b"m2", b"m3", b"m4", b"m5"}


@pytest.mark.seen
@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("raise SystemExit(3)", "did not pass the ping health check.*exited with code 3"),
        ("def invoke(:", "did not pass the ping health check.*exited with code 1"),
        (None, "Failed to extract model data archive"),
    ],
    ids=["exits", "no-python", "no-archive"],
)
def test_a_broken_model_leaves_the_old_one(deployer: Deployer, broken: str | None, reason: str):
    """An update to a model that does not come up ends in service, on the configuration before, with the reason."""
    name = deployer.deploy("good", says("good"))
    if broken is None:
        uri = deployer.upload("bad", b"no archive at all")
        container = {"Image": "modelyard/program:1", "ModelDataUrl": uri}
        deployer.sagemaker.create_model(ModelName=deployer.named("bad"), PrimaryContainer=container)
    else:
        deployer.model("bad", program(broken))
    deployer.config("bad")
    deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named("bad"))
    shown = deployer.settled(name)
    assert shown["EndpointConfigName"] == deployer.named("good")
    assert re.search(reason, shown["FailureReason"])
    assert deployer.invoke(name) == b"good"
    assert "FailureReason" not in deployer.update(name, "better", says("better"))


@pytest.mark.documented
def test_weights_and_counts_change_while_it_serves(deployer: Deployer):
    """Weights move the traffic, counts the number of processes, and neither fails a request."""
    deployer.model("a", says("a"))
    deployer.model("b", says("b"))
    variants = [{"VariantName": name, "ModelName": deployer.named(name)} for name in "ab"]
    name = deployer.config("ab", *variants)
    deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    deployer.settled(name)
    with Load(deployer, name) as load:
        assert {deployer.invoke(name, TargetVariant=one) for one in "ab"} == {b"a", b"b"}
        deployer.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=name,
            DesiredWeightsAndCapacities=[
                {"VariantName": "a", "DesiredWeight": 0.0},
                {"VariantName": "b", "DesiredInstanceCount": 3},
            ],
        )
        shown = {one["VariantName"]: one for one in deployer.settled(name)["ProductionVariants"]}
        assert (shown["a"]["CurrentWeight"], shown["b"]["CurrentInstanceCount"]) == (0.0, 3)
        assert {deployer.invoke(name) for _ in range(20)} == {b"b"}
        assert deployer.invoke(name, TargetVariant="a") == b"a"
    assert not load.failed, load.failed[:3]
    with pytest.raises(ClientError, match="is/are not present within endpoint configuration"):
        deployer.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "c", "DesiredWeight": 1.0}]
        )
