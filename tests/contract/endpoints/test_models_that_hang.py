"""Models that run and never serve: real programs in sandboxes, on every database, with less patience than people's get."""

import re

import pytest
from tests.contract.endpoints.hosting import Hosting
from tests.endpoints import packed, program, says

from modelyard.endpoints import instance, worker
from modelyard.endpoints.operations import planning

pytestmark = pytest.mark.ours

VARIANT = {"VariantName": "v", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
PING = "did not pass the ping health check.*"
HANGING = {
    "never-listens": ("import time\ntime.sleep(1000)", "within 3 seconds: nobody listens on port 8080"),
    "another-port": (program("os.environ['SAGEMAKER_BIND_TO_PORT'] = '8081'"), "within 3 seconds: nobody listens on port 8080"),
    "gives-no-answer": (program("def ready():\n    time.sleep(1000)"), "within 3 seconds: it gives no answer"),
    "never-ready": (program("def ready():\n    return False"), "within 3 seconds: it answers with 503"),
    "says-it-cannot": (
        program("class Ill(Handler):\n    def do_GET(self):\n        self.reply(500, b'no weights')\nHandler = Ill"),
        "answered /ping with 500. no weights",
    ),
}


def test_updates_to_models_that_hang_end_on_what_served_before(hosting: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that never listens, listens elsewhere, does not answer or answers with errors is given up in time: the update
    ends in service on the configuration before, with what /ping met."""
    monkeypatch.setattr(planning, "FIRST_CHECK_SECONDS", 3.0)
    monkeypatch.setattr(instance, "LONGEST_500", 1.0)
    for name, serve in {"good": says("good"), **{name: serve for name, (serve, _) in HANGING.items()}}.items():
        uri = hosting.put(f"{name}/model.tar.gz", packed(serve=serve))
        hosting.create(name, PrimaryContainer={"Image": "modelyard/program:1", "ModelDataUrl": uri})
        variant = {**VARIANT, "ModelName": hosting.named(name)}
        hosting.sagemaker("CreateEndpointConfig", EndpointConfigName=hosting.named(name), ProductionVariants=[variant])

    def found() -> list[tuple[str, str]]:
        shown = (hosting.sagemaker("DescribeEndpoint", EndpointName=hosting.named(name)) for name in HANGING)
        return [(one["EndpointStatus"], one.get("FailureReason", "")) for one in shown]

    def settled() -> bool:
        return {status for status, _ in found()}.isdisjoint(("Creating", "Updating"))

    for name in HANGING:
        hosting.sagemaker("CreateEndpoint", EndpointName=hosting.named(name), EndpointConfigName=hosting.named("good"))
    assert worker.turn_until(hosting.yard.house, settled, 120)
    assert found() == [("InService", "")] * len(HANGING)
    for name in HANGING:
        hosting.sagemaker("UpdateEndpoint", EndpointName=hosting.named(name), EndpointConfigName=hosting.named(name))
    assert worker.turn_until(hosting.yard.house, settled, 120)
    for (status, reason), (name, (_, wanted)) in zip(found(), HANGING.items(), strict=True):
        assert status == "InService" and re.search(PING + wanted, reason), (name, reason)
        shown = hosting.sagemaker("DescribeEndpoint", EndpointName=hosting.named(name))
        assert (shown["EndpointConfigName"], shown["ProductionVariants"][0]["CurrentInstanceCount"]) == (hosting.named("good"), 1)
        hosting.sagemaker("DeleteEndpoint", EndpointName=hosting.named(name))
    assert worker.turn_until(
        hosting.yard.house,
        lambda: not hosting.sagemaker("ListEndpoints", NameContains=f"-{hosting.number}")["Endpoints"],
        120,
    )
